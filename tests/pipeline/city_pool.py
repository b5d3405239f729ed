"""The simulated city in a pool, for tests of what becomes of its rows and of what is counted from them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dagster_project.city.gaming import Gaming
from dagster_project.city.simulate import simulate
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.home import Home
from dagster_project.ingest.control import write_control
from dagster_project.ingest.deidentify import create_key
from dagster_project.ingest.night import SourceResult, ingest_source
from dagster_project.ingest.pool import ensure_entities

FIRST_NIGHT = dt.date(2025, 3, 1)
LAST_NIGHT = dt.date(2025, 3, 7)
GAMING = Gaming(0.6, since=dt.date(2024, 12, 20))


@dataclass(frozen=True)
class Pooled:
    """A city's deliveries and the home that took them in."""

    landing: Path
    home: Home
    results: dict[str, SourceResult]

    def truth(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.landing / "truth" / f"{name}.parquet").to_pylist()
        return rows

    def rows(self, folder: Path) -> list[dict[str, Any]]:
        return [row for path in sorted(folder.glob("**/batch=*.parquet")) for row in pq.ParquetFile(path).read().to_pylist()]


def pool_city(folder: Path) -> Pooled:
    """Simulate a city of four stations, with half a year of history and a week of nights, and take its deliveries in.

    Half of its stations shape their figures for the last months, so that what is counted of that is more than nothing.
    """
    landing = folder / "landing"
    simulate(
        landing, seed=11, first_night=FIRST_NIGHT, nights=7, history_days=160, counties=2, stations_per_county=2, scale=0.012, gaming=GAMING
    )
    home = Home.at(folder / "home", landing).ensure()
    create_key(home)
    catalogue = load_catalogue([PROJECT_SOURCES])
    city = [contract for contract in catalogue.contracts if contract.group == "city"]
    results = {contract.id: ingest_source(home, contract, catalogue.entity_of(contract), LAST_NIGHT) for contract in city}
    ensure_entities(home, catalogue.entities)
    write_control(home, city, LAST_NIGHT, catalogue.entities)
    return Pooled(landing, home, results)
