"""The dbt tests, run again: the compiled SQL of every test against the candidate, whatever dbt itself said about it.

Tests that look at whole tables are run here alone: dbt makes the view of what is wrong, and nights leave the test that nothing stands in it
(``LEFT_TO_THE_AUDIT``) to the audit.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import duckdb

from dagster_project.audit.candidate import Candidate
from dagster_project.audit.lineage import Lineage, Node
from dagster_project.audit.register import DBT_KINDS
from dagster_project.audit.verdict import DEFAULT_OWNER, NOT_AUDITED, ROWS_KEPT, Severity, Verdict, first_line, presentable_rows

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
LEFT_TO_THE_AUDIT = "no_rows"
"""The generic test that the audit can run without its compiled SQL."""
FIND_THE_MODEL = "Look at the offending rows, find the first model upstream where they are wrong, and put that right."
REBUILD = "Build the candidate again with every test selected; if this stays, the test itself is broken."


@dataclass(frozen=True)
class _Failure:
    failures: int
    rows: tuple[dict[str, object], ...]
    products: frozenset[str] | None
    """The products that the failing rows belong to; None when the rows do not say."""


@dataclass(frozen=True)
class RowOwners:
    """Whose an offending row is, by what it names: a product, a KPI or a source."""

    product_of_kpi: Mapping[str, str]
    products_of_source: Mapping[str, frozenset[str]]

    def statement(self, columns: Collection[str]) -> str | None:
        """The column to ask, by preference; None when the rows name none."""
        return next((c for c in ("product", "kpi_id", "source_id", "source") if c in columns), None)

    def products(self, column: str, name: str) -> frozenset[str]:
        if column == "product":
            return frozenset({name})
        if column == "kpi_id":
            return frozenset({self.product_of_kpi[name]}) if name in self.product_of_kpi else frozenset()
        return self.products_of_source.get(name, frozenset())


def check_names(lineage: Lineage) -> dict[str, str]:
    """Test id to the name of its check: what the test declares (``config.meta.check``), else kind and model, else its own name.

    Two tests of one kind on one model keep their own long names, which tell them apart.
    """
    short = {test.unique_id: _short_name(lineage, test) for test in lineage.tests}
    uses = Counter(short.values())
    return {unique_id: f"dbt:{name if uses[name] == 1 else lineage.nodes[unique_id].name}" for unique_id, name in short.items()}


def _short_name(lineage: Lineage, test: Node) -> str:
    model = lineage.nodes.get(test.attached or "")
    generated = f"{test.generic_test} of {model.name}" if test.generic_test and model else test.name
    return str(test.meta.get("check", generated))


def severity_of(test: Node) -> Severity:
    return "warn" if test.meta.get("severity") == "warn" else "block"


def owner_of(test: Node) -> str:
    return str(test.meta.get("owner", DEFAULT_OWNER))


def action_of(test: Node) -> str:
    return str(test.meta.get("action", FIND_THE_MODEL))


def name_zh(lineage: Lineage, test: Node) -> str:
    """The name of a test's check in Chinese: its kind and the model that it stands on; empty for a kind without one."""
    kind, _, model = _short_name(lineage, test).partition(" of ")
    zh = DBT_KINDS.get(kind, "")
    return f"{zh}：{model}" if zh and model else zh


def _tested(lineage: Lineage, test: Node) -> tuple[str, ...]:
    attached = lineage.nodes.get(test.attached or "")
    if attached is None:
        return test.parents
    return attached.parents if test.generic_test == LEFT_TO_THE_AUDIT else (attached.unique_id,)


def _sql(candidate: Candidate, test: Node) -> str | None:
    """The SQL of its offending rows; None when nothing says it."""
    built = candidate.built.get(test.unique_id)
    if built is not None and built.compiled_sql:
        return built.compiled_sql
    view = candidate.lineage.nodes.get(test.attached or "")
    if test.generic_test == LEFT_TO_THE_AUDIT and view is not None and candidate.has(view):
        return f"select * from {candidate.relation(view)}"
    return None


def affected_products(lineage: Lineage, test: Node) -> tuple[str, ...]:
    """The products that a test speaks for: those it declares, else those whose figures are made of what it tests."""
    declared = tuple(p for p in test.products if p in lineage.products)
    return declared or lineage.products_reading(_tested(lineage, test))


def _owners_of_rows(candidate: Candidate, columns: Collection[str], owners: RowOwners) -> frozenset[str] | None:
    """The products that the offending rows belong to; None as soon as one row does not say."""
    column = owners.statement(columns)
    if column is None:
        return None
    named = [
        owners.products(column, row[0]) for row in candidate.connection.execute(f"select distinct {column} from temp.offending").fetchall()
    ]
    known = frozenset(candidate.lineage.products)
    return frozenset().union(*named) if named and all(products and products <= known for products in named) else None


def _run(candidate: Candidate, test: Node, sql: str, owners: RowOwners, hidden: Collection[str]) -> _Failure:
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
        return _Failure(failures, rows, _owners_of_rows(candidate, names, owners))
    finally:
        connection.execute("drop table if exists temp.offending")


def _failed(test: Node, failures: int) -> bool:
    condition = CONDITION.match(str(test.config.get("warn_if") or "!= 0"))
    if condition is None:
        return failures != 0
    compare, bound = COMPARISONS[condition[1]], int(condition[2])
    return bool(compare(failures, bound))


def _own_rows(rows: Collection[dict[str, object]], product: str, owners: RowOwners) -> tuple[dict[str, object], ...]:
    def is_own(row: dict[str, object]) -> bool:
        column = owners.statement(row)
        return column is None or product in (owners.products(column, str(row[column])) or {product})

    return tuple(row for row in rows if is_own(row))


def run_dbt_tests(candidate: Candidate, owners: RowOwners, hidden_columns: Collection[str] = ()) -> Iterator[Verdict]:
    """A verdict of every dbt test for every product it speaks for.

    A test that was not compiled in the build, or cannot run, holds its products whatever its severity: they are not audited.
    When every failing row names a product, a KPI or a source, the products named fail and no other, even where the test
    stands on a table that they do not read (the balance of all KPIs, say).
    """
    names = check_names(candidate.lineage)
    for test in candidate.lineage.tests:
        products = affected_products(candidate.lineage, test)
        if not products:
            continue
        name = names[test.unique_id]
        severity, owner, action = severity_of(test), owner_of(test), action_of(test)
        zh = name_zh(candidate.lineage, test)
        sql = _sql(candidate, test)
        if sql is None:
            detail = f"{NOT_AUDITED}: the test was not part of the build"
            yield from (Verdict(product, name, "block", False, detail, owner, REBUILD, zh=zh) for product in products)
            continue
        try:
            outcome = _run(candidate, test, sql, owners, hidden_columns)
        except duckdb.Error as error:
            detail = f"{NOT_AUDITED}: the test cannot run: {first_line(error)}"
            yield from (Verdict(product, name, "block", False, detail, owner, REBUILD, zh=zh) for product in products)
            continue
        failed = _failed(test, outcome.failures)
        failing = (outcome.products or frozenset(products)) if failed else frozenset()
        for product in sorted({*products, *failing}):
            if product in failing:
                rows = _own_rows(outcome.rows, product, owners)
                detail = f"{outcome.failures} failing rows" + (f": {test.description}" if test.description else "")
                yield Verdict(product, name, severity, False, detail, owner, action, rows, zh=zh)
            else:
                yield Verdict(product, name, severity, True, test.description or "no failing row", owner, action, zh=zh)
