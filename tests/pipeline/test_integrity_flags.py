"""The integrity flags: their arithmetic against scipy, their level on honest histories and their power on histories that game."""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from benchmarks import integrity

CITIES = 17
SEEDS = integrity.DBT / "seeds"
Row = tuple[str, str, dt.date, str, int, int]


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return integrity.compile_models(tmp_path_factory.mktemp("compiled"))


def flags(
    models: Mapping[str, str],
    rows: Iterable[Row],
    stations: int,
    as_of: dt.date,
    changes: Sequence[tuple[str, dt.date, str | None]] = (),
    by_day: bool = False,
) -> dict[tuple[str, str, dt.date], dict[str, Any]]:
    """Results by flag, unit and end of period, of one city with stations S0, S1 …"""
    columns = list(zip(*rows, strict=True))
    names = ("kpi_id", "unit_code", "day", "cell", "numerator", "denominator")
    parents: dict[str, str | None] = {"C": None, **{f"S{n}": "C" for n in range(stations)}}
    found = integrity.run_flags(models, pa.table(dict(zip(names, map(list, columns), strict=True))), parents, as_of, changes, by_day)
    return {(row["flag_id"], row["unit_code"], row["period_end"]): row for row in found.to_pylist()}


def in_month(month: int, kpi_id: str, unit: str, cell: str, numerator: int, denominator: int, year: int = 2024) -> Row:
    return kpi_id, unit, dt.date(year, month, 15), cell, numerator, denominator


JANUARY = dt.date(2024, 1, 31)
FIRST_QUARTER = dt.date(2024, 3, 31)
LATER = dt.date(2025, 12, 31)


def tail_of_peers(counts: list[tuple[int, int]], low: bool = False) -> tuple[float, float]:
    """Dispersion and p of the first of so many (events, trials): the larger of Fisher's and the t tail on arcsines."""
    (x, n), others = counts[0], counts[1:]
    events, trials = sum(e for e, _ in others), sum(t for _, t in others)
    share = events / trials
    chi_square = sum((e - t * share) ** 2 / (t * share * (1 - share)) for e, t in others) if 0 < events < trials else 0.0
    dispersion = max(1.0, chi_square / (len(others) - 1))
    z = 2 * (math.asin(math.sqrt(x / n)) - math.asin(math.sqrt(share))) / math.sqrt(dispersion * (1 / n + 1 / trials))
    drawn = stats.hypergeom(n + trials, x + events, n)
    exact = drawn.cdf(x) if low else drawn.sf(x - 1)
    return dispersion, max(exact, stats.t.sf(-z if low else z, len(others) - 1))


@pytest.mark.parametrize(
    "counts",
    [
        [(30, 200), (10, 210), (12, 190), (9, 150), (14, 260), (11, 200)],
        [(40, 200), (10, 210), (32, 190), (9, 150), (34, 260), (11, 200)],
        [(3, 120), (0, 210), (0, 190), (0, 150), (0, 260)],
    ],
    ids=["alike", "dispersed", "nothing at the others"],
)
def test_a_share_against_peers(models: Mapping[str, str], counts: list[tuple[int, int]]) -> None:
    rows = [in_month(1, "INT-4.invalid", f"S{n}", "", *count) for n, count in enumerate(counts)]
    row = flags(models, rows, len(counts), LATER)["invalid", "S0", JANUARY]
    dispersion, p = tail_of_peers(counts)
    assert row["dispersion"] == pytest.approx(dispersion, abs=2e-6)
    assert row["p_value"] == pytest.approx(p, rel=2e-3)
    assert row["compared_with"] == len(counts) - 1
    others = counts[1:]
    assert row["expected"] == pytest.approx(counts[0][1] * sum(e for e, _ in others) / sum(t for _, t in others))
    assert row["is_flagged"] == (p <= 0.01)


def test_a_low_share_against_peers(models: Mapping[str, str]) -> None:
    counts = [(12, 300), (60, 310), (55, 290), (70, 330), (58, 300), (64, 300)]
    rows = [in_month(1, "INC-3.converted", f"S{n}", "", *count) for n, count in enumerate(counts)]
    found = flags(models, rows, len(counts), LATER)
    assert found["conversion_funnel", "S0", JANUARY]["p_value"] == pytest.approx(tail_of_peers(counts, low=True)[1], rel=2e-3)
    assert found["conversion_funnel", "S0", JANUARY]["is_flagged"]
    assert not any(found["conversion_funnel", f"S{n}", JANUARY]["is_flagged"] for n in range(1, 6))


