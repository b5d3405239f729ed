"""What a delivered text becomes, type by type."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ingest_kit import convert, make_contract, make_entity

from dagster_project.home import Home

BAD = object()
"""The text is no value: the row is rejected."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.at(tmp_path_factory.mktemp("home")).ensure()


def one(home: Home, type: str | dict[str, Any], text: str | None, **column: Any) -> Any:
    """The value of one text in a column of one type; BAD if the row is rejected for it."""
    row = convert(home, make_entity(x=type), make_contract({"x": {"from": "X", **column}}), [{"X": text}])[0]
    return row.values["x"] if row.fate == "accepted" else BAD


@pytest.mark.parametrize("text", ["  a b ", "\u3000a b\u3000", "\u00a0a b", "\ufeffa b\t", "a b\r\n", "\u200ba b\x00"])
def test_white_space_of_every_kind_is_trimmed(home: Home, text: str) -> None:
    assert one(home, "text", text) == "a b"


@pytest.mark.parametrize("text", ["", "   ", "\u3000", None, "不详", " - "])
def test_empty_text_and_declared_nulls_are_no_value(home: Home, text: str | None) -> None:
    assert one(home, "text", text, nulls=["不详", "-"]) is None


def test_declared_characters_are_stripped_too(home: Home) -> None:
    assert one(home, "text", ' "A1" ', strip='"') == "A1"


def test_text_keeps_full_width_characters(home: Home) -> None:
    assert one(home, "text", "Ａ１号") == "Ａ１号"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-7", -7),
        ("+5", 5),
        ("007", 7),
        ("１２３", 123),
        ("3.0", 3),
        ("3.", 3),
        ("9223372036854775807", 9223372036854775807),
        ("1.5", BAD),
        ("1e3", BAD),
        ("1_000", BAD),
        ("0x1F", BAD),
        ("1,234", BAD),
        ("abc", BAD),
        ("9223372036854775808", BAD),
        ("1 2", BAD),
        ("--1", BAD),
    ],
)
def test_integers(home: Home, text: str, value: Any) -> None:
    assert one(home, "integer", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234", 1234),
        ("12,345,678", 12345678),
        ("１，２３４", 1234),
        ("1234", 1234),
        ("1,23", BAD),
        ("1,2345", BAD),
        (",123", BAD),
        ("1,234,", BAD),
    ],
)
def test_thousands_commas_must_stand_where_thousands_are(home: Home, text: str, value: Any) -> None:
    assert one(home, "integer", text, thousands=",") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5", Decimal("12.5")),
        (".5", Decimal("0.5")),
        ("12.", Decimal(12)),
        ("-0.25", Decimal("-0.25")),
        ("1.5E-3", Decimal("0.0015")),
        ("１２．５", Decimal("12.5")),
        ("0.1234565", Decimal("0.123457")),
        ("nan", BAD),
        ("inf", BAD),
        ("1.2.3", BAD),
        ("12,5", BAD),
        ("1e30", BAD),
    ],
)
def test_decimals(home: Home, text: str, value: Any) -> None:
    assert one(home, "decimal(18,6)", text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("1.234,5", Decimal("1234.5")), ("0,25", Decimal("0.25")), ("1.5", BAD), ("12.345.678", Decimal(12345678))]
)
def test_a_decimal_comma_with_points_for_thousands(home: Home, text: str, value: Any) -> None:
    assert one(home, "decimal(18,6)", text, decimal_mark=",", thousands=".") == value


@pytest.mark.parametrize(
    ("canonical", "delivered", "text", "value"),
    [
        ("second", "minute", "1.5", 90),
        ("second", "hour", "2", 7200),
        ("centisecond", "second", "12.345", 1235),
        ("fen", "yuan", "0.01", 1),
        ("fen", "wan_yuan", "1.23456789", 1234568),
        ("minute", "second", "90", 2),
        ("second", "minute", "x", BAD),
        ("second", "second", "1.5", BAD),
    ],
)
def test_units_of_measure_become_the_canonical_one(home: Home, canonical: str, delivered: str, text: str, value: Any) -> None:
    assert one(home, {"type": "integer", "unit": canonical}, text, unit=delivered) == value


