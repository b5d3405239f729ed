"""What the warehouse makes of a small pool, counted by hand, and that its checks catch what they are for."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_pool import DBT, build_candidate, build_pool, run_dbt

from dagster_project.audit.lineage import read_lineage

AS_OF = dt.date(2024, 6, 30)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def unit(code: str, parent: str | None, level: str, **more: Any) -> dict[str, Any]:
    return {"unit_code": code, "unit_name": code, "parent_code": parent, "unit_level": level, "valid_from": dt.date(2000, 1, 1)} | more


def city() -> dict[str, list[dict[str, Any]]]:
    """Two counties with two stations each; station A2 moved to county B in June."""
    june = dt.date(2024, 6, 1)
    keyed = {"record_key": "c1"}
    return {
        "unit": [
            unit("C", None, "city"),
            unit("A", "C", "county"),
            unit("B", "C", "county"),
            unit("A1", "A", "station"),
            unit("A2", "A", "station", valid_to=june),
            unit("A2", "B", "station", valid_from=june),
            unit("B1", "B", "station"),
            unit("B2", "B", "station"),
        ],
        "incident": [
            {
                "incident_id": "1",
                "unit_code": "A1",
                "category": "01020101",
                "channel": "1",
                "reported_at": at("2024-05-01T10:00"),
                "is_case": True,
            },
            {
                "incident_id": "2",
                "unit_code": "A2",
                "category": "02",
                "channel": "1",
                "reported_at": at("2024-05-02T10:00"),
                "is_case": False,
            },
            {
                "incident_id": "3",
                "unit_code": "A2",
                "category": "02",
                "channel": "1",
                "reported_at": at("2024-06-02T10:00"),
                "is_case": False,
            },
            {
                "incident_id": "4",
                "unit_code": "B1",
                "category": "02",
                "channel": "2",
                "reported_at": at("2024-05-03T10:00"),
                "is_invalid": True,
            },
            {
                "incident_id": "5",
                "unit_code": "B",
                "category": "02",
                "channel": "2",
                "reported_at": at("2024-05-03T10:00"),
                "relation": "repeat",
            },
            {"incident_id": "6", "unit_code": "nowhere", "category": "02", "channel": "2", "reported_at": at("2024-05-04T10:00")},
        ],
        "case": [
            keyed | {"case_id": "c1", "case_kind": "criminal", "category": "040101", "unit_code": "A1", "batch_date": dt.date(2024, 5, 5)},
            keyed
            | {
                "case_id": "c1",
                "case_kind": "criminal",
                "category": "040101",
                "unit_code": "A1",
                "filed_at": at("2024-05-05T00:00"),
                "batch_date": dt.date(2024, 5, 6),
            },
            {
                "record_key": "c2",
                "case_id": "c2",
                "case_kind": "criminal",
                "category": "050201",
                "unit_code": "B1",
                "filed_at": at("2024-05-06T00:00"),
            },
            {"record_key": "c3", "case_id": "c3", "case_kind": "criminal", "category": "050201", "unit_code": "B1", "is_deleted": True},
        ],
        "case_event": [{"case_id": "c1", "event": "cleared", "unit_code": "B1", "happened_at": at("2024-05-20T00:00")}],
        "callback": [
            {"incident_id": "1", "attempt": 1, "unit_code": "A1", "called_at": at("2024-05-02T10:00"), "result": "basically_satisfied"},
            {"incident_id": "2", "attempt": 1, "unit_code": "A2", "called_at": at("2024-05-03T10:00"), "result": "no_answer"},
        ],
        "mediation": [
            {
                "dispute_id": "d1",
                "unit_code": "A1",
                "opened_at": at("2024-05-01T00:00"),
                "closed_at": at("2024-05-09T00:00"),
                "result": "agreement",
            },
        ],
        "reported_figure": [
            {
                "unit_code": "A",
                "period_start": dt.date(2024, 5, 1),
                "period_end": dt.date(2024, 5, 31),
                "measure": "printed_clearance",
                "numerator": 1,
                "denominator": 1,
                "value_text": "100.00",
            },
        ],
        "casualty": [{"accident_id": "x", "unit_code": "B2", "happened_on": dt.date(2024, 5, 7), "severity": "serious"}] * 2,
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("warehouse")
    build_pool(home, city(), as_of=AS_OF)
    return home


@pytest.fixture(scope="module")
def candidate(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The candidate, built with every data test and every dbt unit test."""
    connection = build_candidate(home)
    yield connection
    connection.close()


def results(home: Path) -> dict[str, str]:
    run = json.loads((home / "target" / "run_results.json").read_text(encoding="utf-8"))
    return {result["unique_id"].removeprefix("test.").removeprefix("unit_test."): result["status"] for result in run["results"]}


