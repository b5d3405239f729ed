"""What reads as a person's: found wherever it stands in a text, and nothing else taken for it."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dagster_project.contracts.personal_values import (
    ID_CHECK_DIGITS,
    ID_WEIGHTS,
    MAY_BE_PERSONAL,
    PLATE_REGIONS,
    PROVINCES,
    find_personal,
    masked,
)

AROUND = st.text("案件编号 :：,，。-_/()（）京张三", max_size=6)
DAYS = st.dates(min_value=dt.date(1900, 1, 1), max_value=dt.date(2030, 12, 31))


def _whole(seventeen: str) -> str:
    return seventeen + ID_CHECK_DIGITS[sum(int(d) * w for d, w in zip(seventeen, ID_WEIGHTS, strict=True)) % 11]


def _carded(digits: str) -> str:
    doubled = (int(d) * (2 - place % 2) for place, d in enumerate(reversed(digits)))
    return digits + str(-sum(n - 9 if n > 9 else n for n in doubled) % 10)


RESIDENT_IDS = st.builds(
    lambda place, day, serial: _whole(f"{place:06d}{day:%Y%m%d}{serial:03d}"), st.integers(110000, 999999), DAYS, st.integers(0, 999)
)
OLD_IDS = st.builds(
    lambda province, place, day, serial: f"{province}{place:04d}{day:%y%m%d}{serial:03d}",
    st.sampled_from(sorted(PROVINCES)),
    st.integers(0, 9999),
    st.dates(min_value=dt.date(1900, 1, 1), max_value=dt.date(1999, 12, 31)),
    st.integers(0, 999),
)
MOBILES = st.from_regex(r"\A1[3-9][0-9]{9}\Z")
CARDS = st.from_regex(r"\A62[0-9]{13,16}\Z").map(_carded)
PLATES = st.builds(
    lambda region, letter, rest: region + letter + rest,
    st.sampled_from(PLATE_REGIONS),
    st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ"),
    st.from_regex(r"\A(?=[A-HJ-NP-Z]{0,4}[0-9])[A-HJ-NP-Z0-9]{5,6}\Z"),
)


@given(AROUND, st.one_of(RESIDENT_IDS, OLD_IDS, MOBILES, CARDS, PLATES), AROUND)
def test_a_personal_value_is_found_and_masked_wherever_it_stands(before: str, value: str, after: str) -> None:
    text = before + value + after
    assert list(find_personal(text)), text
    assert re.search(MAY_BE_PERSONAL, text)
    assert value not in masked(text)
    assert all(value not in found.shown for found in find_personal(text))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("138 1234 5678", "mobile telephone"),
        ("138-1234-5678", "mobile telephone"),
        ("021-62345678", "telephone"),
        ("0571-8765432", "telephone"),
        ("粤B·D12345", "plate"),
        ("沪A12345警", "plate"),
        ("苏E2345学", "plate"),
    ],
)
def test_other_ways_of_writing_are_found(text: str, kind: str) -> None:
    assert [found.kind for found in find_personal(text)] == [kind]


@given(st.from_regex(r"\AA[0-9]{22}\Z"))
def test_a_case_number_is_nobody(number: str) -> None:
    assert not list(find_personal(f"案件 {number} 号"))
    assert masked(number) == number


@given(st.from_regex(r"\A[0-9a-f]{32}\Z"))
def test_a_hash_is_nobody(value: str) -> None:
    assume(not value.isdigit())
    assert not list(find_personal(value))


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6))
def test_a_decimal_is_nobody(value: float) -> None:
    assert not list(find_personal(f"{value!r}")) or "e" in repr(value)


@given(st.integers(110000, 659999), DAYS, st.integers(0, 999), st.integers(1, 10))
def test_a_wrong_check_digit_is_no_resident_id(place: int, day: dt.date, serial: int, off: int) -> None:
    right = _whole(f"{place:06d}{day:%Y%m%d}{serial:03d}")
    wrong = right[:17] + ID_CHECK_DIGITS[(ID_CHECK_DIGITS.index(right[17]) + off) % 11]
    assert "resident ID" not in {found.kind for found in find_personal(wrong)}


@given(st.sampled_from(["110101000000", "20240131", "201912312359", "330106000000", "12345678901", "99010151010"]))
def test_codes_of_units_days_and_counts_are_nobody(code: str) -> None:
    assert not list(find_personal(code))