@pytest.mark.parametrize(
    ("text", "value"), [("82.90%", Decimal("0.829")), ("82.90 ％", Decimal("0.829")), ("5", Decimal("0.05")), ("%", BAD)]
)
def test_percent_signs(home: Home, text: str, value: Any) -> None:
    assert one(home, {"type": "decimal(18,6)", "unit": "ratio"}, text, unit="percent") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("是", True), ("否", False), ("TRUE", True), ("N", False), ("1", True), ("０", False), ("2", BAD), ("maybe", BAD), ("", None)],
)
def test_booleans(home: Home, text: str, value: Any) -> None:
    assert one(home, "boolean", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-02-29", dt.date(2024, 2, 29)),
        ("2024-2-9", dt.date(2024, 2, 9)),
        ("２０２４-０２-０９", dt.date(2024, 2, 9)),
        ("2024-02-09 23:59:59", dt.date(2024, 2, 9)),
        ("2023-02-30", BAD),
        ("2024-13-01", BAD),
        ("0001-01-01", BAD),
        ("9999-12-31", BAD),
        ("20240209", BAD),
        ("2024/02/09", BAD),
        ("2024-02", BAD),
        ("2024-02-09Z", BAD),
        ("今天", BAD),
    ],
)
def test_dates_are_iso_unless_formats_say_otherwise(home: Home, text: str, value: Any) -> None:
    assert one(home, "date", text) == value


def test_a_sentinel_date_is_no_value_once_it_is_declared(home: Home) -> None:
    assert one(home, "date", "9999-12-31", nulls=["9999-12-31"]) is None


@pytest.mark.parametrize(
    ("formats", "text", "value"),
    [
        (["%Y%m%d%H%M%S"], "20240305081530", dt.datetime(2024, 3, 5, 8, 15, 30)),
        (["%Y%m%d%H%M%S"], "2024030508153", BAD),
        (["%Y%m%d"], "2024111", BAD),
        (["%Y-%m-%d", "%Y/%m/%d"], "2015/3/1", dt.datetime(2015, 3, 1)),
        (["%d/%m/%Y", "%m/%d/%Y"], "03/04/2024", dt.datetime(2024, 4, 3)),
        (["%Y年%m月%d日"], "2024年3月5日", dt.datetime(2024, 3, 5)),
        (["%Y-%m-%dT%H:%M:%S%z"], "2024-03-05T00:30:00Z", dt.datetime(2024, 3, 5, 8, 30)),
        (["%Y-%m-%dT%H:%M:%S%z"], "2024-03-05T08:30:00+08:00", dt.datetime(2024, 3, 5, 8, 30)),
        (["%Y-%m-%d %H:%M:%S"], "2024-03-05 24:00:00", BAD),
        (["%Y%m%d"], "00010101", BAD),
    ],
)
def test_timestamps_by_declared_formats_in_their_order(home: Home, formats: list[str], text: str, value: Any) -> None:
    assert one(home, "timestamp", text, formats=formats) == value


@pytest.mark.parametrize(
    ("formats", "as_day", "text", "value"),
    [
        (["%Y-%m"], "last", "2024-02", dt.date(2024, 2, 29)),
        (["%Y-%m"], "first", "2024-02", dt.date(2024, 2, 1)),
        (["%Y"], "last", "2023", dt.date(2023, 12, 31)),
        (["%Y"], "first", "2023", dt.date(2023, 1, 1)),
        (["%Y-%m-%d", "%Y-%m"], "last", "2024-02-10", dt.date(2024, 2, 10)),
        (["%B %Y"], "last", "June 2023", dt.date(2023, 6, 30)),
    ],
)
def test_a_bare_month_or_year_stands_for_a_day(home: Home, formats: list[str], as_day: str, text: str, value: dt.date) -> None:
    assert one(home, "date", text, formats=formats, as_day=as_day) == value
    assert one(home, "timestamp", text, formats=formats, as_day=as_day) == dt.datetime.combine(value, dt.time())


@pytest.mark.parametrize(
    ("period", "value"),
    [
        ("minute", dt.datetime(2024, 3, 5, 8, 15)),
        ("hour", dt.datetime(2024, 3, 5, 8)),
        ("day", dt.datetime(2024, 3, 5)),
        ("month", dt.datetime(2024, 3, 1)),
        ("year", dt.datetime(2024, 1, 1)),
    ],
)
def test_times_can_be_cut_to_the_beginning_of_a_period(home: Home, period: str, value: dt.datetime) -> None:
    assert one(home, "timestamp", "2024-03-05 08:15:30", truncate=period) == value


def test_codes_are_padded_but_never_cut(home: Home) -> None:
    assert [one(home, "text", text, pad=6) for text in ("42", "１２", "1234567")] == ["000042", "000012", "1234567"]


