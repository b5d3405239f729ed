"""Tables of whole numbers for the few small figures of which no move shows enough: found by a program, believed only when checked.

A table gives every count of a group in every county and month a whole number. It agrees with what is printed when every printed sum is what it
is, no number is negative, and every part is no more than its whole. A figure that is 0 in one such table, and 10 or more in another, is one
that no reader can tell. What a program says is never believed, only the table that it gives, and that only if all of this holds of it exactly;
so a solver that errs can hide too much, never too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from dagster_project.release.public.knowledge import Knowledge
from dagster_project.release.public.model import BITS, MONTHS, TOP
from dagster_project.release.public.rule import SMALLEST_SAFE

NODES = 100
"""How far one program may branch, the same on every machine; a figure that would need more is not proved."""
Costs = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


class Sum(NamedTuple):
    """A small figure: of a count, or of what ``whole`` has beyond it; ``at`` is the county's row, or ``TOP``."""

    name: str
    whole: str
    at: int
    months: int


def shown(knowledge: Knowledge, sums: Sequence[Sum]) -> list[bool]:
    """Of each sum whether tables show that it may be 0, and may be 10 and more."""
    found = [False] * len(sums)
    for is_of_city in (False, True):
        chosen = [number for number, one in enumerate(sums) if (one.at == TOP) == is_of_city]
        if chosen:
            program = _Program(knowledge, [sums[number] for number in chosen], is_of_city)
            for number, is_shown in zip(chosen, program.reaches(False) & program.reaches(True), strict=True):
                found[number] = bool(is_shown)
    return found


