"""The order in which deliveries arrive, and that one arrives twice, changes no mart: as if all had been there from the beginning."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from collections import defaultdict
from pathlib import Path

import duckdb
import pytest
from small_pool import run_dbt

from dagster_project.city.simulate import simulate
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.home import Home
from dagster_project.ingest.control import write_control
from dagster_project.ingest.deidentify import KEY_FILE
from dagster_project.ingest.landing import discover
from dagster_project.ingest.night import ingest_source
from dagster_project.ingest.pool import ensure_entities
from dagster_project.release.content import outside_content, table_content

FIRST_NIGHT = dt.date(2025, 3, 1)
LAST_NIGHT = dt.date(2025, 3, 5)


def take_in(home: Home, night: dt.date = LAST_NIGHT) -> None:
    """Ingest everything of the city that lies in landing and is new or changed, and leave the pool as of a night."""
    catalogue = load_catalogue([PROJECT_SOURCES])
    city = [contract for contract in catalogue.contracts if contract.group == "city"]
    for contract in city:
        ingest_source(home, contract, catalogue.entity_of(contract), LAST_NIGHT)
    ensure_entities(home, catalogue.entities)
    write_control(home, city, night, catalogue.entities)


def contents(home: Home) -> dict[str, str]:
    """Table to content hash, of every mart of the candidate built from the pool of a home."""
    done = run_dbt(home.root, "build", "--resource-type", "model", "--resource-type", "seed")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home.candidate}' as candidate (read_only)")
        names = connection.execute(
            "select table_name from information_schema.tables where table_catalog = 'candidate' and table_schema = 'main' "
            "and (table_name like 'mart_%' or table_name in ('kpi', 'fct_kpi_count', 'unit', 'kpi_balance', 'reconciliation'))"
        ).fetchall()
        return {
            name: table_content(connection, f'candidate.main."{name}"', outside_content(name)).content_hash for (name,) in sorted(names)
        }


def home_of(root: Path, key: str) -> Home:
    home = Home.at(root, root / "landing").ensure()
    home.landing.mkdir(parents=True, exist_ok=True)
    (home.secrets / KEY_FILE).write_text(key, encoding="ascii")
    (home.secrets / KEY_FILE).chmod(0o600)
    return home


def batches(landing: Path) -> dict[dt.date, list[Path]]:
    """Every delivered file by the date of its batch."""
    found: defaultdict[dt.date, list[Path]] = defaultdict(list)
    for contract in load_catalogue([PROJECT_SOURCES]).contracts:
        for file in discover(contract, landing)[0]:
            found[file.batch_date].append(landing / file.relative_path)
    return found


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    landing = tmp_path_factory.mktemp("delivered") / "landing"
    simulate(landing, seed=5, first_night=FIRST_NIGHT, nights=5, history_days=45, counties=1, stations_per_county=2, scale=0.006)
    return landing


def periods_summed_again(home: Home) -> int:
    """Periods of a KPI that the last build summed again; 0 for one that started anew."""
    with duckdb.connect(str(home.candidate), read_only=True) as connection:
        return int(connection.sql("select count(*) from int_kpi_touched_period where is_counted").fetchall()[0][0])


def test_shuffled_and_repeated_nights_built_one_on_the_other_give_the_marts_of_a_full_rebuild(delivered: Path, tmp_path: Path) -> None:
    key = "5a" * 32
    rebuilt = home_of(tmp_path / "rebuilt", key)
    shutil.copytree(delivered, rebuilt.landing, dirs_exist_ok=True)
    take_in(rebuilt)

    shuffled = home_of(tmp_path / "shuffled", key)
    by_date = batches(delivered)
    order = random.Random(7).sample(sorted(by_date), len(by_date))
    assert order != sorted(order)
    for date in [*order, order[1]]:
        for file in by_date[date]:
            arrived = shuffled.landing / file.relative_to(delivered)
            arrived.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, arrived)
        is_halfway = date == order[2]
        take_in(shuffled, LAST_NIGHT - dt.timedelta(days=2) if is_halfway else LAST_NIGHT)
        if is_halfway:
            halfway = contents(shuffled)
            assert periods_summed_again(shuffled) == 0

    expected = contents(rebuilt)
    assert {"kpi", "fct_kpi_count", "mart_clearance", "mart_fraud", "mart_community"} <= set(expected)
    assert halfway != expected
    assert contents(shuffled) == expected
    assert periods_summed_again(shuffled) > 0
