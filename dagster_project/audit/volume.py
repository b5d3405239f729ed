"""How much a source delivered, against what it usually does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from dagster_project.audit.register import SOURCE_CHECKS
from dagster_project.audit.usual import Band, usual_band
from dagster_project.audit.verdict import Verdict
from dagster_project.contracts.model import Contract

WEEKS = 8
LEAST_PEERS = 4
RECENT = 8
SHRUNK_TO = 0.5
LEAST_IN_FULL = 20


def _peers(contract: Contract, batches: Mapping[dt.date, int], newest: dt.date, unusual: Collection[dt.date], weekday: int) -> list[int]:
    """The counts that the newest batch is held against; the first batch, the initial load, is none of them."""
    earlier = [d for d in sorted(batches)[1:] if d < newest]
    if contract.cadence != "daily":
        return [batches[d] for d in earlier[-RECENT:]]
    return [batches[d] for d in earlier if (newest - d).days <= 7 * WEEKS and d not in unusual and d.weekday() == weekday]


def _band(contract: Contract, batches: Mapping[dt.date, int], newest: dt.date, unusual: Collection[dt.date]) -> tuple[Band, str] | None:
    """The band for the newest batch, and in words whose it is; None without enough history.

    A holiday may be like a Sunday or like no day at all: its band reaches over those of all weekdays, and half as far again.
    """
    on_holiday = contract.cadence == "daily" and newest in unusual
    weekdays = range(7) if on_holiday else [newest.weekday()]
    history = [_peers(contract, batches, newest, unusual, weekday) for weekday in weekdays]
    if min(map(len, history)) < LEAST_PEERS:
        return None
    bands = [usual_band(counts) for counts in history]
    if on_holiday:
        widest = Band(min(b.median for b in bands), min(b.low for b in bands) / 2, max(b.high for b in bands) * 1.5)
        return widest, f"of any weekday in {WEEKS} weeks (the day is a holiday)"
    return bands[
        0
    ], f"of the same weekday in {WEEKS} weeks" if contract.cadence == "daily" else f"of the {len(history[0])} batches before it"


def volume_verdict(contract: Contract, batches: Mapping[dt.date, int], unusual: Collection[dt.date]) -> Verdict:
    """The newest batch against the band of its peers. ``batches``: rows accepted by batch date; ``unusual``: days like no other."""
    check = SOURCE_CHECKS["volume"]
    newest = max(batches, default=None)
    if newest is None or contract.cadence in {"once", "irregular"}:
        return check.of_source(contract.id, contract.owner, True, "no regular batch to judge")
    found = _band(contract, batches, newest, unusual)
    if found is None:
        return check.of_source(contract.id, contract.owner, True, "not enough history to compare with")
    band, words = found
    rows, usual = batches[newest], f"{band.low:.0f} … {band.high:.0f}, median {band.median:g} {words}"
    if band.holds(rows):
        return check.of_source(contract.id, contract.owner, True, f"{rows} rows in the batch of {newest}; usual are {usual}")
    offending = {"batch": newest, "rows": rows, "usual_from": round(band.low), "usual_to": round(band.high), "median": band.median}
    detail = f"{contract.id}: the batch of {newest} has {rows} rows; usual are {usual}"
    return check.of_source(contract.id, contract.owner, False, detail, [offending])


def shrinkage_verdict(contract: Contract, batches: Mapping[dt.date, int]) -> Verdict:
    """A full extract against the one before it: what it lost would all count as deleted."""
    check = SOURCE_CHECKS["shrinkage"]
    *_, before, newest = (None, None, *sorted(batches))
    if contract.extract.mode != "full" or not contract.extract.key or before is None or newest is None:
        return check.of_source(contract.id, contract.owner, True, "no earlier full extract to compare with")
    had, has = batches[before], batches[newest]
    if had < LEAST_IN_FULL or has >= had * SHRUNK_TO:
        return check.of_source(contract.id, contract.owner, True, f"{has} rows, {had} in the batch of {before}")
    detail = f"{contract.id}: the full extract of {newest} has {has} rows, that of {before} had {had}"
    return check.of_source(contract.id, contract.owner, False, detail, [{"batch": newest, "rows": has, "rows_before": had}])
