"""What a column of a ledger prints of an entry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache

from dagster_project.city import people
from dagster_project.city.files import Cell
from dagster_project.city.ledgers.model import THOUSAND, Line
from dagster_project.city.world import Indexes

PEOPLE = 400
COORDINATES = (118.0, 29.0)


def number(line: Line) -> Cell:
    return line.entries.number[line.entry]


def unit(line: Line) -> Cell:
    return line.entries.slots.unit[line.entry]


def unit_name(line: Line) -> Cell:
    return line.unit_name


def item(line: Line) -> Cell:
    """The number of a station, site or village within its unit."""
    return f"{line.entries.slots.unit[line.entry]}{_of(line.entries.slots.item, line) + 1:04d}"


def start(line: Line) -> Cell:
    return line.entries.slots.start[line.entry].isoformat()


def day(line: Line) -> Cell:
    return _day(line).isoformat()


def compact_day(line: Line) -> Cell:
    return f"{_day(line):%Y%m%d}"


def month(line: Line) -> Cell:
    return f"{_day(line):%Y年%m月}"


def label(line: Line) -> Cell:
    return _kind(line)


def value(line: Line) -> Cell:
    return _decimal(line.entries.value(line.entry, line.until), line.ledger.decimals)


def base(line: Line) -> Cell:
    return _decimal(_of(line.entries.numbers.base, line), line.ledger.decimals)


def weight(line: Line) -> Cell:
    return _of(line.entries.numbers.weight, line) / THOUSAND


def passed(line: Line) -> Cell:
    """1 and 0 in words."""
    return {1: "合格", 0: "不合格"}.get(line.entries.value(line.entry, line.until))


def yes(line: Line) -> Cell:
    return {1: "是", 0: "否"}.get(line.entries.value(line.entry, line.until))


def person(line: Line) -> Cell:
    return _names(line.seed)[_of(line.entries.slots.place, line) % PEOPLE]


def phone(line: Line) -> Cell:
    return _phones(line.seed)[_of(line.entries.slots.place, line) % PEOPLE]


def longitude(line: Line) -> Cell:
    return round(COORDINATES[0] + _of(line.entries.slots.place, line) % 997 / THOUSAND, 4)


def latitude(line: Line) -> Cell:
    return round(COORDINATES[1] + _of(line.entries.slots.place, line) % 991 / THOUSAND, 4)


def text(words: str) -> Callable[[Line], Cell]:
    """The same words in every row."""

    def show(line: Line) -> Cell:
        return words

    return show


def numbered(words: str) -> Callable[[Line], Cell]:
    """Words and the number of the item."""

    def show(line: Line) -> Cell:
        return f"{words}{_of(line.entries.slots.item, line) + 1}"

    return show


def _day(line: Line) -> dt.date:
    return line.entries.slots.day[line.entry]


def _kind(line: Line) -> str:
    return line.ledger.kinds[_of(line.entries.slots.kind, line)].label


def _of(column: Indexes, line: Line) -> int:
    return int(column[line.entry])


def _decimal(whole: int, decimals: int) -> Cell:
    if whole < 0:
        return None
    return whole if decimals == 0 else round(whole / 10**decimals, decimals)


@cache
def _names(seed: int) -> list[str]:
    return people.names(seed, "ledgers", PEOPLE)


@cache
def _phones(seed: int) -> list[str]:
    return people.phones(seed, "ledgers", PEOPLE)
