"""What a table holds, as one hash that does not depend on the order of its rows.

Every row becomes one text: its columns in the order of their names, each as ``<bytes>:<text>;`` with the number of bytes in
UTF-8, or ``-1:;`` for null. The md5 of that text is split into two unsigned 64-bit halves, each half summed over the rows modulo 2^64
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


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _as_text(column: str, duckdb_type: str) -> str:
    if duckdb_type == "TIMESTAMP":
        return f"strftime({_quoted(column)}, '%Y-%m-%dT%H:%M:%S.%f')"
    return f"{_quoted(column)}::varchar"


def table_content(connection: duckdb.DuckDBPyConnection, relation: str, without: Collection[str] = ()) -> TableContent:
    """Rows, columns and content hash of a relation (a table, or a query in brackets)."""
    described = connection.execute(f"describe select * from {relation}").fetchall()
    columns = tuple((name, duckdb_type) for name, duckdb_type, *_ in described)
    hashed = sorted((n, t) for n, t in columns if t not in DERIVED_TYPES and n not in without)
    texts = ", ".join(f"{_as_text(name, duckdb_type)} as c{place}" for place, (name, duckdb_type) in enumerate(hashed)) or "'' as none"
    parts = ", ".join(f"coalesce(strlen(c{place}), -1), ':', c{place}, ';'" for place in range(len(hashed))) or "''"
    counted = connection.execute(
        f"select count(*), sum(md5_number_lower(row_text)), sum(md5_number_upper(row_text)) "
        f"from (select concat({parts}) as row_text from (select {texts} from {relation}))"
    ).fetchone()
    assert counted is not None
    rows, lower, upper = counted[0], int(counted[1] or 0) % HALF, int(counted[2] or 0) % HALF
    return TableContent(rows, digest({"columns": hashed, "rows": rows, "lower": lower, "upper": upper}), columns)
