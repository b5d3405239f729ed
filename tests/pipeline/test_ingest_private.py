"""No personal value reaches anything that the pool writes or says."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ingest_kit import Bench, make_contract, make_entity

from dagster_project.ingest.deidentify import create_key, load_key

ENTITY = make_entity(id="text", phone_key={"type": "text", "grade": "pseudonym"}, lat="decimal(18,6)", born="text", n="integer")
COLUMNS = {
    "id": "ID",
    "phone_key": {"from": "电话", "personal": {"treatment": "hmac", "purpose": "caller"}},
    "lat": {"from": "纬度", "personal": {"treatment": "generalise", "to": "grid:0.1"}},
    "born": {"from": "出生日期", "formats": ["%Y-%m-%d"], "personal": {"treatment": "generalise", "to": "year"}},
    "name": {"from": "姓名", "personal": {"treatment": "drop"}},
    "n": {"from": "数量"},
}
HEADER = "ID,电话,纬度,出生日期,姓名,数量\n"
SECRETS = ("13911112222", "31.862217", "1987-05-17", "欧阳丽华", "34010419870517302X", "13933334444", "皖A8K8K8")
ROWS = (
    "1,13911112222,31.862217,1987-05-17,欧阳丽华,5\n"
    "2,13911112222,31.862217,1987-05-17,欧阳丽华,34010419870517302X\n"
    "3,13911112222,x31.862217,1987-05-17x,欧阳丽华,call 13933334444 about 皖A8K8K8\n"
    "4,13911112222,31.862217,1987-05-17,欧阳丽华,5,13933334444\n"
)
NIGHT = dt.date(2024, 3, 31)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, ENTITY, make_contract(COLUMNS))
    create_key(bench.home)
    return bench


def everything_written(bench: Bench) -> str:
    """All values of all files of the home, decoded, and their raw bytes."""
    parts = []
    for path in sorted(bench.home.root.rglob("*")):
        if not path.is_file():
            continue
        parts.append(path.read_bytes().decode("utf-8", "replace"))
        if path.suffix == ".parquet":
            parts.append(str(pq.ParquetFile(path).read().to_pylist()))
    with sqlite3.connect(bench.home.receipts) as connection:
        parts += [str(connection.execute(f"select * from {table}").fetchall()) for table in ("batch", "receipt")]
    return "\n".join(parts)


def test_no_personal_value_is_written_or_said(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", HEADER + ROWS)
    result = bench.night()
    assert (result.rows_read, result.rows_accepted, result.rows_quarantined) == (4, 1, 3)
    written = everything_written(bench) + str(result)
    assert [secret for secret in SECRETS if secret in written] == []
    assert [reasons["reasons"] for reasons in bench.quarantine()] == [
        ["bad_type:n"],
        ["bad_type:lat", "bad_type:born", "bad_type:n"],
        ["ragged_row"],
    ]
    cells = [q["cells"] for q in bench.quarantine()]
    assert '"phone_key":"99999999999"' in cells[1]
    assert '"lat":"x99.999999"' in cells[1]
    assert '"n":"call 99999999999 about 文x99999"' in cells[1]
    ((key, lat, born),) = bench.pool("phone_key, lat, born")
    assert (len(key), str(lat), born) == (32, "31.800000", "1987")


def test_an_unreadable_file_tells_nothing_either(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", (HEADER + ROWS * 50).encode() + b"5,\xff\xfe13911112222,,,,\n")
    result = bench.night()
    assert result.status == "failed"
    written = everything_written(bench) + str(result)
    assert [secret for secret in SECRETS if secret in written] == []


def test_without_a_key_the_source_waits_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POOL_HMAC_KEY", raising=False)
    bench = Bench(tmp_path, ENTITY, make_contract(COLUMNS))
    bench.deliver("2024-03-05.csv", HEADER + ROWS)
    result = bench.night()
    assert (result.status, bench.pool()) == ("failed", [])
    assert "no key for hashing" in result.messages[0]
    create_key(bench.home)
    assert bench.night().rows_accepted == 1
    assert bench.batches()[dt.date(2024, 3, 5)].key_id == load_key(bench.home).id
