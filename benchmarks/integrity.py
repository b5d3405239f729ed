"""How often the integrity flags are raised on honest units, and how often on units that game: the SQL of the flags on drawn histories.

Run: ``python -m benchmarks.integrity [--cities N] [--seed N] [--json FILE] [--home DIR]``. A history is two years of one station's monthly counts. Honest stations
differ from one another for good and from month to month (logit-normal shares, negative binomial counts), more than chance alone would
have it. False alarms are judged once per history, in its last period, so that they are independent: their number must lie within the
binomial 99 % band of the declared level, or below it where a test is exact or must satisfy two conditions. With gaming, one station of each city
does in the second year what a flag is there to see, at the strength written in ``GAMED``; at least 80 % of them must be seen.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import NDArray
from scipy import stats

from benchmarks.results import file_to_write

DBT = Path(__file__).resolve().parents[1] / "dbt"
MODELS = (
    "int_period_day",
    "int_period",
    "int_flag_month",
    "int_flag_whole_month",
    "int_flag_window",
    "int_flag_compared",
    "int_flag_alone",
    "int_flag_yoy",
    "int_flag_tested",
)
NOTHING_BUT_COUNTS = """
create table candidate.main.int_kpi_recorded_month (kpi_id varchar, root_code varchar, month_no integer, first_day date, last_day date)
"""
PERIODS = ("int_kpi_count_month", "int_kpi_period")
SEEDS = (
    "integrity_flag",
    "integrity_flag_term",
    "kpi_catalogue",
    "mediation_quota",
    "calendar_weight",
    "calendar_day",
    "spring_festival",
    "calendar_root",
    "kpi_grain",
)
YEARS = (2024, 2025)
AS_OF = dt.date(2026, 6, 30)
STATIONS = 12
CITIES = 200
BAND = 0.99
# In the place of int_kpi_period, where counts stand for whole months: from the first counted to the night.
WHOLE_MONTHS = """
create table candidate.main.int_kpi_period as
select kpi_id, root_code, 3 as grain_no, 30000000 + month_no as period_id, true as is_covered
from (
    select
        counted.kpi_id,
        units.root_code,
        unnest(range(
            min(extract(year from counted.day) * 12 + extract(month from counted.day)),
            max(extract(year from night.as_of) * 12 + extract(month from night.as_of)) + 1
        )) as month_no
    from candidate.main.fct_kpi_count as counted
    inner join candidate.main.dim_unit as units on counted.unit_code = units.unit_code
    cross join candidate.control.night as night
    group by counted.kpi_id, units.root_code
) as counted_month
"""
POWER = 0.8

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """A share of a month's trials: the honest one, how far stations and their months stray from it (in logits), and the gamed one."""

    trials: float
    honest: float
    gamed: float
    stations: float = 0.2
    months: float = 0.1


