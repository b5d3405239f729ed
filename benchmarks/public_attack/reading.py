"""What public releases say, as equations between amounts of months.

An *atom* is a count of one county (of the city, where its counties have none) in one month, unknown at first. A *fact* is a count of a unit
in a period: the sum of its atoms. What is printed of a fact is an equation between atoms; what is hidden is none.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import duckdb

from dagster_project.release.public.declared import PART_OF, SAME_COUNT

COUNTED = {"count": "n", "rate": "n", "proportion": "nd", "ratio": "nd", "mean": "d"}
"""Which sides of a KPI are counts, by its kind."""
SIDES = {"numerator": "n", "denominator": "d", "rest": "r"}
"""The sides of a KPI; in place of the denominator stands what it has beyond the numerator where that is what others count."""
ADDED_UP = ("sum", "exposure")
PERIOD_MONTHS = {"month": 1, "quarter": 3, "year": 12}
BESIDE = "beside its counties"
"""The unit of what a city counts that none of its counties does, joined to the city's code."""

_SAME = {(kpi, SIDES[side]): name for name, sides in SAME_COUNT.items() for kpi, side in sides}


class Fact(NamedTuple):
    """A count of a unit from the first to the last month, both counted from the year 0; of a stock its last month is both.

    A stock of which a release prints other figures for a quarter than for its last month (a county that told none that month still counts in
    the quarter) is a count of its own for every length of period.
    """

    count: str
    unit: str
    first: int
    last: int


class Atom(NamedTuple):
    count: str
    unit: str
    month: int


class Figure(NamedTuple):
    """A row of a table of figures: what it says of which period, as far as it says it."""

    kpi_id: str
    unit: str
    grain: str
    first: int
    last: int
    numerator: int | None
    denominator: int | None

    @property
    def counts(self) -> tuple[int | None, int | None, int | None]:
        """Numerator, denominator, and what the denominator has beyond the numerator."""
        both = self.numerator is not None and self.denominator is not None
        return self.numerator, self.denominator, self.denominator - self.numerator if both else None  # type: ignore[operator]


def counted(kpi_id: str, side: str) -> str:
    """The name of what a side (n or d) of a KPI counts; the same for all that count the same."""
    return _SAME.get((kpi_id, side), f"{kpi_id} {side}")


def _of_length(count: str, months: int) -> str:
    return f"{count} of {months} months"


def month_of(day: dt.date) -> int:
    return day.year * 12 + day.month - 1


@dataclass
class Knowledge:
    """What the attacker has read: counts printed, and which there are at all."""

    known: dict[Fact, int] = field(default_factory=dict)
    facts: set[Fact] = field(default_factory=set)
    kinds: dict[str, str] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    stocks: set[str] = field(default_factory=set)
    uneven: set[str] = field(default_factory=set)
    """Stocks that are not the same for all periods that end in a month."""
    parent: dict[str, str | None] = field(default_factory=dict)
    parts: set[tuple[str, str]] = field(default_factory=set)

    def fact(self, kpi_id: str, side: str, unit: str, first: int, last: int) -> Fact:
        name = counted(kpi_id, side)
        if name in self.uneven:
            return Fact(_of_length(name, last - first + 1), unit, last, last)
        return Fact(name, unit, last if name in self.stocks else first, last)

    def sides(self, kpi_id: str) -> str:
        """The sides of a KPI that are counts: by its kind, or because others count the same."""
        kind = self.kinds.get(kpi_id, "")
        if (kpi_id, "r") in _SAME:
            return "nr"
        return "".join(side for side in "nd" if side in COUNTED.get(kind, "") or (kind in COUNTED and (kpi_id, side) in _SAME))


