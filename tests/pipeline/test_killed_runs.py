"""Nights killed at their commit points: the run's process, what it started, and what the next run makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
POINTS = [
    "amid ingest",
    "pool file swapped, receipt not written",
    "amid dbt",
    "release assembled, not in place",
    "before the switch",
    "after the switch",
]
A_CHILD_OF_A_RUN = """
import time
from dagster_project.with_parent import end_with_parent
end_with_parent()
print("started", flush=True)
time.sleep(60)
"""
A_RUN = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1]])
time.sleep(60)
"""


def test_a_night_killed_at_every_commit_point_arrives_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    """In a process of its own, which forks the runs; it fails unless readers see a whole release of the right night after every kill, no
    process is left, and tables, pool, files and Dagster's runs are in the end those of a night that nobody killed."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.kill", "--points-in-turn", "--scratch", str(tmp_path / "kill")]
    told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-3000:]
    assert json.loads(told.stdout.splitlines()[-1]) == POINTS


def test_what_a_run_started_ends_with_it_even_if_the_run_alone_is_killed() -> None:
    run = subprocess.Popen([sys.executable, "-c", A_RUN, A_CHILD_OF_A_RUN], stdout=subprocess.PIPE, cwd=PROJECT)
    assert run.stdout is not None and run.stdout.readline() == b"started\n"
    os.kill(run.pid, signal.SIGKILL)
    assert run.stdout.read() == b"", "the pipe closes when its last writer has ended"
    run.wait()
