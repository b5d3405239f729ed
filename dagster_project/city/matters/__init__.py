"""Matters with a due date: registrations, supervision issues, case stages, hazards, complaints, appeals, orders and milestones.

What happened, how each system delivers it, and what a right pool counts from it. What has no due date belongs elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dagster_project.city.deliveries import Batch, Book
from dagster_project.city.deliveries import deliver as deliver_source
from dagster_project.city.extracts import deliver_extract
from dagster_project.city.matters.figures import COVERED, count
from dagster_project.city.matters.systems import LEDGERS
from dagster_project.city.world import World

__all__ = ["COVERED", "count", "deliver"]


def deliver(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Write every batch of every ledger of matters."""
    for ledger_of in LEDGERS:
        ledger = ledger_of(world)
        if ledger.source is not None:
            deliver_source(ledger.source, out, plan, world.seed, book)
        if ledger.extract is not None:
            deliver_extract(ledger.extract, out, plan, world.seed, book)
