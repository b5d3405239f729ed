"""What changed from one release to another: every figure of both, by KPI, unit, slice and period.

A count is **restated** when its period was complete in the first release and its numerator or denominator is another in the second;
what was still running may go on without being one. Belongs here: finding and counting the changes. Their words are in ``diff_words``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from dagster_project.audit.candidate import sql_text
from dagster_project.audit.interface import KPI_KEY
from dagster_project.home import Home
from dagster_project.release.record import Release, ReleaseError, Status, current_release, list_releases, release_of

FLOOR = 30
"""Added below a change when it is weighed, so that 1 → 3 does not come before 1,000 → 2,000."""

KEY = ", ".join(KPI_KEY)
CHANGED = f"""
    create temp table changed as
    select
        {KEY}, coalesce(after.product, before.product) as product,
        before.numerator as numerator_before, after.numerator as numerator_after,
        before.denominator as denominator_before, after.denominator as denominator_after,
        before.yoy_verdict as yoy_before, after.yoy_verdict as yoy_after,
        before.pop_verdict as pop_before, after.pop_verdict as pop_after,
        before.product is null as is_new,
        after.product is null as is_gone,
        before.product is not null and after.product is not null and before.is_complete and (
            before.numerator is distinct from after.numerator or before.denominator is distinct from after.denominator
        ) as is_restated,
        before.product is not null and after.product is not null and before.is_complete
            and before.yoy_verdict is distinct from after.yoy_verdict as yoy_turned,
        before.product is not null and after.product is not null and before.is_complete
            and before.pop_verdict is distinct from after.pop_verdict as pop_turned
    from (select * from before.main.kpi where {{wanted}}) as before
    full join (select * from after.main.kpi where {{wanted}}) as after using ({KEY})
    where before.product is null or after.product is null
        or before.numerator is distinct from after.numerator or before.denominator is distinct from after.denominator
        or before.yoy_verdict is distinct from after.yoy_verdict or before.pop_verdict is distinct from after.pop_verdict
"""

BY_KPI = """
    with before_kpi as (select kpi_id, grain, max(period_end) as newest from before.main.kpi where {wanted} group by all),
    counted as (
        select
            product, kpi_id,
            count(*) filter (is_restated) as restated,
            count(*) filter (is_new and period_end > newest) as of_new_periods,
            count(*) filter (is_new and newest is not null and period_end <= newest) as added,
            count(*) filter (is_new and newest is null) as of_new_kpi,
            count(*) filter (is_gone) as gone,
            count(*) filter (yoy_turned or pop_turned) as turned
        from changed left join before_kpi using (kpi_id, grain)
        group by all
    )
    select * from counted where restated + of_new_periods + added + of_new_kpi + gone + turned > 0 order by product, kpi_id
"""

RESTATED = f"""
    with weighed as (
        select *, greatest(
            abs(coalesce(numerator_after, 0) - coalesce(numerator_before, 0))::double
                / (greatest(abs(coalesce(numerator_before, 0)), abs(coalesce(numerator_after, 0))) + {FLOOR}),
            abs(coalesce(denominator_after, 0) - coalesce(denominator_before, 0))::double
                / (greatest(abs(coalesce(denominator_before, 0)), abs(coalesce(denominator_after, 0))) + {FLOOR})
        ) as weight
        from changed where is_restated
    ),
    ranked as (
        select *, row_number() over (partition by {{group}} order by weight desc, {KEY}) as place, count(*) over (partition by {{group}}) as of_group
        from weighed
    )
    select {KEY}, numerator_before, numerator_after, denominator_before, denominator_after, of_group - 1 as more
    from ranked where place = 1 order by weight desc, {KEY} limit {{limit}}
"""

TURNED = f"""
    select {KEY}, comparison, was, became
    from (
        select {KEY}, 'yoy' as comparison, yoy_before as was, yoy_after as became from changed where yoy_turned
        union all select {KEY}, 'pop', pop_before, pop_after from changed where pop_turned
    )
    order by became in ('rise', 'fall') or was in ('rise', 'fall') desc, slice <> '', {KEY}, comparison limit {{limit}}
