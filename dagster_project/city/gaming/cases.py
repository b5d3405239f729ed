"""What is gamed on cases: whether and when they are filed, and how many are made of one matter."""

from __future__ import annotations

import dataclasses

import numpy as np

from dagster_project.city.clock import DAY, NEVER, Seconds
from dagster_project.city.gaming.model import Gamed, Play, counted
from dagster_project.city.gaming.pruning import without_events
from dagster_project.city.world import World, with_companions

SHAPED = 0.7
FILED_AFTER_SOLVING = 0.3
SPLIT = 0.3
MOST_PARTS = 3
HOUR = 3600


def solved_only(world: World, play: Play) -> Gamed:
    """A criminal case is filed on the day it is solved, or just after, and not at all while it is not."""
    cases, events = world.cases, world.events
    draw = play.draws("cases", len(cases))
    solved = _first_clearing(world)
    chosen = play.of_units(cases.unit, cases.accepted) & cases.criminal & (cases.filed != NEVER) & (cases.transferred == NEVER)
    chosen &= draw.share("chosen") < SHAPED * play.strength
    is_solved = chosen & (solved != NEVER)
    just_before = np.maximum(solved - draw.whole("before", 600, 20 * HOUR), cases.accepted + 60)
    just_after = np.where(is_solved, solved, 0) + draw.whole("after", HOUR, 3 * DAY)
    filed = np.where(draw.share("order") < FILED_AFTER_SOLVING, just_after, just_before)
    kept_out = chosen & ~is_solved
    shaped = dataclasses.replace(cases, filed=np.where(is_solved, filed, np.where(kept_out, NEVER, cases.filed)))
    lost = kept_out[events.case]
    rows = counted(
        ("cases changed", cases.unit[chosen].tolist()),
        ("events removed", cases.unit[events.case[lost]].tolist()),
    )
    return Gamed(without_events(dataclasses.replace(world, cases=shaped), lost), rows)


def _first_clearing(world: World) -> Seconds:
    first = np.full(len(world.cases), NEVER)
    clears = world.events.event == "cleared"
    np.minimum.at(first, world.events.case[clears], world.events.happened[clears])
    return first


def splitting(world: World, play: Play) -> Gamed:
    """Of one criminal matter two to four cases are made on the same day."""
    cases = world.cases
    draw = play.draws("cases", len(cases))
    chosen = play.of_units(cases.unit, cases.accepted) & cases.criminal & (cases.filed != NEVER)
    chosen &= draw.share("chosen") < SPLIT * play.strength
    companions = np.where(chosen, draw.whole("parts", 1, MOST_PARTS + 1), 0)
    split, events = with_companions(cases, world.events, companions)
    rows = counted(
        ("cases added", np.repeat(cases.unit, companions).tolist()),
        ("events added", np.repeat(cases.unit[world.events.case], companions[world.events.case]).tolist()),
    )
    return Gamed(dataclasses.replace(world, cases=split, events=events), rows)
