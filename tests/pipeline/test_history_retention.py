"""Dagster's history of a home: what of it goes after ``history_days``, what stays, and that settings are looked at first."""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from dagster_project import ledger
from dagster_project.cli import main
from dagster_project.defs.history import expired_runs
from dagster_project.defs.night import NIGHTS
from dagster_project.defs.resources import WholeRun
from dagster_project.defs.runs import NotReadyError, prepare_instance, process_nights
from dagster_project.home import Home

NIGHT = dt.date(2024, 1, 31)
SOURCE, PRODUCT, RELEASE = dg.AssetKey("source"), dg.AssetKey("product"), dg.AssetKey("release")
LONG = "x" * 300_000


@dg.asset(partitions_def=NIGHTS, check_specs=[dg.AssetCheckSpec("balance", asset="source")])
def source():  # type: ignore[no-untyped-def]  # Dagster takes an annotation of one result for none of its checks
    return dg.MaterializeResult(metadata={"said": LONG}, check_results=[dg.AssetCheckResult(passed=True)])


@dg.asset(partitions_def=NIGHTS)
def product() -> None:
    """Not materialised on a night that holds it."""


@dg.asset(partitions_def=NIGHTS)
def release(whole_run: WholeRun) -> None:
    """Its run holds the home, as every run that publishes does."""


ASSETS = [source, product, release]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = Home.at(tmp_path / "home").ensure()
    monkeypatch.setenv("POOL_HOME", str(made.root))
    prepare_instance(made)
    made.enable_groups(("city",))
    return made


@pytest.fixture
def instance(home: Home) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as opened:
        yield opened


def _night(instance: dg.DagsterInstance, number: int, *keys: dg.AssetKey) -> str:
    """The id of a run of these assets."""
    night = (NIGHT + dt.timedelta(days=number)).isoformat()
    made = dg.materialize(
        ASSETS, selection=[*keys], instance=instance, partition_key=night, resources={"whole_run": WholeRun()}, raise_on_error=False
    )
    assert made.success
    return made.run_id


def _age(home: Home, days: int, *run_ids: str) -> None:
    with closing(sqlite3.connect(home.dagster / "history" / "runs.db")) as connection, connection:
        moment = dt.datetime.now(tz=dt.UTC).replace(tzinfo=None) - dt.timedelta(days=days)
        for run_id in run_ids:
            connection.execute("update runs set create_timestamp = ? where run_id = ?", [str(moment), run_id])


def _rows(home: Home, table: str) -> dict[str, int]:
    """Rows of the index over all runs, by run."""
    with closing(sqlite3.connect(home.dagster / "history" / "runs" / "index.db")) as connection:
        return dict(connection.execute(f"select run_id, count(*) from {table} group by 1").fetchall())


def _files_of(home: Home, run_id: str) -> list[Path]:
    return [p for p in home.dagster.rglob("*") if run_id in str(p) and p.is_file()]


def test_old_runs_go_with_all_that_they_left_and_the_last_materialisation_of_every_asset_stays(
    home: Home, instance: dg.DagsterInstance
) -> None:
    held_since = _night(instance, 0, SOURCE, PRODUCT)
    old = [_night(instance, n, SOURCE) for n in (1, 2, 3, 4)]
    young = _night(instance, 5, SOURCE)
    unfinished = instance.create_run_for_job(
        dg.define_asset_job("all").resolve(asset_graph=dg.Definitions([source]).resolve_asset_graph()), status=DagsterRunStatus.STARTED
    ).run_id
    _age(home, 91, held_since, *old, unfinished)
    _age(home, 89, young)
    assert all(_files_of(home, run_id) for run_id in old)
    index = home.dagster / "history" / "runs" / "index.db"
    size_before = index.stat().st_size

    assert expired_runs(instance, dt.datetime.now(tz=dt.UTC) - dt.timedelta(days=90)) == old
    newest = _night(instance, 6, RELEASE)
    kept = {held_since, young, unfinished, newest}
    assert {run.run_id for run in instance.get_runs()} == kept
    assert [run_id for run_id in old if _files_of(home, run_id)] == []
    assert set(_rows(home, "event_logs")) <= kept and set(_rows(home, "asset_check_executions")) <= kept
    assert index.stat().st_size < 0.75 * size_before
    (entry,) = (e.about for e in ledger.entries(home) if e.action == "prune")
    assert entry["runs"] == 4 and entry["bytes"] > 4 * len(LONG) and "problem" not in entry
    for key, run_id in {SOURCE: young, PRODUCT: held_since, RELEASE: newest}.items():
        last = instance.get_latest_materialization_event(key)
        assert last is not None and last.run_id == run_id
        assert run_id in {r.event_log_entry.run_id for r in instance.fetch_materializations(key, limit=9).records}
    _night(instance, 7, PRODUCT, RELEASE)
    gone = kept - {run.run_id for run in instance.get_runs()}
    assert gone == {held_since}, "the product is fresh again"


