"""One night of one source: which of its batches need to be made, in which order, and what became of them.

A night D looks at every batch dated up to D. A batch is made when its files, its contract, its entity or its key are others than
those that its receipt names. Nothing is done for the rest.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sqlite3
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import duckdb

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract
from dagster_project.contracts.version import contract_version
from dagster_project.home import Home
from dagster_project.ingest.batch import BatchPlan, PlannedFile, failed_batch, ingest_batch, refused_receipt
from dagster_project.ingest.cadence import missing_deliveries
from dagster_project.ingest.conversion import REVISION
from dagster_project.ingest.deidentify import HashKeyError, load_key
from dagster_project.ingest.engine import open_engine
from dagster_project.ingest.landing import DeliveredFile, RefusedFile, batch_date, discover
from dagster_project.ingest.mapping import hashes_values
from dagster_project.ingest.pool import batch_path
from dagster_project.ingest.quarantine import quarantine_path
from dagster_project.ingest.receipts import BatchReceipt, FileReceipt, Receipts

RECENT_BATCHES = 8
_INFRASTRUCTURE = (OSError, MemoryError, sqlite3.Error, duckdb.OutOfMemoryException, duckdb.IOException)
_SAY_NOTHING: Callable[[str], None] = lambda text: None  # noqa: E731

SourceStatus = Literal["ok", "unchanged", "held", "failed"]


@dataclass(frozen=True)
class SourceCheck:
    """One check of a source. ``severity`` block: the products that read the source wait; warn: shown. ``rows``: what offends."""

    check: str
    severity: Literal["block", "warn"]
    passed: bool
    detail: str = ""
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class SourcePlan:
    """What a night would do for a source: batches to make (oldest first), batches that stand, files still being written (their
    batches wait), files that belong to no batch, batches to take back."""

    source_id: str
    night: dt.date
    batches_to_ingest: tuple[BatchPlan, ...]
    unchanged: tuple[dt.date, ...]
    waiting: tuple[RefusedFile, ...]
    undated: tuple[RefusedFile, ...]
    retired: tuple[dt.date, ...]


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


def plan_source(home: Home, contract: Contract, entity: Entity, night: dt.date) -> SourcePlan:
    """What ``ingest_source`` would do; changes nothing."""
    with Receipts(home) as receipts:
        return _plan(home, contract, entity, night, receipts)


def ingest_source(
    home: Home, contract: Contract, entity: Entity, night: dt.date, *, progress: Callable[[str], None] | None = None
) -> SourceResult:
    """Make every batch of a source that needs it, oldest first. The caller holds the home's writing lock.

    Bad data ends in the result, never in an exception; only infrastructure errors (OSError of the home, MemoryError) are raised.
    """
    say = progress or _SAY_NOTHING
    made: list[BatchReceipt] = []
    files: list[FileReceipt] = []
    seconds: dict[str, float] = defaultdict(float)
    with Receipts(home) as receipts:
        plan = _plan(home, contract, entity, night, receipts)
        for date in plan.retired:
            _take_back(home, receipts, contract, date)
        version = contract_version(contract, entity)
        receipts.record_undated(contract.id, [refused_receipt(contract, r, night, version) for r in plan.undated if not r.waiting])
        for batch_plan, receipt, of_batch, phases in _made(home, contract, entity, plan, receipts):
            made.append(receipt)
            files.extend(of_batch)
            for phase, spent in phases.items():
                seconds[phase] += spent
            rows = sum(f.rows_read for f in of_batch)
            say(f"{contract.id} {batch_plan.batch_date}: {rows:,} rows in {len(of_batch)} files, {receipt.status}")
        return _result(contract, plan, night, receipts, made, files, dict(seconds))


def _made(
    home: Home, contract: Contract, entity: Entity, plan: SourcePlan, receipts: Receipts
) -> Iterator[tuple[BatchPlan, BatchReceipt, list[FileReceipt], dict[str, float]]]:
    if not plan.batches_to_ingest:
        return
    try:
        key = load_key(home) if hashes_values(contract) else None
    except HashKeyError as wrong:
        for batch_plan in plan.batches_to_ingest:
            yield batch_plan, *_record_failure(contract, batch_plan, receipts, str(wrong)), {}
        return
    with open_engine(home) as connection:
        for batch_plan in plan.batches_to_ingest:
            try:
                result = ingest_batch(home, contract, entity, batch_plan, key, connection, receipts)
            except _INFRASTRUCTURE:
                raise
            except Exception as wrong:
                detail = f"stopped by an unexpected {type(wrong).__name__} in the program, not by the delivery; please report it"
                yield batch_plan, *_record_failure(contract, batch_plan, receipts, detail), {}
            else:
                yield batch_plan, result.receipt, result.files, result.phase_seconds


def _record_failure(contract: Contract, plan: BatchPlan, receipts: Receipts, detail: str) -> tuple[BatchReceipt, list[FileReceipt]]:
    """Note an attempt that came to nothing; without a fingerprint, so that the next night tries again."""
    former = next((b for b in receipts.batches(contract.id) if b.batch_date == plan.batch_date), None)
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
    for batch in receipts.batches(contract.id):
        if batch.batch_date == date:
            batch_path(home, batch.entity, contract.id, date).unlink(missing_ok=True)
    quarantine_path(home, contract.id, date).unlink(missing_ok=True)
    receipts.forget(contract.id, date)


def _plan(home: Home, contract: Contract, entity: Entity, night: dt.date, receipts: Receipts) -> SourcePlan:
    found, refused = discover(contract, home.landing)
    delivered = [f for f in found if f.batch_date <= night]
    known_files, known_batches = receipts.files(contract.id), {b.batch_date: b for b in receipts.batches(contract.id)}
    sha256 = _checksums(delivered, known_files)
    owners = _owners(contract, delivered, sha256, known_files, night)
    version, key_id = contract_version(contract, entity), _key_id(home, contract)
    by_date: dict[dt.date, list[DeliveredFile]] = defaultdict(list)
    for file in delivered:
        by_date[file.batch_date].append(file)
    refused_by_date, undated = _dated(contract, refused, night)
    waiting = {date: [r for r in of_date if r.waiting] for date, of_date in refused_by_date.items()}
    to_ingest, unchanged = [], []
    for date in sorted({*by_date, *refused_by_date}):
        if waiting.get(date):
            continue
        planned = []
        for file in sorted(by_date[date], key=lambda f: f.relative_path):
            owner = owners.get(sha256[file.relative_path], date)
            planned.append(PlannedFile(file, sha256[file.relative_path], owner if owner < date else None))
        lacking = tuple(refused_by_date.get(date, ()))
        plan = BatchPlan(date, tuple(planned), lacking, _fingerprint(planned, lacking, version, key_id), version, key_id)
        stands = _stands(home, contract, plan, known_batches.get(date), known_files, night)
        unchanged.append(date) if stands else to_ingest.append(plan)
    here = {f.relative_path for f in found}
    gone = [d for d in known_batches if d not in by_date and d not in refused_by_date]
    retired = [d for d in gone if any(f.batch_date == d and f.file_name in here for f in known_files)]
    still_written = [r for r in (*undated, *(r for of_date in waiting.values() for r in of_date)) if r.waiting]
    return SourcePlan(contract.id, night, tuple(to_ingest), tuple(unchanged), tuple(still_written), tuple(undated), tuple(retired))


def _dated(contract: Contract, refused: list[RefusedFile], night: dt.date) -> tuple[dict[dt.date, list[RefusedFile]], list[RefusedFile]]:
    """Refused files by the batch they would belong to, up to the night, and those that belong to none."""
    by_date: dict[dt.date, list[RefusedFile]] = defaultdict(list)
    undated = []
    for file in refused:
        try:
            date = batch_date(contract.landing.batch, file.relative_path)
        except ValueError:
            undated.append(file)
            continue
        if date <= night:
            by_date[date].append(file)
    return by_date, undated


def _key_id(home: Home, contract: Contract) -> str:
    if not hashes_values(contract):
        return ""
    try:
        return load_key(home).id
    except HashKeyError:
        return "none"


def _checksums(delivered: list[DeliveredFile], known: list[FileReceipt]) -> dict[str, str]:
    """SHA-256 of every file by its path below landing; computed only where size or time of the file differ from its receipt."""
    receipts = {(f.file_name, f.bytes, f.mtime_ns): f.sha256 for f in known}
    return {f.relative_path: receipts.get((f.relative_path, f.bytes, f.mtime_ns)) or _sha256(f) for f in delivered}


def _sha256(file: DeliveredFile) -> str:
    """A file that cannot be opened gets a name of its own: reading it will tell why."""
    try:
        with file.path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return f"unreadable {file.relative_path}"


def _owners(
    contract: Contract, delivered: list[DeliveredFile], sha256: dict[str, str], known: list[FileReceipt], night: dt.date
) -> dict[str, dt.date]:
    """Of files that came in several batches, the batch date that keeps the rows: the earliest, whenever it arrived.

    Only for rows that are appended and have no key: nothing else would tell them apart. Not where the batch date is part of a row,
    since then equal files of two days are two facts.
    """
    if contract.extract.mode != "append" or contract.extract.key or any(c.batch for c in contract.columns.values()):
        return {}
    owners: dict[str, dt.date] = {}
    here = {f.relative_path for f in delivered}
    gone = [(f.sha256, f.batch_date) for f in known if f.batch_date <= night and f.file_name not in here and f.status == "ok"]
    for digest, date in [*gone, *((sha256[f.relative_path], f.batch_date) for f in delivered)]:
        owners[digest] = min(date, owners.get(digest, date))
    return owners


def _fingerprint(files: list[PlannedFile], refused: Iterable[RefusedFile], version: str, key_id: str) -> str:
    made_from = [[f.file.relative_path, f.sha256, f.owner.isoformat() if f.owner else None] for f in files]
    lacking = [[r.relative_path, r.reason] for r in refused]
    return hashlib.sha256(json.dumps([made_from, lacking, version, REVISION, key_id]).encode()).hexdigest()[:32]


def _stands(
    home: Home, contract: Contract, plan: BatchPlan, receipt: BatchReceipt | None, known: list[FileReceipt], night: dt.date
) -> bool:
    if receipt is None:
        return False
    if receipt.in_pool:
        path = batch_path(home, receipt.entity, contract.id, plan.batch_date)
        if not path.is_file() or path.stat().st_size != receipt.pool_bytes:
            return False
    if receipt.fingerprint == plan.fingerprint:
        return True
    return _is_past_retention(contract, plan, known, night)


def _is_past_retention(contract: Contract, plan: BatchPlan, known: list[FileReceipt], night: dt.date) -> bool:
    """Landing has begun to let go of this batch's files: what is left of them is less than what the pool holds."""
    days = contract.landing.retention_days
    if days is None or (night - plan.batch_date).days <= days:
        return False
    here = {f.file.relative_path for f in plan.files}
    return any(f.batch_date == plan.batch_date and f.file_name not in here for f in known)


