"""The figures of the city, counted from its own world in plain Python: what a right pool must show as of the last night.

Counted are the records as they last reached the pool: a row that can only be quarantined is not known, so it does not count.
Definitions are those of the KPI catalogue; each figure stands on its event clock, under the unit that was valid on that day.

Covered, with these cells (no row where numerator and denominator are 0):

========================================================  ======================================================================
INC-1, INC-2                                              figure, category, channel; INC-2 also excluded
INC-5                                                     figure, category, excluded
INC-3.effective, INC-3.converted, INC-4                   figure, category
CR-1.filed, CR-2.30, CR-2.90, CR-2.365, CR-2.3m           figure, category
CR-2                                                      figure, lag
CR-1, CR-3, CR-3.90, CR-3.365, CR-4, CR-6                 figure
CR-5                                                      figure, event:cleared, event:charged
AD-1.30, AD-1.60                                          figure, outcome
RT-1                                                      figure, stage
RT-2                                                      figure, place_kind, excluded
MED-1, MED-2.90, MED-2.180                                figure, dispute_kind; MED-1 also result
SAT-1                                                     figure, attempt, channel, excluded
SAT-2                                                     figure, category
SAT-3                                                     figure, channel
========================================================  ======================================================================
"""

from __future__ import annotations

import calendar
import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa

from dagster_project.city import codes
from dagster_project.city.clock import DAY, NEVER, date_of, seconds_of
from dagster_project.city.deliveries import Accepted, Book
from dagster_project.city.domains import DOMAINS, Domain
from dagster_project.city.places import UNASSIGNED, Places
from dagster_project.city.tally import Tally
from dagster_project.city.world import Callbacks, Calls, Cases, Disputes, Events, World

Table = TypeVar("Table", Calls, Cases, Events, Disputes, Callbacks)

COVERED: dict[str, tuple[str, ...]] = {
    "INC-1": ("", "category", "channel"),
    "INC-2": ("", "category", "channel", "excluded"),
    "INC-5": ("", "category", "excluded"),
    "INC-3.effective": ("", "category"),
    "INC-3.converted": ("", "category"),
    "INC-4": ("", "category"),
    "CR-1.filed": ("", "category"),
    "CR-1": ("",),
    "CR-2": ("", "lag"),
    "CR-2.30": ("", "category"),
    "CR-2.90": ("", "category"),
    "CR-2.365": ("", "category"),
    "CR-2.3m": ("", "category"),
    "CR-3": ("",),
    "CR-3.90": ("",),
    "CR-3.365": ("",),
    "CR-4": ("",),
    "CR-5": ("", "event:cleared", "event:charged"),
    "CR-6": ("",),
    "AD-1.30": ("", "outcome"),
    "AD-1.60": ("", "outcome"),
    "RT-1": ("", "stage"),
    "RT-2": ("", "place_kind", "excluded"),
    "MED-1": ("", "dispute_kind", "result"),
    "MED-2.90": ("", "dispute_kind"),
    "MED-2.180": ("", "dispute_kind"),
    "SAT-1": ("", "attempt", "channel", "excluded"),
    "SAT-2": ("", "category"),
    "SAT-3": ("", "channel"),
} | {kpi_id: cells for domain in DOMAINS for kpi_id, cells in domain.covered.items()}
TARGET_SECONDS = 600
COHORT_DAYS = (30, 90, 365)
DECISION_DAYS = (30, 60)
RECURRENCE_DAYS = (90, 180)
CLOSING_OTHERWISE = ("otherwise_closed", "exceptional")
LEAVING = ("withdrawn", "otherwise_closed", "exceptional")
CHANNEL_NAMES = {code: name for code, name, _ in codes.CHANNELS}
RELATION_NAMES = {code: name for code, name, _ in codes.RELATIONS}
REPLY_NAMES = {code: name for code, name, _ in codes.REPLIES}
PLACE_NAMES = [name for _, name in codes.PLACES]
PERCENT = {"satisfied": 100, "basically_satisfied": 50, "dissatisfied": 0}


def count(world: World, book: Book, as_of: dt.date, domains: Sequence[Domain] = DOMAINS) -> pa.Table:
    """Every covered figure as of a night: kpi_id, unit_code, day, cell, numerator, denominator, sorted in that order."""
    known, tally = _Known(world, book, as_of), Tally()
    for family in (_incidents, _response, _cases, _disputes, _callbacks):
        family(known, tally)
    for domain in domains:
        domain.count(world, book, as_of, tally)
    return tally.table()


def count_printed(world: World, book: Book, as_of: dt.date) -> pa.Table:
    """The figures of cases, disputes and callbacks alone, which units print."""
    known, tally = _Known(world, book, as_of), Tally()
    for family in (_cases, _disputes, _callbacks):
        family(known, tally)
    return tally.table()


