"""Road accidents as the traffic bureau enters them, and what they cost: lives, injuries, money. A death within seven days still counts."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dagster_project.city import codes, people
from dagster_project.city.clock import DAY, NEVER, compact, date_of, seconds_of
from dagster_project.city.deliveries import REPEATED_NIGHT, Batch, Book, Source
from dagster_project.city.deliveries import deliver as deliver_source
from dagster_project.city.extracts import standing
from dagster_project.city.faults import RowFault, replaced
from dagster_project.city.files import Row, write_csv
from dagster_project.city.places import UNASSIGNED, UNKNOWN_CODE
from dagster_project.city.registers import VEHICLES_PER_PERSON, residents, stocks
from dagster_project.city.shaping import Draws, as_rows, ended, latest, leaf_of, yes_no
from dagster_project.city.tally import Tally
from dagster_project.city.world import FALL_FROM, Flags, Indexes, Texts, World

ACCIDENT_CATEGORY = codes.CODES.index("03010101")
ENTERED_SHARE = 0.35
GENERAL_SHARE = 0.45
DEATH_WINDOW_DAYS = 7
FALL_OF_ACCIDENTS = 0.75
FALL_OF_DEATHS = 0.5
DEADLY_SHARE = 0.08


@dataclass(frozen=True)
class Accidents:
    """One row per accident. ``died_later``: somebody injured died, within the window, at that time."""

    number: list[str]
    unit: Texts
    happened: Indexes
    entered: Indexes
    general: Flags
    killed: Indexes
    seriously_injured: Indexes
    injured: Indexes
    loss_fen: Indexes
    died_later: Indexes
    deleted: Indexes

    def __len__(self) -> int:
        return len(self.number)


def crash(world: World) -> Accidents:
    """The accidents of the city: some of those that were called in, since New Year 2025 fewer of them, and fewer that kill."""
    calls = world.calls
    draw = Draws(world.seed, "accidents", len(calls))
    has_fallen = calls.reported >= seconds_of(FALL_FROM)
    entered_share = ENTERED_SHARE * np.where(has_fallen, FALL_OF_ACCIDENTS, 1.0)
    chosen = np.nonzero((calls.category_first == ACCIDENT_CATEGORY) & calls.effective & (draw.share("entered") < entered_share))[0]

    def of_chosen(values: Indexes) -> Indexes:
        return values[chosen]

    general = draw.share("general")[chosen] < GENERAL_SHARE
    deadly = general & (draw.share("deadly")[chosen] < DEADLY_SHARE * np.where(has_fallen[chosen], FALL_OF_DEATHS, 1.0))
    killed = np.where(deadly, 1 + (draw.share("several")[chosen] < 0.15) + 2 * (draw.share("many")[chosen] < 0.04), 0)
    seriously = np.where(general & (draw.share("serious")[chosen] < 0.2), of_chosen(draw.whole("seriously injured", 1, 3)), 0)
    injured = np.where(general, np.maximum(seriously, of_chosen(draw.whole("injured", 0, 4))), 0)
    entered = calls.closed[chosen] + of_chosen(draw.whole("entry", 600, 20 * 3600))
    dies = (seriously > 0) & (draw.share("dies")[chosen] < 0.08)
    return Accidents(
        number=[f"SG{calls.number[c]}" for c in chosen.tolist()],
        unit=calls.unit[chosen],
        happened=calls.reported[chosen] - of_chosen(draw.whole("before the call", 60, 1800)),
        entered=entered,
        general=general,
        killed=killed,
        seriously_injured=seriously,
        injured=injured,
        loss_fen=of_chosen(draw.lognormal("loss", 250_000.0, 1.1)),
        died_later=np.where(dies, entered + of_chosen(draw.whole("death", 3600, (DEATH_WINDOW_DAYS - 1) * DAY)), NEVER),
        deleted=np.where(draw.share("deleted")[chosen] < 0.004, entered + of_chosen(draw.whole("deletion", DAY, 20 * DAY)), NEVER),
    )


def accidents_source(world: World) -> Source:
    """交通事故: GBK CSV of the traffic bureau, delta; driver, plate and licence stand in it and are dropped.

    GBK knows less than GB18030: names that it cannot print are entered with another character.
    """
    accidents = crash(world)
    changes = ended(np.stack([accidents.entered, accidents.died_later, accidents.deleted], axis=1), accidents.deleted)
    header = (
        "SGBH", "SGFSSJ", "GLBM", "CLCX", "SWRS7", "ZSRS", "SSRS", "ZJCCSS", "LM", "DSRXM", "HPHM", "JSZH", "SCBS", "GXSJ",
    )  # fmt: skip
    drivers = [name.replace("䶮", "龑") for name in people.names(world.seed, "drivers", len(accidents))]
    licences = people.identity_numbers(world.seed, "drivers", len(accidents))
    roads = people.addresses(world.seed, "accidents", len(accidents))
    plate = Draws(world.seed, "plates of accidents", len(accidents)).whole("plate", 0, 100_000).tolist()

    def rows(members: Indexes, until: int) -> list[Row]:
        m = members.tolist()
        died = (accidents.died_later[members] < until).astype(np.int64)
        return as_rows(
            [
                [accidents.number[i] for i in m],
                compact(accidents.happened[members]),
                accidents.unit[members].tolist(),
                ["1" if general else "2" for general in accidents.general[members].tolist()],
                (accidents.killed[members] + died).tolist(),
                (accidents.seriously_injured[members] - died).tolist(),
                (accidents.injured[members] - died).tolist(),
                [f"{fen / 100:.2f}" for fen in accidents.loss_fen[members].tolist()],
                [roads[i] for i in m],
                [drivers[i] for i in m],
                [f"澜A{plate[i]:05d}" for i in m],
                [licences[i] for i in m],
                yes_no(accidents.deleted[members] < until),
                compact(latest(changes[members], until)),
            ]
        )

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_csv(path, names, body, encoding="gbk")

    return Source(
        source_id="accident_form", domain="traffic", header=header, changes=changes, rows=rows, write=write,
        file_name=lambda batch, part: f"SGXX_{batch.date:%Y%m%d}.csv",
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_date", 0.001, "quarantined", "bad_type:happened_at", replaced("SGFSSJ", "20250229120000")),
            RowFault("bad_code", 0.001, "quarantined", "unknown_code:procedure", replaced("CLCX", "7")),
            RowFault("negative_number", 0.001, "quarantined", "rule:not_negative", replaced("SSRS", "-1")),
            RowFault("unknown_unit", 0.002, "accepted", "", replaced("GLBM", UNKNOWN_CODE)),
        ),
        late=True,
        repeated_night=REPEATED_NIGHT,
    )  # fmt: skip


def deliver(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Deliver the accidents."""
    deliver_source(accidents_source(world), out, plan, world.seed, book)


