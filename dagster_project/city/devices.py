"""Devices of the police: cameras, vehicle gates, radios, terminals, how long each was online on every day, and what gates recorded.

Devices only: nothing that a camera or a gate saw of anybody is delivered here. Platforms keep the days of two months, those with many devices of a week.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from dagster_project.city import people
from dagster_project.city.account import PASSAGES_PER_GATE
from dagster_project.city.calendar import day_factor
from dagster_project.city.clock import DAY, NEVER, date_of, seconds_of, spelled
from dagster_project.city.deliveries import MISSING_NIGHT, RENAMED_UNIT_NIGHT, REPEATED_NIGHT, Accepted, Batch, Book, Source, lost_at_first
from dagster_project.city.deliveries import deliver as deliver_source
from dagster_project.city.extracts import half_year, standing
from dagster_project.city.faults import RowFault, choose, replaced
from dagster_project.city.files import Cell, Row, write_csv, write_json
from dagster_project.city.places import FOUNDED, UNASSIGNED, UNKNOWN_CODE
from dagster_project.city.shaping import Draws, as_rows
from dagster_project.city.tally import Tally
from dagster_project.city.world import Indexes, World, generator

KEPT_DAYS = (7, 60)
KEPT_GATE_DAYS = 75_000
SPARE_SHARE = 0.06
TAKEN_DOWN_BEFORE = 30
ALL_DAY = 1440
SHIFT = 600
MEAN_DAY_FACTOR = float(np.mean([day_factor(dt.date(2025, 1, 1) + dt.timedelta(days=n)) for n in range(365)]))


@dataclass(frozen=True)
class Kind:
    """``code`` is the platform's, ``type_code`` the three digits of GB/T 28181; ``minutes`` is a day's schedule."""

    name: str
    code: str
    type_code: str
    title: str
    per_station: int
    minutes: int


KINDS = (
    Kind("camera", "01", "132", "视频监控", 2, ALL_DAY),
    Kind("face_camera", "02", "131", "人像识别前端", 0, ALL_DAY),
    Kind("gate", "03", "121", "车辆卡口", 0, ALL_DAY),
    Kind("radio", "04", "139", "350兆电台", 1, SHIFT),
    Kind("mobile_terminal", "05", "138", "移动警务终端", 2, SHIFT),
    Kind("site_terminal", "06", "134", "民爆物品监控终端", 1, ALL_DAY),
)
GATE = next(kind for kind in KINDS if kind.name == "gate")
REGISTER = "device_register"
PUBLISHED_DAYS = 7
GATE_FAULTS = (
    RowFault("duplicate_row", 0.002, "duplicate"),
    RowFault("bad_date", 0.001, "quarantined", "bad_type:observed_on", replaced("TJRQ", "20250230")),
    RowFault("impossible_time", 0.001, "quarantined", "rule:online_within_schedule", replaced("ZXSC", "9999")),
    RowFault("unknown_unit", 0.002, "accepted", "", replaced("SSDW", UNKNOWN_CODE)),
)
REGISTER_FAULTS = (
    RowFault("bad_code", 0.004, "quarantined", "unknown_code:category", replaced("SBLX", "999")),
    RowFault("bad_number", 0.004, "quarantined", "rule:device_number_form", replaced("SBBM", "9901-12")),
    RowFault("unknown_unit", 0.004, "accepted", "", replaced("SSDW", UNKNOWN_CODE)),
)
OF_SOURCE = {"gate_day": ("gate",), "video_day": ("camera", "face_camera", "site_terminal"), "terminal_day": ("radio", "mobile_terminal")}


@dataclass(frozen=True)
class Device:
    number: str
    kind: str
    code: str
    name: str
    unit: str
    valid_from: dt.date
    valid_to: dt.date | None

    def stands_on(self, day: dt.date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


def device_number(division: str, type_code: str, serial: int) -> str:
    """20 digits in the form of GB/T 28181: division and level (8), trade (2), type (3), network (1), serial (6)."""
    return f"{division}00{'05'}{type_code}0{serial:06d}"


def gate_numbers(gates: int, counties: int) -> list[str]:
    """The numbers of the city's vehicle gates, which go round its counties."""
    return _round_numbers(GATE, gates, counties)


