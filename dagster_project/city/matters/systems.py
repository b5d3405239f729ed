"""The systems that hold matters with a due date, and how each delivers them. A row shows what was known at a moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dagster_project.city import people
from dagster_project.city.clock import DAY, NEVER, Seconds, compact, seconds_of, spelled
from dagster_project.city.deliveries import REPEATED_NIGHT, Source
from dagster_project.city.extracts import Entries, Extract
from dagster_project.city.faults import RowFault, replaced
from dagster_project.city.files import Cell, Row, write_csv, write_json, write_xlsx, write_xml
from dagster_project.city.matters import happened
from dagster_project.city.matters.happened import NONE, Matters, call_numbers
from dagster_project.city.places import UNKNOWN_CODE
from dagster_project.city.shaping import as_rows, before, ended, latest, or_none, yes_no
from dagster_project.city.world import Indexes, World, generator

Columns = Callable[[Indexes, int], list[Sequence[Cell]]]

REGISTRATION_RESULTS = {"accepted": "01", "not_accepted": "02", "referred": "03", "withdrawn": "04"}
ISSUE_RULES = {"late_dispatch": "接警超时", "missing_feedback": "反馈缺项", "wrong_category": "类别不符", "no_registration": "应受未受"}
STAGES = {"body_check": "人身检查", "information": "信息采集", "questioning": "询问讯问", "property": "涉案财物保管"}
FINDINGS = {"unsubstantiated": "不实", "partly": "部分属实", "substantiated": "属实", "withdrawn": "撤回"}
COMPLAINT_CLASSES = {"attitude": "服务态度", "inaction": "不作为", "procedure": "执法程序"}
APPEAL_CLASSES = {"handling": "办案类", "service": "服务类", "dispute": "纠纷类"}
APPEAL_RESULTS = {"settled": "已化解", "explained": "已答复", "withdrawn": "撤回"}
ORDER_KINDS = {"check": "01", "intercept": "02", "support": "03"}
HAZARD_TYPES = {"fire": "消防安全", "security_facility": "技防设施", "utilities": "水电气", "building": "建筑结构"}
PERSON_HAZARD = "人员类"
SITE_TYPES = {"explosives": "危爆物品", "knives": "管制刀具", "parcels": "寄递物流", "hotel": "旅馆"}
HOTSPOT_TYPES = {"security": "治安乱点", "traffic": "交通堵点"}
PROJECTS = {"joint_command": "合成作战中心", "smart_security": "智慧安防", "station_reform": "派出所改革"}
WEEKDAY_OF_LEDGERS = 0
PERSON_HAZARDS = 6


@dataclass(frozen=True)
class Ledger:
    """One system: what happened, and either the source that delivers changes or the extract that delivers everything."""

    kind: str
    matters: Matters
    source: Source | None = None
    extract: Extract | None = None

    @property
    def source_id(self) -> str:
        delivered = self.source or self.extract
        assert delivered is not None
        return delivered.source_id


@dataclass(frozen=True)
class _Book:
    """A workbook: its sheet and the titles above the header; ``{}`` stands for the day of the batch."""

    sheet: str
    titles: tuple[str, ...] = field(default=())

    def write(self, path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        day = path.parent.name
        titles = [title.format(f"{day[:4]}年{day[4:6]}月{day[6:]}日") for title in self.titles]
        write_xlsx(path, self.sheet, titles, [list(names)], (), body)


def _write_gbk(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
    """A platform that knows GBK only: it delivers ``?`` for every character beyond."""
    known: list[Row] = [[cell.encode("gbk", "replace").decode("gbk") if isinstance(cell, str) else cell for cell in row] for row in body]
    write_csv(path, names, known, encoding="gbk")


def _days(moments: Seconds) -> list[str | None]:
    return [text[:10] or None for text in spelled(moments)]


def _due(m: Matters, members: Indexes, until: int) -> Seconds:
    """The deadlines as they stood at a moment."""
    return np.where(m.extended[members] < until, m.due_extended[members], m.due[members])


def _named(names: dict[str, str], values: Sequence[str]) -> list[str]:
    return [names[value] for value in values]


def _results(m: Matters, members: Indexes, until: int, names: dict[str, str]) -> list[str | None]:
    known = (m.closed[members] < until).tolist()
    return [names[result] if done else None for result, done in zip(m.result[members].tolist(), known, strict=True)]


def _numbers(m: Matters, members: Indexes) -> list[Cell]:
    return [m.number[i] for i in members.tolist()]


def _source(
    source_id: str,
    domain: str,
    header: tuple[str, ...],
    changes: Seconds,
    columns: Columns,
    write: Callable[[Path, Sequence[str], Sequence[Row]], None],
    file_name: str,
    faults: tuple[RowFault, ...],
    *,
    late: bool = False,
    repeated_night: int | None = None,
    renamed: tuple[str, str] | None = None,
) -> Source:
    """A source that delivers what changed; ``file_name`` holds ``{}`` for the day of the batch. Its last column is the time of change."""

    def rows(members: Indexes, until: int) -> list[Row]:
        changed = spelled(latest(changes[members], until)) if len(members) else []
        return as_rows([*columns(members, until), changed])

    return Source(
        source_id=source_id,
        domain=domain,
        header=header,
        changes=changes,
        rows=rows,
        write=write,
        file_name=lambda batch, part: file_name.format(f"{batch.date:%Y%m%d}"),
        faults=faults,
        late=late,
        repeated_night=repeated_night,
        renamed=renamed,
    )


def registration_ledger(world: World) -> Ledger:
    """受案登记: the platform's export as GBK CSV, delta."""
    m = happened.registrations(world)
    reporter, phone = people.names(world.seed, "registrations", len(m)), people.phones(world.seed, "registrations", len(m))
    about = call_numbers(world, m)
    header = ("DJBH", "JQBH", "AJLX", "SLDWDM", "BARXM", "LXDH", "SLSJ", "SCQX", "SFYC", "JDSJ", "JDJG", "SCBS", "GXSJ")

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        return [
            _numbers(m, members),
            [about[i] for i in members.tolist()],
            np.where(m.category[members] == "criminal", "02", "01").tolist(),
            m.unit[members].tolist(),
            [reporter[i] for i in members.tolist()],
            [phone[i] for i in members.tolist()],
            spelled(m.opened[members]),
            spelled(np.where(m.unstated[members], NEVER, _due(m, members, until))),
            np.where(m.extended[members] < until, "1", "0").tolist(),
            spelled(before(m.closed[members], until)),
            _results(m, members, until, REGISTRATION_RESULTS),
            yes_no(m.deleted[members] < until),
        ]

    source = _source(
        "case_registration", "registration", header, ended(np.stack([m.opened, m.extended, m.closed, m.deleted], axis=1), m.deleted), columns, _write_gbk, "SADJ_{}.csv",
        (
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_date", 0.002, "quarantined", "bad_type:opened_at", replaced("SLSJ", "2025-02-30 08:30:00")),
            RowFault("bad_code", 0.002, "quarantined", "unknown_code:result", replaced("JDJG", "9Z")),
            RowFault("impossible_time", 0.002, "quarantined", "rule:decided_after_receipt", replaced("JDSJ", "1999-12-31 23:59:59")),
            RowFault("unknown_unit", 0.002, "accepted", "", replaced("SLDWDM", UNKNOWN_CODE)),
        ),
        late=True, repeated_night=REPEATED_NIGHT, renamed=("SLDWDM", "SLDWBM"),
    )  # fmt: skip
    return Ledger("case_registration", m, source)