@pytest.mark.parametrize(
    ("to", "type", "text", "value"),
    [
        ("grid:0.1", "decimal(18,6)", "52.1378", Decimal("52.1")),
        ("grid:0.1", "decimal(18,6)", "-0.4512", Decimal("-0.5")),
        ("grid:0.1", "decimal(18,6)", "0.3", Decimal("0.3")),
        ("grid:0.01", "text", "-0.4512", "-0.46"),
        ("grid:1", "text", "10.4", "10"),
        ("grid:1", "text", "0.4", "0"),
        ("grid:0.1", "text", "north", BAD),
        ("age_band:10", "text", "37", "30-39"),
        ("age_band:10", "integer", "37", 30),
        ("age_band:5", "text", "0", "0-4"),
        ("age_band:10", "text", "-1", BAD),
        ("year", "text", "1987-05-17", "1987"),
        ("month", "text", "1987-05-17", "1987-05"),
        ("year", "date", "1987-05-17", dt.date(1987, 12, 31)),
        ("month", "date", "1988-02-17", dt.date(1988, 2, 29)),
        ("year", "text", "9999-12-31", BAD),
        ("prefix:3", "text", "13812345678", "138"),
    ],
)
def test_personal_values_are_generalised(home: Home, to: str, type: str, text: str, value: Any) -> None:
    assert one(home, type, text, personal={"treatment": "generalise", "to": to}) == value


def test_code_maps_meet_delivered_texts_in_any_width(home: Home) -> None:
    codes = {"１": "male", "2": "female", "（一）": "first", "9": None}
    values = [one(home, "text", text, codes=codes) for text in ("1", "２", "(一)", "9", "", "3")]
    assert values == ["male", "female", "first", None, None, BAD]


def test_codes_else_takes_every_other_text(home: Home) -> None:
    assert [one(home, "text", text, codes={"A": "a"}, codes_else="other") for text in ("A", "B", "")] == ["a", "other", None]
    assert one(home, "text", "B", codes={"A": "a"}, codes_else=None) is None


def test_no_text_may_be_a_code_too(home: Home) -> None:
    codes = {"": "none", "1": "some", "-": None}
    assert [one(home, "text", text, codes=codes, nulls=["?"]) for text in ("", "　", None, "1", "-", "?")] == ["none"] * 3 + [
        "some",
        None,
        None,
    ]


def test_codes_may_stand_for_numbers_and_truth(home: Home) -> None:
    assert one(home, "boolean", "有效", codes={"有效": True, "无效": False}) is True
    assert one(home, "integer", "三", codes={"三": 3}) == 3
    assert one(home, "decimal(18,6)", "合格", codes={"合格": 1, "不合格": 0}) == Decimal(1)
    assert one(home, "date", "建所", codes={"建所": "1949-10-01"}) == dt.date(1949, 10, 1)


def test_a_text_outside_the_entity_codes_is_unknown(home: Home) -> None:
    column = {"type": "text", "codes": ("fatal", "slight")}
    assert [one(home, column, text) for text in ("fatal", " slight", "", "serious")] == ["fatal", "slight", None, BAD]


def test_constants_and_batch_days_need_no_delivered_column(home: Home) -> None:
    entity = make_entity(unit="text", first="date", last="date", x="text")
    columns = {"unit": {"constant": "HQ"}, "first": {"batch": "first_day"}, "last": {"batch": "last_day"}, "x": "X"}
    monthly = {"glob": "*", "batch": {"path": r"(\d{6})", "format": "%Y%m"}}
    row = convert(home, entity, make_contract(columns, landing=monthly), [{"X": "1"}], dt.date(2024, 2, 29))[0]
    assert row.values == {"unit": "HQ", "first": dt.date(2024, 2, 1), "last": dt.date(2024, 2, 29), "x": "1"}


def test_the_first_present_alias_is_read_and_an_absent_optional_column_is_null(home: Home) -> None:
    contract = make_contract({"x": {"from": ["旧名", "新名"]}, "y": {"from": "Y", "optional": True}})
    row = convert(home, make_entity(x="text", y="integer"), contract, [{"新名": "v"}])[0]
    assert row.values == {"x": "v", "y": None}


def test_values_do_not_depend_on_how_often_texts_repeat(home: Home, tmp_path: Path) -> None:
    entity = make_entity(n="integer", t="timestamp", b="boolean", c={"type": "text", "codes": ("a", "b")})
    contract = make_contract(
        {"n": {"from": "N", "thousands": ","}, "t": "T", "b": "B", "c": {"from": "C", "codes": {"甲": "a", "乙": "b"}}}
    )
    delivered = [
        {"N": n, "T": t, "B": b, "C": c}
        for n, t, b, c in zip(
            ["1", "1,000", "x", "", "５"],
            ["2024-01-01", "2023-02-30", "", "2024-01-01 10:00", None],
            ["是", "否", "?", "", "1"],
            ["甲", "乙", "丙", "", "甲"],
            strict=True,
        )
    ]
    once = convert(home, entity, contract, delivered)
    often = convert(home, entity, contract, delivered * 5_000)
    assert often == once * 5_000
