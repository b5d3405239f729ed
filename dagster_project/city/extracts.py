"""Registers that are delivered whole: every delivery replaces the one before, and what is absent from it no longer stands."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster_project.city.clock import NEVER, date_of
from dagster_project.city.deliveries import Accepted, Batch, Book, Write
from dagster_project.city.faults import LedgerEntry, RowFault, spoil
from dagster_project.city.files import Row
from dagster_project.city.world import generator

Entries = list[tuple[int, Row]]


@dataclass(frozen=True)
class Extract:
    """``rows`` gives what stands in the register at the end of a day, each row with the number of its record.

    The register comes with the initial load and on the nights on which it is ``due``. ``left_out`` gives rows that stand in it too and
    must not enter the pool.
    """

    source_id: str
    domain: str
    header: tuple[str, ...]
    rows: Callable[[dt.date], Entries]
    write: Write
    file_name: Callable[[Batch], str]
    faults: tuple[RowFault, ...]
    due: Callable[[Batch], bool] = lambda batch: False
    left_out: Callable[[dt.date], list[Row]] = lambda day: []


def deliver_extract(extract: Extract, out: Path, plan: Sequence[Batch], seed: int, book: Book) -> None:
    """Write the register on every night on which it is delivered, and enter it in the book."""
    random = generator(seed, f"faults of {extract.source_id}")
    source_id = extract.source_id
    book.accepted[source_id] = {}
    for batch in plan:
        if batch.night > 0 and not extract.due(batch):
            continue
        entries = extract.rows(batch.date)
        records = [record for record, _ in entries]
        spoilt = spoil(extract.header, [row for _, row in entries], records, extract.faults, random, 1 if batch.night == 0 else 0)
        for row in extract.left_out(batch.date):
            spoilt.rows.append(row)
            spoilt.record.append(-1)
            spoilt.fates.append("filtered")
            spoilt.kinds.append("row_to_leave_out")
            spoilt.reasons.append("")
        relative = f"{extract.domain}/{source_id}/{batch.date:%Y%m%d}/{extract.file_name(batch)}"
        extract.write(out / relative, list(extract.header), spoilt.rows)
        for number, (record, fate, kind, reason) in enumerate(
            zip(spoilt.record, spoilt.fates, spoilt.kinds, spoilt.reasons, strict=True), start=1
        ):
            if kind:
                book.note(LedgerEntry(source_id, batch.date.isoformat(), relative, number, kind, fate, reason))
            if fate == "accepted":
                book.accept(source_id, record, batch.until, kind == "unknown_unit")
        book.receive(source_id, batch.date, relative, Counter(spoilt.fates))


def standing(book: Book, source_id: str, until: int) -> Iterator[tuple[int, Accepted]]:
    """The records of the last register delivered by a moment that reached the pool."""
    known = list(book.known(source_id, until))
    last = max((state.until for _, state in known), default=NEVER)
    return ((record, state) for record, state in known if state.until == last)


def half_year(day: dt.date) -> dt.date:
    """The first day of the half-year in which a day lies."""
    return day.replace(month=1 if day.month < 7 else 7, day=1)


def next_half_year(first: dt.date) -> dt.date:
    return dt.date(first.year + (first.month == 7), 7 if first.month == 1 else 1, 1)


def printed(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def known_on(until: int) -> dt.date:
    """The last day that ended before a moment."""
    return date_of(until - 1)
