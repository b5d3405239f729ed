"""csv and tsv: pyarrow parses blocks of whole records, in the delivered bytes; only the columns that are read are decoded.

The common block goes through in one parse. A block that pyarrow refuses, or that holds a NUL byte or a header line, is looked at
record by record (`records.find_records`): rows that are no records are taken out and reported, the rest is parsed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from dagster_project.contracts.model import Format
from dagster_project.ingest.decode import ByteStream, Limits, TextBytes, bad_byte, open_text
from dagster_project.ingest.readers.header import Picked, Request, join_levels, normalise_name, pick_columns
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile, shape_of
from dagster_project.ingest.readers.records import Block, Dialect, blocks_of_records, find_records, split_record, unwrap_quoted_lines

BLOCK_BYTES = 8 << 20
CHUNK_ROWS = 250_000
CHUNK_BYTES = 64 << 20
HEADER_SEARCH_ROWS = 1_000
READ_AHEAD = 2
_SAMPLE_ROWS = 2_048
_JOINERS = (b"\x1e", b"\x1f", b"\x1d", b"\x1c", b"\x01", b"\x02", b"\x03", b"\x04")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK_LINES = re.compile(rb"[\r\n]*+")
_LINES_AS_CELLS = Dialect(b"\0", b'"')


@dataclass(frozen=True)
class _Layout:
    """What is known of a file once its header is read. ``header_levels``: the delivered cells of each header row, in ``codec``."""

    dialect: Dialect
    codec: str
    width: int
    picked: tuple[Picked, ...]
    header_levels: tuple[tuple[bytes, ...], ...]
    skip_repeated_header: bool
    verbatim: bool


@dataclass(frozen=True)
class _Reject:
    index: int
    reason: str
    detail: str
    shape: str
    filtered: bool = False


@dataclass(frozen=True)
class _Parsed:
    """A block, parsed. ``records`` were delivered in it; the rows of ``columns`` are those at ``indices`` (0-based)."""

    columns: pa.Table
    indices: npt.NDArray[np.int64]
    records: int
    rejects: list[_Reject] = field(default_factory=list)
    failure: UnreadableFile | None = None


def read_delimited(stream: ByteStream, file_name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read one csv or tsv. Raises UnreadableFile, with the row that could not be read, after everything before it was yielded."""
    delimiter = "\t" if format.kind == "tsv" and format.delimiter == "," else format.delimiter
    text = open_text(stream, format.encoding, (delimiter + (format.quote or "")).encode())
    dialect = _dialect(delimiter, format.quote)
    if format.quoted_lines:
        blocks = _unwrapped(blocks_of_records(text.stream, _LINES_AS_CELLS, text.offset, BLOCK_BYTES, limits.record_bytes))
    else:
        blocks = blocks_of_records(text.stream, dialect, text.offset, BLOCK_BYTES, limits.record_bytes)
    layout, body = _read_header(blocks, dialect, format, text, request)
    gathered = _Gathered(file_name)
    try:
        for parsed in _parse_in_turn(chain(body, blocks), layout):
            yield from gathered.add(parsed)
            if parsed.failure is not None:
                raise parsed.failure
    except UnreadableFile as error:
        yield from gathered.rest()
        error.row = gathered.row + 1
        raise
    yield from gathered.rest()


def _unwrapped(blocks: Iterator[Block]) -> Iterator[Block]:
    for block in blocks:
        yield Block(unwrap_quoted_lines(block.data), block.offset)


def _dialect(delimiter: str, quote: str | None) -> Dialect:
    for name, character in (("delimiter", delimiter), ("quote", quote or "")):
        if not character.isascii():
            raise UnreadableFile(f"the contract's {name} '{character}' is not an ASCII character")
    return Dialect(delimiter.encode(), quote.encode() if quote else None)


class _Gathered:
    """Parsed blocks, gathered into chunks, their rows numbered. ``row`` is the number of the last record seen."""

    def __init__(self, file_name: str) -> None:
        self.row = 0
        self._file_name = file_name
        self._tables: list[pa.Table] = []
        self._numbers: list[npt.NDArray[np.int64]] = []

    def add(self, parsed: _Parsed) -> Iterator[RawChunk | RawReject]:
        for reject in parsed.rejects:
            yield RawReject(self.row + reject.index + 1, reject.reason, reject.detail, reject.shape, self._file_name, reject.filtered)
        if len(parsed.indices):
            self._tables.append(parsed.columns)
            self._numbers.append(parsed.indices + (self.row + 1))
        self.row += parsed.records
        if sum(map(len, self._numbers)) >= CHUNK_ROWS or sum(table.nbytes for table in self._tables) >= CHUNK_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[RawChunk]:
        if self._numbers:
            yield RawChunk(pa.concat_tables(self._tables), pa.array(np.concatenate(self._numbers)), self._file_name)
        self._tables, self._numbers = [], []


