"""The registers: population, vehicles, road segments, communities, response cells, grids, devices, and who answers for what.

Each is delivered whole, in the form of the office that keeps it. They count nothing themselves: figures divide by them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster_project.city import people
from dagster_project.city.clock import seconds_of
from dagster_project.city.communities import settle
from dagster_project.city.deliveries import RENAMED_UNIT_NIGHT, Batch, Book
from dagster_project.city.devices import REGISTER, REGISTER_FAULTS, furnish
from dagster_project.city.extracts import Entries, Extract, deliver_extract, half_year, next_half_year, printed
from dagster_project.city.faults import RowFault, replaced
from dagster_project.city.files import Row, csv_bytes, write_csv, write_fixed, write_json, write_sqlite, write_xlsx, write_zip
from dagster_project.city.places import FOUNDED, UNKNOWN_CODE, Unit
from dagster_project.city.shaping import Draws
from dagster_project.city.world import World, generator

SEGMENTS = 6
CELLS = (("urban", "城区", 5), ("suburban", "城郊", 12))
GRIDS = 3
GROWTH = 0.01
VEHICLES_PER_PERSON = {"汽车": 0.26, "摩托车": 0.08}


def _exists(unit: Unit, day: dt.date) -> bool:
    return unit.valid_from <= day and (unit.valid_to is None or day < unit.valid_to)


def _begins_half_year(batch: Batch) -> bool:
    return half_year(batch.date) == batch.date


def _on_register_night(batch: Batch) -> bool:
    return batch.night == RENAMED_UNIT_NIGHT or _begins_half_year(batch)


def _half_years(world: World, day: dt.date) -> list[dt.date]:
    """The half-years that had begun by a day, from the one in which the city's history begins."""
    firsts = [half_year(world.first_day)]
    while next_half_year(firsts[-1]) <= day:
        firsts.append(next_half_year(firsts[-1]))
    return firsts


def residents(world: World, station: Unit, half: int) -> int:
    """Residents of a station's area in the so many-th half-year, with those of the station it took over."""
    own = int(generator(world.seed, f"residents of {station.code}").integers(18_000, 60_000))
    begins = half_year(world.first_day)
    for _ in range(half):
        begins = next_half_year(begins)
    joined = [s for s in world.places.stations if s.successor == station.code and s.valid_to is not None and s.valid_to <= begins]
    return round(own * (1 + GROWTH * half)) + sum(residents(world, former, half) for former in joined)


def stocks(world: World, day: dt.date) -> list[tuple[int, Unit, int, dt.date, dt.date | None]]:
    """Record, station, number of the half-year, and the days on which its stock holds; the last one holds until further notice."""
    firsts = _half_years(world, day)
    stations = world.places.stations
    return [
        (half * len(stations) + place, station, half, first, None if half + 1 == len(firsts) else next_half_year(first))
        for half, first in enumerate(firsts)
        for place, station in enumerate(stations)
        if _exists(station, first)
    ]