class _Program:
    """All numbers of a group of counts, in one line: by count, by county (and what the city counts beside them), by month."""

    def __init__(self, knowledge: Knowledge, sums: Sequence[Sum], is_of_city: bool) -> None:
        self.names = sorted(knowledge.amounts)
        self.of_name = {name: at for at, name in enumerate(self.names)}
        self.rows = len(knowledge.leaves) + knowledge.has_rest
        self.amount = np.concatenate([knowledge.amounts[name].ravel() for name in self.names])
        self.low = np.zeros_like(self.amount)
        self.high = np.full(len(self.amount), np.inf)
        self._fix_what_stands(knowledge, is_of_city)
        self.equal = self._matrix(self._printed(knowledge))
        self.order = self._matrix(self._orders(knowledge))
        self.total = self.equal @ self.amount
        self.sums = self._matrix([self._sum(one) for one in sums])

    def reaches(self, is_enough: bool) -> npt.NDArray[np.bool_]:
        """Which sums are 0, or enough, in some table."""
        reached = np.zeros(self.sums.shape[0], dtype=bool)
        tried = np.zeros_like(reached)
        while not tried.all():
            open_sums = np.flatnonzero(~tried)
            fresh = self._reached_by(open_sums, is_enough) & ~reached
            if not fresh.any():
                fresh = self._reached_by(open_sums[:1], is_enough) & ~reached
                tried[open_sums[0]] = True
            reached |= fresh
            tried |= reached
        return reached

    def _reached_by(self, wanted: Numbers, is_enough: bool) -> npt.NDArray[np.bool_]:
        """What a table in which the wanted sums are as small, or together as large as matters, is found to reach."""
        sums = self.sums[wanted]
        cost = np.concatenate([np.zeros(len(self.amount)), -np.ones(len(wanted))]) if is_enough else sums.sum(axis=0).astype(float)
        constraints = [LinearConstraint(self._wider(self.equal, cost), self.total, self.total)]
        if self.order.shape[0]:
            constraints.append(LinearConstraint(self._wider(self.order, cost), 0, np.inf))
        low, high = self.low.astype(float), self.high
        if is_enough:
            capped = csr_array(
                (-np.ones(len(wanted)), (range(len(wanted)), range(len(self.amount), len(cost)))), shape=(len(wanted), len(cost))
            )
            constraints.append(LinearConstraint(self._wider(sums, cost) + capped, 0, np.inf))
            low, high = np.append(low, np.zeros(len(wanted))), np.append(high, np.full(len(wanted), float(SMALLEST_SAFE)))
        for is_whole in (0, 1):
            answer = milp(
                cost,
                constraints=constraints,
                bounds=Bounds(low, high),
                integrality=np.full(len(cost), is_whole),
                options={"node_limit": NODES},
            )
            if answer.x is not None:
                table = np.rint(answer.x[: len(self.amount)]).astype(np.int64)
                if self._agrees(table):
                    reached = self.sums @ table
                    return np.asarray(reached >= SMALLEST_SAFE if is_enough else reached == 0)
        return np.zeros(self.sums.shape[0], dtype=bool)

    def _agrees(self, table: Numbers) -> bool:
        inside = (table >= self.low).all() and (table <= self.high).all()
        return bool(inside and (self.equal @ table == self.total).all() and (self.order @ table >= 0).all())

    def _fix_what_stands(self, knowledge: Knowledge, is_of_city: bool) -> None:
        """Numbers of counties that a count does not have, and what the city counts beside them where a county's figure is wanted, stay as they
        are. So does the better side of a part and a whole that cannot be compared by month: a whole does not shrink, a part does not grow."""
        for name in self.names:
            stands = np.ones(self.rows, dtype=bool)
            stands[[knowledge.leaves.index(leaf) for leaf in knowledge.grid_of[name].leaves]] = False
            if is_of_city and knowledge.grid_of[name].has_rest:
                stands[-1] = False
            self._bound(name, stands[:, None] & knowledge.covers(name, name), low=True, high=True)
            for whole in knowledge.wholes[name]:
                apart = ~self._compared(knowledge, name, whole)
                self._bound(whole, apart, low=True)
                self._bound(name, apart, high=True)

    def _bound(self, name: str, where: npt.NDArray[np.bool_], *, low: bool = False, high: bool = False) -> None:
        at = self._line(name)[where]
        if low:
            self.low[at] = self.amount[at]
        if high:
            self.high[at] = self.amount[at]

    def _compared(self, knowledge: Knowledge, part: str, whole: str) -> npt.NDArray[np.bool_]:
        """Counties and months in which a part is known to be no more than its whole."""
        fits = (knowledge.amounts[part] <= knowledge.amounts[whole]) | ~knowledge.covers(part, whole)
        compared: npt.NDArray[np.bool_] = knowledge.comparable(part, whole) & fits.all(axis=1, keepdims=True)
        return compared

    def _line(self, name: str) -> Numbers:
        """The places of a count's numbers, by county and month."""
        size = self.rows * MONTHS
        return np.arange(size).reshape(self.rows, MONTHS) + size * self.of_name[name]

    def _printed(self, knowledge: Knowledge) -> list[tuple[Numbers, Numbers]]:
        rows = []
        for name in self.names:
            grid, line = knowledge.grid_of[name], self._line(name)
            for place in grid.places:
                if place.cell not in knowledge.hidden:
                    of_unit = line if place.leaf == TOP else line[[knowledge.leaves.index(grid.leaves[place.leaf])]]
                    rows.append((of_unit[:, BITS[place.months] == 1].ravel(), np.empty(0, dtype=np.int64)))
        return rows

    def _orders(self, knowledge: Knowledge) -> list[tuple[Numbers, Numbers]]:
        rows = []
        for part in self.names:
            for whole in sorted(knowledge.wholes[part]):
                where = self._compared(knowledge, part, whole)
                pairs = zip(self._line(whole)[where], self._line(part)[where], strict=True)
                rows += [(np.array([more]), np.array([less])) for more, less in pairs]
        return rows

    def _sum(self, one: Sum) -> tuple[Numbers, Numbers]:
        chosen = [self._line(name) for name in (one.whole or one.name, one.name)]
        more, less = ((line if one.at == TOP else line[[one.at]])[:, BITS[one.months] == 1].ravel() for line in chosen)
        return more, less if one.whole else np.empty(0, dtype=np.int64)

    def _matrix(self, rows: Sequence[tuple[Numbers, Numbers]]) -> csr_array:
        """A row for what is added and what is taken away."""
        columns = [np.concatenate(row) for row in rows]
        values = [np.repeat([1, -1], [len(more), len(less)]) for more, less in rows]
        if not rows:
            return csr_array((0, len(self.amount)), dtype=np.int64)
        at = np.repeat(np.arange(len(rows)), [len(c) for c in columns])
        return csr_array((np.concatenate(values), (at, np.concatenate(columns))), shape=(len(rows), len(self.amount)), dtype=np.int64)

    @staticmethod
    def _wider(rows: csr_array, cost: Costs) -> csr_array:
        """The same rows over as many columns as there are costs."""
        return csr_array((rows.data.astype(float), rows.indices, rows.indptr), shape=(rows.shape[0], len(cost)))
