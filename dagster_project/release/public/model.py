"""The linked cells of a public release: which figures are sums of which counts, and what a reader of them knows.

A *count* is what a side of a KPI counts (``declared``). Its *cells* (unit, grain, period) are sums over counties and over the months of a
calendar year; no cell reaches over two years. A *grid* is one count of one city in one year: its amounts by county and month, and the cells
that are sums of them. A *group* is all grids of counts that are part of each other: no group tells anything of another one.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dagster_project.release.public.declared import count_name, parts, tells_rest
from dagster_project.release.public.rule import ADDITIVE, COUNTED_DENOMINATOR, COUNTED_NUMERATOR, Definition, is_small

NUMERATOR, DENOMINATOR, REST = "numerator", "denominator", "rest"
MONTHS = 12
WHOLE_YEAR = (1 << MONTHS) - 1
QUARTERS = tuple(0b111 << first for first in range(0, MONTHS, 3))
BITS: npt.NDArray[np.int64] = np.array([[mask >> month & 1 for month in range(MONTHS)] for mask in range(WHOLE_YEAR + 1)], dtype=np.int64)
"""Of each set of months, given as a mask, its months as 0 and 1."""
TOP = -1
"""The place of the city itself in a grid."""

Amounts = npt.NDArray[np.int64]
RowKey = tuple[str, str, str, dt.date, dt.date]
"""KPI, unit, grain, first and last day of the period."""
CellKey = tuple[str, str, str, dt.date, dt.date]
"""Count, unit, grain, first and last day of the period."""


class Figure(NamedTuple):
    """A row that may become public."""

    kpi_id: str
    unit_code: str
    grain: str
    period_start: dt.date
    period_end: dt.date
    numerator: int
    denominator: int | None

    @property
    def key(self) -> RowKey:
        return self[:5]


class Place(NamedTuple):
    """Where a cell lies in its grid: the county (or ``TOP``) and the months that it is the sum of."""

    leaf: int
    months: int
    cell: int


@dataclass(frozen=True)
class Target:
    """A small figure that must stay unknown: of a cell, or of what its whole has beyond it (``whole`` is set)."""

    cell: int
    whole: str = ""


@dataclass
class Grid:
    """One count of one city in one calendar year. The last row of ``amount`` is what the city counts beside its counties, if it does."""

    name: str
    root: str
    year: int
    is_stock: bool
    leaves: list[str]
    amount: Amounts
    has_rest: bool
    places: list[Place]
    targets: list[tuple[Place, Target]] = field(default_factory=list)

    @cached_property
    def of_leaf(self) -> dict[int, list[Place]]:
        """The cells of each county, and of the city."""
        found: dict[int, list[Place]] = {leaf: [] for leaf in range(TOP, self.counties)}
        for place in self.places:
            found[place.leaf].append(place)
        return found

    @property
    def counties(self) -> int:
        """How many rows of ``amount`` are units that readers know."""
        return len(self.leaves)


Group = tuple[str, str, int]
"""The first name of the counts that belong together, the city and the year."""


@dataclass
class Linked:
    """Every cell of some figures, by number, and how they hang together."""

    cells: dict[CellKey, int] = field(default_factory=dict)
    value: list[int] = field(default_factory=list)
    keys: list[CellKey] = field(default_factory=list)
    rows_of: list[list[RowKey]] = field(default_factory=list)
    wholes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    parts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    contradicting: set[RowKey] = field(default_factory=set)
    """Rows whose count is said to be the same as another's and differs: never public."""
    kpis_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    mates: dict[str, frozenset[str]] = field(default_factory=dict)
    """Of a count the counts that stand in the same rows and in no other."""
    groups: dict[Group, list[Grid]] = field(default_factory=dict)

    @property
    def targets(self) -> list[Target]:
        return [target for grids in self.groups.values() for grid in grids for _, target in grid.targets]


def _counted(figure: Figure, definition: Definition) -> Iterable[tuple[str, int]]:
    if definition.kind in COUNTED_NUMERATOR:
        yield NUMERATOR, figure.numerator
    if figure.denominator is not None and tells_rest(figure.kpi_id):
        yield REST, figure.denominator - figure.numerator
    elif figure.denominator is not None and (
        definition.kind in COUNTED_DENOMINATOR or not count_name(figure.kpi_id, DENOMINATOR).startswith(figure.kpi_id + " ")
    ):
        yield DENOMINATOR, figure.denominator


