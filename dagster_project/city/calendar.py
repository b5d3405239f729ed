"""How busy a day is: season, weekday and Spring Festival."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt

SPRING_FESTIVALS = tuple(
    dt.date.fromisoformat(day)
    for day in (
        "2018-02-16", "2019-02-05", "2020-01-25", "2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10",
        "2025-01-29", "2026-02-17", "2027-02-06", "2028-01-26", "2029-02-13", "2030-02-03",
    )
)  # fmt: skip
FESTIVAL_WINDOW = (-5, 20)
FESTIVAL_FACTOR = 0.6
WEEKDAY_FACTORS = (0.94, 0.93, 0.94, 0.95, 1.06, 1.12, 1.06)
MONTH_FACTORS = (0.94, 0.92, 0.97, 1.00, 1.03, 1.06, 1.09, 1.08, 1.04, 1.00, 0.96, 0.91)


def in_festival_window(day: dt.date) -> bool:
    """Whether a day lies in days −5 … +20 around 正月初一."""
    return any(FESTIVAL_WINDOW[0] <= (day - first).days <= FESTIVAL_WINDOW[1] for first in SPRING_FESTIVALS)


def day_factor(day: dt.date) -> float:
    """Expected calls of a day relative to an ordinary one."""
    factor = WEEKDAY_FACTORS[day.weekday()] * MONTH_FACTORS[day.month - 1]
    return factor * FESTIVAL_FACTOR if in_festival_window(day) else factor


def day_factors(first: dt.date, days: int) -> npt.NDArray[np.float64]:
    return np.array([day_factor(first + dt.timedelta(days=n)) for n in range(days)])
