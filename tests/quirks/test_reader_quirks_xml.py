"""xml as exchange platforms between bureaus deliver it, and as an attacker would."""

from __future__ import annotations

import dataclasses
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ingest_kit import Bench, make_contract, make_entity
from reading import Outcome, read, write

from dagster_project.ingest.readers import DEFAULT_LIMITS, keyed, xml_records

CALLS = (
    "<answer><head><code>0</code></head><calls><call id='1'><name>张三</name></call><call id='2'><name>李四</name></call></calls></answer>"
)
ROWS = [(1, ("1", "张三")), (2, ("2", "李四"))]


def read_xml(path: Path, wanted: Any = ("@id", "name"), **options: Any) -> Outcome:
    return read(path, wanted, **{"kind": "xml", "records": "answer/calls/call", **options})


def declared(encoding: str, body: str = CALLS) -> str:
    return f'<?xml version="1.0" encoding="{encoding}" standalone="yes"?>\r\n{body}'


@pytest.mark.parametrize("encoding", ["utf-8", "GB18030", "gbk", "GB2312", "big5"])
def test_declared_encoding_is_believed(tmp_path: Path, encoding: str) -> None:
    assert read_xml(write(tmp_path, declared(encoding, CALLS.replace("张三", "張三")), encoding.replace("GB2312", "gbk"))).rows == [
        (1, ("1", "張三")),
        (2, ("2", "李四")),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_mark_goes_before_the_declaration(tmp_path: Path, encoding: str) -> None:
    assert read_xml(write(tmp_path, declared("utf-8"), encoding)).rows == ROWS


def test_utf_16_without_mark_or_declaration(tmp_path: Path) -> None:
    assert read_xml(write(tmp_path, CALLS, "utf-16-be")).rows == ROWS


def test_declared_gb2312_holds_characters_of_gb18030(tmp_path: Path) -> None:
    text = declared("GB2312", CALLS.replace("张三", "朱镕基䶮"))
    assert read_xml(write(tmp_path, text, "gb18030")).cells[0] == ("1", "朱镕基䶮")


def test_wrong_declaration_names_the_byte(tmp_path: Path) -> None:
    outcome = read_xml(write(tmp_path, declared("utf-8"), "gbk"))
    assert outcome.rows == []
    assert "row 1: byte 0xd5 at position" in outcome.message and "is not utf-8" in outcome.message


def test_wrong_declaration_is_put_right_by_the_contract(tmp_path: Path) -> None:
    assert read_xml(write(tmp_path, declared("utf-8"), "gbk"), encoding="gbk").rows == ROWS


def test_text_that_declares_utf_16_and_is_not(tmp_path: Path) -> None:
    assert "declares the encoding 'utf-16' and is not written in it" in read_xml(write(tmp_path, declared("utf-16"))).message
    assert read_xml(write(tmp_path, declared("utf-16")), encoding="utf-8").rows == ROWS


def test_declared_encoding_that_does_not_exist(tmp_path: Path) -> None:
    assert "declares the encoding 'GB-1803O', which is none" in read_xml(write(tmp_path, declared("GB-1803O"))).message


def test_cdata_with_markup_inside_and_split_cdata(tmp_path: Path) -> None:
    body = "<r><c><a>x<![CDATA[<b>&amp;</b>]]>y</a><d><![CDATA[a]]]]><![CDATA[>b]]></d></c></r>"
    assert read(write(tmp_path, body), ["a", "d"], kind="xml", records="r/c").cells == [("x<b>&amp;</b>y", "a]]>b")]


def test_attributes_nested_elements_and_namespaces(tmp_path: Path) -> None:
    body = (
        '<x:r xmlns:x="urn:a" xmlns="urn:b"><x:c x:id="7"><caller kind="p"><name>张</name></caller><tel/><!-- no --><note>a<?pi?>b</note>'
        "</x:c></x:r>"
    )
    wanted = ["@id", "caller/@kind", "caller/name", "tel", "note"]
    assert read(write(tmp_path, body), wanted, kind="xml", records="r/c").cells == [("7", "p", "张", None, "ab")]


def test_text_beside_child_elements_and_of_the_record_itself(tmp_path: Path) -> None:
    body = "<r><c>own<a>in <b>bold</b> out</a></c></r>"
    assert read(write(tmp_path, body), [".", "a", "a/b"], kind="xml", records="r/c").cells == [("own", "in  out", "bold")]


def test_absent_and_empty_elements_are_no_values(tmp_path: Path) -> None:
    body = "<r><c><a>1</a><b></b></c><c><a>2</a></c></r>"
    assert read(write(tmp_path, body), ["a", "b"], kind="xml", records="r/c").cells == [("1", None), ("2", None)]


def test_repeated_element_rejects_its_record_only(tmp_path: Path) -> None:
    body = CALLS.replace("<name>张三</name>", "<name>张三</name><name>王五</name>")
    outcome = read_xml(write(tmp_path, body))
    assert outcome.rows == ROWS[1:]
    assert [(r.row_number, r.reason, r.detail[:26]) for r in outcome.rejects] == [(1, "bad_xml", "'name' comes 2 times in th")]
    assert read_xml(write(tmp_path, body), repeated_columns="first").rows == ROWS
    assert read_xml(write(tmp_path, body), ["@id"]).numbers == [1, 2], "what is not read may repeat"


def test_records_below_any_root(tmp_path: Path) -> None:
    assert read_xml(write(tmp_path, CALLS), records="*/calls/call").rows == ROWS


def test_records_of_the_same_name_elsewhere_are_none(tmp_path: Path) -> None:
    body = CALLS.replace("<head>", "<head><call id='9'><name>x</name></call>")
    assert read_xml(write(tmp_path, body)).rows == ROWS


def test_document_without_the_records(tmp_path: Path) -> None:
    outcome = read_xml(write(tmp_path, "<error><code>500</code></error>"))
    assert outcome.message == (
        "calls.csv, row 1: the document has no element 'answer/calls/call' where 'records' looks for it; its root is 'error'"
    )


def test_document_with_no_calls_tonight(tmp_path: Path) -> None:
    outcome = read_xml(write(tmp_path, "<answer><calls/></answer>"))
    assert (outcome.rows, outcome.error) == ([], None)


@pytest.mark.parametrize(("cut", "whole"), [(1, 2), (17, 2), (18, 1), (50, 1), (60, 0)])
def test_truncated_document_yields_the_records_before(tmp_path: Path, cut: int, whole: int) -> None:
    outcome = read_xml(write(tmp_path, CALLS[:-cut]))
    assert outcome.rows == ROWS[:whole]
    assert f"row {len(outcome.rows) + 1}: the XML is broken or cut off (" in outcome.message


def test_broken_in_the_middle_tells_the_line_and_not_the_content(tmp_path: Path) -> None:
    outcome = read_xml(write(tmp_path, CALLS.replace("<call id='2'>", "\n<call id='2'>").replace("李四</name>", "李四</secret>")))
    assert outcome.rows == ROWS[:1]
    assert outcome.message == "calls.csv, row 2: the XML is broken or cut off (tag name mismatch, line 2); have it delivered again"


def test_control_character_and_nul_are_no_xml(tmp_path: Path) -> None:
    for sign in ("\x0b", "\0", "&#0;"):
        assert "the XML is broken or cut off" in read_xml(write(tmp_path, CALLS.replace("李", sign))).message


def test_empty_file_and_html_page_in_place_of_the_document(tmp_path: Path) -> None:
    assert "is empty: it holds no XML document" in read_xml(write(tmp_path, b"")).message
    assert "its root is 'html'" in read_xml(write(tmp_path, "<html><body><p>登录</p></body></html>")).message


def test_two_documents_in_one_file(tmp_path: Path) -> None:
    outcome = read_xml(write(tmp_path, CALLS + CALLS))
    assert outcome.rows == ROWS
    assert "(document end" in outcome.message


def bomb(reference: str) -> str:
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10))
    return f"<!DOCTYPE answer [{entities}]><answer><calls><call id='1'>{reference}</call></calls></answer>"


