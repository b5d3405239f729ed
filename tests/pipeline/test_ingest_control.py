"""What the pool tells the warehouse of itself."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ingest_kit import Bench, make_contract, make_entity

from dagster_project.ingest.control import CONTROL_TABLES, control_schema, write_control
from dagster_project.ingest.pool import ensure_entities, entity_inventory

ENTITY = make_entity(id="text")
DAY, NEXT = dt.date(2024, 3, 5), dt.date(2024, 3, 6)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, ENTITY, make_contract({"id": "ID"}, systems=["S1", "S2"], tolerance={"quarantined_share": 0.5}))
    bench.deliver("2024-03-05.csv", "ID\na\nb\n")
    bench.deliver("2024-03-06.csv", "ID\nc\n")
    bench.night()
    return bench


def control(bench: Bench, table: str) -> list[dict[str, Any]]:
    return pq.ParquetFile(bench.home.warehouse / "control" / f"{table}.parquet").read().to_pylist()


def write(bench: Bench, night: dt.date, contracts: Any = None) -> None:
    write_control(bench.home, [bench.contract] if contracts is None else contracts, night, {"thing": ENTITY})


def test_the_tables_have_the_columns_that_dbt_declares(bench: Bench) -> None:
    write(bench, NEXT)
    for table in CONTROL_TABLES:
        assert pq.read_schema(bench.home.warehouse / "control" / f"{table}.parquet").equals(control_schema(table))


def test_a_night_sees_batches_and_receipts_up_to_itself(bench: Bench) -> None:
    write(bench, DAY)
    assert control(bench, "night") == [{"as_of": DAY}]
    assert [(b["batch_date"], b["rows_accepted"], b["pool_rows"]) for b in control(bench, "batch")] == [(DAY, 2, 2)]
    assert [(r["file_name"], r["rows_read"], r["status"]) for r in control(bench, "receipt")] == [("things/2024-03-05.csv", 2, "ok")]
    assert isinstance(control(bench, "receipt")[0]["seconds"], Decimal)
    write(bench, NEXT)
    assert len(control(bench, "batch")) == len(control(bench, "receipt")) == 2


def test_a_source_no_longer_enabled_is_in_no_table(bench: Bench) -> None:
    write(bench, NEXT, [])
    assert [control(bench, table) for table in ("source", "batch", "receipt")] == [[], [], []]
    assert entity_inventory(bench.home, [])["thing"].rows == 0


def test_a_source_is_described_by_its_contract(bench: Bench) -> None:
    write(bench, NEXT)
    (source,) = control(bench, "source")
    assert (source["source_id"], source["title_zh"], source["group_name"], source["systems"]) == ("things", "东西", "city", "S1,S2")
    assert source["contract_version"] == control(bench, "receipt")[0]["contract_version"]


def test_a_held_batch_shows_its_last_good_rows_and_its_latest_receipt(bench: Bench) -> None:
    bench.deliver("2024-03-06.csv", b"WRONG\nx\n")
    bench.night()
    write(bench, NEXT)
    assert [b["rows_accepted"] for b in control(bench, "batch")] == [2, 1]
    receipt = control(bench, "receipt")[1]
    assert (receipt["status"], receipt["rows_accepted"]) == ("failed", 0)
    assert "2024-03-06.csv" in receipt["detail"]


def test_the_inventory_counts_what_the_pool_holds_and_names_it(bench: Bench) -> None:
    ensure_entities(bench.home, {"thing": ENTITY, "other": make_entity(x="text").__class__("other", ENTITY.columns, ENTITY.every_row)})
    before = entity_inventory(bench.home, [bench.contract])
    assert (before["thing"].rows, before["thing"].files, before["other"].rows) == (3, 2, 0)
    assert before["thing"].bytes == sum(p.stat().st_size for p in bench.home.pool.glob("thing/source=things/*.parquet"))
    bench.deliver("2024-03-06.csv", "ID\nd\n")
    bench.night()
    after = entity_inventory(bench.home, [bench.contract])
    assert after["thing"].content_version != before["thing"].content_version
    assert after["other"] == before["other"]
