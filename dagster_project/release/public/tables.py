"""Tables of whole numbers for the few small figures of which no move shows enough: found by a program, believed only when checked.

A table gives every count of a group in every county and month a whole number. It agrees with what is printed when every printed sum is what it
is, no number is negative, and every part is no more than its whole. A figure that is 0 in one such table, and 10 or more in another, is one
that no reader can tell. What a program says is never believed, only the table that it gives, and that only if all of this holds of it exactly;
so a solver that errs can hide too much, never too little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, identity, vstack
from scipy.sparse.csgraph import connected_components

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
            for of_component, component in _Numbers(knowledge, [sums[number] for number in chosen], is_of_city).components():
                both = component.reaches(False)
                both[both] = component.reaches(True)[both]
                for at in of_component[both].tolist():
                    found[chosen[at]] = True
    return found


@dataclass(frozen=True)
class _Component:
    """Numbers that hang together: ``equal @ x = total``, ``order @ x >= least``, between ``low`` and ``high``; what is added to each sum."""

    low: Numbers
    high: Costs
    equal: csr_array
    total: Numbers
    order: csr_array
    least: Numbers
    sums: csr_array
    added: Numbers

    def reaches(self, is_enough: bool) -> npt.NDArray[np.bool_]:
        """Which sums are 0, or enough, in some table."""
        if not self.sums.shape[1]:
            return self._reached(np.zeros(0, dtype=np.int64), is_enough)
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

    def _reached(self, table: Numbers, is_enough: bool) -> npt.NDArray[np.bool_]:
        reached = self.sums @ table + self.added
        return np.asarray(reached >= SMALLEST_SAFE if is_enough else reached == 0)

    def _reached_by(self, wanted: Numbers, is_enough: bool) -> npt.NDArray[np.bool_]:
        """What a table reaches in which the wanted sums are as small as can be, or as many of them as can be large enough."""
        sums, size = self.sums[wanted], len(self.low)
        more = len(wanted) if is_enough else 0
        cost = np.concatenate([np.zeros(size), -np.ones(more)]) if is_enough else sums.sum(axis=0).astype(float)
        constraints = []
        for rows, least, most in ((self.equal, self.total, self.total), (self.order, self.least, np.inf)):
            if rows.shape[0]:
                constraints.append(LinearConstraint(_wider(rows, more), least, most))
        if more:
            capped = hstack([sums, -identity(more, dtype=np.int64, format="csr")])
            constraints.append(LinearConstraint(capped, -self.added[wanted], np.inf))
        bounds = Bounds(np.append(self.low, np.zeros(more)), np.append(self.high, np.full(more, float(SMALLEST_SAFE))))
        for is_whole in (0, 1) if len(wanted) == 1 else (0,):
            kinds = np.full(len(cost), is_whole)
            answer = milp(cost, constraints=constraints, bounds=bounds, integrality=kinds, options={"node_limit": NODES})
            if answer.x is not None:
                table = np.rint(answer.x[:size]).astype(np.int64)
                if self._agrees(table):
                    return self._reached(table, is_enough)
        return np.zeros(self.sums.shape[0], dtype=bool)

    def _agrees(self, table: Numbers) -> bool:
        inside = (table >= self.low).all() and (table <= self.high).all()
        return bool(inside and (self.equal @ table == self.total).all() and (self.order @ table >= self.least).all())


def _wider(rows: csr_array, more: int) -> csr_array:
    """The same rows, over more columns."""
    return csr_array((rows.data, rows.indices, rows.indptr), shape=(rows.shape[0], rows.shape[1] + more))


class _Numbers:
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
        self.sums = self._matrix([self._sum(one) for one in sums])

    def components(self) -> Iterator[tuple[Numbers, _Component]]:
        """The sums that hang together by numbers that can change, with all that is known of these."""
        columns = np.flatnonzero(self._can_change())
        equal, order, sums = (rows[:, columns] for rows in (self.equal, self.order, self.sums))
        links = vstack([equal, order, sums]).tocsr()
        ends = np.cumsum([0, equal.shape[0], order.shape[0], sums.shape[0], len(columns)])
        square = csr_array(
            (np.ones(links.nnz), links.indices + ends[3], np.append(links.indptr, [links.nnz] * len(columns))), shape=(ends[4],) * 2
        )
        number, of_node = connected_components(square, directed=False)
        members = [_by_component(of_node[start:end], number) for start, end in pairwise(ends)]
        amount, total = self.amount[columns], equal @ self.amount[columns]
        least = order @ amount - self.order @ self.amount
        added = self.sums @ self.amount - sums @ amount
        for of_equal, of_order, of_sums, at in zip(*members, strict=True):
            if len(of_sums):
                known = (equal[of_equal][:, at], total[of_equal], order[of_order][:, at], least[of_order])
                inside = columns[at]
                yield of_sums, _Component(self.low[inside], self.high[inside], *known, sums[of_sums][:, at], added[of_sums])

    def _can_change(self) -> npt.NDArray[np.bool_]:
        """Numbers that are not fixed, nor told by a printed sum of which all others are, nor part of one that is 0."""
        is_open = self.low < self.high
        is_open[self.equal[np.flatnonzero(self.equal @ self.amount == 0)].indices] = False
        while True:
            alone = np.flatnonzero(self.equal @ is_open.astype(np.int64) == 1)
            told = self.equal[alone].indices
            told = told[is_open[told]]
            if not len(told):
                return is_open
            is_open[told] = False

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


def _by_component(component: Numbers, number: int) -> list[Numbers]:
    order = np.argsort(component, kind="stable")
    return np.split(order, np.searchsorted(component[order], np.arange(1, number)))
