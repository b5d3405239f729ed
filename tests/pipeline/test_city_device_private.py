"""Drivers, plates, officers and caretakers stand in what the city delivers about traffic, devices and registers, and nowhere in the pool."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import openpyxl
from city_pool import Pooled

ENTITIES = ("accident", "device_day", "gate_hour", "register_entry", "responsibility")
PERSONAL = ("DSRXM", "HPHM", "JSZH", "LM", "使用人姓名", "使用人警号", "号牌号码")
ENCODINGS = {"accident_form": "gbk", "terminal_day": "utf-8", "gate_passage": "gb18030"}


def delivered_persons(landing: Path) -> set[str]:
    """Every name, plate, licence and officer's number in the deliveries of traffic, devices and registers."""
    persons: set[str] = set()
    for source_id, encoding in ENCODINGS.items():
        for path in landing.glob(f"*/{source_id}/*/*.csv"):
            header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(encoding), newline=""))
            places = [place for place, name in enumerate(header) if name in PERSONAL]
            assert places, path
            persons |= {row[place] for row in rows for place in places}
    keepers = {
        line[-12:].decode("gb18030").strip()
        for path in landing.glob("register/device_register/*/*.txt")
        for line in path.read_bytes().splitlines()
    }
    assert keepers
    persons |= keepers
    for path in landing.glob("register/road_segment/*/*.json"):
        persons |= {row["lzxm"] for row in json.loads(path.read_text(encoding="utf-8"))["data"]["list"]}
    for path in landing.glob("register/community_register/*/*.xlsx"):
        for *_, name, phone in openpyxl.load_workbook(path).worksheets[0].iter_rows(min_row=4, values_only=True):
            persons |= {str(name), str(phone)}
    return persons


def test_no_driver_plate_or_officer_reaches_the_pool_or_the_quarantine(pooled_city: Pooled) -> None:
    home = pooled_city.home
    rows = [row for entity in ENTITIES for row in pooled_city.rows(home.pool / entity)]
    sources = {row["source_id"] for row in rows}
    assert sources >= {
        *ENCODINGS,
        "device_register",
        "video_day",
        "gate_day",
        "road_segment",
        "community_register",
        "population_stock",
        "vehicle_stock",
    }
    quarantined = [row for row in pooled_city.rows(home.quarantine) if row["file_name"].split("/")[1] in sources]
    assert {row["file_name"].split("/")[1] for row in quarantined} >= {"accident_form", "gate_passage", "gate_day"}
    words = {word for row in [*rows, *quarantined] for text in row.values() if isinstance(text, str) for word in re.findall(r"\w+", text)}
    persons = delivered_persons(pooled_city.landing)
    assert len(persons) > 100_000 and len(words) > 500
    assert words & persons == set()


def test_passages_enter_as_counts_by_gate_and_hour(pooled_city: Pooled) -> None:
    rows = pooled_city.rows(pooled_city.home.pool / "gate_hour")
    accepted = sum(receipt["rows_accepted"] for receipt in pooled_city.truth("receipt") if receipt["source_id"] == "gate_passage")
    assert sum(row["row_count"] for row in rows) == accepted > 100_000
    assert len(rows) < 41 * 24 + 24
    assert len({(row["file_name"], row["device_id"], row["passed_hour"]) for row in rows}) == len(rows)
    assert all(row["passed_hour"].minute == row["passed_hour"].second == 0 for row in rows)
