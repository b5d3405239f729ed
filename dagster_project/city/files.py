"""The shapes in which the city's systems deliver. The same rows give the same bytes, whenever they are written."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import escape

Cell = str | int | float | None
Row = list[Cell]

FIXED_TIME = (2025, 1, 1, 0, 0, 0)
WIDTHS = 16


def write_csv(
    path: Path, header: Sequence[str], rows: Sequence[Row], *, encoding: str, quote_all: bool = False, line_end: str = "\r\n"
) -> None:
    _write(path, csv_bytes(header, rows, encoding=encoding, quote_all=quote_all, line_end=line_end))


def csv_bytes(header: Sequence[str], rows: Sequence[Row], *, encoding: str, quote_all: bool = False, line_end: str = "\r\n") -> bytes:
    """The content of a csv file."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL, lineterminator=line_end)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def write_json(path: Path, keys: Sequence[str], rows: Sequence[Row], envelope: Sequence[str]) -> None:
    """Records as an array below the keys of ``envelope``, with the head that interfaces put before it."""
    records: object = [dict(zip(keys, row, strict=True)) for row in rows]
    for key in reversed(envelope):
        records = {key: records}
    assert isinstance(records, dict)
    document = {"code": "200", "msg": "success", "total": len(rows), **records}
    _write(path, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def write_ndjson(path: Path, keys: Sequence[str], rows: Sequence[Row]) -> None:
    lines = [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=False, separators=(",", ":")) for row in rows]
    _write(path, "".join(line + "\n" for line in lines).encode())


def write_xml(path: Path, names: Sequence[str], rows: Sequence[Row], place: Sequence[str], *, encoding: str) -> None:
    """An exchange document: below the elements of ``place`` one element a record (the last name), a child a column."""
    *outer, record = place
    lines = [f'<?xml version="1.0" encoding="{encoding.upper()}"?>', *(f"<{name}>" for name in outer)]
    for row in rows:
        cells = "".join(f"<{n}/>" if c is None else f"<{n}>{escape(str(c))}</{n}>" for n, c in zip(names, row, strict=True))
        lines.append(f"<{record}>{cells}</{record}>")
    lines += [f"</{name}>" for name in reversed(outer)]
    _write(path, ("\r\n".join(lines) + "\r\n").encode(encoding))


def write_fixed(path: Path, widths: Sequence[int], rows: Sequence[Row], *, encoding: str) -> None:
    """Lines whose cells are padded to a width in bytes. Raises ValueError for a cell that does not fit."""
    lines = []
    for row in rows:
        cells = ["" if cell is None else str(cell) for cell in row]
        encoded = [cell.encode(encoding) for cell in cells]
        if any(len(cell) > width for cell, width in zip(encoded, widths, strict=True)):
            raise ValueError(f"a cell of {cells} is wider than its field")
        lines.append(b"".join(cell.ljust(width) for cell, width in zip(encoded, widths, strict=True)))
    _write(path, b"".join(line + b"\r\n" for line in lines))


def write_sqlite(path: Path, table: str, names: Sequence[str], rows: Sequence[Row]) -> None:
    """A database file with one table."""
    listed = ", ".join(f'"{name}"' for name in names)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as base:
        base.execute(f'create table "{table}" ({listed})')
        base.executemany(f'insert into "{table}" values ({", ".join("?" * len(names))})', rows)
        base.execute("vacuum")
        _write(path, base.serialize())


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """Many files in one."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in sorted(members.items()):
            entry = zipfile.ZipInfo(name, date_time=FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    _write(path, packed.getvalue())


def write_xlsx(path: Path, sheet: str, titles: Sequence[str], header: Sequence[Row], merged: Sequence[str], rows: Sequence[Row]) -> None:
    """One sheet: title rows merged over the whole width, header rows with the given merged ranges, then the rows.

    ``merged`` are ranges such as 'A2:D2'. A merged range shows its first cell; the others are None.
    """
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    page = book.create_sheet(sheet)
    width = len(header[0])
    for letter in map(get_column_letter, range(1, width + 1)):
        page.column_dimensions[letter].width = WIDTHS
    for number, title in enumerate(titles, start=1):
        page.append([title])
        page.merged_cells.add(f"A{number}:{get_column_letter(width)}{number}")
    for row in header:
        page.append(row)
    for cells in merged:
        page.merged_cells.add(cells)
    draft = io.BytesIO()
    book.save(draft)
    letters = [get_column_letter(number) for number in range(1, max(map(len, rows), default=0) + 1)]
    printed = (_sheet_row(number, letters, row) for number, row in enumerate(rows, start=len(titles) + len(header) + 1))
    _write(path, _finished(draft, "".join(printed).encode()))


def _sheet_row(number: int, letters: Sequence[str], row: Row) -> str:
    """A row as a sheet holds it. openpyxl makes an object of every cell: four times the time for ten thousands of rows."""
    cells = (
        f'<c r="{letter}{number}"><v>{cell}</v></c>'
        if isinstance(cell, int | float)
        else f'<c r="{letter}{number}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
        for letter, cell in zip(letters, row, strict=False)
        if cell is not None
    )
    return f'<row r="{number}">{"".join(cells)}</row>'


def _finished(workbook: io.BytesIO, rows: bytes) -> bytes:
    """The same workbook with these rows below its header, and every time of writing in it replaced by a fixed one."""
    fixed = io.BytesIO()
    stamp = "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}Z".format(*FIXED_TIME)
    with zipfile.ZipFile(workbook) as draft, zipfile.ZipFile(fixed, "w") as final:
        for name in sorted(draft.namelist()):
            content = draft.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = content.replace(b"</sheetData>", rows + b"</sheetData>", 1)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp.encode(), content)
            entry = zipfile.ZipInfo(name, date_time=FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            final.writestr(entry, content)
    return fixed.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
