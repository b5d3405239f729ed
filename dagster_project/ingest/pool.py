"""The pool: one typed Parquet file per source and batch, put in place whole or not at all."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract
from dagster_project.home import Home

ROW_GROUP_ROWS = 1 << 20
EMPTY_SOURCE = "none"
SECONDS_BETWEEN_WORDS = 5.0
REMEDY = "remove what is named, the next run makes it again from landing (what landing holds no more: from a backup)"
_DRAFT = ".draft"
ONE_VALUE_A_FILE = ("source_id", "file_name")


@dataclass(frozen=True)
class EntityInventory:
    """What the pool holds of one entity for the enabled sources; ``content_version`` changes when any of it does."""

    rows: int
    files: int
    bytes: int
    content_version: str


def source_folder(home: Home, entity: str, source_id: str) -> Path:
    return home.pool / entity / f"source={source_id}"


def batch_path(home: Home, entity: str, source_id: str, batch_date: dt.date) -> Path:
    return source_folder(home, entity, source_id) / f"batch={batch_date.isoformat()}.parquet"


def draft_of(path: Path) -> Path:
    """Where a file is written before it takes its place: beside it, under a name that no reader of the pool matches."""
    return path.with_name(f".{path.name}{_DRAFT}")


def is_draft(path: Path) -> bool:
    """Whether a file of the pool or the quarantine is half written."""
    return path.name.startswith(".") and path.name.endswith(_DRAFT)


def put_in_place(draft: Path, path: Path) -> None:
    """Make a complete draft durable and let it take its place in one step."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_drafts(folder: Path) -> None:
    """Sweep away what a killed run left half written."""
    if folder.is_dir():
        for draft in folder.glob(f".*{_DRAFT}"):
            draft.unlink(missing_ok=True)


def ensure_entities(home: Home, entities: Mapping[str, Entity]) -> None:
    """Give every entity an empty typed file, so that a relation over its files always exists with the right columns."""
    for entity in entities.values():
        path = source_folder(home, entity.name, EMPTY_SOURCE) / "empty.parquet"
        if path.exists() and pq.read_schema(path).equals(entity.arrow_schema):
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = draft_of(path)
        pq.write_table(entity.arrow_schema.empty_table(), draft, store_schema=False)
        put_in_place(draft, path)


def pool_files(home: Home) -> list[Path]:
    """Every file of the pool, in order."""
    return sorted(home.pool.glob("*/*/*.parquet"))


def unreadable_files(home: Home) -> list[Path]:
    """The files of the pool that cannot be read to their end. All of them are read for it: to be asked where something went wrong."""
    return [path for path in pool_files(home) if not _is_readable(path)]


def files_without_footer(files: Sequence[Path], say: Callable[[str], None]) -> list[Path]:
    """The files whose end, which says where in them everything is, cannot be read: cut off, overwritten, or never written out.

    Nothing else is read of them. ``say`` hears how far it is every few seconds.
    """
    damaged = []
    told = time.monotonic()
    for place, path in enumerate(files):
        if time.monotonic() - told >= SECONDS_BETWEEN_WORDS:
            say(f"pool: {place:,} of {len(files):,} files looked at")
            told = time.monotonic()
        try:
            pq.read_metadata(path)
        except FileNotFoundError:
            continue  # a night that runs meanwhile took its batch back
        except (OSError, pa.ArrowException):
            damaged.append(path)
    return damaged


def _is_readable(path: Path) -> bool:
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except (OSError, pa.ArrowException):
        return False
    return True


