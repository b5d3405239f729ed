"""The true figures of services, from what the pool can know: the last accepted state of every request and ticket."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from dagster_project.city.clock import DAY, date_of, is_by, seconds_of
from dagster_project.city.deliveries import Accepted, Book
from dagster_project.city.places import CITY_CODE
from dagster_project.city.service.happenings import CHANNELS, Items, Requests, Visits, items_of, requests_of, visits_of
from dagster_project.city.service.systems import ITEM_TABLE, held_by
from dagster_project.city.shaping import leaf_of
from dagster_project.city.tally import Tally
from dagster_project.city.world import World

COVERED: Mapping[str, tuple[str, ...]] = {
    "SVC-1": ("", "channel", "timing", "excluded"),
    "SVC-2": ("", "channel"),
    "SVC-2.items": ("", "mark"),
    "SVC-3": ("", "channel", "bin", "excluded"),
    "SVC-3.promised": ("", "channel", "excluded"),
    "SVC-3.statutory": ("", "channel", "excluded"),
    "SVC-3.cut": ("", "channel"),
    "SVC-4.cross_region": ("", "channel", "item", "excluded"),
    "SVC-4.one_window": ("", "item", "excluded"),
    "SVC-5": ("", "bin", "excluded"),
}
CHANNEL_NAMES = {code: name for code, name, _ in CHANNELS}
AFTER_CLOSING = ("SVC-3", "SVC-3.promised", "SVC-3.statutory")


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Add every figure of services as of a night."""
    until = seconds_of(as_of) + DAY
    items = items_of(world)
    requests = requests_of(world, items)
    for source_id, apps in (("service_request_platform", False), ("service_request_app", True)):
        own = held_by(requests, apps).tolist()
        for record, state in book.known(source_id, until):
            _count_request(world, items, requests, own[record], state, as_of, tally)
    _count_items(items, book, as_of, tally)
    visits = visits_of(world)
    for i, state in book.known("service_window_queue", until):
        _count_visit(world, items, visits, i, state, tally)


def _count_items(items: Items, book: Book, as_of: dt.date, tally: Tally) -> None:
    """The items in force on each day on which the table was delivered, and on the night."""
    delivered = {dt.date.fromisoformat(str(receipt["batch_date"])) for receipt in book.receipts if receipt["source_id"] == ITEM_TABLE}
    for day in {day for day in delivered if day <= as_of} | {as_of}:
        for cell, number in (("", len(items.code)), ("mark:one_window", items.one_window.sum()), ("mark:one_visit", items.one_visit.sum())):
            tally.add("SVC-2.items", f"{CITY_CODE}.self", day, (cell,), int(number), 0)


def _count_request(world: World, items: Items, requests: Requests, i: int, state: Accepted, as_of: dt.date, tally: Tally) -> None:
    unit, item, channel = str(requests.unit[i]), int(requests.item[i]), CHANNEL_NAMES[str(requests.channel[i])]
    cells = ("", f"channel:{channel}")
    received, due = int(requests.received[i]), int(requests.due[i])
    closed = int(requests.closed[i]) if requests.closed[i] < state.until else None
    withdrawn = closed is not None and str(requests.result[i]) == "withdrawn"
    received_on, received_leaf = date_of(received), leaf_of(world, unit, received, state)
    promised, statutory = items.promised(item, received_on), int(items.statutory_days[item])

    tally.add("SVC-2", received_leaf, received_on, cells, int(channel != "window"), 1)
    tally.add("SVC-3.cut", received_leaf, received_on, cells, promised, statutory)
    if requests.cross_region[i]:
        tally.add("SVC-4.cross_region", received_leaf, received_on, (*cells, f"item:{items.code[item]}"), 1, 0)
    else:
        tally.add("SVC-4.cross_region", received_leaf, received_on, ("excluded:same_region",), 1, 0)

    due_on, due_leaf = date_of(due), leaf_of(world, unit, due, state)
    is_in_time = closed is not None and is_by(closed, due)
    if due_on > as_of:
        tally.add("SVC-1", received_leaf, received_on, ("excluded:not_due",), 1, 0)
    elif withdrawn and is_in_time:
        tally.add("SVC-1", due_leaf, due_on, ("excluded:withdrawn",), 1, 0)
    else:
        timing = "open" if closed is None else "in_time" if is_in_time else "withdrawn" if withdrawn else "late"
        tally.add("SVC-1", due_leaf, due_on, (*cells, f"timing:{timing}"), int(is_in_time), 1)

    if closed is None or withdrawn:
        reason = "not_closed" if closed is None else "withdrawn"
        for kpi_id in AFTER_CLOSING:
            tally.add(kpi_id, received_leaf, received_on, (f"excluded:{reason}",), 1, 0)
    else:
        closed_on, leaf = date_of(closed), leaf_of(world, unit, closed, state)
        days = (closed_on - received_on).days
        tally.add("SVC-3", leaf, closed_on, (*cells, f"bin:{days}"), days, 1)
        tally.add("SVC-3.promised", leaf, closed_on, cells, int(days <= promised), 1)
        tally.add("SVC-3.statutory", leaf, closed_on, cells, int(days <= statutory), 1)


def _count_visit(world: World, items: Items, visits: Visits, i: int, state: Accepted, tally: Tally) -> None:
    taken, item = int(visits.taken[i]), int(visits.item[i])
    day, leaf = date_of(taken), leaf_of(world, str(visits.unit[i]), taken, state)
    if visits.called[i] >= state.until:
        for kpi_id in ("SVC-4.one_window", "SVC-5"):
            tally.add(kpi_id, leaf, day, ("excluded:not_called",), 1, 0)
        return
    if items.one_window[item]:
        tally.add("SVC-4.one_window", leaf, day, ("", f"item:{items.code[item]}"), 1, 0)
    else:
        tally.add("SVC-4.one_window", leaf, day, ("excluded:other_item",), 1, 0)
    waited = int(visits.called[i]) - taken
    tally.add("SVC-5", leaf, day, ("", f"bin:{waited // 60}"), waited, 1)
