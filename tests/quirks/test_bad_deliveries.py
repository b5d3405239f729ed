"""Bad deliveries, one fixture each: the error says what, where and why, nothing is lost, and the other source's night goes on."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
import yaml

from dagster_project.contracts.entities import load_entities
from dagster_project.contracts.load import load_contract
from dagster_project.home import Home
from dagster_project.ingest.night import SourceResult, ingest_source
from dagster_project.ingest.receipts import Receipts

NIGHT = dt.date(2024, 3, 1)
HEADER = "unit,day,measure,amount\n"
GOOD_ROWS = HEADER + "U1,2024-03-01,hours,1\nU2,2024-03-01,hours,2\n"


def contract_document(source_id: str, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": source_id,
        "title": {"zh": "测试", "en": "test"},
        "group": "city",
        "domain": "probe",
        "entity": "observation",
        "owner": "tests",
        "cadence": "daily",
        "grade": "internal",
        "landing": {"glob": f"{source_id}/*", "batch": {"path": r"(\d{8})", "format": "%Y%m%d"}},
        "format": {"kind": "csv"},
        "extract": {"mode": "append"},
        "tolerance": {"quarantined_share": 1.0},
        "columns": {
            "unit_code": {"from": "unit"},
            "observed_on": {"from": ["day", "date"], "formats": ["%Y-%m-%d"], "required": True},
            "measure": {"from": "measure"},
            "value": {"from": "amount"},
        },
        "rules": [{"id": "not_negative", "expect": "value >= 0", "message": "an amount is below zero: correct it at the source"}],
    }
    document.update(changes)
    return document


@dataclass
class Bench:
    """A home with one source under test and one good source beside it."""

    home: Home
    folder: Path

    def deliver(self, name: str, content: bytes | str, source_id: str = "probe") -> Path:
        path = self.home.landing / source_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, source_id: str = "probe", night: dt.date = NIGHT, **changes: Any) -> SourceResult:
        path = self.folder / "probe" / f"{source_id}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(contract_document(source_id, **changes), allow_unicode=True), encoding="utf-8")
        contract = load_contract(path)
        return ingest_source(self.home, contract, load_entities()[contract.entity], night)

    def receipts(self, source_id: str = "probe") -> list[dict[str, Any]]:
        with Receipts(self.home) as receipts:
            return [dataclasses.asdict(file) for file in receipts.files(source_id)]

    def pool(self, source_id: str = "probe") -> list[tuple[Any, ...]]:
        files = sorted((self.home.pool / "observation" / f"source={source_id}").glob("*.parquet"))
        if not files:
            return []
        names = [str(f) for f in files]
        return duckdb.execute(
            "select unit_code, observed_on, measure, value, row_number from read_parquet(?) order by batch_date, file_name, row_number",
            [names],
        ).fetchall()

    def quarantine(self, source_id: str = "probe") -> list[dict[str, Any]]:
        files = [str(f) for f in sorted((self.home.quarantine / source_id).glob("*.parquet"))]
        if not files:
            return []
        cursor = duckdb.execute("select * from read_parquet(?) order by file_name, row_number", [files])
        names = [c[0] for c in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def assert_balanced(self, source_id: str = "probe") -> None:
        for r in self.receipts(source_id):
            assert r["rows_read"] == r["rows_accepted"] + r["rows_quarantined"] + r["rows_duplicate"] + r["rows_filtered"], r


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(Home.at(tmp_path / "home").ensure(), tmp_path / "contracts")
    made.deliver("20240301.csv", GOOD_ROWS, "neighbour")
    yield made
    assert made.ingest("neighbour").status in {"ok", "unchanged"}, "the other source's night goes on"
    assert len(made.pool("neighbour")) == 2
    made.assert_balanced()


def only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(rows) == 1, rows
    return rows[0]


def assert_failed(bench: Bench, result: SourceResult, *words: str) -> dict[str, Any]:
    """The batch was not replaced, and the message names the file and what is wrong."""
    assert result.status in {"held", "failed"}
    assert bench.pool() == []
    receipt = only(bench.receipts())
    assert receipt["status"] == "failed"
    said = " ".join([*result.messages, receipt["detail"]])
    for word in words:
        assert word in said, said
    return receipt


def test_wrong_encoding_names_the_row(bench: Bench) -> None:
    bench.deliver("20240301.csv", (GOOD_ROWS + "朝阳,2024-03-01,hours,3\n").encode("gb18030"))
    receipt = assert_failed(bench, bench.ingest(), "20240301.csv", "utf-8", "row 3")
    assert receipt["rows_read"] == receipt["rows_quarantined"]


def test_ragged_rows_are_quarantined_and_the_rest_keeps_its_row_numbers(bench: Bench) -> None:
    bench.deliver(
        "20240301.csv", HEADER + "U1,2024-03-01,hours,1\nU2,2024-03-01,hours\nU3,2024-03-01,hours,3,extra\nU4,2024-03-01,hours,4\n"
    )
    assert bench.ingest().status == "ok"
    assert [(r[0], r[4]) for r in bench.pool()] == [("U1", 1), ("U4", 4)]
    assert [(q["row_number"], list(q["reasons"])) for q in bench.quarantine()] == [(2, ["ragged_row"]), (3, ["ragged_row"])]


def test_renamed_column_is_named_with_what_was_delivered(bench: Bench) -> None:
    bench.deliver("20240301.csv", "unit,day,measure,amounts\nU1,2024-03-01,hours,1\n")
    assert_failed(bench, bench.ingest(), "20240301.csv", "amount", "amounts")


def test_renamed_column_with_an_alias_is_read(bench: Bench) -> None:
    bench.deliver("20240301.csv", "unit,date,measure,amount\nU1,2024-03-01,hours,1\n")
    assert bench.ingest().status == "ok"
    assert bench.pool() == [("U1", dt.date(2024, 3, 1), "hours", 1, 1)]


def test_missing_column_is_named(bench: Bench) -> None:
    bench.deliver("20240301.csv", "unit,day,measure\nU1,2024-03-01,hours\n")
    assert_failed(bench, bench.ingest(), "20240301.csv", "amount")


def test_extra_column_is_ignored_unless_the_contract_lists_what_it_ignores(bench: Bench) -> None:
    bench.deliver("20240301.csv", "unit,day,measure,amount,remark\nU1,2024-03-01,hours,1,x\n")
    assert bench.ingest().status == "ok"
    refused = bench.ingest(ignore=["note"])
    assert refused.status in {"held", "failed"}
    assert "remark" in " ".join(refused.messages)
    assert len(bench.pool()) == 1, "the last good batch stays"


def test_doubled_header_inside_the_data_is_rejected(bench: Bench) -> None:
    bench.deliver("20240301.csv", GOOD_ROWS + HEADER + "U3,2024-03-01,hours,3\n")
    assert bench.ingest().status == "ok"
    assert [r[4] for r in bench.pool()] == [1, 2, 4]
    assert [(q["row_number"], list(q["reasons"])) for q in bench.quarantine()] == [(3, ["repeated_header"])]


def test_doubled_header_may_be_declared_and_then_is_filtered(bench: Bench) -> None:
    bench.deliver("20240301.csv", GOOD_ROWS + HEADER)
    assert bench.ingest(format={"kind": "csv", "repeated_header": "skip"}).status == "ok"
    assert only(bench.receipts())["rows_filtered"] == 1
    assert bench.quarantine() == []


def test_byte_order_mark_is_no_part_of_the_first_name(bench: Bench) -> None:
    bench.deliver("20240301.csv", b"\xef\xbb\xbf" + GOOD_ROWS.encode())
    assert bench.ingest().status == "ok"
    assert [r[0] for r in bench.pool()] == ["U1", "U2"]


def test_nul_byte_rejects_its_row_only(bench: Bench) -> None:
    bench.deliver("20240301.csv", HEADER + "U1,2024-03-01,hours,1\nU\x002,2024-03-01,hours,2\nU3,2024-03-01,hours,3\n")
    assert bench.ingest().status == "ok"
    assert [r[0] for r in bench.pool()] == ["U1", "U3"]
    assert list(only(bench.quarantine())["reasons"]) == ["nul_byte"]


def test_quoted_newlines_are_one_row(bench: Bench) -> None:
    bench.deliver("20240301.csv", HEADER + '"U1\nnorth",2024-03-01,hours,1\nU2,2024-03-01,hours,2\n')
    assert bench.ingest().status == "ok"
    assert [(r[0], r[4]) for r in bench.pool()] == [("U1\nnorth", 1), ("U2", 2)]


def test_empty_file_with_header_is_a_batch_of_no_rows(bench: Bench) -> None:
    bench.deliver("20240301.csv", HEADER)
    assert bench.ingest().status == "ok"
    assert only(bench.receipts())["rows_read"] == 0


def test_zero_byte_file_says_that_its_header_is_missing(bench: Bench) -> None:
    bench.deliver("20240301.csv", b"")
    assert_failed(bench, bench.ingest(), "20240301.csv", "empty")


def test_truncated_gz_quarantines_what_was_decoded(bench: Bench) -> None:
    rows = HEADER + "".join(f"U{i},2024-03-01,hours,{i * 7919 % 10007}\n" for i in range(50_000))
    whole = gzip.compress(rows.encode())
    bench.deliver("20240301.csv.gz", whole[: len(whole) // 2])
    receipt = assert_failed(bench, bench.ingest(), "20240301.csv.gz")
    assert 0 < receipt["rows_quarantined"] == receipt["rows_read"] < 50_000


def test_corrupt_xlsx_is_named(bench: Bench) -> None:
    bench.deliver("20240301.xlsx", b"PK\x03\x04 this is no workbook")
    assert_failed(bench, bench.ingest(format={"kind": "xlsx"}), "20240301.xlsx")


def test_workbook_beside_it_is_read(bench: Bench) -> None:
    book = openpyxl.Workbook()
    for row in (["unit", "day", "measure", "amount"], ["U1", "2024-03-01", "hours", 1]):
        book.active.append(row)
    path = bench.deliver("20240301.xlsx", b"")
    book.save(path)
    result = bench.ingest(format={"kind": "xlsx"})
    assert result.status == "ok", result.messages
    assert bench.pool() == [("U1", dt.date(2024, 3, 1), "hours", 1, 1)]


def test_zip_bomb_is_refused_before_it_expands(bench: Bench, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("rows.csv", "w", force_zip64=True) as member:
        for _ in range(300):
            member.write(b"0" * 1_000_000)
    bench.deliver("20240301.zip", bomb.read_bytes())
    assert_failed(bench, bench.ingest(), "20240301.zip")


def test_line_of_100_megabytes_is_refused(bench: Bench) -> None:
    bench.deliver("20240301.csv", GOOD_ROWS + "U3" + "x" * 100_000_000 + ",2024-03-01,hours,3\n")
    assert_failed(bench, bench.ingest(), "20240301.csv")


def test_unreadable_file_is_named_and_does_not_block(bench: Bench) -> None:
    (bench.home.landing / "probe").mkdir()
    os.mkfifo(bench.home.landing / "probe" / "20240301.csv")
    result = bench.ingest()
    assert result.status in {"held", "failed"}
    assert "20240301.csv" in " ".join(result.messages)
    assert bench.pool() == []


def test_link_out_of_landing_is_refused(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(GOOD_ROWS, encoding="utf-8")
    (bench.home.landing / "probe").mkdir()
    (bench.home.landing / "probe" / "20240301.csv").symlink_to(secret)
    result = bench.ingest()
    assert result.status in {"held", "failed"}
    assert "20240301.csv" in " ".join(result.messages)
    assert bench.pool() == []


@pytest.mark.parametrize("day", ["2023-02-30", "2024-13-01", "0000-00-00", "31/02/2024"])
def test_impossible_dates_are_rejected(bench: Bench, day: str) -> None:
    bench.deliver("20240301.csv", GOOD_ROWS + f"U3,{day},hours,3\n")
    assert bench.ingest().status == "ok"
    rejected = only(bench.quarantine())
    assert (rejected["row_number"], list(rejected["reasons"])) == (3, ["bad_type:observed_on"])


def test_full_width_digits_are_numbers(bench: Bench) -> None:
    bench.deliver("20240301.csv", HEADER + "U1,２０２４-０３-０１,hours,１２\n")
    assert bench.ingest().status == "ok"
    assert bench.pool() == [("U1", dt.date(2024, 3, 1), "hours", 12, 1)]


def test_thousands_commas_are_numbers_where_declared_and_rejected_elsewhere(bench: Bench) -> None:
    bench.deliver("20240301.csv", HEADER + 'U1,2024-03-01,hours,"1,234"\n')
    assert bench.ingest().status == "ok"
    assert list(only(bench.quarantine())["reasons"]) == ["bad_type:value"]
    columns = contract_document("probe")["columns"]
    columns["value"] = {"from": "amount", "thousands": ","}
    assert bench.ingest(columns=columns).status == "ok", "a contract fix reads the delivery again"
    assert bench.pool() == [("U1", dt.date(2024, 3, 1), "hours", 1234, 1)]
    assert bench.quarantine() == []


def test_broken_rule_names_the_rule(bench: Bench) -> None:
    bench.deliver("20240301.csv", GOOD_ROWS + "U3,2024-03-01,hours,-3\n")
    assert bench.ingest().status == "ok"
    rejected = only(bench.quarantine())
    assert (rejected["file_name"], rejected["row_number"], list(rejected["reasons"])) == ("probe/20240301.csv", 3, ["rule:not_negative"])


def test_file_still_being_written_waits_for_its_writer(bench: Bench) -> None:
    path = bench.deliver("20240301.csv", HEADER)
    with path.open("a", encoding="utf-8") as writer:
        writer.write("U1,2024-03-01,hours,1\n")
        writer.flush()
        assert bench.ingest().status != "ok"
        assert bench.pool() == []
        writer.write("U2,2024-03-01,hours,2\n")
    assert bench.ingest().status == "ok"
    assert [r[0] for r in bench.pool()] == ["U1", "U2"]


def test_same_file_under_two_names_counts_once(bench: Bench) -> None:
    bench.deliver("20240301_a.csv", GOOD_ROWS)
    bench.deliver("20240301_b.csv", GOOD_ROWS)
    assert bench.ingest().status == "ok"
    assert len(bench.pool()) == 2
    assert sorted(r["rows_duplicate"] for r in bench.receipts()) == [0, 2]


def test_file_for_night_d_that_comes_on_d_plus_3_is_taken_then(bench: Bench) -> None:
    bench.deliver("20240304.csv", GOOD_ROWS.replace("2024-03-01", "2024-03-04"))
    assert bench.ingest(night=dt.date(2024, 3, 4)).status == "ok"
    bench.deliver("20240301.csv", GOOD_ROWS.replace("hours,1", "hours,9"))
    assert bench.ingest(night=dt.date(2024, 3, 4)).status == "ok"
    assert [r[1] for r in bench.pool()] == [dt.date(2024, 3, 1)] * 2 + [dt.date(2024, 3, 4)] * 2


def test_a_broken_redelivery_keeps_the_last_good_batch(bench: Bench) -> None:
    bench.deliver("20240301.csv", GOOD_ROWS)
    assert bench.ingest().status == "ok"
    good = bench.pool()
    bench.deliver("20240301.csv", "unit,day\nU1,2024-03-01\n")
    assert bench.ingest().status in {"held", "failed"}
    assert bench.pool() == good
    bench.deliver("20240301.csv", GOOD_ROWS + "U3,2024-03-01,hours,3\n")
    assert bench.ingest().status == "ok", "a good delivery after a bad one heals by itself"
    assert len(bench.pool()) == 3


def test_two_sources_may_be_ingested_by_two_threads(bench: Bench) -> None:
    bench.deliver("20240301.csv", GOOD_ROWS)
    results: list[SourceResult] = []
    workers = [threading.Thread(target=lambda s=s: results.append(bench.ingest(s))) for s in ("probe", "neighbour")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(r.status for r in results) == ["ok", "ok"]
