"""A bundle: everything that a release needs of one product, as Parquet files that never change.

``bundles/<product>/<content hash>/`` holds the files of every table and ``bundle.json``. The content hash covers product, night,
structure version and the content of every table; the verdicts that let the bundle pass stand in ``bundle.json`` for the
record and are outside the hash, since they also speak of the release before.

Tables that grow with history have a file per quarter or year. A span whose rows are those of the bundle before is not written again: its
file is shared with that bundle by a hard link, so that a night writes what it changed.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

from dagster_project.audit.candidate import Candidate, sha256_of, sql_text
from dagster_project.audit.interface import COUNT_COLUMNS, KPI_COLUMNS
from dagster_project.audit.verdict import Verdict
from dagster_project.home import Home
from dagster_project.release.content import TableContent, combined, digest, outside_content, table_content
from dagster_project.release.documentation import Documentation, of_node
from dagster_project.release.files import DRAFT, flush, link_or_copy, move_into_place, seal
from dagster_project.release.selection import FILLED_BY_RELEASE, GROWERS, Piece, Selection, Shared, selections_of
from dagster_project.release.set_apart import SetApart, rows_set_apart
from dagster_project.rights import OWNER

SCHEMA_VERSION = 2
"""Raised when the structure of a release changes: bundles of an older one are left out of new releases."""

DESCRIPTION = "bundle.json"
HASH_DIGITS = 32


class BundleError(RuntimeError):
    """A bundle that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class BundleFile:
    """A file and what it holds; ``likeness`` tells whether other rows are the same (empty where nothing is compared)."""

    name: str
    sha256: str
    content: TableContent
    likeness: str

    def as_json(self) -> dict[str, Any]:
        return {"file": self.name, "sha256": self.sha256, "likeness": self.likeness, **self.content.as_json()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> BundleFile:
        return cls(raw["file"], raw["sha256"], TableContent.from_json(raw), raw["likeness"])


@dataclass(frozen=True)
class BundleTable:
    """A table, in one file or several of the same columns; ``content`` is that of all of them."""

    files: tuple[BundleFile, ...]
    content: TableContent
    documentation: Documentation

    def as_json(self) -> dict[str, Any]:
        described = {"description": self.documentation.table, "column_descriptions": dict(self.documentation.columns)}
        return {"content_hash": self.content.content_hash, "files": [file.as_json() for file in self.files], **described}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> BundleTable:
        return cls.of((BundleFile.from_json(file) for file in raw["files"]), Documentation(raw["description"], raw["column_descriptions"]))

    @classmethod
    def of(cls, files: Iterable[BundleFile], documentation: Documentation) -> BundleTable:
        """Raises ValueError when the files are none, or not of one table."""
        listed = tuple(files)
        content = combined([file.content for file in listed])
        if content is None:
            raise ValueError(f"files of one table differ in their columns: {', '.join(file.name for file in listed)}")
        return cls(listed, content, documentation)


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

    def files(self, table: str) -> str:
        """The table's files as an SQL list."""
        return f"[{', '.join(sql_text(self.path / file.name) for file in self.tables[table].files)}]"

    def alike(self, table: str) -> dict[str, BundleFile]:
        """The files of a table by the likeness of their rows."""
        return {file.likeness: file for file in self.tables[table].files if file.likeness} if table in self.tables else {}


ROWS_SET_APART_AT_A_TIME = 2_000_000
"""Of one table, unless a single product has more to write."""


@dataclass(frozen=True)
class _BundlePlan:
    """What the bundle of a product takes out of the candidate, and the bundle whose files it may share."""

    product: str
    selections: Mapping[str, Selection]
    before: Bundle | None

    def to_write(self, table: str) -> list[Piece]:
        """The spans of a table that grows which no file of the bundle before holds."""
        alike = self.before.alike(table) if self.before else {}
        return [piece for piece in self.selections[table].pieces if piece.span and piece.likeness not in alike]


def write_bundles(
    home: Home, candidate: Candidate, verdicts: Mapping[str, Sequence[Verdict]], before: Mapping[str, str] | None = None
) -> dict[str, Bundle]:
    """Take every product that passed out of the candidate, as many side by side as there are processors.

    ``verdicts`` are those of each product that passed, ``before`` names its last bundle, which files may be shared with. The same
    content gives the same bundle, which is then left as it is.
    """
    if not verdicts:
        return {}
    shared, known = Shared.of(candidate), before or {}
    bundles: dict[str, Bundle] = {}

    def write(plan: _BundlePlan, apart: Mapping[str, SetApart]) -> Bundle:
        with candidate.connection.cursor() as cursor:
            return _write_bundle(home, replace(candidate, connection=cursor), plan, verdicts[plan.product], apart)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="bundle") as side_by_side:
        earlier = side_by_side.map(lambda product: _readable(home, known.get(product, "")), verdicts)
        plans = [_BundlePlan(p, selections_of(candidate, shared, p, verdicts), b) for p, b in zip(verdicts, earlier, strict=True)]
        for portion in _in_portions(plans):
            with ExitStack() as held:
                apart = {table: held.enter_context(rows_set_apart(candidate, shared, table, _wanted(table, portion))) for table in GROWERS}
                written = side_by_side.map(write, portion, repeat(apart))
                bundles |= zip((plan.product for plan in portion), written, strict=True)
    return bundles


