"""A reader who wants to know what public releases do not tell: he adds, subtracts, compares releases, and solves what is left.

Reads the public DuckDB files and nothing else; shares no code with what makes them. He knows what everybody may know: that the counties
make the city, months a quarter, quarters a year and months a year to date, that no count is negative, that a part is no more than its
whole, and which KPIs count the same.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import eye_array, lil_array
from scipy.sparse.csgraph import connected_components

SAME = {
    ("INC-2", "d"): ("INC-1", "n"),
    ("INT-4.invalid", "d"): ("INC-1", "n"),
    ("CMP-1", "d"): ("INC-1", "n"),
    ("INC-3.effective", "n"): ("INC-2", "n"),
    ("INC-3.converted", "d"): ("INC-2", "n"),
    ("CR-2.30", "d"): ("CR-1.filed", "n"),
    ("CR-2.90", "d"): ("CR-1.filed", "n"),
}
PART = [(("CR-2.30", "n"), ("CR-2.90", "n")), (("TR-1.deaths", "n"), ("TR-1.ksi", "n"))]
COUNTED = {"count": "n", "rate": "n", "proportion": "nd", "ratio": "nd", "mean": "d"}

ENDLESS = 10**5
Fact = tuple[str, str, str, str, dt.date, dt.date]
"""KPI, side (n or d), unit, grain, first and last day."""


@dataclass
class Knowledge:
    """What the attacker knows: figures printed, and sums that hold."""

    known: dict[Fact, float]
    facts: set[Fact]
    kinds: dict[str, str]
    parent: dict[str, str | None]


def _canonical(kpi: str, side: str) -> tuple[str, str]:
    while (kpi, side) in SAME:
        kpi, side = SAME[kpi, side]
    return kpi, side


def _before(end: dt.date, months: int) -> dt.date:
    at = end.year * 12 + end.month - months
    return dt.date(at // 12, at % 12 + 1, 1) - dt.timedelta(days=1)


def read(releases: Sequence[Path]) -> Knowledge:
    """Everything that the releases print, the older first; what a newer one does not print any more is known from the older."""
    knowledge = Knowledge({}, set(), {}, {})
    for release in releases:
        with duckdb.connect(str(release), read_only=True) as db:
            knowledge.kinds |= dict(db.execute("select kpi_id, kind from kpi_catalogue").fetchall())
            knowledge.parent |= dict(db.execute("select unit_code, parent_code from unit").fetchall())
            rows = db.execute(
                "select kpi_id, unit_code, grain, period_start, period_end, numerator, denominator, value, yoy_value, pop_value from kpi"
            ).fetchall()
        for kpi, unit, grain, start, end, n, d, value, yoy, pop in rows:
            kind = knowledge.kinds[kpi]
            for side, figure in (("n", n), ("d", d)):
                if side in COUNTED.get(kind, ""):
                    fact = (*_canonical(kpi, side), unit, grain, start, end)
                    knowledge.facts.add(fact)
                    if figure is not None:
                        knowledge.known[fact] = figure
            _from_value(knowledge, kpi, (unit, grain, start, end), value)
            length = {"month": 1, "quarter": 3, "year": 12}.get(grain)
            _from_value(knowledge, kpi, (unit, grain, start.replace(year=start.year - 1), _before(end, 12)), yoy)
            if length:
                prior_end = _before(end, length)
                _from_value(knowledge, kpi, (unit, grain, _before(prior_end, length) + dt.timedelta(days=1), prior_end), pop)
    return knowledge


def _from_value(knowledge: Knowledge, kpi: str, place: tuple[str, str, dt.date, dt.date], value: float | None) -> None:
    """A count printed as the prior of another period, or a share of a denominator that is known, tells the numerator."""
    if value is None:
        return
    kind = knowledge.kinds[kpi]
    numerator = (*_canonical(kpi, "n"), *place)
    if kind == "count":
        knowledge.known[numerator] = round(value)
    elif kind == "proportion":
        whole = knowledge.known.get((*_canonical(kpi, "d"), *place))
        if whole is not None:
            knowledge.known[numerator] = round(value * whole)


def _sums(knowledge: Knowledge) -> Iterable[tuple[Fact, list[Fact]]]:
    """Every total and its parts, as far as all of them are in the releases."""
    facts = knowledge.facts
    counties: dict[str, list[str]] = defaultdict(list)
    for unit, above in knowledge.parent.items():
        if above is not None:
            counties[above].append(unit)
    for fact in sorted(facts):
        kpi, side, unit, grain, start, end = fact
        if counties.get(unit):
            yield fact, [(kpi, side, below, grain, start, end) for below in counties[unit]]
        finer = {"quarter": "month", "year": "quarter", "ytd": "month"}.get(grain)
        if finer:
            yield fact, sorted(f for f in facts if f[:4] == (kpi, side, unit, finer) and start <= f[4] and f[5] <= end)


def _spans(fact: Fact, parts: list[Fact]) -> bool:
    months = {"month": 1, "quarter": 3, "year": 12}
    covered = sum(months.get(p[3], 0) for p in parts)
    return covered == (fact[5].year * 12 + fact[5].month) - (fact[4].year * 12 + fact[4].month) + 1


def intervals(knowledge: Knowledge, wanted: Iterable[tuple[Fact, Fact | None]]) -> dict[tuple[Fact, Fact | None], tuple[int, int]]:
    """The least and greatest whole number that each wanted fact (or what its whole has beyond it) can be, given all that is known."""
    number = {fact: at for at, fact in enumerate(sorted(knowledge.facts))}
    rows: list[tuple[dict[int, float], float]] = []
    for total, parts in _sums(knowledge):
        same_period = parts and parts[0][3] == total[3]
        if parts and all(p in number for p in parts) and (same_period or _spans(total, parts)):
            rows.append(({number[total]: 1.0} | {number[p]: -1.0 for p in parts}, 0.0))
    shares = [(_canonical(kpi, "n"), _canonical(kpi, "d")) for kpi, kind in knowledge.kinds.items() if kind == "proportion"]
    for part, whole in [*PART, *shares]:
        for fact, at in number.items():
            if fact[:2] == part and (*whole, *fact[2:]) in number:
                rows.append(({number[(*whole, *fact[2:])]: 1.0, at: -1.0}, np.inf))
    matrix = lil_array((len(rows), len(number)))
    for at, (row, _) in enumerate(rows):
        for column, value in row.items():
            matrix[at, column] = value
    matrix = matrix.tocsr()
    above = np.array([high for _, high in rows])
    known = np.array([knowledge.known.get(fact, np.nan) for fact in number])
    _, component = connected_components(matrix.T @ matrix + eye_array(len(number)), directed=False)
    found = {}
    for fact, whole in wanted:
        linked = np.flatnonzero(component == component[number[fact]])
        inside = matrix[:, linked]
        used = np.flatnonzero(abs(inside).sum(axis=1))
        cost = np.zeros(len(number))
        cost[number[fact]] = 1.0 if whole is None else -1.0
        if whole is not None:
            cost[number[whole]] = 1.0
        bounds = Bounds(np.nan_to_num(known[linked], nan=0.0), np.nan_to_num(known[linked], nan=ENDLESS))
        sums = LinearConstraint(inside[used], np.zeros(len(used)), above[used])
        found[fact, whole] = _solved(cost[linked], sums, bounds), -_solved(-cost[linked], sums, bounds)
    return found


def _solved(cost: np.ndarray, sums: LinearConstraint, bounds: Bounds) -> int:
    answer = milp(cost, constraints=sums, bounds=bounds, integrality=np.ones(len(cost)))
    if answer.status != 0:
        raise AssertionError(f"the releases contradict themselves: {answer.message}")
    return round(answer.fun)


def leaks(releases: Sequence[Path], truth: Path, most: int = 40) -> list[tuple[str, Fact, tuple[int, int]]]:
    """The small figures of the truth (an internal ``kpi.duckdb``) of which the attacker learns more than that they may be 0, or 10.

    He tries all that are 1 or 2, and of the others a sample, ``most`` figures at the most.
    """
    knowledge = read(releases)
    wanted: dict[tuple[Fact, Fact | None], int] = {}
    with duckdb.connect(str(truth), read_only=True) as db:
        rows = db.execute(
            "select kpi_id, unit_code, grain, period_start, period_end, numerator, denominator from kpi where slice = ''"
        ).fetchall()
    for kpi, *place, n, d in rows:
        kind = knowledge.kinds.get(kpi, "")
        numerator, denominator = ((*_canonical(kpi, side), *place) for side in "nd")
        if "n" in COUNTED.get(kind, "") and 0 < n < 10 and numerator in knowledge.facts:
            wanted[numerator, None] = n
        if "d" in COUNTED.get(kind, "") and d is not None and denominator in knowledge.facts:
            if 0 < d < 10:
                wanted[denominator, None] = d
            if kind == "proportion" and 0 < d - n < 10:
                wanted[numerator, denominator] = d - n
    shuffled = random.Random(7).sample(sorted(wanted, key=str), len(wanted))
    tried = sorted(shuffled, key=lambda w: wanted[w] > 2)[:most]
    learned = intervals(knowledge, tried)
    return [("rest" if whole else "count", fact, span) for (fact, whole), span in learned.items() if span[0] > 0 or span[1] < 10]
