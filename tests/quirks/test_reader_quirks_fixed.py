"""Lines of fixed width, as hosts and telephone exchanges write them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from ingest_kit import Bench, make_contract, make_entity
from reading import Outcome, read, write

from dagster_project.ingest.readers import fixed

FIELDS = [{"name": "id", "width": 3}, {"name": "name", "width": 6}, {"name": "n", "width": 4}]


def read_fixed(path: Path, wanted: Any = ("id", "name", "n"), **options: Any) -> Outcome:
    return read(path, wanted, **{"kind": "fixed", "fields": FIELDS, **options})


def in_gbk_bytes(path: Path, wanted: Any = ("id", "name", "n"), **options: Any) -> Outcome:
    return read_fixed(path, wanted, **{"encoding": "gbk", "widths_in": "bytes", **options})


def test_widths_in_bytes_of_gbk(tmp_path: Path) -> None:
    path = write(tmp_path, "001张三  1234\n002欧阳锋 12 \n003abcdef    \n", "gbk")
    assert in_gbk_bytes(path).rows == [(1, ("001", "张三", "1234")), (2, ("002", "欧阳锋", "12")), (3, ("003", "abcdef", None))]


def test_widths_in_characters(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        path = write(tmp_path, "001张三    1234\r\n002ab😀d  56  \r\n", encoding)
        assert read_fixed(path, encoding=encoding).cells == [("001", "张三", "1234"), ("002", "ab😀d", "56")], encoding


def test_short_and_long_lines_are_ragged(tmp_path: Path) -> None:
    outcome = in_gbk_bytes(write(tmp_path, "001张三  1234\n002张三  123\n003张三  12345\n004张三  1234\n", "gbk"))
    assert outcome.numbers == [1, 4]
    assert [(r.row_number, r.reason, r.detail) for r in outcome.rejects] == [
        (2, "ragged_row", "12 bytes, the fields take 13"),
        (3, "ragged_row", "14 bytes, the fields take 13"),
    ]
    assert outcome.rejects[0].shape == "999文文  999"


def test_character_cut_by_its_width_rejects_its_line_only(tmp_path: Path) -> None:
    half = b"002" + "张三李".encode("gbk")[:5] + "四".encode("gbk")[:1] + b"1234\n"
    shifted = b"003a" + "张三李".encode("gbk") + b"123\n"
    path = write(tmp_path, "001张三  1234\n".encode("gbk") + shifted + half.replace(b"002", b"004"))
    outcome = in_gbk_bytes(path)
    assert outcome.numbers == [1, 3] or [r.reason for r in outcome.rejects] == ["cut_character"]
    assert (2, "cut_character") in outcome.why
    assert "the end of 'name' cuts a character" in outcome.rejects[0].detail
    assert outcome.error is None


def test_character_cut_in_a_field_that_is_not_read(tmp_path: Path) -> None:
    outcome = in_gbk_bytes(write(tmp_path, b"003a" + "张三李".encode("gbk") + b"123\n"), ["id", "n"])
    assert (outcome.rows, outcome.why) == ([], [(1, "cut_character")])


def test_bytes_that_are_no_text_end_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "001张三  1234\n".encode("gbk") + b"002a\xff\xffabc1234\n003abcdef1234\n")
    outcome = in_gbk_bytes(path)
    assert outcome.numbers == [1]
    assert outcome.message.startswith("calls.csv, row 2: byte 0xff at position 19 is not gbk")
    outcome = read_fixed(write(tmp_path, b"001abcdef1234\n002a\xd5\xc5bc1234\n"))
    assert outcome.numbers == [1]
    assert outcome.message.startswith("calls.csv, row 2: byte 0xd5 at position 19 is not utf-8")


def test_widths_in_bytes_of_an_encoding_that_is_rewritten(tmp_path: Path) -> None:
    assert "say 'widths_in: characters'" in in_gbk_bytes(write(tmp_path, "x", "utf-16"), encoding="utf-16").message


def test_title_lines_blank_lines_and_the_end_of_file_sign(tmp_path: Path) -> None:
    text = "TERMINALS 20240305\n\n001abcdef1234\n\n\r\n002abcdef1234\r\n\x1a"
    outcome = read_fixed(write(tmp_path, text), skip_rows=2)
    assert outcome.rows == [(1, ("001", "abcdef", "1234")), (2, ("002", "abcdef", "1234"))]


def test_nul_padding_rejects_its_line(tmp_path: Path) -> None:
    outcome = read_fixed(write(tmp_path, "001ab\0\0\0\x001234\n002abcdef1234\n"))
    assert (outcome.numbers, outcome.why) == ([2], [(1, "nul_byte")])


def test_ideographic_spaces_pad_too(tmp_path: Path) -> None:
    assert in_gbk_bytes(write(tmp_path, "001张三\u30001234\n", "gbk")).cells == [("001", "张三", "1234")]


def test_line_separators_of_unicode_end_no_line(tmp_path: Path) -> None:
    assert read_fixed(write(tmp_path, "001a\u2028b\x0bc 1234\n")).cells == [("001", "a\u2028b\x0bc", "1234")]


def test_empty_file_is_a_batch_of_no_rows(tmp_path: Path) -> None:
    outcome = read_fixed(write(tmp_path, b""))
    assert (outcome.rows, outcome.error) == ([], None)


def test_numbers_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed, "BLOCK_BYTES", 50)
    lines = [f"{i:03}张三  {i:4}" if i % 10 else f"{i:03}" for i in range(1, 101)]
    outcome = in_gbk_bytes(write(tmp_path, "\n".join(lines), "gbk"))
    assert outcome.numbers == [i for i in range(1, 101) if i % 10]
    assert outcome.cells[-1] == ("099", "张三", "99")
    assert [r.row_number for r in outcome.rejects] == list(range(10, 101, 10))


def test_inside_gz_cut_off(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"{i % 1000:03}abcdef{i * 7919 % 10_000:4}\n" for i in range(50_000)).encode())
    outcome = read_fixed(write(tmp_path, whole[: len(whole) // 2]))
    assert 0 < len(outcome.rows) < 50_000
    assert f"row {len(outcome.rows) + 1}: the gz ends before its end mark" in outcome.message


def test_balance_of_a_batch_with_ragged_and_cut_lines(tmp_path: Path) -> None:
    entity = make_entity(name={"type": "text"}, n={"type": "integer"})
    shape = {"kind": "fixed", "fields": FIELDS, "encoding": "gbk", "widths_in": "bytes"}
    bench = Bench(tmp_path, entity, make_contract({"name": "name", "n": "n"}, format=shape))
    bench.deliver("2024-03-05.txt", "001张三  1234\n002张三  12\n003a张三李123\n004李四  x   \n".encode("gbk"))
    assert bench.night().status == "ok"
    receipt = bench.receipts()["2024-03-05 things/2024-03-05.txt"]
    assert (receipt.rows_read, receipt.rows_accepted, receipt.rows_quarantined) == (4, 1, 3)
    reasons = {q["row_number"]: list(q["reasons"]) for q in bench.quarantine()}
    assert reasons == {2: ["ragged_row"], 3: ["cut_character"], 4: ["bad_type:n"]}
