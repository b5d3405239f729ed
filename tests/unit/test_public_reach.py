"""What sums can be moved to without any printed sum changing, by the tables of two small cities, and against a solver."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from dagster_project.release.public.model import BITS, MONTHS, Figure, link
from dagster_project.release.public.reach import UNBOUNDED, Printed, View, reach, reach_of_city, told_apart
from dagster_project.release.public.rule import Definition, is_month_end, is_revision, is_small, last_month_end
from dagster_project.release.public.suppress import suppress


def _view(amount: list[list[int]], printed: list[set[int]], city: set[int], high: list[list[int]] | None = None) -> View:
    """``printed`` holds of each county the sets of months whose sum is printed."""
    rows = np.zeros((len(amount), MONTHS), dtype=np.int64)
    rows[:, : len(amount[0])] = amount
    above = np.full_like(rows, UNBOUNDED)
    if high is not None:
        above[:] = rows
        above[:, : len(amount[0])] = high
    alike, free = zip(*(told_apart(masks) for masks in printed), strict=True)
    return View(rows, np.zeros_like(rows), above, Printed(np.array(alike), np.array(free), *told_apart(city)), len(rows))


def test_two_hidden_counties_leak_their_sum_and_a_third_one_does_not() -> None:
    counties, month = [[57], [34], [5], [3]], {1}
    assert reach(_view(counties, [month, month, set(), set()], month), 1).most.tolist() == [57, 34, 8, 8]
    found = reach(_view(counties, [month, set(), set(), set()], month), 1)
    assert found.most.tolist() == [57, 42, 42, 42] and found.none.tolist() == [False, True, True, True]


TABLE = [[57, 61, 64], [34, 31, 28], [24, 7, 26], [15, 18, 14]]
EVERY = {0b001, 0b010, 0b100, 0b111}


def test_with_printed_margins_one_hidden_cell_is_known_and_four_are_not() -> None:
    alone = reach(_view(TABLE, [EVERY, EVERY, EVERY - {0b010}, EVERY], EVERY), 0b010)
    assert (bool(alone.none[2]), int(alone.most[2])) == (False, 7)
    four = reach(_view(TABLE, [EVERY, EVERY, {0b100, 0b111}, {0b100, 0b111}], EVERY), 0b010)
    assert (bool(four.none[2]), int(four.most[2])) == (True, 25)


def _solved(view: View, printed: list[set[int]], city: set[int], row: int, months: int, sign: int) -> int:
    """The least (or most) of a sum, by integer programming over everything that is printed."""
    counties = len(printed)
    sums = [(r, mask) for r in range(counties) for mask in printed[r]] + [(None, mask) for mask in city]
    matrix = np.zeros((len(sums), counties, MONTHS))
    for at, (r, mask) in enumerate(sums):
        matrix[at, slice(None) if r is None else r] += BITS[mask]
    flat = matrix.reshape(len(sums), counties * MONTHS)
    held = flat @ view.amount.ravel()
    cost = np.zeros((counties, MONTHS))
    cost[slice(None) if row < 0 else row] += BITS[months]
    top = np.minimum(view.high, 1000).ravel()
    answer = milp(
        sign * cost.ravel(), constraints=[LinearConstraint(flat, held, held)] if sums else [], bounds=Bounds(0, top), integrality=1
    )
    assert answer.status == 0
    return round(sign * answer.fun)


MASKS = st.sampled_from([0b001, 0b010, 0b100, 0b111, 0b1000, 0b10000, 0b111000, 0b111111, 0b11, 0b1111])


@settings(max_examples=80, deadline=None, derandomize=True)
@given(data=st.data(), is_bounded=st.booleans())
def test_what_is_said_to_be_reachable_is(data: st.DataObject, is_bounded: bool) -> None:
    amount = data.draw(st.lists(st.lists(st.integers(0, 15), min_size=6, max_size=6), min_size=3, max_size=3))
    printed = data.draw(st.lists(st.sets(MASKS, max_size=4), min_size=3, max_size=3))
    city = data.draw(st.sets(MASKS, max_size=6))
    room = data.draw(st.lists(st.lists(st.integers(0, 6), min_size=6, max_size=6), min_size=3, max_size=3))
    high = (np.array(amount) + np.array(room)).tolist() if is_bounded else None
    view = _view(amount, printed, city, high)
    for months in (0b1, 0b10, 0b11, 0b111, 0b111111):
        found = reach(view, months)
        for row, (none, most) in enumerate(zip(found.none.tolist(), found.most.tolist(), strict=True)):
            assert not none or _solved(view, printed, city, row, months, 1) == 0
            assert min(most, 900) <= _solved(view, printed, city, row, months, -1)
        none, most = reach_of_city(view, months)
        assert not none or _solved(view, printed, city, -1, months, 1) == 0
        assert min(most, 900) <= _solved(view, printed, city, -1, months, -1)


JANUARY = (dt.date(2024, 1, 1), dt.date(2024, 1, 31))
COUNT = {"K": Definition("K", "count", "sum", "row", False)}


def test_the_county_beside_two_small_ones_is_the_smallest_that_is_enough() -> None:
    of_unit = {"C": 99, "A": 57, "B": 34, "D": 5, "E": 3}
    figures = [Figure("K", unit, "month", *JANUARY, n, None) for unit, n in of_unit.items()]
    linked = link(figures, COUNT, {"C": None, "A": "C", "B": "C", "D": "C", "E": "C"})
    found = suppress(linked)
    assert {linked.keys[cell][1] for cell in found.hidden} == {"B", "D", "E"} and (found.proved, found.unproved) == (2, [])


@pytest.mark.parametrize(("count", "small"), [(None, False), (0, False), (1, True), (9, True), (10, False), (-1, False)])
def test_small_is_one_to_nine(count: int | None, small: bool) -> None:
    assert is_small(count) is small


def test_months_end_and_late_changes_appear_in_the_first_month_of_a_quarter() -> None:
    assert is_month_end(dt.date(2024, 2, 29)) and not is_month_end(dt.date(2023, 2, 27))
    assert (last_month_end(dt.date(2024, 3, 30)), last_month_end(dt.date(2024, 3, 31))) == (dt.date(2024, 2, 29), dt.date(2024, 3, 31))
    assert [m for m in range(1, 13) if is_revision(dt.date(2024, m, 28))] == [1, 4, 7, 10]
