"""Residential communities: where they lie, how many households they have, since when they are a smart-security site.

In a smart community nothing preventable happens once it is built: what would have happened there happens in a community beside it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from dagster_project.city import codes
from dagster_project.city.clock import NEVER, Seconds, date_of, seconds_of
from dagster_project.city.places import FOUNDED
from dagster_project.city.shaping import Draws
from dagster_project.city.world import Flags, Indexes, Texts, World

PER_STATION = 6
SMART_SHARE = 0.35
BUILT_BEFORE_SHARE = 0.6
LOCATED_SHARE = 0.85
PREVENTABLE = ("010302", "010303", "010304")
RESIDENCE = [code for code, _ in codes.PLACES].index("02")
NAMES = ("桂苑", "翠湖", "锦绣", "阳光", "望江", "学府")


@dataclass(frozen=True)
class Communities:
    """One row per community. ``built``: the moment since which it is a smart-security site, NEVER if it is none."""

    code: list[str]
    name: list[str]
    unit: Texts
    households: Indexes
    built: Seconds

    def __len__(self) -> int:
        return len(self.code)

    def built_on(self, community: int) -> dt.date | None:
        built = int(self.built[community])
        return None if built == NEVER else date_of(built)


def settle(world: World) -> Communities:
    """The communities of every station. The first of each station stays an ordinary one."""
    stations = world.places.stations
    draw = Draws(world.seed, "communities", len(stations) * PER_STATION)
    begin = seconds_of(world.first_day)
    place = np.tile(np.arange(PER_STATION), len(stations))
    is_smart = (draw.share("smart") < SMART_SHARE) & (place > 0)
    is_old = draw.share("old") < BUILT_BEFORE_SHARE
    day = 86_400
    built = np.where(is_old, begin - draw.whole("built before", 30, 900) * day, begin + draw.whole("built later", 20, 400) * day)
    return Communities(
        code=[f"{station.code[:10]}{number + 1:02d}" for station in stations for number in range(PER_STATION)],
        name=[f"{station.name[:-3]}{NAMES[number]}小区" for station in stations for number in range(PER_STATION)],
        unit=np.repeat(np.array([station.code for station in stations]), PER_STATION),
        households=draw.whole("households", 300, 2400),
        built=np.where(is_smart, np.maximum(built, seconds_of(FOUNDED)), NEVER),
    )


def located(world: World, communities: Communities) -> Indexes:
    """The community in which each call happened, -1 where that is none or not known."""
    calls, places = world.calls, world.places
    draw = Draws(world.seed, "communities of calls", len(calls))
    chance, found = draw.share("place"), draw.share("found") < LOCATED_SHARE
    preventable = is_preventable(np.array(codes.CODES)[calls.category_first]) | is_preventable(calls.category)
    result = np.full(len(calls), -1, dtype=np.int64)
    for station in places.stations:
        of_station: Flags = (calls.unit == station.code) & (calls.place == RESIDENCE) & found
        for after in (False, True):
            held = [s.code for s in places.stations if places.leaf(s.code, places.merger if after else world.first_day) == station.code]
            members = np.nonzero(np.isin(communities.unit, held))[0]
            chosen = np.nonzero(of_station & ((calls.reported >= seconds_of(places.merger)) == after))[0]
            if len(members) == 0 or len(chosen) == 0:
                continue
            reach = np.cumsum(communities.households[members])
            pick = np.searchsorted(reach, chance[chosen] * reach[-1], side="right")
            safe = preventable[chosen] & (calls.reported[chosen] >= communities.built[members[pick]])
            pick = np.where(safe, pick - pick % PER_STATION, pick)
            result[chosen] = members[pick]
    return result


def is_preventable(category: Texts) -> Flags:
    """Of the categories that are counted as preventable in a residential community."""
    return np.isin(category.astype("<U6"), PREVENTABLE)
