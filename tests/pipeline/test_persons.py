"""Nobody whom the deliveries name stands anywhere outside landing: every personal column of every source of the city."""

from __future__ import annotations

import re

import duckdb
from city_pool import Pooled
from persons import SHORTEST, delivered_persons, seen

from dagster_project.audit.traces import traces
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.contracts.personal_values import MAY_BE_PERSONAL, find_personal

CONTRACTS = [c for c in load_catalogue([PROJECT_SOURCES]).contracts if c.group == "city"]


def test_no_personal_value_of_any_source_stands_outside_landing(pooled_city: Pooled) -> None:
    home, persons, columns = pooled_city.home, set[str](), 0
    for contract in CONTRACTS:
        for values in delivered_persons(contract, home).values():
            columns += bool(values)
            persons |= {value for value in values if len(value) >= SHORTEST}
    assert columns > 50 and len(persons) > 5_000
    assert [(f"{value[:2]}…", str(hit.file), hit.place) for value, hit in seen(persons, home)] == []


def test_a_value_that_got_out_would_be_seen(pooled_city: Pooled) -> None:
    home = pooled_city.home
    contract = next(c for c in CONTRACTS if any(delivered_persons(c, home).values()))
    value = max((v for values in delivered_persons(contract, home).values() for v in values), key=len)
    for name, write in {
        "leak.parquet": f"copy (select 'x {value} y' as note) to $file",
        "leak.duckdb": None,
        "leak.log": None,
    }.items():
        file = home.scratch / name
        if write:
            duckdb.execute(write.replace("$file", f"'{file}'"))
        elif name.endswith(".duckdb"):
            with duckdb.connect(str(file)) as connection:
                connection.execute(f"create table t as select '{value}' as note")
        else:
            file.write_text(f"error: {value}\n", encoding="utf-8")
        try:
            assert [(hit, trace.file.name) for hit, trace in seen({value}, home)] == [(value, name)]
        finally:
            file.unlink()


def test_nothing_that_reads_as_a_person_stands_outside_landing(pooled_city: Pooled) -> None:
    may_be = re.compile(MAY_BE_PERSONAL)
    found = [
        (str(trace.file), trace.place, value.kind, value.shown)
        for trace in traces(pooled_city.home)
        if may_be.search(trace.text)
        for value in find_personal(trace.text)
    ]
    assert found == []
