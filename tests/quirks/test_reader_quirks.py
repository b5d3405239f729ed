"""Delimited files as real systems deliver them. Each test is named after the quirk it pins."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import pytest
from reading import HEADER, delivered, read, write

from dagster_project.contracts.model import Format
from dagster_project.ingest.readers import DEFAULT_LIMITS, UnreadableFile, read_file

TEXT = "编号,姓名,金额\n1,张三,10\n2,李四,20\n3,王五,30\n"
ROWS = [(1, ("1", "张三", "10")), (2, ("2", "李四", "20")), (3, ("3", "王五", "30"))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "gb2312", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "hz"])
def test_encodings_of_mainland_systems(tmp_path: Path, encoding: str) -> None:
    outcome = read(write(tmp_path, TEXT, encoding), encoding=encoding)
    assert (outcome.rows, outcome.error) == (ROWS, None)


@pytest.mark.parametrize("encoding", ["big5", "cp950", "big5hkscs"])
def test_encodings_of_taiwan_and_hong_kong(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "編號,功能\n1,許蓋功\n", encoding)  # 許, 蓋 and 功 end in a backslash byte
    assert read(path, ["編號", "功能"], encoding=encoding).rows == [(1, ("1", "許蓋功"))]


@pytest.mark.parametrize("encoding", ["shift_jis", "cp932", "euc_jp", "iso2022_jp"])
def test_encodings_of_japanese_systems(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "罪名,手口\n窃盗,自動車盗\n窃盗,ソ能表十\n", encoding)  # ソ, 能, 表 and 十 end in a backslash byte
    assert read(path, ["罪名", "手口"], encoding=encoding).rows == [(1, ("窃盗", "自動車盗")), (2, ("窃盗", "ソ能表十"))]


@pytest.mark.parametrize("encoding", ["cp949", "euc_kr", "johab"])
def test_encodings_of_korean_systems(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "번호,유형\n1,절도\n", encoding)
    assert read(path, ["번호", "유형"], encoding=encoding).rows == [(1, ("1", "절도"))]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "iso8859-15", "cp850", "mac-roman"])
def test_encodings_of_western_systems(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "Schlüssel;Länder\n1;Köln\n", encoding)
    assert read(path, ["Schlüssel", "Länder"], encoding=encoding, delimiter=";").rows == [(1, ("1", "Köln"))]


def test_byte_order_mark_of_utf8_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert read(write(tmp_path, b"\xef\xbb\xbf" + TEXT.encode())).rows == ROWS


def test_byte_order_mark_of_gb18030_is_dropped(tmp_path: Path) -> None:
    assert read(write(tmp_path, b"\x84\x31\x95\x33" + TEXT.encode("gb18030")), encoding="gb18030").rows == ROWS


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_byte_order_mark_is_told_by_its_zero_bytes(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "id,name\n1,张三\n", encoding)
    assert read(path, ["id", "name"], encoding="utf-16").rows == [(1, ("1", "张三"))]


def test_byte_order_mark_that_contradicts_the_contract(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, TEXT, "utf-16"), encoding="utf-8")
    assert outcome.message == "calls.csv: starts with the byte order mark of UTF-16-LE, the contract says utf-8"


def test_utf16_read_as_utf8_says_what_the_zero_bytes_mean(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "id,name\n1,a\n", "utf-16-le"), ["id", "name"])
    assert "the header holds NUL bytes: is the encoding UTF-16" in outcome.message


def test_wrong_encoding_names_row_and_byte_and_keeps_the_rows_before(tmp_path: Path) -> None:
    content = TEXT.encode() + "4,赵六,40\n".encode("gb18030") + b"5,x,50\n"
    outcome = read(write(tmp_path, content))
    assert outcome.rows == ROWS
    position = len(TEXT.encode()) + 2
    wrong = content[position]
    assert outcome.message == (
        f"calls.csv, row 4: byte 0x{wrong:02x} at position {position + 1} is not utf-8; "
        "correct 'encoding' in the contract or have the file delivered again"
    )
    assert outcome.error is not None and outcome.error.row == 4


def test_wrong_encoding_in_a_double_byte_text_names_row_and_byte(tmp_path: Path) -> None:
    content = TEXT.encode("gb18030") + b"4,\xd5\xc5\xff\xfe,40\n"
    outcome = read(write(tmp_path, content), encoding="gb18030")
    assert outcome.rows == ROWS
    assert outcome.message.startswith(f"calls.csv, row 4: byte 0xff at position {content.index(0xFF) + 1:,} is not gb18030")


def test_half_a_character_before_a_comma_does_not_swallow_the_comma(tmp_path: Path) -> None:
    content = TEXT.encode("gb18030") + b"4,\xd5,40\n5,\xd5\xc5,50\n"
    outcome = read(write(tmp_path, content), encoding="gb18030")
    assert outcome.rows == ROWS
    assert outcome.message.startswith("calls.csv, row 4: byte 0xd5")


def test_wrong_bytes_in_a_column_that_is_not_read_do_no_harm(tmp_path: Path) -> None:
    content = TEXT.encode() + b"4,\xd5\xc5,40\n"
    assert read(write(tmp_path, content), ["编号", "金额"]).cells[3] == ("4", "40")


def test_utf8_rows_under_a_gb18030_contract_are_recognised(tmp_path: Path) -> None:
    content = "编号,姓名,金额\n1,张三,10\n".encode("gb18030") + "2,李四啊,20\n".encode()
    outcome = read(write(tmp_path, content), encoding="gb18030")
    assert outcome.numbers == [1]
    assert outcome.message.endswith("(the bytes of this row are valid UTF-8)")


def test_utf16_cut_in_the_middle_of_a_character(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, TEXT.encode("utf-16-le")[:-1]), encoding="utf-16-le")
    assert outcome.numbers == [1, 2]
    assert outcome.error is not None and outcome.error.row == 3


def test_unknown_encoding_in_the_contract(tmp_path: Path) -> None:
    assert "the contract's encoding 'gb99999' is unknown" in read(write(tmp_path, TEXT), encoding="gb99999").message
    assert "is no encoding of text" in read(write(tmp_path, TEXT), encoding="rot13").message


def test_ragged_rows_are_rejected_with_their_number_and_masked_shape(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名,金额\n1,张三,10\n2,李四\n3,王五,30,多余\n\n4,Ann Lee,40\n"))
    assert outcome.rows == [(1, ("1", "张三", "10")), (4, ("4", "Ann Lee", "40"))]
    assert [(r.row_number, r.reason, r.detail, r.shape) for r in outcome.rejects] == [
        (2, "ragged_row", "2 columns, the header has 3", "9,文文"),
        (3, "ragged_row", "4 columns, the header has 3", "9,文文,99,文文"),
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "shift_jis", "utf-16"])
def test_ragged_rows_in_texts_that_are_not_utf8(tmp_path: Path, encoding: str) -> None:
    outcome = read(write(tmp_path, "番号,氏名,金\n1,山田,10\n2,鈴木\n3,田中,30\n", encoding), ["番号", "氏名", "金"], encoding=encoding)
    assert outcome.rows == [(1, ("1", "山田", "10")), (3, ("3", "田中", "30"))]
    assert [(r.row_number, r.shape) for r in outcome.rejects] == [(2, "9,文文")]


def test_row_numbers_stay_right_after_rejects_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.ingest.readers.delimited.BLOCK_BYTES", 256)
    lines = [f"{n},名{n},{n * 10}" if n % 7 else f"{n},名{n}" for n in range(1, 1001)]
    outcome = read(write(tmp_path, "编号,姓名,金额\n" + "\n".join(lines) + "\n", "gb18030"), encoding="gb18030")
    assert outcome.why == [(n, "ragged_row") for n in range(7, 1001, 7)]
    assert outcome.rows == [(n, (str(n), f"名{n}", str(n * 10))) for n in range(1, 1001) if n % 7]


def test_every_row_ragged(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名,金额\n1;张三;10\n2;李四;20\n"))
    assert (outcome.rows, outcome.why, outcome.error) == ([], [(1, "ragged_row"), (2, "ragged_row")], None)


def test_no_personal_value_survives_in_a_shape(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名,金额\n1,欧阳Xiu,13800138000,ひらカナ한글é,①٣\n"))
    assert outcome.rejects[0].shape == "9,文文xxx,99999999999,文文文文文文x,99"


def test_nul_bytes_reject_the_row_and_lose_nothing(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名,金额\n1,张三,10\n2,李\0四,20\n3,王五,30\n\0\0\0\n4,赵六,40\n"))
    assert outcome.rows == [(1, ("1", "张三", "10")), (3, ("3", "王五", "30")), (5, ("4", "赵六", "40"))]
    assert outcome.why == [(2, "nul_byte"), (4, "nul_byte")]
    assert outcome.rejects[0].shape == "9,文␀文,99"


def test_nul_byte_in_a_column_that_is_not_read_rejects_the_row_too(tmp_path: Path) -> None:
    assert read(write(tmp_path, "编号,姓名,金额\n1,张\0三,10\n"), ["编号"]).why == [(1, "nul_byte")]


def test_quoted_newlines_and_doubled_quotes(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, '编号,姓名,金额\n1,"张\n三\r\n""小张""",10\n2,"李,四",20\n3,"",30\n'))
    assert outcome.rows == [(1, ("1", '张\n三\r\n"小张"', "10")), (2, ("2", "李,四", "20")), (3, ("3", "", "30"))]