def law_issue_ledger(world: World) -> Ledger:
    """执法监督问题单: xlsx of the supervision platform with a merged title, delta; the officer's number stands in it."""
    m = happened.law_issues(world)
    officer = people.phones(world.seed, "officers of issues", len(m))
    about = call_numbers(world, m)
    header = (
        "问题编号",
        "关联警情编号",
        "规则名称",
        "责任单位代码",
        "责任民警警号",
        "发现时间",
        "整改期限",
        "整改时间",
        "是否撤销",
        "更新时间",
    )

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        cancelled = (m.result[members] == "withdrawn") & (m.closed[members] < until)
        return [
            _numbers(m, members),
            [about[i] for i in members.tolist()],
            _named(ISSUE_RULES, m.category[members].tolist()),
            m.unit[members].tolist(),
            [f"99{officer[i][-4:]}" for i in members.tolist()],
            spelled(m.opened[members]),
            spelled(m.due[members]),
            or_none(spelled(before(m.closed[members], until))),
            np.where(cancelled, "是", "否").tolist(),
        ]

    source = _source(
        "law_issue", "enforcement", header, np.stack([m.opened, m.closed], axis=1), columns,
        _Book("问题单", ("执法监督管理平台问题单", "导出日期：{}")).write, "执法监督问题单_{}.xlsx",
        (
            RowFault("duplicate_row", 0.004, "duplicate"),
            RowFault("bad_date", 0.004, "quarantined", "bad_type:due_at", replaced("整改期限", "七日内")),
            RowFault("bad_code", 0.004, "quarantined", "unknown_code:category", replaced("规则名称", "其他")),
            RowFault("unknown_unit", 0.004, "accepted", "", replaced("责任单位代码", UNKNOWN_CODE)),
        ),
    )  # fmt: skip
    return Ledger("law_issue", m, source)