def test_a_removal_that_was_killed_is_made_up_for_and_one_that_fails_is_said_and_fails_no_night(
    home: Home, instance: dg.DagsterInstance
) -> None:
    half_gone, last = (_night(instance, n, SOURCE) for n in (0, 1))
    instance.event_log_storage.delete_events(half_gone)
    _age(home, 91, half_gone)
    broken = home.dagster / "history" / "broken.db"
    broken.write_bytes(b"no database" * 100)
    _night(instance, 2, RELEASE)
    assert half_gone not in {run.run_id for run in instance.get_runs()} and _files_of(home, half_gone) == []
    (entry,) = (e.about for e in ledger.entries(home) if e.action == "prune")
    assert entry["runs"] == 1 and "file is not a database" in entry["problem"]
    assert _files_of(home, last)


def test_a_check_is_noted_once_a_run_and_no_log_is_left_when_the_files_are_closed(home: Home) -> None:
    with dg.DagsterInstance.get() as instance:
        run_id = _night(instance, 0, SOURCE)
        with closing(sqlite3.connect(home.dagster / "history" / "runs" / "index.db")) as connection:
            noted = connection.execute("select run_id, execution_status from asset_check_executions").fetchall()
        assert noted == [(run_id, "SUCCEEDED")]
        assert list((home.dagster / "history").rglob("*-wal")) != []
    assert list((home.dagster / "history").rglob("*-wal")) == []


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('{"format": 2, "groups": ["city"], "history_days": 0}', "history_days is 0"),
        ('{"format": 2, "groups": ["city"], "history_days": true}', "history_days is true"),
        ('{"format": 2, "groups": ["city"], "history_days": "90"}', 'history_days is "90"'),
        ('{"format": 2, "groups": ["ctiy"]}', 'groups is ["ctiy"]'),
        ('{"format": 2, "groups": "city"}', 'groups is "city"'),
        ('{"format": 2, "groups": ["city"], "public": "false"}', 'public is "false"'),
        ('{"format": 2, "groups": ["city"], "retention": {"last": 0, "days": 1}}', "last must be 1 or more"),
        ('{"format": 2, "groups": ["city"], "histroy_days": 9}', "nobody knows the key histroy_days"),
        ('{"format": "2"}', 'format is "2"'),
        ('{"format": 2,', "is no JSON object"),
        ("[1]", "is no JSON object"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_by_name_before_anything_but_the_ledger_is_touched(home: Home, written: str, words: str) -> None:
    home.settings_file.write_text(written, encoding="utf-8")

    def state() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in home.root.rglob("*") if not p.is_relative_to(home.ledger)}

    before = state()
    with pytest.raises(NotReadyError) as refused:
        process_nights(home, NIGHT, NIGHT)
    assert words in str(refused.value) and str(home.settings_file) in str(refused.value)
    assert state() == before


def test_every_command_says_that_the_settings_are_no_json(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.settings_file.write_text('{"format": 2,', encoding="utf-8")
    for words in ("run", "doctor", "releases", "rollback 20250101-001", "prune", "backup elsewhere", "key rotate"):
        monkeypatch.setattr("sys.argv", ["pool", *words.split(), "--home", str(home.root)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code, f"{home.settings_file} is no JSON object" in capsys.readouterr().err) == (2, True), words


def test_a_group_that_nobody_knows_is_refused_and_does_not_stay_in_the_settings(home: Home) -> None:
    for settings in ("", '{"format": 2, "groups": ["city"]}\n'):
        home.settings_file.unlink(missing_ok=True)
        if settings:
            home.settings_file.write_text(settings, encoding="utf-8")
        with pytest.raises(NotReadyError, match=r"of the group ctiy \(--group\); there are city, open_data"):
            process_nights(home, NIGHT, NIGHT, ("city", "ctiy"))
        assert (home.settings_file.read_text(encoding="utf-8") if home.settings_file.exists() else "") == settings


def test_a_run_of_the_ui_is_refused_for_a_setting_too(home: Home, instance: dg.DagsterInstance) -> None:
    home.settings_file.write_text(json.dumps({"groups": ["city"], "history_days": -1}), encoding="utf-8")
    made = dg.materialize(
        ASSETS, instance=instance, partition_key=NIGHT.isoformat(), resources={"whole_run": WholeRun()}, raise_on_error=False
    )
    assert not made.success
    assert any("history_days is -1" in str(event.event_specific_data) for event in made.all_events)


def test_dagster_finds_the_history_of_a_home_without_any_variable_of_ours(home: Home, instance: dg.DagsterInstance) -> None:
    run_id = _night(instance, 0, SOURCE)
    script = (
        "import dagster as dg; "
        "print(dg.DagsterInstance.get().fetch_materializations(dg.AssetKey('source'), limit=1).records[0].event_log_entry.run_id)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POOL_")} | {"DAGSTER_HOME": str(home.dagster)}
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert told.stdout.strip() == run_id, told.stderr