def _round_numbers(kind: Kind, devices: int, counties: int) -> list[str]:
    return [device_number(f"9901{device % counties + 1:02d}", kind.type_code, device) for device in range(devices)]


def furnish(world: World) -> list[Device]:
    """Every device that the city ever has, in a fixed order."""
    devices: list[Device] = []
    stations = world.places.stations
    counties = len(world.places.counties)
    asked = {"gate": world.gates, "face_camera": world.face_cameras}
    of_county: defaultdict[str, list[str]] = defaultdict(list)
    for station in stations:
        of_county[station.code[:6]].append(station.code)
    for kind in KINDS:
        if kind.name in asked:
            spares = int(SPARE_SHARE * asked[kind.name]) + 1 if asked[kind.name] else 0
            numbers = _round_numbers(kind, asked[kind.name] + spares, counties)
            owners = [of_county[number[:6]][device // counties % len(of_county[number[:6]])] for device, number in enumerate(numbers)]
        else:
            owners = [station.code for station in stations for _ in range(kind.per_station)]
            numbers = [device_number(owner[:6], kind.type_code, serial) for serial, owner in enumerate(owners)]
        draw = Draws(world.seed, f"devices {kind.name}", len(owners))
        is_new, is_retired = draw.share("new") < 0.08, draw.share("retired") < 0.06
        begins, ends = draw.whole("begins", 0, 420), draw.whole("ends", 60, 430)
        for i, (number, owner) in enumerate(zip(numbers, owners, strict=True)):
            first = world.first_day + dt.timedelta(days=int(begins[i])) if is_new[i] else FOUNDED
            last = world.first_day + dt.timedelta(days=int(ends[i])) if is_retired[i] and not is_new[i] else None
            devices.append(Device(number, kind.name, kind.code, f"{kind.title}{i + 1:05d}", owner, first, last))
    return devices if world.first_night is None else _as_registered(world, devices, world.first_night, asked)


def _as_registered(world: World, devices: list[Device], first_night: dt.date, asked: Mapping[str, int]) -> list[Device]:
    """As many are taken down, or left standing, as it takes for the register to show the asked numbers once it was delivered last."""
    random = generator(world.seed, f"faults of {REGISTER}")
    for night in range(RENAMED_UNIT_NIGHT + 1):
        day = first_night + dt.timedelta(days=night - 1)
        if night in (0, RENAMED_UNIT_NIGHT) or half_year(day) == day:
            listed = [i for i, device in enumerate(devices) if device.valid_from <= day]
            chosen = choose(len(listed), REGISTER_FAULTS, random, 1 if night == 0 else 0)
    lost = {listed[place] for place, fault in chosen.items() if fault.fate == "quarantined"}
    known = [i for i in listed if i not in lost]
    taken_down = first_night - dt.timedelta(days=TAKEN_DOWN_BEFORE)
    settled = list(devices)
    for kind, number in asked.items():
        of_kind = generator(world.seed, f"settled {kind}").permutation([i for i in known if devices[i].kind == kind]).tolist()
        stands = [i for i in of_kind if devices[i].stands_on(day)]
        for i in [i for i in stands if devices[i].valid_from < taken_down][: max(len(stands) - number, 0)]:
            settled[i] = dataclasses.replace(devices[i], valid_to=taken_down)
        for i in [i for i in of_kind if not devices[i].stands_on(day)][: max(number - len(stands), 0)]:
            settled[i] = dataclasses.replace(devices[i], valid_to=None)
    return settled


@dataclass(frozen=True)
class DeviceDays:
    """One row per device and day that the platform reports. ``restated``: more records of that day arrived afterwards."""

    device: Indexes
    day: Indexes
    scheduled: Indexes
    online: Indexes
    records_first: Indexes
    records: Indexes
    created: Indexes
    restated: Indexes

    def __len__(self) -> int:
        return len(self.device)


def first_kept_day(world: World) -> dt.date:
    """The first day that the platforms still hold when they deliver for the first time."""
    least, most = KEPT_DAYS
    kept = min(max(KEPT_GATE_DAYS // max(world.gates, 1), least), most)
    return max(world.first_day, (world.first_night or world.last_day) - dt.timedelta(days=kept))


def run(world: World, devices: Sequence[Device], kinds: Sequence[str]) -> DeviceDays:
    """What happened to the devices of some kinds day by day: schedules, outages, days without a report, and records of gates."""
    members = np.array([i for i, device in enumerate(devices) if device.kind in kinds], dtype=np.int64)
    minutes = np.array([next(kind.minutes for kind in KINDS if kind.name == devices[i].kind) for i in members], dtype=np.int64)
    begins = np.array([seconds_of(devices[i].valid_from) for i in members], dtype=np.int64)
    ends = np.array([NEVER if (last := devices[i].valid_to) is None else seconds_of(last) for i in members], dtype=np.int64)
    is_gate = np.array([devices[i].kind == "gate" for i in members], dtype=np.bool_)
    busy = generator(world.seed, f"traffic at {kinds[0]}").gamma(3.0, 1 / 3.0, len(members))
    busy = busy / busy.mean() if len(members) else busy
    columns: list[tuple[Indexes, ...]] = []
    for number in range((world.last_day - first_kept_day(world)).days + 1):
        day = first_kept_day(world) + dt.timedelta(days=number)
        midnight = seconds_of(day)
        draw = Draws(world.seed, f"{kinds[0]} on {day}", len(members))
        scheduled = np.where(draw.share("maintenance") < 0.01, 0, minutes)
        up = np.where(draw.share("outage") < 0.06, draw.share("up") * (draw.share("dead") > 0.25), 1.0)
        online = np.floor(scheduled * up).astype(np.int64)
        expected = PASSAGES_PER_GATE * busy * day_factor(day) / MEAN_DAY_FACTOR * (online / np.maximum(scheduled, 1))
        records = np.where(is_gate, generator(world.seed, f"records of {kinds[0]} on {day}").poisson(expected), 0)
        records = np.where(draw.share("mute") < 0.006, 0, records)
        is_restated = is_gate & (records > 0) & (draw.share("restated") < 0.02)
        withheld = np.where(is_restated, np.floor(records * 0.2 * draw.share("withheld")).astype(np.int64) + 1, 0)
        there = (begins <= midnight) & (midnight < ends) & (draw.share("unreported") >= 0.006)
        created = np.full(len(members), midnight + DAY - 60)
        restated = np.where(is_restated, midnight + DAY + 3600 * 3, NEVER)
        full = np.full(len(members), midnight)
        columns.append(tuple(c[there] for c in (members, full, scheduled, online, records - withheld, records, created, restated)))
    days = DeviceDays(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))
    return _as_published(world, days) if "gate" in kinds else days


def _as_published(world: World, days: DeviceDays) -> DeviceDays:
    """The records of the last week of the initial load, so many that those that a pool can know come to the published ones of each gate."""
    first_night = world.first_night
    if first_night is None:
        return days
    begin, end = seconds_of(first_night - dt.timedelta(days=PUBLISHED_DAYS)), seconds_of(first_night)
    in_week = (days.day >= begin) & (days.day < end)
    known = int(days.records[in_week & ~lost_at_first("gate_day", days.created, GATE_FAULTS, first_night, world.seed)].sum())
    if known == 0:
        return days
    factor = np.where(in_week, PASSAGES_PER_GATE * PUBLISHED_DAYS * world.gates / known, 1.0)
    first, last = (np.rint(records * factor).astype(np.int64) for records in (days.records_first, days.records))
    return dataclasses.replace(days, records_first=first, records=last)


@dataclass(frozen=True)
class Reported:
    """Device-days as known at a moment, column by column."""

    device: list[Device]
    day: list[dt.date]
    scheduled: list[int]
    online: list[int]
    records: list[int]
    updated: list[str]

    @property
    def numbers(self) -> list[str]:
        return [device.number for device in self.device]

    @property
    def units(self) -> list[str]:
        return [device.unit for device in self.device]

    @property
    def codes(self) -> list[str]:
        return [device.code for device in self.device]


def _source(
    world: World, source_id: str, header: tuple[str, ...], columns: Callable[[Reported], Sequence[Sequence[Cell]]], **options: object
) -> Source:
    """A source of device-days; ``columns`` prints those of a file."""
    devices = furnish(world)
    days = run(world, devices, OF_SOURCE[source_id])

    def rows(members: Indexes, until: int) -> list[Row]:
        is_restated = days.restated[members] < until
        reported = Reported(
            device=[devices[i] for i in days.device[members].tolist()],
            day=[date_of(day) for day in days.day[members].tolist()],
            scheduled=days.scheduled[members].tolist(),
            online=days.online[members].tolist(),
            records=np.where(is_restated, days.records[members], days.records_first[members]).tolist(),
            updated=spelled(np.where(is_restated, days.restated[members], days.created[members])),
        )
        return as_rows(columns(reported))

    plain = Source(
        source_id=source_id, domain="equipment", header=header, changes=np.stack([days.created, days.restated], axis=1), rows=rows,
        write=lambda path, names, body: write_csv(path, names, body, encoding="gb18030"),
        file_name=lambda batch, part: f"{source_id}_{batch.date:%Y%m%d}.csv", faults=(),
    )  # fmt: skip
    return dataclasses.replace(plain, **options)  # type: ignore[arg-type]


def gate_days(world: World) -> Source:
    """卡口运行日报: GB18030 CSV, delta: a day is restated when records that a gate had kept back arrive."""
    header = ("SBBM", "TJRQ", "SSDW", "YZXSC", "ZXSC", "GCSL", "GXSJ")

    def columns(of: Reported) -> Sequence[Sequence[Cell]]:
        return of.numbers, [f"{day:%Y%m%d}" for day in of.day], of.units, of.scheduled, of.online, of.records, of.updated

    return _source(
        world, "gate_day", header, columns,
        faults=GATE_FAULTS,
        late=True,
        repeated_night=REPEATED_NIGHT,
    )  # fmt: skip


def video_days(world: World) -> Source:
    """视频联网平台设备在线日报: JSON, append with a key, null reserved columns."""
    header = ("sbbm", "sblx", "dwdm", "tjrq", "yzxsc", "zxsc", "reserver01", "reserver02")

    def columns(of: Reported) -> Sequence[Sequence[Cell]]:
        nothing = [None] * len(of.day)
        return of.numbers, of.codes, of.units, [day.isoformat() for day in of.day], of.scheduled, of.online, nothing, nothing

    return _source(
        world, "video_day", header, columns,
        write=lambda path, names, body: write_json(path, names, body, ("data", "list")),
        file_name=lambda batch, part: f"sbzx_{batch.date:%Y%m%d}.json",
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_code", 0.001, "quarantined", "unknown_code:device_kind", replaced("sblx", "88")),
            RowFault("bad_number", 0.001, "quarantined", "rule:device_number_form", replaced("sbbm", "990101000513200000X")),
            RowFault("unknown_unit", 0.002, "accepted", "", replaced("dwdm", UNKNOWN_CODE)),
        ),
        missing_night=MISSING_NIGHT,
    )  # fmt: skip


def terminal_days(world: World) -> Source:
    """终端在线日报: UTF-8 CSV of the terminal platform; the officer who carried the terminal stands in it and is dropped."""
    header = ("终端编号", "终端类型", "所属单位", "日期", "应在线分钟", "在线分钟", "使用人姓名", "使用人警号")
    carriers = people.names(world.seed, "carriers of terminals", 500)

    def columns(of: Reported) -> Sequence[Sequence[Cell]]:
        bearer = [int(number[-6:]) % len(carriers) for number in of.numbers]
        return (
            of.numbers, of.codes, of.units, [day.isoformat() for day in of.day], of.scheduled, of.online, [carriers[b] for b in bearer],
            [f"9{b:05d}" for b in bearer],
        )  # fmt: skip

    return _source(
        world, "terminal_day", header, columns,
        write=lambda path, names, body: write_csv(path, names, body, encoding="utf-8"),
        file_name=lambda batch, part: f"终端在线_{batch.date:%Y%m%d}.csv",
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_date", 0.001, "quarantined", "bad_type:observed_on", replaced("日期", "昨日")),
            RowFault("unknown_unit", 0.002, "accepted", "", replaced("所属单位", UNKNOWN_CODE)),
        ),
    )  # fmt: skip


def deliver(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Deliver the device-days of every platform."""
    for source in (gate_days(world), video_days(world), terminal_days(world)):
        deliver_source(source, out, plan, world.seed, book)


COVERED: dict[str, tuple[str, ...]] = {
    "EQ-1": ("", "device_kind", "excluded"),
    "EQ-1.days": ("", "device_kind", "excluded"),
    "EQ-2.volume": ("", "excluded"),
    "EQ-2.gap": ("", "excluded"),
    "EQ-4.devices": ("", "device_kind"),
}


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Minutes online, records of gates, days on which a gate recorded nothing, and devices registered."""
    devices = furnish(world)
    until = seconds_of(as_of) + DAY
    sums: defaultdict[tuple[str, str, dt.date, str], list[int]] = defaultdict(lambda: [0, 0])
    quiet: dict[tuple[int, dt.date], str] = {}
    first: dt.date | None = None
    reported_days = {as_of}
    leaf = cache(lambda unit, is_merged: world.places.leaf(unit, world.places.merger if is_merged else world.first_day))

    def place(unit: str, day: dt.date, state: Accepted) -> str:
        return UNASSIGNED if state.unknown_unit else str(leaf(unit, day >= world.places.merger))

    def add(kpi_id: str, unit: str, day: dt.date, cell: str, numerator: int, denominator: int) -> None:
        entry = sums[kpi_id, unit, day, cell]
        entry[0] += numerator
        entry[1] += denominator

    for source_id, kinds in OF_SOURCE.items():
        days = run(world, devices, kinds)
        column = {
            name: getattr(days, name).tolist() for name in ("device", "day", "scheduled", "online", "records_first", "records", "restated")
        }
        for m, state in book.known(source_id, until):
            i, day, scheduled = column["device"][m], date_of(column["day"][m]), column["scheduled"][m]
            kind, unit = devices[i].kind, place(devices[i].unit, day, state)
            reported_days.add(day)
            for cell in ("", f"device_kind:{kind}") if scheduled else ():
                add("EQ-1", unit, day, cell, column["online"][m], scheduled)
                add("EQ-1.days", unit, day, cell, 1, 0)
            for kpi_id in () if scheduled else ("EQ-1", "EQ-1.days"):
                add(kpi_id, unit, day, "excluded:not_scheduled", 1, 0)
            if kind != "gate":
                add("EQ-2.volume", unit, day, "excluded:other_device", 1, 0)
                continue
            first = day if first is None else min(first, day)
            records = column["records"][m] if column["restated"][m] < state.until else column["records_first"][m]
            add("EQ-2.volume", unit, day, "", records, 0)
            if not scheduled:
                quiet[i, day] = "not_scheduled"
            elif records:
                quiet[i, day] = ""
    for i, state in standing(book, REGISTER, until):
        device = devices[i]
        ends = device.valid_to if device.valid_to is not None and seconds_of(device.valid_to) < state.until else None
        for day in reported_days:
            if device.valid_from <= day and (ends is None or day < ends):
                unit = place(device.unit, day, state)
                add("EQ-4.devices", unit, day, "", 1, 0)
                add("EQ-4.devices", unit, day, f"device_kind:{device.kind}", 1, 0)
        if first is None or device.kind != "gate":
            continue
        for number in range((as_of - first).days + 1):
            day = first + dt.timedelta(days=number)
            if day < device.valid_from or (ends is not None and day >= ends):
                continue
            unit = place(device.unit, day, state)
            if quiet.get((i, day)) == "not_scheduled":
                add("EQ-2.gap", unit, day, "excluded:not_scheduled", 1, 0)
            else:
                add("EQ-2.gap", unit, day, "", int((i, day) not in quiet), 1)
    for (kpi_id, unit, day, cell), (numerator, denominator) in sums.items():
        tally.add(kpi_id, unit, day, (cell,), numerator, denominator)
