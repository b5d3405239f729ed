"""Nobody can tell a small count from what is public, of one release or of several: an attacker tries."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from public_city import Counts, Month, PublicCity, end_of, months

from benchmarks.public_attack import Fact, leaks
from benchmarks.public_attack.__main__ import month_ends, table, tried
from benchmarks.public_attack.reading import month_of
from benchmarks.public_attack.suppressors import SUPPRESSORS, forgetful, small_alone
from dagster_project.release.public import face as faces
from dagster_project.release.public import publish_face

HALF_A_YEAR = months((2024, 1), 6)
SOME = st.one_of(st.just(0), st.integers(1, 9), st.integers(10, 60))


@st.composite
def cities(draw: st.DrawFn) -> dict[tuple[str, str, Month], tuple[int, int | None]]:
    """Calls, effective ones and settled disputes of three counties in half a year, a good part of them small."""
    counts: dict[tuple[str, str, Month], tuple[int, int | None]] = {}
    for unit in ("A", "B", "D"):
        for month in HALF_A_YEAR:
            effective, other, settled, open_ = (draw(SOME) for _ in range(4))
            counts["INC-1", unit, month] = (effective + other, None)
            counts["INC-2", unit, month] = (effective, effective + other)
            counts["INC-3.effective", unit, month] = (effective, None)
            counts["MED-1", unit, month] = (settled, settled + open_)
    return counts


@st.composite
def cases(draw: st.DrawFn) -> dict[tuple[str, str, Month], tuple[int, int | None]]:
    """Cases filed and cleared in time, and people hurt and killed: counts that are part of each other, by county and month."""
    counts: dict[tuple[str, str, Month], tuple[int, int | None]] = {}
    for unit in ("A", "B", "D", "E"):
        for month in HALF_A_YEAR:
            early, later, never, hurt, killed = (draw(SOME) for _ in range(5))
            filed = early + later + never
            counts["CR-1.filed", unit, month] = (filed, None)
            counts["CR-2.30", unit, month] = (early, filed)
            counts["CR-2.90", unit, month] = (early + later, filed)
            counts["TR-1.ksi", unit, month] = (hurt + killed, None)
            counts["TR-1.deaths", unit, month] = (killed, None)
    return counts


FOLLOWED_UP = {"CR-2.30": 1, "CR-2.90": 3}
"""Months until all of a cohort is followed up: its figures come later than those that they are part of."""


def _until(counts: Counts, month: Month) -> Counts:
    known = {kpi: _month_before(month, later) for kpi, later in FOLLOWED_UP.items()}
    return {key: value for key, value in counts.items() if key[2] <= known.get(key[0], month)}


def _month_before(month: Month, number: int) -> Month:
    return months((month[0] - 1, month[1]), 13 - number)[-1]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "city"


def _publish(city: PublicCity, counts: Counts, as_of: dt.date) -> tuple[Path, Path]:
    release = city.release(counts, as_of)
    outcome = publish_face(city.home, release)
    assert outcome.face is not None and outcome.is_new, outcome.problem
    return outcome.face.database, release.database


def _anew(folder: Path) -> PublicCity:
    shutil.rmtree(folder, ignore_errors=True)
    return PublicCity(folder)


QUICK = settings(
    max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@QUICK
@given(counts=cities())
def test_one_release_tells_no_small_count(folder: Path, counts: Counts) -> None:
    public, internal = _publish(_anew(folder), counts, end_of(HALF_A_YEAR[-1]))
    assert leaks([public], internal) == []


@QUICK
@given(counts=cases())
def test_counts_that_are_part_of_each_other_tell_none_of_each_other(folder: Path, counts: Counts) -> None:
    public, internal = _publish(_anew(folder), counts, end_of(HALF_A_YEAR[-1]))
    assert leaks([public], internal) == []


@settings(parent=QUICK, max_examples=3)
@given(counts=st.one_of(cities(), cases()))
def test_a_release_a_month_tells_no_small_count_either(folder: Path, counts: Counts) -> None:
    city = _anew(folder)
    public: list[Path] = []
    for month in HALF_A_YEAR[1:]:
        database, internal = _publish(city, _until(counts, month), end_of(month))
        public.append(database)
    assert leaks(public, internal) == []


def _calls_of_d(month: Month) -> Fact:
    at = month_of(end_of(month))
    return Fact("calls", "D", at, at)


# A count by county and month, and the numerator and denominator of a share beside it. Of the first each share printed tells the count of its
# county, which is what the denominator has beyond the numerator; of the second that the count of B is no less than its denominator.
BESIDE: dict[tuple[str, str], dict[str, list[tuple[int, int, int]]]] = {
    ("INC-1", "INT-4.deleted"): {"A": [(53, 24, 77), (14, 0, 14)], "B": [(1, 7, 8), (41, 7, 48)], "D": [(48, 49, 97), (53, 0, 53)]},
    ("CR-5", "INT-1.quick"): {"A": [(100, 40, 90)] * 2, "B": [(30, 15, 30)] * 2, "D": [(7, 0, 7)] * 2, "E": [(35, 0, 28)] * 2},
}


@pytest.mark.parametrize(("kpis", "of_county"), BESIDE.items(), ids=["forms deleted and current", "cleared quickly, of cases filed here"])
def test_a_share_beside_a_count_does_not_tell_what_is_hidden_with_a_small_one(
    folder: Path, kpis: tuple[str, str], of_county: dict[str, list[tuple[int, int, int]]]
) -> None:
    counts: dict[tuple[str, str, Month], tuple[int, int | None]] = {}
    for unit, by_month in of_county.items():
        for month, (number, numerator, denominator) in zip(HALF_A_YEAR[:2], by_month, strict=True):
            counts[kpis[0], unit, month] = (number, None)
            counts[kpis[1], unit, month] = (numerator, denominator)
    public, internal = _publish(_anew(folder), counts, end_of(HALF_A_YEAR[1]))
    assert leaks([public], internal) == []


def test_the_attacker_breaks_a_release_that_hides_the_small_counts_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counts = {("INC-1", unit, month): (n, None) for unit, n in (("A", 40), ("B", 30), ("D", 7)) for month in HALF_A_YEAR[:3]}
    monkeypatch.setattr(faces, "suppress", small_alone)
    public, internal = _publish(_anew(folder), counts, end_of(HALF_A_YEAR[2]))
    found = leaks([public], internal)
    assert {(leak.wanted.fact, leak.least, leak.most) for leak in found} == {(_calls_of_d(month), 7, 7) for month in HALF_A_YEAR[:3]}
    monkeypatch.undo()
    public, internal = _publish(_anew(folder), counts, end_of(HALF_A_YEAR[2]))
    assert leaks([public], internal) == []


def test_the_attacker_breaks_releases_each_of_which_forgets_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In January B is hidden beside D. In February A alone would be enough, and B's year to date would tell its January."""
    of_unit = {"A": (100, 25), "B": (30, 300), "D": (7, 7)}
    counts: Counts = {
        ("INC-1", unit, month): (n, None) for unit, two in of_unit.items() for month, n in zip(HALF_A_YEAR, two, strict=False)
    }

    def two_releases() -> tuple[list[Path], Path]:
        city = _anew(folder)
        january, _ = _publish(city, _until(counts, HALF_A_YEAR[0]), end_of(HALF_A_YEAR[0]))
        february, internal = _publish(city, counts, end_of(HALF_A_YEAR[1]))
        return [january, february], internal

    assert leaks(*two_releases()) == []
    monkeypatch.setattr(faces, "suppress", forgetful)
    found = leaks(*two_releases())
    assert (_calls_of_d(HALF_A_YEAR[0]), 7, 7) in {(leak.wanted.fact, leak.least, leak.most) for leak in found}


