"""Devices of the police: cameras, vehicle gates, radios, terminals, how long each was online on every day, and what gates recorded.

Devices only: nothing that a camera or a gate saw of anybody is delivered here. Platforms keep the days of two months.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from dagster_project.city import people
from dagster_project.city.calendar import day_factor
from dagster_project.city.clock import DAY, NEVER, date_of, seconds_of, spelled
from dagster_project.city.deliveries import MISSING_NIGHT, REPEATED_NIGHT, Accepted, Batch, Book, Source
from dagster_project.city.deliveries import deliver as deliver_source
from dagster_project.city.extracts import standing
from dagster_project.city.faults import RowFault, replaced
from dagster_project.city.files import Cell, Row, write_csv, write_json
from dagster_project.city.places import FOUNDED, UNASSIGNED, UNKNOWN_CODE
from dagster_project.city.shaping import Draws, as_rows
from dagster_project.city.tally import Tally
from dagster_project.city.world import Indexes, World, generator

KEPT_DAYS = 60
PASSAGES_PER_GATE = 3818
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
    Kind("face_camera", "02", "131", "人像识别前端", 1, ALL_DAY),
    Kind("gate", "03", "121", "车辆卡口", 0, ALL_DAY),
    Kind("radio", "04", "139", "350兆电台", 1, SHIFT),
    Kind("mobile_terminal", "05", "138", "移动警务终端", 2, SHIFT),
    Kind("site_terminal", "06", "134", "民爆物品监控终端", 1, ALL_DAY),
)
GATE = next(kind for kind in KINDS if kind.name == "gate")
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
    return [device_number(f"9901{gate % counties + 1:02d}", GATE.type_code, gate) for gate in range(gates)]


def furnish(world: World) -> list[Device]:
    """Every device that the city ever has, in a fixed order."""
    devices: list[Device] = []
    stations = world.places.stations
    counties = len(world.places.counties)
    for kind in KINDS:
        if kind.name == "gate":
            numbers = gate_numbers(world.gates, counties)
            of_county: defaultdict[str, list[str]] = defaultdict(list)
            for station in stations:
                of_county[station.code[:6]].append(station.code)
            owners = [of_county[number[:6]][gate // counties % len(of_county[number[:6]])] for gate, number in enumerate(numbers)]
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
    return devices


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
    return max(world.first_day, (world.first_night or world.last_day) - dt.timedelta(days=KEPT_DAYS))


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
    return DeviceDays(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))


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
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_date", 0.001, "quarantined", "bad_type:observed_on", replaced("TJRQ", "20250230")),
            RowFault("impossible_time", 0.001, "quarantined", "rule:online_within_schedule", replaced("ZXSC", "9999")),
            RowFault("unknown_unit", 0.002, "accepted", "", replaced("SSDW", UNKNOWN_CODE)),
        ),
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
}


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Minutes online, records of gates, and days on which a gate recorded nothing."""
    devices = furnish(world)
    until = seconds_of(as_of) + DAY
    sums: defaultdict[tuple[str, str, dt.date, str], list[int]] = defaultdict(lambda: [0, 0])
    quiet: dict[tuple[int, dt.date], str] = {}
    first: dt.date | None = None
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
    for i, state in standing(book, "device_register", until):
        device = devices[i]
        if first is None or device.kind != "gate":
            continue
        ends = device.valid_to if device.valid_to is not None and seconds_of(device.valid_to) < state.until else None
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