def test_q_is_adjusted_among_the_units_tested_at_once(models: Mapping[str, str]) -> None:
    counts = [(60, 300), (20, 310), (45, 290), (22, 330), (18, 300), (21, 300)]
    rows = [in_month(m, "INT-4.invalid", f"S{n}", "", *count) for m in (1, 2) for n, count in enumerate(counts)]
    found = flags(models, rows, len(counts), LATER)
    p = np.array([found["invalid", f"S{n}", JANUARY]["p_value"] for n in range(6)])
    q = [found["invalid", f"S{n}", JANUARY]["q_value"] for n in range(6)]
    assert q == pytest.approx(stats.false_discovery_control(p))


def test_net_downgrading_against_peers(models: Mapping[str, str]) -> None:
    """Down less up: moves up at the unit take back as many down."""
    moves = [(40, 4, 900), (12, 3, 800), (15, 5, 1000), (10, 2, 700), (14, 4, 900), (13, 6, 950)]
    rows = []
    for n, (down, up, ranked) in enumerate(moves):
        for month in (1, 2, 3):
            share = (month == 3, month != 3)
            cells = [("", down, ranked), ("direction:down", down, 0), ("direction:up", up, 0)]
            rows += [
                in_month(month, "INT-3.down", f"S{n}", cell, a if share[0] else 0, b if share[0] else 1)
                for cell, a, b in cells
                if share[0] or not cell
            ]
    row = flags(models, rows, 6, LATER)["net_downgrade", "S0", FIRST_QUARTER]
    ranked = [r + 2 for *_, r in moves]
    trials = sum(ranked[1:])
    down, up = sum(d for d, *_ in moves[1:]), sum(u for _, u, _ in moves[1:])
    net, changed = (down - up) / trials, (down + up) / trials
    spread = sum((d - u - r * net) ** 2 / r for (d, u, _), r in zip(moves[1:], ranked[1:], strict=True)) / (changed - net**2)
    dispersion = max(1.0, spread / 4)
    raised = ranked[0] / trials
    z = 2 * (math.sqrt(40 - 4 + 2 * up * raised) - math.sqrt((down + up) * raised)) / math.sqrt(dispersion * (1 + raised))
    assert row["observed"] == 36
    assert row["p_value"] == pytest.approx(stats.t.sf(z, 4), rel=2e-3)


def test_a_gap_of_coverage_against_the_gap_of_peers(models: Mapping[str, str]) -> None:
    gaps = [
        ((90, 100), (100, 300)),
        ((50, 100), (140, 300)),
        ((48, 110), (130, 280)),
        ((55, 120), (150, 310)),
        ((40, 90), (120, 290)),
        ((45, 95), (160, 300)),
    ]
    rows = [
        in_month(month, "INT-5.coverage", f"S{n}", cell, x if month == 2 else 0, t if month == 2 else 0)
        for n, pair in enumerate(gaps)
        for month in (1, 2, 3)
        for cell, (x, t) in zip(("outcome:case", "outcome:no_case"), pair, strict=True)
    ]
    row = flags(models, rows, 6, LATER)["coverage_gap", "S0", FIRST_QUARTER]
    d = np.array([math.asin(math.sqrt(a / b)) - math.asin(math.sqrt(e / f)) for (a, b), (e, f) in gaps])
    w = np.array([1 / (1 / b + 1 / f) for (_, b), (_, f) in gaps])
    mean = (w[1:] * d[1:]).sum() / w[1:].sum()
    dispersion = max(1.0, 4 * (w[1:] * (d[1:] - mean) ** 2).sum() / 4)
    z = 2 * (d[0] - mean) / math.sqrt(dispersion * (1 / w[0] + 1 / w[1:].sum()))
    assert row["value"] == pytest.approx(0.9 - 1 / 3)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(z), 4), rel=2e-3)