def test_the_attacker_reads_a_hidden_month_from_the_one_after_it(folder: Path) -> None:
    """The prior of a printed figure is a figure too: a release that prints it is broken."""
    import duckdb

    counts: Counts = {("INC-1", "A", month): (n, None) for month, n in zip(HALF_A_YEAR[:2], (7, 40), strict=True)}
    public, internal = _publish(_anew(folder), counts, end_of(HALF_A_YEAR[1]))
    assert leaks([public], internal) == []
    told = folder / "told.duckdb"
    shutil.copy(public, told)
    told.chmod(0o600)
    with duckdb.connect(str(told)) as db:
        db.execute("update kpi set pop_value = 7 where period_start = date '2024-02-01' and grain = 'month'")
    assert {leak.wanted.fact.unit for leak in leaks([told], internal)} == {"A", "C"}


def test_a_city_is_attacked_month_end_by_month_end_in_every_way_to_hide(folder: Path) -> None:
    """As the benchmark does it with a whole one: B hides D's January; what each release proves for itself is told by the next."""
    of_unit = {"A": (100, 25), "B": (30, 300), "D": (7, 7)}
    counts: Counts = {("INC-1", unit, at): (n, None) for unit, two in of_unit.items() for at, n in zip(HALF_A_YEAR, two, strict=False)}
    release = PublicCity(folder).release(counts, end_of(HALF_A_YEAR[1]))
    results = [tried(release, month_ends(release.as_of, 2), way, folder / way) for way in SUPPRESSORS]
    assert [(one.way, one.is_as_it_must_be, one.attack.figures) for one in results] == [(way, True, 2) for way in SUPPRESSORS]
    assert [len(one.attack.leaks) for one in results] == [0, 2, 1]
    assert "broken" in table(results) and "TOLD" not in table(results)
