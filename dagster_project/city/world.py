"""What happened in the city: calls, the cases and disputes that came of them, and the callbacks made afterwards.

Times are seconds as in ``clock``; NEVER where something did not happen. Indexes point into the tables of the same world.
Every draw has its own generator, named after what is drawn, and is made in the order of time: a world that lives longer is the
same world with more days, so that further nights can be delivered without touching the earlier ones.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from dagster_project.city import codes
from dagster_project.city.calendar import day_factors
from dagster_project.city.clock import DAY, NEVER, Seconds, date_of, seconds_of
from dagster_project.city.places import CITY_CODE, Places, found

Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
Indexes = npt.NDArray[np.int64]

CALLS_PER_DAY = 4_500.0
FALL_FROM = dt.date(2025, 1, 1)
MERGER_AFTER_DAYS = 120
DEADLINE_DAYS = 30
CALLBACK_ATTEMPTS = 3
MOST_REPEATS = 10

GATES = 40
FACE_CAMERAS = 12
RAW_GATES = 40

NO_CALL = -1
SAME_MATTER_SECONDS = 60
ROUND_SECONDS = 300
COMPANION_SHARE = 0.012


@dataclass(frozen=True)
class Calls:
    """One row per call form. ``moved``: the category was corrected at that time; ``place_corrected``: the kind of place was."""

    number: list[str]
    unit: Texts
    responder: Texts
    category_first: Indexes
    category: Texts
    channel: Texts
    place: Indexes
    place_first: Indexes
    urgent: Flags
    invalid: Flags
    consultation: Flags
    returned: Flags
    relation: Texts
    related: Indexes
    reported: Seconds
    received: Seconds
    dispatched: Seconds
    arrived: Seconds
    arrival_entered: Seconds
    closed: Seconds
    case_opened: Seconds
    moved: Seconds
    place_corrected: Seconds
    deleted: Seconds

    def __len__(self) -> int:
        return len(self.number)

    @property
    def effective(self) -> Flags:
        effective: Flags = ~self.invalid & ~self.consultation & (self.relation == "")
        return effective


@dataclass(frozen=True)
class Cases:
    number: list[str]
    call: Indexes
    criminal: Flags
    category: Texts
    major: Flags
    unit: Texts
    investigator: Texts
    investigator_after: Texts
    occurred: Seconds
    reported: Seconds
    accepted: Seconds
    filed: Seconds
    transferred: Seconds
    deleted: Seconds

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Events:
    case: Indexes
    event: Texts
    unit: Texts
    happened: Seconds

    def __len__(self) -> int:
        return len(self.case)


@dataclass(frozen=True)
class Disputes:
    """One row per entry in a register; ``dispute`` is equal for entries of one dispute, ``parties`` -1 where unknown."""

    number: list[str]
    dispute: Indexes
    call: Indexes
    origin: Texts
    parties: Indexes
    kind: Texts
    unit: Texts
    opened: Seconds
    due: Seconds
    closed: Seconds
    result: Texts

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Callbacks:
    call: Indexes
    attempt: Indexes
    channel: Texts
    phone_known: Flags
    called: Seconds
    reply: Texts

    def __len__(self) -> int:
        return len(self.call)


@dataclass(frozen=True)
class World:
    """``first_night`` is the first day that is delivered by night.

    ``gates`` and ``face_cameras`` stand in the register on its last delivery; the first ``raw_gates`` gates have a raw feed too.
    """

    seed: int
    first_day: dt.date
    last_day: dt.date
    places: Places
    calls: Calls
    cases: Cases
    events: Events
    disputes: Disputes
    callbacks: Callbacks
    first_night: dt.date | None = None
    gates: int = GATES
    face_cameras: int = FACE_CAMERAS
    raw_gates: int = RAW_GATES


Table = TypeVar("Table", Calls, Cases, Events, Disputes, Callbacks)


def taken(table: Table, rows: Indexes | Flags) -> Table:
    """A table of some rows of another, in the order asked for; a row may come more than once."""
    chosen = np.nonzero(rows)[0] if rows.dtype == np.bool_ else rows
    columns = {f.name: getattr(table, f.name) for f in dataclasses.fields(table)}
    picked: dict[str, Any] = {n: [c[i] for i in chosen.tolist()] if isinstance(c, list) else c[chosen] for n, c in columns.items()}
    return dataclasses.replace(table, **picked)


def generator(seed: int, name: str) -> np.random.Generator:
    """The stream of random numbers of one named purpose."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