COVERED: dict[str, tuple[str, ...]] = {
    "TR-1.accidents": ("", "feed", "excluded"),
    "TR-1.deaths": ("", "road_user", "feed", "square", "excluded"),
    "TR-1.ksi": ("", "severity", "road_user", "feed", "square", "excluded"),
    "TR-2": ("", "square"),
}


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Accidents with casualties, persons killed and seriously injured, and deaths per vehicle-day from the first accident on."""
    accidents = crash(world)
    until = seconds_of(as_of) + DAY
    known = [(i, state) for i, state in book.known("accident_form", until) if accidents.deleted[i] >= state.until]
    for i, state in known:
        moment = int(accidents.happened[i])
        unit, day = leaf_of(world, str(accidents.unit[i]), moment, state), date_of(moment)
        died = int(accidents.died_later[i] < state.until)
        killed, seriously = int(accidents.killed[i]) + died, int(accidents.seriously_injured[i]) - died
        if killed + int(accidents.injured[i]) - died:
            tally.add("TR-1.accidents", unit, day, ("", "feed:accident"), 1, 0)
        else:
            tally.add("TR-1.accidents", unit, day, ("excluded:no_casualty",), 1, 0)
        tally.add("TR-1.deaths", unit, day, ("", "road_user:unknown", "feed:accident"), killed, 0)
        tally.add("TR-1.deaths", unit, day, ("square:accident",), killed * killed, 0)
        tally.add("TR-1.ksi", unit, day, ("", "severity:fatal", "road_user:unknown", "feed:accident"), killed, 0)
        tally.add("TR-1.ksi", unit, day, ("", "severity:serious", "road_user:unknown", "feed:accident"), seriously, 0)
        tally.add("TR-1.ksi", unit, day, ("square:accident",), (killed + seriously) ** 2, 0)
        tally.add("TR-2", unit, day, ("",), killed, 0)
        tally.add("TR-2", unit, day, ("square:accident",), killed * killed, 0)
    if known:
        first = min(date_of(int(accidents.happened[i])) for i, _ in known)
        for (unit, day), vehicles in vehicle_days(world, book, first, as_of).items():
            tally.add("TR-2", unit, day, ("",), 0, vehicles)


def vehicle_days(world: World, book: Book, first: dt.date, last: dt.date) -> dict[tuple[str, dt.date], int]:
    """Registered vehicles of every unit on every day, as the last register delivered says."""
    until = seconds_of(last) + DAY
    kinds = list(VEHICLES_PER_PERSON.values())
    result: defaultdict[tuple[str, dt.date], int] = defaultdict(int)
    found = list(standing(book, "vehicle_stock", until))
    held = {stock[0]: stock for stock in stocks(world, date_of(found[0][1].until - 1))} if found else {}
    for record, state in found:
        _, station, half, begins, ends = held[record // len(kinds)]
        vehicles = round(residents(world, station, half) * kinds[record % len(kinds)])
        for number in range((last - first).days + 1):
            day = first + dt.timedelta(days=number)
            if begins <= day and (ends is None or day < ends):
                unit = UNASSIGNED if state.unknown_unit else world.places.leaf(station.code, day)
                result[unit, day] += vehicles
    return result