def _as_lists(table: Table) -> Table:
    """The same table with plain Python values: rows are visited one by one, and NumPy scalars are slow at that."""
    arrays = {f.name: getattr(table, f.name) for f in dataclasses.fields(table)}
    return dataclasses.replace(
        table, **{name: array.tolist() if isinstance(array, np.ndarray) else array for name, array in arrays.items()}
    )


class _Known:
    """What of the world the pool knows as of a night: the last accepted state of every record."""

    def __init__(self, world: World, book: Book, as_of: dt.date) -> None:
        self.world = dataclasses.replace(
            world,
            calls=_as_lists(world.calls),
            cases=_as_lists(world.cases),
            events=_as_lists(world.events),
            disputes=_as_lists(world.disputes),
            callbacks=_as_lists(world.callbacks),
        )
        self.book = book
        self.as_of = as_of
        self.until = seconds_of(as_of) + DAY
        self._leaves: dict[tuple[str, bool], str] = {}

    def leaf(self, unit: str, day: dt.date, state: Accepted) -> str:
        if state.unknown_unit:
            return UNASSIGNED
        return self.leaf_of(unit, day)

    def leaf_of(self, unit: str, day: dt.date) -> str:
        places: Places = self.world.places
        key = (unit, day >= places.merger)
        if key not in self._leaves:
            self._leaves[key] = places.leaf(unit, day)
        return self._leaves[key]

    def states(self, source_id: str) -> Iterator[tuple[int, Accepted]]:
        return self.book.known(source_id, self.until)

    @cached_property
    def calls(self) -> dict[int, Accepted]:
        deleted = self.world.calls.deleted
        return {i: state for i, state in self.states("call_form") if deleted[i] >= state.until}

    @cached_property
    def cases(self) -> dict[int, Accepted]:
        deleted = self.world.cases.deleted
        return {i: state for i, state in self.states("case_form") if deleted[i] >= state.until}

    def category(self, call: int, state: Accepted) -> str:
        calls = self.world.calls
        return str(calls.category[call]) if calls.moved[call] < state.until else codes.CODES[calls.category_first[call]]

    def ineffective(self, call: int) -> str | None:
        calls = self.world.calls
        if calls.invalid[call]:
            return "invalid"
        if calls.relation[call]:
            return RELATION_NAMES[str(calls.relation[call])]
        return "consultation" if calls.consultation[call] else None


def _incidents(known: _Known, tally: Tally) -> None:
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


def _response(known: _Known, tally: Tally) -> None:
    calls = known.world.calls
    for i, state in known.calls.items():
        day = date_of(calls.reported[i])
        dispatched = int(calls.dispatched[i]) if calls.dispatched[i] < state.until else None
        if dispatched is not None and calls.responder[i]:
            unit = known.leaf_of(str(calls.responder[i]), day)
        else:
            unit = known.leaf(str(calls.unit[i]), day, state)
        arrived = int(calls.arrived[i]) if calls.arrival_entered[i] < state.until and calls.arrived[i] != NEVER else None
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
                    cells = ("", f"stage:{stage}") if stage == "report_arrive" else (f"stage:{stage}",)
                    tally.add("RT-1", unit, day, cells, end - start, 1)
        seen = calls.place[i] if calls.place_corrected[i] < state.until else calls.place_first[i]
        reason = _not_judged(bool(calls.urgent[i]), bool(calls.relation[i]), reported, dispatched, arrived)
        if reason is not None:
            tally.add("RT-2", unit, day, (f"excluded:{reason}",), 1, 0)
        elif arrived is not None:
            tally.add("RT-2", unit, day, ("", f"place_kind:{PLACE_NAMES[seen]}"), int(arrived - reported <= TARGET_SECONDS), 1)


def _not_judged(urgent: bool, related: bool, reported: int, dispatched: int | None, arrived: int | None) -> str | None:
    if not urgent:
        return "not_urgent"
    if related:
        return "related_call"
    if dispatched is None:
        return "not_dispatched"
    if arrived is None:
        return "missing"
    if arrived < max(reported, dispatched):
        return "negative"
    return "identical" if arrived in (reported, dispatched) else None


