"""What is gamed where stations meet citizens: whom they call back, and what they enter as mediated."""

from __future__ import annotations

import calendar
import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from dagster_project.city import codes
from dagster_project.city.clock import DAY, NEVER, date_of, seconds_of
from dagster_project.city.gaming.model import Gamed, Play, counted
from dagster_project.city.gaming.pruning import without_callbacks
from dagster_project.city.world import DEADLINE_DAYS, NO_CALL, Disputes, World, dispute_numbers, generator, taken

HOUR = 3600
SATISFIED = "1"
NO_ANSWER = "5"
UNKNOWN = -1


def selective_callbacks(world: World, play: Play) -> Gamed:
    """Nobody of whose matter a case was made is called; who is not satisfied at once, or never reached, is entered as satisfied at once.

    Such an entry has no telephone. Those who answered at a later attempt are left as they answered.
    """
    calls, callbacks = world.calls, world.callbacks
    of_call = play.of_units(calls.unit, calls.reported) & (play.draws("calls", len(calls)).share("chosen") < play.strength)
    left = np.zeros(len(calls), dtype=np.bool_)
    left[callbacks.call[(callbacks.reply == SATISFIED) | ((callbacks.attempt > 1) & (callbacks.reply != NO_ANSWER))]] = True
    gamed = of_call[callbacks.call]
    skipped = gamed & (calls.case_opened[callbacks.call] != NEVER)
    shaped = gamed & ~skipped & ~left[callbacks.call]
    invented = shaped & (callbacks.attempt == 1)
    entered = dataclasses.replace(
        callbacks,
        reply=np.where(invented, SATISFIED, callbacks.reply),
        phone_known=callbacks.phone_known & ~invented,
    )
    removed = skipped | (shaped & ~invented)
    rows = counted(
        ("callbacks removed", calls.unit[callbacks.call[removed]].tolist()),
        ("callbacks changed", calls.unit[callbacks.call[invented]].tolist()),
    )
    return Gamed(without_callbacks(dataclasses.replace(world, callbacks=entered), removed), rows)


def quota_mediation(world: World, play: Play) -> Gamed:
    """On the last day of a month a station enters as many disputes, settled the same day, as it lacks to the quota of its own register."""
    disputes = world.disputes
    entered = Counter(
        (unit, date_of(opened).replace(day=1))
        for unit, origin, opened in zip(disputes.unit.tolist(), disputes.origin.tolist(), disputes.opened.tolist(), strict=True)
        if origin == codes.QUOTA_REGISTER
    )
    times: list[int] = []
    units: list[str] = []
    for month in _whole_months(play.since, world.last_day):
        last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
        for unit in play.units:
            random = generator(play.seed, f"gaming {play.kind} {unit} {month}")
            missing = max(0, codes.QUOTA_OF_MONTH - entered[unit, month])
            if random.random() < play.strength:
                times += (seconds_of(last) + np.sort(random.integers(14 * HOUR, 18 * HOUR, missing))).tolist()
                units += [unit] * missing
    return Gamed(_with_entries(world, times, units), counted(("disputes added", units)))


def _whole_months(since: dt.date, last_day: dt.date) -> Iterator[dt.date]:
    """The first day of every month that lies whole between two days."""
    month = since if since.day == 1 else (since.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    while (following := (month + dt.timedelta(days=32)).replace(day=1)) <= last_day + dt.timedelta(days=1):
        yield month
        month = following


def _with_entries(world: World, times: list[int], units: list[str]) -> World:
    """Entries of the stations' own register, of parties that nobody named, added in the order of time."""
    disputes, n = world.disputes, len(times)
    opened = np.array(times, dtype=np.int64)
    first_free = int(disputes.dispute.max(initial=0)) + 1
    added = Disputes(
        number=[""] * n,
        dispute=first_free + np.arange(n),
        call=np.full(n, NO_CALL, dtype=np.int64),
        origin=np.full(n, codes.QUOTA_REGISTER),
        parties=np.full(n, UNKNOWN, dtype=np.int64),
        kind=np.full(n, "02"),
        unit=np.array(units, dtype="<U12"),
        opened=opened,
        due=opened + DEADLINE_DAYS * DAY,
        closed=opened + HOUR,
        result=np.full(n, "agreement"),
    )
    columns = {f.name: getattr(disputes, f.name) for f in dataclasses.fields(disputes)}
    both: dict[str, Any] = {
        name: column + added.number if isinstance(column, list) else np.concatenate([column, getattr(added, name)])
        for name, column in columns.items()
    }
    merged = Disputes(**both)
    merged = taken(merged, np.argsort(merged.opened, kind="stable"))
    return dataclasses.replace(world, disputes=dataclasses.replace(merged, number=dispute_numbers(merged.unit, merged.opened)))
