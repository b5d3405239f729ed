"""Figures that divide by registers: street incidents per road, preventable incidents in communities."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from dagster_project.city import codes
from dagster_project.city.clock import DAY, date_of, seconds_of
from dagster_project.city.communities import PREVENTABLE, RESIDENCE, located, settle
from dagster_project.city.deliveries import Accepted, Book
from dagster_project.city.extracts import standing
from dagster_project.city.places import FOUNDED, UNASSIGNED
from dagster_project.city.registers import SEGMENTS, draw_segments
from dagster_project.city.shaping import leaf_of
from dagster_project.city.tally import Tally
from dagster_project.city.world import World

COVERED: dict[str, tuple[str, ...]] = {
    "INC-6": ("",),
    "SITE-1": ("", "first"),
    "SITE-1.households": ("", "site"),
    "SITE-1.located": ("",),
    "SITE-1.age": ("",),
}
STREET = 0
SMART = 1


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """The figures as of a night, from the first call on that the pool knows."""
    until = seconds_of(as_of) + DAY
    calls = world.calls
    known = [(i, state) for i, state in book.known("call_form", until) if calls.deleted[i] >= state.until]
    if known:
        first = date_of(min(int(calls.reported[i]) for i, _ in known))
        _roads(world, book, known, _days(first, as_of), tally)
        _communities(world, book, known, _days(first, as_of), tally)


def _days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]


def _place(world: World, call: int, state: Accepted) -> int:
    calls = world.calls
    return int(calls.place[call] if calls.place_corrected[call] < state.until else calls.place_first[call])


def _roads(world: World, book: Book, known: list[tuple[int, Accepted]], days: list[dt.date], tally: Tally) -> None:
    calls = world.calls
    segments, effective = draw_segments(world), calls.effective
    for i, state in known:
        if effective[i] and _place(world, i, state) == STREET:
            moment = int(calls.reported[i])
            tally.add("INC-6", leaf_of(world, str(calls.unit[i]), moment, state), date_of(moment), ("",), 1, 0)
    for record, state in standing(book, "road_segment", seconds_of(days[-1]) + DAY):
        segment = segments[record]
        unit = world.places.stations[record // SEGMENTS].code
        for day in days:
            if segment.stands_on(day, date_of(state.until - 1)):
                tally.add("INC-6", UNASSIGNED if state.unknown_unit else world.places.leaf(unit, day), day, ("",), 0, segment.metres)


def _communities(world: World, book: Book, known: list[tuple[int, Accepted]], days: list[dt.date], tally: Tally) -> None:
    communities = settle(world)
    entries = dict(standing(book, "community_register", seconds_of(days[-1]) + DAY))

    def version_on(community: int, day: dt.date) -> tuple[int, Accepted] | None:
        """Whether a community was smart on a day, as the last register says, and the row that says so."""
        for version in (0, SMART):
            state = entries.get(community * 2 + version)
            if state is None:
                continue
            built = communities.built_on(community)
            is_built = built is not None and built <= date_of(state.until - 1)
            begins = built if version == SMART and built is not None else FOUNDED
            ends = built if version == 0 and is_built else None
            if begins <= day and (ends is None or day < ends):
                return version, state
        return None

    def unit_of(community: int, day: dt.date, state: Accepted) -> str:
        return UNASSIGNED if state.unknown_unit else world.places.leaf(str(communities.unit[community]), day)

    first_incident: dict[tuple[int, str, object], dt.date] = {}
    for call, state, day, community in _preventable(world, known):
        found = version_on(community, day) if community >= 0 else None
        if _place(world, call, state) == RESIDENCE:
            unit = leaf_of(world, str(world.calls.unit[call]), int(world.calls.reported[call]), state)
            tally.add("SITE-1.located", unit, day, ("",), int(found is not None), 1)
        if found is None:
            continue
        version, entry = found
        unit = unit_of(community, day, entry)
        tally.add("SITE-1.households", unit, day, ("", "site:smart" if version == SMART else "site:plain"), 1, 0)
        if version == SMART:
            tally.add("SITE-1", unit, day, ("",), 1, 0)
            for period, key in _periods(day):
                first_incident[community, period, key] = min(day, first_incident.get((community, period, key), day))
    for (community, period, _), day in first_incident.items():
        tally.add("SITE-1", unit_of(community, day, entries[community * 2 + SMART]), day, (f"first:{period}",), 1, 0)
    for community in range(len(communities)):
        begun: set[tuple[str, object]] = set()
        for day in days:
            found = version_on(community, day)
            if found is None:
                continue
            version, entry = found
            unit = unit_of(community, day, entry)
            households = int(communities.households[community])
            tally.add("SITE-1.households", unit, day, ("", "site:smart" if version == SMART else "site:plain"), 0, households)
            built = communities.built_on(community)
            if version == SMART and built is not None:
                tally.add("SITE-1", unit, day, ("",), 0, 1)
                tally.add("SITE-1.age", unit, day, ("",), (day - built).days, 1)
                for period, key in _periods(day):
                    if (period, key) not in begun:
                        begun.add((period, key))
                        tally.add("SITE-1", unit, day, (f"first:{period}",), 0, 1)


def _periods(day: dt.date) -> tuple[tuple[str, object], ...]:
    return ("month", (day.year, day.month)), ("quarter", (day.year, (day.month - 1) // 3)), ("year", day.year)


def _preventable(world: World, known: list[tuple[int, Accepted]]) -> Iterator[tuple[int, Accepted, dt.date, int]]:
    """Effective calls of the preventable categories, with their day and their community (-1 for none)."""
    calls = world.calls
    community = located(world, settle(world))
    effective = calls.effective
    for i, state in known:
        category = str(calls.category[i]) if calls.moved[i] < state.until else codes.CODES[calls.category_first[i]]
        if effective[i] and category.startswith(PREVENTABLE):
            yield i, state, date_of(int(calls.reported[i])), int(community[i])
