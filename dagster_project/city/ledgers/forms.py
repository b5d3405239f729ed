"""The forms in which ledgers are delivered: workbooks with merged titles and headers of one or two levels, and text files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from dagster_project.city.files import Cell, Row, write_csv, write_json, write_xlsx
from dagster_project.city.ledgers.model import Ledger

SHEET = "台账"
SUFFIX = {"xlsx": "xlsx", "xls": "xls", "csv": "csv", "json": "json"}
LEVELS = "/"


def write_ledger(ledger: Ledger, path: Path, header: Sequence[str], rows: Sequence[Row]) -> None:
    """Write one delivered file of a ledger."""
    if ledger.form == "csv":
        write_csv(path, header, rows, encoding="gb18030")
    elif ledger.form == "json":
        write_json(path, header, rows, ("data",))
    else:
        day = path.parent.name
        titles = (f"澜川市{ledger.title}", f"填报日期：{day[:4]}年{day[4:6]}月{day[6:]}日")
        levels, merged = _levels(header)
        if ledger.form == "xls":
            _write_xls(path, titles, levels, merged, rows)
        else:
            write_xlsx(path, SHEET, titles, levels, [_range(area, len(titles)) for area in merged], rows)


Area = tuple[int, int, int, int]


def _levels(header: Sequence[str]) -> tuple[list[Row], list[Area]]:
    """The rows of a header whose names may have two levels, and its merged areas (top, left, bottom, right, from 0 within the header)."""
    if not any(LEVELS in name for name in header):
        return [list(header)], []
    upper: list[Cell] = []
    lower: list[Cell] = []
    merged: list[Area] = []
    for above, names in groupby(header, key=lambda name: name.partition(LEVELS)[0]):
        below = [name.partition(LEVELS)[2] for name in names]
        left = len(upper)
        upper += [above, *[None] * (len(below) - 1)]
        lower += [text or None for text in below]
        if len(below) > 1:
            merged.append((0, left, 0, left + len(below) - 1))
        elif not below[0]:
            merged.append((0, left, 1, left))
    return [upper, lower], merged


def _range(area: Area, rows_above: int) -> str:
    from openpyxl.utils import get_column_letter

    top, left, bottom, right = area
    return f"{get_column_letter(left + 1)}{top + rows_above + 1}:{get_column_letter(right + 1)}{bottom + rows_above + 1}"


def _write_xls(path: Path, titles: Sequence[str], levels: Sequence[Row], merged: Sequence[Area], rows: Sequence[Row]) -> None:
    """The binary workbook of older systems."""
    import xlwt

    book = xlwt.Workbook(encoding="utf-8")
    page = book.add_sheet(SHEET)
    width = len(levels[0])
    for number, title in enumerate(titles):
        page.write_merge(number, number, 0, width - 1, title)
    starts = {(top, left): (bottom, right) for top, left, bottom, right in merged}
    for depth, cells in enumerate(levels):
        for column, cell in enumerate(cells):
            bottom, right = starts.get((depth, column), (depth, column))
            if cell is not None:
                page.write_merge(len(titles) + depth, len(titles) + bottom, column, right, cell)
    for number, row in enumerate(rows, start=len(titles) + len(levels)):
        for column, cell in enumerate(row):
            if cell is not None:
                page.write(number, column, cell)
    content = io.BytesIO()
    book.save(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getvalue())
