"""The matters of the city that have a due date, and what became of them.

Times are seconds as in ``clock``; those of systems that know days only are midnights. NEVER where something did not happen. Rows are
in the order of time, and every draw belongs to what the matter came of: a city that lives longer has the same matters and more.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dagster_project.city import codes
from dagster_project.city.clock import DAY, NEVER, Seconds, date_of, seconds_of
from dagster_project.city.places import CITY_CODE, Places
from dagster_project.city.shaping import Draws
from dagster_project.city.world import NO_CALL, Flags, Indexes, Texts, World, generator

HOUR = 3600
NONE = -1

CRIMINAL_DAYS, CRIMINAL_EXTENDED_DAYS, CRIMINAL_LONGEST_DAYS = 3, 7, 30
ADMINISTRATIVE_DAYS, ADMINISTRATIVE_EXTENDED_DAYS = 1, 3
CASE_LIKE = ("0101", "0102", "0103", "0104", "0105", "0201", "0202")
STAGE_HOURS = {"body_check": 2, "information": 4, "questioning": 24, "property": 72}
ISSUE_DAYS = {"late_dispatch": 3, "missing_feedback": 7, "wrong_category": 7, "no_registration": 15}
HAZARD_DAYS = {"fire": 15, "security_facility": 30, "utilities": 15, "building": 30}
SITE_DAYS = {"explosives": 7, "knives": 15, "parcels": 15, "hotel": 30}
HOTSPOT_DAYS = {"security": 90, "traffic": 60}
MILESTONE_DAYS = {"joint_command": 60, "smart_security": 90, "station_reform": 45}
APPEAL_DAYS, APPEAL_EXTENDED_DAYS, COMPLAINT_DAYS = 60, 90, 60


@dataclass(frozen=True)
class Matters:
    """One row per matter. ``due_extended`` holds from ``extended`` on; ``repeats`` is the row of the matter that it repeats.

    ``call`` and ``case`` are the rows of the call and of the case it is about. A result ``withdrawn`` came at the time of closing.
    Where the deadline is ``unstated``, the system does not say it: it is the one that the regulation gives. ``deleted`` rows were
    entered in error.
    """

    number: list[str]
    category: Texts
    unit: Texts
    opened: Seconds
    due: Seconds
    closed: Seconds
    result: Texts
    call: Indexes
    case: Indexes
    repeats: Indexes
    acknowledge_due: Seconds
    acknowledged: Seconds
    extended: Seconds
    due_extended: Seconds
    reopened: Seconds
    unstated: Flags
    deleted: Seconds

    def __len__(self) -> int:
        return len(self.number)


def held_by(places: Places, unit: Texts, time: Seconds) -> Texts:
    """The unit that does a unit's work at a time: itself, or the one that took it over."""
    held = unit.copy()
    for place in places.units:
        if place.valid_to is not None and place.successor is not None:
            held[(unit == place.code) & (time >= seconds_of(place.valid_to))] = place.successor
    return held


