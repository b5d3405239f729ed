"""What a batch holds by column: values missing, and how often each code stands, counted from its pool file.

Only columns that are delivered and mapped are counted. Missing values come from the file's footer; of coded columns alone (a code list in
the contract or the entity, or yes and no) the codes are read. Nothing here is a value as delivered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract

NO_VALUE = ""


@dataclass(frozen=True)
class CodeCount:
    """How many delivered rows of a batch hold a code in a column; code NO_VALUE: no value."""

    column_name: str
    code: str
    rows: int


def counted_columns(contract: Contract, entity: Entity) -> dict[str, bool]:
    """The columns that are counted, and of each whether its codes are."""
    mapped = {name: column for name, column in contract.stored_columns.items() if column.source is not None and name in entity.by_name}
    return {
        name: column.codes is not None or bool(entity.by_name[name].codes) or entity.by_name[name].type == "boolean"
        for name, column in mapped.items()
    }


def batch_statistics(pool_file: Path, contract: Contract, entity: Entity) -> list[CodeCount]:
    """Count the columns of a batch, in the order of the entity's columns and codes."""
    columns = counted_columns(contract, entity)
    coded = [name for name, has_codes in columns.items() if has_codes]
    texts = [name for name in coded if entity.by_name[name].type == "text"]
    with pq.ParquetFile(pool_file, read_dictionary=texts) as file:
        if contract.reduce:
            counts = _weighted(file, list(columns), frozenset(coded))
        else:
            nulls = _nulls(file.metadata, columns)
            counts = {name: Counter({NO_VALUE: nulls[name]}) for name in columns}
            for name, found in _codes(file, coded):
                counts[name].update(found)
    return [
        CodeCount(name, code, rows)
        for name in entity.by_name
        if name in counts
        for code, rows in sorted(counts[name].items())
        if rows or code == NO_VALUE
    ]


def _nulls(metadata: pq.FileMetaData, columns: Mapping[str, bool]) -> dict[str, int]:
    place = {metadata.schema.column(i).path: i for i in range(metadata.num_columns)}
    groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
    return {name: sum(group.column(place[name]).statistics.null_count for group in groups) for name in columns}


def _codes(file: pq.ParquetFile, coded: list[str]) -> Iterator[tuple[str, Counter[str]]]:
    for group in range(file.num_row_groups if coded else 0):
        table = file.read_row_group(group, columns=coded)
        for name in coded:
            found = pc.value_counts(table[name].combine_chunks()).to_pylist()
            yield name, Counter({_code(f["values"]): f["counts"] for f in found if f["values"] is not None})


def _weighted(file: pq.ParquetFile, columns: list[str], coded: frozenset[str]) -> dict[str, Counter[str]]:
    """Of a source that enters as counts a row stands for many."""
    table = file.read(columns=[*columns, "row_count"])
    counts: dict[str, Counter[str]] = {}
    for name in columns:
        values = table[name] if name in coded else pc.if_else(pc.is_valid(table[name]), pa.scalar("given"), pa.scalar(None, pa.string()))
        grouped = pa.table({"code": values.cast(pa.string()), "rows": table["row_count"]}).group_by("code").aggregate([("rows", "sum")])
        found = {r["code"]: r["rows_sum"] for r in grouped.to_pylist()}
        kept = {_code(code): rows for code, rows in found.items() if code is not None and name in coded}
        counts[name] = Counter({NO_VALUE: found.get(None, 0), **kept})
    return counts


def _code(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
