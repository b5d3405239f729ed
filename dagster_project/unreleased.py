"""Why a night has no release: what refused it, in which step it failed, and which deliveries it waits for in vain.

Belongs here: what the ledger and landing say of it, in words. Does not belong here: when somebody is told (``watch``), and all that a
release says of itself.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence

from dagster_project.calendar import city_time
from dagster_project.contracts.load import survey
from dagster_project.contracts.model import Contract
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
        groups = home.enabled_groups()
        late = sorted(_late(home, [c for c in survey()[0].contracts if c.group in groups], night))
    except (OSError, ValueError, RuntimeError, sqlite3.Error) as damage:
        return (f"what was delivered cannot be told: {damage}",)
    more = f" and {len(late) - MOST_SOURCES} more" if len(late) > MOST_SOURCES else ""
    return (f"not delivered by the night {night}: {', '.join(late[:MOST_SOURCES])}{more}",) if late else ()


def _late(home: Home, contracts: Sequence[Contract], night: dt.date) -> Iterator[str]:
    received: dict[str, set[dt.date]] = {}
    if home.receipts.exists():
        with Receipts(home) as receipts:
            for batch in receipts.batches():
                received.setdefault(batch.source_id, set()).add(batch.batch_date)
    for contract in contracts:
        dates = received.get(contract.id, set()) | {file.batch_date for file in discover(contract, home.landing)[0]}
        if missing := missing_deliveries(contract, dates, night) if dates else ():
            yield f"{contract.id} ({missing[-1]})" if len(missing) == 1 else f"{contract.id} ({missing[-1]} and {len(missing) - 1} before)"
