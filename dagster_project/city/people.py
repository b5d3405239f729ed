"""Invented personal values, so that what drops, hashes or masks them has something to work on. None belongs to anybody.

Telephones begin with 19900, identity numbers with the unassigned division 9901 (their check digit, MOD 11-2, is right).
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from dagster_project.city.world import generator

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
GIVEN = (
    "伟",
    "芳",
    "娜",
    "敏",
    "静",
    "丽",
    "强",
    "磊",
    "军",
    "洋",
    "勇",
    "艳",
    "杰",
    "娟",
    "涛",
    "明",
    "超",
    "秀英",
    "桂兰",
    "建国",
    "子涵",
    "雨桐",
    "䶮",
)
STREETS = ("文昌路", "滨江大道", "解放街", "桃源巷", "青石桥路", "学院路", "工业二路")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_DIGITS = "10X98765432"


def _numbers(seed: int, name: str, low: int, high: int, count: int) -> list[int]:
    """The first ``count`` numbers of a stream: more of them begin with the same."""
    numbers: list[int] = generator(seed, name).integers(low, high, count).tolist()
    return numbers


def names(seed: int, purpose: str, count: int) -> list[str]:
    surnames, given = (
        _numbers(seed, f"surnames {purpose}", 0, len(SURNAMES), count),
        _numbers(seed, f"given {purpose}", 0, len(GIVEN), count),
    )
    return [SURNAMES[s] + GIVEN[g] for s, g in zip(surnames, given, strict=True)]


def phones(seed: int, purpose: str, count: int) -> list[str]:
    return [f"19900{n:06d}" for n in _numbers(seed, f"phones {purpose}", 0, 1_000_000, count)]


def addresses(seed: int, purpose: str, count: int) -> list[str]:
    streets, numbers = _numbers(seed, f"streets {purpose}", 0, len(STREETS), count), _numbers(seed, f"houses {purpose}", 1, 400, count)
    return [f"{STREETS[s]}{n}号" for s, n in zip(streets, numbers, strict=True)]


def identity_numbers(seed: int, purpose: str, count: int) -> list[str]:
    """18 characters: division, day of birth, serial, check digit of GB 11643 (ISO 7064 MOD 11-2)."""
    days = _numbers(seed, f"birthdays {purpose}", 0, 18_000, count)
    serials = _numbers(seed, f"serials {purpose}", 1, 1000, count)
    county = _numbers(seed, f"divisions {purpose}", 1, 14, count)
    born = dt.date(1955, 1, 1)
    bodies = [f"9901{c:02d}{born + dt.timedelta(days=d):%Y%m%d}{s:03d}" for c, d, s in zip(county, days, serials, strict=True)]
    digits = np.array([list(map(int, body)) for body in bodies], dtype=np.int64).reshape(count, len(WEIGHTS))
    checks = (digits @ np.array(WEIGHTS)) % 11
    return [body + CHECK_DIGITS[check] for body, check in zip(bodies, checks.tolist(), strict=True)]
