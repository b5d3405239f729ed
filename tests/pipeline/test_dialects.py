"""Every compiled model is SQL that a parser of its dialect understands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlglot
from sqlglot.errors import ParseError

from benchmarks.parity import DBT, LOCAL_SPARK, what_is_missing


def _compiled(engine: str, folder: Path) -> list[Path]:
    (folder / "warehouse").mkdir()
    command = [
        str(Path(sys.executable).with_name("dbt")),
        "--quiet",
        "compile",
        "--no-introspect",
        "--target",
        engine,
    ]
    environment = os.environ | {
        "POOL_HOME": str(folder),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "log"),
        "SPARK_CONF_DIR": str(LOCAL_SPARK),
    }
    done = subprocess.run(
        [*command, "--project-dir", str(DBT), "--profiles-dir", str(DBT)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted((folder / "target" / "compiled" / "police_pool" / "models").rglob("*.sql"))


@pytest.mark.parametrize(
    "engine",
    ["duckdb", pytest.param("spark", marks=pytest.mark.skipif(what_is_missing() is not None, reason=str(what_is_missing())))],
)
def test_every_model_parses(engine: str, tmp_path: Path) -> None:
    models = _compiled(engine, tmp_path)
    assert len(models) > 100
    broken = {}
    for model in models:
        try:
            sqlglot.parse_one(model.read_text(encoding="utf-8"), dialect=engine)
        except ParseError as problem:
            broken[model.stem] = str(problem)
    assert broken == {}
