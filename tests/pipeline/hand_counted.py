"""Figures counted by hand from a few rows each (``tests/figures/*.yml``), every file a group of units of its own in one pool.

A file says what it is about, its units, the rows of the entities, and per KPI the cells ``[unit, day, cell, numerator, denominator]``:
all of the figure itself (cell '') and of the exclusions, and of every other kind of cell that it names at all. In the rows every date is
another date and every role another unit, so that a figure on another clock or for another unit is another figure.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

FIGURES = Path(__file__).resolve().parents[1] / "figures"
AS_OF = dt.date(2024, 6, 30)
LONG_AGO = dt.date(2000, 1, 1)
Counted = tuple[str, dt.date, str, int, int]
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Group:
    """The rows of one group of units and the counts that a person expects of them."""

    name: str
    rows: Mapping[str, list[dict[str, Any]]]
    counted: Mapping[str, list[Counted]]
    root: str


def unit(code: str, parent: str | None, level: str) -> dict[str, Any]:
    return {"unit_code": code, "unit_name": code, "parent_code": parent, "unit_level": level, "valid_from": LONG_AGO}


def read_groups() -> list[Group]:
    return [_read(path) for path in sorted(FIGURES.glob("*.yml"))]


def _read(path: Path) -> Group:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    units = [{"unit_name": u["unit_code"], "valid_from": LONG_AGO, **u} for u in document["units"]]
    (root,) = (u["unit_code"] for u in units if "parent_code" not in u)
    counted = {kpi_id: [_counted(row) for row in rows] for kpi_id, rows in document["counted"].items()}
    rows = {entity: [_exact(row) for row in delivered] for entity, delivered in document["rows"].items()}
    return Group(path.stem, {"unit": units, **rows}, counted, root)


def _exact(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Decimal(str(value)) if isinstance(value, float) else value for name, value in row.items()}


def _counted(row: list[Any]) -> Counted:
    unit, day, cell, numerator, denominator = row
    return unit, day, cell, numerator, denominator


def pool_rows(groups: Iterable[Group]) -> tuple[Rows, dict[str, dict[str, str]]]:
    """The rows of all groups by entity, each of a source of its group, and those sources."""
    rows: Rows = defaultdict(list)
    sources: dict[str, dict[str, str]] = {}
    for group in groups:
        for entity, delivered in group.rows.items():
            source_id = f"{group.name}_{entity}"
            sources[source_id] = {"group_name": group.name}
            rows[entity].extend({"source_id": source_id, **row} for row in delivered)
    return rows, sources


def compared_kinds(expected: Iterable[Counted]) -> set[str]:
    """The kinds of cells of which a person listed all."""
    return {"", "excluded"} | {cell.split(":")[0] for _, _, cell, _, _ in expected}
