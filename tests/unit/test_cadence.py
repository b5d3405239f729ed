"""Which deliveries are missing, by cadence."""

from __future__ import annotations

import datetime as dt

import pytest
from ingest_kit import make_contract

from dagster_project.ingest.cadence import missing_deliveries


def days(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(t) for t in texts]


@pytest.mark.parametrize(
    ("cadence", "delivered", "night", "missing"),
    [
        ("daily", days("2024-03-01", "2024-03-03"), "2024-03-04", ["2024-03-02", "2024-03-04"]),
        ("daily", days("2024-03-01", "2024-03-02"), "2024-03-02", []),
        ("weekly", days("2024-03-03", "2024-03-12"), "2024-03-24", ["2024-W10", "2024-W12"]),
        ("weekly", days("2024-03-03"), "2024-03-09", []),
        ("monthly", days("2023-11-30", "2024-01-31"), "2024-02-28", ["2023-12"]),
        ("monthly", days("2023-11-30"), "2024-02-29", ["2023-12", "2024-01", "2024-02"]),
        ("quarterly", days("2023-12-31"), "2024-06-30", ["2024-Q1", "2024-Q2"]),
        ("yearly", days("2021-12-31", "2023-12-31"), "2024-06-30", ["2022"]),
        ("once", days("2020-01-01"), "2024-06-30", []),
        ("irregular", days("2020-01-01"), "2024-06-30", []),
        ("irregular", [], "2024-06-30", []),
        ("daily", [], "2024-06-30", ["any delivery"]),
        ("once", days("2025-01-01"), "2024-06-30", ["any delivery"]),
    ],
)
def test_periods_since_the_first_delivery_without_a_batch_are_missing(
    cadence: str, delivered: list[dt.date], night: str, missing: list[str]
) -> None:
    assert missing_deliveries(make_contract({"x": "X"}, cadence=cadence), delivered, dt.date.fromisoformat(night)) == missing


def test_what_is_due_after_the_night_has_run_is_expected_a_day_later() -> None:
    late = make_contract({"x": "X"}, cadence="daily", due="06:00")
    early = make_contract({"x": "X"}, cadence="daily", due="01:30")
    night = dt.date(2024, 3, 2)
    assert (missing_deliveries(late, days("2024-03-01"), night), missing_deliveries(early, days("2024-03-01"), night)) == (
        [],
        ["2024-03-02"],
    )
