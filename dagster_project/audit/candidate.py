"""The candidate as the audit sees it: opened read-only, with what dbt says it did, and proof that nobody wrote meanwhile."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.audit.lineage import Lineage, Node, read_lineage
from dagster_project.home import Home

CONTROL_TABLES = ("night", "source", "batch", "receipt", "statistic")
BUILT = frozenset({"success", "no-op"})
SEAL = "candidate.seal.json"
SCRATCH = "gate"


class CandidateRefusedError(RuntimeError):
    """The candidate as a whole cannot be audited or published; the message says why and what to do."""


@dataclass(frozen=True)
class Built:
    """What dbt did with one node in the build that made the candidate."""

    status: str
    compiled_sql: str | None
    message: str


@dataclass(frozen=True)
class Candidate:
    """A candidate open for reading. ``connection`` sees it under the name that compiled SQL uses."""

    file: Path
    sha256: str
    as_of: dt.date
    lineage: Lineage
    built: Mapping[str, Built]
    connection: duckdb.DuckDBPyConnection
    tables: frozenset[str]

    def has(self, node: Node | None) -> bool:
        """The node stands in the candidate as a table or view."""
        return node is not None and f"{node.schema}.{node.identifier}" in self.tables

    def relation(self, node: Node) -> str:
        return node.relation or f'"{node.database}"."{node.schema}"."{node.identifier}"'

    def columns(self, node: Node) -> dict[str, str]:
        """Column name to DuckDB type, in order. Raises duckdb.Error when the node is a view that cannot be read."""
        described = self.connection.execute(f"describe select * from {self.relation(node)}").fetchall()
        return {name: duckdb_type for name, duckdb_type, *_ in described}

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query. Values stand in it as literals (``sql_text``): binding parameters would import pandas."""
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def unaltered(self) -> bool:
        """The file still holds the bytes that were audited."""
        return sha256_of(self.file) == self.sha256


def sql_text(text: str | Path) -> str:
    """A text or path as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _run_results(target: Path) -> dict[str, Any]:
    file = target / "run_results.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except (FileNotFoundError, ValueError):
        raise CandidateRefusedError(f"{file} is missing or cut short: the build did not finish; build the candidate again") from None


def read_build(target: Path, lineage: Lineage) -> dict[str, Built]:
    """What the build did, from ``run_results.json``. Raises CandidateRefusedError when no finished build is recorded."""
    raw = _run_results(target)
    if raw["metadata"]["invocation_id"] != lineage.invocation_id:
        raise CandidateRefusedError(
            f"{target}: manifest and run results are of different builds: the last build did not finish; build the candidate again"
        )
    return {
        result["unique_id"]: Built(result.get("status") or "", result.get("compiled_code"), result.get("message") or "")
        for result in raw["results"]
    }


def seal_candidate(home: Home, builder_version: str) -> None:
    """Record which bytes a finished build left, and what built them; to be called under the writer's lock, right after dbt has ended.

    A candidate without a seal, or changed after it was sealed, is refused: it comes from a killed build or another hand.
    """
    invocation = _run_results(home.dbt_target)["metadata"]["invocation_id"]
    marks = _marks(home.candidate)  # before the bytes are read: what is written meanwhile must not be vouched for
    seal = {
        "sha256": sha256_of(home.candidate),
        "marks": marks,
        "invocation_id": invocation,
        "builder_version": builder_version,
    }
    draft = home.warehouse / f"{SEAL}.tmp"
    draft.write_text(json.dumps(seal) + "\n", encoding="utf-8")
    draft.replace(home.warehouse / SEAL)


def can_build_on(home: Home, builder_version: str) -> bool:
    """Whether the next build may start from the candidate: its bytes are those that the same builder sealed."""
    seal = _seal(home)
    return seal.get("builder_version") == builder_version and _is_as_sealed(home, seal)


def discard_unsealed(home: Home) -> None:
    """Remove a candidate whose bytes are not those that were sealed, before one is built anew: cut short or damaged it could not even be
    opened, that night and every night after. To be called under the writer's lock."""
    if not _is_as_sealed(home, _seal(home)):
        home.candidate.unlink(missing_ok=True)
        home.candidate.with_name(f"{home.candidate.name}.wal").unlink(missing_ok=True)