class _LeadingRows:
    """The rows at the start of a text, one by one. Blank lines count as rows here: title rows are counted as an editor shows them."""

    def __init__(self, data: bytes, dialect: Dialect, codec: str) -> None:
        self.position = 0
        self.raw: list[bytes] = []
        self._data = data
        self._dialect = dialect
        self._codec = codec

    def skip(self) -> None:
        if self.position < len(self._data):
            self.raw, self.position = split_record(self._data, self.position, self._dialect)

    def next(self) -> list[str] | None:
        """The cells of the next row, None at the end."""
        if self.position >= len(self._data):
            return None
        start = self.position
        self.skip()
        try:
            return [cell.decode(self._codec) for cell in self.raw]
        except UnicodeDecodeError as error:
            wrong = bad_byte(self._codec, error.object[error.start])
            raise UnreadableFile(f"the header cannot be decoded, after byte {start:,}: {wrong}") from None


def _find_header(rows: _LeadingRows, format: Format) -> None:
    """Move to the first row of the header."""
    if format.header_contains is None:
        for _ in range(format.skip_rows):
            rows.skip()
        return
    sought = normalise_name(format.header_contains)
    for _ in range(HEADER_SEARCH_ROWS):
        start = rows.position
        cells = rows.next()
        if cells is None:
            break
        if sought in map(normalise_name, cells):
            rows.position = start
            return
    raise UnreadableFile(f"none of the first {HEADER_SEARCH_ROWS:,} rows holds the cell '{format.header_contains}' (header_contains)")


def _read_header(
    blocks: Iterator[Block], dialect: Dialect, format: Format, text: TextBytes, request: Request
) -> tuple[_Layout, list[Block]]:
    """Read title rows and header from the first block; what follows them there is the first block of the body."""
    first = next(blocks, Block(b"", text.offset))
    rows = _LeadingRows(first.data, dialect, text.codec)
    if format.header_rows and not first.data.strip(b"\r\n"):
        raise UnreadableFile("is empty: a header must be delivered even when there are no data rows")
    _find_header(rows, format)
    levels: list[list[str]] = []
    raw_levels: list[tuple[bytes, ...]] = []
    while len(levels) < format.header_rows:
        cells = rows.next()
        if cells is None:
            raise UnreadableFile(f"ends before its header of {format.header_rows} row(s) is complete")
        if any("\0" in cell for cell in cells):
            raise UnreadableFile("the header holds NUL bytes: is the encoding UTF-16, or the file damaged?")
        if cells != [""]:
            levels.append(cells)
            raw_levels.append(tuple(rows.raw))
    names = join_levels(levels) if levels else list(format.names or ())
    if not levels:
        raw_levels.append(tuple(name.encode(text.codec, "replace") for name in names))
    picked = pick_columns(names, request, format.repeated_columns)
    layout = _Layout(
        dialect=dialect,
        codec=text.codec,
        width=len(names),
        picked=tuple(sorted(picked, key=lambda p: p.position)),
        header_levels=tuple(raw_levels),
        skip_repeated_header=format.repeated_header == "skip",
        verbatim=text.verbatim and not format.quoted_lines,
    )
    rest = first.data[rows.position :]
    return layout, [Block(rest, first.offset + rows.position)] if rest else []


def _parse_in_turn(blocks: Iterator[Block], layout: _Layout) -> Iterator[_Parsed]:
    """Parse blocks beside the consumer's work, a few ahead; an error of the delivery comes after all blocks before it."""
    failure: UnreadableFile | None = None
    finished = False
    running: deque[Future[_Parsed]] = deque()
    with ThreadPoolExecutor(max_workers=READ_AHEAD, thread_name_prefix="parse") as pool:
        while running or not finished:
            while not finished and len(running) < READ_AHEAD:
                try:
                    block = next(blocks, None)
                except UnreadableFile as error:
                    failure, block = error, None
                if block is None:
                    finished = True
                else:
                    running.append(pool.submit(_parse, block, layout))
            if running:
                yield running.popleft().result()
    if failure is not None:
        raise failure


