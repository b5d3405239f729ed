"""``kpi.duckdb``: one database put together from the bundles of all products, in a format that older clients open."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import duckdb

from dagster_project.audit.candidate import Candidate, sql_text
from dagster_project.audit.interface import COUNT_COLUMNS, DUCKDB_TYPES, KPI_COLUMNS
from dagster_project.audit.lineage import Lineage
from dagster_project.audit.verdict import Verdict
from dagster_project.release import documentation
from dagster_project.release.bundle import SCHEMA_VERSION, Bundle
from dagster_project.release.content import TableContent, combined, outside_content, table_content
from dagster_project.release.documentation import Documentation, of_node
from dagster_project.release.record import ProductRecord
from dagster_project.release.selection import POOL_TABLES, SHARED_TABLES

STORAGE_VERSION = "v1.0.0"


class AssemblyError(RuntimeError):
    """A table of the release does not hold what its bundles hold."""


@dataclass(frozen=True)
class Part:
    """A product that the release holds: its bundle, and where that came from."""

    bundle: Bundle
    stale: bool
    origin_release: str


@dataclass(frozen=True)
class ReleaseHead:
    version: str
    as_of: dt.date
    published_at: dt.datetime
    code_version: str


class _Writer:
    """Creates tables in the attached release and remembers their comments."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, file: Path) -> None:
        self._connection = connection
        self._documentation: dict[str, Documentation] = {}
        connection.execute(f"attach {sql_text(file)} as release (storage_version {sql_text(STORAGE_VERSION)})")
        connection.execute("begin")

    def create(self, table: str, query: str, documentation: Documentation) -> None:
        self._connection.execute(f'create table release.main."{table}" as {query}')
        self._documentation[table] = documentation

    def comment(self) -> None:
        for table, text in self._documentation.items():
            self._connection.execute(f'comment on table release.main."{table}" is {sql_text(text.table)}')
            for column in self._columns(table):
                if text.columns.get(column):
                    self._connection.execute(f'comment on column release.main."{table}"."{column}" is {sql_text(text.columns[column])}')

    def _columns(self, table: str) -> list[str]:
        return [row[0] for row in self._connection.execute(f'describe release.main."{table}"').fetchall()]

    def contents(self, known: Mapping[str, TableContent | None]) -> dict[str, TableContent]:
        """What every table holds; of a table put together from bundles it is known, and its number of rows is compared."""
        found: dict[str, TableContent] = {}
        for table in sorted(self._documentation):
            expected = known.get(table)
            found[table] = expected or table_content(self._connection, f'release.main."{table}"', outside_content(table))
            (rows,) = self._connection.execute(f'select count(*) from release.main."{table}"').fetchone() or (None,)
            if rows != found[table].rows:
                raise AssemblyError(f"table {table} of the release has {rows} rows, its bundles {found[table].rows}")
        return found

    def commit(self) -> None:
        self._connection.execute("commit")
        self._connection.execute("detach release")

    def abandon(self) -> None:
        self._connection.execute("rollback")
        self._connection.execute("detach release")


def _read(bundle: Bundle, table: str) -> str:
    return f"read_parquet({bundle.files(table)}, hive_partitioning = false)"


def _with_origin(part: Part) -> str:
    return f"{str(part.stale).lower()} as stale, {sql_text(part.origin_release)} as origin_release"


def _together(parts: Sequence[Part], table: str) -> Iterator[tuple[Part, str]]:
    """The parts of one night and origin, as one of them, and the files of all of them as one relation: span by span, by product in it.

    In that order a question about a period reads the few row groups of its span, by their least and greatest values.
    """
    alike: dict[tuple[bool, dt.date, str], list[Part]] = {}
    for part in parts:
        alike.setdefault((part.stale, part.bundle.as_of, part.origin_release), []).append(part)
    for group in alike.values():
        files = sorted(((file.name, part.bundle) for part in group for file in part.bundle.tables[table].files), key=itemgetter(0))
        listed = ", ".join(sql_text(bundle.path / name) for name, bundle in files)
        yield group[0], f"read_parquet([{listed}], hive_partitioning = false)"


