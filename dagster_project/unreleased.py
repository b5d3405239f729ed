"""Why a night has no release, or none of new rows: what refused it, in which step it failed, and which deliveries it waited for in vain.

Belongs here: what the ledger and landing say of it, in words. Does not belong here: when somebody is told (``watch``), and all that a
release says of itself.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence, Set

from dagster_project.calendar import city_time
from dagster_project.contracts.load import survey
from dagster_project.home import Home
from dagster_project.ingest.cadence import missing_deliveries
from dagster_project.ingest.landing import discover
from dagster_project.ingest.receipts import Receipts
from dagster_project.ledger import Entry, LedgerError, entries

MOST_REASONS = 3
MOST_SOURCES = 10
ENDED = {"refusal": "was refused", "failure": "failed"}


def ended_without_release(home: Home) -> tuple[str, ...]:
    """Of the nights that were refused or failed since the last publish the newest, oldest first; nothing when that came to its end."""
    try:
        known = entries(home)
    except LedgerError as problem:
        return (f"what became of the nights since cannot be told: {problem}",)
    last = max((e.number for e in known if e.action == "run" and e.about.get("step") == "publish"), default=0)
    of_reason = {(e.action, e.about["night"], e.about["reason"]): e for e in known if e.number > last and e.action in ENDED}
    newest = sorted(of_reason.values(), key=lambda entry: entry.number)[-MOST_REASONS:]
    return tuple(map(_words, newest))


def _words(entry: Entry) -> str:
    night = f"the night {entry.about['night']}" if entry.about["night"] else "a night"
    return f"{night} {ENDED[entry.action]} at {city_time(entry.time):%Y-%m-%d %H:%M}: {entry.about['reason']}"


def not_delivered(home: Home, night: dt.date) -> tuple[str, ...]:
    """Which sources of the home have delivered before and nothing that was due by a night; nothing when all came."""
    try:
        late = [_in_words(source, missing) for source, missing, _ in _missing(home, night) if missing]
    except (OSError, ValueError, RuntimeError, sqlite3.Error) as damage:
        return (f"what was delivered cannot be told: {damage}",)
    return (f"not delivered by the night {night}: {_listed(late)}",) if late else ()


def nothing_delivered(home: Home, night: dt.date) -> str:
    """That no source at all delivered for a night on which some were due, in words; empty when any did: a landing that is not mounted makes
    a release of old rows that looks like any other."""
    try:
        of_source = list(_missing(home, night))
    except (OSError, ValueError, RuntimeError, sqlite3.Error):  # the doctor tells of it
        return ""
    due = [source for source, missing, _ in of_source if night.isoformat() in missing]
    if not due or any(night in dates for _, _, dates in of_source):
        return ""
    return f"no source delivered anything for {night}, {len(due)} were due: {_listed(due)}; look whether {home.landing} is the right one and mounted"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_SOURCES]) + (f" and {len(names) - MOST_SOURCES} more" if len(names) > MOST_SOURCES else "")


def _in_words(source: str, missing: Sequence[str]) -> str:
    return f"{source} ({missing[-1]})" if len(missing) == 1 else f"{source} ({missing[-1]} and {len(missing) - 1} before)"


def _missing(home: Home, night: dt.date) -> Iterator[tuple[str, Sequence[str], Set[dt.date]]]:
    """Of every source that delivered before: the periods that are missing by the night, and the dates that came."""
    received: dict[str, set[dt.date]] = {}
    if home.receipts.exists():
        with Receipts(home) as receipts:
            for batch in receipts.batches():
                received.setdefault(batch.source_id, set()).add(batch.batch_date)
    groups = home.enabled_groups()
    for contract in survey()[0].contracts:
        if contract.group in groups:
            dates = received.get(contract.id, set()) | {file.batch_date for file in discover(contract, home.landing)[0]}
            if dates:
                yield contract.id, missing_deliveries(contract, dates, night), dates
