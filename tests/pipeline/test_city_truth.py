"""What is counted from the pool of the simulated city, against the truth that the city counted from its own world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from city_pool import Pooled
from small_pool import run_dbt

from benchmarks.truth import differences
from dagster_project.city.truth import COVERED


@pytest.fixture(scope="module")
def counted(pooled_city: Pooled) -> Iterator[duckdb.DuckDBPyConnection]:
    home = pooled_city.home
    done = run_dbt(home.root, "build", "--select", "+fct_kpi_count", "--resource-type", "model", "--resource-type", "seed")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home.candidate}' as candidate (read_only)")
        yield connection


@pytest.fixture(scope="module")
def different(counted: duckdb.DuckDBPyConnection, pooled_city: Pooled) -> dict[str, list[tuple[Any, ...]]]:
    of_kpi: dict[str, list[tuple[Any, ...]]] = {kpi_id: [] for kpi_id in COVERED}
    for row in differences(counted, "candidate.fct_kpi_count", pooled_city.landing):
        of_kpi.setdefault(row[0], []).append(row)
    return of_kpi


@pytest.mark.parametrize("kpi_id", sorted(COVERED))
def test_the_pool_counts_what_happened(different: dict[str, list[tuple[Any, ...]]], kpi_id: str) -> None:
    assert different[kpi_id][:10] == []


def test_nothing_is_counted_that_the_truth_does_not_know(different: dict[str, list[tuple[Any, ...]]]) -> None:
    assert set(different) == set(COVERED)


def test_every_covered_figure_is_counted_at_all(counted: duckdb.DuckDBPyConnection) -> None:
    found = {kpi_id for (kpi_id,) in counted.execute("select distinct kpi_id from candidate.fct_kpi_count").fetchall()}
    assert {kpi_id for kpi_id in COVERED if "365" not in kpi_id and "180" not in kpi_id} <= found
