"""One source through its nights: what is made, what stands, what is held, and that nothing is lost between."""

from __future__ import annotations

import dataclasses
import datetime as dt
import errno
import gzip
import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ingest_kit import NIGHT, Bench, make_contract, make_entity

from dagster_project.contracts.model import Contract
from dagster_project.ingest import batch as batch_module
from dagster_project.ingest.night import ingest_source, plan_source, source_states
from dagster_project.ingest.pool import unreadable_files

ENTITY = make_entity(id="text", n="integer", seen="timestamp")
COLUMNS: dict[str, Any] = {"id": "ID", "n": "N", "seen": {"from": "T", "optional": True}}
HEADER = "ID,N,T\n"
ROWS = HEADER + "a,1,2024-03-05\nb,2,2024-03-05\nc,3,2024-03-05\n"
DAY, NEXT = dt.date(2024, 3, 5), dt.date(2024, 3, 6)


def contract(columns: dict[str, Any] = COLUMNS, **parts: Any) -> Contract:
    return make_contract(columns, **parts)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, ENTITY, contract())


def with_contract(bench: Bench, **parts: Any) -> Bench:
    bench.contract = contract(**parts)
    return bench


def test_a_delivery_becomes_pool_rows_quarantine_and_receipts(bench: Bench) -> None:
    with_contract(bench, filter="id <> 'total'", rules=[{"id": "small", "expect": "n < 100", "message": "too many"}])
    bench.deliver("2024-03-05.csv", ROWS + "total,6,2024-03-05\nd,x,2024-02-30\ne,100,\n")
    result = bench.night()
    assert (result.status, result.rows_read, result.rows_accepted, result.rows_quarantined, result.rows_filtered) == ("ok", 6, 3, 2, 1)
    assert bench.pool("id, n, seen::date, row_number, row_count") == [("a", 1, DAY, 1, 1), ("b", 2, DAY, 2, 1), ("c", 3, DAY, 3, 1)]
    assert [(q["row_number"], q["reasons"], q["cells"]) for q in bench.quarantine()] == [
        (5, ["bad_type:n", "bad_type:seen"], '{"id":"d","n":"x","seen":"2024-02-30"}'),
        (6, ["rule:small"], '{"id":"e","n":"100","seen":""}'),
    ]
    (receipt,) = bench.receipts().values()
    assert (receipt.status, receipt.rows_read, receipt.rows_accepted, receipt.balances) == ("ok", 6, 3, True)
    assert result.unbalanced_files == ()


