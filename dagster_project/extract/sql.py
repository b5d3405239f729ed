"""sql: the mapped columns of a table, in one read-only snapshot, into a Parquet file. PostgreSQL through ADBC, and SQLite.

Every value is written as the text that the database gives it, so that nothing is lost on the way; a time with time zone becomes
China Standard Time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.contracts.model import Contract, Pull
from dagster_project.extract.columns import request_of
from dagster_project.extract.cursor import is_believable, lowered
from dagster_project.extract.problems import PullError
from dagster_project.extract.state import Pulled
from dagster_project.ingest.readers.header import pick_columns
from dagster_project.ingest.readers.raw import UnreadableFile
from dagster_project.ingest.readers.sqlite import quoted

SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgres://")
CONNECT_SECONDS = 15
STATEMENT_SECONDS = 3 * 3600
CHUNK_ROWS = 65_536
TIMES_TO_COME = 1_000
SERVER_LIBRARY = "libpq"
SNAPSHOT = "begin isolation level repeatable read read only"
SETTINGS = (
    "set local timezone = 'Asia/Shanghai'",
    "set local datestyle = 'ISO, YMD'",
    "set local intervalstyle = 'iso_8601'",
    f"set local statement_timeout = {STATEMENT_SECONDS * 1000}",
)
_COLUMNS = (
    "select a.attname::text, format_type(a.atttypid, null)::text from pg_attribute a "
    "where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum"
)
_CONNECTION_WORDS = {
    "password authentication failed": "the server refuses the account or its password",
    "no password supplied": "the address holds no password, and the server wants one",
    "no pg_hba.conf entry": "the server lets nobody in from this machine with this account",
    "connection refused": "nothing answers there: is the server running?",
    "timeout expired": f"the server does not answer within {CONNECT_SECONDS} s",
    "could not translate host name": "the host of the address is unknown",
    "no route to host": "there is no way to the host of the address",
    "starting up": "the server is still starting",
    "shutting down": "the server is shutting down",
    "too many": "the server has no connection to spare",
}
_STATES = {
    "42P01": "the table does not exist",
    "42703": "a column does not exist",
    "42501": "the account may not read the table, or one of the mapped columns",
    "57014": "the query was cancelled, or took longer than allowed",
    "57P01": "the server was shut down",
    "40001": "the server gave the snapshot up",
    "22P02": "the cursor column is of another type than before",
}


def pull_table(contract: Contract, address: str, draft: Path, cursor: str | None, say: Callable[[str], None]) -> Pulled:
    """Write the table's rows from ``cursor`` on into ``draft``. Raises PullError."""
    if address.startswith(SQLITE):
        return _pull_sqlite(contract, address.removeprefix(SQLITE), draft, cursor, say)
    if not address.startswith(POSTGRESQL):
        raise PullError("the address is neither postgresql://… nor sqlite:///path")
    return _pull_postgresql(contract, address, draft, cursor, say)


def _table(pull: Pull) -> str:
    assert pull.table is not None
    return ".".join(quoted(part) for part in pull.table.split("."))


def _picked(contract: Contract, delivered: list[str]) -> list[str]:
    """The columns to select. Raises PullError when a mapped one is not there."""
    assert contract.pull is not None
    if not delivered:
        raise PullError(f"the table '{contract.pull.table}' does not exist, or the account may not see it")
    try:
        picked = sorted(pick_columns(delivered, request_of(contract)), key=lambda p: p.position)
    except UnreadableFile as wrong:
        raise PullError(f"table '{contract.pull.table}': {wrong.message}") from None
    return [delivered[p.position] for p in picked]


def _pull_postgresql(contract: Contract, address: str, draft: Path, cursor: str | None, say: Callable[[str], None]) -> Pulled:
    from adbc_driver_postgresql import dbapi

    assert contract.pull is not None
    options = f"connect_timeout={CONNECT_SECONDS}&tcp_user_timeout=60000&application_name=police_data_pool"
    try:
        connection = dbapi.connect(f"{address}{'&' if '?' in address else '?'}{options}", autocommit=True)
    except Exception as wrong:
        raise PullError(f"cannot be connected to: {_connection_words(str(wrong))}", keeps_draft=True) from None
    try:
        with connection, connection.cursor() as reader:
            for statement in (SNAPSHOT, *SETTINGS):
                reader.execute(statement)
            reader.execute(_COLUMNS, (_table(contract.pull),))
            types = dict(reader.fetchall())
            return _copy(contract, reader, types, draft, cursor, say)
    except (PullError, OSError, MemoryError):
        raise
    except Exception as wrong:
        raise PullError(_query_words(wrong)) from None