def read(releases: Sequence[Path]) -> Knowledge:
    """Everything that the releases print, the older first; what a newer one does not print any more is known from the older."""
    knowledge = Knowledge()
    printed = [_figures(knowledge, release) for release in releases]
    knowledge.uneven = {count for rows in printed for count in _uneven(knowledge, rows)}
    for row in (row for rows in printed for row in rows):
        own, value, yoy, pop = row
        for side, figure in zip("ndr", own.counts, strict=True):
            if side in knowledge.sides(own.kpi_id):
                fact = knowledge.fact(own.kpi_id, side, own.unit, own.first, own.last)
                knowledge.facts.add(fact)
                if figure is not None:
                    knowledge.known[fact] = figure
        length = PERIOD_MONTHS.get(own.grain)
        _from_value(knowledge, own, 0, value)
        _from_value(knowledge, own, 12, yoy)
        if length:
            _from_value(knowledge, own, length, pop)
    knowledge.parts = _parts(knowledge)
    return knowledge


def _figures(knowledge: Knowledge, release: Path) -> list[tuple[Figure, float | None, float | None, float | None]]:
    """The rows of a release, each with its value and those that it is compared with; what its words say is noted."""
    with duckdb.connect(str(release), read_only=True) as db:
        columns = {name for name, *_ in db.execute("describe kpi_catalogue").fetchall()}
        scale = "value_scale::double" if "value_scale" in columns else "1.0::double"
        for kpi_id, kind, time_rule, scaled in db.execute(f"select kpi_id, kind, time_rule, {scale} from kpi_catalogue").fetchall():
            knowledge.kinds[kpi_id], knowledge.scales[kpi_id] = kind, scaled
            if time_rule not in ADDED_UP:
                knowledge.stocks |= {counted(kpi_id, side) for side in knowledge.sides(kpi_id)}
        knowledge.parent |= dict(db.execute("select unit_code, parent_code from unit").fetchall())
        rows = db.execute(
            "select kpi_id, unit_code, grain, period_start, period_end, numerator::bigint, denominator::bigint, value, yoy_value, pop_value "
            "from kpi where slice = ''"
        ).fetchall()
    return [
        (Figure(kpi_id, unit, grain, month_of(start), month_of(end), n, d), value, yoy, pop)
        for kpi_id, unit, grain, start, end, n, d, value, yoy, pop in rows
    ]


def _uneven(knowledge: Knowledge, rows: Iterable[tuple[Figure, float | None, float | None, float | None]]) -> Iterator[str]:
    first: dict[tuple[str, str, int], int] = {}
    for row, *_ in rows:
        for side, figure in zip("ndr", row.counts, strict=True):
            name = counted(row.kpi_id, side)
            if name in knowledge.stocks and figure is not None and first.setdefault((name, row.unit, row.last), figure) != figure:
                yield name


def _from_value(knowledge: Knowledge, row: Figure, months_before: int, value: float | None) -> None:
    """A count printed as the prior of another period, or a share of a denominator that is known, tells the numerator."""
    kind = knowledge.kinds[row.kpi_id]
    if value is None or kind not in {"count", "proportion", "ratio"}:
        return
    numerator, denominator = (
        knowledge.fact(row.kpi_id, side, row.unit, row.first - months_before, row.last - months_before) for side in "nd"
    )
    whole = 1 if kind == "count" else knowledge.known.get(denominator)
    if whole is not None and numerator in knowledge.facts and numerator not in knowledge.known:
        knowledge.known[numerator] = round(value / knowledge.scales[row.kpi_id] * whole)


def _parts(knowledge: Knowledge) -> set[tuple[str, str]]:
    present = {fact.count for fact in knowledge.facts}
    shares = {
        (counted(kpi_id, "n"), counted(kpi_id, "d"))
        for kpi_id, kind in knowledge.kinds.items()
        if "d" in knowledge.sides(kpi_id) and kind == "proportion"
    }
    named = {(counted(kpi, SIDES[side]), counted(other, SIDES[its])) for (kpi, side), (other, its) in PART_OF}
    lengths = [(_of_length(part, n), _of_length(whole, n)) for part, whole in shares for n in range(1, 13)]
    return {(part, whole) for part, whole in [*shares, *named, *lengths] if part in present and whole in present}


