"""How far a hidden sum may lie from what it is, given all that is printed: 0, and how much at most.

Whatever is said here to be reachable is reached by a whole table of integers that agrees with everything printed. Tables are changed in
four ways, none of which changes a printed sum; each is a lower bound of what a reader cannot exclude, and the best one counts:

- between counties within a month, for counties of which nothing printed contains the month;
- between months within a county, for months that nothing printed of the county or of the city tells apart;
- between counties and months at once (what one county gains in a month another one loses, and the other way round in other months), for
  counties of which nothing printed tells those months apart: a two-way table with given margins takes every value from
  ``max(0, row + column - all)`` to ``min(row, column)``;
- of nothing printed at all contains the months, neither of the county nor of the city: any figure.

A count that is part of another one, or has parts, keeps its place between ``low`` and ``high``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dagster_project.release.public.model import BITS, MONTHS, QUARTERS, WHOLE_YEAR, Amounts
from dagster_project.release.public.rule import SMALLEST_SAFE

UNBOUNDED = 1 << 40
Masks = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Printed:
    """What is printed of a grid, as a reader can use it.

    ``alike`` holds of each row and month the months that nothing printed of the row tells apart from it, ``free`` of each row the months
    that nothing printed contains; ``top_alike`` and ``top_free`` say the same of the city.
    """

    alike: Masks
    free: Masks
    top_alike: Masks
    top_free: int

    def and_of(self, other: Printed) -> Printed:
        """What is printed of two counts that move together."""
        return Printed(self.alike & other.alike, self.free & other.free, self.top_alike & other.top_alike, self.top_free & other.top_free)


@dataclass(frozen=True)
class View:
    """Amounts by row and month that may change between ``low`` and ``high``; the first ``counties`` rows may give to each other."""

    amount: Amounts
    low: Amounts
    high: Amounts
    printed: Printed
    counties: int
    may_cross: bool = True

    @property
    def is_bounded(self) -> bool:
        return bool(self.low.any()) or bool((self.high < UNBOUNDED).any())


class Reach(NamedTuple):
    """Of each row whether its sum may be 0, and how large it may be."""

    none: npt.NDArray[np.bool_]
    most: Amounts


def told_apart(masks: set[int]) -> tuple[Masks, int]:
    """Of each month the months that sums over ``masks`` do not tell from it, and the months that are in no sum."""
    classes = [WHOLE_YEAR]
    covered = 0
    for mask in masks:
        covered |= mask
        classes = [part for one in classes for part in (one & mask, one & ~mask) if part]
    alike = np.empty(MONTHS, dtype=np.int64)
    for one in classes:
        alike[BITS[one] == 1] = one
    return alike, WHOLE_YEAR & ~covered


def _first(months: int) -> int:
    return (months & -months).bit_length() - 1


def _wider(months: int) -> list[int]:
    """Sets of months to move within: the quarter of the months, if they lie in one, and the year."""
    return [*(quarter for quarter in QUARTERS if months & ~quarter == 0), WHOLE_YEAR]


def reach(view: View, months: int) -> Reach:
    """What the sum over ``months`` of each county may be; for sums that are not small, or may be 0 and enough already, no further than that."""
    within = BITS[months] == 1
    held = (view.amount[:, within]).sum(axis=1)
    found = Reach(held == 0, held.copy())
    _within_each_month(view, within, found)
    if _asking(view, held, found):
        _between_months(view, months, within, held, found)
        _anywhere(view, months, within, held, found)
    asking = _asking(view, held, found) if view.may_cross else set()
    if asking and view.is_bounded:
        _crosswise_bounded(view, months, asking, within, held, found)
    elif asking:
        _crosswise(view, months, asking, held, found)
    return Reach(found.none[: view.counties], found.most[: view.counties])


def _asking(view: View, held: Amounts, found: Reach) -> set[int]:
    """The counties whose sum is small and not found to be possibly 0 and enough."""
    is_open = (held < SMALLEST_SAFE) & ~(found.none & (found.most >= SMALLEST_SAFE))
    return set(np.flatnonzero(is_open[: view.counties]).tolist())


def _within_each_month(view: View, within: npt.NDArray[np.bool_], found: Reach) -> None:
    """Every month by itself: to and from other counties, or freely where nothing printed of the city contains it either."""
    is_free = (BITS[view.printed.free] == 1)[:, within]
    at_will = is_free & (BITS[view.printed.top_free] == 1)[within]
    is_free[view.counties :] = False
    amount, low, high = (a[:, within] for a in (view.amount, view.low, view.high))
    spare, room = np.where(is_free, amount - low, 0), np.where(is_free, high - amount, 0)
    gain = np.where(at_will, high - amount, np.minimum(room, spare.sum(axis=0) - spare))
    np.maximum(found.most, (amount + gain).sum(axis=1), out=found.most)
    goes = (amount == 0) | ((low <= 0) & (at_will | (is_free & (room.sum(axis=0) - room >= amount))))
    np.logical_or(found.none, goes.all(axis=1), out=found.none)


def _between_months(view: View, months: int, within: npt.NDArray[np.bool_], held: Amounts, found: Reach) -> None:
    first = _first(months)
    for around in _wider(months):
        alike = view.printed.alike[:, first] & view.printed.top_alike[first] & around
        moves = ((alike & months) == months) & (alike != months)
        if not moves.any():
            continue
        others = BITS[alike & ~months] == 1
        room = view.high - view.amount
        gain = np.minimum(room[:, within].sum(axis=1), np.where(others, view.amount - view.low, 0).sum(axis=1))
        np.maximum(found.most, held + np.where(moves, gain, 0), out=found.most)
        goes = moves & (view.low[:, within] <= 0).all(axis=1) & (np.where(others, room, 0).sum(axis=1) >= held)
        np.logical_or(found.none, goes, out=found.none)


def _anywhere(view: View, months: int, within: npt.NDArray[np.bool_], held: Amounts, found: Reach) -> None:
    """Between counties of which nothing printed contains a block of months that the city does not tell apart either."""
    for around in _wider(months):
        block = int(view.printed.top_alike[_first(months)]) & around
        is_free = (view.printed.free & block) == block
        is_free[view.counties :] = False
        if block & months != months or block == months or is_free.sum() < 2:
            continue
        inside = BITS[block] == 1
        spare, room = (np.where(is_free[:, None], a, 0) for a in (view.amount - view.low, view.high - view.amount))
        own_spare, own_room = spare[:, within].sum(axis=1), room[:, within].sum(axis=1)
        np.maximum(found.most, held + np.minimum(own_room, spare[:, inside].sum() - own_spare), out=found.most)
        goes = is_free & (view.low[:, within] <= 0).all(axis=1) & (room[:, inside].sum() - own_room >= held)
        np.logical_or(found.none, goes, out=found.none)


def _crossing(view: View, months: int, asking: set[int]) -> list[tuple[int, list[int], list[int]]]:
    """Sets of months to cross over with the counties that ask for them and the counties that nothing printed keeps from it."""
    first = _first(months)
    of_block: dict[int, list[int]] = {}
    for around in _wider(months):
        for row in sorted(asking):
            block = int(view.printed.alike[row, first]) & around
            if block & months == months and block != months:
                of_block.setdefault(block, []).append(row)
    alike = view.printed.alike[: view.counties, first]
    return [(block, asking, np.flatnonzero((alike & block) == block).tolist()) for block, asking in of_block.items()]


def _crosswise(view: View, months: int, asked: set[int], held: Amounts, found: Reach) -> None:
    for block, asking, rows in _crossing(view, months, asked):
        if len(rows) < 2:
            continue
        of_row = view.amount[:, BITS[block] == 1].sum(axis=1)
        column, everything = int(held[rows].sum()), int(of_row[rows].sum())
        wider = int(view.amount[rows][:, _not_told_apart(view, months, block)].sum())
        for row in asking:
            found.most[row] = max(found.most[row], min(int(of_row[row]), wider))
            if of_row[row] + column <= everything:
                found.none[row] = True


def _not_told_apart(view: View, months: int, block: int) -> npt.NDArray[np.bool_]:
    """The months of a block that the city does not tell from the sum that is asked for: what is theirs may all be the sum's."""
    alike = int(view.printed.top_alike[_first(months)]) & block
    found: npt.NDArray[np.bool_] = BITS[alike if alike & months == months else months] == 1
    return found


