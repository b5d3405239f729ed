"""Whatever a delivery holds: every row has one fate, the pool holds what was accepted, and the same again gives the same."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_kit import Bench, make_contract, make_entity

ENTITY = make_entity(
    id="text", kind={"type": "text", "codes": ("a", "b")}, n="integer", seen={"type": "timestamp", "required": True}, state="text"
)
COLUMNS: dict[str, Any] = {
    "id": {"from": "ID"},
    "kind": {"from": "K", "codes": {"甲": "a", "乙": "b"}},
    "n": {"from": "N", "thousands": ","},
    "seen": {"from": "T"},
    "state": {"from": "S"},
}
KINDS: dict[str, dict[str, Any]] = {
    "without key": {},
    "with key": {"extract": {"mode": "delta", "key": ["id"], "version": "n", "deleted_when": "state = 'gone'"}},
    "reduced": {"reduce": {"by": ["id", "kind", "seen", "state"], "sums": ["n"]}},
}
RULES: dict[str, Any] = {
    "filter": "state <> 'total'",
    "rules": [
        {"id": "small", "expect": "n < 1000", "message": "m"},
        {"id": "odd", "expect": "n % 2 = 1", "severity": "warn", "message": "m"},
    ],
}
cell = st.one_of(
    st.sampled_from(
        [
            "",
            "1",
            "2",
            "1,000",
            "７",
            "甲",
            "乙",
            "丙",
            "2024-03-05",
            "2023-02-30",
            "2024-03-05 10:00:00",
            "total",
            "gone",
            "id-1",
            "id-2",
            "x|y",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)
row = st.tuples(
    st.sampled_from(["id-1", "id-2", "id-3", "", "x|y"]),
    st.one_of(st.sampled_from(["甲", "乙", ""]), cell),
    st.one_of(st.sampled_from(["1", "2", "1,000"]), cell),
    st.one_of(st.sampled_from(["2024-03-05", "2024-03-05 10:00:00"]), cell),
    st.one_of(st.sampled_from(["", "total", "gone"]), cell),
)
ragged = st.lists(cell, min_size=1, max_size=8)
files = st.lists(st.lists(st.one_of(row, row, row, ragged), max_size=12), min_size=1, max_size=3)


def written(rows: list[Any]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["ID", "K", "N", "T", "S"])
    writer.writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("kind", list(KINDS))
@given(delivered=files)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_row_has_one_fate(kind: str, delivered: list[list[Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), ENTITY, make_contract(COLUMNS, **KINDS[kind], **RULES))
        for i, rows in enumerate(delivered):
            bench.deliver(f"2024-03-05-{i}.csv", written(rows))
        first = bench.night()
        receipts = list(bench.receipts().values())
        assert [r.file_name for r in receipts if not r.balances] == []
        assert len(bench.quarantine()) == first.rows_quarantined
        if first.status == "ok":
            (held,) = bench.pool("coalesce(sum(row_count), 0)", "all") or [(0,)]
            assert held[0] == first.rows_accepted == first.rows_in_pool
            assert bench.pool("count(*)", "all") == [(bench.batches()[dt.date(2024, 3, 5)].pool_rows,)]
        again = Bench(Path(folder) / "again", ENTITY, bench.contract)
        for i, rows in enumerate(delivered):
            again.deliver(f"2024-03-05-{i}.csv", written(rows))
        assert again.night().content_version == first.content_version
        assert bench.night().batches == () or first.status == "failed"
