"""The true counts of the integrity panel: how often records look as they do where figures are shaped rather than earned."""

from __future__ import annotations

import calendar
import datetime as dt
from collections import Counter, defaultdict

from dagster_project.city import codes
from dagster_project.city.clock import DAY, date_of, seconds_of
from dagster_project.city.known import REPLY_NAMES, Known
from dagster_project.city.tally import Tally

COVERED: dict[str, tuple[str, ...]] = {
    "INT-1.quick": ("",),
    "INT-1.before": ("",),
    "INT-3.down": ("", "direction", "pair"),
    "INT-3.late": ("",),
    "INT-3.reopened": ("",),
    "INT-4.invalid": ("",),
    "INT-4.deleted": ("",),
    "INT-4.withdrawn": ("",),
    "INT-5.coverage": ("", "outcome"),
    "INT-5.no_phone": ("",),
    "INT-5.first": ("", "attempt"),
    "INT-6.quota": ("",),
    "INT-7.cluster": ("",),
    "INT-7.per_incident": ("",),
    "INT-8.heap": ("", "digit"),
}
MINUTE = 60
ROUND_MINUTES = 5
ANSWERS = ("satisfied", "basically_satisfied", "dissatisfied")


def count_integrity(known: Known, tally: Tally) -> None:
    """Add every figure of the panel as of the night."""
    for family in (_clearances, _parts, _categories, _kept_out, _callbacks, _quota, _arrivals):
        family(known, tally)


def _clearances(known: Known, tally: Tally) -> None:
    """Cases cleared at once or before they were filed, withdrawn, and taken up again."""
    cases, events = known.world.cases, known.world.events
    cleared: dict[int, tuple[int, str]] = {}
    withdrawn: set[int] = set()
    for e, state in known.events:
        if not known.is_criminal(int(events.case[e])):
            continue
        case, kind, moment, unit = int(events.case[e]), str(events.event[e]), int(events.happened[e]), str(events.unit[e])
        if kind in ("cleared", "charged"):
            cleared[case] = min((moment, unit), cleared.get(case, (moment, unit)))
        elif kind == "withdrawn":
            withdrawn.add(case)
        elif kind == "reopened":
            day = date_of(moment)
            tally.add("INT-3.reopened", known.event_leaf(case, day, unit), day, ("",), state.copies, 0)
    for case, (moment, unit) in cleared.items():
        day = date_of(moment)
        leaf = known.event_leaf(case, day, unit)
        tally.add("INT-3.reopened", leaf, day, ("",), 0, 1)
        if case in known.criminal_cases:
            tally.add("INT-1.quick", leaf, day, ("",), int(moment - cases.filed[case] <= DAY), 1)
    for case, state in known.criminal_cases.items():
        leaf, day = known.filing_leaf(case, state), date_of(cases.filed[case])
        is_early = case in cleared and cleared[case][0] < cases.filed[case]
        tally.add("INT-1.before", leaf, day, ("",), int(is_early), 1)
        tally.add("INT-4.withdrawn", leaf, day, ("",), int(case in withdrawn), 1)


