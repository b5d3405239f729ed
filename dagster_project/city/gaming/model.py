"""Who games, how much and from when; and what a kind of gaming has changed."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from dagster_project.city.clock import Seconds, seconds_of
from dagster_project.city.places import Places
from dagster_project.city.shaping import Draws
from dagster_project.city.world import Flags, Texts, World, generator

KINDS = (
    "solved_only",
    "no_criming",
    "splitting",
    "downgrading",
    "late_edits",
    "rounded_arrivals",
    "selective_callbacks",
    "quota_mediation",
)
SHARE_OF_STATIONS = 0.5
MOST_DAYS_BEFORE_FIRST_NIGHT = 365


@dataclass(frozen=True)
class Gaming:
    """How much of what could be gamed is (``strength``, 0 to 1), in which ways, by which share of the stations, from which day.

    Without ``since`` it begins a year before the first night, or halfway through a shorter history. Raises ValueError for what is no
    such thing.
    """

    strength: float
    kinds: tuple[str, ...] = KINDS
    share: float = SHARE_OF_STATIONS
    since: dt.date | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"the strength of gaming must be 0 to 1, not {self.strength}")
        if not 0 < self.share <= 1:
            raise ValueError(f"the share of stations that game must be above 0 and at most 1, not {self.share}")
        unknown = sorted(set(self.kinds) - set(KINDS))
        if unknown:
            raise ValueError(f"there is no gaming of kind {', '.join(unknown)}; there are {', '.join(KINDS)}")
        if not self.kinds:
            raise ValueError(f"gaming needs a kind; there are {', '.join(KINDS)}")

    def begins(self, first_day: dt.date, last_day: dt.date, first_night: dt.date) -> dt.date:
        """The first day on which anything is gamed. Raises ValueError for one on which the city does not live."""
        before = min(MOST_DAYS_BEFORE_FIRST_NIGHT, max(1, (first_night - first_day).days // 2))
        since = self.since or first_night - dt.timedelta(days=before)
        if not first_day <= since <= last_day:
            raise ValueError(f"gaming cannot begin on {since}: the city lives from {first_day} to {last_day}")
        return since

    def settings(self, since: dt.date) -> dict[str, object]:
        """What is gamed from a day on, as JSON values; only that nothing is where it is so."""
        if self.strength == 0:
            return {"gaming": 0}
        return {
            "gaming": self.strength,
            "gaming_kinds": [kind for kind in KINDS if kind in self.kinds],
            "gaming_share": self.share,
            "gaming_since": since.isoformat(),
        }


@dataclass(frozen=True)
class Play:
    """What a kind of gaming is given: whose rows, from which second on, how many of them."""

    seed: int
    kind: str
    units: tuple[str, ...]
    since: dt.date
    strength: float

    def of_units(self, unit: Texts, time: Seconds) -> Flags:
        """The rows of units that game, from the day on which they do."""
        rows: Flags = np.isin(unit, self.units) & (time >= seconds_of(self.since))
        return rows

    def draws(self, table: str, rows: int) -> Draws:
        return Draws(self.seed, f"gaming {self.kind} {table}", rows)


@dataclass(frozen=True)
class Gamed:
    """A world after a kind of gaming, and how many rows of each table were changed, added or removed, by unit."""

    world: World
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)


def counted(*changes: tuple[str, Iterable[str]]) -> Counter[tuple[str, str]]:
    """Rows by unit and by what became of them, from the units of the rows."""
    return Counter((str(unit), what) for what, units in changes for unit in units)


def stations_that_game(seed: int, places: Places, share: float) -> tuple[str, ...]:
    """A share of the stations that stand throughout, at least one."""
    standing = [unit.code for unit in places.stations if unit.valid_to is None]
    order = generator(seed, "stations that game").permutation(len(standing)).tolist()
    return tuple(sorted(standing[i] for i in order[: max(1, round(share * len(standing)))]))