def _wanted(table: str, plans: Sequence[_BundlePlan]) -> Iterator[tuple[str, str]]:
    return ((plan.product, piece.span) for plan in plans for piece in plan.to_write(table))


def _in_portions(plans: Sequence[_BundlePlan]) -> Iterator[list[_BundlePlan]]:
    """The plans in turn, as many together as their rows may be set apart at a time."""
    portion: list[_BundlePlan] = []
    rows = 0
    for plan in plans:
        due = max(sum(piece.rows for piece in plan.to_write(table)) for table in GROWERS)
        if portion and rows + due > ROWS_SET_APART_AT_A_TIME:
            yield portion
            portion, rows = [], 0
        portion.append(plan)
        rows += due
    yield portion


def _readable(home: Home, name: str) -> Bundle | None:
    """A bundle whose files may be shared; None where there is none, or it is damaged or of another structure: all is written then."""
    try:
        return read_bundle(home, name) if name else None
    except BundleError:
        return None


def _write_file(candidate: Candidate, table: str, query: str, file: Path, piece: Piece) -> BundleFile:
    candidate.connection.execute(f"copy ({query}) to {sql_text(file)} (format parquet, compression zstd)")
    content = table_content(candidate.connection, f"read_parquet({sql_text(file)}, hive_partitioning = false)", outside_content(table))
    if piece.span and content.rows != piece.rows:
        raise BundleError(f"{file.name} holds {content.rows} rows of {table}, the candidate {piece.rows}: run the night again")
    return BundleFile(file.name, sha256_of(file), content, piece.likeness)


def _files(candidate: Candidate, plan: _BundlePlan, table: str, folder: Path, apart: SetApart) -> Iterator[BundleFile]:
    selection = plan.selections[table]
    alike = plan.before.alike(table) if plan.before else {}
    columns = ", ".join(f'"{name}"' for name in selection.columns)
    whole = f"select {columns} from {candidate.relation(selection.node)} where {selection.condition} order by {selection.order}"
    for piece in selection.pieces:
        same = alike.get(piece.likeness)
        if plan.before is None or same is None:
            yield _write_file(candidate, table, apart[plan.product, piece.span] if piece.span else whole, folder / piece.file, piece)
        else:
            link_or_copy(plan.before.path / same.name, folder / piece.file)
            yield replace(same, name=piece.file)


def _write_bundle(
    home: Home, candidate: Candidate, plan: _BundlePlan, verdicts: Sequence[Verdict], apart: Mapping[str, SetApart]
) -> Bundle:
    product = plan.product
    folder = home.bundles / product
    draft = folder / f"{DRAFT}bundle"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    tables: dict[str, BundleTable] = {}
    for table, selection in plan.selections.items():
        described = of_node(candidate.lineage, selection.node)
        columns = {name: described.columns.get(name, "") for name in candidate.columns(selection.node)}
        files = _files(candidate, plan, table, draft, apart.get(table, {}))
        tables[table] = BundleTable.of(files, Documentation(described.table, columns))
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
        damaged = [f.name for t in tables.values() for f in t.files if sha256_of(path / f.name) != f.sha256]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"bundle {name} cannot be read ({type(error).__name__})") from None
    if damaged:
        raise BundleError(f"bundle {name} is damaged: {', '.join(damaged)} does not hold the bytes it was written with")
    for table, promised in (("kpi", KPI_COLUMNS), ("fct_kpi_count", COUNT_COLUMNS)):
        differing = (set(promised) ^ {name for name, _ in tables[table].content.columns}) - FILLED_BY_RELEASE.get(table, frozenset())
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
