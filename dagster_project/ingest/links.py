"""Taking keyed hashes out of a batch of the pool: everything else of it stays, and its receipt says whether it holds any still."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.contracts.entities import PSEUDONYM, Entity
from dagster_project.home import Home
from dagster_project.ingest.pool import batch_path, draft_of, open_parquet, put_in_place
from dagster_project.ingest.receipts import BatchReceipt, Receipts


def link_columns(entity: Entity) -> tuple[str, ...]:
    """The columns of an entity that hold keyed hashes."""
    return tuple(c.name for c in entity.columns if c.grade == PSEUDONYM)


def linked_rows(home: Home, entity: Entity, batch: BatchReceipt) -> int:
    """How many rows of a batch hold a hash."""
    names = _present(batch_path(home, batch.entity, batch.source_id, batch.batch_date), entity)
    if not names:
        return 0
    table = pq.ParquetFile(batch_path(home, batch.entity, batch.source_id, batch.batch_date)).read(columns=names)
    without = [table[name].combine_chunks().is_null().to_numpy(zero_copy_only=False) for name in names]
    return sum(not all(nothing) for nothing in zip(*without, strict=True))


def drop_links(home: Home, receipts: Receipts, entity: Entity, batch: BatchReceipt) -> None:
    """Set the hashes of a batch to null, pool file first, receipt second: killed in between, the same call arrives at the same."""
    names = _present(batch_path(home, batch.entity, batch.source_id, batch.batch_date), entity)
    rewrite_hashes(home, receipts, batch, lambda rows: _emptied(rows, names))


def rewrite_hashes(home: Home, receipts: Receipts, batch: BatchReceipt, change: Callable[[pa.Table], pa.Table], key_id: str = "") -> None:
    """Put a batch with changed rows, in their order, in the place of the former; killed before its receipt stands, the same call arrives at
    the same. ``key_id`` names the key of the hashes that it still holds."""
    path = batch_path(home, batch.entity, batch.source_id, batch.batch_date)
    draft = draft_of(path)
    with pq.ParquetFile(path) as file:
        schema = change(file.schema_arrow.empty_table()).schema
        with open_parquet(draft, schema) as writer:
            for group in range(file.num_row_groups):
                rows = change(file.read_row_group(group))
                writer.write_table(rows, row_group_size=max(len(rows), 1))
    put_in_place(draft, path)
    files = [f for f in receipts.files(batch.source_id) if f.batch_date == batch.batch_date]
    content = _content_of(path)
    receipts.record(dataclasses.replace(batch, key_id=key_id, pool_bytes=path.stat().st_size, content_hash=content), files)


def _content_of(path: Path) -> str:
    """Of the file's bytes: however many rewrites led there, the same rows have the same."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _present(path: Path, entity: Entity) -> list[str]:
    return [name for name in link_columns(entity) if name in pq.read_schema(path).names]


def _emptied(rows: pa.Table, names: list[str]) -> pa.Table:
    for name in names:
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), pa.nulls(len(rows), rows.schema.field(place).type))
    return rows
