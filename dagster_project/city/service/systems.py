"""The systems of the service halls and how each delivers: the one-stop platform, the mobile app, the item table, the queue."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dagster_project.city import people
from dagster_project.city.clock import NEVER, Seconds, compact, spelled
from dagster_project.city.deliveries import REPEATED_NIGHT, Batch, Book, Source
from dagster_project.city.faults import RowFault, copied, replaced
from dagster_project.city.files import Row, write_csv, write_json, write_xlsx
from dagster_project.city.places import FOUNDED, UNKNOWN_CODE
from dagster_project.city.service.happenings import RESULTS, Items, Requests, Visits
from dagster_project.city.shaping import as_rows, before, latest, or_none, yes_no
from dagster_project.city.world import Indexes, World

ITEM_TABLE = "service_item_table"
ITEMS_NIGHT = 5
PLATFORM_HEADER = (
    "bjbh", "sxbm", "sldwdm", "sqfs", "sfksqb", "slsj", "cnbjsj", "bjsj", "bjjg", "gxsj", "sqrxm", "sqrzjhm", "lxdh",
    *(f"reserver{number:02d}" for number in range(1, 7)),
)  # fmt: skip
APP_HEADER = ("applyNo", "itemCode", "orgCode", "crossRegion", "receiveTime", "dueTime", "finishTime", "result", "updateTime", "user")
ITEM_HEADER = ("事项编码", "事项名称", "法定时限（天）", "承诺时限（天）", "一窗通办", "一次办好", "启用日期", "停用日期")
ITEM_LEVELS: tuple[Row, ...] = (
    ["事项", None, "办理时限", None, "便民措施", None, "有效期", None],
    ["编码", "名称", "法定时限（天）", "承诺时限（天）", "一窗通办", "一次办好", "启用日期", "停用日期"],
)
QUEUE_HEADER = ("票号", "网点代码", "窗口", "事项编码", "取号时间", "叫号时间", "办结时间", "姓名", "证件号码")


def _a_year_before(moment: str) -> str:
    return f"{int(moment[:4]) - 1}{moment[4:].replace('0229', '0228')}"


def _changes(requests: Requests) -> Seconds:
    return np.stack([requests.received, requests.closed], axis=1)


def held_by(requests: Requests, apps: bool) -> Indexes:
    """The requests that one of the two systems holds, as indexes into all of them."""
    return np.nonzero((requests.channel == "2") == apps)[0]


def platform_source(world: World, items: Items, requests: Requests) -> Source:
    """一体化平台办件: JSON of an interface with null ``reserverNN`` columns, delta: windows and web."""
    own = held_by(requests, apps=False)
    changes = _changes(requests)[own]
    n = len(own)
    name, card = people.names(world.seed, "applicants", n), people.identity_numbers(world.seed, "applicants", n)
    phone = people.phones(world.seed, "applicants", n)
    result_code = {result: f"{number}" for number, (result, _) in enumerate(RESULTS, start=1)}

    def rows(members: Indexes, until: int) -> list[Row]:
        m, r = members.tolist(), own[members]
        closed = before(requests.closed[r], until)
        done = [result_code[str(v)] if c != NEVER else None for v, c in zip(requests.result[r].tolist(), closed.tolist(), strict=True)]
        return as_rows(
            [
                [requests.number[i] for i in r.tolist()],
                [items.code[i] for i in requests.item[r].tolist()],
                requests.unit[r].tolist(),
                requests.channel[r].tolist(),
                yes_no(requests.cross_region[r]),
                compact(requests.received[r]),
                compact(requests.due[r]),
                or_none(compact(closed)),
                done,
                compact(latest(changes[members], until)),
                [name[i] for i in m],
                [card[i] for i in m],
                [phone[i] for i in m],
                *([None] * len(m) for _ in range(6)),
            ]
        )

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_json(path, names, body, ("data", "records"))

    return Source(
        source_id="service_request_platform",
        domain="service",
        header=PLATFORM_HEADER,
        changes=changes,
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"bj_{batch.date:%Y%m%d}.json",
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_date", 0.002, "quarantined", "bad_type:received_at", replaced("slsj", "20250230101010")),
            RowFault("bad_code", 0.002, "quarantined", "unknown_code:channel", replaced("sqfs", "9")),
            RowFault("impossible_time", 0.002, "quarantined", "rule:due_after_receipt", copied("cnbjsj", "slsj", _a_year_before)),
            RowFault("unknown_unit", 0.003, "accepted", "", replaced("sldwdm", UNKNOWN_CODE)),
        ),
        late=True,
    )


def app_source(world: World, items: Items, requests: Requests) -> Source:
    """移动警务服务 App 办件: nested JSON of the app, delta; the user stands in it as an object."""
    own = held_by(requests, apps=True)
    changes = _changes(requests)[own]
    n = len(own)
    name, phone = people.names(world.seed, "app users", n), people.phones(world.seed, "app users", n)
    printed = {"completed": "DONE", "refused": "REFUSED", "withdrawn": "WITHDRAWN"}

    def rows(members: Indexes, until: int) -> list[Row]:
        m, r = members.tolist(), own[members]
        closed = before(requests.closed[r], until)
        done = [printed[str(v)] if c != NEVER else "PENDING" for v, c in zip(requests.result[r].tolist(), closed.tolist(), strict=True)]
        return as_rows(
            [
                [requests.number[i] for i in r.tolist()],
                [items.code[i] for i in requests.item[r].tolist()],
                requests.unit[r].tolist(),
                ["true" if c else "false" for c in requests.cross_region[r].tolist()],
                spelled(requests.received[r]),
                spelled(requests.due[r]),
                or_none(spelled(closed)),
                done,
                spelled(latest(changes[members], until)),
                [json.dumps({"name": name[i], "mobile": phone[i]}, ensure_ascii=False) for i in m],
            ]
        )

    return Source(
        source_id="service_request_app",
        domain="service",
        header=APP_HEADER,
        changes=changes,
        rows=rows,
        write=_write_app,
        file_name=lambda batch, part: f"apply_{batch.date:%Y%m%d}.json",
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_date", 0.002, "quarantined", "bad_type:received_at", replaced("receiveTime", "yesterday")),
            RowFault("bad_code", 0.002, "quarantined", "unknown_code:result", replaced("result", "LOST")),
            RowFault("unknown_unit", 0.003, "accepted", "", replaced("orgCode", UNKNOWN_CODE)),
        ),
        repeated_night=REPEATED_NIGHT,
    )


def _write_app(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
    """The requests below ``result.items``, the user of each in an object of its own."""
    records = [dict(zip(names, [*row[:-1], json.loads(str(row[-1]))], strict=True)) for row in body]
    document = {"success": True, "result": {"count": len(records), "items": records}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def queue_source(world: World, items: Items, visits: Visits) -> Source:
    """排队叫号: GB18030 CSV of the queue system, delta: a ticket when it is drawn, and again when it is done with."""
    changes = np.stack([visits.taken, visits.called, visits.finished], axis=1)
    n = len(visits)
    name, card = people.names(world.seed, "visitors", n), people.identity_numbers(world.seed, "visitors", n)

    def rows(members: Indexes, until: int) -> list[Row]:
        m = members.tolist()
        return as_rows(
            [
                [visits.number[i] for i in m],
                visits.unit[members].tolist(),
                visits.window[members].tolist(),
                [items.code[i] for i in visits.item[members].tolist()],
                spelled(visits.taken[members]),
                spelled(before(visits.called[members], until)),
                spelled(before(visits.finished[members], until)),
                [name[i] for i in m],
                [card[i] for i in m],
            ]
        )

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_csv(path, names, body, encoding="gb18030", quote_all=True)

    return Source(
        source_id="service_window_queue",
        domain="service",
        header=QUEUE_HEADER,
        changes=changes,
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"PDJH_{batch.date:%Y%m%d}.csv",
        faults=(
            RowFault("duplicate_row", 0.002, "duplicate"),
            RowFault("bad_date", 0.002, "quarantined", "bad_type:taken_at", replaced("取号时间", "2025-02-30 09:00:00")),
            RowFault("impossible_time", 0.002, "quarantined", "rule:called_after_taken", replaced("叫号时间", "1999-01-01 00:00:00")),
            RowFault("missing_key", 0.001, "quarantined", "missing_required:visit_id", replaced("票号", "")),
            RowFault("unknown_unit", 0.003, "accepted", "", replaced("网点代码", UNKNOWN_CODE)),
        ),
    )


def deliver_items(items: Items, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """事项清单: xlsx with a header of two levels, full: every version of every item; again on the fifth night, unchanged."""
    rows: list[Row] = []
    for i, code in enumerate(items.code):
        shared: Row = ["是" if items.one_window[i] else "否", "是" if items.one_visit[i] else "否"]
        head: Row = [code, items.name[i], int(items.statutory_days[i])]
        halved = items.halved.isoformat()
        rows.append([*head, int(items.promised_days[i]), *shared, FOUNDED.isoformat(), halved])
        rows.append([*head, int(items.promised_days_after[i]), *shared, halved, None])
    for batch in plan:
        if batch.night in (0, ITEMS_NIGHT):
            relative = f"service/{ITEM_TABLE}/{batch.date:%Y%m%d}/政务服务事项清单.xlsx"
            merged = ("A2:B2", "C2:D2", "E2:F2", "G2:H2")
            write_xlsx(out / relative, "事项清单", ("澜川市公安局政务服务事项清单",), ITEM_LEVELS, merged, rows)
            book.receive(ITEM_TABLE, batch.date, relative, Counter({"accepted": len(rows)}))
