"""Contracts, entities and deliveries made up in a line, for tests of ingest."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.contracts.entities import Entity, EntityColumn, load_entities
from dagster_project.contracts.model import Contract
from dagster_project.home import Home
from dagster_project.ingest.conversion import Conversion
from dagster_project.ingest.deidentify import HashKey
from dagster_project.ingest.engine import open_engine
from dagster_project.ingest.mapping import Mapping
from dagster_project.ingest.night import SourceResult, ingest_source
from dagster_project.ingest.readers import RawChunk
from dagster_project.ingest.receipts import Receipts

BATCH = dt.date(2024, 3, 5)
NIGHT = dt.date(2024, 3, 31)
KEY = HashKey(bytes(range(32)))


def make_entity(**types: str | dict[str, Any]) -> Entity:
    """An entity of columns given as type, or as keywords of EntityColumn."""
    every_row = next(iter(load_entities().values())).every_row
    columns = tuple(EntityColumn(name, **(t if isinstance(t, dict) else {"type": t})) for name, t in types.items())
    return Entity("thing", columns, every_row)


def make_contract(columns: dict[str, Any], **parts: Any) -> Contract:
    """A contract of a daily CSV ``things/<yyyy-mm-dd>….csv``; columns given by name are read from the delivered name."""
    written = {name: {"from": c} if isinstance(c, str) else c for name, c in columns.items()}
    whole: dict[str, Any] = {
        "id": "things",
        "title": {"zh": "东西", "en": "Things"},
        "group": "city",
        "domain": "call",
        "entity": "thing",
        "owner": "desk",
        "cadence": "irregular",
        "grade": "internal",
        "landing": {"glob": "things/*", "batch": {"path": r"(\d{4}-\d\d-\d\d)", "format": "%Y-%m-%d"}},
        "format": {"kind": "csv"},
        "extract": {"mode": "append"},
        "columns": written,
        "tolerance": {"quarantined_share": 1.0},
    }
    return Contract.model_validate(whole | parts)


@cache
def _engine(home: Home) -> duckdb.DuckDBPyConnection:
    return open_engine(home)


@dataclass(frozen=True)
class Row:
    """One row after conversion. ``fate`` is accepted, filtered or rejected."""

    fate: str
    values: dict[str, Any]
    reasons: list[str]


def convert(home: Home, entity: Entity, contract: Contract, rows: list[dict[str, str | None]], batch: dt.date = BATCH) -> list[Row]:
    """Convert delivered rows, each given as delivered name to text."""
    return convert_chunk(home, entity, contract, rows, batch)[0]


def convert_chunk(
    home: Home, entity: Entity, contract: Contract, rows: list[dict[str, str | None]], batch: dt.date = BATCH
) -> tuple[list[Row], dict[int, int], dict[str, int]]:
    """The rows, the rows that each correction found, the rows that break each warning."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    chunk = RawChunk(columns, pa.array(range(1, len(rows) + 1), pa.int64()), "things/a.csv")
    converted = Conversion(Mapping(contract, entity, batch, KEY), _engine(home)).convert(chunk)
    fates = ("accepted", "filtered", "rejected")
    values, reasons = converted.values.to_pylist(), converted.reasons.to_pylist()
    out = [Row(fates[s], v, r or []) for s, v, r in zip(converted.status.tolist(), values, reasons, strict=True)]
    return out, converted.corrected, converted.warned


@dataclass
class Bench:
    """A home with its landing, one source and one entity."""

    root: Path
    entity: Entity
    contract: Contract
    home: Home = field(init=False)

    def __post_init__(self) -> None:
        self.home = Home.at(self.root / "home", self.root / "landing").ensure()

    def deliver(self, name: str, content: str | bytes) -> Path:
        """Put a file into ``things/`` of landing."""
        path = self.home.landing / "things" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def night(self, night: dt.date = NIGHT) -> SourceResult:
        return ingest_source(self.home, self.contract, self.entity, night)

    def pool(self, columns: str = "*", order: str = "batch_date, file_name, row_number") -> list[tuple[Any, ...]]:
        """Rows of the source in the pool."""
        files = f"{self.home.pool}/{self.contract.entity}/source={self.contract.id}/*.parquet"
        if not list(self.home.pool.glob(f"{self.contract.entity}/source={self.contract.id}/*.parquet")):
            return []
        sql = f"select {columns} from read_parquet('{files}', hive_partitioning = false) order by {order}"
        return duckdb.sql(sql).fetchall()

    def quarantine(self) -> list[dict[str, Any]]:
        """Rows of the source in quarantine."""
        files = sorted(self.home.quarantine.glob(f"{self.contract.id}/*.parquet"))
        return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]

    def receipts(self) -> dict[str, Any]:
        """Receipts of files by their name."""
        with Receipts(self.home) as receipts:
            return {f"{f.batch_date} {f.file_name}": f for f in receipts.files(self.contract.id)}

    def batches(self) -> dict[dt.date, Any]:
        with Receipts(self.home) as receipts:
            return {b.batch_date: b for b in receipts.batches(self.contract.id)}
