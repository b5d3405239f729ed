"""The monthly figures that county bureaus print themselves, a few of which do not follow from the counts beside them."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.city.deliveries import Batch, Book
from dagster_project.city.faults import LedgerEntry
from dagster_project.city.files import Row, write_xlsx
from dagster_project.city.truth import count_printed
from dagster_project.city.world import World, generator

SOURCE = "monthly_figure"
NAMES = {"CR-1": "当期破案率", "MED-1": "调解成功率", "SAT-1": "回访满意率"}
SCALES = {"CR-1": 1, "MED-1": 1, "SAT-1": 100}
REPORTING_DAY = 5
PADDED_SHARE = 0.05
WRONG_SHARE = 0.03


@dataclass(frozen=True)
class _Figure:
    month: dt.date
    county: str
    kpi_id: str
    numerator: int
    denominator: int

    @property
    def value(self) -> float:
        """In per cent."""
        return 100 * self.numerator / self.denominator / SCALES[self.kpi_id]

    @property
    def right(self) -> str:
        """As it should be printed."""
        return f"{self.value:.2f}"


def deliver_figures(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Deliver the figures of every complete month: in the initial load, or on the fifth of the month after.

    A figure is printed as it stood on the night of its delivery. The declared faults are ``padded_figure`` (82.90 for 82.87) and
    ``figure_not_reproducible`` (another value than its own counts give).
    """
    names = {unit.code: unit.name for unit in world.places.units}
    for batch in plan:
        if batch.night > 0 and batch.date.day != REPORTING_DAY:
            continue
        figures = [f for f in _figures(world, count_printed(world, book, batch.date)) if _delivered_on(f.month, plan) == batch.date]
        faults = _faults(world.seed, batch, figures)
        rows: list[Row] = []
        for figure in figures:
            _, text = faults.get(figure, ("", figure.right))
            month = f"{figure.month:%Y-%m}"
            rows.append([figure.county, names[figure.county], month, NAMES[figure.kpi_id], figure.numerator, figure.denominator, text])
        if not rows:
            continue
        relative = f"figure/{SOURCE}/{batch.date:%Y%m%d}/月报指标.xlsx"
        header: Row = ["单位代码", "单位名称", "统计月份", "指标", "分子", "分母", "数值（%）"]
        write_xlsx(out / relative, "月报", ("澜川市公安局主要指标月报", "填报说明：数值保留两位小数"), [header], (), rows)
        for number, figure in enumerate(figures, start=1):
            if figure in faults:
                kind, _ = faults[figure]
                book.note(
                    LedgerEntry(SOURCE, batch.date.isoformat(), relative, number, kind, "accepted", f"its counts give {figure.right}")
                )
        book.receive(SOURCE, batch.date, relative, Counter({"accepted": len(rows)}))


def _faults(seed: int, batch: Batch, figures: Sequence[_Figure]) -> dict[_Figure, tuple[str, str]]:
    """Which figures are printed wrongly, with the kind of fault and the printed text; in the initial load one of each at least."""
    order = generator(seed, f"figures printed on {batch.date}").permutation(len(figures)).tolist()
    least = 1 if batch.night == 0 else 0
    faults: dict[_Figure, tuple[str, str]] = {}
    for figure in [figures[i] for i in order if not figures[i].right.endswith("0")][: max(least, round(PADDED_SHARE * len(figures)))]:
        faults[figure] = "padded_figure", f"{figure.value:.1f}0"
    for figure in [figures[i] for i in order if figures[i] not in faults][: max(least, round(WRONG_SHARE * len(figures)))]:
        faults[figure] = "figure_not_reproducible", f"{figure.value + (3 if figure.value < 90 else -3):.2f}"
    return faults


def _delivered_on(month: dt.date, plan: Sequence[Batch]) -> dt.date | None:
    """The batch that carries a month's figures, if it lies in the plan."""
    following = (month + dt.timedelta(days=32)).replace(day=REPORTING_DAY)
    if following <= plan[0].date:
        return plan[0].date
    return next((batch.date for batch in plan if batch.date == following), None)


def _figures(world: World, counts: pa.Table) -> list[_Figure]:
    counties = {unit.code[:6]: unit.code for unit in world.places.counties}
    sums: defaultdict[tuple[dt.date, str, str], list[int]] = defaultdict(lambda: [0, 0])
    printed = counts.filter(pc.and_(pc.is_in(counts["kpi_id"], pa.array(sorted(NAMES))), pc.equal(counts["cell"], "")))
    for row in printed.to_pylist():
        county = counties.get(row["unit_code"][:6])
        if county is not None:
            entry = sums[row["day"].replace(day=1), county, row["kpi_id"]]
            entry[0] += row["numerator"]
            entry[1] += row["denominator"]
    first = world.first_day if world.first_day.day == 1 else (world.first_day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    last = world.last_day.replace(day=1)
    return [_Figure(month, county, kpi, n, d) for (month, county, kpi), (n, d) in sorted(sums.items()) if d and first <= month < last]
