"""What is counted from the pool of the simulated city, against the truth that the city counted from its own world."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from city_pool import Pooled
from small_pool import run_dbt

from dagster_project.city.truth import COVERED

DIFFERENCES = """
with pooled as (
    select kpi_id, unit_code, day, cell, numerator, denominator
    from candidate.fct_kpi_count
    where kpi_id = $kpi_id
        and (numerator <> 0 or denominator <> 0)
        and len(list_filter($patterns, lambda pattern : cell = pattern or (pattern <> '' and starts_with(cell, pattern || ':')))) > 0
),
truth as (select * from read_parquet($truth) where kpi_id = $kpi_id)
select
    kpi_id, unit_code, cast(day as varchar) as day, cell,
    truth.numerator, truth.denominator, pooled.numerator as pooled_numerator, pooled.denominator as pooled_denominator
from truth full outer join pooled using (kpi_id, unit_code, day, cell)
where (truth.numerator, truth.denominator) is distinct from (pooled.numerator, pooled.denominator)
order by kpi_id, day, unit_code, cell
"""


@pytest.fixture(scope="module")
def counted(pooled_city: Pooled) -> Iterator[duckdb.DuckDBPyConnection]:
    home = pooled_city.home
    done = run_dbt(home.root, "build", "--select", "+fct_kpi_count", "--resource-type", "model", "--resource-type", "seed")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home.candidate}' as candidate (read_only)")
        yield connection


@pytest.mark.parametrize("kpi_id", sorted(COVERED))
def test_the_pool_counts_what_happened(counted: duckdb.DuckDBPyConnection, pooled_city: Pooled, kpi_id: str) -> None:
    truth = str(pooled_city.landing / "truth" / "kpi_count.parquet")
    differences = counted.execute(DIFFERENCES, {"kpi_id": kpi_id, "patterns": list(COVERED[kpi_id]), "truth": truth}).fetchall()
    assert differences[:10] == []


def test_every_covered_figure_is_counted_at_all(counted: duckdb.DuckDBPyConnection) -> None:
    found = {kpi_id for (kpi_id,) in counted.execute("select distinct kpi_id from candidate.fct_kpi_count").fetchall()}
    assert {kpi_id for kpi_id in COVERED if "365" not in kpi_id and "180" not in kpi_id} <= found
