"""json, ndjson and Parquet as interfaces and other platforms deliver them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading import Outcome, read, write

from dagster_project.ingest.readers import DEFAULT_LIMITS, json_records, keyed

RECORDS = '[{"id":1,"name":"张三","reserver01":null},{"id":2,"name":"李四","reserver01":null}]'


def read_json(path: Path, wanted: Any = ("id", "name"), **options: Any) -> Outcome:
    return read(path, wanted, **{"kind": "json", **options})


def read_lines(path: Path, wanted: Any = ("id", "name"), **options: Any) -> Outcome:
    return read(path, wanted, **{"kind": "ndjson", **options})


def read_parquet(path: Path, wanted: Any, **options: Any) -> Outcome:
    return read(path, wanted, **{"kind": "parquet", **options})


def test_records_at_the_top_of_the_document(tmp_path: Path) -> None:
    assert read_json(write(tmp_path, RECORDS)).rows == [(1, ("1", "张三")), (2, ("2", "李四"))]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_documents_that_are_not_plain_utf8(tmp_path: Path, encoding: str) -> None:
    assert read_json(write(tmp_path, RECORDS, encoding), encoding=encoding).cells == [("1", "张三"), ("2", "李四")]


def test_records_deep_inside_an_envelope(tmp_path: Path) -> None:
    text = f'{{"code":0,"data":{{"total":2,"page":{{"list":[9]}},"list":{RECORDS}}},"msg":"成功","extra":[{{}},[1,[2]]]}}'
    assert read_json(write(tmp_path, text), records="data.list").cells == [("1", "张三"), ("2", "李四")]


def test_envelope_without_the_records(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, '{"code":500,"msg":"error","data":{}}'), records="data.list")
    assert outcome.message == "calls.csv, row 1: the document has no 'list' where 'records: data.list' looks for it"


def test_envelope_whose_records_are_null_holds_none(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, '{"data":{"list":null}}'), records="data.list")
    assert (outcome.rows, outcome.error) == ([], None)


def test_records_that_are_a_string(tmp_path: Path) -> None:
    assert "at 'data' stands a string, not an array of records" in read_json(write(tmp_path, '{"data":"busy"}'), records="data").message


def test_document_that_is_one_record(tmp_path: Path) -> None:
    assert read_json(write(tmp_path, '{"id":1,"name":"张三"}')).cells == [("1", "张三")]


def test_null_columns_and_absent_keys_are_no_values(tmp_path: Path) -> None:
    text = '[{"id":1,"reserver01":null,"name":"a"},{"id":2}]'
    assert read_json(write(tmp_path, text), ["id", "reserver01", "name"]).cells == [("1", None, "a"), ("2", None, None)]


def test_numbers_keep_the_text_they_were_delivered_in(tmp_path: Path) -> None:
    numbers = ["12345678901234567890", "0.10", "1e5", "-0", "54.499999999999999999", "1E+400"]
    text = "[{" + ",".join(f'"c{i}":{n}' for i, n in enumerate(numbers)) + "}]"
    assert read_json(write(tmp_path, text), [f"c{i}" for i in range(6)]).cells == [tuple(numbers)]


def test_nested_values_become_json_text_with_exact_numbers(tmp_path: Path) -> None:
    text = '[{"id":1,"name":{"zh": "张三", "ages": [1.50, null, true], "e": {}}},{"id":true,"name":[]}]'
    assert read_json(write(tmp_path, text)).cells == [("1", '{"zh":"张三","ages":[1.50,null,true],"e":{}}'), ("true", "[]")]


def test_document_that_is_cut_off_yields_the_records_before(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, RECORDS[:-30]))
    assert outcome.rows == [(1, ("1", "张三"))]
    assert outcome.message.startswith("calls.csv, row 2: the JSON is broken or cut off")


def test_document_cut_off_behind_its_records(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, '{"list":' + RECORDS), records="list")
    assert outcome.numbers == [1, 2]
    assert "row 3: the JSON is broken or cut off" in outcome.message


def test_document_broken_in_the_middle(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, '[{"id":1,"name":"a"},{"id":2,"name":}]'))
    assert outcome.numbers == [1]
    assert "row 2: the JSON is broken or cut off (Expecting value)" in outcome.message


def test_empty_document(tmp_path: Path) -> None:
    assert "it ends where a value is expected" in read_json(write(tmp_path, b"")).message
    assert read_json(write(tmp_path, "[]")).error is None


def test_lines_delivered_as_a_document(tmp_path: Path) -> None:
    assert (
        "if each line is a record of its own, say 'kind: ndjson'" in read_json(write(tmp_path, '{"id":1,"name":"a"}\n{"id":2}\n')).message
    )


def test_wrong_encoding_of_a_document(tmp_path: Path) -> None:
    content = b'[{"id":1,"name":"a"},' + '{"id":2,"name":"李"}]'.encode("gb18030")
    outcome = read_json(write(tmp_path, content))
    assert outcome.numbers == [1]
    assert f"row 2: byte 0x{content[37]:02x} at position 38 is not utf-8" in outcome.message


def test_records_that_are_no_objects_are_rejected_alone(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, '[{"id":1,"name":"a"},7,null,["张三"],{"id":2,"name":"b"}]'))
    assert outcome.numbers == [1, 5]
    assert [(r.row_number, r.reason, r.detail, r.shape) for r in outcome.rejects] == [
        (2, "bad_json", "the record is a number, not an object", "9"),
        (3, "bad_json", "the record is null, not an object", "xxxx"),
        (4, "bad_json", "the record is an array, not an object", '["文文"]'),
    ]


def test_record_that_names_a_key_twice_is_rejected(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, '[{"id":1,"name":"a","name":"b"},{"id":2,"name":{"x":1,"x":2}},{"id":3,"name":"c"}]'))
    assert outcome.numbers == [3]
    assert [(r.row_number, r.detail) for r in outcome.rejects] == [
        (1, "the record names a key twice"),
        (2, "an object in the record names a key twice"),
    ]


def test_nul_and_unpaired_surrogates_in_strings_are_rejected(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, r'[{"id":1,"name":"a\u0000b"},{"id":2,"name":"\ud800"},{"id":3,"name":"\ud83d\ude93"}]'))
    assert outcome.rows == [(3, ("3", "🚓"))]
    assert sorted(outcome.why) == [(1, "nul_byte"), (2, "bad_json")]


def test_line_breaks_and_tabs_inside_strings_are_kept(tmp_path: Path) -> None:
    assert read_json(write(tmp_path, '[{"id":1,"name":"a\n\tb"}]')).cells == [("1", "a\n\tb")]


def test_nesting_without_end(tmp_path: Path) -> None:
    outcome = read_json(write(tmp_path, '[{"id":1,"name":' + "[" * 100 + "]" * 100 + '},{"id":2,"name":"b"}]'))
    assert outcome.why == [(1, "bad_json")]
    assert outcome.numbers == [2]
    assert "it is nested too deeply" in read_json(write(tmp_path, "[" * 100_000)).message
    assert read_lines(write(tmp_path, "[" * 100_000 + '\n{"id":2,"name":"b"}\n')).numbers == [2]


def test_record_larger_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "READ_CHARACTERS", 256)
    limits = dataclasses.replace(DEFAULT_LIMITS, record_bytes=1000)
    text = f'[{{"id":1,"name":"a"}},{{"id":2,"name":"{"x" * 50_000}"}}]'
    outcome = read_json(write(tmp_path, text), limits=limits)
    assert outcome.numbers == [1]
    assert "one record is longer than the limit of 1,000 characters" in outcome.message


def test_records_and_numbers_across_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "READ_CHARACTERS", 7)
    monkeypatch.setattr(keyed, "CHUNK_ROWS", 3)
    records = [{"id": 10**n, "name": "名" * n} for n in range(20)]
    outcome = read_json(write(tmp_path, json.dumps({"total": 12345, "list": records}, ensure_ascii=False)), records="list")
    assert outcome.rows == [(n + 1, (str(10**n), "名" * n)) for n in range(20)]
    assert len(outcome.chunks) == 7


def test_missing_key_is_a_missing_column(tmp_path: Path) -> None:
    assert "no column 'phone' is delivered" in read_json(write(tmp_path, RECORDS), ["id", "phone"]).message
    assert "Delivered columns: id, name, reserver01" in read_json(write(tmp_path, RECORDS), ["id", "phone"]).message


def test_optional_key_that_comes_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "CHUNK_ROWS", 1)
    outcome = read_lines(write(tmp_path, '{"id":1}\n{"id":2,"name":"b"}\n'), ["id"], optional=[("name",)])
    assert [chunk.columns.to_pylist() for chunk in outcome.chunks] == [[{"id": "1"}], [{"id": "2", "name": "b"}]]


def test_column_that_changes_its_name_within_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "CHUNK_ROWS", 1)
    outcome = read_lines(write(tmp_path, '{"no":1}\n{"id":2}\n'), [("id", "no")])
    assert outcome.numbers == [1]
    assert "column 'no' comes under another name further down in the file" in outcome.message


def test_broken_lines_are_rejected_alone(tmp_path: Path) -> None:
    text = '{"id":1,"name":"张三"}\r\n{"id":2,"name":"李\n\n{"id":3,"name":"王\0"}\n7\n{"id":4,"name":"赵六"}'
    outcome = read_lines(write(tmp_path, text))
    assert outcome.rows == [(1, ("1", "张三")), (5, ("4", "赵六"))]
    assert sorted(outcome.why) == [(2, "bad_json"), (3, "nul_byte"), (4, "bad_json")]
    assert outcome.rejects[0].shape == '{"xx":9,"xxxx":"文'


def test_wrong_bytes_in_a_line_name_row_and_position(tmp_path: Path) -> None:
    content = b'\n{"id":1,"name":"a"}\n{"id":2,"name":"\xd5"}\n'
    outcome = read_lines(write(tmp_path, content))
    assert outcome.numbers == [1]
    assert f"row 2: byte 0xd5 at position {content.index(0xD5) + 1} is not utf-8" in outcome.message


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_lines_that_are_not_utf8(tmp_path: Path, encoding: str) -> None:
    assert read_lines(write(tmp_path, '{"id":1,"name":"张三"}\n', encoding), encoding=encoding).cells == [("1", "张三")]


def test_zero_byte_file_of_lines_holds_no_rows(tmp_path: Path) -> None:
    outcome = read_lines(write(tmp_path, b""))
    assert (outcome.rows, outcome.error) == ([], None)


def test_line_longer_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "_BLOCK_BYTES", 256)
    limits = dataclasses.replace(DEFAULT_LIMITS, record_bytes=1000)
    outcome = read_lines(write(tmp_path, f'{{"id":1,"name":"a"}}\n{{"id":2,"name":"{"x" * 5000}"}}\n'), limits=limits)
    assert outcome.numbers == [1]
    assert "row 2: this row is longer than the limit of 1,000 bytes" in outcome.message


def test_json_inside_zip(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("page1.json", RECORDS)
        archive.writestr("page2.json", RECORDS)
    assert read_json(write(tmp_path, packed.getvalue())).numbers == [1, 2, 1, 2]


def parquet(folder: Path, columns: dict[str, Any], name: str = "calls.parquet") -> Path:
    pq.write_table(pa.table(columns), folder / name, row_group_size=3)
    return folder / name


def test_every_parquet_type_becomes_text_that_loses_nothing(tmp_path: Path) -> None:
    columns = {
        "integer": pa.array([2**63 - 1], pa.int64()),
        "unsigned": pa.array([2**64 - 1], pa.uint64()),
        "whole_double": pa.array([370102199001011.0]),
        "double": pa.array([0.1 + 0.2]),
        "float": pa.array([0.1], pa.float32()),
        "decimal": pa.array([decimal.Decimal("-0.0000000010")], pa.decimal128(20, 10)),
        "boolean": pa.array([True]),
        "date": pa.array([dt.date(2024, 2, 29)]),
        "timestamp": pa.array([1704164645123456789], pa.timestamp("ns")),
        "zoned": pa.array([1704164645], pa.timestamp("s", "Asia/Shanghai")),
        "time": pa.array([3661], pa.time32("s")),
        "text": pa.array(["张三"]),
        "large": pa.array(["张三"], pa.large_string()),
        "coded": pa.array(["盗窃"]).dictionary_encode(),
        "unmarked": pa.array(["张三".encode()]),
        "nothing": pa.array([None], pa.string()),
        "list": pa.array([[1, None]]),
        "struct": pa.array([{"a": decimal.Decimal("1.50"), "b": dt.date(2024, 1, 2)}]),
    }
    outcome = read_parquet(parquet(tmp_path, columns), list(columns))
    assert outcome.chunks[0].columns.to_pylist() == [
        {
            "integer": "9223372036854775807",
            "unsigned": "18446744073709551615",
            "whole_double": "370102199001011",
            "double": "0.30000000000000004",
            "float": "0.1",
            "decimal": "-0.0000000010",
            "boolean": "true",
            "date": "2024-02-29",
            "timestamp": "2024-01-02 03:04:05.123456789",
            "zoned": "2024-01-02 11:04:05+08:00",
            "time": "01:01:01",
            "text": "张三",
            "large": "张三",
            "coded": "盗窃",
            "unmarked": "张三",
            "nothing": None,
            "list": "[1,null]",
            "struct": '{"a":"1.50","b":"2024-01-02"}',
        }
    ]
    assert set(outcome.chunks[0].columns.schema.types) == {pa.string()}


def test_only_the_wanted_parquet_columns_are_read(tmp_path: Path) -> None:
    outcome = read_parquet(parquet(tmp_path, {"编号": [1, 2, 3, 4], "姓名": ["a", "b", "c", "d"]}), ["编号"])
    assert outcome.rows == [(n, (str(n),)) for n in (1, 2, 3, 4)]
    assert "no column '电话' is delivered" in read_parquet(tmp_path / "calls.parquet", ["编号", "电话"]).message


def test_parquet_texts_in_gbk_bytes(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"姓名": pa.array(["张三".encode("gbk"), None, b"\xff"])})
    assert read_parquet(path, ["姓名"], encoding="gbk").message == "calls.parquet, row 3: column '姓名' holds bytes that are not gbk"


def test_parquet_text_that_is_not_the_utf8_it_says_it_is(tmp_path: Path) -> None:
    wrong = pa.array([b"a", b"\xd5\xc5"]).view(pa.string())
    outcome = read_parquet(parquet(tmp_path, {"姓名": wrong}), ["姓名"])
    assert outcome.message == "calls.parquet, row 2: column '姓名' holds bytes that are not utf-8"


def test_parquet_text_with_nul_rejects_the_row(tmp_path: Path) -> None:
    outcome = read_parquet(parquet(tmp_path, {"姓名": ["a", "b\0", None]}), ["姓名"])
    assert outcome.rows == [(1, ("a",)), (3, (None,))]
    assert [(r.row_number, r.reason, r.shape) for r in outcome.rejects] == [(2, "nul_byte", "x␀")]


def test_parquet_inside_gz(tmp_path: Path) -> None:
    content = parquet(tmp_path, {"编号": [1, 2]}).read_bytes()
    assert read_parquet(write(tmp_path, gzip.compress(content)), ["编号"]).numbers == [1, 2]


def test_corrupt_and_empty_parquet(tmp_path: Path) -> None:
    content = parquet(tmp_path, {"编号": list(range(1000))}).read_bytes()
    assert "the Parquet file is damaged or cut off" in read_parquet(write(tmp_path, content[:-20]), ["编号"]).message
    assert "the Parquet file is damaged or cut off" in read_parquet(write(tmp_path, b""), ["编号"]).message
    damaged = bytearray(content)
    damaged[8:400] = b"\xff" * 392
    assert "the Parquet file is damaged or cut off" in read_parquet(write(tmp_path, bytes(damaged)), ["编号"]).message
