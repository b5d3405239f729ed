"""Runs the SQL of the ``kpi`` table itself on given counts: macros and models rendered as dbt renders them, in a DuckDB in memory."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pyarrow as pa

DBT = Path(__file__).resolve().parents[1] / "dbt"
MODELS = (
    "intermediate/int_period_day",
    "intermediate/int_period",
    "intermediate/int_kpi_count_month",
    "intermediate/int_kpi_period",
    "intermediate/int_kpi_link",
    "intermediate/int_kpi_series",
    "intermediate/int_role_change",
    "intermediate/int_kpi_unit_change",
    "intermediate/int_kpi_touched_month",
    "intermediate/int_kpi_touched_series",
    "intermediate/int_kpi_touched_period",
    "intermediate/int_kpi_value",
    "intermediate/int_kpi_stratum",
    "intermediate/int_kpi_dispersion",
    "intermediate/int_kpi_touched_spread",
    "intermediate/int_kpi_figure",
    "marts/kpi",
)
KEPT = ("int_kpi_count_month", "int_kpi_link", "int_kpi_series", "int_kpi_period", "int_kpi_unit_change", "int_kpi_dispersion")
REDONE = ("int_kpi_value", "int_kpi_stratum", "int_kpi_dispersion", "int_kpi_figure")
CALENDAR_SEEDS: dict[str, dict[str, str]] = {
    "calendar_root": {},
    "kpi_grain": {"is_counted_by_day": "boolean", "needs_delivery": "boolean"},
    "calendar_weight": {},
    "calendar_day": {"day": "date"},
    "cohort_horizon": {"horizon_days": "integer", "horizon_months": "integer", "least_cases": "integer"},
    "spring_festival": {"year": "integer", "day": "date"},
    "poisson_limit": {"events": "integer", "lower95": "double", "upper95": "double", "lower998": "double", "upper998": "double"},
}
DIALECTS = {"duckdb": "varchar", "spark": "string"}


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined, keep_trailing_newline=False)


@cache
def macros(dialect: str = "duckdb", on_last: bool = False) -> dict[str, Any]:
    """Every macro of the statistics, by name, as dbt would resolve it for a dialect, in a build that starts anew or from the last one."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((DBT / "macros" / "statistics").glob("*.sql")))
    found: dict[str, Any] = {}

    def dispatch(name: str) -> Any:
        return found.get(f"{dialect}__{name}") or found[f"default__{name}"]

    context = {
        "adapter": SimpleNamespace(dispatch=dispatch),
        "return": lambda value: value,
        "ref": lambda name: name,
        "source": lambda _, name: name,
        "config": lambda **_: "",
        "target": SimpleNamespace(type=dialect),
        "builds_on_last": lambda: on_last,
        "dbt": SimpleNamespace(type_string=lambda: DIALECTS[dialect]),
    }
    module = _environment().from_string(text, globals=context).make_module()
    # jinja keeps names that begin with an underscore to the module; dbt does not, and no model uses them.
    found.update({name: getattr(module, name) for name in vars(module) if not name.startswith("_")})
    return {**context, **found}


@cache
def render(sql: str, dialect: str = "duckdb", on_last: bool = False) -> str:
    return _environment().from_string(sql, globals=macros(dialect, on_last)).render()


def model_sql(model: str, dialect: str = "duckdb", on_last: bool = False) -> str:
    return render((DBT / "models" / f"{model}.sql").read_text(encoding="utf-8"), dialect, on_last)


def evaluate(expression: str, **values: object) -> Any:
    """The value of one SQL expression (macros allowed); ``values`` are its columns."""
    columns = ", ".join(f"${name} as {name}" for name in values) or "1 as nothing"
    row = duckdb.execute(f"select {render(expression)} from (select {columns})", values).fetchone()
    assert row is not None
    return row[0]


