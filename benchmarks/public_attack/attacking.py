"""Every small figure of a city, attacked through its public releases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.public_attack.reading import (
    Atom,
    Fact,
    Knowledge,
    Layout,
    Wanted,
    beside_the_counties,
    read,
    rows_of_truth,
    small_figures,
)
from benchmarks.public_attack.solving import System, matrix, solve


class Leak(NamedTuple):
    """A small figure of which the attacker learns more than that it may be 0, or 10: ``least`` to ``most`` is what it can be."""

    wanted: Wanted
    least: int
    most: int


@dataclass(frozen=True)
class Attack:
    """What came of an attack on ``figures`` small figures."""

    figures: int
    components: int
    """Independent parts that what is hidden falls into."""
    programs: int
    leaks: tuple[Leak, ...]
    undecided: tuple[Wanted, ...]
    """Figures of which the solver could not tell."""


def attack(releases: Sequence[Path], truth: Path) -> Attack:
    """Attack every small figure of the truth (an internal ``kpi.duckdb``) through public releases, the older first.

    He is told what a city counts beside its counties, except where it is a figure of the city itself that he wants. Raises AssertionError
    when the releases contradict each other or what he knows.
    """
    knowledge = read(releases)
    rows = rows_of_truth(truth)
    beside = beside_the_counties(knowledge, rows)
    wanted = sorted(small_figures(knowledge, rows), key=str)
    of_city = [one for one in wanted if knowledge.parent.get(one.fact.unit) is None]
    of_counties = [one for one in wanted if knowledge.parent.get(one.fact.unit) is not None]
    counted_beside: dict[tuple[str, str, int], bool] = defaultdict(bool)
    for fact, amount in beside.items():
        counted_beside[fact.count, fact.unit, fact.first // 12] |= amount != 0
    attempts = [(of_counties, Layout(knowledge, {}), beside), (of_city, Layout(knowledge, counted_beside), {})]
    components, programs = 0, 0
    leaks: list[Leak] = []
    undecided: list[Wanted] = []
    for some, layout, told in attempts:
        found = solve(_system(knowledge, layout, told, some))
        components, programs = components + found.components, programs + found.programs
        leaks += [Leak(some[at], *span) for at, span in sorted(found.learnt.items()) if at not in found.undecided]
        undecided += [some[at] for at in found.undecided]
    return Attack(len(wanted), components, programs, tuple(leaks), tuple(undecided))


def leaks(releases: Sequence[Path], truth: Path) -> list[Leak]:
    """What ``attack`` learns. Raises AssertionError when something could not be decided."""
    found = attack(releases, truth)
    assert not found.undecided, f"not decided: {found.undecided}"
    return list(found.leaks)


def _system(knowledge: Knowledge, layout: Layout, told: Mapping[Fact, int], wanted: Sequence[Wanted]) -> System:
    atoms_of = {fact: layout.atoms(fact) for fact in sorted(knowledge.facts | knowledge.known.keys())}
    told_of = {fact: told.get(fact, 0) for fact in atoms_of}
    order = list(_orders(knowledge, layout, atoms_of, told_of))
    known = sorted(knowledge.known)
    columns = len(layout.numbers)
    sums, beside = [], []
    for fact, whole in wanted:
        sign = 1 if whole is None else -1
        around = [] if whole is None else [(atom, 1) for atom in atoms_of[whole]]
        sums.append([*around, *((atom, sign) for atom in atoms_of[fact])])
        beside.append(sign * told_of[fact] + (0 if whole is None else told_of[whole]))
    return System(
        matrix([[(atom, 1) for atom in atoms_of[fact]] for fact in known], columns),
        np.array([knowledge.known[fact] - told_of[fact] for fact in known], dtype=np.int64),
        matrix([row for row, _ in order], columns),
        np.array([least for _, least in order], dtype=np.int64),
        matrix(sums, columns),
        np.array(beside, dtype=np.int64),
    )


def _orders(
    knowledge: Knowledge, layout: Layout, atoms_of: Mapping[Fact, list[int]], told_of: Mapping[Fact, int]
) -> Iterable[tuple[list[tuple[int, int]], int]]:
    """Rows that say that a part is no more than its whole: month by month, and of facts whose months cannot be compared."""
    wholes: dict[str, list[str]] = defaultdict(list)
    for part, whole in sorted(knowledge.parts):
        wholes[part].append(whole)
    for atom, number in list(layout.numbers.items()):
        for whole in wholes[atom.count]:
            other = layout.numbers.get(Atom(whole, atom.unit, atom.month))
            if other is not None and _are_alike(knowledge, atom.count, whole):
                yield [(other, 1), (number, -1)], 0
    for fact in atoms_of:
        for whole in wholes[fact.count]:
            container = Fact(whole, fact.unit, fact.first, fact.last)
            if container in atoms_of and not (
                _are_alike(knowledge, fact.count, whole)
                and all(
                    layout.units(fact.count, fact.unit, m) == layout.units(whole, fact.unit, m) for m in range(fact.first, fact.last + 1)
                )
            ):
                row = [(atom, 1) for atom in atoms_of[container]] + [(atom, -1) for atom in atoms_of[fact]]
                yield row, told_of[fact] - told_of[container]


def _are_alike(knowledge: Knowledge, count: str, other: str) -> bool:
    return (count in knowledge.stocks) == (other in knowledge.stocks)
