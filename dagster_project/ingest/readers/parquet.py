"""Parquet: the columns that are read, every type as text that loses nothing."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.ingest.decode import Content, Limits, codec_name, seekable
from dagster_project.ingest.readers.header import Request, pick_columns
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile, split_off_nul_rows

CHUNK_ROWS = 131_072
_EXACT_INTEGERS = 2.0**53
_BINARY = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_OFFSET = r"([+-]\d\d)(\d\d)$"
_NO_FRACTION = r"\.0+($|Z|[+-])"


def read_parquet(content: Content, file_name: str, encoding: str, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read a Parquet file. ``encoding`` is that of texts stored without being marked as such. Raises UnreadableFile."""
    codec = codec_name(encoding)
    row = 0
    with ExitStack() as stack:
        try:
            file = stack.enter_context(pq.ParquetFile(seekable(content, stack)))
            schema = file.schema_arrow
            if sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)) > limits.expanded_bytes:
                raise UnreadableFile(f"expands to more than the limit of {limits.expanded_bytes:,} bytes")
            picked = sorted(pick_columns(schema.names, request), key=lambda p: p.position)
            wanted = [schema.names[p.position] for p in picked]
            for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=wanted):
                columns = {p.name: _as_text(batch.column(schema.names[p.position]), codec, p.name, row) for p in picked}
                numbers = pa.array(np.arange(row + 1, row + batch.num_rows + 1))
                table, kept, rejects = split_off_nul_rows(pa.table(columns), numbers, file_name)
                yield from rejects
                if len(kept):
                    yield RawChunk(table, kept, file_name)
                row += batch.num_rows
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = "bytes that are no text" if isinstance(error, UnicodeDecodeError) else str(error).split("\n", 1)[0][:200]
            message = f"the Parquet file is damaged or cut off ({reason}); have it delivered again"
            raise UnreadableFile(message, row=row + 1 if row else None) from None


def _as_text(values: pa.Array, codec: str, name: str, row: int) -> pa.Array:
    type_ = values.type
    if pa.types.is_dictionary(type_):
        return _as_text(values.dictionary_decode(), codec, name, row)
    if any(is_binary(type_) for is_binary in _BINARY):
        return _decoded(values, codec, name, row)
    if any(is_text(type_) for is_text in _TEXT):
        return _decoded(values.cast(pa.binary()), "utf-8", name, row)
    if pa.types.is_nested(type_):
        return pa.array([None if value is None else _json(value) for value in values.to_pylist()], pa.string())
    if pa.types.is_floating(type_):
        return _plain_floats(values)
    if pa.types.is_decimal(type_):
        return pa.array([None if value is None else format(value, "f") for value in values.to_pylist()], pa.string())
    text = pc.cast(values, pa.string())
    if pa.types.is_timestamp(type_) or pa.types.is_time(type_):
        return pc.replace_substring_regex(pc.replace_substring_regex(text, _OFFSET, r"\1:\2"), _NO_FRACTION, r"\1")
    return text


def _plain_floats(values: pa.Array) -> pa.Array:
    """Whole numbers without exponent or fraction, as far as a double tells whole numbers apart."""
    text = pc.cast(values, pa.string())
    wide = pc.cast(values, pa.float64())
    whole = pc.and_(pc.equal(wide, pc.floor(wide)), pc.less(pc.abs(wide), _EXACT_INTEGERS))
    integers = pc.cast(pc.if_else(whole, wide, pa.scalar(None, pa.float64())), pa.int64())
    return pc.if_else(pc.fill_null(whole, False), pc.cast(integers, pa.string()), text)


def _decoded(values: pa.Array, codec: str, name: str, row: int) -> pa.Array:
    """Texts of bytes. What a file marks as text is checked too: nobody has before."""
    if codec == "utf-8":
        try:
            return values.cast(pa.binary()).cast(pa.string())
        except pa.ArrowInvalid:
            pass
    texts: list[str | None] = []
    for index, value in enumerate(values.to_pylist()):
        try:
            texts.append(None if value is None else value.decode(codec))
        except UnicodeDecodeError:
            raise UnreadableFile(f"column '{name}' holds bytes that are not {codec}", row=row + index + 1) from None
    return pa.array(texts, pa.string())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_leaf)


def _json_leaf(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
