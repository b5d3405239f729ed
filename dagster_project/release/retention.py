"""How long releases, their bundles and delivered files are kept.

``home.json`` says it for releases: ``"retention": {"last": 30, "days": 90, "month_ends": true}``; without it all are kept. Ages are counted
in nights before the current release, never by the clock. Of delivered files the contract says it (``landing.retention_days``), and they
leave landing only when somebody asks.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster_project.audit.candidate import sha256_of
from dagster_project.contracts.model import Contract
from dagster_project.home import Home
from dagster_project.ingest.landing import discover
from dagster_project.ingest.receipts import Receipts
from dagster_project.ledger import record
from dagster_project.release.bundle import sweep_unused
from dagster_project.release.files import DRAFT, flush
from dagster_project.release.public import public_versions
from dagster_project.release.record import Release, ReleaseError, current_release, list_releases, unreadable

KEYS = frozenset({"last", "days", "month_ends"})


@dataclass(frozen=True)
class Retention:
    """Kept are the newest ``last`` releases, those of the last ``days`` nights, and, with ``month_ends``, those of a month's last night."""

    last: int
    days: int
    month_ends: bool = True

    def __post_init__(self) -> None:
        if self.last < 1 or self.days < 0:
            raise ReleaseError(f"retention: last must be 1 or more and days 0 or more, not {self.last} and {self.days}")


def retention_of(home: Home) -> Retention | None:
    """What ``home.json`` says; None when it says nothing. Raises ReleaseError, naming the key that is wrong."""
    raw = home.settings().get("retention")
    if raw is None:
        return None
    example = '{"last": 30, "days": 90, "month_ends": true}'
    if not isinstance(raw, dict) or set(raw) - KEYS or not {"last", "days"} <= set(raw):
        raise ReleaseError(f"{home.settings_file}: retention is {json.dumps(raw)}; write it as {example}")
    whole = all(isinstance(raw[k], int) and not isinstance(raw[k], bool) for k in ("last", "days"))
    if not whole or not isinstance(raw.get("month_ends", True), bool):
        raise ReleaseError(f"{home.settings_file}: retention is {json.dumps(raw)}; write it as {example}")
    try:
        return Retention(**raw)
    except ReleaseError as problem:
        raise ReleaseError(f"{home.settings_file}: {problem}") from None


def expired(home: Home, retention: Retention) -> list[Release]:
    """The releases that need not be kept.

    Kept besides those of the rule: the current one, the one it was compared with, every one that has a public face (by it that is withdrawn),
    and every release that first published what a kept one holds, since it vouches for it.
    """
    known = {r.version: r for r in list_releases(home)}
    current = current_release(home)
    if current is None:
        return []
    newest = list(known)[-retention.last :]
    young = current.as_of - dt.timedelta(days=retention.days)
    kept = {current.version, current.manifest.baseline, *newest}
    kept |= set(public_versions(home))
    kept |= {v for v, r in known.items() if r.as_of > young or (retention.month_ends and _ends_a_month(r.as_of))}
    while more := {p.origin_release for v in kept if v in known for p in known[v].manifest.products.values() if p.bundle} - kept:
        kept |= more
    return [r for version, r in known.items() if version not in kept]


def _ends_a_month(day: dt.date) -> bool:
    return (day + dt.timedelta(days=1)).day == 1


def prune(home: Home, retention: Retention) -> list[str]:
    """Remove the expired releases and the bundles that no release uses any more; takes the writer's lock itself."""
    with home.writing("pruning releases"):
        return prune_under_lock(home, retention)


def prune_under_lock(home: Home, retention: Retention) -> list[str]:
    """As ``prune``, for who holds the lock. Nothing is removed while a release cannot be read: it may need what would go."""
    if unreadable(home):
        return []
    versions = [r.version for r in expired(home, retention)]
    if not versions:
        return []
    record(home, "prune", {"releases": versions})
    for version in versions:
        leaving = home.published / f"{DRAFT}{version}"
        (home.published / version).rename(leaving)
        flush(home.published)
        shutil.rmtree(leaving)
    sweep_unused(home, frozenset(p.bundle for r in list_releases(home) for p in r.manifest.products.values() if p.bundle))
    return versions


def expired_deliveries(home: Home, contracts: Sequence[Contract]) -> list[Path]:
    """Delivered files older than their contract keeps them, whose receipt says that these very bytes were ingested without fault."""
    current = current_release(home)
    if current is None:
        return []
    found = []
    with Receipts(home) as receipts:
        for contract in contracts:
            if contract.landing.retention_days is None:
                continue
            good = {f.file_name: f.sha256 for f in receipts.files(contract.id) if f.status == "ok"}
            batches = {b.batch_date for b in receipts.batches(contract.id) if b.status == "ok"}
            for file in discover(contract, home.landing)[0]:
                is_old = (current.as_of - file.batch_date).days > contract.landing.retention_days
                if is_old and file.batch_date in batches and good.get(file.relative_path) == sha256_of(file.path):
                    found.append(home.landing / file.relative_path)
    return sorted(found)


def prune_landing(home: Home, contracts: Sequence[Contract]) -> list[Path]:
    """Remove the expired deliveries; takes the writer's lock itself. What the pool made of them stays."""
    with home.writing("pruning landing"):
        files = expired_deliveries(home, contracts)
        if files:
            record(home, "prune", {"deliveries": [str(f.relative_to(home.landing)) for f in files]})
        for file in files:
            file.unlink()
        return files