def _kpi_query(parts: Sequence[Part]) -> str:
    selects = []
    for part, rows in _together(parts, "kpi"):
        filled = {
            "stale": str(part.stale).lower(),
            "as_of": f"date '{part.bundle.as_of}'",
            "origin_release": sql_text(part.origin_release),
        }
        columns = ", ".join(f"{filled[c]} as {c}" if c in filled else c for c in KPI_COLUMNS)
        selects.append(f"select {columns} from {rows}")
    return " union all ".join(selects)


def _count_query(parts: Sequence[Part]) -> str:
    columns = ", ".join(COUNT_COLUMNS)
    return " union all ".join(f"select {columns} from {rows}" for _, rows in _together(parts, "fct_kpi_count"))


def _mart_query(part: Part, table: str) -> str:
    present = [name for name, _ in part.bundle.tables[table].content.columns]
    kept = ", ".join(f'"{name}"' for name in present if name not in {"stale", "origin_release"})
    return f"select {kept}, {_with_origin(part)} from {_read(part.bundle, table)}"


def _newest_first(parts: Sequence[Part]) -> list[Part]:
    return sorted(parts, key=lambda p: (p.bundle.as_of, not p.stale), reverse=True)


def _unit_query(parts: Sequence[Part]) -> str:
    """Every unit that any bundle knows; where bundles of several nights disagree, the newest says how it is."""
    ranked = " union all by name ".join(
        f"select *, {rank} as _rank from {_read(p.bundle, 'unit')}" for rank, p in enumerate(_newest_first(parts))
    )
    return f"select * exclude (_rank) from ({ranked}) qualify _rank = min(_rank) over (partition by unit_code) order by all"


def _catalogue_query(parts: Sequence[Part]) -> str:
    selects = " union all by name ".join(f"select * from {_read(p.bundle, 'kpi_catalogue')}" for p in _newest_first(parts))
    return f"select * from ({selects}) order by product, kpi_id"


def _value(value: object) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else sql_text(str(value))