class PoolWriter:
    """Writes the rows of one batch, in the entity's columns and order, to the draft at ``path``."""

    def __init__(self, entity: Entity, source_id: str, batch_date: dt.date, draft: Path) -> None:
        self.rows = 0
        self.path = draft
        self._entity, self._source_id, self._batch_date = entity, source_id, batch_date
        text_by_file = pa.dictionary(pa.int32(), pa.string())
        self.schema = pa.schema([(f.name, text_by_file if f.name in ONE_VALUE_A_FILE else f.type) for f in entity.arrow_schema])
        draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._writer = open_parquet(draft, self.schema)

    def write(self, values: pa.Table, file_name: str, row_numbers: pa.Int64Array, row_count: pa.Array | None = None) -> None:
        """Append rows of one delivered file; columns that ``values`` lacks are null, ``row_count`` is 1 if not given."""
        size = len(row_numbers)
        if size == 0:
            return
        given: dict[str, pa.ChunkedArray | pa.Array] = {
            "source_id": _repeated(self._source_id, size),
            "batch_date": pa.repeat(pa.scalar(self._batch_date, pa.date32()), size),
            "file_name": _repeated(file_name, size),
            "row_number": row_numbers,
            "is_deleted": pa.repeat(pa.scalar(False), size),
            "row_count": pa.repeat(pa.scalar(1, pa.int64()), size) if row_count is None else row_count,
        }
        given.update((name, values[name]) for name in values.column_names)
        columns = [given[f.name] if f.name in given else pa.nulls(size, f.type) for f in self.schema]
        self._writer.write_table(pa.table(columns, schema=self.schema), row_group_size=ROW_GROUP_ROWS)
        self.rows += size

    def append(self, rows: pa.Table) -> None:
        """Append rows that have the columns of the pool already."""
        self._writer.write_table(rows.cast(self.schema), row_group_size=ROW_GROUP_ROWS)
        self.rows += len(rows)

    def beside(self, draft: Path) -> PoolWriter:
        """A writer of the same batch to another draft."""
        return PoolWriter(self._entity, self._source_id, self._batch_date, draft)

    def close(self) -> None:
        self._writer.close()


def open_parquet(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer with the settings of the pool: zstd, row numbers as differences."""
    names = [f.name for f in schema]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        store_schema=False,
        use_dictionary=[n for n in names if n != "row_number"],
        column_encoding={"row_number": "DELTA_BINARY_PACKED"} if "row_number" in names else None,
    )


def _repeated(text: str, size: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int32)), pa.array([text], pa.string()))


class ContentHash:
    """A hash over the rows of a batch, whatever order they come in: their values and their places, no timings.

    It rests on DuckDB's row hash and so holds for one version of the engine.
    """

    def __init__(self) -> None:
        self._rows, self._sum, self._mix = 0, np.uint64(0), np.uint64(0)

    def add(self, content: npt.NDArray[np.uint64], file_name: str, row_numbers: npt.NDArray[np.int64]) -> None:
        placed = _placed(content, file_name, row_numbers)
        self._rows += len(placed)
        self._sum = np.add(self._sum, placed.sum(dtype=np.uint64))
        self._mix = np.bitwise_xor(self._mix, np.bitwise_xor.reduce(placed))

    def text(self) -> str:
        """32 hexadecimal digits."""
        return hashlib.sha256(f"{self._rows}:{self._sum}:{self._mix}".encode()).hexdigest()[:32]


def _placed(content: npt.NDArray[np.uint64], file_name: str, row_numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    seed = np.uint64(int.from_bytes(hashlib.sha256(file_name.encode()).digest()[:8], "big"))
    return _scrambled(content ^ _scrambled(row_numbers.astype(np.uint64) + seed))


def _scrambled(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def entity_inventory(home: Home, contracts: Iterable[Contract]) -> dict[str, EntityInventory]:
    """What the pool holds of every entity that has a folder, counting the given sources alone."""
    from dagster_project.ingest.receipts import Receipts

    enabled = {c.id: c.entity for c in contracts}
    inventory = {folder.name: EntityInventory(0, 0, 0, _version([])) for folder in home.pool.iterdir() if folder.is_dir()}
    with Receipts(home) as receipts:
        batches = [b for b in receipts.batches() if enabled.get(b.source_id) == b.entity and b.in_pool]
    for entity in sorted({b.entity for b in batches}):
        of_entity = [b for b in batches if b.entity == entity]
        parts = [f"{b.source_id}/{b.batch_date}/{b.content_hash}" for b in of_entity]
        inventory[entity] = EntityInventory(
            sum(b.rows_accepted for b in of_entity), len(of_entity), sum(b.pool_bytes for b in of_entity), _version(parts)
        )
    return inventory


def _version(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]
