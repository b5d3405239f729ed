"""The figures of the city, counted from its own world in plain Python: what a right pool must show as of the last night.

Counted are the records as they last reached the pool: a row that can only be quarantined is not known, so it does not count.
Definitions are those of the KPI catalogue; each figure stands on its event clock, under the unit that was valid on that day.

Covered, with these cells (no row where numerator and denominator are 0):

========================================================  ======================================================================
INC-1, INC-2                                              figure, category, channel; INC-2 also excluded
INC-5                                                     figure, category, excluded
INC-3.effective, INC-3.converted, INC-4                   figure, category
CR-1.filed, CR-2.30, CR-2.90, CR-2.365, CR-2.3m           figure, category
CR-2                                                      figure, lag, flag
CR-1, CR-4                                                figure, event
CR-3, CR-3.90, CR-3.365, CR-6                             figure
CR-5                                                      figure, event, flag
AD-1.30, AD-1.60                                          figure, outcome
RT-1                                                      figure, stage, bin
RT-2                                                      figure, place_kind, excluded
MED-1, MED-2.90, MED-2.180                                figure, dispute_kind; MED-1 also result
SAT-1                                                     figure, attempt, channel, excluded
SAT-2                                                     figure, category
SAT-3                                                     figure, channel
INT-…                                                     see ``integrity``
========================================================  ======================================================================
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from dagster_project.city import codes, integrity
from dagster_project.city.clock import NEVER, date_of
from dagster_project.city.deliveries import Accepted, Book
from dagster_project.city.domains import DOMAINS, Domain
from dagster_project.city.known import REPLY_NAMES, Known
from dagster_project.city.tally import Tally
from dagster_project.city.world import Callbacks, World

COVERED: dict[str, tuple[str, ...]] = {
    "INC-1": ("", "category", "channel"),
    "INC-2": ("", "category", "channel", "excluded"),
    "INC-5": ("", "category", "excluded"),
    "INC-3.effective": ("", "category"),
    "INC-3.converted": ("", "category"),
    "INC-4": ("", "category"),
    "CR-1.filed": ("", "category"),
    "CR-1": ("", "event"),
    "CR-2": ("", "lag", "flag"),
    "CR-2.30": ("", "category"),
    "CR-2.90": ("", "category"),
    "CR-2.365": ("", "category"),
    "CR-2.3m": ("", "category"),
    "CR-3": ("",),
    "CR-3.90": ("",),
    "CR-3.365": ("",),
    "CR-4": ("", "event"),
    "CR-5": ("", "event", "flag"),
    "CR-6": ("",),
    "AD-1.30": ("", "outcome"),
    "AD-1.60": ("", "outcome"),
    "RT-1": ("", "stage", "bin"),
    "RT-2": ("", "place_kind", "excluded"),
    "MED-1": ("", "dispute_kind", "result"),
    "MED-2.90": ("", "dispute_kind"),
    "MED-2.180": ("", "dispute_kind"),
    "SAT-1": ("", "attempt", "channel", "excluded"),
    "SAT-2": ("", "category"),
    "SAT-3": ("", "channel"),
}
COVERED |= {kpi_id: cells for domain in DOMAINS for kpi_id, cells in domain.covered.items()} | integrity.COVERED
TARGET_SECONDS = 600
COHORT_DAYS = (30, 90, 365)
DECISION_DAYS = (30, 60)
RECURRENCE_DAYS = (90, 180)
CLEARING = ("cleared", "charged")
CLOSING_OTHERWISE = ("otherwise_closed", "exceptional")
LEAVING = ("withdrawn", "otherwise_closed", "exceptional")
CHANNEL_NAMES = {code: name for code, name, _ in codes.CHANNELS}
PLACE_NAMES = [name for _, name in codes.PLACES]
PERCENT = {"satisfied": 100, "basically_satisfied": 50, "dissatisfied": 0}


def count(world: World, book: Book, as_of: dt.date, domains: Sequence[Domain] = DOMAINS) -> pa.Table:
    """Every covered figure as of a night: kpi_id, unit_code, day, cell, numerator, denominator, sorted in that order."""
    known, tally = Known(world, book, as_of), Tally()
    for family in (_incidents, _response, _cases, _disputes, _callbacks, integrity.count_integrity):
        family(known, tally)
    for domain in domains:
        domain.count(world, book, as_of, tally)
    return tally.table()


def count_printed(world: World, book: Book, as_of: dt.date) -> pa.Table:
    """The figures of cases, disputes and callbacks alone, which units print."""
    known, tally = Known(world, book, as_of), Tally()
    for family in (_cases, _disputes, _callbacks):
        family(known, tally)
    return tally.table()


def _incidents(known: Known, tally: Tally) -> None:
    calls = known.world.calls
    for i, state in known.calls.items():
        day = date_of(calls.reported[i])
        unit = known.leaf(str(calls.unit[i]), day, state)
        category = f"category:{known.category(i, state)}"
        channel = f"channel:{CHANNEL_NAMES[str(calls.channel[i])]}"
        ineffective = known.ineffective(i)
        effective = int(ineffective is None)
        tally.add("INC-1", unit, day, ("", category, channel), 1, 0)
        tally.add("INC-2", unit, day, ("", category, channel), effective, 1)
        if ineffective:
            tally.add("INC-2", unit, day, (f"excluded:{ineffective}",), 1, 0)
        if calls.dispatched[i] < state.until:
            tally.add("INC-5", unit, day, ("", category), int(calls.returned[i]), 1)
        else:
            tally.add("INC-5", unit, day, ("excluded:not_dispatched",), 1, 0)
        tally.add("INC-3.effective", unit, day, ("", category), effective, 0)
        tally.add("INC-3.converted", unit, day, ("", category), effective * int(calls.case_opened[i] < state.until), effective)
        preventable = category.removeprefix("category:").startswith(codes.STREET_PREVENTABLE)
        tally.add("INC-4", unit, day, ("", category), effective * int(preventable), 0)


def _response(known: Known, tally: Tally) -> None:
    calls = known.world.calls
    for i, state in known.calls.items():
        day, unit = date_of(calls.reported[i]), known.responding_leaf(i, state)
        dispatched, arrived = known.dispatched(i, state), known.arrived(i, state)
        closed = int(calls.closed[i]) if calls.closed[i] < state.until else None
        reported, received = int(calls.reported[i]), int(calls.received[i])
        if known.ineffective(i) is None:
            stages = {
                "report_receive": (reported, received),
                "receive_dispatch": (received, dispatched),
                "dispatch_arrive": (dispatched, arrived),
                "arrive_close": (arrived, closed),
                "report_arrive": (reported, arrived),
            }
            for stage, (start, end) in stages.items():
                if start is not None and end is not None and end > start:
                    cells = (f"stage:{stage}", f"bin:{stage}:{end - start}")
                    tally.add("RT-1", unit, day, ("", *cells) if stage == "report_arrive" else cells, end - start, 1)
        seen = calls.place[i] if calls.place_corrected[i] < state.until else calls.place_first[i]
        reason = known.unusable_arrival(i, state) if calls.urgent[i] else "not_urgent"
        if reason is not None:
            tally.add("RT-2", unit, day, (f"excluded:{reason}",), 1, 0)
        elif arrived is not None:
            tally.add("RT-2", unit, day, ("", f"place_kind:{PLACE_NAMES[seen]}"), int(arrived - reported <= TARGET_SECONDS), 1)


def _cases(known: Known, tally: Tally) -> None:
    cases, events = known.world.cases, known.world.events
    first: defaultdict[int, dict[str, dt.date]] = defaultdict(dict)
    happened: defaultdict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for e, state in known.events:
        case, kind, day = int(events.case[e]), str(events.event[e]), date_of(events.happened[e])
        first[case][kind] = min(day, first[case].get(kind, day))
        unit = known.event_leaf(case, day, str(events.unit[e]))
        happened[case].append((int(events.happened[e]), unit, kind))
        tally.add("CR-5", unit, day, (f"event:{kind}",), state.copies, 0)
        if not known.is_criminal(case):
            continue
        if kind in CLEARING:
            tally.add("CR-1", unit, day, (f"event:{kind}",), state.copies, 0)
        if kind in CLOSING_OTHERWISE:
            tally.add("CR-4", unit, day, (f"event:{kind}",), state.copies, 0)
    for case, days in first.items():
        tally.add("CR-5", _place_of_first(happened[case], *days), min(days.values()), ("flag:first_event",), 1, 0)
        cleared = _earliest(days, *CLEARING)
        if cleared is not None and known.is_criminal(case):
            unit = _place_of_first(happened[case], *CLEARING)
            tally.add("CR-1", unit, cleared, ("",), 1, 0)
            tally.add("CR-5", unit, cleared, ("",), 1, 0)
            if case in known.cases and cases.major[case]:
                tally.add("CR-6", unit, cleared, ("",), 1, 0)
        otherwise = _earliest(days, *CLOSING_OTHERWISE)
        if otherwise is not None and known.is_criminal(case):
            tally.add("CR-4", _place_of_first(happened[case], *CLOSING_OTHERWISE), otherwise, ("",), 1, 0)
    for case, state in known.criminal_cases.items():
        _criminal_cohort(known, tally, case, state, first.get(case, {}))
    for case, state in known.cases.items():
        if not cases.criminal[case]:
            _administrative_cohort(known, tally, case, state, first.get(case, {}))


def _earliest(days: dict[str, dt.date], *kinds: str) -> dt.date | None:
    return min((days[kind] for kind in kinds if kind in days), default=None)


def _place_of_first(happened: list[tuple[int, str, str]], *kinds: str) -> str:
    """The unit of the first event of these kinds; of several at one moment, that of the smallest code."""
    return min((moment, unit) for moment, unit, kind in happened if kind in kinds)[1]


def _criminal_cohort(known: Known, tally: Tally, case: int, state: Accepted, days: dict[str, dt.date]) -> None:
    cases = known.world.cases
    day, unit = date_of(cases.filed[case]), known.filing_leaf(case, state)
    cells = ("", f"category:{cases.category[case]}")
    leaving = LEAVING if "transferred_in" in days else (*LEAVING, "transferred_out")
    cleared, left = _earliest(days, *CLEARING), _earliest(days, *leaving)
    tally.add("CR-1.filed", unit, day, cells, 1, 0)
    tally.add("CR-1", unit, day, ("", *(f"event:{kind}" for kind in CLEARING)), 0, 1)
    if cases.major[case]:
        tally.add("CR-6", unit, day, ("",), 0, 1)
    outcome, end = ("cleared", cleared) if cleared else ("exit", left) if left else ("open", None)
    lag = f"lag:{outcome}:{max((end - day).days, 0)}" if end else "lag:open"
    too_early = ("flag:negative_lag",) if cleared and cleared < day else ()
    tally.add("CR-2", unit, day, ("", lag, *too_early), int(cleared is not None), 1)
    serious = str(cases.category[case]) in codes.SERIOUS_VIOLENT_CASES
    if serious:
        tally.add("CR-3", unit, day, ("",), int(cleared is not None), 1)
    horizons = [(f"{n}", day + dt.timedelta(days=n)) for n in COHORT_DAYS] + [("3m", _months_later(day, 3))]
    for name, due in horizons:
        if due <= known.as_of:
            in_time = int(cleared is not None and cleared <= due)
            tally.add(f"CR-2.{name}", unit, day, cells, in_time, 1)
            if serious and name in ("90", "365"):
                tally.add(f"CR-3.{name}", unit, day, ("",), in_time, 1)


def _months_later(day: dt.date, months: int) -> dt.date:
    """The same day so many calendar months later; the last day of a month stays a last day, as does a day that the month lacks."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    is_last = day.day == calendar.monthrange(day.year, day.month)[1]
    return dt.date(year, month + 1, last if is_last else min(day.day, last))


