"""Which release readers saw when: every move of ``published/current`` as the ledger has it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dagster_project.calendar import TIMEZONE
from dagster_project.home import Home
from dagster_project.ledger import entries, record
from dagster_project.release.record import ReleaseError, current_version

FOUND = "found so: the process that switched ended before it could record it"


@dataclass(frozen=True)
class Switch:
    """From this moment on readers saw this version."""

    version: str
    since: dt.datetime
    because: str


def switches(home: Home) -> list[Switch]:
    """Every switch, oldest first. Raises LedgerError when the ledger cannot be read."""
    return [
        Switch(e.about["version"], dt.datetime.fromisoformat(e.about["since"]), e.about["because"])
        for e in entries(home)
        if e.action == "switch"
    ]


def note_switch(home: Home, because: str) -> None:
    """Record where ``published/current`` points now, and since when, unless the ledger says so already."""
    version = current_version(home)
    if version is None:
        return
    known = switches(home)
    if known and known[-1].version == version:
        return
    since = dt.datetime.fromtimestamp(home.current.lstat().st_mtime, tz=dt.UTC)
    before = known[-1].version if known else None
    record(home, "switch", {"version": version, "before": before, "since": since.isoformat(), "because": because})


def settle_switches(home: Home) -> None:
    """Catch up with a switch whose process was killed before it recorded it; to be called under the writer's lock."""
    note_switch(home, FOUND)


def published_on(home: Home, day: dt.date) -> tuple[Switch, ...]:
    """The switches that were in force on a day of the calendar in China, the last one being what readers saw at its end.

    Raises ReleaseError when nothing was published then.
    """
    known = switches(home)
    zone = ZoneInfo(TIMEZONE)
    starts = dt.datetime.combine(day, dt.time(), tzinfo=zone)
    ends = starts + dt.timedelta(days=1)
    before = [s for s in known if s.since < starts]
    in_force = (*before[-1:], *(s for s in known if starts <= s.since < ends))
    if not in_force:
        first = (
            f"the first release became current on {known[0].since.astimezone(zone):%Y-%m-%d}" if known else "the ledger knows of no release"
        )
        raise ReleaseError(f"nothing was published on {day}: {first}")
    return in_force