def stage_ledger(world: World) -> Ledger:
    """执法办案中心流程: GBK CSV of the centre's platform, a row per case and step, delta."""
    m = happened.case_stages(world)
    numbers = world.cases.number
    held = people.names(world.seed, "people at the centre", len(m))
    header = ("AJBH", "HJMC", "BADWDM", "DXXM", "JRSJ", "HJQX", "LKSJ", "GXSJ")

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        return [
            [numbers[case] for case in m.case[members].tolist()],
            _named(STAGES, m.category[members].tolist()),
            m.unit[members].tolist(),
            [held[i] for i in members.tolist()],
            spelled(m.opened[members]),
            spelled(m.due[members]),
            spelled(before(m.closed[members], until)),
        ]

    source = _source(
        "case_stage", "enforcement", header, np.stack([m.opened, m.closed], axis=1), columns, _write_gbk, "BAZX_{}.csv",
        (
            RowFault("duplicate_row", 0.003, "duplicate"),
            RowFault("bad_code", 0.003, "quarantined", "unknown_code:category", replaced("HJMC", "候问")),
            RowFault("impossible_time", 0.003, "quarantined", "rule:left_after_entering", replaced("LKSJ", "1999-12-31 23:59:59")),
            RowFault("unknown_unit", 0.003, "accepted", "", replaced("BADWDM", UNKNOWN_CODE)),
        ),
    )  # fmt: skip
    return Ledger("case_stage", m, source)


def complaint_ledger(world: World) -> Ledger:
    """12389举报投诉: xlsx with a merged title, delta, days only; the complainant stands in it."""
    m = happened.complaints(world)
    who, phone = people.names(world.seed, "complainants", len(m)), people.phones(world.seed, "complainants", len(m))
    about = call_numbers(world, m)
    header = (
        "投诉编号",
        "关联警情编号",
        "投诉类别",
        "被投诉单位代码",
        "举报人",
        "联系电话",
        "受理日期",
        "办理期限",
        "办结日期",
        "查处结论",
        "更新时间",
    )

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        return [
            _numbers(m, members),
            [about[i] for i in members.tolist()],
            _named(COMPLAINT_CLASSES, m.category[members].tolist()),
            m.unit[members].tolist(),
            [who[i] for i in members.tolist()],
            [phone[i] for i in members.tolist()],
            _days(m.opened[members]),
            _days(m.due[members]),
            _days(before(m.closed[members], until)),
            _results(m, members, until, FINDINGS),
        ]

    source = _source(
        "complaint_12389", "complaint", header, np.stack([m.opened, m.closed], axis=1), columns,
        _Book("12389", ("12389举报投诉台账", "统计截至：{}")).write, "12389举报投诉_{}.xlsx",
        (
            RowFault("duplicate_row", 0.006, "duplicate"),
            RowFault("bad_date", 0.006, "quarantined", "bad_type:opened_at", replaced("受理日期", "上周五")),
            RowFault("bad_code", 0.006, "quarantined", "unknown_code:result", replaced("查处结论", "待定")),
            RowFault("unknown_unit", 0.006, "accepted", "", replaced("被投诉单位代码", UNKNOWN_CODE)),
        ),
    )  # fmt: skip
    return Ledger("complaint", m, source)