def _cases(known: _Known, tally: Tally) -> None:
    cases, events = known.world.cases, known.world.events
    first: defaultdict[int, dict[str, dt.date]] = defaultdict(dict)
    place_of_first: dict[tuple[int, dt.date], str] = {}
    void = {i for i, _ in known.states("case_form")} - set(known.cases)
    for e, state in known.states("case_event"):
        case, kind, day = int(events.case[e]), str(events.event[e]), date_of(events.happened[e])
        if case in void:
            continue
        first[case][kind] = min(day, first[case].get(kind, day))
        place_of_first.setdefault((case, day), str(events.unit[e]))
        unit = _event_unit(known, case, day, str(events.unit[e]))
        if kind in ("cleared", "charged"):
            tally.add("CR-5", unit, day, (f"event:{kind}",), state.copies, 0)
    for case, days in first.items():
        cleared = _earliest(days, "cleared", "charged")
        criminal = case not in known.cases or bool(cases.criminal[case])
        if cleared is not None and criminal:
            unit = _event_unit(known, case, cleared, place_of_first[case, cleared])
            tally.add("CR-1", unit, cleared, ("",), 1, 0)
            tally.add("CR-5", unit, cleared, ("",), 1, 0)
            if case in known.cases and cases.major[case]:
                tally.add("CR-6", unit, cleared, ("",), 1, 0)
        otherwise = _earliest(days, *CLOSING_OTHERWISE)
        if otherwise is not None:
            tally.add("CR-4", _event_unit(known, case, otherwise, place_of_first[case, otherwise]), otherwise, ("",), 1, 0)
    for case, state in known.cases.items():
        if cases.criminal[case]:
            if cases.filed[case] < state.until:
                _criminal_cohort(known, tally, case, state, first.get(case, {}))
        else:
            _administrative_cohort(known, tally, case, state, first.get(case, {}))


def _event_unit(known: _Known, case: int, day: dt.date, unit_of_event: str) -> str:
    """Events count for the unit that filed the case; for their own where the pool does not know the case."""
    state = known.cases.get(case)
    return known.leaf_of(unit_of_event, day) if state is None else known.leaf(str(known.world.cases.unit[case]), day, state)


def _earliest(days: dict[str, dt.date], *kinds: str) -> dt.date | None:
    return min((days[kind] for kind in kinds if kind in days), default=None)


def _criminal_cohort(known: _Known, tally: Tally, case: int, state: Accepted, days: dict[str, dt.date]) -> None:
    cases = known.world.cases
    day = date_of(cases.filed[case])
    unit = known.leaf(str(cases.unit[case]), day, state)
    cells = ("", f"category:{cases.category[case]}")
    cleared, left = _earliest(days, "cleared", "charged"), _earliest(days, *LEAVING)
    tally.add("CR-1.filed", unit, day, cells, 1, 0)
    tally.add("CR-1", unit, day, ("",), 0, 1)
    if cases.major[case]:
        tally.add("CR-6", unit, day, ("",), 0, 1)
    outcome, end = ("cleared", cleared) if cleared else ("exit", left) if left else ("open", None)
    lag = f"lag:{outcome}:{max((end - day).days, 0)}" if end else "lag:open"
    tally.add("CR-2", unit, day, ("", lag), int(cleared is not None), 1)
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


def _administrative_cohort(known: _Known, tally: Tally, case: int, state: Accepted, days: dict[str, dt.date]) -> None:
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


def _known_disputes(known: _Known) -> list[_Dispute]:
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


def _disputes(known: _Known, tally: Tally) -> None:
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


def _callbacks(known: _Known, tally: Tally) -> None:
    calls, callbacks = known.world.calls, known.world.callbacks
    attempts: defaultdict[int, list[tuple[int, int, Accepted]]] = defaultdict(list)
    for i, state in known.states("callback_record"):
        attempts[int(callbacks.call[i])].append((int(callbacks.called[i]), i, state))
    for call, members in attempts.items():
        members.sort(key=lambda member: member[:2])
        about = known.calls.get(call)
        day = date_of(calls.reported[call]) if about else date_of(members[0][0])
        unit = known.leaf(str(calls.unit[call]), day, about) if about else known.leaf_of(str(calls.unit[call]), day)
        replied = False
        for place, (_, i, _) in enumerate(members):
            reply = REPLY_NAMES[str(callbacks.reply[i])]
            channel = f"channel:{codes.CALLBACK_CHANNELS[str(callbacks.channel[i])]}"
            if reply not in PERCENT:
                tally.add("SAT-1", unit, day, (f"excluded:{reply}",), 1, 0)
            elif not replied:
                replied = True
                tally.add("SAT-1", unit, day, ("", f"attempt:{callbacks.attempt[i]}", channel), PERCENT[reply], 1)
            if place == 0:
                first_channel = channel
        tally.add("SAT-3", unit, day, ("", first_channel), int(replied), 1)
    for i, state in known.calls.items():
        if known.ineffective(i) is None:
            day = date_of(calls.reported[i])
            category = f"category:{known.category(i, state)}"
            tally.add("SAT-2", known.leaf(str(calls.unit[i]), day, state), day, ("", category), int(i in attempts), 1)


def quirks(world: World, book: Book, as_of: dt.date) -> dict[str, dict[str, int]]:
    """How many records, as last accepted, show what is no fault of a row: restated, reclassified, deleted, impossible arrivals."""
    known = _Known(world, book, as_of)
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
