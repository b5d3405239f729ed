"""The Great Expectations suites of the marts, generated from the catalogue and the schema; plain data, no import of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from dagster_project.audit.candidate import Candidate, sql_text
from dagster_project.audit.expected import EXPECTED, Expectation
from dagster_project.audit.interface import (
    COUNT_COLUMNS,
    COUNT_KEY,
    GRAINS,
    KPI_COLUMNS,
    KPI_KEY,
    KPI_REQUIRED,
    NOT_PUBLISHABLE,
    RELEASE_COLUMNS,
    Kind,
    is_of_kind,
)
from dagster_project.audit.lineage import PUBLISHED_FOR_ALL, Node
from dagster_project.audit.verdict import first_line


@dataclass(frozen=True)
class Suite:
    """Expectations over the rows of one query. The column ``product``, where there is one, says whose a failing row is.

    Only the columns that expectations name become a frame; the others identify a failing row.
    """

    name: str
    products: tuple[str, ...]
    sql: str

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        return EXPECTED[self.name]

    def as_request(self) -> dict[str, Any]:
        return {"name": self.name, "sql": self.sql, "expectations": [e.as_request() for e in self.expectations]}


PROMISED: Mapping[str, Mapping[str, Kind]] = {"kpi": KPI_COLUMNS, "fct_kpi_count": COUNT_COLUMNS}


def _literal(value: str | None) -> str:
    return "null" if value is None else sql_text(value)


def _published_tables(candidate: Candidate) -> list[tuple[str | None, Node]]:
    """Every table that goes into a release with the product it belongs to; None for the tables of all."""
    lineage = candidate.lineage
    shared = [n for name in PUBLISHED_FOR_ALL if (n := lineage.named(name)) is not None]
    own = [(product, n) for product in lineage.products for n in lineage.tables_of(product) if n.name not in PUBLISHED_FOR_ALL]
    return [(p, n) for p, n in [*((None, n) for n in shared), *own] if candidate.has(n)]


def columns_suite(candidate: Candidate) -> Suite:
    """Columns and types as promised and described: a frame of one row per column of every published table."""
    rows: list[str] = []
    for product, node in _published_tables(candidate):
        try:
            actual = candidate.columns(node)
        except duckdb.Error as error:
            rows.append(f"({', '.join(map(_literal, (product, node.name, None, first_line(error), None)))})")
            continue
        promised = {n: k for n, k in PROMISED.get(node.name, {}).items() if n in actual or n not in RELEASE_COLUMNS}
        for column in dict.fromkeys([*actual, *promised, *node.column_descriptions]):
            broken = undescribed = None
            if column not in actual:
                broken = "missing"
            elif promised and column not in promised:
                broken = "not promised"
            elif promised and not is_of_kind(actual[column], promised[column]):
                broken = f"{actual[column]}, promised as {promised[column]}"
            elif actual[column] in NOT_PUBLISHABLE:
                broken = f"{actual[column]}: cast it to bigint or decimal"
            elif not node.column_descriptions.get(column):
                undescribed = "no description"
            rows.append(f"({', '.join(map(_literal, (product, node.name, column, broken, undescribed)))})")
    names = ("product", "table_name", "column_name", "broken", "undescribed")
    typed = ", ".join(f"{name}::varchar as {name}" for name in names)
    listed = f"select {typed} from (values {', '.join(rows)}) as described({', '.join(names)})"
    return Suite("tables", candidate.lineage.products, listed)


def kpi_suites(candidate: Candidate) -> list[Suite]:
    """The suites of ``kpi``, over all products at once: a failing row names its product."""
    kpi, catalogue, unit = (candidate.lineage.named(n) for n in ("kpi", "kpi_catalogue", "unit"))
    products = candidate.lineage.products
    if kpi is None or catalogue is None or unit is None or not all(candidate.has(n) for n in (kpi, catalogue, unit)):
        return []
    kpi_relation, catalogue_relation, unit_relation = (candidate.relation(n) for n in (kpi, catalogue, unit))
    key = ", ".join(KPI_KEY)
    absent = " + ".join(f"(kpi.{column} is null)::bigint" for column in KPI_REQUIRED)
    grains = ", ".join(sql_text(grain) for grain in GRAINS)
    # A slice excluded:<reason> counts what the KPI leaves out: a number without a whole, whatever the kind of the KPI.
    figures = f"""
        select
            kpi.product, kpi.kpi_id, kpi.unit_code, kpi.slice, kpi.grain, kpi.period_start, kpi.period_end, kpi.is_complete, kpi.numerator,
            {absent} as absent,
            (catalogue.kpi_id is null)::bigint as not_in_catalogue,
            coalesce(catalogue.product <> kpi.product, false)::bigint as of_another_product,
            (unit.unit_code is null)::bigint as of_unknown_unit,
            coalesce(kpi.grain not in ({grains}), false)::bigint as of_unknown_grain,
            kpi.denominator::double as denominator,
            round(kpi.value::double, 6) as value,
            round(kpi.lower95::double, 6) as lower95,
            round(kpi.upper95::double, 6) as upper95,
            case when catalogue.kind in ('proportion', 'count') or kpi.slice like 'excluded:%' then kpi.numerator::double end as counted,
            case when catalogue.kind = 'proportion' and kpi.slice not like 'excluded:%' then kpi.denominator::double end as whole,
            case when catalogue.kind = 'proportion' then round(kpi.value::double / catalogue.value_scale, 6) end as proportion,
            case when kpi.denominator <> 0 and catalogue.kind in ('proportion', 'ratio', 'rate', 'mean')
                then round(kpi.value::double - kpi.numerator::double / kpi.denominator::double * catalogue.value_scale, 6)
            end as off_its_counts,
            date_diff('day', kpi.period_start, kpi.period_end) as days_after_start,
            date_diff('day', kpi.period_start, kpi.as_of) as days_begun,
            case when kpi.is_complete then date_diff('day', kpi.period_end, kpi.as_of) end as days_since_complete
        from {kpi_relation} as kpi
        left join {catalogue_relation} as catalogue on kpi.kpi_id = catalogue.kpi_id
        left join (select distinct unit_code from {unit_relation}) as unit on kpi.unit_code = unit.unit_code
    """
    return [
        Suite(
            "kpi",
            products,
            figures,
        ),
        Suite(
            "kpi keys",
            products,
            f"select product, {key}, count(*) as copies from {kpi_relation} group by all having count(*) > 1 limit 1000",
        ),
    ]


def count_suites(candidate: Candidate) -> list[Suite]:
    """The suites of ``fct_kpi_count``: each a small frame that one scan of the candidate gives."""
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
    return [Suite("fct_kpi_count keys", products, facts), Suite("fct_kpi_count days", products, future)]


def _mart_rows(candidate: Candidate, product: str, mart: Node, columns: Mapping[str, str]) -> str:
    def picked(name: str, duckdb_type: str) -> str:
        return f'"{name}"' if name in columns else f"null::{duckdb_type} as {name}"

    def stands(name: str) -> str:
        return "true" if name in columns else "false"

    return (
        f"select {_literal(product)} as product, {_literal(mart.name)} as table_name, {picked('unit_code', 'varchar')}, "
        f"{picked('grain', 'varchar')}, {picked('period_start', 'date')}, {picked('period_end', 'date')}, "
        f"{stands('unit_code')} as by_unit, {stands('grain')} as by_period from {candidate.relation(mart)}"
    )


def _mart_copies(candidate: Candidate, product: str, mart: Node, key: list[str]) -> str:
    listed = ", ".join(key)
    return (
        f"select {_literal(product)} as product, {_literal(mart.name)} as table_name, unit_code, grain, period_start, count(*) as copies "
        f"from {candidate.relation(mart)} group by {listed} having count(*) > 1"
    )


def _mart_bounds(candidate: Candidate, product: str, mart: Node, stem: str) -> str:
    return (
        f"select {_literal(product)} as product, {_literal(mart.name)} as table_name, {_literal(stem)} as figure, "
        f'round("{stem}_lower95"::double, 6) as lower95, round("{stem}_upper95"::double, 6) as upper95 '
        f'from {candidate.relation(mart)} where "{stem}_lower95" > "{stem}_upper95"'
    )


def _readable_columns(candidate: Candidate, node: Node) -> dict[str, str]:
    """The columns of a table; none when it is missing or cannot be read, which other checks say."""
    try:
        return candidate.columns(node) if candidate.has(node) else {}
    except duckdb.Error:
        return {}


def mart_suites(candidate: Candidate) -> list[Suite]:
    """The suites of the wide tables, over all of them at once: known units, whole periods, unique rows, bounds in order."""
    unit = candidate.lineage.named("unit")
    rows, copies, bounds = [], [], []
    for product, mart in candidate.lineage.marts.items():
        columns = _readable_columns(candidate, mart)
        if {"unit_code", "grain"} & set(columns):
            rows.append(_mart_rows(candidate, product, mart, columns))
        key = [n for n in KPI_KEY if n in columns]
        if {"unit_code", "grain", "period_start"} <= set(key):
            copies.append(_mart_copies(candidate, product, mart, key))
        stems = [n.removesuffix("_lower95") for n in columns if n.endswith("_lower95")]
        bounds += [_mart_bounds(candidate, product, mart, stem) for stem in stems if f"{stem}_upper95" in columns]
    products = candidate.lineage.products
    suites: list[Suite] = []
    if rows and unit is not None and candidate.has(unit):
        known = f"""
            select
                mart.product, mart.table_name, mart.unit_code, mart.grain, mart.period_start,
                case when by_unit then coalesce(unit.unit_code, 'unknown') end as unit_standing,
                case when by_period then coalesce(mart.grain, 'none') end as grain_standing,
                case when by_period then coalesce(date_diff('day', mart.period_start, mart.period_end), -1) end as days_after_start
            from ({" union all ".join(rows)}) as mart
            left join (select distinct unit_code from {candidate.relation(unit)}) as unit on mart.unit_code = unit.unit_code
        """
        suites.append(Suite("marts", products, known))
    if copies:
        listed = f"select * from ({' union all '.join(copies)}) limit 1000"
        suites.append(Suite("marts keys", products, listed))
    if bounds:
        listed = f"select * from ({' union all '.join(bounds)}) limit 1000"
        suites.append(Suite("marts bounds", products, listed))
    return suites


def all_suites(candidate: Candidate) -> list[Suite]:
    return [columns_suite(candidate), *kpi_suites(candidate), *count_suites(candidate), *mart_suites(candidate)]