def _parts(known: Known, tally: Tally) -> None:
    """Cases that look like parts of one: of one offence filed on one day, and of one call."""
    cases = known.world.cases
    alike: Counter[tuple[str, dt.date, str, int]] = Counter()
    of_call: defaultdict[int, list[tuple[int, str, int]]] = defaultdict(list)
    for case, state in known.criminal_cases.items():
        filed = int(cases.filed[case])
        alike[known.filing_leaf(case, state), date_of(filed), str(cases.category[case]), int(cases.occurred[case]) // MINUTE] += 1
        if cases.call[case] >= 0:
            of_call[int(cases.call[case])].append((filed, cases.number[case], case))
    for (leaf, day, _, _), number in alike.items():
        tally.add("INT-7.cluster", leaf, day, ("",), number - 1, number)
    for members in of_call.values():
        for place, (filed, _, case) in enumerate(sorted(members)):
            leaf = known.filing_leaf(case, known.criminal_cases[case])
            tally.add("INT-7.per_incident", leaf, date_of(filed), ("",), int(place > 0), 1)


def _categories(known: Known, tally: Tally) -> None:
    """Calls whose category became another, less or more serious, and those where it did after their month was over.

    The first two characters of a category are its level; a lower number is more serious.
    """
    calls = known.world.calls
    for i, state in known.calls.items():
        day = date_of(calls.reported[i])
        leaf = known.leaf(str(calls.unit[i]), day, state)
        first, last = codes.CODES[calls.category_first[i]], known.category(i, state)
        tally.add("INT-3.down", leaf, day, ("",), int(last[:2] > first[:2]), 1)
        if last != first:
            tally.add("INT-3.down", leaf, day, (f"pair:{first}>{last}",), 1, 0)
        if last[:2] != first[:2]:
            tally.add("INT-3.down", leaf, day, ("direction:down" if last[:2] > first[:2] else "direction:up",), 1, 0)
        month_over = seconds_of(_last_of_month(day)) + DAY
        then = [s for s in known.book.accepted["call_form"][i] if s.until <= min(month_over, known.until)]
        if then:
            tally.add("INT-3.late", leaf, day, ("",), int(known.category(i, then[-1]) != last), 1)


def _last_of_month(day: dt.date) -> dt.date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _kept_out(known: Known, tally: Tally) -> None:
    """Calls declared invalid, and call forms deleted."""
    calls = known.world.calls
    for i, state in known.states("call_form"):
        day = date_of(calls.reported[i])
        leaf = known.leaf(str(calls.unit[i]), day, state)
        is_deleted = calls.deleted[i] < state.until
        tally.add("INT-4.deleted", leaf, day, ("",), int(is_deleted), 1)
        if not is_deleted:
            tally.add("INT-4.invalid", leaf, day, ("",), int(calls.invalid[i]), 1)


def _callbacks(known: Known, tally: Tally) -> None:
    """Who is called back, whether there was a telephone to call, and what is answered at the first attempt and later."""
    calls, callbacks = known.world.calls, known.world.callbacks
    for i, state in known.calls.items():
        if known.ineffective(i) is None:
            day = date_of(calls.reported[i])
            outcome = "outcome:case" if calls.case_opened[i] < state.until else "outcome:no_case"
            leaf = known.leaf(str(calls.unit[i]), day, state)
            tally.add("INT-5.coverage", leaf, day, ("", outcome), int(i in known.callbacks), 1)
    for call, members in known.callbacks.items():
        leaf, day = known.place_of_callbacks(call)
        tally.add("INT-5.no_phone", leaf, day, ("",), int(not any(callbacks.phone_known[i] for i in members)), 1)
        answered = [i for i in members if REPLY_NAMES[str(callbacks.reply[i])] in ANSWERS]
        if answered:
            first = answered[0]
            attempt = "attempt:first" if callbacks.attempt[first] == 1 else "attempt:later"
            tally.add("INT-5.first", leaf, day, ("", attempt), int(REPLY_NAMES[str(callbacks.reply[first])] == "satisfied"), 1)


def _quota(known: Known, tally: Tally) -> None:
    """Months of a station whose entries in its own register are as many as it was to make."""
    disputes, places = known.world.disputes, known.world.places
    stations = {unit.code for unit in places.stations}
    entries: Counter[tuple[str, dt.date]] = Counter()
    for i, state in known.states("mediation_ledger"):
        ends = _last_of_month(date_of(disputes.opened[i]))
        leaf = known.leaf(str(disputes.unit[i]), ends, state)
        if disputes.origin[i] == codes.QUOTA_REGISTER and leaf in stations and ends <= known.as_of:
            entries[leaf, ends] += 1
    for (leaf, ends), number in entries.items():
        tally.add("INT-6.quota", leaf, ends, ("",), int(number == codes.QUOTA_OF_MONTH), 1)


def _arrivals(known: Known, tally: Tally) -> None:
    """Arrivals at full five minutes, and the last digit of their minutes."""
    calls = known.world.calls
    for i, state in known.calls.items():
        arrived = known.arrived(i, state)
        if arrived is not None and known.unusable_arrival(i, state) is None:
            leaf, day = known.responding_leaf(i, state), date_of(calls.reported[i])
            tally.add("INT-8.heap", leaf, day, ("",), int(arrived % (ROUND_MINUTES * MINUTE) == 0), 1)
            tally.add("INT-8.heap", leaf, day, (f"digit:{arrived // MINUTE % 10}",), 1, 0)
