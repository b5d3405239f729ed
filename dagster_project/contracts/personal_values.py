"""How values look that name a person: resident IDs, telephones, plates, bank cards. Found anywhere in a text, by their check digits.

``find_personal`` is what a release is searched with: it must not take case numbers, hashes or decimals for persons. ``masked`` is for what
people read while they work: it hides more.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

MASK = "▒"
PLATE_REGIONS = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
"""First two digits of GB/T 2260."""
ID_WEIGHTS = tuple(2**power % 11 for power in range(17, 0, -1))
ID_CHECK_DIGITS = "10X98765432"

_BEFORE, _AFTER = r"(?<![0-9A-Za-z])(?<!\d\.)", r"(?![0-9A-Za-z])"
LONG_NUMBER = re.compile(rf"{_BEFORE}\d{{11,19}}[Xx]?{_AFTER}")
_SPACED_MOBILE = re.compile(rf"{_BEFORE}1[3-9]\d[- ]\d{{4}}[- ]?\d{{4}}{_AFTER}")
_LANDLINE = re.compile(rf"{_BEFORE}0\d{{2,3}}-[2-8]\d{{6,7}}{_AFTER}")
_PLATE = re.compile(
    rf"[{PLATE_REGIONS}][A-HJ-NP-Z][·• ]?(?=[A-HJ-NP-Z]*\d)(?:[A-HJ-NP-Z0-9]{{4}}[A-HJ-NP-Z0-9挂学警港澳]|[A-HJ-NP-Z0-9]{{6}}){_AFTER}"
)
_CARD_ISSUER = re.compile(r"^(?:62\d{14,17}|4\d{15}|5[1-5]\d{14}|35\d{14})$")
_MOBILE = re.compile(r"^1[3-9]\d{9}$")
MAY_BE_PERSONAL = (
    rf"[0-9]{{11,19}}|1[3-9][0-9][- ][0-9]{{4}}|0[0-9]{{2,3}}-[2-8][0-9]{{6}}|[{PLATE_REGIONS}][A-HJ-NP-Z][·• ]?[A-HJ-NP-Z0-9]{{5}}"
)
"""Matches every text in which ``find_personal`` may find something, without look-around: for RE2, before the texts are looked at one by one."""


class PersonalValue(NamedTuple):
    kind: str
    shown: str
    """The value with its middle hidden."""


def _is_day(text: str, form: str) -> bool:
    try:
        dt.datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def is_resident_id(text: str) -> bool:
    """GB 11643-1999: 17 digits with a day of birth, and the check digit of ISO 7064 MOD 11-2; or 15 digits as issued before 1999."""
    if len(text) == 15 and text.isdigit():
        return text[:2] in PROVINCES and _is_day(f"19{text[6:12]}", "%Y%m%d")
    if len(text) != 18 or not text[:17].isdigit() or not (text[17].isdigit() or text[17] in "Xx"):
        return False
    is_whole = ID_CHECK_DIGITS[sum(int(digit) * weight for digit, weight in zip(text, ID_WEIGHTS, strict=False)) % 11] == text[17].upper()
    return is_whole and text[6:8] in ("18", "19", "20") and _is_day(text[6:14], "%Y%m%d")


def passes_luhn(text: str) -> bool:
    """16 to 19 digits with the check digit of ISO/IEC 7812."""
    if not text.isdigit() or not 16 <= len(text) <= 19:
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(text)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def is_bank_card(text: str) -> bool:
    return bool(_CARD_ISSUER.match(text)) and passes_luhn(text)


def is_mobile(text: str) -> bool:
    return bool(_MOBILE.match(text))


_NUMBERS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("mobile telephone", is_mobile),
    ("resident ID", is_resident_id),
    ("bank card", is_bank_card),
)
_SHAPES = (("mobile telephone", _SPACED_MOBILE), ("telephone", _LANDLINE), ("plate", _PLATE))


def _hidden(text: str) -> str:
    return text[:2] + MASK * (len(text) - 3) + text[-1:]


def find_personal(text: str) -> Iterator[PersonalValue]:
    """Every resident ID, telephone, plate and bank card in a text, by kind, shown with its middle hidden."""
    for found in LONG_NUMBER.finditer(text):
        for kind, is_one in _NUMBERS:
            if is_one(found[0]):
                yield PersonalValue(kind, _hidden(found[0]))
                break
    for kind, pattern in _SHAPES:
        for found in pattern.finditer(text):
            yield PersonalValue(kind, _hidden(found[0]))


def masked(text: str) -> str:
    """Hide the middle of what reads as a telephone, resident ID, bank card or plate; codes of units and case numbers stay."""

    def hide_number(found: re.Match[str]) -> str:
        number = found[0]
        personal = is_mobile(number) or is_resident_id(number) or passes_luhn(number)
        return number[:3] + MASK * (len(number) - 5) + number[-2:] if personal else number

    shown = LONG_NUMBER.sub(hide_number, text)
    for _, pattern in _SHAPES:
        shown = pattern.sub(lambda found: _hidden(found[0]), shown)
    return shown
