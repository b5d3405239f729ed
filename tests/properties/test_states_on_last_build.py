"""What is delivered, and its counts, built night by night is what a build of the last night's pool alone gives (I3), whatever arrives when (I4)."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from states_harness import UNITS, Pool, Warehouse

FIRST = dt.date(2024, 3, 1)
SOURCES = ("calls", "desk", "web", "answers", "filings", "surveys")
MODES = ("append", "delta", "full", "delta", "append", "full")


def call(noise: random.Random, batch_date: dt.date) -> dict[str, Any]:
    """A call of the last days, or of long ago, or of tomorrow; a quarter of them have no key."""
    key, reported = noise.choice([None, *range(3), *range(3), *range(3)]), moment(noise, batch_date)
    return {
        "record_key": None if key is None else f"k{key}",
        "record_version": noise.choice([None, "1", "2", "3"]),
        "is_deleted": key is not None and noise.random() < 0.2,
        "incident_id": f"i{noise.choice([key, key, 0])}",
        "category_first": noise.choice(["040101", None]),
        "reported_at": reported,
        "received_at": reported + dt.timedelta(seconds=noise.choice([20, 30])),
        "dispatched_at": reported + dt.timedelta(seconds=60),
        "arrived_at": reported + dt.timedelta(seconds=noise.choice([300, 900])),
        "closed_at": reported + dt.timedelta(hours=1),
        "unit_code": noise.choice([*UNITS, "unknown"]),
        "category": noise.choice(["010100", "040101", "050202", "080000"]),
        "channel": noise.choice(["110", "app"]),
        "place_kind": noise.choice(["street", "residence", None]),
        "is_urgent": noise.random() < 0.5,
        "is_invalid": noise.random() < 0.1,
        "is_case": noise.random() < 0.5,
    }


def answer(noise: random.Random, batch_date: dt.date) -> dict[str, Any]:
    """An attempt to call one of few incidents, some of them unknown, back."""
    return keyed(noise) | {
        "incident_id": noise.choice(["i0", "i1", "i2", "iNone", "elsewhere", None]),
        "unit_code": noise.choice([*UNITS, "unknown"]),
        "attempt": noise.choice([1, 2]),
        "called_at": moment(noise, batch_date),
        "result": noise.choice(["satisfied", "dissatisfied", "no_answer"]),
        "has_phone": noise.random() < 0.5,
        "channel": noise.choice(["sms", None]),
    }


def filing(noise: random.Random, batch_date: dt.date) -> dict[str, Any]:
    opened = moment(noise, batch_date)
    return keyed(noise) | {
        "matter_id": f"m{noise.randint(0, 3)}",
        "related_id": noise.choice(["i0", "i1", "i2", "m0", "m1", None]),
        "kind": noise.choice(["case_registration", "case_registration", "order"]),
        "category": noise.choice(["administrative", "criminal", None]),
        "unit_code": noise.choice(UNITS),
        "opened_at": opened,
        "acknowledge_due_at": noise.choice([None, opened + dt.timedelta(minutes=30)]),
        "acknowledged_at": noise.choice([None, opened + dt.timedelta(minutes=noise.randint(0, 60))]),
        "due_at": noise.choice([None, opened + dt.timedelta(days=noise.randint(0, 5))]),
        "closed_at": noise.choice([None, opened + dt.timedelta(days=noise.randint(0, 7))]),
        "result": noise.choice([None, None, "withdrawn"]),
        "is_extended": noise.choice([None, False, True]),
    }


def survey(noise: random.Random, batch_date: dt.date) -> dict[str, Any]:
    return keyed(noise) | {
        "unit_code": noise.choice([*UNITS, "unknown"]),
        "measure": noise.choice(["visible", "satisfied", "unnamed"]),
        "category": noise.choice(["foot", None]),
        "observed_on": moment(noise, batch_date).date(),
        "value": noise.choice([None, 1, 9]),
        "base": noise.choice([None, 9, 10]),
    }


def keyed(noise: random.Random) -> dict[str, Any]:
    key = noise.choice([None, *range(3), *range(3), *range(3)])
    return {
        "record_key": None if key is None else f"k{key}",
        "record_version": noise.choice([None, "1", "2", "3"]),
        "is_deleted": key is not None and noise.random() < 0.2,
    }


def moment(noise: random.Random, batch_date: dt.date) -> dt.datetime:
    """Some days or long before the batch, or a day after it."""
    days = noise.choice([-1, 0, 0, 1, 3, 200])
    return dt.datetime.combine(batch_date, dt.time(9)) - dt.timedelta(days=days, minutes=noise.randint(0, 500))


ROW_OF = {"answers": answer, "filings": filing, "surveys": survey}


def batch(noise: random.Random, source: str, batch_date: dt.date) -> list[dict[str, Any]]:
    row = ROW_OF.get(source, call)
    return [row(noise, batch_date) for _ in range(noise.randint(0, 4))]


def next_night(noise: random.Random, pool: Pool) -> Pool:
    """A night later or the same or an earlier one again; batches new, late, restated and gone, sources switched over, off and on."""
    night = pool.night + dt.timedelta(days=noise.choice([-1, 0, 1, 1, 1, 5]))
    batches, sources = dict(pool.batches), dict(pool.sources)
    for _ in range(noise.randint(0, 5)):
        date = night - dt.timedelta(days=noise.choice([-1, 0, 0, 0, 1, 4]))
        source = noise.choice(SOURCES)
        batches[source, date] = batch(noise, source, date)
    if batches and noise.random() < 0.2:
        del batches[noise.choice(sorted(batches))]
    if noise.random() < 0.2:
        source = noise.choice(SOURCES)
        if source in sources and noise.random() < 0.4 and len(sources) > 1:
            del sources[source]
        else:
            sources[source] = (noise.choice(MODES), noise.choice(["city", "other"]))
    leaves = dict(pool.leaves)
    if noise.random() < 0.1:
        leaves[noise.choice(UNITS)] = noise.choice(UNITS)
    return Pool(night, batches, sources, leaves)


def first_night(noise: random.Random) -> Pool:
    dates = [FIRST - dt.timedelta(days=n) for n in range(4)]
    batches = {(source, date): batch(noise, source, date) for source in SOURCES for date in dates if noise.random() < 0.7}
    return Pool(FIRST, batches, {source: (mode, "city") for source, mode in zip(SOURCES, MODES, strict=True)})


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.integers(0, 2**32))
def test_nights_one_after_the_other_leave_what_the_last_alone_leaves(seed: int) -> None:
    noise = random.Random(seed)
    grown, pool = Warehouse(), first_night(noise)
    grown.night(pool)
    for _ in range(4):
        pool = next_night(noise, pool)
        grown.night(pool)
        anew = Warehouse()
        anew.night(pool)
        assert grown.contents() == anew.contents()


def test_a_late_older_version_does_not_revive_what_was_deleted_and_only_its_own_key_is_looked_at() -> None:
    night, source = FIRST, {"calls": ("delta", "city")}
    state = {"reported_at": dt.datetime(2024, 2, 20, 9), "unit_code": "n1", "category": "040101"}
    deleted = {**state, "record_key": "gone", "record_version": "2", "is_deleted": True}
    other = {**state, "record_key": "other", "record_version": "1"}
    late = {**state, "record_key": "gone", "record_version": "1"}
    batches = {("calls", night): [deleted, other]}
    warehouse = Warehouse()
    warehouse.night(Pool(night, batches, source))
    warehouse.connection.execute("update stg_incident set category = 'not read again'")
    later = {**batches, ("calls", night - dt.timedelta(days=3)): [late]}
    warehouse.night(Pool(night + dt.timedelta(days=1), later, source))
    assert warehouse.connection.execute("select record_key, category from stg_incident").fetchall() == [("other", "not read again")]