@dataclass(frozen=True)
class _Draws:
    """Draws for the rows of one table; every name is a stream of its own, and the first rows draw the same whatever follows."""

    seed: int
    table: str
    rows: int

    def stream(self, name: str) -> np.random.Generator:
        return generator(self.seed, f"{self.table} {name}")

    def share(self, name: str) -> npt.NDArray[np.float64]:
        return self.stream(name).random(self.rows)

    def whole(self, name: str, low: int, high: int) -> Seconds:
        return self.stream(name).integers(low, high, self.rows)

    def lognormal(self, name: str, mean: float | npt.NDArray[np.float64], sigma: float) -> Seconds:
        standard = self.stream(name).standard_normal(self.rows)
        return np.exp(mean + sigma * standard).astype(np.int64)

    def one_of(self, name: str, values: Sequence[str], shares: Sequence[float]) -> Texts:
        picked = np.searchsorted(np.cumsum(shares), self.share(name), side="right")
        return np.array(values)[np.minimum(picked, len(values) - 1)]


@dataclass(frozen=True)
class Settlement:
    """What is put right of the calls before anything comes of them, and of the cases with all that became of them."""

    calls: Callable[[Calls], Calls]
    cases: Callable[[Cases, Events], tuple[Cases, Events]]


UNSETTLED = Settlement(calls=lambda calls: calls, cases=lambda cases, events: (cases, events))


def live(
    seed: int,
    first_day: dt.date,
    last_day: dt.date,
    counties: int,
    stations_per_county: int,
    scale: float,
    settlement: Settlement = UNSETTLED,
) -> World:
    """Let the city live from ``first_day`` to ``last_day``; ``scale`` 1 is a real city: about 4,500 calls a day."""
    places = found(counties, stations_per_county, first_day + dt.timedelta(days=MERGER_AFTER_DAYS))
    calls = settlement.calls(_calls(seed, first_day, last_day, places, scale))
    cases = _cases(seed, calls, places)
    companions = cases.criminal & (cases.filed != NEVER) & (_Draws(seed, "companions", len(cases)).share("of case") < COMPANION_SHARE)
    cases, events = settlement.cases(*with_companions(cases, _events(seed, cases, places), companions.astype(np.int64)))
    calls = with_cases_opened(calls, cases)
    return World(seed, first_day, last_day, places, calls, cases, events, _disputes(seed, calls, places), _callbacks(seed, calls))


def _arrivals(seed: int, first_day: dt.date, days: int, places: Places, scale: float) -> tuple[Seconds, Indexes, Indexes]:
    """Time, station and category of every call, in the order of time."""
    stations = places.stations
    weight = generator(seed, "weights of stations").lognormal(0.0, 0.35, len(stations))
    merged_on = (places.merger - first_day).days
    expected = np.tile(weight / weight.sum(), (days, 1))
    for number, unit in enumerate(stations):
        if unit.successor is not None:
            heir = next(i for i, other in enumerate(stations) if other.code == unit.successor)
            expected[merged_on:, heir] += expected[merged_on:, number]
            expected[merged_on:, number] = 0.0
    busy = day_factors(first_day, days)
    has_fallen = np.arange(days) >= (FALL_FROM - first_day).days
    parts = []
    for index, kind in enumerate(codes.INCIDENTS):
        trend = np.where(has_fallen, kind.fall, 1.0)
        counts = generator(seed, f"calls of {kind.code}").poisson(CALLS_PER_DAY * scale * kind.share * (busy * trend)[:, None] * expected)
        day, station = np.nonzero(counts)
        parts.append(np.repeat(np.stack([day, station, np.full(len(day), index)]), counts[day, station], axis=1))
    day, station, category = np.concatenate(parts, axis=1)
    order = np.lexsort((category, station, day))
    day, station, category = day[order], station[order], category[order]
    draw = _Draws(seed, "calls", len(day))
    shares = np.array([codes.HOURS[kind.hours] for kind in codes.INCIDENTS], dtype=np.float64)
    until_hour = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)
    hour = np.minimum((until_hour[category] <= draw.share("hour")[:, None]).sum(axis=1), 23)
    reported = seconds_of(first_day) + day * DAY + hour * 3600 + draw.whole("second", 0, 3600)
    order = np.lexsort((category, station, reported))
    return reported[order], station[order], category[order]


