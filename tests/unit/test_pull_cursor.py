"""Cursors of pulls: the overlap below them keeps their form, and the higher one is found by meaning."""

from __future__ import annotations

import pytest

from dagster_project.contracts.model import PullCursor
from dagster_project.extract.cursor import higher, lowered
from dagster_project.extract.problems import PullError


@pytest.mark.parametrize(
    ("value", "overlap", "format", "expected"),
    [
        ("2024-03-05 10:00:00", 60, None, "2024-03-05 09:59:00"),
        ("2024-03-05T10:00:00", 86_400, None, "2024-03-04T10:00:00"),
        ("2024-03-05 10:00:00.5", 1, None, "2024-03-05 09:59:59.500000"),
        ("2024-03-05 10:00:00+08", 3600, None, "2024-03-05 09:00:00+08:00"),
        ("2024-03-05T02:00:00Z", 60, None, "2024-03-05T01:59:00+00:00"),
        ("2024-03-05", 60, None, "2024-03-04 23:59:00"),
        ("1234567890123456789", 9, None, "1234567890123456780"),
        ("20240301000000", 1, "%Y%m%d%H%M%S", "20240229235959"),
        ("as it came", 0, None, "as it came"),
    ],
)
def test_overlap_below_a_cursor(value: str, overlap: int, format: str | None, expected: str) -> None:
    assert lowered(PullCursor(column="c", overlap=overlap, format=format), value) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (None, None, None),
        (None, "9", "9"),
        ("9", "10", "10"),
        ("2024-03-05 10:00:00", "2024-03-05T09:59:59.9", "2024-03-05 10:00:00"),
        ("2024-03-05 10:00:00+08:00", "2024-03-05 03:00:00+00:00", "2024-03-05 03:00:00+00:00"),
    ],
)
def test_higher_of_two(first: str | None, second: str | None, expected: str | None) -> None:
    assert higher(PullCursor(column="c"), first, second) == expected


def test_value_that_is_no_cursor_is_not_repeated_in_the_message() -> None:
    with pytest.raises(PullError, match="a value of the cursor column 'c' is neither a whole number nor a time") as told:
        lowered(PullCursor(column="c", overlap=1), "张三")
    assert "张三" not in str(told.value)
