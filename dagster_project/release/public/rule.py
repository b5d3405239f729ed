"""The rule of the public face in one place: what may be public at all, what is small, and when late changes appear."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

SMALLEST_SAFE = 10
"""A count from 1 to one less than this is hidden, and no reader may be able to tell that a hidden count is not 0, or not this large."""

UNIT_LEVELS = ("city", "county")
GRAINS = ("month", "quarter", "year", "ytd")
FROM_COARSE_TO_FINE = ("year", "ytd", "quarter", "month")
REVISION_MONTHS = (1, 4, 7, 10)
"""Late changes of figures that are public already appear in the public release of the end of these months, all at once."""

ADDITIVE = ("sum", "exposure")
COUNTED_NUMERATOR = ("count", "rate", "proportion", "ratio")
COUNTED_DENOMINATOR = ("proportion", "ratio", "mean")
WITHHELD_KINDS = {
    "amount": "金额：单个来源占比无法逐格证明 money: that nobody accounts for more than half of a figure is not proved",
    "weighted": "加权得分：得分由少数答卷构成时无法证明 weighted scores: what a score tells of few answers is not proved",
}
WITHHELD_UNITS = {"fen": WITHHELD_KINDS["amount"]}
SMALL = "数值较小，或可推出较小数值 small, or would tell a small figure"
NOT_PROVED = "无法证明公开是安全的 that printing it is safe could not be proved"


@dataclass(frozen=True)
class Definition:
    """What the rule needs to know of a KPI, from the catalogue."""

    kpi_id: str
    kind: str
    time_rule: str
    numerator_unit: str
    has_squares: bool

    @property
    def withheld(self) -> str:
        """Why no figure of the KPI is ever public; empty when it may be."""
        return WITHHELD_KINDS.get(self.kind, "") or WITHHELD_UNITS.get(self.numerator_unit, "")

    @property
    def is_share(self) -> bool:
        """The numerator is part of the denominator."""
        return self.kind == "proportion"


def is_small(count: int | None) -> bool:
    return count is not None and 0 < count < SMALLEST_SAFE


def is_month_end(day: dt.date) -> bool:
    return (day + dt.timedelta(days=1)).day == 1


def last_month_end(day: dt.date) -> dt.date:
    """The last day of the newest month that is over when ``day`` is."""
    return day if is_month_end(day) else day.replace(day=1) - dt.timedelta(days=1)


def is_revision(month_end: dt.date) -> bool:
    return month_end.month in REVISION_MONTHS