def test_quoted_newlines_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.ingest.readers.delimited.BLOCK_BYTES", 64)
    lines = [f'{n},"第一行{n}\n第""二""行\n{"长" * (n % 50)}",{n}' for n in range(1, 301)]
    outcome = read(write(tmp_path, "编号,姓名,金额\n" + "\n".join(lines) + "\n", "gb18030"), encoding="gb18030")
    assert outcome.rows == [(n, (str(n), f'第一行{n}\n第"二"行\n{"长" * (n % 50)}', str(n))) for n in range(1, 301)]


def test_inch_marks_inside_cells_are_no_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.ingest.readers.delimited.BLOCK_BYTES", 64)
    lines = [f'{n},显示器{n}" 旧,"带,逗号\n{n}"' for n in range(1, 101)]
    outcome = read(write(tmp_path, "编号,姓名,金额\n" + "\n".join(lines) + "\n"))
    assert outcome.rows == [(n, (str(n), f'显示器{n}" 旧', f"带,逗号\n{n}")) for n in range(1, 101)]


def test_text_behind_a_closing_quote_belongs_to_the_cell(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, '编号,姓名,金额\n1,"张"三,10\n2,李四\n3,"王"五,30\n'))
    assert outcome.rows == [(1, ("1", "张三", "10")), (3, ("3", "王五", "30"))]
    assert outcome.why == [(2, "ragged_row")]


