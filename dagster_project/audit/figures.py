"""Checks of the figures themselves: they are the sum of what is counted, they are plausible beside their own past, units still count, and
what units print agrees. One query each for all products.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import duckdb

from dagster_project.audit.candidate import Candidate
from dagster_project.audit.lineage import Node
from dagster_project.audit.register import PRODUCT_CHECKS
from dagster_project.audit.usual import unusual_days, usual_band
from dagster_project.audit.verdict import NOT_AUDITED, Verdict, first_line

WEEKS = 8
WEEKLY_LEAST = 20
UNUSUAL_DAYS_IN_WEEK = 3
PERIODS = {"week": 8, "month": 8}
LEAST_PERIODS = 6
BANDED_KINDS = ("count", "proportion", "ratio")
KINDS_OF_A_WHOLE = ("proportion", "mean")
SETTLED_DAYS = 7
PRINTED_LEAST = 3
PRINTED_SHARE = 0.05

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def _standing(candidate: Candidate, *names: str) -> list[str] | None:
    """The relations of these models; None when one is missing, which other checks say."""
    nodes: list[Node] = [node for name in names if (node := candidate.lineage.named(name)) is not None and candidate.has(node)]
    return [candidate.relation(node) for node in nodes] if len(nodes) == len(names) else None


def _days(days: Collection[dt.date]) -> str:
    return ", ".join(f"date '{day}'" for day in sorted(days)) or "null::date"


def _by_product(rows: Sequence[dict[str, Any]]) -> Rows:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row.pop("product")].append(row)
    return found


def unlike_their_counts(candidate: Candidate) -> Rows | None:
    """Figures of a root that are not what the counts of its units add up to, and of quarters and years that are not their months.

    Only figures that add up over time; months that ``kpi`` does not hold are none of its.
    """
    relations = _standing(candidate, "kpi", "fct_kpi_count", "kpi_catalogue", "unit")
    if relations is None:
        return None
    kpi, counts, catalogue, unit = relations
    return _by_product(
        candidate.rows(
            f"""
            with additive as (
                select kpi_id, product from {catalogue} where time_rule = 'sum'
            ),
            root as (
                select unit_code as root_code from {unit} where parent_code is null
            ),
            figure as (
                select product, kpi_id, unit_code, grain, period_start, numerator, coalesce(denominator, 0) as denominator
                from {kpi} inner join additive using (product, kpi_id) inner join root on unit_code = root_code
                where slice = '' and grain in ('month', 'quarter', 'year')
            ),
            summed as (
                select kpi_id, root_code as unit_code, 'month' as grain, date_trunc('month', day)::date as period_start,
                    sum(numerator) as numerator, sum(denominator) as denominator
                from {counts} inner join {unit} using (unit_code)
                where cell = '' and kpi_id in (select kpi_id from additive) group by all
                union all
                select kpi_id, unit_code, longer.grain, date_trunc(longer.grain, period_start)::date,
                    sum(numerator), sum(denominator)
                from figure, (values ('quarter', 3), ('year', 12)) as longer(grain, months)
                where figure.grain = 'month'
                group by all having count(*) = any_value(longer.months)
            )
            select product, kpi_id, unit_code, grain, period_start, figure.numerator, summed.numerator as sum_of_numerators,
                figure.denominator, summed.denominator as sum_of_denominators
            from figure inner join summed using (kpi_id, unit_code, grain, period_start)
            where figure.numerator is distinct from summed.numerator or figure.denominator is distinct from summed.denominator
            order by all
            """
        )
    )


def silent_units(candidate: Candidate) -> Rows | None:
    """Units that counted something of a KPI in each of eight weeks and nothing in the one after, which ends on the KPI's last day.

    Weeks of holidays are no evidence; a unit that is closed may be silent.
    """
    relations = _standing(candidate, "fct_kpi_count", "kpi_catalogue", "unit")
    if relations is None:
        return None
    counts, catalogue, unit = relations
    return _by_product(
        candidate.rows(
            f"""
            with counted as (
                select kpi_id, unit_code, day, case when kind in {KINDS_OF_A_WHOLE} then denominator else numerator end as n
                from {counts} inner join {catalogue} using (kpi_id)
                where cell = '' and day <= date '{candidate.as_of}' and n > 0
                    and (kind in {KINDS_OF_A_WHOLE} or kind = 'count' and numerator_unit = 'row')
            ),
            last_day as (
                select kpi_id, max(day) as last_day from counted group by all
                having len(list_filter([{_days(unusual_days(candidate))}], d -> d > max(day) - 7 and d <= max(day))) < {UNUSUAL_DAYS_IN_WEEK}
            ),
            weekly as (
                select kpi_id, unit_code, last_day, (last_day - day) // 7 as week, sum(n) as n
                from counted inner join last_day using (kpi_id) where last_day - day < 7 * {WEEKS + 1} group by all
            ),
            silent as (
                select kpi_id, unit_code, last_day, median(n)::bigint as usual_week, max(week) filter (where n > 0) as oldest
                from weekly group by all having count(*) = {WEEKS} and min(week) = 1 and median(n) >= {WEEKLY_LEAST}
            )
            select product, kpi_id, unit_code, unit_name, last_day - 6 as silent_from, last_day as silent_to, usual_week
            from silent inner join {catalogue} using (kpi_id) inner join {unit} as unit using (unit_code)
            where unit.valid_to is null or unit.valid_to > silent.last_day
            order by all
            """
        )
    )


def implausible_figures(candidate: Candidate) -> Rows | None:
    """Counts of a root's last settled week or month that lie far outside those of the periods before; periods of holidays are left out.

    A period is settled when it ended a week ago, so that late rows are in, and not after the last day on which the KPI counts anything,
    which may be that of a monthly ledger.
    """
    relations = _standing(candidate, "kpi", "fct_kpi_count", "kpi_catalogue", "unit")
    if relations is None:
        return None
    kpi, counts, catalogue, unit = relations
    unusual = sorted(unusual_days(candidate))
    rows = candidate.rows(
        f"""
        with last_day as (
            select kpi_id, max(day) as last_day from {counts} where cell = '' and day <= date '{candidate.as_of}' group by all
        )
        select product, kpi_id, unit_code, grain, period_start, period_end, numerator, denominator
        from {kpi} inner join {catalogue} using (product, kpi_id) inner join last_day using (kpi_id)
        where slice = '' and is_complete and period_end <= least(last_day, date '{candidate.as_of}' - maturity_days - {SETTLED_DAYS}) and grain in ('week', 'month') and time_rule = 'sum' and kind in {BANDED_KINDS}
            and period_end > date '{candidate.as_of}' - maturity_days - case grain when 'week' then 7 * 12 else 31 * 12 end
            and unit_code in (select unit_code from {unit} where parent_code is null)
        order by product, kpi_id, unit_code, grain, period_start
        """
    )
    series: dict[tuple[str, str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        series[row["product"], row["kpi_id"], row["unit_code"], row["grain"]].append(row)
    found = []
    for periods in series.values():
        found += _implausible(periods, unusual)
    return _by_product(found)


def _implausible(periods: Sequence[dict[str, Any]], unusual: Sequence[dt.date]) -> list[dict[str, Any]]:
    def is_ordinary(period: Mapping[str, Any]) -> bool:
        first: dt.date = period["period_start"]
        last_day: dt.date = period["period_end"]
        touched = bisect_right(unusual, last_day) - bisect_left(unusual, first)
        return touched < max(UNUSUAL_DAYS_IN_WEEK, ((last_day - first).days + 1) / 4)

    *before, last = periods
    ordinary = [p for p in before if is_ordinary(p)][-PERIODS[last["grain"]] :]
    if len(ordinary) < LEAST_PERIODS or not is_ordinary(last):
        return []
    found = []
    for part in ("numerator", "denominator"):
        history, now = [int(p[part] or 0) for p in ordinary], int(last[part] or 0)
        if min(*history, now) < 0:
            continue
        band = usual_band(history)
        if not band.holds(now):
            shown = {name: last[name] for name in ("product", "kpi_id", "unit_code", "grain", "period_start")}
            found.append({**shown, "part": part, "now": now, "usual_from": round(band.low), "usual_to": round(band.high)})
    return found


def printed_otherwise(candidate: Candidate) -> Rows | None:
    """Counts that units printed and that the pool does not give, by more than a few late rows."""
    relations = _standing(candidate, "reconciliation", "kpi_catalogue")
    if relations is None:
        return None
    reconciliation, catalogue = relations
    gaps = " or ".join(
        f"abs(printed.{part} - printed.pool_{part}) > greatest({PRINTED_LEAST}, {PRINTED_SHARE} * printed.pool_{part})"
        for part in ("numerator", "denominator")
    )
    return _by_product(
        candidate.rows(
            f"""
            select product, kpi_id, printed.source_id, printed.unit_code, printed.period_start, printed.numerator, printed.denominator,
                printed.pool_numerator, printed.pool_denominator
            from {reconciliation} as printed inner join {catalogue} using (kpi_id)
            where {gaps}
            order by printed.period_start desc, kpi_id, printed.unit_code
            """
        )
    )


FIGURE_CHECKS: Mapping[str, tuple[Callable[[Candidate], Rows | None], str, str]] = {
    "additivity": (unlike_their_counts, "counts do not add up to the figure", "every figure of a root is the sum of its counts"),
    "coverage": (silent_units, "units are silent", "every unit that counts every week counted"),
    "plausibility": (implausible_figures, "figures are far from usual", "the last complete periods are like those before"),
    "reconciliation": (printed_otherwise, "printed figures differ from the pool's", "figures printed by units agree with the pool's"),
}
"""Check to what finds its offending rows by product, and its words when there are some and when there are none."""


def figure_verdicts(candidate: Candidate, products: Sequence[str]) -> list[Verdict]:
    """The verdicts of FIGURE_CHECKS for these products. A check that cannot run fails all of them."""
    verdicts = []
    for name, (find, wrong, right) in FIGURE_CHECKS.items():
        check, trouble = PRODUCT_CHECKS[name], ""
        try:
            found = find(candidate) or {}
        except duckdb.Error as error:
            found, trouble = {}, f"{NOT_AUDITED}: {first_line(error)}"
        for product in products:
            bad = found.get(product, ())
            if trouble:
                verdicts.append(check.of_product(product, False, trouble, severity="block"))
            elif bad:
                first = ", ".join(f"{key} {value}" for key, value in bad[0].items() if value is not None)
                verdicts.append(check.of_product(product, False, f"{len(bad)} {wrong}, the first: {first}", bad))
            else:
                verdicts.append(check.of_product(product, True, right))
    return verdicts