@pytest.mark.parametrize("reference", ["<name>&l9;</name>", "<name a='&l9;'/>", "<name>x</name>"])
def test_entity_bomb_is_refused(tmp_path: Path, reference: str) -> None:
    outcome = read_xml(write(tmp_path, bomb(reference)), ["@id"])
    assert outcome.rows == []
    assert "declares entities of its own" in outcome.message or "resource limit" in outcome.message


def test_external_entity_is_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret", encoding="utf-8")
    for declaration in (f'<!ENTITY x SYSTEM "{secret.as_uri()}">', f'<!ENTITY % x SYSTEM "{secret.as_uri()}">%x;'):
        outcome = read_xml(write(tmp_path, f"<!DOCTYPE answer [{declaration}]>" + CALLS.replace("张三", "&x;")))
        assert outcome.rows == [] and "top secret" not in str(outcome)
        assert outcome.error is not None or outcome.rejects


def test_document_type_that_points_elsewhere_is_not_followed(tmp_path: Path) -> None:
    path = write(tmp_path, '<!DOCTYPE answer SYSTEM "http://127.0.0.1:9/answer.dtd">' + CALLS)
    assert read_xml(path).rows == ROWS
    path = write(tmp_path, '<!DOCTYPE answer SYSTEM "http://127.0.0.1:9/answer.dtd">' + CALLS.replace("张三", "&zhang;"))
    outcome = read_xml(path)
    assert outcome.rows == ROWS[1:]
    assert outcome.why == [(1, "bad_xml")]


