"""Which deliveries are missed, and when."""

from __future__ import annotations

import datetime as dt

import pytest

from audit_home import contract
from dagster_project.audit.freshness import missing_delivery, next_expected

D = dt.date


@pytest.mark.parametrize(
    ("cadence", "newest", "following"),
    [
        ("daily", D(2024, 2, 28), D(2024, 2, 29)),
        ("weekly", D(2024, 12, 30), D(2025, 1, 6)),
        ("monthly", D(2024, 1, 31), D(2024, 2, 29)),
        ("monthly", D(2023, 2, 28), D(2023, 3, 31)),
        ("monthly", D(2024, 1, 15), D(2024, 2, 15)),
        ("quarterly", D(2023, 12, 31), D(2024, 3, 31)),
        ("yearly", D(2019, 12, 31), D(2020, 12, 31)),
        ("once", D(2015, 12, 31), None),
        ("irregular", D(2015, 12, 31), None),
    ],
)
def test_the_next_batch_follows_the_cadence(cadence: str, newest: dt.date, following: dt.date | None) -> None:
    assert next_expected(cadence, newest) == following  # type: ignore[arg-type]


def test_a_daily_batch_is_missed_the_night_after_the_newest() -> None:
    calls = contract("calls", "incident")
    assert missing_delivery(calls, D(2024, 1, 31), D(2024, 1, 31)) is None
    missed = missing_delivery(calls, D(2024, 1, 30), D(2024, 1, 31))
    assert missed is not None and "2024-01-31" in missed and "calls" in missed


def test_a_delivery_due_after_the_night_has_started_is_waited_for_one_more_night() -> None:
    late = contract("calls", "incident", due="09:30")
    assert missing_delivery(late, D(2024, 1, 30), D(2024, 1, 31)) is None
    assert missing_delivery(late, D(2024, 1, 29), D(2024, 1, 31)) is not None


def test_what_was_never_delivered_is_missing_unless_irregular() -> None:
    assert missing_delivery(contract("calls", "incident", cadence="once"), None, D(2024, 1, 31)) == "calls: never delivered"
    assert missing_delivery(contract("calls", "incident", cadence="irregular"), None, D(2024, 1, 31)) is None
