"""Publishing from the UI: the step audits its own input, so nobody's verdict and nobody's hand gets past it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
from audit_home import NIGHT, AuditHome

from dagster_project.release import current_release


def test_the_publish_step_alone_refuses_a_candidate_that_was_altered(tmp_path: Path) -> None:
    pool = AuditHome(tmp_path / "home")
    pool.build()
    with duckdb.connect(str(pool.home.candidate)) as hand:
        hand.execute("update kpi set numerator = numerator + 1")
    environment = {**os.environ, "POOL_HOME": str(pool.home.root), "POOL_LANDING": str(pool.home.landing)}
    script = Path(__file__).with_name("publish_alone.py")
    told = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), NIGHT.isoformat()], env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr[-3000:]
    (reason,) = json.loads(told.stdout.splitlines()[-1])
    assert "was altered after its build had ended" in reason
    assert current_release(pool.home) is None
