"""What a table holds, as one hash that does not depend on the order of its rows.

Every row becomes one text: its columns in the order of their names, each as ``<characters>:<text>`` or ``-`` for null, with
``;`` between. The md5 of that text is split into two unsigned 64-bit halves, each half summed over the rows modulo 2^64
(a sum keeps how often a row occurs; xor would not). The content hash is the sha256 of the column names and types, the
number of rows and the two sums. Floating-point columns are left out, being derived; so are the columns that a caller
names: timings and identities that differ between two makings of the same content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

import duckdb

DERIVED_TYPES = frozenset({"DOUBLE", "FLOAT"})
HALF = 1 << 64


@dataclass(frozen=True)
class TableContent:
    rows: int
    content_hash: str
    columns: tuple[tuple[str, str], ...]


def digest(value: object) -> str:
    """The sha256 of a value as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _text(column: str, duckdb_type: str) -> str:
    quoted = '"' + column.replace('"', '""') + '"'
    text = f"strftime({quoted}, '%Y-%m-%dT%H:%M:%S.%f')" if duckdb_type == "TIMESTAMP" else f"{quoted}::varchar"
    return f"coalesce(length({text}) || ':' || {text}, '-')"


def table_content(connection: duckdb.DuckDBPyConnection, relation: str, without: Collection[str] = ()) -> TableContent:
    """Rows, columns and content hash of a relation (a table, or a query in brackets)."""
    described = connection.execute(f"describe select * from {relation}").fetchall()
    columns = tuple((name, duckdb_type) for name, duckdb_type, *_ in described)
    hashed = sorted((n, t) for n, t in columns if t not in DERIVED_TYPES and n not in without)
    row = " || ';' || ".join(_text(name, duckdb_type) for name, duckdb_type in hashed) or "''"
    counted = connection.execute(
        f"select count(*), sum(md5_number_lower(row_text)), sum(md5_number_upper(row_text)) from (select {row} as row_text from {relation})"
    ).fetchone()
    assert counted is not None
    rows, lower, upper = counted[0], int(counted[1] or 0) % HALF, int(counted[2] or 0) % HALF
    return TableContent(rows, digest({"columns": hashed, "rows": rows, "lower": lower, "upper": upper}), columns)