def _calls(seed: int, first_day: dt.date, last_day: dt.date, places: Places, scale: float) -> Calls:
    reported, station, category = _arrivals(seed, first_day, (last_day - first_day).days + 1, places, scale)
    n = len(reported)
    draw = _Draws(seed, "calls", n)
    stations = places.stations
    code_of_station = np.array([unit.code for unit in stations])
    unit = code_of_station[station]
    rank = draw.share("unit")
    unit[rank < 0.015] = np.array([f"{code[:6]}000000" for code in code_of_station.tolist()])[station][rank < 0.015]
    unit[rank < 0.002] = CITY_CODE

    def chance(name: str, of: Callable[[codes.IncidentCategory], float]) -> Flags:
        likely: Flags = draw.share(name) < np.array([of(kind) for kind in codes.INCIDENTS])[category]
        return likely

    urgent = chance("urgent", lambda kind: kind.urgent)
    street = chance("street", lambda kind: kind.street)
    indoors = np.minimum(np.searchsorted(np.cumsum(codes.INDOOR_SHARES), draw.share("indoors"), side="right"), len(codes.PLACES) - 1)
    place = np.where(street, 0, indoors)
    invalid = (category == codes.INVALID) | (draw.share("invalid") < 0.01)
    consultation = (category == codes.CONSULTATION) & ~invalid
    relation, related = _relations(draw.share("relation"), station, invalid | consultation)
    plain = ~invalid & ~consultation & ~np.isin(relation, ["3", "4"])

    received = reported + draw.whole("receipt", 3, 41)
    is_dispatched = plain & (draw.share("dispatched") < 0.97)
    dispatched = np.where(is_dispatched, received + 15 + draw.lognormal("dispatch", 3.8, 0.7), NEVER)
    travel = 60 + draw.lognormal("travel", np.where(urgent, 5.9, 6.4), 0.55)
    arrival_entered = np.where(is_dispatched, dispatched + travel, NEVER)
    arrived = _entered_arrivals(draw, is_dispatched, reported, dispatched, arrival_entered)
    worked = 300 + draw.lognormal("work", 7.2, 0.7)
    closed = np.where(is_dispatched, arrival_entered + worked, received + draw.whole("short work", 60, 600))
    returned = is_dispatched & (draw.share("returned") < 0.02)
    squads = np.array([places.squad_of(code) for code in code_of_station.tolist()])[station]
    gone_over = (code_of_station[station] == places.handed_over.code) & (reported >= seconds_of(places.handover))
    by_squad = (draw.share("squad") < np.where(urgent, 0.4, 0.15)) | gone_over
    responder = np.where(is_dispatched, np.where(by_squad, squads, code_of_station[station]), "")

    moves_to = np.array([codes.RECLASSIFIED_AS.get(code, "") for code in codes.CODES])[category]
    moves = plain & (moves_to != "") & (draw.share("moves") < 0.06)
    rises_to = np.array([codes.FOUND_GRAVER_AS.get(code, "") for code in codes.CODES])[category]
    rises = plain & (rises_to != "") & (draw.share("rises") < 0.01)
    moved = np.where(moves | rises, closed + draw.whole("move", 2 * 3600, 12 * DAY), NEVER)
    wrong_place = draw.share("wrong place") < 0.01
    return Calls(
        number=_call_numbers(reported, unit),
        unit=unit,
        responder=responder,
        category_first=category,
        category=np.where(moves, moves_to, np.where(rises, rises_to, np.array(codes.CODES)[category])),
        channel=draw.one_of("channel", [code for code, _, _ in codes.CHANNELS], [share for _, _, share in codes.CHANNELS]),
        place=place,
        place_first=np.where(wrong_place, (place + 1) % len(codes.PLACES), place),
        urgent=urgent,
        invalid=invalid,
        consultation=consultation,
        returned=returned,
        relation=relation,
        related=related,
        reported=reported,
        received=received,
        dispatched=dispatched,
        arrived=arrived,
        arrival_entered=arrival_entered,
        closed=closed,
        case_opened=np.full(n, NEVER),
        moved=moved,
        place_corrected=np.where(wrong_place, closed + draw.whole("place correction", 3600, 15 * DAY), NEVER),
        deleted=np.where(draw.share("deleted") < 0.006, closed + draw.whole("deletion", DAY, 20 * DAY), NEVER),
    )