def appeal_ledger(world: World) -> Ledger:
    """群众诉求: xlsx of the supervision platform, delta, days only; a repeated appeal names the number of the earlier one."""
    m = happened.appeals(world)
    who = people.names(world.seed, "appellants", len(m))
    header = (
        "诉求编号",
        "原件编号",
        "诉求类别",
        "承办单位代码",
        "诉求人姓名",
        "受理日期",
        "办理期限",
        "是否延期",
        "办结日期",
        "办理结果",
        "重新办理日期",
        "更新时间",
    )

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        return [
            _numbers(m, members),
            [m.number[earlier] if earlier != NONE else None for earlier in m.repeats[members].tolist()],
            _named(APPEAL_CLASSES, m.category[members].tolist()),
            m.unit[members].tolist(),
            [who[i] for i in members.tolist()],
            _days(m.opened[members]),
            _days(_due(m, members, until)),
            np.where(m.extended[members] < until, "是", "否").tolist(),
            _days(before(m.closed[members], until)),
            _results(m, members, until, APPEAL_RESULTS),
            _days(before(m.reopened[members], until)),
        ]

    source = _source(
        "public_appeal", "complaint", header, np.stack([m.opened, m.extended, m.closed, m.reopened], axis=1), columns,
        _Book("诉求", ("群众诉求会商研判台账",)).write, "群众诉求_{}.xlsx",
        (
            RowFault("duplicate_row", 0.005, "duplicate"),
            RowFault("bad_date", 0.005, "quarantined", "bad_type:due_at", replaced("办理期限", "年底前")),
            RowFault("impossible_time", 0.005, "quarantined", "rule:closed_after_receipt", replaced("办结日期", "1999-12-31")),
            RowFault("unknown_unit", 0.005, "accepted", "", replaced("承办单位代码", UNKNOWN_CODE)),
        ),
    )  # fmt: skip
    return Ledger("appeal", m, source)


def order_ledger(world: World) -> Ledger:
    """合成作战指令: GB18030 XML of the exchange with the command platform, empty ``reserverNN`` columns, delta; targets stand in it."""
    m = happened.orders(world)
    target = people.names(world.seed, "targets of orders", len(m))
    identity = people.identity_numbers(world.seed, "targets of orders", len(m))
    header = (
        "zlbh", "zllx", "jsdwdm", "mbryxm", "mbryzjhm", "zlnr", "xfsj", "qsqx", "qssj", "bjqx", "bjsj", "zt", "reserver01", "reserver02", "gxsj",
    )  # fmt: skip

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        done, acknowledged = m.closed[members] < until, m.acknowledged[members] < until
        ended = np.where(m.result[members] == "withdrawn", "4", "3")
        return [
            _numbers(m, members),
            _named(ORDER_KINDS, m.category[members].tolist()),
            m.unit[members].tolist(),
            [target[i] for i in members.tolist()],
            [identity[i] for i in members.tolist()],
            [f"请核查{target[i]}" for i in members.tolist()],
            compact(m.opened[members]),
            compact(m.acknowledge_due[members]),
            or_none(compact(before(m.acknowledged[members], until))),
            compact(m.due[members]),
            or_none(compact(before(m.closed[members], until))),
            np.where(done, ended, np.where(acknowledged, "2", "1")).tolist(),
            [None] * len(members),
            [None] * len(members),
        ]

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_xml(path, names, body, ("exchange", "orders", "order"), encoding="gb18030")

    source = _source(
        "joint_order", "command", header, np.stack([m.opened, m.acknowledged, m.closed], axis=1), columns, write, "hczl_{}.xml",
        (
            RowFault("duplicate_row", 0.004, "duplicate"),
            RowFault("bad_code", 0.004, "quarantined", "unknown_code:result", replaced("zt", "9")),
            RowFault("bad_date", 0.004, "quarantined", "bad_type:opened_at", replaced("xfsj", "20251301000000")),
            RowFault("impossible_time", 0.004, "quarantined", "rule:acknowledged_after_issue", replaced("qssj", "19991231235959")),
            RowFault("unknown_unit", 0.004, "accepted", "", replaced("jsdwdm", UNKNOWN_CODE)),
        ),
    )  # fmt: skip
    return Ledger("order", m, source)


