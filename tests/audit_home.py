"""A small home with a hand-made candidate: two products, two sources, three stations, a month of days."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.audit.candidate import seal_candidate
from dagster_project.contracts.model import Contract
from dagster_project.home import Home

NIGHT = dt.date(2024, 1, 31)
UNITS = (
    ("C", "City", "city", None),
    ("C.self", "City itself", "station", "C"),
    ("A", "Station A", "station", "C"),
    ("B", "Station B", "station", "C"),
)

CATALOGUE = """
    select * from (values
        ('INC-1', 'incident', '警情量', 'Incidents received', 'count', 1, 'sum', 0, 'row'),
        ('MED-1', 'mediation', '调解成功率', 'Mediation success', 'proportion', 1, 'sum', 0, 'row')
    ) as c(kpi_id, product, kpi_name_zh, kpi_name_en, kind, value_scale, time_rule, maturity_days, numerator_unit)
"""

COUNTS = """
    select 'INC-1' as kpi_id, unit_code, day::date as day, '' as cell, (3 + n % 5)::bigint as numerator, 0::bigint as denominator
    from (values ('A', 0), ('B', 1)) as u(unit_code, n), generate_series(date '{first}', date '{as_of}', interval 1 day) as d(day)
"""

DISPUTES = """
    select 'MED-1' as kpi_id, unit_code, day::date as day, '' as cell, 4::bigint as numerator, 5::bigint as denominator
    from (values ('A'), ('B')) as u(unit_code), generate_series(date '{first}', date '{as_of}', interval 1 day) as d(day)
"""

KPI = """
    with unit_ancestor as (
        select unit_code, unit_code as ancestor_code from unit where unit_code <> 'C' union all select unit_code, 'C' from unit where unit_code <> 'C'
    ),
    grained as (
        select kpi_id, ancestor_code as unit_code, grain,
            date_trunc(grain, day)::date as period_start,
            sum(numerator)::bigint as numerator, sum(denominator)::bigint as denominator
        from fct_kpi_count join unit_ancestor using (unit_code), (values ('day'), ('week'), ('month')) as g(grain)
        group by all
    ),
    dated as (
        select *, case grain when 'day' then period_start when 'week' then period_start + 6 else last_day(period_start) end as period_end
        from grained
    )
    select
        c.product, kpi_id, c.kpi_name_zh, c.kpi_name_en, unit_code, u.unit_name, u.unit_level, 'jurisdiction' as unit_role, 'period' as basis,
        '' as slice, grain, period_start, period_end, period_end <= date '{as_of}' as is_complete,
        numerator, nullif(denominator, 0) as denominator,
        case when c.kind = 'count' then numerator::double else numerator::double / nullif(denominator, 0) end as value,
        null::double as lower95, null::double as upper95,
        null::double as yoy_value, null::double as yoy_ratio, null::double as yoy_lower95, null::double as yoy_upper95, null::double as yoy_z,
        null::varchar as yoy_verdict,
        null::double as pop_value, null::double as pop_ratio, null::double as pop_lower95, null::double as pop_upper95, null::double as pop_z,
        null::varchar as pop_verdict,
        false as series_break, false as suppressed, false as stale, date '{as_of}' as as_of, null::varchar as origin_release
    from dated join kpi_catalogue as c using (kpi_id) join unit as u using (unit_code)
"""

STATISTICS = """
    create table statistic as
    with filled as (
        select source_id, batch_date, row_count, column_name, coalesce(code, '') as code
        from (select source_id, batch_date, row_count, incident_id, channel, result from pool_row)
        unpivot include nulls (code for column_name in (incident_id, channel, result))
    )
    select source_id, batch_date, column_name, if(column_name = 'incident_id' and code <> '', 'given', code) as code,
        sum(row_count)::bigint as rows
    from filled group by all
    union all
    select distinct source_id, batch_date, column_name, '', 0
    from filled group by all having count(*) filter (where code = '') = 0
