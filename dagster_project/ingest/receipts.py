"""Receipts: what was delivered, what became of it, and from what every batch of the pool was made. One SQLite file per home.

The table ``receipt`` speaks of the latest attempt at a file, ``batch`` of the latest attempt at a batch *and* of what the pool holds
of it: after an attempt that was held, ``entity``, ``key_id`` and the columns from ``rows_accepted`` to ``content_hash`` still describe the
last good one, and so does ``statistic``, which counts values missing and codes by column of what the pool holds.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from dagster_project.home import Home
from dagster_project.ingest.statistics import CodeCount
from dagster_project.rights import create_private

Status = Literal["ok", "held", "failed"]
LAYOUT = 2

_TABLES = """
create table if not exists receipt (
    source_id text not null,
    batch_date text not null,
    file_name text not null,
    sha256 text not null,
    bytes integer not null,
    mtime_ns integer not null,
    encoding text not null,
    rows_read integer not null,
    rows_accepted integer not null,
    rows_quarantined integer not null,
    rows_duplicate integer not null,
    rows_filtered integer not null,
    seconds real not null,
    contract_version text not null,
    status text not null,
    detail text not null,
    primary key (source_id, batch_date, file_name)
) without rowid;
create table if not exists batch (
    source_id text not null,
    batch_date text not null,
    status text not null,
    detail text not null,
    fingerprint text not null,
    contract_version text not null,
    key_id text not null,
    warnings text not null,
    finished_at text not null,
    entity text not null,
    good_fingerprint text not null,
    rows_accepted integer not null,
    pool_rows integer not null,
    pool_bytes integer not null,
    content_hash text not null,
    primary key (source_id, batch_date)
) without rowid;
create table if not exists statistic (
    source_id text not null,
    batch_date text not null,
    column_name text not null,
    code text not null,
    rows integer not null,
    primary key (source_id, batch_date, column_name, code)
) without rowid;
"""


@dataclass(frozen=True)
class FileReceipt:
    """One delivered file. ``rows_read`` = accepted + quarantined + duplicate + filtered; ``seconds`` of wall time."""

    source_id: str
    batch_date: dt.date
    file_name: str
    sha256: str
    bytes: int
    mtime_ns: int
    encoding: str
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    rows_duplicate: int
    rows_filtered: int
    seconds: float
    contract_version: str
    status: Status
    detail: str = ""

    @property
    def balances(self) -> bool:
        return self.rows_read == self.rows_accepted + self.rows_quarantined + self.rows_duplicate + self.rows_filtered


@dataclass(frozen=True)
class BatchReceipt:
    """One batch. ``fingerprint`` names what the latest attempt was made from, ``good_fingerprint`` what the pool file was; '' without.

    ``key_id`` names the key of the hashes that the pool holds, '' without any.
    """

    source_id: str
    batch_date: dt.date
    status: Status
    detail: str
    fingerprint: str
    contract_version: str
    key_id: str
    warnings: dict[str, int]
    finished_at: str
    entity: str
    good_fingerprint: str = ""
    rows_accepted: int = 0
    pool_rows: int = 0
    pool_bytes: int = 0
    content_hash: str = ""

    @property
    def in_pool(self) -> bool:
        """Whether the pool holds a file of this batch."""
        return bool(self.good_fingerprint)


class UnreadableReceiptsError(sqlite3.DatabaseError):
    """The receipts of a home are damaged; the message says what to do."""


class Receipts:
    """The receipts of a home, open for reading and writing; use it as a context."""

    def __init__(self, home: Home) -> None:
        home.receipts.parent.mkdir(parents=True, exist_ok=True)
        create_private(home.receipts)
        self._connection = sqlite3.connect(home.receipts, timeout=60, isolation_level=None)
        try:
            self._connection.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as damage:
            raise UnreadableReceiptsError(
                f"{home.receipts} cannot be read ({damage}): restore a backup; without one move it away, and the next run reads landing anew"
            ) from None
        self._connection.execute("pragma synchronous = full")
        version = self._connection.execute("pragma user_version").fetchone()[0]
        if version > LAYOUT:
            raise RuntimeError(
                f"{home.receipts} was written by a newer release of this project (layout {version}, this one reads {LAYOUT})"
            )
        if version < LAYOUT:
            self._connection.executescript(_TABLES)
            self._connection.execute(f"pragma user_version = {LAYOUT}")

    def __enter__(self) -> Receipts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def files(self, source_id: str | None = None) -> list[FileReceipt]:
        """Receipts of files, of one source or all, ordered by source, batch date and file name."""
        return [
            FileReceipt(**{**row, "batch_date": dt.date.fromisoformat(row["batch_date"])})
            for row in self._rows("receipt", source_id, "file_name")
        ]

    def batches(self, source_id: str | None = None) -> list[BatchReceipt]:
        """Receipts of batches, of one source or all, ordered by source and batch date."""
        return [_batch(row) for row in self._rows("batch", source_id, "batch_date")]

    def batch(self, source_id: str, batch_date: dt.date) -> BatchReceipt | None:
        """The receipt of one batch."""
        found = [_batch(row) for row in self._rows("batch", source_id, "batch_date", batch_date)]
        return found[0] if found else None

    def _rows(self, table: str, source_id: str | None, last_order: str, batch_date: dt.date | None = None) -> list[dict[str, Any]]:
        asked = {"source_id": source_id, "batch_date": batch_date.isoformat() if batch_date else None}
        given = {name: value for name, value in asked.items() if value is not None}
        where = " and ".join(f"{name} = ?" for name in given) or "true"
        sql = f"select * from {table} where {where} order by source_id, batch_date, {last_order}"
        cursor = self._connection.execute(sql, tuple(given.values()))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def statistics(self, source_id: str, batch_date: dt.date) -> list[CodeCount]:
        """What the pool holds of a batch by column."""
        return [
            CodeCount(r["column_name"], r["code"], r["rows"]) for r in self._rows("statistic", source_id, "column_name, code", batch_date)
        ]

    def record(self, batch: BatchReceipt, files: Iterable[FileReceipt], statistics: Sequence[CodeCount] | None = None) -> None:
        """Put the receipts of one batch in the place of its former ones, in one transaction; without ``statistics`` those stay."""
        with self._transaction():
            if statistics is not None:
                self._count(batch, statistics)
            self._connection.execute(
                "delete from receipt where source_id = ? and batch_date = ?", (batch.source_id, batch.batch_date.isoformat())
            )
            self._insert("batch", batch)
            for file in files:
                self._insert("receipt", file)

    def record_undated(self, source_id: str, files: Iterable[FileReceipt]) -> None:
        """Put the receipts of files that belong to no batch in the place of the source's former ones."""
        with self._transaction():
            self._connection.execute(
                "delete from receipt where source_id = ? and sha256 = '' and not exists "
                "(select 1 from batch where batch.source_id = receipt.source_id and batch.batch_date = receipt.batch_date)",
                (source_id,),
            )
            for file in files:
                self._insert("receipt", file)

    def forget(self, source_id: str, batch_date: dt.date) -> None:
        """Drop the receipts of a batch that no longer exists."""
        with self._transaction():
            for table in ("receipt", "batch", "statistic"):
                self._connection.execute(f"delete from {table} where source_id = ? and batch_date = ?", (source_id, batch_date.isoformat()))

    def _count(self, batch: BatchReceipt, statistics: Sequence[CodeCount]) -> None:
        place = (batch.source_id, batch.batch_date.isoformat())
        self._connection.execute("delete from statistic where source_id = ? and batch_date = ?", place)
        rows = [(*place, s.column_name, s.code, s.rows) for s in statistics]
        self._connection.executemany("insert into statistic values (?, ?, ?, ?, ?)", rows)

    def _insert(self, table: str, receipt: FileReceipt | BatchReceipt) -> None:
        values = {**dataclasses.asdict(receipt), "batch_date": receipt.batch_date.isoformat()}
        if isinstance(receipt, BatchReceipt):
            values["warnings"] = json.dumps(receipt.warnings, ensure_ascii=False, sort_keys=True)
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self._connection.execute(f"insert or replace into {table} ({names}) values ({marks})", tuple(values.values()))

    @contextmanager
    def _transaction(self) -> Any:
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")


def _batch(row: dict[str, Any]) -> BatchReceipt:
    return BatchReceipt(**{**row, "batch_date": dt.date.fromisoformat(row["batch_date"]), "warnings": json.loads(row["warnings"])})
