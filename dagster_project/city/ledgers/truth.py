"""What a right pool counts of the ledgers, from their entries as they last reached it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from dagster_project.city.clock import DAY, seconds_of
from dagster_project.city.deliveries import Accepted, Book
from dagster_project.city.ledgers.model import Counting, Entries, Kind, Ledger
from dagster_project.city.places import UNASSIGNED
from dagster_project.city.tally import Tally
from dagster_project.city.world import World


def count_ledger(ledger: Ledger, entries: Entries, world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Add the figures of one ledger."""
    for entry, state in book.known(ledger.source_id, seconds_of(as_of) + DAY):
        day = entries.slots.day[entry]
        unit = UNASSIGNED if state.unknown_unit else world.places.leaf(entries.slots.unit[entry], day)
        kind = ledger.kinds[int(entries.slots.kind[entry])]
        for cells, numerator, denominator in _cells(ledger, kind, entries, entry, state):
            tally.add(kind.counts.kpi_id, unit, day, cells, numerator * state.copies, denominator * state.copies)


def _cells(ledger: Ledger, kind: Kind, entries: Entries, entry: int, state: Accepted) -> Iterator[tuple[tuple[str, ...], int, int]]:
    rule = kind.counts
    value, base = entries.value(entry, state.until), int(entries.numbers.base[entry])
    reason = _left_out(rule, value, base)
    if reason is not None:
        yield (f"excluded:{reason}",), 1, 0
        return
    weight = int(entries.numbers.weight[entry]) if rule.shape == "weighted" else 1
    part, whole = _counted(rule, value, base, 10**ledger.decimals)
    yield ("", f"category:{kind.category}") if kind.category else ("",), part * weight, whole * weight
    if rule.shape == "weighted":
        yield ("square:weight",), part * weight**2, whole * weight**2
    if rule.heap and whole:
        yield (f"heap:{rule.heap}",), int(100 * part == rule.heap * whole), 1


def _left_out(rule: Counting, value: int, base: int) -> str | None:
    if value < 0:
        return "no_answer" if rule.threshold else "value_missing"
    return "above_base" if rule.shape == "share" and rule.above == "exclude" and not rule.threshold and value > base else None


def _counted(rule: Counting, value: int, base: int, unit: int) -> tuple[int, int]:
    if rule.threshold:
        return int(value >= rule.threshold), 1
    if rule.shape == "count":
        return value * rule.factor // unit, 0
    counted = min(value, base) if rule.above == "cap" else value
    return counted * rule.factor // unit, base * rule.factor // unit


def cells_of(ledger: Ledger, kind: Kind) -> set[str]:
    """The kinds of cells that are counted completely."""
    return {
        "",
        *(["excluded"] if ledger.leaves_out else []),
        *(["category"] if kind.category else []),
        *(["square"] if kind.counts.shape == "weighted" else []),
        *(["heap"] if kind.counts.heap else []),
    }
