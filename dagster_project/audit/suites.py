"""The Great Expectations suites of the marts, generated from the catalogue and the schema; plain data, no import of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_project.audit.candidate import Candidate
from dagster_project.audit.interface import COUNT_COLUMNS, COUNT_KEY, GRAINS, KPI_COLUMNS, KPI_KEY, KPI_REQUIRED, RELEASE_COLUMNS, Kind, is_of_kind
from dagster_project.audit.lineage import Node
from dagster_project.audit.verdict import Severity


@dataclass(frozen=True)
class Expectation:
    """One expectation: its Great Expectations type in snake case, its arguments, and what a person needs when it fails."""

    check: str
    type: str
    arguments: Mapping[str, Any]
    words: str
    action: str
    severity: Severity = "block"

    def as_request(self) -> dict[str, Any]:
        return {"check": self.check, "type": self.type, "arguments": dict(self.arguments)}


@dataclass(frozen=True)
class Suite:
    """Expectations over the rows of one query. The column ``product``, when the query has it, says whose a failing row is."""

    name: str
    products: tuple[str, ...]
    sql: str
    expectations: tuple[Expectation, ...] = field(default=())

    def as_request(self) -> dict[str, Any]:
        return {"name": self.name, "sql": self.sql, "expectations": [e.as_request() for e in self.expectations]}


FIX_MODEL = "Put the model or its YAML right: analysts rely on these names and types."
FIX_FIGURE = "Recompute the row from its counts; find the model where it goes wrong."
FIX_UNIT = "Add the unit to the register of units, or map its code in the contract."


def _not_null(column: str, words: str = "") -> Expectation:
    return Expectation(f"{column} given", "expect_column_values_to_not_be_null", {"column": column}, words or f"{column} is null", FIX_FIGURE)


def _between(check: str, column: str, low: float | None, high: float | None, words: str, action: str = FIX_FIGURE, severity: Severity = "block") -> Expectation:
    bounds = {name: value for name, value in (("min_value", low), ("max_value", high)) if value is not None}
    return Expectation(check, "expect_column_values_to_be_between", {"column": column, **bounds}, words, action, severity)


def _not_below(check: str, high: str, low: str, words: str) -> Expectation:
    arguments = {"column_A": high, "column_B": low, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
    return Expectation(check, "expect_column_pair_values_a_to_be_greater_than_b", arguments, words, FIX_FIGURE)


def _in_set(check: str, column: str, values: list[Any], words: str, action: str) -> Expectation:
    return Expectation(check, "expect_column_values_to_be_in_set", {"column": column, "value_set": values}, words, action)


def schema_suite(candidate: Candidate, name: str, node: Node, products: tuple[str, ...], expected: Mapping[str, Kind]) -> Suite:
    """Columns and types as the interface promises: a frame of one row per column of the table."""
    actual = candidate.columns(node)
    rows = [(c, t, "promised" if c in expected and is_of_kind(t, expected[c]) else f"promised as {expected[c]}" if c in expected else "not promised") for c, t in actual.items()]
    values = ", ".join(f"('{c.replace(chr(39), chr(39) * 2)}', '{t.replace(chr(39), chr(39) * 2)}', '{s}')" for c, t, s in rows)
    required = [c for c in expected if c not in RELEASE_COLUMNS]
    return Suite(
        f"{name} schema",
        products,
        f"select * from (values {values}) as described(column_name, column_type, standing)",
        (
            Expectation(
                "columns present",
                "expect_column_distinct_values_to_contain_set",
                {"column": "column_name", "value_set": required},
                f"{name} lacks a promised column",
                FIX_MODEL,
            ),
            _in_set("columns as promised", "standing", ["promised"], f"{name} has a column that is not promised, or of another type", FIX_MODEL),
        ),
    )


def kpi_suites(candidate: Candidate) -> list[Suite]:
    """The suites of ``kpi``, over all products at once: a failing row names its product."""
    kpi, catalogue, unit = (candidate.lineage.named(n) for n in ("kpi", "kpi_catalogue", "unit"))
    products = candidate.lineage.products
    if kpi is None or catalogue is None or unit is None or not all(candidate.has(n) for n in (kpi, catalogue, unit)):
        return []
    kpi_relation, catalogue_relation, unit_relation = (candidate.relation(n) for n in (kpi, catalogue, unit))
    key = ", ".join(KPI_KEY)
    figures = f"""
        select
            kpi.product, kpi.kpi_id, kpi.kpi_name_zh, kpi.kpi_name_en, kpi.unit_code, kpi.slice, kpi.grain, kpi.period_start, kpi.period_end,
            kpi.is_complete, kpi.as_of,
            catalogue.kind as catalogue_kind,
            catalogue.product as catalogue_product,
            unit.unit_code as known_unit,
            kpi.numerator::double as numerator,
            kpi.denominator::double as denominator,
            round(kpi.value::double, 6) as value,
            round(kpi.lower95::double, 6) as lower95,
            round(kpi.upper95::double, 6) as upper95,
            case when catalogue.kind = 'proportion' then kpi.numerator::double end as part,
            case when catalogue.kind = 'proportion' then kpi.denominator::double end as whole,
            case when catalogue.kind = 'proportion' then round(kpi.value::double / catalogue.value_scale, 6) end as proportion,
            case when catalogue.kind = 'count' then kpi.numerator::double end as counted,
            case when kpi.denominator <> 0 and catalogue.kind in ('proportion', 'ratio', 'rate')
                then round(kpi.value::double - kpi.numerator::double / kpi.denominator::double * catalogue.value_scale, 6) end as off_its_counts,
            date_diff('day', kpi.period_start, kpi.period_end) as days_after_start,
            date_diff('day', kpi.period_start, kpi.as_of) as days_begun,
            case when kpi.is_complete then date_diff('day', kpi.period_end, kpi.as_of) end as days_since_complete
        from {kpi_relation} as kpi
        left join {catalogue_relation} as catalogue using (kpi_id)
        left join (select distinct unit_code from {unit_relation}) as unit using (unit_code)
    """
    return [
        schema_suite(candidate, "kpi", kpi, products, KPI_COLUMNS),
        Suite(
            "kpi",
            products,
            figures,
            (
                *(_not_null(column) for column in KPI_REQUIRED),
                _not_null("catalogue_kind", "the KPI is not in the catalogue"),
                Expectation(
                    "product of the catalogue",
                    "expect_column_pair_values_to_be_equal",
                    {"column_A": "product", "column_B": "catalogue_product", "ignore_row_if": "either_value_is_missing"},
                    "the row's product is not the catalogue's",
                    FIX_FIGURE,
                ),
                Expectation("unit known", "expect_column_values_to_not_be_null", {"column": "known_unit"}, "the unit has no entry in 'unit'", FIX_UNIT),
                _in_set("grain known", "grain", list(GRAINS), "the grain is none of day, week, month, quarter, year, ytd", FIX_FIGURE),
                _between("denominator not negative", "denominator", 0, None, "a denominator is negative"),
                _between("count not negative", "counted", 0, None, "a count is negative"),
                _between("part not negative", "part", 0, None, "the numerator of a proportion is negative"),
                _not_below("part within whole", "whole", "part", "the numerator of a proportion exceeds its denominator"),
                _between("proportion within 0 and 1", "proportion", 0, 1, "a proportion lies outside 0 … 1"),
                _between("value of its counts", "off_its_counts", -1e-6, 1e-6, "the value is not numerator ÷ denominator × scale"),
                _not_below("value within upper bound", "upper95", "value", "the value exceeds its upper 95 % bound"),
                _not_below("value within lower bound", "value", "lower95", "the value is below its lower 95 % bound"),
                _between("period in order", "days_after_start", 0, None, "the period ends before it starts"),
                _between("period has begun", "days_begun", 0, None, "the period starts after the night processed"),
                _between("complete means over", "days_since_complete", 0, None, "the period is called complete before its end"),
            ),
        ),
        Suite(
            "kpi keys",
            products,
            f"select product, {key}, count(*) as copies from {kpi_relation} group by all having count(*) > 1 limit 1000",
            (_between("key unique", "copies", 1, 1, f"rows are not unique by {key}"),),
        ),
    ]


def count_suites(candidate: Candidate) -> list[Suite]:
    """The suites of ``fct_kpi_count``: the schema, and the rows that break a rule, found by one scan."""
    counts, catalogue = candidate.lineage.named("fct_kpi_count"), candidate.lineage.named("kpi_catalogue")
    products = candidate.lineage.products
    if counts is None or catalogue is None or not candidate.has(counts) or not candidate.has(catalogue):
        return []
    relation, key = candidate.relation(counts), ", ".join(COUNT_KEY)
    facts = f"""
        with counted as (
            select {key}, count(*) as copies from {relation} group by all having count(*) > 1 limit 1000
        )
        select catalogue.product, counted.* from counted left join {candidate.relation(catalogue)} as catalogue using (kpi_id)
    """
    future = f"""
        select catalogue.product, counts.kpi_id, date_diff('day', max(counts.day), date '{candidate.as_of}') as days_before_night
        from {relation} as counts left join {candidate.relation(catalogue)} as catalogue using (kpi_id)
        group by all
    """
    return [
        schema_suite(candidate, "fct_kpi_count", counts, products, COUNT_COLUMNS),
        Suite("fct_kpi_count keys", products, facts, (_between("key unique", "copies", 1, 1, f"rows are not unique by {key}"),)),
        Suite(
            "fct_kpi_count days",
            products,
            future,
            (
                _not_null("product", "the KPI is not in the catalogue"),
                _between("nothing after the night", "days_before_night", 0, None, "something is counted on a day after the night processed"),
            ),
        ),
    ]


def mart_suites(candidate: Candidate) -> list[Suite]:
    """The suites of every ``mart_<product>``: documented columns, known units, unique rows."""
    unit = candidate.lineage.named("unit")
    suites: list[Suite] = []
    for product, mart in candidate.lineage.marts.items():
        if not candidate.has(mart):
            continue
        actual = candidate.columns(mart)
        names = list(actual)
        values = ", ".join(f"('{product}', '{name}')" for name in names)
        documented = Expectation(
            "columns documented",
            "expect_column_distinct_values_to_equal_set",
            {"column": "column_name", "value_set": list(mart.column_descriptions)},
            f"the columns of {mart.name} are not those that its YAML describes",
            FIX_MODEL,
            "block",
        )
        suites.append(Suite(f"{mart.name} schema", (product,), f"select * from (values {values}) as described(product, column_name)", (documented,)))
        expectations: list[Expectation] = []
        if "unit_code" in names and candidate.has(unit) and unit is not None:
            expectations.append(_not_null("unit_code"))
            expectations.append(Expectation("unit known", "expect_column_values_to_not_be_null", {"column": "known_unit"}, "the unit has no entry in 'unit'", FIX_UNIT))
            known = f"left join (select distinct unit_code as known_unit from {candidate.relation(unit)}) on unit_code = known_unit"
        else:
            known = ""
        expectations.extend(_not_null(c) for c in ("grain", "period_start", "period_end", "as_of") if c in names)
        if "grain" in names:
            expectations.append(_in_set("grain known", "grain", list(GRAINS), "the grain is none of day, week, month, quarter, year, ytd", FIX_FIGURE))
        bounds = [(n.removesuffix("_lower95"), n) for n in names if n.endswith("_lower95") and n.removesuffix("_lower95") + "_upper95" in names]
        picked = [n for n in ("unit_code", "grain", "period_start", "period_end", "as_of") if n in names]
        for stem, lower in bounds:
            picked += [lower, f"{stem}_upper95"]
            expectations.append(_not_below(f"{stem} bounds in order", f"{stem}_upper95", lower, f"the upper bound of {stem} is below its lower bound"))
        if expectations:
            columns = ", ".join(f'"{n}"' for n in picked)
            extra = ", known_unit" if known else ""
            suites.append(Suite(mart.name, (product,), f"select {columns}{extra} from {candidate.relation(mart)} {known}", tuple(expectations)))
        key = [n for n in KPI_KEY if n in names]
        if {"unit_code", "grain", "period_start"} <= set(key):
            listed = ", ".join(key)
            suites.append(
                Suite(
                    f"{mart.name} keys",
                    (product,),
                    f"select {listed}, count(*) as copies from {candidate.relation(mart)} group by all having count(*) > 1 limit 1000",
                    (_between("key unique", "copies", 1, 1, f"rows are not unique by {listed}"),),
                )
            )
    return suites


def all_suites(candidate: Candidate) -> list[Suite]:
    return [*kpi_suites(candidate), *count_suites(candidate), *mart_suites(candidate)]