def test_the_same_night_again_does_nothing(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    first = bench.night()
    path = next(bench.home.pool.glob("*/*/batch=*.parquet"))
    written = path.stat().st_mtime_ns
    again = bench.night()
    assert (again.status, again.batches, again.content_version) == ("unchanged", (), first.content_version)
    assert path.stat().st_mtime_ns == written
    assert plan_source(bench.home, bench.contract, bench.entity, NIGHT).batches_to_ingest == ()


def test_a_file_only_touched_is_not_made_again(bench: Bench) -> None:
    path = bench.deliver("2024-03-05.csv", ROWS)
    bench.night()
    os.utime(path, (1, 1))
    assert bench.night().status == "unchanged"


def test_only_the_batch_that_changed_is_made_again(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.deliver("2024-03-06.csv", HEADER + "d,4,2024-03-06\n")
    before = bench.night()
    bench.deliver("2024-03-06.csv", HEADER + "d,5,2024-03-06\n")
    after = bench.night()
    assert [b.batch_date for b in after.batches] == [NEXT]
    assert after.content_version != before.content_version
    assert bench.pool("id, n") == [("a", 1), ("b", 2), ("c", 3), ("d", 5)]


def test_two_homes_made_from_the_same_landing_hold_the_same(tmp_path: Path) -> None:
    hashes = []
    for name in ("one", "two"):
        bench = Bench(tmp_path / name, ENTITY, contract())
        bench.deliver("2024-03-05.csv", ROWS)
        bench.deliver("2024-03-06.csv.gz", gzip.compress(ROWS.encode(), mtime=0))
        hashes.append([b.content_hash for b in bench.night().batches])
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 2


def test_a_night_takes_batches_dated_up_to_it_and_a_late_one_when_it_comes(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.deliver("2024-03-08.csv", HEADER + "z,9,\n")
    assert [b.batch_date for b in bench.night(DAY).batches] == [DAY]
    assert [b.batch_date for b in bench.night(dt.date(2024, 3, 8)).batches] == [dt.date(2024, 3, 8)]
    bench.deliver("2024-03-06.csv", HEADER + "late,1,\n")
    assert [b.batch_date for b in bench.night(dt.date(2024, 3, 9)).batches] == [NEXT]
    assert bench.pool("id") == [("a",), ("b",), ("c",), ("late",), ("z",)]


def test_an_earlier_night_run_again_leaves_later_batches_alone(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.deliver("2024-03-06.csv", HEADER + "d,4,\n")
    bench.night()
    earlier = bench.night(DAY)
    assert (earlier.status, earlier.rows_in_pool) == ("unchanged", 3)
    assert len(bench.pool()) == 4


def test_a_changed_contract_makes_every_batch_again_but_a_changed_title_none(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.deliver("2024-03-06.csv", HEADER + "d,4,\n")
    bench.night()
    with_contract(bench, title={"zh": "新", "en": "New"})
    assert bench.night().batches == ()
    with_contract(bench, rules=[{"id": "few", "expect": "n < 3", "message": "m"}])
    assert [b.batch_date for b in bench.night().batches] == [DAY, NEXT]
    assert bench.pool("id") == [("a",), ("b",)]


def test_a_lost_pool_file_is_made_again(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.night()
    next(bench.home.pool.glob("*/*/batch=*.parquet")).unlink()
    assert len(bench.night().batches) == 1
    assert len(bench.pool()) == 3


def test_a_damaged_pool_file_is_named_and_once_removed_made_again(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.night()
    path = next(bench.home.pool.glob("*/*/batch=*.parquet"))
    sound, rows = path.read_bytes(), bench.pool()
    assert unreadable_files(bench.home) == []
    for damaged in (sound[:4] + b"?" * 200 + sound[204:], sound[:-9], b""):
        path.write_bytes(damaged)
        assert unreadable_files(bench.home) == [path]
    path.unlink()
    assert len(bench.night().batches) == 1
    assert (bench.pool(), unreadable_files(bench.home)) == (rows, [])


RETAINED = {"glob": "things/*", "batch": {"path": r"(\d{4}-\d\d-\d\d)", "format": "%Y-%m-%d"}, "retention_days": 7}


@pytest.mark.parametrize("left", ["1", "12"])
def test_rows_stay_when_files_leave_landing(bench: Bench, left: str) -> None:
    files = {name: bench.deliver(f"2024-03-05-{name}.csv", HEADER + f"{name},1,\n") for name in ("1", "2")}
    bench.night()
    for name in left:
        files[name].unlink()
    result = bench.night()
    assert (result.status, result.batches, bench.pool("id")) == ("unchanged", (), [("1",), ("2",)])
    (check,) = [c for c in result.checks if c.check == "gone_files"]
    assert (check.passed, check.severity, len(check.rows)) == (False, "warn", len(left))
    with_contract(bench, rules=[{"id": "none", "expect": "n > 5", "message": "m"}])
    assert (bench.night().batches, len(bench.pool())) == ((), 2)


def test_files_that_leave_landing_by_retention_are_as_expected(bench: Bench) -> None:
    with_contract(bench, landing=RETAINED)
    delivered = bench.deliver("2024-03-05.csv", ROWS)
    bench.night(DAY)
    delivered.unlink()
    assert [c.passed for c in bench.night(dt.date(2024, 3, 12)).checks if c.check == "gone_files"] == [False]
    assert [c.passed for c in bench.night(dt.date(2024, 3, 13)).checks if c.check == "gone_files"] == [True]


def test_a_file_that_replaces_another_takes_its_rows_away(bench: Bench) -> None:
    replaced = bench.deliver("2024-03-05.csv", ROWS)
    bench.night()
    replaced.unlink()
    bench.deliver("2024-03-05-v2.csv", HEADER + "new,1,\n")
    assert (bench.night().status, bench.pool("id")) == ("ok", [("new",)])


def test_a_late_file_past_retention_does_not_push_out_what_cannot_be_read_again(bench: Bench) -> None:
    with_contract(bench, landing=RETAINED)
    first = bench.deliver("2024-03-05-1.csv", ROWS)
    bench.night(DAY)
    first.unlink()
    bench.deliver("2024-03-05-2.csv", HEADER + "d,4,\n")
    result = bench.night(dt.date(2024, 3, 13))
    assert (result.status, len(bench.pool())) == ("held", 3)
    assert "deliver things/2024-03-05-1.csv again" in result.messages[0]
    bench.deliver("2024-03-05-1.csv", ROWS)
    assert (bench.night(dt.date(2024, 3, 13)).status, len(bench.pool())) == ("ok", 4)


def test_a_bad_file_taken_out_of_landing_frees_its_batch(bench: Bench) -> None:
    bench.deliver("2024-03-05-1.csv", ROWS)
    bad = bench.deliver("2024-03-05-2.csv", b"WRONG,COLUMNS\n1,2\n")
    assert bench.night().status == "failed"
    bad.unlink()
    assert (bench.night().status, len(bench.pool())) == ("ok", 3)


def test_a_batch_dated_otherwise_by_a_new_contract_moves(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.night()
    with_contract(bench, landing={"glob": "things/*", "batch": {"path": r"(\d{4}-\d\d)", "format": "%Y-%m"}})
    bench.night()
    assert bench.pool("distinct batch_date", "1") == [(NIGHT,)]
    assert len(bench.pool()) == 3
    assert list(bench.batches()) == [NIGHT]


def test_a_source_that_feeds_another_entity_leaves_nothing_behind(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.night()
    bench.entity = dataclasses.replace(ENTITY, name="other")
    with_contract(bench, entity="other")
    bench.night()
    assert [p.parent.parent.name for p in bench.home.pool.glob("*/*/batch=*.parquet")] == ["other"]


def test_identical_rows_without_a_key_are_distinct_facts(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", HEADER + "a,1,\na,1,\na,1,\n")
    assert (bench.night().rows_accepted, bench.pool("id, row_number")) == (3, [("a", 1), ("a", 2), ("a", 3)])


def test_same_key_same_content_is_a_duplicate_and_other_content_a_state(bench: Bench) -> None:
    with_contract(bench, extract={"mode": "delta", "key": ["id"]})
    bench.deliver("2024-03-05-1.csv", HEADER + "a,1,\nb,2,\na,1,\n")
    bench.deliver("2024-03-05-2.csv", HEADER + "b,2,\na,5,\nb,,\nb,,\n")
    result = bench.night()
    assert (result.rows_read, result.rows_accepted, result.rows_duplicate) == (7, 4, 3)
    assert bench.pool("record_key, n, right(file_name, 5), row_number") == [
        ("a", 1, "1.csv", 1),
        ("b", 2, "1.csv", 2),
        ("a", 5, "2.csv", 2),
        ("b", None, "2.csv", 3),
    ]
    assert [r.rows_duplicate for r in bench.receipts().values()] == [1, 2]
    assert result.unbalanced_files == ()


def test_a_batch_hashes_alike_with_and_without_its_duplicates(tmp_path: Path) -> None:
    keyed = contract(extract={"mode": "append", "key": ["id"]})
    hashes = []
    for name, extra in (("plain", ""), ("repeated", "a,1,2024-03-05\nc,3,2024-03-05\n")):
        bench = Bench(tmp_path / name, ENTITY, keyed)
        bench.deliver("2024-03-05.csv", ROWS + extra)
        hashes.append(bench.night().batches[0].content_hash)
    assert hashes[0] == hashes[1]


def test_rows_that_only_share_a_hash_are_not_duplicates(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with_contract(bench, extract={"mode": "append", "key": ["id"]})
    bench.deliver("2024-03-05.csv", HEADER + "a,1,\nb,1,\na,1,\n")
    real = batch_module.Conversion.convert

    def colliding(self: Any, chunk: Any) -> Any:
        converted = real(self, chunk)
        return dataclasses.replace(converted, content=converted.content * 0 + 1)

    monkeypatch.setattr(batch_module.Conversion, "convert", colliding)
    assert (bench.night().rows_duplicate, bench.pool("id")) == (1, [("a",), ("b",)])


def test_the_same_file_under_two_names_counts_once(bench: Bench) -> None:
    bench.deliver("2024-03-05-a.csv", ROWS)
    bench.deliver("2024-03-05-b.csv", ROWS)
    result = bench.night()
    assert (result.rows_read, result.rows_accepted, result.rows_duplicate) == (6, 3, 3)
    assert {r.file_name[-5]: r.rows_duplicate for r in bench.receipts().values()} == {"a": 0, "b": 3}
    assert result.unbalanced_files == ()


def test_a_file_repeated_on_a_later_day_belongs_to_the_earliest_whenever_that_comes(bench: Bench) -> None:
    bench.deliver("2024-03-06.csv", ROWS)
    assert bench.night().rows_accepted == 3
    bench.deliver("2024-03-05.csv", ROWS)
    result = bench.night()
    assert [b.batch_date for b in result.batches] == [DAY, NEXT]
    assert bench.pool("batch_date, id") == [(DAY, "a"), (DAY, "b"), (DAY, "c")]
    assert {r.batch_date: (r.rows_accepted, r.rows_duplicate) for r in bench.receipts().values()} == {DAY: (3, 0), NEXT: (0, 3)}
    assert "2024-03-05" in bench.receipts()["2024-03-06 things/2024-03-06.csv"].detail


@pytest.mark.parametrize(
    "parts",
    [
        {"extract": {"mode": "append", "key": ["id"]}},
        {"extract": {"mode": "full"}},
        {"columns": {"id": {"from": "ID"}, "n": {"from": "N"}, "seen": {"batch": "last_day"}}},
    ],
    ids=["keyed", "full", "dated by its path"],
)
def test_a_file_repeated_on_a_later_day_is_news_where_key_mode_or_path_say_so(bench: Bench, parts: dict[str, Any]) -> None:
    with_contract(bench, **parts)
    bench.deliver("2024-03-05.csv", ROWS)
    bench.deliver("2024-03-06.csv", ROWS)
    assert bench.night().rows_accepted == 6


def test_counts_are_all_that_enters_of_a_reduced_source(tmp_path: Path) -> None:
    entity = make_entity(gate="text", hour="timestamp", vehicles="integer", unit="text")
    columns = {
        "gate": "G",
        "hour": {"from": "T", "truncate": "hour"},
        "vehicles": "V",
        "unit": {"constant": "HQ"},
        "_plate": {"from": "P", "type": "text"},
    }
    bench = Bench(tmp_path, entity, make_contract(columns, reduce={"by": ["gate", "hour"], "sums": ["vehicles"]}))
    first = (
        "G,T,V,P\ng1,2024-03-05 08:01:00,1,p\ng2,2024-03-05 08:02:00,2,q\ng1,2024-03-05 08:59:59,3,r\n,2024-03-05 08:00:00,,s\nx,?,1,t\n"
    )
    bench.deliver("2024-03-05-1.csv", first)
    bench.deliver("2024-03-05-2.csv", "G,T,V,P\ng1,2024-03-05 08:30:00,10,p\n")
    result = bench.night()
    assert (result.rows_read, result.rows_accepted, result.rows_quarantined, result.rows_in_pool) == (6, 5, 1, 5)
    assert bench.pool("right(file_name, 5), row_number, gate, vehicles, unit, row_count") == [
        ("1.csv", 1, None, None, "HQ", 1),
        ("1.csv", 2, "g1", 4, "HQ", 2),
        ("1.csv", 3, "g2", 2, "HQ", 1),
        ("2.csv", 1, "g1", 10, "HQ", 1),
    ]
    assert bench.batches()[DAY].pool_rows == 4
    assert bench.night().status == "unchanged"


def test_an_unreadable_file_holds_its_batch_and_quarantines_what_was_decoded(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    bench.deliver("2024-03-06.csv", HEADER + "ok,1,\n")
    bench.night()
    many = HEADER + "".join(f"r{i},{i},2024-03-05\n" for i in range(200_000)) + "bad,x,\n" * 5
    bench.deliver("2024-03-05.csv", gzip.compress(many.encode(), 1)[:-2_000])
    result = bench.night()
    assert result.status == "failed"
    assert bench.pool("id") == [("a",), ("b",), ("c",), ("ok",)]
    receipt = bench.receipts()["2024-03-05 things/2024-03-05.csv"]
    assert receipt.status == "failed"
    assert receipt.rows_read == receipt.rows_quarantined > 0
    assert len(bench.quarantine()) == receipt.rows_quarantined
    assert {r for q in bench.quarantine() for r in q["reasons"]} == {"unreadable_file"}
    assert any("2024-03-05.csv" in m for m in result.messages)
    assert bench.batches()[DAY].rows_accepted == 3
    bench.deliver("2024-03-05.csv", HEADER + "mended,1,\n")
    assert (bench.night().status, bench.pool("id"), bench.quarantine()) == ("ok", [("mended",), ("ok",)], [])


def test_an_unreadable_file_that_was_never_good_leaves_no_pool_file(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", b"WRONG,COLUMNS\n1,2\n")
    result = bench.night()
    assert (result.status, bench.pool(), result.rows_in_pool) == ("failed", [], 0)
    (message,) = result.messages
    assert "2024-03-05.csv" in message and "ID" in message


def test_a_failed_batch_is_tried_again_each_night_and_is_no_news(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", b"WRONG,COLUMNS\n1,2\n")
    bench.night()
    plan = plan_source(bench.home, bench.contract, bench.entity, NIGHT)
    assert (plan.batches_to_ingest, [b.batch_date for b in plan.batches_to_retry]) == ((), [DAY])
    assert len(bench.night().batches) == 1


def test_good_files_of_a_batch_wait_for_the_bad_one(bench: Bench) -> None:
    bench.deliver("2024-03-05-1.csv", ROWS)
    bench.deliver("2024-03-05-2.csv", b"WRONG,COLUMNS\n1,2\n")
    bench.night()
    statuses = {name[-5]: (r.status, r.balances) for name, r in bench.receipts().items()}
    assert statuses == {"1": ("held", True), "2": ("failed", True)}
    assert bench.pool() == []


def test_too_many_rejected_rows_hold_the_batch(bench: Bench) -> None:
    with_contract(bench, tolerance={"quarantined_share": 0.25})
    bench.deliver("2024-03-05.csv", ROWS)
    bench.night()
    bench.deliver("2024-03-05.csv", ROWS + "d,x,\ne,y,\n")
    result = bench.night()
    assert (result.status, len(bench.pool()), len(bench.quarantine())) == ("held", 3, 2)
    assert "2 of 5 rows were rejected (40.0%), tolerated are 25.0%" in result.messages[0]
    assert bench.night().batches == ()
    bench.deliver("2024-03-05.csv", ROWS + "d,x,\n")
    assert (bench.night().status, len(bench.pool())) == ("ok", 3)


@pytest.mark.parametrize(("wrong_rows", "status"), [(1, "ok"), (0, "held"), (2, "held")])
def test_a_correction_that_no_longer_fits_holds_the_batch(bench: Bench, wrong_rows: int, status: str) -> None:
    with_contract(bench, corrections=[{"where": "n = -1", "set": {"n": 1}, "reason": "clock of station 4", "expect": 1}])
    bench.deliver("2024-03-05.csv", HEADER + "w,-1,\n" * wrong_rows + "a,5,\n")
    result = bench.night()
    assert result.status == status
    assert status == "ok" or "clock of station 4" in result.messages[0]


def test_a_condition_that_cannot_run_holds_the_batch_and_tells_no_value(bench: Bench) -> None:
    with_contract(bench, rules=[{"id": "r", "expect": "cast(id as integer) > 0", "message": "m"}])
    bench.deliver("2024-03-05.csv", HEADER + "13812345678x,1,\n")
    result = bench.night()
    assert result.status == "failed"
    assert "13812345678" not in " ".join(result.messages)
    assert [q["reasons"] for q in bench.quarantine()] == [["unreadable_file"]]


def test_every_row_of_a_failed_file_is_in_quarantine_once(bench: Bench) -> None:
    with_contract(bench, rules=[{"id": "r", "expect": "cast(id as integer) > 0", "message": "m"}], filter="n <> 3")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("1.csv", HEADER + "1,1,\n2,x,\nragged,1\n4,3,\n")
        archive.writestr("2.csv", HEADER + "5,1,\nnot a number,1,\n6,y,\n7,7,7,7\n")
        archive.writestr("3.csv", HEADER + "8,1,\n")
    bench.deliver("2024-03-05.zip", out.getvalue())
    bench.deliver("2024-03-05-again.zip", out.getvalue())
    result = bench.night()
    assert (result.status, result.rows_read, result.rows_quarantined, result.unbalanced_files) == ("failed", 9, 9, ())
    rows = [(q["file_name"][-5:], q["row_number"]) for q in bench.quarantine()]
    assert sorted(rows) == [(f"{m}.csv", n) for m, size in ((1, 4), (2, 4), (3, 1)) for n in range(1, size + 1)]
    assert {r.file_name[-9:]: (r.status, r.rows_read) for r in bench.receipts().values()} == {
        "again.zip": ("failed", 9),
        "03-05.zip": ("failed", 0),
    }


def test_a_fault_of_the_program_stops_one_source_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    monkeypatch.setattr(batch_module.Conversion, "convert", lambda self, chunk: 1 / 0)
    result = bench.night()
    assert result.status == "failed"
    assert "ZeroDivisionError" in result.messages[0]
    plan = plan_source(bench.home, bench.contract, bench.entity, NIGHT)
    assert (plan.batches_to_ingest, len(plan.batches_to_retry)) == ((), 1)
    monkeypatch.undo()
    assert (bench.night().status, len(bench.pool())) == ("ok", 3)


def test_a_full_disk_is_raised_and_the_next_run_makes_up_for_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.deliver("2024-03-05.csv", ROWS)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(batch_module, "put_in_place", full)
    with pytest.raises(OSError, match="No space"):
        bench.night()
    monkeypatch.undo()
    assert list(bench.home.root.rglob("*.draft")) == []
    assert (bench.night().status, len(bench.pool())) == ("ok", 3)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def kill_before(name: str, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    real: Callable[..., Any] = getattr(batch_module, name)
    calls = iter(range(1, 100))

    def dying(*arguments: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return real(*arguments)

    monkeypatch.setattr(batch_module, name, dying)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("put_in_place", 1),
        ("put_in_place", 2),
        ("_file_receipt", 1),
        ("_accepted_rows", 1),
        ("_settle_duplicates", 1),
        ("_put_pool_file", 1),
    ],
)
def test_a_run_killed_anywhere_converges(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, call: int, tmp_path: Path) -> None:
    with_contract(bench, extract={"mode": "append", "key": ["id"]})
    bench.deliver("2024-03-05.csv", HEADER + "old,1,\nold,1,\nx,?,\n")
    bench.night()
    new = ROWS + "c,3,2024-03-05\nd,x,\n"
    bench.deliver("2024-03-05.csv", new)
    kill_before(name, monkeypatch, call)
    with pytest.raises(Killed):
        bench.night()
    assert bench.pool("id") in ([("old",)], [("a",), ("b",), ("c",)])
    monkeypatch.undo()
    result = bench.night()
    clean = Bench(tmp_path / "clean", ENTITY, bench.contract)
    clean.deliver("2024-03-05.csv", new)
    assert result.content_version == clean.night().content_version
    assert (bench.pool("id, n"), bench.quarantine()) == (clean.pool("id, n"), clean.quarantine())
    assert list(bench.home.root.rglob("*.draft")) == []


def test_a_link_out_of_landing_holds_the_batch_it_belongs_to(bench: Bench, tmp_path: Path) -> None:
    bench.deliver("2024-03-05-1.csv", ROWS)
    outside = tmp_path / "elsewhere.csv"
    outside.write_text(ROWS)
    (bench.home.landing / "things" / "2024-03-05-2.csv").symlink_to(outside)
    result = bench.night()
    assert (result.status, bench.pool()) == ("failed", [])
    assert bench.receipts()["2024-03-05 things/2024-03-05-2.csv"].detail.startswith("link_outside")
    (bench.home.landing / "things" / "2024-03-05-2.csv").unlink()
    assert (bench.night().status, len(bench.pool())) == ("ok", 3)


def test_a_file_that_no_batch_can_claim_is_shown_and_holds_the_source(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    stray = bench.deliver("summary.csv", ROWS)
    result = bench.night()
    assert (result.status, len(bench.pool())) == ("held", 3)
    assert any("summary.csv" in m for m in result.messages)
    assert [r.status for r in bench.receipts().values()] == ["ok", "failed"]
    stray.unlink()
    assert (bench.night().status, len(bench.receipts())) == ("unchanged", 1)


def test_a_batch_waits_while_one_of_its_files_is_still_written(bench: Bench) -> None:
    bench.deliver("2024-03-05-1.csv", ROWS)
    bench.deliver("2024-03-06.csv", HEADER + "d,4,\n")
    growing = bench.deliver("2024-03-05-2.csv", HEADER)
    with growing.open("a") as writing:
        result = bench.night()
        assert ([b.batch_date for b in result.batches], result.status) == ([NEXT], "ok")
        assert any("2024-03-05-2.csv" in m for m in result.messages)
        writing.write("e,5,\n")
    assert [b.batch_date for b in bench.night().batches] == [DAY]
    assert len(bench.pool()) == 5


def test_a_missing_delivery_is_a_verdict_and_no_error(bench: Bench) -> None:
    with_contract(bench, cadence="daily")
    bench.deliver("2024-03-05.csv", ROWS)
    result = bench.night(dt.date(2024, 3, 7))
    (check,) = [c for c in result.checks if c.check == "delivery"]
    assert (result.status, check.passed, check.severity) == ("ok", False, "warn")
    assert [row["period"] for row in check.rows] == ["2024-03-06", "2024-03-07"]


def test_a_thin_batch_and_broken_warnings_are_told(bench: Bench) -> None:
    warn = [{"id": "small", "expect": "n < 2", "severity": "warn", "message": "unusual"}]
    with_contract(bench, tolerance={"quarantined_share": 1, "volume_drop": 0.5}, rules=warn)
    for day in range(1, 5):
        bench.deliver(f"2024-03-0{day}.csv", ROWS + f"more,{day},\n")
    bench.deliver("2024-03-05.csv", HEADER + "a,1,\n")
    result = bench.night()
    failed = {c.check: c for c in result.checks if not c.passed}
    assert (result.status, set(failed)) == ("ok", {"volume", "rules"})
    assert "1 rows, recent ones have 4" in failed["volume"].detail
    assert failed["rules"].rows[0]["rows"] == 2
    assert failed["rules"].severity == failed["volume"].severity == "warn"


def test_the_state_of_a_source_is_told_from_receipts(bench: Bench) -> None:
    with_contract(bench, tolerance={"quarantined_share": 0.3})
    bench.deliver("2024-03-05.csv", ROWS + "d,x,\n")
    bench.deliver("2024-03-06.csv", HEADER + "d,x,\n")
    bench.night()
    (state,) = source_states(bench.home, [bench.contract], NIGHT)
    assert (state.newest_batch, state.batches, state.rows, state.rows_quarantined) == (DAY, 1, 3, 1)
    assert len(state.trouble) == 1 and "2024-03-06 is held" in state.trouble[0]


KILLED_INGEST = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from dagster_project.ingest import batch
from ingest_kit import Bench
from test_ingest_batches import ENTITY, contract
calls, real = iter(range(1, 9)), getattr(batch, sys.argv[3])
def dying(*arguments):
    if next(calls) == int(sys.argv[4]):
        os.kill(os.getpid(), 9)
    return real(*arguments)
setattr(batch, sys.argv[3], dying)
Bench(Path(sys.argv[2]), ENTITY, contract(extract={"mode": "append", "key": ["id"]})).night()
"""


@pytest.mark.parametrize(("name", "call"), [("put_in_place", 1), ("put_in_place", 2), ("_file_receipt", 1)])
def test_a_process_killed_while_it_writes_leaves_a_home_that_heals(tmp_path: Path, name: str, call: int) -> None:
    bench = Bench(tmp_path / "killed", ENTITY, contract(extract={"mode": "append", "key": ["id"]}))
    delivery = ROWS + "c,3,2024-03-05\nd,x,\n"
    bench.deliver("2024-03-05.csv", delivery)
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{tests}{os.pathsep}{Path(__file__).parent}"}
    command = [sys.executable, "-c", KILLED_INGEST, str(tests), str(bench.root), name, str(call)]
    assert subprocess.run(command, env=environment, cwd=tests.parent, check=False).returncode == -signal.SIGKILL
    assert bench.receipts() == {}
    healed = bench.night()
    clean = Bench(tmp_path / "clean", ENTITY, bench.contract)
    clean.deliver("2024-03-05.csv", delivery)
    assert (healed.status, healed.content_version) == ("ok", clean.night().content_version)
    assert (bench.pool("id, n"), bench.quarantine()) == (clean.pool("id, n"), clean.quarantine())
    assert [p for p in bench.home.root.rglob("*") if p.name.endswith(".draft") or p.name.startswith("duckdb-")] == []


def test_members_of_a_zip_are_one_delivered_file(bench: Bench) -> None:
    with_contract(bench, extract={"mode": "append", "key": ["id"]})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("1.csv", ROWS)
        archive.writestr("2.csv", HEADER + "c,3,2024-03-05\nd,4,\n")
    bench.deliver("2024-03-05!.zip", out.getvalue())
    result = bench.night()
    assert (result.rows_read, result.rows_accepted, result.rows_duplicate, len(result.files)) == (5, 4, 1, 1)
    assert bench.pool("distinct file_name", "1") == [("things/2024-03-05!.zip!1.csv",), ("things/2024-03-05!.zip!2.csv",)]
    assert result.unbalanced_files == ()


def test_an_empty_delivery_is_a_batch_of_no_rows(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", HEADER)
    result = bench.night()
    assert (result.status, result.rows_read, bench.batches()[DAY].pool_rows) == ("ok", 0, 0)
    with_contract(bench, corrections=[{"where": "n = -1", "set": {"n": 1}, "reason": "clock of station 4", "expect": 1}])
    assert bench.night().status == "held"


def test_a_long_batch_tells_how_far_it_has_come(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.deliver("2024-03-05.csv", ROWS)
    monkeypatch.setattr(batch_module, "SAY_EVERY_SECONDS", -1.0)
    said: list[str] = []
    ingest_source(bench.home, bench.contract, bench.entity, NIGHT, progress=said.append)
    assert said == ["things 2024-03-05: 3 rows so far", "things 2024-03-05: 3 rows in 1 files, ok"]
