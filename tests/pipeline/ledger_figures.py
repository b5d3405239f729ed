"""The figures of ledgers: a few observations of every measure, and what a person counts of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hand_counted import AS_OF, Counted, unit

MAY, JUNE, LATER = dt.date(2024, 5, 31), dt.date(2024, 6, 30), dt.date(2024, 7, 31)
UNASSIGNED = "C.unassigned"


def entry(
    value: float | None, base: float | None = None, category: str | None = None, unit: str = "A1", day: dt.date = MAY, **more: Any
) -> dict[str, Any]:
    """An observation without its measure."""
    numbers = {"value": value, "base": base, "weight": more.pop("weight", None)}
    given = {name: None if number is None else Decimal(str(number)) for name, number in numbers.items()}
    return {"unit_code": unit, "observed_on": day, "category": category, **given, **more}


SLIPS = [entry(None, 10, "x"), entry(3, None, "x"), entry(11, 10, "x"), entry(1, 10, "x", day=LATER)]
SLIPS_COUNTED: list[Counted] = [
    ("A1", MAY, "excluded:value_missing", 1, 0),
    ("A1", MAY, "excluded:base_missing", 1, 0),
    ("A1", MAY, "excluded:above_base", 1, 0),
    ("A1", AS_OF, "excluded:after_as_of", 1, 0),
]


def part_of_kinds(*kinds: str) -> tuple[list[dict[str, Any]], list[Counted]]:
    """Two kinds of entries, a unit that nobody knows, and every slip: 7 of 9, 2 of 4, 0 of 3 and 1 of 1."""
    first, second = kinds
    rows = [entry(7, 9, first), entry(2, 4, second), entry(0, 3, first, day=JUNE), entry(1, 1, first, unit="nowhere"), *SLIPS]
    counted = [
        ("A1", MAY, "", 9, 13), ("A1", MAY, f"category:{first}", 7, 9), ("A1", MAY, f"category:{second}", 2, 4),
        ("A1", JUNE, "", 0, 3), ("A1", JUNE, f"category:{first}", 0, 3),
        (UNASSIGNED, MAY, "", 1, 1), (UNASSIGNED, MAY, f"category:{first}", 1, 1), *SLIPS_COUNTED,
    ]  # fmt: skip
    return rows, counted


def part() -> tuple[list[dict[str, Any]], list[Counted]]:
    """Entries of one kind: 1 of 1 at a station, 4 of 6 of its county, 0 of 2 a month later, 2 of 3 of nobody; a category is not asked for."""
    rows = [entry(1, 1, "y"), entry(4, 6, unit="A"), entry(0, 2, day=JUNE), entry(2, 3, unit="nowhere"), *SLIPS]
    return rows, [("A1", MAY, "", 1, 1), ("A.self", MAY, "", 4, 6), ("A1", JUNE, "", 0, 2), (UNASSIGNED, MAY, "", 2, 3), *SLIPS_COUNTED]


def number_of_kinds(first: str, second: str, factor: int = 1) -> tuple[list[dict[str, Any]], list[Counted]]:
    """12 and 3 of two kinds, none a month later, 5 of an unknown unit; nothing filled in, less than nothing, and the month after the night."""
    rows = [
        entry(12, category=first), entry(3, category=second), entry(0, category=first, day=JUNE), entry(5, category=first, unit="nowhere"),
        entry(None, category=first), entry(-1, category=first), entry(9, category=first, day=LATER),
    ]  # fmt: skip
    counted = [
        ("A1", MAY, "", 15 * factor, 0), ("A1", MAY, f"category:{first}", 12 * factor, 0), ("A1", MAY, f"category:{second}", 3 * factor, 0),
        (UNASSIGNED, MAY, "", 5 * factor, 0), (UNASSIGNED, MAY, f"category:{first}", 5 * factor, 0),
        ("A1", MAY, "excluded:value_missing", 1, 0), ("A1", MAY, "excluded:negative_value", 1, 0), ("A1", AS_OF, "excluded:after_as_of", 1, 0),
    ]  # fmt: skip
    return rows, counted


def capped(category: str | None) -> tuple[list[dict[str, Any]], list[Counted]]:
    """A shift of 500 minutes of 480 counts 480, so that it does not make up for one of 400."""
    rows = [entry(500, 480, category), entry(400, 480, category), entry(None, 480, category), entry(480, None, category)]
    slices = [("A1", MAY, f"category:{category}", 880, 960)] if category else []
    return rows, [
        ("A1", MAY, "", 880, 960),
        *slices,
        ("A1", MAY, "excluded:value_missing", 1, 0),
        ("A1", MAY, "excluded:base_missing", 1, 0),
    ]


FIGURES: dict[str, tuple[str, tuple[list[dict[str, Any]], list[Counted]]]] = {
    "TIME-1": (
        "community_hours",
        (
            [entry(32, 40), entry(30.5, 40), entry(40, 40), entry(0, 0), *SLIPS],
            [("A1", MAY, "", 6150, 7200), ("A1", MAY, "heap:80", 1, 3), *SLIPS_COUNTED],
        ),
    ),
    "COM-1": ("task_done", part_of_kinds("visit", "publicity")),
    "COM-2": ("village_assigned", part()),
    "COM-3": ("basic_data_updated", part_of_kinds("address", "house")),
    "SITE-2": ("smart_site_built", part_of_kinds("community", "campus")),
    "SITE-3": ("alarm_test_ok", part_of_kinds("school", "hospital")),
    "PAT-1": ("patrol_minutes", capped("night")),
    "PAT-1.cell": ("patrol_cell_minutes", capped(None)),
    "PAT-2": ("joint_shift_staffed", part()),
    "PAT-2.stations": (
        "joint_station",
        ([entry(1), entry(1), entry(1, unit="nowhere"), entry(1, day=JUNE)], [("A1", MAY, "", 2, 0), (UNASSIGNED, MAY, "", 1, 0), ("A1", JUNE, "", 1, 0)]),
    ),
    "PAT-3.joint": ("joint_force", number_of_kinds("grid", "taxi")),
    "PAT-3.volunteers": ("volunteer", number_of_kinds("volunteer_police", "volunteer")),
    "PAT-3.organisations": ("volunteer_organisation", number_of_kinds("red_vest", "worthies")),
    "PAT-3.staff": ("patrol_staff", number_of_kinds("patrol", "community")),
    "REF-1.team_room": ("room_team_reform", part()),
    "REF-1.lab": ("evidence_lab", part()),
    "REF-1.training_base": ("training_base", part()),
    "REF-1.negative_list": ("negative_list", part()),
    "REF-1.connected": ("platform_connected", part()),
    "REF-1.centre": ("joint_centre", part_of_kinds("operation", "anti_fraud")),
    "TRN-1": ("trained", part_of_kinds("law", "skill")),
    "FIN-1": (
        "budget_executed",
        (
            [entry(1.23, 2, "equipment"), entry(3, 2.5, "grassroots"), entry(None, 2, "equipment"), entry(1, None, "equipment")],
            [
                ("A1", MAY, "", 4_230_000, 4_500_000), ("A1", MAY, "category:equipment", 1_230_000, 2_000_000),
                ("A1", MAY, "category:grassroots", 3_000_000, 2_500_000), ("A1", MAY, "excluded:value_missing", 1, 0),
                ("A1", MAY, "excluded:base_missing", 1, 0),
            ],
        ),
    ),
    "ACT-1.products": ("analysis_product", number_of_kinds("incident", "fraud")),
    "ACT-1.awards": ("station_award", number_of_kinds("provincial", "ministerial")),
    "ACT-1.events": ("publicity_activity", number_of_kinds("alarm_line", "anti_fraud")),
    "PTS-1": ("case_points", number_of_kinds("criminal", "administrative", 10)),
    "EXT-1": ("congestion_index", number_of_kinds("method_2024", "method_2023", 1000)),
    "HAZ-2.inspected": ("site_inspected", part_of_kinds("explosive", "delivery")),
    "SAF-1": (
        "safety_incident",
        (
            [entry(0, 31, "event"), entry(2, 1, "event"), entry(1, 30, "detention"), entry(1, None, "event")],
            [
                ("A1", MAY, "", 3, 62), ("A1", MAY, "category:event", 2, 32), ("A1", MAY, "category:detention", 1, 30),
                ("A1", MAY, "excluded:base_missing", 1, 0),
            ],
        ),
    ),
    "DRL-1": ("drill_met", part_of_kinds("joint", "counter_terror")),
    "LAW-3": (
        "case_review_passed",
        (
            [
                entry(1, weight=2.5, row_count=9), entry(0, weight=2.5), entry(1, weight=1, row_count=4), entry(0, weight=1),
                entry(1), entry(None, weight=1), entry(1, weight=1, day=LATER),
            ],
            [
                ("A1", MAY, "", 26_500, 30_000), ("A1", MAY, "square:weight", 60_250_000, 67_500_000), ("A1", MAY, "excluded:weight_missing", 1, 0),
                ("A1", MAY, "excluded:no_answer", 1, 0), ("A1", AS_OF, "excluded:after_as_of", 1, 0),
            ],
        ),
    ),
    "LAW-4": ("inspection_problem", part_of_kinds("duty", "window")),
    "TR-3": ("traffic_violation", number_of_kinds("speeding", "fatigue")),
    "SVC-4.id": ("remote_id_card", part()),
    "SVC-6": ("active_user", part()),
    "EQ-3": ("coverage_installed", part_of_kinds("video", "gate")),
    "EQ-1.fleet": ("fleet_online", part_of_kinds("bus", "hazardous_goods")),
    "EQ-4": ("equipment_item", number_of_kinds("drone", "robot")),
    "MED-3": ("mediation_room", part()),
    "SUR-1": (
        "trust_police",
        (
            [entry(5, row_count=2), entry(4), entry(3, row_count=3), entry(None, row_count=2), entry(5, day=LATER)],
            [("A1", MAY, "", 3, 6), ("A1", MAY, "excluded:no_answer", 2, 0), ("A1", AS_OF, "excluded:after_as_of", 1, 0)],
        ),
    ),
    "SUR-1.safety": (
        "feel_safe",
        (
            [entry(4, weight=1.5, row_count=3), entry(3, weight=0.5, row_count=2), entry(5), entry(None, weight=1)],
            [
                ("A1", MAY, "", 4500, 5500), ("A1", MAY, "square:weight", 6_750_000, 7_250_000), ("A1", MAY, "excluded:weight_missing", 1, 0),
                ("A1", MAY, "excluded:no_answer", 1, 0),
            ],
        ),
    ),
}  # fmt: skip

LEDGER_UNITS = [unit("C", None, "city"), unit("A", "C", "county"), unit("A1", "A", "station")]
OBSERVATIONS = [{"measure": measure, **row} for measure, (rows, _) in FIGURES.values() for row in rows]
