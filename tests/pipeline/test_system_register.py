"""The register of systems tells what ran: nothing in it is typed in but what a system is and how far it may go."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_pool import DBT, build_candidate, build_pool, run_dbt

from dagster_project.contracts.load import load_catalogue

AS_OF = dt.date(2024, 6, 30)
SYSTEMS = {row["system_id"]: row for row in csv.DictReader((DBT / "seeds" / "system.csv").open(encoding="utf-8"))}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("register")
    unit = {"unit_code": "C", "unit_name": "C", "unit_level": "city", "valid_from": dt.date(2000, 1, 1)}
    moment = dt.datetime(2024, 5, 1, 10)
    rows: dict[str, list[dict[str, Any]]] = {
        "unit": [unit],
        "incident": [
            {"incident_id": "1", "unit_code": "C", "reported_at": moment, "source_id": "calls", "batch_date": dt.date(2024, 5, 2)},
            {"incident_id": "2", "unit_code": "C", "reported_at": moment, "source_id": "calls", "batch_date": dt.date(2024, 5, 3)},
        ],
    }
    build_pool(
        home,
        rows,
        as_of=AS_OF,
        sources={
            "calls": {"systems": "S02,S53", "grade": "sensitive"},
            "more_calls": {"systems": "S02", "entity": "incident", "grade": "internal"},
            "awaited_cases": {"systems": "S30", "entity": "case"},
            "forbidden": {"systems": "S16", "entity": "incident"},
        },
    )
    return home


@pytest.fixture(scope="module")
def register(home: Path) -> dict[str, dict[str, Any]]:
    connection: duckdb.DuckDBPyConnection = build_candidate(
        home, "--select", "+system_register", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"
    )
    cursor = connection.execute("select * from system_register")
    names = [column[0] for column in cursor.description or ()]
    rows = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    connection.close()
    return rows


def test_every_system_has_its_row(register: dict[str, dict[str, Any]]) -> None:
    assert set(register) == set(SYSTEMS)


def test_a_delivered_system_shows_sources_entities_rows_and_figures(register: dict[str, dict[str, Any]]) -> None:
    calls = register["S02"]
    assert (calls["status"], calls["sources"], calls["entities"], calls["grade"]) == (
        "delivered",
        "calls more_calls",
        "incident",
        "sensitive",
    )
    assert (calls["rows_accepted"], calls["last_batch"]) == (2, dt.date(2024, 5, 3))
    assert calls["kpi_ids_counted"] == "INC-1 INC-2"
    assert register["S53"]["rows_accepted"] == 2


def test_a_system_whose_source_delivered_nothing_is_awaited(register: dict[str, dict[str, Any]]) -> None:
    assert (register["S30"]["status"], register["S30"]["rows_accepted"]) == ("awaited", 0)


def test_a_system_without_contract_is_absent_and_the_platform_counts_itself(register: dict[str, dict[str, Any]]) -> None:
    assert register["S40"]["status"] == "absent"
    assert register["S61"]["status"] == "counted"
    assert "POOL-1.rows" in register["S61"]["kpi_ids_counted"]


def test_an_excluded_system_that_is_read_fails_the_build(home: Path, register: dict[str, dict[str, Any]]) -> None:
    assert register["S22"]["status"] == "excluded"
    assert register["S16"]["sources"] == "forbidden"
    done = run_dbt(home, "test", "--select", "excluded_systems_deliver_nothing_system_register_", "--warn-error")
    assert done.returncode == 1


def test_no_shipped_contract_reads_an_excluded_or_unknown_system() -> None:
    named = {(c.id, system_id) for c in load_catalogue().contracts for system_id in c.systems}
    assert {pair for pair in named if SYSTEMS.get(pair[1], {"treatment": "unknown"})["treatment"] in ("EXCLUDE", "unknown")} == set()


def test_every_system_that_may_enter_is_read_counts_itself_or_is_a_mere_statement() -> None:
    named = {system_id for c in load_catalogue().contracts for system_id in c.systems}
    platform = {"S29", "S61"}
    statement = {"S44"}
    without = {system_id for system_id, row in SYSTEMS.items() if row["treatment"] != "EXCLUDE"} - named
    assert without == platform | statement
