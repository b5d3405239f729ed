"""Records of a delimited text: where they end, how many cells they have, and blocks of whole records of bounded size.

The rules are those of pyarrow's parser, which reads the blocks: a quote character means something only at the start of a cell,
a quote inside a quoted cell is doubled, what follows the closing quote belongs to the cell, and a line ends at \\n, \\r or both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dagster_project.ingest.decode import ByteStream
from dagster_project.ingest.readers.raw import UnreadableFile

Positions = npt.NDArray[np.int64]
_NEWLINE, _RETURN = 10, 13
END_OF_FILE_SIGN = b"\x1a"
_NEVER_QUOTES = "if the delivery never quotes, say 'quote: null' in the contract"


@dataclass(frozen=True)
class Dialect:
    """Delimiter and quote character as single bytes; no quote: cells are never quoted."""

    delimiter: bytes
    quote: bytes | None


@dataclass(frozen=True)
class Records:
    """The records of a block that are not blank: first and last+1 byte of each, and its number of cells."""

    starts: Positions
    ends: Positions
    cells: Positions


@dataclass(frozen=True)
class Block:
    """Whole records; ``offset`` is the position of the first byte in the text."""

    data: bytes
    offset: int


def _cell_expression(dialect: Dialect) -> bytes:
    delimiter = re.escape(dialect.delimiter)
    plain = rb"[^" + delimiter + rb"\r\n]*+"
    if dialect.quote is None:
        return plain
    quote = re.escape(dialect.quote)
    quoted = quote + rb"(?:[^" + quote + rb"]++|" + quote + quote + rb")*+(?:" + quote + plain + rb"|\Z)"
    return b"(?:" + quoted + b"|" + plain + b")"


@lru_cache(maxsize=64)
def _cell_pattern(dialect: Dialect) -> re.Pattern[bytes]:
    """A cell and what ends it."""
    return re.compile(b"(" + _cell_expression(dialect) + b")(" + re.escape(dialect.delimiter) + rb"|\r\n|\n|\r|\Z)")


@lru_cache(maxsize=64)
def _record_pattern(dialect: Dialect) -> re.Pattern[bytes]:
    """A record, blank or not, and what ends it."""
    return re.compile(b"(" + _record_expression(dialect) + rb")(?:\r\n|\n|\r|\Z)")


@lru_cache(maxsize=64)
def _whole_records_pattern(dialect: Dialect) -> re.Pattern[bytes]:
    """As many whole records as there are."""
    return re.compile(b"(?:" + _record_expression(dialect) + rb"(?:\r\n|\n|\r))*+")


def _record_expression(dialect: Dialect) -> bytes:
    cell = _cell_expression(dialect)
    return cell + b"(?:" + re.escape(dialect.delimiter) + cell + b")*+"


def _quotes(data: bytes, dialect: Dialect) -> tuple[Positions, bool]:
    """The positions of quote characters, and whether they pair up so plainly that counting them tells inside from outside."""
    assert dialect.quote is not None
    buffer = np.frombuffer(data, dtype=np.uint8)
    quote = dialect.quote[0]
    positions = np.flatnonzero(buffer == quote)
    edges = np.array([dialect.delimiter[0], _NEWLINE, _RETURN, quote], dtype=np.uint8)
    opening, closing = positions[0::2], positions[1::2]
    before = buffer[np.maximum(opening - 1, 0)]
    after = buffer[np.minimum(closing + 1, len(buffer) - 1)]
    opens_cell = (opening == 0) | np.isin(before, edges[:3])
    doubled = np.zeros(len(opening), dtype=bool)
    doubled[1:] = opening[1:] == closing[: len(opening) - 1] + 1
    closes_cell = (closing == len(buffer) - 1) | np.isin(after, edges)
    return positions, bool((opens_cell | doubled).all() and closes_cell.all())


def find_records(data: bytes, dialect: Dialect) -> Records:
    """Tell the records of a block of whole records apart; blank lines are none."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    line_ends = np.flatnonzero((buffer == _NEWLINE) | (buffer == _RETURN))
    delimiters = np.flatnonzero(buffer == dialect.delimiter[0])
    if dialect.quote is not None and dialect.quote in data:
        quotes, plain = _quotes(data, dialect)
        if not plain:
            return _find_records_one_by_one(data, dialect)
        line_ends = line_ends[np.searchsorted(quotes, line_ends) % 2 == 0]
        delimiters = delimiters[np.searchsorted(quotes, delimiters) % 2 == 0]
    starts = np.concatenate([np.zeros(1, dtype=np.int64), line_ends + 1])
    ends = np.concatenate([line_ends, np.array([len(data)], dtype=np.int64)])
    filled = ends > starts
    starts, ends = starts[filled], ends[filled]
    cells = np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts) + 1
    return Records(starts, ends, cells)


def _find_records_one_by_one(data: bytes, dialect: Dialect) -> Records:
    found = [
        (record.start(1), record.end(1), _count_cells(record[1], dialect))
        for record in _record_pattern(dialect).finditer(data)
        if record.end(1) > record.start(1)
    ]
    table: Any = np.array(found, dtype=np.int64).reshape(-1, 3)
    return Records(table[:, 0], table[:, 1], table[:, 2])


