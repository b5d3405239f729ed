"""Duplicates within a batch: the same key with the same content. The first in the order of file names and rows stays.

While rows stream by, a sieve of bits over 64-bit hashes of their content tells which cannot have come before: these go to the pool
file at once. The few others are set aside. At the end their hashes are looked up among all; whose hash is new after all is added to
the pool file, and the rest is compared value by value with the rows that came first. Only if a hash deceived (two different rows,
one hash) is the pool file written a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.ingest.pipeline import ReadAhead
from dagster_project.ingest.pool import ONE_VALUE_A_FILE, PoolWriter, open_parquet
from dagster_project.ingest.statement import quoted

PORTION_ROWS = 1 << 21
_PLACE = ("source_id", "batch_date", "file_name", "row_number", "row_count")
_BITS_A_ROW = 16
_FIRST_SIEVE_ROWS = 1 << 22
_LOOKUP_BITS = 24

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]


class Sieve:
    """Remembers hashes in two bits each and tells which may have come before: never no when it was so, seldom yes when it was not.

    Grows by sieves of double size, so about 2 % of new hashes are taken for old ones, at 2 bytes a hash or a little more.
    """

    def __init__(self, first_rows: int = _FIRST_SIEVE_ROWS) -> None:
        self._room = first_rows
        self._sieves = [np.zeros(first_rows * _BITS_A_ROW // 64, np.uint64)]
        self._held = 0

    def seen(self, hashes: Hashes) -> Flags:
        """Which hashes may have been given before, in this call or an earlier one; all are remembered."""
        seen = _repeats_within(hashes)
        for sieve in self._sieves:
            seen |= _holds(sieve, hashes)
        if self._held + len(hashes) > self._room and self._held:
            self._room *= 2
            self._sieves.append(np.zeros(self._room * _BITS_A_ROW // 64, np.uint64))
            self._held = 0
        for places in _places(self._sieves[-1], hashes):
            np.bitwise_or.at(self._sieves[-1], places >> np.uint64(6), np.uint64(1) << (places & np.uint64(63)))
        self._held += len(hashes)
        return seen


def _places(sieve: Hashes, hashes: Hashes) -> tuple[Hashes, Hashes]:
    mask = np.uint64(len(sieve) * 64 - 1)
    return hashes & mask, (hashes >> np.uint64(32)) & mask


def _holds(sieve: Hashes, hashes: Hashes) -> Flags:
    both = np.ones(len(hashes), np.uint64)
    for places in _places(sieve, hashes):
        both &= sieve[places >> np.uint64(6)] >> (places & np.uint64(63))
    return both.astype(bool)


def _repeats_within(hashes: Hashes) -> Flags:
    """Which of these hashes equal an earlier one of these."""
    repeats = np.zeros(len(hashes), bool)
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(twice):
        at = _where(hashes, twice)
        later = np.ones(len(at), bool)
        later[np.unique(hashes[at], return_index=True)[1]] = False
        repeats[at[later]] = True
    return repeats


def _where(hashes: Hashes, wanted: Hashes) -> Positions:
    """Positions of hashes that are among the wanted (ascending, distinct); a table over the low bits spares most rows the search."""
    low = np.uint64((1 << _LOOKUP_BITS) - 1)
    table = np.zeros(1 << _LOOKUP_BITS, bool)
    table[wanted & low] = True
    maybe = np.flatnonzero(table[hashes & low])
    near = np.minimum(np.searchsorted(wanted, hashes[maybe]), len(wanted) - 1)
    found: Positions = maybe[wanted[near] == hashes[maybe]]
    return found


class Duplicates:
    """Keeps the duplicates of one batch out of its pool file. ``aside`` is where rows are put that may be some."""

    def __init__(self, pool: PoolWriter, aside: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self._pool, self._aside_path, self._connection = pool, aside, connection
        self._sieve = Sieve()
        self._aside: PoolWriter | None = None
        self._main_hashes: list[Hashes] = []
        self._aside_hashes: list[Hashes] = []

    def may_repeat(self, content: Hashes) -> Flags:
        """Which rows, by the hashes of their content, may repeat an earlier one; the others belong into the pool file."""
        seen = self._sieve.seen(content)
        self._main_hashes.append(content[~seen])
        self._aside_hashes.append(content[seen])
        return seen

    def set_aside(self, values: pa.Table, file_name: str, row_numbers: pa.Int64Array) -> None:
        """Put rows that may repeat earlier ones aside, in the order in which ``may_repeat`` named them."""
        if self._aside is None:
            self._aside = self._pool.beside(self._aside_path)
        self._aside.write(values, file_name, row_numbers)

    def settle(self) -> tuple[Counter[str], list[tuple[pa.Table, Hashes]]]:
        """Close the pool file with every row that is no duplicate in it.

        Gives the number of duplicates by file name, and the rows set aside that were none, with their hashes.
        """
        if self._aside is None:
            self._pool.close()
            return Counter(), []
        self._aside.close()
        hashes = np.concatenate(self._aside_hashes)
        repeats = _repeats_within(hashes)
        repeats[self._known_before(hashes)] = True
        new = self._added(hashes, np.flatnonzero(~repeats))
        self._pool.close()
        counts, deceived = self._compared(hashes, np.flatnonzero(repeats))
        if len(deceived):
            new += self._rescued(hashes, deceived)
        return counts, new

    def _known_before(self, hashes: Hashes) -> Positions:
        """Positions aside whose hash is in the pool file."""
        wanted = np.unique(hashes)
        found = np.unique(np.concatenate([part[_where(part, wanted)] for part in self._main_hashes]))
        return _where(hashes, found) if len(found) else np.empty(0, np.int64)

    def _added(self, hashes: Hashes, positions: Positions) -> list[tuple[pa.Table, Hashes]]:
        """Put rows from aside into the pool file after all."""
        added = []
        for rows, inside in _rows_at(self._aside_path, positions):
            self._pool.append(rows)
            self._main_hashes.append(hashes[inside])
            added.append((rows, hashes[inside]))
        return added

    def _compared(self, hashes: Hashes, positions: Positions) -> tuple[Counter[str], Positions]:
        """Compare rows aside with the first rows of the same hash: duplicates by file name, and positions of those that are none.

        Rows are taken in portions of about PORTION_ROWS, so memory stays bounded whatever is repeated.
        """
        counts: Counter[str] = Counter()
        deceived = [np.empty(0, np.int64)]
        portions = -(-len(positions) // PORTION_ROWS)
        for portion in range(portions):
            chosen = positions[hashes[positions] % np.uint64(portions) == portion]
            if len(chosen) == 0:
                continue
            place = self._place_among_equals(np.unique(hashes[chosen]), chosen)
            counts.update(place.filter(pc.greater(place["place"], 1))["file_name"].to_pylist())
            deceived.append(place.filter(pc.equal(place["place"], 1))["position"].to_numpy())
        return counts, np.sort(np.concatenate(deceived))

    def _place_among_equals(self, wanted: Hashes, positions: Positions) -> pa.Table:
        """For rows aside: their place (1, 2, …) among the rows of the pool file and aside that equal them in every value."""
        parts = [rows.append_column("position", _filled(-1, len(rows))) for rows, _ in _rows_at(self._pool.path, self._firsts(wanted))]
        parts += [rows.append_column("position", pa.array(inside)) for rows, inside in _rows_at(self._aside_path, positions)]
        candidates = pa.concat_tables(parts)
        values = ", ".join(quoted(name) for name in candidates.column_names if name not in (*_PLACE, "position"))
        self._connection.register("candidate", candidates)
        try:
            return self._connection.execute(
                "select position, file_name, place from (select position, file_name, "
                f"row_number() over (partition by {values} order by position) as place from candidate) where position >= 0"
            ).to_arrow_table()
        finally:
            self._connection.unregister("candidate")

    def _firsts(self, wanted: Hashes) -> Positions:
        found, start = [], 0
        for part in self._main_hashes:
            found.append(_where(part, wanted) + start)
            start += len(part)
        return np.concatenate(found)

    def _rescued(self, hashes: Hashes, positions: Positions) -> list[tuple[pa.Table, Hashes]]:
        """Write the pool file anew with rows that a hash had made look like duplicates."""
        other = self._pool.path.with_name(f".rescued{self._pool.path.name}")
        rescued = [(rows, hashes[inside]) for rows, inside in _rows_at(self._aside_path, positions)]
        with pq.ParquetFile(self._pool.path, read_dictionary=list(ONE_VALUE_A_FILE)) as file:
            writer = open_parquet(other, self._pool.schema)
            with ReadAhead(file.read_row_group(group) for group in range(file.num_row_groups)) as groups:
                for rows in groups:
                    writer.write_table(rows.cast(self._pool.schema))
            for rows, _ in rescued:
                writer.write_table(rows.cast(self._pool.schema))
                self._pool.rows += len(rows)
            writer.close()
        other.replace(self._pool.path)
        return rescued


def _filled(value: int, size: int) -> pa.Array:
    return pa.array(np.full(size, value, np.int64))


def _rows_at(path: Path, positions: Positions) -> Iterator[tuple[pa.Table, Positions]]:
    """Rows of a Parquet file at ascending positions, row group by row group, each with the positions that it holds."""
    if len(positions) == 0:
        return
    start = 0
    with pq.ParquetFile(path, read_dictionary=list(ONE_VALUE_A_FILE)) as file:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            inside = positions[np.searchsorted(positions, start) : np.searchsorted(positions, start + size)]
            if len(inside):
                yield file.read_row_group(group).take(pa.array(inside - start)), inside
            start += size
