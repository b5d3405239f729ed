"""``kpi_public.duckdb``: its tables, and what is written into them.

A row of the internal ``kpi`` is public whole or not at all. A comparison is public where both of its periods are; what is computed from the
spread of a whole series (z, limits and verdict of comparisons) where no figure of the series is hidden.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from dagster_project.audit.candidate import sql_text
from dagster_project.audit.interface import KPI_COLUMNS
from dagster_project.release.assemble import STORAGE_VERSION
from dagster_project.release.public.model import Figure, RowKey
from dagster_project.release.public.rule import GRAINS, SMALL, UNIT_LEVELS, Definition

DATABASE = "kpi_public.duckdb"
KEY = ("kpi_id", "unit_code", "grain", "period_start", "period_end")
FIGURES = ("numerator", "denominator", "value", "lower95", "upper95")
SIDES = ("yoy", "pop")
RATIO = ("value", "ratio")
JUDGED = ("lower95", "upper95", "z", "verdict")
CATALOGUE_COLUMNS = (
    "kpi_id",
    "product",
    "kpi_name_zh",
    "kpi_name_en",
    "numerator_zh",
    "numerator_en",
    "denominator_zh",
    "denominator_en",
    "kind",
    "event_clock",
    "unit_role",
    "basis",
    "time_rule",
    "maturity_days",
    "value_scale",
    "numerator_unit",
    "direction",
    "caveats_zh",
    "caveats_en",
)
OWN_COLUMNS = {
    "suppression_reason": "不公开的原因 why the figure is not printed, in words",
    "revised_pending": "此后有迟到数据，下一修订日更正 late changes are known and appear on the next date of revision",
    "printed_in": "首次公开该数字的版本 public release that printed the row first",
}
TABLE_COMMENTS = {
    "kpi": "可公开的指标：市、县两级，月、季、年及月末累计；较小数字不公开。 The public figures: city and counties, by month, quarter, year and to date at month ends; small ones are not printed.",
    "kpi_catalogue": "指标目录。 What each KPI counts, and what not to conclude from it.",
    "unit": "单位。 The units.",
    "release_info": "本次公开说明：每个产品一行。 What this public release is, one row per product.",
}


class PublicError(RuntimeError):
    """The public face can not be made as the rule demands; the message says why and what to do."""


@dataclass(frozen=True)
class Internal:
    """What the public face takes from an internal release."""

    figures: tuple[Figure, ...]
    definitions: Mapping[str, Definition]
    parent: Mapping[str, str | None]
    product_of: Mapping[str, str]


def _scope(month_end: dt.date) -> str:
    levels, grains = (", ".join(map(sql_text, names)) for names in (UNIT_LEVELS, GRAINS))
    return (
        f"slice = '' and is_complete and numerator is not null and unit_level in ({levels}) and grain in ({grains}) "
        f"and period_end <= date '{month_end}'"
    )


def read_internal(database: Path, month_end: dt.date) -> Internal:
    """Every figure of an internal release that the rule lets be public or hides, complete by ``month_end``."""
    with duckdb.connect(str(database), read_only=True) as connection:
        known = {column for column, *_ in connection.execute("describe kpi_catalogue").fetchall()}
        squares = "coalesce(cell_kinds, '') like '%square%'" if "cell_kinds" in known else "false"
        catalogue = connection.execute(f"select kpi_id, kind, time_rule, numerator_unit, {squares}, product from kpi_catalogue").fetchall()
        parent = dict(connection.execute("select unit_code, parent_code from unit order by unit_code").fetchall())
        rows = connection.execute(
            f"select {', '.join(KEY)}, numerator::bigint, denominator::bigint from kpi where {_scope(month_end)} order by all"
        ).fetchall()
    definitions = {row[0]: Definition(*row[:5]) for row in catalogue}
    return Internal(tuple(Figure(*row) for row in rows), definitions, parent, {row[0]: row[5] for row in catalogue})


@dataclass(frozen=True)
class Printing:
    """What becomes of each row: taken from the night or from the public release before, and why it is hidden, if it is."""

    fresh: Mapping[RowKey, str]
    kept: Mapping[RowKey, bool]
    """Row of the earlier release to whether late changes are pending."""


@dataclass(frozen=True)
class Head:
    version: str
    as_of: dt.date
    month_end: dt.date
    next_revision: dt.date
    statuses: Mapping[str, str]


def _keys(rows: Sequence[RowKey], **columns: Sequence[object]) -> pa.Table:
    place = {name: [row[at] for row in rows] for at, name in enumerate(KEY)}
    types = {name: pa.date32() if name.startswith("period") else pa.string() for name in KEY}
    arrays = [pa.array(place[name], types[name]) for name in KEY]
    return pa.table([*arrays, *(pa.array(list(c)) for c in columns.values())], names=[*KEY, *columns])


def _blank(column: str, condition: str) -> str:
    return f"case when {condition} then {column} end as {column}"


def _public_columns(definitions: Mapping[str, Definition]) -> str:
    """The columns of the public ``kpi``, each null where the rule does not let it be printed."""
    clustered = ", ".join(sql_text(d.kpi_id) for d in definitions.values() if d.has_squares) or "''"
    shown = "not hidden"
    conditions = dict.fromkeys(FIGURES, shown)
    for bound in ("lower95", "upper95"):
        conditions[bound] = f"{shown} and kpi_id not in ({clustered})"
    for side in SIDES:
        conditions |= {f"{side}_{name}": f"{shown} and {side}_is_printed" for name in RATIO}
        conditions |= {
            f"{side}_{name}": f"{shown} and {side}_is_printed and series_is_whole and kpi_id not in ({clustered})" for name in JUDGED
        }
    kept = [name for name in KPI_COLUMNS if name not in {"suppressed", "stale", "origin_release"}]
    return ", ".join(_blank(name, conditions[name]) if name in conditions else name for name in kept)


def write_database(
    file: Path, internal: Path, earlier: Path | None, definitions: Mapping[str, Definition], printing: Printing, head: Head
) -> None:
    """Write the public database from the internal one and the public one before."""
    with duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}) as connection:
        connection.execute(f"attach {sql_text(internal)} as internal (read_only)")
        if earlier is not None:
            connection.execute(f"attach {sql_text(earlier)} as earlier (read_only)")
        connection.execute(f"attach {sql_text(file)} as public (storage_version {sql_text(STORAGE_VERSION)})")
        fresh, kept = sorted(printing.fresh), sorted(printing.kept)
        connection.register("given_fresh", _keys(fresh, reason=[printing.fresh[k] or None for k in fresh]))
        connection.register("given_kept", _keys(kept, pending=[printing.kept[k] for k in kept]))
        connection.execute("begin")
        _write_kpi(connection, definitions, head, earlier is not None)
        _write_words(connection, head, earlier is not None)
        _comment(connection)
        _check(connection)
        connection.execute("commit")
        connection.execute("detach public")


def _write_kpi(connection: duckdb.DuckDBPyConnection, definitions: Mapping[str, Definition], head: Head, has_earlier: bool) -> None:
    key = ", ".join(KEY)
    kept_flag = (
        f"select {', '.join('kept.' + name for name in KEY)}, row.suppressed as hidden, kept.pending from given_kept as kept "
        f"join earlier.main.kpi as row using ({key})"
        if has_earlier
        else f"select {key}, false as hidden, pending from given_kept where false"
    )
    connection.execute(
        f"""
        create temp table printed as
        select {key}, reason::varchar is not null as hidden, false as pending, reason::varchar as reason from given_fresh
        union all
        select {key}, hidden, pending, null as reason from ({kept_flag})
        """
    )
    prior = {
        "yoy": "last_day(own.period_end - interval 1 year)",
        "pop": "case own.grain when 'month' then last_day(own.period_end - interval 1 month) "
        "when 'quarter' then last_day(own.period_end - interval 3 month) when 'year' then last_day(own.period_end - interval 1 year) end",
    }
    joins = " ".join(
        f"left join printed as {side} on own.kpi_id = {side}.kpi_id and own.unit_code = {side}.unit_code and own.grain = {side}.grain "
        f"and {side}.period_end = {end} and not {side}.hidden and not {side}.pending"
        for side, end in prior.items()
    )
    connection.execute(
        f"""
        create temp table judged as
        with whole as (select kpi_id, unit_code, not bool_or(hidden) as series_is_whole from printed group by all)
        select {", ".join("own." + name for name in KEY)}, own.hidden, own.reason,
            {", ".join(f"{side}.kpi_id is not null as {side}_is_printed" for side in SIDES)}, whole.series_is_whole
        from (select * from printed where ({key}) in (select ({key}) from given_fresh)) as own {joins}
        join whole on own.kpi_id = whole.kpi_id and own.unit_code = whole.unit_code
        """
    )
    kept_rows = (
        f"union all by name select row.* replace (kept.pending as revised_pending) from earlier.main.kpi as row join given_kept as kept using ({key})"
        if has_earlier
        else ""
    )
    connection.execute(
        f"""
        create table public.main.kpi as
        select * from (
            select {_public_columns(definitions)}, hidden as suppressed, reason as suppression_reason, false as revised_pending,
                {sql_text(head.version)} as printed_in
            from (select * from internal.main.kpi where {_scope(head.month_end)}) join judged using ({key})
            {kept_rows}
        ) order by grain, period_start, product, kpi_id, unit_code
        """
    )


def _write_words(connection: duckdb.DuckDBPyConnection, head: Head, has_earlier: bool) -> None:
    """The catalogue and the units of what is printed; of a product that the night does not have, as they were."""
    known = {column for column, *_ in connection.execute("describe internal.main.kpi_catalogue").fetchall()}
    columns = {
        "kpi_catalogue": ("kpi_id", ", ".join(name for name in CATALOGUE_COLUMNS if name in known), "product, kpi_id"),
        "unit": ("unit_code", "unit_code, unit_name, unit_level, parent_code", "unit_code"),
    }
    for table, (key, chosen, order) in columns.items():
        stands = (
            f"union all by name select {chosen} from earlier.main.{table} where {key} not in (select {key} from internal.main.{table})"
            if has_earlier
            else ""
        )
        connection.execute(
            f"create table public.main.{table} as select * from (select {chosen} from internal.main.{table} {stands}) "
            f"where {key} in (select {key} from public.main.kpi) order by {order}"
        )
    products = pa.table({"product": list(head.statuses), "status": list(head.statuses.values())})
    connection.register("given_products", products)
    connection.execute(
        f"""
        create table public.main.release_info as
        select {sql_text(head.version)} as version, date '{head.as_of}' as as_of, date '{head.month_end}' as month_end,
            given.product, given.status, count(kpi.kpi_id) as kpi_rows, count(kpi.kpi_id) filter (where kpi.suppressed) as suppressed_rows,
            count(kpi.kpi_id) filter (where kpi.revised_pending) as revised_pending_rows, date '{head.next_revision}' as next_revision,
            null::varchar as reason
        from given_products as given left join public.main.kpi as kpi using (product) group by all order by given.product
        """
    )


RELEASE_COLUMNS = {
    "version": "公开版本 version of this public release",
    "as_of": "处理日 night that the new figures are of",
    "month_end": "截止月末 month end that it reaches to",
    "product": "产品（指标族） product, a family of KPIs",
    "status": "状态：fresh 已更新，waits 等待审核合格，withdrawn 已撤回 status: fresh, waits until it passes its gate, or withdrawn",
    "kpi_rows": "指标行数 rows in kpi",
    "suppressed_rows": "不公开的行数 rows that are not printed",
    "revised_pending_rows": "待修订的行数 rows with late changes pending",
    "next_revision": "下一修订日 next date on which late changes appear",
    "reason": "撤回原因，未撤回时为空 why the figures were withdrawn, empty when they stand",
}
NOTICE_COLUMNS = {
    "version": "varchar",
    "as_of": "date",
    "month_end": "date",
    "product": "varchar",
    "status": "varchar",
    "kpi_rows": "bigint",
    "suppressed_rows": "bigint",
    "revised_pending_rows": "bigint",
    "next_revision": "date",
    "reason": "varchar",
}


def write_notice(file: Path, like: Path | None, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a public database without any figure: the tables of the one that it is ``like``, empty, and in ``release_info`` what is told.

    ``rows`` are the rows of ``release_info`` by column. It is written anew, not emptied: a file keeps bytes of rows that were deleted from it.
    """
    with duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}) as connection:
        if like is not None:
            connection.execute(f"attach {sql_text(like)} as internal (read_only)")
        connection.execute(f"attach {sql_text(file)} as public (storage_version {sql_text(STORAGE_VERSION)})")
        for table in ("kpi", "kpi_catalogue", "unit") if like else ():
            connection.execute(f"create table public.main.{table} as from internal.main.{table} where false")
        columns = ", ".join(f"{name} {kind}" for name, kind in NOTICE_COLUMNS.items())
        connection.execute(f"create table public.main.release_info ({columns})")
        values = [tuple(row[name] for name in NOTICE_COLUMNS) for row in rows]
        connection.executemany(f"insert into public.main.release_info values ({', '.join('?' * len(NOTICE_COLUMNS))})", values)
        _comment(connection)
        connection.execute("detach public")