GAMED: Mapping[str, Share] = {
    "quick": Share(9, 0.08, 0.70),
    "before": Share(26, 0.015, 0.35),
    "early_lag": Share(8, 0.25, 0.95),
    "early_exit": Share(26, 0.02, 0.25),
    "converted": Share(290, 0.20, 0.02, 0.15),
    "excluded": Share(390, 0.22, 0.42, 0.1),
    "no_arrival": Share(110, 0.04, 0.30),
    "on_time": Share(130, 0.82, 0.999, 0.15),
    "down": Share(380, 0.017, 0.10),
    "late": Share(380, 0.01, 0.07),
    "reopened": Share(9, 0.03, 0.45),
    "invalid": Share(390, 0.10, 0.30),
    "withdrawn": Share(26, 0.025, 0.40),
    "deleted": Share(390, 0.006, 0.08),
    "covered_case": Share(60, 0.43, 0.70),
    "covered_no_case": Share(230, 0.43, 0.25),
    "first": Share(160, 0.77, 0.77, 0.15),
    "later": Share(50, 0.77, 0.99, 0.15),
    "no_phone": Share(130, 0.04, 0.28),
    "recurred": Share(30, 0.12, 0.50),
    "clustered": Share(26, 0.01, 0.30),
    "of_incident": Share(24, 0.01, 0.30),
    "round": Share(300, 0.02, 0.50),
    "rounded_hours": Share(20, 0.08, 0.60),
    "extended": Share(55, 0.15, 0.50),
}
# Continuous enough, and with enough events, for the level to be attained and not only kept.
STRICT = frozenset(
    {
        "arrival_share", "coverage_gap", "digit_preference", "excluded_incidents", "extended_limits", "invalid", "net_downgrade", "satisfaction_gap",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Attained:
    """Of one flag: histories judged, how many were flagged, and whether that is as declared."""

    flag_id: str
    level: float
    histories: int
    alarms: int
    share: float
    least: int
    most: int
    within: bool
    all_tests: int
    all_share: float


@dataclass(frozen=True)
class Power:
    """Of one flag: stations that gamed, the share of them that it saw in the last period, and whether that is enough."""

    flag_id: str
    histories: int
    seen: float
    enough: bool


def compile_models(scratch: Path) -> dict[str, str]:
    """The SQL of the flag models as dbt compiles it for DuckDB, by name."""
    (scratch / "warehouse").mkdir(parents=True, exist_ok=True)
    where = ["--project-dir", str(DBT), "--profiles-dir", str(DBT), "--target-path", str(scratch / "target"), "--log-path", str(scratch)]
    command = [str(Path(sys.executable).parent / "dbt"), "--quiet", "compile", "--no-introspect", "--select", *MODELS, *PERIODS, *where]
    done = subprocess.run(command, env=os.environ | {"POOL_HOME": str(scratch)}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"dbt compile failed:\n{done.stdout}\n{done.stderr}")
    found = {path.stem: path.read_text(encoding="utf-8") for path in (scratch / "target" / "compiled").rglob("*.sql")}
    return {name: found[name] for name in (*MODELS, *PERIODS)}


def _seed_types() -> dict[str, dict[str, str]]:
    declared: dict[str, dict[str, str]] = {}
    for path in (DBT / "seeds").glob("*.yml"):
        for seed in yaml.safe_load(path.read_text(encoding="utf-8"))["seeds"]:
            declared[seed["name"]] = (seed.get("config") or {}).get("column_types", {})
    return declared


def run_flags(
    models: Mapping[str, str],
    counts: pa.Table,
    parents: Mapping[str, str | None],
    as_of: dt.date = AS_OF,
    changes: Sequence[tuple[str, dt.date, str | None]] = (),
    by_day: bool = False,
) -> pa.Table:
    """``int_flag_tested`` made of rows of ``fct_kpi_count``; ``parents`` are child → parent, a station under its city.

    ``changes`` are units, the days on which they changed and the role concerned, if it is one alone. Counts are those of whole months,
    whatever day they bear, unless they are ``by_day``: then their days tell where they begin and end.
    """
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as candidate")
        connection.execute("create schema candidate.control")
        connection.execute("create table candidate.control.night as select $1::date as as_of", [as_of])
        types = _seed_types()
        for name in SEEDS:
            casts = ", ".join(f"cast({column} as {kind}) as {column}" for column, kind in types[name].items())
            replace = f"replace ({casts})" if casts else ""
            connection.execute(
                f"create table candidate.main.{name} as select * {replace} from read_csv($1, header = true, all_varchar = true)",
                [str(DBT / "seeds" / f"{name}.csv")],
            )
        units = pa.Table.from_pylist(
            [{"unit_code": u, "root_code": p or u, "unit_level": "station" if p else "city"} for u, p in parents.items()]
        )
        connection.register("units", units)
        connection.execute("create table candidate.main.dim_unit as select *, false as is_pseudo, 'city' as group_name from units")
        connection.execute(
            "create table candidate.main.unit_ancestor as "
            "select unit_code, unnest([unit_code, root_code]) as ancestor_code, date '1900-01-01' as valid_from, date '9999-12-31' as valid_to "
            "from units where unit_level = 'station'"
        )
        connection.execute(NOTHING_BUT_COUNTS)
        connection.execute("create table candidate.main.int_kpi_unit_change (unit_code varchar, changed_on date, role varchar)")
        for change in changes:
            connection.execute("insert into candidate.main.int_kpi_unit_change values (?, ?, ?)", change)
        connection.register("counts", counts)
        connection.execute("create table candidate.main.fct_kpi_count as select * from counts")
        for name in MODELS:
            if name == "int_flag_whole_month":
                for periods in PERIODS if by_day else ():
                    connection.execute(f"create table candidate.main.{periods} as {models[periods]}")
                if not by_day:
                    connection.execute(WHOLE_MONTHS)
            connection.execute(f"create table candidate.main.{name} as {models[name]}")
        return connection.execute("select * from candidate.main.int_flag_tested").to_arrow_table()


class Histories:
    """Monthly counts of ``cities`` × ``STATIONS`` stations over two years; the first station of each city games where it is asked to."""

    def __init__(self, seed: int, cities: int, gaming: bool) -> None:
        self.random = np.random.default_rng(seed)
        self.gaming = gaming
        self.cities = cities
        self.units = [f"C{c:04d}.S{s:02d}" for c in range(cities) for s in range(STATIONS)]
        self.months = [dt.date(year, month, 1) for year in YEARS for month in range(1, 13)]
        self.ends = [dt.date(d.year + d.month // 12, d.month % 12 + 1, 1) - dt.timedelta(days=1) for d in self.months]
        self.shape = (len(self.units), len(self.months))
        self.weight = self.random.lognormal(0.0, 0.35, (len(self.units), 1))
        self.gamer = np.zeros(self.shape, dtype=bool)
        if gaming:
            self.gamer[::STATIONS, 12:] = True
        self.columns: dict[str, list[Any]] = {name: [] for name in ("kpi_id", "unit_code", "day", "cell", "numerator", "denominator")}

    def parents(self) -> dict[str, str | None]:
        return {**dict.fromkeys({u[:5] for u in self.units}), **{u: u[:5] for u in self.units}}

    def counts(self, mean: float | Reals, dispersion: float = 1.3) -> Counts:
        """Negative binomial counts around ``mean`` × the size of the station, with so many times the variance of a Poisson count."""
        expected = np.broadcast_to(mean * self.weight, self.shape)
        return self.random.poisson(self.random.gamma(expected / (dispersion - 1), dispersion - 1))

    def share(self, name: str, trials: Counts | None = None) -> tuple[Counts, Counts]:
        """Events and trials of one share of ``GAMED``."""
        share = GAMED[name]
        trials = self.counts(share.trials) if trials is None else trials
        logit = np.log(share.honest / (1 - share.honest)) + share.stations * self.random.standard_normal((self.shape[0], 1))
        honest = 1 / (1 + np.exp(-logit - share.months * self.random.standard_normal(self.shape)))
        return self.random.binomial(trials, np.where(self.gamer, share.gamed, honest)), trials

    def add(self, kpi_id: str, cell: str, numerator: Counts | int, denominator: Counts | int, on_last_day: bool = False) -> None:
        size = self.shape[0] * self.shape[1]
        self.columns["kpi_id"].append(np.full(size, kpi_id, dtype=object))
        self.columns["cell"].append(np.full(size, cell, dtype=object))
        self.columns["unit_code"].append(np.repeat(np.array(self.units, dtype=object), self.shape[1]))
        self.columns["day"].append(np.tile(np.array(self.ends if on_last_day else self.months, dtype="datetime64[D]"), self.shape[0]))
        self.columns["numerator"].append(np.broadcast_to(numerator, self.shape).ravel())
        self.columns["denominator"].append(np.broadcast_to(denominator, self.shape).ravel())

    def table(self) -> pa.Table:
        """Rows of ``fct_kpi_count``; cells of which nothing was counted are left out."""
        whole = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        counted = (whole["numerator"] > 0) | (whole["denominator"] > 0)
        return pa.table({name: pa.array(values[counted]) for name, values in whole.items()})


def draw(seed: int, cities: int, gaming: bool) -> Histories:
    """Every figure that a flag looks at, of every station."""
    drawn = Histories(seed, cities, gaming)
    _cases(drawn)
    _incidents(drawn)
    _callbacks(drawn)
    _mediation(drawn)
    _arrivals(drawn)
    events, entries = drawn.share("rounded_hours")
    drawn.add("TIME-1", "heap:80", events, entries)
    events, due = drawn.share("extended")
    drawn.add("REG-1", "limit:extended", events // 2, events)
    drawn.add("REG-1", "", due // 2, due)
    return drawn


def _cases(drawn: Histories) -> None:
    for name, kpi_id in (("quick", "INT-1.quick"), ("before", "INT-1.before"), ("withdrawn", "INT-4.withdrawn")):
        drawn.add(kpi_id, "", *drawn.share(name))
    for name, kpi_id in (("clustered", "INT-7.cluster"), ("of_incident", "INT-7.per_incident")):
        drawn.add(kpi_id, "", *drawn.share(name))
    soon, within_30 = drawn.share("early_lag")
    left, cohort = drawn.share("early_exit")
    drawn.add("CR-2", "lag:cleared:3", soon, soon)
    drawn.add("CR-2", "lag:cleared:21", within_30 - soon, within_30 - soon)
    drawn.add("CR-2", "lag:cleared:60", within_30, within_30)
    drawn.add("CR-2", "lag:exit:12", 0, left)
    drawn.add("CR-2", "", 0, cohort)
    again, cleared = drawn.share("reopened")
    drawn.add("INT-3.reopened", "", again, cleared)
    work = drawn.counts(np.where(drawn.gamer, 8.0, 20.0))
    drawn.add("CR-5", "", work, 0)
    drawn.add("CR-1", "", work, drawn.counts(np.where(drawn.gamer, 7.0, 60.0)))


def _incidents(drawn: Histories) -> None:
    converted, effective = drawn.share("converted")
    drawn.add("INC-3.converted", "", converted, effective)
    excluded, received = drawn.share("excluded")
    drawn.add("INC-2", "", received - excluded, received)
    down, ranked = drawn.share("down")
    up = drawn.random.binomial(ranked, 0.004)
    drawn.add("INT-3.down", "", down, ranked)
    drawn.add("INT-3.down", "direction:down", down, 0)
    drawn.add("INT-3.down", "direction:up", up, 0)
    for name, kpi_id in (("late", "INT-3.late"), ("invalid", "INT-4.invalid"), ("deleted", "INT-4.deleted")):
        drawn.add(kpi_id, "", *drawn.share(name))


def _callbacks(drawn: Histories) -> None:
    for name, cell in (("covered_case", "outcome:case"), ("covered_no_case", "outcome:no_case")):
        drawn.add("INT-5.coverage", cell, *drawn.share(name))
    for name, cell in (("first", "attempt:first"), ("later", "attempt:later")):
        drawn.add("INT-5.first", cell, *drawn.share(name))
    drawn.add("INT-5.no_phone", "", *drawn.share("no_phone"))


def _mediation(drawn: Histories) -> None:
    usual = drawn.random.uniform(3, 12, (drawn.shape[0], 1)) / drawn.weight
    entries = np.where(drawn.gamer & (drawn.random.random(drawn.shape) < 0.95), 10, drawn.counts(usual, 1.1))
    drawn.add("INT-6.quota", "", (entries == 10).astype(np.int64), (entries > 0).astype(np.int64), on_last_day=True)
    days = np.array([end.day for end in drawn.ends])
    rationed = np.round(days * 1.5).astype(np.int64) + drawn.random.integers(-1, 2, drawn.shape)
    drawn.add("MED-1", "", 0, np.where(drawn.gamer, rationed, drawn.counts(45.0, 1.05)))
    drawn.add("MED-2.90", "", *drawn.share("recurred"))


def _arrivals(drawn: Histories) -> None:
    missing, urgent = drawn.share("no_arrival")
    drawn.add("RT-2", "excluded:missing", missing, 0)
    drawn.add("RT-2", "", *drawn.share("on_time", urgent - missing))
    round_, arrivals = drawn.share("round")
    by_minute = np.repeat(np.arange(drawn.cities) % 2 == 0, STATIONS)[:, None] & ~drawn.gamer
    round_ = np.where(by_minute, drawn.random.binomial(arrivals, 0.2), round_)
    drawn.add("INT-8.heap", "", round_, arrivals)
    digits = drawn.random.multinomial(arrivals, np.full(10, 0.1))
    preferred = drawn.random.multinomial(arrivals, np.array([0.2, 0.075, 0.075, 0.075, 0.075, 0.2, 0.075, 0.075, 0.075, 0.075]))
    digits = np.where(drawn.gamer[:, :, None], preferred, digits)
    for digit in range(10):
        drawn.add("INT-8.heap", f"digit:{digit}", digits[:, :, digit], 0)


def tested(models: Mapping[str, str], seed: int, cities: int, gaming: bool) -> pa.Table:
    drawn = draw(seed, cities, gaming)
    return run_flags(models, drawn.table(), drawn.parents())


def false_alarms(results: pa.Table) -> list[Attained]:
    """Of every flag, in the last period of every history and over all periods."""
    with duckdb.connect() as connection:
        connection.register("results", results)
        rows = connection.execute(
            """
            with station as (
                select *, period_id = max(period_id) over (partition by flag_id) as is_last from results where unit_level = 'station'
            )
            select flag_id, min(threshold)::double, count(*) filter (is_last), count(*) filter (is_last and is_flagged), count(*), count(*) filter (is_flagged)
            from station group by flag_id order by flag_id
            """
        ).fetchall()
    found = []
    for flag_id, level, histories, alarms, all_tests, all_alarms in rows:
        least, most = (int(stats.binom.ppf(q, histories, level)) for q in ((1 - BAND) / 2, (1 + BAND) / 2))
        within = alarms <= most and (flag_id not in STRICT or alarms >= least)
        found.append(
            Attained(flag_id, level, histories, alarms, alarms / max(histories, 1), least, most, within, all_tests, all_alarms / all_tests)
        )
    return found


def power(results: pa.Table) -> list[Power]:
    """Of every flag, the share of gaming stations seen in the last period."""
    with duckdb.connect() as connection:
        connection.register("results", results)
        rows = connection.execute(
            """
            with gaming as (
                select *, period_id = max(period_id) over (partition by flag_id) as is_last from results where unit_code like '%.S00'
            )
            select flag_id, count(*), avg(is_flagged::int) from gaming where is_last group by flag_id order by flag_id
            """
        ).fetchall()
    return [Power(flag_id, histories, seen, seen >= POWER) for flag_id, histories, seen in rows]


@dataclass(frozen=True)
class Seen:
    """Of one flag in a processed city: tests and alarms of stations that gamed, since they did, and of all others; and who was seen last."""

    flag_id: str
    gaming_tests: int
    gaming_alarms: int
    gaming_seen_last: float | None
    honest_tests: int
    honest_alarms: int


def city(warehouse: Path, gaming: Path | None) -> list[Seen]:
    """Of a built city, what its flags say of the stations that ``gaming`` (truth/gaming.json of its deliveries) names; None for an honest city."""
    truth = json.loads(gaming.read_text(encoding="utf-8")) if gaming else {}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            """
            with station as (
                select *, list_contains($1::varchar[], unit_code) as games, period_end = max(period_end) over (partition by flag_id) as is_newest
                from integrity_finding where unit_level = 'station'
            )
            select
                flag_id,
                count(*) filter (games and period_end > $2::date),
                count(*) filter (games and period_end > $2::date and is_flagged),
                avg(is_flagged::int) filter (games and is_newest),
                count(*) filter (not games),
                count(*) filter (not games and is_flagged)
            from station group by flag_id order by flag_id
            """,
            [truth.get("units", []), truth.get("since") or dt.date.max],
        ).fetchall()
    return [Seen(*row) for row in rows]


def city_table(seen: Iterable[Seen]) -> str:
    lines = [f"{'flag':28} {'gaming':>12} {'seen last':>9} {'honest':>12}"]
    for s in seen:
        last = "" if s.gaming_seen_last is None else f"{s.gaming_seen_last:.2f}"
        lines.append(f"{s.flag_id:28} {f'{s.gaming_alarms}/{s.gaming_tests}':>12} {last:>9} {f'{s.honest_alarms}/{s.honest_tests}':>12}")
    return "\n".join(lines)


def declared_flags() -> list[str]:
    with (DBT / "seeds" / "integrity_flag.csv").open(encoding="utf-8") as text:
        return [row["flag_id"] for row in csv.DictReader(text)]


def run(cities: int, seed: int, scratch: Path) -> tuple[list[Attained], list[Power]]:
    models = compile_models(scratch)
    return false_alarms(tested(models, seed, cities, gaming=False)), power(tested(models, seed + 1, cities, gaming=True))


def table(attained: Iterable[Attained], powers: Iterable[Power]) -> str:
    seen = {p.flag_id: p for p in powers}
    lines = [f"{'flag':28} {'level':>8} {'histories':>9} {'alarms':>6} {'99 % band':>11} {'attained':>9} {'all periods':>11} {'power':>6}"]
    for a in attained:
        p = seen.get(a.flag_id)
        marks = ("" if a.within else "  level!") + ("" if p is None or p.enough else "  power!")
        lines.append(
            f"{a.flag_id:28} {a.level:8.5f} {a.histories:9d} {a.alarms:6d} {f'{a.least}–{a.most}':>11} {a.share:9.5f} {a.all_share:11.5f} "
            f"{'' if p is None else f'{p.seen:.2f}':>6}{marks}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cities", type=int, default=CITIES, help=f"cities of {STATIONS} stations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=file_to_write, help="write the measurements here too")
    parser.add_argument("--home", type=Path, help="a processed home: what the flags say of its city, instead of drawn histories")
    given = parser.parse_args(arguments)
    if given.home:
        gaming = given.home / "landing" / "truth" / "gaming.json"
        print(city_table(city(given.home / "warehouse" / "candidate.duckdb", gaming if gaming.exists() else None)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        attained, powers = run(given.cities, given.seed, Path(scratch))
    print(table(attained, powers))
    if given.json:
        measured = {
            "seed": given.seed,
            "cities": given.cities,
            "attained": [asdict(a) for a in attained],
            "power": [asdict(p) for p in powers],
        }
        given.json.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    return 0 if all(a.within for a in attained) and all(p.enough for p in powers) else 1


if __name__ == "__main__":
    sys.exit(main())