def _entered_arrivals(draw: _Draws, is_dispatched: Flags, reported: Seconds, dispatched: Seconds, true: Seconds) -> Seconds:
    """Times of arrival as entered: some missing, before the report, copied from the report or the dispatch, or rounded by hand."""
    entered = true.copy()
    oddity = draw.share("arrival oddity")
    entered[is_dispatched & (oddity < 0.030)] = NEVER
    early = is_dispatched & (oddity >= 0.030) & (oddity < 0.036)
    entered[early] = (reported - draw.whole("early arrival", 60, 3600))[early]
    as_reported = is_dispatched & (oddity >= 0.036) & (oddity < 0.040)
    entered[as_reported] = reported[as_reported]
    as_dispatched = is_dispatched & (oddity >= 0.040) & (oddity < 0.046)
    entered[as_dispatched] = dispatched[as_dispatched]
    rounded = rounded_down(true)
    by_hand = is_dispatched & (oddity >= 0.046) & (oddity < 0.066) & (rounded > dispatched)
    entered[by_hand] = rounded[by_hand]
    return entered


def rounded_down(time: Seconds) -> Seconds:
    """The last full five minutes."""
    return time // ROUND_SECONDS * ROUND_SECONDS


def _relations(draw: npt.NDArray[np.float64], station: Indexes, excluded: Flags) -> tuple[Texts, Indexes]:
    """Links to the call before at the same station (repeat, chase), or none (officer, nuisance)."""
    previous = np.full(len(station), NO_CALL, dtype=np.int64)
    latest: dict[int, int] = {}
    for row, place in enumerate(station.tolist()):
        previous[row] = latest.get(place, NO_CALL)
        latest[place] = row
    relation = np.full(len(station), "", dtype="<U1")
    bound = 0.0
    for code, _, share in codes.RELATIONS:
        relation[(draw >= bound) & (draw < bound + share)] = code
        bound += share
    linked = np.isin(relation, ["1", "2"])
    relation[excluded | (linked & (previous == NO_CALL))] = ""
    return relation, np.where(np.isin(relation, ["1", "2"]), previous, NO_CALL)


def _call_numbers(reported: Seconds, unit: Texts) -> list[str]:
    """接警单编号: county (6), day (8) and place in the day (5), 19 digits: such runs look like resident IDs and are none."""
    day = reported // DAY
    starts = np.concatenate([[0], np.nonzero(np.diff(day))[0] + 1]) if len(day) else np.array([], dtype=np.int64)
    place = np.arange(len(day)) - np.repeat(starts, np.diff(np.append(starts, len(day)))) + 1
    return [f"{u[:6]}{date_of(t):%Y%m%d}{p:05d}" for u, t, p in zip(unit.tolist(), reported.tolist(), place.tolist(), strict=True)]


def _serials(letters: str, unit: Texts, time: Seconds) -> list[str]:
    """案事件编号 in its 23 characters: letter, unit (12), year and month (6), serial (4)."""
    numbers: list[str] = [""] * len(unit)
    used: dict[tuple[str, str], int] = {}
    for row in np.lexsort((np.arange(len(unit)), time)).tolist():
        month = f"{date_of(int(time[row])):%Y%m}"
        key = (str(unit[row]), month)
        used[key] = used.get(key, 0) + 1
        numbers[row] = f"{letters}{unit[row]}{month}{used[key]:04d}"
    return numbers


def _holder(places: Places, unit: Texts, time: Seconds) -> Texts:
    """The unit that does a unit's work at a time: itself, or since the merger the one that took over."""
    held = unit.copy()
    for place in places.units:
        if place.valid_to is not None and place.successor is not None:
            held[(unit == place.code) & (time >= seconds_of(place.valid_to))] = place.successor
    return held