def _matters(
    prefix: str,
    places: Places,
    *,
    category: Texts,
    unit: Texts,
    opened: Seconds,
    due: Seconds,
    closed: Seconds,
    result: Texts | None = None,
    call: Indexes | None = None,
    case: Indexes | None = None,
    repeats: Indexes | None = None,
    acknowledge_due: Seconds | None = None,
    acknowledged: Seconds | None = None,
    extended: Seconds | None = None,
    due_extended: Seconds | None = None,
    reopened: Seconds | None = None,
    unstated: Flags | None = None,
    deleted: Seconds | None = None,
) -> Matters:
    """Rows in the order in which they opened, numbered within county and month."""
    n = len(opened)
    never, none = np.full(n, NEVER), np.full(n, NONE)
    order = np.argsort(opened, kind="stable")
    place_of = np.empty(n, dtype=np.int64)
    place_of[order] = np.arange(n)
    earlier = none if repeats is None else repeats
    unit = held_by(places, unit, opened)[order]
    used: Counter[str] = Counter()
    number = []
    for code, moment in zip(unit.tolist(), opened[order].tolist(), strict=True):
        stem = f"{prefix}{code[:6]}{date_of(moment):%Y%m}"
        used[stem] += 1
        number.append(f"{stem}{used[stem]:05d}")
    return Matters(
        number=number,
        category=category[order],
        unit=unit,
        opened=opened[order],
        due=due[order],
        closed=closed[order],
        result=(np.full(n, "done") if result is None else result)[order],
        call=(none if call is None else call)[order],
        case=(none if case is None else case)[order],
        repeats=np.where(earlier == NONE, NONE, place_of[earlier])[order] if n else none,
        acknowledge_due=(never if acknowledge_due is None else acknowledge_due)[order],
        acknowledged=(never if acknowledged is None else acknowledged)[order],
        extended=(never if extended is None else extended)[order],
        due_extended=(never if due_extended is None else due_extended)[order],
        reopened=(never if reopened is None else reopened)[order],
        unstated=(np.zeros(n, dtype=np.bool_) if unstated is None else unstated)[order],
        deleted=(never if deleted is None else deleted)[order],
    )


def _arising(seed: int, name: str, first_day: dt.date, last_day: dt.date, units: Sequence[str], per_day: float) -> tuple[Seconds, Texts]:
    """Time, within working hours, and unit of what arises on its own, day by day."""
    days = (last_day - first_day).days + 1
    counts = generator(seed, f"{name} arising").poisson(per_day, (days, len(units)))
    day, place = np.nonzero(counts)
    repeated = np.repeat(np.stack([day, place]), counts[day, place], axis=1)
    second = Draws(seed, name, repeated.shape[1]).whole("second", 8 * HOUR, 18 * HOUR)
    return seconds_of(first_day) + repeated[0] * DAY + second, np.array(units, dtype="<U12")[repeated[1]]


def _after(start: Seconds, lag: Seconds, happens: Flags) -> Seconds:
    return np.where(happens, start + np.where(happens, lag, 0), NEVER)


