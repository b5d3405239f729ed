"""The ways in which stations make their figures look better than their work, to be switched on and known in the truth.

Belongs here: changes of the world that lived honestly, each a pure function of it, and what was changed. A kind changes rows of the
stations that game, from the day on which they do; what other systems deliver about the changed calls and cases follows from
them. Every draw goes by the place of a row in the order of time, so that further nights leave the earlier ones as they were.

=====================  ================================================================================================
solved_only            criminal cases filed when solved (some after it), and not at all while they are not
no_criming             calls declared invalid or deleted instead of becoming cases; unsolved cases withdrawn
splitting              two to four criminal cases of one matter, on one day
downgrading            less serious categories soon after the call
late_edits             less serious categories after the month was closed
rounded_arrivals       arrivals at full five minutes, late ones moved to be in time
selective_callbacks    no callback where a case was made; callers not satisfied at once entered as satisfied, without telephone
quota_mediation        the month's mediation entries filled up to the quota on its last day
=====================  ================================================================================================
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dagster_project.city.gaming.calls import downgrading, late_edits, no_criming, rounded_arrivals
from dagster_project.city.gaming.cases import solved_only, splitting
from dagster_project.city.gaming.contacts import quota_mediation, selective_callbacks
from dagster_project.city.gaming.model import KINDS, SHARE_OF_STATIONS, Gamed, Gaming, Play, stations_that_game
from dagster_project.city.world import World

__all__ = ["KINDS", "SHARE_OF_STATIONS", "Gaming", "Record", "play_games"]

_WAYS: Mapping[str, Callable[[World, Play], Gamed]] = {
    "solved_only": solved_only,
    "no_criming": no_criming,
    "splitting": splitting,
    "downgrading": downgrading,
    "late_edits": late_edits,
    "rounded_arrivals": rounded_arrivals,
    "selective_callbacks": selective_callbacks,
    "quota_mediation": quota_mediation,
}


@dataclass(frozen=True)
class Record:
    """Which stations gamed, from when, and how many rows each kind changed: kind → unit → what → rows."""

    strength: float
    since: dt.date | None
    units: tuple[str, ...]
    kinds: Mapping[str, Counter[tuple[str, str]]]

    def as_document(self) -> dict[str, object]:
        """In the shape of ``truth/gaming.json``."""
        return {
            "strength": self.strength,
            "since": self.since.isoformat() if self.since else None,
            "units": list(self.units),
            "kinds": {kind: _by_unit(rows) for kind, rows in self.kinds.items()},
        }


def _by_unit(rows: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    units: dict[str, dict[str, int]] = {}
    for (unit, what), number in sorted(rows.items()):
        units.setdefault(unit, {})[what] = number
    return units


def play_games(world: World, gaming: Gaming, since: dt.date) -> tuple[World, Record]:
    """The world as the stations that game make it look from a day on; the same world for a strength of 0."""
    if gaming.strength == 0:
        return world, Record(0, None, (), {})
    units = stations_that_game(world.seed, world.places, gaming.share)
    kinds: dict[str, Counter[tuple[str, str]]] = {}
    for kind in KINDS:
        if kind in gaming.kinds:
            gamed = _WAYS[kind](world, Play(world.seed, kind, units, since, gaming.strength))
            world, kinds[kind] = gamed.world, gamed.rows
    return world, Record(gaming.strength, since, units, kinds)