def _crosswise_bounded(view: View, months: int, asked: set[int], within: npt.NDArray[np.bool_], held: Amounts, found: Reach) -> None:
    """With one other county at a time; and with all that have room enough in every month to take up all that is moved."""
    spare, room = view.amount - view.low, view.high - view.amount
    for block, asking, rows in _crossing(view, months, asked):
        column = _not_told_apart(view, months, block)
        _crosswise_roomy(block, asking, rows, spare, room, within, column, view.low, held, found)
        asking = [row for row in asking if not (found.none[row] and found.most[row] >= SMALLEST_SAFE)]
        if not asking:
            continue
        others = BITS[block & ~months] == 1
        is_other = np.not_equal.outer(asking, rows)
        own_room, own_spare = room[asking], spare[asking]
        its_room, its_spare = room[rows][None], spare[rows][None]
        gain = np.minimum(
            np.minimum(own_room[:, None, within], its_spare[:, :, within]).sum(axis=2),
            np.minimum(own_spare[:, None, others], its_room[:, :, others]).sum(axis=2),
        )
        found.most[asking] = np.maximum(found.most[asking], held[asking] + np.where(is_other, gain, 0).max(axis=1))
        taken_up = (its_room[:, :, within] >= view.amount[asking][:, None, within]).all(axis=2)
        given_back = np.minimum(own_room[:, None, others], its_spare[:, :, others]).sum(axis=2) >= held[asking][:, None]
        goes = (view.low[asking][:, within] <= 0).all(axis=1)
        found.none[asking] |= goes & (is_other & taken_up & given_back).any(axis=1)


