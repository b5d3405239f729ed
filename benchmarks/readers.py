"""Readers who never pause, while releases come and go: nobody may meet an error, or a release that is not of one night.

``python -m benchmarks.readers [--readers N] [--publishes N] [--rollbacks N]``

Processes open ``published/current/kpi.duckdb`` again and again, half of them by path as an analyst's program would, half through the project,
while prepared candidates of a small home made by hand are published one night after the other, some releases are rolled back, and old ones
are removed. Every reader compares the version and the night of every table that it reads, and the figures with those of that night.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.audit.expectations import Worker
from dagster_project.home import Home
from dagster_project.release import gate_and_publish, list_releases, open_current, rollback

FIRST_NIGHT = dt.date(2024, 3, 1)
KEPT = 20
INCIDENTS_A_DAY = 7
FAULTS_KEPT = 3
MARTS = ("mart_incident", "mart_mediation")
OF_A_VERSION = " union ".join(("select version from release_info", *(f"select origin_release from {table}" for table in ("kpi", *MARTS))))
OF_A_NIGHT = """
    select as_of from release_info
    union select as_of from kpi
    union select max(day) from fct_kpi_count
    union select max(batch) from receipt
    union select max(period_end) from kpi where grain = 'day'
"""
INCIDENTS = """
    select sum(numerator) from fct_kpi_count where kpi_id = 'INC-1'
    union all select sum(numerator) from kpi where kpi_id = 'INC-1' and grain = 'day' and unit_code = 'C'
    union all select sum(numerator) from mart_incident where grain = 'day' and unit_code = 'C'
"""


@dataclass(frozen=True)
class Read:
    """What one reader met: how often it read and in how many versions, its longest read in seconds, and what was wrong."""

    by: str
    reads: int
    versions: int
    longest: float
    faults: tuple[str, ...]


def read_once(connection: duckdb.DuckDBPyConnection) -> tuple[str, list[str]]:
    """The version that a connection shows, and what does not fit it."""
    versions = [version for (version,) in connection.execute(OF_A_VERSION).fetchall()]
    nights = [night for (night,) in connection.execute(OF_A_NIGHT).fetchall()]
    figures = {figure for (figure,) in connection.execute(INCIDENTS).fetchall()}
    faults = []
    if len(versions) != 1 or len(nights) != 1 or not versions[0].startswith(f"{nights[0]:%Y%m%d}-"):
        faults.append(f"tables of versions {versions} and nights {nights}")
    elif figures != {INCIDENTS_A_DAY * ((nights[0] - FIRST_NIGHT).days + 1)}:
        faults.append(f"{versions[0]} shows {figures} incidents")
    return versions[0], faults


def _read_without_pause(root: Path, by: str, stop: Any, outcome: Any) -> None:
    home = Home.at(root)
    reads, longest, seen, faults = 0, 0.0, set(), []
    while not stop.is_set():
        began = time.perf_counter()
        try:
            with open_current(home) if by == "project" else duckdb.connect(str(home.current / "kpi.duckdb"), read_only=True) as connection:
                version, wrong = read_once(connection)
            seen.add(version)
            faults += wrong
        except Exception as problem:
            faults.append(f"{type(problem).__name__}: {problem}")
        reads, longest = reads + 1, max(longest, time.perf_counter() - began)
    outcome.put(Read(by, reads, len(seen), longest, (*faults[:FAULTS_KEPT], *([f"{len(faults)} faults in all"] if faults else []))))


class Prepared:
    """Candidates of a home by night, built before anybody reads, with the pool and the control tables that they were built from."""

    def __init__(self, pool: Any, kept: Path, nights: Sequence[dt.date]) -> None:
        self._kept = kept
        self._places = (pool.home.pool, pool.home.warehouse)
        for night in nights:
            pool.build(night)
            for place in self._places:
                shutil.copytree(place, self._of(night) / place.name)

    def put_in_place(self, night: dt.date) -> None:
        for place in self._places:
            shutil.rmtree(place)
            (self._of(night) / place.name).rename(place)

    def _of(self, night: dt.date) -> Path:
        return self._kept / night.isoformat()


def measure(scratch: Path, worker: Worker, readers: int, publishes: int, rollbacks: int) -> tuple[list[Read], dict[str, float]]:
    """What every reader met, and what was done meanwhile."""
    from tests.audit_home import AuditHome

    pool = AuditHome(scratch / "home", first_day=FIRST_NIGHT)
    pool.home.settings_file.write_text(json.dumps({"groups": ["city"], "retention": {"last": KEPT, "days": 0, "month_ends": False}}))
    context = multiprocessing.get_context("spawn")
    stop, outcome = context.Event(), context.Queue()
    processes = [
        context.Process(target=_read_without_pause, args=(pool.root, "path" if n % 2 else "project", stop, outcome)) for n in range(readers)
    ]

    nights = [FIRST_NIGHT + dt.timedelta(days=n) for n in range(publishes + 1)]
    prepared = Prepared(pool, scratch / "prepared", nights)

    def publish(night: dt.date) -> None:
        prepared.put_in_place(night)
        if not gate_and_publish(pool.home, night, pool.contracts, worker=worker).became_current:
            raise AssertionError(f"the night {night} did not become current")

    publish(FIRST_NIGHT)
    for process in processes:
        process.start()
    began = time.perf_counter()
    try:
        for n in range(1, publishes + 1):
            publish(nights[n])
            if n * rollbacks // publishes > (n - 1) * rollbacks // publishes:
                rollback(pool.home, list_releases(pool.home)[-3].version)
    finally:
        stop.set()
        seconds = time.perf_counter() - began
        met = [outcome.get(timeout=120) for _ in processes]
        for process in processes:
            process.join(timeout=60)
    return met, {"seconds": seconds, "removed": publishes + 1 - len(list_releases(pool.home))}


def table(met: Sequence[Read]) -> str:
    lines = ["| opens by | reads | versions seen | longest read, s | faults |", "|---|---|---|---|---|"]
    lines += [f"| {r.by} | {r.reads:,} | {r.versions} | {r.longest:.2f} | {'; '.join(r.faults) or 'none'} |" for r in met]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=__doc__)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--publishes", type=int, default=50)
    parser.add_argument("--rollbacks", type=int, default=5)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch, Worker() as worker:
        met, about = measure(Path(scratch), worker, asked.readers, asked.publishes, asked.rollbacks)
    print(table(met))
    reads, faults = sum(r.reads for r in met), sum(len(r.faults) for r in met)
    print(
        f"{reads:,} reads by {asked.readers} readers through {asked.publishes} publishes and {asked.rollbacks} rollbacks "
        f"in {about['seconds']:.0f} s, {about['removed']:.0f} releases removed meanwhile: {faults} faults"
    )
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