"""

MODELS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "unit": ("marts", (), {}),
    "kpi_catalogue": ("marts", (), {}),
    "int_count_incident": ("intermediate", ("source.pool.incident",), {"product": "incident"}),
    "int_count_mediation": ("intermediate", ("source.pool.mediation",), {"product": "mediation"}),
    "fct_kpi_count": ("marts", ("int_count_incident", "int_count_mediation"), {}),
    "kpi": ("marts", ("fct_kpi_count", "kpi_catalogue", "unit"), {}),
    "mart_incident": ("marts", ("kpi",), {"product": "incident"}),
    "mart_mediation": ("marts", ("kpi",), {"product": "mediation"}),
    "reconciliation": ("marts", ("kpi",), {}),
    "receipt": ("marts", (), {}),
}

DEFAULT_TESTS: dict[str, dict[str, Any]] = {
    "additive_kpi": {
        "model": "kpi",
        "sql": """
            select city.kpi_id, city.grain, city.period_start
            from {db}.main.kpi as city
            join (select kpi_id, grain, period_start, sum(numerator) as n from {db}.main.kpi where unit_code <> 'C' group by all) as stations
                using (kpi_id, grain, period_start)
            where city.unit_code = 'C' and city.numerator <> stations.n
        """,
        "meta": {"severity": "block", "owner": "statistics", "action": "Look at the counts of the day."},
    },
    "known_units_mediation": {
        "model": "mart_mediation",
        "sql": "select m.unit_code from {db}.main.mart_mediation as m anti join {db}.main.unit as u using (unit_code)",
        "meta": {"severity": "warn"},
    },
}


DELIVERED = {
    "incident": ("incident_id", "unit_code", "channel", "reported_at", "arrived_at"),
    "mediation": ("dispute_id", "incident_id", "unit_code", "opened_at", "closed_at", "result"),
}
COLUMN_CHANGES: dict[str, dict[str, Any]] = {
    "channel": {"codes": {"1": "phone", "2": "app"}},
    "result": {"codes": {"1": "agreement", "2": "no_agreement"}},
}


def contract(source_id: str, entity: str, **changes: Any) -> Contract:
    raw: dict[str, Any] = {
        "id": source_id,
        "title": {"zh": "来源", "en": "source"},
        "group": "city",
        "domain": "call",
        "entity": entity,
        "owner": "command_centre",
        "cadence": "daily",
        "grade": "internal",
        "landing": {"glob": f"{source_id}/*.csv", "batch": {"path": r"(\d{8})", "format": "%Y%m%d"}},
        "format": {"kind": "csv"},
        "extract": {"mode": "append"},
        "columns": {name: {"from": name, **COLUMN_CHANGES.get(name, {})} for name in DELIVERED[entity]},
    }
    return Contract.model_validate({**raw, **changes})


def _q(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


@dataclass
class AuditHome:
    """Builds candidates into one home, good ones unless told otherwise."""

    root: Path
    contracts: tuple[Contract, ...] = (contract("calls", "incident"), contract("disputes", "mediation"))
    tests: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(DEFAULT_TESTS))
    models: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = field(default_factory=lambda: dict(MODELS))
    first_day: dt.date | None = None
    builds: int = 0
    rows_per_batch: int = 10

    @property
    def home(self) -> Home:
        return Home.at(self.root, self.root / "landing").ensure()

    def build(
        self,
        as_of: dt.date = NIGHT,
        tamper: Sequence[str] = (),
        receipts: str = "",
        pool_tamper: str = "",
        node_status: dict[str, str] | None = None,
        uncompiled: Sequence[str] = (),
        undescribed: Sequence[str] = (),
        compiled: dict[str, str] | None = None,
        seal: bool = True,
    ) -> None:
        """Make pool, control tables, candidate and dbt artifacts of one night.

        ``tamper``: SQL run on the finished candidate; ``receipts``, ``pool_tamper``: SQL run on those tables before they are written;
        ``compiled``: what dbt says it ran for a model.
        """
        home, self.builds = self.home, self.builds + 1
        first = self.first_day or as_of.replace(day=1)
        with duckdb.connect() as memory:
            self._write_pool_and_control(memory, home, as_of, first, receipts, pool_tamper)
        home.candidate.unlink(missing_ok=True)
        with duckdb.connect(str(home.candidate)) as db:
            units = ", ".join(f"('{c}', '{n}', '{level}', {'null' if p is None else repr(p)})" for c, n, level, p in UNITS)
            db.execute(
                f"create table unit as select * from (values {units}) as u(unit_code, unit_name, unit_level, parent_code), (select 'C' as root_code, null::date as valid_to)"
            )
            db.execute(f"create table kpi_catalogue as {CATALOGUE}")
            db.execute(f"create table int_count_incident as {COUNTS.format(as_of=as_of, first=first)}")
            db.execute(f"create table int_count_mediation as {DISPUTES.format(as_of=as_of, first=first)}")
            db.execute("create table fct_kpi_count as select * from int_count_incident union all select * from int_count_mediation")
            db.execute(f"create table kpi as {KPI.format(as_of=as_of)}")
            for product in ("incident", "mediation"):
                db.execute(
                    f"create table mart_{product} as select unit_code, grain, period_start, period_end, numerator, denominator, value, 0.4 as rate_lower95, 0.5 as rate_upper95, 1 as gone "
                    f"from kpi where product = '{product}'"
                )
            db.execute(
                "create table reconciliation as select 'disputes' as source_id, unit_code, period_start, kpi_id, numerator, denominator, "
                "numerator as pool_numerator, denominator as pool_denominator from kpi where kpi_id = 'MED-1' and grain = 'month'"
            )
            receipt = f"read_parquet({_q(home.warehouse / 'control' / 'receipt.parquet')}, hive_partitioning = false)"
            db.execute(
                f"create table receipt as select source_id as source, batch_date as batch, file_name as file, * exclude (source_id, batch_date, file_name) from {receipt}"
            )
            described = {
                name: {
                    r[0]: {"description": "" if r[0] in undescribed else f"列 {r[0]}"} for r in db.execute(f"describe {name}").fetchall()
                }
                for name in MODELS
            }
            for statement in tamper:
                db.execute(statement)
            columns = {name: described.get(name, {}) for name in self.models}
        self._write_artifacts(home, columns, node_status or {}, uncompiled, compiled or {})
        if seal:
            seal_candidate(home, "test")

    def _write_pool_and_control(
        self, memory: duckdb.DuckDBPyConnection, home: Home, as_of: dt.date, first: dt.date, receipts: str, pool_tamper: str
    ) -> None:
        days = f"generate_series(date '{first}', date '{as_of}', interval 1 day) as d(day)"
        memory.execute(
            f"""
            create table receipt as
            select source_id, day::date as batch_date, source_id || '/' || strftime(day, '%Y%m%d') || '.csv' as file_name, 'aa' as sha256, 100::bigint as bytes,
                'utf-8' as encoding, {self.rows_per_batch + 2}::bigint as rows_read, {self.rows_per_batch}::bigint as rows_accepted, 1::bigint as rows_quarantined, 1::bigint as rows_duplicate,
                0::bigint as rows_filtered, 0.123::decimal(18,3) as seconds, 'v1' as contract_version, 'ok' as status, null::varchar as detail
            from (values ('calls'), ('disputes')) as s(source_id), {days}
            """
        )
        memory.execute(
            f"""
            create table pool_row as
            select source_id, batch_date, 1::bigint as row_count, n, false as is_deleted, if(n % 2 = 0, 'A', 'B') as unit_code,
                'I' || (batch_date - if(source_id = 'calls', 0, 1)) || '-' || n as incident_id, 'D' || batch_date || '-' || n as dispute_id,
                if(n % 5 = 0, 'app', 'phone') as channel, if(n % 5 = 0, 'no_agreement', 'agreement') as result,
                batch_date + interval 8 hour as reported_at, batch_date + interval 9 hour as arrived_at,
                batch_date + interval 9 hour as opened_at, batch_date + interval 10 hour as closed_at
            from receipt, range({self.rows_per_batch}) as r(n)
            """
        )
        if receipts:
            memory.execute(receipts)
        memory.execute(
            "create table batch as select source_id, batch_date, rows_accepted, rows_accepted as pool_rows, 10::bigint as pool_bytes, 'h' as content_hash "
            "from receipt where status = 'ok'"
        )
        if pool_tamper:
            memory.execute(pool_tamper)
        memory.execute(STATISTICS)
        memory.execute(f"create table night as select date '{as_of}' as as_of")
        memory.execute(
            "create table source as select * from (values ('calls', 'v1'), ('disputes', 'v1')) as s(source_id, contract_version)"
        )
        control = home.warehouse / "control"
        control.mkdir(parents=True, exist_ok=True)
        for table in ("night", "source", "batch", "receipt", "statistic"):
            memory.execute(f"copy {table} to {_q(control / f'{table}.parquet')} (format parquet)")
        for source, entity in (("calls", "incident"), ("disputes", "mediation")):
            folder = home.pool / entity / f"source={source}"
            folder.mkdir(parents=True, exist_ok=True)
            memory.execute(
                f"copy (select * from pool_row where source_id = '{source}') to {_q(folder / 'batch=all.parquet')} (format parquet)"
            )

    def _write_artifacts(
        self,
        home: Home,
        columns: dict[str, dict[str, Any]],
        node_status: dict[str, str],
        uncompiled: Sequence[str],
        compiled: dict[str, str],
    ) -> None:
        def unique_id(name: str) -> str:
            return name if name.startswith("source.") else f"model.city.{name}"

        nodes: dict[str, Any] = {}
        results: list[dict[str, Any]] = []
        for name, (folder, parents, meta) in self.models.items():
            nodes[unique_id(name)] = {
                "resource_type": "model",
                "name": name,
                "alias": name,
                "database": "candidate",
                "schema": "main",
                "relation_name": f'"candidate"."main"."{name}"',
                "fqn": ["city", folder, name],
                "description": f"表 {name}",
                "columns": columns[name],
                "config": {"meta": meta, "materialized": "table"},
                "depends_on": {"nodes": [unique_id(p) for p in parents]},
            }
            results.append(
                {
                    "unique_id": unique_id(name),
                    "status": node_status.get(name, "success"),
                    "message": "",
                    "compiled_code": compiled.get(name, "select 1"),
                }
            )
        for name, test in self.tests.items():
            test_id = f"test.city.{name}"
            nodes[test_id] = {
                "resource_type": "test",
                "name": name,
                "database": "candidate",
                "schema": "main",
                "description": test.get("description", ""),
                "config": {"meta": test["meta"], **test.get("config", {})},
                "depends_on": {"nodes": [unique_id(test["model"])]},
                "attached_node": unique_id(test["model"]),
                **({"test_metadata": {"name": test["generic"]}} if "generic" in test else {}),
            }
            if name not in uncompiled:
                results.append({"unique_id": test_id, "status": "pass", "message": "", "compiled_code": test["sql"].format(db="candidate")})
        sources = {
            f"source.pool.{entity}": {
                "resource_type": "source",
                "name": entity,
                "identifier": entity,
                "database": "candidate",
                "schema": "pool",
                "source_name": "pool",
            }
            for entity in ("incident", "mediation")
        }
        invocation = f"build-{self.builds}"
        home.dbt_target.mkdir(parents=True, exist_ok=True)
        metadata = {"invocation_id": invocation}
        (home.dbt_target / "manifest.json").write_text(json.dumps({"metadata": metadata, "nodes": nodes, "sources": sources}))
        (home.dbt_target / "run_results.json").write_text(json.dumps({"metadata": metadata, "results": results}))
