"""From one key to another: what landing still holds is hashed again under the new key, batch by batch; of the rest the links are cut.

The former key is not needed. From ``begin_rotation`` to ``end_rotation`` no run reads anything; killed at any moment, the next call goes
on with the batches whose receipts do not name the new key yet. Hashes past their days, which a batch read again brings back, go once more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract
from dagster_project.home import Home
from dagster_project.ingest.batch import BatchPlan, ingest_batch
from dagster_project.ingest.deidentify import HashKey, HashKeyError, adopt_next_key, next_key
from dagster_project.ingest.engine import open_engine
from dagster_project.ingest.expiry import expire_links
from dagster_project.ingest.links import drop_links, linked_rows
from dagster_project.ingest.mapping import hashes_values
from dagster_project.ingest.plan import make_plan
from dagster_project.ingest.pool_key import batches_by_key, begin_rotation, end_rotation, is_hashed, rotation_begun
from dagster_project.ingest.receipts import BatchReceipt, Receipts
from dagster_project.ledger import record

NOT_IN_LANDING = "landing holds its files no more"


@dataclass(frozen=True)
class CutBatch:
    """A batch that lost its links; ``rows`` is how many rows held one."""

    source_id: str
    batch_date: dt.date
    rows: int
    reason: str


@dataclass(frozen=True)
class Rotation:
    """What one call did: the key that the pool stands under now, batches hashed again, batches cut."""

    key_id: str
    hashed_again: int
    cut: tuple[CutBatch, ...]


def rotate(
    home: Home, contracts: Iterable[Contract], entities: Mapping[str, Entity], say: Callable[[str], None], *, cut_all: bool = False
) -> Rotation:
    """Bring a pool under a new key: that of POOL_HMAC_KEY where it is set, else one that is made here and becomes the home's.

    The caller holds the home's locks. Raises HashKeyError when the key given is the pool's already, and, unless ``cut_all``, when landing
    holds no batch of the pool: a landing that was not named would take every link away for ever.
    """
    by_id = {c.id: c for c in contracts}
    with Receipts(home) as receipts:
        former = sorted(batches_by_key(receipts))
        key = next_key(home, begun=rotation_begun(home))
        if former == [key.id] and rotation_begun(home) is None:
            raise HashKeyError(f"the pool is hashed under the key given, {key.id}, already: give the new key, then rotate")
        hashed = [b for b in receipts.batches() if is_hashed(b)]
        left = [b for b in hashed if b.key_id != key.id]
        plans = _plans(home, by_id, entities, receipts, hashed)
        if left and not cut_all and not any(b.batch_date in plans[b.source_id] for b in hashed):
            raise HashKeyError(
                f"{home.landing} holds the files of none of the {len(hashed)} batches that are hashed, so that {len(left)} of them would lose "
                "their links for ever: name the folder of deliveries (--landing or POOL_LANDING), or say --cut-all; no link was cut"
            )
        begin_rotation(home, key)
        record(home, "key", {"rotation": "begun", "from": former, "to": key.id})
        cut = [
            _cut(home, receipts, entities, batch, reason)
            for batch, reason in _hashed_again(home, receipts, by_id, entities, plans, left, key, say)
        ]
        newest = max((b.batch_date for b in receipts.batches() if b.in_pool), default=None)
        if newest is not None:
            expire_links(home, by_id.values(), entities, newest, say)
        adopt_next_key(home, key)
        rows = sum(c.rows for c in cut)
        record(home, "key", {"rotation": "ended", "to": key.id, "hashed_again": len(left) - len(cut), "cut": len(cut), "rows_cut": rows})
        end_rotation(home)
    return Rotation(key.id, len(left) - len(cut), tuple(cut))


def _hashed_again(
    home: Home,
    receipts: Receipts,
    contracts: Mapping[str, Contract],
    entities: Mapping[str, Entity],
    plans: Mapping[str, Mapping[dt.date, BatchPlan]],
    batches: list[BatchReceipt],
    key: HashKey,
    say: Callable[[str], None],
) -> Iterator[tuple[BatchReceipt, str]]:
    """Make every batch again from landing, source by source, oldest first; yields those that cannot be, and why."""
    with open_engine(home) as connection:
        for source_id in sorted({b.source_id for b in batches}):
            contract = contracts.get(source_id)
            for batch in (b for b in batches if b.source_id == source_id):
                plan = plans[source_id].get(batch.batch_date)
                if contract is None or plan is None:
                    yield batch, NOT_IN_LANDING if contract else "no contract makes it any more"
                    continue
                made = ingest_batch(home, contract, entities[contract.entity], plan, key, connection, receipts, say)
                if made.receipt.status != "ok":
                    yield made.receipt, f"it is {made.receipt.status}: {made.receipt.detail}"
                say(f"{source_id} {batch.batch_date}: {made.receipt.rows_accepted:,} rows under the new key")


def _plans(
    home: Home, contracts: Mapping[str, Contract], entities: Mapping[str, Entity], receipts: Receipts, batches: list[BatchReceipt]
) -> dict[str, dict[dt.date, BatchPlan]]:
    """By source and date, the batches that landing still holds whole."""
    newest = {b.source_id: b.batch_date for b in sorted(batches, key=lambda b: b.batch_date)}
    plans: dict[str, dict[dt.date, BatchPlan]] = {source_id: {} for source_id in newest}
    for contract in (c for id, c in contracts.items() if id in newest and hashes_values(c)):
        whole = make_plan(home, contract, entities[contract.entity], newest[contract.id], receipts).whole
        plans[contract.id] = {plan.batch_date: plan for plan in whole}
    return plans


def _cut(home: Home, receipts: Receipts, entities: Mapping[str, Entity], batch: BatchReceipt, reason: str) -> CutBatch:
    """Take the links out of a batch; the ledger knows of it before the pool does."""
    entity = entities[batch.entity]
    cut = CutBatch(batch.source_id, batch.batch_date, linked_rows(home, entity, batch), reason)
    about = {"links": "cut", "source": cut.source_id, "batch": cut.batch_date.isoformat(), "rows": cut.rows, "reason": reason}
    record(home, "key", about)
    drop_links(home, receipts, entity, batch)
    return cut
