"""What a ledger is: who fills it in and how often, what its entries count as, how its numbers come about, and in which form it is delivered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dagster_project.city.clock import Seconds
from dagster_project.city.files import Cell
from dagster_project.city.shaping import Draws
from dagster_project.city.world import Indexes

Level = Literal["city", "county", "squad", "station"]
Period = Literal["day", "week", "month", "quarter"]
Form = Literal["xlsx", "xls", "csv", "json"]
Shape = Literal["count", "share", "weighted"]

THOUSAND = 1000


@dataclass(frozen=True)
class Counting:
    """How an entry counts: value (count), value of base (share), the same times a weight (weighted). With a ``threshold`` the value is
    an answer, which counts once if it reaches it. ``factor`` makes whole numbers of what is printed; a value above its base is capped,
    left out, or counted. ``heap`` is a percentage of which it is counted how many entries say exactly that.
    """

    kpi_id: str
    shape: Shape = "share"
    factor: int = 1
    above: Literal["cap", "exclude", "count"] = "exclude"
    threshold: int = 0
    heap: int = 0


@dataclass(frozen=True)
class Kind:
    """One kind of entry: as it is printed, what it counts as, and the category under which it does ('' for none)."""

    label: str
    counts: Counting
    category: str = ""


@dataclass(frozen=True)
class Slots:
    """The places of a ledger that are filled in, one row each, in the order of time. ``place`` numbers who fills in what: unit, kind, item."""

    unit: list[str]
    unit_number: Indexes
    kind: Indexes
    item: Indexes
    place: Indexes
    places: int
    period: Indexes
    start: list[dt.date]
    day: list[dt.date]
    due: Seconds
    next_due: Seconds

    def __len__(self) -> int:
        return len(self.unit)


@dataclass(frozen=True)
class Numbers:
    """What is filled in, as whole numbers of the last decimal printed; -1 where nothing is."""

    value: Indexes
    base: Indexes
    weight: Indexes

    @staticmethod
    def of(value: Indexes, base: Indexes | None = None, weight: Indexes | None = None) -> Numbers:
        nothing = np.full(len(value), -1, dtype=np.int64)
        return Numbers(value, nothing if base is None else base, nothing if weight is None else weight)


@dataclass(frozen=True)
class Entries:
    """The entries of a ledger. ``first`` is the value as filled in at first, until ``corrected``; it is delivered when ``due``."""

    slots: Slots
    numbers: Numbers
    first: Indexes
    corrected: Seconds
    number: list[str]

    def __len__(self) -> int:
        return len(self.slots)

    def value(self, entry: int, until: int) -> int:
        """The value known at a moment."""
        return int(self.numbers.value[entry] if self.corrected[entry] < until else self.first[entry])


Draw = Callable[[Slots, Draws], Numbers]


@dataclass(frozen=True)
class Line:
    """All that a column may print of an entry."""

    seed: int
    ledger: Ledger
    entries: Entries
    entry: int
    until: int
    unit_name: str


@dataclass(frozen=True)
class Column:
    """A column of a delivered ledger; a '/' in its name stands between the two levels of the header."""

    name: str
    show: Callable[[Line], Cell]


@dataclass(frozen=True)
class Ledger:
    """``report_after``: days after its period at which a ledger is handed in. ``items``: entries per unit, kind and period; ``of_all``: of
    the whole city instead. ``keyed``: its entries bear numbers and may be corrected; without, equal rows are distinct facts.
    ``has_slips``: some entries are left blank or say more than their whole. ``is_sound``: a register in which nothing is misspelt.
    """

    source_id: str
    domain: str
    title: str
    level: Level
    period: Period
    report_after: int
    kinds: tuple[Kind, ...]
    draw: Draw
    columns: tuple[Column, ...]
    form: Form = "xlsx"
    decimals: int = 0
    items: int = 1
    of_all: int = 0
    keyed: bool = True
    has_slips: bool = True
    is_sound: bool = False

    @property
    def leaves_out(self) -> bool:
        """Whether some of its entries count as left out."""
        return self.has_slips and not self.is_sound

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)