def _rows_as_query(columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as a query of literals; binding them as parameters would import pandas."""
    typed = ", ".join(f'"{name}"::{duckdb_type} as "{name}"' for name, duckdb_type in columns.items())
    names = ", ".join(f'"{name}"' for name in columns)
    listed = ", ".join(f"({', '.join(map(_value, row))})" for row in rows)
    if not listed:
        empty = ", ".join(f'null::{duckdb_type} as "{name}"' for name, duckdb_type in columns.items())
        return f"select {empty} where false"
    return f"select {typed} from (values {listed}) as given({names})"


def _write_release_info(writer: _Writer, head: ReleaseHead, products: Mapping[str, ProductRecord]) -> None:
    columns = {
        "version": "varchar",
        "as_of": "date",
        "published_at": "timestamp",
        "product": "varchar",
        "status": "varchar",
        "stale": "boolean",
        "origin_release": "varchar",
        "product_as_of": "date",
        "age_days": "bigint",
        "reason": "varchar",
        "kpi_rows": "bigint",
        "content_hash": "varchar",
        "schema_version": "bigint",
        "code_version": "varchar",
    }
    rows = [
        (
            head.version,
            head.as_of,
            head.published_at.replace(tzinfo=None),
            p.product,
            p.status,
            p.status == "stale",
            p.origin_release or None,
            p.as_of,
            p.age_days(head.as_of),
            p.reason or None,
            p.rows,
            p.content_hash or None,
            SCHEMA_VERSION,
            head.code_version,
        )
        for p in products.values()
    ]
    writer.create("release_info", _rows_as_query(columns, rows) + " order by product", documentation.RELEASE_INFO)


def _as_json(rows: Sequence[Mapping[str, object]]) -> str | None:
    return json.dumps(rows, ensure_ascii=False, default=str) if rows else None


def _write_gate_result(writer: _Writer, verdicts: Iterable[Verdict]) -> None:
    columns = {
        "product": "varchar",
        "check": "varchar",
        "check_zh": "varchar",
        "severity": "varchar",
        "passed": "boolean",
        "detail": "varchar",
        "waived": "boolean",
        "owner": "varchar",
        "action": "varchar",
        "offending_rows": "varchar",
    }
    rows = [
        (v.product, v.check, v.zh or None, v.severity, v.passed, v.detail, bool(v.waived), v.owner, v.action, _as_json(v.rows))
        for v in verdicts
    ]
    writer.create("gate_result", _rows_as_query(columns, rows) + ' order by product, passed, "check"', documentation.GATE_RESULT)


def assemble(
    file: Path,
    candidate: Candidate,
    parts: Sequence[Part],
    head: ReleaseHead,
    products: Mapping[str, ProductRecord],
    verdicts: Sequence[Verdict],
) -> dict[str, TableContent]:
    """Write ``kpi.duckdb`` and return what each of its tables holds."""
    writer = _Writer(candidate.connection, file)
    try:
        known = _write_products(writer, candidate.lineage, parts)
        for name in POOL_TABLES:
            node = candidate.lineage.named(name)
            if node is not None and candidate.has(node):
                writer.create(name, f"select * from {candidate.relation(node)} order by all", of_node(candidate.lineage, node))
        _write_release_info(writer, head, products)
        _write_gate_result(writer, verdicts)
        writer.comment()
        contents = writer.contents(known)
    except BaseException:
        writer.abandon()
        raise
    writer.commit()
    return contents


def assemble_notice(
    file: Path, like: Path | None, head: ReleaseHead, products: Mapping[str, ProductRecord], verdicts: Sequence[Verdict]
) -> dict[str, TableContent]:
    """Write a ``kpi.duckdb`` without any figure, which says of every product why; columns are described as in the release ``like``."""
    with duckdb.connect() as connection:
        described: dict[str, dict[str, str]] = {"kpi": {}, "fct_kpi_count": {}}
        if like is not None:
            connection.execute(f"attach {sql_text(like)} as described (read_only)")
            for table, column, comment in connection.execute(
                "select table_name, column_name, comment from duckdb_columns() where database_name = 'described' and comment is not null"
            ).fetchall():
                described.setdefault(table, {})[column] = comment
        writer = _Writer(connection, file)
        _write_empty(writer, described)
        _write_release_info(writer, head, products)
        _write_gate_result(writer, verdicts)
        writer.comment()
        contents = writer.contents({})
        writer.commit()
        return contents


def _write_empty(writer: _Writer, described: Mapping[str, Mapping[str, str]]) -> None:
    for table, promised in (("kpi", KPI_COLUMNS), ("fct_kpi_count", COUNT_COLUMNS)):
        empty = _rows_as_query({name: DUCKDB_TYPES[kind][0] for name, kind in promised.items()}, ())
        writer.create(table, empty, Documentation(documentation.NOTHING_PUBLISHED, described[table]))


def _write_products(writer: _Writer, lineage: Lineage, parts: Sequence[Part]) -> dict[str, TableContent | None]:
    """The tables of the products, and what they hold as far as the bundles tell."""
    if not parts:
        nodes = {table: lineage.named(table) for table in ("kpi", "fct_kpi_count")}
        _write_empty(writer, {table: of_node(lineage, node).columns if node else {} for table, node in nodes.items()})
        return {}
    newest = _newest_first(parts)[0].bundle
    queries = {"kpi": _kpi_query, "fct_kpi_count": _count_query, "kpi_catalogue": _catalogue_query, "unit": _unit_query}
    for table, query in queries.items():
        writer.create(table, query(parts), newest.tables[table].documentation)
    known = {table: combined([part.bundle.tables[table].content for part in parts]) for table in ("kpi", "fct_kpi_count")}
    for part in parts:
        for table, bundled in part.bundle.tables.items():
            if table not in SHARED_TABLES:
                columns = {**bundled.documentation.columns, "stale": documentation.STALE, "origin_release": documentation.ORIGIN_RELEASE}
                writer.create(table, _mart_query(part, table), Documentation(bundled.documentation.table, columns))
                known[table] = bundled.content
    return known
