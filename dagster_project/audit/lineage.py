"""From a product to everything that its figures are made of, read from dbt's manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

POOL_SOURCE = "pool"
ROW_OWNERS = ("kpi_id", "product")
PUBLISHED_FOR_ALL = ("kpi", "fct_kpi_count", "kpi_catalogue", "unit")
ABOUT_THE_POOL = ("receipt", "pool_inventory", "system_register")
"""Tables about the pool itself: of the night and whole in every release, whatever became of the products."""


class ManifestError(ValueError):
    """dbt's manifest cannot be used; the message says which file and what to do."""


@dataclass(frozen=True)
class Node:
    """A model, seed, snapshot, source or test of the dbt project."""

    unique_id: str
    kind: str
    name: str
    relation: str | None
    database: str
    schema: str
    identifier: str
    products: tuple[str, ...]
    parents: tuple[str, ...]
    description: str
    column_descriptions: Mapping[str, str]
    generic_test: str
    meta: Mapping[str, Any]
    config: Mapping[str, Any]
    attached: str | None
    source_name: str | None
    is_mart: bool

    @property
    def rows_carry_product(self) -> bool:
        """Rows of several products stand in this table and each row says whose it is."""
        return not self.products and any(name in self.column_descriptions for name in ROW_OWNERS)


def _texts(declared: Any) -> tuple[str, ...]:
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _products(meta: Mapping[str, Any]) -> tuple[str, ...]:
    return _texts(meta.get("products", meta.get("product", ())))


def _node(unique_id: str, raw: Mapping[str, Any]) -> Node:
    config = raw.get("config") or {}
    meta = {**(raw.get("meta") or {}), **(config.get("meta") or {})}
    columns = raw.get("columns") or {}
    return Node(
        unique_id=unique_id,
        kind=raw["resource_type"],
        name=raw["name"],
        relation=raw.get("relation_name"),
        database=raw.get("database") or "",
        schema=raw.get("schema") or "",
        identifier=raw.get("alias") or raw.get("identifier") or raw["name"],
        products=_products(meta),
        parents=tuple((raw.get("depends_on") or {}).get("nodes") or ()),
        description=raw.get("description") or "",
        column_descriptions={name: column.get("description") or "" for name, column in columns.items()},
        generic_test=(raw.get("test_metadata") or {}).get("name") or "",
        meta=meta,
        config=config,
        attached=raw.get("attached_node"),
        source_name=raw.get("source_name"),
        is_mart="marts" in (raw.get("fqn") or ()),
    )


