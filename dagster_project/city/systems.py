"""The systems of the city and how each delivers: its columns, its format, its faults. A row shows what was known at a moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dagster_project.city import codes, people
from dagster_project.city.clock import NEVER, compact, spelled
from dagster_project.city.communities import located, settle
from dagster_project.city.deliveries import MISSING_NIGHT, RENAMED_UNIT_NIGHT, REPEATED_NIGHT, Batch, Book, Source
from dagster_project.city.faults import RowFault, broken_line, copied, replaced, torn
from dagster_project.city.files import Row, write_csv, write_json, write_ndjson, write_xlsx
from dagster_project.city.places import CITY_CODE, UNKNOWN_CODE
from dagster_project.city.shaping import as_rows, before, ended, latest, yes_no
from dagster_project.city.world import NO_CALL, Indexes, World

CALL_COLUMNS = (
    "JJDBH", "GLJJDBH", "GLLX", "GXDWDM", "CJDWDM", "CSJQLBDM", "JQLBDM", "BJFS", "CSLX", "JJBS", "WXBS", "ZXBS", "TDBS", "SFJA",
    "BJSJ", "JJSJ", "PJSJ", "DDXCSJ", "CZWBSJ", "SCBS", "CSBS", "GXSJ", "SQDM", "BJRXM", "LXDH", "SFDZ", "BJNR",
)  # fmt: skip
CASE_COLUMNS = (
    "AJBH", "JQBH", "AJLX", "AJLB", "SFZDAJ", "SFBLAJ", "LADW", "BADW", "FASJ", "BASJ", "SASJ", "LASJ", "BARXM", "XYRXM", "XYR_ZJHM",
    "SCBS", "GXSJ",
)  # fmt: skip
UNIT_LEVELS = {"city": "市局", "county": "县局", "station": "派出所", "squad": "大队"}
UNIT_HEADER: tuple[Row, ...] = (
    ["单位", None, None, None, "有效期", None, "承接单位代码"],
    ["代码", "名称", "层级", "上级代码", "启用日期", "停用日期", None],
)


def _a_year_before(moment: str) -> str:
    return f"{int(moment[:4]) - 1}{moment[4:8].replace('0229', '0228')}{moment[8:]}"


CALL_FAULTS = (
    RowFault("duplicate_row", 0.002, "duplicate"),
    RowFault("bad_date", 0.001, "quarantined", "bad_type:reported_at", replaced("BJSJ", "20250230083000")),
    RowFault("bad_code", 0.001, "quarantined", "unknown_code:channel", replaced("BJFS", "9Z")),
    RowFault("impossible_time", 0.001, "quarantined", "rule:closed_after_report", copied("CZWBSJ", "BJSJ", _a_year_before)),
    RowFault("ragged_row", 0.0005, "quarantined", "ragged_row", torn),
    RowFault("missing_key", 0.0003, "quarantined", "missing_required:incident_id", replaced("JJDBH", "")),
    RowFault("unknown_unit", 0.002, "accepted", "", replaced("GXDWDM", UNKNOWN_CODE)),
    RowFault("quoted_newline", 0.001, "accepted", "", broken_line("BJNR")),
)


def calls_source(world: World) -> Source:
    """接警单: GB18030 CSV, quoted where needed, delta, ``yyyyMMddHHmmss``."""
    calls = world.calls
    n = len(calls)
    changes = ended(
        np.stack(
            [
                calls.received,
                calls.dispatched,
                calls.arrival_entered,
                calls.closed,
                calls.case_opened,
                calls.moved,
                calls.place_corrected,
                calls.deleted,
            ],
            axis=1,
        ),
        calls.deleted,
    )
    caller, phone = people.names(world.seed, "callers", n), people.phones(world.seed, "callers", n)
    place = people.addresses(world.seed, "calls", n)
    code = np.array(codes.CODES)
    communities = settle(world)
    community = located(world, communities)
    header = CALL_COLUMNS

    def rows(members: Indexes, until: int) -> list[Row]:
        m = members
        arrival_known = calls.arrival_entered[m] < until
        related = [calls.number[r] if r != NO_CALL else "" for r in calls.related[m].tolist()]
        kind = np.where(calls.place_corrected[m] < until, calls.place[m], calls.place_first[m])
        place_codes = np.array([c for c, _ in codes.PLACES])
        dispatched = calls.dispatched[m] < until
        return as_rows(
            [
                [calls.number[i] for i in m.tolist()],
                related,
                calls.relation[m].tolist(),
                calls.unit[m].tolist(),
                np.where(dispatched, calls.responder[m], "").tolist(),
                code[calls.category_first[m]].tolist(),
                np.where(calls.moved[m] < until, calls.category[m], code[calls.category_first[m]]).tolist(),
                calls.channel[m].tolist(),
                place_codes[kind].tolist(),
                yes_no(calls.urgent[m]),
                yes_no(calls.invalid[m]),
                yes_no(calls.consultation[m]),
                yes_no(calls.returned[m] & dispatched),
                yes_no(calls.case_opened[m] < until),
                compact(calls.reported[m]),
                compact(calls.received[m]),
                compact(before(calls.dispatched[m], until)),
                compact(np.where(arrival_known, calls.arrived[m], NEVER)),
                compact(before(calls.closed[m], until)),
                yes_no(calls.deleted[m] < until),
                ["0"] * len(m),
                compact(latest(changes[m], until)),
                [communities.code[c] if c >= 0 else "" for c in community[m].tolist()],
                [caller[i] for i in m.tolist()],
                [phone[i] for i in m.tolist()],
                [place[i] for i in m.tolist()],
                [f"报警人{caller[i]}称在{place[i]}有警情" for i in m.tolist()],
            ]
        )

    def test_rows(batch: Batch, random: np.random.Generator) -> list[Row]:
        count = 5 if batch.night == 0 else int(random.integers(0, 3))
        moment = compact(np.array([batch.until - 3600], dtype=np.int64))[0]
        filled = dict.fromkeys(("JJBS", "WXBS", "ZXBS", "TDBS", "SFJA", "SCBS"), "0") | dict.fromkeys(("BJSJ", "JJSJ", "GXSJ"), moment)
        filled |= {"GXDWDM": CITY_CODE, "BJFS": "1", "CSLX": "09", "CSBS": "1", "BJNR": "系统测试"}
        made: list[Row] = []
        for number in range(count):
            filled["JJDBH"] = f"990100{batch.date:%Y%m%d}T{number:04d}"
            made.append([filled.get(name, "") for name in header])
        return made

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_csv(path, names, body, encoding="gb18030")

    return Source(
        source_id="call_form",
        domain="call",
        header=header,
        changes=changes,
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"JJD_{batch.date:%Y%m%d}_{part + 1:02d}.csv",
        faults=CALL_FAULTS,
        late=True,
        repeated_night=REPEATED_NIGHT,
        renamed=("BJFS", "BJFSDM"),
        extra=test_rows,
        history_parts=True,
    )


def cases_source(world: World) -> Source:
    """案件: an Oracle dump as CSV: GB18030, everything quoted, ``(null)`` for nothing, delta."""
    cases, calls = world.cases, world.calls
    n = len(cases)
    changes = ended(np.stack([cases.accepted, cases.filed, cases.transferred, cases.deleted], axis=1), cases.deleted)
    reporter, suspect = people.names(world.seed, "reporters", n), people.names(world.seed, "suspects", n)
    identity = people.identity_numbers(world.seed, "suspects", n)
    header = CASE_COLUMNS

    def nulls(texts: list[str]) -> list[str]:
        return [text or "(null)" for text in texts]

    def rows(members: Indexes, until: int) -> list[Row]:
        m = members
        serious = np.isin(cases.category[m], sorted(codes.SERIOUS_VIOLENT_CASES))
        return as_rows(
            [
                [cases.number[i] for i in m.tolist()],
                nulls([calls.number[c] if c != NO_CALL else "" for c in cases.call[m].tolist()]),
                np.where(cases.criminal[m], "02", "01").tolist(),
                cases.category[m].tolist(),
                yes_no(cases.major[m]),
                yes_no(serious),
                cases.unit[m].tolist(),
                np.where(cases.transferred[m] < until, cases.investigator_after[m], cases.investigator[m]).tolist(),
                spelled(cases.occurred[m]),
                spelled(cases.reported[m]),
                spelled(cases.accepted[m]),
                nulls(spelled(before(cases.filed[m], until))),
                [reporter[i] for i in m.tolist()],
                [suspect[i] for i in m.tolist()],
                [identity[i] for i in m.tolist()],
                yes_no(cases.deleted[m] < until),
                spelled(latest(changes[m], until)),
            ]
        )

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_csv(path, names, body, encoding="gb18030", quote_all=True, line_end="\n")

    return Source(
        source_id="case_form",
        domain="case",
        header=header,
        changes=changes,
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"TB_AJXX_{batch.date:%Y%m%d}.csv" if part == 0 else f"TB_AJXX_{batch.date:%Y%m%d}_{part}.csv",
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_date", 0.001, "quarantined", "bad_type:filed_at", replaced("LASJ", "0000-00-00 00:00:00")),
            RowFault("bad_code", 0.001, "quarantined", "unknown_code:case_kind", replaced("AJLX", "07")),
            RowFault("impossible_time", 0.001, "quarantined", "rule:accepted_after_report", replaced("SASJ", "1999-12-31 23:59:59")),
            RowFault("unknown_unit", 0.002, "accepted", "", replaced("LADW", UNKNOWN_CODE)),
        ),
        late=True,
    )


def events_source(world: World) -> Source:
    """案件流程: one JSON object a line, append, no key: a row's place in its file is its identity."""
    events, cases = world.events, world.cases
    changes = events.happened[:, None]
    header = ("ajbh", "sjlx", "sjmc", "dwdm", "fssj")
    number_of = {event: f"{number:02d}" for number, event in enumerate(codes.EVENTS, start=1)}

    def rows(members: Indexes, until: int) -> list[Row]:
        m = members.tolist()
        kinds = [str(events.event[i]) for i in m]
        return as_rows(
            [
                [cases.number[events.case[i]] for i in m],
                [number_of[kind] for kind in kinds],
                [codes.EVENTS[kind] for kind in kinds],
                events.unit[members].tolist(),
                spelled(events.happened[members]),
            ]
        )

    return Source(
        source_id="case_event",
        domain="case",
        header=header,
        changes=changes,
        rows=rows,
        write=write_ndjson,
        file_name=lambda batch, part: f"ajlc_{batch.date:%Y%m%d}.ndjson",
        faults=(
            RowFault("identical_row", 0.002, "accepted"),
            RowFault("bad_code", 0.002, "quarantined", "unknown_code:event", replaced("sjlx", "99")),
            RowFault("bad_date", 0.001, "quarantined", "bad_type:happened_at", replaced("fssj", "2025-13-01 00:00:00")),
        ),
        repeated_night=REPEATED_NIGHT,
        repeated_next=True,
    )


