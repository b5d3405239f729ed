"""SQLite files, as terminals and desktop programs hand them over."""

from __future__ import annotations

import dataclasses
import gzip
import io
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ingest_kit import Bench, make_contract, make_entity
from reading import Outcome, read

from dagster_project.ingest.readers import DEFAULT_LIMITS
from dagster_project.ingest.readers import sqlite as reader

TABLE = "create table call (id integer primary key, name text, n real)"
CALLS = [(1, "张三", 1.5), (2, None, 2.0), (3, "李四", 0.1)]
ROWS = [(1, ("1", "张三", "1.5")), (2, ("2", None, "2")), (3, ("3", "李四", "0.1"))]


def database(path: Path, *statements: str, rows: Any = CALLS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements or (TABLE,):
            connection.execute(statement)
        if rows:
            connection.execute("begin")
            connection.executemany(f"insert into call values ({', '.join('?' * len(rows[0]))})", rows)
            connection.execute("commit")
    return path


def read_calls(path: Path, wanted: Any = ("id", "name", "n"), **options: Any) -> Outcome:
    return read(path, wanted, **({"kind": "sqlite"} | ({} if "query" in options else {"table": "call"}) | options))


def test_numbers_nulls_and_texts(tmp_path: Path) -> None:
    assert read_calls(database(tmp_path / "a.db")).rows == ROWS


def test_rows_come_in_the_order_of_their_rowid(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", TABLE, "create index by_name on call (name, id, n)", rows=CALLS[::-1])
    assert read_calls(path).rows == ROWS


def test_table_without_rowid_and_view(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", TABLE + " without rowid", 'create view "v 1" as select id, name from call where id > 1')
    assert read_calls(path).rows == ROWS
    assert read_calls(path, ["id"], table="v 1").cells == [("2",), ("3",)]


def test_query_in_its_own_order(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db")
    for ending in ("", ";", " -- newest first"):
        outcome = read_calls(path, ["id"], query=f"select id from call where n > 1 order by id desc{ending}")
        assert outcome.cells == [("2",), ("1",)]


def test_large_and_infinite_numbers(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", "create table call (n)", rows=[(2**63 - 1,), (1e20,), (1e-7,), (float("inf"),), (True,)])
    assert read_calls(path, ["n"]).cells == [("9223372036854775807",), ("100000000000000000000",), ("0.0000001",), ("inf",), ("1",)]


def test_texts_written_as_gbk(tmp_path: Path) -> None:
    rows = [(1, "张三".encode("gbk"), 1), (2, "ab", 1)]
    path = database(tmp_path / "a.db", TABLE, rows=[])
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany("insert into call values (?, cast(? as text), ?)", rows)
        connection.commit()
    assert read_calls(path, ["id", "name"], encoding="gbk").cells == [("1", "张三"), ("2", "ab")]
    assert "row 1: column 'name' holds bytes that are not utf-8" in read_calls(path).message


def test_nul_inside_a_text_rejects_its_row(tmp_path: Path) -> None:
    outcome = read_calls(database(tmp_path / "a.db", TABLE, rows=[(1, "a\0b", 1), (2, "c", 1)]))
    assert (outcome.numbers, outcome.why) == ([2], [(1, "nul_byte")])


def test_missing_table_and_missing_column(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db")
    assert read_calls(path, table="calls").message == "a.db: the database has no table 'calls'"
    assert "no column 'namee' is delivered (the closest delivered name is 'name'" in read_calls(path, ["namee"]).message


def test_query_on_a_column_that_is_not_there(tmp_path: Path) -> None:
    assert "the query cannot be read (no such column: x)" in read_calls(database(tmp_path / "a.db"), query="select x from call").message


def test_zero_bytes_and_foreign_files(tmp_path: Path) -> None:
    empty = tmp_path / "a.db"
    empty.write_bytes(b"")
    assert "is empty: it holds no SQLite database" in read_calls(empty).message
    empty.write_bytes(b"id,name\n1,x\n")
    assert "is no SQLite database, or one that is encrypted" in read_calls(empty).message
    assert "is an SQLite database, the contract says csv" in read(database(tmp_path / "b.db"), ["id"]).message


def test_truncated_file(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", TABLE, rows=[(i, "x" * 500, 1) for i in range(1, 501)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "the database is damaged or cut off (SQLITE_CORRUPT)" in read_calls(path).message


def test_corrupt_page_in_the_middle_yields_the_rows_before(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", TABLE, rows=[(i, "x" * 500, 1) for i in range(1, 501)])
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2 // 4096 * 4096
    whole[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(bytes(whole))
    outcome = read_calls(path)
    assert 0 < len(outcome.rows) < 500
    assert f"row {len(outcome.rows) + 1}: the database is damaged or cut off" in outcome.message


def test_copy_taken_while_the_database_was_in_use(tmp_path: Path) -> None:
    live = database(tmp_path / "live.db", TABLE, "pragma journal_mode = wal")
    with closing(sqlite3.connect(live)) as connection:
        connection.execute("insert into call values (9, 'x', 1)")
        connection.commit()
        copies = [tmp_path / "copy.db", tmp_path / "copy.db-wal"]
        for copy, of in zip(copies, [live, tmp_path / "live.db-wal"], strict=True):
            copy.write_bytes(of.read_bytes())
    assert "stands beside the write-ahead log 'copy.db-wal'" in read_calls(tmp_path / "copy.db").message
    (tmp_path / "copy.db-wal").unlink()
    assert read_calls(tmp_path / "copy.db").numbers == [1, 2, 3], "a file in WAL mode alone is whole"
    (tmp_path / "copy.db-journal").write_bytes(b"hot")
    assert "stands beside the journal 'copy.db-journal'" in read_calls(tmp_path / "copy.db").message


def test_locked_database_waits_until_its_writer_has_closed_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, make_entity(name="text"), make_contract({"name": "name"}, format={"kind": "sqlite", "table": "call"}))
    path = database(bench.home.landing / "things" / "2024-03-05.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        writer.execute("insert into call values (4, '王五', 1)")
        assert bench.night().status == "unchanged"
        assert bench.pool() == []
        writer.execute("commit")
    assert bench.night().status == "ok"
    assert [r[0] for r in bench.pool("name")] == ["张三", None, "李四", "王五"]


def test_reading_writes_nothing_beside_the_file(tmp_path: Path) -> None:
    path = database(tmp_path / "in" / "a.db", TABLE, "pragma journal_mode = wal")
    before = path.read_bytes()
    assert read_calls(path).rows == ROWS
    assert [p.name for p in path.parent.iterdir()] == ["a.db"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "query",
    ["select id from call; drop table call", "delete from call returning id", "select load_extension('x') as id", "pragma user_version"],
)
def test_query_that_does_more_than_read(tmp_path: Path, query: str) -> None:
    path = database(tmp_path / "a.db")
    assert read_calls(path, ["id"], query=query).error is not None
    assert read_calls(path).rows == ROWS


def test_hostile_view_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "STEPS_BETWEEN_LOOKS", 1_000)
    endless = "create view v as with recursive r(id) as (select 1 union all select id + 1 from r) select max(id) as id from r"
    path = database(tmp_path / "a.db", TABLE, endless)
    outcome = read_calls(path, ["id"], table="v", limits=dataclasses.replace(DEFAULT_LIMITS, query_seconds=0))
    assert "the query takes longer than the limit of 0 s" in outcome.message


def test_value_longer_than_the_limit(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", TABLE, rows=[(1, "x", 1), (2, "x", 1), (3, "y" * 5_000, 1)])
    outcome = read_calls(path, limits=dataclasses.replace(DEFAULT_LIMITS, record_bytes=1_000))
    assert outcome.numbers == [1], "the driver gives up the row before the one it cannot read"
    assert "row 2: one value is longer than the limit of 1,000 bytes" in outcome.message


def test_columns_that_are_dropped_are_never_selected(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", TABLE, "create table secret (x)", rows=CALLS)
    outcome = read_calls(path, ["id"], known=["name"], ignore=["n"])
    assert [c.columns.column_names for c in outcome.chunks] == [["id"]]


def test_inside_gz_and_zip(tmp_path: Path) -> None:
    whole = database(tmp_path / "a.db").read_bytes()
    packed = tmp_path / "a.db.gz"
    packed.write_bytes(gzip.compress(whole))
    assert read_calls(packed).rows == ROWS
    archived = io.BytesIO()
    with zipfile.ZipFile(archived, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.db", whole)
    (tmp_path / "a.zip").write_bytes(archived.getvalue())
    assert read_calls(tmp_path / "a.zip").rows == ROWS


def test_corrupt_database_quarantines_what_was_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, make_entity(name="text"), make_contract({"name": "name"}, format={"kind": "sqlite", "table": "call"}))
    path = database(bench.home.landing / "things" / "2024-03-05.db", TABLE, rows=[(i, "x" * 500, 1) for i in range(1, 501)])
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2 // 4096 * 4096
    whole[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(bytes(whole))
    assert bench.night().status == "failed"
    receipt = bench.receipts()["2024-03-05 things/2024-03-05.db"]
    assert 0 < receipt.rows_read == receipt.rows_quarantined == len(bench.quarantine())
    assert bench.pool() == []