def _connection_words(words: str) -> str:
    found = (told for sign, told in _CONNECTION_WORDS.items() if sign in words.lower())
    return next(found, "the server, the account or the address is not right")


def _query_words(wrong: Exception) -> str:
    state = str(getattr(wrong, "sqlstate", None) or "")
    if state:
        return f"{_STATES.get(state, 'the database refuses')} (SQLSTATE {state})"
    if SERVER_LIBRARY in str(wrong) or "connection" in str(wrong).lower():
        return "the server went away while it was read"
    return f"the database gave up ({type(wrong).__name__})"


def _copy(contract: Contract, reader: Any, types: dict[str, str], draft: Path, cursor: str | None, say: Callable[[str], None]) -> Pulled:
    pull = contract.pull
    assert pull is not None
    names = _picked(contract, list(types))
    table = _table(pull)
    where, newest = "", None
    if pull.cursor is not None:
        column = quoted(pull.cursor.column)
        reader.execute(f"select max({column})::text from {table}")
        newest = reader.fetchone()[0]
        if newest is not None and not is_believable(pull.cursor, newest):
            falling = f"select distinct {column} from {table} where {column} is not null order by 1 desc limit {TIMES_TO_COME}"
            reader.execute(f"select falling.{column}::text from ({falling}) falling order by falling.{column} desc")
            newest = next((value for (value,) in reader.fetchall() if is_believable(pull.cursor, value)), None)
        if cursor is not None:
            # The value is one that the same column gave as text; only a type's own name stands beside it.
            since = lowered(pull.cursor, cursor).replace("'", "''")
            where = f" where {column} >= '{since}'::{types[pull.cursor.column]} or {column} is null"
    selected = ", ".join(f"{_value(name, types[name])} as {quoted(name)}" for name in names)
    reader.execute(f"select {selected} from {table}{where}")
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    rows = 0
    with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        for batch in _batches(reader):
            writer.write_table(pa.table([column.cast(pa.string()) for column in batch.columns], schema=schema))
            rows += batch.num_rows
            say(f"{contract.id}: {rows:,} rows pulled")
    return Pulled(rows, newest or cursor)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    """The answer of a query. An OSError in here is the server's; one of writing what came is our own."""
    try:
        yield from reader.fetch_record_batch()
    except OSError as wrong:
        raise PullError(_query_words(wrong)) from None


def _value(name: str, type: str) -> str:
    return f"{quoted(name)}::timestamp::text" if type == "timestamp with time zone" else f"{quoted(name)}::text"


def _pull_sqlite(contract: Contract, path: str, draft: Path, cursor: str | None, say: Callable[[str], None]) -> Pulled:
    pull = contract.pull
    assert pull is not None
    table = _table(pull)
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None, timeout=CONNECT_SECONDS)) as connection:
            connection.execute("begin")
            names = _picked(contract, [row[1] for row in connection.execute(f"pragma table_info({table})")])
            where, newest, bound = "", None, []
            if pull.cursor is not None:
                column = quoted(pull.cursor.column)
                falling = connection.execute(f"select {column} from {table} where {column} is not null order by {column} desc")
                newest = next((value for (value,) in falling if is_believable(pull.cursor, str(value))), None)
                if cursor is not None:
                    since = lowered(pull.cursor, cursor)
                    where = f" where {column} >= ? or {column} is null"
                    bound = [int(since) if isinstance(newest, int) else since]
            selected = ", ".join(map(quoted, names))
            found = connection.execute(f"select {selected} from {table}{where}", bound)
            rows = _write_rows(draft, names, found, lambda count: say(f"{contract.id}: {count:,} rows pulled"))
            return Pulled(rows, str(newest) if newest is not None else cursor)
    except sqlite3.Error as wrong:
        code = getattr(wrong, "sqlite_errorname", None) or type(wrong).__name__
        raise PullError(f"the SQLite database cannot be read ({code})") from None


def _write_rows(draft: Path, names: list[str], found: sqlite3.Cursor, say: Callable[[int], None]) -> int:
    rows = 0
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        for block in _blocks(found):
            columns = [pa.array([_text(row[place]) for row in block], pa.string()) for place in range(len(names))]
            writer.write_table(pa.table(columns, schema=schema))
            rows += len(block)
            say(rows)
    return rows


def _blocks(found: sqlite3.Cursor) -> Iterator[list[tuple[Any, ...]]]:
    while block := found.fetchmany(CHUNK_ROWS):
        yield block


def _text(value: Any) -> str | None:
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    if isinstance(value, bytes):
        return value.hex()
    return None if value is None else str(value)
