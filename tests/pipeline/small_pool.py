"""Pools of a few rows, written as ingest would write them, for tests of what is computed from a pool."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from dagster_project.contracts.entities import Entity, EntityColumn, load_entities

PROJECT = Path(__file__).resolve().parents[2]
DBT = PROJECT / "dbt"
PROFILE = Path(__file__).with_name("dbt_profile")
PARSED = DBT / "target" / "tests" / "partial_parse.msgpack"
Row = Mapping[str, Any]


def _control_schemas() -> dict[str, pa.Schema]:
    document = yaml.safe_load((DBT / "models" / "pool" / "control.yml").read_text(encoding="utf-8"))
    return {
        table["name"]: pa.schema([(c["name"], EntityColumn(c["name"], c["config"]["meta"]["type"]).arrow_type) for c in table["columns"]])
        for table in document["sources"][0]["tables"]
    }


def _write(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    complete = [{name: row.get(name) for name in schema.names} for row in rows]
    pq.write_table(pa.Table.from_pylist(complete, schema=schema), path)


def build_pool(
    home: Path,
    rows: Mapping[str, Iterable[Row]],
    *,
    as_of: dt.date,
    sources: Mapping[str, Row] | None = None,
    empty_batches: Iterable[tuple[str, dt.date]] = (),
) -> None:
    """Write the pool and its control tables under ``home``.

    ``rows`` maps an entity to its rows; a row may leave out what does not matter: source_id (default ``city_<entity>``),
    batch_date (default ``as_of``), file name, row number, row_count. ``sources`` overrides columns of control.source per
    source id (extract_mode, group_name, cadence, entity …); ``empty_batches`` are batches that delivered no row.
    """
    entities = load_entities()
    batches: dict[tuple[str, str, dt.date], list[dict[str, Any]]] = defaultdict(list)
    for entity, entity_rows in rows.items():
        for row in entity_rows:
            unknown = set(row) - {c.name for c in entities[entity].pool_columns}
            if unknown:
                raise ValueError(f"{entity} has no column {sorted(unknown)}")
            source_id = row.get("source_id", f"city_{entity}")
            batch_date = row.get("batch_date", as_of)
            batch = batches[entity, source_id, batch_date]
            batch.append(
                {"file_name": f"{source_id}/{batch_date}.csv", "row_number": len(batch) + 1, "row_count": 1, "is_deleted": False}
                | dict(row)
                | {"source_id": source_id, "batch_date": batch_date}
            )
    for (entity, source_id, batch_date), batch in batches.items():
        _write(home / "pool" / entity / f"source={source_id}" / f"batch={batch_date}.parquet", batch, entities[entity].arrow_schema)
    for name, entity in entities.items():
        _write(home / "pool" / name / "source=none" / "empty.parquet", [], entity.arrow_schema)
    _write_control(home, entities, batches, as_of, sources or {}, empty_batches)


def _write_control(
    home: Path,
    entities: Mapping[str, Entity],
    batches: Mapping[tuple[str, str, dt.date], list[dict[str, Any]]],
    as_of: dt.date,
    sources: Mapping[str, Row],
    empty_batches: Iterable[tuple[str, dt.date]],
) -> None:
    entity_of = {source_id: entity for entity, source_id, _ in batches} | {s: str(r["entity"]) for s, r in sources.items() if "entity" in r}
    control = home / "warehouse" / "control"
    schemas = _control_schemas()
    batch_rows = [
        {
            "source_id": s,
            "batch_date": d,
            "rows_accepted": sum(r["row_count"] for r in batch),
            "pool_rows": len(batch),
            "pool_bytes": 1,
            "content_hash": f"{s}{d}",
        }
        for (_, s, d), batch in batches.items()
    ] + [
        {"source_id": s, "batch_date": d, "rows_accepted": 0, "pool_rows": 0, "pool_bytes": 1, "content_hash": f"{s}{d}"}
        for s, d in empty_batches
    ]
    receipts = [
        {
            "source_id": b["source_id"],
            "batch_date": b["batch_date"],
            "file_name": f"{b['source_id']}/{b['batch_date']}.csv",
            "sha256": b["content_hash"],
            "bytes": 1,
            "encoding": "utf-8",
            "rows_read": b["rows_accepted"],
            "rows_accepted": b["rows_accepted"],
            "rows_quarantined": 0,
            "rows_duplicate": 0,
            "rows_filtered": 0,
            "contract_version": "1",
            "status": "ok",
        }
        for b in batch_rows
    ]
    source_rows = [
        {
            "source_id": source_id,
            "title_zh": source_id,
            "title_en": source_id,
            "group_name": "city",
            "domain": "test",
            "entity": entity,
            "owner": "test",
            "cadence": "daily",
            "grade": "internal",
            "extract_mode": "append",
            "contract_version": "1",
        }
        | dict(sources.get(source_id, {}))
        for source_id, entity in sorted(entity_of.items())
    ]
    for table, content in {"night": [{"as_of": as_of}], "source": source_rows, "batch": batch_rows, "receipt": receipts}.items():
        _write(control / f"{table}.parquet", content, schemas[table])


def run_dbt(home: Path, *arguments: str, project: Path = DBT) -> subprocess.CompletedProcess[str]:
    """Run dbt on ``home`` in a process of its own; its target and log folders lie in ``home``. The project is parsed once for all homes."""
    target, warehouse = home / "target", home / "warehouse"
    for folder in (target, warehouse):
        folder.mkdir(parents=True, exist_ok=True)
    if PARSED.exists() and not (target / PARSED.name).exists():
        shutil.copy2(PARSED, target)
    dbt = str(Path(sys.executable).parent / "dbt")
    command = [dbt, "--quiet", *arguments, "--project-dir", str(project), "--profiles-dir", str(PROFILE)]
    environment = os.environ | {"POOL_HOME": str(home), "DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(home / "log")}
    done = subprocess.run(command, env=environment, cwd=warehouse, capture_output=True, text=True, check=False)
    if not PARSED.exists() and (target / PARSED.name).exists():
        _keep_parsed(target / PARSED.name)
    return done


def _keep_parsed(parsed: Path) -> None:
    """For the runs to come; dbt itself sees which files have changed since. Others may do the same at the same moment."""
    PARSED.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=PARSED.parent, delete=False) as draft:
        draft.write(parsed.read_bytes())
    Path(draft.name).replace(PARSED)


def build_candidate(home: Path, *arguments: str) -> duckdb.DuckDBPyConnection:
    """Build the candidate of ``home`` and open it for reading; fails with dbt's own words."""
    done = run_dbt(home, "build", *arguments)
    if done.returncode:
        raise AssertionError(f"dbt build failed:\n{done.stdout}\n{done.stderr}")
    return duckdb.connect(str(home / "warehouse" / "candidate.duckdb"), read_only=True)
