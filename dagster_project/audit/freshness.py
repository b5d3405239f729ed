"""Which deliveries are expected by a night, from a contract's cadence."""

from __future__ import annotations

import calendar
import datetime as dt

from dagster_project.contracts.model import Cadence, Contract

NIGHT_STARTS = dt.time(2, 0)
MONTHS: dict[Cadence, int] = {"monthly": 1, "quarterly": 3, "yearly": 12}
DAYS: dict[Cadence, int] = {"daily": 1, "weekly": 7}


def _months_later(day: dt.date, months: int) -> dt.date:
    """The same place in a later month; a last day stays a last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    at_month_end = day.day == calendar.monthrange(day.year, day.month)[1]
    return dt.date(year, month + 1, last if at_month_end else min(day.day, last))


def next_expected(cadence: Cadence, newest: dt.date) -> dt.date | None:
    """The date of the batch that follows the newest one; None where none is promised (once, irregular)."""
    if cadence in DAYS:
        return newest + dt.timedelta(days=DAYS[cadence])
    if cadence in MONTHS:
        return _months_later(newest, MONTHS[cadence])
    return None


def missing_delivery(contract: Contract, newest: dt.date | None, as_of: dt.date) -> str | None:
    """What is overdue when the night ``as_of`` is processed, in words; None when nothing is.

    The night runs at 02:00 of the day after, so a delivery due later than that is waited for until the next night.
    """
    if newest is None:
        return None if contract.cadence == "irregular" else f"{contract.id}: never delivered"
    expected = next_expected(contract.cadence, newest)
    waits = 1 if contract.due is not None and contract.due > NIGHT_STARTS else 0
    if expected is None or expected + dt.timedelta(days=waits) > as_of:
        return None
    return f"{contract.id}: the {contract.cadence} batch of {expected} is missing, the newest is of {newest} ({(as_of - newest).days} days old)"
