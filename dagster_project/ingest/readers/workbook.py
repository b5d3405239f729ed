"""Excel workbooks (xlsx, xlsm, xls) through calamine, which reads a sheet as a whole: its size is bounded before it is opened.

Cells become text as a person reads them: whole numbers exactly and without '.0', other numbers to the 15 significant digits that
Excel keeps, dates and times in ISO form, TRUE and FALSE as true and false, error cells (#N/A) as nothing.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import pyarrow as pa
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from dagster_project.contracts.model import Format
from dagster_project.ingest.decode import ByteStream, Limits, read_whole
from dagster_project.ingest.readers.header import MergedRange, Request, join_levels, normalise_name, pick_columns
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile, shape_of, split_off_nul_rows

CHUNK_ROWS = 65_536
HEADER_SEARCH_ROWS = 1_000
_EXACT_INTEGERS = 2**53
_ZIP_START = b"PK"
_SHEET_ROWS = 1_048_576
_NARROW = 40
_FAR_CELL = re.compile(rb"""r=(?<=\sr=)["'](?:([A-Za-z]{2,})\d|[A-Za-z]*(\d{7,}))""")
_FAR_ROW = re.compile(rb"""<(?:\w+:)?row\s[^<>]*?\br=["'](\d{7,})""")
_FILLED_CELL = re.compile(rb"""<(?:\w+:)?c\s[^<>]*?\br=["']([A-Za-z]+)(\d+)["'][^<>]*(?<!/)>""")


