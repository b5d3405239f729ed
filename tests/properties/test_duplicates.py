"""Duplicates are found exactly, however hashes fall and rows are cut into chunks."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_kit import make_entity

from dagster_project.ingest import duplicates as module
from dagster_project.ingest.duplicates import Duplicates, Sieve
from dagster_project.ingest.pool import PoolWriter

ENTITY = make_entity(id="text", n="integer")
chunk = st.lists(st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, 2))), max_size=12)


@given(
    st.lists(st.tuples(st.sampled_from(["f", "g"]), chunk), max_size=5), st.sampled_from([1, 3, 2**61]), st.sampled_from([1, 4, 1 << 21])
)
@settings(max_examples=60, deadline=None)
def test_the_first_of_equal_rows_stays_and_the_others_are_counted(
    chunks: list[tuple[str, list[tuple[str, int | None]]]], distinct_hashes: int, portion: int
) -> None:
    """With few distinct hashes nearly every row looks like a repetition of others, and must be told apart by its values."""
    first: dict[tuple[str, int | None], tuple[str, int]] = {}
    repeated = {"f": 0, "g": 0}
    hashed = []
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        pool = PoolWriter(ENTITY, "s", dt.date(2024, 1, 1), Path(folder) / "pool")
        duplicates = Duplicates(pool, Path(folder) / "aside", connection)
        number = 0
        for name, rows in chunks:
            if not rows:
                continue
            numbers = list(range(number + 1, number + len(rows) + 1))
            number += len(rows)
            for row, place in zip(rows, numbers, strict=True):
                repeated[name] += row in first
                first.setdefault(row, (name, place))
            content = np.array([hash(row) % distinct_hashes for row in rows], np.uint64)
            values = pa.table(
                {"id": [i for i, _ in rows], "n": pa.array([n for _, n in rows], pa.int64()), "record_key": [i for i, _ in rows]}
            )
            seen = duplicates.may_repeat(content)
            if seen.any():
                duplicates.set_aside(values.filter(pa.array(seen)), name, pa.array(numbers).filter(pa.array(seen)))
            pool.write(values.filter(pa.array(~seen)), name, pa.array(numbers).filter(pa.array(~seen)))
            hashed += [int(c) for c, s in zip(content, seen, strict=True) if not s]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "PORTION_ROWS", portion)
            counts, new = duplicates.settle()
        kept = pq.ParquetFile(Path(folder) / "pool").read().to_pylist()
    assert {(r["id"], r["n"]): (r["file_name"], r["row_number"]) for r in kept} == first
    assert len(kept) == len(first) == pool.rows
    assert {name: counts[name] for name in repeated} == repeated
    assert len(hashed) + sum(len(rows) for rows, _ in new) == len(first)
    assert all(len(rows) == len(hashes) for rows, hashes in new)


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=200), max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_sieve_never_forgets(parts: list[list[int]], random: object) -> None:
    sieve, known = Sieve(first_rows=64), set()
    for part in parts:
        hashes = np.array(part + part[: len(part) // 3], np.uint64)
        seen = sieve.seen(hashes)
        for value, was_seen in zip(hashes.tolist(), seen.tolist(), strict=True):
            assert was_seen or value not in known
            known.add(value)


def test_the_sieve_seldom_takes_new_for_old() -> None:
    random = np.random.default_rng(7)
    sieve = Sieve(first_rows=1 << 12)
    wrong = [sieve.seen(random.integers(0, 2**64 - 1, 1 << 12, np.uint64)).mean() for _ in range(16)]
    assert max(wrong) < 0.1
