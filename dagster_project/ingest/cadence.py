"""Cadence: which batch dates a source was expected to deliver by a night, judged by what it has delivered so far."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable

from dagster_project.contracts.model import Cadence, Contract
from dagster_project.extract.state import is_connected

NIGHT_RUNS_AT = dt.time(2, 0)


def missing_deliveries(contract: Contract, delivered: Iterable[dt.date], night: dt.date) -> list[str]:
    """Names of the periods, oldest first, from the first delivery on, for which no batch came although it was due by ``night``.

    A batch stands for the period that its date lies in. A delivery due later than the night's run is expected a day later. A source
    that never delivered is missing as a whole, unless it is one to be pulled and no server is named; 'irregular' is never missing.
    """
    dates = sorted(d for d in delivered if d <= night)
    if contract.cadence == "irregular":
        return []
    if not dates:
        return [] if contract.pull is not None and not is_connected(contract) else ["any delivery"]
    if contract.cadence == "once":
        return []
    late = contract.due is not None and contract.due > NIGHT_RUNS_AT
    last_due = night - dt.timedelta(days=1) if late else night
    have = {_period(contract.cadence, d) for d in dates}
    missing = []
    end = _last_day(contract.cadence, dates[0])
    while end <= last_due:
        if _period(contract.cadence, end) not in have:
            missing.append(_period(contract.cadence, end))
        end = _last_day(contract.cadence, end + dt.timedelta(days=1))
    return missing


def _period(cadence: Cadence, day: dt.date) -> str:
    if cadence == "weekly":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    if cadence == "monthly":
        return f"{day:%Y-%m}"
    if cadence == "quarterly":
        return f"{day.year}-Q{(day.month + 2) // 3}"
    return str(day.year) if cadence == "yearly" else day.isoformat()


def _last_day(cadence: Cadence, day: dt.date) -> dt.date:
    if cadence == "weekly":
        return day + dt.timedelta(days=7 - day.isoweekday())
    if cadence == "monthly":
        return day.replace(day=calendar.monthrange(day.year, day.month)[1])
    if cadence == "quarterly":
        month = (day.month + 2) // 3 * 3
        return dt.date(day.year, month, calendar.monthrange(day.year, month)[1])
    return dt.date(day.year, 12, 31) if cadence == "yearly" else day
