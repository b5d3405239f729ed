"""Operations of a home: one run at a time, alerts, the dead man's check, backup and restore, upgrade."""

from __future__ import annotations

import datetime as dt
import errno
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from audit_home import NIGHT, AuditHome
from ingest_kit import Bench, make_contract, make_entity
from told import calls, keeping, webhook

from dagster_project import alerts, backup, cli, ledger, status, unreleased
from dagster_project.alerts import Alert
from dagster_project.audit import expectations
from dagster_project.audit.expectations import Worker
from dagster_project.backup import BackupError
from dagster_project.calendar import last_night
from dagster_project.defs import runs, transform
from dagster_project.defs.night import NIGHTS
from dagster_project.defs.nightly import alert_on_failure
from dagster_project.defs.resources import WholeRun
from dagster_project.defs.runs import PROCESS_TAG, NotReadyError, process_nights
from dagster_project.doctor import examine
from dagster_project.home import FORMAT, Home, HomeBusyError, NewerHomeError
from dagster_project.ingest.deidentify import HashKey, create_key
from dagster_project.ingest.pool_key import begin_rotation
from dagster_project.ingest.receipts import Receipts
from dagster_project.ledger import LedgerError
from dagster_project.release import PublishResult, current_release, gate_and_publish, open_current, verify
from dagster_project.watch import look

PROJECT = Path(__file__).resolve().parents[2]
POOL = str(Path(sys.executable).with_name("pool"))
NEXT = NIGHT + dt.timedelta(days=1)
Release = Callable[..., PublishResult]


