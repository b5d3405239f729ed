"""Receipts: what is written is read again, whole or not at all."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from dagster_project.home import Home
from dagster_project.ingest.receipts import BatchReceipt, FileReceipt, Receipts

DAY = dt.date(2024, 3, 5)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path).ensure()


def file_receipt(name: str, source: str = "s", day: dt.date = DAY, sha256: str = "00") -> FileReceipt:
    return FileReceipt(source, day, name, sha256, 10, 1, "utf-8", 6, 3, 1, 1, 1, 0.5, "v", "ok")


def batch_receipt(source: str = "s", day: dt.date = DAY) -> BatchReceipt:
    return BatchReceipt(source, day, "ok", "", "f1", "v", "k", {"rule": 2}, "2024-03-06T02:00:00+00:00", "thing", "f1", 3, 3, 99, "cc")


def test_receipts_are_read_as_they_were_written(home: Home) -> None:
    with Receipts(home) as receipts:
        receipts.record(batch_receipt(), [file_receipt("b"), file_receipt("a")])
    with Receipts(home) as receipts:
        assert receipts.batches() == [batch_receipt()]
        assert receipts.files("s") == [file_receipt("a"), file_receipt("b")]
        assert receipts.files("other") == []


def test_a_batch_made_again_replaces_its_receipts_and_no_others(home: Home) -> None:
    other_day = DAY + dt.timedelta(days=1)
    with Receipts(home) as receipts:
        receipts.record(batch_receipt(), [file_receipt("a"), file_receipt("b")])
        receipts.record(batch_receipt(day=other_day), [file_receipt("a", day=other_day)])
        receipts.record(batch_receipt("t"), [file_receipt("a", "t")])
        receipts.record(batch_receipt(), [file_receipt("c")])
        assert [(f.source_id, f.batch_date, f.file_name) for f in receipts.files()] == [
            ("s", DAY, "c"),
            ("s", other_day, "a"),
            ("t", DAY, "a"),
        ]
        receipts.forget("s", DAY)
        assert [(b.source_id, b.batch_date) for b in receipts.batches()] == [("s", other_day), ("t", DAY)]


def test_a_batch_is_recorded_whole_or_not_at_all(home: Home) -> None:
    broken = dataclasses.replace(file_receipt("b"), sha256=None)  # type: ignore[arg-type]
    with Receipts(home) as receipts:
        receipts.record(batch_receipt(), [file_receipt("a")])
        with pytest.raises(sqlite3.IntegrityError):
            receipts.record(dataclasses.replace(batch_receipt(), fingerprint="f2"), [file_receipt("c"), broken])
        assert receipts.batches() == [batch_receipt()]
        assert receipts.files() == [file_receipt("a")]


def test_files_without_a_batch_are_noted_anew_each_time(home: Home) -> None:
    with Receipts(home) as receipts:
        receipts.record(batch_receipt(), [file_receipt("a"), file_receipt("refused", sha256="")])
        next_day = DAY + dt.timedelta(days=1)
        receipts.record_undated("s", [file_receipt("lost", day=next_day, sha256="")])
        receipts.record_undated("s", [file_receipt("other", day=next_day, sha256="")])
        assert [f.file_name for f in receipts.files()] == ["a", "refused", "other"]
        receipts.record_undated("s", [])
        assert [f.file_name for f in receipts.files()] == ["a", "refused"]


def test_receipts_of_a_newer_release_are_not_touched(home: Home) -> None:
    Receipts(home).__exit__(None, None, None)
    with sqlite3.connect(home.receipts) as connection:
        connection.execute("pragma user_version = 99")
    with pytest.raises(RuntimeError, match="newer release"):
        Receipts(home)


def test_a_file_balances_when_every_row_read_has_one_fate() -> None:
    assert file_receipt("a").balances
    assert not dataclasses.replace(file_receipt("a"), rows_read=7).balances
