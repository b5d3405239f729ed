"""What can be said against a source after its night: each check with the batches, files or periods that offend."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from dagster_project.contracts.model import Contract
from dagster_project.ingest.cadence import missing_deliveries
from dagster_project.ingest.landing import RefusedFile
from dagster_project.ingest.plan import SourcePlan
from dagster_project.ingest.receipts import BatchReceipt, FileReceipt

RECENT_BATCHES = 8
Severity = Literal["block", "warn"]


@dataclass(frozen=True)
class SourceCheck:
    """One check of a source. ``severity`` block: the products that read the source wait; warn: shown. ``rows``: what offends."""

    check: str
    severity: Severity
    passed: bool
    messages: tuple[str, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()

    @property
    def detail(self) -> str:
        """The messages in one line."""
        return "; ".join(self.messages)


def check_source(
    contract: Contract, plan: SourcePlan, night: dt.date, batches: list[BatchReceipt], files: list[FileReceipt], pull_failure: str = ""
) -> tuple[SourceCheck, ...]:
    """Every check of a source, from its receipts up to the night; ``pull_failure`` says why it could not be pulled."""
    return (
        _balance(batches, files),
        _of_batches("readable", [b for b in batches if b.status == "failed"]),
        _of_batches("tolerance", [b for b in batches if b.status == "held"]),
        _of_files("refused_files", "block", [r for r in plan.undated if not r.waiting]),
        _of_files("waiting_files", "warn", plan.waiting),
        _gone(plan),
        _pull(pull_failure, night),
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
    words = (f"file {r['file'] or '(all)'} of batch {r['batch']} does not add up: {r}" for r in rows)
    return _check("balance", "block", rows, words)


def _of_batches(check: str, batches: list[BatchReceipt]) -> SourceCheck:
    rows = [{"batch": b.batch_date.isoformat(), "detail": b.detail, "keeps_last_good": b.in_pool} for b in batches]
    stays = {True: " (its last good rows stay in the pool)", False: ""}
    return _check(check, "block", rows, (f"batch {b.batch_date} is {b.status}{stays[b.in_pool]}: {b.detail}" for b in batches))


def _of_files(check: str, severity: Severity, files: Iterable[RefusedFile]) -> SourceCheck:
    rows = [{"file": f.relative_path, "reason": f.reason, "detail": f.detail} for f in files]
    return _check(check, severity, rows, (f"{r['file']} {r['detail']}" for r in rows))


def _gone(plan: SourcePlan) -> SourceCheck:
    words = "left landing before their time, their rows stay in the pool; to take rows out, deliver the file without them"
    rows = [{"file": name} for name in plan.gone]
    return _check("gone_files", "warn", rows, [f"{len(rows)} files {words}: {', '.join(plan.gone[:5])}"] if rows else [])


def _pull(failure: str, night: dt.date) -> SourceCheck:
    rows = [{"night": night.isoformat(), "detail": failure}] if failure else []
    return _check("pull", "warn", rows, (f"not delivered for {night}: {failure}" for _ in rows))


def _cadence(contract: Contract, batches: list[BatchReceipt], night: dt.date) -> SourceCheck:
    missing = missing_deliveries(contract, [b.batch_date for b in batches], night)
    words = f"{contract.cadence} deliveries are missing: {', '.join(missing[-5:])}" + (" and earlier ones" if len(missing) > 5 else "")
    return _check("delivery", "warn", [{"period": period} for period in missing], [words] if missing else [])


def _volume(contract: Contract, batches: list[BatchReceipt]) -> SourceCheck:
    drop, good = contract.tolerance.volume_drop, [b for b in batches if b.in_pool]
    if drop is None or len(good) < 2:
        return SourceCheck("volume", "warn", True)
    latest, usual = good[-1], statistics.median(b.rows_accepted for b in good[-1 - RECENT_BATCHES : -1])
    short = latest.rows_accepted < usual * (1 - drop)
    row = {"batch": latest.batch_date.isoformat(), "rows": latest.rows_accepted, "usual": usual}
    words = f"batch {latest.batch_date} has {latest.rows_accepted} rows, recent ones have {usual:g}"
    return _check("volume", "warn", [row], [words]) if short else SourceCheck("volume", "warn", True)


def _rule_warnings(contract: Contract, batches: list[BatchReceipt]) -> SourceCheck:
    messages = {rule.id: rule.message for rule in contract.rules}
    rows = [
        {"batch": b.batch_date.isoformat(), "rule": rule, "rows": count, "message": messages.get(rule, "")}
        for b in batches
        for rule, count in b.warnings.items()
        if count
    ]
    return _check("rules", "warn", rows, (f"{r['rows']} rows of batch {r['batch']} break rule {r['rule']}: {r['message']}" for r in rows))


def _check(check: str, severity: Severity, rows: list[dict[str, Any]], messages: Iterable[str]) -> SourceCheck:
    return SourceCheck(check, severity, not rows, tuple(messages), tuple(rows))
