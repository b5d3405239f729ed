"""The simulated city through ingest: what becomes of every row is what the city says must become of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pyarrow.parquet as pq
from city_pool import LAST_NIGHT, Pooled

from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.ingest.night import ingest_source

OUTCOMES = ("rows_read", "rows_accepted", "rows_quarantined", "rows_duplicate", "rows_filtered")


def test_no_source_is_held(pooled_city: Pooled) -> None:
    assert {result.status for result in pooled_city.results.values()} == {"ok"}


def test_every_receipt_is_the_one_the_city_expects(pooled_city: Pooled) -> None:
    receipts = pq.read_table(pooled_city.home.warehouse / "control" / "receipt.parquet").to_pylist()
    found = {r["file_name"]: tuple(r[name] for name in OUTCOMES) for r in receipts}
    expected = {r["file_name"]: tuple(r[name] for name in OUTCOMES) for r in pooled_city.truth("receipt")}
    assert found == expected


def test_quarantine_holds_the_spoilt_rows_with_their_reasons(pooled_city: Pooled) -> None:
    found = {(r["file_name"], r["row_number"]): r["reasons"] for r in pooled_city.rows(pooled_city.home.quarantine)}
    expected = {(f["file_name"], f["row_number"]): [f["reason"]] for f in pooled_city.truth("faults") if f["fate"] == "quarantined"}
    assert found == expected
    assert len({reason for (reason,) in found.values()}) >= 10


def test_every_missing_batch_is_noticed(pooled_city: Pooled) -> None:
    missing = [f for f in pooled_city.truth("faults") if f["kind"] == "missing_batch"]
    assert {"mediation_ledger", "video_day"} <= {f["source_id"] for f in missing}
    for fault in missing:
        assert fault["batch_date"] in " ".join(pooled_city.results[fault["source_id"]].messages)


def test_a_further_night_changes_nothing_that_is_in_the_pool(pooled_city: Pooled) -> None:
    catalogue = load_catalogue([PROJECT_SOURCES])
    contract = catalogue.contract("callback_record")
    before = {p: p.read_bytes() for p in (pooled_city.home.pool / contract.entity).glob("**/*.parquet")}
    again = ingest_source(pooled_city.home, contract, catalogue.entity_of(contract), LAST_NIGHT)
    assert again.status == "unchanged"
    assert {p: p.read_bytes() for p in (pooled_city.home.pool / contract.entity).glob("**/*.parquet")} == before


MATTERS_OF_PERSONS = {
    "case_registration": ("BARXM", "LXDH"),
    "case_stage": ("DXXM",),
    "law_issue": ("责任民警警号",),
    "complaint_12389": ("举报人", "联系电话"),
    "public_appeal": ("诉求人姓名",),
    "joint_order": ("mbryxm", "mbryzjhm", "zlnr"),
    "duty_order": ("zbmjxm",),
    "hotspot_list": ("路长姓名",),
    "hazard_ledger": ("场所地址",),
    "site_rectification": ("负责人姓名",),
}


def persons_in_matters(landing: Path) -> set[str]:
    """Every name, number and address that the systems of matters with a due date delivered."""
    persons: set[str] = set()
    for source_id, columns in MATTERS_OF_PERSONS.items():
        delivered: set[str] = set()
        for path in landing.glob(f"*/{source_id}/*/*"):
            delivered |= {str(record[column]) for record in matter_records(path, columns[0]) for column in columns if record[column]}
        assert delivered, source_id
        persons |= delivered
    return persons


def matter_records(path: Path, known_column: str) -> list[dict[str, Any]]:
    """The rows of a delivered file by column name; the header of a workbook is the row that holds a known column."""
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(path.read_bytes().decode("gbk"), newline="")))
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))["data"]
        return content if isinstance(content, list) else content["orders"]
    if path.suffix == ".xml":
        root = ElementTree.fromstring(path.read_bytes().decode("gb18030").partition("?>")[2])
        return [{cell.tag: cell.text for cell in record} for record in root[0]]
    sheet = [list(row) for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)]
    top = next(number for number, row in enumerate(sheet) if known_column in row)
    return [dict(zip(map(str, sheet[top]), row, strict=True)) for row in sheet[top + 1 :]]


def delivered_persons(landing: Path) -> set[str]:
    """Every name, telephone, identity number and address that the city delivered."""
    persons: set[str] = set()
    for path in landing.glob("ca*/*_form/*/*.csv"):
        header, *rows = csv.reader(io.StringIO(path.read_bytes().decode("gb18030"), newline=""))
        personal = [header.index(name) for name in ("BJRXM", "LXDH", "SFDZ", "BARXM", "XYRXM", "XYR_ZJHM") if name in header]
        persons |= {row[place] for row in rows for place in personal}
    for path in landing.glob("callback/*/*/*.json"):
        persons |= {row["lxdh"] for row in json.loads(path.read_text(encoding="utf-8"))["data"]["list"] if row["lxdh"]}
    for path in landing.glob("mediation/*/*/*.xlsx"):
        for (parties,) in openpyxl.load_workbook(path).worksheets[0].iter_rows(min_row=4, min_col=4, max_col=4, values_only=True):
            persons |= set(re.findall(r"[^（）、]+", str(parties or "")))
    return persons | persons_in_matters(landing)


def test_no_personal_value_of_the_city_reaches_the_pool_or_the_quarantine(pooled_city: Pooled) -> None:
    folders = (pooled_city.home.pool, pooled_city.home.quarantine)
    texts = {value for folder in folders for row in pooled_city.rows(folder) for value in row.values() if isinstance(value, str)}
    persons = delivered_persons(pooled_city.landing)
    assert len(persons) > 5000 and len(texts) > 5000
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    assert words & persons == set()


def test_the_same_parties_have_one_hash_and_others_another(pooled_city: Pooled) -> None:
    hashes: defaultdict[str, set[str]] = defaultdict(set)
    sheets: dict[str, list[str | None]] = {}
    for row in pooled_city.rows(pooled_city.home.pool / "mediation"):
        name = row["file_name"]
        if name not in sheets:
            sheet = openpyxl.load_workbook(pooled_city.landing / name).worksheets[0]
            sheets[name] = [parties for (parties,) in sheet.iter_rows(min_row=4, min_col=4, max_col=4, values_only=True)]
        hashes[sheets[name][row["row_number"] - 1] or ""].add(row["parties_key"])
    assert hashes.pop("") == {None}
    assert all(len(of_parties) == 1 for of_parties in hashes.values())
    assert len({key for of_parties in hashes.values() for key in of_parties}) == len(hashes) > 100


def test_of_a_telephone_the_pool_knows_whether_there_is_one(pooled_city: Pooled) -> None:
    delivered = {
        (call["jjdbh"], int(call["hfcs"])): bool(call["lxdh"])
        for path in pooled_city.landing.glob("callback/*/*/*.json")
        for call in json.loads(path.read_text(encoding="utf-8"))["data"]["list"]
    }
    pooled = {(row["incident_id"], row["attempt"]): row["has_phone"] for row in pooled_city.rows(pooled_city.home.pool / "callback")}
    assert pooled == {key: delivered[key] for key in pooled}
    assert 0 < sum(not has_phone for has_phone in pooled.values()) < 0.5 * len(pooled)