def _midnight(moment: Seconds) -> Seconds:
    return np.where(moment == NEVER, NEVER, moment // DAY * DAY)


def _days_of(category: Texts, days: Mapping[str, int]) -> Seconds:
    return np.array([days[str(name)] for name in category.tolist()], dtype=np.int64) * DAY


def _even(draw: Draws, name: str, values: Sequence[str]) -> Texts:
    return draw.one_of(name, values, [1 / len(values)] * len(values))


def registrations(world: World) -> Matters:
    """受案登记: one for every case, and for most case-like calls without one, which came to nothing."""
    cases, calls = world.cases, world.calls
    of_call = Draws(world.seed, "registration of call", len(calls))
    code = np.array([kind.code for kind in codes.INCIDENTS])[calls.category_first]
    is_like = np.array([str(text).startswith(CASE_LIKE) for text in code.tolist()], dtype=np.bool_)
    alone = np.nonzero(is_like & calls.effective & (calls.case_opened == NEVER) & (of_call.share("registered") < 0.78))[0]
    kind_of_call = np.array([kind.case_kind == "criminal" for kind in codes.INCIDENTS])[calls.category_first]
    draw = Draws(world.seed, "registration of case", len(cases))
    decided_case = np.where(cases.criminal, cases.filed, cases.accepted + 1)
    turned_down = _after(cases.accepted, draw.lognormal("turned down", 0.8 * DAY, 1.0), draw.share("decided") < 0.9)
    decided_case = np.where(decided_case == NEVER, turned_down, decided_case)
    result_case = np.where(cases.criminal & (cases.filed == NEVER), "not_accepted", "accepted")
    opened_call = calls.closed + of_call.whole("wait", 60, HOUR)
    decided_call = _after(opened_call, of_call.lognormal("decision", 0.7 * DAY, 0.9), of_call.share("decided") < 0.95)
    result_call = of_call.one_of("result", ("not_accepted", "referred", "withdrawn"), (0.85, 0.08, 0.07))
    opened = np.concatenate([cases.reported, opened_call[alone]])
    closed = np.concatenate([decided_case, decided_call[alone]])
    criminal = np.concatenate([cases.criminal, kind_of_call[alone]])
    patience = np.concatenate([draw.share("patience"), of_call.share("patience")[alone]])
    limit = np.where(criminal, CRIMINAL_DAYS, ADMINISTRATIVE_DAYS) * DAY
    longer = (
        np.where(criminal, np.where(patience < 0.55, CRIMINAL_EXTENDED_DAYS, CRIMINAL_LONGEST_DAYS), ADMINISTRATIVE_EXTENDED_DAYS) * DAY
    )
    is_extended = (closed > opened + limit) & (patience < 0.65)
    erased = np.concatenate([draw.share("deleted"), of_call.share("deleted")[alone]]) < 0.005
    until_erased = np.concatenate([draw.whole("deletion", DAY, 40 * DAY), of_call.whole("deletion", DAY, 40 * DAY)[alone]])
    silent = np.concatenate([draw.share("stated"), of_call.share("stated")[alone]]) < 0.06
    return _matters(
        "SL",
        world.places,
        category=np.where(criminal, "criminal", "administrative"),
        unit=np.concatenate([cases.unit, calls.unit[alone]]),
        opened=opened,
        due=opened + limit,
        closed=closed,
        result=np.concatenate([result_case, result_call[alone]]),
        call=np.concatenate([cases.call, alone]),
        extended=np.where(is_extended, opened + limit * 4 // 5, NEVER),
        due_extended=opened + longer,
        unstated=silent & (longer < CRIMINAL_LONGEST_DAYS * DAY),
        deleted=_after(opened, until_erased, erased),
    )


def law_issues(world: World) -> Matters:
    """执法监督问题: found days after some calls were closed; the call's unit puts them right."""
    calls = world.calls
    share = Draws(world.seed, "issue of call", len(calls)).share("found")
    about = np.nonzero(calls.effective & (share < 0.015))[0]
    draw = Draws(world.seed, "issues", len(about))
    opened = calls.closed[about] + draw.whole("found", DAY, 6 * DAY)
    category = _even(draw, "rule", tuple(ISSUE_DAYS))
    due = opened + _days_of(category, ISSUE_DAYS)
    closed = _after(opened, draw.lognormal("rectified", 3.0 * DAY, 0.7), draw.share("is rectified") < 0.96)
    result = np.where(draw.share("cancelled") < 0.03, "withdrawn", "done")
    unit = calls.unit[about]
    return _matters("JD", world.places, category=category, unit=unit, opened=opened, due=due, closed=closed, result=result, call=about)


def case_stages(world: World) -> Matters:
    """办案中心环节: some filed cases bring somebody to the centre, who goes from one step to the next."""
    cases = world.cases
    share = Draws(world.seed, "stages of case", len(cases)).share("centre")
    about = np.nonzero((cases.filed != NEVER) & (share < 0.15))[0]
    draw = Draws(world.seed, "stages", len(about))
    entered = cases.filed[about] + draw.whole("brought", HOUR, 3 * DAY)
    present = np.ones(len(about), dtype=np.bool_)
    parts: list[tuple[Indexes, Texts, Seconds, Seconds, Seconds]] = []
    for step, hours in STAGE_HOURS.items():
        left = _after(entered, 300 + draw.lognormal(f"{step} took", 0.4 * hours * HOUR, 0.6), draw.share(f"{step} left") < 0.985)
        chosen = np.nonzero(present)[0]
        parts.append((about[chosen], np.full(len(chosen), step), entered[chosen], (entered + hours * HOUR)[chosen], left[chosen]))
        present &= left != NEVER
        entered = np.where(left == NEVER, entered, left + 600)
    case, category, opened, due, closed = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _matters("HJ", world.places, category=category, unit=cases.unit[case], opened=opened, due=due, closed=closed, case=case)


def complaints(world: World) -> Matters:
    """投诉举报: about some calls, received days later; days only."""
    calls = world.calls
    share = Draws(world.seed, "complaint of call", len(calls)).share("complained")
    about = np.nonzero(~calls.invalid & (share < 0.007))[0]
    draw = Draws(world.seed, "complaints", len(about))
    opened = _midnight(calls.closed[about] + draw.whole("received", DAY, 20 * DAY))
    closed = _midnight(_after(opened, draw.lognormal("closed", 28.0 * DAY, 0.6), draw.share("is closed") < 0.97))
    result = draw.one_of("finding", ("unsubstantiated", "partly", "substantiated", "withdrawn"), (0.62, 0.16, 0.16, 0.06))
    category = _even(draw, "class", ("attitude", "inaction", "procedure"))
    due = opened + COMPLAINT_DAYS * DAY
    unit = calls.unit[about]
    return _matters("TS", world.places, category=category, unit=unit, opened=opened, due=due, closed=closed, result=result, call=about)


def appeals(world: World) -> Matters:
    """群众诉求: after some calls; a few are repeated under another number or taken up again; days only."""
    calls = world.calls
    share = Draws(world.seed, "appeal of call", len(calls)).share("appealed")
    about = np.nonzero(calls.effective & (share < 0.010))[0]
    n = len(about)
    draw = Draws(world.seed, "appeals", n)
    opened = _midnight(calls.closed[about] + draw.whole("received", DAY, 30 * DAY))
    closed = _midnight(_after(opened, draw.lognormal("closed", 27.0 * DAY, 0.7), draw.share("is closed") < 0.96))
    again = np.nonzero((closed != NEVER) & (draw.share("repeated") < 0.18))[0]
    opened_again = _midnight(closed[again] + draw.whole("comes back", 3 * DAY, 150 * DAY)[again])
    took_again = draw.lognormal("closed again", 22.0 * DAY, 0.6)[again]
    closed_again = _midnight(opened_again + took_again)
    category = _even(draw, "class", ("handling", "service", "dispute"))
    result = draw.one_of("result", ("settled", "explained", "withdrawn"), (0.7, 0.25, 0.05))
    opened, closed = np.concatenate([opened, opened_again]), np.concatenate([closed, closed_again])
    is_extended = np.concatenate([draw.share("extended") < 0.12, draw.share("extended again")[again] < 0.12])
    extended = np.where(is_extended & (closed > opened + 50 * DAY), opened + 50 * DAY, NEVER)
    comes_up = np.concatenate([draw.share("reopened") < 0.06, np.zeros(len(again), dtype=np.bool_)]) & (closed != NEVER)
    wait = np.concatenate([draw.whole("reopens", 2 * DAY, 130 * DAY), np.zeros(len(again), dtype=np.int64)])
    return _matters(
        "SQ",
        world.places,
        category=np.concatenate([category, category[again]]),
        unit=np.concatenate([calls.unit[about], calls.unit[about][again]]),
        opened=opened,
        due=opened + APPEAL_DAYS * DAY,
        closed=closed,
        result=np.concatenate([result, np.full(len(again), "explained")]),
        repeats=np.concatenate([np.full(n, NONE), again]),
        extended=extended,
        due_extended=opened + APPEAL_EXTENDED_DAYS * DAY,
        reopened=_midnight(_after(closed, wait, comes_up)),
    )


def orders(world: World) -> Matters:
    """合成作战指令: from the bureau to counties, with deadlines to acknowledge and to finish; a few are cancelled."""
    units = [county.code for county in world.places.counties]
    opened, unit = _arising(world.seed, "orders", world.first_day, world.last_day, units, 0.35)
    draw = Draws(world.seed, "orders", len(opened))
    category = _even(draw, "kind", ("check", "intercept", "support"))
    is_cancelled = draw.share("cancelled") < 0.04
    closed = _after(opened, draw.lognormal("done", 1.2 * DAY, 0.8), draw.share("is done") < 0.95)
    closed = np.where(is_cancelled, opened + draw.lognormal("cancellation", 2400.0, 1.2), closed)
    acknowledged = _after(opened, 20 + draw.lognormal("acknowledged", 600.0, 0.8), draw.share("is acknowledged") < 0.97)
    acknowledged = np.where(acknowledged < closed, acknowledged, NEVER)
    return _matters(
        "ZL",
        world.places,
        category=category,
        unit=unit,
        opened=opened,
        due=opened + np.where(category == "intercept", DAY, 3 * DAY),
        closed=closed,
        result=np.where(is_cancelled, "withdrawn", "done"),
        acknowledge_due=opened + 30 * 60,
        acknowledged=acknowledged,
    )


def duty_orders(world: World) -> Matters:
    """线上值守点调: to stations, to be acknowledged within five minutes; nothing further is asked."""
    units = [station.code for station in world.places.stations]
    opened, unit = _arising(world.seed, "duty orders", world.first_day, world.last_day, units, 0.15)
    draw = Draws(world.seed, "duty orders", len(opened))
    n = len(opened)
    acknowledged = _after(opened, 5 + draw.lognormal("acknowledged", 70.0, 0.9), draw.share("is acknowledged") < 0.985)
    return _matters(
        "DD",
        world.places,
        category=np.full(n, "duty"),
        unit=unit,
        opened=opened,
        due=np.full(n, NEVER),
        closed=np.full(n, NEVER),
        acknowledge_due=opened + 5 * 60,
        acknowledged=acknowledged,
    )


def hazards(world: World) -> Matters:
    """场所设施隐患: found by stations; days only."""
    return _ledger(world, "hazards", "YH", [s.code for s in world.places.stations], 0.10, HAZARD_DAYS, 0.55)


def site_rectifications(world: World) -> Matters:
    """单位检查不合格: found by counties at sites; days only."""
    return _ledger(world, "rectifications", "ZG", [c.code for c in world.places.counties], 0.13, SITE_DAYS, 0.5)


def hotspots(world: World) -> Matters:
    """治安乱点、交通堵点: listed by stations; days only."""
    return _ledger(world, "hotspots", "LD", [s.code for s in world.places.stations], 0.025, HOTSPOT_DAYS, 0.75)


def milestones(world: World) -> Matters:
    """项目里程碑: of the bureau and of counties; days only; some are cancelled."""
    units = [CITY_CODE, *(county.code for county in world.places.counties)]
    planned = _ledger(world, "milestones", "XM", units, 0.06, MILESTONE_DAYS, 0.85)
    cancelled = Draws(world.seed, "milestones", len(planned)).share("cancelled") < 0.04
    return dataclasses.replace(planned, result=np.where(cancelled & (planned.closed != NEVER), "withdrawn", "done"))


def _ledger(world: World, name: str, prefix: str, units: Sequence[str], per_day: float, days: Mapping[str, int], typical: float) -> Matters:
    """Entries of a ledger that knows days only; ``typical`` is the median time of closing as a share of the time allowed."""
    opened, unit = _arising(world.seed, name, world.first_day, world.last_day, units, per_day)
    draw = Draws(world.seed, name, len(opened))
    category = _even(draw, "category", tuple(days))
    allowed = _days_of(category, days)
    closed = _after(opened, draw.lognormal("closed", allowed * np.float64(typical), 0.5), draw.share("is closed") < 0.95)
    first = _midnight(opened)
    return _matters(prefix, world.places, category=category, unit=unit, opened=first, due=first + allowed, closed=_midnight(closed))


def call_numbers(world: World, matters: Matters) -> list[str]:
    """The number of the call that each matter is about; '' where none."""
    return [world.calls.number[call] if call != NO_CALL else "" for call in matters.call.tolist()]
