"""Raw chunks to typed rows: each row accepted, filtered or rejected with its reasons."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.ingest.cleaning import CleanColumn
from dagster_project.ingest.mapping import Mapping
from dagster_project.ingest.readers.header import delivered_as
from dagster_project.ingest.readers.raw import RawChunk
from dagster_project.ingest.statement import (
    ACCEPTED,
    FILTERED,
    REJECTED,
    active_corrections,
    build_column_statement,
    build_statement,
    needs_typing,
    warning_rules,
)

__all__ = ["ACCEPTED", "FILTERED", "REJECTED", "REVISION", "Conversion", "ConversionError", "Converted"]

REVISION = 1
"""Raised whenever the same contract and file would give other rows than before, so that every batch is made anew."""


_FEW_ROWS = 20_000
_SAMPLE_ROWS = 4_096


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
    """The statements of one mapping, ready to run chunk by chunk.

    Columns whose texts repeat a lot are cleaned and typed over their distinct texts first; the statement over all rows then finds
    values. Which columns these are changes the speed and never the result.
    """

    def __init__(self, mapping: Mapping, connection: duckdb.DuckDBPyConnection) -> None:
        self.mapping = mapping
        self._connection = connection
        self._statements: dict[frozenset[str], str] = {}
        self._worth_distinct = [n for n, c in mapping.cleaners.items() if n not in mapping.untouched or c.folds_width]

    def convert(self, chunk: RawChunk) -> Converted:
        """Convert one chunk. Raises ConversionError."""
        clean, typed_before = self._clean(chunk)
        if typed_before not in self._statements:
            self._statements[typed_before] = build_statement(self.mapping, typed_before)
        result = self._run(self._statements[typed_before], "chunk", clean)
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

    def _clean(self, chunk: RawChunk) -> tuple[pa.Table, frozenset[str]]:
        columns: dict[str, pa.ChunkedArray | pa.Array] = {"row_number": chunk.row_numbers}
        typed_before = set()
        for name, cleaner in self.mapping.cleaners.items():
            texts = delivered_column(chunk, cleaner.column.aliases)
            distinct = _distinct_texts(texts) if name in self._worth_distinct else None
            clean = cleaner.clean(texts if distinct is None else pa.chunked_array([distinct.dictionary]))
            if distinct is not None and needs_typing(self.mapping, name):
                typed = self._run(build_column_statement(self.mapping, name), "texts", pa.table({"text": clean.values}))["value"]
                columns[f"given:{name}"] = _spread_flag(pc.is_valid(clean.values), distinct)
                clean = CleanColumn(typed, clean.unknown)
                typed_before.add(name)
            columns[name] = _spread(clean.values, distinct)
            if cleaner.has_codes:
                unknown = clean.unknown if clean.unknown is not None else pa.chunked_array([np.zeros(len(clean.values), bool)])
                columns[f"unknown:{name}"] = _spread_flag(unknown, distinct)
        return pa.table(columns), frozenset(typed_before)

    def _run(self, sql: str, name: str, table: pa.Table) -> pa.Table:
        try:
            self._connection.register(name, table)
            return self._connection.execute(sql).to_arrow_table()
        except (duckdb.OutOfMemoryException, duckdb.IOException):
            raise
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as wrong:
            raise ConversionError(f"a condition of the contract does not fit its columns: {str(wrong).splitlines()[0]}") from None
        except duckdb.Error as wrong:
            raise ConversionError(f"the contract's SQL failed on a row ({type(wrong).__name__}); check its conditions for casts") from None
        finally:
            self._connection.unregister(name)

    def _values(self, clean: pa.Table, result: pa.Table) -> pa.Table:
        columns = {name: clean[name] if name in self.mapping.untouched else result[name] for name in self.mapping.stored}
        if self.mapping.contract.extract.key:
            column = self.mapping.record_key_column
            columns["record_key"] = clean[column] if column else result["record_key"]
        for extra in ("record_version", "is_deleted"):
            if extra in result.column_names:
                columns[extra] = result[extra]
        return pa.table(columns)


def fault_in_statement(mapping: Mapping, connection: duckdb.DuckDBPyConnection) -> str | None:
    """What is wrong with the conditions of a contract, found by running its statement over no rows; None if nothing is."""
    names = tuple(dict.fromkeys(alias for group in (*mapping.wanted, *mapping.optional) for alias in group))
    nothing = pa.table({name: pa.array([], pa.string()) for name in names})
    try:
        Conversion(mapping, connection).convert(RawChunk(nothing, pa.array([], pa.int64()), ""))
    except ConversionError as wrong:
        return str(wrong)
    return None


def delivered_column(chunk: RawChunk, aliases: tuple[str, ...]) -> pa.ChunkedArray:
    """The delivered column of a group of aliases; nulls if the file has none."""
    name = delivered_as(chunk.columns.column_names, aliases)
    return pa.chunked_array([pa.nulls(len(chunk.row_numbers), pa.string())]) if name is None else chunk.columns[name]


def _distinct_texts(texts: pa.ChunkedArray) -> pa.DictionaryArray | None:
    """The texts as codes of their distinct ones, if these are few enough for that to pay."""
    if len(texts) < _FEW_ROWS or pc.count_distinct(texts.slice(0, _SAMPLE_ROWS)).as_py() > _SAMPLE_ROWS // 8:
        return None
    encoded = texts.combine_chunks().dictionary_encode()
    return encoded if len(encoded.dictionary) <= len(texts) // 4 else None


def _spread(values: pa.ChunkedArray, distinct: pa.DictionaryArray | None) -> pa.ChunkedArray | pa.Array:
    """Values of distinct texts back on the rows."""
    return values if distinct is None else values.combine_chunks().take(distinct.indices)


def _spread_flag(flags: pa.ChunkedArray, distinct: pa.DictionaryArray | None) -> pa.ChunkedArray | pa.Array:
    """Flags of distinct texts back on the rows, false where there was no text."""
    return pc.fill_null(_spread(flags, distinct), False)
