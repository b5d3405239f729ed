"""Two systems of the city that deliver no files, pulled night by night through the Dagster step that every source goes through."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from servers import Postgres, postgres, postgres_folder

from dagster_project.city.clock import seconds_of
from dagster_project.city.servers import PagedApi, Unreliable, dispatch_orders, feedback_forms, load_orders, serve
from dagster_project.city.world import World, live
from dagster_project.contracts.load import load_catalogue
from dagster_project.defs import runs
from dagster_project.defs.sources import ingest_step
from dagster_project.extract import rest
from dagster_project.home import Home

PULLED = Path(__file__).resolve().parents[1] / "pulled"
FIRST_DAY, FIRST_NIGHT = dt.date(2025, 1, 1), dt.date(2025, 2, 1)
NIGHTS = [FIRST_NIGHT + dt.timedelta(days=n) for n in range(4)]


@dataclass
class City:
    """The world, its two servers, and a home that pulls from them."""

    world: World
    database: Postgres
    api: PagedApi
    home: Home

    def live_until(self, night: dt.date) -> int:
        until = seconds_of(night + dt.timedelta(days=1))
        load_orders(self.database.dsn, self.world, until)
        self.api.records = feedback_forms(self.world, until)
        return until

    def run(self, night: dt.date) -> dict[str, dict[str, bool]]:
        """One night of both sources; by source, which of its checks passed."""
        catalogue = load_catalogue([PULLED])
        step = ingest_step("dispatch", [c for c in catalogue.contracts if c.domain == "dispatch"], catalogue.entities)
        result = dg.materialize([step], partition_key=night.isoformat(), instance=dg.DagsterInstance.ephemeral())
        assert result.success
        passed: dict[str, dict[str, bool]] = {}
        for check in result.get_asset_check_evaluations():
            passed.setdefault(check.asset_key.path[-1], {})[check.check_name] = check.passed
        return passed

    def pool(self, source: str, columns: str) -> list[tuple[Any, ...]]:
        """The present state of every form."""
        files = f"{self.home.pool}/dispatch/source={source}/*.parquet"
        newest = "row_number() over (partition by form_id order by record_version desc, batch_date desc) = 1"
        return duckdb.sql(f"select {columns} from read_parquet('{files}') qualify {newest} order by form_id").fetchall()


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[City]:
    if postgres_folder() is None:
        pytest.skip("PostgreSQL's server programs are not installed (apt-get install postgresql)")
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
    world = live(5, FIRST_DAY, NIGHTS[-1], 2, 2, 0.012)
    home = Home.at(tmp_path / "home").ensure()
    api = PagedApi([], "city-token", unreliable=Unreliable(too_many=0.05, unavailable=0.05, broken_off=0.05, retry_after=0))
    with postgres() as database, serve(api):
        for name, value in {
            "POOL_HOME": str(home.root), "POOL_LANDING": str(home.landing), "CITY_DISPATCH_DATABASE": database.dsn,
            "CITY_FEEDBACK_API": api.address, "CITY_FEEDBACK_TOKEN": api.token,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield City(world, database, api, home)


def texts(rows: list[tuple[Any, ...]]) -> list[tuple[str | None, ...]]:
    return [tuple(None if cell is None else str(cell) for cell in row) for row in rows]


def test_nights_of_both_servers_hold_what_the_city_knows(city: City) -> None:
    for night in NIGHTS:
        until = city.live_until(night)
        if night == NIGHTS[2]:
            city.database.stop()
        passed = city.run(night)
        assert all(passed["feedback_form"].values()), "one server that is gone does not stop the other"
        assert passed["dispatch_order"] == {"balance": True, "delivery": True, "arrival": night < NIGHTS[2]}
        if night == NIGHTS[2]:
            city.database.start()
    orders = sorted((o["PJDBH"], o["JJDBH"], o["CJDWDM"], o["PJSJ"]) for o in dispatch_orders(city.world, until))
    assert texts(city.pool("dispatch_order", "form_id, call_id, unit_code, dispatched_at")) == orders
    forms = sorted((f["fkdbh"], f["ddxcsj"], f["jasj"]) for f in feedback_forms(city.world, until))
    assert texts(city.pool("feedback_form", "form_id, arrived_at, closed_at")) == forms
    assert len(orders) > 500 and len(forms) > 500
    landed = sorted(p.name for p in city.home.landing.rglob("*") if p.is_file())
    assert len(landed) == 2 * len(NIGHTS) - 1 and not any(name.startswith(".") for name in landed)
    everything = b"".join(p.read_bytes() for folder in (city.home.root,) for p in folder.rglob("*") if p.is_file()).decode("latin-1")
    assert [s for s in (city.database.password, city.api.token, f":{city.api.port}", f":{city.database.port}") if s in everything] == []
    assert "到场处置完毕" not in b"".join(p.read_bytes() for p in city.home.landing.rglob("*.ndjson")).decode()


def test_the_same_landing_gives_the_same_pool_without_any_server(city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    city.live_until(NIGHTS[0])
    city.run(NIGHTS[0])
    for name in ("CITY_DISPATCH_DATABASE", "CITY_FEEDBACK_API"):
        monkeypatch.delenv(name)
    replay = Home.at(tmp_path / "replay", city.home.landing).ensure()
    monkeypatch.setenv("POOL_HOME", str(replay.root))
    passed = replace(city, home=replay).run(NIGHTS[0])
    assert all(all(checks.values()) for checks in passed.values())
    for source in ("dispatch_order", "feedback_form"):
        assert replace(city, home=replay).pool(source, "*") == city.pool(source, "*")


def test_home_that_pulls_all_it_has_begins_with_the_last_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POOL_SOURCES", str(PULLED))
    home = Home.at(tmp_path / "home").ensure()
    with pytest.raises(runs.NotReadyError, match="no source of any group has a delivery"):
        runs.settle_groups(home, ())
    monkeypatch.setenv("CITY_FEEDBACK_API", "http://127.0.0.1:9")
    runs.settle_groups(home, ())
    assert home.enabled_groups() == ("city",)
    assert runs._last_delivered_night(home, NIGHTS[-1]) == NIGHTS[-1]