def disputes_source(world: World) -> Source:
    """调解台账: xlsx with two merged title rows, delta; the parties stand in it by name and identity number."""
    disputes, calls = world.disputes, world.calls
    changes = np.stack([disputes.opened, disputes.closed], axis=1)
    count = int(disputes.parties.max(initial=0)) + 1
    left, right = people.names(world.seed, "left parties", count), people.names(world.seed, "right parties", count)
    left_id, right_id = (
        people.identity_numbers(world.seed, "left parties", count),
        people.identity_numbers(world.seed, "right parties", count),
    )
    header = (
        "纠纷编号",
        "关联警情编号",
        "受理来源",
        "当事人",
        "纠纷类型",
        "受理单位代码",
        "受理时间",
        "办理期限",
        "办结时间",
        "调解结果",
        "更新时间",
    )
    printed = {result: text for result, text, _ in codes.RESULTS}

    def rows(members: Indexes, until: int) -> list[Row]:
        m = members.tolist()
        done = disputes.closed[members] < until
        parties = [f"{left[p]}（{left_id[p]}）、{right[p]}（{right_id[p]}）" if p > 0 else None for p in disputes.parties[members].tolist()]
        return as_rows(
            [
                [disputes.number[i] for i in m],
                [calls.number[c] if c != NO_CALL else None for c in disputes.call[members].tolist()],
                [codes.ORIGINS[str(o)] for o in disputes.origin[members].tolist()],
                parties,
                disputes.kind[members].tolist(),
                disputes.unit[members].tolist(),
                spelled(disputes.opened[members]),
                spelled(disputes.due[members]),
                [text or None for text in spelled(np.where(done, disputes.closed[members], NEVER))],
                [printed[str(r)] if d else None for r, d in zip(disputes.result[members].tolist(), done.tolist(), strict=True)],
                spelled(latest(changes[members], until)),
            ]
        )

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        day = path.parent.name
        write_xlsx(path, "台账", ("澜川市矛盾纠纷调解台账", f"统计截至：{day[:4]}年{day[4:6]}月{day[6:]}日"), [list(names)], (), body)

    return Source(
        source_id="mediation_ledger",
        domain="mediation",
        header=header,
        changes=changes,
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"调解台账_{batch.date:%Y%m%d}.xlsx",
        faults=(
            RowFault("duplicate_row", 0.003, "duplicate"),
            RowFault("bad_date", 0.002, "quarantined", "bad_type:opened_at", replaced("受理时间", "去年腊月")),
            RowFault("bad_code", 0.002, "quarantined", "unknown_code:result", replaced("调解结果", "待定")),
            RowFault("unknown_unit", 0.002, "accepted", "", replaced("受理单位代码", UNKNOWN_CODE)),
        ),
        missing_night=MISSING_NIGHT,
    )


