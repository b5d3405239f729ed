"""What a reader can tell of the small figures of a group of counts, given what is hidden.

A count that is part of no other moves as it likes. A part and a whole that stand in the same rows alone are two counts that have nothing to
do with each other: the part, and the rest of the whole. Counts that are tied to several others move one at a time between what their parts
and wholes leave them, together with all that they are part of, or whole: all that is counted in a county and a month at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from dagster_project.release.public.model import BITS, MONTHS, TOP, WHOLE_YEAR, Amounts, Grid, Linked, Place, Target
from dagster_project.release.public.reach import UNBOUNDED, Printed, Reach, View, reach, reach_of_city, told_apart
from dagster_project.release.public.rule import SMALLEST_SAFE

Span = tuple[bool, int]
"""Whether a sum may be 0, and how large it may be."""
APART = np.array([1 << month for month in range(MONTHS)], dtype=np.int64)


class Knowledge:
    """Of one group of counts, one city and one year."""

    def __init__(self, linked: Linked, grids: list[Grid], hidden: Collection[int]) -> None:
        self.grids = grids
        self.grid_of = {grid.name: grid for grid in grids}
        self.leaves = sorted({leaf for grid in grids for leaf in grid.leaves})
        self.has_rest = any(grid.has_rest for grid in grids)
        self.wholes = {name: linked.wholes[name] & self.grid_of.keys() for name in self.grid_of}
        self.parts = {name: linked.parts[name] & self.grid_of.keys() for name in self.grid_of}
        self.linked = linked
        self.hidden = hidden
        self._views: dict[object, View] = {}
        self._spans: dict[tuple[object, int], Reach] = {}
        self._of_city: dict[tuple[object, int], Span] = {}
        self._there: dict[tuple[int, int], frozenset[str]] = {}
        self._all_wholes: dict[str, frozenset[str]] = {}
        self._all_parts: dict[str, frozenset[str]] = {}
        self._bundled: dict[tuple[str, str], list[tuple[frozenset[str], int]]] = {}
        self._limits: dict[tuple[str, frozenset[str]], tuple[Amounts, Amounts]] = {}

    def renew(self) -> None:
        """More is hidden than before."""
        for known in (self._views, self._spans, self._of_city, self._limits):
            known.clear()
        for name in ("_printed", "nothing_is_printed", "_yielding"):
            self.__dict__.pop(name, None)

    def proves(self, grid: Grid, place: Place, target: Target) -> bool:
        """The target may be 0, and may be 10 and more, for all that is printed."""
        if self.nothing_is_printed:
            return True
        at = TOP if place.leaf == TOP else self.leaves.index(grid.leaves[place.leaf])
        if self.is_pair and not target.whole and self.parts[grid.name]:
            spans = [self._span(key, make, at, place.months) for key, make in self._ways(grid.name, "")]
            return all(span[0] for span in spans) and sum(span[1] for span in spans) >= SMALLEST_SAFE
        return self._may_be_none(grid.name, target.whole, at, place.months) and (
            self._most(grid.name, target.whole, at, place.months) >= SMALLEST_SAFE
        )

    def _may_be_none(self, name: str, whole: str, at: int, months: int) -> bool:
        if any(self._span(key, make, at, months)[0] for key, make in self._ways(name, whole)):
            return True
        return self.is_entangled and (self._goes_with_what_equals_it(name, whole, at, months) or self._goes(name, whole, at, months))

    def _goes_with_what_equals_it(self, name: str, whole: str, at: int, months: int) -> bool:
        """All of a count goes with the parts that are all of it: with the wholes that it is part of, or without."""
        if whole or at == TOP:
            return False
        within = BITS[months] == 1
        own = self.amounts[name][at, within]
        equal = frozenset(part for part in self._below(name) if (self.amounts[part][at, within] == own).all())
        bundles = (equal, equal | self._above(name))
        return any(self._span((name, "", names, 1), partial(self._bundle, name, "", names, 1), at, months)[0] for names in bundles)

    def _most(self, name: str, whole: str, at: int, months: int) -> int:
        """How large a sum may be, as far as it matters: what has all the room that its wholes can be given has as much as they."""
        most = 0
        for key, make in self._ways(name, whole):
            most = max(most, self._span(key, make, at, months)[1])
            if most >= SMALLEST_SAFE:
                return most
        if not self.is_entangled:
            return most
        most = max(most, self._comes(name, whole, at, months))
        if most >= SMALLEST_SAFE or not self._is_free(name, at, months):
            return most
        if whole:
            return most if self.parts[name] else max(most, self._most(whole, "", at, months))
        return max([most, *self._as_much_as_its_wholes(name, at, months)])

    def _as_much_as_its_wholes(self, name: str, at: int, months: int) -> Iterator[int]:
        """For a count of which nothing is printed: in one of the months it may fill one of its wholes, however large, and the others as they
        are; those that hold that one hold it too. What it counts elsewhere may have to go for that."""
        for row in range(len(self.leaves)) if at == TOP else [at]:
            if not self._is_free(name, row, months):
                continue
            for month in np.flatnonzero(BITS[months]).tolist():
                for whole in sorted(self.wholes[name]):
                    others = self.wholes[name] - self._above(whole)
                    least = min((int(self.amounts[other][row, month]) for other in others), default=UNBOUNDED)
                    if least >= SMALLEST_SAFE:
                        yield min(least, self._most(whole, "", row, 1 << month))

    def _is_free(self, name: str, at: int, months: int) -> bool:
        """Nothing printed of the count contains the months, neither of the county nor of the city."""
        printed = self._printed[name]
        return printed.top_free & months == months and (at == TOP or int(printed.free[at]) & months == months)

    def amount(self, grid: Grid, whole: str) -> Amounts:
        """What a count, or the rest of its whole, is by the counties of its grid."""
        rows = [self.leaves.index(leaf) for leaf in grid.leaves]
        own = self.amounts[grid.name][rows]
        return self.amounts[whole][rows] - own if whole else own

    def related(self, name: str) -> list[Grid]:
        """What a count is part of, and then its parts; of a pair none, since they stand in the same rows."""
        names = [*sorted(self.wholes[name]), *sorted(self.parts[name])] if self.is_entangled else []
        return [self.grid_of[other] for other in names]

    @cached_property
    def nothing_is_printed(self) -> bool:
        return all(place.cell in self.hidden for grid in self.grid_of.values() for place in grid.places)

    @cached_property
    def is_entangled(self) -> bool:
        """Counts are part of several others, or have several parts, or stand in rows of their own."""
        return len(self.grid_of) > 1 and not self.is_pair

    @cached_property
    def is_pair(self) -> bool:
        """A part and its whole that stand in the same rows and in no others."""
        if len(self.grid_of) != 2:
            return False
        (one, of_one), (other, of_other) = self.grid_of.items()
        part, whole = (one, other) if self.wholes[one] else (other, one)
        return (
            other in self.linked.mates[one]
            and of_one.is_stock == of_other.is_stock
            and self._own_months[one] == self._own_months[other]
            and bool((self.amounts[whole] >= self.amounts[part]).all())
        )

    @cached_property
    def amounts(self) -> dict[str, Amounts]:
        """Of each count its amounts, by the counties of the whole group."""
        aligned = {}
        for name, grid in self.grid_of.items():
            rows = np.zeros((len(self.leaves) + self.has_rest, MONTHS), dtype=np.int64)
            for at, leaf in enumerate(grid.leaves):
                rows[self.leaves.index(leaf)] = grid.amount[at]
            if grid.has_rest:
                rows[-1] = grid.amount[-1]
            aligned[name] = rows
        return aligned

    @cached_property
    def _own_months(self) -> dict[str, list[int]]:
        """Of each count and county the months that have a cell of their own."""
        own = {}
        for name, grid in self.grid_of.items():
            months = [0] * (len(self.leaves) + self.has_rest)
            for place in grid.places:
                if place.leaf != TOP and place.months.bit_count() == 1:
                    months[self.leaves.index(grid.leaves[place.leaf])] |= place.months
            own[name] = months
        return own

    @cached_property
    def _printed(self) -> dict[str, Printed]:
        printed = {}
        for name, grid in self.grid_of.items():
            rows = len(self.leaves) + self.has_rest
            masks: dict[int, set[int]] = {leaf: set() for leaf in range(TOP, grid.counties)}
            for place in grid.places:
                if place.cell not in self.hidden:
                    masks[place.leaf].add(place.months)
            alike, free = np.tile(APART, (rows, 1)), np.zeros(rows, dtype=np.int64)
            for at, leaf in enumerate(grid.leaves):
                here = self.leaves.index(leaf)
                alike[here], free[here] = told_apart(masks[at])
            if self.has_rest:
                alike[-1], free[-1] = WHOLE_YEAR, WHOLE_YEAR
            printed[name] = Printed(alike, free, *told_apart(masks[TOP]))
        return printed

    def _bounds(self, name: str, apart_from: frozenset[str] = frozenset()) -> tuple[Amounts, Amounts]:
        """Between what the parts and the wholes of a count leave it; not at all where cells of both can not be compared month by month."""
        if (name, apart_from) not in self._limits:
            self._limits[name, apart_from] = self._bounded(name, apart_from)
        return self._limits[name, apart_from]

    def _bounded(self, name: str, apart_from: frozenset[str]) -> tuple[Amounts, Amounts]:
        amount = self.amounts[name]
        low, high = np.zeros_like(amount), np.full_like(amount, UNBOUNDED)
        sides = ((self.parts[name], low, np.maximum, 0), (self.wholes[name], high, np.minimum, 1))
        for others, bound, tighter, side in sides:
            for other in others - apart_from:
                tighter(bound, self._yielding[other][side], out=bound)
                np.copyto(bound, amount, where=~self.comparable(name, other))
        return np.minimum(low, amount), np.maximum(high, amount)

    def comparable(self, name: str, other: str) -> npt.NDArray[np.bool_]:
        """In which counties and months two counts can be compared: both have a cell of their own, or no cell of one of them contains the month,
        so that readers know nothing of it there."""
        if self.grid_of[name].is_stock != self.grid_of[other].is_stock:
            return np.zeros_like(self.amounts[name], dtype=bool)
        own = np.array(self._own_months[name]) & np.array(self._own_months[other])
        compared: npt.NDArray[np.bool_] = (BITS[own] == 1) | ~self.covers(name, other)
        compared[len(self.leaves) :] = True
        return compared

    def covers(self, name: str, other: str) -> npt.NDArray[np.bool_]:
        """The counties and months that cells of both counts contain, of the county itself or of the city."""
        covered: npt.NDArray[np.bool_] = BITS[self._covered_months[name] & self._covered_months[other]] == 1
        return covered

    @cached_property
    def _covered_months(self) -> dict[str, npt.NDArray[np.int64]]:
        """Of each count and county the months that a cell of it or of the city contains."""
        covered = {}
        for name, grid in self.grid_of.items():
            months = np.zeros(len(self.leaves) + self.has_rest, dtype=np.int64)
            for place in grid.places:
                months[slice(None) if place.leaf == TOP else self.leaves.index(grid.leaves[place.leaf])] |= place.months
            covered[name] = months
        return covered

    @cached_property
    def _yielding(self) -> dict[str, tuple[Amounts, Amounts]]:
        """Of each count how small it can be made for its wholes' sake, and how large for its parts': as it is, unless nothing of it is printed."""
        free = {name: (BITS[printed.free] & BITS[printed.top_free]) == 1 for name, printed in self._printed.items()}
        low = {name: np.where(free[name], 0, amount) for name, amount in self.amounts.items()}
        high = {name: np.where(free[name], UNBOUNDED, amount) for name, amount in self.amounts.items()}
        for _ in self.grid_of:
            for name in self.grid_of:
                for part in self.parts[name]:
                    low[name] = np.where(free[name], np.maximum(low[name], low[part]), low[name])
                for whole in self.wholes[name]:
                    high[name] = np.where(free[name], np.minimum(high[name], high[whole]), high[name])
        return {name: (low[name], high[name]) for name in self.grid_of}

    def _above(self, name: str) -> frozenset[str]:
        if name not in self._all_wholes:
            self._all_wholes[name] = self._closure(name, self.wholes)
        return self._all_wholes[name]

    def _below(self, name: str) -> frozenset[str]:
        if name not in self._all_parts:
            self._all_parts[name] = self._closure(name, self.parts)
        return self._all_parts[name]

    @staticmethod
    def _closure(name: str, related: dict[str, set[str]]) -> frozenset[str]:
        found, open_names = {name}, [name]
        while open_names:
            fresh = related[open_names.pop()] - found
            found |= fresh
            open_names.extend(fresh)
        return frozenset(found)

    def _together(self, names: Iterable[str]) -> Printed:
        first, *others = (self._printed[name] for name in sorted(names))
        for other in others:
            first = first.and_of(other)
        return first

    def _ways(self, name: str, whole: str) -> list[tuple[object, Callable[[], View]]]:
        """The ways in which a small figure can change, each a view of it; of a whole in a pair its two parts."""
        if self.is_pair:
            (rest_of,) = [n for n in self.grid_of if self.parts[n]]
            part = next(iter(self.parts[rest_of]))
            of_part = ("part", lambda: self._free_view(self.amounts[part], self.grid_of))
            of_rest = ("rest", lambda: self._free_view(self.amounts[rest_of] - self.amounts[part], self.grid_of))
            return [of_rest] if whole else [of_part] if name == part else [of_part, of_rest]
        if not self.wholes[name] and not self.parts[name]:
            return [(name, lambda: self._free_view(self.amounts[name], [name]))]
        return [((name, whole, names, sign), partial(self._bundle, name, whole, names, sign)) for names, sign in self._bundles(name, whole)]

    def _bundles(self, name: str, whole: str) -> list[tuple[frozenset[str], int]]:
        """Counts that may move together, by one each, and whether the figure grows or shrinks by it: a count alone, with all that it is
        part of, with all its parts, with both; the rest of a whole grows with the whole and shrinks with the part."""
        if (name, whole) not in self._bundled:
            one = frozenset([name])
            if whole:
                between = self._above(name) - self._above(whole)
                growing = [frozenset([whole]), self._above(whole)]
                shrinking = [one, one | self._below(name), between, between | self._below(name)]
            else:
                growing = [one, self._above(name), self._below(name), self._above(name) | self._below(name)]
                shrinking = []
            sides = [(names, 1) for names in growing] + [(names, -1) for names in shrinking]
            self._bundled[name, whole] = list(dict.fromkeys(sides))
        return self._bundled[name, whole]

    def _bundle(self, name: str, whole: str, names: frozenset[str], sign: int) -> View:
        amount = self.amounts[whole] - self.amounts[name] if whole else self.amounts[name]
        spare = np.minimum.reduce([self.amounts[n] - self._bounds(n, names)[0] for n in sorted(names)])
        room = np.minimum.reduce([self._bounds(n, names)[1] - self.amounts[n] for n in sorted(names)])
        falls, rises = (spare, room) if sign > 0 else (room, spare)
        return self._view(amount, amount - falls, amount + rises, self._together(names))

    def _goes(self, name: str, whole: str, at: int, months: int) -> bool:
        """All that a county counts in the months can go elsewhere: with the parts that it has, or with all that is counted there."""
        there = self._counted_there(at, months)
        parts = self._below(whole or name) & there
        return self._moves_as_a_whole(name, whole, parts, at, months)[0] or self._moves_as_a_whole(name, whole, there, at, months)[0]

    def _counted_there(self, at: int, months: int) -> frozenset[str]:
        """The counts that are not 0 in a county and some months; in the city: in any county."""
        if (at, months) not in self._there:
            rows = self._stacked if at == TOP else self._stacked[:, [at]]
            counted = rows[:, :, BITS[months] == 1].reshape(len(rows), -1).sum(axis=1)
            self._there[at, months] = frozenset(name for name, n in zip(self.amounts, counted.tolist(), strict=True) if n)
        return self._there[at, months]

    @cached_property
    def _stacked(self) -> Amounts:
        return np.stack(list(self.amounts.values()))

    def _comes(self, name: str, whole: str, at: int, months: int) -> int:
        """What can come from elsewhere: with its parts, or with all that is counted there."""
        there = self._counted_there(TOP, WHOLE_YEAR)
        ways = [there] if whole else [self._below(name) & there, there]
        return max(self._moves_as_a_whole(name, whole, names, at, months)[1] for names in ways)

    def _moves_as_a_whole(self, name: str, whole: str, names: frozenset[str], at: int, months: int) -> Span:
        """What is counted in a county and a month moves whole, in all of the counts that are named; their wholes stay."""
        if not names:
            return False, 0

        def make() -> View:
            amount = self.amounts[whole] - self.amounts[name] if whole else self.amounts[name]
            room = np.minimum.reduce([self._bounds(n, names)[1] - self.amounts[n] for n in sorted(names)])
            if whole:
                room = np.where(room >= UNBOUNDED // 2, room, 0)
            view = self._view(amount, np.zeros_like(amount), amount + room, self._together(names))
            return replace(view, may_cross=False)

        return self._span(("whole", name, whole, names), make, at, months)

    def _view(self, amount: Amounts, low: Amounts, high: Amounts, printed: Printed) -> View:
        return View(amount, low, high, printed, len(self.leaves))

    def _free_view(self, amount: Amounts, names: Iterable[str]) -> View:
        return self._view(amount, np.zeros_like(amount), np.full_like(amount, UNBOUNDED), self._together(names))

    def _span(self, key: object, make: Callable[[], View], at: int, months: int) -> Span:
        if key not in self._views:
            self._views[key] = make()
        view = self._views[key]
        if at == TOP:
            if (key, months) not in self._of_city:
                self._of_city[key, months] = reach_of_city(view, months)
            return self._of_city[key, months]
        if (key, months) not in self._spans:
            self._spans[key, months] = reach(view, months)
        found = self._spans[key, months]
        return bool(found.none[at]), int(found.most[at])