def _administrative_cohort(known: Known, tally: Tally, case: int, state: Accepted, days: dict[str, dt.date]) -> None:
    cases = known.world.cases
    day = date_of(cases.accepted[case])
    unit = known.leaf(str(cases.unit[case]), day, state)
    for horizon in DECISION_DAYS:
        due = day + dt.timedelta(days=horizon)
        if due > known.as_of:
            continue
        decided = sorted((days[kind], kind) for kind in ("penalised", "not_penalised", "mediated") if kind in days and days[kind] <= due)
        outcome = decided[0][1] if decided else "undecided"
        tally.add(f"AD-1.{horizon}", unit, day, ("",), int(outcome == "penalised"), 1)
        for other in ("penalised", "not_penalised", "mediated", "undecided"):
            tally.add(f"AD-1.{horizon}", unit, day, (f"outcome:{other}",), int(outcome == other), 1)


@dataclass(frozen=True)
class _Dispute:
    """One dispute as known from all its register entries: the entry that closed first speaks for it, the earliest deadline binds it."""

    parties: int
    kind: str
    unit: str
    state: Accepted
    opened: int
    due: int
    closed: int | None
    result: str


def _known_disputes(known: Known) -> list[_Dispute]:
    disputes = known.world.disputes
    entries: defaultdict[int, list[tuple[int, Accepted]]] = defaultdict(list)
    for i, state in known.states("mediation_ledger"):
        entries[int(disputes.dispute[i])].append((i, state))
    result = []
    for members in entries.values():

        def closed_at(entry: tuple[int, Accepted]) -> int:
            return int(disputes.closed[entry[0]]) if disputes.closed[entry[0]] < entry[1].until else int(NEVER)

        speaker = min(members, key=lambda entry: (closed_at(entry), int(disputes.opened[entry[0]])))
        i, state = speaker
        closed = closed_at(speaker)
        due = min(int(disputes.due[m]) for m, _ in members)
        opened = min(int(disputes.opened[m]) for m, _ in members)
        is_closed = closed != NEVER
        result.append(
            _Dispute(
                int(disputes.parties[i]), codes.DISPUTE_KINDS[str(disputes.kind[i])], str(disputes.unit[i]), state, opened, due,
                closed if is_closed else None, str(disputes.result[i]) if is_closed else "open",
            )
        )  # fmt: skip
    return result


