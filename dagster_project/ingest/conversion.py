"""Raw chunks to typed rows: each row accepted, filtered or rejected with its reasons."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.ingest.mapping import Mapping
from dagster_project.ingest.readers.raw import RawChunk
from dagster_project.ingest.statement import ACCEPTED, FILTERED, REJECTED, active_corrections, build_statement, warning_rules

__all__ = ["ACCEPTED", "FILTERED", "REJECTED", "REVISION", "Conversion", "ConversionError", "Converted"]

REVISION = 1
"""Raised whenever the same contract and file would give other rows than before, so that every batch is made anew."""


class ConversionError(Exception):
    """The statement of a contract cannot run on a chunk; the message names no value."""


@dataclass(frozen=True)
class Converted:
    """One chunk after conversion; arrays and ``values`` are as long as the chunk.

    ``status`` is ACCEPTED, FILTERED or REJECTED; ``reasons`` (list of text) is null but for rejected rows; ``values`` holds the
    stored columns and, where the contract gives them, record_key, record_version and is_deleted; ``content`` is a hash over the
    stored values of a row. ``corrected`` counts the rows of each active correction, ``warned`` the accepted rows that break a rule.
    """

    status: npt.NDArray[np.uint8]
    reasons: pa.ChunkedArray
    values: pa.Table
    content: npt.NDArray[np.uint64]
    corrected: dict[int, int]
    warned: dict[str, int]

    def count(self, status: int) -> int:
        return int(np.count_nonzero(self.status == status))


class Conversion:
    """The statement of one mapping, ready to run chunk by chunk."""

    def __init__(self, mapping: Mapping, connection: duckdb.DuckDBPyConnection) -> None:
        self.mapping = mapping
        self._connection = connection
        self._sql = build_statement(mapping)

    def convert(self, chunk: RawChunk) -> Converted:
        """Convert one chunk. Raises ConversionError."""
        clean = self._clean(chunk)
        result = self._run(clean)
        if not np.array_equal(result["row_number"].to_numpy(), chunk.row_numbers.to_numpy()):
            raise ConversionError("rows came back in another order than they were given")
        status = result["row:status"].to_numpy()
        accepted = pa.array(status == ACCEPTED)
        return Converted(
            status,
            result["row:reasons"],
            self._values(clean, result),
            result["row:content"].to_numpy(),
            {i: pc.sum(result[f"fix:{i}"]).as_py() or 0 for i in active_corrections(self.mapping)},
            {rule: pc.sum(pc.and_(result[f"warn:{rule}"], accepted)).as_py() or 0 for rule in warning_rules(self.mapping)},
        )

    def _clean(self, chunk: RawChunk) -> pa.Table:
        columns: dict[str, pa.ChunkedArray | pa.Array] = {"row_number": chunk.row_numbers}
        for name, cleaner in self.mapping.cleaners.items():
            clean = cleaner.clean(delivered_column(chunk, cleaner.column.aliases))
            columns[name] = clean.values
            if cleaner.has_codes:
                columns[f"unknown:{name}"] = (
                    clean.unknown if clean.unknown is not None else pa.array(np.zeros(len(chunk.row_numbers), bool))
                )
        return pa.table(columns)

    def _run(self, clean: pa.Table) -> pa.Table:
        try:
            self._connection.register("chunk", clean)
            return self._connection.execute(self._sql).to_arrow_table()
        except (duckdb.OutOfMemoryException, duckdb.IOException):
            raise
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as wrong:
            raise ConversionError(f"a condition of the contract does not fit its columns: {str(wrong).splitlines()[0]}") from None
        except duckdb.Error as wrong:
            raise ConversionError(f"the contract's SQL failed on a row ({type(wrong).__name__}); check its conditions for casts") from None
        finally:
            self._connection.unregister("chunk")

    def _values(self, clean: pa.Table, result: pa.Table) -> pa.Table:
        columns = {name: clean[name] if name in self.mapping.untouched else result[name] for name in self.mapping.stored}
        if self.mapping.contract.extract.key:
            column = self.mapping.record_key_column
            columns["record_key"] = clean[column] if column else result["record_key"]
        for extra in ("record_version", "is_deleted"):
            if extra in result.column_names:
                columns[extra] = result[extra]
        return pa.table(columns)


def delivered_column(chunk: RawChunk, aliases: tuple[str, ...]) -> pa.ChunkedArray:
    """The delivered column of a group of aliases; nulls if the file has none."""
    for alias in aliases:
        if alias in chunk.columns.column_names:
            return chunk.columns[alias]
    return pa.chunked_array([pa.nulls(len(chunk.row_numbers), pa.string())])
