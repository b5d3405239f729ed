"""Excel workbooks (xlsx, xlsm, xls) through calamine, which holds a sheet as a whole and runs in a process of its own.

Cells become text as a person reads them: whole numbers exactly and without '.0', other numbers to the 15 significant digits that
Excel keeps, dates and times in ISO form, TRUE and FALSE as true and false, error cells (#N/A) as nothing.
"""

from __future__ import annotations

import datetime as dt
import io
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from dagster_project.contracts.model import Format
from dagster_project.contracts.patterns import between_slashes, find
from dagster_project.ingest.decode import ZIP_ERRORS, ByteStream, Limits, read_whole
from dagster_project.ingest.readers import calamine_worker
from dagster_project.ingest.readers.header import MergedRange, Request, join_levels, normalise_name, pick_columns
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile, shape_of, split_off_nul_rows

CHUNK_ROWS = 65_536
HEADER_SEARCH_ROWS = 1_000
_EXACT_INTEGERS = 2**53
_ZIP_START = b"PK"


def read_workbook(stream: ByteStream, file_name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read one sheet of a workbook. Rows without any content are no rows. Raises UnreadableFile."""
    data = read_whole(stream, limits.document_bytes, "a workbook")
    _refuse_foreign(data)
    if data.startswith(_ZIP_START):
        _check_archive(data, limits)
    with _Calamine(data, limits) as calamine:
        name = _choose_sheet(calamine.sheets(), format.sheet)
        yield from _read_sheet(calamine.open_sheet(name), name, file_name, format, request)


class _Calamine:
    """The process that holds the workbook; see calamine_worker for what is said between the two."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._limits = limits
        bounds = [limits.workbook_memory, limits.workbook_seconds, limits.workbook_cells]
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(calamine_worker.__file__)), *map(str, bounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._tell(data)

    def __enter__(self) -> _Calamine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def _tell(self, message: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(calamine_worker.LENGTH.pack(len(message)))
            self._process.stdin.write(message)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it has to say about that, or that it has gone, shows when its answer is read

    def _answer(self, expected: str) -> Any:
        assert self._process.stdout is not None
        head = self._process.stdout.read(calamine_worker.LENGTH.size)
        if len(head) < calamine_worker.LENGTH.size:
            raise UnreadableFile(
                f"the workbook cannot be opened within {self._limits.workbook_memory >> 20:,} MiB of memory and "
                f"{self._limits.workbook_seconds:,} s: it is damaged, or a cell far outside the table makes it huge; "
                "clear such cells or have it delivered as csv"
            )
        kind, content = pickle.loads(self._process.stdout.read(calamine_worker.LENGTH.unpack(head)[0]))
        if kind == "locked":
            raise UnreadableFile("is locked with a password; have it delivered without")
        if kind == "damaged":
            raise UnreadableFile(f"the workbook is damaged ({content or 'calamine gives up'}); have it delivered again")
        if kind not in {expected, "end"}:
            raise RuntimeError(f"the calamine worker answers '{kind}' where '{expected}' is expected")
        return None if kind == "end" else content

    def sheets(self) -> list[tuple[str, bool, bool]]:
        """Name, whether it is a worksheet, and whether it is visible, of each sheet."""
        sheets: list[tuple[str, bool, bool]] = self._answer("sheets")
        return sheets

    def open_sheet(self, name: str) -> _Rows:
        self._tell(name.encode())
        _, left, rows, columns, merged = self._answer("extent")
        if rows * columns > self._limits.workbook_cells:
            raise UnreadableFile(
                f"sheet '{name}' reaches to row {rows:,} and column {columns:,}, more than the limit of {self._limits.workbook_cells:,} "
                "cells: clear the cells outside the table, or have it delivered as csv"
            )
        return _Rows(self._rows(), left, merged)

    def _rows(self) -> Iterator[list[Any]]:
        while (block := self._answer("rows")) is not None:
            yield from block


def _refuse_foreign(data: bytes) -> None:
    if not data:
        raise UnreadableFile("is empty: it holds no workbook")
    start = data[:512].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if start.startswith((b"<html", b"<!doctype html", b"<table", b"<meta", b"<head")):
        raise UnreadableFile("is an HTML page under the name of a workbook; have it delivered as xlsx or csv")
    if start.startswith(b"<?xml"):
        raise UnreadableFile("is an XML document under the name of a workbook; have it delivered as xlsx or csv")


def _check_archive(data: bytes, limits: Limits) -> None:
    """Unpack every part once, counting: what the archive declares of itself cannot be trusted, and calamine has no limits."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            _check_expansion(sum(info.file_size for info in infos), len(data), limits)
            expanded = 0
            for info in infos:
                with archive.open(info) as part:
                    while piece := part.read(1 << 20):
                        expanded += len(piece)
                        _check_expansion(expanded, len(data), limits)
    except ZIP_ERRORS as error:
        raise UnreadableFile(f"the workbook is damaged or cut off ({error}); have it delivered again") from None


def _check_expansion(expanded: int, packed: int, limits: Limits) -> None:
    if expanded > limits.document_bytes:
        raise UnreadableFile(f"the workbook unpacks to more than the limit of {limits.document_bytes:,} bytes; have it delivered as csv")
    if expanded > limits.ratio_from_bytes and expanded > limits.expansion_ratio * packed:
        raise UnreadableFile(f"the workbook expands more than {limits.expansion_ratio}-fold: taken for a zip bomb")


def _choose_sheet(sheets: list[tuple[str, bool, bool]], wanted: str | None) -> str:
    names = [name for name, is_worksheet, _ in sheets if is_worksheet]
    if wanted is None:
        visible = [name for name, is_worksheet, is_visible in sheets if is_worksheet and is_visible]
        if not visible:
            raise UnreadableFile("the workbook has no visible sheet; name one under 'sheet'")
        return visible[0]
    if (expression := between_slashes(wanted)) is not None:
        matching = [name for name in names if find(expression, name)]
    else:
        matching = [name for name in names if normalise_name(name) == normalise_name(wanted)]
    if len(matching) != 1:
        found = f"{len(matching)} sheets" if matching else "no sheet"
        raise UnreadableFile(f"'sheet: {wanted}' finds {found}; the workbook has: {', '.join(names)}")
    return matching[0]


class _Rows:
    """The rows of a sheet from its first row and column on; calamine leaves out empty leading columns. ``position``: 0-based, of the
    row given last.
    """

    def __init__(self, rows: Iterator[list[Any]], left: int, merged: list[MergedRange]) -> None:
        self._rows = rows
        self._left = left
        self.merged = merged
        self.position = -1

    def next(self) -> list[Any] | None:
        row = next(self._rows, None)
        if row is None:
            return None
        self.position += 1
        return [""] * self._left + row


def _read_sheet(rows: _Rows, sheet: str, file_name: str, format: Format, request: Request) -> Iterator[RawChunk | RawReject]:
    levels, names = _read_header(rows, sheet, format)
    picked = pick_columns(names, request, format.repeated_columns)
    number = 0
    cells: list[list[str | None]] = [[] for _ in picked]
    numbers: list[int] = []
    while (row := rows.next()) is not None:
        if row.count("") == len(row):
            continue
        number += 1
        if _repeats_header(row, levels):
            shape = shape_of(",".join(cell_text(value) or "" for value in row))
            yield RawReject(number, "repeated_header", "the row repeats the header", shape, file_name, format.repeated_header == "skip")
            continue
        numbers.append(number)
        for column, pick in zip(cells, picked, strict=True):
            column.append(cell_text(row[pick.position]) if pick.position < len(row) else None)
        if len(numbers) == CHUNK_ROWS:
            yield from _chunk([p.name for p in picked], cells, numbers, file_name)
            cells, numbers = [[] for _ in picked], []
    if numbers:
        yield from _chunk([p.name for p in picked], cells, numbers, file_name)


def _chunk(names: Sequence[str], cells: list[list[str | None]], numbers: list[int], file_name: str) -> Iterator[RawChunk | RawReject]:
    columns = pa.table([pa.array(column, pa.string()) for column in cells], names=list(names))
    columns, kept, rejects = split_off_nul_rows(columns, pa.array(np.array(numbers, dtype=np.int64)), file_name)
    yield from rejects
    if len(kept):
        yield RawChunk(columns, kept, file_name)


def _read_header(rows: _Rows, sheet: str, format: Format) -> tuple[list[list[str]], list[str]]:
    """The cells of each row of the header, and the column names."""
    first: list[Any] | None = None
    if format.header_contains is not None:
        sought = normalise_name(format.header_contains)
        for _ in range(HEADER_SEARCH_ROWS):
            first = rows.next()
            if first is None or any(normalise_name(cell_text(value) or "") == sought for value in first):
                break
        else:
            first = None
        if first is None:
            where = f"of the first {HEADER_SEARCH_ROWS:,} rows of sheet '{sheet}'"
            raise UnreadableFile(f"none {where} holds '{format.header_contains}'")
    else:
        for _ in range(format.skip_rows):
            rows.next()
    levels: list[list[str]] = []
    top = 0
    while len(levels) < format.header_rows:
        row = first if first is not None else rows.next()
        first = None
        if row is None:
            raise UnreadableFile(f"sheet '{sheet}' ends before its header of {format.header_rows} row(s) is complete")
        if not levels and row.count("") == len(row):
            continue
        if not levels:
            top = rows.position
        levels.append([cell_text(value) or "" for value in row])
    if not levels:
        return [], list(format.names or ())
    merged = [((up - top, left), (low - top, right)) for (up, left), (low, right) in rows.merged if low >= top and up < top + len(levels)]
    return levels, join_levels(levels, merged)


def _repeats_header(row: list[Any], levels: list[list[str]]) -> bool:
    if (cell_text(row[0]) or "") not in (level[0] for level in levels):
        return False
    texts = [cell_text(value) or "" for value in row]
    return texts in levels


def cell_text(value: Any) -> str | None:
    """The text of a cell; None for an empty one."""
    if type(value) is str:
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < _EXACT_INTEGERS:
            return str(int(value))
        return _plain_number(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return _duration(value)
    return None


def _plain_number(value: float) -> str:
    text = f"{value:.15g}"
    return np.format_float_positional(float(text), trim="-") if "e" in text else text


def _duration(value: dt.timedelta) -> str:
    sign = "-" if value < dt.timedelta(0) else ""
    seconds, rest = divmod(abs(value), dt.timedelta(seconds=1))
    fraction = f".{rest.microseconds:06d}" if rest else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"