def _disputes(known: Known, tally: Tally) -> None:
    found = _known_disputes(known)
    opened_by_parties: defaultdict[int, list[int]] = defaultdict(list)
    for dispute in found:
        opened_by_parties[dispute.parties].append(dispute.opened)
    for dispute in found:
        day = date_of(min(dispute.closed, dispute.due) if dispute.closed is not None else dispute.due)
        kind = f"dispute_kind:{dispute.kind}"
        if day <= known.as_of:
            unit = known.leaf(dispute.unit, day, dispute.state)
            tally.add("MED-1", unit, day, ("", kind, f"result:{dispute.result}"), int(dispute.result == "agreement"), 1)
        if dispute.result != "agreement" or dispute.parties < 0 or dispute.closed is None:
            continue
        agreed = date_of(dispute.closed)
        unit = known.leaf(dispute.unit, agreed, dispute.state)
        later = [opened for opened in opened_by_parties[dispute.parties] if opened > dispute.closed]
        for horizon in RECURRENCE_DAYS:
            due = agreed + dt.timedelta(days=horizon)
            if due <= known.as_of:
                again = int(any(date_of(opened) <= due for opened in later))
                tally.add(f"MED-2.{horizon}", unit, agreed, ("", kind), again, 1)


def _callbacks(known: Known, tally: Tally) -> None:
    calls, callbacks = known.world.calls, known.world.callbacks
    for call, members in known.callbacks.items():
        unit, day = known.place_of_callbacks(call)
        replied = False
        for i in members:
            reply = REPLY_NAMES[str(callbacks.reply[i])]
            if reply not in PERCENT:
                tally.add("SAT-1", unit, day, (f"excluded:{reply}",), 1, 0)
            elif not replied:
                replied = True
                tally.add("SAT-1", unit, day, ("", f"attempt:{callbacks.attempt[i]}", _channel(callbacks, i)), PERCENT[reply], 1)
        tally.add("SAT-3", unit, day, ("", _channel(callbacks, members[0])), int(replied), 1)
    for i, state in known.calls.items():
        if known.ineffective(i) is None:
            day = date_of(calls.reported[i])
            category = f"category:{known.category(i, state)}"
            covered = int(i in known.callbacks)
            tally.add("SAT-2", known.leaf(str(calls.unit[i]), day, state), day, ("", category), covered, 1)