def _count_cells(record: bytes, dialect: Dialect) -> int:
    if dialect.quote is None or dialect.quote not in record:
        return record.count(dialect.delimiter) + 1
    return len(split_record(record, 0, dialect)[0])


def _end_of_last_record(data: bytes, dialect: Dialect) -> int:
    """The length of the part of ``data`` that consists of whole records; 0 if not even the first one ends."""
    if dialect.quote is None or dialect.quote not in data:
        return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
    quotes, plain = _quotes(data, dialect)
    if plain:
        buffer = np.frombuffer(data, dtype=np.uint8)
        line_ends = np.flatnonzero((buffer == _NEWLINE) | (buffer == _RETURN))
        outside = line_ends[np.searchsorted(quotes, line_ends) % 2 == 0]
        return int(outside[-1]) + 1 if len(outside) else 0
    whole = _whole_records_pattern(dialect).match(data)
    assert whole is not None
    return whole.end()


def _cut(pieces: list[bytes], dialect: Dialect) -> tuple[bytes, bytes]:
    """The whole records of a text that came in pieces, and the rest."""
    if dialect.quote is None or not any(dialect.quote in piece for piece in pieces):
        last = pieces[-1]
        end = _end_of_last_record(last, dialect)
        if end:
            return b"".join([*pieces[:-1], memoryview(last)[:end]]), last[end:]
    data = b"".join(pieces)
    end = _end_of_last_record(data, dialect)
    return data[:end], data[end:]


def blocks_of_records(stream: ByteStream, dialect: Dialect, offset: int, block_bytes: int, record_bytes: int) -> Iterator[Block]:
    """Cut a text into blocks of whole records, about ``block_bytes`` each, holding no more than one block and one record.

    Raises UnreadableFile, after all whole records were yielded, where the stream does, when a record is longer than ``record_bytes``,
    and when a quote is never closed.
    """
    pending = b""
    finished = False
    failure: UnreadableFile | None = None
    while not finished:
        pieces, size = [pending], len(pending)
        target = max(block_bytes, 2 * len(pending))
        while size < target:
            try:
                piece = stream.read(target - size)
            except UnreadableFile as error:
                failure, piece = error, b""
            if not piece:
                finished = True
                break
            pieces.append(piece)
            size += len(piece)
        if finished and failure is None:
            data, pending = b"".join(pieces), b""
        else:
            data, pending = _cut(pieces, dialect)
        if finished and failure is None:
            data = data.removesuffix(END_OF_FILE_SIGN)
            open_from = _open_quote(data, dialect)
            if open_from is not None:
                data = data[:open_from]
                failure = UnreadableFile(f"a quote is opened in this row and never closed; {_NEVER_QUOTES}")
        if data:
            yield Block(data, offset)
            offset += len(data)
        if failure is None and len(pending) > record_bytes:
            unclosed = ""
            if dialect.quote is not None and dialect.quote in pending:
                unclosed = f"; a quote may be opened in it and never closed: {_NEVER_QUOTES}"
            raise UnreadableFile(f"this row is longer than the limit of {record_bytes:,} bytes{unclosed}")
    if failure is not None:
        raise failure


def _open_quote(data: bytes, dialect: Dialect) -> int | None:
    """Where the last record starts if it ends inside an open quote."""
    if dialect.quote is None or dialect.quote not in data:
        return None
    quotes, plain = _quotes(data, dialect)
    if plain and len(quotes) % 2 == 0:
        return None
    records = find_records(data, dialect)
    last = bytes(data[records.starts[-1] : records.ends[-1]]) if len(records.starts) else b""
    position = 0
    while position < len(last):
        cell = _cell_pattern(dialect).match(last, position)
        assert cell is not None
        body = cell[1]
        if body.startswith(dialect.quote) and not re.match(_closed(dialect), body):
            return int(records.starts[-1])
        position = cell.end()
    return None


@lru_cache(maxsize=64)
def _closed(dialect: Dialect) -> re.Pattern[bytes]:
    assert dialect.quote is not None
    quote = re.escape(dialect.quote)
    return re.compile(quote + rb"(?:[^" + quote + rb"]++|" + quote + quote + rb")*+" + quote)


def split_record(data: bytes, position: int, dialect: Dialect) -> tuple[list[bytes], int]:
    """The cells, unquoted, of the record that starts at ``position``, and where the next one starts. A blank line is one empty cell."""
    cells: list[bytes] = []
    while True:
        cell = _cell_pattern(dialect).match(data, position)
        assert cell is not None
        cells.append(_unquote(cell[1], dialect))
        position = cell.end()
        if cell[2] != dialect.delimiter:
            return cells, position


def _unquote(cell: bytes, dialect: Dialect) -> bytes:
    quote = dialect.quote
    if quote is None or not cell.startswith(quote):
        return cell
    closed = _closed(dialect).match(cell)
    if closed is None:
        return cell[1:].replace(quote + quote, quote)
    return cell[1 : closed.end() - 1].replace(quote + quote, quote) + cell[closed.end() :]


def unwrap_quoted_lines(data: bytes) -> bytes:
    """Lines that are one quoted string each, without their quotes; a line that is not quoted stays as it is."""
    return _QUOTED_LINE.sub(lambda line: line[1].replace(b'""', b'"'), data)


_QUOTED_LINE = re.compile(rb'(?:\A|(?<=[\r\n]))"((?:[^"]++|"")*+)"(?=[\r\n]|\Z)')
