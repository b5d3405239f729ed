"""The raw feed of vehicle gates: what is written is what was drawn, in a form that real feeds have, with every fault where the ledger says."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dagster_project.city.devices import gate_numbers
from dagster_project.city.gates import FAULTS, HEADER, Written, deliver_passages, draw_hours, write_night

NIGHT = dt.date(2025, 9, 7)
PLATE = re.compile(r"^澜[A-HJ-NP-Z][0-9A-HJ-NP-Z]{5}$")


def lines_of(out: Path, written: list[Written]) -> list[list[str]]:
    rows: list[list[str]] = []
    for file in written:
        header, *lines = (out / file.relative).read_bytes().decode("gb18030").splitlines()
        assert header.encode("gb18030") + b"\n" == HEADER
        rows += [line.split(",") for line in lines]
    return rows


def test_passages_look_like_those_of_a_real_feed(tmp_path: Path) -> None:
    written = deliver_passages(tmp_path, NIGHT, gates=30, passages=5_000, counties=3)
    rows = lines_of(tmp_path, written)
    assert len(rows) == 5_000 == sum(sum(file.fates.values()) for file in written)
    assert [row[0] for row in rows] == [f"GC20250907{number:010d}" for number in range(1, 5_001)]
    assert all(len(row) == 7 and PLATE.match(row[6]) for row in rows)
    times = [row[5] for row in rows if row[5].startswith("20250907")]
    assert times == sorted(times)
    assert {row[1] for row in rows} <= {*gate_numbers(30, 3), "9" * 20}
    assert {len(number) for number in gate_numbers(30, 3)} == {20}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for folder, seed in (("one", 1), ("again", 1), ("other", 2)):
        deliver_passages(tmp_path / folder, NIGHT, gates=20, passages=2_000, seed=seed)

    def bytes_of(folder: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((tmp_path / folder).rglob("*.csv"))]

    assert bytes_of("one") == bytes_of("again")
    assert bytes_of("one") != bytes_of("other")


def test_every_gate_has_the_passages_that_were_asked_for(tmp_path: Path) -> None:
    numbers = gate_numbers(3, 1)
    written = write_night(tmp_path, NIGHT, numbers, np.array([700, 0, 300]), seed=5)
    unknown = sum(entry.kind in {"unknown_device", "test_row"} for file in written for entry in file.ledger)
    found = Counter(row[1] for row in lines_of(tmp_path, written))
    assert found[numbers[1]] == 0
    assert found[numbers[0]] + found[numbers[2]] + unknown == 1_000


@pytest.mark.parametrize("kind", [fault.kind for fault in FAULTS])
def test_faults_stand_where_the_ledger_says(tmp_path: Path, kind: str) -> None:
    fault = next(fault for fault in FAULTS if fault.kind == kind)
    written = deliver_passages(tmp_path, NIGHT, gates=10, passages=120_000)
    text = fault.text(NIGHT).strip(",")
    noted = {(entry.file_name, entry.row_number) for file in written for entry in file.ledger if entry.kind == kind}
    found = set()
    for file in written:
        lines = (tmp_path / file.relative).read_text(encoding="gb18030").splitlines()[1:]
        found |= {(file.relative, number) for number, line in enumerate(lines, start=1) if text in line}
    assert noted == found
    assert noted


def test_an_hour_is_drawn_without_being_written() -> None:
    hours = list(draw_hours(3, NIGHT, np.array([1_000, 2_000])))
    assert [hour.hour for hour in hours] == list(range(24))
    assert sum(len(hour) for hour in hours) == 3_000
    assert np.bincount(np.concatenate([hour.gate for hour in hours])).tolist() == [1_000, 2_000]
