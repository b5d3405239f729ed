"""``python -m benchmarks.privacy [--people N] [--scratch DIR] [--json FILE]``

Simulates a city in which everybody is one of N invented people, adds open data that names them, runs a night and a backup, and looks for every
value of every one of them in all files outside landing: in the texts of Parquet, DuckDB and SQLite files and the lines of all others, and in
the bytes of every file as they lie on the disk. Then it puts one value of each kind into copies of files of each kind, and expects to find
them all. Ends with 1 when a value of a person is found, when one that was put into a copy is not, or when a personal column
of a contract was delivered without any.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.privacy.planting import PATTERNS, Person, deliver_open_data, in_place_of_the_citys, invent, plant_numbers
from benchmarks.privacy.searching import SHORTEST, as_regex, delivered_persons, plant_in_copies, seen, seen_in_bytes
from benchmarks.results import file_to_write
from dagster_project.city.simulate import simulate
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.home import Home

CITY: dict[str, Any] = {"counties": 2, "stations_per_county": 2, "history_days": 250}
GROUPS = ("city", "open_data")
COMMAND = (sys.executable, "-m", "dagster_project.cli")
PEOPLE = 10_000


@dataclass(frozen=True)
class Planted:
    """What landing holds of the people: by kind, how many of them; the personal columns that name some, and those that name nobody."""

    people: dict[str, int]
    columns: int
    without: tuple[str, ...]
    values: tuple[str, ...]
    """Every text of a personal column that is long enough to be looked for, and every value of the people that landing holds."""


@dataclass(frozen=True)
class Found:
    """What was found of them outside landing, and how many files and bytes were searched in how many seconds of processor time."""

    in_texts: list[tuple[str, str, str]]
    in_bytes: list[tuple[str, str]]
    files: int
    bytes: int
    cpu_seconds: float


def planted_in(home: Home, persons: list[Person]) -> Planted:
    """What the deliveries hold, read back from landing by the contracts."""
    delivered: dict[str, set[str]] = {}
    for contract in load_catalogue([PROJECT_SOURCES]).contracts:
        if contract.group in GROUPS:
            delivered |= {f"{contract.id}.{name}": values for name, values in delivered_persons(contract, home).items()}
    patterns = {kind: re.compile(as_regex(pattern)) for kind, pattern in PATTERNS.items()}
    invented = {kind: {p.value(kind) for p in persons} for kind in PATTERNS}
    held: dict[str, set[str]] = {kind: set() for kind in PATTERNS}
    without = []
    for name, values in delivered.items():
        text = "\n".join(values)
        of_column = {kind: invented[kind].intersection(patterns[kind].findall(text)) for kind in PATTERNS}
        without += [] if any(of_column.values()) else [name]
        for kind, found in of_column.items():
            held[kind] |= found
    long_enough = {value for values in delivered.values() for value in values if len(value) >= SHORTEST}
    everything = long_enough.union(*held.values())
    people = {kind: len(found) for kind, found in held.items()}
    return Planted(people, len(delivered) - len(without), tuple(sorted(without)), tuple(sorted(everything)))


def search(home: Home, folders: list[Path], planted: Planted, persons: list[Person]) -> Found:
    """Look for what was planted in a home and in folders beside it."""
    began = time.process_time()
    in_texts = [
        (value, str(trace.file), trace.place)
        for root in (home.root, *folders)
        for value, trace in seen(planted.values, _as_home(home, root))
    ]
    in_bytes, files, read = seen_in_bytes(
        {pattern: [p.value(kind) for p in persons] for kind, pattern in PATTERNS.items()},
        (home.root, *folders),
        (home.landing, home.secrets),
    )
    return Found(in_texts, in_bytes, files, read, round(time.process_time() - began, 1))


def _as_home(home: Home, root: Path) -> Home:
    return home if root == home.root else Home(root, home.landing)


def control(home: Home, persons: list[Person], scratch: Path) -> dict[str, list[str]]:
    """By kind of value, the kinds of files in which one that was put into a copy is not found; empty lists are what is wanted."""
    missed = {}
    for kind in PATTERNS:
        copies = scratch / f"control {kind}"
        copies.mkdir(parents=True)
        value = persons[len(persons) // 2].value(kind)
        planted = plant_in_copies(value, home, copies)
        hits = {suffix: seen({value}, _only(copies, file)) for suffix, file in planted.items()}
        raw = copies / "raw.bin"
        missed[kind] = sorted(suffix for suffix, hit in hits.items() if not hit)
        for encoding in ("utf-8", "gb18030", "utf-16-le"):
            raw.write_bytes(b"\x00\xff" + value.encode(encoding) + b"\x00")
            if not seen_in_bytes({PATTERNS[kind]: [value]}, [copies])[0]:
                missed[kind].append(f"bytes in {encoding}")
    return missed


def _only(copies: Path, file: Path) -> Home:
    """A home that holds one file alone."""
    root = copies / f"only {file.name}"
    root.mkdir()
    os.link(file, root / file.name)
    return Home(root, root / "landing")


def run(count: int, scratch: Path, city: dict[str, Any] = CITY) -> dict[str, Any]:
    """Plant, run a night, back it up, search, and search what was put into copies. Raises CalledProcessError when a command fails."""
    persons, home = invent(count), Home.at(scratch / "home", scratch / "landing")
    with in_place_of_the_citys(persons):
        simulate(home.landing, **city)
    plant_numbers(home.landing, persons)
    deliver_open_data(home.landing, persons)
    groups = [word for group in GROUPS for word in ("--group", group)]
    at = ["--home", str(home.root)]
    one = persons[1]
    asked = f"select '{one.name} {one.telephone} {one.identity_number}' as somebody, count(*) from kpi"
    for command in (
        ["run", *at, "--landing", str(home.landing), *groups],
        ["query", *at, asked],
        ["backup", *at, str(scratch / "backup")],
    ):
        subprocess.run([*COMMAND, *command], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    planted = planted_in(home, persons)
    found = search(home, [scratch / "backup"], planted, persons)
    return {
        "people": planted.people,
        "columns": planted.columns,
        "columns without": planted.without,
        "values looked for": len(planted.values),
        "found": asdict(found),
        "not found in copies": control(home, persons, scratch),
    }


def is_private(told: dict[str, Any]) -> bool:
    """Everybody was in landing, in every personal column somebody, nobody was elsewhere, and the search finds what is there."""
    found = told["found"]
    return not (found["in_texts"] or found["in_bytes"] or told["columns without"] or any(told["not found in copies"].values()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.privacy", description=__doc__.splitlines()[2] if __doc__ else None)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--json", type=file_to_write)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="privacy-") as temporary:
        told = run(asked.people, asked.scratch or Path(temporary))
    text = json.dumps(told, ensure_ascii=False, indent=2)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")
    sys.exit(0 if is_private(told) else 1)


if __name__ == "__main__":
    main()
