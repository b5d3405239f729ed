"""Every figure counted by hand, through the whole warehouse: on its own clock and for its own unit. One pool holds all the rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hand_counted import AS_OF, Group, compared_kinds, pool_rows, read_groups
from ledger_figures import FIGURES, LEDGER_UNITS, OBSERVATIONS
from matter_figures import COUNTED, INCIDENTS, MATTER_UNITS, MATTERS
from small_pool import DBT, build_pool, run_dbt

GROUPS = read_groups()
CELLS = """
select counted.unit_code, day, cell, numerator, denominator
from fct_kpi_count as counted inner join dim_unit as unit on counted.unit_code = unit.unit_code
where kpi_id = $1 and root_code = $2
"""


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path_factory.mktemp("figures")
    rows, sources = pool_rows(GROUPS)
    rows["unit"] += [{"source_id": "ledger_unit", **row} for row in LEDGER_UNITS] + [
        {"source_id": "matter_unit", **row} for row in MATTER_UNITS
    ]
    rows["observation"] += [{"source_id": "ledger_observation", **row} for row in OBSERVATIONS]
    rows["matter"] += MATTERS
    rows["incident"] += INCIDENTS
    for source_id in {"ledger_unit", "matter_unit", "ledger_observation", "matter_incident"} | {row["source_id"] for row in MATTERS}:
        sources[source_id] = {"group_name": source_id.split("_")[0]}
    build_pool(home, rows, as_of=AS_OF, sources=sources)
    done = run_dbt(home, "build", "--select", "+kpi_balance", "--resource-type", "model", "--resource-type", "seed")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    with duckdb.connect(str(home / "warehouse" / "candidate.duckdb"), read_only=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("group", "kpi_id"), [pytest.param(group, kpi_id, id=f"{kpi_id} {group.name}") for group in GROUPS for kpi_id in group.counted]
)
def test_a_figure_is_what_was_counted_by_hand(candidate: duckdb.DuckDBPyConnection, group: Group, kpi_id: str) -> None:
    expected = group.counted[kpi_id]
    kinds = compared_kinds(expected)
    found = [row for row in candidate.execute(CELLS, [kpi_id, group.root]).fetchall() if row[2].split(":")[0] in kinds]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("kpi_id", FIGURES)
def test_a_figure_of_a_ledger_is_what_was_counted_by_hand(candidate: duckdb.DuckDBPyConnection, kpi_id: str) -> None:
    _, (_, expected) = FIGURES[kpi_id]
    assert sorted(candidate.execute(CELLS, [kpi_id, "C"]).fetchall()) == sorted(expected)


@pytest.mark.parametrize(("kpi_id", "cell", "expected"), COUNTED)
def test_matters_are_what_was_counted_by_hand(
    candidate: duckdb.DuckDBPyConnection, kpi_id: str, cell: str, expected: dict[tuple[str, str], tuple[int, int]]
) -> None:
    found = [row for row in candidate.execute(CELLS, [kpi_id, "P"]).fetchall() if row[2] == cell]
    assert {(unit, str(day)): (numerator, denominator) for unit, day, _, numerator, denominator in found} == expected


def test_every_row_of_a_ledger_is_counted_or_left_out_for_a_reason(candidate: duckdb.DuckDBPyConnection) -> None:
    balances = candidate.execute(
        "select kpi_id, rows_current, is_balanced from kpi_balance where list_contains($1, kpi_id)", [list(FIGURES)]
    ).fetchall()
    delivered = {kpi_id: sum(row.get("row_count", 1) for row in rows) for kpi_id, (_, (rows, _)) in FIGURES.items()}
    assert {kpi_id: rows for kpi_id, rows, _ in balances} == delivered
    assert {is_balanced for *_, is_balanced in balances} == {True}


def test_every_row_is_counted_or_left_out_for_a_reason(candidate: duckdb.DuckDBPyConnection) -> None:
    assert candidate.execute("select * from kpi_balance where not is_balanced").fetchall() == []


def test_every_matter_is_counted_or_left_out_once(candidate: duckdb.DuckDBPyConnection) -> None:
    unbalanced = candidate.execute(
        """
        with delivered as (
            select rule.kpi_id, sum(matter.row_count) as matters
            from stg_matter as matter inner join matter_kind as rule on matter.kind = rule.kind
            group by rule.kpi_id
        ),
        accounted as (
            select counted.kpi_id, sum(case when cell like 'excluded:%' or counted.kpi_id = 'CMP-1' then numerator else denominator end) as matters
            from fct_kpi_count as counted inner join matter_kind as rule on counted.kpi_id = rule.kpi_id
            where cell = '' or cell like 'excluded:%'
            group by counted.kpi_id
        )
        select kpi_id, delivered.matters, accounted.matters
        from delivered left join accounted using (kpi_id)
        where delivered.matters is distinct from accounted.matters
        """
    ).fetchall()
    assert unbalanced == []


def expected_rows(path: Path) -> Iterator[dict[str, Any]]:
    for test in yaml.safe_load(path.read_text(encoding="utf-8")).get("unit_tests", []):
        yield from (row for row in test["expect"].get("rows", []) if isinstance(row, dict))


def test_every_kpi_of_the_catalogue_is_counted_by_hand() -> None:
    """Here, or in a dbt unit test that expects the figure itself on its day."""
    with (DBT / "seeds" / "kpi_catalogue.csv").open(encoding="utf-8") as text:
        catalogue = {row["kpi_id"] for row in csv.DictReader(text)}
    here = {kpi_id for group in GROUPS for kpi_id in group.counted} | set(FIGURES) | {kpi_id for kpi_id, cell, _ in COUNTED if cell == ""}
    in_unit_tests = {
        row["kpi_id"]
        for path in (DBT / "models").rglob("*.yml")
        for row in expected_rows(path)
        if {"kpi_id", "day", "cell"} <= row.keys() and row["cell"] == ""
    }
    assert catalogue - here - in_unit_tests == set()
