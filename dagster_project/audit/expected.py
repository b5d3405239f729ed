"""What Great Expectations is asked of every table that goes out: the expectations by suite, in words of two languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster_project.audit.interface import COUNT_KEY, GRAINS, KPI_KEY, KPI_REQUIRED
from dagster_project.audit.verdict import Severity

FIX_MODEL = "Put the model or its YAML right: analysts rely on these names and types."
FIX_FIGURE = "Recompute the row from its counts; find the model where it goes wrong."
FIX_UNIT = "Add the unit to the register of units, or map its code in the contract."


@dataclass(frozen=True)
class Expectation:
    """One expectation: its Great Expectations type in snake case, its arguments, and what a person needs when it fails."""

    check: str
    zh: str
    type: str
    arguments: Mapping[str, Any]
    words: str
    action: str
    severity: Severity = "block"

    def as_request(self) -> dict[str, Any]:
        return {"check": self.check, "type": self.type, "arguments": dict(self.arguments)}


def _between(check: str, zh: str, column: str, low: float | None, high: float | None, words: str, action: str = FIX_FIGURE) -> Expectation:
    bounds = {name: value for name, value in (("min_value", low), ("max_value", high)) if value is not None}
    return Expectation(check, zh, "expect_column_values_to_be_between", {"column": column, **bounds}, words, action)


def _not_below(check: str, zh: str, high: str, low: str, words: str) -> Expectation:
    arguments = {"column_A": high, "column_B": low, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
    return Expectation(check, zh, "expect_column_pair_values_a_to_be_greater_than_b", arguments, words, FIX_FIGURE)


def _once(key: tuple[str, ...]) -> tuple[Expectation, ...]:
    return (_between("key unique", "主键唯一", "copies", 1, 1, f"rows are not unique by {', '.join(key)}"),)


EXPECTED: Mapping[str, tuple[Expectation, ...]] = {
    "tables": (
        Expectation(
            "columns as promised",
            "字段与约定一致",
            "expect_column_values_to_be_null",
            {"column": "broken"},
            "a column is missing, not promised, or of another type",
            FIX_MODEL,
        ),
        Expectation(
            "columns described",
            "字段有说明",
            "expect_column_values_to_be_null",
            {"column": "undescribed"},
            "a column has no description",
            "Describe the column, in Chinese and English, in the model's YAML.",
            "warn",
        ),
    ),
    "kpi": (
        _between("required columns given", "必填字段齐全", "absent", None, 0, f"one of {', '.join(KPI_REQUIRED)} is null"),
        _between("KPI in the catalogue", "指标在目录内", "not_in_catalogue", None, 0, "the KPI is not in the catalogue"),
        _between("product of the catalogue", "产品与目录一致", "of_another_product", None, 0, "the row's product is not the catalogue's"),
        _between("unit known", "单位可识别", "of_unknown_unit", None, 0, "the unit has no entry in 'unit'", FIX_UNIT),
        _between("grain known", "周期粒度有效", "of_unknown_grain", None, 0, f"the grain is none of {', '.join(GRAINS)}"),
        _between("denominator not negative", "分母不为负", "denominator", 0, None, "a denominator is negative"),
        _between("count not negative", "计数不为负", "counted", 0, None, "a count, or the numerator of a proportion, is negative"),
        _not_below("part within whole", "部分不超过整体", "whole", "counted", "the numerator of a proportion exceeds its denominator"),
        _between("proportion within 0 and 1", "比例在0与1之间", "proportion", 0, 1, "a proportion lies outside 0 … 1"),
        _between(
            "value of its counts", "数值由其计数得出", "off_its_counts", -1e-6, 1e-6, "the value is not numerator ÷ denominator × scale"
        ),
        _not_below("value within upper bound", "数值不超过上界", "upper95", "value", "the value exceeds its upper 95 % bound"),
        _not_below("value within lower bound", "数值不低于下界", "value", "lower95", "the value is below its lower 95 % bound"),
        _between("period in order", "周期起止有序", "days_after_start", 0, None, "the period ends before it starts"),
        _between("period has begun", "周期已开始", "days_begun", 0, None, "the period starts after the night processed"),
        _between("complete means over", "完整周期确已结束", "days_since_complete", 0, None, "the period is called complete before its end"),
    ),
    "kpi keys": _once(KPI_KEY),
    "fct_kpi_count keys": _once(COUNT_KEY),
    "fct_kpi_count days": (
        Expectation(
            "KPI in the catalogue",
            "指标在目录内",
            "expect_column_values_to_not_be_null",
            {"column": "product"},
            "the KPI is not in the catalogue",
            FIX_FIGURE,
        ),
        _between(
            "nothing after the night",
            "处理日之后无计数",
            "days_before_night",
            0,
            None,
            "something is counted on a day after the night processed",
        ),
    ),
    "marts": (
        Expectation(
            "unit known",
            "单位可识别",
            "expect_column_values_to_not_be_in_set",
            {"column": "unit_standing", "value_set": ["unknown"]},
            "the unit has no entry in 'unit'",
            FIX_UNIT,
        ),
        Expectation(
            "grain known",
            "周期粒度有效",
            "expect_column_values_to_be_in_set",
            {"column": "grain_standing", "value_set": list(GRAINS)},
            f"the grain is none of {', '.join(GRAINS)}",
            FIX_FIGURE,
        ),
        _between("period in order", "周期起止有序", "days_after_start", 0, None, "the period is missing or ends before it starts"),
    ),
    "marts keys": (_between("key unique", "主键唯一", "copies", 1, 1, "a row stands more than once"),),
    "marts bounds": (_not_below("bounds in order", "上下界有序", "upper95", "lower95", "an upper 95 % bound is below its lower one"),),
}
"""Suite to its expectations."""
