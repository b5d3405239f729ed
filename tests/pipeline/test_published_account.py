"""The published account, read from the release of the default city: every figure at the digits in which it was printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from dagster_project.city.account import FIGURES, Figure
from dagster_project.city.simulate import simulate
from dagster_project.home import Home

PRINTED = {
    "street preventable incidents, year on year": "−38.5 %",
    "telecom-fraud cases, year on year": "−57.7 %",
    "telecom-fraud losses, year on year": "−56.6 %",
    "service requests closed by their due date": "100 %",
    "preventable incidents in smart-security communities": "0",
    "hours of community officers in the community": "80 %",
    "eight serious violent types cleared": "100 %",
    "accidents with casualties, year on year": "down",
    "deaths in accidents, year on year": "down",
    "days promised of the days by statute": "50 %",
    "vehicle gates": "10,478",
    "face cameras": "3,002",
    "passages a day": "40 million",
    "passages a gate and day": "3,818",
    "joint-security stations": "208",
    "community officers": "1,105",
    "county bureaus": "13",
    "online services": "148",
    "one-window items": "36",
    "registered users of online services": "760,000",
}
STAGES = {"report_receive", "receive_dispatch", "dispatch_arrive", "arrive_close"}
DAYS_OF_A_WEEK = 7


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The release of the default city's last night."""
    home = Home.at(tmp_path_factory.mktemp("account") / "home")
    simulate(home.landing)
    command = [str(Path(sys.executable).with_name("pool")), "run", "--home", str(home.root)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POOL_") and name != "DAGSTER_HOME"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    with duckdb.connect(str(home.current / "kpi.duckdb"), read_only=True) as connection:
        yield connection


def shown(release: duckdb.DuckDBPyConnection, figure: Figure) -> tuple[int, int, float | None]:
    """Numerator, denominator and year-on-year ratio of the city's row that shows a figure."""
    query = """
        select numerator, denominator, yoy_ratio from kpi
        where unit_level = 'city' and kpi_id = $kpi_id and slice = $slice and grain = $grain and period_end = $period_end and not stale
    """
    asked = {"kpi_id": figure.kpi_id, "slice": figure.slice, "grain": figure.grain, "period_end": figure.period_end}
    (row,) = release.execute(query, asked).fetchall()
    numerator, denominator, ratio = row
    return numerator, denominator, ratio


def per_gate(release: duckdb.DuckDBPyConnection, passages: int) -> str:
    gates = next(figure for figure in FIGURES if figure.name_en == "vehicle gates")
    return f"{passages / DAYS_OF_A_WEEK / shown(release, gates)[0]:,.0f}"


def change(ratio: float | None) -> str:
    assert ratio is not None
    return f"{100 * (ratio - 1):+.1f} %".replace("-", "−")


PRINT: dict[str, Callable[[duckdb.DuckDBPyConnection, int, int, float | None], str]] = {
    "change": lambda release, numerator, denominator, ratio: change(ratio),
    "direction": lambda release, numerator, denominator, ratio: "down" if change(ratio).startswith("−") else "not down",
    "percent": lambda release, numerator, denominator, ratio: f"{100 * numerator / denominator:.0f} %",
    "number": lambda release, numerator, denominator, ratio: f"{numerator:,}",
    "base": lambda release, numerator, denominator, ratio: f"{denominator:,}",
    "stage": lambda release, numerator, denominator, ratio: "by stage" if numerator > denominator > 0 else "not measured",
    "millions_a_day": lambda release, numerator, denominator, ratio: f"{numerator / DAYS_OF_A_WEEK / 1e6:.0f} million",
    "per_gate_and_day": lambda release, numerator, denominator, ratio: per_gate(release, numerator),
}


def printed(release: duckdb.DuckDBPyConnection, figure: Figure) -> str:
    """A figure as the account would print it from the release."""
    if figure.shown == "rows":
        (counties,) = release.execute("select count(*) from unit where unit_level = 'county'").fetchall()[0]
        return str(counties)
    return PRINT[figure.shown](release, *shown(release, figure))


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name_en)
def test_the_release_shows_the_published_figure(release: duckdb.DuckDBPyConnection, figure: Figure) -> None:
    assert printed(release, figure) == figure.printed


def test_every_figure_of_the_account_is_declared_as_it_was_published() -> None:
    assert {figure.name_en: figure.printed for figure in FIGURES if figure.kpi_id != "RT-1"} == PRINTED
    assert {figure.slice for figure in FIGURES if figure.kpi_id == "RT-1"} == {f"stage:{stage}" for stage in STAGES}


def test_the_documentation_lists_every_figure() -> None:
    lines = (Path(__file__).resolve().parents[2] / "docs" / "published-account.md").read_text(encoding="utf-8").splitlines()
    for figure in FIGURES:
        where = f"{figure.kpi_id} `{figure.slice}`" if figure.slice else figure.kpi_id
        assert [line for line in lines if figure.name_en in line and where in line and line.endswith(f"| {figure.printed} |")]


def test_changes_follow_from_the_counts_as_they_are(release: duckdb.DuckDBPyConnection) -> None:
    """Without a leap day or a festival between them: the ratio of the rates is that of the counts, and the calls are no chance."""
    rows = release.execute(
        """
        select kpi_id, round(numerator / yoy_value, 6) = round(yoy_ratio, 6), yoy_verdict from kpi
        where unit_level = 'city' and kpi_id in ('INC-4', 'FR-1.cases') and slice = '' and grain = 'quarter' and period_end = '2025-06-30'
        order by kpi_id
        """
    ).fetchall()
    assert rows == [("FR-1.cases", True, "fall"), ("INC-4", True, "fall")]


def test_what_is_all_or_nothing_is_not_so_for_want_of_cases(release: duckdb.DuckDBPyConnection) -> None:
    least = {"SVC-1": 100, "CR-3": 10, "SITE-1": 1_000}
    counted = {figure.kpi_id: shown(release, figure)[1] for figure in FIGURES if figure.kpi_id in least}
    assert {kpi_id for kpi_id, number in counted.items() if number >= least[kpi_id]} == set(least)


def test_every_smart_community_of_the_quarter_had_none(release: duckdb.DuckDBPyConnection) -> None:
    query = (
        "select zero_communities, communities from mart_site where unit_level = 'city' and grain = 'quarter' and period_end = '2025-06-30'"
    )
    ((zero, communities),) = release.execute(query).fetchall()
    assert zero == communities > 10
