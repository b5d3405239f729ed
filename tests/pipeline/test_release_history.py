"""What was published when, and who asked what: the ledger beside the releases, as readers and operators use it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_home import NIGHT, AuditHome
from typer.testing import CliRunner

from dagster_project import alerts
from dagster_project.audit.expectations import Worker
from dagster_project.cli import app
from dagster_project.doctor import examine
from dagster_project.home import Home
from dagster_project.ledger import entries, record
from dagster_project.release import PublishResult, ReleaseError, current_release, gate_and_publish, publish, published_on, rollback
from dagster_project.release.reproduce import Compared, Reproduction, prepare, reproduce

NEXT = NIGHT + dt.timedelta(days=1)


def _actions(home: Home, *names: str) -> list[dict[str, Any]]:
    return [dict(e.about) for e in entries(home) if e.action in names]


def _pool(home: Home, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--home", str(home.root)])


def test_publishes_switches_and_rollbacks_are_recorded(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    second = release(NEXT)
    release(NEXT)
    rollback(pool.home, first.version)
    published = [(p["version"], p["new"], p["becomes_current"]) for p in _actions(pool.home, "publish")]
    assert published == [(first.version, True, True), (second.version, True, True), (second.version, False, True)]
    switched = [(s["version"], s["before"], s["because"].split()[0]) for s in _actions(pool.home, "switch")]
    assert switched == [
        (first.version, None, "publish"),
        (second.version, first.version, "publish"),
        (first.version, second.version, "rollback"),
    ]
    assert [p["version"] for p in _actions(pool.home, "public")] == [first.version], "a month ended on its night alone"
    assert second.release.manifest.ledger.entries == 3, "what was known when the second release was made: publish, switch, public face"
    (finding,) = [f for f in examine(pool.home) if f.check == "ledger"]
    assert finding.passed and "7 entries" in finding.detail


def test_doctor_names_the_broken_entry_and_what_a_release_still_knows(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    second = (release(), release(NEXT))[1]
    log = pool.home.ledger_log
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b'"becomes_current":true', b'"becomes_current":null', 1))
    altered = next(f.detail for f in examine(pool.home) if f.check == "ledger" and not f.passed)
    assert altered.endswith("1: entry 1 (publish) was altered after it was written")
    shutil.rmtree(pool.home.ledger)
    (finding,) = [f for f in examine(pool.home) if f.check == "ledger"]
    assert not finding.passed and f"manifest of release {second.version}" in finding.detail


def test_a_switch_that_was_killed_before_it_was_recorded_is_recorded_later_with_its_own_time(
    pool: AuditHome, release: Callable[..., PublishResult], expectations_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = release()
    pool.build(NEXT)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(publish, "note_switch", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        gate_and_publish(pool.home, NEXT, pool.contracts, worker=expectations_worker, key_id="k1")
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    second = current_release(pool.home)
    assert second is not None and second.version != first.version
    moment = dt.datetime(2024, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    os.utime(pool.home.current, (0, moment.timestamp()), follow_symlinks=False)
    rollback(pool.home, first.version)
    found = _actions(pool.home, "switch")
    assert [s["version"] for s in found] == [first.version, second.version, first.version]
    assert dt.datetime.fromisoformat(found[1]["since"]) == moment and found[1]["because"].startswith("found so")


def _switch(home: Home, version: str, since: str) -> None:
    record(home, "switch", {"version": version, "before": None, "since": since, "because": "publish"})


@pytest.mark.parametrize(
    ("day", "seen"),
    [
        (1, ["A"]),
        (2, ["A"]),
        (3, ["A", "B", "C"]),
        (4, ["C", "A"]),
        (9, ["A"]),
    ],
)
def test_what_was_published_on_a_day_follows_the_switches_of_that_day_in_china(pool: AuditHome, day: int, seen: list[str]) -> None:
    for version, since in (
        ("A", "2024-01-31T16:00:00+00:00"),
        ("B", "2024-02-02T16:30:00+00:00"),
        ("C", "2024-02-03T15:59:59+00:00"),
        ("A", "2024-02-03T16:00:00.000001+00:00"),
    ):
        _switch(pool.home, version, since)
    assert [s.version for s in published_on(pool.home, dt.date(2024, 2, day))] == seen


def test_before_the_first_release_nothing_was_published(pool: AuditHome) -> None:
    with pytest.raises(ReleaseError, match="the ledger knows of no release"):
        published_on(pool.home, NIGHT)
    _switch(pool.home, "A", "2024-01-31T16:00:00+00:00")
    with pytest.raises(ReleaseError, match="nothing was published on 2024-01-31: the first release became current on 2024-02-01"):
        published_on(pool.home, NIGHT)


def test_a_query_asks_the_current_release_a_version_or_a_day_and_is_recorded(
    pool: AuditHome, release: Callable[..., PublishResult]
) -> None:
    first, second = release(), release(NEXT)
    of_month = "select 'as of ' || max(as_of) from kpi where kpi_id = 'MED-1'"
    assert f"as of {NEXT}" in _pool(pool.home, "query", of_month).output
    assert f"as of {NIGHT}" in _pool(pool.home, "query", of_month, "--release", first.version).output
    today = f"{dt.datetime.now(tz=dt.timezone(dt.timedelta(hours=8))):%Y-%m-%d}"
    answer = _pool(pool.home, "query", of_month, "--on", today)
    assert f"as of {NEXT}" in answer.output and f"readers saw release {second.version}" in answer.output and first.version in answer.output
    assert _pool(pool.home, "query", of_month, "--on", "2001-01-01").exit_code == 2
    asked = _actions(pool.home, "query")
    assert [a["version"] for a in asked] == [second.version, first.version, second.version]
    assert asked[0]["sql"] == "select '▒' || max(as_of) from kpi where kpi_id = 'MED-1'"


def test_a_query_of_a_home_that_cannot_be_written_is_answered_and_says_so(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    release()
    shutil.rmtree(pool.home.ledger)
    pool.home.ledger.write_text("")
    answered = _pool(pool.home, "query", "select 6 * 7 as answer")
    assert answered.exit_code == 0 and "42" in answered.output and "could not be recorded" in answered.output


def test_no_personal_value_of_a_query_is_kept(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    release()
    personal = ("张三", "13812345678", "11010519491231002X", "Zhang")
    _pool(
        pool.home,
        "query",
        f"select count(*) from kpi where unit_name in ('{personal[0]}', '{personal[3]}') or numerator = {personal[1]} -- {personal[2]}",
    )
    assert len(_actions(pool.home, "query")) == 1
    assert not any(value in pool.home.ledger_log.read_text() for value in personal)


def test_what_a_release_was_made_of_and_is_not_there_any_more_is_said(
    pool: AuditHome, release: Callable[..., PublishResult], tmp_path: Path
) -> None:
    pool.first_day = NIGHT
    made = release(NEXT, receipts="update receipt set sha256 = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881'")
    calls = pool.home.landing / "calls"
    calls.mkdir(parents=True)
    (calls / "20240201.csv").write_text("x")
    (calls / "20240131.csv").write_text("changed since")
    other = Home.at(tmp_path / "other", tmp_path / "other" / "landing").ensure()
    said = prepare(pool.home, made.release, other)
    assert [p.name for p in other.landing.rglob("*.csv")] == ["20240201.csv"]
    assert "landing: calls/20240131.csv is another file than then" in said
    assert "landing: disputes/20240201.csv is gone (retention, or removed)" in said
    assert "key: values were hashed under k1, the key is missing now" in said
    assert "contract: calls is no longer enabled" in said
    with pytest.raises(ReleaseError, match="is not empty"):
        reproduce(pool.home, made.release, other.root)


def test_what_is_not_reproduced_is_summed_up_with_how_much_is() -> None:
    same, other = Compared("product a", True, ""), Compared("product b", False, "")
    of_table = Compared("table kpi", False, "")
    assert Reproduction("v", ("key: another",), (same,)).words == "release v is reproduced"
    lacking = Reproduction("v", ("landing: x is gone",), (same, other, of_table)).words
    assert (
        lacking == "release v is not reproduced: 1 of 2 products are the same; it is made of what is not the same any more (1 named above)"
    )
    assert Reproduction("v", (), (same, other)).words == "release v is not reproduced: 1 of 2 products are the same"


def test_a_scratch_that_is_no_folder_is_told_to_a_person(pool: AuditHome, release: Callable[..., PublishResult], tmp_path: Path) -> None:
    version = release().version
    (tmp_path / "a_file").touch()
    refused = _pool(pool.home, "reproduce", version, "--scratch", str(tmp_path / "a_file"))
    assert refused.exit_code == 2 and "Not a directory" in refused.output, refused.exception


def test_a_release_that_is_reproduced_alerts_nobody(
    pool: AuditHome, release: Callable[..., PublishResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, given = release(), dict[str, str]()
    monkeypatch.setenv(alerts.COMMAND, "mail duty")
    monkeypatch.setenv(alerts.WEBHOOK, "https://duty.invalid")

    def run(command: list[str], env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        given.update(env)
        return subprocess.CompletedProcess(command, 1, "", "stopped here")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ReleaseError, match="stopped here") as failed:
        reproduce(pool.home, made.release, tmp_path / "other")
    assert "key: values were hashed under k1, the key is missing now" in str(failed.value), "what was lacking explains the failure"
    assert given.keys() & {alerts.COMMAND, alerts.WEBHOOK} == set() and "PATH" in given
