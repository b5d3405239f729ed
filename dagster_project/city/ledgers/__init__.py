"""The ledgers that the city's units fill in: a figure per unit and day, week, month or quarter.

What all of them share stands here once; ``table`` says what each is. Nothing here names a person: who signs a ledger is delivered, as
real ledgers do, and must not reach the pool.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from dagster_project.city.deliveries import Batch, Book
from dagster_project.city.ledgers.delivery import deliver_ledger
from dagster_project.city.ledgers.filling import fill
from dagster_project.city.ledgers.table import LEDGERS
from dagster_project.city.ledgers.truth import cells_of, count_ledger
from dagster_project.city.tally import Tally
from dagster_project.city.world import World

__all__ = ["COVERED", "count", "deliver"]


def deliver(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Write every ledger's deliveries and enter them in the book."""
    for ledger in LEDGERS:
        deliver_ledger(ledger, fill(world, ledger), world, out, plan, book)


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Add the true figures of every ledger as of a night."""
    for ledger in LEDGERS:
        count_ledger(ledger, fill(world, ledger), world, book, as_of, tally)


def _covered() -> dict[str, tuple[str, ...]]:
    cells: defaultdict[str, set[str]] = defaultdict(set)
    for ledger in LEDGERS:
        for kind in ledger.kinds:
            cells[kind.counts.kpi_id] |= cells_of(ledger, kind)
    return {kpi_id: tuple(sorted(kinds)) for kpi_id, kinds in sorted(cells.items())}


COVERED = _covered()
