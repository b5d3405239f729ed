"""Published counts against the truth of the simulated city: cities of several sizes and seeds, a whole night each, every cell compared.

``python -m benchmarks.truth [--seed N …] [--size COUNTIESxSTATIONS@SCALE …] [--gaming STRENGTH] [--scratch DIR] [--json FILE]``

Sizes are those of ``pool simulate``: county bureaus, stations of each, share of a real city's volume. Exit 1 if a cell differs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.nightly import process
from benchmarks.results import file_to_write
from dagster_project.city.account import COUNTIES
from dagster_project.city.gaming import Gaming
from dagster_project.city.simulate import FIRST_NIGHT, NIGHTS, SCALE, STATIONS_PER_COUNTY, simulate
from dagster_project.city.truth import COVERED

SEEDS = (1, 2, 3)
TRUTH = Path("truth") / "kpi_count.parquet"
COMPARED = """
with covered as (select unnest($kpi_ids) as kpi_id, unnest($patterns) as pattern),
counted as (
    select kpi_id, unit_code, day, cell, numerator, denominator
    from {counts} as counts
    where (numerator <> 0 or denominator <> 0)
        and exists (
            select 1 from covered
            where covered.kpi_id = counts.kpi_id
                and (counts.cell = pattern or (pattern <> '' and starts_with(counts.cell, pattern || ':')))
        )
),
truth as (from read_parquet($truth))
select
    kpi_id, unit_code, cast(day as varchar) as day, cell,
    truth.numerator, truth.denominator, counted.numerator as counted_numerator, counted.denominator as counted_denominator
from truth full outer join counted using (kpi_id, unit_code, day, cell)
"""
DIFFERENT = f"""
select * from ({COMPARED})
where (numerator, denominator) is distinct from (counted_numerator, counted_denominator)
order by kpi_id, day, unit_code, cell
"""


@dataclass(frozen=True)
class Size:
    counties: int
    stations_per_county: int
    scale: float

    @classmethod
    def of(cls, text: str) -> Size:
        """From '3x4@0.02'. Raises argparse.ArgumentTypeError."""
        found = re.fullmatch(r"(\d+)x(\d+)@([\d.]+)", text)
        if not found:
            raise argparse.ArgumentTypeError(f"{text} is no size: write COUNTIESxSTATIONS@SCALE, as in 3x4@0.02")
        return cls(int(found[1]), int(found[2]), float(found[3]))

    def __str__(self) -> str:
        return f"{self.counties}x{self.stations_per_county}@{self.scale:g}"


SIZES = (Size(COUNTIES, STATIONS_PER_COUNTY, SCALE), Size(3, 4, 4 * SCALE))


@dataclass(frozen=True)
class Compared:
    """What came of one city: cells (kpi × unit × day × cell) on either side, KPIs among them, and how many cells differ."""

    size: str
    seed: int
    gaming: float
    kpis: int
    cells: int
    different: int
    examples: tuple[tuple[Any, ...], ...]


def _covered(truth: Path) -> dict[str, object]:
    pairs = [(kpi_id, pattern) for kpi_id, patterns in COVERED.items() for pattern in patterns]
    return {"kpi_ids": [kpi_id for kpi_id, _ in pairs], "patterns": [pattern for _, pattern in pairs], "truth": str(truth)}


def differences(connection: duckdb.DuckDBPyConnection, counts: str, landing: Path) -> list[tuple[Any, ...]]:
    """Every cell of the table ``counts`` and of the truth below ``landing`` without its equal on the other side.

    A row is kpi_id, unit_code, day, cell, then numerator and denominator of the truth and of the table (null where there is no row).
    """
    return connection.execute(DIFFERENT.format(counts=counts), _covered(landing / TRUTH)).fetchall()


def compare(size: Size, seed: int, gaming: float, folder: Path) -> Compared:
    """Simulate one city into ``folder``, process its nights into a release, and compare the release's counts."""
    shutil.rmtree(folder, ignore_errors=True)
    landing, home = folder / "landing", folder / "home"
    games = Gaming(gaming) if gaming else None
    simulate(landing, seed=seed, counties=size.counties, stations_per_county=size.stations_per_county, scale=size.scale, gaming=games)
    process(home, landing, FIRST_NIGHT, FIRST_NIGHT + dt.timedelta(days=NIGHTS - 1))
    with duckdb.connect(str(home / "published" / "current" / "kpi.duckdb"), read_only=True) as connection:
        different = differences(connection, "fct_kpi_count", landing)
        counted = connection.execute(
            f"select count(distinct kpi_id), count(*) from ({COMPARED.format(counts='fct_kpi_count')})", _covered(landing / TRUTH)
        ).fetchone()
    assert counted is not None
    return Compared(str(size), seed, gaming, *counted, len(different), tuple(different[:5]))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--size", type=Size.of, nargs="+", default=list(SIZES))
    parser.add_argument("--gaming", type=float, default=0.0)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--json", type=file_to_write)
    asked = parser.parse_args(arguments)
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        for size in asked.size:
            for seed in asked.seed:
                results.append(compare(size, seed, asked.gaming, (asked.scratch or Path(temporary)) / f"{size}-{seed}"))
                one = results[-1]
                print(f"{one.size:>10}  seed {one.seed}  {one.kpis} KPIs  {one.cells:>9,} cells  {one.different} differ", flush=True)
                for example in one.examples:
                    print(f"    {example}")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in results], indent=2, default=str) + "\n", encoding="utf-8")
    sys.exit(any(one.different for one in results))


if __name__ == "__main__":
    main()
