"""The true figures while they are counted: sums by figure, unit, day and cell."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

KEY = ("kpi_id", "unit_code", "day", "cell")


class Tally:
    """Sums by figure, unit, day and cell."""

    def __init__(self) -> None:
        self.kpi_ids: list[str] = []
        self.units: list[str] = []
        self.days: list[dt.date] = []
        self.cells: list[str] = []
        self.numerators: list[int] = []
        self.denominators: list[int] = []

    def add(self, kpi_id: str, unit: str, day: dt.date, cells: tuple[str, ...], numerator: int, denominator: int) -> None:
        if numerator or denominator:
            for cell in cells:
                self.kpi_ids.append(kpi_id)
                self.units.append(unit)
                self.days.append(day)
                self.cells.append(cell)
                self.numerators.append(numerator)
                self.denominators.append(denominator)

    def table(self) -> pa.Table:
        added = pa.table(
            {
                "kpi_id": pa.array(self.kpi_ids, pa.string()),
                "unit_code": pa.array(self.units, pa.string()),
                "day": pa.array(self.days, pa.date32()),
                "cell": pa.array(self.cells, pa.string()),
                "numerator": pa.array(self.numerators, pa.int64()),
                "denominator": pa.array(self.denominators, pa.int64()),
            }
        )
        summed = added.group_by(list(KEY)).aggregate([("numerator", "sum"), ("denominator", "sum")])
        named = summed.rename_columns({"numerator_sum": "numerator", "denominator_sum": "denominator"})
        return named.select([*KEY, "numerator", "denominator"]).sort_by([(name, "ascending") for name in KEY]).combine_chunks()
