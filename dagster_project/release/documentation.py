"""What every table and column of a release means, in Chinese and English; kept in the database as comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.audit.lineage import Lineage, Node


@dataclass(frozen=True)
class Documentation:
    """The description of one table and of its columns."""

    table: str
    columns: Mapping[str, str]


STALE = "是否陈旧（本期未通过审核，沿用上一次合格版本） stale: the product did not pass tonight and this is its last good state"
ORIGIN_RELEASE = "首次发布该内容的版本 release that first published this row"
AS_OF = "处理日：此前到达的数据均已计入 the night that the row is of"
PRODUCT = "产品（指标族） product, a family of KPIs"

NOTHING_PUBLISHED = "无可发布的产品，原因见 release_info。 No product could be published; release_info says why."

RELEASE_INFO = Documentation(
    "发布说明：每个产品一行。 What this release is, one row per product.",
    {
        "version": "版本 version of this release",
        "as_of": "处理日 night of this release",
        "published_at": "发布时刻（世界时） moment of publishing, UTC",
        "product": PRODUCT,
        "status": "状态：fresh 新，stale 沿用上一合格版本，left_out 未发布 status: fresh, stale (last good state) or left_out",
        "stale": STALE,
        "origin_release": ORIGIN_RELEASE,
        "product_as_of": "该产品数据的处理日 night that the product's figures are of",
        "age_days": "陈旧天数 days between that night and this release",
        "reason": "未更新或未发布的原因 why the product is stale or left out",
        "kpi_rows": "指标行数 rows of the product in kpi",
        "content_hash": "内容散列 content hash of the product's bundle",
        "schema_version": "结构版本 version of the structure of releases",
        "code_version": "代码版本 version of the code that made the release",
    },
)

GATE_RESULT = Documentation(
    "审核结果：每个产品每项检查一行。 What the gate found, one row per product and check.",
    {
        "product": PRODUCT,
        "check": "检查 check",
        "check_zh": "检查名称（中文） name of the check in Chinese",
        "severity": "级别：block 阻止发布，warn 提醒 severity: block holds the product, warn does not",
        "passed": "是否通过 passed",
        "detail": "说明 what was found",
        "waived": "是否豁免 waived by a signed exception",
        "owner": "责任单位 who is to act",
        "action": "处理办法 what to do when it fails",
        "offending_rows": "问题行（JSON，至多20行，个人信息已遮蔽） offending rows as JSON, at most twenty, personal numbers masked",
    },
)

RECEIPT = Documentation(
    "回执：每个交付文件一行。 Receipts, one row per delivered file.",
    {
        "source": "来源 source",
        "batch": "批次日期 date of the batch",
        "file": "文件 file",
    },
)


def of_node(lineage: Lineage, node: Node) -> Documentation:
    """The descriptions of a model in dbt's manifest; a column that has none there borrows that of ``kpi``."""
    kpi = lineage.named("kpi")
    shared = kpi.column_descriptions if kpi else {}
    columns = {**{n: d for n, d in shared.items() if d}, **{n: d for n, d in node.column_descriptions.items() if d}}
    return Documentation(node.description, columns)
