"""Every check that the gate makes itself: its name in two languages, how much it matters, whose it is and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dagster_project.audit.verdict import DEFAULT_OWNER, Severity, Verdict, presentable_rows

OWNER_OF_THE_SOURCE = "owner of the source"


@dataclass(frozen=True)
class Check:
    """One check. ``owner`` is OWNER_OF_THE_SOURCE where the contract names who acts."""

    name: str
    zh: str
    severity: Severity
    finds: str
    action: str
    owner: str = DEFAULT_OWNER

    def of_source(self, source_id: str, owner: str, passed: bool, detail: str, rows: Iterable[Mapping[str, Any]] = ()) -> Verdict:
        """The verdict on a source, which is folded into those of the products that it feeds."""
        return Verdict("", self.name, self.severity, passed, detail, owner, self.action, presentable_rows(rows), source_id, self.zh)

    def of_product(
        self, product: str, passed: bool, detail: str, rows: Iterable[Mapping[str, Any]] = (), severity: Severity | None = None
    ) -> Verdict:
        kept = presentable_rows(rows)
        return Verdict(product, self.name, severity or self.severity, passed, detail, self.owner, self.action, kept, zh=self.zh)


def _by_name(*checks: Check) -> dict[str, Check]:
    return {check.name: check for check in checks}


SOURCE_CHECKS: Mapping[str, Check] = _by_name(
    Check(
        "deliveries",
        "交付可用",
        "block",
        "A batch is held or failed: figures would be of an older state, or lack a delivery.",
        "Read the receipt's detail; put the delivery or the contract right and run the night again.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "balance",
        "文件到数据池平衡",
        "block",
        "Per file, rows read are not accepted + quarantined + duplicate + filtered; or rows accepted are not those in the pool.",
        "Rows were lost or doubled between landing and pool: ingest the batch again, then look for the fault in ingest.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "freshness",
        "应到未到",
        "warn",
        "A delivery that the cadence expects is missing: the figures stand, on less.",
        "Ask the owner of the source for the delivery.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "volume",
        "交付量异常",
        "warn",
        "The newest batch has far fewer or more rows than those of the same weekday in the last eight weeks "
        "(median and MAD of √rows; on holidays and around the Spring Festival, than on any weekday).",
        "Ask whether the delivery is whole, or holds another period too; if the change is real, no action.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "shrinkage",
        "全量缩减",
        "block",
        "A full extract lost more than half of its rows: every row that is absent would count as deleted.",
        "Have the full extract delivered again; if the rows are really gone, deliver them once more marked as deleted or waive the check.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "drift",
        "空值与代码漂移",
        "warn",
        "In the newest batch, the share of missing values or of a code in a column lies outside that of the batches before it, by more "
        "than ten points and more than chance.",
        "Ask the owner of the source what changed; new codes and forms need the contract changed.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "emptied",
        "字段空缺",
        "block",
        "A column that used to be filled is empty in nine rows of ten of the newest batch.",
        "The delivery lost a column or the system renamed its values: correct the contract or have the delivery repeated.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "orphans",
        "关联缺失",
        "warn",
        "Of the rows of the newest batch, more than the declared share name a row of another entity that is not in the pool.",
        "Ask for the delivery that holds the rows named; late ones are normal, so look again after the next night.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "detached",
        "关联断裂",
        "block",
        "More than half of the rows of the newest batch name rows that are not in the pool: numbers are written otherwise, or their source "
        "did not deliver.",
        "Compare the numbers as delivered by both sources; correct the contract or have the delivery repeated.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "times",
        "时间顺序",
        "warn",
        "In the newest batch, times stand in the wrong order (call ≤ dispatch ≤ arrival ≤ end; report ≤ event …) in more than the declared "
        "share of rows.",
        "Show the rows to the owner of the source; figures of durations leave them out and count them.",
        OWNER_OF_THE_SOURCE,
    ),
    Check(
        "reversed",
        "时间倒置",
        "block",
        "In the newest batch, times stand in the wrong order in more than half of the rows: columns were exchanged or read in a wrong format.",
        "Compare the columns of the delivery with the contract; correct the one that is wrong and run the night again.",
        OWNER_OF_THE_SOURCE,
    ),
)

PRODUCT_CHECKS: Mapping[str, Check] = _by_name(
    Check(
        "built",
        "模型构建",
        "block",
        "A model that the product is made of was not built without an error by the build that was sealed.",
        "Read dbt's message, put the model right and build again.",
    ),
    Check(
        "as_of",
        "处理日一致",
        "block",
        "Figures are not of the night processed.",
        "Build the candidate again from its start.",
    ),
    Check(
        "rows",
        "有数可发",
        "block",
        "The product has no figure although the last release had some (a warning when none ever had).",
        "Find out why no row of the product's sources is counted.",
    ),
    Check(
        "continuity",
        "与上期行数衔接",
        "warn",
        "Against the release before, a KPI vanished, or its rows by grain fell or rose by more than half.",
        "Compare with the release before; if the change is real, no action.",
    ),
    Check(
        "restatement",
        "已发布数字重述",
        "warn",
        "Against the release before, counts of months that were complete then moved by more than a fifth and by more than 20.",
        "Find the late or corrected delivery that explains it; if there is none, the model changed.",
    ),
    Check(
        "additivity",
        "数字等于计数之和",
        "block",
        "A figure of the city is not the sum of the counts of its units and days, or a quarter or year not the sum of its months.",
        "Look at int_kpi_figure and unit_ancestor: the figure was not derived from fct_kpi_count alone.",
    ),
    Check(
        "coverage",
        "单位失报",
        "warn",
        "A unit that counted at least twenty in a usual week of the last eight counted nothing in the last one (weeks of holidays aside).",
        "Ask the unit and the owners of the sources whether its rows are missing, or stand under another unit code.",
    ),
    Check(
        "plausibility",
        "数字合理性",
        "warn",
        "Numerator or denominator of the city's last complete week or month lies far outside those of the eight before "
        "(median and MAD of √count; periods of holidays aside).",
        "Look at the sources of the KPI for that period; if the change is real, no action.",
    ),
    Check(
        "reconciliation",
        "与单位印发数核对",
        "warn",
        "Counts that a unit printed differ from the pool's by more than three and by more than five per cent.",
        "Ask the unit which rows it counted; the pool's figure stands.",
    ),
    Check(
        "personal columns",
        "个人字段血缘",
        "block",
        "A published column is computed from a column of the pool that names a person or a record under a key, other than by counting.",
        "Change the model that the verdict names: count, or ask only whether the value is there or equals another.",
    ),
    Check(
        "personal values",
        "个人信息扫描",
        "block",
        "A text that would be published reads as a resident ID, a telephone, a plate or a bank card.",
        "Find the contract that lets the value in, drop or hash it there, and ingest the source again.",
    ),
    Check(
        "needs",
        "所需产品",
        "block",
        "A product whose figures this one prints is held.",
        "Put right what holds the product it needs.",
    ),
    Check(
        "waivers",
        "豁免",
        "warn",
        "The file of waivers is wrong, or a waiver of the product expired or is not needed.",
        "Put waivers.yaml right, or remove the waiver.",
    ),
    Check(
        "withdrawn before",
        "内容曾被撤回",
        "warn",
        "The product's figures are those of a release that was withdrawn.",
        "Make sure that what was wrong was in another product.",
    ),
    Check(
        "withdrawn",
        "发布被撤回",
        "block",
        "The release was withdrawn and no other is left: nothing is published until the next good night.",
        "Put right what was wrong and run the night again.",
    ),
    Check(
        "last good bundle",
        "上一合格版本可读",
        "block",
        "The product is held and its last good state cannot be read.",
        "Put right what holds the product; its next good night replaces the bundle.",
    ),
)

CHECKS: Mapping[str, Check] = {**SOURCE_CHECKS, **PRODUCT_CHECKS}

DBT_KINDS: Mapping[str, str] = {
    "all_units_known": "单位编码可识别",
    "balanced": "平衡",
    "excluded_systems_deliver_nothing": "禁入系统无数据",
    "known_values": "取值在代码表内",
    "no_overlap": "有效期不重叠",
    "one_way_up": "上级唯一",
    "partitions_sum": "分项合计等于总数",
    "printed_rates_agree": "印发比率与自身计数一致",
    "valid_counts": "计数有效",
    "valid_table": "主键唯一、取值有效",
    "published_counts_add_up": "市、县、所逐级相加",
}
"""Kind of dbt test to its name in Chinese."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "delivery": ("deliveries", "balance", "freshness", "volume", "shrinkage", "drift", "emptied"),
    "relations": ("orphans", "detached", "times", "reversed"),
    "figures": ("built", "as_of", "rows", "additivity", "coverage", "plausibility", "reconciliation", "dbt:", "gx:"),
    "privacy": ("personal columns", "personal values"),
    "continuity": ("continuity", "restatement", "needs", "waivers", "last good bundle", "withdrawn before", "withdrawn"),
}
"""How the checks of a product are put together for people: family to its checks; a name that ends with ':' stands for all that begin so."""

FAMILY_WORDS: Mapping[str, str] = {
    "delivery": "交付完整、可用、及时，量与填写如常。 What feeds the product was delivered, whole, in time, in the usual volume and shape.",
    "relations": "关联可追溯，时间有先后。 References lead somewhere and times stand in their order.",
    "figures": "数字由计数得出，相加相等，合理。 Figures follow from their counts, add up and are plausible.",
    "privacy": "不含个人信息。 Nothing that goes out names a person.",
    "continuity": "与上期发布衔接。 The product goes on from the last release, and what it needs passed.",
}


def family_of(check: str) -> str:
    """The family of a check by its name. Raises KeyError for a name that no family has."""
    for family, names in FAMILIES.items():
        if any(check == name or (name.endswith(":") and check.startswith(name)) for name in names):
            return family
    raise KeyError(check)
