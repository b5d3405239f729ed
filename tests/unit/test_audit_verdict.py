"""What a verdict may show: rows without personal values, plain enough for JSON."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import pytest

from dagster_project.audit.verdict import ROWS_KEPT, Verdict, presentable_rows
from dagster_project.contracts.personal_values import masked


@pytest.mark.parametrize(
    "personal",
    ["13812345678", "11010519491231002X", "110105194912310021X"[:17] + "X", "6222021234567890128", "电话13812345678。"],
)
def test_telephones_ids_and_cards_are_masked(personal: str) -> None:
    shown = masked(personal)
    assert "▒" in shown
    assert "1234" not in shown and "949123" not in shown


@pytest.mark.parametrize(
    "code",
    ["110101000000", "A3301060000002024010001", "330106000000", "110105194912310029", "20240131", "12345678901"],
    ids=[
        "unit",
        "case number",
        "unit of another city",
        "18 digits that fail the check digit",
        "day",
        "11 digits that are no mobile number",
    ],
)
def test_codes_of_units_and_cases_stay_readable(code: str) -> None:
    assert masked(code) == code


def test_rows_are_capped_plain_and_without_hidden_columns() -> None:
    row = {"unit_code": "A", "parties_key": "ab12", "day": dt.date(2024, 1, 31), "value": decimal.Decimal("1.50"), "share": float("nan")}
    rows = presentable_rows([row] * (ROWS_KEPT + 5), hidden_columns={"parties_key"})
    assert len(rows) == ROWS_KEPT
    assert rows[0] == {"unit_code": "A", "day": "2024-01-31", "value": "1.50", "share": None}
    json.dumps(rows)


def test_only_a_failed_blocking_verdict_blocks() -> None:
    assert Verdict("p", "c", "block", False, "").blocks
    assert not Verdict("p", "c", "warn", False, "").blocks
    assert not Verdict("p", "c", "block", True, "").blocks
