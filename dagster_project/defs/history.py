"""Dagster's history of old runs is removed, so that the files under ``<home>/dagster`` do not grow without end.

A run leaves after ``history_days`` (``home.json``), with its events, the outcomes of its checks and its logs. Kept longer are the runs
that have not ended, and those that hold the last materialisation of an asset: the UI goes on showing since when a product that is held is as
it is. Of nights whose run is gone the UI shows no materialisation; receipts, releases and ledger tell of them as before.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from sqlalchemy.exc import DBAPIError

from dagster_project.home import Home
from dagster_project.ledger import record
from dagster_project.settings import history_days

ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
WORTH_SHRINKING = 0.2
"""The share of a file's pages that must lie idle before it is written anew; a night's own share is filled by the next night."""
SECONDS_FOR_OTHERS = 10


@dataclass(frozen=True)
class Forgotten:
    """What was removed: ``bytes`` of files on the disk; ``problem`` is empty when nothing went wrong."""

    runs: int
    bytes: int
    problem: str = ""


def expired_runs(instance: dg.DagsterInstance, before: dt.datetime) -> list[str]:
    """The ids of ended runs made before a moment, oldest first, without those that hold the last materialisation of an asset."""
    old = instance.get_run_records(RunsFilter(statuses=ENDED, created_before=before), ascending=True)
    if not old:
        return []
    last = instance.get_latest_materialization_events(instance.all_asset_keys())
    needed = {event.run_id for event in last.values() if event is not None}
    return [r.dagster_run.run_id for r in old if r.dagster_run.run_id not in needed]


def forget_old_runs(instance: dg.DagsterInstance, home: Home, now: dt.datetime, say: Callable[[str], None]) -> Forgotten:
    """Remove the runs older than the home keeps them, under the writer's lock, which it takes itself.

    That the history could not be removed, since the UI was just writing to it or a file cannot be, fails no night: it is said, stands in
    the ledger, and the next night tries again. Raises SettingsError.
    """
    before = now - dt.timedelta(days=history_days(home))
    with home.writing("removing old history"):
        runs = expired_runs(instance, before)
        if not runs:
            return Forgotten(0, 0)
        size, removed, problem = _size(home), 0, ""
        try:
            for run_id in runs:
                _forget(instance, run_id)
                removed += 1
            for file in (home.dagster / "history").rglob("*.db"):
                _shrink(file)
        except (DBAPIError, sqlite3.Error, OSError) as found:
            problem = f"{type(found).__name__}: {found}"
            say(f"history: not all that is old could be removed, the next night tries again: {problem}")
        freed = size - _size(home)
        about = {"runs": removed, "older_than": before.date().isoformat(), "bytes": freed}
        record(home, "prune", {**about, "problem": problem} if problem else about)
    return Forgotten(removed, freed, problem)


def _forget(instance: dg.DagsterInstance, run_id: str) -> None:
    """The run itself goes last: killed before, it is found again by the next night."""
    instance.event_log_storage.delete_events(run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)


def _shrink(file: Path) -> None:
    """Give idle pages of an SQLite file back to the disk, where they are a fair part of it."""
    with closing(sqlite3.connect(file, timeout=SECONDS_FOR_OTHERS, isolation_level=None)) as connection:
        (idle,), (pages,) = (connection.execute(f"pragma {name}").fetchone() for name in ("freelist_count", "page_count"))
        if idle > WORTH_SHRINKING * pages:
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")


def _size(home: Home) -> int:
    """Of all files, without those that another process removes meanwhile, as the UI does."""
    total = 0
    for folder, _, files in os.walk(home.dagster):
        for name in files:
            with suppress(FileNotFoundError):
                total += (Path(folder) / name).lstat().st_size
    return total
