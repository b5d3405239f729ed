"""Nobody whom the deliveries name stands anywhere outside landing: every personal column of every source of the city."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from city_pool import Pooled

from benchmarks.privacy.__main__ import control, planted_in, search
from benchmarks.privacy.planting import PATTERNS, deliver_open_data, in_place_of_the_citys, invent, plant_numbers
from benchmarks.privacy.searching import SHORTEST, delivered_persons, seen
from dagster_project.audit.traces import traces
from dagster_project.city.simulate import simulate
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.contracts.personal_values import MAY_BE_PERSONAL, find_personal
from dagster_project.home import Home

CONTRACTS = [c for c in load_catalogue([PROJECT_SOURCES]).contracts if c.group == "city"]


def test_no_personal_value_of_any_source_stands_outside_landing(pooled_city: Pooled) -> None:
    home, persons, columns = pooled_city.home, set[str](), 0
    for contract in CONTRACTS:
        for values in delivered_persons(contract, home).values():
            columns += bool(values)
            persons |= {value for value in values if len(value) >= SHORTEST}
    assert columns > 50 and len(persons) > 5_000
    assert [(f"{value[:2]}…", str(hit.file), hit.place) for value, hit in seen(persons, home)] == []


def test_a_number_that_a_clock_shows_by_chance_is_no_persons(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home", tmp_path / "landing").ensure()
    log = home.root / "log" / "dbt.log"
    log.parent.mkdir()
    log.write_text("10:35:25.990892 [info ] [Thread-1 (]: 66 of 81 OK\n", encoding="utf-8")
    assert seen({"990892"}, home) == []
    log.write_text("10:35:25.990892 [info ] [Thread-1 (]: 66 of 81 OK\nthe case of 990892\n", encoding="utf-8")
    assert [value for value, _ in seen({"990892"}, home)] == ["990892"]


def test_a_value_of_any_kind_that_got_into_any_kind_of_file_would_be_seen(pooled_city: Pooled, tmp_path: Path) -> None:
    assert control(pooled_city.home, invent(20), tmp_path) == {kind: [] for kind in PATTERNS}


def test_people_are_planted_and_one_who_got_out_is_told_of(tmp_path: Path) -> None:
    """What ``python -m benchmarks.privacy`` does at ten thousand people around a night, at toy size and without the night."""
    persons, home = invent(30), Home.at(tmp_path / "home", tmp_path / "landing").ensure()
    with in_place_of_the_citys(persons):
        simulate(home.landing, counties=1, stations_per_county=1, history_days=3, nights=1, scale=0.004, domains=["fraud"])
    plant_numbers(home.landing, persons)
    deliver_open_data(home.landing, persons)
    planted = planted_in(home, persons)
    assert planted.people == dict.fromkeys(PATTERNS, 30) and planted.columns > 20 and "alarm_test._person" in planted.without
    found = search(home, [], planted, persons)
    assert (found.in_texts, found.in_bytes) == ([], [])
    leak = home.root / "dagster" / "a.log"
    leak.write_bytes(f"{persons[3].name} {persons[4].card}".encode() + persons[5].address.encode("gb18030"))
    found = search(home, [], planted, persons)
    assert {value for value, file, _ in found.in_texts if file == str(leak)} >= {persons[3].name, persons[4].card}
    assert {value for value, _ in found.in_bytes} >= {persons[3].name, persons[4].card, persons[5].address}


def test_a_damaged_file_is_searched_as_lines_and_those_after_it_as_what_they_are(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home", tmp_path / "landing").ensure()
    for name in ("a", "b", "c"):
        pq.write_table(pa.table({"text": [f"somebody of {name}"] * 50}), home.pool / f"{name}.parquet")
    damaged = home.pool / "b.parquet"
    damaged.write_bytes(b"stands in the open\n" + damaged.read_bytes()[:-8])
    found = {(trace.file.name, trace.place): trace.text for trace in traces(home)}
    assert found["a.parquet", "text"] == "somebody of a" and found["c.parquet", "text"] == "somebody of c"
    assert found["b.parquet", "line 1"] == "stands in the open\n"


def test_nothing_that_reads_as_a_person_stands_outside_landing(pooled_city: Pooled) -> None:
    may_be = re.compile(MAY_BE_PERSONAL)
    found = [
        (str(trace.file), trace.place, value.kind, value.shown)
        for trace in traces(pooled_city.home)
        if may_be.search(trace.text)
        for value in find_personal(trace.text)
    ]
    assert found == []