def _crosswise_roomy(
    block: int,
    asking: list[int],
    rows: list[int],
    spare: Amounts,
    room: Amounts,
    within: npt.NDArray[np.bool_],
    not_told_apart: npt.NDArray[np.bool_],
    low: Amounts,
    held: Amounts,
    found: Reach,
) -> None:
    """What lies above ``low`` is a two-way table of its own; no month of a county gains more than is moved in all."""
    inside = BITS[block] == 1
    roomy = [row for row in rows if int(room[row, inside].min()) >= SMALLEST_SAFE]
    if len(roomy) < 2:
        return
    of_row, of_months = spare[:, inside].sum(axis=1), spare[:, within].sum(axis=1)
    column, everything = int(of_months[roomy].sum()), int(of_row[roomy].sum())
    wider = int(spare[roomy][:, not_told_apart].sum())
    for row in set(asking) & set(roomy):
        gain = min(int(of_row[row]), wider) - int(of_months[row])
        found.most[row] = max(found.most[row], int(held[row]) + min(gain, SMALLEST_SAFE))
        if held[row] <= SMALLEST_SAFE and not low[row, within].any() and int(of_row[row]) + column <= everything:
            found.none[row] = True


def reach_of_city(view: View, months: int) -> tuple[bool, int]:
    """What the sum over ``months`` of the city itself may be: what its counties can move to other months, or leave out unseen."""
    first, within = _first(months), BITS[months] == 1
    held = view.amount[:, within].sum(axis=1)
    spare, room = view.amount - view.low, view.high - view.amount
    at_will = (BITS[view.printed.free] & BITS[view.printed.top_free])[:, within] == 1
    leaves_out = ((view.amount[:, within] == 0) | (at_will & (view.low[:, within] <= 0))).all(axis=1)
    adds = np.where(at_will, room[:, within], 0).sum(axis=1)
    none, most = bool(leaves_out.all()), int(held.sum() + adds.sum())
    for around in _wider(months):
        block = int(view.printed.top_alike[first]) & around
        if block & months != months or block == months:
            continue
        others = BITS[block & ~months] == 1
        moves = (view.printed.alike[:, first] & block) == block
        goes = moves & (view.low[:, within] <= 0).all(axis=1) & (room[:, others].sum(axis=1) >= held)
        gain = np.where(moves, np.minimum(room[:, within].sum(axis=1), spare[:, others].sum(axis=1)), 0)
        none = none or bool((leaves_out | goes).all())
        most = max(most, int(held.sum() + np.maximum(gain, adds).sum()))
    return none, most
