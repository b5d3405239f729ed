"""Local time of the city as whole seconds since 1970-01-01 (no zone, no daylight saving), and its printed forms."""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.int64]

DAY = 86_400
NEVER = 2**61
EPOCH = dt.date(1970, 1, 1)


def seconds_of(day: dt.date) -> int:
    """Midnight at which a day begins."""
    return (day - EPOCH).days * DAY


def date_of(seconds: int) -> dt.date:
    return _date(int(seconds) // DAY)


def is_by(moment: int | None, deadline: int | None) -> bool:
    """By a deadline; one at midnight lasts until its day is over."""
    if moment is None or deadline is None:
        return False
    return moment <= deadline or (deadline % DAY == 0 and moment // DAY == deadline // DAY)


@cache
def _date(days: int) -> dt.date:
    return EPOCH + dt.timedelta(days=days)


def day_number(seconds: Seconds) -> Seconds:
    """Whole days since 1970-01-01."""
    return seconds // DAY


def compact(seconds: Seconds) -> list[str]:
    """``yyyyMMddHHmmss``; NEVER is printed as nothing."""
    return _printed(seconds, lambda text: text[:, [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]])


def spelled(seconds: Seconds) -> list[str]:
    """``yyyy-MM-dd HH:mm:ss``; NEVER is printed as nothing."""

    def with_space(text: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
        spaced = text.copy()
        spaced[:, 10] = " "
        return spaced

    return _printed(seconds, with_space)


def _printed(seconds: Seconds, reshape: object) -> list[str]:
    assert callable(reshape)
    if len(seconds) == 0:
        return []
    known = np.where(seconds == NEVER, 0, seconds)
    iso = np.datetime_as_string(known.astype("datetime64[s]"))
    letters = np.ascontiguousarray(iso).view("U1").reshape(len(iso), -1)
    shaped = np.ascontiguousarray(reshape(letters))
    texts: list[str] = shaped.view(f"U{shaped.shape[1]}").ravel().tolist()
    return ["" if never else text for text, never in zip(texts, (seconds == NEVER).tolist(), strict=True)]
