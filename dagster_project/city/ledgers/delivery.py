"""From the entries of a ledger to its delivered files, each when it is due, with the faults of people who fill in forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dagster_project.city.deliveries import Batch, Book, Source, deliver
from dagster_project.city.faults import RowFault, copied, replaced
from dagster_project.city.files import Cell, Row
from dagster_project.city.ledgers import shows
from dagster_project.city.ledgers.forms import SUFFIX, write_ledger
from dagster_project.city.ledgers.model import Column, Entries, Ledger, Line
from dagster_project.city.world import Indexes, World

REPEATED_SHARE, BAD_SHARE, UNKNOWN_UNIT_SHARE = 0.004, 0.003, 0.003
UNKNOWN_PREFIX = "9999"
BAD_TEXTS: dict[Callable[[Line], Cell], tuple[str, str, str]] = {
    shows.value: ("bad_number", "bad_type:value", "未统计"),
    shows.base: ("bad_number", "bad_type:base", "不详"),
    shows.passed: ("bad_code", "unknown_code:value", "待定"),
    shows.yes: ("bad_code", "unknown_code:value", "在建"),
    shows.day: ("bad_date", "bad_type:observed_on", "上月"),
    shows.compact_day: ("bad_date", "bad_type:observed_on", "00000000"),
    shows.month: ("bad_date", "bad_type:observed_on", "2025年13月"),
}


def deliver_ledger(ledger: Ledger, entries: Entries, world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Write every delivery of a ledger and enter it in the book."""
    names = {unit.code: unit.name for unit in world.places.units}

    def rows(members: Indexes, until: int) -> list[Row]:
        lines = (Line(world.seed, ledger, entries, entry, until, names[entries.slots.unit[entry]]) for entry in members.tolist())
        return [[column.show(line) for column in ledger.columns] for line in lines]

    def write(path: Path, header: Sequence[str], body: Sequence[Row]) -> None:
        write_ledger(ledger, path, header, body)

    source = Source(
        source_id=ledger.source_id,
        domain=ledger.domain,
        header=ledger.header,
        changes=np.stack([entries.slots.due, entries.corrected], axis=1),
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"{ledger.title}_{batch.date:%Y%m%d}.{SUFFIX[ledger.form]}",
        faults=_faults(ledger),
        skips_empty=True,
    )
    deliver(source, out, plan, world.seed, book)


def _faults(ledger: Ledger) -> tuple[RowFault, ...]:
    again = (
        RowFault("duplicate_row", REPEATED_SHARE, "duplicate") if ledger.keyed else RowFault("identical_row", REPEATED_SHARE, "accepted")
    )
    if ledger.is_sound:
        return (again,)
    return (again, *(fault for column in ledger.columns for fault in _faults_of(ledger, column)))


def _faults_of(ledger: Ledger, column: Column) -> list[RowFault]:
    if column.show in BAD_TEXTS:
        kind, reason, text = BAD_TEXTS[column.show]
        return [RowFault(kind, BAD_SHARE, "quarantined", reason, replaced(column.name, text))]
    if column.show is shows.label:
        coded = "category" if ledger.kinds[0].category else "measure"
        return [RowFault("bad_code", BAD_SHARE, "quarantined", f"unknown_code:{coded}", replaced(column.name, "其它"))]
    if column.show is shows.unit:
        strange = copied(column.name, column.name, lambda code: UNKNOWN_PREFIX + code[len(UNKNOWN_PREFIX) :])
        return [RowFault("unknown_unit", UNKNOWN_UNIT_SHARE, "accepted", "", strange)]
    return []
