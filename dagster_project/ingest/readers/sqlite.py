"""sqlite: one table, or one SELECT, of a delivered database file.

The file is opened read-only and immutable: no lock is taken, no journal is played back, nothing is written beside it. What the file
brings along (views, triggers, virtual tables) is not trusted: an authoriser lets reading through and nothing else.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from dagster_project.contracts.model import Format
from dagster_project.ingest.decode import Content, Limits, codec_name, read_whole
from dagster_project.ingest.readers.header import Picked, Request, pick_columns
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile, split_off_nul_rows

CHUNK_ROWS = 65_536
STEPS_BETWEEN_LOOKS = 100_000
_MAGIC = b"SQLite format 3\0"
_JOURNAL_MODE, _ROLLBACK = slice(18, 20), b"\1\1"
_JOURNALS = {"-wal": "write-ahead log", "-journal": "journal"}
_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_READING_PRAGMAS = frozenset({"table_xinfo", "table_info"})


def read_sqlite(content: Content, file_name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read a database file. ``encoding`` of the format is that of its texts. Raises UnreadableFile."""
    codec = codec_name(format.encoding)
    row = 0
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(closing(_open(content, limits)))
            _restrict(connection, limits)
            picked, statement = _statement(connection, format, request)
            for block in _blocks(connection, statement):
                columns = {p.name: _texts([r[i] for r in block], codec, p.name, row) for i, p in enumerate(picked)}
                numbers = pa.array(np.arange(row + 1, row + len(block) + 1))
                table, kept, rejects = split_off_nul_rows(pa.table(columns), numbers, file_name)
                yield from rejects
                if len(kept):
                    yield RawChunk(table, kept, file_name)
                row += len(block)
        except sqlite3.Error as error:
            raise UnreadableFile(_reason(error, format, limits), row=row + 1 if row else None) from None
        except UnicodeDecodeError:
            raise UnreadableFile("the names of its columns are damaged; have it delivered again", row=row + 1 if row else None) from None
        except RecursionError:
            raise UnreadableFile("its views are nested too deeply", row=row + 1) from None


def _refuse_journals(path: Path) -> None:
    """A database copied while it was in use is whole only together with what stands beside it."""
    for suffix, name in _JOURNALS.items():
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            raise UnreadableFile(
                f"stands beside the {name} '{beside.name}': it was copied while it was in use; deliver a copy made by '.backup' or "
                "'vacuum into'"
            )


def _open(content: Content, limits: Limits) -> sqlite3.Connection:
    """Open the file by its descriptor, so that what is read is what was found; what comes out of an archive is held in memory."""
    if content.plain_path is None:
        data = bytearray(read_whole(content.stream, limits.document_bytes, "a packed database"))
        _refuse_foreign(data[: len(_MAGIC)])
        data[_JOURNAL_MODE] = _ROLLBACK  # a database in memory has no write-ahead log
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.deserialize(bytes(data))
        return connection
    file = cast(BinaryIO, content.stream)
    _refuse_foreign(file.read(len(_MAGIC)))
    _refuse_journals(content.plain_path)
    address = f"file:{quote(f'/proc/self/fd/{file.fileno()}')}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _refuse_foreign(head: bytes | bytearray) -> None:
    if not head:
        raise UnreadableFile("is empty: it holds no SQLite database")
    if head != _MAGIC:
        raise UnreadableFile("is no SQLite database, or one that is encrypted; deliver it plain")


def _restrict(connection: sqlite3.Connection, limits: Limits) -> None:
    """Let nothing but reading happen, and that within the limits."""
    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.record_bytes)
    for switch in ("query_only = on", "trusted_schema = off", "cell_size_check = on"):
        connection.execute(f"pragma {switch}")
    connection.set_authorizer(_authorise)
    deadline = time.monotonic() + limits.query_seconds
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), STEPS_BETWEEN_LOOKS)


def _authorise(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    allowed = action in _READING or (action == sqlite3.SQLITE_PRAGMA and first in _READING_PRAGMAS)
    if action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
        allowed = False
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _statement(connection: sqlite3.Connection, format: Format, request: Request) -> tuple[list[Picked], str]:
    """The columns to be read and the SELECT that reads them and no others."""
    origin = f"({format.query.rstrip().rstrip(';')}\n)" if format.query is not None else quoted(format.table or "")
    cursor = connection.execute(f"select * from {origin} limit 0")
    names = [column[0] for column in cursor.description]
    picked = pick_columns([_as_name(name) for name in names], request, format.repeated_columns)
    listed = ", ".join(quoted(_as_name(names[p.position])) for p in picked) or "null"
    order = " order by rowid" if format.table is not None and _has_rowid(connection, origin) else ""
    return picked, f"select {listed} from {origin}{order}"


def _as_name(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _has_rowid(connection: sqlite3.Connection, table: str) -> bool:
    try:
        connection.execute(f"select rowid from {table} limit 0")
    except sqlite3.OperationalError:
        return False
    return True


def quoted(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _blocks(connection: sqlite3.Connection, statement: str) -> Iterator[list[tuple[Any, ...]]]:
    """Rows, a chunk at a time; those read before an error come before it."""
    cursor = connection.execute(statement)
    block: list[tuple[Any, ...]] = []
    try:
        for row in cursor:
            block.append(row)
            if len(block) == CHUNK_ROWS:
                yield block
                block = []
    except sqlite3.Error:
        if block:
            yield block
        raise
    if block:
        yield block


def _texts(values: list[Any], codec: str, name: str, row: int) -> pa.StringArray:
    texts: list[str | None] = []
    for index, value in enumerate(values):
        if value is None:
            texts.append(None)
        elif isinstance(value, bytes):
            try:
                texts.append(value.decode(codec))
            except UnicodeDecodeError:
                raise UnreadableFile(f"column '{name}' holds bytes that are not {codec}", row=row + index + 1) from None
        else:
            texts.append(str(value) if isinstance(value, int) else np.format_float_positional(value, trim="-"))
    return pa.array(texts, pa.string())


def _reason(error: sqlite3.Error, format: Format, limits: Limits) -> str:
    """What is wrong, by SQLite's code where its words could quote the delivery."""
    words = str(error)
    if words.startswith("no such table"):
        return f"the database has no table '{format.table or words.partition(': ')[2]}'"
    if words.startswith(("no such column", "near ", "not authorized", "ambiguous column")):
        return f"the {'query' if format.query else 'table'} cannot be read ({words})"
    code = getattr(error, "sqlite_errorname", None) or type(error).__name__
    if code == "SQLITE_INTERRUPT":
        return f"the query takes longer than the limit of {limits.query_seconds:,} s"
    if code == "SQLITE_TOOBIG":
        return f"one value is longer than the limit of {limits.record_bytes:,} bytes"
    return f"the database is damaged or cut off ({code}); have it delivered again"
