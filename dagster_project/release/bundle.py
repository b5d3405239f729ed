"""A bundle: everything that a release needs of one product, as Parquet files that never change.

``bundles/<product>/<content hash>/`` holds a file per table and ``bundle.json``. The content hash covers product, night,
structure version and the content of every table; the verdicts that let the bundle pass stand in ``bundle.json`` for the
record and are outside the hash, since they also speak of the release before.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dagster_project.audit.candidate import Candidate, sha256_of, sql_text
from dagster_project.audit.interface import COUNT_COLUMNS, KPI_COLUMNS, RELEASE_COLUMNS
from dagster_project.audit.lineage import ABOUT_THE_POOL, Node
from dagster_project.audit.verdict import Verdict
from dagster_project.home import Home
from dagster_project.release.content import TableContent, digest, outside_content, table_content
from dagster_project.release.documentation import Documentation, of_node
from dagster_project.release.files import DRAFT, flush, move_into_place, seal
from dagster_project.rights import OWNER

SCHEMA_VERSION = 1
"""Raised when the structure of a release changes: bundles of an older one are left out of new releases."""

DESCRIPTION = "bundle.json"
HASH_DIGITS = 32
SHARED_TABLES = ("kpi", "fct_kpi_count", "kpi_catalogue", "unit")
POOL_TABLES = ABOUT_THE_POOL
"""In no bundle."""


class BundleError(RuntimeError):
    """A bundle that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class BundleTable:
    file: str
    sha256: str
    content: TableContent
    documentation: Documentation

    def as_json(self) -> dict[str, Any]:
        described = {"description": self.documentation.table, "column_descriptions": dict(self.documentation.columns)}
        return {"file": self.file, "sha256": self.sha256, "content_hash": self.content.content_hash, **self.content.as_json(), **described}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> BundleTable:
        documentation = Documentation(raw["description"], raw["column_descriptions"])
        return cls(raw["file"], raw["sha256"], TableContent.from_json(raw), documentation)


@dataclass(frozen=True)
class Bundle:
    """One bundle on disk; ``path`` is its folder, ``name`` the same below ``bundles/``."""

    path: Path
    product: str
    as_of: dt.date
    schema_version: int
    content_hash: str
    tables: Mapping[str, BundleTable]

    @property
    def name(self) -> str:
        return f"{self.product}/{self.path.name}"

    def file(self, table: str) -> str:
        """The table's file as a quoted SQL literal."""
        return sql_text(self.path / self.tables[table].file)


def _selections(candidate: Candidate, product: str, passed: Collection[str]) -> dict[str, tuple[Node, str, str]]:
    """Table name to its model, the condition that picks the product's rows, and the order they are kept in.

    A table of the product's own that speaks of every KPI (a balance, a reconciliation) keeps the rows of products that passed.
    """
    lineage = candidate.lineage
    kpi, counts, catalogue, unit = (lineage.named(n) for n in SHARED_TABLES)
    if kpi is None or counts is None or catalogue is None or unit is None:
        missing = [name for name in SHARED_TABLES if lineage.named(name) is None]
        raise BundleError(f"the dbt project has no model {', '.join(missing)}: no product can be published without it")
    own = f"product = {sql_text(product)}"
    listed = ", ".join(sql_text(p) for p in sorted(passed))
    of_passed = f"(kpi_id is null or kpi_id in (select kpi_id from {candidate.relation(catalogue)} where product in ({listed})))"
    of_own_kpi = f"kpi_id in (select kpi_id from {candidate.relation(catalogue)} where {own})"
    return {
        "kpi": (kpi, own, "kpi_id, slice, grain, unit_code, period_start"),
        "fct_kpi_count": (counts, of_own_kpi, "kpi_id, cell, unit_code, day"),
        "kpi_catalogue": (catalogue, own, "kpi_id"),
        "unit": (unit, "true", "all"),
        **{
            table.name: (table, of_passed if "kpi_id" in candidate.columns(table) else "true", "all")
            for table in lineage.tables_of(product)
            if table.name not in {*SHARED_TABLES, *POOL_TABLES}
        },
    }


