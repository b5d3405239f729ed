"""Services in the fictional city: requests and visits hang together with the item table, and longer lives begin alike."""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np

from dagster_project.city.clock import DAY, NEVER, date_of
from dagster_project.city.service.happenings import ITEMS, ONE_VISIT_ITEMS, ONE_WINDOW_ITEMS, items_of, requests_of, visits_of
from dagster_project.city.world import World, live

FIRST = dt.date(2024, 7, 1)


@cache
def city(days: int) -> World:
    return live(5, FIRST, FIRST + dt.timedelta(days=days), 2, 2, 0.02)


def test_the_promise_is_cut_by_about_half_and_stays_within_the_statute() -> None:
    items = items_of(city(300))
    assert len(items.code) == len(set(items.code)) == ITEMS
    assert (items.one_window.sum(), items.one_visit.sum()) == (ONE_WINDOW_ITEMS, ONE_VISIT_ITEMS)
    assert (items.promised_days <= items.statutory_days).all()
    assert 0.4 < items.promised_days_after.sum() / items.statutory_days.sum() < 0.55
    assert items.promised(0, items.halved - dt.timedelta(days=1)) == items.promised_days[0]
    assert items.promised(0, items.halved) == items.promised_days_after[0]


def test_a_request_is_due_at_the_end_of_the_last_day_promised() -> None:
    world = city(300)
    items = items_of(world)
    requests = requests_of(world, items)
    assert len(set(requests.number)) == len(requests) > 500
    for item, received, due in zip(requests.item.tolist(), requests.received.tolist(), requests.due.tolist(), strict=True):
        assert (date_of(due) - date_of(received)).days == items.promised(item, date_of(received))
        assert due % DAY == DAY - 1


def test_requests_end_in_every_way() -> None:
    world = city(300)
    requests = requests_of(world, items_of(world))
    assert (requests.closed > requests.received).all()
    is_open, is_late = requests.closed == NEVER, (requests.closed > requests.due) & (requests.closed != NEVER)
    assert 0 < is_open.sum() < is_late.sum() < len(requests) / 10
    assert set(requests.result[~is_open].tolist()) == {"completed", "refused", "withdrawn"}
    assert set(requests.channel.tolist()) == {"1", "2", "3"}


def test_a_visitor_waits_or_leaves() -> None:
    visits = visits_of(city(300))
    called = visits.called != NEVER
    assert 0 < (~called).sum() < len(visits) / 10
    assert (visits.called[called] > visits.taken[called]).all()
    assert (visits.finished[called] > visits.called[called]).all()
    assert (visits.finished[~called] == NEVER).all()


def test_a_longer_life_begins_with_the_shorter_one() -> None:
    short, long = city(200), city(300)
    few, many = requests_of(short, items_of(short)), requests_of(long, items_of(long))
    until = int(short.calls.reported.max()) - 2 * DAY
    early = int(np.sum(few.received < until))
    assert early > 300
    for column in ("item", "unit", "channel", "received", "due", "closed", "result"):
        assert getattr(few, column)[:early].tolist() == getattr(many, column)[:early].tolist()
