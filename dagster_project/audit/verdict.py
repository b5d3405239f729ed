"""What a check says: passed or not, how much it matters, whose it is, what to do, and the rows that offend."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from dagster_project.contracts.personal_values import masked

Severity = Literal["block", "warn"]

ROWS_KEPT = 20
TEXT_KEPT = 200
DEFAULT_OWNER = "statistics"
NOT_AUDITED = "not audited"


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
