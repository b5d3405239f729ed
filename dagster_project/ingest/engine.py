"""The DuckDB that converts rows: in memory, cut off from files, network and further configuration."""

from __future__ import annotations

import duckdb

from dagster_project.home import Home

THREADS = 2
MEMORY_LIMIT = "1GB"


def open_engine(home: Home) -> duckdb.DuckDBPyConnection:
    """A connection that sees nothing but the Arrow tables registered with it; it spills into the home's scratch folder."""
    spill = home.scratch / "duckdb"
    spill.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": THREADS,
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("set python_enable_replacements = false")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection
