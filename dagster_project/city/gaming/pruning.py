"""Rows left out of a world, or put into it, with everything that hangs on them."""

from __future__ import annotations

import dataclasses

import numpy as np

from dagster_project.city.clock import Seconds
from dagster_project.city.world import Events, Flags, Indexes, Texts, World, case_numbers, in_order, taken, with_cases_opened


def without_cases(world: World, dropped: Flags) -> World:
    """The world in which some cases were never made; the numbers of the others are given anew."""
    cases = taken(world.cases, ~dropped)
    cases = dataclasses.replace(cases, number=case_numbers(cases.unit, cases.accepted))
    place = np.cumsum(~dropped) - 1
    events = taken(world.events, ~dropped[world.events.case])
    events = dataclasses.replace(events, case=place[events.case])
    return dataclasses.replace(world, calls=with_cases_opened(world.calls, cases), cases=cases, events=events)


def without_callbacks(world: World, dropped: Flags) -> World:
    return dataclasses.replace(world, callbacks=taken(world.callbacks, ~dropped))


def without_events(world: World, dropped: Flags) -> World:
    return dataclasses.replace(world, events=taken(world.events, ~dropped))


def with_events(world: World, case: Indexes, event: str, unit: Texts, happened: Seconds) -> World:
    """The world in which one event more happened to each of some cases."""
    events = world.events
    more = Events(
        case=np.concatenate([events.case, case]),
        event=np.concatenate([events.event, np.full(len(case), event, dtype=events.event.dtype)]),
        unit=np.concatenate([events.unit, unit.astype(events.unit.dtype)]),
        happened=np.concatenate([events.happened, happened]),
    )
    return dataclasses.replace(world, events=in_order(more))
