"""The public face of a release: when it is made, what stands in it, what becomes of it later."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from audit_home import NIGHT, AuditHome
from public_city import CITY, Counts, Month, PublicCity, end_of, months
from typer.testing import CliRunner

from dagster_project.audit.candidate import sha256_of
from dagster_project.audit.traces import traces
from dagster_project.backup import backup, restore
from dagster_project.cli import app
from dagster_project.doctor import examine
from dagster_project.home import Home
from dagster_project.release import PublishResult, current_release, withdraw
from dagster_project.release.public import current_face, list_faces, publish_face

Publish = Callable[..., PublishResult]
WHY = "the disputes of station B were counted twice"
DAY = dt.timedelta(days=1)


def _ask(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(database), read_only=True) as db:
        return db.execute(sql).fetchall()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _failed(home: Home) -> list[str]:
    return [f.detail for f in examine(home) if f.check == "public" and not f.passed]


def _named(manifest: Path) -> str:
    """The sha256 that a manifest names of the database."""
    return str(json.loads(manifest.read_text())["files"]["kpi_public.duckdb"])


# ---- with a release ---------------------------------------------------------------------------------------------------


def test_a_release_that_reaches_a_months_end_has_a_public_face_that_anybody_may_read(pool: AuditHome, release: Publish) -> None:
    made = release()
    face = current_face(pool.home)
    assert face is not None and (face.version, face.month_end) == (made.version, NIGHT)
    assert _ask(face.database, "select kpi_id, unit_level, grain, numerator, denominator from kpi order by 1") == [
        ("INC-1", "city", "month", 31 * 7, None),
        ("MED-1", "city", "month", 31 * 8, 31 * 10),
    ]
    assert [_mode(p) for p in (pool.home.public, face.path, face.database)] == [0o755, 0o755, 0o444]
    assert [_mode(p) for p in (pool.home.withheld, pool.home.withheld / face.version)] == [0o700, 0o700]
    bare = _ask(face.database, "select table_name, column_name from duckdb_columns() where not internal and comment is null")
    assert [column for table, column in bare if table == "kpi_catalogue"] == [c for t, c in bare], "what the hand-made catalogue lacks"
    assert _failed(pool.home) == []
    searched = {trace.file.relative_to(pool.home.root).parts[0] for trace in traces(pool.home)}
    assert {"public", "withheld"} <= searched
    told = CliRunner().invoke(app, ["releases", "--home", str(pool.root)]).output
    assert f"public: {made.version}, up to 2024-01-31: 2 figures printed, 0 hidden; late changes appear on 2024-04-30" in told


def test_a_night_on_which_no_month_ended_adds_nothing_and_a_home_may_have_no_public_face(pool: AuditHome, release: Publish) -> None:
    release()
    before = sorted(p.name for p in pool.home.public.iterdir())
    assert release(NIGHT + DAY).became_current and sorted(p.name for p in pool.home.public.iterdir()) == before
    shutil.rmtree(pool.home.public)
    pool.home.settings_file.write_text('{"groups": ["city"], "public": false}')
    assert release(NIGHT + 2 * DAY).became_current and not pool.home.public.exists()
    assert "public" not in CliRunner().invoke(app, ["releases", "--home", str(pool.root)]).output


def test_a_public_face_that_cannot_be_made_leaves_the_release_out_and_says_so(pool: AuditHome, release: Publish) -> None:
    release()
    shutil.rmtree(pool.home.withheld)
    february = release(dt.date(2024, 2, 29))
    current, face = current_release(pool.home), current_face(pool.home)
    assert current is not None and current.version == february.version
    assert face is not None and face.month_end == NIGHT
    told = CliRunner().invoke(app, ["releases", "--home", str(pool.root)]).output.replace("\n", " ")
    assert f"nothing was made public of {february.version}" in told and "restore the folder from a backup" in told
    assert any("is missing" in detail for detail in _failed(pool.home))


def test_with_a_withdrawn_release_goes_its_public_face_and_a_sound_night_brings_another(pool: AuditHome, release: Publish) -> None:
    pool.first_day = NIGHT.replace(day=1)
    made = release()
    withdraw(pool.home, made.version, WHY)
    assert current_face(pool.home) is None and [f.withdrawn for f in list_faces(pool.home)] == [WHY]
    assert WHY in (pool.home.public / f"{made.version}.withdrawn.json").read_text()
    told = CliRunner().invoke(app, ["releases", "--home", str(pool.root)]).output
    assert f"public release {made.version} is withdrawn: {WHY}" in told and "readers have a notice without figures" in told
    notice = (pool.home.public / "current" / "kpi_public.duckdb").resolve()
    assert [_mode(p) for p in (notice.parent, notice)] == [0o755, 0o444] and _failed(pool.home) == []
    assert _ask(notice, "select product, status, version, kpi_rows, reason from release_info order by 1") == [
        (product, "withdrawn", made.version, 0, WHY) for product in ("incident", "mediation")
    ]
    columns = "select column_name, comment from duckdb_columns() where table_name in ('kpi', 'release_info') order by all"
    assert _ask(notice, columns) == _ask(pool.home.public / made.version / "kpi_public.duckdb", columns)
    assert _ask(notice, "select count(*) from kpi") == [(0,)]
    again = release(NIGHT + DAY)
    face = current_face(pool.home)
    assert face is not None and (face.version, face.month_end) == (again.version, NIGHT) and _failed(pool.home) == []
    assert (pool.home.public / "current").readlink().name == again.version and not notice.exists()


def test_the_notice_of_a_damaged_public_release_says_why_and_nothing_else(pool: AuditHome, release: Publish) -> None:
    made = release()
    database = pool.home.public / made.version / "kpi_public.duckdb"
    database.chmod(0o600)
    database.write_bytes(b"damaged")
    withdraw(pool.home, made.version, WHY)
    tables = "select table_name from duckdb_tables()"
    notice = pool.home.public / "current" / "kpi_public.duckdb"
    assert _ask(notice, tables) == [("release_info",)] and _ask(notice, "select distinct reason from release_info") == [(WHY,)]


def test_a_public_release_that_was_altered_or_tells_a_small_figure_is_found(pool: AuditHome, release: Publish) -> None:
    made = release()
    database = pool.home.public / made.version / "kpi_public.duckdb"
    database.chmod(0o600)
    with duckdb.connect(str(database)) as db:
        db.execute("update kpi set numerator = 7 where kpi_id = 'INC-1'")
    assert len(_failed(pool.home)) == 1 and "was altered" in _failed(pool.home)[0]
    manifest = database.with_name("manifest.json")
    manifest.chmod(0o600)
    manifest.write_text(manifest.read_text().replace(_named(manifest), sha256_of(database)))
    assert len(_failed(pool.home)) == 1 and "INC-1 of C for the month of 2024-01-01 is small and printed" in _failed(pool.home)[0]
    manifest.write_text("{")
    assert release(dt.date(2024, 2, 29)).became_current, "the release goes out all the same"
    assert any("manifest.json cannot be read" in detail for detail in _failed(pool.home))
    assert (pool.home.public / "current").readlink().name == made.version


def test_a_backup_holds_what_is_public_and_what_is_withheld(pool: AuditHome, release: Publish, tmp_path: Path) -> None:
    made = release()
    pool.home.enable_groups(("city",))
    backup(pool.home, tmp_path / "backup")
    other = Home.at(tmp_path / "other", tmp_path / "other" / "landing")
    restore(tmp_path / "backup", other)
    face = current_face(other)
    assert face is not None and face.version == made.version and _failed(other) == []
    assert _mode(other.withheld) == 0o700 and (other.withheld / made.version / "cells.parquet").is_file()


# ---- what stands in it ------------------------------------------------------------------------------------------------

YEAR = months((2024, 1), 12)


def _published(city: PublicCity, counts: Counts, as_of: dt.date) -> Path:
    outcome = publish_face(city.home, city.release(counts, as_of))
    assert outcome.face is not None and outcome.is_new, outcome.problem
    return outcome.face.database


def _of_months(of_unit: Mapping[str, int], which: list[Month], kpi: str = "INC-1") -> dict[tuple[str, str, Month], tuple[int, int | None]]:
    return {(kpi, unit, month): (n, None) for unit, n in of_unit.items() for month in which}


@pytest.fixture
def city(tmp_path: Path) -> PublicCity:
    return PublicCity(tmp_path / "city")


def test_small_figures_go_with_everything_that_is_said_of_them_and_zeros_stay(city: PublicCity) -> None:
    counts = _of_months({"A": 400, "B": 300, "D": 0, "E": 60}, YEAR[:4]) | {("INC-1", "E", YEAR[1]): (7, None)}
    database = _published(city, counts, end_of(YEAR[3]))
    figures = "numerator, value, yoy_value, pop_value, pop_ratio, pop_z, pop_verdict"
    hidden = _ask(database, f"select distinct {figures}, suppression_reason is not null from kpi where suppressed")
    assert hidden == [(None,) * 7 + (True,)]
    of_e = _ask(database, "select period_start, numerator, pop_value from kpi where unit_code = 'E' and grain = 'month' order by 1")
    assert of_e[1][1:] == (None, None) and of_e[3] == (dt.date(2024, 4, 1), 60, None), "its prior is hidden too"
    assert _ask(database, "select distinct numerator, suppressed from kpi where unit_code = 'D'") == [(0, False)]
    assert _ask(database, f"select count(*) from kpi where unit_code = '{CITY}' and suppressed") == [(0,)], "the city's figures stay"
    assert _ask(database, "select numerator from kpi where unit_code = 'E' and grain = 'quarter'") == [(127,)], "and quarters of the county"


def test_what_the_denominator_has_beyond_the_numerator_is_hidden_too_and_money_is_withheld_whole(city: PublicCity) -> None:
    counts: Counts = {
        **{("MED-1", unit, month): (90, 100 if unit != "D" else 95) for unit in "ABDE" for month in YEAR[:3]},
        **{("FR-2.loss", unit, month): (10**9, 50) for unit in "ABDE" for month in YEAR[:3]},
    }
    database = _published(city, counts, end_of(YEAR[2]))
    assert (None,) in _ask(database, "select numerator from kpi where kpi_id = 'MED-1' and unit_code = 'D' and grain = 'month'")
    money = _ask(database, "select distinct numerator, suppressed, suppression_reason like '金额%' from kpi where kpi_id = 'FR-2.loss'")
    assert money == [(None, True, True)]


def test_a_product_that_waits_comes_with_the_next_release_that_has_it_fresh(city: PublicCity) -> None:
    counts = _of_months({"A": 400, "B": 300}, YEAR[:2]) | {("MED-1", unit, m): (50, 100) for unit in "AB" for m in YEAR[:2]}
    waiting = PublicCity(city.root, stale=frozenset({"mediation"}))
    first = _published(waiting, counts, end_of(YEAR[1]))
    assert _ask(first, "select distinct product from kpi") == [("incident",)]
    assert _ask(first, "select product, status from release_info order by 1") == [("incident", "fresh"), ("mediation", "waits")]
    city.made = 1
    second = _published(city, counts, end_of(YEAR[1]) + DAY)
    assert _ask(second, "select distinct product, printed_in from kpi order by 1") == [
        ("incident", first.parent.name),
        ("mediation", second.parent.name),
    ]


def test_late_changes_wait_for_the_date_of_revision(city: PublicCity) -> None:
    """January's figures, changed in February: as they were at the ends of February and March, revised at the end of April."""
    counts = _of_months({"A": 400, "B": 300, "D": 200}, YEAR[:4])
    late = counts | {("INC-1", "A", YEAR[0]): (411, None)}
    january = "select numerator, revised_pending from kpi where unit_code = 'A' and grain = 'month' and period_start = date '2024-01-01'"

    def until(month: Month, given: Counts) -> Path:
        return _published(city, {key: n for key, n in given.items() if key[2] <= month}, end_of(month))

    assert _ask(until(YEAR[0], counts), january) == [(400, False)]
    assert _ask(until(YEAR[1], late), january) == [(400, True)]
    assert _ask(until(YEAR[2], late), january) == [(400, True)]
    assert _ask(until(YEAR[3], late), january) == [(411, False)]


def test_a_correction_that_would_tell_a_small_figure_is_not_made(city: PublicCity) -> None:
    """Of a county that printed 12 and counts 8 now, nothing changes, and nothing of the city either: their difference would tell."""
    counts = _of_months({"A": 400, "B": 300, "D": 12}, YEAR[:4])
    late = counts | {("INC-1", "D", YEAR[0]): (8, None), ("INC-1", "A", YEAR[0]): (420, None)}
    _published(city, {key: n for key, n in counts.items() if key[2] <= YEAR[2]}, end_of(YEAR[2]))
    database = _published(city, late, end_of(YEAR[3]))
    january = "select unit_code, numerator, revised_pending from kpi where grain = 'month' and period_start = date '2024-01-01' order by 1"
    assert _ask(database, january) == [("A", 400, True), ("B", 300, False), ("C", 712, True), ("D", 12, True)]