def _parse(block: Block, layout: _Layout) -> _Parsed:
    if b"\0" not in block.data:
        try:
            table = _parse_cells(block.data, layout, checked=True)
            columns = _decode_all(table, layout)
        except (pa.ArrowInvalid, UnicodeDecodeError):
            return _parse_by_record(block, layout)
        if not _may_hold_header(table, layout):
            return _Parsed(columns, np.arange(table.num_rows), table.num_rows)
    return _parse_by_record(block, layout)


def _parse_cells(data: bytes, layout: _Layout, *, checked: bool) -> pa.Table:
    """Parse whole records; the picked columns are named by their position. ``checked``: UTF-8 is validated and comes as strings.

    Raises pyarrow.ArrowInvalid for a record of another width, and when checked for bytes that are no UTF-8.
    """
    names = [str(position) for position in range(layout.width)]
    cell_type = pa.string() if checked and layout.codec == "utf-8" else pa.binary()
    picked = [str(p.position) for p in layout.picked] or names[:1]
    if _BLANK_LINES.fullmatch(data):
        return pa.table({name: pa.array([], cell_type) for name in picked})
    quote = layout.dialect.quote
    if data.startswith(_BYTE_ORDER_MARK):
        data = b"\n" + data  # pyarrow would take it for the mark of a file; it belongs to the cell
    return pa_csv.read_csv(
        pa.BufferReader(data),
        read_options=pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        parse_options=pa_csv.ParseOptions(
            delimiter=layout.dialect.delimiter.decode(),
            quote_char=quote.decode() if quote else False,
            newlines_in_values=quote is not None and quote in data,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(picked, cell_type), include_columns=picked, strings_can_be_null=False, check_utf8=checked
        ),
    )


def _may_hold_header(table: pa.Table, layout: _Layout) -> bool:
    """Whether a row begins like a row of the header (in the first column that is read)."""
    column = table.column(0)
    position = int(table.column_names[0])
    heads = [level[position] for level in layout.header_levels if position < len(level) and level[position]]
    if layout.codec == "utf-8" and position == 0:
        heads += [_BYTE_ORDER_MARK + head for head in heads]
    return any(pc.any(pc.equal(column, pa.scalar(head).cast(column.type))).as_py() for head in heads)


def _parse_by_record(block: Block, layout: _Layout) -> _Parsed:
    data = block.data
    records = find_records(data, layout.dialect)
    total = len(records.starts)
    nul = np.zeros(total, dtype=bool)
    nul_positions = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 0)
    nul[np.searchsorted(records.starts, nul_positions, side="right") - 1] = True
    ragged = (records.cells != layout.width) & ~nul

    def text_of(index: int) -> bytes:
        return data[records.starts[index] : records.ends[index]]

    def reject(index: int, reason: str, detail: str, *, filtered: bool = False) -> _Reject:
        return _Reject(index, reason, detail, shape_of(text_of(index).decode(layout.codec, "replace")), filtered)

    rejects = [reject(i, "nul_byte", "the row holds a NUL byte") for i in np.flatnonzero(nul).tolist()]
    rejects += [
        reject(i, "ragged_row", f"{records.cells[i]} columns, the header has {layout.width}") for i in np.flatnonzero(ragged).tolist()
    ]
    indices = np.flatnonzero(~nul & ~ragged)
    try:
        table = _parse_cells(_join_runs(data, records.starts, records.ends, indices), layout, checked=False)
    except pa.ArrowInvalid:
        table = None
    if table is None or table.num_rows != len(indices):
        raise UnreadableFile("rows cannot be told apart for certain: check 'quote' and 'delimiter' in the contract")

    headers = _rows_equal_to_header(table, layout, lambda row: split_record(text_of(int(indices[row])), 0, layout.dialect)[0])
    for row in headers:
        rejects.append(reject(int(indices[row]), "repeated_header", "the row repeats the header", filtered=layout.skip_repeated_header))
    if headers:
        kept = np.ones(len(indices), dtype=bool)
        kept[headers] = False
        table, indices = table.filter(pa.array(kept)), indices[kept]

    try:
        columns = _decode_all(table, layout)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        row = _first_undecodable_row(table, layout.codec)
        failed = int(indices[row])
        failure = _wrong_bytes(text_of(failed), block.offset + int(records.starts[failed]), layout)
        columns = _decode_all(table.slice(0, row).combine_chunks(), layout)
        return _Parsed(columns, indices[:row], failed, [r for r in rejects if r.index < failed], failure)
    return _Parsed(columns, indices, total, rejects)


