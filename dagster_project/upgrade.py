"""A home written by older code becomes one of the present format: the one place that knows how.

A step leads from one format to the next and may be killed at any moment: run again, it arrives at the same. What can be made anew from
landing needs no step (a changed contract, entity or program makes batches, builds and bundles anew by itself).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.home import FORMAT, Home
from dagster_project.ledger import record


def _from_0_to_1(home: Home) -> None:
    """The format is written down, and drafts of settings from before are gone."""
    home.settings_file.with_suffix(".tmp").unlink(missing_ok=True)


def _from_1_to_2(home: Home) -> None:
    """Callbacks say whether a telephone is on record; the hash of it, which no figure needed, is gone."""
    from dagster_project.ingest.links import rewrite_hashes
    from dagster_project.ingest.pool import batch_path
    from dagster_project.ingest.receipts import Receipts

    if not home.receipts.exists():
        return
    with Receipts(home) as receipts:
        for batch in receipts.batches():
            path = batch_path(home, "callback", batch.source_id, batch.batch_date)
            if batch.entity == "callback" and batch.in_pool and path.is_file() and "phone_key" in pq.read_schema(path).names:
                rewrite_hashes(home, receipts, batch, _presence_of_phone)


def _presence_of_phone(callbacks: pa.Table) -> pa.Table:
    place = callbacks.schema.get_field_index("phone_key")
    return callbacks.set_column(place, "has_phone", pc.is_valid(callbacks["phone_key"]))


STEPS: Mapping[int, Callable[[Home], None]] = {0: _from_0_to_1, 1: _from_1_to_2}


def upgrade(home: Home) -> None:
    """Bring a home to the present format, step by step; to be called under the writer's lock."""
    while (found := home.format()) < FORMAT:
        STEPS[found](home)
        home.set_format(found + 1)
        record(home, "upgrade", {"from": found, "to": found + 1})
