"""The known faults of the deliveries: what is spoilt, how often, and what must become of each spoilt row.

A row carries at most one fault. ``fate`` is what a sound ingest does with the row: accepted, quarantined (with ``reason``, the
stable code that it gives), duplicate or filtered. Every fault of a row is written into the ledger with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dagster_project.city.files import Row

Fate = Literal["accepted", "quarantined", "duplicate", "filtered"]
MOST_QUARANTINED = 0.03


@dataclass(frozen=True)
class RowFault:
    """``spoil`` changes one delivered row, given by its header and cells; None leaves the row and delivers it once more."""

    kind: str
    rate: float
    fate: Fate
    reason: str = ""
    spoil: Callable[[Sequence[str], Row], Row] | None = None


@dataclass(frozen=True)
class LedgerEntry:
    """One fault: of a row (``row_number`` from 1, below the header), or of a whole file (0)."""

    source_id: str
    batch_date: str
    file_name: str
    row_number: int
    kind: str
    fate: str
    reason: str


@dataclass(frozen=True)
class Spoilt:
    """The rows as delivered. ``fates`` and ``kinds`` ('' for a sound row) are by delivered row; ``record`` says which record it is."""

    rows: list[Row]
    record: list[int]
    fates: list[Fate]
    kinds: list[str]
    reasons: list[str]


def choose(n: int, faults: Sequence[RowFault], random: np.random.Generator, minimum: int) -> dict[int, RowFault]:
    """Which of the rows of one file get a fault: it depends on how many rows there are, not on what they say."""
    order = random.permutation(n).tolist()
    chosen: dict[int, RowFault] = {}
    bad = 0
    for fault in faults:
        count = max(int(random.binomial(n, fault.rate)), minimum)
        for _ in range(count):
            spare = bad + 1 <= MOST_QUARANTINED * n or fault.fate != "quarantined"
            if not order or not spare:
                break
            chosen[order.pop()] = fault
            bad += fault.fate == "quarantined"
    return chosen


def spoil(
    header: Sequence[str],
    rows: Sequence[Row],
    records: Sequence[int],
    faults: Sequence[RowFault],
    random: np.random.Generator,
    minimum: int,
) -> Spoilt:
    """Put faults into the rows of one file, at least ``minimum`` of each kind if there are rows enough.

    Rows that would be quarantined stay below 3 % of the file, so that no batch is held for its share of bad rows.
    """
    chosen = choose(len(rows), faults, random, minimum)
    result = Spoilt([], [], [], [], [])
    again: list[int] = []
    for position, row in enumerate(rows):
        found = chosen.get(position)
        if found is not None and found.spoil is None:
            again.append(position)
        sound = found is None or found.spoil is None
        delivered = row if found is None or found.spoil is None else found.spoil(header, list(row))
        _append(result, delivered, records[position], None if sound else found)
    for position in again:
        _append(result, list(rows[position]), records[position], chosen[position])
    return result


def _append(result: Spoilt, row: Row, record: int, fault: RowFault | None) -> None:
    result.rows.append(row)
    result.record.append(record)
    result.fates.append(fault.fate if fault else "accepted")
    result.kinds.append(fault.kind if fault else "")
    result.reasons.append(fault.reason if fault else "")


def replaced(column: str, value: str) -> Callable[[Sequence[str], Row], Row]:
    """A fault that writes a wrong value into one column."""

    def spoil_row(header: Sequence[str], row: Row) -> Row:
        row[list(header).index(column)] = value
        return row

    return spoil_row


def copied(column: str, other: str, change: Callable[[str], str]) -> Callable[[Sequence[str], Row], Row]:
    """A fault that writes into one column a value made from another column."""

    def spoil_row(header: Sequence[str], row: Row) -> Row:
        names = list(header)
        row[names.index(column)] = change(str(row[names.index(other)]))
        return row

    return spoil_row


def torn(header: Sequence[str], row: Row) -> Row:
    """A fault that splits the last cell, as an unquoted delimiter in a free text does."""
    return [*row[:-1], "见附件", "（续）"]


def broken_line(column: str) -> Callable[[Sequence[str], Row], Row]:
    """A line break inside a text: quoted, so the row is sound."""

    def spoil_row(header: Sequence[str], row: Row) -> Row:
        row[list(header).index(column)] = '报警人称\n需要出警,"尽快"'
        return row

    return spoil_row
