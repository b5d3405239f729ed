"""Duplicates within a batch: the same key with the same content. The first in the order of file names and rows stays.

Rows are compared by 64-bit hashes of their content while they stream by; only rows whose hash occurs twice are then compared value
by value, and only if such rows are truly equal is the draft written a second time, without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.ingest.pipeline import ReadAhead
from dagster_project.ingest.pool import ONE_VALUE_A_FILE, open_parquet
from dagster_project.ingest.statement import quoted

PLACE = ("source_id", "batch_date", "file_name", "row_number", "row_count")
CANDIDATE_ROWS = 1 << 21
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
    """The duplicates among the rows of a closed draft whose content hashes, in the same order, are ``content``; None if there are none.

    Rows to be compared are taken from the draft in portions of about CANDIDATE_ROWS, so memory stays bounded whatever is repeated.
    """
    repeated = _repeated(content)
    if len(repeated) == 0:
        return None
    positions, hashes = _positions(content, repeated)
    portions = -(-len(positions) // CANDIDATE_ROWS)
    found = []
    for portion in range(portions):
        chosen = hashes % np.uint64(portions) == portion
        found.append(_later_twins(draft, positions[chosen], hashes[chosen], connection))
    dropped = pa.concat_tables(found).sort_by("position")
    if len(dropped) == 0:
        return None
    names = dropped["file_name"].to_pylist()
    return Dropped(dropped["position"].to_numpy(), names, dropped["row_number"].to_numpy(), dropped["content"].to_numpy())


def _later_twins(
    draft: Path, positions: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64], connection: duckdb.DuckDBPyConnection
) -> pa.Table:
    """Of the rows at these positions, those that equal an earlier one in every value."""
    rows = _rows_at(draft, positions)
    values = ", ".join(quoted(name) for name in rows.column_names if name not in PLACE)
    rows = rows.append_column("position", pa.array(positions)).append_column("content", pa.array(hashes))
    connection.register("candidate", rows)
    try:
        return connection.execute(
            "select position, file_name, row_number, content from (select position, file_name, row_number, content, "
            f"row_number() over (partition by {values} order by position) as place from candidate) where place > 1"
        ).to_arrow_table()
    finally:
        connection.unregister("candidate")


def _repeated(content: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    if not content:
        return np.empty(0, np.uint64)
    ordered = np.concatenate(content)
    ordered.sort()
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _positions(
    content: list[npt.NDArray[np.uint64]], repeated: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Where hashes that occur twice stand, and which they are; a sieve over the low bits spares most rows the search."""
    low = np.uint64((1 << _SIEVE_BITS) - 1)
    sieve = np.zeros(1 << _SIEVE_BITS, bool)
    sieve[repeated & low] = True
    found, hashes, start = [], [], 0
    for part in content:
        maybe = np.flatnonzero(sieve[part & low])
        near = np.minimum(np.searchsorted(repeated, part[maybe]), len(repeated) - 1)
        hits = maybe[repeated[near] == part[maybe]]
        found.append(hits + start)
        hashes.append(part[hits])
        start += len(part)
    return np.concatenate(found), np.concatenate(hashes)


def _rows_at(draft: Path, positions: npt.NDArray[np.int64]) -> pa.Table:
    parts, start = [], 0
    with pq.ParquetFile(draft) as file:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            inside = _inside(positions, start, size)
            if len(inside):
                parts.append(file.read_row_group(group).take(pa.array(inside)))
            start += size
    return pa.concat_tables(parts)


def rewrite_without(draft: Path, other: Path, positions: npt.NDArray[np.int64]) -> None:
    """Write the rows of ``draft`` to ``other``, but for those at ``positions``, and let it take the draft's place."""
    with pq.ParquetFile(draft, read_dictionary=list(ONE_VALUE_A_FILE)) as file, ReadAhead(_row_groups(file, positions)) as kept:
        writer = open_parquet(other, file.schema_arrow)
        for rows in kept:
            writer.write_table(rows)
        writer.close()
    other.replace(draft)


def _row_groups(file: pq.ParquetFile, dropped: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    start = 0
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group)
        inside = _inside(dropped, start, len(rows))
        stays = np.ones(len(rows), bool)
        stays[inside] = False
        start += len(rows)
        yield rows.filter(pa.array(stays)) if len(inside) else rows


def _inside(positions: npt.NDArray[np.int64], start: int, size: int) -> npt.NDArray[np.int64]:
    """Of ascending positions those in a row group, counted from its start."""
    return positions[np.searchsorted(positions, start) : np.searchsorted(positions, start + size)] - start