def test_a_quarter_against_the_months_of_the_units_own_year_before(models: Mapping[str, str]) -> None:
    """The baseline is frozen: what happens in the year that is monitored does not move it."""
    base = [(8, 380), (6, 400), (9, 390), (5, 370), (7, 410), (12, 400), (6, 395), (8, 405), (7, 390), (5, 400), (9, 410), (6, 380)]
    rows = [in_month(m + 1, "INT-3.down", "S0", "", *count) for m, count in enumerate(base)]
    rows += [in_month(m, "INT-3.down", "S0", "", 15, 400, 2025) for m in (1, 2, 3)] + [in_month(4, "INT-3.down", "S0", "", 300, 400, 2025)]
    row = flags(models, rows, 1, LATER)["downgrade_chart", "S0", dt.date(2025, 3, 31)]
    dispersion, p = tail_of_peers([(45, 1200), *base])
    share = sum(x for x, _ in base) / sum(n for _, n in base)
    assert row["p_value"] == pytest.approx(p, rel=2e-3)
    assert row["is_flagged"]
    assert row["upper_limit"] == pytest.approx(share + 3 * math.sqrt(dispersion * share * (1 - share) / 1200), abs=1e-6)
    assert row["lower_limit"] == pytest.approx(share - 3 * math.sqrt(dispersion * share * (1 - share) / 1200), abs=1e-6)


def test_a_count_against_the_units_own_year_before(models: Mapping[str, str]) -> None:
    base = [2, 1, 3, 0, 2, 4, 1, 2, 2, 3, 1, 2]
    days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    rows = [in_month(m + 1, "INT-4.deleted", "S0", "", x, 400) for m, x in enumerate(base)]
    rows += [in_month(m + 1, "INT-4.deleted", "S0", "", x, 400, 2025) for m, x in enumerate([9, 2, 8, 3, 5, 6])]
    found = flags(models, rows, 1, LATER)
    assert ("deleted_chart", "S0", dt.date(2025, 3, 31)) not in found, "six months would reach into the baseline"
    row = found["deleted_chart", "S0", dt.date(2025, 6, 30)]
    rate = sum(base) / 366
    dispersion = max(1.0, sum((x - d * rate) ** 2 / (d * rate) for x, d in zip(base, days, strict=True)) / 11)
    z = 2 * (math.sqrt(33 * 366) - math.sqrt(sum(base) * 181)) / math.sqrt(dispersion * (366 + 181))
    exact = stats.binom.sf(32, 33 + sum(base), 181 / (366 + 181))
    assert row["p_value"] == pytest.approx(max(exact, stats.t.sf(z, 11)), rel=2e-3)
    assert row["trials"] == 181 and row["expected"] == pytest.approx(181 * rate)


@pytest.mark.parametrize(
    ("changed", "role", "tested"),
    [
        ((2025, 1, 1), None, {2026}),
        ((2024, 3, 20), None, {2026}),
        ((2024, 1, 1), None, {2025, 2026}),
        ((2025, 6, 30), None, set()),
        ((2025, 7, 1), None, {2025}),
        ((2025, 1, 1), "jurisdiction", {2026}),
        ((2025, 1, 1), "responding", {2025, 2026}),
    ],
)
def test_a_unit_that_changed_since_is_not_measured_by_what_it_was(
    models: Mapping[str, str], changed: tuple[int, int, int], role: str | None, tested: set[int]
) -> None:
    """On 1 January 2025 S0 takes over a station of its own size: twice as many forms and deletions are no more deletions than before."""
    base = [10, 8, 12, 9, 11, 10, 10, 7, 13, 10, 9, 11]
    rows = [in_month(m, "INT-4.deleted", "S0", "", x, 1000) for m, x in enumerate(base, 1)]
    rows += [in_month(m, "INT-4.deleted", "S0", "", 2 * x, 2000, year) for year in (2025, 2026) for m, x in enumerate(base, 1)]
    found = flags(models, rows, 1, dt.date(2026, 12, 31), [("S0", dt.date(*changed), role)])
    ends = {2025: dt.date(2025, 6, 30), 2026: dt.date(2026, 6, 30)}
    assert {year for year, end in ends.items() if ("deleted_chart", "S0", end) in found} == tested
    if 2026 in tested and 2025 not in tested:
        assert not found["deleted_chart", "S0", ends[2026]]["is_flagged"]
    unknown = flags(models, rows, 1, dt.date(2026, 12, 31))
    assert unknown["deleted_chart", "S0", ends[2025]]["is_flagged"], "not knowing of the change, the flag is raised"