def test_quote_that_is_never_closed(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, '编号,姓名,金额\n1,张三,10\n2,"李四,20\n3,王五,30\n'))
    assert outcome.rows == [(1, ("1", "张三", "10"))]
    assert outcome.message == (
        "calls.csv, row 2: a quote is opened in this row and never closed; if the delivery never quotes, say 'quote: null' in the contract"
    )


def test_delivery_that_never_quotes(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, '编号,姓名,金额\n1,"张三,10\n2,李"四",20\n'), quote=None)
    assert outcome.rows == [(1, ("1", '"张三', "10")), (2, ("2", '李"四"', "20"))]


def test_single_quotes_as_quotes(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名,金额\n1,'张,三',10\n2,O''Neil,'2''0'\n"), quote="'")
    assert outcome.cells == [("1", "张,三", "10"), ("2", "O''Neil", "2'0")]


def test_line_of_100_mb_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    with path.open("wb") as file:
        file.write("编号,姓名,金额\n1,张三,10\n2,".encode())
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b",20\n3,a,30\n")
    tracemalloc.start()
    outcome = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcome.rows == [(1, ("1", "张三", "10"))]
    assert outcome.message == "calls.csv, row 2: this row is longer than the limit of 16,777,216 bytes"
    assert peak < 100_000_000


def test_long_line_behind_an_open_quote_hints_at_the_quote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.ingest.readers.delimited.BLOCK_BYTES", 256)
    limits = dataclasses.replace(DEFAULT_LIMITS, record_bytes=1000)
    outcome = read(write(tmp_path, '编号,姓名,金额\n1,张三,10\n2,"李四,20\n' + "3,王五,30\n" * 500), limits=limits)
    assert outcome.numbers == [1]
    assert "row 2: this row is longer than the limit of 1,000 bytes; a quote may be opened in it and never closed" in outcome.message


def test_line_just_within_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.ingest.readers.delimited.BLOCK_BYTES", 256)
    limits = dataclasses.replace(DEFAULT_LIMITS, record_bytes=1000)
    outcome = read(write(tmp_path, f"编号,姓名,金额\n1,{'x' * 990},10\n2,a,20\n"), limits=limits)
    assert (outcome.numbers, outcome.error) == ([1, 2], None)


def test_repeated_header_is_rejected(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名,金额\n1,张三,10\n编号,姓名,金额\n2,李四,20\n", "gb18030"), encoding="gb18030")
    assert outcome.rows == [(1, ("1", "张三", "10")), (3, ("2", "李四", "20"))]
    assert [(r.row_number, r.reason, r.filtered) for r in outcome.rejects] == [(2, "repeated_header", False)]


def test_repeated_header_is_filtered_where_the_contract_expects_it(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, '编号,姓名,金额\n"编号","姓名","金额"\n1,张三,10\n编号,姓名,金额\n'), repeated_header="skip")
    assert outcome.rows == [(2, ("1", "张三", "10"))]
    assert [(r.row_number, r.reason, r.filtered) for r in outcome.rejects] == [(1, "repeated_header", True), (3, "repeated_header", True)]


