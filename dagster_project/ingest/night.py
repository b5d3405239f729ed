"""One night of one source: its batches that need it are made, oldest first, and what became of them is told."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import duckdb

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract
from dagster_project.contracts.version import contract_version
from dagster_project.extract.state import failure_of
from dagster_project.home import Home
from dagster_project.ingest.batch import BatchPlan, failed_batch, ingest_batch, refused_receipt
from dagster_project.ingest.cadence import missing_deliveries
from dagster_project.ingest.checks import SourceCheck, check_source
from dagster_project.ingest.deidentify import HashKeyError
from dagster_project.ingest.engine import open_engine
from dagster_project.ingest.mapping import hashes_values
from dagster_project.ingest.plan import SourcePlan, make_plan
from dagster_project.ingest.pool import batch_path
from dagster_project.ingest.pool_key import expect_pool_key, pool_key
from dagster_project.ingest.quarantine import quarantine_path
from dagster_project.ingest.receipts import BatchReceipt, FileReceipt, Receipts

__all__ = ["SourceCheck", "SourcePlan", "SourceResult", "SourceState", "ingest_source", "plan_source", "source_states"]

_INFRASTRUCTURE = (OSError, MemoryError, sqlite3.Error, duckdb.OutOfMemoryException, duckdb.IOException)

SourceStatus = Literal["ok", "unchanged", "held", "failed"]


@dataclass(frozen=True)
class SourceResult:
    """What a night did for a source. Row counts are of the batches made this night; ``rows_in_pool`` of all up to the night.

    ``status`` is failed or held when any batch up to the night is, else ok when something was made, else unchanged.
    ``content_version`` names what the pool holds of the source.
    """

    source_id: str
    status: SourceStatus
    batches: tuple[BatchReceipt, ...] = ()
    messages: tuple[str, ...] = ()
    checks: tuple[SourceCheck, ...] = ()
    files: tuple[FileReceipt, ...] = ()
    rows_in_pool: int = 0
    content_version: str = ""
    phase_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def rows_read(self) -> int:
        return sum(f.rows_read for f in self.files)

    @property
    def rows_accepted(self) -> int:
        return sum(f.rows_accepted for f in self.files)

    @property
    def rows_quarantined(self) -> int:
        return sum(f.rows_quarantined for f in self.files)

    @property
    def rows_duplicate(self) -> int:
        return sum(f.rows_duplicate for f in self.files)

    @property
    def rows_filtered(self) -> int:
        return sum(f.rows_filtered for f in self.files)

    @property
    def unbalanced_files(self) -> tuple[str, ...]:
        """Files whose rows do not add up."""
        return tuple(row["file"] for c in self.checks if c.check == "balance" for row in c.rows)


@dataclass(frozen=True)
class SourceState:
    """Where a source stands by its receipts. Row counts are of what the pool holds, ``trouble`` names batches not taken."""

    source_id: str
    newest_batch: dt.date | None
    batches: int
    rows: int
    rows_quarantined: int
    trouble: tuple[str, ...]
    missing: tuple[str, ...]


def source_states(home: Home, contracts: Iterable[Contract], night: dt.date) -> list[SourceState]:
    """Where every source stands by a night, from receipts alone."""
    with Receipts(home) as receipts:
        batches, files = receipts.batches(), receipts.files()
    states = []
    for contract in sorted(contracts, key=lambda c: c.id):
        mine = [b for b in batches if b.source_id == contract.id and b.batch_date <= night]
        good = [b for b in mine if b.in_pool]
        taken = {b.batch_date for b in good if b.status == "ok"}
        quarantined = sum(f.rows_quarantined for f in files if f.source_id == contract.id and f.batch_date in taken)
        states.append(
            SourceState(
                contract.id,
                max((b.batch_date for b in good), default=None),
                len(good),
                sum(b.rows_accepted for b in good),
                quarantined,
                tuple(f"batch {b.batch_date} is {b.status}: {b.detail}" for b in mine if b.status != "ok"),
                tuple(missing_deliveries(contract, [b.batch_date for b in mine], night)),
            )
        )
    return states


def plan_source(home: Home, contract: Contract, entity: Entity, night: dt.date) -> SourcePlan:
    """What ``ingest_source`` would do; changes nothing."""
    with Receipts(home) as receipts:
        return make_plan(home, contract, entity, night, receipts)


def ingest_source(
    home: Home, contract: Contract, entity: Entity, night: dt.date, *, progress: Callable[[str], None] | None = None
) -> SourceResult:
    """Make every batch of a source that needs it, oldest first. The caller holds the home's writing lock.

    Bad data ends in the result, never in an exception; only infrastructure errors (OSError of the home, MemoryError) are raised, and
    OtherKeyError when the pool is hashed under another key than the one given.
    """
    say = progress or _silent
    if hashes_values(contract):
        expect_pool_key(home)
    made: list[BatchReceipt] = []
    files: list[FileReceipt] = []
    seconds: dict[str, float] = defaultdict(float)
    with Receipts(home) as receipts:
        began = time.perf_counter()
        plan = make_plan(home, contract, entity, night, receipts)
        seconds["plan"] = time.perf_counter() - began
        for date in plan.retired:
            _take_back(home, receipts, contract, date)
        _record_undated(contract, entity, plan, receipts)
        for batch_plan, receipt, of_batch, phases in _made(home, contract, entity, plan, receipts, say):
            made.append(receipt)
            files.extend(of_batch)
            for phase, spent in phases.items():
                seconds[phase] += spent
            rows = sum(f.rows_read for f in of_batch)
            say(f"{contract.id} {batch_plan.batch_date}: {rows:,} rows in {len(of_batch)} files, {receipt.status}")
        return _result(contract, plan, night, receipts, made, files, dict(seconds), failure_of(contract, home.pulls, night))


def _made(
    home: Home, contract: Contract, entity: Entity, plan: SourcePlan, receipts: Receipts, say: Callable[[str], None]
) -> Iterator[tuple[BatchPlan, BatchReceipt, list[FileReceipt], dict[str, float]]]:
    batches = sorted((*plan.batches_to_ingest, *plan.batches_to_retry), key=lambda b: b.batch_date)
    if not batches:
        return
    try:
        key = pool_key(home, receipts) if hashes_values(contract) else None
    except HashKeyError as wrong:
        for batch_plan in batches:
            yield batch_plan, *_record_failure(contract, batch_plan, receipts, str(wrong)), {}
        return
    with open_engine(home) as connection:
        for batch_plan in batches:
            try:
                result = ingest_batch(home, contract, entity, batch_plan, key, connection, receipts, say)
            except _INFRASTRUCTURE:
                raise
            except Exception as wrong:
                detail = f"stopped by an unexpected {type(wrong).__name__} in the program, not by the delivery; please report it"
                yield batch_plan, *_record_failure(contract, batch_plan, receipts, detail), {}
            else:
                yield batch_plan, result.receipt, result.files, result.phase_seconds


def _record_failure(contract: Contract, plan: BatchPlan, receipts: Receipts, detail: str) -> tuple[BatchReceipt, list[FileReceipt]]:
    """Note an attempt that came to nothing; every night tries again."""
    former = receipts.batch(contract.id, plan.batch_date)
    receipt = failed_batch(contract, plan, detail, former)
    files = [
        FileReceipt(
            contract.id, plan.batch_date, p.file.relative_path, p.sha256, p.file.bytes, p.file.mtime_ns,
            contract.format_of(p.file.relative_path).encoding, 0, 0, 0, 0, 0, 0.0, plan.contract_version, "failed", detail,
        )
        for p in plan.files
    ]  # fmt: skip
    files += [refused_receipt(contract, r, plan.batch_date, plan.contract_version) for r in plan.refused]
    receipts.record(receipt, files)
    return receipt, files


def _take_back(home: Home, receipts: Receipts, contract: Contract, date: dt.date) -> None:
    """Remove a batch whose files the contract now dates otherwise: their rows stand in other batches."""
    batch = receipts.batch(contract.id, date)
    if batch is not None:
        batch_path(home, batch.entity, contract.id, date).unlink(missing_ok=True)
    quarantine_path(home, contract.id, date).unlink(missing_ok=True)
    receipts.forget(contract.id, date)


def _silent(text: str) -> None:
    """The progress of a caller who asks for none."""


def _record_undated(contract: Contract, entity: Entity, plan: SourcePlan, receipts: Receipts) -> None:
    undated = [r for r in plan.undated if not r.waiting]
    if undated or any(not f.sha256 for f in receipts.files(contract.id)):
        version = contract_version(contract, entity)
        receipts.record_undated(contract.id, [refused_receipt(contract, r, plan.night, version) for r in undated])


def _result(
    contract: Contract,
    plan: SourcePlan,
    night: dt.date,
    receipts: Receipts,
    made: list[BatchReceipt],
    files: list[FileReceipt],
    seconds: dict[str, float],
    failure: str,
) -> SourceResult:
    batches = [b for b in receipts.batches(contract.id) if b.batch_date <= night]
    known_files = [f for f in receipts.files(contract.id) if f.batch_date <= night]
    checks = check_source(contract, plan, night, batches, known_files, failure)
    in_pool = [b for b in batches if b.in_pool]
    return SourceResult(
        contract.id,
        _status(batches, made, checks),
        tuple(made),
        tuple(f"{contract.id}: {message}" for c in checks for message in c.messages),
        checks,
        tuple(files),
        sum(b.rows_accepted for b in in_pool),
        hashlib.sha256("\n".join(f"{b.entity} {b.batch_date} {b.content_hash}" for b in in_pool).encode()).hexdigest()[:32],
        seconds,
    )


def _status(batches: list[BatchReceipt], made: list[BatchReceipt], checks: tuple[SourceCheck, ...]) -> SourceStatus:
    if any(b.status == "failed" for b in batches):
        return "failed"
    if any(b.status == "held" for b in batches) or any(c.severity == "block" and not c.passed for c in checks):
        return "held"
    return "ok" if made else "unchanged"