def _cases(seed: int, calls: Calls, places: Places) -> Cases:
    """Cases of calls, and beside them cases that came over the counter, like a call of the days before but without one."""
    of_call = _Draws(seed, "case of call", len(calls))
    share = np.array([kind.case_share for kind in codes.INCIDENTS])[calls.category_first]
    converted = calls.effective & (calls.moved == NEVER) & (calls.dispatched != NEVER) & (of_call.share("converted") < share)
    alike = converted & (of_call.share("over the counter") < 1 / 12)
    like = np.repeat(np.arange(len(calls)), converted.astype(np.int64) + alike)
    is_second = np.concatenate([[False], like[1:] == like[:-1]]) if len(like) else np.zeros(0, dtype=np.bool_)
    origin = np.where(is_second, NO_CALL, like)
    draw = _Draws(seed, "cases", len(like))
    first = calls.category_first[like]
    criminal = np.array([kind.case_kind == "criminal" for kind in codes.INCIDENTS])[first]
    category = np.array([kind.case_category for kind in codes.INCIDENTS])[first]
    reported = calls.closed[like] + np.where(is_second, draw.whole("walk", 3600, 5 * DAY), draw.whole("wait", 60, 3600))
    accepted = reported + draw.lognormal("acceptance", 8.6, 1.1)
    is_filed = criminal & (draw.share("filed") < 0.93)
    filed = np.where(is_filed, accepted + draw.lognormal("filing", 10.6, 1.0), NEVER)
    unit = _holder(places, calls.unit[like], accepted)
    squads = np.array([places.squad_of(code) if code != CITY_CODE else code for code in unit.tolist()], dtype=unit.dtype)
    investigator = np.where(draw.share("squad") < 0.12, squads, unit)
    leaves = np.array([station.code for station in places.stations if station.valid_to is None])
    elsewhere = leaves[draw.whole("elsewhere", 0, len(leaves))]
    moves = is_filed & (draw.share("transferred") < 0.03) & (elsewhere != investigator)
    transferred = np.where(moves, np.where(is_filed, filed, 0) + draw.whole("transfer", DAY, 40 * DAY), NEVER)
    serious = np.isin(category, sorted(codes.SERIOUS_VIOLENT_CASES))
    return Cases(
        number=case_numbers(unit, accepted),
        call=origin,
        criminal=criminal,
        category=category,
        major=criminal & (draw.share("major") < np.where(serious, 0.6, 0.02)),
        unit=unit,
        investigator=investigator,
        investigator_after=np.where(moves, elsewhere, investigator),
        occurred=reported - draw.lognormal("occurrence", 9.0, 1.2),
        reported=reported,
        accepted=accepted,
        filed=filed,
        transferred=transferred,
        deleted=np.where(draw.share("deleted") < 0.004, accepted + draw.whole("deletion", 2 * DAY, 60 * DAY), NEVER),
    )


def _events(seed: int, cases: Cases, places: Places) -> Events:
    draws = _Draws(seed, "events", len(cases))
    chances = np.stack(
        [draws.share("outcome"), draws.share("after"), -np.log1p(-draws.share("lag")), -np.log1p(-draws.share("charge"))], axis=1
    )
    rows = [(i, *event) for i, chance in enumerate(chances.tolist()) for event in _events_of_case(cases, i, *chance)]
    rows.sort(key=lambda row: (row[3], row[0], row[1]))
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * 4
    happened = np.array(columns[3], dtype=np.int64)
    unit = _holder(places, np.array(columns[2], dtype="<U12"), happened)
    return Events(case=np.array(columns[0], dtype=np.int64), event=np.array(columns[1], dtype="<U20"), unit=unit, happened=happened)