def _pool(home: Home, *arguments: str, told: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "POOL_HOME": str(home.root), "POOL_LANDING": str(home.landing), **(told or {})}
    return subprocess.run([POOL, *arguments], env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def _commanded(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    """How a command of this process ended."""
    monkeypatch.setattr(sys, "argv", ["pool", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@contextmanager
def _another_process(work: Callable[[], None]) -> Iterator[int]:
    """A process that has done its work and then waits; it is killed at the end."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
            os.write(told, b"1")
            signal.pause()
        finally:
            os._exit(1)
    try:
        assert os.read(ready, 1) == b"1"
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(told)


# ---- one run at a time ------------------------------------------------------------------------------------------------


def test_a_second_run_is_refused_by_name_wherever_it_starts_and_a_killed_holder_leaves_nothing_to_clear(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home").ensure()
    held: list[Any] = []

    def hold() -> None:
        held.append(home.running("pool run"))
        held[0].__enter__()

    with _another_process(hold) as holder:
        refused = _pool(home, "run", "--wait", "0")
        assert refused.returncode == 2
        assert f"is being processed by process {holder} (pool run)" in refused.stderr and "Traceback" not in refused.stderr
        heard: list[str] = []
        with pytest.raises(HomeBusyError, match=f"process {holder}"), home.running("another", 0.2, heard.append):
            pass
        assert heard == [f"waiting for process {holder} (pool run)"]
        assert [str(h) for h in home.holders()] == [f"at work: process {holder} (pool run)"]
    assert [str(h) for h in home.holders()] == [f"killed at work: process {holder} (pool run)"]
    with home.running("the next", 0):
        assert "the next" in home.run_lock_file.read_text(encoding="utf-8")
    assert home.holders() == ()


def test_a_night_that_waited_in_vain_for_another_run_says_so_where_it_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is told when it is refused: the other run may bring the release."""
    home, told = Home.at(tmp_path / "home").ensure(), tmp_path / "told.txt"
    monkeypatch.setenv(alerts.COMMAND, keeping(told))
    held: list[Any] = []

    def hold() -> None:
        held.append(home.running("backup"))
        held[0].__enter__()

    with _another_process(hold) as holder, pytest.raises(HomeBusyError):
        process_nights(home, NIGHT, NIGHT, wait_seconds=0)
    assert calls(told) == []
    (missed,) = look(home, _at("2024-02-01T07:00"))
    words = f"{home.root} is being processed by process {holder} (backup); waited 0 s"
    assert f"the night {NIGHT} was refused at " in missed.text() and words in missed.text()
    assert f"killed at work: process {holder} (backup)" in missed.text()
    assert _commanded(monkeypatch, "status", "--home", home.root) == 0
    assert words in capsys.readouterr().out


def test_a_run_of_the_ui_takes_the_same_lock_from_its_first_step_to_its_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at(tmp_path / "home").ensure()
    monkeypatch.setenv("POOL_HOME", str(home.root))
    seen: list[str] = []

    @dg.asset
    def first_step() -> None:
        seen.append(home.run_lock_file.read_text(encoding="utf-8"))

    @dg.asset(deps=[first_step])
    def publishes(whole_run: WholeRun) -> None:
        seen.append(home.run_lock_file.read_text(encoding="utf-8"))

    def run() -> bool:
        made = dg.materialize(
            [first_step, publishes],
            resources={"whole_run": WholeRun(wait_seconds=0)},
            instance=dg.DagsterInstance.ephemeral(),
            raise_on_error=False,
        )
        return made.success

    assert run()
    assert len(set(seen)) == 1 and f"process {os.getpid()} (run " in seen[0]
    held: list[Any] = []

    def hold() -> None:
        held.append(home.running("pool run"))
        held[0].__enter__()

    with _another_process(hold):
        assert not run()
    assert run()


# ---- alerts -------------------------------------------------------------------------------------------------------------


def test_an_alert_reaches_command_and_webhook_with_personal_values_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told.txt"
    alert = Alert("failed", Home.at(tmp_path), NIGHT, ("step ingest failed", "row of 13812345678 and 11010519491231002X"))
    with webhook() as (address, got):
        monkeypatch.setenv(alerts.COMMAND, f"tee {told}")
        monkeypatch.setenv(alerts.WEBHOOK, address)
        monkeypatch.setenv(alerts.TOKEN, "let-me-in")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert alerts.deliver(alert) == ()
    assert got[0]["authorization"] == "Bearer let-me-in" and got[0]["kind"] == "failed" and got[0]["night"] == NIGHT.isoformat()
    for text in (told.read_text(encoding="utf-8"), got[0]["text"]):
        assert "step ingest failed" in text and str(tmp_path) in text
        assert "13812345678" not in text and "11010519491231002X" not in text


@pytest.mark.parametrize("status", [302, 404, 503])
def test_a_webhook_that_refuses_or_points_elsewhere_is_said_without_its_address(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook(status) as (address, got):
        monkeypatch.setenv(alerts.WEBHOOK, address)
        (problem,) = alerts.deliver(Alert("held", Home.at(tmp_path), NIGHT, ()))
    assert "could not be sent" in problem and "secret-path" not in problem
    assert len(got) == (1 + alerts.TRIES if status == 503 else 1)


def test_a_broken_way_of_alerting_is_said_and_nothing_is_sent_where_none_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = Alert("held", Home.at(tmp_path), NIGHT, ())
    assert alerts.deliver(alert) == ()
    monkeypatch.setenv(alerts.COMMAND, "false")
    monkeypatch.setenv(alerts.WEBHOOK, "ftp://127.0.0.1/x")
    first, second = alerts.deliver(alert)
    assert "ended with 1" in first and "no http" in second
    monkeypatch.setenv(alerts.COMMAND, "/no/such/program")
    assert "could not be run" in alerts.deliver(alert)[0]


def test_a_run_that_fails_tells_of_it_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps whose pool is half way to another key refuse to read; nothing is left to wait for, to try again, or to audit."""
    home, told = Home.at(tmp_path / "home").ensure(), tmp_path / "told.txt"
    home.enable_groups(("open_data",))
    with Receipts(home):
        begin_rotation(home, HashKey(bytes(32)))
    monkeypatch.setattr(expectations.Worker, "start", lambda _: None)
    ways = {alerts.COMMAND: keeping(told), alerts.WEBHOOK: "http://127.0.0.1:9/nobody", "POOL_HOME": str(home.root)}
    for name, value in ways.items():
        monkeypatch.setenv(name, value)
    failed = process_nights(home, NIGHT, NIGHT)
    (text,) = calls(told)
    shortly = "step ingest_open_data: Failure: a rotation to the key"
    assert text.startswith(f"{alerts.WORDS['failed']}: {home.root}, night {NIGHT}\n{shortly}"), "the reason comes first"
    assert failed.lines[-3].startswith(shortly), "and stands below what Dagster says of it, where a terminal ends"
    assert not failed.succeeded and current_release(home) is None
    (missed,) = look(home, _at("2024-02-01T07:00"))
    assert f"the night {NIGHT} failed at " in missed.text() and shortly in missed.text()
    assert f"{alerts.WEBHOOK} cannot be reached" in failed.lines[-1], "that somebody could not be told is said and changes nothing else"


def test_a_run_that_fails_before_its_first_step_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at(tmp_path / "home").ensure()
    home.enable_groups(("open_data",))

    def refuses(*_: Any) -> None:
        raise RuntimeError("the home is held by nobody known")

    monkeypatch.setattr(expectations.Worker, "start", lambda _: None)
    monkeypatch.setattr(WholeRun, "setup_for_execution", refuses)
    monkeypatch.setenv("POOL_HOME", str(home.root))
    failed = process_nights(home, NIGHT, NIGHT)
    assert not failed.succeeded and "held by nobody known" in failed.lines[0]


def test_a_run_that_stops_outside_of_any_step_tells_of_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, told = Home.at(tmp_path / "home").ensure(), tmp_path / "told.txt"

    def full_disk(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runs, "prepare_instance", full_disk)
    monkeypatch.setattr(runs, "settle_groups", lambda *_: None)
    monkeypatch.setattr(runs, "settle_key", lambda *_: None)
    monkeypatch.setenv(alerts.COMMAND, keeping(told))
    with pytest.raises(OSError, match="No space left"):
        process_nights(home, NIGHT, NIGHT)
    assert any("the run stopped with OSError" in text and "No space left" in text for text in calls(told))


def _no_key(home: Home, _: pytest.MonkeyPatch) -> str:
    home.enable_groups(("city",))
    return "no key for hashing"


def _unparsed(home: Home, patched: pytest.MonkeyPatch) -> str:
    def refuses() -> None:
        raise transform.NotParsedError("the dbt project changed since it was parsed: run 'make setup'")

    home.enable_groups(("open_data",))
    patched.setattr(expectations.Worker, "start", lambda _: None)
    patched.setattr(transform, "ensure_manifest", refuses)
    return "run 'make setup'"


def _wrong_contract(home: Home, patched: pytest.MonkeyPatch) -> str:
    contract = home.root.parent / "more" / "call" / "callss.yaml"
    contract.parent.mkdir(parents=True)
    contract.write_text("id: callss\n", encoding="utf-8")
    patched.setenv("POOL_SOURCES", str(contract.parents[1]))
    return "callss.yaml:1: entity: the key 'entity' is missing"


@pytest.mark.parametrize("lacking", [_no_key, _unparsed, _wrong_contract], ids=["key", "parsed project", "right contracts"])
def test_a_night_that_is_refused_is_told_of_and_stands_in_the_ledger(
    lacking: Callable[[Home, pytest.MonkeyPatch], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, told = Home.at(tmp_path / "home").ensure(), tmp_path / "told.txt"
    monkeypatch.setenv("POOL_HOME", str(home.root))
    monkeypatch.setenv(alerts.COMMAND, keeping(told))
    words = lacking(home, monkeypatch)
    with pytest.raises(NotReadyError, match=words):
        process_nights(home, NIGHT, NIGHT)
    (text,) = calls(told)
    assert text.startswith(f"{alerts.WORDS['failed']}: {home.root}, night {NIGHT}\nthe night was refused: ") and words in text
    (entry,) = ledger.entries(home)
    assert (entry.action, entry.about["night"]) == ("refusal", NIGHT.isoformat()) and words in entry.about["reason"]
    assert ledger.check(home) == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--date", "2099-01-01"), "nights 2099-01-01 to 2099-01-01 cannot be processed"),
        (("--date", "1999-12-31"), "nights 1999-12-31 to 1999-12-31 cannot be processed"),
        (("--from", "2024-01-31", "--to", "2024-01-30"), "nights 2024-01-31 to 2024-01-30 cannot be processed"),
        (("--group", "ctiy"), "no contract is of the group ctiy (--group)"),
    ],
    ids=["a night to come", "a night before any", "first after last", "group"],
)
def test_arguments_that_name_what_there_is_not_are_told_to_who_gave_them_alone(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    home, told = Home.at(tmp_path / "home").ensure(), tmp_path / "told.txt"
    home.enable_groups(("open_data",))
    refused = _pool(home, "run", *arguments, told={alerts.COMMAND: keeping(told)})
    assert refused.returncode == 2 and words in refused.stderr and "Traceback" not in refused.stderr
    assert calls(told) == [] and list(ledger.entries(home)) == []
    assert home.enabled_groups() == ("open_data",)


@pytest.mark.parametrize("night", [None, dt.date(1999, 12, 31)], ids=["nothing is delivered", "the clock stands before every night"])
def test_what_a_night_without_anybody_can_meet_is_told_of_and_recorded(
    night: dt.date | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night of a timer is asked for by the date of yesterday."""
    home, told = Home.at(tmp_path / "home").ensure(), tmp_path / "told.txt"
    if night:
        home.enable_groups(("open_data",))
        monkeypatch.setattr(expectations.Worker, "start", lambda _: None)
        monkeypatch.setattr(runs, "last_night", lambda _: night)
    monkeypatch.setenv("POOL_HOME", str(home.root))
    monkeypatch.setenv(alerts.COMMAND, keeping(told))
    words = "cannot be processed" if night else "no source of any group has a delivery"
    with pytest.raises(NotReadyError, match=words):
        process_nights(home, night, night)
    (text,) = calls(told)
    assert "the night was refused" in text and words in text
    assert [entry.action for entry in ledger.entries(home)] == ["refusal"]


def _of_sqlalchemy(code: int) -> Exception:
    problem = RuntimeError("(sqlite3.OperationalError) told by SQLite")
    problem.orig = _of_sqlite(code)  # type: ignore[attr-defined]
    return problem


def _of_sqlite(code: int) -> sqlite3.OperationalError:
    problem = sqlite3.OperationalError("told by SQLite")
    problem.sqlite_errorcode = code
    return problem


def _rights(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize("mask", [0o022, 0o077, 0])
def test_a_refusal_makes_a_home_that_was_not_there_with_the_rights_that_it_is_to_have(
    mask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.at(tmp_path / "home")
    words = _wrong_contract(home, monkeypatch)
    before = os.umask(mask)
    try:
        with pytest.raises(NotReadyError, match=words):
            process_nights(home, NIGHT, NIGHT)
        refused = _rights(home.root)
        assert {*refused} == {".", "ledger", "ledger/log.ndjson", "ledger/head.json"}
        ensured = _rights(home.ensure().root)
        assert {name: ensured[name] for name in refused} == refused
        assert ensured["."] == _rights(Home.at(tmp_path / "another").ensure().root)["."]
    finally:
        os.umask(before)


def _of_newer_code(home: Home) -> None:
    home.settings_file.write_text(f'{{"format": {FORMAT + 1}, "groups": ["city"], "of_tomorrow": 1}}', encoding="utf-8")


def _settings(home: Home) -> None:
    home.settings_file.write_text('{"format": 2, "groups": ["ctiy"]}', encoding="utf-8")


def _settings_and_no_ledger(home: Home) -> None:
    _settings(home)
    home.ledger.touch()


@pytest.mark.parametrize(("damage", "recorded"), [(_settings, 1), (_settings_and_no_ledger, 0), (_of_newer_code, 0)])
def test_a_refused_night_is_told_of_though_its_home_cannot_be_written(
    damage: Callable[[Home], None], recorded: int, tmp_path: Path
) -> None:
    home, told = Home.at(tmp_path / "home").ensure(), tmp_path / "told.txt"
    damage(home)
    refused = _pool(home, "run", "--date", NIGHT.isoformat(), told={alerts.COMMAND: keeping(told)})
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert ("could not be recorded" in refused.stderr) == home.ledger.is_file()
    (text,) = calls(told)
    assert text.startswith(f"{alerts.WORDS['failed']}: {home.root}, night {NIGHT}\nthe night was refused: {home.settings_file}")
    assert len(home.ledger_log.read_text(encoding="utf-8").splitlines() if home.ledger_log.is_file() else ()) == recorded


def test_a_run_that_fails_in_the_ui_is_told_of_by_its_sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POOL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(alerts.COMMAND, keeping(tmp_path / "told.txt"))

    @dg.asset(partitions_def=NIGHTS)
    def fails() -> None:
        raise ValueError("no such column")

    with dg.DagsterInstance.ephemeral() as instance:
        for tags in ({}, {PROCESS_TAG: "77"}):
            run = dg.materialize([fails], instance=instance, partition_key=NIGHT.isoformat(), tags=tags, raise_on_error=False)
            (event,) = (e for e in run.all_events if e.event_type_value == "PIPELINE_FAILURE")
            context = dg.build_run_status_sensor_context("alert_on_failure", event, instance, run.dagster_run).for_run_failure()
            alert_on_failure(context)
    (text,) = calls(tmp_path / "told.txt")
    assert text.startswith(f"{alerts.WORDS['failed']}: {tmp_path / 'home'}, night {NIGHT}\n") and "failed" in text
    assert [(e.action, e.about["night"]) for e in ledger.entries(Home.at())] == [("failure", NIGHT.isoformat())]


# ---- the dead man's check -----------------------------------------------------------------------------------------------


def _at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text}+08:00")


def test_a_release_that_does_not_come_is_missed_from_its_hour_on(pool: AuditHome, release: Release) -> None:
    home = pool.home
    assert [a.kind for a in look(home, _at("2024-02-01T07:00"))] == ["missed"]
    release()
    by_moment = {
        "2024-02-01T05:59": [],  # last night is 31 January, due at six
        "2024-02-01T07:00": [],
        "2024-02-02T05:59": [],
        "2024-02-02T06:00": ["missed"],
        "2024-01-30T12:00": ["damaged"],  # the clock went back
    }
    assert {moment: [a.kind for a in look(home, _at(moment))] for moment in by_moment} == by_moment
    with home.writing("dbt"):
        (missed,) = look(home, _at("2024-02-02T06:00"))
    assert "readers still see 20240131-001" in missed.text() and f"at work: process {os.getpid()} (dbt)" in missed.text()


def test_a_held_product_is_told_by_the_night_and_by_the_watch(pool: AuditHome, release: Release) -> None:
    release()
    broken = release(NEXT, tamper=["update kpi set numerator = numerator + 1 where unit_code = 'C' and kpi_id = 'INC-1'"])
    assert "incident" in broken.report.held
    told = alerts.alert_of_release(pool.home, broken.release, tuple(broken.report.held))
    assert told is not None and told.kind == "held" and "incident: stale" in told.text()
    assert [a.kind for a in look(pool.home, _at("2024-02-02T07:00"))] == ["stale"]


def _run_that_published(version: str | None) -> dg.ExecuteInProcessResult:
    @dg.asset(name="release")
    def published() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"version": version} if version else {})

    @dg.asset
    def another() -> None: ...

    return dg.materialize([published if version else another], instance=dg.DagsterInstance.ephemeral())


def test_a_run_of_an_earlier_night_speaks_of_the_release_of_that_night(pool: AuditHome, release: Release) -> None:
    earlier = release()
    broken = release(NEXT, tamper=["update kpi set numerator = numerator + 1 where unit_code = 'C' and kpi_id = 'INC-1'"])
    newest, before = (runs.outcome_of(pool.home, _run_that_published(r.version)) for r in (broken, earlier))
    assert newest.held_products == ("incident",) and f"release {broken.version}, as of {NEXT}" in newest.lines[0]
    assert before.held_products == () and before.lines[0].startswith(f"release {earlier.version}, as of {NIGHT}")
    assert before.lines[-1] == f"current stays {broken.version}, as of {NEXT}: a newer night"
    assert "current stays" not in "".join(newest.lines)
    assert not runs.outcome_of(pool.home, _run_that_published(None)).succeeded
    expired = runs.outcome_of(pool.home, _run_that_published("20240101-001"))
    assert expired.succeeded and "release 20240101-001 was published and went at once" in expired.lines[0]


def test_the_watch_is_silent_when_all_is_well_and_tells_what_is_not(tmp_path: Path, expectations_worker: Worker) -> None:
    night = last_night(dt.datetime.now(tz=dt.UTC))
    pool, told = AuditHome(tmp_path / "home", first_day=night - dt.timedelta(days=30)), tmp_path / "told.txt"
    pool.home.enable_groups(("city",))
    create_key(pool.home)

    def watch() -> subprocess.CompletedProcess[str]:
        return _pool(pool.home, "watch", "--by", "00:00", "--verify", "--alert", told={alerts.COMMAND: keeping(told)})

    missed = watch()
    assert missed.returncode == 1 and "nothing is published" in missed.stderr
    pool.build(night)
    published = gate_and_publish(pool.home, night, pool.contracts, worker=expectations_worker)
    assert (well := watch()).returncode == 0, well.stderr
    published.release.database.chmod(0o600)
    with published.release.database.open("ab") as database:
        database.write(b"more")
    damaged = watch()
    assert damaged.returncode == 1 and "was altered" in damaged.stderr
    assert [text.split(":")[0] for text in calls(told)] == [alerts.WORDS["missed"], alerts.WORDS["damaged"]]


def test_what_is_too_damaged_to_be_looked_at_is_told_by_doctor_watch_and_status(pool: AuditHome, release: Release, tmp_path: Path) -> None:
    for night in (NIGHT, NEXT):
        manifest = release(night).release.path / "manifest.json"
        manifest.chmod(0o600)
        manifest.write_text("{", encoding="utf-8")
    pool.home.receipts.write_bytes(b"no database" * 1000)
    doctor = _pool(pool.home, "doctor")
    assert doctor.returncode == 1 and "Traceback" not in doctor.stderr
    wrong = [line for line in doctor.stderr.splitlines() if line.startswith("WRONG")]
    for words in (
        "releases: cannot be verified",
        "20240131-001 has no manifest",
        "20240201-001 has no manifest",
        "receipts.sqlite cannot be read",
    ):
        assert any(words in line for line in wrong), (words, wrong)
    watch = _pool(pool.home, "watch", "--verify", "--alert", told={alerts.COMMAND: keeping(tmp_path / "told.txt")})
    assert watch.returncode == 1 and "Traceback" not in watch.stderr
    assert any("20240131-001 has no manifest" in text for text in calls(tmp_path / "told.txt"))
    status = _pool(pool.home, "status")
    assert status.returncode == 2 and "receipts.sqlite cannot be read" in status.stderr and "Traceback" not in status.stderr


# ---- backup and restore -------------------------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A home with a batch in the pool and another in quarantine, and its landing beside it."""
    made = Bench(tmp_path, make_entity(id="text", n="integer"), make_contract({"id": "ID", "n": "N"}))
    made.home.enable_groups(("city",))
    made.deliver("2024-03-05.csv", "ID,N\na,1\nb,x\n")
    made.night()
    return made


def test_a_damaged_file_of_the_pool_is_named_by_the_doctor_and_made_again_once_it_is_removed(bench: Bench) -> None:
    (path,) = bench.home.pool.glob("thing/source=things/*.parquet")

    def seen() -> list[tuple[bool, str]]:
        return [(finding.passed, finding.detail) for finding in examine(bench.home) if finding.check == "file"]

    whole = [(True, "1 files of the pool are written to their end")]
    rows, written = bench.pool(), path.read_bytes()
    assert seen() == whole
    path.write_bytes(written[:-20] + bytes(20))
    told = _pool(bench.home, "doctor")
    assert told.returncode == 1 and "Traceback" not in told.stderr
    assert f"WRONG file: {path} is damaged; remove what is named, the next run makes it again from landing" in told.stderr
    path.unlink()
    bench.night()
    assert (bench.pool(), seen()) == (rows, whole)


def test_what_a_night_waited_for_in_vain_is_named_where_it_is_missed_and_in_the_status(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = bench.contract.model_copy(update={"cadence": "daily"})
    never = daily.model_copy(update={"id": "never", "landing": daily.landing.model_copy(update={"glob": "never/*"})})
    for module in (status, unreleased):
        monkeypatch.setattr(module, "survey", lambda: (SimpleNamespace(contracts=(daily, never)), ()))
    (missed,) = look(bench.home, _at("2024-03-08T07:00"))
    assert "\nnot delivered by the night 2024-03-07: things (2024-03-07 and 1 before)\n" in missed.text()
    lines = list(status.source_lines(bench.home, dt.date(2024, 3, 7)))
    assert [line for line in lines if "not del" in line] == ["  not delivered by the night 2024-03-07: 2024-03-06, 2024-03-07"]
    words = (
        f"no source delivered anything for 2024-03-07, 1 were due: things; look whether {bench.home.landing} is the right one and mounted"
    )
    assert alerts.alert_of_deliveries(bench.home, dt.date(2024, 3, 7)) == Alert("undelivered", bench.home, dt.date(2024, 3, 7), (words,))
    assert alerts.alert_of_deliveries(bench.home, dt.date(2024, 3, 5)) is None
    bench.deliver("2024-03-07.csv", "ID,N\nc,1\n")
    assert alerts.alert_of_deliveries(bench.home, dt.date(2024, 3, 7)) is None
    assert "things (2024-03-06)\n" in look(bench.home, _at("2024-03-08T07:00"))[0].text(), "what lies in landing has come"
    bench.home.receipts.write_bytes(b"no database" * 1000)
    (missed,) = look(bench.home, _at("2024-03-08T07:00"))
    assert "what was delivered cannot be told: " in missed.text() and "receipts.sqlite cannot be read" in missed.text()


def _tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.is_symlink()}


def test_a_restored_home_goes_on_where_the_backup_was_taken(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    first = backup.backup(bench.home, target)
    assert first.linked == 0
    bench.deliver("2024-03-06.csv", "ID,N\nc,2\n")
    bench.night()
    second = backup.backup(bench.home, target)
    assert second.linked > 0 and second.bytes_copied < first.bytes_copied * 2
    shared = "pool/thing/source=things/batch=2024-03-05.parquet"
    assert (first.folder / "home" / shared).samefile(second.folder / "home" / shared)

    home = Home.at(tmp_path / "restored", bench.home.landing)
    backup.restore(target, home)
    again = Bench(tmp_path / "of the restored", bench.entity, bench.contract)
    again.home = home
    assert again.pool() == bench.pool() and again.quarantine() == bench.quarantine()
    assert again.night().status == "unchanged"
    assert not list(home.root.rglob(".draft*")) and ledger.check(home) == ""
    older = Home.at(tmp_path / "older", bench.home.landing)
    backup.restore(first.folder, older)
    again.home = older
    assert len(again.pool()) == 1 and again.night().rows_accepted == 1

    kept = {p.name for p in (second.folder / "home").iterdir()}
    assert {"home.json", "receipts.sqlite", "pool", "quarantine", "ledger"} <= kept
    assert kept.isdisjoint({"warehouse", "dagster", "scratch", ".writer.lock", ".run.lock"})
    shutil.rmtree(first.folder)
    backup.restore(target, Home.at(tmp_path / "without the oldest", bench.home.landing))


def test_releases_key_and_rights_are_restored_and_the_doctor_agrees(pool: AuditHome, release: Release, tmp_path: Path) -> None:
    published = release()
    pool.home.enable_groups(("city",))
    create_key(pool.home)
    backup.backup(pool.home, tmp_path / "backups")
    home = Home.at(tmp_path / "restored")
    backup.restore(tmp_path / "backups", home)
    restored = current_release(home)
    assert restored is not None and restored.manifest == published.release.manifest
    verify(restored)
    with open_current(home) as connection:
        assert connection.execute("select distinct version from release_info").fetchall() == [(published.version,)]
    assert [f for f in examine(home) if not f.passed] == []
    key = next(home.secrets.iterdir())
    assert key.stat().st_mode & 0o077 == 0 and home.secrets.stat().st_mode & 0o077 == 0


def test_a_backup_or_restore_that_cannot_be_right_is_refused(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="lies in the home"):
        backup.backup(bench.home, bench.home.root / "backups")
    with pytest.raises(BackupError, match="no home that has been run"):
        backup.backup(Home.at(tmp_path / "nothing"), tmp_path / "backups")
    with pytest.raises(BackupError, match="no snapshot"):
        backup.restore(tmp_path, Home.at(tmp_path / "new"))
    taken = backup.backup(bench.home, tmp_path / "backups")
    with pytest.raises(BackupError, match="not empty"):
        backup.restore(tmp_path / "backups", bench.home)
    altered = taken.folder / "home" / "pool" / "thing" / "source=things" / "batch=2024-03-05.parquet"
    altered.write_bytes(altered.read_bytes()[:-1])
    with pytest.raises(BackupError, match=r"batch=2024-03-05\.parquet is missing or was altered"):
        backup.restore(tmp_path / "backups", Home.at(tmp_path / "new"))
    assert not (tmp_path / "new").exists() and not list(tmp_path.glob(".draft*"))


def test_a_backup_onto_a_full_disk_or_killed_leaves_no_snapshot_and_the_next_is_whole(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "backups"

    def on_a_full_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
        try:
            backup.backup(bench.home, target)
        except (BackupError, OSError):
            os._exit(7)

    assert os.waitstatus_to_exitcode(_in_a_process(on_a_full_disk)) == 7
    assert list(target.iterdir()) == []

    def killed() -> None:
        backup.move_into_place = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        backup.backup(bench.home, target)

    assert os.WTERMSIG(_in_a_process(killed)) == signal.SIGKILL
    taken = backup.backup(bench.home, target)
    assert [p.name for p in target.iterdir()] == [taken.folder.name]


def _in_a_process(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


# ---- upgrade ------------------------------------------------------------------------------------------------------------


def test_a_home_of_older_code_is_upgraded_by_its_next_writer_once(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home").ensure()
    home.settings_file.write_text('{"groups": ["city", "open_data"]}', encoding="utf-8")
    assert home.format() == 0
    for _ in range(2):
        with home.writing("a test"):
            assert home.format() == FORMAT
    assert home.enabled_groups() == ("city", "open_data")
    assert [e.about for e in ledger.entries(home) if e.action == "upgrade"] == [{"from": n, "to": n + 1} for n in range(FORMAT)]


def test_a_home_of_newer_code_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home").ensure()
    home.settings_file.write_text('{"groups": ["city"], "format": 99}', encoding="utf-8")
    before = _tree(home.root)
    with pytest.raises(NewerHomeError), home.writing("a test"):
        pass
    for arguments in (("run",), ("doctor",)):
        refused = _pool(home, *arguments)
        assert refused.returncode == 2 and "has format 99" in refused.stderr and "Traceback" not in refused.stderr
    after = _tree(home.root)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("50%41", "holds %"),
        ("what?", "holds ?"),
        ("a#1", "holds #"),
        ("pool[1]", "holds ["),
        ("all*", "holds *"),
        ("a_file", "is no folder"),
        ("a_file/below", "a_file is no folder"),
    ],
)
def test_a_home_whose_path_would_be_misread_is_refused_before_anything_is_made(
    tmp_path: Path, name: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_file").touch()
    for command in ("run", "doctor", "releases"):
        assert _commanded(monkeypatch, command, "--home", tmp_path / name) == 2
        assert words in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a_file"]


def test_a_home_that_is_not_there_is_made_by_no_command_that_only_looks_or_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waive = "waive clearance rows --reason nothing-came-today --by N --until 2025-01-31"
    withdraw = "withdraw 20250101-001 --reason nothing-came-today"
    for arguments in ("doctor", "key rotate", "rollback 20250101-001", "prune", withdraw, waive):
        assert _commanded(monkeypatch, *arguments.split(), "--home", tmp_path / "hmoe") == 2
        assert f"there is no home at {tmp_path / 'hmoe'}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# ---- what the machine refuses ---------------------------------------------------------------------------------------------


def _read_only(patched: pytest.MonkeyPatch, below: Path) -> None:
    """Let no folder be made there, as on a file system that is mounted for reading."""
    make = Path.mkdir

    def refusing(path: Path, *given: Any, **named: Any) -> None:
        if path.is_relative_to(below) and not path.exists():
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        make(path, *given, **named)

    patched.setattr(Path, "mkdir", refusing)


def test_a_home_that_cannot_be_made_refuses_the_night_in_words_that_are_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(alerts.COMMAND, keeping(tmp_path / "told.txt"))
    _read_only(monkeypatch, tmp_path / "mounted")
    home = tmp_path / "mounted" / "home"
    words = f"{home} cannot be a home: {home}: Read-only file system; mount it for writing, or name another place"
    assert _commanded(monkeypatch, "run", "--home", home, "--date", NIGHT) == 2
    assert f"pool: {words}\n" in capsys.readouterr().err
    (text,) = calls(tmp_path / "told.txt")
    assert text == f"{alerts.WORDS['failed']}: {home}, night {NIGHT}\nthe night was refused: {words}\n"
    assert _commanded(monkeypatch, "doctor", "--create-key", "--home", home) == 2
    assert f"pool: {words}\n" == capsys.readouterr().err


def test_a_landing_that_is_no_folder_or_cannot_be_made_is_said_to_be_the_landing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_file").touch()
    _read_only(monkeypatch, tmp_path / "mounted")
    for landing, words in (("a_file", "it is no folder; name the folder of the deliveries"), ("mounted", "Read-only file system")):
        assert _commanded(monkeypatch, "run", "--home", tmp_path / "home", "--landing", tmp_path / landing) == 2
        told = capsys.readouterr().err
        assert f"{tmp_path / landing} cannot be a landing: " in told and words in told


def test_a_landing_that_is_not_there_any_more_refuses_the_night_instead_of_being_made(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "not mounted"
    assert _commanded(monkeypatch, "run", "--home", bench.home.root, "--landing", elsewhere) == 2
    assert f"there is no landing at {elsewhere}, though this home was delivered to: mount it" in capsys.readouterr().err
    assert not elsewhere.exists() and [e.action for e in ledger.entries(bench.home)] == ["refusal"]


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/h/x"), "/h/x: No space left on device; make room and run the command again"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/h/x"),
            "/h/x: Permission denied; run the command as the account that owns it",
        ),
        (_of_sqlite(sqlite3.SQLITE_FULL), "a database of the home: told by SQLite; make room"),
        (_of_sqlalchemy(sqlite3.SQLITE_IOERR | 0xA00), "a database of the home: told by SQLite; the disk is full or fails: make room"),
        (LedgerError("/h/ledger cannot be written"), "/h/ledger cannot be written"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/h/x"), None),
    ],
    ids=["a full disk", "a right", "a full disk under SQLite", "a full disk under Dagster", "the ledger", "a fault of the program"],
)
def test_what_the_machine_refuses_a_command_is_said_in_words_and_a_fault_of_the_program_keeps_its_traceback(
    problem: Exception, words: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(*_: Any) -> None:
        raise problem

    home = Home.at(tmp_path / "home").ensure()
    monkeypatch.setattr(status, "status_lines", refuses)
    if words is None:
        with pytest.raises(FileNotFoundError):
            _commanded(monkeypatch, "status", "--home", home.root)
    else:
        assert _commanded(monkeypatch, "status", "--home", home.root) == 2
        assert capsys.readouterr().err.startswith(f"pool: {words}")


# ---- examples for the machine ---------------------------------------------------------------------------------------------


def test_the_units_of_systemd_are_right(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    units = sorted((PROJECT / "deploy" / "systemd").iterdir())
    assert len(units) >= 6
    for unit in units:
        text = unit.read_text(encoding="utf-8").replace("/opt/police-pool/.venv/bin/pool", POOL)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / u.name) for u in units)], capture_output=True, text=True, check=False
    )
    services = [unit.read_text(encoding="utf-8").splitlines() for unit in units if unit.suffix == ".service"]
    closed = ("IPAddressDeny=any", "IPAddressAllow=localhost", "UMask=0077", "User=pool", "EnvironmentFile=-/etc/police-pool/environment")
    assert all(line in service for service in services for line in closed)
    complaints = [line for line in checked.stderr.splitlines() if any(unit.name in line for unit in units)]
    assert checked.returncode == 0 and complaints == [], checked.stderr


def test_the_crontab_calls_commands_that_exist() -> None:
    lines = [
        line for line in (PROJECT / "deploy" / "crontab").read_text(encoding="utf-8").splitlines() if line and line[0] in "0123456789*"
    ]
    assert len(lines) >= 3
    commands = {line.split("/bin/pool ")[1].split()[0] for line in lines}
    known = subprocess.run([POOL, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f" {command} " in known for command in commands)
