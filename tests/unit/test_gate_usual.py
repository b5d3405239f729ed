"""What counts as unusual: bands that hold for any size of count, seldom alarmed by chance, and holidays that are like no other day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from audit_home import contract

from dagster_project.audit.drift import drift_verdicts
from dagster_project.audit.usual import usual_band
from dagster_project.audit.volume import volume_verdict

CALLS = contract("calls", "incident")
FIRST = dt.date(2024, 1, 1)
NEWEST = dt.date(2024, 3, 13)
DAYS = [FIRST + dt.timedelta(days=n) for n in range((NEWEST - FIRST).days + 1)]


def weekly(workday: int, weekend: int) -> dict[dt.date, int]:
    return {day: weekend if day.weekday() >= 5 else workday for day in DAYS}


@pytest.mark.parametrize("mean", [0.5, 3, 12, 80, 4000])
def test_chance_alone_is_seldom_unusual(mean: float) -> None:
    draws = np.random.default_rng(7).poisson(mean, (3000, 9))
    alarms = sum(not usual_band(history[:8].tolist()).holds(int(history[8])) for history in draws)
    assert alarms <= 1, "of three thousand"


@pytest.mark.parametrize(("usual", "unusual"), [(4000, 2700), (100, 50), (30, 5), (12, 0), (10, 40)])
def test_a_real_change_is_unusual_whatever_the_size(usual: int, unusual: int) -> None:
    band = usual_band([usual] * 8)
    assert not band.holds(unusual)
    assert band.holds(usual) and band.median == usual


def test_a_steady_count_may_still_change_by_less_than_a_third() -> None:
    band = usual_band([40_000_000 + n for n in range(8)])
    assert band.holds(30_000_000) and not band.holds(27_000_000)


def test_a_sunday_is_held_against_sundays() -> None:
    batches = weekly(1000, 300)
    assert volume_verdict(CALLS, {**batches, NEWEST: 300}, frozenset()).passed is False
    sunday = {day: rows for day, rows in batches.items() if day <= NEWEST - dt.timedelta(days=3)}
    assert max(sunday).weekday() == 6 and volume_verdict(CALLS, sunday, frozenset()).passed


def test_a_holiday_may_be_like_a_sunday_and_is_no_history() -> None:
    holiday = frozenset({NEWEST})
    batches = {**weekly(1000, 300), NEWEST: 300}
    assert volume_verdict(CALLS, batches, holiday).passed
    assert volume_verdict(CALLS, {**batches, NEWEST: 20}, holiday).passed is False
    wednesdays = [day for day in DAYS if day.weekday() == NEWEST.weekday()]
    festival = frozenset(wednesdays[2:6])
    closed = {**weekly(1000, 300), **dict.fromkeys(festival, 0)}
    assert volume_verdict(CALLS, closed, festival).passed and volume_verdict(CALLS, {**closed, NEWEST: 0}, festival).passed is False


def test_the_initial_load_is_no_history_and_little_history_says_nothing() -> None:
    batches = {**weekly(1000, 300), FIRST: 5_000_000}
    assert volume_verdict(CALLS, batches, frozenset()).passed
    young = {day: rows for day, rows in batches.items() if day > NEWEST - dt.timedelta(days=20) or day == FIRST}
    assert volume_verdict(CALLS, {**young, NEWEST: 1}, frozenset()).passed


def test_one_odd_batch_in_the_past_does_not_hide_a_later_one() -> None:
    def filled(app: float, urgent_missing: float) -> tuple[int, dict[tuple[str, str], float]]:
        shares = {("channel", ""): 0.0, ("channel", "app"): app, ("channel", "phone"): 1 - app}
        return 400, {**shares, ("urgent", ""): urgent_missing}

    usual = {DAYS[-n]: filled(0.2, 0.05) for n in range(2, 14)}
    odd_before = {**usual, DAYS[-5]: filled(0.9, 0.05)}
    for history in (usual, odd_before):
        drift, emptied = drift_verdicts(CALLS, {**history, NEWEST: filled(0.5, 1.0)}, NEWEST)
        assert not drift.passed and drift.severity == "warn" and {r["column"] for r in drift.rows} == {"channel"}
        assert not emptied.passed and emptied.severity == "block" and [r["column"] for r in emptied.rows] == ["urgent"]
        assert [v.passed for v in drift_verdicts(CALLS, {**history, NEWEST: filled(0.28, 0.1)}, NEWEST)] == [True, True]
