"""Which cells are hidden: every small one, and as few others as are needed for each small one to be possibly 0, and possibly 10 and more.

Small cells are hidden together with what tells them from their neighbours: small months with the months of their quarter, small quarters
with the quarters of their year. What can not be proved then, by moves (``knowledge``) or by tables (``tables``), gives other counties to hide
beside it, then the city itself, then a coarser block; last all that the counts of the group would print. Cells that were printed before stay printed, and hidden ones hidden.
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
PATIENCE = 2
"""Rounds in which little is hidden at a time. After them, of counts that are tied to each other, programs look for tables that show what no
move shows; of what they do not find either, all counties, and the city in every block."""
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
        hiding.hide(_around(grid, place.leaf, *_block(grid, place)))
    knowledge = Knowledge(linked, grids, hiding.hidden)
    rounds = 0
    while aimed := _failing(knowledge, aimed):
        if rounds >= PATIENCE and knowledge.is_entangled:
            aimed = _in_no_table(knowledge, aimed)
        if not aimed or not _hide_more(knowledge, aimed, rounds >= PATIENCE and knowledge.is_entangled, hiding):
            break
        rounds += 1
        knowledge.renew()
    if aimed:
        found.withheld.append(group)
        hiding.hide(place.cell for grid in grids for place in grid.places)
        knowledge.renew()
        aimed = _failing(knowledge, aimed)
        found.unproved += [target for _, _, target in _in_no_table(knowledge, aimed)]


def _failing(knowledge: Knowledge, aimed: Iterable[Aimed]) -> list[Aimed]:
    return [one for one in aimed if not knowledge.proves(*one)]


def _in_no_table(knowledge: Knowledge, aimed: list[Aimed]) -> list[Aimed]:
    """Those that no move shows and no table that a program finds either."""
    if not aimed:
        return []
    from dagster_project.release.public.tables import Sum, shown

    sums = [
        Sum(grid.name, target.whole, TOP if place.leaf == TOP else knowledge.leaves.index(grid.leaves[place.leaf]), place.months)
        for grid, place, target in aimed
    ]
    return [one for one, is_shown in zip(aimed, shown(knowledge, sums), strict=True) if not is_shown]


def _block(grid: Grid, place: Place) -> tuple[int, int]:
    """The months around those of a small sum among which it is hidden, and how they are told apart; of the city as few as can be."""
    months = place.months
    if grid.is_stock:
        return months, ALL
    for quarter in QUARTERS:
        if months & ~quarter == 0 and months != quarter:
            return quarter, QUARTER
    if months == WHOLE_YEAR:
        return WHOLE_YEAR, ALL
    return (_quarters_around(months) if place.leaf == TOP else WHOLE_YEAR), YEAR


def _quarters_around(months: int) -> int:
    """The quarters that months lie in, and the one before them where they fill them, or after them in the first."""
    inside = [quarter for quarter in QUARTERS if quarter & months]
    around = sum(inside)
    if around == months:
        first = QUARTERS.index(inside[0])
        around |= QUARTERS[first - 1] if first else QUARTERS[len(inside)]
    return around


def _around(grid: Grid, leaf: int, block: int, level: int) -> Iterator[int]:
    """The cells of a county that tell months of a block apart, or at the last level all that contain one."""
    for place in grid.of_leaf[leaf]:
        inside = place.months & block
        if inside and (level == ALL or inside != block):
            yield place.cell


def _hide_more(knowledge: Knowledge, failing: list[Aimed], hurries: bool, hiding: _Hiding) -> bool:
    """Hide a little more for small sums that are not proved; whether there was anything left to hide.

    Another county in every block in which one is not proved; only when there is none left anywhere one step more for one of them, since that
    may be enough for all.
    """
    of_block: dict[tuple[str, str, int, int], list[Aimed]] = defaultdict(list)
    for one in failing:
        grid, place, target = one
        of_block[grid.name, target.whole, *_block(grid, place)].append(one)
    blocks = [(aimed, (block, level)) for (*_, block, level), aimed in of_block.items()]
    related = [(other, aimed, step) for aimed, step in blocks for other in knowledge.related(aimed[0][0].name)]
    if not hurries:
        hidden = [_hide_beside(knowledge, aimed, aimed[0][0], step, hiding) for aimed, step in blocks]
        if any(hidden):
            return True
        first_of = {aimed[0][0].name: (aimed, step) for aimed, step in reversed(blocks)}
        hidden = [_hide_coarser(knowledge, aimed, aimed[0][0], step, hiding) for aimed, step in first_of.values()]
        if any(hidden) or any(_hide_coarser(knowledge, aimed, other, step, hiding) for other, aimed, step in related):
            return True
    if _hide_counties(knowledge, [step for _, step in blocks], hiding):
        return True
    of_city = [(grid, step) for aimed, own in blocks for grid in [aimed[0][0]] for step in _coarser(*own)]
    of_city += [(other, step) for other, _, own in related for step in _coarser(*own)]
    for level in (QUARTER, YEAR, ALL):
        hides = (hiding.hide(_around(grid, TOP, *step)) for grid, step in of_city if step[1] == level)
        if any(list(hides) if hurries else hides):
            return True
    return False


def _hide_beside(knowledge: Knowledge, aimed: list[Aimed], grid: Grid, step: tuple[int, int], hiding: _Hiding) -> bool:
    """Another county of a grid, in a block."""
    own, _, target = aimed[0]
    amount = knowledge.amount(grid, target.whole if grid is own else "")
    return _hide_a_county(grid, amount, {place.months for _, place, _ in aimed}, *step, hiding)


def _hide_coarser(knowledge: Knowledge, aimed: list[Aimed], grid: Grid, block: tuple[int, int], hiding: _Hiding) -> bool:
    """In a grid the small sums' own county in a coarser block, or others beside it."""
    own = {leaf for at, place, _ in aimed if (leaf := _same_leaf(at, place.leaf, grid)) is not None}
    return any(
        hiding.hide([cell for leaf in own for cell in _around(grid, leaf, *step)]) or _hide_beside(knowledge, aimed, grid, step, hiding)
        for step in _coarser(*block)
    )


def _hide_counties(knowledge: Knowledge, blocks: list[tuple[int, int]], hiding: _Hiding) -> bool:
    """All counties in all counts that are tied to each other."""
    counties = [(grid, leaf) for grid in knowledge.grids for leaf in range(grid.counties) if grid.leaves[leaf] != grid.root]
    return knowledge.is_entangled and any(
        hiding.hide([cell for grid, leaf in counties for cell in _around(grid, leaf, *step)])
        for block in blocks
        for step in _coarser(*block)
    )


def _same_leaf(grid: Grid, leaf: int, other: Grid) -> int | None:
    """The county of another grid; the city only of the same."""
    if other is grid:
        return leaf
    unit = "" if leaf == TOP else grid.leaves[leaf]
    return other.leaves.index(unit) if unit in other.leaves else None


def _coarser(block: int, level: int) -> list[tuple[int, int]]:
    """The block itself, and those around it."""
    if level == ALL:
        return [(block, level)]
    steps = [(block, level), (WHOLE_YEAR, YEAR), (WHOLE_YEAR, ALL)]
    return [step for at, step in enumerate(steps) if step[1] >= level and step not in steps[:at]]


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
