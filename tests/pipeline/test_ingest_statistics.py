"""What is counted of a batch by column: values missing and codes, of what the pool holds of it."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from ingest_kit import Bench, make_contract, make_entity

from dagster_project.ingest.receipts import Receipts

ENTITY = make_entity(id="text", n="integer", kind={"type": "text", "codes": ("call", "visit")}, is_urgent="boolean", source="text")
COLUMNS: dict[str, Any] = {
    "id": "ID",
    "n": "N",
    "kind": {"from": "K", "codes": {"1": "call", "2": "visit"}},
    "is_urgent": {"from": "U", "codes": {"Y": True, "N": False}},
    "source": {"constant": "desk"},
}
DAY = dt.date(2024, 3, 5)


def counted(bench: Bench, day: dt.date = DAY) -> dict[tuple[str, str], int]:
    with Receipts(bench.home) as receipts:
        return {(s.column_name, s.code): s.rows for s in receipts.statistics(bench.contract.id, day)}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, ENTITY, make_contract(COLUMNS, extract={"mode": "append", "key": ["id"]}))
    bench.deliver("2024-03-05.csv", "ID,N,K,U\na,1,1,Y\nb,,1,N\nb,,1,N\nc,3,,N\nd,,2,\ne,x,1,Y\n")
    bench.night()
    return bench


def test_missing_values_and_codes_of_the_rows_in_the_pool_are_counted(bench: Bench) -> None:
    assert counted(bench) == {
        ("id", ""): 0,
        ("n", ""): 2,
        ("kind", ""): 1,
        ("kind", "call"): 2,
        ("kind", "visit"): 1,
        ("is_urgent", ""): 1,
        ("is_urgent", "true"): 1,
        ("is_urgent", "false"): 2,
    }


def test_a_batch_that_is_held_keeps_the_counts_of_its_last_good_rows(bench: Bench) -> None:
    before = counted(bench)
    bench.contract = make_contract(COLUMNS, extract={"mode": "append", "key": ["id"]}, tolerance={"quarantined_share": 0.0})
    assert bench.night().status == "held"
    assert counted(bench) == before


def test_a_batch_made_anew_is_counted_anew(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", "ID,N,K,U\na,1,2,Y\n")
    bench.night()
    assert {key: rows for key, rows in counted(bench).items() if rows} == {("kind", "visit"): 1, ("is_urgent", "true"): 1}


def test_rows_that_stand_for_several_count_for_as_many(tmp_path: Path) -> None:
    columns = {"n": "N", "kind": {"from": "K", "codes": {"1": "call", "2": "visit"}}}
    bench = Bench(tmp_path, make_entity(n="integer", kind="text"), make_contract(columns, reduce={"by": ["kind", "n"]}))
    bench.deliver("2024-03-05.csv", "N,K\n1,1\n1,1\n,1\n,2\n,\n")
    bench.night()
    assert counted(bench) == {("n", ""): 3, ("kind", ""): 1, ("kind", "call"): 3, ("kind", "visit"): 1}


def test_receipts_of_an_earlier_layout_gain_the_counts(bench: Bench) -> None:
    with sqlite3.connect(bench.home.receipts) as receipts:
        receipts.execute("drop table statistic")
        receipts.execute("pragma user_version = 1")
    receipts.close()
    assert counted(bench) == {}
    bench.deliver("2024-03-06.csv", "ID,N,K,U\na,1,2,Y\n")
    assert bench.night().status == "ok"
    assert counted(bench, dt.date(2024, 3, 6))["kind", "visit"] == 1
