"""What is usual: bands around recent counts that hold for small counts too, and the days that are like no other."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from dagster_project.audit.candidate import Candidate

SPREADS = 5.0
LEAST_CHANGE = 0.3
MAD_TO_SIGMA = 1.4826
FESTIVAL_DAYS = (-5, 20)


@dataclass(frozen=True)
class Band:
    """What a count is expected to be: around ``median``, from ``low`` to ``high``."""

    median: float
    low: float
    high: float

    def holds(self, count: int) -> bool:
        return self.low <= count <= self.high


def usual_band(history: Sequence[int]) -> Band:
    """The band that a further count of the same kind stays in.

    On the scale 2√count a Poisson count has a standard deviation of 1 whatever its size; the spread there is the MAD, at least 1. A count
    is outside when it is more than SPREADS of these away and differs by more than LEAST_CHANGE of the median. Raises ValueError without
    history.
    """
    if not history:
        raise ValueError("a band needs at least one count")
    scaled = [2 * math.sqrt(count) for count in history]
    middle = statistics.median(scaled)
    spread = max(1.0, MAD_TO_SIGMA * statistics.median(abs(value - middle) for value in scaled))
    median = statistics.median(history)
    low = (max(0.0, middle - SPREADS * spread) / 2) ** 2
    high = ((middle + SPREADS * spread) / 2) ** 2
    return Band(median, min(low, median * (1 - LEAST_CHANGE)), max(high, median * (1 + LEAST_CHANGE)))


def unusual_days(candidate: Candidate) -> frozenset[dt.date]:
    """Public holidays, the working days moved for them, and the days around the Spring Festival; none where the seeds are missing."""
    holiday, festival = candidate.lineage.named("calendar_day"), candidate.lineage.named("spring_festival")
    days: set[dt.date] = set()
    try:
        if holiday is not None and candidate.has(holiday):
            days |= {r["day"] for r in candidate.rows(f"select day from {candidate.relation(holiday)} where calendar = 'china'")}
        if festival is not None and candidate.has(festival):
            first, last = FESTIVAL_DAYS
            for row in candidate.rows(f"select day from {candidate.relation(festival)}"):
                days |= {row["day"] + dt.timedelta(days=n) for n in range(first, last + 1)}
    except duckdb.Error:
        return frozenset()
    return frozenset(days)
