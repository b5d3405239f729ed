"""From what is known each night to delivered files: the initial load, then the rows that changed, each as its day ended.

``deliver`` cuts a source into batches, puts the faults in, writes the files, keeps the ledger of faults, and remembers which
state of which record reached the pool and when: the truth is counted from that.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dagster_project.city.clock import Seconds, seconds_of
from dagster_project.city.faults import Fate, LedgerEntry, RowFault, Spoilt, choose, spoil
from dagster_project.city.files import Row
from dagster_project.city.world import Flags, Indexes, generator

LATE_SHARE = 0.01
LATE_NIGHTS = 2
RENAMED_FROM_NIGHT = 4
RENAMED_UNIT_NIGHT = 5
MISSING_NIGHT = 3
REPEATED_NIGHT = 5
HISTORY_FILE_MONTHS = 3

Write = Callable[[Path, Sequence[str], Sequence[Row]], None]


@dataclass(frozen=True)
class Batch:
    """The rows that changed in [since, until), in seconds of ``clock``; ``night`` 0 is the initial load."""

    night: int
    date: dt.date
    since: int
    until: int


@dataclass(frozen=True)
class Accepted:
    """A state of a record that reached the pool: as it stood at ``until``, with the unit unknown if that was the fault.

    ``copies`` are the rows that hold it: more than one only where identical rows are distinct facts.
    """

    until: int
    unknown_unit: bool
    copies: int


@dataclass
class Book:
    """What was delivered and what must have become of it."""

    ledger: list[LedgerEntry] = field(default_factory=list)
    receipts: list[dict[str, object]] = field(default_factory=list)
    accepted: dict[str, dict[int, list[Accepted]]] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def files(self) -> int:
        return len(self.receipts)

    def note(self, entry: LedgerEntry) -> None:
        self.ledger.append(entry)
        self.counts[entry.source_id, entry.kind] += 1

    def receive(self, source_id: str, date: dt.date, relative: str, fates: Counter[Fate]) -> None:
        self.receipts.append(
            {
                "source_id": source_id,
                "batch_date": date.isoformat(),
                "file_name": relative,
                "rows_read": sum(fates.values()),
                "rows_accepted": fates["accepted"],
                "rows_quarantined": fates["quarantined"],
                "rows_duplicate": fates["duplicate"],
                "rows_filtered": fates["filtered"],
            }
        )

    def accept(self, source_id: str, record: int, until: int, unknown_unit: bool) -> None:
        states = self.accepted[source_id].setdefault(record, [])
        copies = states.pop().copies + 1 if states and states[-1].until == until else 1
        states.append(Accepted(until, unknown_unit, copies))

    def known(self, source_id: str, until: int) -> Iterator[tuple[int, Accepted]]:
        """Every record that had reached the pool at a moment, with its last state, in the order of the world's table."""
        for record, states in sorted(self.accepted[source_id].items()):
            last = next((state for state in reversed(states) if state.until <= until), None)
            if last is not None:
                yield record, last


@dataclass(frozen=True)
class Source:
    """``changes``: one row per record, the times at which its row changes, the first column being its creation.

    ``rows`` gives the rows of some records as known at a moment. ``missing_night`` has no delivery (its rows come with the next),
    ``repeated_night`` delivers a file again under another name (``repeated_next``: in the next batch), ``renamed`` is a column that
    has another name from a night on, ``late``: some new records come two nights late. ``skips_empty``: nothing new, no file.
    """

    source_id: str
    domain: str
    header: tuple[str, ...]
    changes: Seconds
    rows: Callable[[Indexes, int], list[Row]]
    write: Write
    file_name: Callable[[Batch, int], str]
    faults: tuple[RowFault, ...]
    late: bool = False
    missing_night: int | None = None
    repeated_night: int | None = None
    repeated_next: bool = False
    renamed: tuple[str, str] | None = None
    extra: Callable[[Batch, np.random.Generator], list[Row]] | None = None
    history_parts: bool = False
    skips_empty: bool = False

    def path(self, batch: Batch, name: str) -> str:
        return f"{self.domain}/{self.source_id}/{batch.date:%Y%m%d}/{name}"


def batches(first_night: dt.date, nights: int) -> list[Batch]:
    """The initial load, dated the day before the first night, and the nights. A batch holds what was known when its day ended."""
    start = seconds_of(first_night)
    day = dt.timedelta(days=1)
    plan = [Batch(0, first_night - day, 0, start)]
    for night in range(1, nights + 1):
        date = first_night + day * (night - 1)
        plan.append(Batch(night, date, seconds_of(date), seconds_of(date + day)))
    return plan


def deliver(source: Source, out: Path, plan: Sequence[Batch], seed: int, book: Book) -> None:
    """Write every batch of a source below ``out`` and enter it in the book."""
    random = generator(seed, f"faults of {source.source_id}")
    book.accepted[source.source_id] = {}
    late: dict[int, int] = {}
    since = 0
    for batch in plan:
        if source.late and batch.night > 0:
            late |= _late_records(source, batch, random)
        if source.missing_night == batch.night:
            book.note(LedgerEntry(source.source_id, batch.date.isoformat(), "", 0, "missing_batch", "", "delivered with the next batch"))
            continue
        chosen, arriving = _due_records(source, since, batch, late)
        since = batch.until
        if source.skips_empty and len(chosen) == 0:
            continue
        for part, members in enumerate(_parts(source, batch, chosen)):
            relative, spoilt = _deliver_file(source, out, batch, part, members, random, book, arriving)
        if source.repeated_night == batch.night:
            _repeat_file(source, out, plan, batch, relative, spoilt, book)