def evaluate_each(expressions: Mapping[str, str], **columns: Sequence[float]) -> dict[str, Any]:
    """SQL expressions (macros allowed) over whole columns of numbers; masked numpy arrays by name."""
    size = len(next(iter(columns.values())))
    given = pa.table({"row_no": range(size), **{name: pa.array(values) for name, values in columns.items()}})
    wanted = ", ".join(f"{render(expression)} as {name}" for name, expression in expressions.items())
    tabulated = "left join poisson_limit on given.events = poisson_limit.events" if "events" in columns else ""
    with duckdb.connect() as connection:
        load_seeds(connection)
        connection.register("given", given)
        return dict(connection.execute(f"select {wanted} from given {tabulated} order by row_no").fetchnumpy())


CATALOGUE_DEFAULTS: dict[str, Any] = {
    "product": "incident",
    "kpi_name_zh": "指标",
    "kpi_name_en": "figure",
    "kind": "count",
    "unit_role": "jurisdiction",
    "basis": "period",
    "time_rule": "sum",
    "maturity_days": 0,
    "value_scale": 1,
    "numerator_unit": "row",
}
RECORDED_COLUMNS = {"kpi_id": "varchar", "root_code": "varchar", "month_no": "integer", "first_day": "date", "last_day": "date"}
COUNT_COLUMNS = {
    "kpi_id": "varchar",
    "unit_code": "varchar",
    "day": "date",
    "cell": "varchar",
    "numerator": "bigint",
    "denominator": "bigint",
}
FOREVER = dt.date(9999, 12, 31)
LONG_AGO = dt.date(1900, 1, 1)