def test_files_put_together_with_their_headers_and_byte_order_marks(tmp_path: Path) -> None:
    one = b"\xef\xbb\xbf" + TEXT.encode()
    outcome = read(write(tmp_path, one + one), repeated_header="skip")
    assert outcome.why == [(4, "repeated_header")]
    assert outcome.cells == [cells for _, cells in ROWS + ROWS]


def test_row_that_shares_only_some_cells_with_the_header_is_data(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名,金额\n编号,姓名,10\n"), ["编号", "姓名"])
    assert (outcome.rows, outcome.rejects) == ([(1, ("编号", "姓名"))], [])


def test_doubled_header_block_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "编号,姓名,编号,姓名\n1,张三,1,张三\n")
    assert "column '编号' is delivered 2 times, as columns 1, 3" in read(path, ["编号", "姓名"]).message


def test_doubled_header_block_is_read_once_where_the_contract_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "编号,姓名,编号,姓名\n1,张三,8,八\n")
    assert read(path, ["编号", "姓名"], repeated_columns="first").rows == [(1, ("1", "张三"))]


def test_repeated_names_of_columns_that_are_not_read_do_no_harm(tmp_path: Path) -> None:
    assert read(write(tmp_path, "编号,备注,备注,,\n1,a,b,,\n"), ["编号"]).rows == [(1, ("1",))]


def test_title_rows_above_the_header(tmp_path: Path) -> None:
    text = "某市公安局接警情况统计表\n\n制表日期：2024年1月31日,,\n" + TEXT
    assert read(write(tmp_path, text, "gbk"), encoding="gbk", skip_rows=3).rows == ROWS


def test_header_found_by_one_of_its_cells(tmp_path: Path) -> None:
    assert read(write(tmp_path, "某市统计表\n制表,,\n" + TEXT), header_contains="姓名").rows == ROWS
    outcome = read(write(tmp_path, TEXT), header_contains="不在")
    assert "none of the first 1,000 rows holds the cell '不在'" in outcome.message


def test_header_of_two_levels_with_cells_merged_sideways_and_downwards(tmp_path: Path) -> None:
    path = write(tmp_path, "序号,案件,,备注\n,编号,类别,\n1,A01,盗窃,无\n")
    assert read(path, ["序号", "案件/编号", "案件/类别", "备注"], header_rows=2).rows == [(1, ("1", "A01", "盗窃", "无"))]


def test_delivery_without_header(tmp_path: Path) -> None:
    path = write(tmp_path, "1,张三,10\n2,李四,20\n3,王五,30\n")
    assert read(path, header_rows=0, names=HEADER).rows == ROWS


def test_header_that_suddenly_appears_in_a_delivery_without_header(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, TEXT), header_rows=0, names=HEADER)
    assert outcome.why == [(1, "repeated_header")]
    assert outcome.numbers == [2, 3, 4]


def test_every_line_is_one_quoted_string(tmp_path: Path) -> None:
    path = write(tmp_path, '"0,3,""b, c"""\r\n"1,5,d"\r\n', "utf-16")
    outcome = read(path, ["D", "X1", "X2"], encoding="utf-16", quoted_lines=True, header_rows=0, names=("D", "X1", "X2"))
    assert outcome.rows == [(1, ("0", "3", "b, c")), (2, ("1", "5", "d"))]


def test_line_breaks_and_odd_spaces_in_header_cells(tmp_path: Path) -> None:
    path = write(tmp_path, '"AQ \nin %",案件\u3000编号,"Straftat\xa0 insgesamt "\n58.0,7,x\n')
    assert read(path, ["AQ in %", "案件 编号", "Straftat insgesamt"]).rows == [(1, ("58.0", "7", "x"))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_three_worlds(tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.ingest.readers.delimited.BLOCK_BYTES", 16)
    assert read(write(tmp_path, TEXT.replace("\n", end))).rows == ROWS


def test_last_line_without_line_end(tmp_path: Path) -> None:
    assert read(write(tmp_path, TEXT.rstrip("\n"))).rows == ROWS


def test_end_of_file_sign_of_dos(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, TEXT.replace("\n", "\r\n") + "\x1a"))
    assert (outcome.rows, outcome.rejects) == (ROWS, [])


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert read(write(tmp_path, TEXT.replace("2,", "\n\n2,") + "\n\n")).rows == ROWS


def test_tabs_as_delimiter(tmp_path: Path) -> None:
    assert read(write(tmp_path, TEXT.replace(",", "\t")), kind="tsv").rows == ROWS


def test_bars_as_delimiter_in_gb18030_where_a_bar_can_be_half_a_character(tmp_path: Path) -> None:
    text = "编号|姓名\n1|瓅珅\n".replace("瓅", b"\xad\x7c".decode("gb18030"))
    outcome = read(write(tmp_path, text, "gb18030"), ["编号", "姓名"], encoding="gb18030", delimiter="|")
    assert outcome.rows == [(1, ("1", text.split("|")[-1].strip()))]


def test_zero_byte_file_of_a_delivery_with_header(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, b""))
    assert outcome.message == "calls.csv: is empty: a header must be delivered even when there are no data rows"


