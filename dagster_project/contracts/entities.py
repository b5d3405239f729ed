"""The schema of every entity, read from the dbt source YAML of the pool: the one place where it is written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from dagster_project.contracts.document import line_of
from dagster_project.contracts.problems import DocumentPath

POOL_SOURCE_YAML = Path(__file__).resolve().parents[2] / "dbt" / "models" / "pool" / "pool.yml"
PSEUDONYM = "pseudonym"
EXAMPLE_OF_A_LINK = (
    "a hash says how long it lives and for which figures, as in 'link: {days: 220, since: [opened_at], kpis: [MED-1], settled: dispute_link}' "
    "('since' and 'settled' may be left out)"
)
DECIMAL = re.compile(r"^decimal\((\d+),(\d+)\)$")


class EntityError(ValueError):
    """An entity schema that cannot be used; the message names file, entity and column, ``line`` where in the file (from 1)."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Link:
    """How long a keyed hash lives: at most ``days`` after the latest of the ``since`` columns of its row, or its batch where that is earlier.

    ``kpis`` need it. What it told them is settled in the entity ``settled`` before it goes; None: nothing, they look no further back.
    """

    days: int
    since: tuple[str, ...]
    kpis: tuple[str, ...]
    settled: str | None = None


@dataclass(frozen=True)
class EntityColumn:
    """One canonical column. ``type`` is a logical type: text, integer, decimal(p,s), boolean, date or timestamp."""

    name: str
    type: str
    required: bool = False
    codes: tuple[str, ...] = ()
    unit: str | None = None
    grade: str = "internal"
    link: Link | None = None

    @property
    def duckdb_type(self) -> str:
        return {"text": "varchar", "integer": "bigint", "boolean": "boolean", "date": "date", "timestamp": "timestamp"}.get(
            self.type, self.type
        )

    @property
    def arrow_type(self) -> pa.DataType:
        decimal = DECIMAL.match(self.type)
        if decimal:
            return pa.decimal128(int(decimal[1]), int(decimal[2]))
        return {"text": pa.string(), "integer": pa.int64(), "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us")}[
            self.type
        ]


@dataclass(frozen=True)
class Reference:
    """A column that names a row of another entity. Late parents are normal: a share of ``tolerance`` may have none.

    ``own_time`` is not before ``their_time`` of the row named, but for a share of ``early``.
    """

    column: str
    entity: str
    to: str
    tolerance: float
    own_time: str | None = None
    their_time: str | None = None
    early: float = 0.0


@dataclass(frozen=True)
class TimeOrder:
    """Columns in the order in which their times come (equal ones are in order), but for a share of ``tolerance``."""

    columns: tuple[str, ...]
    tolerance: float


@dataclass(frozen=True)
class Entity:
    """A canonical record type: its own columns, followed in the pool by the columns that every row carries.

    Where rows of many kinds stand in one entity, ``kind_column`` tells them apart and the seed ``kinds`` says which KPI each feeds.
    """

    name: str
    columns: tuple[EntityColumn, ...]
    every_row: tuple[EntityColumn, ...]
    kind_column: str | None = None
    kinds: str | None = None
    references: tuple[Reference, ...] = ()
    times: tuple[TimeOrder, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, EntityColumn]:
        return {c.name: c for c in self.columns}

    @property
    def pool_columns(self) -> tuple[EntityColumn, ...]:
        return self.columns + self.every_row

    @property
    def arrow_schema(self) -> pa.Schema:
        return pa.schema([(c.name, c.arrow_type) for c in self.pool_columns])


def _column(name: str, meta: dict[str, Any], where: str) -> EntityColumn:
    logical = str(meta.get("type", ""))
    if logical not in {"text", "integer", "boolean", "date", "timestamp"} and not DECIMAL.match(logical):
        raise EntityError(f"{where}, column '{name}': type '{logical}' is none of text, integer, decimal(p,s), boolean, date, timestamp")
    return EntityColumn(
        name,
        logical,
        bool(meta.get("required", False)),
        tuple(meta.get("codes", ())),
        meta.get("unit"),
        meta.get("grade", "internal"),
        _link(meta["link"], f"{where}, column '{name}'") if "link" in meta else None,
    )