def _channel(callbacks: Callbacks, i: int) -> str:
    return f"channel:{codes.CALLBACK_CHANNELS[str(callbacks.channel[i])]}"


def quirks(world: World, book: Book, as_of: dt.date) -> dict[str, dict[str, int]]:
    """How many records, as last accepted, show what is no fault of a row: restated, reclassified, deleted, impossible arrivals."""
    known = Known(world, book, as_of)
    calls, cases, disputes = known.world.calls, known.world.cases, known.world.disputes
    forms = list(known.states("call_form"))
    arrived = [i for i, state in forms if calls.arrival_entered[i] < state.until]
    entries = [int(disputes.dispute[i]) for i, _ in known.states("mediation_ledger")]
    return {
        "call_form": {
            "deleted": sum(calls.deleted[i] < state.until for i, state in forms),
            "reclassified": sum(calls.moved[i] < state.until for i, state in forms),
            "restated": sum(calls.place_corrected[i] < state.until for i, state in forms),
            "arrival_missing": sum(calls.arrived[i] == NEVER for i in arrived),
            "arrival_before_report": sum(calls.arrived[i] < calls.reported[i] for i in arrived),
            "arrival_equals_report": sum(calls.arrived[i] == calls.reported[i] for i in arrived),
            "arrival_equals_dispatch": sum(calls.arrived[i] == calls.dispatched[i] for i in arrived),
        },
        "case_form": {
            "deleted": sum(cases.deleted[i] < state.until for i, state in known.states("case_form")),
            "transferred": sum(cases.transferred[i] < state.until for i, state in known.states("case_form")),
        },
        "mediation_ledger": {"entered_twice": len(entries) - len(set(entries))},
    }
