"""Which source feeds which product.

A product is fed by the sources of the entities that it reads. Of an entity that holds rows of many kinds (a measure, a kind of
matter) it is fed by the sources that deliver a kind of its own figures, so that a held ledger holds nobody else's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import duckdb

from dagster_project.audit.candidate import Candidate
from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract


def products_of_sources(candidate: Candidate, contracts: Sequence[Contract], entities: Mapping[str, Entity]) -> dict[str, frozenset[str]]:
    """Source id to the products that it feeds."""
    lineage = candidate.lineage
    read_by = {entity: [p for p in lineage.products if entity in lineage.entities_of(p)] for entity in {c.entity for c in contracts}}
    fed_by_kind = {name: _products_of_kinds(candidate, entities[name]) for name in read_by if name in entities}
    return {c.id: frozenset(p for p in read_by[c.entity] if _feeds(c, p, entities.get(c.entity), fed_by_kind)) for c in contracts}


def _feeds(contract: Contract, product: str, entity: Entity | None, fed_by_kind: Mapping[str, Mapping[str, frozenset[str]] | None]) -> bool:
    by_kind = fed_by_kind.get(contract.entity)
    delivered = _kinds_delivered(contract, entity)
    if by_kind is None or delivered is None:
        return True
    return any(product in by_kind.get(kind, frozenset()) for kind in delivered)


def _kinds_delivered(contract: Contract, entity: Entity | None) -> frozenset[str] | None:
    """The kinds that a contract can deliver; None when that is up to the rows."""
    column = contract.columns.get(entity.kind_column) if entity is not None and entity.kind_column else None
    if column is None:
        return None
    if column.constant is not None:
        return frozenset({str(column.constant)})
    if column.codes is None:
        return None
    return frozenset(str(kind) for kind in (*column.codes.values(), column.codes_else) if kind is not None)


def _products_of_kinds(candidate: Candidate, entity: Entity) -> dict[str, frozenset[str]] | None:
    """Kind to the products whose figures it feeds, as the seed of the entity says; None for an entity of one kind."""
    seed, catalogue = candidate.lineage.named(entity.kinds or ""), candidate.lineage.named("kpi_catalogue")
    if seed is None or catalogue is None or not candidate.has(seed) or not candidate.has(catalogue):
        return None
    found: defaultdict[str, set[str]] = defaultdict(set)
    try:
        rows = candidate.rows(
            f"select kinds.{entity.kind_column} as kind, catalogue.product from {candidate.relation(seed)} as kinds "
            f"inner join {candidate.relation(catalogue)} as catalogue on kinds.kpi_id = catalogue.kpi_id"
        )
    except duckdb.Error:
        return None
    for row in rows:
        found[row["kind"]].add(row["product"])
    return {kind: frozenset(products) for kind, products in found.items()}
