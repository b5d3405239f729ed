"""Which night it is: the one place that turns a moment of the clock into a night of the city."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

TIMEZONE = "Asia/Shanghai"


def city_time(now: dt.datetime) -> dt.datetime:
    """A moment as the clocks of the city show it."""
    return now.astimezone(ZoneInfo(TIMEZONE))


def last_night(now: dt.datetime) -> dt.date:
    """The night that has just ended, at a moment of the clock."""
    return city_time(now).date() - dt.timedelta(days=1)
