"""Runs what becomes of the pool's calls, callbacks, matters and observations — states, rows, counts — as dbt would: anew, or from the last build."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pyarrow as pa

from dagster_project.contracts.entities import Entity, load_entities

DBT = Path(__file__).resolve().parents[1] / "dbt"
MACRO = re.compile(r"\{%-? macro (\w+)\(.*?\{%-? endmacro -?%\}", re.S)
MODELS = (
    "staging/stg_incident",
    "staging/stg_callback",
    "staging/stg_matter",
    "staging/stg_observation",
    "intermediate/int_incident",
    "intermediate/int_deleted_incident",
    "intermediate/int_callback",
    "intermediate/int_incident_called",
    "intermediate/int_incident_registered",
    "intermediate/int_observation",
    "intermediate/int_matter_row",
    "intermediate/int_row_day",
    "intermediate/int_touched_day",
    "intermediate/int_observation_cell",
    "intermediate/int_matter_cell",
    "intermediate/int_count_incident",
    "intermediate/int_count_response",
    "intermediate/int_count_warning_drop",
    "intermediate/int_count_satisfaction",
    "intermediate/int_count_registration",
    "intermediate/int_count_patrol",
    "intermediate/int_integrity_incident",
)
KEPT = ("control.batch", "control.source", "control.night", "int_row_day", "int_unit_assignment", "int_group_root")
ENTITY_OF_SOURCE = {"answers": "callback", "filings": "matter", "surveys": "observation"}
UNITS = ("n1", "n2", "s1")
STANDING = """
create schema pool; create schema control; create schema applied;
create table dim_unit as
    select unit_code, left(unit_code, 1) as root_code from (values ('C.unassigned'), ('O.unassigned')) as root(unit_code)
    union all select unnest(['n1', 'n2', 's1']), 'C';
create table int_group_root as select unnest(['city', 'other']) as group_name, unnest(['C', 'O']) as root_code;
create table stg_register_entry as
    select 'city' as group_name, 'road_segment' as kind, 'road' as category, 'n1' as unit_code, 100 as size, date '2023-01-01' as valid_from,
        cast(null as date) as valid_to;
create table int_community_cell as
    select 'SITE-1' as kpi_id, 'n1' as unit_code, date '2024-03-01' as day, '' as cell, cast(1 as bigint) as numerator, cast(2 as bigint) as denominator;
create table int_mediation_row as from int_community_cell where false;
create table int_fraud_row as from int_community_cell where false;
create table int_traffic_row as from int_community_cell where false;
create table int_service_row as from int_community_cell where false;
create table int_service_item_cell as from int_community_cell where false;
create table int_case_tally as from int_community_cell where false;
create table matter_kind as
    select * from (values
        ('REG-1', 'case_registration', 'due', 'in_time', null),
        ('CMD-1.acknowledged', 'order', 'acknowledge_due', 'in_time', null),
        ('CMD-1.done', 'order', 'due', 'in_time', null),
        ('CMP-4.repeated', 'order', 'closed', 'repeated', null)
    ) as kind(kpi_id, kind, clock, rule, counted_result);
create table cohort_horizon as select 'CR-2.90' as kpi_id, 90 as horizon_days, cast(null as integer) as horizon_months;
create table kpi_catalogue as
    select * from (values
        ('CMD-1.acknowledged', 'response', 0), ('CMD-1.done', 'response', 0), ('CMP-4.repeated', 'response', 9), ('REG-1', 'registration', 0),
        ('REG-2', 'registration', 3), ('SUR-1', 'satisfaction', 0), ('PAT-1', 'patrol', 0)
    ) as kpi(kpi_id, product, maturity_days);
create table observation_measure as
    select 'visible' as measure, 'PAT-1' as kpi_id, 'count' as shape, 1 as value_factor, 'cap' as above_base, null::integer as heap_percent, true as has_category,
        null::integer as threshold
    union all select 'satisfied', 'SUR-1', 'share', 1, 'cap', 90, false, null;
