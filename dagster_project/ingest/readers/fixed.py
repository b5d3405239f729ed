"""fixed: lines of fixed width, cut at characters or at bytes of the delivered encoding; padding spaces are dropped.

Lines are cut as columns, a block at a time. A line of another length is no record; a width counted in bytes that cuts a character
rejects its line; bytes that are no text at all end the file, as they do in csv.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.contracts.model import Format
from dagster_project.ingest.decode import ByteStream, Limits, TextBytes, bad_byte, open_text
from dagster_project.ingest.readers.delimited import decode_column
from dagster_project.ingest.readers.header import Request, pick_columns
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile, shape_of
from dagster_project.ingest.readers.records import Block, Dialect, blocks_of_records, find_records, split_record

BLOCK_BYTES = 4 << 20
_LINES = Dialect(b"\0", None)
_PADDING = " \u3000"


@dataclass(frozen=True)
class _Field:
    """A field by its place in the line; ``name`` as the contract asks for it, None if it is not read."""

    label: str
    start: int
    stop: int
    name: str | None


@dataclass(frozen=True)
class _Layout:
    fields: tuple[_Field, ...]
    width: int
    in_bytes: bool
    text: TextBytes


def read_fixed(stream: ByteStream, file_name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read lines of fixed width. Raises UnreadableFile, with its row, after everything before it was yielded."""
    layout = _layout(open_text(stream, format.encoding), format, request)
    row, titles = 0, format.skip_rows
    try:
        for block in blocks_of_records(layout.text.stream, _LINES, layout.text.offset, BLOCK_BYTES, limits.record_bytes):
            start = _behind(block.data, titles)
            titles = 0
            lines = _Lines(Block(block.data[start:], block.offset + start), layout)
            yield from lines.read(row, file_name)
            row += len(lines.raw)
            if lines.failure is not None:
                raise lines.failure
    except UnreadableFile as error:
        error.row = row + 1
        raise


def _layout(text: TextBytes, format: Format, request: Request) -> _Layout:
    in_bytes = format.widths_in == "bytes"
    if in_bytes and not text.verbatim:
        raise UnreadableFile(f"widths cannot be counted in bytes of {format.encoding}; say 'widths_in: characters'")
    names = {p.position: p.name for p in pick_columns([field.name for field in format.fields], request)}
    stops = list(accumulate(field.width for field in format.fields))
    fields = [
        _Field(field.name, stop - field.width, stop, names.get(position))
        for position, (field, stop) in enumerate(zip(format.fields, stops, strict=True))
    ]
    return _Layout(tuple(fields), stops[-1], in_bytes, text)


def _behind(data: bytes, titles: int) -> int:
    """Where the title rows end; blank ones count, as an editor shows them."""
    position = 0
    for _ in range(titles):
        if position < len(data):
            _, position = split_record(data, position, _LINES)
    return position


class _Lines:
    """The lines of a block that are not blank: those before the first one that is no text, which is the ``failure``."""

    def __init__(self, block: Block, layout: _Layout) -> None:
        found = find_records(block.data, _LINES)
        self.raw = [block.data[start:end] for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
        self.failure: UnreadableFile | None = None
        self._places = block.offset + found.starts
        self._layout = layout

    def read(self, row: int, file_name: str) -> Iterator[RawChunk | RawReject]:
        """The lines as rows, the first one numbered ``row`` + 1."""
        sliceable = self._bytes() if self._layout.in_bytes else self._texts()
        lengths = pc.binary_length(sliceable) if self._layout.in_bytes else pc.utf8_length(sliceable)
        why = self._no_records(np.asarray(lengths))
        indices = np.array([index for index in range(len(self.raw)) if index not in why], dtype=np.int64)
        columns, cut = self._columns(sliceable.take(pa.array(indices)), indices)
        why |= cut
        for index, (reason, detail) in sorted(why.items()):
            if index < len(self.raw):
                shape = shape_of(self.raw[index].decode(self._layout.text.codec, "replace"))
                yield RawReject(row + index + 1, reason, detail, shape, file_name)
        kept = pa.array([index not in why and index < len(self.raw) for index in indices.tolist()], pa.bool_())
        numbers = pa.array(indices + row + 1).filter(kept)
        if len(numbers):
            yield RawChunk(columns.filter(kept), numbers, file_name)

    def _bytes(self) -> pa.BinaryArray:
        return pa.array(self.raw, pa.binary())

    def _texts(self) -> pa.StringArray:
        try:
            return decode_column(self._bytes(), self._layout.text.codec)
        except (UnicodeDecodeError, pa.ArrowInvalid):
            for index, line in enumerate(self.raw):
                try:
                    line.decode(self._layout.text.codec)
                except UnicodeDecodeError as error:
                    self._fail(index, line[error.start], error.start)
                    break
            return decode_column(self._bytes(), self._layout.text.codec)

    def _fail(self, index: int, byte: int, at: int) -> None:
        """Nothing from this line on can be read."""
        position = int(self._places[index]) + at + 1 if self._layout.text.verbatim else None
        self.failure = UnreadableFile(bad_byte(self._layout.text.codec, byte, position))
        self.raw = self.raw[:index]

    def _no_records(self, lengths: npt.NDArray[np.int64]) -> dict[int, tuple[str, str]]:
        counted, width = ("bytes" if self._layout.in_bytes else "characters"), self._layout.width
        ragged = np.flatnonzero(lengths != width).tolist()
        why = {index: ("ragged_row", f"{lengths[index]} {counted}, the fields take {width}") for index in ragged}
        return why | {index: ("nul_byte", "the row holds a NUL byte") for index, line in enumerate(self.raw) if b"\0" in line}

    def _columns(self, lines: pa.Array, indices: npt.NDArray[np.int64]) -> tuple[pa.Table, dict[int, tuple[str, str]]]:
        """The fields that are read, and the lines in which a width cuts a character. Where bytes count, every field is looked at:
        a cut shows in the field before it.
        """
        columns: dict[str, pa.Array] = {}
        cut: dict[int, tuple[str, str]] = {}
        for field in self._layout.fields:
            if self._layout.in_bytes:
                texts = self._decoded(pc.binary_slice(lines, field.start, field.stop), field, indices, cut)
            elif field.name is not None:
                texts = pc.utf8_slice_codeunits(lines, field.start, field.stop)
            if field.name is not None:
                trimmed = pc.utf8_trim(texts, _PADDING)
                columns[field.name] = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        return pa.table(columns), cut

    def _decoded(
        self, values: pa.BinaryArray, field: _Field, indices: npt.NDArray[np.int64], cut: dict[int, tuple[str, str]]
    ) -> pa.StringArray:
        codec = self._layout.text.codec
        try:
            return decode_column(values, codec)
        except (UnicodeDecodeError, pa.ArrowInvalid):
            pass
        texts: list[str | None] = []
        for index, value in zip(indices.tolist(), values.to_pylist(), strict=True):
            try:
                texts.append(value.decode(codec))
            except UnicodeDecodeError as error:
                texts.append(None)
                if index in cut or index >= len(self.raw):
                    continue
                if _ends_inside_character(value, codec):
                    cut[index] = ("cut_character", f"the end of '{field.label}' cuts a character; check the widths")
                else:
                    self._fail(index, value[error.start], field.start + error.start)
        return pa.array(texts, pa.string())


def _ends_inside_character(value: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(value, final=False)
    except UnicodeDecodeError:
        return False
    return True
