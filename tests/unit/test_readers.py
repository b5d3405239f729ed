"""What all readers share: which columns are read, under which name, in which pieces, and what is safe to show."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from reading import delivered, read, write

from dagster_project.contracts.model import Format
from dagster_project.ingest.landing import DeliveredFile
from dagster_project.ingest.readers import RawChunk, UnreadableFile, delimited, delivered_as, read_file, shape_of
from dagster_project.ingest.readers.header import Request, join_levels, pick_columns
from dagster_project.ingest.readers.records import Dialect, find_records

ROWS = "编号,姓名,金额\n" + "".join(f"{n},名{n},{n}\n" for n in range(1, 1001))


def request(*wanted: tuple[str, ...], optional: tuple[tuple[str, ...], ...] = ()) -> Request:
    return Request(wanted, optional)


def test_first_alias_present_is_read() -> None:
    picked = pick_columns(["no", "案号", "编号"], request(("编号", "案号"), ("none", "no")))
    assert [(p.position, p.name) for p in picked] == [(2, "编号"), (0, "no")]


def test_column_wanted_twice_is_read_once() -> None:
    assert [(p.position, p.name) for p in pick_columns(["月份"], request(("月份",), ("月份",)))] == [(0, "月份")]


def test_column_without_name_is_called_by_its_position() -> None:
    assert [p.position for p in pick_columns(["a", "", " "], request(("a",), ("#3",)))] == [0, 2]


def test_columns_keep_the_spelling_of_the_contract() -> None:
    assert [p.name for p in pick_columns(["AQ\xa0\nin %"], request(("AQ  in %",)))] == ["AQ  in %"]


def test_several_missing_columns_are_all_named() -> None:
    with pytest.raises(UnreadableFile, match=r"no column 'b' is delivered; no column 'c' or 'd' is delivered\. Delivered columns: a, zzz"):
        pick_columns(["a", "zzz"], request(("a",), ("b",), ("c", "d")))


def test_long_headers_are_cut_in_messages() -> None:
    with pytest.raises(UnreadableFile, match="c59 and 40 more"):
        pick_columns([f"c{n}" for n in range(100)], request(("c0",), ("missing",)))


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([["a", " b\n c "]], ["a", "b c"]),
        ([["案件", "", ""], ["编号", "类别", ""]], ["案件/编号", "案件/类别", ""]),
        ([["一", "", "二", ""], ["甲", "", "甲", ""], ["x", "y", "x", "y"]], ["一/甲/x", "一/甲/y", "二/甲/x", "二/甲/y"]),
        ([["一", "", "二"], ["甲", "", ""], ["x", "y", "z"]], ["一/甲/x", "一/甲/y", "二/z"]),
        ([["a"], ["", "b"]], ["a", "a/b"]),
    ],
)
def test_levels_of_a_header_are_joined(levels: list[list[str]], expected: list[str]) -> None:
    assert join_levels(levels) == expected


def test_merged_ranges_decide_what_is_repeated() -> None:
    levels = [["一", "", ""], ["x", "y", "z"]]
    assert join_levels(levels, [((0, 0), (0, 1))]) == ["一/x", "一/y", "z"]
    assert join_levels([["总", ""], ["", "y"]], [((-1, 0), (1, 0))]) == ["总", "y"]


def test_chunk_column_of_aliases() -> None:
    assert delivered_as(["AQ in %", "案号"], ("编号", "案号")) == "案号"
    assert delivered_as(["AQ in %"], ("AQ \nin %",)) == "AQ in %"
    assert delivered_as(["a"], ("b",)) is None


def test_chunks_are_bounded_and_hold_strings_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1024)
    monkeypatch.setattr(delimited, "CHUNK_ROWS", 100)
    outcome = read(write(tmp_path, ROWS, "gb18030"), encoding="gb18030")
    assert outcome.rows == [(n, (str(n), f"名{n}", str(n))) for n in range(1, 1001)]
    assert len(outcome.chunks) > 5
    assert max(len(chunk.row_numbers) for chunk in outcome.chunks) < 200
    for chunk in outcome.chunks:
        assert isinstance(chunk, RawChunk) and chunk.file_name == "calls.csv"
        assert set(chunk.columns.schema.types) == {pa.string()}
        assert chunk.row_numbers.type == pa.int64()


def test_only_wanted_columns_are_in_the_chunks(tmp_path: Path) -> None:
    assert read(write(tmp_path, ROWS), ["金额"]).chunks[0].columns.column_names == ["金额"]


def test_no_column_wanted_still_counts_the_rows(tmp_path: Path) -> None:
    chunks = read(write(tmp_path, ROWS), []).chunks
    assert sum(len(chunk.row_numbers) for chunk in chunks) == 1000
    assert chunks[0].columns.column_names == []


def test_reading_can_be_left_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1024)
    monkeypatch.setattr(delimited, "CHUNK_ROWS", 10)
    parts = read_file(delivered(write(tmp_path, ROWS)), Format(kind="csv"), [("编号",)])
    assert next(parts) is not None
    parts.close()


def test_file_that_is_gone(tmp_path: Path) -> None:
    file = DeliveredFile("calls", dt.date(2024, 1, 1), tmp_path / "gone.csv", "gone.csv", 1, 1)
    with pytest.raises(UnreadableFile, match=r"gone\.csv: has changed or gone since it was found"):
        list(read_file(file, Format(kind="csv"), [("编号",)]))


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("A1 张三,ひら カタ 한글", "x9 文文,文文 文文 文文"),
        ("12:30\t-5.0%\r\n", "99:99⇥-9.9%⏎⏎"),
        ("é Ωж ٣ Ⅷ ﾊﾝ", "x xx 9 9 文文"),
        ("\0\x1b🚓（）", "␀··（）"),
        ("x" * 500, "x" * 160 + "…"),
    ],
)
def test_shapes_show_no_letter_and_no_digit(text: str, shape: str) -> None:
    assert shape_of(text) == shape


def test_records_of_a_block() -> None:
    records = find_records(b'1,2\n\r\n"a\n,""b""",c,d\r\n,\n', Dialect(b",", b'"'))
    assert (records.starts.tolist(), records.ends.tolist(), records.cells.tolist()) == ([0, 6, 22], [3, 20, 23], [2, 3, 2])