def _create(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    connection.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
    held = list(zip(*rows, strict=True))
    if held:
        connection.register("held", pa.table({name: pa.array(values) for name, values in zip(columns, held, strict=True)}))
        connection.execute(f"insert into {table} select * from held")
        connection.unregister("held")


def load_seeds(connection: duckdb.DuckDBPyConnection) -> None:
    for name, types in CALENDAR_SEEDS.items():
        with (DBT / "seeds" / f"{name}.csv").open(encoding="utf-8") as text:
            header, *rows = csv.reader(text)
        columns = {
            c: types.get(c, "decimal(9,3)" if name == "calendar_weight" and c not in ("calendar", "product") else "varchar") for c in header
        }
        _create(connection, name, columns, [[value or None for value in row] for row in rows])


def load_units(
    connection: duckdb.DuckDBPyConnection,
    parents: Mapping[str, str | None],
    group: str = "city",
    moves: Sequence[tuple[str, str, dt.date, dt.date]] = (),
    heirs: Sequence[tuple[str, str, dt.date]] = (),
    lives: Mapping[str, tuple[dt.date, dt.date | None]] | None = None,
    roles: Sequence[tuple[str, str, str, dt.date]] = (),
) -> None:
    """``dim_unit``, ``unit_ancestor``, ``int_unit_assignment`` and ``stg_responsibility`` of a tree given as child → parent.

    ``moves`` are further links (leaf, ancestor, from, until) in place of the leaf's permanent ones; ``heirs`` are (old, new, from);
    ``lives`` are the days on which a unit exists; ``roles`` are (role, from, to, day).
    """
    lives = lives or {}
    moved = {leaf for leaf, *_ in moves}

    def chain(unit: str) -> list[str]:
        above = [unit]
        while (parent := parents[above[-1]]) is not None:
            above.append(parent)
        return above

    _create(
        connection,
        "dim_unit",
        {
            "unit_code": "varchar",
            "unit_name": "varchar",
            "unit_level": "varchar",
            "parent_code": "varchar",
            "root_code": "varchar",
            "group_name": "varchar",
            "is_leaf": "boolean",
            "is_pseudo": "boolean",
            "valid_from": "date",
            "valid_to": "date",
        },
        [
            (u, f"name of {u}", "station", p, chain(u)[-1], group, u not in parents.values(), False, *lives.get(u, (LONG_AGO, None)))
            for u, p in parents.items()
        ],
    )
    links = [
        (u, a, lives.get(u, (LONG_AGO, None))[0], lives.get(u, (LONG_AGO, None))[1] or FOREVER)
        for u in parents
        for a in chain(u)
        if u not in moved
    ]
    _create(
        connection,
        "unit_ancestor",
        {"unit_code": "varchar", "ancestor_code": "varchar", "valid_from": "date", "valid_to": "date"},
        [*links, *moves],
    )
    _create(
        connection,
        "int_unit_assignment",
        {"group_name": "varchar", "unit_code": "varchar", "leaf_code": "varchar", "valid_from": "date", "valid_to": "date"},
        [(group, u, u, LONG_AGO, FOREVER) for u in parents] + [(group, old, new, day, FOREVER) for old, new, day in heirs],
    )
    _create(
        connection,
        "stg_responsibility",
        {"group_name": "varchar", "role": "varchar", "from_unit": "varchar", "to_unit": "varchar", "valid_from": "date"},
        [(group, *role) for role in roles],
    )


def kpi_table(
    as_of: dt.date,
    catalogue: Mapping[str, Mapping[str, Any]],
    counts: Iterable[tuple[str, str, dt.date, str, int, int]],
    parents: Mapping[str, str | None] | None = None,
    group: str = "city",
    slices: Sequence[str] = ("category",),
    sums: Sequence[str] = (),
    recorded: Iterable[tuple[str, str, dt.date]] = (),
    **units: Any,
) -> duckdb.DuckDBPyConnection:
    """Build ``kpi`` from rows of ``fct_kpi_count`` (kpi_id, leaf unit, day, cell, numerator, denominator); the city is one unit unless told.

    ``slices`` are the kinds of cells that are published, ``sums`` further kinds that are not; ``recorded`` are the days (kpi_id, root, day)
    on which something was recorded of what a figure counts as it falls due.
    """
    connection = duckdb.connect(config={"threads": 1})
    load_seeds(connection)
    load_units(connection, parents or {"city": None}, group, **units)
    _create(connection, "night", {"as_of": "date"}, [(as_of,)])
    _create(
        connection,
        "kpi_cell",
        {"cell_kind": "varchar", "code": "varchar", "is_slice": "boolean"},
        [(s, None, True) for s in slices] + [(s, None, False) for s in ("excluded", *sums)],
    )
    kinds = {"maturity_days": "integer", "value_scale": "decimal(18,6)"}
    _create(
        connection,
        "kpi_catalogue",
        {"kpi_id": "varchar", **{name: kinds.get(name, "varchar") for name in CATALOGUE_DEFAULTS}},
        [(kpi_id, *{**CATALOGUE_DEFAULTS, **entry}.values()) for kpi_id, entry in catalogue.items()],
    )
    _create(connection, "fct_kpi_count", COUNT_COLUMNS, counts)
    months: dict[tuple[str, str, int], list[dt.date]] = {}
    for kpi_id, root, day in recorded:
        months.setdefault((kpi_id, root, day.year * 12 + day.month), []).append(day)
    _create(connection, "int_kpi_recorded_month", RECORDED_COLUMNS, [(*key, min(days), max(days)) for key, days in months.items()])
    build(connection)
    return connection


def build(connection: duckdb.DuckDBPyConnection) -> None:
    for model in MODELS:
        kind = "view" if model == "marts/kpi" else "table"
        connection.execute(f"create or replace {kind} {model.split('/')[1]} as {model_sql(model)}")


def build_on_last(connection: duckdb.DuckDBPyConnection, night: dt.date, counts: Iterable[tuple[str, str, dt.date, str, int, int]]) -> None:
    """Build ``kpi`` again for other counts or another night, from what stands in the database, as dbt would."""
    connection.execute("create schema if not exists applied")
    for model in (m.split("/")[1] for m in MODELS if m.split("/")[1] in KEPT):
        connection.execute(f"create or replace table applied.{model} as select * from {model}")
    connection.execute("delete from night")
    connection.execute("insert into night values (?)", [night])
    connection.execute("drop table fct_kpi_count")
    _create(connection, "fct_kpi_count", COUNT_COLUMNS, counts)
    for model in MODELS[:-1]:
        name = model.split("/")[1]
        sql = model_sql(model, on_last=True)
        if name in REDONE:
            connection.execute(f"create or replace temp table redone as {sql}")
            connection.execute(f"delete from {name} where {macros(on_last=True)['redone_where'](name)}")
            connection.execute(f"insert into {name} by name select * from redone")
        else:
            connection.execute(f"create or replace table {name} as {sql}")
