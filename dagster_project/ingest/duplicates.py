"""Duplicates within a batch: the same key with the same content. The first in the order of file names and rows stays.

Rows are compared by 64-bit hashes of their content while they stream by; only rows whose hash occurs twice are then compared value
by value, and only if such rows are truly equal is the draft written a second time, without them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.ingest.pool import open_parquet
from dagster_project.ingest.statement import quoted

PLACE = ("source_id", "batch_date", "file_name", "row_number", "row_count")
_SIEVE_BITS = 24


@dataclass(frozen=True)
class Dropped:
    """The duplicates of a batch: their places in the draft (from 0, ascending), file names, row numbers and content hashes."""

    positions: npt.NDArray[np.int64]
    file_names: list[str]
    row_numbers: npt.NDArray[np.int64]
    content: npt.NDArray[np.uint64]

    @property
    def by_file(self) -> Counter[str]:
        return Counter(self.file_names)


def find_duplicates(content: list[npt.NDArray[np.uint64]], draft: Path, connection: duckdb.DuckDBPyConnection) -> Dropped | None:
    """The duplicates among the rows of a closed draft whose content hashes, in the same order, are ``content``; None if there are none."""
    repeated = _repeated(content)
    if len(repeated) == 0:
        return None
    positions = _positions(content, repeated)
    rows = _rows_at(draft, positions)
    values = [name for name in rows.column_names if name not in PLACE]
    connection.register("candidate", rows.append_column("position", pa.array(positions)))
    try:
        dropped = connection.execute(
            f"select position, file_name, row_number from (select position, file_name, row_number, row_number() over "
            f"(partition by {', '.join(map(quoted, values))} order by position) as place from candidate) where place > 1 order by position"
        ).to_arrow_table()
    finally:
        connection.unregister("candidate")
    if len(dropped) == 0:
        return None
    at = dropped["position"].to_numpy()
    return Dropped(at, dropped["file_name"].to_pylist(), dropped["row_number"].to_numpy(), np.concatenate(content)[at])


def _repeated(content: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    if not content:
        return np.empty(0, np.uint64)
    ordered = np.concatenate(content)
    ordered.sort()
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _positions(content: list[npt.NDArray[np.uint64]], repeated: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Where hashes that occur twice stand; a sieve over the low bits spares most rows the search."""
    low = np.uint64((1 << _SIEVE_BITS) - 1)
    sieve = np.zeros(1 << _SIEVE_BITS, bool)
    sieve[repeated & low] = True
    found, start = [], 0
    for part in content:
        maybe = np.flatnonzero(sieve[part & low])
        near = np.minimum(np.searchsorted(repeated, part[maybe]), len(repeated) - 1)
        found.append(maybe[repeated[near] == part[maybe]] + start)
        start += len(part)
    return np.concatenate(found)


def _rows_at(draft: Path, positions: npt.NDArray[np.int64]) -> pa.Table:
    parts, start = [], 0
    with pq.ParquetFile(draft) as file:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            inside = positions[(positions >= start) & (positions < start + size)] - start
            if len(inside):
                parts.append(file.read_row_group(group).take(pa.array(inside)))
            start += size
    return pa.concat_tables(parts)


def rewrite_without(draft: Path, other: Path, positions: npt.NDArray[np.int64]) -> None:
    """Write the rows of ``draft`` to ``other``, but for those at ``positions``, and let it take the draft's place."""
    with pq.ParquetFile(draft) as file:
        writer = open_parquet(other, file.schema_arrow)
        start = 0
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group)
            stays = np.ones(len(rows), bool)
            stays[positions[(positions >= start) & (positions < start + len(rows))] - start] = False
            start += len(rows)
            writer.write_table(rows.filter(pa.array(stays)))
        writer.close()
    other.replace(draft)
