"""What a check says: passed or not, how much it matters, whose it is, what to do, and the rows that offend."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Severity = Literal["block", "warn"]

ROWS_KEPT = 20
TEXT_KEPT = 200
DEFAULT_OWNER = "statistics"
MASK = "▒"
NOT_AUDITED = "not audited"

STANDING_ALONE = re.compile(r"(?<![0-9A-Za-z])\d{11,19}[Xx]?(?![0-9A-Za-z])")
MOBILE = re.compile(r"^1[3-9]\d{9}$")
RESIDENT_ID = re.compile(r"^\d{17}[0-9Xx]$")
ID_WEIGHTS = tuple(2**power % 11 for power in range(17, 0, -1))
ID_CHECK_DIGITS = "10X98765432"


@dataclass(frozen=True)
class Verdict:
    """One check of one product, or of one source (then ``product`` is empty).

    ``rows`` holds at most ROWS_KEPT offending rows, without personal values.
    """

    product: str
    check: str
    severity: Severity
    passed: bool
    detail: str
    owner: str = DEFAULT_OWNER
    action: str = ""
    rows: tuple[dict[str, Any], ...] = ()
    source: str = ""
    zh: str = ""
    """The name of the check in Chinese."""
    waived: str = ""
    """Who lets the failure pass, why and until when; empty when nobody does."""

    @property
    def blocks(self) -> bool:
        return not self.passed and self.severity == "block" and not self.waived

    def of_product(self, product: str) -> Verdict:
        return replace(self, product=product)

    def as_dict(self) -> dict[str, Any]:
        return {
            "product": self.product,
            "source": self.source,
            "check": self.check,
            "check_zh": self.zh,
            "severity": self.severity,
            "passed": self.passed,
            "detail": self.detail,
            "waived": self.waived,
            "owner": self.owner,
            "action": self.action,
            "rows": list(self.rows),
        }


def _is_resident_id(text: str) -> bool:
    """GB 11643: 17 digits and the check digit of ISO 7064 MOD 11-2."""
    if not RESIDENT_ID.match(text):
        return False
    return ID_CHECK_DIGITS[sum(int(d) * w for d, w in zip(text, ID_WEIGHTS, strict=False)) % 11] == text[-1].upper()


def _is_card(text: str) -> bool:
    """A bank card number: 16 to 19 digits that pass Luhn's check."""
    if not text.isdigit() or not 16 <= len(text) <= 19:
        return False
    doubled = (int(d) * (1 + place % 2) for place, d in enumerate(reversed(text)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def masked(text: str) -> str:
    """Hide the middle of what reads as a telephone, resident ID or bank card; codes of units and case numbers stay."""

    def hide(found: re.Match[str]) -> str:
        number = found[0]
        personal = MOBILE.match(number) or _is_resident_id(number) or _is_card(number)
        return number[:3] + MASK * (len(number) - 5) + number[-2:] if personal else number

    return STANDING_ALONE.sub(hide, text)


def first_line(error: Exception) -> str:
    """What went wrong in one line, masked: a database quotes the value that it choked on."""
    return masked(str(error).splitlines()[0] if str(error) else type(error).__name__)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    return masked(str(value))[:TEXT_KEPT]


def presentable_rows(rows: Iterable[Mapping[str, Any]], hidden_columns: Iterable[str] = ()) -> tuple[dict[str, Any], ...]:
    """The first ROWS_KEPT rows as plain values, without the hidden columns and with long numbers masked."""
    hidden = set(hidden_columns)
    kept: list[dict[str, Any]] = []
    for row in rows:
        if len(kept) == ROWS_KEPT:
            break
        kept.append({name: _plain(value) for name, value in row.items() if name not in hidden})
    return tuple(kept)