def _events_of_case(cases: Cases, i: int, outcome: float, after: float, lag: float, charge: float) -> Iterator[tuple[str, str, int]]:
    """Event, unit and time of everything that becomes of one case. ``lag`` and ``charge`` are exponential with mean 1."""
    unit = str(cases.investigator_after[i])
    accepted, filed = int(cases.accepted[i]), int(cases.filed[i])
    if not cases.criminal[i]:
        decided, mean = ("penalised", 14.0) if outcome < 0.62 else ("mediated", 8.0) if outcome < 0.78 else ("not_penalised", 20.0)
        if outcome < 0.90:
            yield decided, unit, accepted + 3600 + int(lag * mean * DAY)
        return
    if cases.transferred[i] != NEVER:
        yield "transferred_out", str(cases.investigator[i]), int(cases.transferred[i])
        yield "transferred_in", unit, int(cases.transferred[i]) + 1800
    if filed == NEVER:
        return
    category = str(cases.category[i])
    share, mean = codes.CLEARANCE[category]
    is_serious = category in codes.SERIOUS_VIOLENT_CASES
    lag = min(lag, codes.MOST_MEANS) if is_serious else lag
    if outcome < share:
        before_filing = after < 0.04
        cleared = (accepted + filed) // 2 if before_filing else filed + 1800 + int(lag * mean * DAY)
        yield "cleared", unit, cleared
        if after > 0.4 or is_serious:
            yield "charged", unit, cleared + DAY + int(charge * 30 * DAY)
        if after > 0.985:
            yield "reopened", unit, cleared + 40 * DAY
            yield "cleared", unit, cleared + 55 * DAY
    elif outcome > 0.97:
        yield "withdrawn", unit, filed + 2 * DAY + int(lag * 20 * DAY)
    elif outcome > 0.94:
        yield "otherwise_closed" if outcome > 0.95 else "exceptional", unit, filed + 5 * DAY + int(lag * 60 * DAY)


def with_companions(cases: Cases, events: Events, companions: Indexes) -> tuple[Cases, Events]:
    """Beside each case so many more about the same matter: same call, place, category and time of the offence, filed within minutes.

    What becomes of a case becomes of its companions; the numbers of all cases are given anew.
    """
    copies = 1 + companions
    starts = np.cumsum(copies) - copies
    origin = np.repeat(np.arange(len(cases)), copies)
    place = np.arange(len(origin)) - starts[origin]
    together = taken(cases, origin)
    is_filed = together.filed != NEVER
    last_second = together.filed // DAY * DAY + DAY - 1
    filed = np.where(is_filed, np.minimum(together.filed + np.where(is_filed, place, 0) * SAME_MATTER_SECONDS, last_second), NEVER)
    together = dataclasses.replace(together, filed=filed, number=case_numbers(together.unit, together.accepted))

    copies_of_event = copies[events.case]
    event = np.repeat(np.arange(len(events)), copies_of_event)
    place = np.arange(len(event)) - np.repeat(np.cumsum(copies_of_event) - copies_of_event, copies_of_event)
    followed = taken(events, event)
    moved = dataclasses.replace(followed, case=starts[followed.case] + place, happened=followed.happened + place * SAME_MATTER_SECONDS)
    return together, in_order(moved)


def with_cases_opened(calls: Calls, cases: Cases) -> Calls:
    """The calls, each knowing when the first case was made of it."""
    of_calls = cases.call != NO_CALL
    opened = np.full(len(calls), NEVER)
    np.minimum.at(opened, cases.call[of_calls], cases.accepted[of_calls])
    return dataclasses.replace(calls, case_opened=opened)


def in_order(events: Events) -> Events:
    """Events in the order of time, in which they are delivered."""
    return taken(events, np.lexsort((events.event, events.case, events.happened)))


def case_numbers(unit: Texts, accepted: Seconds) -> list[str]:
    return _serials("A", unit, accepted)


def dispute_numbers(unit: Texts, opened: Seconds) -> list[str]:
    return _serials("TJ", unit, opened)


_Entry = tuple[int, int, str, int, str, str, int, int, int, str]


