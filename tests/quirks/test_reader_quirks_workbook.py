"""Excel workbooks as people and systems make them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlwt
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from reading import Outcome, read, write

from dagster_project.ingest.readers import DEFAULT_LIMITS

HEADER = ("编号", "姓名", "金额")


def workbook(folder: Path, fill: Callable[[Worksheet], Any], name: str = "calls.xlsx") -> Path:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    fill(sheet)
    book.save(folder / name)
    return folder / name


def rows(*lines: tuple[Any, ...]) -> Callable[[Worksheet], None]:
    def fill(sheet: Worksheet) -> None:
        for line in lines:
            sheet.append(line)

    return fill


def read_book(path: Path, wanted: Any = HEADER, **options: Any) -> Outcome:
    return read(path, wanted, **{"kind": "xlsx", **options})


def test_title_rows_blank_rows_and_a_table_that_starts_in_column_c(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet["C3"] = "接警统计表"
        sheet.merge_cells("C3:E3")
        for row, line in enumerate([HEADER, (1, "张三", 10), (), (2, "李四", 20)], start=5):
            for column, value in enumerate(line, start=3):
                sheet.cell(row, column, value)

    path = workbook(tmp_path, fill)
    expected = [(1, ("1", "张三", "10")), (2, ("2", "李四", "20"))]
    assert read_book(path, skip_rows=4).rows == expected
    assert read_book(path, header_contains="姓名").rows == expected


def test_header_of_two_levels_with_merged_cells(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        rows(("序号", "案件", None, "备注", "其他"), (None, "编号", "类别", None, "甲"), (1, "A01", "盗窃", "无", "x"))(sheet)
        for merged in ("A1:A2", "B1:C1", "D1:D2"):
            sheet.merge_cells(merged)

    outcome = read_book(workbook(tmp_path, fill), ["序号", "案件/编号", "案件/类别", "备注", "其他/甲"], header_rows=2)
    assert outcome.rows == [(1, ("1", "A01", "盗窃", "无", "x"))]


def test_header_of_two_levels_whose_cells_are_not_merged_but_left_empty(tmp_path: Path) -> None:
    path = workbook(tmp_path, rows(("序号", "案件", None), (None, "编号", "类别"), (1, "A01", "盗窃")))
    assert read_book(path, ["序号", "案件/编号", "案件/类别"], header_rows=2).rows == [(1, ("1", "A01", "盗窃"))]


def test_numbers_come_as_a_person_reads_them(tmp_path: Path) -> None:
    values = (5.0, 123456789012345, 0.1 + 0.2, 54.499999999999993, 1e-7, -3.0, 1e21, 370102199001011234)
    path = workbook(tmp_path, rows(tuple(f"c{i}" for i in range(8)), values))
    assert read_book(path, [f"c{i}" for i in range(8)]).cells == [
        ("5", "123456789012345", "0.3", "54.5", "0.0000001", "-3", "1000000000000000000000", "370102199001011000")
    ]


def test_dates_times_durations_and_booleans(tmp_path: Path) -> None:
    values = (dt.datetime(2024, 1, 2, 3, 4, 5), dt.date(2024, 2, 29), dt.time(3, 4, 5), dt.timedelta(hours=30, minutes=5), True, None)
    path = workbook(tmp_path, rows(tuple(f"c{i}" for i in range(6)), values))
    assert read_book(path, [f"c{i}" for i in range(6)]).cells == [
        ("2024-01-02 03:04:05", "2024-02-29", "03:04:05", "30:05:00", "true", None)
    ]


def test_empty_rows_at_the_end_that_were_once_formatted(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        rows(HEADER, (1, "张三", 10))(sheet)
        sheet["A500"] = "x"
        sheet["A500"] = None
        sheet["B600"] = ""

    assert read_book(workbook(tmp_path, fill)).rows == [(1, ("1", "张三", "10"))]


def test_line_breaks_and_non_breaking_spaces_in_header_cells(tmp_path: Path) -> None:
    path = workbook(tmp_path, rows(("AQ \nin %", "erfasste\xa0Fälle"), (58, 7)))
    assert read_book(path, ["AQ in %", "erfasste Fälle"]).rows == [(1, ("58", "7"))]


def test_sheet_by_name_by_pattern_and_by_default_the_first_visible_one(tmp_path: Path) -> None:
    book = Workbook()
    hidden, first, second = book.active, book.create_sheet("一月 "), book.create_sheet("T01_二月")
    assert isinstance(hidden, Worksheet)
    hidden.sheet_state = "hidden"
    for number, sheet in enumerate((hidden, first, second)):
        rows(("编号",), (number,))(sheet)
    path = tmp_path / "calls.xlsx"
    book.save(path)
    assert read_book(path, ["编号"]).cells == [("1",)]
    assert read_book(path, ["编号"], sheet="一月").cells == [("1",)]
    assert read_book(path, ["编号"], sheet="/^T01/").cells == [("2",)]
    assert (
        read_book(path, ["编号"], sheet="/月/").message
        == "calls.xlsx: 'sheet: /月/' finds 2 sheets; the workbook has: Sheet, 一月 , T01_二月"
    )
    assert "finds no sheet" in read_book(path, ["编号"], sheet="三月").message


def test_repeated_header_inside_the_sheet(tmp_path: Path) -> None:
    path = workbook(tmp_path, rows(HEADER, (1, "张三", 10), HEADER, (2, "李四", 20)))
    outcome = read_book(path, repeated_header="skip")
    assert outcome.numbers == [1, 3]
    assert [(r.row_number, r.reason, r.filtered) for r in outcome.rejects] == [(2, "repeated_header", True)]
    assert read_book(path).rejects[0].filtered is False


def test_sheet_without_header(tmp_path: Path) -> None:
    path = workbook(tmp_path, rows((1, "张三"), (2, "李四", 20)))
    assert read_book(path, header_rows=0, names=HEADER).rows == [(1, ("1", "张三", None)), (2, ("2", "李四", "20"))]


def test_numbers_as_column_names(tmp_path: Path) -> None:
    assert read_book(workbook(tmp_path, rows(("地区", 2013, 2014.0), ("甲", 1, 2))), ["地区", "2013", "2014"]).cells == [("甲", "1", "2")]


def test_empty_workbook(tmp_path: Path) -> None:
    assert "ends before its header of 1 row(s) is complete" in read_book(workbook(tmp_path, rows())).message


def test_old_xls(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("一")
    style = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for column, name in enumerate(HEADER):
        sheet.write(0, column, name)
    sheet.write(1, 0, 7)
    sheet.write(1, 1, dt.datetime(2024, 1, 2), style)
    sheet.write(1, 2, 0.5)
    book.save(str(tmp_path / "calls.xls"))
    assert read_book(tmp_path / "calls.xls", kind="xls").rows == [(1, ("7", "2024-01-02", "0.5"))]
    assert read_book(tmp_path / "calls.xls", kind="xlsx").rows == [(1, ("7", "2024-01-02", "0.5"))]


def test_workbooks_inside_gz_and_zip(tmp_path: Path) -> None:
    content = workbook(tmp_path, rows(HEADER, (1, "张三", 10))).read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("一月.xlsx", content)
        archive.writestr("二月.xlsx", content)
    assert read_book(write(tmp_path, gzip.compress(content), name="a.gz")).numbers == [1]
    outcome = read_book(write(tmp_path, packed.getvalue(), name="a.zip"))
    assert [chunk.file_name for chunk in outcome.chunks] == ["a.zip!一月.xlsx", "a.zip!二月.xlsx"]


def test_corrupt_xlsx(tmp_path: Path) -> None:
    whole = workbook(tmp_path, rows(HEADER, *[(n, f"名{n}", n) for n in range(2000)])).read_bytes()
    assert "the workbook is damaged or cut off" in read_book(write(tmp_path, whole[: len(whole) // 2])).message
    flipped = bytearray(whole)
    flipped[whole.index(b"xl/worksheets/sheet1.xml") + 200] ^= 0xFF
    assert "the workbook is damaged or cut off" in read_book(write(tmp_path, bytes(flipped))).message


def test_zip_with_broken_xml_inside(tmp_path: Path) -> None:
    source = zipfile.ZipFile(workbook(tmp_path, rows(HEADER, (1, "张三", 10))))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name)[:300] if "sheet1" in name else source.read(name))
    assert "the workbook is damaged" in read_book(write(tmp_path, packed.getvalue())).message


@pytest.mark.parametrize("content", [b"<html><table><tr><td>1</td></tr></table></html>", b"\xef\xbb\xbf\r\n<table>"])
def test_html_page_under_the_name_of_a_workbook(tmp_path: Path, content: bytes) -> None:
    assert "is an HTML page under the name of a workbook" in read_book(write(tmp_path, content, name="calls.xls"), kind="xls").message


def test_zero_byte_workbook(tmp_path: Path) -> None:
    assert read_book(write(tmp_path, b"", name="calls.xlsx")).message == "calls.xlsx: is empty: it holds no workbook"


def test_csv_under_the_name_of_a_workbook(tmp_path: Path) -> None:
    assert "the workbook is damaged (Cannot detect file format)" in read_book(write(tmp_path, "编号,姓名\n1,a\n")).message


def test_xlsx_that_is_a_zip_bomb(tmp_path: Path) -> None:
    path = workbook(tmp_path, rows(HEADER, (1, "张三", 10)))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/filler.xml", b" " * 8_000_000)
    tight = dataclasses.replace(DEFAULT_LIMITS, ratio_from_bytes=1_000_000)
    assert "the workbook expands more than 200-fold: taken for a zip bomb" in read_book(path, limits=tight).message
    small = dataclasses.replace(DEFAULT_LIMITS, document_bytes=1_000_000)
    assert "unpacks to more than the limit of 1,000,000 bytes" in read_book(path, limits=small).message


def test_one_stray_cell_in_the_farthest_corner(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        rows(HEADER, (1, "张三", 10))(sheet)
        sheet["XFD1048576"] = "x"

    message = read_book(workbook(tmp_path, fill)).message
    assert "cannot be opened within 4,096 MiB of memory" in message
    assert "a cell far outside the table makes it huge; clear such cells or have it delivered as csv" in message


def test_sheet_of_more_cells_than_the_limit(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        rows(HEADER, (1, "张三", 10))(sheet)
        sheet["T500"] = "x"

    path = workbook(tmp_path, fill)
    assert len(read_book(path).rows) == 2
    limits = dataclasses.replace(DEFAULT_LIMITS, workbook_cells=9_999)
    assert read_book(path, limits=limits).message == (
        "calls.xlsx: sheet 'Sheet' reaches to row 500 and column 20, more than the limit of 9,999 cells: "
        "clear the cells outside the table, or have it delivered as csv"
    )


def test_sheet_that_names_a_row_beyond_the_last(tmp_path: Path) -> None:
    path = workbook(tmp_path, rows(HEADER, (1, "张三", 10)))
    source = zipfile.ZipFile(path)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name).replace(b'r="A2"', b'r="A4294967295"'))
    assert read_book(write(tmp_path, packed.getvalue())).error is not None


def test_old_xls_whose_parts_go_in_circles(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    book.add_sheet("一").write(0, 0, "编号")
    buffer = io.BytesIO()
    book.save(buffer)
    content = bytearray(buffer.getvalue())
    table = 512 * (int.from_bytes(content[76:80], "little") + 1)
    for part in range(16):
        content[table + 4 * part : table + 4 * part + 4] = part.to_bytes(4, "little")
    small = dataclasses.replace(DEFAULT_LIMITS, workbook_memory=512 << 20)
    assert "cannot be opened within 512 MiB of memory" in read_book(write(tmp_path, bytes(content)), kind="xls", limits=small).message


def test_workbook_whose_parts_are_encrypted(tmp_path: Path) -> None:
    path = workbook(tmp_path, rows(HEADER))
    source = zipfile.ZipFile(path)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    locked = bytearray(packed.getvalue())
    position = -1
    while (position := locked.find(b"PK\1\2", position + 1)) >= 0:
        locked[position + 8] |= 1
    assert "the workbook is damaged or cut off" in read_book(write(tmp_path, bytes(locked))).message


def test_police_statistics_of_german_states(realdata: Path) -> None:
    folder = realdata / "de-pks-states"
    counted = {}
    for year in (2013, 2016, 2019):
        cases = ("erfasste Fälle", f"erfasste Fälle {year}")
        outcome = read_book(
            folder / f"PKS{year}.xlsx", [("Schlüssel", "Strft. Schl."), "Bundesland", cases, ("aufgeklärte Fälle", "Aufklärung")]
        )
        assert outcome.error is None and outcome.rejects == []
        total = [cells for cells in outcome.cells if cells[0] == "------"]
        counted[year] = (len(outcome.rows), sum(int(cells[2] or 0) for cells in total))
    assert counted[2013] == (14050, 2 * 5_961_662)
    assert counted[2019] == (18769, 2 * 5_436_401)
