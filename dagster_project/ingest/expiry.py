"""Keyed hashes leave the pool when their days are over (``link`` of the entity's column); what the figures need of them is settled before.

A hash goes on the first of the month in which its age would come to exceed its days; one that is older when its batch comes, on the day
of the batch. Months are settled one after the other, each from what had been delivered by then, so that a pool that ran every night and one
made anew from landing come to the same, as long as every batch had come by the night of its date.

Killed at any moment, the next night goes on: what is settled is put in place first, in one file; then batch by batch loses its hashes,
file before receipt. A batch read again from landing brings its hashes back for the time until this step; what was settled stays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.contracts.entities import Entity, Link
from dagster_project.contracts.model import Contract
from dagster_project.home import Home
from dagster_project.ingest.links import rewrite_hashes
from dagster_project.ingest.pool import batch_path, draft_of, open_parquet, put_in_place, source_folder
from dagster_project.ingest.pool_key import is_hashed
from dagster_project.ingest.receipts import BatchReceipt, Receipts
from dagster_project.ingest.settlement import days_that_settle, settle
from dagster_project.ledger import record

SETTLED_SOURCE = "settled"
"""Folder of the pool, among those of the sources, in which an entity keeps what was settled."""


@dataclass(frozen=True)
class ExpiredBatch:
    """A batch of which ``rows`` rows lost a hash; ``left`` rows keep theirs for now."""

    source_id: str
    batch_date: dt.date
    rows: int
    left: int


def expire_links(
    home: Home, contracts: Iterable[Contract], entities: Mapping[str, Entity], as_of: dt.date, say: Callable[[str], None]
) -> tuple[ExpiredBatch, ...]:
    """Take out of the pool every hash whose days are over on ``as_of``. The caller holds the home's writing lock.

    Only batches dated up to ``as_of`` are looked at. Raises SettlementError.
    """
    sources, done = list(contracts), []
    with Receipts(home) as receipts:
        for entity in entities.values():
            for column in entity.columns:
                if column.link is not None:
                    done += _expire(home, receipts, sources, entities, entity, column.name, column.link, as_of)
    if done:
        say(f"{sum(b.rows for b in done):,} keyed hashes in {len(done)} batches are past their days and gone")
    return tuple(done)


def older_rows(home: Home, entity: Entity, as_of: dt.date) -> int:
    """How many rows of an entity hold a hash that is older than its days."""
    files = str(home.pool / entity.name / "source=*" / "batch=*.parquet")
    if not list(home.pool.glob(f"{entity.name}/source=*/batch=*.parquet")):
        return 0
    over = [
        f'"{c.name}" is not null and batch_date <= $as_of and $as_of - {_last_day(c.link)} > {c.link.days}'
        for c in entity.columns
        if c.link
    ]
    with duckdb.connect() as connection:
        sql = f"select count(*) from read_parquet($files, union_by_name = true, hive_partitioning = false) where {' or '.join(over)}"
        found = connection.execute(sql, {"as_of": as_of, "files": files}).fetchone()
    return int(found[0]) if found else 0


def _last_day(link: Link) -> str:
    """The day from which the age of a row's hash counts, in SQL."""
    if not link.since:
        return "batch_date"
    times = ", ".join(f'cast("{name}" as date)' for name in link.since)
    return f"least(batch_date, coalesce(greatest({times}), batch_date))"


def _expires_on(link: Link) -> str:
    return f"greatest(batch_date, cast(date_trunc('month', {_last_day(link)} + {link.days + 1}) as date))"


def _expire(
    home: Home,
    receipts: Receipts,
    contracts: list[Contract],
    entities: Mapping[str, Entity],
    entity: Entity,
    column: str,
    link: Link,
    as_of: dt.date,
) -> list[ExpiredBatch]:
    of_entity = [b for b in receipts.batches() if b.entity == entity.name and b.in_pool and b.batch_date <= as_of]
    known = [b for b in of_entity if _path(home, b).is_file()]
    hashed = [b for b in known if is_hashed(b)]
    if not hashed:
        return []
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB", "temp_directory": str(home.scratch / "expiry")}) as connection:
        expired = _expired(connection, [str(_path(home, b)) for b in hashed], column, link, as_of)
        unrecorded = {(b.source_id, b.batch_date) for b in hashed if _path(home, b).stat().st_size != b.pool_bytes}
        if not any(gone for gone, _ in expired.values()) and not unrecorded:
            return []
        if link.settled is not None:
            _load(connection, home, known, contracts, entity, entities[link.settled], link, as_of)
            for day in days_that_settle(connection, entity.name, column):
                settle(connection, entity.name, link.settled, day)
                connection.execute(f'update pool."{entity.name}" set "{column}" = null where expires_on <= $1', [day])
            _put_settled(connection, home, entities[link.settled])
        done = []
        for batch in hashed:
            gone, left = expired.get((batch.source_id, batch.batch_date), (0, 0))
            if not gone and (batch.source_id, batch.batch_date) not in unrecorded:
                continue
            about = {"links": "expired", "source": batch.source_id, "batch": batch.batch_date.isoformat(), "rows": gone, "left": left}
            record(home, "key", {**about, "column": column, "night": as_of.isoformat()})
            rewrite_hashes(home, receipts, batch, _without(connection, column, link, as_of), batch.key_id if left else "")
            done.append(ExpiredBatch(batch.source_id, batch.batch_date, gone, left))
    return done