def _link(declared: dict[str, Any], where: str) -> Link:
    unknown = set(declared) - {"days", "since", "kpis", "settled"}
    days, since, kpis = declared.get("days"), declared.get("since") or (), declared.get("kpis") or ()
    if unknown or not isinstance(days, int) or days < 1 or not kpis or isinstance(since, str) or isinstance(kpis, str):
        raise EntityError(f"{where}: {EXAMPLE_OF_A_LINK}")
    return Link(days, tuple(since), tuple(kpis), declared.get("settled"))


def _columns(declared: list[dict[str, Any]], where: str, path: Path, text: str, at: DocumentPath) -> Iterator[EntityColumn]:
    for place, column in enumerate(declared):
        try:
            made = _column(column["name"], column.get("config", {}).get("meta", {}), where)
            if made.grade == PSEUDONYM and made.link is None:
                raise EntityError(f"{where}, column '{made.name}': {EXAMPLE_OF_A_LINK}")
            if made.grade != PSEUDONYM and made.link is not None:
                raise EntityError(f"{where}, column '{made.name}': 'link' is of a column graded {PSEUDONYM}")
        except EntityError as wrong:
            line = line_of(text, (*at, place))
            raise EntityError(f"{path}:{line}: {wrong}", line) from None
        yield made


def load_entities(*paths: Path) -> dict[str, Entity]:
    """Read the entities of the pool, and of further YAML files of the same shape (outside contracts bring their own)."""
    texts = [(path, path.read_text(encoding="utf-8")) for path in (POOL_SOURCE_YAML, *paths)]
    documents = [(path, text, yaml.load(text, Loader=yaml.CSafeLoader)) for path, text in texts]
    common = documents[0][2]["sources"][0]["config"]["meta"]["every_row"]
    every_row = tuple(_column(n, m, f"{POOL_SOURCE_YAML.name}, every_row") for n, m in common.items())
    entities: dict[str, Entity] = {}
    for path, text, document in documents:
        for i, source in enumerate(document["sources"]):
            for j, table in enumerate(source["tables"]):
                where = f"{path.name}, entity '{table['name']}'"
                if table["name"] in entities:
                    raise EntityError(f"{where}: an entity of this name exists already")
                columns = tuple(_columns(table["columns"], where, path, text, ("sources", i, "tables", j, "columns")))
                clash = {c.name for c in columns} & {c.name for c in every_row}
                if clash:
                    raise EntityError(f"{where}: column names {sorted(clash)} are taken by the columns that every row carries")
                meta = (table.get("config") or {}).get("meta") or {}
                entities[table["name"]] = Entity(
                    table["name"],
                    columns,
                    every_row,
                    meta.get("kind_column"),
                    meta.get("kinds"),
                    tuple(Reference(**declared) for declared in meta.get("references", ())),
                    tuple(TimeOrder(tuple(declared["columns"]), declared["tolerance"]) for declared in meta.get("times", ())),
                )
    for entity in entities.values():
        _check_relations(entity, entities)
    return entities


def _check_relations(entity: Entity, entities: dict[str, Entity]) -> None:
    """Every column that a reference or an order of times names exists."""
    for reference in entity.references:
        own = {reference.column, *filter(None, [reference.own_time])}
        theirs = {reference.to, *filter(None, [reference.their_time])}
        parent = entities.get(reference.entity)
        if not own <= set(entity.by_name) or parent is None or not theirs <= set(parent.by_name):
            raise EntityError(f"entity '{entity.name}': the reference of '{reference.column}' names what does not exist")
    for column in entity.columns:
        if column.link is None:
            continue
        dated = {c.name for c in entity.columns if c.type in ("date", "timestamp")}
        if not set(column.link.since) <= dated:
            raise EntityError(
                f"entity '{entity.name}', link of '{column.name}': {sorted(set(column.link.since) - dated)} are no times of it"
            )
        if column.link.settled is not None and column.link.settled not in entities:
            raise EntityError(f"entity '{entity.name}', link of '{column.name}': there is no entity '{column.link.settled}'")
    for order in entity.times:
        if not set(order.columns) <= set(entity.by_name):
            raise EntityError(f"entity '{entity.name}': the order of times {list(order.columns)} names a column that does not exist")
