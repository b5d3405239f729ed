"""What one night costs after 1, 2 and 4 years of history, phases apart.

``python -m benchmarks.nightly [--years N …] [--counties N] [--stations N] [--scale X] [--repeat N] [--scratch DIR] [--json FILE]``

For every length of history the city is simulated and pooled up to the last night but ``repeat``; each of those is then processed in a
cold process of its own, of which wall and processor seconds are taken by phase. The nights are a week, for some systems deliver their whole
ledger once a week. What a night costs is the median. The ratios to the shortest history are what the targets speak of: ingest and dbt
together at most 1.1, gate and release at most 2. Each night is set against the same night of the other city, which took its turn beside
it: a machine that becomes slower is so for both. The median of these ratios is shown, and the least and the greatest of them, between which
that of all nights lies with probability 1 - 2 / 2^n (0.98 of seven; order statistics of the median, Conover, Practical Nonparametric
Statistics, 3.2). The processor seconds of the gate include those of Great Expectations' own process, of which the import does not grow.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import statistics
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
NIGHTS = 11
KINDS = ("wall", "cpu")
SIDES = {"ingest and dbt": ("pull", "ingest", "pool", "dbt"), "gate and release": ("gate and release",)}
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
    """What a night costs after each of these numbers of days, of ``repeat`` nights."""
    folders = {days: scratch / f"days-{days}" for days in histories}
    nights = {}
    for days, folder in folders.items():
        nights[days] = prepare(folder, days, repeat=repeat, **city)
        print(f"{days} days of history are pooled", file=sys.stderr, flush=True)
    return in_turns({days: Home.at(folder / "home", folder / "landing") for days, folder in folders.items()}, nights)


def in_turns(homes: Mapping[int, Home], nights: Mapping[int, Sequence[dt.date]]) -> list[dict[str, Any]]:
    """What a night cost in every home (by the days of its history); the nights of all homes take turns."""
    runs: dict[int, list[dict[str, dict[str, float]]]] = {days: [] for days in homes}
    for turn in zip(*(nights[days] for days in homes), strict=True):
        for (days, home), night in zip(homes.items(), turn, strict=True):
            runs[days].append(process(home.root, home.landing, night, night))
            print(f"{days} days, {night}: {runs[days][-1]}", file=sys.stderr, flush=True)
    shortest = next(iter(runs.values()))
    return [{**summed(days, runs[days], rows_in_kpi(home.root)), **ratios(shortest, runs[days])} for days, home in homes.items()]


def seconds(run: Mapping[str, Mapping[str, float]], kind: str, phases: Sequence[str]) -> float:
    return sum(run[kind].get(phase, 0.0) for phase in phases)


def summed(days: int, runs: Sequence[Mapping[str, Mapping[str, float]]], rows: int) -> dict[str, Any]:
    """The median seconds of every phase over the runs, and of their sums on both sides of the candidate."""
    row: dict[str, Any] = {"days": days}
    for name, phases in SIDES.items():
        for kind in KINDS:
            row[f"{name}, {kind} s"] = round(statistics.median(seconds(run, kind, phases) for run in runs), 2)
    row["phases"] = {
        kind: {phase: round(statistics.median(seconds(run, kind, [phase]) for run in runs), 2) for phase in runs[0][kind]} for kind in KINDS
    }
    row["rows in kpi"] = rows
    return row


def ratios(shortest: Sequence[Mapping[str, Mapping[str, float]]], runs: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, str]:
    """The median of the nights' ratios to those of the shortest history, with the least and the greatest."""
    found = {}
    for name, phases in SIDES.items():
        for kind in KINDS:
            nightly = [seconds(run, kind, phases) / seconds(first, kind, phases) for first, run in zip(shortest, runs, strict=True)]
            found[f"{name}, {kind} ratio"] = f"{statistics.median(nightly):.3f} ({min(nightly):.2f} to {max(nightly):.2f})"
    return found


def rows_in_kpi(home: Path) -> int:
    import duckdb

    with duckdb.connect(str(home / "published" / "current" / "kpi.duckdb"), read_only=True) as connection:
        return int(connection.sql("select count(*) from kpi").fetchall()[0][0])


def show(rows: list[dict[str, Any]]) -> None:
    names = [name for name in rows[0] if name != "phases"]
    widths = [max(len(name), 22) for name in names]
    print("  ".join(name.rjust(width) for name, width in zip(names, widths, strict=True)))
    for row in rows:
        values = [row[name] if isinstance(row[name], str) else f"{row[name]:,}" for name in names]
        print("  ".join(value.rjust(width) for value, width in zip(values, widths, strict=True)))
    print("targets: " + ", ".join(f"{name} at most {target}" for name, target in TARGETS.items()))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nightly", description=__doc__)
    parser.add_argument("--years", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--counties", type=int, default=3)
    parser.add_argument("--stations", type=int, default=2)
    parser.add_argument("--scale", type=float, default=0.02)
    parser.add_argument("--repeat", type=int, default=7)
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