def test_a_change_of_the_unit_is_no_change_from_a_year_earlier(models: Mapping[str, str]) -> None:
    """S0 gives half of its area away on 1 January 2025: filings halve, clearances a little less."""
    rows = []
    for unit in ("S0", "S1"):
        rows += [in_month(m, k, unit, "", 30, 0 if k == "CR-5" else 100) for m in range(1, 13) for k in ("CR-1", "CR-5")]
        rows += [in_month(m, k, unit, "", 20, 0 if k == "CR-5" else 50, 2025) for m in range(1, 13) for k in ("CR-1", "CR-5")]
    rows += [in_month(m, "INC-3.converted", f"S{n}", "", 200, 1000, year) for n in range(6) for year in (2024, 2025) for m in range(1, 13)]
    found = flags(models, rows, 6, LATER, [("S0", dt.date(2025, 1, 1), None)])
    for flag in ("ratio_without_work", "conversion_fall"):
        tested = {unit for flag_id, unit, end in found if flag_id == flag and end == dt.date(2025, 6, 30)}
        assert "S0" not in tested and "S1" in tested
    assert found["conversion_fall", "S1", dt.date(2025, 6, 30)]["compared_with"] == 4
    assert found["conversion_funnel", "S0", dt.date(2025, 6, 30)]["compared_with"] == 5, "beside others it is looked at as ever"


def test_a_change_from_a_year_earlier_against_the_change_of_peers(models: Mapping[str, str]) -> None:
    """What fell everywhere is nobody's doing."""
    falls = [
        ((200, 1000), (60, 1000)),
        ((210, 1100), (150, 1050)),
        ((190, 900), (140, 950)),
        ((180, 1000), (140, 990)),
        ((220, 1000), (170, 1000)),
        ((205, 980), (150, 1010)),
    ]
    rows = [
        in_month(month, "INC-3.converted", f"S{n}", "", x if month == 2 else 0, t if month == 2 else 0, year)
        for n, pair in enumerate(falls)
        for year, (x, t) in zip((2024, 2025), pair, strict=True)
        for month in (1, 2, 3)
    ]
    found = flags(models, rows, 6, LATER)
    d = np.array([math.asin(math.sqrt(e / f)) - math.asin(math.sqrt(a / b)) for (a, b), (e, f) in falls])
    w = np.array([1 / (1 / b + 1 / f) for (_, b), (_, f) in falls])
    mean = (w[1:] * d[1:]).sum() / w[1:].sum()
    dispersion = max(1.0, 4 * (w[1:] * (d[1:] - mean) ** 2).sum() / 4)
    z = 2 * (d[0] - mean) / math.sqrt(dispersion * (1 / w[0] + 1 / w[1:].sum()))
    row = found["conversion_fall", "S0", dt.date(2025, 3, 31)]
    assert row["value"] == pytest.approx(-0.14)
    assert row["p_value"] == pytest.approx(stats.t.sf(-z, 4), rel=2e-3)
    assert [u for f, u, _ in found if f == "conversion_fall" and found[f, u, dt.date(2025, 3, 31)]["is_flagged"]] == ["S0"]


def test_round_arrivals_against_a_fifth(models: Mapping[str, str]) -> None:
    rows = [
        in_month(1, "INT-8.heap", "S0", "", 29, 100),
        in_month(1, "INT-8.heap", "S1", "", 31, 100),
        in_month(1, "INT-8.heap", "S2", "", 0, 100),
    ]
    found = flags(models, rows, 3, LATER)
    for unit, x in (("S0", 29), ("S1", 31)):
        assert found["round_arrivals_fifth", unit, JANUARY]["p_value"] == pytest.approx(stats.binom.sf(x - 1, 100, 0.2), rel=1e-4)
    assert found["round_arrivals_fifth", "S1", JANUARY]["is_flagged"] and not found["round_arrivals_fifth", "S0", JANUARY]["is_flagged"]
    assert found["round_arrivals_fifth", "S2", JANUARY]["p_value"] > 0.99
    assert not any(flag == "round_arrivals" for flag, *_ in found), "two others are too few to be compared with"