def rows_of_truth(truth: Path) -> list[Figure]:
    """The figures of an internal ``kpi.duckdb`` that could be public."""
    with duckdb.connect(str(truth), read_only=True) as db:
        rows = db.execute(
            "select kpi_id, unit_code, grain, period_start, period_end, numerator::bigint, denominator::bigint from kpi where slice = '' "
            "and unit_level in ('city', 'county') and grain in ('month', 'quarter', 'year', 'ytd') and is_complete and numerator is not null"
        ).fetchall()
    return [Figure(kpi, unit, grain, month_of(start), month_of(end), n, d) for kpi, unit, grain, start, end, n, d in rows]


class Wanted(NamedTuple):
    """A figure to be learnt: of a fact, or of what ``whole`` has beyond it."""

    fact: Fact
    whole: Fact | None


def small_figures(knowledge: Knowledge, rows: Iterable[Figure]) -> set[Wanted]:
    """What the rule protects: every count from 1 to 9, and every rest of a share from 1 to 9, that is a row of a public release."""
    wanted = set()
    for row in rows:
        numerator, denominator = (knowledge.fact(row.kpi_id, side, row.unit, row.first, row.last) for side in "nd")
        sides = knowledge.sides(row.kpi_id)
        if "n" in sides and row.numerator is not None and 0 < row.numerator < 10 and numerator in knowledge.facts:
            wanted.add(Wanted(numerator, None))
        rest = row.counts[2]
        if "r" in sides and rest is not None and 0 < rest < 10:
            wanted.add(Wanted(knowledge.fact(row.kpi_id, "r", row.unit, row.first, row.last), None))
        if "d" in sides and row.denominator is not None and denominator in knowledge.facts:
            if 0 < row.denominator < 10:
                wanted.add(Wanted(denominator, None))
            if knowledge.kinds[row.kpi_id] == "proportion" and row.numerator is not None and 0 < row.denominator - row.numerator < 10:
                wanted.add(Wanted(numerator, denominator))
    return wanted


class Layout:
    """The atoms that facts are sums of, by number."""

    def __init__(self, knowledge: Knowledge, is_beside: Mapping[tuple[str, str, int], bool]) -> None:
        """``is_beside`` says of a count, a city and a year whether the city counts something that none of its counties does."""
        self.numbers: dict[Atom, int] = {}
        self._is_beside = is_beside
        self._stocks = knowledge.stocks
        self._counties: dict[tuple[str, str, int], set[str]] = defaultdict(set)
        for fact in knowledge.facts:
            above = knowledge.parent.get(fact.unit)
            if above is not None:
                self._counties[fact.count, above, fact.first // 12].add(fact.unit)

    def atoms(self, fact: Fact) -> list[int]:
        """The atoms whose sum a fact is."""
        months = range(fact.first, fact.last + 1)
        return [self._number(Atom(fact.count, unit, month)) for month in months for unit in self.units(fact.count, fact.unit, month)]

    def units(self, count: str, unit: str, month: int) -> list[str]:
        """The units that a unit is the sum of, for a count in a month."""
        counties = self._counties.get((count, unit, month // 12))
        if not counties:
            return [unit]
        beside = [f"{unit} {BESIDE}"] if self._is_beside.get((count, unit, month // 12), False) else []
        return [*sorted(counties), *beside]

    def _number(self, atom: Atom) -> int:
        return self.numbers.setdefault(atom, len(self.numbers))


def beside_the_counties(knowledge: Knowledge, rows: Iterable[Figure]) -> dict[Fact, int]:
    """What of each fact of a city none of its counties counts, where they count anything; the attacker may know it from elsewhere."""
    amounts: dict[Fact, int] = {}
    for row in rows:
        for side, amount in zip("ndr", row.counts, strict=True):
            if amount is not None and side in knowledge.sides(row.kpi_id):
                amounts.setdefault(knowledge.fact(row.kpi_id, side, row.unit, row.first, row.last), amount)
    of_counties: dict[Fact, int] = defaultdict(int)
    for fact, amount in amounts.items():
        above = knowledge.parent.get(fact.unit)
        if above is not None:
            of_counties[fact._replace(unit=above)] += amount
    counted_below = {(fact.count, fact.unit, fact.first // 12) for fact in of_counties}
    return {fact: amounts[fact] - of_counties[fact] for fact in amounts if (fact.count, fact.unit, fact.first // 12) in counted_below}
