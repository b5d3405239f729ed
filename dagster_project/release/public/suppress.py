"""Which cells are hidden: every small one, and as few others as are needed for each small one to be possibly 0, and possibly 10 and more.

Small cells are hidden together with what tells them from their neighbours: small months with the months of their quarter, small quarters
with the quarters of their year. What can not be proved then gives other counties to hide beside it, then the city itself, then a coarser
block; last all that the counts of the group would print. Cells that were printed before stay printed, and hidden ones hidden.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from dagster_project.release.public.knowledge import Knowledge
from dagster_project.release.public.model import BITS, QUARTERS, TOP, WHOLE_YEAR, Amounts, Grid, Group, Linked, Place, RowKey, Target
from dagster_project.release.public.rule import SMALLEST_SAFE

QUARTER, YEAR, ALL = range(3)
ENOUGH = 2 * SMALLEST_SAFE
Aimed = tuple[Grid, Place, Target]


@dataclass
class Suppression:
    """What is hidden. ``unproved`` names small figures of which it is not proved that this is enough; none, or nothing may be printed."""

    hidden: set[int]
    proved: int = 0
    unproved: list[Target] = field(default_factory=list)
    withheld: list[Group] = field(default_factory=list)
    """Groups of which nothing that was not printed before is printed, since less would not do."""


class _Hiding:
    """What is hidden so far: a cell is as soon as every row that tells it is."""

    def __init__(self, linked: Linked, hidden: Collection[int], printed: Collection[int]) -> None:
        self.linked = linked
        self.hidden = set(hidden)
        self.printed = frozenset(printed) - self.hidden
        self.cells_of: dict[RowKey, list[int]] = defaultdict(list)
        for cell, rows in enumerate(linked.rows_of):
            for row in rows:
                self.cells_of[row].append(cell)
        self.rows = {row for cell in self.hidden for row in linked.rows_of[cell]}

    def hide(self, cells: Iterable[int]) -> bool:
        """Hide cells, as far as readers do not have them; whether that changed anything."""
        fresh = [cell for cell in cells if cell not in self.hidden and cell not in self.printed]
        for cell in fresh:
            self.hidden.add(cell)
            for row in self.linked.rows_of[cell]:
                self.rows.add(row)
                for mate in self.cells_of[row]:
                    if mate not in self.printed and all(other in self.rows for other in self.linked.rows_of[mate]):
                        self.hidden.add(mate)
        return bool(fresh)


def suppress(linked: Linked, hidden: Collection[int] = (), printed: Collection[int] = (), settled: Collection[Group] = ()) -> Suppression:
    """Hide cells until every small figure is proved. ``hidden`` and ``printed`` are what earlier releases settled: both stay.

    ``settled`` are groups in which nothing has changed since an earlier release: what was proved then holds.
    """
    hiding = _Hiding(linked, hidden, printed)
    found = Suppression(hiding.hidden)
    for group, grids in linked.groups.items():
        aimed = [(grid, place, target) for grid in grids for place, target in grid.targets]
        if aimed and group not in settled:
            _settle(linked, group, grids, aimed, hiding, found)
        found.proved += len(aimed)
    found.proved -= len(found.unproved)
    return found


def _settle(linked: Linked, group: Group, grids: list[Grid], aimed: list[Aimed], hiding: _Hiding, found: Suppression) -> None:
    for grid, place, _ in aimed:
        hiding.hide(_around(grid, place.leaf, *_block(grid, place.months)))
    knowledge = Knowledge(linked, grids, hiding.hidden)
    while (aimed := _failing(knowledge, aimed)) and _hide_more(knowledge, aimed, hiding):
        knowledge.renew()
    if aimed:
        found.withheld.append(group)
        hiding.hide(place.cell for grid in grids for place in grid.places)
        knowledge.renew()
        found.unproved += [target for _, _, target in _failing(knowledge, aimed)]


def _failing(knowledge: Knowledge, aimed: Iterable[Aimed]) -> list[Aimed]:
    return [one for one in aimed if not knowledge.proves(*one)]


def _block(grid: Grid, months: int) -> tuple[int, int]:
    """The months around those of a small sum among which it is hidden, and how they are told apart."""
    if grid.is_stock:
        return months, ALL
    for quarter in QUARTERS:
        if months & ~quarter == 0 and months != quarter:
            return quarter, QUARTER
    return WHOLE_YEAR, ALL if months == WHOLE_YEAR else YEAR


def _around(grid: Grid, leaf: int, block: int, level: int) -> Iterator[int]:
    """The cells of a county that tell months of a block apart, or at the last level all that contain one."""
    for place in grid.of_leaf[leaf]:
        inside = place.months & block
        if inside and (level == ALL or inside != block):
            yield place.cell


def _hide_more(knowledge: Knowledge, failing: list[Aimed], hiding: _Hiding) -> bool:
    """Hide one thing more in every block in which a small sum is not proved; whether there was any."""
    of_block: dict[tuple[str, str, int, int], list[Aimed]] = defaultdict(list)
    for one in failing:
        grid, place, target = one
        of_block[grid.name, target.whole, *_block(grid, place.months)].append(one)
    hidden = [_hide_beside(knowledge, aimed, block, level, hiding) for (*_, block, level), aimed in of_block.items()]
    return any(hidden)


def _hide_beside(knowledge: Knowledge, aimed: list[Aimed], block: int, level: int, hiding: _Hiding) -> bool:
    """Another county; the small sums' own in a coarser block, and others beside it; the city; at last the count as a whole."""
    grid, _, target = aimed[0]
    own = {place.leaf for _, place, _ in aimed}
    sums = {place.months for _, place, _ in aimed}
    amount = knowledge.amount(grid, target)
    steps = _coarser(block, level)
    for step in steps:
        if hiding.hide([cell for leaf in own for cell in _around(grid, leaf, *step)]) or _hide_a_county(grid, amount, sums, *step, hiding):
            return True
    return any(hiding.hide(_around(grid, TOP, *step)) for step in steps)


def _coarser(block: int, level: int) -> list[tuple[int, int]]:
    """The block itself, and those around it."""
    wider = {QUARTER: [(WHOLE_YEAR, YEAR), (WHOLE_YEAR, ALL)], YEAR: [(WHOLE_YEAR, ALL)], ALL: []}
    return [(block, level), *wider[level]]


def _hide_a_county(grid: Grid, amount: Amounts, sums: Iterable[int], block: int, level: int, hiding: _Hiding) -> bool:
    """The county that has just enough in all of the sums, else the one that has most in the block."""
    amounts = amount[: grid.counties, BITS[block] == 1].sum(axis=1)
    able = []
    for leaf in range(grid.counties):
        cells = list(_around(grid, leaf, block, level))
        if any(c not in hiding.hidden for c in cells) and not any(c in hiding.printed for c in cells):
            able.append((int(amounts[leaf]), leaf, cells))
    if not able:
        return False
    least = np.min([amount[:, BITS[months] == 1].sum(axis=1) for months in sums], axis=0)
    enough = [one for one in able if least[one[1]] >= ENOUGH]
    return hiding.hide((min(enough) if enough else max(able))[2])
