"""Every text that a home keeps outside landing, wherever it stands: to search it for what must not be there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.audit.candidate import sql_text
from dagster_project.home import Home

NOT_READ = frozenset({".pyc", ".msgpack", ".gpickle"})
TEXT_TYPES = ("VARCHAR", "JSON", "BLOB")


@dataclass(frozen=True)
class Trace:
    """A text, and where it stands: the file below the home, and inside it the table and column or the line."""

    file: Path
    place: str
    text: str


def traces(home: Home) -> Iterator[Trace]:
    """The texts of all files below the home but landing and the key: values of Parquet, DuckDB and SQLite files, lines of all others.

    A file that cannot be read as what its name says is read as lines.
    """
    connection = duckdb.connect()
    try:
        for file in sorted(home.root.rglob("*")):
            inside = home.landing in file.parents or home.secrets in file.parents
            if inside or file.is_symlink() or not file.is_file() or file.suffix in NOT_READ:
                continue
            yield Trace(file, "file name", str(file.relative_to(home.root)))
            try:
                yield from _texts(file, connection)
            except (duckdb.Error, sqlite3.Error):
                connection.close()
                connection = duckdb.connect()  # a damaged file can leave the engine of no further use
                yield from _lines(file)
    finally:
        connection.close()


def _texts(file: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[Trace]:
    """Parquet files are many: one connection for all of them, which costs twice as much to open as a file to read."""
    if file.suffix == ".parquet":
        return _distinct(connection, f"read_parquet({sql_text(file)}, hive_partitioning = false)", file, "")
    return _READERS.get(file.suffix, _lines)(file)


def _lines(file: Path) -> Iterator[Trace]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            yield Trace(file, f"line {number}", line)


def _distinct(connection: duckdb.DuckDBPyConnection, relation: str, file: Path, table: str) -> Iterator[Trace]:
    for name, kind, *_ in connection.execute(f"describe select * from {relation}").fetchall():
        if not any(text in kind for text in TEXT_TYPES):
            continue
        column = '"' + name.replace('"', '""') + '"'
        for (text,) in connection.execute(f"select distinct {column}::varchar from {relation} where {column} is not null").fetchall():
            yield Trace(file, f"{table}{name}", text)


def _database(file: Path) -> Iterator[Trace]:
    with duckdb.connect() as connection:
        connection.execute(f"attach {sql_text(file)} as searched (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'searched' order by all"
        ).fetchall()
        for schema, table in tables:
            yield from _distinct(connection, f'searched."{schema}"."{table}"', file, f"{schema}.{table}.")


def _sqlite(file: Path) -> Iterator[Trace]:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        tables = connection.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'select * from "{table}"')
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    if isinstance(value, str):
                        yield from (Trace(file, f"{table}.{name}", text) for text in _texts_of(value))


def _texts_of(value: str) -> Iterator[str]:
    """JSON writes other alphabets as escapes: its texts are read as what they say."""
    try:
        document = json.loads(value)
    except ValueError:
        yield value
        return
    yield json.dumps(document, ensure_ascii=False)


_READERS = {
    ".duckdb": _database,
    ".sqlite": _sqlite,
    ".db": _sqlite,
}
