"""Internal releases of a small city made by hand, by month and county, for tests of the public face."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from dagster_project.home import Home
from dagster_project.release.record import ProductRecord, Release, ReleaseManifest, TableRecord

CITY = "C"
KPIS = {
    "INC-1": ("incident", "count"),
    "INC-2": ("incident", "proportion"),
    "INC-3.effective": ("warning_drop", "count"),
    "MED-1": ("mediation", "proportion"),
    "CR-1.filed": ("clearance", "count"),
    "CR-2.30": ("clearance", "proportion"),
    "CR-5": ("clearance", "count"),
    "INT-1.quick": ("integrity", "proportion"),
    "INT-4.deleted": ("integrity", "proportion"),
    "CR-2.90": ("clearance", "proportion"),
    "TR-1.ksi": ("traffic", "count"),
    "TR-1.deaths": ("traffic", "count"),
    "FR-2.loss": ("fraud", "amount"),
}
Month = tuple[int, int]
Counts = Mapping[tuple[str, str, Month], tuple[int, int | None]]
"""KPI, county and month to numerator and denominator."""

COMPARED = """
    select own.*,
        yoy.value as yoy_value, own.value / nullif(yoy.value, 0) as yoy_ratio, 0.5 as yoy_lower95, 1.5 as yoy_upper95, 1.0 as yoy_z,
        if(yoy.value is null, null, 'no clear change') as yoy_verdict,
        pop.value as pop_value, own.value / nullif(pop.value, 0) as pop_ratio, 0.5 as pop_lower95, 1.5 as pop_upper95, 1.0 as pop_z,
        if(pop.value is null, null, 'no clear change') as pop_verdict,
        false as series_break, false as suppressed, false as stale, date '{as_of}' as as_of, '{version}' as origin_release
    from figure as own
    left join figure as yoy on (own.kpi_id, own.unit_code, own.grain) = (yoy.kpi_id, yoy.unit_code, yoy.grain)
        and yoy.period_end = last_day(own.period_end - interval 1 year)
    left join figure as pop on (own.kpi_id, own.unit_code, own.grain) = (pop.kpi_id, pop.unit_code, pop.grain) and own.grain <> 'ytd'
        and pop.period_end = last_day(own.period_end - to_months(case own.grain when 'month' then 1 when 'quarter' then 3 else 12 end))
"""

FIGURE = """
    create table figure as
    with counted as (
        select kpi_id, unit_code, month, numerator, denominator from given
        union all
        select kpi_id, 'C', month, sum(numerator)::bigint, sum(denominator)::bigint from given group by all
    ),
    grained as (
        select kpi_id, unit_code, numerator, denominator, month as period_start, last_day(month) as period_end, 'month' as grain from counted
        union all
        select kpi_id, unit_code, numerator, denominator, date_trunc('quarter', month)::date, last_day(date_trunc('quarter', month)::date + interval 2 month), 'quarter'
        from counted
        union all
        select kpi_id, unit_code, numerator, denominator, date_trunc('year', month)::date, last_day(date_trunc('year', month)::date + interval 11 month), 'year'
        from counted
        union all
        select kpi_id, unit_code, numerator, denominator, date_trunc('year', counted.month)::date, last_day(to_date.month), 'ytd' from counted
        join (select distinct month from counted) as to_date(month) on counted.month <= to_date.month and year(counted.month) = year(to_date.month)
    ),
    summed as (
        select kpi_id, unit_code, grain, period_start, period_end, sum(numerator)::bigint as numerator, sum(denominator)::bigint as denominator
        from grained group by all
    )
    select c.product, kpi_id, c.kpi_name_zh, c.kpi_name_en, unit_code, unit_code as unit_name,
        if(unit_code = 'C', 'city', 'county') as unit_level, 'jurisdiction' as unit_role, 'period' as basis, '' as slice, grain, period_start,
        period_end, period_end <= date '{as_of}' and period_start >= (select min(month) from given)
            and period_end <= last_of_kpi.month_end as is_complete, numerator, denominator,
        case when c.kind = 'proportion' then numerator / nullif(denominator, 0) else numerator::double end as value,
        null::double as lower95, null::double as upper95
    from summed join kpi_catalogue as c using (kpi_id)
    join (select kpi_id, last_day(max(month)) as month_end from given group by all) as last_of_kpi using (kpi_id)
"""


def _literal(value: object) -> str:
    return "null" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


@dataclass
class PublicCity:
    """A home whose internal releases are written by hand."""

    root: Path
    made: int = 0
    stale: frozenset[str] = field(default_factory=frozenset)

    @property
    def home(self) -> Home:
        return Home.at(self.root, self.root / "landing").ensure()

    def release(self, counts: Counts, as_of: dt.date) -> Release:
        """The internal release of a night, of these counts."""
        self.made += 1
        version = f"{as_of:%Y%m%d}-{self.made:03d}"
        folder = self.home.published / version
        folder.mkdir()
        used = sorted({kpi for kpi, _, _ in counts})
        units = sorted({unit for _, unit, _ in counts})
        with duckdb.connect(str(folder / "kpi.duckdb")) as db:
            rows = ", ".join(
                f"('{kpi}', '{unit}', date '{year}-{month:02d}-01', {_literal(n)}::bigint, {_literal(d)}::bigint)"
                for (kpi, unit, (year, month)), (n, d) in counts.items()
            )
            db.execute(f"create table given as select * from (values {rows}) as g(kpi_id, unit_code, month, numerator, denominator)")
            kinds = ", ".join(f"('{kpi}', '{KPIS[kpi][0]}', '{kpi}', '{kpi}', '{KPIS[kpi][1]}', 'sum', 'row', '')" for kpi in used)
            db.execute(
                f"create table kpi_catalogue as select * from (values {kinds}) as c(kpi_id, product, kpi_name_zh, kpi_name_en, kind, time_rule, numerator_unit, cell_kinds)"
            )
            tree = ", ".join(f"('{unit}', '{unit}', 'county', 'C')" for unit in units)
            db.execute(
                f"create table unit as select * from (values ('C', 'City', 'city', null), {tree}) as u(unit_code, unit_name, unit_level, parent_code)"
            )
            db.execute(FIGURE.format(as_of=as_of))
            db.execute(f"create table kpi as {COMPARED.format(as_of=as_of, version=version)}")
            for table in ("kpi", "kpi_catalogue", "unit"):
                for (column,) in db.execute(f"select column_name from (describe {table})").fetchall():
                    db.execute(f"comment on column {table}.\"{column}\" is '列 {column}'")
        products = {
            KPIS[kpi][0]: ProductRecord(KPIS[kpi][0], "stale" if KPIS[kpi][0] in self.stale else "fresh", bundle="b", as_of=as_of)
            for kpi in used
        }
        now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
        manifest = ReleaseManifest(version, as_of, now, 1, "", "", "", "", "", "", {}, TableRecord(0, ""), products, {}, {})
        return Release(folder, manifest, True)


def months(first: Month, number: int) -> list[Month]:
    start = first[0] * 12 + first[1] - 1
    return [(at // 12, at % 12 + 1) for at in range(start, start + number)]


def end_of(month: Month) -> dt.date:
    following = dt.date(month[0] + month[1] // 12, month[1] % 12 + 1, 1)
    return following - dt.timedelta(days=1)
