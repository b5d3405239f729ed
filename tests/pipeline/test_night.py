"""Nights of the small city through the ``pool`` command, as a user runs them: cold processes, the network cut off."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from offline import can_trace, cut_off, reached_beyond_this_machine, traced
from told import calls, keeping, webhook
from who_reads import GROUP, STRANGERS, files_below, readable

from benchmarks import nightly, questions
from dagster_project import alerts
from dagster_project.city.simulate import simulate
from dagster_project.contracts.personal_values import find_personal
from dagster_project.defs import runs
from dagster_project.home import Home
from dagster_project.ledger import entries
from dagster_project.release import current_release, list_releases

POOL = str(Path(sys.executable).with_name("pool"))
HISTORY_DAYS = 120
TRACE = "whom_the_first_run_tried_to_reach.txt"
INTERFACE = {"kpi", "fct_kpi_count", "kpi_catalogue", "receipt", "pool_inventory", "release_info", "gate_result", "unit"}


def pool(home: Path, *arguments: str, trace: Path | None = None, told: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A ``pool`` command in a process of its own, without any network where the kernel can take it away; whom it tries to reach goes into
    ``trace``. ``told`` are the variables of the ways of alerting: where they are given this machine can be reached."""
    environment = {**os.environ, "POOL_HOME": str(home), **(told or {})}
    for name in ("POOL_LANDING", "DAGSTER_HOME", "POOL_SOURCES"):
        environment.pop(name, None)
    command = [*(() if told else cut_off()), *(traced(trace) if trace else ()), POOL, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def ran(finished: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose small city has been processed up to its last night but one."""
    root = tmp_path_factory.mktemp("night") / "home"
    delivery = simulate(
        root / "landing", history_days=HISTORY_DAYS, nights=3, counties=2, stations_per_county=2, scale=0.008, domains=("matters",)
    )
    home = Home.at(root)
    ran(pool(root, "run", "--date", str(delivery.last_night - dt.timedelta(days=1)), trace=root.parent / TRACE))
    yield home


@pytest.fixture
def home(city: Home, tmp_path: Path) -> Iterator[Home]:
    """That home, to be changed: it is put back afterwards, in its own place, where dbt need not parse its project anew."""
    shutil.copytree(city.root, tmp_path / "as_it_was", symlinks=True)
    yield city
    for path in city.root.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(city.root)
    shutil.move(tmp_path / "as_it_was", city.root)


def last_night(home: Home) -> dt.date:
    about = json.loads((home.landing / "truth" / "faults.json").read_text(encoding="utf-8"))["city"]
    return dt.date.fromisoformat(about["first_night"]) + dt.timedelta(days=about["nights"] - 1)


def products(home: Home) -> dict[str, str]:
    release = current_release(home)
    assert release is not None
    return {name: record.status for name, record in release.manifest.products.items()}


def test_a_night_publishes_every_product_with_every_table_of_the_interface(city: Home) -> None:
    assert set(products(city).values()) == {"fresh"}
    with duckdb.connect(str(city.current / "kpi.duckdb"), read_only=True) as release:
        tables = {name for (name,) in release.execute("select table_name from duckdb_tables()").fetchall()}
        bare_tables = release.execute("select table_name from duckdb_tables() where not internal and comment is null").fetchall()
        bare_columns = release.execute(
            "select table_name, column_name from duckdb_columns() where not internal and comment is null"
        ).fetchall()
        figures = release.execute("select count(*), count(distinct kpi_id), count(distinct grain) from kpi").fetchone()
    assert tables >= INTERFACE | {f"mart_{product}" for product in products(city)}
    assert bare_tables == [] and bare_columns == []
    assert figures is not None and figures[0] > 0 and figures[1] > 20 and figures[2] == 6


def test_the_common_questions_of_analysts_have_answers(city: Home) -> None:
    asked = questions.measure(city.current / "kpi.duckdb", repeats=1)
    assert len(asked) == len(questions.QUESTIONS) == 20
    unanswered = [question["question"] for question in asked if question["rows"] == 0]
    assert [words.split(":")[0] for words in unanswered] == ["Fraud"], "this city delivers no frauds"
    assert all(0 < question["median_ms"] < 5_000 for question in asked)
    assert questions.table(asked).count("\n") == 20


def test_every_file_balances_in_the_receipts_of_the_release(city: Home) -> None:
    with duckdb.connect(str(city.current / "kpi.duckdb"), read_only=True) as release:
        counted, wrong = release.execute(
            "select count(*), count(*) filter (where rows_read <> rows_accepted + rows_quarantined + rows_duplicate + rows_filtered) from receipt"
        ).fetchall()[0]
    assert counted > 0 and wrong == 0


def test_the_same_night_again_is_the_same_release_and_its_cost_is_measured_by_phase(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the benchmark of nights, which runs it in a process of its own as well."""
    monkeypatch.delenv("POOL_SOURCES", raising=False)
    before = [r.version for r in list_releases(home)]
    (row,) = nightly.in_turns({HISTORY_DAYS: home}, {HISTORY_DAYS: [last_night(home) - dt.timedelta(days=1)]})
    assert [r.version for r in list_releases(home)] == before
    assert all(row["phases"]["cpu"][phase] > 0 for phase in ("ingest", "dbt", "gate and release"))
    assert row["ingest and dbt, cpu ratio"] == "1.000 (1.00 to 1.00)" and row["rows in kpi"] > 0


def test_a_broken_delivery_holds_its_products_alone_and_a_good_one_heals_them_and_rollback_brings_the_earlier_release_back(
    home: Home, tmp_path: Path
) -> None:
    night, first = str(last_night(home)), current_release(home)
    good = {**break_newest(home, "mediation/mediation_ledger", "enforcement/law_issue"), **renumber_callbacks(home)}
    commanded = tmp_path / "told.txt"
    with webhook() as (address, posted):
        told = {alerts.COMMAND: keeping(commanded), alerts.WEBHOOK: address, alerts.TOKEN: "let-me-in"}
        held = pool(home.root, "run", "--date", night, "--strict", told=told)
    assert held.returncode == 3, held.stdout + held.stderr
    assert_told_once(home, night, calls(commanded), posted, {path: path.read_bytes() for path in good})
    expected = {"mediation", "enforcement", "integrity"}  # the integrity panel reads the counts of mediation
    assert products(home) == {name: "stale" if name in expected else "fresh" for name in products(home)}
    assert [path.name for path in good if path.name not in held.stdout and path.suffix != ".json"] == []
    with duckdb.connect(str(home.current / "kpi.duckdb"), read_only=True) as release:
        stale = {name for (name,) in release.execute("select distinct product from kpi where stale").fetchall()}
        verdicts = release.execute(
            "select detail from gate_result where product = 'mediation' and not passed and severity = 'block'"
        ).fetchall()
        warned = release.execute("select check_zh from gate_result where product = 'satisfaction' and not passed").fetchall()
    assert stale == expected
    assert any(newest.name in detail for newest in good for (detail,) in verdicts)
    assert ("关联缺失",) in warned, "callbacks of calls that nobody delivered: the satisfaction goes out, with a warning"

    for path, content in good.items():
        path.write_bytes(content)
    ran(pool(home.root, "run", "--date", night, told={alerts.COMMAND: keeping(commanded)}))
    assert set(products(home).values()) == {"fresh"}
    assert len(calls(commanded)) == 1, "nobody is told of a night that is well"

    healed = current_release(home)
    assert first is not None and healed is not None and first.version != healed.version
    ran(pool(home.root, "rollback", first.version))
    assert ran(pool(home.root, "query", "select version from release_info limit 1")).stdout.count(first.version) == 1
    assert pool(home.root, "rollback", "20000101-001").returncode == 2


def assert_told_once(home: Home, night: str, commanded: list[str], posted: list[dict[str, Any]], delivered: Mapping[Path, bytes]) -> None:
    """Command and webhook got this night's one message: what is held and why, and of the people in the deliveries nothing."""
    ((text,), (body,)) = commanded, posted
    assert body == {
        "path": "/secret-path",
        "authorization": "Bearer let-me-in",
        "kind": "held",
        "home": str(home.root),
        "night": night,
        "text": text,
    }
    assert text.startswith(f"{alerts.WORDS['held']}: {home.root}, night {night}\n")
    assert all(f"{product}: stale" in text for product in ("mediation", "enforcement", "integrity")) and "incident: " not in text
    told = [found for content in delivered.values() for found in find_personal(content.decode("utf-8", errors="replace"))]
    assert told and list(find_personal(text)) == [], "deliveries name people, the message none"


def renumber_callbacks(home: Home) -> dict[Path, bytes]:
    """Let half of the newest callbacks name calls that do not exist; the whole content, to put it back."""
    newest = max((home.landing / "callback" / "callback_record").glob("*/*.json"), key=lambda p: p.parent.name)
    good = newest.read_bytes()
    document = json.loads(good.decode("utf-8-sig"))
    for record in document["data"]["list"][::2]:
        record["jjdbh"] = f"X{record['jjdbh']}"
    newest.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return {newest: good}


def break_newest(home: Home, *folders: str) -> dict[Path, bytes]:
    """Cut the newest file of each landing folder in half; the whole contents, to put them back."""
    good = {path: path.read_bytes() for path in (max((home.landing / f).glob("*/*"), key=lambda p: p.parent.name) for f in folders)}
    for path, content in good.items():
        path.write_bytes(content[: len(content) // 2])
    return good


def test_rematerialising_a_source_shows_what_became_stale_and_the_next_night_catches_it_up(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own: the code location reads its home when it is loaded. A product that is held meanwhile is no failure of a run."""
    night = last_night(home) - dt.timedelta(days=1)
    folder = home.landing / "callback" / "callback_record"
    delivery = max(p for p in folder.glob("*/*.json") if p.parent.name <= f"{night:%Y%m%d}")
    document = json.loads(delivery.read_text(encoding="utf-8-sig"))
    del document["data"]["list"][-1]
    delivery.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    script = Path(__file__).with_name("rematerialise.py")
    environment = {**os.environ, "POOL_HOME": str(home.root), "POOL_LANDING": str(home.landing)}
    told = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), "callback_record", night.isoformat()],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    statuses = json.loads(told.stdout.splitlines()[-1])
    assert statuses["pool/callback"] == "STALE"
    assert statuses["pool/mediation"] == "FRESH"
    law_issue = max(p for p in (home.landing / "enforcement" / "law_issue").glob("*/*") if p.parent.name <= f"{night:%Y%m%d}")
    law_issue.write_bytes(law_issue.read_bytes()[: law_issue.stat().st_size // 2])
    ran(pool(home.root, "run", "--date", night.isoformat()))
    assert products(home) == {**dict.fromkeys(products(home), "fresh"), "enforcement": "stale"}
    told = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), "", night.isoformat()], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout.splitlines()[-1])["pool/callback"] == "FRESH"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--date", "2024-02-31"), "no date"),
        (("run", "--date", "2199-01-01"), "cannot be processed"),
        (("run", "--from", "2024-01-01"), "--to"),
        (("query", "select * from no_such_table"), "no_such_table"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(city: Home, arguments: tuple[str, ...], words: str) -> None:
    finished = pool(city.root, *arguments)
    assert finished.returncode == 2
    assert words in finished.stderr
    assert "Traceback" not in finished.stderr


def test_without_any_delivery_the_run_says_where_to_put_one(tmp_path: Path) -> None:
    finished = pool(tmp_path / "home", "run")
    assert finished.returncode == 2
    assert str(tmp_path / "home" / "landing") in finished.stderr


def test_status_and_doctor_speak_of_the_home(city: Home) -> None:
    assert "call_form" in ran(pool(city.root, "status")).stdout
    assert "WRONG" not in ran(pool(city.root, "doctor")).stderr


def test_every_step_of_a_run_stands_in_the_ledger(city: Home) -> None:
    found = entries(city)
    steps = [e.about["step"] for e in found if e.action == "run"]
    assert steps[-2:] == ["transform", "publish"] and "ingest_call" in steps[:-2]
    assert len({e.about["run"] for e in found if e.action == "run"}) == 1
    assert {e.action for e in found} >= {"key", "run", "publish", "switch"}


def test_a_release_is_reproduced_elsewhere_in_another_time_zone_and_locale_on_one_processor(
    city: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = current_release(city)
    assert release is not None
    for name, value in {"TZ": "America/Los_Angeles", "LC_ALL": "C"}.items():
        monkeypatch.setenv(name, value)
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        told = ran(pool(city.root, "reproduce", release.version, "--scratch", str(tmp_path / "elsewhere"))).stdout
    finally:
        os.sched_setaffinity(0, allowed)
    assert f"release {release.version} is reproduced" in told and "DIFFERS" not in told and "other " not in told
    again = current_release(Home.at(tmp_path / "elsewhere" / "home"))
    assert again is not None and again.manifest.content_hash == release.manifest.content_hash
    assert told.count("same   table") == len(release.manifest.tables) - 2
    assert entries(city)[-1].about == {"version": release.version, "proved": True, "different": []}


def test_of_a_whole_night_strangers_read_what_is_public_and_the_group_the_releases(city: Home) -> None:
    assert (city.root / "last_run.log").is_file() and (city.receipts.stat().st_mode & 0o777) == 0o600
    assert readable(city.root, STRANGERS) == files_below(city.root, "public") != set()
    assert readable(city.root, GROUP) == files_below(city.root, "public", "published", "ledger", "home.json")


def test_telemetry_is_off_in_the_home_s_dagster_and_dbt(city: Home) -> None:
    assert "telemetry:\n  enabled: false" in (city.dagster / "dagster.yaml").read_text(encoding="utf-8")
    results = json.loads((city.dbt_target / "run_results.json").read_text(encoding="utf-8"))
    assert results["args"]["send_anonymous_usage_stats"] is False


# ---- without a network --------------------------------------------------------------------------------------------------

LOOKS_OUTSIDE = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(("192.0.2.1", 9))
socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect_ex(("::1", 9))
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"here we are", ("192.0.2.2", 9))
except OSError:
    pass
"""


def test_whole_nights_need_no_network(city: Home) -> None:
    """Every command of this file ran where there is none, not even the machine's own."""
    if not cut_off():
        pytest.skip("this machine does not let its user take the network away (unshare -rn)")
    outside = subprocess.run([*cut_off(), "cat", "/proc/net/dev"], capture_output=True, text=True, check=True).stdout
    assert [line.split(":")[0].strip() for line in outside.splitlines()[2:]] == ["lo"]
    assert set(products(city).values()) == {"fresh"}


def test_a_run_and_all_that_it_starts_try_to_reach_no_other_machine(city: Home, tmp_path: Path) -> None:
    if not can_trace():
        pytest.skip("strace is not installed, or may not look at other processes (apt-get install strace)")
    subprocess.run([*traced(tmp_path / "seen"), sys.executable, "-c", LOOKS_OUTSIDE], check=True)
    assert reached_beyond_this_machine(tmp_path / "seen") == {"192.0.2.1", "192.0.2.2"}, "who looks outside is seen"
    assert reached_beyond_this_machine(city.root.parent / TRACE) == set()


def test_the_ui_listens_to_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(runs.os, "execv", lambda _, command: started.append(command))
    runs.serve_ui(Home.at(tmp_path / "home"), 3456)
    (command,) = started
    assert command[1] == "dev" and command[command.index("--host") + 1] == "127.0.0.1" and command[command.index("--port") + 1] == "3456"
