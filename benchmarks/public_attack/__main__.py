"""``python -m benchmarks.public_attack [--home DIR] [--counties N] [--stations N] [--month-ends N] [--json FILE]``

Makes the last month ends of the current release of a home public, one after the other, and attacks all small figures through all of them at
once; then the same with two weakened ways to hide, which must break. Without a home a city is simulated and pooled first: the default one.
Ends with 1 when a figure is told (or not decided) as things are, or when a weakened way holds.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb

from benchmarks.nightly import process
from benchmarks.public_attack.attacking import Attack, attack
from benchmarks.public_attack.suppressors import AS_IT_IS, SUPPRESSORS, Suppressor
from benchmarks.results import file_to_write
from dagster_project.city.simulate import FIRST_NIGHT, simulate
from dagster_project.home import Home
from dagster_project.release import current_release
from dagster_project.release.public import PublicFace, face, publish_face
from dagster_project.release.public.rule import last_month_end
from dagster_project.release.record import DATABASE, Release

NIGHTS = 7
SHOWN_LEAKS = 10


@dataclass(frozen=True)
class Tried:
    """A way to hide, and how it stood the attack."""

    way: str
    printed: int
    hidden: int
    publish_cpu_seconds: float
    attack_seconds: float
    attack_cpu_seconds: float
    attack: Attack

    def as_dict(self) -> dict[str, Any]:
        found = self.attack
        return {
            "way": self.way,
            "printed": self.printed,
            "hidden": self.hidden,
            "publish cpu s": round(self.publish_cpu_seconds, 1),
            "attacked": found.figures,
            "components": found.components,
            "programs": found.programs,
            "attack s": round(self.attack_seconds, 1),
            "attack cpu s": round(self.attack_cpu_seconds, 1),
            "undecided": len(found.undecided),
            "broken": len(found.leaks),
        }

    @property
    def is_as_it_must_be(self) -> bool:
        """The real way tells nothing; the others tell something."""
        return not (self.attack.leaks or self.attack.undecided) if self.way == AS_IT_IS else bool(self.attack.leaks)


def month_ends(as_of: dt.date, number: int) -> list[dt.date]:
    """The last month ends until a night, the oldest first."""
    days = [last_month_end(as_of)]
    while len(days) < number:
        days.append(last_month_end(days[-1].replace(day=1) - dt.timedelta(days=1)))
    return days[::-1]


def as_it_was(release: Release, day: dt.date, folder: Path) -> Release:
    """A release with the figures that were complete on an earlier day, written to a folder; late changes since are in it."""
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / DATABASE)) as db:
        db.execute(f"attach '{release.database}' as whole (read_only)")
        for table in ("kpi_catalogue", "unit"):
            db.execute(f"create table {table} as from whole.main.{table}")
        columns = {name for name, *_ in db.execute("describe kpi_catalogue").fetchall()}
        maturity = "coalesce(maturity_days, 0)::integer" if "maturity_days" in columns else "0"
        mature = f"period_end + {maturity} <= date '{day}'"
        db.execute(
            f"create table kpi as select kpi.* replace (is_complete and {mature} as is_complete) from whole.main.kpi "
            "join kpi_catalogue using (product, kpi_id) where slice = '' and unit_level in ('city', 'county')"
        )
    manifest = replace(release.manifest, version=f"{day:%Y%m%d}-001", as_of=day)
    return replace(release, path=folder, manifest=manifest)


def published(release: Release, days: list[dt.date], suppressor: Suppressor, scratch: Path) -> list[PublicFace]:
    """The public faces that a release would have had at some month ends, in a home of their own. Raises AssertionError without one."""
    home = Home.at(scratch, scratch / "landing").ensure()
    faces = []
    with patch.object(face, "suppress", suppressor):
        for day in days:
            outcome = publish_face(home, as_it_was(release, day, home.published / f"{day:%Y%m%d}-001"))
            assert outcome.face is not None and outcome.is_new, f"{day}: {outcome.problem}"
            faces.append(outcome.face)
    return faces


def tried(release: Release, days: list[dt.date], way: str, scratch: Path) -> Tried:
    """A release made public in one way, and attacked."""
    began = time.process_time()
    faces = published(release, days, SUPPRESSORS[way], scratch)
    cpu, wall = time.process_time(), time.perf_counter()
    found = attack([one.database for one in faces], release.database)
    figures = faces[-1].figures
    return Tried(way, figures["printed"], figures["hidden"], cpu - began, time.perf_counter() - wall, time.process_time() - cpu, found)


def run(home: Path, number: int, scratch: Path) -> list[Tried]:
    """Every way on the current release of a home, with so many month ends made public."""
    release = current_release(Home.at(home, home / "landing"))
    if release is None:
        raise SystemExit(f"{home} has no release to make public: let `pool run --home {home}` make one")
    days = month_ends(release.as_of, number)
    return [tried(release, days, way, scratch / way.replace(" ", "-")) for way in SUPPRESSORS]


def table(results: list[Tried]) -> str:
    """The results for a person, with some of what was told as things are."""
    rows = [one.as_dict() for one in results]
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    lines = ["  ".join(name.rjust(width) for name, width in widths.items())]
    lines += ["  ".join(str(row[name]).rjust(width) for name, width in widths.items()) for row in rows]
    for one in results:
        if one.way == AS_IT_IS:
            lines += [f"TOLD: {leak.wanted} is {leak.least} to {leak.most}" for leak in one.attack.leaks[:SHOWN_LEAKS]]
    return "\n".join(lines)


def _simulated(scratch: Path, **city: Any) -> Path:
    home = scratch / "home"
    simulate(home / "landing", nights=NIGHTS, **city)
    night = FIRST_NIGHT + dt.timedelta(days=NIGHTS - 1)
    process(home, home / "landing", night, night)
    return home


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_attack", description=__doc__)
    parser.add_argument("--home", type=Path, help="a home of the pool; its current release is attacked")
    parser.add_argument("--counties", type=int)
    parser.add_argument("--stations", type=int)
    parser.add_argument("--month-ends", type=int, default=2)
    parser.add_argument("--json", type=file_to_write)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        city = {"counties": asked.counties, "stations_per_county": asked.stations}
        home = asked.home or _simulated(scratch, **{name: number for name, number in city.items() if number})
        results = run(home, asked.month_ends, scratch)
    print(table(results))
    text = json.dumps([one.as_dict() for one in results], indent=2)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")
    sys.exit(not all(one.is_as_it_must_be for one in results))


if __name__ == "__main__":
    main()
