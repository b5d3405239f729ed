"""What goes wrong in the ledger of fraud cases: known before the cases are, for what is lost depends on nothing that they say."""

from __future__ import annotations

from dagster_project.city.faults import RowFault, replaced
from dagster_project.city.places import UNKNOWN_CODE

FRAUD = "050301"
LEDGER = "fraud_case_ledger"
LEDGER_FAULTS = (
    RowFault("duplicate_row", 0.003, "duplicate"),
    RowFault("bad_date", 0.002, "quarantined", "bad_type:reported_at", replaced("报案时间", "上周三")),
    RowFault("bad_code", 0.002, "quarantined", "unknown_code:category", replaced("诈骗类别", "待核")),
    RowFault("bad_amount", 0.002, "quarantined", "bad_type:loss_fen", replaced("涉案金额（元）", "约三万")),
    RowFault("negative_amount", 0.001, "quarantined", "rule:loss_is_not_negative", replaced("涉案金额（元）", "-1200")),
    RowFault("unknown_unit", 0.003, "accepted", "", replaced("立案单位代码", UNKNOWN_CODE)),
)