def test_last_digits_against_equal_shares(models: Mapping[str, str]) -> None:
    digits = [24, 8, 9, 10, 7, 21, 9, 8, 11, 10]
    rows = [in_month(1, "INT-8.heap", "S0", f"digit:{d}", n, 0) for d, n in enumerate(digits)]
    row = flags(models, rows, 1, LATER)["digit_preference", "S0", JANUARY]
    expected = stats.chisquare(digits)
    assert (row["statistic"], row["p_value"]) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue, rel=1e-6, abs=1e-9))


def test_months_that_equal_the_quota(models: Mapping[str, str]) -> None:
    """A quota of ten a month: four of six months are more than chance leaves at best, three are not."""
    rows = [in_month(month, "INT-6.quota", unit, "", int(month <= met), 1) for unit, met in (("S0", 4), ("S1", 3)) for month in range(1, 7)]
    found = flags(models, rows, 2, LATER)
    chance = stats.poisson.pmf(10, 10)
    for unit, met in (("S0", 4), ("S1", 3)):
        row = found["quota_months", unit, dt.date(2024, 6, 30)]
        assert row["p_value"] == pytest.approx(stats.binom.sf(met - 1, 6, chance), rel=1e-6)
        assert row["is_flagged"] == (met == 4)


def test_months_that_are_too_much_alike(models: Mapping[str, str]) -> None:
    days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    alike, free = [40] * 12, [40, 51, 33, 47, 38, 29, 45, 36, 52, 41, 37, 34]
    rows = [in_month(m + 1, "MED-1", unit, "", 0, x) for unit, xs in (("S0", alike), ("S1", free)) for m, x in enumerate(xs)]
    found = flags(models, rows, 2, LATER)
    for unit, xs in (("S0", alike), ("S1", free)):
        row = found["regular_entries", unit, dt.date(2024, 12, 31)]
        expected = [sum(xs) * d / 366 for d in days]
        chi_square = sum((x - e) ** 2 / e for x, e in zip(xs, expected, strict=True))
        assert row["statistic"] == pytest.approx(chi_square)
        assert row["p_value"] == pytest.approx(stats.chi2.cdf(chi_square, 11), rel=1e-5, abs=1e-9)
        assert row["is_flagged"] == (unit == "S0")


def test_clearance_ratio_up_while_clearances_fall(models: Mapping[str, str]) -> None:
    """Both must hold: S0 falls and rises, S1 only clears less, S2 only files less."""
    earlier, now = (60, 240), {"S0": (24, 20), "S1": (24, 96), "S2": (60, 60)}
    rows = []
    for unit, (cleared, filed) in now.items():
        for year, (c, f) in ((2024, earlier), (2025, (cleared, filed))):
            rows += [
                in_month(2, "CR-5", unit, "", c, 0, year),
                in_month(2, "CR-1", unit, "", c, f, year),
                in_month(1, "CR-1", unit, "", 0, 1, year),
            ]
    found = {u: flags(models, [r for r in rows if r[1] == u], 3, LATER)["ratio_without_work", u, dt.date(2025, 3, 31)] for u in now}
    days = (60.0, 59.0)
    z = 2 * (math.sqrt(24 * days[0]) - math.sqrt(60 * days[1])) / math.sqrt(sum(days))
    share, share_earlier = 24 / 45, 60 / 301
    rise = 2 * (math.asin(math.sqrt(share)) - math.asin(math.sqrt(share_earlier))) / math.sqrt(1 / 45 + 1 / 301)
    assert found["S0"]["p_value"] == pytest.approx(max(stats.norm.cdf(z), stats.norm.sf(rise)), rel=1e-6, abs=1e-9)
    assert found["S0"]["is_flagged"] and not found["S1"]["is_flagged"] and not found["S2"]["is_flagged"]


