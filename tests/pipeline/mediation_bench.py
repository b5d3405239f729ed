"""A mediation ledger in CSV, night by night, and the disputes that the models make of its pool: the macros rendered, DuckDB in memory."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import jinja2
from ingest_kit import Bench, make_contract

from dagster_project.contracts.entities import load_entities
from dagster_project.ingest.expiry import ExpiredBatch, expire_links

MACROS = Path(__file__).resolve().parents[2] / "dbt" / "macros"
ENTITIES = load_entities()
COLUMNS = ("dispute_id", "incident_id", "origin", "parties", "unit_code", "opened_at", "due_at", "closed_at", "result", "_changed_at")
LEDGER = make_contract(
    {
        **{name: name for name in COLUMNS if name not in ("parties", "_changed_at")},
        "parties_key": {"from": "parties", "personal": {"treatment": "hmac", "purpose": "mediation_parties"}},
        "_changed_at": {"from": "_changed_at", "type": "timestamp"},
    },
    id="ledger",
    entity="mediation",
    domain="mediation",
    extract={"mode": "delta", "key": ["dispute_id"], "version": "_changed_at"},
)

UNITS = make_contract(
    {"unit_code": "code", "unit_name": "code", "parent_code": "parent", "unit_level": "level", "valid_from": {"constant": "2000-01-01"}},
    id="units",
    entity="unit",
    domain="unit",
    landing={"glob": "units/*", "batch": {"path": r"(\d{4}-\d\d-\d\d)", "format": "%Y-%m-%d"}},
)


@dataclass(frozen=True)
class State:
    """One state of a record, in the batch of ``day``."""

    day: dt.date
    dispute_id: str
    opened_at: dt.datetime
    parties: str | None = None
    incident_id: str | None = None
    origin: str = "station"
    closed_at: dt.datetime | None = None
    result: str | None = None

    def cells(self) -> dict[str, Any]:
        given = {name: getattr(self, name, None) for name in COLUMNS}
        return {
            **given,
            "unit_code": "S",
            "due_at": self.opened_at + dt.timedelta(30),
            "_changed_at": dt.datetime.combine(self.day, dt.time()),
        }


@dataclass
class Ledger(Bench):
    """A home that takes the ledger in."""

    entity: Any = field(default_factory=lambda: ENTITIES["mediation"])
    contract: Any = field(default_factory=lambda: LEDGER)

    def deliver_states(self, states: Iterable[State]) -> None:
        by_day = defaultdict(list)
        for state in states:
            by_day[state.day].append(state.cells())
        for day, rows in by_day.items():
            text = io.StringIO()
            writer = csv.DictWriter(text, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
            self.deliver(f"{day}.csv", text.getvalue())

    def expire(self, as_of: dt.date) -> tuple[ExpiredBatch, ...]:
        return expire_links(self.home, [self.contract], ENTITIES, as_of, lambda _: None)

    def disputes(self, as_of: dt.date) -> list[tuple[Any, ...]]:
        """What the figures see of every record."""
        days = "datediff('day', cast(known_closed_at as date), cast(repeated_at as date))"
        return self._ask(
            as_of,
            "select dispute_id, excluded_reason, dispute_opened_at, dispute_due_at, known_closed_at, are_parties_known, "
            f"coalesce({days} <= 90, false), coalesce({days} <= 180, false) from dispute_record order by dispute_id",
        )

    def _ask(self, as_of: dt.date, sql: str) -> list[tuple[Any, ...]]:
        def macro(name: str) -> Any:
            known = {
                "source": lambda schema, table: f"{schema}.{table}",
                "config": {},
                "days_between": lambda first, later: f"datediff('day', {first}, {later})",
            }
            return getattr(jinja2.Environment().from_string((MACROS / f"{name}.sql").read_text(encoding="utf-8"), known).module, name)

        with duckdb.connect() as connection:
            connection.execute("create schema pool; create schema control")
            for entity in ("mediation", "dispute_link"):
                files = [str(f) for f in self.home.pool.glob(f"{entity}/*/*.parquet")]
                rows = (
                    connection.read_parquet(files, hive_partitioning=False, union_by_name=True)
                    if files
                    else connection.from_arrow(ENTITIES[entity].arrow_schema.empty_table())
                )
                rows.to_table(f"pool.{entity}")
            connection.execute(f"create table control.night as select date '{as_of}' as as_of")
            connection.execute(
                "create table control.source as select 'ledger' as source_id, 'city' as group_name, 'mediation' as entity, 'delta' as extract_mode"
            )
            connection.execute("create table control.batch (source_id varchar, batch_date date)")
            connection.execute(f"create table current_record as {macro('current_state')('mediation')} select * from current_rows")
            disputes = macro("disputes")("current_record", "pool.dispute_link", "control.night")
            return connection.execute(f"with {disputes} {sql}").fetchall()


def quarrels(seed: int, pairs: int = 4) -> list[State]:
    """Disputes of some pairs of people over five hundred days: repeated after days or months, by several bodies, with and without an incident."""
    draw, start = random.Random(seed), dt.datetime(2023, 1, 10, 8)
    states, number = list[State](), 0
    for pair in range(pairs):
        begun = start + dt.timedelta(draw.randint(0, 100))
        while begun < start + dt.timedelta(500):
            number += 1
            incident = f"i{number}" if draw.random() < 0.5 else None
            for body in range(draw.choice([1, 1, 2, 3])):
                opened = begun + dt.timedelta(draw.randint(0, 6) if body else 0, draw.randint(0, 20_000))
                first = State(
                    opened.date(),
                    f"d{number}.{body}",
                    opened,
                    f"王{pair}、李{pair}" if draw.random() < 0.8 else None,
                    incident if draw.random() < 0.8 else None,
                    draw.choice(["110", "station", "justice"]),
                )
                states.append(first)
                if draw.random() < 0.85:
                    closed = opened + dt.timedelta(draw.randint(1, 40))
                    states.append(dataclasses.replace(first, day=closed.date(), closed_at=closed, result="agreement"))
            begun += dt.timedelta(draw.choice([3, 5, 8, 20, 60, 170, 200, 260]))
    return states