def _result(
    contract: Contract,
    plan: SourcePlan,
    night: dt.date,
    receipts: Receipts,
    made: list[BatchReceipt],
    files: list[FileReceipt],
    seconds: dict[str, float],
) -> SourceResult:
    batches = [b for b in receipts.batches(contract.id) if b.batch_date <= night]
    known_files = [f for f in receipts.files(contract.id) if f.batch_date <= night]
    checks = _checks(contract, plan, night, batches, known_files)
    in_pool = [b for b in batches if b.in_pool]
    return SourceResult(
        contract.id,
        _status(batches, made, checks),
        tuple(made),
        tuple(f"{contract.id}: {c.detail}" for c in checks if not c.passed),
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


def _checks(
    contract: Contract, plan: SourcePlan, night: dt.date, batches: list[BatchReceipt], files: list[FileReceipt]
) -> tuple[SourceCheck, ...]:
    return (
        _balance(batches, files),
        _of_batches("readable", [b for b in batches if b.status == "failed"]),
        _of_batches("tolerance", [b for b in batches if b.status == "held"]),
        _of_files("refused_files", "block", [r for r in plan.undated if not r.waiting]),
        _of_files("waiting_files", "warn", plan.waiting),
        _cadence(contract, batches, night),
        _volume(contract, batches),
        _rule_warnings(contract, batches),
    )


def _balance(batches: list[BatchReceipt], files: list[FileReceipt]) -> SourceCheck:
    rows = [
        {"file": f.file_name, "batch": f.batch_date.isoformat(), "read": f.rows_read, "accepted": f.rows_accepted,
         "quarantined": f.rows_quarantined, "duplicate": f.rows_duplicate, "filtered": f.rows_filtered}
        for f in files if not f.balances
    ]  # fmt: skip
    for batch in batches:
        accepted = sum(f.rows_accepted for f in files if f.batch_date == batch.batch_date)
        if batch.status == "ok" and accepted != batch.rows_accepted:
            rows.append({"file": "", "batch": batch.batch_date.isoformat(), "accepted": accepted, "in_pool": batch.rows_accepted})
    detail = f"{len(rows)} files or batches do not add up" if rows else ""
    return SourceCheck("balance", "block", not rows, detail, tuple(rows))


def _of_batches(check: str, batches: list[BatchReceipt]) -> SourceCheck:
    rows = tuple({"batch": b.batch_date.isoformat(), "detail": b.detail, "keeps_last_good": b.in_pool} for b in batches)
    detail = "; ".join(f"batch {b.batch_date} is {b.status}: {b.detail}" for b in batches)
    return SourceCheck(check, "block", not rows, detail, rows)


def _of_files(check: str, severity: Literal["block", "warn"], files: Iterable[RefusedFile]) -> SourceCheck:
    rows = tuple({"file": f.relative_path, "reason": f.reason, "detail": f.detail} for f in files)
    return SourceCheck(
        check, severity, not rows, "; ".join(r["detail"] if r["file"] in r["detail"] else f"{r['file']}: {r['detail']}" for r in rows), rows
    )


def _cadence(contract: Contract, batches: list[BatchReceipt], night: dt.date) -> SourceCheck:
    missing = missing_deliveries(contract, [b.batch_date for b in batches], night)
    detail = f"missing {contract.cadence} deliveries: {', '.join(missing[-5:])}" + (
        f" and {len(missing) - 5} earlier" if len(missing) > 5 else ""
    )
    return SourceCheck("delivery", "warn", not missing, detail if missing else "", tuple({"period": period} for period in missing))


def _volume(contract: Contract, batches: list[BatchReceipt]) -> SourceCheck:
    drop, good = contract.tolerance.volume_drop, [b for b in batches if b.in_pool]
    if drop is None or len(good) < 2:
        return SourceCheck("volume", "warn", True)
    latest, usual = good[-1], statistics.median(b.rows_accepted for b in good[-1 - RECENT_BATCHES : -1])
    short = latest.rows_accepted < usual * (1 - drop)
    detail = f"batch {latest.batch_date} has {latest.rows_accepted} rows, recent ones {usual:g}"
    return SourceCheck("volume", "warn", not short, detail if short else "")


def _rule_warnings(contract: Contract, batches: list[BatchReceipt]) -> SourceCheck:
    messages = {rule.id: rule.message for rule in contract.rules}
    rows = tuple(
        {"batch": b.batch_date.isoformat(), "rule": rule, "rows": count, "message": messages.get(rule, "")}
        for b in batches
        for rule, count in b.warnings.items()
        if count
    )
    detail = "; ".join(f"{r['rows']} rows of batch {r['batch']} break rule {r['rule']}: {r['message']}" for r in rows[-5:])
    return SourceCheck("rules", "warn", not rows, detail, rows)
