"""Services of the police (政务服务) in the city: what happens, what its systems deliver, and the true figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dagster_project.city.deliveries import Batch, Book
from dagster_project.city.deliveries import deliver as deliver_source
from dagster_project.city.service.happenings import items_of, requests_of, visits_of
from dagster_project.city.service.systems import app_source, deliver_items, platform_source, queue_source
from dagster_project.city.service.truth import COVERED, count
from dagster_project.city.world import World

__all__ = ["COVERED", "count", "deliver"]


def deliver(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Write what the item table, the one-stop platform, the app and the queue system deliver."""
    items = items_of(world)
    requests = requests_of(world, items)
    deliver_items(items, out, plan, book)
    for source in (
        platform_source(world, items, requests),
        app_source(world, items, requests),
        queue_source(world, items, visits_of(world)),
    ):
        deliver_source(source, out, plan, world.seed, book)