"""


@dataclass(frozen=True)
class Place:
    """Where a figure stands."""

    kpi_id: str
    unit_code: str
    slice: str
    grain: str
    period_start: dt.date
    period_end: dt.date


@dataclass(frozen=True)
class Restated:
    """A count of a complete period that is another now; ``more`` are further ones of the same KPI and unit that this one stands for."""

    place: Place
    numerator_before: int | None
    numerator_after: int | None
    denominator_before: int | None
    denominator_after: int | None
    more: int


@dataclass(frozen=True)
class Turned:
    """A verdict of a complete period that is another now; ``comparison`` is yoy or pop."""

    place: Place
    comparison: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class KpiChange:
    """Numbers of figures of one KPI: restated; of periods that came since; added to periods known before; of a KPI that is new; gone; turned."""

    product: str
    kpi_id: str
    restated: int
    of_new_periods: int
    added: int
    of_new_kpi: int
    gone: int
    turned: int


@dataclass(frozen=True)
class ProductChange:
    """What became of a product; a status is None in the release that does not know the product."""

    product: str
    before: Status | None
    after: Status | None
    reason: str


@dataclass(frozen=True)
class ReleaseDiff:
    """From one release to another. ``names``: KPI to its names (zh, en); ``units``: unit to its name."""

    before: str
    after: str
    as_of_before: dt.date
    as_of_after: dt.date
    products: tuple[ProductChange, ...]
    kpis_added: tuple[str, ...]
    kpis_gone: tuple[str, ...]
    kpis: tuple[KpiChange, ...]
    restated: tuple[Restated, ...]
    turned: tuple[Turned, ...]
    names: dict[str, tuple[str, str]]
    units: dict[str, str]

    def total(self, what: str) -> int:
        return sum(getattr(kpi, what) for kpi in self.kpis)

    def as_json(self) -> dict[str, Any]:
        """Plain values; the same releases give the same."""
        return {**asdict(self), "as_of_before": self.as_of_before.isoformat(), "as_of_after": self.as_of_after.isoformat()}


def releases_to_compare(home: Home, before: str | None, after: str | None) -> tuple[Release, Release]:
    """The two releases meant: without ``after`` the current one, without ``before`` the one that came before it. Raises ReleaseError."""
    newer = release_of(home, after) if after else current_release(home)
    if newer is None:
        raise ReleaseError(f"nothing is published in {home.published}: run a night first")
    if before:
        return release_of(home, before), newer
    known = list_releases(home)
    earlier = known[: next(place for place, r in enumerate(known) if r.version == newer.version)]
    earlier = [r for r in earlier if not r.withdrawn]
    if not earlier:
        raise ReleaseError(f"{newer.version} is the first release that stands: there is none before it to compare with")
    return earlier[-1], newer


def compare(before: Release, after: Release, kpis: Sequence[str] = (), units: Sequence[str] = (), limit: int = 20) -> ReleaseDiff:
    """Compare the figures of two releases, of some KPIs and units or of all; at most ``limit`` restated counts and turned verdicts each.

    Without a choice of both a KPI and a unit, the largest restatement of every KPI and unit stands for its others. Raises ReleaseError when a
    release cannot be read, or knows no such KPI or unit.
    """
    config: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    try:
        with duckdb.connect(config=config) as connection:
            for name, release in (("before", before), ("after", after)):
                connection.execute(f"attach {sql_text(release.database)} as {name} (read_only)")
            return _compared(connection, before, after, kpis, units, limit)
    except duckdb.Error as error:
        raise ReleaseError(f"{before.version} and {after.version} cannot be compared: {str(error).splitlines()[0]}") from None


def _compared(
    connection: duckdb.DuckDBPyConnection, before: Release, after: Release, kpis: Sequence[str], units: Sequence[str], limit: int
) -> ReleaseDiff:
    names, kpis_before = _names(connection, "after"), _names(connection, "before")
    _known(kpis, {**kpis_before, **names}, "KPI")
    of_units = {**_units(connection, "before"), **_units(connection, "after")}
    _known(units, of_units, "unit")
    chosen = [f"{c} in ({', '.join(map(sql_text, values))})" for c, values in (("kpi_id", kpis), ("unit_code", units)) if values]
    wanted = " and ".join(chosen) or "true"
    connection.execute(CHANGED.format(wanted=wanted))
    group = KEY if kpis and units else "kpi_id, unit_code"

    def mine(ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(k for k in ids if not kpis or k in kpis))

    return ReleaseDiff(
        before.version,
        after.version,
        before.as_of,
        after.as_of,
        _products(before, after),
        mine(set(names) - set(kpis_before)),
        mine(set(kpis_before) - set(names)),
        tuple(KpiChange(*row) for row in connection.execute(BY_KPI.format(wanted=wanted)).fetchall()),
        tuple(_restated(row) for row in connection.execute(RESTATED.format(group=group, limit=limit)).fetchall()),
        tuple(_turned(row) for row in connection.execute(TURNED.format(limit=limit)).fetchall()),
        {**kpis_before, **names},
        of_units,
    )


def _restated(row: tuple[Any, ...]) -> Restated:
    return Restated(Place(*row[: len(KPI_KEY)]), *row[len(KPI_KEY) :])


def _turned(row: tuple[Any, ...]) -> Turned:
    return Turned(Place(*row[: len(KPI_KEY)]), *row[len(KPI_KEY) :])


def _has(connection: duckdb.DuckDBPyConnection, release: str, table: str) -> bool:
    found = connection.execute(
        f"select count(*) from duckdb_tables() where database_name = {sql_text(release)} and table_name = {sql_text(table)}"
    ).fetchone()
    return bool(found and found[0])


def _names(connection: duckdb.DuckDBPyConnection, release: str) -> dict[str, tuple[str, str]]:
    """KPI to its names; none of a release without any product, which has no catalogue."""
    if not _has(connection, release, "kpi_catalogue"):
        return {}
    found = connection.execute(f"select kpi_id, kpi_name_zh, kpi_name_en from {release}.main.kpi_catalogue order by 1").fetchall()
    return {kpi_id: (zh, en) for kpi_id, zh, en in found}


def _units(connection: duckdb.DuckDBPyConnection, release: str) -> dict[str, str]:
    if not _has(connection, release, "unit"):
        return {}
    return dict(connection.execute(f"select distinct unit_code, unit_name from {release}.main.unit order by 1, 2").fetchall())


def _known(asked: Sequence[str], known: Collection[str], what: str) -> None:
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise ReleaseError(f"neither release knows the {what} {', '.join(unknown)}")


def _products(before: Release, after: Release) -> tuple[ProductChange, ...]:
    """Products that are not fresh in both, with the reason of the later release."""
    earlier, later = before.manifest.products, after.manifest.products
    found = []
    for product in sorted({*earlier, *later}):
        was = earlier[product].status if product in earlier else None
        now = later[product].status if product in later else None
        if (was, now) != ("fresh", "fresh"):
            found.append(ProductChange(product, was, now, later[product].reason if product in later else ""))
    return tuple(found)
