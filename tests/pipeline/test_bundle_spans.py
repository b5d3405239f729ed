"""A night writes the spans that it changed; the files of the others are shared with the bundle before, and readers see no difference."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest
from audit_home import NIGHT, AuditHome

from dagster_project.audit.expectations import Worker
from dagster_project.backup import backup, restore
from dagster_project.home import Home
from dagster_project.release import PublishResult, bundle, gate_and_publish, open_current
from dagster_project.release.selection import GROWERS

NEXT = NIGHT + dt.timedelta(days=1)
LAST_YEAR, BEFORE_LAST = NIGHT.year - 1, NIGHT.year - 2
LAST_QUARTER, THIS_QUARTER = f"{LAST_YEAR}-q4", f"{NIGHT.year}-q1"


@pytest.fixture
def two_quarters(pool: AuditHome) -> AuditHome:
    pool.first_day = dt.date(LAST_YEAR, 12, 1)
    return pool


def _restated(product: str, unit: str, day: dt.date) -> Sequence[str]:
    """One fact more on a day, in every figure that counts it."""
    kpi_id = {"incident": "INC-1", "mediation": "MED-1"}[product]
    return [
        f"update fct_kpi_count set numerator = numerator + 1 where kpi_id = '{kpi_id}' and unit_code = '{unit}' and day = date '{day}'",
        f"update kpi set numerator = numerator + 1, value = case when denominator is null then numerator + 1 else (numerator + 1) / denominator "
        f"end where kpi_id = '{kpi_id}' and unit_code in ('{unit}', 'C') and date '{day}' between period_start and period_end",
    ]


def _files(pool: AuditHome, result: PublishResult, product: str) -> dict[str, Path]:
    return {f.name: f for f in (pool.home.bundles / result.products[product].bundle).iterdir()}


def _shared(pool: AuditHome, first: PublishResult, second: PublishResult, product: str) -> set[str]:
    before, after = (_files(pool, result, product) for result in (first, second))
    return {name for name in before.keys() & after.keys() if before[name].samefile(after[name])}


def _published_elsewhere(pool: AuditHome, night: dt.date, folder: Path, worker: Worker) -> PublishResult:
    """The same night in a home that has published nothing before."""
    other = AuditHome(folder, first_day=pool.first_day)
    other.build(night)
    return gate_and_publish(other.home, night, other.contracts, worker=worker, key_id="k1")


def _refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)


def test_a_night_shares_the_spans_that_stayed_and_writes_the_others(two_quarters: AuditHome, release: Callable[..., PublishResult]) -> None:
    first, second = release(), release(NEXT)
    grown = {f"{table}-{span}.parquet" for table in ("kpi", "fct_kpi_count") for span in (LAST_QUARTER, THIS_QUARTER)}
    for product in ("incident", "mediation"):
        assert grown < _files(two_quarters, second, product).keys()
        assert _shared(two_quarters, first, second, product) == {f"{table}-{LAST_QUARTER}.parquet" for table in ("kpi", "fct_kpi_count")}


def test_what_no_night_reaches_is_filed_by_year(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    pool.first_day = dt.date(BEFORE_LAST, 9, 25)
    files = _files(pool, release(), "incident").keys()
    assert {name for name in files if name.startswith("fct_kpi_count-")} == {
        f"fct_kpi_count-{span}.parquet" for span in (BEFORE_LAST, *(f"{LAST_YEAR}-q{quarter}" for quarter in (1, 2, 3, 4)), THIS_QUARTER)
    }
    with open_current(pool.home) as connection:
        ((days,),) = connection.execute("select count(distinct day) from fct_kpi_count").fetchall()
    assert days == (NIGHT - pool.first_day).days + 1


def test_a_year_that_no_night_reaches_any_more_shares_what_its_quarters_held(
    pool: AuditHome, release: Callable[..., PublishResult]
) -> None:
    pool.first_day = dt.date(BEFORE_LAST, 11, 20)
    first, second = release(dt.date(LAST_YEAR, 12, 31)), release(dt.date(NIGHT.year, 1, 1))
    before, after = (_files(pool, result, "incident") for result in (first, second))
    assert before[f"kpi-{BEFORE_LAST}-q4.parquet"].samefile(after[f"kpi-{BEFORE_LAST}.parquet"])
    assert not [name for name in after if name.startswith(f"kpi-{BEFORE_LAST}-q")]


def test_rows_without_a_day_have_a_file(two_quarters: AuditHome, release: Callable[..., PublishResult]) -> None:
    added = (
        "insert into fct_kpi_count select kpi_id, unit_code, null, cell, 7, denominator from fct_kpi_count where kpi_id = 'INC-1' limit 1"
    )
    first, second = release(tamper=[added]), release(NEXT, tamper=[added])
    with open_current(two_quarters.home) as connection:
        assert connection.execute("select numerator from fct_kpi_count where day is null").fetchall() == [(7,)]
    assert "fct_kpi_count-undated.parquet" in _shared(two_quarters, first, second, "incident")


def test_rows_of_a_file_stand_in_order(two_quarters: AuditHome, release: Callable[..., PublishResult]) -> None:
    files = _files(two_quarters, release(), "incident")
    for table, grower in GROWERS.items():
        file, order = files[f"{table}-{LAST_QUARTER}.parquet"], ", ".join(grower.order)
        rows = duckdb.execute(f"select {order} from read_parquet('{file}')").fetchall()
        assert len(rows) > 30 and rows == sorted(rows)


def test_every_row_of_a_shared_span_is_of_the_night_that_published_it(
    two_quarters: AuditHome, release: Callable[..., PublishResult]
) -> None:
    release()
    second = release(NEXT)
    with open_current(two_quarters.home) as connection:
        assert connection.execute("select distinct as_of, stale, origin_release from kpi").fetchall() == [(NEXT, False, second.version)]


def test_a_restated_span_is_written_again_where_it_was_restated(two_quarters: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    day = dt.date(LAST_YEAR, 12, 6)
    asked = f"select kpi_id, sum(numerator) from fct_kpi_count where year(day) = {LAST_YEAR} group by all order by 1"
    with open_current(two_quarters.home) as connection:
        before = dict(connection.execute(asked).fetchall())
    second = release(NEXT, tamper=_restated("incident", "A", day))
    assert _shared(two_quarters, first, second, "incident") == set()
    assert f"kpi-{LAST_QUARTER}.parquet" in _shared(two_quarters, first, second, "mediation")
    with open_current(two_quarters.home) as connection:
        assert dict(connection.execute(asked).fetchall()) == {**before, "INC-1": before["INC-1"] + 1}


@pytest.mark.parametrize("column", ["value", "unit_name"])
def test_what_the_content_hash_leaves_out_is_written_again_too(
    two_quarters: AuditHome, release: Callable[..., PublishResult], column: str
) -> None:
    first = release()
    changed = {"value": "value + 0.5", "unit_name": "unit_name || '*'"}[column]
    one = f"kpi_id = 'INC-1' and unit_code = 'B' and grain = 'day' and period_start = date '{LAST_YEAR}-12-06'"
    second = release(NEXT, tamper=[f"update kpi set {column} = {changed} where {one}"])
    assert _shared(two_quarters, first, second, "incident") == {f"fct_kpi_count-{LAST_QUARTER}.parquet"}
    with open_current(two_quarters.home) as connection:
        ((published,),) = connection.execute(f"select {column} from kpi where {one}").fetchall()
    assert published in (3 + 1 + 0.5, "Station B*")


def test_files_of_a_damaged_bundle_are_not_shared(two_quarters: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    damaged = _files(two_quarters, first, "incident")[f"kpi-{LAST_QUARTER}.parquet"]
    damaged.chmod(0o600)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    second = release(NEXT)
    assert second.products["incident"].status == "fresh" and _shared(two_quarters, first, second, "incident") == set()


def test_the_same_content_results_whether_spans_are_shared_or_not(
    two_quarters: AuditHome, release: Callable[..., PublishResult], expectations_worker: Worker, tmp_path: Path
) -> None:
    release()
    shared = release(NEXT)
    alone = _published_elsewhere(two_quarters, NEXT, tmp_path / "anew", expectations_worker)
    assert {n: p.content_hash for n, p in alone.products.items()} == {n: p.content_hash for n, p in shared.products.items()}
    assert alone.release.manifest.content_hash == shared.release.manifest.content_hash


def test_the_same_content_results_when_not_all_rows_fit_in_memory_at_once(
    two_quarters: AuditHome,
    release: Callable[..., PublishResult],
    monkeypatch: pytest.MonkeyPatch,
    expectations_worker: Worker,
    tmp_path: Path,
) -> None:
    at_once = release()
    monkeypatch.setattr(bundle, "ROWS_SET_APART_AT_A_TIME", 1)
    in_turns = _published_elsewhere(two_quarters, NIGHT, tmp_path / "again", expectations_worker)
    assert {n: p.bundle for n, p in in_turns.products.items()} == {n: p.bundle for n, p in at_once.products.items()}
    assert in_turns.release.manifest.content_hash == at_once.release.manifest.content_hash


def test_a_disk_without_hard_links_gets_copies(
    two_quarters: AuditHome, release: Callable[..., PublishResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = release()
    _refuse_links(monkeypatch)
    second = release(NEXT)
    name = f"kpi-{LAST_QUARTER}.parquet"
    before, after = (_files(two_quarters, result, "incident")[name] for result in (first, second))
    assert not before.samefile(after) and before.read_bytes() == after.read_bytes()
    assert after.stat().st_mode & 0o777 == 0o400


def test_a_snapshot_keeps_a_shared_file_once(two_quarters: AuditHome, release: Callable[..., PublishResult], tmp_path: Path) -> None:
    first, second = release(), release(NEXT)
    two_quarters.home.settings_file.write_text('{"format": 1}', encoding="utf-8")
    taken = backup(two_quarters.home, tmp_path / "backup")
    name = f"kpi-{LAST_QUARTER}.parquet"
    kept = [taken.folder / "home" / "bundles" / r.products["incident"].bundle / name for r in (first, second)]
    assert kept[0].samefile(kept[1])
    restored = Home.at(tmp_path / "again", tmp_path / "landing")
    restore(tmp_path / "backup", restored)
    assert (restored.bundles / second.products["incident"].bundle / name).read_bytes() == kept[1].read_bytes()


def test_a_snapshot_on_a_disk_without_hard_links_holds_copies(
    two_quarters: AuditHome, release: Callable[..., PublishResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    release()
    second = release(NEXT)
    two_quarters.home.settings_file.write_text('{"format": 1}', encoding="utf-8")
    _refuse_links(monkeypatch)
    for _ in range(2):
        taken = backup(two_quarters.home, tmp_path / "backup")
        kept = taken.folder / "home" / "bundles" / second.products["incident"].bundle / f"kpi-{LAST_QUARTER}.parquet"
        assert kept.stat().st_nlink == 1
    restored = Home.at(tmp_path / "again", tmp_path / "landing")
    assert restore(tmp_path / "backup", restored) > 20