def _seal(home: Home) -> dict[str, Any]:
    """The seal of the candidate; empty where there is none that can be read."""
    try:
        return dict(json.loads((home.warehouse / SEAL).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def _is_as_sealed(home: Home, seal: Mapping[str, Any]) -> bool:
    """Whether the candidate holds the bytes that were sealed. They are read where the file system does not vouch for them: copied or
    restored, or written to since. The audit reads them always."""
    try:
        return bool(seal) and bool(seal.get("marks") == _marks(home.candidate) or seal.get("sha256") == sha256_of(home.candidate))
    except FileNotFoundError:
        return False


def _marks(file: Path) -> list[int]:
    """What changes whenever a file is written to or another takes its place; the time of change cannot be set back by who writes."""
    status = file.stat()
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _check_seal(home: Home, sha256: str, lineage: Lineage) -> None:
    file = home.warehouse / SEAL
    try:
        seal = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise CandidateRefusedError(f"{home.candidate} carries no seal of a finished build: build the candidate again") from None
    if seal["invocation_id"] != lineage.invocation_id:
        raise CandidateRefusedError(
            f"{home.candidate} was sealed by another build than the one in {home.dbt_target}: build the candidate again"
        )
    if seal["sha256"] != sha256:
        raise CandidateRefusedError(f"{home.candidate} was altered after its build had ended: build the candidate again")


def _connect(file: Path, name: str, scratch: Path) -> duckdb.DuckDBPyConnection:
    """A statement runs on the thread that asks it: the audit's are many and short, and what threads of one statement lose on each other
    is more than they gain. Statements that are to run side by side are asked on cursors."""
    connection = duckdb.connect(
        config={"threads": 1, "temp_directory": str(scratch), "autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    connection.execute("set enable_progress_bar = false")
    connection.execute(f'attach {sql_text(file)} as "{name}" (read_only)')
    connection.execute(f'use "{name}"')
    return connection


def _night(home: Home, connection: duckdb.DuckDBPyConnection) -> dt.date:
    row = connection.execute(
        f"select as_of from read_parquet({sql_text(home.warehouse / 'control' / 'night.parquet')}, hive_partitioning = false)"
    ).fetchone()
    if row is None:
        raise CandidateRefusedError("the control table 'night' is empty: run the night from its start")
    return row[0]  # type: ignore[no-any-return]


@contextmanager
def open_candidate(home: Home, as_of: dt.date) -> Iterator[Candidate]:
    """Open the candidate of a home for reading.

    Raises CandidateRefusedError when there is none, when its build did not finish, was altered since, or was made for another
    night.
    """
    file = home.candidate
    if not file.is_file():
        raise CandidateRefusedError(f"{file} does not exist: build the candidate first")
    unfinished = file.with_name(file.name + ".wal")
    if unfinished.exists() and unfinished.stat().st_size > 0:
        raise CandidateRefusedError(
            f"{unfinished} holds unfinished writes: the build was killed or is still running; build the candidate again"
        )
    missing = [name for name in CONTROL_TABLES if not (home.warehouse / "control" / f"{name}.parquet").is_file()]
    if missing:
        raise CandidateRefusedError(f"{home.warehouse / 'control'} lacks {', '.join(missing)}: run the night from its start")
    lineage = read_lineage(home.dbt_target / "manifest.json")
    built = read_build(home.dbt_target, lineage)
    scratch = home.scratch / SCRATCH
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    sha256 = sha256_of(file)
    _check_seal(home, sha256, lineage)
    try:
        connection = _connect(file, lineage.database, scratch)
    except duckdb.Error as error:
        raise CandidateRefusedError(
            f"{file} cannot be opened for reading ({str(error).splitlines()[0]}): close its writer or build it again"
        ) from None
    try:
        night = _night(home, connection)
        if night != as_of:
            raise CandidateRefusedError(f"the candidate was built for the night {night}, not for {as_of}: build it again for {as_of}")
        tables = {
            f"{schema}.{name}"
            for schema, name in connection.execute(
                f"select schema_name, table_name from duckdb_tables() where database_name = {sql_text(lineage.database)} "
                f"union all select schema_name, view_name from duckdb_views() where database_name = {sql_text(lineage.database)}"
            ).fetchall()
        }
        yield Candidate(file, sha256, as_of, lineage, built, connection, frozenset(tables))
    finally:
        connection.close()