def figure(connection: duckdb.DuckDBPyConnection, kpi_id: str, unit_code: str, cell: str = "") -> tuple[int, int]:
    row = connection.execute(
        """
        select coalesce(sum(numerator), 0), coalesce(sum(denominator), 0)
        from fct_kpi_count as counted
        inner join unit_ancestor as above on counted.unit_code = above.unit_code
            and counted.day >= above.valid_from and counted.day < above.valid_to
        where kpi_id = ? and ancestor_code = ? and cell = ?
        """,
        [kpi_id, unit_code, cell],
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def test_every_unit_test_and_data_test_passes(candidate: duckdb.DuckDBPyConnection, home: Path) -> None:
    status = results(home)
    assert {name for name, outcome in status.items() if outcome in {"fail", "error", "skipped"}} == set()
    warned = {name.split(".")[1].split("_fct_")[0] for name, outcome in status.items() if outcome == "warn"}
    assert warned == {"no_rows_counts_of_unknown_units_"}, "the incident of an unknown unit is the only thing to warn about"


@pytest.mark.parametrize(
    ("kpi_id", "unit_code", "cell", "expected"),
    [
        ("INC-1", "C", "", (6, 0)),
        ("INC-1", "A", "", (2, 0)),
        ("INC-1", "B", "", (3, 0)),
        ("INC-1", "A2", "", (2, 0)),
        ("INC-1", "B.self", "", (1, 0)),
        ("INC-1", "C.unassigned", "", (1, 0)),
        ("INC-2", "C", "", (4, 6)),
        ("INC-2", "C", "excluded:invalid", (1, 0)),
        ("INC-2", "C", "excluded:repeat", (1, 0)),
        ("INC-4", "C", "", (1, 0)),
        ("INC-3.converted", "C", "", (1, 3)),
        ("CR-1.filed", "C", "", (2, 0)),
        ("CR-2.30", "C", "", (1, 2)),
        ("CR-2.30", "A1", "", (1, 1)),
        ("CR-2.90", "C", "excluded:immature", (2, 0)),
        ("CR-3", "C", "", (1, 1)),
        ("CR-1", "A1", "", (1, 1)),
        ("SAT-1", "C", "", (50, 1)),
        ("SAT-2", "C", "", (2, 4)),
        ("SAT-3", "C", "", (1, 2)),
        ("MED-1", "A1", "", (1, 1)),
        ("MED-2.90", "A1", "excluded:parties_unknown", (1, 0)),
        ("TR-1.accidents", "C", "", (1, 0)),
        ("TR-1.ksi", "B2", "", (2, 0)),
    ],
)
def test_figures_of_the_small_city(
    candidate: duckdb.DuckDBPyConnection, kpi_id: str, unit_code: str, cell: str, expected: tuple[int, int]
) -> None:
    assert figure(candidate, kpi_id, unit_code, cell) == expected


def test_city_is_the_sum_of_its_counties_and_of_its_leaves(candidate: duckdb.DuckDBPyConnection) -> None:
    sums = candidate.execute(
        """
        with step as (
            select
                counted.*,
                above.distance,
                max(above.distance) over (partition by kpi_id, counted.unit_code, day, cell) - above.distance as depth
            from fct_kpi_count as counted
            inner join unit_ancestor as above
                on counted.unit_code = above.unit_code and counted.day >= above.valid_from and counted.day < above.valid_to
        )
        select
            kpi_id, cell, day,
            sum(numerator) filter (depth = 0) as city,
            sum(numerator) filter (depth = 1) as counties,
            sum(numerator) filter (distance = 0) as leaves
        from step
        group by all
        """
    ).fetchall()
    assert len(sums) > 50
    assert [row for row in sums if not row[3] == row[4] == row[5]] == []


def test_published_counts_add_up_over_units(candidate: duckdb.DuckDBPyConnection) -> None:
    by_unit = dict(
        candidate.execute(
            "select unit_code, numerator from kpi where kpi_id = 'INC-1' and slice = '' and grain = 'year' and year(period_end) = 2024"
        ).fetchall()
    )
    assert by_unit["C"] == by_unit["A"] + by_unit["B"] + by_unit["C.unassigned"] == 6


def test_everything_balances(candidate: duckdb.DuckDBPyConnection) -> None:
    declared = candidate.execute("select count(*) from kpi_catalogue where balance_entity is not null").fetchone()
    assert candidate.execute("select count(*) from kpi_balance").fetchone() == declared
    assert candidate.execute("select * from kpi_balance where not is_balanced").fetchall() == []
    assert candidate.execute(
        """
        select sum(rows_accepted), sum(rows_current), sum(rows_superseded), sum(rows_deleted)
        from pool_balance where source_id = 'city_case'
        """
    ).fetchall() == [(4, 2, 1, 1)]


def test_marts_stand_on_the_same_counts(candidate: duckdb.DuckDBPyConnection) -> None:
    may = "grain = 'month' and period_start = date '2024-05-01' and unit_code = 'C'"
    assert candidate.execute(
        f"select incidents, effective, excluded_invalid, excluded_repeat from mart_incident where {may}"
    ).fetchall() == [(5, 3, 1, 1)]
    assert candidate.execute(
        f"select incidents, excluded, street_preventable, converted from mart_warning_drop where {may}"
    ).fetchall() == [(5, 2, 1, 1)]
    assert candidate.execute(
        f"select filed, cleared_30_days, mature_30_days, serious_violent from mart_clearance where {may}"
    ).fetchall() == [(2, 1, 2, 1)]
    assert candidate.execute(
        f"select replies, satisfaction, satisfaction_worst_case, satisfaction_best_case from mart_satisfaction where {may}"
    ).fetchall() == [(1, 0.5, pytest.approx(0.5 / 3), pytest.approx(2.5 / 3))]
    printed = "select unit_code, agreement, is_same_in_pool from reconciliation"
    assert candidate.execute(printed).fetchall() == [("A", "equal", True)]
    assert candidate.execute(f"select accidents, ksi from mart_traffic where {may}").fetchall() == [(1, 2)]


def test_every_published_table_and_column_is_described_in_both_languages(candidate: duckdb.DuckDBPyConnection, home: Path) -> None:
    marts = {path.stem for path in (DBT / "models" / "marts").glob("*.sql")} | {"kpi_catalogue"}
    columns = candidate.execute(
        "select table_name, column_name from duckdb_columns() where schema_name = 'main' and list_contains($marts, table_name)",
        {"marts": sorted(marts)},
    ).fetchall()
    lineage = read_lineage(home / "target" / "manifest.json")
    described = {name: node for name in marts if (node := lineage.named(name)) is not None}
    tables = {table for table, _ in columns}
    assert tables == marts
    texts = {table: described[table].description for table in tables}
    texts |= {f"{table}.{column}": described[table].column_descriptions.get(column, "") for table, column in columns}
    lacking = [name for name, text in texts.items() if not text or text.isascii() or not any(c.isascii() and c.isalpha() for c in text)]
    assert lacking == []


def compiled_tests(home: Path, name: str) -> list[str]:
    manifest = json.loads((home / "target" / "manifest.json").read_text(encoding="utf-8"))
    run = json.loads((home / "target" / "run_results.json").read_text(encoding="utf-8"))
    chosen = {
        key
        for key, node in manifest["nodes"].items()
        if (node["resource_type"] == "test" or "audit" in node["fqn"])
        and name in {node["name"], (node.get("test_metadata") or {}).get("name")}
    }
    return [result["compiled_code"] for result in run["results"] if result["unique_id"] in chosen]


TAMPERINGS = {
    "a count twice": ("valid_table", "fct_kpi_count", "insert into {} select * from {} where kpi_id = 'INC-1' limit 1"),
    "a count below zero": ("valid_counts", "fct_kpi_count", "update {} set numerator = -1 where kpi_id = 'INC-1' and cell = ''"),
    "a unit that is no leaf": ("valid_counts", "fct_kpi_count", "update {} set unit_code = 'A' where unit_code = 'A1'"),
    "a day after the night": ("valid_counts", "fct_kpi_count", "update {} set day = date '2024-07-01' where kpi_id = 'INC-1'"),
    "an undeclared cell": ("valid_counts", "fct_kpi_count", "update {} set cell = 'colour:red' where cell = 'category:02'"),
    "more than the whole": ("valid_counts", "fct_kpi_count", "update {} set numerator = denominator + 1 where kpi_id = 'INC-2'"),
    "a slice that does not sum": ("partitions_sum", "fct_kpi_count", "update {} set numerator = 9 where cell = 'category:02'"),
    "a county that is not its stations": (
        "published_counts_add_up",
        "int_kpi_figure",
        "update {} set numerator = numerator + 1 where series_id in (select series_id from int_kpi_series where unit_code = 'C')",
    ),
    "a figure twice": ("figures_are_valid", "int_kpi_figure", "insert into {} select * from {} limit 1"),
    "two parents at once": ("one_way_up", "unit_ancestor", "insert into {} values ('A1', 'B', date '2010-01-01', date '9999-12-31', 1)"),
    "a lost row": ("balanced", "pool_balance", "update {} set is_balanced = false where source_id = 'city_case'"),
    "two leaves for one code": ("no_overlap", "int_unit_assignment", "update {} set unit_code = 'A1', group_name = 'city'"),
    "a measure without a KPI": ("known_values", "stg_reported_figure", "insert into {} (measure) values ('unheard of')"),
    "a rate printed wrong": ("printed_rates_agree", "reconciliation", "insert into {} (agreement) values ('different')"),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_the_checks_catch(candidate: duckdb.DuckDBPyConnection, home: Path, tmp_path: Path, tampering: str) -> None:
    name, table, change = TAMPERINGS[tampering]
    copy = tmp_path / "candidate.duckdb"
    shutil.copy(home / "warehouse" / "candidate.duckdb", copy)
    checks = compiled_tests(home, name)
    with duckdb.connect(str(copy)) as connection:
        before = sum(len(connection.execute(sql).fetchall()) for sql in checks)
        connection.execute(f"create table tampered as select * from {table}")
        connection.execute(change.format("tampered", "tampered"))
        after = sum(len(connection.execute(sql.replace(f'"{table}"', '"tampered"')).fetchall()) for sql in checks)
    assert before == 0
    assert after > 0


def test_a_home_is_built_in_by_a_project_that_was_moved(tmp_path: Path) -> None:
    """What dbt remembers of the project in a home tells where its seeds lay when it was parsed."""
    build_pool(tmp_path / "home", {}, as_of=AS_OF)
    project = shutil.copytree(DBT, tmp_path / "here", ignore=shutil.ignore_patterns("target"))
    for folder in ("here", "there"):
        project = project.rename(tmp_path / folder)
        done = run_dbt(tmp_path / "home", "seed", "--select", "calendar_root", project=project)
        assert done.returncode == 0, done.stdout


def test_what_was_not_found_sound_is_tested_again_though_nothing_of_it_differs(
    candidate: duckdb.DuckDBPyConnection, home: Path, tmp_path: Path
) -> None:
    """A row that stands twice since the last build, whose tests did not all pass: the next one counts nothing again, and finds it."""
    assert candidate.execute("select state, is_tested from applied.run").fetchall() == [("complete", True)]
    manifest = json.loads((home / "target" / "manifest.json").read_text(encoding="utf-8"))
    counted = manifest["nodes"]["model.police_pool.int_kpi_count_month"]["compiled_code"]
    later = shutil.copytree(home, tmp_path / "home")
    with duckdb.connect(str(later / "warehouse" / "candidate.duckdb")) as connection:
        connection.execute("insert into int_count_incident select * from int_count_incident where kpi_id = 'INC-1' limit 1")
        connection.execute(f"create or replace table int_kpi_count_month as {counted}")
        connection.execute("update applied.run set is_tested = false")
    with build_candidate(later, "--exclude-resource-type", "unit_test") as after:
        assert after.execute("select count(*) from int_kpi_touched_month").fetchall() == [(0,)]
        assert after.execute("select state, is_tested from applied.run").fetchall() == [("complete", False)]
    failed = [name for name, status in results(later).items() if status == "warn" and "valid_table_fct_kpi_count" in name]
    assert len(failed) == 1


def test_what_is_counted_by_touched_days_is_looked_at_by_day(candidate: duckdb.DuckDBPyConnection, home: Path) -> None:
    """A model that no build looks at by day is never found to differ: what is counted of it would stand still."""
    models = json.loads((home / "target" / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
    looked_at = set(re.findall(r"'(\w+)' as model_name", next(m["compiled_code"] for m in models if m["name"] == "int_row_day")))
    counted_of = {m["name"]: set(found) for m in models if (found := m["config"]["meta"].get("counts_days_of"))}
    assert set().union(*counted_of.values()) == looked_at
    reading = re.compile(r"rows_counted\('(\w+)'\)")
    read = {m["name"]: set(reading.findall(m["raw_code"])) & looked_at for m in models if m["name"] in counted_of}
    assert {name: found - counted_of[name] for name, found in read.items() if found - counted_of[name]} == {}
    assert any(read.values())


def test_the_order_of_rows_and_files_does_not_matter(candidate: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    shuffled = {entity: random.Random(4).sample(rows, len(rows)) for entity, rows in city().items() if entity != "case"} | {
        "case": city()["case"]
    }
    build_pool(tmp_path, shuffled, as_of=AS_OF)
    with build_candidate(tmp_path, "--exclude-resource-type", "unit_test", "test") as other:
        for table in ("fct_kpi_count", "kpi", "mart_incident"):
            rows = f"select * from {table} order by all"
            assert other.execute(rows).fetchall() == candidate.execute(rows).fetchall()


def test_an_empty_pool_builds(tmp_path: Path) -> None:
    build_pool(tmp_path, {}, as_of=AS_OF)
    with build_candidate(tmp_path, "--exclude-resource-type", "unit_test") as empty:
        assert empty.execute("select count(*) from fct_kpi_count").fetchone() == (0,)
        assert set(results(tmp_path).values()) <= {"success", "pass"}
