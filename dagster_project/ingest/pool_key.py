"""The one key of a pool: what its receipts say it was hashed under, against the key that is given.

Hashes of two keys cannot be joined, so that a pool under two of them would count fewer repeats without a word. Nothing is read into a pool
whose key is not at hand; ``rotation`` alone takes a pool from one key to another.
"""

from __future__ import annotations

import json
from collections import Counter

from dagster_project.home import Home
from dagster_project.ingest.deidentify import KEY_FILE, KEY_VARIABLE, HashKey, HashKeyError, create_key, load_key
from dagster_project.ingest.pool import put_in_place
from dagster_project.ingest.receipts import BatchReceipt, Receipts

ROTATION_FILE = "rotation.json"
NO_KEY = frozenset({"", "none"})
"""Key ids of batches that hold no hash, or of which nothing is in the pool for want of a key."""


class OtherKeyError(HashKeyError):
    """The key given is not the key of the pool, or the pool stands between two keys; the message says what to do."""


def is_hashed(batch: BatchReceipt) -> bool:
    """Whether the pool holds hashes of a batch."""
    return batch.in_pool and batch.key_id not in NO_KEY


def batches_by_key(receipts: Receipts) -> Counter[str]:
    """How many batches the pool holds under each key id."""
    return Counter(batch.key_id for batch in receipts.batches() if is_hashed(batch))


def rotation_begun(home: Home) -> str | None:
    """The id of the key that a rotation was begun to and has not arrived at."""
    try:
        return str(json.loads((home.secrets / ROTATION_FILE).read_text(encoding="utf-8"))["to"])
    except FileNotFoundError:
        return None


def begin_rotation(home: Home, key: HashKey) -> None:
    """From here on until ``end_rotation`` no run reads anything into the pool."""
    draft = home.secrets / f".{ROTATION_FILE}"
    draft.write_text(json.dumps({"to": key.id}) + "\n", encoding="utf-8")
    put_in_place(draft, home.secrets / ROTATION_FILE)


def end_rotation(home: Home) -> None:
    (home.secrets / ROTATION_FILE).unlink(missing_ok=True)


def pool_key(home: Home, receipts: Receipts) -> HashKey:
    """The key given, once it is certain that the pool is hashed under it alone.

    Raises OtherKeyError when it is not, HashKeyError when no key can be used.
    """
    of_pool = sorted(batches_by_key(receipts))
    begun = rotation_begun(home)
    if begun is not None:
        raise OtherKeyError(f"a rotation to the key {begun} was begun and has not ended: 'pool key rotate' goes on with it")
    try:
        key = load_key(home)
    except HashKeyError as problem:
        raise HashKeyError(f"{problem}; the pool is hashed under the key {', '.join(of_pool)}" if of_pool else str(problem)) from None
    if of_pool not in ([], [key.id]):
        raise OtherKeyError(
            f"the pool is hashed under the key {' and '.join(of_pool)}, the key given is {key.id}: give back the former "
            f"({home.secrets / KEY_FILE} or {KEY_VARIABLE}), or bring the pool under another with 'pool key rotate'"
        )
    return key


def expect_pool_key(home: Home) -> None:
    """Raise OtherKeyError when the pool is hashed under another key than the one given. Sources that lack any key say so themselves."""
    if not home.receipts.exists():
        return
    with Receipts(home) as receipts:
        try:
            pool_key(home, receipts)
        except OtherKeyError:
            raise
        except HashKeyError:
            return


def new_key(home: Home) -> HashKey:
    """Make the key of a home whose pool is hashed under none. Raises HashKeyError."""
    if home.receipts.exists():
        with Receipts(home) as receipts:
            of_pool = sorted(batches_by_key(receipts))
        if of_pool:
            raise HashKeyError(
                f"the pool is hashed under the key {', '.join(of_pool)}: give it back; if it is lost, 'pool key rotate' makes another"
            )
    return create_key(home)
