"""The process that runs Great Expectations: it answers, survives bad questions, and outlives nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.audit.expectations import Worker, WorkerError

PROJECT = Path(__file__).resolve().parents[2]
START_AND_TELL = (
    "from dagster_project.audit.expectations import Worker; import sys, time; w = Worker(); w.start(); "
    "print(w._process.pid, flush=True); time.sleep(600)"
)


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("worker") / "candidate.duckdb"
    with duckdb.connect(str(file)) as db:
        db.execute("create table kpi as select 'p' || i % 2 as product, i as n, case when i < 3 then -i end as low from range(10) t(i)")
    return file


def _suite(sql: str, column: str, kind: str = "expect_column_values_to_be_between", **arguments: Any) -> dict[str, Any]:
    return {"name": "s", "sql": sql, "expectations": [{"check": "c", "type": kind, "arguments": {"column": column, **arguments}}]}


def _ask(worker: Worker, candidate: Path, suite: dict[str, Any]) -> dict[str, Any]:
    (result,) = worker.ask(candidate, "candidate", [suite])
    return result


def test_failing_rows_are_counted_by_product_and_shown_in_full(expectations_worker: Worker, candidate: Path) -> None:
    result = _ask(expectations_worker, candidate, _suite("select * from main.kpi", "n", max_value=6))
    (outcome,) = result["expectations"]
    assert (result["rows"], outcome["success"], outcome["failing"]) == (10, False, 3)
    assert outcome["products"] == {"p0": 1, "p1": 2}
    assert {row["n"] for row in outcome["examples"]} == {7, 8, 9}
    assert set(outcome["examples"][0]) == {"product", "n", "low"}


def test_nulls_and_empty_frames_pass(expectations_worker: Worker, candidate: Path) -> None:
    assert _ask(expectations_worker, candidate, _suite("select * from main.kpi", "low", max_value=0))["expectations"][0]["success"]
    empty = _ask(expectations_worker, candidate, _suite("select * from main.kpi where n > 99", "n", max_value=0))
    assert (empty["rows"], empty["error"], empty["expectations"][0]["success"]) == (0, None, True)


def test_a_query_that_cannot_run_is_the_suite_s_error_and_the_next_question_is_answered(
    expectations_worker: Worker, candidate: Path
) -> None:
    broken = _ask(expectations_worker, candidate, _suite("select * from main.no_such_table", "n", max_value=6))
    assert "no_such_table" in broken["error"]
    unknown = _ask(expectations_worker, candidate, _suite("select * from main.kpi", "n", kind="expect_no_such_thing"))
    assert "ExpectNoSuchThing" in unknown["error"]
    assert _ask(expectations_worker, candidate, _suite("select * from main.kpi", "n", max_value=9))["expectations"][0]["success"]


def test_a_missing_candidate_is_said_so(expectations_worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"none\.duckdb"):
        expectations_worker.ask(tmp_path / "none.duckdb", "candidate", [_suite("select 1 as n", "n", max_value=9)])


def test_a_worker_that_was_killed_is_started_again_by_the_next_question(candidate: Path) -> None:
    with Worker() as worker:
        worker.start()
        assert worker._process is not None
        worker._process.kill()
        worker._process.wait()
        assert _ask(worker, candidate, _suite("select * from main.kpi", "n", max_value=9))["expectations"][0]["success"]


def test_a_worker_killed_while_it_is_asked_is_an_error_and_no_hang(candidate: Path) -> None:
    with Worker() as worker:
        worker.start()
        assert worker._process is not None
        killer = threading.Timer(0.5, worker._process.kill)
        killer.start()
        with pytest.raises(WorkerError, match="no answer"):
            worker.ask(candidate, "candidate", [_suite("select 1 as n", "n", max_value=9)])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_a_worker_dies_with_its_parent(how: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", START_AND_TELL], stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.send_signal(how)
    parent.wait()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{worker}/stat").read_text().split(")")[1].split()[0] == "Z":
            break
        time.sleep(0.1)
    assert time.monotonic() < deadline


def test_closing_ends_the_process_even_while_it_imports() -> None:
    worker = Worker()
    worker.start()
    assert worker._process is not None
    process = worker._process
    worker.close()
    assert process.poll() is not None
    worker.close()
