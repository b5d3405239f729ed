"""The dbt tests, run again: the compiled SQL of every test against the candidate, whatever dbt itself said about it."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import duckdb

from dagster_project.audit.candidate import Candidate
from dagster_project.audit.lineage import Node
from dagster_project.audit.verdict import DEFAULT_OWNER, ROWS_KEPT, Severity, Verdict, presentable_rows

NOT_AUDITED = "not audited"
CONDITION = re.compile(r"^\s*(!=|<>|==|=|>=|<=|>|<)\s*(\d+)\s*$")
COMPARISONS = {
    "!=": operator.ne,
    "<>": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
REBUILD = "Build the candidate again with every test selected; if this stays, the test itself is broken."


@dataclass(frozen=True)
class _Failure:
    failures: int
    rows: tuple[dict[str, object], ...]
    products: frozenset[str] | None
    """The products that the failing rows belong to; None when the rows do not say."""


def check_name(test: Node) -> str:
    return f"dbt:{test.meta.get('check', test.name)}"


def _tested(test: Node) -> tuple[str, ...]:
    return (test.attached,) if test.attached else test.parents


def affected_products(candidate: Candidate, test: Node) -> tuple[str, ...]:
    """The products that a test speaks for: those it declares, else those whose figures are made of what it tests."""
    return test.products or candidate.lineage.products_reading(_tested(test))


def _owners_of_rows(candidate: Candidate, columns: Collection[str], product_of_kpi: Mapping[str, str]) -> frozenset[str] | None:
    if "product" in columns:
        found = candidate.connection.execute("select distinct product from temp.offending").fetchall()
        owners = {row[0] for row in found}
    elif "kpi_id" in columns:
        found = candidate.connection.execute("select distinct kpi_id from temp.offending").fetchall()
        owners = {product_of_kpi.get(row[0]) for row in found}
    else:
        return None
    return None if None in owners else frozenset(owners)


def _run(candidate: Candidate, test: Node, sql: str, product_of_kpi: Mapping[str, str], hidden: Collection[str]) -> _Failure:
    connection = candidate.connection
    connection.execute(f"create or replace temp table offending as {sql.strip().rstrip(';')}")
    try:
        calculation = test.config.get("fail_calc") or "count(*)"
        failures = int((connection.execute(f"select coalesce({calculation}, 0) from temp.offending").fetchone() or (0,))[0])
        if not failures:
            return _Failure(0, (), None)
        cursor = connection.execute(f"select * from temp.offending limit {ROWS_KEPT}")
        names = [column[0] for column in cursor.description or ()]
        rows = presentable_rows((dict(zip(names, row, strict=True)) for row in cursor.fetchall()), hidden)
        owners = _owners_of_rows(candidate, names, product_of_kpi)
        return _Failure(failures, rows, owners)
    finally:
        connection.execute("drop table if exists temp.offending")


def _failed(test: Node, failures: int) -> bool:
    condition = CONDITION.match(str(test.config.get("warn_if") or "!= 0"))
    if condition is None:
        return failures != 0
    compare, bound = COMPARISONS[condition[1]], int(condition[2])
    return bool(compare(failures, bound))


def run_dbt_tests(candidate: Candidate, product_of_kpi: Mapping[str, str], hidden_columns: Collection[str] = ()) -> Iterator[Verdict]:
    """A verdict of every dbt test for every product it speaks for.

    A test that was not compiled in the build, or cannot run, holds its products whatever its severity: they are not audited.
    When all failing rows carry ``product`` or ``kpi_id``, only their products fail.
    """
    for test in candidate.lineage.tests:
        products = affected_products(candidate, test)
        if not products:
            continue
        name = check_name(test)
        severity: Severity = "warn" if test.meta.get("severity") == "warn" else "block"
        owner = str(test.meta.get("owner", DEFAULT_OWNER))
        action = str(test.meta.get("action", "Look at the offending rows, find the first model upstream where they are wrong, and put that right."))
        built = candidate.built.get(test.unique_id)
        if built is None or not built.compiled_sql:
            detail = f"{NOT_AUDITED}: the test was not part of the build"
            yield from (Verdict(product, name, "block", False, detail, owner, REBUILD) for product in products)
            continue
        try:
            outcome = _run(candidate, test, built.compiled_sql, product_of_kpi, hidden_columns)
        except duckdb.Error as error:
            detail = f"{NOT_AUDITED}: the test cannot run: {str(error).splitlines()[0]}"
            yield from (Verdict(product, name, "block", False, detail, owner, REBUILD) for product in products)
            continue
        description = test.description or test.name
        failed = _failed(test, outcome.failures)
        named = (outcome.products or frozenset()) & set(products)
        for product in products:
            if failed and (not named or product in named):
                rows = tuple(r for r in outcome.rows if r.get("product", product) == product and product_of_kpi.get(str(r.get("kpi_id")), product) == product)
                yield Verdict(product, name, severity, False, f"{outcome.failures} failing rows: {description}", owner, action, rows)
            else:
                yield Verdict(product, name, severity, True, description, owner, action)