@dataclass(frozen=True)
class Lineage:
    """The dbt project as a graph, and what each product reads.

    A mart ``mart_<product>`` (or one that declares ``config.meta.product`` under ``marts/``) makes a product. Walking up
    from it, a table whose rows say whose they are (``kpi``, ``fct_kpi_count``) is a meeting point: from there the walk
    goes on only to models of the same product and to models of none, so that a held source holds nothing beyond the
    products that count it. A model upstream of a meeting point that declares no product belongs to all of them. No figure is
    made of a model that only says when: when others are made again, or when records came that its own product counts anyway
    (``config.meta.says_when``). What a mart prints of other
    products it declares (``config.meta.needs``): when they are held, so is it.
    """

    nodes: Mapping[str, Node]
    invocation_id: str

    @cached_property
    def marts(self) -> dict[str, Node]:
        """Product to its mart; the wide table named ``mart_<product>`` wins over other marts of the product."""
        found: dict[str, Node] = {}
        for node in sorted(self.nodes.values(), key=lambda n: n.unique_id):
            if node.kind != "model" or not node.is_mart:
                continue
            for product in node.products:
                if product not in found or node.name == f"mart_{product}":
                    found[product] = node
        return found

    @property
    def products(self) -> tuple[str, ...]:
        return tuple(sorted(self.marts))

    def tables_of(self, product: str) -> tuple[Node, ...]:
        """Every mart that is this product's alone."""
        own = (n for n in self.nodes.values() if n.kind == "model" and n.is_mart and n.products == (product,))
        return tuple(sorted(own, key=lambda n: n.name))

    def named(self, name: str) -> Node | None:
        """The model or seed of this name."""
        return next((n for n in self.nodes.values() if n.name == name and n.kind in {"model", "seed", "snapshot"}), None)

    @property
    def tests(self) -> tuple[Node, ...]:
        return tuple(sorted((n for n in self.nodes.values() if n.kind == "test"), key=lambda n: n.unique_id))

    @property
    def database(self) -> str:
        """The catalog name under which compiled SQL addresses the candidate."""
        return next((n.database for n in self.nodes.values() if n.kind == "model" and n.database), "candidate")

    @cached_property
    def upstream(self) -> dict[str, frozenset[str]]:
        """Product to the ids of every node that its figures are made of, its mart included."""
        return {product: self._walk(product, self._starts(product)) for product in self.marts}

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """Product to the products whose rows of ``kpi`` its own tables print too (``config.meta.needs``)."""
        declared = {p: {n for table in self.tables_of(p) for n in _texts(table.meta.get("needs", ()))} for p in self.marts}
        return {p: tuple(sorted(n for n in needed if n in self.marts)) for p, needed in declared.items()}

    def describes_sources(self, product: str) -> bool:
        """The product is about the sources themselves, so a held one is what it shows, not what it lacks (``held_sources: warn``)."""
        return any(table.meta.get("held_sources") == "warn" for table in self.tables_of(product))

    def _starts(self, product: str) -> list[Node]:
        shared = [n for name in PUBLISHED_FOR_ALL if (n := self.named(name)) is not None]
        return [*self.tables_of(product), *shared]

    def _walk(self, product: str, starts: Iterable[Node]) -> frozenset[str]:
        """Ids reached from ``starts``. What is read of another product's own table is walked as that product."""
        seen: set[tuple[str, str]] = set()
        waiting = [(n.unique_id, product) for n in starts]
        while waiting:
            unique_id, walked_as = waiting.pop()
            if (unique_id, walked_as) in seen or unique_id not in self.nodes:
                continue
            seen.add((unique_id, walked_as))
            node = self.nodes[unique_id]
            for parent_id in node.parents:
                parent = self.nodes.get(parent_id)
                if parent is None or parent.meta.get("says_when") is True:
                    continue
                if not parent.products or walked_as in parent.products:
                    waiting.append((parent_id, walked_as))
                elif not node.rows_carry_product:
                    waiting.extend((parent_id, other) for other in parent.products)
        return frozenset(unique_id for unique_id, _ in seen)

    def entities_of(self, product: str) -> frozenset[str]:
        """The entities of the pool that a product reads."""
        return frozenset(
            node.name
            for unique_id in self.upstream[product]
            if (node := self.nodes[unique_id]).kind == "source" and node.source_name == POOL_SOURCE
        )

    def products_reading(self, unique_ids: Iterable[str]) -> tuple[str, ...]:
        """The products whose figures are made of any of these nodes."""
        wanted = set(unique_ids)
        return tuple(product for product in self.products if wanted & self.upstream[product])


def read_lineage(manifest_file: Path) -> Lineage:
    """Read ``manifest.json``. Raises ManifestError when it is missing or no manifest."""
    try:
        raw = json.loads(manifest_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"{manifest_file} is missing: build the candidate with dbt first") from None
    except ValueError as error:
        raise ManifestError(f"{manifest_file} is not JSON ({error}): build the candidate with dbt again") from None
    if "nodes" not in raw or "sources" not in raw:
        raise ManifestError(f"{manifest_file} is no dbt manifest: build the candidate with dbt again")
    nodes = {unique_id: _node(unique_id, node) for unique_id, node in {**raw["nodes"], **raw["sources"]}.items()}
    return Lineage(nodes, raw.get("metadata", {}).get("invocation_id") or "")