"""
SEEDS = {
    "response_target": {"valid_from": "date", "valid_to": "date", "minutes": "integer"},
    "category_list": {"valid_from": "date", "valid_to": "date"},
    "matter_limit": {"is_extended": "boolean", "hours": "integer", "valid_from": "date", "valid_to": "date"},
    "category_severity": {"valid_from": "date", "valid_to": "date", "severity": "integer"},
    "satisfaction_weight": {"percent": "integer", "is_reply": "boolean"},
}


class _ReturnError(Exception):
    """How a macro of dbt gives back a value that is no text."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _returns(value: Any) -> None:
    raise _ReturnError(value)


def _macro(text: str, name: str, context: Mapping[str, Any]) -> Callable[..., Any]:
    """A macro as dbt calls it, read when it is first called: a macro may call one that comes later."""
    read: list[Any] = []

    def call(*arguments: Any, **named: Any) -> Any:
        if not read:
            read.append(getattr(_template(text, context).module, name))
        try:
            return read[0](*arguments, **named)
        except _ReturnError as returned:
            return returned.value

    return call


@cache
def _entities() -> dict[str, Entity]:
    return load_entities()


@cache
def _macro_texts() -> dict[str, str]:
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sorted((DBT / "macros").rglob("*.sql")))
    return {found[1]: found[0] for found in MACRO.finditer(texts) if not found[1].startswith("_")}


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(extensions=["jinja2.ext.do"])


@cache
def _compiled(text: str) -> Any:
    return _environment().compile(text)


def _template(text: str, context: Mapping[str, Any]) -> jinja2.Template:
    return jinja2.Template.from_code(_environment(), _compiled(text), dict(context))


@dataclass(frozen=True)
class Pool:
    """What is there on one night: rows by source and batch date, of every source its extract mode and group, the leaf of every unit."""

    night: dt.date
    batches: Mapping[tuple[str, dt.date], Sequence[Mapping[str, Any]]]
    sources: Mapping[str, tuple[str, str]]
    leaves: Mapping[str, str] = field(default_factory=lambda: {unit: unit for unit in UNITS})


def _entity(source_id: str) -> str:
    return ENTITY_OF_SOURCE.get(source_id, "incident")


class _Config:
    def __init__(self) -> None:
        self._given: dict[str, Any] = {}

    def __call__(self, **given: Any) -> str:
        self._given.update(given)
        return ""

    def get(self, name: str, default: Any = None) -> Any:
        return self._given.get(name, default)


