"""What the ``kpi`` table should hold, worked out row by row in plain Python from the same counts: slow, and written apart from the SQL."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, pairwise
from typing import Any

from kpi_harness import CATALOGUE_DEFAULTS, DBT
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

DAY = dt.timedelta(days=1)
LEAST_FREEDOM = 10
YEARS_BEFORE = 2
GRAINS = ("day", "week", "month", "quarter", "year", "ytd")
Count = tuple[str, str, dt.date, str, int, int]


def seed(name: str) -> list[dict[str, str]]:
    with (DBT / "seeds" / f"{name}.csv").open(encoding="utf-8") as text:
        return list(csv.DictReader(text))


SPECIAL = {dt.date.fromisoformat(row["day"]): row["day_class"] for row in seed("calendar_day")}
FESTIVAL = {day + n * DAY for row in seed("spring_festival") for day in [dt.date.fromisoformat(row["day"])] for n in range(-5, 21)}
WEIGHTS = {(row["calendar"], row["product"]): row for row in seed("calendar_weight")}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Period:
    grain: str
    start: dt.date
    end: dt.date

    def days(self) -> list[dt.date]:
        return [self.start + n * DAY for n in range((self.end - self.start).days + 1)]

    @property
    def season(self) -> tuple[int, int]:
        if self.grain == "week":
            year, week, _ = self.start.isocalendar()
            return year, min(4, (week - 1) // 13 + 1)
        return self.start.year, (self.start.month - 1) // 3 + 1


def month_end(year: int, month: int) -> dt.date:
    return dt.date(year + month // 12, month % 12 + 1, 1) - DAY


def period_of(grain: str, day: dt.date) -> Period:
    if grain == "day":
        return Period(grain, day, day)
    if grain == "week":
        monday = day - day.weekday() * DAY
        return Period(grain, monday, monday + 6 * DAY)
    if grain == "month":
        return Period(grain, day.replace(day=1), month_end(day.year, day.month))
    if grain == "quarter":
        first = (day.month - 1) // 3 * 3 + 1
        return Period(grain, dt.date(day.year, first, 1), month_end(day.year, first + 2))
    if grain == "year":
        return Period(grain, dt.date(day.year, 1, 1), dt.date(day.year, 12, 31))
    return Period(grain, dt.date(day.year, 1, 1), month_end(day.year, day.month))


def a_year_earlier(period: Period) -> Period | None:
    if period.grain == "week":
        year, week, _ = period.start.isocalendar()
        try:
            return period_of("week", dt.date.fromisocalendar(year - 1, week, 1))
        except ValueError:
            return None
    try:
        return period_of(period.grain, period.end.replace(year=period.end.year - 1, day=period.end.day if period.grain == "day" else 1))
    except ValueError:
        return None


def the_one_before(period: Period) -> Period | None:
    return None if period.grain == "ytd" else period_of(period.grain, period.start - DAY)


@dataclass
class City:
    """The counts of one root of units and how they are read."""

    as_of: dt.date
    catalogue: Mapping[str, Mapping[str, Any]]
    counts: Sequence[Count]
    parents: Mapping[str, str | None]
    calendar: str = "china"
    moves: Sequence[tuple[str, str, dt.date, dt.date]] = ()
    slices: Sequence[str] = ("category",)
    entries: dict[str, dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = {kpi_id: {**CATALOGUE_DEFAULTS, **entry} for kpi_id, entry in self.catalogue.items()}
        self.counts = [count for count in self.counts if count[2] <= self.as_of]

    def above(self, leaf: str, day: dt.date) -> list[str]:
        moved = [unit for child, unit, first, until in self.moves if child == leaf and first <= day < until]
        if any(child == leaf for child, *_ in self.moves):
            return moved
        chain = [leaf]
        while (parent := self.parents[chain[-1]]) is not None:
            chain.append(parent)
        return chain

    def weight(self, product: str, day: dt.date) -> float:
        pattern = WEIGHTS.get((self.calendar, product)) or WEIGHTS[self.calendar, "any"]
        return float(pattern[self.kind_of_day(day)])

    def kind_of_day(self, day: dt.date) -> str:
        return SPECIAL.get(day, WEEKDAYS[day.weekday()]) if self.calendar == "china" else WEEKDAYS[day.weekday()]

    def table(self) -> dict[tuple[str, str, str, str, dt.date], dict[str, Any]]:
        """Rows by KPI, unit, slice, grain and last day of the period."""
        rows: dict[tuple[str, str, str, str, dt.date], dict[str, Any]] = {}
        for kpi_id in {count[0] for count in self.counts}:
            rows |= Figures(self, kpi_id).rows()
        return rows


class Figures:
    """All rows of one KPI."""

    def __init__(self, city: City, kpi_id: str) -> None:
        self.city, self.kpi_id, self.entry = city, kpi_id, city.entries[kpi_id]
        own = [count for count in city.counts if count[0] == kpi_id]
        family = [c for c in city.counts if city.entries[c[0]]["product"] == self.entry["product"]]
        self.first, self.last = min(c[2] for c in own), max(c[2] for c in family)
        days = sorted({c[2] for c in family})
        self.cover = (max(self.first.replace(day=1), self.alive_from(days)), self.alive_until(days))
        self.followed = self.last if self.keeps_quiet(days, (city.as_of - self.last).days - 7) else city.as_of
        self.sums: dict[tuple[str, str], dict[dt.date, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for _, leaf, day, cell, numerator, denominator in own:
            if cell and cell.split(":")[0] not in city.slices:
                continue
            for unit in city.above(leaf, day):
                self.sums[unit, cell][day][0] += numerator
                self.sums[unit, cell][day][1] += denominator

        self.running = {key: self.run_up(by_day) for key, by_day in self.sums.items()}
        self.spans = {grain: self.spanned(grain) for grain in GRAINS}
        self.known = {period for spans in self.spans.values() for period in spans}
        self.covered = cache(self.covered_days)

    def alive_from(self, days: Sequence[dt.date]) -> dt.date:
        """The first day that is not alone in its month before a silence that the following months make one in a thousand."""
        months = [list(of_month) for _, of_month in groupby(days, key=lambda day: (day.year, day.month))]
        silences = [(later[0] - earlier[-1]).days - 1 for earlier, later in pairwise(months)]
        for n, of_month in enumerate(months[:-1]):
            following = silences[n + 1 : n + 13]
            quiet = sum(following) + 31
            if len(of_month) > 1 or round((quiet / (quiet + silences[n])) ** (len(following) + 1), 6) > 0.001:
                return of_month[0]
        return months[-1][0]

    def alive_until(self, days: Sequence[dt.date]) -> dt.date:
        """The end of the last month counted, or the last day counted if the family is hardly ever quiet for so long."""
        end = month_end(self.last.year, self.last.month)
        return self.last if self.keeps_quiet(days, (min(end, self.city.as_of) - self.last).days) else end

    def keeps_quiet(self, days: Sequence[dt.date], silence: int) -> bool:
        """The family is hardly ever quiet for so many days."""
        turns = [((b - a).days - 1) for a, b in pairwise(days) if (a.year, a.month) != (b.year, b.month)]
        quiet = sum(min(gap, 31) for gap in turns)
        share = quiet / (quiet + len(turns)) if turns and quiet else 0.0
        return round(share ** max(silence, 0), 6) <= 0.05

    def run_up(self, by_day: Mapping[dt.date, Sequence[int]]) -> list[tuple[int, int]]:
        """Sums over the days before the first, the second … of the KPI."""
        running = [(0, 0)]
        for n in range((self.last - self.first).days + 1):
            x, trials = by_day.get(self.first + n * DAY, (0, 0))
            running.append((running[-1][0] + x, running[-1][1] + trials))
        return running

    def spanned(self, grain: str) -> list[Period]:
        day, found = self.first, []
        while day <= self.last:
            found.append(period_of(grain, day))
            day = (found[-1].end if grain != "ytd" else month_end(day.year, day.month)) + DAY
        return found

    def complete(self, period: Period) -> bool:
        inside = self.cover[0] <= period.start and period.end <= self.cover[1]
        return inside and period.end <= self.city.as_of and self.mature(period)

    def mature(self, period: Period) -> bool:
        return not self.entry["maturity_days"] or period.end + self.entry["maturity_days"] * DAY <= self.followed

    def covered_days(self, period: Period) -> list[dt.date]:
        begins = self.cover[0] if period.end >= self.cover[0] else period.start
        return [day for day in period.days() if begins <= day <= min(self.cover[1], self.city.as_of)]

    def festive(self, period: Period) -> int:
        return sum(day in FESTIVAL for day in self.covered(period)) if self.city.calendar == "china" else 0

    def weight(self, period: Period) -> float:
        return sum(self.city.weight(self.entry["product"], day) for day in self.covered(period))

    def rows(self) -> dict[tuple[str, str, str, str, dt.date], dict[str, Any]]:
        found = {}
        for (unit, cell), running in self.running.items():
            dispersion = Dispersion(self, running)
            for grain in GRAINS:
                if cell and grain in ("day", "week"):
                    continue
                for period in self.spans[grain]:
                    row: dict[str, Any] = {"period_start": period.start, "is_complete": self.complete(period)}
                    row |= self.figure(running, period)
                    torn = False
                    for side, prior in (("yoy", a_year_earlier(period)), ("pop", the_one_before(period))):
                        if prior not in self.known:
                            row |= {f"{side}_{name}": None for name in ("value", "ratio", "lower95", "upper95", "z", "verdict")}
                            continue
                        is_torn = self.torn(period, prior)
                        torn = torn or is_torn
                        judged = self.complete(period) and self.complete(prior) and not is_torn
                        phi = dispersion.of(period, prior)
                        row |= {f"{side}_{name}": value for name, value in self.compared(side, running, period, prior, phi, judged).items()}
                    found[self.kpi_id, unit, cell, grain, period.end] = row | {"series_break": torn}
        return found

    def torn(self, period: Period, prior: Period) -> bool:
        now, then = self.festive(period), self.festive(prior)
        if period.grain in ("day", "week", "month"):
            return now + then > 0
        return now != then or 0 < now < 26

    def counted(self, running: Sequence[tuple[int, int]], period: Period) -> tuple[int, int]:
        since = running[max(0, (period.start - self.first).days)]
        until = running[min(len(running) - 1, (period.end - self.first).days + 1)]
        return until[0] - since[0], until[1] - since[1]

    def figure(self, running: Sequence[tuple[int, int]], period: Period) -> dict[str, Any]:
        x, n = self.counted(running, period)
        kind, scale = self.entry["kind"], float(self.entry["value_scale"])
        lower = upper = value = None
        if kind == "count":
            value = x * scale
        elif n:
            value = x / n * scale
        if kind in ("count", "rate") and value is not None:
            unit = scale if kind == "count" else scale / n
            lower = stats.chi2.ppf(0.025, 2 * x) / 2 * unit if x else 0.0
            upper = stats.chi2.ppf(0.975, 2 * x + 2) / 2 * unit
        if kind == "proportion" and n and x <= n:
            lower, upper = (max(0.0, min(1.0, bound)) * scale for bound in proportion_confint(x, n, method="wilson"))
        return {"numerator": x, "denominator": n, "value": value, "lower95": lower, "upper95": upper}

    def compared(
        self, side: str, running: Sequence[tuple[int, int]], period: Period, prior: Period, phi: float, judged: bool
    ) -> dict[str, Any]:
        now, then = self.figure(running, period), self.figure(running, prior)
        found: dict[str, Any] = dict.fromkeys(("ratio", "lower95", "upper95", "z", "verdict")) | {"value": then["value"]}
        if not (self.mature(period) and self.mature(prior)):
            return found
        x, y = now["numerator"], then["numerator"]
        if self.entry["kind"] == "proportion":
            n, m = now["denominator"], then["denominator"]
            if now["value"] is None or then["value"] is None:
                return found
            found["ratio"] = now["value"] - then["value"]
            if now["lower95"] is None or then["lower95"] is None:
                return found
            found["lower95"] = found["ratio"] - math.hypot(now["value"] - now["lower95"], then["upper95"] - then["value"])
            found["upper95"] = found["ratio"] + math.hypot(now["upper95"] - now["value"], then["value"] - then["lower95"])
            arcsines = math.asin(math.sqrt(x / n)) - math.asin(math.sqrt(y / m))
            found["z"] = 2 * arcsines / math.sqrt(phi * (1 / n + 1 / m))
            tails = stats.hypergeom(n + m, x + y, n)
        else:
            if self.entry["kind"] == "count":
                measure = (lambda p: len(self.covered(p))) if side == "yoy" else self.weight
                e, f = measure(period), measure(prior)
            else:
                e, f = now["denominator"], then["denominator"]
                if side == "pop" and self.entry["time_rule"] == "exposure":
                    e, f = (d * self.weight(p) / len(self.covered(p)) for d, p in ((e, period), (f, prior)))
            if not e or not f:
                return found
            if y:
                found["ratio"] = (x / e) / (y / f)
            if x and y:
                factor = math.exp(1.959963984540054 * math.sqrt(phi * (1 / x + 1 / y)))
                found["lower95"], found["upper95"] = found["ratio"] / factor, found["ratio"] * factor
            elif x:
                least = stats.beta.ppf(0.025, x, 1)
                found["lower95"] = least / (1 - least) * f / e
            elif y:
                most = stats.beta.ppf(0.975, 1, y)
                found["lower95"], found["upper95"] = 0.0, most / (1 - most) * f / e
            if self.entry["kind"] == "ratio":
                found["lower95"] = found["upper95"] = None
                phi = max(phi, 1 + (x + y) / (e + f))
            found["z"] = 2 * (math.sqrt(x * f) - math.sqrt(y * e)) / math.sqrt(phi * (e + f))
            tails = stats.binom(x + y, e / (e + f))
        if judged:
            clear = abs(round(found["z"], 6)) >= 3 and round(2 * min(tails.cdf(x), tails.sf(x - 1)), 6) <= 0.05
            found["verdict"] = "no clear change" if not clear else "rise" if found["z"] > 0 else "fall"
        return found


class Dispersion:
    """Pearson's chi-square and its degrees of freedom by season, for one series."""

    def __init__(self, figures: Figures, running: Sequence[tuple[int, int]]) -> None:
        self.parts: dict[str, dict[tuple[int, int], tuple[float, int]]] = {}
        share = figures.entry["kind"] == "proportion"
        for grain in ("day", "week", "month"):
            strata: dict[tuple[Any, ...], list[tuple[int, float]]] = defaultdict(list)
            for period in figures.spans[grain]:
                x, n = figures.counted(running, period)
                exposure = figures.weight(period) if figures.entry["kind"] == "count" else n
                if exposure > 0 and figures.complete(period) and not figures.festive(period):
                    strata[period.season, figures.city.kind_of_day(period.start) if grain == "day" else ""].append((x, exposure))
            seasons: dict[tuple[int, int], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
            for (season, _), periods in strata.items():
                rate = sum(x for x, _ in periods) / sum(d for _, d in periods)
                if rate == 0 or (share and rate >= 1):
                    continue
                chi_square = sum((x - rate * d) ** 2 / (rate * d * ((1 - rate) if share else 1)) for x, d in periods)
                seasons[season] = (seasons[season][0] + chi_square, seasons[season][1] + len(periods) - 1)
            self.parts[grain] = seasons

    def of(self, period: Period, prior: Period) -> float:
        year = period.end.year if period.grain in ("year", "ytd") else period.season[0]
        known = self.parts[period.grain if period.grain in self.parts else "month"]
        parts = {season: part for season, part in known.items() if year - YEARS_BEFORE <= season[0] <= year}
        everything = list(parts.values())
        if period.grain in ("year", "ytd"):
            left = [part for season, part in parts.items() if season[0] not in (period.end.year, prior.end.year)]
        else:
            left = [part for season, part in parts.items() if season not in self.left_out(period, prior)]
        for chosen in (left, everything):
            freedom = sum(df for _, df in chosen)
            if freedom >= LEAST_FREEDOM:
                return max(1.0, sum(chi_square for chi_square, _ in chosen) / freedom)
        return 1.0

    @staticmethod
    def left_out(period: Period, prior: Period) -> Iterable[tuple[int, int]]:
        year, quarter = period.season
        if prior.season[0] == year - 1 and prior.season[1] == quarter:
            return (period.season, prior.season)
        return (period.season, (year, quarter - 1) if quarter > 1 else (year - 1, 4))
