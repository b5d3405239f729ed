"""What is gamed on call forms: categories, the times of arrival, and whether there was anything to record at all."""

from __future__ import annotations

import dataclasses

import numpy as np

from dagster_project.city import codes
from dagster_project.city.clock import DAY, NEVER, Seconds
from dagster_project.city.gaming.model import Gamed, Play, counted
from dagster_project.city.gaming.pruning import with_events, without_callbacks, without_cases
from dagster_project.city.truth import TARGET_SECONDS
from dagster_project.city.world import NO_CALL, Flags, Texts, World, rounded_down

DOWNGRADED = 0.6
EDITED_LATE = 0.4
DECLARED_INVALID = 0.2
DELETED = 0.15
WITHDRAWN = 0.5
HOUR = 3600


def downgrading(world: World, play: Play) -> Gamed:
    """Calls of which no case was made get a less serious category within half a day."""
    calls = world.calls
    draw = play.draws("calls", len(calls))
    chosen = _open_to_edit(world, play) & (draw.share("chosen") < DOWNGRADED * play.strength)
    moved = calls.closed + draw.whole("lag", 600, 12 * HOUR)
    return _recategorised(world, chosen, moved)


def late_edits(world: World, play: Play) -> Gamed:
    """Calls of which no case was made get a less serious category in the first days after their month was closed."""
    calls = world.calls
    draw = play.draws("calls", len(calls))
    following = (calls.reported.astype("datetime64[s]").astype("datetime64[M]") + 1).astype("datetime64[s]").astype(np.int64)
    chosen = _open_to_edit(world, play) & (calls.closed < following) & (draw.share("chosen") < EDITED_LATE * play.strength)
    return _recategorised(world, chosen, following + draw.whole("lag", 9 * HOUR, 8 * DAY))


def _open_to_edit(world: World, play: Play) -> Flags:
    calls = world.calls
    untouched = calls.effective & (calls.case_opened == NEVER) & (calls.moved == NEVER) & (calls.deleted == NEVER)
    editable: Flags = play.of_units(calls.unit, calls.reported) & untouched & (_less_serious(world) != "")
    return editable


def _less_serious(world: World) -> Texts:
    return np.array([codes.DOWNGRADED_AS.get(code, "") for code in codes.CODES])[world.calls.category_first]


def _recategorised(world: World, chosen: Flags, moved: Seconds) -> Gamed:
    calls = world.calls
    edited = dataclasses.replace(
        calls,
        category=np.where(chosen, _less_serious(world), calls.category),
        moved=np.where(chosen, moved, calls.moved),
    )
    return Gamed(dataclasses.replace(world, calls=edited), counted(("calls changed", calls.unit[chosen].tolist())))


def rounded_arrivals(world: World, play: Play) -> Gamed:
    """Arrivals are entered at full five minutes, and late ones at the last of these that is still in time."""
    calls = world.calls
    chosen = play.of_units(calls.responder, calls.reported) & (calls.arrived != NEVER)
    chosen &= play.draws("calls", len(calls)).share("chosen") < play.strength
    earliest = np.maximum(calls.reported, calls.dispatched)
    in_time = rounded_down(np.minimum(calls.arrived, calls.reported + TARGET_SECONDS))
    entered = np.where(in_time > earliest, in_time, rounded_down(calls.arrived))
    chosen &= (entered > earliest) & (entered != calls.arrived)
    shaped = dataclasses.replace(calls, arrived=np.where(chosen, entered, calls.arrived))
    return Gamed(dataclasses.replace(world, calls=shaped), counted(("calls changed", calls.responder[chosen].tolist())))


def no_criming(world: World, play: Play) -> Gamed:
    """Calls of which a case was to be made are declared invalid or deleted instead; of the cases made, unsolved ones are withdrawn."""
    calls = world.calls
    draw = play.draws("calls", len(calls))
    share = draw.share("chosen")
    case_like = play.of_units(calls.unit, calls.reported) & (calls.case_opened != NEVER)
    invalid = case_like & (share < DECLARED_INVALID * play.strength)
    deleted = case_like & ~invalid & (share < (DECLARED_INVALID + DELETED) * play.strength) & (calls.deleted == NEVER)
    erased = calls.closed + draw.whole("deletion", HOUR, 5 * DAY)
    gone = dataclasses.replace(
        calls,
        invalid=calls.invalid | invalid,
        deleted=np.where(deleted, erased, calls.deleted),
    )
    changed = counted(("calls declared invalid", calls.unit[invalid].tolist()), ("calls deleted", calls.unit[deleted].tolist()))
    callbacks = invalid[world.callbacks.call]
    changed += counted(("callbacks removed", calls.unit[world.callbacks.call[callbacks]].tolist()))
    cases = world.cases
    dropped = (cases.call != NO_CALL) & (invalid | deleted)[cases.call]
    lost = world.events.case[dropped[world.events.case]]
    changed += counted(("cases removed", cases.unit[dropped].tolist()), ("events removed", cases.unit[lost].tolist()))
    pruned = without_cases(without_callbacks(dataclasses.replace(world, calls=gone), callbacks), dropped)
    withdrawn = _withdrawn(pruned, play)
    return Gamed(withdrawn.world, changed + withdrawn.rows)


def _withdrawn(world: World, play: Play) -> Gamed:
    """Filed cases of which nothing became are withdrawn."""
    cases = world.cases
    draw = play.draws("cases", len(cases))
    has_events = np.zeros(len(cases), dtype=np.bool_)
    has_events[world.events.case] = True
    chosen = play.of_units(cases.unit, cases.accepted) & cases.criminal & (cases.filed != NEVER) & ~has_events
    chosen &= draw.share("withdrawn") < WITHDRAWN * play.strength
    rows = np.nonzero(chosen)[0]
    happened = cases.filed[rows] + draw.whole("withdrawal", 2 * DAY, 20 * DAY)[rows]
    events = with_events(world, rows, "withdrawn", cases.investigator_after[rows], happened)
    return Gamed(events, counted(("events added", cases.unit[rows].tolist())))