def test_only_periods_that_are_over_and_matured_are_tested(models: Mapping[str, str]) -> None:
    rows = [
        in_month(month, kpi, f"S{n}", "", 10, 100)
        for month in range(1, 7)
        for kpi in ("INT-4.invalid", "INT-4.deleted", "INT-1.before")
        for n in range(6)
    ]
    found = flags(models, rows, 6, dt.date(2024, 6, 29))
    ends = {flag: sorted({end for f, _, end in found if f == flag}) for flag in ("invalid", "deleted", "cleared_before_filing")}
    assert ends["invalid"][-1] == dt.date(2024, 5, 31)
    assert ends["deleted"][-1] == dt.date(2024, 4, 30), "deletions are waited for 30 days"
    assert ends["cleared_before_filing"] == [FIRST_QUARTER]


def every_day(kpi_id: str, stations: int, first: dt.date, last: dt.date, numerator: int, denominator: int) -> list[Row]:
    days = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    return [(kpi_id, f"S{n}", day, "", numerator, denominator) for n in range(stations) for day in days]


def test_a_month_in_which_a_feed_began_or_stopped_is_not_tested(models: Mapping[str, str]) -> None:
    """From 10 January to 20 July: neither month is whole, nor the first and the third quarter."""
    rows = [row for k in ("INC-2", "INC-3.converted") for row in every_day(k, 6, dt.date(2024, 1, 10), dt.date(2024, 7, 20), 4, 10)]
    found = flags(models, rows, 6, LATER, by_day=True)
    assert {end.month for flag, _, end in found if flag == "excluded_incidents"} == {2, 3, 4, 5, 6}
    yearly = [*every_day("INC-3.converted", 6, dt.date(2024, 1, 10), dt.date(2025, 7, 20), 4, 10)]
    ends = {end for flag, _, end in flags(models, yearly, 6, LATER, by_day=True) if flag == "conversion_fall"}
    assert ends == {dt.date(2025, 6, 30)}, "the first quarter of 2024 was none to compare with"


def test_cases_do_not_make_whole_the_months_in_which_calls_began_and_stopped(models: Mapping[str, str]) -> None:
    rows = every_day("INT-1.quick", 6, dt.date(2024, 1, 1), dt.date(2024, 8, 31), 1, 10)
    rows += every_day("INT-4.invalid", 6, dt.date(2024, 1, 10), dt.date(2024, 7, 20), 1, 10)
    found = flags(models, rows, 6, LATER, by_day=True)
    assert {end.month for flag, _, end in found if flag == "invalid"} == {2, 3, 4, 5, 6}
    assert {end.month for flag, _, end in found if flag == "quick_clearance"} == {3, 6}


@pytest.mark.parametrize(("first", "months"), [(dt.date(2024, 1, 1), 12), (dt.date(2024, 2, 10), 10), (dt.date(2024, 3, 2), None)])
def test_a_month_in_which_a_feed_began_is_no_part_of_a_baseline(models: Mapping[str, str], first: dt.date, months: int | None) -> None:
    found = flags(models, every_day("INC-2", 1, first, dt.date(2025, 2, 28), 8, 10), 1, LATER, by_day=True)
    row = found.get(("excluded_incidents_chart", "S0", dt.date(2025, 1, 31)))
    assert (row and row["compared_with"]) == months, "ten whole months are needed"


def test_what_counts_too_little_is_not_tested(models: Mapping[str, str]) -> None:
    rows = [in_month(1, "INT-4.invalid", f"S{n}", "", 1, 19 if n == 0 else 20) for n in range(6)]
    found = flags(models, rows, 6, LATER)
    assert {unit for flag, unit, _ in found if flag == "invalid"} == {f"S{n}" for n in range(1, 6)}


# The declared flags


def test_every_flag_is_wired() -> None:
    declared, terms = seed("integrity_flag"), seed("integrity_flag_term")
    catalogue = {row["kpi_id"] for row in seed("kpi_catalogue")}
    read = {figure: {t["kpi_id"] for t in terms if t["figure"] == figure} for figure in {t["figure"] for t in terms}}
    for flag in declared:
        assert set(flag["kpi_ids"].split("|")) == read[flag["figure"]] <= catalogue, flag["flag_id"]
    assert set(read) == {flag["figure"] for flag in declared}
    macro = (integrity.DBT / "macros" / "integrity.sql").read_text(encoding="utf-8")
    flags_part, risks_part = macro.split("{% macro integrity_risks()")
    assert re.findall(r"'(\w+)'", flags_part) == [flag["flag_id"] for flag in declared]
    assert re.findall(r"'(\w+)'", risks_part) == list(dict.fromkeys(flag["risk"] for flag in declared))