def duty_order_ledger(world: World) -> Ledger:
    """线上值守点调签收: JSON, delta; the officer on duty stands in it."""
    m = happened.duty_orders(world)
    officer = people.names(world.seed, "officers on duty", len(m))
    header = ("order_id", "unit_code", "zbmjxm", "issued", "ack_limit", "acked", "updated")

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        return [
            _numbers(m, members),
            m.unit[members].tolist(),
            [officer[i] for i in members.tolist()],
            spelled(m.opened[members]),
            spelled(m.acknowledge_due[members]),
            or_none(spelled(before(m.acknowledged[members], until))),
        ]

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_json(path, names, body, ("data",))

    source = _source(
        "duty_order", "command", header, np.stack([m.opened, m.acknowledged], axis=1), columns, write, "zbdd_{}.json",
        (
            RowFault("duplicate_row", 0.004, "duplicate"),
            RowFault("impossible_time", 0.004, "quarantined", "rule:acknowledged_after_issue", replaced("acked", "1999-12-31 23:59:59")),
            RowFault("unknown_unit", 0.004, "accepted", "", replaced("unit_code", UNKNOWN_CODE)),
        ),
    )  # fmt: skip
    return Ledger("order", m, source)


def hotspot_ledger(world: World) -> Ledger:
    """乱点堵点清单: xlsx with a merged title, delta, days only; the road chief stands in it."""
    m = happened.hotspots(world)
    chief = people.names(world.seed, "road chiefs", len(m))
    header = ("点位编号", "点位类型", "责任单位代码", "路长姓名", "挂牌日期", "整治期限", "销号日期", "更新时间")

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        return [
            _numbers(m, members),
            _named(HOTSPOT_TYPES, m.category[members].tolist()),
            m.unit[members].tolist(),
            [chief[i] for i in members.tolist()],
            _days(m.opened[members]),
            _days(m.due[members]),
            _days(before(m.closed[members], until)),
        ]

    source = _source(
        "hotspot_list", "hazard", header, np.stack([m.opened, m.closed], axis=1), columns,
        _Book("清单", ("治安乱点、交通堵点整治清单",)).write, "乱点堵点清单_{}.xlsx",
        (
            RowFault("duplicate_row", 0.02, "duplicate"),
            RowFault("bad_code", 0.02, "quarantined", "unknown_code:category", replaced("点位类型", "黑点")),
            RowFault("unknown_unit", 0.02, "accepted", "", replaced("责任单位代码", UNKNOWN_CODE)),
        ),
    )  # fmt: skip
    return Ledger("hotspot", m, source)


def _weekly(
    kind: str,
    source_id: str,
    domain: str,
    m: Matters,
    header: tuple[str, ...],
    columns: Columns,
    book: _Book,
    file_name: str,
    faults: tuple[RowFault, ...],
    left_out: Callable[[dt.date], list[Row]] = lambda day: [],
) -> Ledger:
    """A ledger that is delivered whole, every week."""

    def rows(day: dt.date) -> Entries:
        until = seconds_of(day) + DAY
        members = np.nonzero(m.opened < until)[0]
        return list(zip(members.tolist(), as_rows(columns(members, until)), strict=True))

    extract = Extract(
        source_id=source_id,
        domain=domain,
        header=header,
        rows=rows,
        write=book.write,
        file_name=lambda batch: file_name.format(f"{batch.date:%Y%m%d}"),
        faults=faults,
        due=lambda batch: batch.date.weekday() == WEEKDAY_OF_LEDGERS,
        left_out=left_out,
    )
    return Ledger(kind, m, extract=extract)