def callbacks_source(world: World) -> Source:
    """回访: JSON with an envelope and null ``reserverNN`` columns, append, a row per attempt."""
    callbacks, calls = world.callbacks, world.calls
    changes = callbacks.called[:, None]
    phone = people.phones(world.seed, "callers", len(calls))
    header = ("jjdbh", "hfcs", "gxdwdm", "hffs", "lxdh", "hfsj", "hfjg", *(f"reserver{number:02d}" for number in range(1, 7)))

    def rows(members: Indexes, until: int) -> list[Row]:
        m = members
        return as_rows(
            [
                [calls.number[c] for c in callbacks.call[m].tolist()],
                callbacks.attempt[m].tolist(),
                calls.unit[callbacks.call[m]].tolist(),
                callbacks.channel[m].tolist(),
                [
                    phone[c] if known else None
                    for c, known in zip(callbacks.call[m].tolist(), callbacks.phone_known[m].tolist(), strict=True)
                ],
                compact(callbacks.called[m]),
                callbacks.reply[m].tolist(),
                *([None] * len(m) for _ in range(6)),
            ]
        )

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_json(path, names, body, ("data", "list"))

    return Source(
        source_id="callback_record",
        domain="callback",
        header=header,
        changes=changes,
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"hfd_{batch.date:%Y%m%d}.json",
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_code", 0.001, "quarantined", "unknown_code:result", replaced("hfjg", "8")),
            RowFault("bad_date", 0.001, "quarantined", "bad_type:called_at", replaced("hfsj", "2025年某日")),
        ),
    )


def sources(world: World) -> tuple[Source, ...]:
    return calls_source(world), cases_source(world), events_source(world), disputes_source(world), callbacks_source(world)


def deliver_units(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """组织机构: xlsx with a merged title and a header of two levels, full; on the fifth night one station has a new name."""
    for batch in plan:
        if batch.night not in (0, RENAMED_UNIT_NIGHT):
            continue
        rows: list[Row] = []
        for unit in world.places.units:
            renamed = batch.night == RENAMED_UNIT_NIGHT and unit.code.endswith("510200") and unit.code.startswith("990102")
            name = unit.name.replace("派出所", "中心派出所") if renamed else unit.name
            ends = unit.valid_to.isoformat() if unit.valid_to else None
            rows.append([unit.code, name, UNIT_LEVELS[unit.level], unit.parent, unit.valid_from.isoformat(), ends, unit.successor])
        relative = f"unit/unit_register/{batch.date:%Y%m%d}/组织机构代码表.xlsx"
        write_xlsx(out / relative, "机构", ("澜川市公安局组织机构代码表",), UNIT_HEADER, ("A2:D2", "E2:F2", "G2:G3"), rows)
        book.receive("unit_register", batch.date, relative, Counter({"accepted": len(rows)}))