def _disputes(seed: int, calls: Calls, places: Places) -> Disputes:
    random = generator(seed, "disputes")
    kind_of = np.array([kind.dispute for kind in codes.INCIDENTS])[calls.category_first]
    taken = np.nonzero(calls.effective & (kind_of != "") & (_Draws(seed, "disputes", len(calls)).share("taken") < 0.62))[0]
    rows: list[_Entry] = []
    for parties, call in enumerate(taken.tolist(), start=1):
        rows += _disputes_of_parties(random, parties, call, str(kind_of[call]), str(calls.unit[call]), int(calls.closed[call]))
    rows.sort(key=lambda row: (row[6], row[3], row[0], row[2]))
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * 10
    opened = np.array(columns[6], dtype=np.int64)
    unit = _holder(places, np.array(columns[5], dtype="<U12"), opened)
    return Disputes(
        number=dispute_numbers(unit, opened),
        dispute=np.array(columns[0], dtype=np.int64),
        call=np.array(columns[1], dtype=np.int64),
        origin=np.array(columns[2], dtype="<U8"),
        parties=np.array(columns[3], dtype=np.int64),
        kind=np.array(columns[4], dtype="<U2"),
        unit=unit,
        opened=opened,
        due=np.array(columns[7], dtype=np.int64),
        closed=np.array(columns[8], dtype=np.int64),
        result=np.array(columns[9], dtype="<U12"),
    )


def _disputes_of_parties(random: np.random.Generator, parties: int, call: int, kind: str, unit: str, called: int) -> Iterator[_Entry]:
    """Every register entry of the disputes of two parties: first over their call, then perhaps again, months later and without one.

    The justice bureau enters some disputes too. A new dispute opens at least ten days after the agreement that it breaks.
    """
    known = parties if random.random() >= 0.02 else -1
    opened = called + int(random.exponential(20 * 3600))
    for repeat in range(MOST_REPEATS):
        dispute = parties * MOST_REPEATS + repeat
        closed, result = _outcome(random, opened)
        due = opened + DEADLINE_DAYS * DAY
        over = call if repeat == 0 else NO_CALL
        yield dispute, over, "110" if repeat == 0 else "station", known, kind, unit, opened, due, closed, result
        if known > 0 and random.random() < 0.08:
            entered = opened + int(random.integers(600, 30 * 3600))
            finished = NEVER if closed == NEVER else max(closed + int(random.integers(0, 6 * 3600)), entered + 600)
            yield dispute, over, "justice", known, kind, unit, entered, due, finished, result
        if result != "agreement" or known < 0 or random.random() >= 0.11:
            return
        opened = closed + int(random.integers(10 * DAY, 260 * DAY))


def _outcome(random: np.random.Generator, opened: int) -> tuple[int, str]:
    if random.random() < 0.05:
        return NEVER, ""
    closed = opened + 3600 + int(random.gamma(1.6, 5.0) * DAY)
    return closed, str(random.choice([r for r, _, _ in codes.RESULTS], p=[p for _, _, p in codes.RESULTS]))


def _callbacks(seed: int, calls: Calls) -> Callbacks:
    of_call = _Draws(seed, "callback of call", len(calls))
    chosen = np.nonzero(calls.effective & (of_call.share("chosen") < 0.42))[0]
    phone_known = of_call.share("phone") >= 0.04
    by_phone = of_call.share("by phone") < 0.9
    draw = _Draws(seed, "callbacks", len(chosen) * CALLBACK_ATTEMPTS)
    shape = (len(chosen), CALLBACK_ATTEMPTS)
    replies = draw.one_of("reply", [reply for reply, _, _ in codes.REPLIES], [share for _, _, share in codes.REPLIES]).reshape(shape)
    lags, seconds = draw.whole("lag", 1, 4).reshape(shape), draw.whole("second", 9 * 3600, 20 * 3600).reshape(shape)
    rows: list[tuple[int, int, str, bool, int, str]] = []
    for k, i in enumerate(chosen.tolist()):
        day = int(calls.closed[i]) // DAY
        for attempt in range(CALLBACK_ATTEMPTS):
            day += int(lags[k, attempt])
            reply = str(replies[k, attempt])
            rows.append((i, attempt + 1, "1" if by_phone[i] else "2", bool(phone_known[i]), day * DAY + int(seconds[k, attempt]), reply))
            if reply != "5":
                break
    rows.sort(key=lambda row: (row[4], row[0], row[1]))
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * 6
    return Callbacks(
        call=np.array(columns[0], dtype=np.int64),
        attempt=np.array(columns[1], dtype=np.int64),
        channel=np.array(columns[2], dtype="<U1"),
        phone_known=np.array(columns[3], dtype=np.bool_),
        called=np.array(columns[4], dtype=np.int64),
        reply=np.array(columns[5], dtype="<U1"),
    )