def _join_runs(data: bytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], indices: npt.NDArray[np.int64]) -> bytes:
    """The records at ``indices``, as one text."""
    if len(indices) == len(starts):
        return data
    if not len(indices):
        return b""
    breaks = np.flatnonzero(np.diff(indices) > 1)
    first = indices[np.concatenate([[0], breaks + 1])]
    last = indices[np.concatenate([breaks, [len(indices) - 1]])]
    return b"\n".join(data[start:end] for start, end in zip(starts[first].tolist(), ends[last].tolist(), strict=True))


def _rows_equal_to_header(table: pa.Table, layout: _Layout, cells_of: Callable[[int], list[bytes]]) -> list[int]:
    """The rows that hold, cell by cell, what a row of the header holds; where files were put together, a byte order mark before it."""
    found: set[int] = set()
    levels = list(layout.header_levels)
    if layout.codec == "utf-8":
        levels += [(_BYTE_ORDER_MARK + level[0], *level[1:]) for level in levels]
    for level in levels:
        alike = np.ones(table.num_rows, dtype=bool)
        for name in table.column_names:
            cell = level[int(name)] if int(name) < len(level) else b""
            alike &= np.asarray(pc.equal(table.column(name), pa.scalar(cell, pa.binary())), dtype=bool)
            if not alike.any():
                break
        found.update(row for row in np.flatnonzero(alike).tolist() if tuple(cells_of(row)) == level)
    return sorted(found)


def _decode_all(table: pa.Table, layout: _Layout) -> pa.Table:
    """The picked columns as strings, under the contract's names. Raises UnicodeDecodeError or pyarrow.ArrowInvalid for wrong bytes."""
    decoded = {}
    for picked in layout.picked:
        column = table.column(str(picked.position))
        if not pa.types.is_string(column.type):
            column = pa.chunked_array([decode_column(piece, layout.codec) for piece in column.chunks], pa.string())
        decoded[picked.name] = column
    return pa.table(decoded)


def decode_column(values: pa.BinaryArray, codec: str) -> pa.StringArray:
    """Texts of bytes. Raises UnicodeDecodeError, or pyarrow.ArrowInvalid where they are to be UTF-8."""
    if values.offset:
        values = pa.concat_arrays([values.slice(0, 0), values])
    _, offsets, data = values.buffers()
    if data is None or not data.size or np.frombuffer(data, dtype=np.int8).min() >= 0:
        return pa.StringArray.from_buffers(len(values), offsets, data, null_count=0)
    if codec == "utf-8":
        return values.cast(pa.string())
    sample = values.slice(0, _SAMPLE_ROWS)
    if pc.count_distinct(sample).as_py() * 4 <= len(sample):
        encoded = pc.dictionary_encode(values)
        return _decode_joined(encoded.dictionary, codec).take(encoded.indices)
    return _decode_joined(values, codec)


def _decode_joined(values: pa.BinaryArray, codec: str) -> pa.StringArray:
    """Decode all values in one call, joined by a control character that none of them holds."""
    data = values.buffers()[2].to_pybytes()
    joiner = next((j for j in _JOINERS if j not in data), None)
    if joiner is None:
        return pa.array([value.decode(codec) for value in values.to_pylist()], pa.string())
    whole = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    joined = pc.binary_join(whole, joiner)[0].as_buffer()
    text = np.frombuffer(str(joined, codec).encode(), dtype=np.uint8)
    is_joiner = text == joiner[0]
    ends = np.flatnonzero(is_joiner) - np.arange(len(values) - 1)
    offsets = np.concatenate([[0], ends, [len(text) - len(ends)]]).astype(np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(text[~is_joiner]))


def _first_undecodable_row(table: pa.Table, codec: str) -> int:
    first: int = table.num_rows
    for column in table.columns:
        for row, value in enumerate(column.to_pylist()[:first]):
            try:
                value.decode(codec)
            except UnicodeDecodeError:
                first = row
                break
    return first


def _wrong_bytes(record: bytes, offset: int, layout: _Layout) -> UnreadableFile:
    try:
        record.decode(layout.codec)
    except UnicodeDecodeError as error:
        message = bad_byte(layout.codec, record[error.start], offset + error.start + 1 if layout.verbatim else None)
    else:
        message = f"bytes that are not {layout.codec}"
    try:
        record.decode("utf-8")
        return UnreadableFile(f"{message} (the bytes of this row are valid UTF-8)")
    except UnicodeDecodeError:
        return UnreadableFile(message)
