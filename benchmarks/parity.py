"""One pool built by the same dbt models on DuckDB and on Spark, every table compared row by row.

Run: ``python -m benchmarks.parity`` simulates a small city, takes its deliveries in once, builds both and says what differs, by table,
column and example rows; ``--default-city`` takes the city of ``pool simulate``, ``--home DIR`` a pool that is there already (nothing in
it is changed). Exit 1 if anything differs. Needs ``make spark`` and Java 17.

Equal means: the same rows by key; counts, codes, dates and verdicts the same; derived doubles (and decimals of twelve places, which were
doubles before they were summed) within 1e-9 of each other; every dbt test with the same outcome and the same number of failing rows.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.city.simulate import simulate
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.home import Home
from dagster_project.ingest.control import write_control
from dagster_project.ingest.deidentify import create_key
from dagster_project.ingest.night import ingest_source
from dagster_project.ingest.pool import ensure_entities

DBT = Path(__file__).resolve().parents[1] / "dbt"
LOCAL_SPARK = DBT / "spark_local"
SMALL_CITY: Mapping[str, Any] = {"history_days": 160, "counties": 2, "stations_per_county": 2, "scale": 0.012, "nights": 7}
TOLERANCE = 1e-9
DERIVED = ("DOUBLE", "FLOAT", "DECIMAL(38,12)")
EXAMPLES = 3
EXAMPLE_WIDTH = 300
# Tag of tables that hold what an engine remembers of its own builds.
OF_ONE_ENGINE = "of_one_engine"
# Of tables whose YAML declares no key by the test valid_table.
KEYS: Mapping[str, tuple[str, ...]] = {
    "kpi": ("kpi_id", "unit_code", "slice", "grain", "period_end"),
    "unit": ("unit_code",),
    "pool_inventory": ("source_id",),
    "receipt": ("source", "batch", "file"),
}


@dataclass(frozen=True)
class Difference:
    """Where the engines disagree: ``column`` is empty where whole rows are there on one of them only."""

    table: str
    column: str
    rows: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        what = f"column {self.column}" if self.column else "rows on one engine only"
        return "\n".join([f"{self.table}: {what}: {self.rows} row(s) differ", *(f"    {example}" for example in self.examples)])


@dataclass(frozen=True)
class Parity:
    """What was compared, and what differs, in the order in which the tables are built: the first difference is the cause."""

    tables: int
    rows: int
    differences: tuple[Difference, ...]


def what_is_missing() -> str | None:
    """Why Spark cannot run here; None if it can."""
    if importlib.util.find_spec("pyspark") is None or importlib.util.find_spec("dbt.adapters.spark") is None:
        return "pyspark and dbt-spark are not installed: make spark"
    if shutil.which("java") is None:
        return "there is no java on the PATH: install Java 17, on Debian the package default-jre-headless"
    return None


def build(home: Path, engine: str, *arguments: str) -> Path:
    """Build the models of ``home`` on an engine, ``duckdb`` or ``spark``; returns dbt's target folder.

    Raises RuntimeError with dbt's own words when a model fails.
    """
    target = home / "warehouse" / f"dbt_{engine}"
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "build", "--exclude-resource-type", "unit_test", *arguments]
    options = ["--target", engine, "--project-dir", str(DBT), "--profiles-dir", str(DBT)]
    environment = {
        "SPARK_CONF_DIR": str(LOCAL_SPARK),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(home / "scratch"),
        **os.environ,
        "POOL_HOME": str(home),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"dbt build on {engine} failed:\n{done.stdout}\n{done.stderr}")
    return target


def compare(home: Path, duckdb_target: Path, spark_target: Path) -> Parity:
    """Compare what both builds left in ``home``: the candidate of DuckDB, and the folders of Parquet files of Spark."""
    manifest = json.loads((duckdb_target / "manifest.json").read_text(encoding="utf-8"))
    differences: list[Difference] = []
    total = 0
    with duckdb.connect(str(home / "warehouse" / "candidate.duckdb"), read_only=True) as connection:
        tables = list(_tables_as_built(manifest))
        for table, key in tables:
            files = home / "warehouse" / "spark" / table
            total += _count(connection, table)
            differences += compare_table(connection, table, f"read_parquet('{files}/*.parquet')", key)
    differences += _test_differences(duckdb_target, spark_target)
    return Parity(len(tables), total, tuple(differences))


def compare_table(connection: duckdb.DuckDBPyConnection, table: str, other: str, key: Sequence[str]) -> list[Difference]:
    """Rows of ``table`` (as DuckDB built it) against those of the relation ``other`` (as Spark did), paired by ``key``.

    Without a key rows are paired by everything but their doubles. Rows alike in their key are paired in the order of their doubles.
    """
    own, others = _columns(connection, table), _columns(connection, other)
    if list(own) != list(others):
        return [Difference(table, ", ".join(sorted(set(own) ^ set(others))) or "order of columns", 0, (str(list(own)), str(list(others))))]
    doubles = [name for name, kind in own.items() if kind in DERIVED]
    paired_by = list(key) or [name for name in own if name not in doubles]
    connection.execute(f"create or replace temporary table pair as {_pairing(table, other, list(own), paired_by, doubles)}")
    found = [_missing(connection, table, paired_by)]
    found += [_unequal(connection, table, name, paired_by, name in doubles) for name in own if name not in paired_by]
    return [difference for difference in found if difference.rows]


def _pairing(table: str, other: str, columns: list[str], paired_by: list[str], doubles: list[str]) -> str:
    order = ", ".join(doubles) or "1"

    def numbered(relation: str) -> str:
        return f"select *, row_number() over (partition by {', '.join(paired_by)} order by {order}) as twin from {relation}"

    same_key = " and ".join(f"d.{name} is not distinct from s.{name}" for name in [*paired_by, "twin"])
    sides = ", ".join(f"d.{name} as d_{name}, s.{name} as s_{name}" for name in [*columns, "twin"])
    return f"select {sides} from ({numbered(table)}) as d full outer join ({numbered(other)}) as s on {same_key}"


def _missing(connection: duckdb.DuckDBPyConnection, table: str, paired_by: list[str]) -> Difference:
    shown = ", ".join(f"coalesce(d_{name}, s_{name}) as {name}" for name in paired_by)
    where = "d_twin is null or s_twin is null"
    engine = "case when s_twin is null then 'DuckDB' else 'Spark' end as only_on"
    return _difference(connection, table, "", f"select {engine}, {shown} from pair where {where}")


def _unequal(connection: duckdb.DuckDBPyConnection, table: str, column: str, paired_by: list[str], is_double: bool) -> Difference:
    own, other = f"d_{column}", f"s_{column}"
    differ = f"{own} is distinct from {other}"
    if is_double:
        own, other = f"cast({own} as double)", f"cast({other} as double)"
        near = f"isfinite({own}) and isfinite({other}) and abs({own} - {other}) <= {TOLERANCE} * greatest(abs({own}), abs({other}))"
        differ += f" and not coalesce({near}, false)"
    shown = ", ".join(f"d_{name} as {name}" for name in paired_by)
    where = f"d_twin is not null and s_twin is not null and {differ}"
    return _difference(connection, table, column, f"select {shown}, {own} as duckdb, {other} as spark from pair where {where}")


def _difference(connection: duckdb.DuckDBPyConnection, table: str, column: str, query: str) -> Difference:
    rows = _count(connection, f"({query})")
    if not rows:
        return Difference(table, column, 0, ())
    cursor = connection.execute(f"select * from ({query}) order by all limit {EXAMPLES}")
    names = [name for name, *_ in cursor.description]
    examples = (", ".join(f"{name} {value}" for name, value in zip(names, row, strict=True)) for row in cursor.fetchall())
    return Difference(table, column, rows, tuple(example[:EXAMPLE_WIDTH] for example in examples))


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    assert row is not None
    return int(row[0])


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {name: kind for name, kind, *_ in connection.execute(f"describe select * from {relation}").fetchall()}


def _tables_as_built(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    nodes = manifest["nodes"]
    keys: dict[str, Sequence[str]] = dict(KEYS)
    for node in nodes.values():
        if (node.get("test_metadata") or {}).get("name") == "valid_table" and node.get("attached_node") in nodes:
            keys[nodes[node["attached_node"]]["name"]] = node["test_metadata"]["kwargs"]["key"]
    tables = {name for name, node in nodes.items() if node["resource_type"] in ("seed", "model")}
    depends = {name: [d for d in nodes[name]["depends_on"].get("nodes", ()) if d in tables] for name in sorted(tables)}
    for name in TopologicalSorter(depends).static_order():
        if OF_ONE_ENGINE not in nodes[name].get("tags", ()):
            yield nodes[name]["name"], keys.get(nodes[name]["name"], ())


def _test_outcomes(target: Path) -> dict[str, tuple[str, int | None]]:
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    return {r["unique_id"]: (r["status"], r["failures"]) for r in results if r["unique_id"].startswith("test.")}


def _test_differences(duckdb_target: Path, spark_target: Path) -> list[Difference]:
    own, other = _test_outcomes(duckdb_target), _test_outcomes(spark_target)
    return [
        Difference(test, "outcome of the test", 1, (f"duckdb {own.get(test)}, spark {other.get(test)}",))
        for test in sorted(own.keys() | other.keys())
        if own.get(test) != other.get(test)
    ]


def pool_a_city(folder: Path, **size: Any) -> Path:
    """Simulate a city, take its deliveries in and return the home."""
    delivered = simulate(folder / "landing", seed=11, **size)
    home = Home.at(folder / "home", folder / "landing").ensure()
    create_key(home)
    catalogue = load_catalogue([PROJECT_SOURCES])
    city = [contract for contract in catalogue.contracts if contract.group == "city"]
    for contract in city:
        ingest_source(home, contract, catalogue.entity_of(contract), delivered.last_night)
    ensure_entities(home, catalogue.entities)
    write_control(home, city, delivered.last_night, catalogue.entities)
    return home.root


def beside(home: Path, folder: Path) -> Path:
    """A home over the pool of another, which stays as it is: the builds are written here."""
    (folder / "warehouse").mkdir(parents=True)
    (folder / "scratch").mkdir()
    (folder / "pool").symlink_to(home / "pool", target_is_directory=True)
    shutil.copytree(home / "warehouse" / "control", folder / "warehouse" / "control")
    return folder


def measure(home: Path) -> Parity:
    """Build ``home`` on both engines and compare; prints what each took."""
    targets = {}
    for engine in ("duckdb", "spark"):
        started = time.perf_counter()
        targets[engine] = build(home, engine)
        print(f"  {engine}: built in {time.perf_counter() - started:.0f} s", flush=True)
    return compare(home, targets["duckdb"], targets["spark"])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.parity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--default-city", action="store_true", help="the city of pool simulate in place of a small one")
    parser.add_argument("--home", type=Path, help="a home whose pool is there already")
    asked = parser.parse_args(arguments)
    missing = what_is_missing()
    if missing:
        print(f"parity: {missing}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pooled = Home.at(asked.home).root if asked.home else pool_a_city(folder / "city", **({} if asked.default_city else SMALL_CITY))
        parity = measure(beside(pooled, folder / "both"))
    for difference in parity.differences:
        print(difference)
    print(f"{parity.tables} tables of {parity.rows} rows: {len(parity.differences)} difference(s) between DuckDB and Spark")
    return 1 if parity.differences else 0


if __name__ == "__main__":
    sys.exit(main())