def write_bundles(home: Home, candidate: Candidate, verdicts: Mapping[str, Sequence[Verdict]]) -> dict[str, Bundle]:
    """Take every product that passed out of the candidate, as many side by side as there are processors.

    ``verdicts`` are those of each product that passed. The same content gives the same bundle, which is then left as it is.
    """

    def write(product: str) -> Bundle:
        with candidate.connection.cursor() as cursor:
            return _write_bundle(home, replace(candidate, connection=cursor), product, verdicts[product], verdicts)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="bundle") as side_by_side:
        return dict(zip(verdicts, side_by_side.map(write, verdicts), strict=True))


def _write_bundle(home: Home, candidate: Candidate, product: str, verdicts: Sequence[Verdict], passed: Collection[str]) -> Bundle:
    folder = home.bundles / product
    draft = folder / f"{DRAFT}bundle"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    tables: dict[str, BundleTable] = {}
    for table, (node, condition, order) in _selections(candidate, product, passed).items():
        file = draft / f"{table}.parquet"
        candidate.connection.execute(
            f"copy (select * from {candidate.relation(node)} where {condition} order by {order}) "
            f"to {sql_text(file)} (format parquet, compression zstd)"
        )
        content = table_content(candidate.connection, f"read_parquet({sql_text(file)})", outside_content(table))
        documentation = of_node(candidate.lineage, node)
        columns = {name: documentation.columns.get(name, "") for name, _ in content.columns}
        tables[table] = BundleTable(file.name, sha256_of(file), content, Documentation(documentation.table, columns))
    content_hash = digest(
        {
            "product": product,
            "as_of": candidate.as_of.isoformat(),
            "schema_version": SCHEMA_VERSION,
            "tables": {table: t.content.content_hash for table, t in tables.items()},
        }
    )
    final = folder / content_hash[:HASH_DIGITS]
    if final.exists():
        try:
            existing = read_bundle(home, f"{product}/{final.name}")
        except BundleError:
            shutil.rmtree(final)
        else:
            shutil.rmtree(draft)
            return existing
    description = {
        "product": product,
        "as_of": candidate.as_of.isoformat(),
        "schema_version": SCHEMA_VERSION,
        "content_hash": content_hash,
        "tables": {name: t.as_json() for name, t in tables.items()},
        "gate": [{k: v for k, v in verdict.as_dict().items() if k not in {"rows", "source"}} for verdict in verdicts],
    }
    (draft / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    seal(draft, OWNER)
    move_into_place(draft, final)
    flush(home.bundles)
    return Bundle(final, product, candidate.as_of, SCHEMA_VERSION, content_hash, tables)


def read_bundle(home: Home, name: str) -> Bundle:
    """The bundle of this name (``<product>/<hash>``), verified byte by byte.

    Raises BundleError when it is missing, damaged, or of another structure than releases have now.
    """
    path = home.bundles / name
    try:
        raw: dict[str, Any] = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        if raw["schema_version"] != SCHEMA_VERSION:
            raise BundleError(f"bundle {name} is of structure version {raw['schema_version']}, releases now have version {SCHEMA_VERSION}")
        tables = {table: BundleTable.from_json(t) for table, t in raw["tables"].items()}
        bundle = Bundle(path, raw["product"], dt.date.fromisoformat(raw["as_of"]), raw["schema_version"], raw["content_hash"], tables)
        damaged = [t.file for t in tables.values() if sha256_of(path / t.file) != t.sha256]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"bundle {name} cannot be read ({type(error).__name__})") from None
    if damaged:
        raise BundleError(f"bundle {name} is damaged: {', '.join(damaged)} does not hold the bytes it was written with")
    for table, promised in (("kpi", KPI_COLUMNS), ("fct_kpi_count", COUNT_COLUMNS)):
        differing = (set(promised) ^ {name for name, _ in tables[table].content.columns}) - set(RELEASE_COLUMNS)
        if differing:
            raise BundleError(f"bundle {name} is of another structure: its {table} differs in {', '.join(sorted(differing))}")
    return bundle


def sweep_unused(home: Home, used: frozenset[str]) -> None:
    """Remove the bundles that no release uses: a publish that was killed before its release was in place left them."""
    if not home.bundles.is_dir():
        return
    for folder in home.bundles.iterdir():
        for path in folder.iterdir() if folder.is_dir() else ():
            if f"{folder.name}/{path.name}" not in used:
                shutil.rmtree(path)
