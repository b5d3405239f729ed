"""What a table holds, as one hash that does not depend on the order of its rows.

Every row becomes one text: its columns in the order of their names, each as ``<bytes>:<text>;`` with the number of bytes in
UTF-8, or ``-1:;`` for null. The md5 of that text is split into two unsigned 64-bit halves, each half summed over the rows
modulo 2^64 (a sum keeps how often a row occurs; xor would not). The content hash is the sha256 of the column names and types,
the number of rows and the two sums. Since sums add up, the content of a table put together from parts follows from theirs.

Outside the hash stay floating-point columns, being derived, and by table (``outside_content``): timings, names of releases,
and in ``kpi`` what repeats ``kpi_catalogue``, ``unit`` and ``release_info`` of the same release: names, and the night of the product.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

DERIVED_TYPES = frozenset({"DOUBLE", "FLOAT"})
HALF = 1 << 64

_INTEGER = "when {0} between 0 and 9 then '1:' when {0} between 10 and 99 then '2:' when {0} between 100 and 999 then '3:'"
LENGTHS = {
    "BOOLEAN": "when {0} then '4:' when not {0} then '5:'",
    "DATE": "when {0} between date '0001-01-01' and date '9999-12-31' then '10:'",
    "INTEGER": _INTEGER,
    "BIGINT": _INTEGER,
}
"""How long the text of most values is, by type: cheaper than to count it and to print the number."""

OF_A_RELEASE = frozenset({"stale", "origin_release"})
OUTSIDE = {
    "kpi": OF_A_RELEASE | {"as_of", "kpi_name_zh", "kpi_name_en", "unit_name", "unit_level", "unit_role", "basis"},
    "receipt": frozenset({"seconds"}),
    "release_info": OF_A_RELEASE | {"version", "published_at"},
}


def outside_content(table: str) -> frozenset[str]:
    """The columns of a table that its content hash leaves out."""
    return OUTSIDE.get(table, OF_A_RELEASE)


def digest(value: object) -> str:
    """The sha256 of a value as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class TableContent:
    """Rows and columns of a table, the columns that are hashed (sorted by name), and the two sums over its rows."""

    columns: tuple[tuple[str, str], ...]
    hashed: tuple[tuple[str, str], ...]
    rows: int
    sums: tuple[int, int]

    @property
    def content_hash(self) -> str:
        return digest({"columns": self.hashed, "rows": self.rows, "sums": self.sums})

    def as_json(self) -> dict[str, Any]:
        return {"columns": self.columns, "hashed": self.hashed, "rows": self.rows, "sums": [str(s) for s in self.sums]}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> TableContent:
        lower, upper = (int(s) for s in raw["sums"])
        columns, hashed = (tuple((name, kind) for name, kind in raw[part]) for part in ("columns", "hashed"))
        return cls(columns, hashed, raw["rows"], (lower, upper))


def combined(parts: Sequence[TableContent]) -> TableContent | None:
    """The content of all parts in one table; None when their hashed columns differ."""
    if not parts or any(part.hashed != parts[0].hashed for part in parts):
        return None
    lower, upper = (sum(part.sums[half] for part in parts) % HALF for half in (0, 1))
    return TableContent(parts[0].columns, parts[0].hashed, sum(part.rows for part in parts), (lower, upper))


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _as_text(column: str, duckdb_type: str) -> str:
    if duckdb_type == "TIMESTAMP":
        return f"strftime({_quoted(column)}, '%Y-%m-%dT%H:%M:%S.%f')"
    return f"{_quoted(column)}::varchar"


def _in_row(place: int, duckdb_type: str) -> str:
    """What a column adds to the text of its row, as arguments of ``concat``; ``c<place>`` is its text, ``v<place>`` its value."""
    length = f"coalesce(strlen(c{place}), -1), ':'"
    if duckdb_type in LENGTHS:
        length = f"case {LENGTHS[duckdb_type].format(f'v{place}')} else concat({length}) end"
    return f"{length}, c{place}, ';'"


def table_content(connection: duckdb.DuckDBPyConnection, relation: str, without: Collection[str] = ()) -> TableContent:
    """The content of a relation (a table, or a query in brackets), leaving out the columns named."""
    described = connection.execute(f"describe select * from {relation}").fetchall()
    columns = tuple((name, duckdb_type) for name, duckdb_type, *_ in described)
    hashed = tuple(sorted((n, t) for n, t in columns if t not in DERIVED_TYPES and n not in without))
    texts = ", ".join(f"{_as_text(n, t)} as c{place}, {_quoted(n)} as v{place}" for place, (n, t) in enumerate(hashed)) or "'' as none"
    parts = ", ".join(_in_row(place, duckdb_type) for place, (_, duckdb_type) in enumerate(hashed)) or "''"
    counted = connection.execute(
        f"select count(*), sum((hashed >> 64)::ubigint), sum((hashed & {HALF - 1}::uhugeint)::ubigint) "
        f"from (select md5_number(concat({parts})) as hashed from (select {texts} from {relation}))"
    ).fetchone()
    assert counted is not None
    return TableContent(columns, hashed, counted[0], (int(counted[1] or 0) % HALF, int(counted[2] or 0) % HALF))
