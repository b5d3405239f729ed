"""The names and kinds of column that analysts rely on: what the audit demands of a candidate and a release must hold."""

from __future__ import annotations

from typing import Literal

Kind = Literal["text", "date", "boolean", "integer", "number"]

DUCKDB_TYPES: dict[Kind, tuple[str, ...]] = {
    "text": ("VARCHAR",),
    "date": ("DATE",),
    "boolean": ("BOOLEAN",),
    "integer": ("BIGINT", "INTEGER", "SMALLINT"),
    "number": ("DOUBLE", "DECIMAL", "BIGINT"),
}


def _comparison(prefix: str) -> dict[str, Kind]:
    figures: dict[str, Kind] = {f"{prefix}_{name}": "number" for name in ("value", "ratio", "lower95", "upper95", "z")}
    return {**figures, f"{prefix}_verdict": "text"}


KPI_COLUMNS: dict[str, Kind] = {
    "product": "text",
    "kpi_id": "text",
    "kpi_name_zh": "text",
    "kpi_name_en": "text",
    "unit_code": "text",
    "unit_name": "text",
    "unit_level": "text",
    "unit_role": "text",
    "basis": "text",
    "slice": "text",
    "grain": "text",
    "period_start": "date",
    "period_end": "date",
    "is_complete": "boolean",
    "numerator": "number",
    "denominator": "number",
    "value": "number",
    "lower95": "number",
    "upper95": "number",
    **_comparison("yoy"),
    **_comparison("pop"),
    "series_break": "boolean",
    "suppressed": "boolean",
    "stale": "boolean",
    "as_of": "date",
    "origin_release": "text",
}

KPI_KEY = ("kpi_id", "unit_code", "slice", "grain", "period_start", "period_end")
KPI_REQUIRED = (
    "product",
    "kpi_id",
    "kpi_name_zh",
    "kpi_name_en",
    "unit_code",
    "slice",
    "grain",
    "period_start",
    "period_end",
    "is_complete",
    "as_of",
)
GRAINS = ("day", "week", "month", "quarter", "year", "ytd")

COUNT_COLUMNS: dict[str, Kind] = {
    "kpi_id": "text",
    "unit_code": "text",
    "day": "date",
    "cell": "text",
    "numerator": "integer",
    "denominator": "integer",
}
COUNT_KEY = ("kpi_id", "unit_code", "day", "cell")

# Parquet has no 128-bit integers: a bundle would hold them as inexact doubles.
NOT_PUBLISHABLE = ("HUGEINT", "UHUGEINT")

# Columns that only a release can fill: which release a row came from, and whether it is older than the night.
RELEASE_COLUMNS = ("stale", "origin_release")


def is_of_kind(duckdb_type: str, kind: Kind) -> bool:
    return duckdb_type.split("(")[0] in DUCKDB_TYPES[kind]
