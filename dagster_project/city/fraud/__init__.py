"""Telecom fraud (电诈) in the city: what happens, what its systems deliver, and the true figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dagster_project.city.deliveries import Batch, Book
from dagster_project.city.deliveries import deliver as deliver_source
from dagster_project.city.fraud.happenings import frauds_of, payments_of, warnings_of
from dagster_project.city.fraud.systems import bank_source, ledger_source, warning_source
from dagster_project.city.fraud.truth import COVERED, count
from dagster_project.city.world import World

__all__ = ["COVERED", "count", "deliver"]


def deliver(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Write what the ledger of fraud cases, the banks' portal and the warning platform deliver."""
    frauds = frauds_of(world)
    for source in (
        ledger_source(world, frauds),
        bank_source(world, payments_of(world, frauds)),
        warning_source(world, warnings_of(world, frauds)),
    ):
        deliver_source(source, out, plan, world.seed, book)
