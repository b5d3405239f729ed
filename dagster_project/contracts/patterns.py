"""Regular expressions of contracts, run by RE2: in time linear to the text and in bounded memory, whatever the expression.

Python's own ``re`` would go back and forth for years over ``(a+)+$`` and a name that somebody chose. Conditions need nothing of this: the
engine that runs them (DuckDB) uses RE2 too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import re2

LONGEST = 1_000
MEMORY_BYTES = 1 << 20


class PatternError(ValueError):
    """A regular expression that cannot be used; the message says what is wrong with it."""


@cache
def _compiled(pattern: str) -> Any:
    if len(pattern) > LONGEST:
        raise PatternError(f"a regular expression of {len(pattern):,} characters is longer than {LONGEST:,}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error as wrong:
        reason = wrong.args[0].decode("utf-8", "replace") if isinstance(wrong.args[0], bytes) else str(wrong)
        raise PatternError(
            f"'{pattern}' is not a regular expression of RE2 (which knows no look-around and no back-reference): {reason}"
        ) from None


def between_slashes(text: str) -> str | None:
    """The expression in ``/expression/``; None for a text that is meant as it stands."""
    return text[1:-1] if len(text) > 1 and text.startswith("/") and text.endswith("/") else None


def groups_of(pattern: str) -> int:
    """How many groups an expression has. Raises PatternError."""
    return int(_compiled(pattern).groups)


def find(pattern: str, text: str) -> tuple[str | None, ...] | None:
    """What an expression finds first in a text: the whole and its groups (None where one took no part); None when it finds nothing.

    Bytes of a file name that are no text count as '\N{REPLACEMENT CHARACTER}'. Raises PatternError.
    """
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    found = _compiled(pattern).search(readable)
    return None if found is None else (found.group(0), *found.groups())
