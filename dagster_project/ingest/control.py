"""What the pool knows of itself, for the warehouse: the night, the enabled sources, the batches and receipts up to that night."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from dagster_project.contracts.entities import DECIMAL, POOL_SOURCE_YAML, Entity, load_entities
from dagster_project.contracts.model import Contract
from dagster_project.contracts.version import contract_version
from dagster_project.home import Home
from dagster_project.ingest.pool import draft_of, put_in_place
from dagster_project.ingest.receipts import BatchReceipt, FileReceipt, Receipts

CONTROL_YAML = POOL_SOURCE_YAML.with_name("control.yml")
CONTROL_TABLES = ("night", "source", "batch", "receipt")
STATISTIC = pa.schema(
    [("source_id", pa.string()), ("batch_date", pa.date32()), ("column_name", pa.string()), ("code", pa.string()), ("rows", pa.int64())]
)
STATISTICS_OF_BATCHES = 15


@cache
def control_schema(table: str) -> pa.Schema:
    """The columns of a control table as the dbt source YAML declares them."""
    document = yaml.load(CONTROL_YAML.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    tables = {t["name"]: t for t in document["sources"][0]["tables"]}
    return pa.schema([(c["name"], _arrow_type(c["config"]["meta"]["type"])) for c in tables[table]["columns"]])


def _arrow_type(logical: str) -> pa.DataType:
    digits = DECIMAL.match(logical)
    return (
        pa.decimal128(int(digits[1]), int(digits[2]))
        if digits
        else {"text": pa.string(), "integer": pa.int64(), "date": pa.date32()}[logical]
    )


def write_control(home: Home, contracts: Iterable[Contract], as_of: dt.date, entities: Mapping[str, Entity] | None = None) -> None:
    """Write the control tables for a night: of the given (enabled) contracts only, of batches dated up to ``as_of`` only.

    ``entities`` are needed for contracts that brought entities of their own.
    """
    chosen = sorted(contracts, key=lambda c: c.id)
    schemas = entities if entities is not None else load_entities()
    entity_of = {c.id: c.entity for c in chosen}
    with Receipts(home) as receipts:
        batches = [b for b in receipts.batches() if entity_of.get(b.source_id) == b.entity and b.batch_date <= as_of]
        files = [f for f in receipts.files() if f.source_id in entity_of and f.batch_date <= as_of]
        statistics = _statistics(receipts, [b for b in batches if b.in_pool])
    _write(home, "night", [{"as_of": as_of}])
    _write(home, "source", [_source(c, schemas.get(c.entity)) for c in chosen])
    _write(home, "batch", [_batch(b) for b in batches if b.in_pool])
    _write(home, "receipt", [_receipt(f) for f in files])
    _write(home, "statistic", statistics, STATISTIC)


def _statistics(receipts: Receipts, batches: list[BatchReceipt]) -> list[dict[str, Any]]:
    """What the newest batches of every source hold by column; the gate compares the last of them with those before. No model reads it."""
    newest: dict[str, list[BatchReceipt]] = defaultdict(list)
    for batch in batches:
        newest[batch.source_id].append(batch)
    return [
        {"source_id": batch.source_id, "batch_date": batch.batch_date, **dataclasses.asdict(count)}
        for of_source in newest.values()
        for batch in of_source[-STATISTICS_OF_BATCHES:]
        for count in receipts.statistics(batch.source_id, batch.batch_date)
    ]


def _write(home: Home, table: str, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> None:
    path: Path = home.warehouse / "control" / f"{table}.parquet"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = draft_of(path)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema or control_schema(table)), draft, compression="zstd", store_schema=False)
    put_in_place(draft, path)


def _source(contract: Contract, entity: Entity | None) -> dict[str, Any]:
    return {
        "source_id": contract.id,
        "title_zh": contract.title.zh,
        "title_en": contract.title.en,
        "group_name": contract.group,
        "domain": contract.domain,
        "entity": contract.entity,
        "owner": contract.owner,
        "cadence": contract.cadence,
        "grade": contract.grade,
        "extract_mode": contract.extract.mode,
        "contract_version": contract_version(contract, entity) if entity else None,
        "systems": ",".join(contract.systems),
    }


def _batch(batch: BatchReceipt) -> dict[str, Any]:
    return {name: getattr(batch, name) for name in control_schema("batch").names}


def _receipt(file: FileReceipt) -> dict[str, Any]:
    values = {name: getattr(file, name) for name in control_schema("receipt").names}
    return {**values, "seconds": Decimal(str(file.seconds)).quantize(Decimal("0.001"))}
