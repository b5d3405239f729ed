"""Which rows of the candidate a bundle takes of every table, and into which files.

Tables that grow with history go into a file per quarter, and per year where a night hardly ever reaches, each with the likeness of its
rows, by which a span that stayed as it was is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from dagster_project.audit.candidate import Candidate, sql_text
from dagster_project.audit.interface import RELEASE_COLUMNS
from dagster_project.audit.lineage import ABOUT_THE_POOL, Node
from dagster_project.release.content import digest

SHARED_TABLES = ("kpi", "fct_kpi_count", "kpi_catalogue", "unit")
POOL_TABLES = ABOUT_THE_POOL
"""In no bundle."""

FILLED_BY_RELEASE = {"kpi": frozenset({*RELEASE_COLUMNS, "as_of"})}
"""Columns that say of every row of a bundle the same; the release fills them, so that a row whose figures stand stays as it is."""


class SelectionError(RuntimeError):
    """The candidate lacks a table that every bundle needs; the message says which."""


@dataclass(frozen=True)
class Piece:
    """The rows that go to one file: of a table that grows those of a span of days, with the likeness and the number of them."""

    file: str
    span: str = ""
    likeness: str = ""
    rows: int = 0


@dataclass(frozen=True)
class Selection:
    """A product's rows of one table: from which model, which rows and columns, in which order, and by file."""

    node: Node
    columns: tuple[str, ...]
    condition: str
    order: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Grower:
    """A table that grows with history: the day that a row is filed by, whether the catalogue says whose row it is, and its order."""

    day: str
    is_of_catalogue: bool
    order: tuple[str, ...]


GROWERS = {
    "kpi": Grower("period_end", False, ("kpi_id", "slice", "grain", "unit_code", "period_start")),
    "fct_kpi_count": Grower("day", True, ("kpi_id", "cell", "unit_code", "day")),
}
YEARS_BY_QUARTER = 2
"""A night restates what ripened up to a year ago: the years that it may reach are filed by quarter, older ones by year."""


def kept_columns(candidate: Candidate, table: str, node: Node) -> dict[str, str]:
    """The columns of a table that a bundle keeps, with their types."""
    return {name: kind for name, kind in candidate.columns(node).items() if name not in FILLED_BY_RELEASE.get(table, ())}


def filed_rows(candidate: Candidate, table: str, nodes: Mapping[str, Node]) -> str:
    """The rows of a table that grows as a relation, each with the product whose row it is (``filed_product``) and its ``filed_span``."""
    day = f"rows.{GROWERS[table].day}"
    by_quarter = f"year({day}) > {candidate.as_of.year - YEARS_BY_QUARTER}"
    span = f"coalesce(case when {by_quarter} then year({day}) || '-q' || quarter({day}) else year({day})::varchar end, 'undated')"
    of_catalogue = f" left join {candidate.relation(nodes['kpi_catalogue'])} as catalogue using (kpi_id)"
    product, joined = ("catalogue.product", of_catalogue) if GROWERS[table].is_of_catalogue else ("rows.product", "")
    return f"(select rows.*, {product} as filed_product, {span} as filed_span from {candidate.relation(nodes[table])} as rows{joined})"


def _pieces(candidate: Candidate, table: str, nodes: Mapping[str, Node]) -> dict[str, list[Piece]]:
    """By product the spans of which a table has rows.

    Rows are alike when the same version of DuckDB finds as many of them and the same sum of their 64-bit hashes, over all columns.
    """
    columns = kept_columns(candidate, table, nodes[table])
    listed = ", ".join(f'"{name}"' for name in columns)
    found = candidate.connection.execute(
        f"select filed_product, filed_span, count(*), sum(hash({listed})) from {filed_rows(candidate, table, nodes)} group by all order by all"
    ).fetchall()
    pieces: dict[str, list[Piece]] = defaultdict(list)
    for product, span, rows, total in found:
        likeness = digest({"duckdb": duckdb.__version__, "columns": columns, "rows": rows, "sum": str(total)})
        pieces[product].append(Piece(f"{table}-{span}.parquet", span, likeness, rows))
    return pieces


@dataclass(frozen=True)
class Shared:
    """The models that every product takes rows from, and by table and product the spans of those that grow."""

    nodes: Mapping[str, Node]
    spans: Mapping[str, Mapping[str, Sequence[Piece]]]

    @classmethod
    def of(cls, candidate: Candidate) -> Shared:
        found = {name: candidate.lineage.named(name) for name in SHARED_TABLES}
        nodes = {name: node for name, node in found.items() if node is not None}
        if missing := [name for name in SHARED_TABLES if name not in nodes]:
            raise SelectionError(f"the dbt project has no model {', '.join(missing)}: no product can be published without it")
        return cls(nodes, {table: _pieces(candidate, table, nodes) for table in GROWERS})


def selections_of(candidate: Candidate, shared: Shared, product: str, passed: Collection[str]) -> dict[str, Selection]:
    """Table name to what the bundle of a product takes of it.

    A table of the product's own that speaks of every KPI (a balance, a reconciliation) keeps the rows of products that passed.
    """
    catalogue = candidate.relation(shared.nodes["kpi_catalogue"])
    own = f"product = {sql_text(product)}"
    listed = ", ".join(sql_text(p) for p in sorted(passed))
    of_passed = f"(kpi_id is null or kpi_id in (select kpi_id from {catalogue} where product in ({listed})))"
    of_growing = {"kpi": own, "fct_kpi_count": f"kpi_id in (select kpi_id from {catalogue} where {own})"}

    def growing(table: str) -> Selection:
        node, pieces = shared.nodes[table], shared.spans[table].get(product) or (Piece(f"{table}.parquet"),)
        order = ", ".join(GROWERS[table].order)
        return Selection(node, tuple(kept_columns(candidate, table, node)), of_growing[table], order, tuple(pieces))

    def whole(node: Node, condition: str, order: str) -> Selection:
        return Selection(node, tuple(candidate.columns(node)), condition, order, (Piece(f"{node.name}.parquet"),))

    return {
        **{table: growing(table) for table in GROWERS},
        "kpi_catalogue": whole(shared.nodes["kpi_catalogue"], own, "kpi_id"),
        "unit": whole(shared.nodes["unit"], "true", "all"),
        **{
            table.name: whole(table, of_passed if "kpi_id" in candidate.columns(table) else "true", "all")
            for table in candidate.lineage.tables_of(product)
            if table.name not in {*SHARED_TABLES, *POOL_TABLES}
        },
    }
