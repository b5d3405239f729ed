"""What a night has to do for a source: which of its batches must be made, and from what.

A batch is made when its files, its contract or its entity are others than those that its receipt names; its key is the pool's
(``pool_key``). That files have
left landing is no reason: what the pool holds of them stays, until other files come for the same batch. A batch whose files the
contract now dates otherwise is taken back.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract
from dagster_project.contracts.version import contract_version
from dagster_project.home import Home
from dagster_project.ingest.batch import BatchPlan, PlannedFile
from dagster_project.ingest.conversion import REVISION
from dagster_project.ingest.landing import DeliveredFile, RefusedFile, batch_date, discover
from dagster_project.ingest.pool import batch_path
from dagster_project.ingest.receipts import BatchReceipt, FileReceipt, Receipts


@dataclass(frozen=True)
class SourcePlan:
    """What a night would do for a source: batches to make (oldest first) because something is new, batches to try again because the
    last attempt failed on the same files, batches that stand, files still being written (their
    batches wait), files that belong to no batch, batches to take back, files whose rows stay although they left landing early, and
    every batch of which landing holds all files that its receipt names."""

    source_id: str
    night: dt.date
    batches_to_ingest: tuple[BatchPlan, ...]
    batches_to_retry: tuple[BatchPlan, ...]
    unchanged: tuple[dt.date, ...]
    waiting: tuple[RefusedFile, ...]
    undated: tuple[RefusedFile, ...]
    retired: tuple[dt.date, ...]
    gone: tuple[str, ...]
    whole: tuple[BatchPlan, ...] = ()


def make_plan(home: Home, contract: Contract, entity: Entity, night: dt.date, receipts: Receipts) -> SourcePlan:
    """What a night has to do for a source; changes nothing."""
    found, refused = discover(contract, home.landing)
    delivered = [f for f in found if f.batch_date <= night]
    known_files, known_batches = receipts.files(contract.id), {b.batch_date: b for b in receipts.batches(contract.id)}
    sha256 = _checksums(delivered, known_files)
    owners = _owners(contract, delivered, sha256, known_files, night)
    version = contract_version(contract, entity)
    by_date = _planned_by_date(delivered, sha256, owners)
    known_by_date: dict[dt.date, dict[str, str]] = defaultdict(dict)
    for known in known_files:
        known_by_date[known.batch_date][known.file_name] = known.sha256
    refused_by_date, undated = _dated(contract, refused, night)
    waiting = {date: [r for r in of_date if r.waiting] for date, of_date in refused_by_date.items()}
    to_ingest, to_retry, unchanged, whole = [], [], [], list[BatchPlan]()
    for date in sorted({*by_date, *refused_by_date}):
        if waiting.get(date):
            continue
        planned = by_date[date]
        lacking = tuple(refused_by_date.get(date, ()))
        of_batch = known_by_date[date]
        gone = _left_landing(contract, planned, of_batch, date, night)
        plan = BatchPlan(date, tuple(planned), lacking, gone, _fingerprint(planned, lacking, version), version)
        whole += [plan] if of_batch.keys() <= {p.file.relative_path for p in planned} else []
        former = known_batches.get(date)
        if not _stands(home, contract, plan, former, of_batch):
            to_ingest.append(plan)
        elif former is not None and former.status == "failed":
            to_retry.append(plan)
        else:
            unchanged.append(date)
    here = {f.relative_path for f in found}
    without_files = (d for d in known_batches if d <= night and d not in by_date and d not in refused_by_date)
    retired = [d for d in without_files if known_by_date[d].keys() & here]
    still_written = [r for r in (*undated, *(r for of_date in waiting.values() for r in of_date)) if r.waiting]
    return SourcePlan(
        contract.id,
        night,
        tuple(to_ingest),
        tuple(to_retry),
        tuple(unchanged),
        tuple(still_written),
        tuple(undated),
        tuple(retired),
        _gone_early(contract, found, refused, known_files, night),
        tuple(whole),
    )


def _planned_by_date(
    delivered: list[DeliveredFile], sha256: dict[str, str], owners: dict[str, dt.date]
) -> dict[dt.date, list[PlannedFile]]:
    by_date: dict[dt.date, list[PlannedFile]] = defaultdict(list)
    for file in sorted(delivered, key=lambda f: f.relative_path):
        digest = sha256[file.relative_path]
        owner = owners.get(digest, file.batch_date)
        by_date[file.batch_date].append(PlannedFile(file, digest, owner if owner < file.batch_date else None))
    return by_date


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


def _fingerprint(files: list[PlannedFile], refused: Iterable[RefusedFile], version: str) -> str:
    made_from = [[f.file.relative_path, f.sha256, f.owner.isoformat() if f.owner else None] for f in files]
    lacking = [[r.relative_path, r.reason] for r in refused]
    no_key = ""  # keys were part of it once: without their place every batch of every home would be made again
    return hashlib.sha256(json.dumps([made_from, lacking, version, REVISION, no_key]).encode()).hexdigest()[:32]


def _stands(home: Home, contract: Contract, plan: BatchPlan, receipt: BatchReceipt | None, known: dict[str, str]) -> bool:
    """Whether a batch is as it should be. ``known``: checksums of the files that its receipt names, by their path."""
    if receipt is None:
        return False
    if receipt.in_pool:
        path = batch_path(home, receipt.entity, contract.id, plan.batch_date)
        if not path.is_file() or path.stat().st_size != receipt.pool_bytes:
            return False
    here = {f.file.relative_path: f.sha256 for f in plan.files}
    only_fewer = not plan.refused and len(here) < len(known) and here.items() <= known.items()
    return receipt.fingerprint == plan.fingerprint or (receipt.status == "ok" and only_fewer)


def _left_landing(
    contract: Contract, plan_files: list[PlannedFile], known: dict[str, str], date: dt.date, night: dt.date
) -> tuple[str, ...]:
    """Files of a batch that retention has taken out of landing, so that the batch cannot be made whole any more."""
    days = contract.landing.retention_days
    if days is None or (night - date).days <= days:
        return ()
    here = {f.file.relative_path for f in plan_files}
    return tuple(name for name in known if name not in here)


def _gone_early(
    contract: Contract, found: list[DeliveredFile], refused: list[RefusedFile], known: list[FileReceipt], night: dt.date
) -> tuple[str, ...]:
    """Files that the pool holds rows of and landing holds no more, though retention does not explain it."""
    here = {f.relative_path for f in found} | {f.relative_path for f in refused}
    days = contract.landing.retention_days
    expected = (f for f in known if f.rows_accepted and f.batch_date <= night and (days is None or (night - f.batch_date).days <= days))
    return tuple(f.file_name for f in expected if f.file_name not in here)
