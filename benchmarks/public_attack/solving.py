"""Whether unknown whole numbers can be 0, and can be 10 and more, for all that is known of them.

``unknown numbers x ≥ 0, equal @ x = total, least ≤ order @ x``; what is wanted are sums of them. Known and inferable numbers are put in
first; what is left falls apart into components that share no number, and each is settled by itself.

That a wanted sum can be 0 (or 10) is said only of a table of whole numbers that was found and that satisfies every equation exactly, checked
in whole numbers: a corner of the linear program where it is whole, else a solution of the integer program. That it can not is said only where
the integer program of that sum alone has no solution. A linear program alone decides neither: its fractions are wider than the whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import csr_array, hstack, identity, vstack
from scipy.sparse.csgraph import connected_components

ENOUGH = 10
"""A sum that may be 0 and may be this tells nothing that the rule protects."""
PATIENCE_SECONDS = 120.0
NO_SOLUTION = 2
"""How ``milp`` says that nothing satisfies the constraints."""
Whole = npt.NDArray[np.int64]
Costs = npt.NDArray[np.float64]
Rows = Sequence[Sequence[tuple[int, int]]]
"""Sparse rows: pairs of column and coefficient."""


class ContradictionError(AssertionError):
    """No whole numbers agree with what is known: the releases, or what the attacker believes, are wrong."""


@dataclass(frozen=True)
class System:
    """Everything known of some unknown whole numbers, and the sums of them that are wanted."""

    equal: csr_array
    total: Whole
    order: csr_array
    least: Whole
    wanted: csr_array
    beside: Whole
    """Added to each wanted sum: what is known of it."""


@dataclass
class Found:
    """What was learnt: of each wanted sum that cannot be both, the least and greatest that it can be."""

    components: int = 0
    programs: int = 0
    learnt: dict[int, tuple[int, int]] = field(default_factory=dict)
    undecided: list[int] = field(default_factory=list)
    """Wanted sums of which the solver found neither a table nor that there is none."""


def matrix(rows: Rows, columns: int) -> csr_array:
    at = [number for number, row in enumerate(rows) for _ in row]
    which = [column for row in rows for column, _ in row]
    values = np.array([value for row in rows for _, value in row], dtype=np.int64)
    return csr_array((values, (at, which)), shape=(len(rows), columns), dtype=np.int64)


def solve(system: System) -> Found:
    """Attack every wanted sum. Raises ContradictionError when nothing agrees with what is known."""
    found = Found()
    for wanted, component in _components(_inferred(system)):
        found.components += 1
        _Component(component, wanted, found).settle()
    return found


def _inferred(system: System) -> System:
    """The same with every number put in that one equation alone tells: the last of its numbers, or all of them where they make 0."""
    unknown = np.ones(system.equal.shape[1], dtype=bool)
    value = np.zeros(system.equal.shape[1], dtype=np.int64)
    while True:
        left = system.total - system.equal @ value
        open_numbers = system.equal @ unknown.astype(np.int64)
        if (left < 0).any() or left[open_numbers == 0].any():
            raise ContradictionError("what is printed adds up to something else than is printed")
        of_one = system.equal[np.flatnonzero(open_numbers == 1)].tocoo()
        amounts = left[open_numbers == 1]
        fresh = [(column, amounts[row]) for row, column in zip(*of_one.coords, strict=True) if unknown[column]]
        of_none = system.equal[np.flatnonzero((open_numbers > 1) & (left == 0))].tocoo()
        fresh += [(column, 0) for column in of_none.coords[1] if unknown[column]]
        if not fresh:
            break
        for column, amount in fresh:
            value[column], unknown[column] = amount, False
    columns = np.flatnonzero(unknown)
    rows = np.flatnonzero(open_numbers > 0)
    order, least = system.order[:, columns], system.least - system.order @ value
    kept = np.flatnonzero(np.abs(order).sum(axis=1) > 0)
    if (least[np.setdiff1d(np.arange(len(least)), kept)] > 0).any():
        raise ContradictionError("a part is printed that is more than its whole")
    wanted = system.wanted[:, columns]
    return System(system.equal[rows][:, columns], left[rows], order[kept], least[kept], wanted, system.beside + system.wanted @ value)


def _components(system: System) -> Iterator[tuple[Whole, System]]:
    """The wanted sums that hang together, with all that is known of their numbers."""
    blocks = (system.equal, system.order, system.wanted)
    rows = vstack(blocks).tocsr()
    rows.data = np.abs(rows.data)
    links = hstack([csr_array((rows.shape[0], rows.shape[0]), dtype=np.int64), rows])
    links = vstack([links, csr_array((rows.shape[1], links.shape[1]), dtype=np.int64)])
    number, of_node = connected_components(links, directed=False)
    ends = np.cumsum([0, *(block.shape[0] for block in blocks), rows.shape[1]])
    members = [_by_component(of_node[ends[i] : ends[i + 1]], number) for i in range(4)]
    for equal, order, wanted, columns in zip(*members, strict=True):
        if len(wanted):
            yield (
                wanted,
                System(
                    system.equal[equal][:, columns],
                    system.total[equal],
                    system.order[order][:, columns],
                    system.least[order],
                    system.wanted[wanted][:, columns],
                    system.beside[wanted],
                ),
            )


def _by_component(component: Whole, number: int) -> list[Whole]:
    order = np.argsort(component, kind="stable")
    return np.split(order, np.searchsorted(component[order], np.arange(1, number)))


class _Component:
    def __init__(self, system: System, wanted: Whole, found: Found) -> None:
        self.system, self.wanted, self.found = system, wanted, found
        self.columns = system.equal.shape[1]

    def settle(self) -> None:
        may_be_none = self._reachable(False)
        may_be_enough = self._reachable(True)
        for at in np.flatnonzero(~(may_be_none & may_be_enough)).tolist():
            self.found.learnt[int(self.wanted[at])] = self._span(at)

    def _reachable(self, is_enough: bool) -> npt.NDArray[np.bool_]:
        """Which wanted sums can be enough, or can be 0: as many at a time as one table shows, one at a time when it shows no more."""
        if not self.columns:
            return np.asarray(self.system.beside >= ENOUGH if is_enough else self.system.beside <= 0)
        reached, settled = np.zeros(len(self.wanted), dtype=bool), np.zeros(len(self.wanted), dtype=bool)
        while not settled.all():
            open_sums = np.flatnonzero(~settled)
            shown = self._shown(self._table_for_many(open_sums, is_enough), is_enough)
            if not shown[open_sums].any():
                for at in open_sums.tolist():
                    settled[at] = True
                    shown = self._shown(self._table_for_one(at, is_enough), is_enough)
                    if shown.any():
                        break
            reached |= shown
            settled |= shown
        return reached

    def _shown(self, table: Whole | None, is_enough: bool) -> npt.NDArray[np.bool_]:
        if table is None:
            return np.zeros(len(self.wanted), dtype=bool)
        sums = self.system.wanted @ table + self.system.beside
        return np.asarray(sums >= ENOUGH if is_enough else sums == 0)

    def _table_for_many(self, open_sums: Whole, is_enough: bool) -> Whole | None:
        """A table in which as many of the sums as a linear program can are 0, or enough; None when it is not one of whole numbers."""
        sums = self.system.wanted[open_sums]
        if not is_enough:
            return self._whole(np.asarray(sums.sum(axis=0), dtype=float), self._constraints(), 0)
        capped = len(open_sums)
        up_to = hstack([sums, -identity(capped, dtype=np.int64, format="csr")])
        constraints = [*self._constraints(capped), LinearConstraint(up_to, -self.system.beside[open_sums], np.inf)]
        return self._whole(np.concatenate([np.zeros(self.columns), -np.ones(capped)]), constraints, capped)

    def _whole(self, cost: Costs, constraints: list[LinearConstraint], capped: int) -> Whole | None:
        """A corner of the linear program if it is whole, else a solution of the integer one, the last ``capped`` columns left out."""
        bounds = Bounds(0, np.concatenate([np.full(self.columns, np.inf), np.full(capped, float(ENOUGH))]))
        for is_whole in (False, True):
            answer = self._program(cost, constraints, bounds, is_whole)
            if answer.status == NO_SOLUTION:
                raise ContradictionError("no numbers agree with what is printed")
            table = self._checked(answer)
            if table is not None:
                return table
        return None

    def _table_for_one(self, at: int, is_enough: bool) -> Whole | None:
        """A table in which one sum is 0, or enough; None when there is none, or, noted as undecided, none is found."""
        beside = int(self.system.beside[at])
        low, high = (ENOUGH - beside, np.inf) if is_enough else (0, -beside)
        if high < 0:
            return None
        constraints = [*self._constraints(), LinearConstraint(self.system.wanted[[at]], low, high)]
        answer = self._program(np.zeros(self.columns), constraints, Bounds(0, np.inf), True)
        table = self._checked(answer)
        if table is None and answer.status != NO_SOLUTION:
            self.found.undecided.append(int(self.wanted[at]))
        return table

    def _program(self, cost: Costs, constraints: list[LinearConstraint], bounds: Bounds, is_whole: bool) -> OptimizeResult:
        self.found.programs += 1
        whole = np.full(len(cost), int(is_whole))
        return milp(cost, constraints=constraints, bounds=bounds, integrality=whole, options={"time_limit": PATIENCE_SECONDS})

    def _checked(self, answer: OptimizeResult) -> Whole | None:
        """The numbers of an answer, if they are whole and every equation holds of them."""
        if answer.x is None:
            return None
        table = np.rint(answer.x[: self.columns]).astype(np.int64)
        equal, order = self.system.equal @ table, self.system.order @ table
        agrees = (table >= 0).all() and (equal == self.system.total).all() and (order >= self.system.least).all()
        return table if agrees else None

    def _constraints(self, more: int = 0) -> list[LinearConstraint]:
        """What is known, for the numbers and ``more`` columns beside them."""
        known = []
        for rows, low, high in ((self.system.equal, self.system.total, self.system.total), (self.system.order, self.system.least, None)):
            if rows.shape[0]:
                wide = hstack([rows, csr_array((rows.shape[0], more), dtype=np.int64)]) if more else rows
                known.append(LinearConstraint(wide, low, np.inf if high is None else high))
        return known

    def _span(self, at: int) -> tuple[int, int]:
        """The least that a sum can be, and the greatest, as far as the solver can tell; enough where it can be that or more."""
        beside = int(self.system.beside[at])
        if not self.columns:
            return beside, beside
        cost = np.asarray(self.system.wanted[[at]].toarray()[0], dtype=float)
        table = self._checked(self._program(cost, self._constraints(), Bounds(0, np.inf), True))
        least = 0 if table is None else int((self.system.wanted[[at]] @ table)[0]) + beside
        capped = [*self._constraints(), LinearConstraint(self.system.wanted[[at]], -np.inf, max(ENOUGH - beside, 0))]
        table = self._checked(self._program(-cost, capped, Bounds(0, np.inf), True))
        return least, ENOUGH if table is None else int((self.system.wanted[[at]] @ table)[0]) + beside
