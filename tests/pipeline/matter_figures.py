"""Matters with a due date: a few of every kind, and what a person counts of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hand_counted import unit


def at(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


def matter(kind: str, unit: str, opened: str, due: str | None = None, closed: str | None = None, **more: Any) -> dict[str, Any]:
    times = {name: at(value) if name.endswith("_at") else value for name, value in more.items()}
    source = {"source_id": f"matter_{kind}", "kind": kind, "unit_code": unit}
    return source | {"opened_at": at(opened), "due_at": at(due), "closed_at": at(closed)} | times


MATTERS = [
    matter("case_registration", "S", "2024-05-01T08:00", "2024-05-04T08:00", "2024-05-04T08:00", category="criminal", is_extended=False),
    matter("case_registration", "S", "2024-05-01T08:00", "2024-05-04T08:00", "2024-05-04T08:01", category="criminal", is_extended=False),
    matter("case_registration", "S", "2024-05-01T08:00", None, "2024-05-02T09:00", category="administrative", is_extended=True),
    matter("case_registration", "S", "2024-05-01T08:00", None, None, category="administrative", related_id="i1"),
    matter("case_registration", "S", "2024-05-01T08:00", "2024-05-31T08:00", "2024-05-21T08:00", category="criminal", is_extended=True),
    matter("case_registration", "S", "2024-05-11T08:00", None, "2024-05-21T08:00", category="criminal", is_extended=True),
    matter("case_registration", "S", "2024-06-29T08:00", "2024-07-02T08:00", None, category="criminal", is_extended=False),
    matter("hazard", "S", "2024-05-01", "2024-05-16", "2024-05-16", category="fire", row_count=3),
    matter("hazard", "S", "2024-05-01", "2024-05-16", "2024-05-17", category="fire", row_count=2),
    matter("hazard", "S", "2024-05-01", "2024-05-16", None, category="building", row_count=1),
    matter("hazard", "S", "2024-06-20", "2024-07-05", "2024-06-21", category="fire", row_count=1),
    matter("hazard", "S", "2024-06-01", "2024-06-16", "2024-07-02", category="fire"),
    matter("site_rectification", "S", "2024-05-01", "2024-05-08", "2024-05-02", category="hotel"),
    matter("site_rectification", "nowhere", "2024-05-01", "2024-05-08", None, category="hotel", row_count=2),
    matter("hotspot", "S", "2024-01-01", "2024-03-31", "2024-03-01", category="traffic"),
    matter("hotspot", "S", "2024-01-01", "2024-03-31", "2024-04-01", category="security"),
    matter("law_issue", "S", "2024-05-01T10:00", "2024-05-08T10:00", "2024-05-07T10:00", category="late_dispatch"),
    matter("law_issue", "S", "2024-05-01T10:00", "2024-05-08T10:00", "2024-05-07T10:00", category="late_dispatch", result="withdrawn"),
    matter("law_issue", "S", "2024-05-01T10:00", "2024-05-08T10:00", "2024-05-09T10:00", category="late_dispatch", result="withdrawn"),
    matter("case_stage", "S", "2024-05-01T10:00", "2024-05-01T12:00", "2024-05-01T12:30", category="body_check"),
    matter("case_stage", "S", "2024-05-01T10:00", "2024-05-01T12:00", "2024-05-01T11:30", category="body_check"),
    matter("complaint", "S", "2024-03-01", "2024-04-30", "2024-04-30", result="substantiated", category="attitude"),
    matter("complaint", "S", "2024-03-01", "2024-04-30", "2024-05-01", result="partly", category="attitude"),
    matter("complaint", "S", "2024-05-20", "2024-07-19", None, category="inaction"),
    matter("appeal", "S", "2024-01-02", "2024-03-02", "2024-02-01", matter_id="a1", result="settled", category="service"),
    matter("appeal", "S", "2024-02-20", "2024-04-20", "2024-03-10", matter_id="a2", related_id="a1", result="explained", category="service"),
    matter("appeal", "S", "2024-01-02", "2024-03-02", None, matter_id="a3", category="dispute", is_extended=False),
    matter("milestone", "P", "2024-04-01", "2024-05-31", "2024-05-31", category="smart_security", result="done"),
    matter("milestone", "P", "2024-04-01", "2024-05-31", None, category="smart_security"),
    matter("milestone", "P", "2024-04-01", "2024-05-31", "2024-05-01", category="smart_security", result="withdrawn"),
    matter("order", "S", "2024-05-01T10:00", "2024-05-02T10:00", "2024-05-01T20:00", acknowledge_due_at="2024-05-01T10:30",
           acknowledged_at="2024-05-01T10:05", result="done", category="check"),
    matter("order", "S", "2024-05-01T10:00", acknowledge_due_at="2024-05-01T10:05", category="duty"),
    matter("order", "S", "2024-06-28T10:00", "2024-07-05T10:00", acknowledge_due_at="2024-06-28T10:30", acknowledged_at="2024-06-28T10:05",
           category="duty"),
    matter("order", "S", "2024-06-29T10:00", acknowledge_due_at="2024-06-29T10:30", acknowledged_at="2024-07-01T09:00", category="duty"),
]  # fmt: skip
INCIDENTS = [
    {"source_id": "matter_incident", "incident_id": "i1", "unit_code": "S", "category": "01030101", "reported_at": at("2024-05-01T07:00")},
    {"source_id": "matter_incident", "incident_id": "i2", "unit_code": "S", "category": "01030101", "reported_at": at("2024-05-31T07:00")},
    {"source_id": "matter_incident", "incident_id": "i3", "unit_code": "S", "category": "01030101", "reported_at": at("2024-06-01T07:00")},
    {"source_id": "matter_incident", "incident_id": "i4", "unit_code": "S", "category": "05010101", "reported_at": at("2024-05-01T07:00")},
]

MATTER_UNITS = [unit("P", None, "city"), unit("S", "P", "station")]
COUNTED: list[tuple[str, str, dict[tuple[str, str], tuple[int, int]]]] = [
    ("REG-1", "", {("S", "2024-05-02"): (0, 1), ("S", "2024-05-04"): (2, 3), ("S", "2024-05-18"): (0, 1), ("S", "2024-05-31"): (1, 1)}),
    ("REG-1", "limit:extended", {("S", "2024-05-04"): (1, 1), ("S", "2024-05-18"): (0, 1), ("S", "2024-05-31"): (1, 1)}),
    ("REG-1", "timing:open", {("S", "2024-05-02"): (0, 1)}),
    ("REG-1", "excluded:not_due", {("S", "2024-06-29"): (1, 0)}),
    ("REG-2", "", {("S", "2024-05-01"): (0, 1), ("S", "2024-05-31"): (1, 1)}),
    ("REG-2", "excluded:immature", {("S", "2024-06-01"): (1, 0)}),
    ("REG-2", "excluded:category_not_listed", {("S", "2024-05-01"): (1, 0)}),
    ("HAZ-1", "", {("S", "2024-05-16"): (3, 6), ("S", "2024-06-16"): (0, 1)}),
    ("HAZ-1", "timing:late", {("S", "2024-05-16"): (0, 2)}),
    ("HAZ-1", "excluded:not_due", {("S", "2024-06-20"): (1, 0)}),
    ("HAZ-2.rectified", "", {("S", "2024-05-08"): (1, 1), ("P.unassigned", "2024-05-08"): (0, 2)}),
    ("HAZ-3", "", {("S", "2024-03-31"): (1, 2)}),
    ("LAW-1", "", {("S", "2024-05-08"): (1, 2)}),
    ("LAW-1", "timing:withdrawn", {("S", "2024-05-08"): (0, 1)}),
    ("LAW-1", "timing:open", {}),
    ("LAW-1", "excluded:withdrawn", {("S", "2024-05-01"): (1, 0)}),
    ("LAW-2", "", {("S", "2024-05-01"): (1, 2)}),
    ("CMP-1", "", {("S", "2024-03-01"): (2, 0), ("S", "2024-05-01"): (0, 2), ("S", "2024-05-20"): (1, 0),
                   ("S", "2024-05-31"): (0, 1), ("S", "2024-06-01"): (0, 1)}),
    ("CMP-2", "", {("S", "2024-04-30"): (1, 1), ("S", "2024-05-01"): (0, 1)}),
    ("CMP-2", "finding:partly", {("S", "2024-05-01"): (0, 1)}),
    ("CMP-2", "excluded:not_closed", {("S", "2024-05-20"): (1, 0)}),
    ("CMP-3", "", {("S", "2024-04-30"): (1, 2)}),
    ("CMP-4.on_time", "", {("S", "2024-03-02"): (1, 2), ("S", "2024-04-20"): (1, 1)}),
    ("CMP-4.on_time", "limit:normal", {("S", "2024-03-02"): (0, 1)}),
    ("CMP-4.repeated", "", {("S", "2024-02-01"): (1, 1), ("S", "2024-03-10"): (0, 1)}),
    ("PRJ-1", "", {("P.self", "2024-05-31"): (1, 2)}),
    ("PRJ-1", "excluded:withdrawn", {("P.self", "2024-04-01"): (1, 0)}),
    ("CMD-1.acknowledged", "", {("S", "2024-05-01"): (1, 2), ("S", "2024-06-28"): (1, 1), ("S", "2024-06-29"): (0, 1)}),
    ("CMD-1.acknowledged", "bin:acknowledge:300", {("S", "2024-05-01"): (300, 1), ("S", "2024-06-28"): (300, 1)}),
    ("CMD-1.done", "", {("S", "2024-05-02"): (1, 1)}),
    ("CMD-1.done", "excluded:no_deadline", {("S", "2024-05-01"): (1, 0), ("S", "2024-06-29"): (1, 0)}),
]  # fmt: skip