def read_workbook(stream: ByteStream, file_name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read one sheet of a workbook. Rows without any content are no rows. Raises UnreadableFile."""
    data = read_whole(stream, limits.document_bytes, "a workbook")
    _refuse_foreign(data)
    if data.startswith(_ZIP_START):
        _check_archive(data, limits)
    with _calamine_errors():
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    with workbook:
        name = _choose_sheet(workbook, format.sheet)
        with _calamine_errors():
            sheet = workbook.get_sheet_by_name(name)
        yield from _read_sheet(sheet, file_name, format, request)


@contextmanager
def _calamine_errors() -> Iterator[None]:
    try:
        yield
    except PasswordError:
        raise UnreadableFile("is locked with a password; have it delivered without") from None
    except (CalamineError, ValueError, OSError) as error:
        raise UnreadableFile(f"the workbook is damaged ({error}); have it delivered again") from None
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # how a fault inside calamine arrives; it is no Exception
            raise UnreadableFile("the workbook is damaged; have it delivered again") from None
        raise


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
            infos = [info for info in archive.infolist() if not info.is_dir()]
            _check_expansion(sum(info.file_size for info in infos), len(data), limits)
            expanded = 0
            for info in infos:
                is_sheet = far_out = False
                tail = b""
                with archive.open(info) as part:
                    while piece := part.read(1 << 20):
                        expanded += len(piece)
                        _check_expansion(expanded, len(data), limits)
                        is_sheet = is_sheet or b"worksheet" in piece
                        if is_sheet and not far_out:
                            far_out = any(_is_far_out(cell) for cell in _FAR_CELL.finditer(tail + piece))
                        tail = piece[-64:]
                if far_out:
                    with archive.open(info) as part:
                        _check_extent(part, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UnreadableFile(f"the workbook is damaged or cut off ({error}); have it delivered again") from None


def _is_far_out(cell: re.Match[bytes]) -> bool:
    """Whether a sheet that reaches this cell may be too large to be held: calamine makes room for the whole rectangle."""
    if cell[2] is not None:
        _refuse_beyond_last_row(int(cell[2]))
    return cell[1] is not None and _column_number(cell[1]) > _NARROW


def _refuse_beyond_last_row(row: int) -> None:
    if row > _SHEET_ROWS:
        raise UnreadableFile(f"the workbook is damaged: a sheet has at most {_SHEET_ROWS:,} rows, this one names row {row:,}")


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _check_extent(part: IO[bytes], limits: Limits) -> None:
    last_row = last_column = 0
    rest = b""
    while piece := part.read(1 << 20):
        text = rest + piece
        end = text.rfind(b"<")
        for row in _FAR_ROW.findall(text, 0, end):
            _refuse_beyond_last_row(int(row))
        for letters, row in _FILLED_CELL.findall(text, 0, end):
            last_row, last_column = max(last_row, int(row)), max(last_column, _column_number(letters))
        rest = text[end:] if len(text) - end < 4096 else b""
    if last_row * last_column > limits.workbook_cells:
        raise UnreadableFile(
            f"a sheet reaches to row {last_row:,} and column {last_column:,}, more than the limit of {limits.workbook_cells:,} cells: clear "
            "the cells outside the table, or have it delivered as csv"
        )


def _check_expansion(expanded: int, packed: int, limits: Limits) -> None:
    if expanded > limits.document_bytes:
        raise UnreadableFile(f"the workbook unpacks to more than the limit of {limits.document_bytes:,} bytes; have it delivered as csv")
    if expanded > limits.ratio_from_bytes and expanded > limits.expansion_ratio * packed:
        raise UnreadableFile(f"the workbook expands more than {limits.expansion_ratio}-fold: taken for a zip bomb")


def _choose_sheet(workbook: CalamineWorkbook, wanted: str | None) -> str:
    sheets = [s for s in workbook.sheets_metadata if s.typ == SheetTypeEnum.WorkSheet]
    names = [s.name for s in sheets]
    if wanted is None:
        visible = [s.name for s in sheets if s.visible == SheetVisibleEnum.Visible]
        if not visible:
            raise UnreadableFile("the workbook has no visible sheet; name one under 'sheet'")
        return visible[0]
    if len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"):
        matching = [name for name in names if re.search(wanted[1:-1], name)]
    else:
        matching = [name for name in names if normalise_name(name) == normalise_name(wanted)]
    if len(matching) != 1:
        found = f"{len(matching)} sheets" if matching else "no sheet"
        raise UnreadableFile(f"'sheet: {wanted}' finds {found}; the workbook has: {', '.join(names)}")
    return matching[0]


class _Rows:
    """The rows of a sheet from its first row and column on, with their 0-based position; calamine leaves out empty leading columns."""

    def __init__(self, sheet: CalamineSheet) -> None:
        self._rows = sheet.iter_rows()
        self._left = sheet.start[1] if sheet.start else 0
        self.position = -1

    def next(self) -> list[Any] | None:
        row = next(self._rows, None)
        if row is None:
            return None
        self.position += 1
        return [""] * self._left + row


def _read_sheet(sheet: CalamineSheet, file_name: str, format: Format, request: Request) -> Iterator[RawChunk | RawReject]:
    rows = _Rows(sheet)
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


def _read_header(rows: _Rows, sheet: CalamineSheet, format: Format) -> tuple[list[list[str]], list[str]]:
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
            where = f"of the first {HEADER_SEARCH_ROWS:,} rows of sheet '{sheet.name}'"
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
            raise UnreadableFile(f"sheet '{sheet.name}' ends before its header of {format.header_rows} row(s) is complete")
        if not levels and row.count("") == len(row):
            continue
        if not levels:
            top = rows.position
        levels.append([cell_text(value) or "" for value in row])
    if not levels:
        return [], list(format.names or ())
    merged = _merged_in_header(sheet, top, len(levels))
    return levels, join_levels(levels, merged)


def _merged_in_header(sheet: CalamineSheet, top: int, depth: int) -> list[MergedRange]:
    """The merged ranges that lie in the header, relative to its first row."""
    ranges = sheet.merged_cell_ranges or []
    return [((up - top, left), (low - top, right)) for (up, left), (low, right) in ranges if low >= top and up < top + depth]


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