def _path(home: Home, batch: BatchReceipt) -> Path:
    return batch_path(home, batch.entity, batch.source_id, batch.batch_date)


def _expired(
    connection: duckdb.DuckDBPyConnection, files: list[str], column: str, link: Link, as_of: dt.date
) -> dict[tuple[str, dt.date], tuple[int, int]]:
    """By batch, how many rows hold a hash that goes and how many one that stays."""
    sql = (
        f"select source_id, batch_date, count(*) filter ({_expires_on(link)} <= $as_of), count(*) filter ({_expires_on(link)} > $as_of) "
        f'from read_parquet($files, union_by_name = true, hive_partitioning = false) where "{column}" is not null group by all'
    )
    rows = connection.execute(sql, {"files": files, "as_of": as_of}).fetchall()
    return {(source_id, batch_date): (gone, left) for source_id, batch_date, gone, left in rows}


def _load(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    batches: list[BatchReceipt],
    contracts: list[Contract],
    entity: Entity,
    settled: Entity,
    link: Link,
    as_of: dt.date,
) -> None:
    """Give the connection what ``settle`` reads. Of hashes that stay after ``as_of`` the day of their going is left open."""
    connection.execute("create schema pool; create schema control")
    connection.execute(
        f'create table pool."{entity.name}" as '
        f"select *, case when {_expires_on(link)} <= $as_of then {_expires_on(link)} end as expires_on "
        "from read_parquet($files, union_by_name = true, hive_partitioning = false)",
        {"files": [str(_path(home, b)) for b in batches], "as_of": as_of},
    )
    path = source_folder(home, settled.name, SETTLED_SOURCE) / f"{SETTLED_SOURCE}.parquet"
    rows = pq.read_table(path, partitioning=None) if path.is_file() else settled.arrow_schema.empty_table()
    _table(connection, f'pool."{settled.name}"', rows)
    of_sources = [(c.id, c.group, c.entity, c.extract.mode) for c in contracts]
    names = ("source_id", "group_name", "entity", "extract_mode")
    _table(connection, "control.source", pa.table([pa.array(v, pa.string()) for v in zip(*of_sources, strict=True)], names=names))
    dated = [pa.array([b.source_id for b in batches], pa.string()), pa.array([b.batch_date for b in batches], pa.date32())]
    _table(connection, "control.batch", pa.table(dated, names=("source_id", "batch_date")))


def _table(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("given", rows)
    connection.execute(f"create table {name} as select * from given")
    connection.unregister("given")


def _put_settled(connection: duckdb.DuckDBPyConnection, home: Home, settled: Entity) -> None:
    names = ", ".join(f'"{c.name}"' for c in settled.pool_columns)
    rows = connection.execute(f'select {names} from pool."{settled.name}" order by all').to_arrow_table()
    path = source_folder(home, settled.name, SETTLED_SOURCE) / f"{SETTLED_SOURCE}.parquet"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = draft_of(path)
    with open_parquet(draft, settled.arrow_schema) as writer:
        writer.write_table(rows.cast(settled.arrow_schema))
    put_in_place(draft, path)


def _without(connection: duckdb.DuckDBPyConnection, column: str, link: Link, as_of: dt.date) -> Callable[[pa.Table], pa.Table]:
    """Rows with the hashes that are over set to null, in their order."""
    sql = f'select * replace (case when {_expires_on(link)} > $1 then "{column}" end as "{column}") from given'

    def without(rows: pa.Table) -> pa.Table:
        connection.register("given", rows)
        changed = connection.execute(sql, [as_of]).to_arrow_table().cast(rows.schema)
        connection.unregister("given")
        return changed

    return without
