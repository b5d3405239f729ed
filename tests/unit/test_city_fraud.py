"""Fraud in the fictional city: losses, payments and warnings hang together, and longer lives begin alike."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import cache

import numpy as np

from dagster_project.city.clock import DAY, NEVER, date_of
from dagster_project.city.fraud.faults import FRAUD
from dagster_project.city.fraud.happenings import LARGEST_LOSS, frauds_of, payments_of, warnings_of
from dagster_project.city.world import World, live

FIRST = dt.date(2024, 7, 1)


@cache
def city(days: int) -> World:
    return live(5, FIRST, FIRST + dt.timedelta(days=days), 2, 2, 0.02)


def test_every_fraud_case_has_one_loss_and_no_other_case_has_any() -> None:
    world = city(300)
    frauds = frauds_of(world)
    assert frauds.case.tolist() == np.nonzero(world.cases.category == FRAUD)[0].tolist()
    assert len(frauds) > 300
    assert frauds.loss.min() > 0 and frauds.loss.max() <= LARGEST_LOSS + 100


def test_a_few_losses_are_most_of_the_money() -> None:
    loss = np.sort(frauds_of(city(300)).loss)
    assert loss[-len(loss) // 20 :].sum() > loss.sum() / 3
    assert loss.mean() > 2 * np.median(loss)


def test_no_more_is_returned_than_was_frozen_than_was_stopped_than_was_lost() -> None:
    world = city(300)
    frauds = frauds_of(world)
    payments = payments_of(world, frauds)
    moved: defaultdict[tuple[int, str], int] = defaultdict(int)
    for case, action, amount in zip(payments.case.tolist(), payments.action.tolist(), payments.amount.tolist(), strict=True):
        moved[case, action] += amount
    for case, loss in zip(frauds.case.tolist(), frauds.loss.tolist(), strict=True):
        stopped, frozen, returned = (moved[case, action] for action in ("stopped", "frozen", "returned"))
        assert returned <= frozen <= stopped <= loss
    assert {action for _, action in moved} == {"stopped", "frozen", "returned"}


def test_money_is_stopped_after_the_report_and_returned_after_it_was_frozen() -> None:
    world = city(300)
    payments = payments_of(world, frauds_of(world))
    first: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for case, action, moment in zip(payments.case.tolist(), payments.action.tolist(), payments.happened.tolist(), strict=True):
        first[case].setdefault(action, moment)
    for case, moments in first.items():
        assert world.cases.reported[case] < moments["stopped"] < moments.get("frozen", NEVER) < moments.get("returned", NEVER + 1)


def test_a_warning_is_delivered_when_its_thirty_days_are_over() -> None:
    world = city(300)
    warnings = warnings_of(world, frauds_of(world))
    assert all(
        (date_of(reported) - date_of(issued)).days == 31
        for issued, reported in zip(warnings.issued.tolist(), warnings.reported.tolist(), strict=True)
    )
    assert (warnings.issued >= int(world.calls.reported.min()) - 30 * DAY).all()
    assert not (warnings.met & ~warnings.contacted).any()
    assert 0 < warnings.victimised.sum() < len(warnings) / 5


def test_a_longer_life_begins_with_the_shorter_one() -> None:
    short, long = city(200), city(300)
    few, many = frauds_of(short), frauds_of(long)
    until = int(short.calls.reported.max()) - 60 * DAY
    early = np.nonzero(short.cases.accepted[few.case] < until)[0]
    assert len(early) > 100
    number = {long.cases.number[case]: row for row, case in enumerate(many.case.tolist())}
    for row in early.tolist():
        same = number[short.cases.number[few.case[row]]]
        assert (few.kind[row], few.loss[row], few.corrected[row]) == (many.kind[same], many.loss[same], many.corrected[same])
