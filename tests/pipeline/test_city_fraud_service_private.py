"""Victims, account holders, applicants and visitors stand in what the city delivers about fraud and services, and nowhere in the pool."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import openpyxl
from city_pool import Pooled

ENTITIES = ("fraud_case", "fraud_payment", "fraud_warning", "service_request", "service_visit", "service_item")
PERSONAL = ("被害人姓名", "被害人电话", "涉案账号", "账号", "户名", "姓名", "证件号码")


def delivered_persons(landing: Path) -> set[str]:
    """Every name, telephone, identity number and account in the deliveries of fraud and services."""
    persons: set[str] = set()
    for path in [*landing.glob("fraud/*/*/*.csv"), *landing.glob("service/*/*/*.csv")]:
        header, *rows = csv.reader(io.StringIO(path.read_bytes().decode("gb18030"), newline=""))
        persons |= {row[place] for row in rows for place, name in enumerate(header) if name in PERSONAL}
    for path in landing.glob("fraud/fraud_case_ledger/*/*.xlsx"):
        _, _, header, *rows = openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)
        persons |= {str(row[place]) for row in rows for place, name in enumerate(header) if name in PERSONAL}
    for path in landing.glob("fraud/fraud_warning_order/*/*.json"):
        for order in json.loads(path.read_text(encoding="utf-8"))["result"]["page"]["list"]:
            persons |= set(order["bqzr"].values())
    for path in landing.glob("service/service_request_platform/*/*.json"):
        for request in json.loads(path.read_text(encoding="utf-8"))["data"]["records"]:
            persons |= {request["sqrxm"], request["sqrzjhm"], request["lxdh"]}
    for path in landing.glob("service/service_request_app/*/*.json"):
        for request in json.loads(path.read_text(encoding="utf-8"))["result"]["items"]:
            persons |= set(request["user"].values())
    return persons


def test_no_person_of_a_fraud_or_a_service_reaches_the_pool_or_the_quarantine(pooled_city: Pooled) -> None:
    home = pooled_city.home
    rows = [row for entity in ENTITIES for row in pooled_city.rows(home.pool / entity)]
    sources = {row["source_id"] for row in rows}
    assert len(sources) == 7
    quarantined = [
        row for row in pooled_city.rows(home.quarantine) if "/" in row["file_name"] and row["file_name"].split("/")[1] in sources
    ]
    assert quarantined
    words = {word for row in [*rows, *quarantined] for text in row.values() if isinstance(text, str) for word in re.findall(r"\w+", text)}
    persons = delivered_persons(pooled_city.landing)
    assert len(persons) > 1000 and len(words) > 1000
    assert words & persons == set()


def test_warnings_enter_as_counts(pooled_city: Pooled) -> None:
    rows = pooled_city.rows(pooled_city.home.pool / "fraud_warning")
    accepted = sum(receipt["rows_accepted"] for receipt in pooled_city.truth("receipt") if receipt["source_id"] == "fraud_warning_order")
    assert sum(row["row_count"] for row in rows) == accepted
    assert len({(row["batch_date"], row["file_name"], row["unit_code"], row["issued_on"], row["level"], row["mode"], row["is_contacted"],
                 row["is_met"], row["is_victimised"]) for row in rows}) == len(rows)  # fmt: skip
    assert all(row["record_key"] is None for row in rows)