def test_words_say_what_not_to_conclude_and_clearance_is_never_ranked() -> None:
    for flag in seed("integrity_flag"):
        assert "不能据此认定" in flag["not_conclude_zh"] and "no finding of wrongdoing" in flag["not_conclude_en"]
        if "CR-" in flag["kpi_ids"]:
            assert "never ranked" in flag["not_conclude_en"] and "不排名" in flag["not_conclude_zh"]


# Level and power


@pytest.fixture(scope="module")
def honest(models: Mapping[str, str]) -> pa.Table:
    return integrity.tested(models, seed=11, cities=CITIES, gaming=False)


def test_false_alarms_are_as_many_as_declared(honest: pa.Table) -> None:
    attained = integrity.false_alarms(honest)
    assert [a.flag_id for a in attained] == sorted(flag["flag_id"] for flag in seed("integrity_flag"))
    assert max(a.histories for a in attained) >= 200
    assert [a for a in attained if not a.within] == []


def test_over_all_periods_no_flag_is_raised_more_often_than_declared(honest: pa.Table) -> None:
    """Periods of one history are not independent, so twice the level is allowed."""
    assert [a for a in integrity.false_alarms(honest) if a.all_tests >= 1000 and a.all_share > 2 * a.level] == []


def test_gaming_is_seen(models: Mapping[str, str]) -> None:
    seen = integrity.power(integrity.tested(models, seed=12, cities=CITIES, gaming=True))
    assert {p.flag_id for p in seen} == set(integrity.declared_flags())
    assert [p for p in seen if not p.enough] == []


def test_a_city_is_judged_by_who_gamed_and_since_when(tmp_path: Path) -> None:
    (tmp_path / "warehouse").mkdir()
    (tmp_path / "landing" / "truth").mkdir(parents=True)
    (tmp_path / "landing" / "truth" / "gaming.json").write_text('{"units": ["S1"], "since": "2025-02-01"}', encoding="utf-8")
    with duckdb.connect(str(tmp_path / "warehouse" / "candidate.duckdb")) as connection:
        connection.execute(
            """
            create table integrity_finding as
            select 'a_flag' as flag_id, 'station' as unit_level, *
            from (values
                ('S1', date '2025-01-31', true), ('S1', date '2025-02-28', false), ('S1', date '2025-03-31', true),
                ('S2', date '2025-02-28', false), ('S2', date '2025-03-31', true)
            ) as t(unit_code, period_end, is_flagged)
            """
        )
    assert integrity.city(tmp_path / "warehouse" / "candidate.duckdb", tmp_path / "landing" / "truth" / "gaming.json") == [
        integrity.Seen("a_flag", gaming_tests=2, gaming_alarms=1, gaming_seen_last=1.0, honest_tests=2, honest_alarms=1)
    ]
    assert integrity.city(tmp_path / "warehouse" / "candidate.duckdb", None)[0].honest_tests == 5
    assert integrity.main(["--home", str(tmp_path)]) == 0


def test_the_table_names_what_is_off() -> None:
    off = integrity.Attained("a_flag", 0.01, 200, 20, 0.1, 0, 7, False, 200, 0.1)
    assert "level!" in integrity.table([off], [integrity.Power("a_flag", 10, 0.5, False)])
    assert "power!" in integrity.table([off], [integrity.Power("a_flag", 10, 0.5, False)])


def test_the_benchmark_says_of_every_flag_how_often_it_is_raised_on_both(
    models: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "compile_models", lambda _: models)
    attained, powers = integrity.run(cities=1, seed=1, scratch=tmp_path)
    assert {a.flag_id for a in attained} == {p.flag_id for p in powers} == set(integrity.declared_flags())
    assert all(flag_id in integrity.table(attained, powers) for flag_id in integrity.declared_flags())