def population_stock(world: World) -> Extract:
    """实有人口数: half-yearly numbers of residents, xlsx with a header of two levels. Numbers only."""
    header = ("单位代码", "单位名称", "起始日期", "截止日期", "合计", "户籍", "流动")
    levels: tuple[Row, ...] = (
        ["单位", None, "统计期", None, "实有人口数", None, None],
        ["代码", "名称", "起始日期", "截止日期", *header[4:]],
    )

    def rows(day: dt.date) -> Entries:
        entries: Entries = []
        for record, station, half, first, end in stocks(world, day):
            total = residents(world, station, half)
            entries.append((record, [station.code, station.name, printed(first), printed(end), total, total - total // 5, total // 5]))
        return entries

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_xlsx(path, "人口", ("澜川市分单位实有人口数（半年报）",), levels, ("A2:B2", "C2:D2", "E2:G2"), body)

    return Extract(
        "population_stock", "register", header, rows, write, lambda batch: "实有人口数.xlsx",
        (RowFault("unknown_unit", 0.002, "accepted", "", replaced("单位代码", UNKNOWN_CODE)),), _begins_half_year,
    )  # fmt: skip


def vehicle_stock(world: World) -> Extract:
    """机动车保有量: half-yearly numbers of registered vehicles by class, a GBK CSV of the traffic bureau."""
    header = ("GLBMDM", "CLZL", "TJRQQ", "TJRQZ", "BYL")

    def rows(day: dt.date) -> Entries:
        entries: Entries = []
        for record, station, half, first, end in stocks(world, day):
            for number, (kind, share) in enumerate(VEHICLES_PER_PERSON.items()):
                stock = round(residents(world, station, half) * share)
                line: Row = [station.code, kind, f"{first:%Y%m%d}", f"{end:%Y%m%d}" if end else "", stock]
                entries.append((record * len(VEHICLES_PER_PERSON) + number, line))
        return entries

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_csv(path, names, body, encoding="gbk")

    return Extract(
        "vehicle_stock", "register", header, rows, write, lambda batch: f"JDCBYL_{batch.date:%Y%m%d}.csv",
        (
            RowFault("bad_code", 0.01, "quarantined", "unknown_code:category", replaced("CLZL", "？？")),
            RowFault("unknown_unit", 0.002, "accepted", "", replaced("GLBMDM", UNKNOWN_CODE)),
        ),
        _begins_half_year,
    )  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """A segment of road; ``closed``, the first day without it, is in the register once it has come."""

    metres: int
    opened: dt.date
    closed: dt.date | None

    def end_known_on(self, day: dt.date) -> dt.date | None:
        return self.closed if self.closed is not None and self.closed <= day else None

    def stands_on(self, day: dt.date, known_on: dt.date) -> bool:
        """Whether it stood on a day, as a register of another day says."""
        ends = self.end_known_on(known_on)
        return self.opened <= day and (ends is None or day < ends)


def draw_segments(world: World) -> list[Segment]:
    """The road segments of every station, in a fixed order."""
    draw = Draws(world.seed, "road segments", len(world.places.stations) * SEGMENTS)
    metres, opened, closed = draw.whole("metres", 300, 4200), draw.whole("opened", 0, 420), draw.whole("closed", 100, 420)
    is_new, is_closed = draw.share("new") < 0.12, draw.share("is closed") < 0.06
    return [
        Segment(
            metres=int(metres[i]),
            opened=world.first_day + dt.timedelta(days=int(opened[i])) if is_new[i] else FOUNDED,
            closed=world.first_day + dt.timedelta(days=int(closed[i])) if is_closed[i] and not is_new[i] else None,
        )
        for i in range(draw.rows)
    ]


def road_segments(world: World) -> Extract:
    """路段表: JSON of the map platform, a feature per segment; the road chief stands in it by name."""
    stations = world.places.stations
    segments = draw_segments(world)
    chiefs = people.names(world.seed, "road chiefs", len(segments))
    header = ("ldbh", "dwdm", "ldlb", "cd", "qyrq", "tyrq", "lzxm", "reserver01")

    def rows(day: dt.date) -> Entries:
        entries: Entries = []
        for i, segment in enumerate(segments):
            if segment.opened <= day:
                unit = stations[i // SEGMENTS].code
                line: Row = [
                    f"LD{unit[:10]}{i % SEGMENTS + 1:03d}", unit, "主干道" if i % SEGMENTS < 2 else "支路", segment.metres,
                    printed(segment.opened), printed(segment.end_known_on(day)), chiefs[i], None,
                ]  # fmt: skip
                entries.append((i, line))
        return entries

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_json(path, names, body, ("data", "list"))

    return Extract(
        "road_segment", "register", header, rows, write, lambda batch: f"ld_{batch.date:%Y%m%d}.json",
        (
            RowFault("bad_date", 0.005, "quarantined", "bad_type:valid_from", replaced("qyrq", "2019-02-30")),
            RowFault("unknown_unit", 0.005, "accepted", "", replaced("dwdm", UNKNOWN_CODE)),
        ),
        _on_register_night,
    )  # fmt: skip


def community_register(world: World) -> Extract:
    """智慧安防小区台账: xlsx with a header of two levels; a community that was built has a row for the time before and one for after."""
    communities = settle(world)
    header = ("代码", "名称", "所属派出所代码", "户数", "类别", "起始日期", "截止日期", "联系人姓名", "联系电话")
    levels: tuple[Row, ...] = (
        ["小区", None, "所属派出所代码", "建设情况", None, "有效期", None, "物业", None],
        ["代码", "名称", None, "户数", "类别", "起始日期", "截止日期", "联系人姓名", "联系电话"],
    )
    names = people.names(world.seed, "caretakers", len(communities))
    phones = people.phones(world.seed, "caretakers", len(communities))

    def rows(day: dt.date) -> Entries:
        entries: Entries = []
        for i in range(len(communities)):
            built = communities.built_on(i)
            is_built = built is not None and built <= day
            for version, (kind, begins, ends) in enumerate((("普通", FOUNDED, built if is_built else None), ("智慧安防", built, None))):
                if version == 0 or is_built:
                    line: Row = [
                        communities.code[i], communities.name[i], str(communities.unit[i]), int(communities.households[i]), kind,
                        printed(begins), printed(ends), names[i], phones[i],
                    ]  # fmt: skip
                    entries.append((i * 2 + version, line))
        return entries

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_xlsx(path, "小区", ("澜川市智慧安防小区建设台账",), levels, ("A2:B2", "C2:C3", "D2:E2", "F2:G2", "H2:I2"), body)

    return Extract(
        "community_register", "register", header, rows, write, lambda batch: "智慧安防小区台账.xlsx",
        (
            RowFault("bad_code", 0.004, "quarantined", "unknown_code:category", replaced("类别", "在建")),
            RowFault("unknown_unit", 0.004, "accepted", "", replaced("所属派出所代码", UNKNOWN_CODE)),
        ),
        _on_register_night,
    )  # fmt: skip


def response_cells(world: World) -> Extract:
    """处警单元格: a zip with a CSV of each county, two cells a station, each with the minutes within which it is to be reached."""
    stations = world.places.stations
    header = ("编号", "类型", "责任单位代码", "到场时限（分钟）", "启用日期", "停用日期")
    extra = Draws(world.seed, "response cells", len(stations) * len(CELLS)).whole("minutes", 0, 4).tolist()

    def rows(day: dt.date) -> Entries:
        entries: Entries = []
        for place, station in enumerate(stations):
            for number, (_, name, minutes) in enumerate(CELLS):
                record = place * len(CELLS) + number
                end = station.valid_to if station.valid_to and station.valid_to <= day else None
                code = f"CJ{station.code[:10]}{number + 1:02d}"
                entries.append((record, [code, name, station.code, minutes + extra[record], printed(FOUNDED), printed(end)]))
        return entries

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        counties = sorted({str(row[2])[:6] for row in body})
        members = {county: [row for row in body if str(row[2]).startswith(county)] for county in counties}
        write_zip(path, {f"{county}/处警单元格.csv": csv_bytes(names, part, encoding="gbk") for county, part in members.items()})

    return Extract("response_cell", "register", header, rows, write, lambda batch: "处警单元格.zip", (), _on_register_night)


def grids(world: World) -> Extract:
    """网格边界: the SQLite file of the map tool, the area of each grid in it; at a merger the grids of the former station end and its heir has new ones."""
    stations = world.places.stations
    header = ("wgbh", "dwdm", "mj", "qyrq", "tyrq", "reserver01")
    hectares = Draws(world.seed, "grids", len(stations) * GRIDS * 2).whole("hectares", 20, 900).tolist()

    def rows(day: dt.date) -> Entries:
        entries: Entries = []
        for place, station in enumerate(stations):
            ended = station.valid_to if station.valid_to and station.valid_to <= day else None
            versions = [(station.code, FOUNDED, ended)]
            if ended is not None and station.successor is not None:
                versions.append((station.successor, ended, None))
            for version, (unit, begins, ends) in enumerate(versions):
                for number in range(GRIDS):
                    record = (place * 2 + version) * GRIDS + number
                    code = f"WG{station.code[:10]}{version}{number + 1:02d}"
                    entries.append((record, [code, unit, hectares[record], printed(begins), printed(ends), None]))
        return entries

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_sqlite(path, "wg", names, body)

    return Extract("grid_register", "register", header, rows, write, lambda batch: f"wg_{batch.date:%Y%m%d}.sqlite", (), _on_register_night)


def device_register(world: World) -> Extract:
    """设备登记: lines of fixed width in bytes of GB18030, as the host writes them, one per device by its number of GB/T 28181."""
    devices = furnish(world)
    header = ("SBBM", "SBMC", "SBLX", "SSDW", "AZRQ", "BFRQ", "WHRXM")
    widths = (20, 60, 3, 12, 10, 10, 12)
    keepers = people.names(world.seed, "keepers of devices", len(devices))

    def rows(day: dt.date) -> Entries:
        entries: Entries = []
        for i, device in enumerate(devices):
            if device.valid_from <= day:
                ends = device.valid_to if device.valid_to is not None and device.valid_to <= day else None
                line: Row = [device.number, device.name, device.code, device.unit, printed(device.valid_from), printed(ends), keepers[i]]
                entries.append((i, line))
        return entries

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_fixed(path, widths, body, encoding="gb18030")

    return Extract(
        REGISTER, "register", header, rows, write, lambda batch: f"SBDJ_{batch.date:%Y%m%d}.txt",
        REGISTER_FAULTS, _on_register_night,
    )  # fmt: skip


def responsibilities(world: World) -> Extract:
    """职责调整通知: xlsx, a row per role that went from one unit to another."""
    places = world.places
    header = ("辖区单位代码", "职责", "移交单位代码", "承接单位代码", "生效日期", "文号")
    number = int(generator(world.seed, "notices").integers(10, 90))

    def rows(day: dt.date) -> Entries:
        if places.handover > day:
            return []
        station = places.handed_over
        notice = f"澜公通〔{places.handover.year}〕{number}号"
        return [(0, [station.code, "处警", station.code, places.squad_of(station.code), printed(places.handover), notice])]

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_xlsx(path, "调整", ("澜川市公安局职责调整情况", "依据：各次职责调整通知"), [list(names)], (), body)

    return Extract(
        "responsibility_notice", "register", header, rows, write, lambda batch: "职责调整.xlsx", (),
        lambda batch: _on_register_night(batch) or batch.since <= seconds_of(places.handover) < batch.until,
    )  # fmt: skip


def extracts(world: World) -> tuple[Extract, ...]:
    return (
        population_stock(world), vehicle_stock(world), road_segments(world), community_register(world), response_cells(world),
        grids(world), device_register(world), responsibilities(world),
    )  # fmt: skip


def deliver(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Deliver every register."""
    for extract in extracts(world):
        deliver_extract(extract, out, plan, world.seed, book)