def link(figures: Iterable[Figure], definitions: Mapping[str, Definition], parent: Mapping[str, str | None]) -> Linked:
    """The linked cells of figures; ``parent`` names the unit above each unit. Of figures that contradict each other the first counts."""
    linked = Linked()
    stocks: set[str] = set()
    targets: set[Target] = set()
    named = {(kpi_id, side): count_name(kpi_id, side) for kpi_id in definitions for side in (NUMERATOR, DENOMINATOR, REST)}
    for figure in figures:
        definition = definitions[figure.kpi_id]
        key = figure.key
        for side, count in _counted(figure, definition):
            name = named[figure.kpi_id, side]
            cell = (name, *key[1:])
            number = linked.cells.setdefault(cell, len(linked.keys))
            if number == len(linked.keys):
                linked.keys.append(cell)
                linked.value.append(count)
                linked.rows_of.append([])
                if definition.time_rule not in ADDITIVE:
                    stocks.add(name)
            linked.rows_of[number].append(key)
            linked.kpis_of[name].add(figure.kpi_id)
            if linked.value[number] != count:
                linked.contradicting.add(key)
            if is_small(count) and (side == NUMERATOR or definition.kind in COUNTED_DENOMINATOR):
                targets.add(Target(number))
        if definition.is_share and figure.denominator is not None and not tells_rest(figure.kpi_id):
            part, whole = named[figure.kpi_id, NUMERATOR], named[figure.kpi_id, DENOMINATOR]
            linked.wholes[part].add(whole)
            linked.parts[whole].add(part)
            if is_small(figure.denominator - figure.numerator):
                targets.add(Target(linked.cells[part, *key[1:]], whole))
    present = {name for name, *_ in linked.keys}
    for part, whole in parts():
        if part in present and whole in present:
            linked.wholes[part].add(whole)
            linked.parts[whole].add(part)
    for name in present:
        related = linked.wholes[name] | linked.parts[name]
        linked.mates[name] = frozenset(other for other in related if linked.kpis_of[other] == linked.kpis_of[name])
    _lay_out(linked, stocks, parent)
    _aim(linked, targets)
    return linked


def _belonging(linked: Linked) -> dict[str, str]:
    """Of each count the first name of those that are part of each other."""
    of_name: dict[str, str] = {}
    for name in sorted({key[0] for key in linked.keys}):
        open_names = [name] if name not in of_name else []
        while open_names:
            found = open_names.pop()
            if found not in of_name:
                of_name[found] = name
                open_names.extend(linked.wholes[found] | linked.parts[found])
    return of_name


def _lay_out(linked: Linked, stocks: Collection[str], parent: Mapping[str, str | None]) -> None:
    belonging = _belonging(linked)
    of_grid: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for number, (name, unit, _, start, _) in enumerate(linked.keys):
        of_grid[name, parent.get(unit) or unit, start.year].append(number)
    for (name, root, year), numbers in sorted(of_grid.items()):
        grid = _grid(linked, name, root, year, numbers, name in stocks)
        linked.groups.setdefault((belonging[name], root, year), []).append(grid)


def _months(start: dt.date, end: dt.date, is_stock: bool) -> int:
    if is_stock:
        return 1 << end.month - 1
    return (1 << end.month) - (1 << start.month - 1)


def _grid(linked: Linked, name: str, root: str, year: int, numbers: list[int], is_stock: bool) -> Grid:
    leaves = sorted({linked.keys[number][1] for number in numbers} - {root}) or [root]
    place_of = {unit: at for at, unit in enumerate(leaves)}
    places = [
        Place(place_of.get(unit, TOP), _months(start, end, is_stock), number)
        for number in numbers
        for _, unit, _, start, end in (linked.keys[number],)
    ]
    amount = np.zeros((len(leaves), MONTHS), dtype=np.int64)
    of_leaf: dict[int, dict[int, int]] = defaultdict(dict)
    for place in places:
        of_leaf[place.leaf].setdefault(place.months, linked.value[place.cell])
    for leaf in range(len(leaves)):
        amount[leaf] = _amounts(of_leaf[leaf])
    rest = _amounts(of_leaf[TOP]) - amount.sum(axis=0) if TOP in of_leaf else np.zeros(MONTHS, dtype=np.int64)
    has_rest = bool(rest.any()) and bool((rest >= 0).all())
    return Grid(name, root, year, is_stock, leaves, np.vstack([amount, rest]) if has_rest else amount, has_rest, places)


def _amounts(of_months: Mapping[int, int]) -> Amounts:
    """Amounts by month that give the cells: months without a cell of their own hold what is left of the smallest cell around them."""
    amounts = np.zeros(MONTHS, dtype=np.int64)
    settled = 0
    for months in sorted(of_months, key=lambda m: (m.bit_count(), m)):
        missing = months & ~settled
        if missing:
            first = (missing & -missing).bit_length() - 1
            amounts[first] = max(0, of_months[months] - int(amounts[BITS[months] == 1].sum()))
            settled |= missing
    return amounts


def _aim(linked: Linked, targets: Iterable[Target]) -> None:
    place_of = {place.cell: (grid, place) for grids in linked.groups.values() for grid in grids for place in grid.places}
    for target in sorted(targets, key=lambda t: (t.cell, t.whole)):
        grid, place = place_of[target.cell]
        grid.targets.append((place, target))