def _comment(connection: duckdb.DuckDBPyConnection) -> None:
    described = connection.execute(
        "select table_name, column_name, comment from duckdb_columns() where database_name = 'internal' and schema_name = 'main' "
        "and table_name in ('kpi', 'kpi_catalogue', 'unit')"
    ).fetchall()
    comments = {(table, column): comment for table, column, comment in described if comment}
    comments |= {("kpi", column): comment for column, comment in OWN_COLUMNS.items()}
    comments |= {("release_info", column): comment for column, comment in RELEASE_COLUMNS.items()}
    comments["kpi", "suppressed"] = "是否不公开 the figure is not printed: it is small, or would tell a small one"
    made = {name for (name,) in connection.execute("select table_name from duckdb_tables() where database_name = 'public'").fetchall()}
    for table, text in ((table, text) for table, text in TABLE_COMMENTS.items() if table in made):
        connection.execute(f"comment on table public.main.{table} is {sql_text(text)}")
        for (column,) in connection.execute(f"select column_name from (describe public.main.{table})").fetchall():
            if comments.get((table, column)):
                connection.execute(f'comment on column public.main.{table}."{column}" is {sql_text(comments[table, column])}')


def broken_rule(connection: duckdb.DuckDBPyConnection, catalog: str) -> str:
    """What a public database prints against the rule, in words; empty when nothing hidden has a figure, nothing printed is small, and no row
    is there twice."""
    figures = [*FIGURES, *(f"{side}_{name}" for side in SIDES for name in (*RATIO, *JUDGED))]
    told = " or ".join(f"{name} is not null" for name in figures)
    small = (
        "kind in ('count', 'rate', 'proportion', 'ratio') and numerator between 1 and 9 "
        "or kind in ('proportion', 'ratio', 'mean') and denominator between 1 and 9 "
        "or kind = 'proportion' and denominator - numerator between 1 and 9"
    )
    for words, condition in {
        "is hidden and tells a figure": f"suppressed and ({told})",
        "is small and printed": f"not suppressed and ({small})",
        "is not for the public": "unit_level not in ('city', 'county') or slice <> '' or grain not in ('month', 'quarter', 'year', 'ytd')",
    }.items():
        row = connection.execute(
            f"select kpi_id, unit_code, grain, period_start from {catalog}.main.kpi join {catalog}.main.kpi_catalogue using (kpi_id, product) "
            f"where {condition} limit 1"
        ).fetchone()
        if row is not None:
            return f"{row[0]} of {row[1]} for the {row[2]} of {row[3]} {words}"
    doubled = connection.execute(f"select {', '.join(KEY)} from {catalog}.main.kpi group by all having count(*) > 1 limit 1").fetchone()
    return "" if doubled is None else f"{doubled[0]} of {doubled[1]} for the {doubled[2]} of {doubled[3]} is there twice"


def _check(connection: duckdb.DuckDBPyConnection) -> None:
    broken = broken_rule(connection, "public")
    if broken:
        raise PublicError(f"{broken}: nothing was made public")


def reason_of_hiding(definition: Definition) -> str:
    """The reason that readers get: one for all hidden figures of a KPI, since another one would tell which of them are small."""
    return definition.withheld or SMALL