def hazard_ledger(world: World) -> Ledger:
    """风险隐患台账: xlsx with merged titles, the whole ledger weekly, days only; hazards of persons stand in it too."""
    m = happened.hazards(world)
    places = people.addresses(world.seed, "hazards", len(m))
    header = ("隐患编号", "隐患类型", "场所地址", "责任单位代码", "发现日期", "整改期限", "销号日期")

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        return [
            _numbers(m, members),
            _named(HAZARD_TYPES, m.category[members].tolist()),
            [places[i] for i in members.tolist()],
            m.unit[members].tolist(),
            _days(m.opened[members]),
            _days(m.due[members]),
            _days(before(m.closed[members], until)),
        ]

    def persons(day: dt.date) -> list[Row]:
        random = generator(world.seed, f"hazards of persons until {day}")
        stations = [station.code for station in world.places.stations]
        names = people.names(world.seed, "hazards of persons", PERSON_HAZARDS)
        return [
            [f"RY{day:%Y%m%d}{number:02d}", PERSON_HAZARD, name, stations[int(random.integers(0, len(stations)))], f"{day}", f"{day}", None]
            for number, name in enumerate(names[: int(random.integers(2, PERSON_HAZARDS + 1))])
        ]

    return _weekly(
        "hazard", "hazard_ledger", "hazard", m, header, columns,
        _Book("隐患", ("澜川市公安局风险隐患排查台账", "日排查、周分析、月汇总　截至{}")), "隐患台账_{}.xlsx",
        (
            RowFault("identical_row", 0.004, "accepted"),
            RowFault("bad_date", 0.004, "quarantined", "bad_type:opened_at", replaced("发现日期", "月初")),
            RowFault("bad_code", 0.004, "quarantined", "unknown_code:category", replaced("隐患类型", "其他类")),
            RowFault("unknown_unit", 0.004, "accepted", "", replaced("责任单位代码", UNKNOWN_CODE)),
        ),
        persons,
    )  # fmt: skip


def rectification_ledger(world: World) -> Ledger:
    """检查不合格整改台账: xlsx with a merged title, the whole ledger weekly, days only; who answers for the site stands in it."""
    m = happened.site_rectifications(world)
    owner = people.names(world.seed, "owners of sites", len(m))
    header = ("整改编号", "场所类别", "负责人姓名", "检查单位代码", "检查日期", "整改期限", "整改日期")

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        return [
            _numbers(m, members),
            _named(SITE_TYPES, m.category[members].tolist()),
            [owner[i] for i in members.tolist()],
            m.unit[members].tolist(),
            _days(m.opened[members]),
            _days(m.due[members]),
            _days(before(m.closed[members], until)),
        ]

    return _weekly(
        "site_rectification", "site_rectification", "hazard", m, header, columns,
        _Book("整改", ("行业场所检查不合格整改台账",)), "检查整改台账_{}.xlsx",
        (
            RowFault("identical_row", 0.006, "accepted"),
            RowFault("bad_date", 0.006, "quarantined", "bad_type:due_at", replaced("整改期限", "限期")),
            RowFault("unknown_unit", 0.006, "accepted", "", replaced("检查单位代码", UNKNOWN_CODE)),
        ),
    )  # fmt: skip


def milestone_ledger(world: World) -> Ledger:
    """项目清单: xlsx with merged titles, the whole list weekly, days only."""
    m = happened.milestones(world)
    header = ("节点编号", "项目名称", "责任单位代码", "下达日期", "计划完成日期", "实际完成日期", "状态")

    def columns(members: Indexes, until: int) -> list[Sequence[Cell]]:
        known = _results(m, members, until, {"done": "已完成", "withdrawn": "已取消"})
        return [
            _numbers(m, members),
            _named(PROJECTS, m.category[members].tolist()),
            m.unit[members].tolist(),
            _days(m.opened[members]),
            _days(m.due[members]),
            _days(before(m.closed[members], until)),
            [text or "推进中" for text in known],
        ]

    return _weekly(
        "milestone", "project_milestone", "progress", m, header, columns,
        _Book("节点", ("重点项目清单式推进表", "截至{}")), "项目节点_{}.xlsx",
        (
            RowFault("duplicate_row", 0.01, "duplicate"),
            RowFault("bad_code", 0.01, "quarantined", "unknown_code:result", replaced("状态", "搁置")),
            RowFault("unknown_unit", 0.01, "accepted", "", replaced("责任单位代码", UNKNOWN_CODE)),
        ),
    )  # fmt: skip


LEDGERS: tuple[Callable[[World], Ledger], ...] = (
    registration_ledger,
    law_issue_ledger,
    stage_ledger,
    complaint_ledger,
    appeal_ledger,
    order_ledger,
    duty_order_ledger,
    hotspot_ledger,
    hazard_ledger,
    rectification_ledger,
    milestone_ledger,
)