def test_zero_byte_file_of_a_delivery_without_header_holds_no_rows(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, b""), header_rows=0, names=HEADER)
    assert (outcome.rows, outcome.rejects, outcome.error) == ([], [], None)


def test_header_without_rows(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名,金额\n"))
    assert (outcome.rows, outcome.rejects, outcome.error) == ([], [], None)


def test_renamed_column_is_named_with_the_closest_delivered_one(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名（脱敏）,金额\n1,张三,10\n"), ["编号", ("姓名", "当事人姓名"), "金额"])
    assert outcome.message == (
        "calls.csv: no column '姓名' or '当事人姓名' is delivered (the closest delivered name is '姓名（脱敏）': "
        "add it to 'from' if it is the same column). Delivered columns: 编号, 姓名（脱敏）, 金额"
    )


def test_missing_column_lists_what_is_delivered(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "编号,姓名\n1,张三\n"))
    assert outcome.message == "calls.csv: no column '金额' is delivered. Delivered columns: 编号, 姓名"


def test_missing_header_does_not_put_the_first_record_into_the_message(tmp_path: Path) -> None:
    message = read(write(tmp_path, "11010119900101123X,张三丰,13800138000\n")).message
    assert "may be a record; it looks like: 99999999999999999x, 文文文, 99999999999" in message
    assert "张三丰" not in message and "138" not in message


def test_extra_column_that_the_contract_does_not_know(tmp_path: Path) -> None:
    path = write(tmp_path, "编号,姓名,金额,新列,备注\n1,张三,10,x,y\n")
    assert read(path, ["编号"], known=["姓名"], ignore=["金额", "备注", "新列"]).error is None
    message = read(path, ["编号"], known=["姓名"], ignore=["金额", "备注"]).message
    assert message == "calls.csv: columns the contract does not know: 新列; map them under 'columns' or name them under 'ignore'"


def test_optional_column_may_be_missing(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, TEXT), ["编号"], optional=[("备注",), ("金额",)])
    assert outcome.chunks[0].columns.column_names == ["编号", "金额"]
    assert outcome.numbers == [1, 2, 3]


def test_column_order_of_the_delivery_does_not_matter(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, "金额,编号,姓名\n10,1,张三\n"))
    assert outcome.chunks[0].columns.to_pylist() == [{"金额": "10", "编号": "1", "姓名": "张三"}]


def test_file_that_changes_while_it_is_read_is_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    parts = read_file(delivered(path), Format(kind="csv"), [("编号",)])
    next(parts)
    path.write_text(TEXT + "4,赵六,40\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="was changed while it was read"):
        list(parts)


def test_file_that_changed_since_it_was_found_is_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    file = delivered(path)
    path.write_text(TEXT + "4,赵六,40\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="has changed or gone since it was found"):
        list(read_file(file, Format(kind="csv"), [("编号",)]))


def test_workbook_delivered_as_csv(tmp_path: Path) -> None:
    assert "Excel 97 workbook" in read(write(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512)).message


def test_survey_and_thefts_of_the_real_world(realdata: Path) -> None:
    names = ("D", "X1", "X2", "X3", "X4", "X5", "X6")
    folder = realdata / "somerville-survey"
    file = "SomervilleHappinessSurvey2015.csv"
    headless = read(folder / "utf16le-noheader" / file, ["X5"], encoding="utf-16", quoted_lines=True, header_rows=0, names=names)
    marked = read(folder / "utf8bom-header" / file, ["X5"])
    assert len(headless.rows) == len(marked.rows) == 143
    assert sum(cells[0] in {"4", "5"} for cells in headless.cells) == sum(cells[0] in {"4", "5"} for cells in marked.cells) == 90
    doubled = realdata / "jp-hokkaido-2018" / "hokkaido_2018zidousyatou.csv"
    assert len(read(doubled, ["手口"], encoding="cp932", repeated_columns="first").rows) == 103
    assert "is delivered 2 times" in read(doubled, ["手口"], encoding="cp932").message
