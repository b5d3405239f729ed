"""The systems that know of fraud and how each delivers: the ledger of cases, the banks' portal, the warning platform."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dagster_project.city import people
from dagster_project.city.clock import compact, date_of, spelled
from dagster_project.city.deliveries import REPEATED_NIGHT, Source
from dagster_project.city.faults import RowFault, replaced
from dagster_project.city.files import Cell, Row, write_csv, write_xlsx
from dagster_project.city.fraud.faults import LEDGER, LEDGER_FAULTS
from dagster_project.city.fraud.happenings import ACTIONS, KINDS, Frauds, Payments, Warnings
from dagster_project.city.places import UNKNOWN_CODE
from dagster_project.city.shaping import as_rows, before, ended, latest, or_none
from dagster_project.city.world import Flags, Indexes, World

LEDGER_HEADER = (
    "案件编号",
    "诈骗类别",
    "立案单位代码",
    "报案时间",
    "立案时间",
    "涉案金额（元）",
    "被害人姓名",
    "被害人电话",
    "涉案账号",
    "是否撤销",
    "更新时间",
)
LEDGER_GROUPS: Row = ["案件", None, None, None, None, "资金", "被害人", None, "资金流", "状态", None]
BANK_HEADER = ("业务流水号", "案件编号", "申请单位代码", "业务类型", "金额(元)", "执行时间", "账号", "户名", "开户行")
WARNING_HEADER = ("zlid", "xfdw", "yjdj", "xfrq", "qzfs", "lxjg", "jmbz", "bpbz", "bqzr", *(f"reserver{n:02d}" for n in range(1, 5)))


def ledger_source(world: World, frauds: Frauds) -> Source:
    """电诈案件台账: xlsx with a merged title and a header of two levels, delta, money in yuan."""
    cases = world.cases
    deleted = cases.deleted[frauds.case]
    changes = ended(np.stack([cases.accepted[frauds.case], cases.filed[frauds.case], frauds.corrected, deleted], axis=1), deleted)
    n = len(frauds)
    victim, phone = people.names(world.seed, "fraud victims", n), people.phones(world.seed, "fraud victims", n)
    printed = {kind: text for kind, text, _, _ in KINDS}

    def rows(members: Indexes, until: int) -> list[Row]:
        m, case = members.tolist(), frauds.case[members]
        loss = np.where(frauds.corrected[members] < until, frauds.loss[members], frauds.loss_first[members])
        return as_rows(
            [
                [cases.number[c] for c in case.tolist()],
                [printed[k] for k in frauds.kind[members].tolist()],
                cases.unit[case].tolist(),
                spelled(cases.reported[case]),
                or_none(spelled(before(cases.filed[case], until))),
                [_yuan(fen) for fen in loss.tolist()],
                [victim[i] for i in m],
                [phone[i] for i in m],
                [f"622999{i:010d}" for i in m],
                ["是" if d else "否" for d in (deleted[members] < until).tolist()],
                spelled(latest(changes[members], until)),
            ]
        )

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        groups = ("A2:E2", "G2:H2", "J2:K2")
        write_xlsx(path, "电诈案件", ("澜川市电信网络诈骗案件台账",), [LEDGER_GROUPS, list(names)], groups, body)

    return Source(
        source_id=LEDGER,
        domain="fraud",
        header=LEDGER_HEADER,
        changes=changes,
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"电诈案件台账_{batch.date:%Y%m%d}.xlsx",
        faults=LEDGER_FAULTS,
        late=True,
    )


def _yuan(fen: int) -> Cell:
    return fen // 100 if fen % 100 == 0 else fen / 100


def bank_source(world: World, payments: Payments) -> Source:
    """资金查控: the banks' portal exports GBK CSV, append, money in yuan with thousands separators.

    Account and holder stand in it, a letter that GBK lacks as a question mark.
    """
    cases = world.cases
    n = len(payments)
    holder = [name.encode("gbk", "replace").decode("gbk") for name in people.names(world.seed, "account holders", n)]
    printed = dict(ACTIONS)

    def rows(members: Indexes, until: int) -> list[Row]:
        m, case = members.tolist(), payments.case[members].tolist()
        return as_rows(
            [
                [payments.number[i] for i in m],
                [cases.number[c] for c in case],
                cases.unit[payments.case[members]].tolist(),
                [printed[a] for a in payments.action[members].tolist()],
                [f"{fen // 100:,}.{fen % 100:02d}" for fen in payments.amount[members].tolist()],
                spelled(payments.happened[members]),
                [f"622998{i:010d}" for i in m],
                [holder[i] for i in m],
                ["澜川农商银行"] * len(m),
            ]
        )

    def write(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
        write_csv(path, names, body, encoding="gbk")

    return Source(
        source_id="fraud_bank_action",
        domain="fraud",
        header=BANK_HEADER,
        changes=payments.happened[:, None],
        rows=rows,
        write=write,
        file_name=lambda batch, part: f"zjck_{batch.date:%Y%m%d}.csv",
        faults=(
            RowFault("duplicate_row", 0.003, "duplicate"),
            RowFault("bad_date", 0.002, "quarantined", "bad_type:happened_at", replaced("执行时间", "2025-02-30 10:00:00")),
            RowFault("bad_code", 0.002, "quarantined", "unknown_code:action", replaced("业务类型", "划扣")),
            RowFault("bad_amount", 0.002, "quarantined", "bad_type:amount_fen", replaced("金额(元)", "1,23.4")),
            RowFault("missing_key", 0.001, "quarantined", "missing_required:payment_id", replaced("业务流水号", "")),
            RowFault("unknown_unit", 0.003, "accepted", "", replaced("申请单位代码", UNKNOWN_CODE)),
        ),
        repeated_night=REPEATED_NIGHT,
    )


def warning_source(world: World, warnings: Warnings) -> Source:
    """预警劝阻指令: nested JSON of the provincial platform, append, each once, when its 30 days are over; the person stands in it."""
    n = len(warnings)
    name, phone = people.names(world.seed, "potential victims", n), people.phones(world.seed, "potential victims", n)

    def flags(values: Flags) -> list[str]:
        return ["Y" if value else "N" for value in values.tolist()]

    def rows(members: Indexes, until: int) -> list[Row]:
        m = members.tolist()
        return as_rows(
            [
                [f"ZL{date_of(int(warnings.issued[i])):%Y%m%d}{i:07d}" for i in m],
                warnings.unit[members].tolist(),
                warnings.level[members].tolist(),
                [text[:8] for text in compact(warnings.issued[members])],
                warnings.mode[members].tolist(),
                flags(warnings.contacted[members]),
                flags(warnings.met[members]),
                flags(warnings.victimised[members]),
                [json.dumps({"xm": name[i], "sjh": phone[i]}, ensure_ascii=False) for i in m],
                *([None] * len(m) for _ in range(4)),
            ]
        )

    return Source(
        source_id="fraud_warning_order",
        domain="fraud",
        header=WARNING_HEADER,
        changes=warnings.reported[:, None],
        rows=rows,
        write=_write_warnings,
        file_name=lambda batch, part: f"yjqz_{batch.date:%Y%m%d}.json",
        faults=(
            RowFault("identical_row", 0.003, "accepted"),
            RowFault("bad_date", 0.002, "quarantined", "bad_type:issued_on", replaced("xfrq", "20250230")),
            RowFault("bad_code", 0.002, "quarantined", "unknown_code:mode", replaced("qzfs", "77")),
            RowFault("unknown_unit", 0.003, "accepted", "", replaced("xfdw", UNKNOWN_CODE)),
        ),
        late=True,
        repeated_night=REPEATED_NIGHT,
        repeated_next=True,
    )


def _write_warnings(path: Path, names: Sequence[str], body: Sequence[Row]) -> None:
    """The instructions below ``result.page.list``, the person of each in an object of its own."""
    person = list(names).index("bqzr")
    records = [dict(zip(names, [*row[:person], json.loads(str(row[person])), *row[person + 1 :]], strict=True)) for row in body]
    document = {"code": 0, "message": "ok", "result": {"total": len(records), "page": {"no": 1, "list": records}}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
