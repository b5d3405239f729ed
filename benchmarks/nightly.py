"""What one night costs after 1, 2 and 4 years of history, phases apart.

``python -m benchmarks.nightly [--years N …] [--counties N] [--stations N] [--scale X] [--repeat N] [--scratch DIR] [--json FILE]``

For every length of history the city is simulated and pooled up to the last night but ``repeat``; each of those is then processed in a
cold process of its own, of which wall and processor seconds are taken by phase. The ratios to the shortest history are what the targets
speak of: ingest and dbt together at most 1.1, gate and release at most 2. The processor seconds of the gate include those of Great
Expectations' own process, of which the import does not grow.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import file_to_write
from dagster_project.city.simulate import FIRST_NIGHT, simulate
from dagster_project.home import Home

DAYS_OF_YEAR = 365
NIGHTS = 7
BUILD = ("pull", "ingest", "pool", "dbt")
AUDIT = ("gate and release",)
TARGETS = {"ingest and dbt": 1.1, "gate and release": 2.0}
ONE_NIGHT = """
import datetime as dt, json, sys
from pathlib import Path
from dagster_project.defs.runs import process_nights
from dagster_project.home import Home
from dagster_project.progress import PROGRESS
home, landing, first, last = sys.argv[1:]
outcome = process_nights(Home.at(home, landing), dt.date.fromisoformat(first), dt.date.fromisoformat(last))
if not outcome.succeeded:
    raise SystemExit("\\n".join(outcome.lines))
print(json.dumps({"wall": PROGRESS.phase_seconds, "cpu": PROGRESS.phase_cpu_seconds}))
"""


def process(home: Path, landing: Path, first: dt.date, last: dt.date) -> dict[str, dict[str, float]]:
    """Wall and processor seconds of every phase of one run, in a process of its own."""
    environment = {**os.environ, "POOL_HOME": str(home), "POOL_LANDING": str(landing), "DO_NOT_TRACK": "1"}
    command = [sys.executable, "-W", "ignore", "-c", ONE_NIGHT, str(home), str(landing), first.isoformat(), last.isoformat()]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, dict[str, float]] = json.loads(ended.stdout.splitlines()[-1])
    return measured


def prepare(folder: Path, history_days: int, *, repeat: int, nights: int = NIGHTS, **city: Any) -> list[dt.date]:
    """A home with so many days of history, up to the nights that are left to measure; ``city`` are arguments of ``simulate``."""
    shutil.rmtree(folder, ignore_errors=True)
    simulate(folder / "landing", history_days=history_days, nights=nights, **city)
    dates = [FIRST_NIGHT + dt.timedelta(days=n) for n in range(nights)]
    process(folder / "home", folder / "landing", dates[0], dates[-repeat - 1])
    return dates[-repeat:]


def measure(histories: Sequence[int], scratch: Path, *, repeat: int, **city: Any) -> list[dict[str, Any]]:
    """The cheapest of ``repeat`` single nights after each of these numbers of days."""
    folders = {days: scratch / f"days-{days}" for days in histories}
    nights = {}
    for days, folder in folders.items():
        nights[days] = prepare(folder, days, repeat=repeat, **city)
        print(f"{days} days of history are pooled", file=sys.stderr, flush=True)
    return in_turns({days: Home.at(folder / "home", folder / "landing") for days, folder in folders.items()}, nights)


def in_turns(homes: Mapping[int, Home], nights: Mapping[int, Sequence[dt.date]]) -> list[dict[str, Any]]:
    """What a night cost at its cheapest, of every home (by the days of its history).

    The nights of all homes take turns, so that a machine that becomes slower meanwhile is as slow for each of them.
    """
    runs: dict[int, list[dict[str, dict[str, float]]]] = {days: [] for days in homes}
    for turn in zip(*(nights[days] for days in homes), strict=True):
        for (days, home), night in zip(homes.items(), turn, strict=True):
            runs[days].append(process(home.root, home.landing, night, night))
            print(f"{days} days, {night}: {runs[days][-1]}", file=sys.stderr, flush=True)
    return with_ratios([summed(days, runs[days], rows_in_kpi(home.root)) for days, home in homes.items()])


def summed(days: int, runs: Sequence[dict[str, dict[str, float]]], rows: int) -> dict[str, Any]:
    """The least seconds of every phase over the runs, and their sums on both sides of the candidate."""
    best = {kind: {phase: min(run[kind].get(phase, 0.0) for run in runs) for phase in runs[0][kind]} for kind in ("wall", "cpu")}
    row: dict[str, Any] = {"days": days}
    for name, phases in (("ingest and dbt", BUILD), ("gate and release", AUDIT)):
        for kind in ("wall", "cpu"):
            row[f"{name}, {kind} s"] = round(sum(best[kind].get(phase, 0.0) for phase in phases), 2)
    row["phases"] = {kind: {phase: round(seconds, 2) for phase, seconds in best[kind].items()} for kind in ("wall", "cpu")}
    row["rows in kpi"] = rows
    return row


def rows_in_kpi(home: Path) -> int:
    import duckdb

    with duckdb.connect(str(home / "published" / "current" / "kpi.duckdb"), read_only=True) as connection:
        return int(connection.sql("select count(*) from kpi").fetchall()[0][0])


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row with its ratios to the first, of processor seconds: they hold on a busy machine too."""
    first = rows[0]
    return [{**row, **{f"{name}, ratio": round(row[f"{name}, cpu s"] / first[f"{name}, cpu s"], 3) for name in TARGETS}} for row in rows]


def show(rows: list[dict[str, Any]]) -> None:
    names = [name for name in rows[0] if name != "phases"]
    widths = [max(len(name), 10) for name in names]
    print("  ".join(name.rjust(width) for name, width in zip(names, widths, strict=True)))
    for row in rows:
        print("  ".join(f"{row[name]:,}".rjust(width) for name, width in zip(names, widths, strict=True)))
    print("targets: " + ", ".join(f"{name} at most {target}" for name, target in TARGETS.items()))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nightly", description=__doc__)
    parser.add_argument("--years", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--counties", type=int, default=3)
    parser.add_argument("--stations", type=int, default=2)
    parser.add_argument("--scale", type=float, default=0.02)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--json", type=file_to_write)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = asked.scratch or Path(temporary)
        city = {"counties": asked.counties, "stations_per_county": asked.stations, "scale": asked.scale}
        rows = measure([years * DAYS_OF_YEAR for years in asked.years], scratch, repeat=asked.repeat, **city)
    show(rows)
    print(json.dumps(rows))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
