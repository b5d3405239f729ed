"""The DuckDB that converts rows: in memory, cut off from files, network and further configuration."""

from __future__ import annotations

import os
import shutil
import uuid

import duckdb

from dagster_project.home import Home

THREADS = 2
MEMORY_LIMIT = "1GB"


def open_engine(home: Home) -> duckdb.DuckDBPyConnection:
    """A connection that sees nothing but the Arrow tables registered with it; it spills into a folder of its own in scratch.

    Close it, or use it as a context: DuckDB removes the folder then. Folders of processes that were killed are removed here.
    """
    _sweep(home)
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": THREADS,
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(home.scratch / f"duckdb-{os.getpid()}-{uuid.uuid4().hex}"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("set python_enable_replacements = false")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def _sweep(home: Home) -> None:
    for folder in home.scratch.glob("duckdb-*-*"):
        try:
            os.kill(int(folder.name.split("-")[1]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (PermissionError, ValueError):
            continue