def test_nesting_deeper_than_the_limit(tmp_path: Path) -> None:
    body = "<answer><calls><call id='1'>" + "<a>" * 300 + "</a>" * 300 + "</call></calls></answer>"
    assert "(resource limit, line 1)" in read_xml(write(tmp_path, body)).message


def test_record_larger_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_records, "READ_CHARACTERS", 512)
    body = CALLS.replace("李四", "x" * 9_000)
    outcome = read_xml(write(tmp_path, body), limits=dataclasses.replace(DEFAULT_LIMITS, record_bytes=2_000))
    assert outcome.rows == ROWS[:1]
    assert "row 2: one record is longer than the limit of 2,000 characters" in outcome.message


def test_records_and_numbers_across_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_records, "READ_CHARACTERS", 7)
    monkeypatch.setattr(keyed, "CHUNK_ROWS", 3)
    calls = "".join(f"<call id='{i}'><name>n{i}</name></call>\n" for i in range(1, 11))
    outcome = read_xml(write(tmp_path, f"<answer><calls>{calls}</calls></answer>"))
    assert outcome.rows == [(i, (str(i), f"n{i}")) for i in range(1, 11)]
    assert [len(c.row_numbers) for c in outcome.chunks] == [3, 3, 3, 1]


def test_lists_of_other_things_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_records, "READ_CHARACTERS", 4_096)
    others = "<others>" + "<other><name>x</name></other>" * 20_000 + "</others>"
    body = CALLS.replace("<calls>", f"{others}<calls>").replace("</answer>", f"{others}</answer>")
    assert read_xml(write(tmp_path, body), limits=dataclasses.replace(DEFAULT_LIMITS, record_bytes=10_000)).rows == ROWS


def test_inside_gz_and_zip_each_member_counts_its_rows(tmp_path: Path) -> None:
    assert read_xml(write(tmp_path, gzip.compress(CALLS.encode()))).rows == ROWS
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("a.xml", "b.xml", "read.me"):
            archive.writestr(name, declared("gbk").encode("gbk"))
    outcome = read_xml(write(tmp_path, packed.getvalue(), name="calls.zip"), member="*.xml")
    assert outcome.rows == ROWS + ROWS
    assert [c.file_name for c in outcome.chunks] == ["calls.zip!a.xml", "calls.zip!b.xml"]


def test_truncated_document_quarantines_what_was_decoded_and_keeps_the_last_good_batch(tmp_path: Path) -> None:
    entity = make_entity(name={"type": "text", "required": True})
    bench = Bench(tmp_path, entity, make_contract({"name": "name"}, format={"kind": "xml", "records": "answer/calls/call"}))
    bench.deliver("2024-03-05.xml", CALLS)
    assert bench.night().status == "ok"
    bench.deliver("2024-03-05.xml", CALLS[:-10])
    result = bench.night()
    assert result.status == "failed"
    assert "things/2024-03-05.xml, row 3: the XML is broken or cut off" in result.messages[0]
    receipt = bench.receipts()["2024-03-05 things/2024-03-05.xml"]
    assert (receipt.rows_read, receipt.rows_quarantined, receipt.encoding) == (2, 2, "declared")
    assert [(q["row_number"], list(q["reasons"])) for q in bench.quarantine()] == [(1, ["unreadable_file"]), (2, ["unreadable_file"])]
    assert [r[0] for r in bench.pool("name")] == ["张三", "李四"]