class Warehouse:
    """A warehouse that is built night by night, each on the last one but the first."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute(STANDING)
        for seed, types in SEEDS.items():
            columns = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in types.items())
            path = DBT / "seeds" / f"{seed}.csv"
            self.connection.execute(
                f"create table {seed} as select * replace ({columns}) from read_csv('{path}', header = true, all_varchar = true, nullstr = '')"
            )
        self._is_built = False

    def night(self, pool: Pool) -> None:
        """Build for a pool; the inventory says what it holds, as ingest would write it."""
        self._fill(pool)
        if self._is_built:
            self.connection.execute(f"create or replace table applied.touched_batch as {self._render('{{ touched_batches_now() }}')}")
        for model in MODELS:
            self._build(model)
        for kept in KEPT:
            self.connection.execute(f"create or replace table applied.{kept.rsplit('.')[-1]} as select * from {kept}")
        self._is_built = True

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of every table that was built, but of what differed from the last build: of a build anew nothing did."""
        return {name: self._rows(name) for name in (model.split("/")[1] for model in MODELS) if name != "int_touched_day"}

    def _rows(self, table: str) -> list[tuple[Any, ...]]:
        columns = ", ".join(sorted(row[0] for row in self.connection.execute(f"describe {table}").fetchall()))
        return self.connection.execute(f"select {columns} from {table} order by all").fetchall()

    def _fill(self, pool: Pool) -> None:
        delivered: dict[str, list[dict[str, Any]]] = {entity: [] for entity in ("incident", *ENTITY_OF_SOURCE.values())}
        for (source_id, batch_date), batch in pool.batches.items():
            delivered[_entity(source_id)] += [
                {"file_name": f"{batch_date}.csv", "row_number": n, "row_count": 1, "is_deleted": False, **row}
                | {"source_id": source_id, "batch_date": batch_date}
                for n, row in enumerate(batch)
            ]
        schemas = {entity: _entities()[entity].arrow_schema for entity in delivered}
        known = [(s, d, str(batch)) for (s, d), batch in pool.batches.items() if d <= pool.night and s in pool.sources]
        tables = {
            **{
                f"pool.{entity}": pa.Table.from_pylist(
                    [{name: row.get(name) for name in schemas[entity].names} for row in rows], schemas[entity]
                )
                for entity, rows in delivered.items()
            },
            "int_unit_assignment": pa.table(
                {
                    "group_name": ["city"] * len(pool.leaves),
                    "unit_code": list(pool.leaves),
                    "leaf_code": list(pool.leaves.values()),
                    "valid_from": [dt.date(1, 1, 1)] * len(pool.leaves),
                    "valid_to": [dt.date(9999, 12, 31)] * len(pool.leaves),
                }
            ),
            "control.batch": pa.table(
                {
                    "source_id": pa.array([s for s, _, _ in known], pa.string()),
                    "batch_date": pa.array([d for _, d, _ in known], pa.date32()),
                    "content_hash": pa.array([c for _, _, c in known], pa.string()),
                }
            ),
            "control.source": pa.table(
                {
                    "source_id": list(pool.sources),
                    "entity": [_entity(source_id) for source_id in pool.sources],
                    "extract_mode": [mode for mode, _ in pool.sources.values()],
                    "group_name": [group for _, group in pool.sources.values()],
                }
            ),
            "control.night": pa.table({"as_of": [pool.night]}),
        }
        for table, content in tables.items():
            self.connection.register("content", content)
            self.connection.execute(f"create or replace table {table} as select * from content")
            self.connection.unregister("content")

    def _build(self, model: str) -> None:
        name, config = model.split("/")[1], _Config()
        sql = self._render((DBT / "models" / f"{model}.sql").read_text(encoding="utf-8"), config, name)
        if not self._is_built or config.get("materialized") != "redone_rows":
            self.connection.execute(f"create or replace table {name} as {sql}")
            return
        self.connection.execute(f"create or replace temp table redone as {sql}")
        condition = self._render(f"{{{{ rows_redone_of('{name}', config.get('meta')) }}}}", config, name)
        self.connection.execute(f"delete from {name} where {condition}")
        self.connection.execute(f"insert into {name} by name select * from redone")

    def _render(self, template: str, config: _Config | None = None, this: str = "") -> str:
        def run_query(sql: str) -> Any:
            rows = self.connection.execute(sql).fetchall()
            return SimpleNamespace(rows=rows, columns=[SimpleNamespace(values=lambda: [row[0] for row in rows])])

        context: dict[str, Any] = {
            "return": _returns,
            "ref": lambda name: name,
            "source": lambda schema, name: f"{schema}.{name}",
            "config": config or _Config(),
            "this": this,
            "execute": True,
            "target": SimpleNamespace(type="duckdb"),
            "run_query": run_query,
            "dbt": SimpleNamespace(
                type_string=lambda: "varchar",
                dateadd=lambda part, number, day: f"({day} + {number} * interval 1 {part})",
                datediff=lambda first, later, part: f"date_diff('{part}', {first}, {later})",
                last_day=lambda day, _: f"last_day({day})",
            ),
        }
        context["adapter"] = SimpleNamespace(dispatch=lambda name: context.get(f"duckdb__{name}") or context[f"default__{name}"])
        context.update({name: _macro(text, name, context) for name, text in _macro_texts().items()})
        context["builds_on_last"] = lambda: self._is_built
        return _template(template, context).render()
