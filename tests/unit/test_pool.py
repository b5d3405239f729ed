"""Pool files: their columns, how they take their place, and the hash of their content."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_kit import make_entity

from dagster_project.contracts.entities import Entity, EntityColumn, load_entities
from dagster_project.home import Home
from dagster_project.ingest import pool
from dagster_project.ingest.pool import (
    ContentHash,
    PoolWriter,
    batch_path,
    draft_of,
    ensure_entities,
    files_without_footer,
    pool_files,
    put_in_place,
    remove_drafts,
)

DAY = dt.date(2024, 3, 5)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path).ensure()


def test_rows_take_the_columns_of_the_entity_and_those_of_every_row(home: Home) -> None:
    entity = make_entity(a="text", missing="decimal(18,6)", b="integer")
    path = batch_path(home, entity.name, "s", DAY)
    writer = PoolWriter(entity, "s", DAY, draft_of(path))
    writer.write(pa.table({"b": [1, 2], "a": ["x", None], "record_key": ["k1", "k2"]}), "in/a.csv", pa.array([1, 4]))
    writer.write(pa.table({"b": [3], "a": ["y"], "record_key": ["k3"]}), "in/b.csv", pa.array([1]), pa.array([7]))
    writer.close()
    put_in_place(draft_of(path), path)
    assert pq.ParquetFile(path).schema_arrow.equals(entity.arrow_schema)
    rows = pq.ParquetFile(path).read().to_pylist()
    assert list(rows[0]) == ["a", "missing", "b", *(c.name for c in entity.every_row)]
    assert rows[1] == {
        "a": None, "missing": None, "b": 2, "source_id": "s", "batch_date": DAY, "file_name": "in/a.csv", "row_number": 4,
        "record_key": "k2", "record_version": None, "is_deleted": False, "row_count": 1,
    }  # fmt: skip
    assert [(r["file_name"], r["row_count"]) for r in rows] == [("in/a.csv", 1), ("in/a.csv", 1), ("in/b.csv", 7)]


def test_a_batch_without_rows_is_an_empty_typed_file(home: Home) -> None:
    entity = make_entity(a="date")
    draft = draft_of(batch_path(home, entity.name, "s", DAY))
    PoolWriter(entity, "s", DAY, draft).close()
    assert pq.ParquetFile(draft).read().schema.equals(entity.arrow_schema)


def test_drafts_are_no_part_of_the_pool_and_are_swept_away(home: Home) -> None:
    path = batch_path(home, "thing", "s", DAY)
    draft = draft_of(path)
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half")
    assert list(home.pool.glob("*/*/*.parquet")) == []
    remove_drafts(draft.parent)
    assert list(draft.parent.iterdir()) == []


def test_every_entity_has_a_typed_relation_from_the_start(home: Home) -> None:
    entities = load_entities()
    ensure_entities(home, entities)
    for name, entity in entities.items():
        relation = duckdb.sql(f"select * from read_parquet('{home.pool}/{name}/*/*.parquet', hive_partitioning = false)")
        assert relation.columns == [c.name for c in entity.pool_columns]
        assert relation.fetchall() == []


def test_the_empty_file_follows_the_entity(home: Home) -> None:
    entity = make_entity(a="text")
    ensure_entities(home, {"thing": entity})
    path = home.pool / "thing" / "source=none" / "empty.parquet"
    written = path.stat().st_mtime_ns
    ensure_entities(home, {"thing": entity})
    assert path.stat().st_mtime_ns == written
    wider: Entity = dataclasses.replace(entity, columns=(*entity.columns, EntityColumn("b", "integer")))
    ensure_entities(home, {"thing": wider})
    assert "b" in pq.read_schema(path).names


def test_files_are_told_damaged_by_their_end_alone_and_how_far_that_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_entities(home, {name: dataclasses.replace(make_entity(a="text"), name=name) for name in "abcde"})
    cut, garbled, emptied, gone, whole = pool_files(home)
    files = pool_files(home)
    cut.write_bytes(cut.read_bytes()[:-1])
    garbled.write_bytes(garbled.read_bytes()[:-9] + b"\xff" * 9)
    emptied.write_bytes(b"")
    gone.unlink()
    said: list[str] = []
    assert files_without_footer(files, said.append) == [cut, garbled, emptied]
    assert said == []
    monkeypatch.setattr(pool, "SECONDS_BETWEEN_WORDS", 0)
    assert files_without_footer([whole, whole], said.append) == []
    assert said == ["pool: 0 of 2 files looked at", "pool: 1 of 2 files looked at"]


Rows = list[tuple[int, int]]
rows_of_a_file = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 10**9)), unique_by=lambda r: r[1], max_size=12)


def content(*parts: tuple[str, Rows]) -> ContentHash:
    whole = ContentHash()
    for name, rows in parts:
        whole.add(np.array([c for c, _ in rows], np.uint64), name, np.array([n for _, n in rows], np.int64))
    return whole


@given(rows_of_a_file, st.randoms(), st.integers(0, 12))
def test_the_content_hash_does_not_depend_on_order_or_chunks(rows: Rows, random: object, cut: int) -> None:
    shuffled = sorted(rows, key=lambda r: hash((r, str(random))))
    assert content(("f", rows)).text() == content(("f", shuffled[:cut]), ("f", shuffled[cut:])).text()


def test_the_content_hash_sees_values_places_and_files() -> None:
    base: Rows = [(1, 1), (2, 2)]
    others = [
        content(("f", [(1, 1)])),
        content(("f", [(1, 2), (2, 1)])),
        content(("g", base)),
        content(("f", [(1, 1), (3, 2)])),
        content(("f", base * 2)),
    ]
    assert len({h.text() for h in (content(("f", base)), *others)}) == 6
