"""Seconds to load the Dagster code location with 406 contracts of 20 columns, over importing dagster and dagster_dbt alone.

Run: ``python -m benchmarks.code_location``. Each measurement is a fresh process; the two kinds alternate; the manifest is present.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

CONTRACTS = 406
COLUMNS = 20
DOMAINS = 12
REPEATS = 5
TARGET_SECONDS = 2.0

IMPORTS = "import time; t = time.perf_counter(); import dagster, dagster_dbt; print(time.perf_counter() - t)"
LOADING = """
import time; t = time.perf_counter()
import dagster, dagster_dbt
from dagster_project.definitions import defs
repository = defs().get_repository_def()
assets = len([k for k in repository.asset_graph.get_all_asset_keys() if k.path[0] == "source"])
print(time.perf_counter() - t, assets)
"""


def write_contracts(folder: Path, contracts: int, columns: int) -> None:
    """A folder of outside contracts that brings its own entity of so many columns."""
    entity = {
        "name": "ledger_row",
        "columns": [{"name": f"column_{i}", "config": {"meta": {"type": "text", "grade": "internal"}}} for i in range(columns)],
    }
    folder.mkdir(parents=True)
    (folder / "entities.yml").write_text(yaml.safe_dump({"sources": [{"name": "pool", "tables": [entity]}]}), encoding="utf-8")
    for number in range(contracts):
        domain = f"domain_{number % DOMAINS:02d}"
        name = f"ledger_{number:03d}"
        document = {
            "id": name,
            "title": {"zh": f"台账{number}", "en": f"ledger {number}"},
            "group": "city",
            "domain": domain,
            "entity": "ledger_row",
            "owner": "benchmark",
            "cadence": "daily",
            "grade": "internal",
            "landing": {"glob": f"{domain}/{name}/*/*.csv", "batch": {"path": r"/(\d{8})/", "format": "%Y%m%d"}},
            "format": {"kind": "csv", "encoding": "gb18030"},
            "extract": {"mode": "append"},
            "columns": {f"column_{i}": {"from": [f"字段{i}", f"ZD{i}"]} for i in range(columns)},
            "rules": [{"id": "first_given", "expect": "column_0 is not null", "message": "the first column is empty"}],
        }
        path = folder / domain / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def measure(code: str, environment: dict[str, str]) -> list[str]:
    finished = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=True)
    return finished.stdout.split()


def run(contracts: int, columns: int, repeats: int) -> dict[str, Any]:
    """Median seconds of so many repeats each; the project's own contracts are among the source assets."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "contracts"
        write_contracts(folder, contracts, columns)
        environment = {**os.environ, "POOL_SOURCES": str(folder), "POOL_HOME": str(Path(scratch) / "home"), "DO_NOT_TRACK": "1"}
        alone, loaded, assets = [], [], 0
        for _ in range(repeats):
            alone.append(float(measure(IMPORTS, environment)[0]))
            seconds, count = measure(LOADING, environment)
            loaded.append(float(seconds))
            assets = int(count)
    over = statistics.median(loaded) - statistics.median(alone)
    return {
        "contracts": contracts,
        "source_assets": assets,
        "imports_seconds": round(statistics.median(alone), 2),
        "loaded_seconds": round(statistics.median(loaded), 2),
        "over_imports_seconds": round(over, 2),
        "target_seconds": TARGET_SECONDS,
    }


def main() -> None:
    run(CONTRACTS, COLUMNS, repeats=1)  # the manifest is parsed, the file cache is warm
    result = run(CONTRACTS, COLUMNS, REPEATS)
    for name, value in result.items():
        print(f"{name:>22}  {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