def _late_records(source: Source, batch: Batch, random: np.random.Generator) -> dict[int, int]:
    """Records created on a night that are delivered two nights later: record to the night on which it arrives."""
    created = source.changes[:, 0]
    new = np.nonzero((created >= batch.since) & (created < batch.until))[0]
    count = max(1, round(LATE_SHARE * len(new))) if len(new) else 0
    return dict.fromkeys(sorted(random.choice(new, size=count, replace=False).tolist()), batch.night + LATE_NIGHTS)


def _due_records(source: Source, since: int, batch: Batch, late: dict[int, int]) -> tuple[Indexes, frozenset[int]]:
    """The records of a batch: those that changed and are not held back, and the late ones that arrive with it."""
    changed: Flags = np.asarray(((source.changes >= since) & (source.changes < batch.until)).any(axis=1))
    arriving = frozenset(record for record, night in late.items() if night == batch.night)
    for record, night in late.items():
        if night >= batch.night:
            changed[record] = night == batch.night
    return np.nonzero(changed)[0], arriving


def _parts(source: Source, batch: Batch, chosen: Indexes) -> list[Indexes]:
    """The records of each file of a batch: of the initial load one file per three months, else one file."""
    if batch.night > 0 or not source.history_parts or len(chosen) == 0:
        return [chosen]
    return _by_months(chosen, source.changes[chosen, 0])


def _by_months(records: Indexes, created: Seconds) -> list[Indexes]:
    month = created.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    part = (month - month.min()) // HISTORY_FILE_MONTHS
    return [records[part == number] for number in np.unique(part)]


def lost_at_first(
    source_id: str, created: Seconds, faults: Sequence[RowFault], first_night: dt.date, seed: int, *, in_parts: bool = False
) -> Flags:
    """The records whose rows the initial load will bring in vain: quarantined, whatever they say. ``in_parts``: as ``history_parts``."""
    random = generator(seed, f"faults of {source_id}")
    lost = np.zeros(len(created), dtype=np.bool_)
    delivered = np.nonzero(created < seconds_of(first_night))[0]
    for part, members in enumerate(_by_months(delivered, created[delivered]) if in_parts and len(delivered) else [delivered]):
        chosen = choose(len(members), faults, random, 1 if part == 0 else 0)
        lost[members[[place for place, fault in chosen.items() if fault.fate == "quarantined"]]] = True
    return lost


def _deliver_file(
    source: Source, out: Path, batch: Batch, part: int, members: Indexes, random: np.random.Generator, book: Book, arriving: frozenset[int]
) -> tuple[str, Spoilt]:
    minimum = 1 if batch.night == 0 and part == 0 else 0
    spoilt = spoil(source.header, source.rows(members, batch.until), members.tolist(), source.faults, random, minimum)
    for row in source.extra(batch, random) if source.extra else []:
        spoilt.rows.append(row)
        spoilt.record.append(-1)
        spoilt.fates.append("filtered")
        spoilt.kinds.append("test_row")
        spoilt.reasons.append("")
    relative = source.path(batch, source.file_name(batch, part))
    header = list(source.header)
    if source.renamed is not None and batch.night >= RENAMED_FROM_NIGHT:
        old, new = source.renamed
        header[header.index(old)] = new
        book.note(LedgerEntry(source.source_id, batch.date.isoformat(), relative, 0, "renamed_column", "accepted", f"{old} is now {new}"))
    source.write(out / relative, header, spoilt.rows)
    _enter(source, batch, relative, spoilt, book, arriving)
    return relative, spoilt


def _enter(source: Source, batch: Batch, relative: str, spoilt: Spoilt, book: Book, arriving: frozenset[int]) -> None:
    date = batch.date.isoformat()
    for number, (record, fate, kind, reason) in enumerate(
        zip(spoilt.record, spoilt.fates, spoilt.kinds, spoilt.reasons, strict=True), start=1
    ):
        if kind:
            book.note(LedgerEntry(source.source_id, date, relative, number, kind, fate, reason))
        elif record in arriving:
            book.note(LedgerEntry(source.source_id, date, relative, number, "late_row", fate, ""))
        if record >= 0 and fate == "accepted":
            book.accept(source.source_id, record, batch.until, kind == "unknown_unit")
    book.receive(source.source_id, batch.date, relative, Counter(spoilt.fates))


def _repeat_file(source: Source, out: Path, plan: Sequence[Batch], batch: Batch, relative: str, spoilt: Spoilt, book: Book) -> None:
    """Deliver a file once more under another name."""
    if source.repeated_next and batch.night + 1 >= len(plan):
        return
    receiving = plan[batch.night + 1] if source.repeated_next else batch
    copy = source.path(receiving, f"重发_{Path(relative).name}")
    (out / copy).parent.mkdir(parents=True, exist_ok=True)
    (out / copy).write_bytes((out / relative).read_bytes())
    entry = LedgerEntry(
        source.source_id, receiving.date.isoformat(), copy, 0, "redelivered_file", "duplicate", f"the same bytes as {relative}"
    )
    book.note(entry)
    book.receive(source.source_id, receiving.date, copy, Counter({"duplicate": len(spoilt.rows)}))
