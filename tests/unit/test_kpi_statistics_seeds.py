"""The calendar and limit seeds against the kept libraries that they come from; ``python tests/unit/test_kpi_statistics_seeds.py`` rewrites them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

chinese_calendar = pytest.importorskip("chinese_calendar.constants", reason="chinesecalendar is not installed")
lunardate = pytest.importorskip("lunardate", reason="lunardate is not installed")
stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")

SEEDS = Path(__file__).resolve().parents[2] / "dbt" / "seeds"
LAST_YEAR = 2032
TAILS = {"95": 0.025, "998": 0.001}
ONE_DAY = dt.timedelta(days=1)


def lunar(year: int, month: int, day: int) -> dt.date:
    return lunardate.LunarDate(year, month, day).to_solar_date()


def tomb_sweeping(year: int) -> dt.date:
    """清明 by the solar-term rule for 2000 to 2099."""
    return dt.date(year, 4, int((year - 2000) * 0.2422 + 4.81) - (year - 2000) // 4)


def statutory(year: int) -> dict[dt.date, tuple[str, str]]:
    """The days off that the law of 2024 fixes, before the yearly notice moves weekends around them."""
    first = lunar(year, 1, 1)
    days = {dt.date(year, 1, 1): ("元旦", "New Year's Day"), tomb_sweeping(year): ("清明", "Tomb-sweeping Day")}
    days |= {first + n * ONE_DAY: ("春节", "Spring Festival") for n in range(-1, 3)}
    days |= {dt.date(year, 5, n): ("劳动节", "Labour Day") for n in (1, 2)}
    days |= {lunar(year, 5, 5): ("端午", "Dragon Boat Festival"), lunar(year, 8, 15): ("中秋", "Mid-autumn Festival")}
    return days | {dt.date(year, 10, n): ("国庆节", "National Day") for n in (1, 2, 3)}


def calendar_days() -> Iterator[tuple[str, ...]]:
    names = {h.value: h.chinese for h in chinese_calendar.Holiday}
    announced = {d.year for d in chinese_calendar.holidays}
    days = [(d, "holiday", names[n], n, "announced") for d, n in chinese_calendar.holidays.items()]
    days += [(d, "workday", f"{names[n]}调休上班", f"working day for {n}", "announced") for d, n in chinese_calendar.workdays.items()]
    for year in range(max(announced) + 1, LAST_YEAR + 1):
        days += [(d, "holiday", zh, en, "statutory") for d, (zh, en) in statutory(year).items()]
    yield ("calendar", "day", "day_class", "name_zh", "name_en", "known_from")
    for day, *rest in sorted(days):
        yield ("china", day.isoformat(), *rest)


def spring_festivals() -> Iterator[tuple[str, ...]]:
    yield ("year", "day")
    for year in range(2000, 2051):
        yield (str(year), lunar(year, 1, 1).isoformat())


def poisson_limits() -> Iterator[tuple[str, ...]]:
    yield ("events", *(f"{side}{level}" for level in TAILS for side in ("lower", "upper")))
    for events in range(101):
        limits = []
        for tail in TAILS.values():
            limits += [stats.chi2.ppf(tail, 2 * events) / 2 if events else 0.0, stats.chi2.ppf(1 - tail, 2 * events + 2) / 2]
        yield (str(events), *(f"{limit:.12f}" for limit in limits))


DERIVED = {"calendar_day.csv": calendar_days, "spring_festival.csv": spring_festivals, "poisson_limit.csv": poisson_limits}


def as_csv(rows: Iterator[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("name", ["calendar_day.csv", "spring_festival.csv"])
def test_calendar_seed_is_what_the_library_says(name: str) -> None:
    held = (SEEDS / name).read_text(encoding="utf-8")
    derived = as_csv(DERIVED[name]())
    assert set(derived.splitlines()) == set(held.splitlines()), f"rewrite the seed: python {Path(__file__).name}"


def test_poisson_seed_is_half_a_chi_square_quantile() -> None:
    held = list(csv.DictReader((SEEDS / "poisson_limit.csv").open(encoding="utf-8")))
    assert [int(row["events"]) for row in held] == list(range(101))
    for row in held:
        events = int(row["events"])
        for level, tail in TAILS.items():
            assert stats.poisson.sf(events - 1, float(row[f"lower{level}"])) == pytest.approx(tail if events else 1.0, abs=1e-9)
            assert stats.poisson.cdf(events, float(row[f"upper{level}"])) == pytest.approx(tail, abs=1e-9)


def test_festival_days_as_published() -> None:
    held = {row["year"]: row["day"] for row in csv.DictReader((SEEDS / "spring_festival.csv").open(encoding="utf-8"))}
    assert (held["2024"], held["2025"], held["2026"]) == ("2024-02-10", "2025-01-29", "2026-02-17")


def test_working_weekends_and_days_off_of_a_notice() -> None:
    held = {row["day"]: row["day_class"] for row in csv.DictReader((SEEDS / "calendar_day.csv").open(encoding="utf-8"))}
    assert held["2025-09-28"] == held["2025-10-11"] == "workday"
    assert [held.get(f"2025-10-0{n}") for n in range(1, 10)] == ["holiday"] * 8 + [None]


def test_statutory_days_fall_within_the_announced_ones_since_the_law_of_2024() -> None:
    announced = set(chinese_calendar.holidays)
    for year in (2025, 2026):
        assert set(statutory(year)) <= announced


def test_weights_of_a_week_add_up_to_seven_days() -> None:
    for row in csv.DictReader((SEEDS / "calendar_weight.csv").open(encoding="utf-8")):
        week = sum(float(row[day]) for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
        assert week == pytest.approx(7.0), row


if __name__ == "__main__":
    for file_name, rows in DERIVED.items():
        (SEEDS / file_name).write_text(as_csv(rows()), encoding="utf-8")
