"""Whatever the city, its books balance."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.city.gaming import KINDS, Gaming
from dagster_project.city.simulate import simulate

PROPORTIONS = ("INT-1", "INT-3.down", "INT-3.late", "INT-4", "INT-5", "INT-6", "INT-7", "INT-8")
CITIES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "first_night": st.dates(dt.date(2019, 1, 1), dt.date(2029, 12, 31)),
        "nights": st.integers(0, 7),
        "history_days": st.integers(1, 40),
        "counties": st.integers(1, 13),
        "stations_per_county": st.integers(1, 4),
        "scale": st.floats(0.0004, 0.02),
        "gaming": st.none()
        | st.builds(
            Gaming,
            strength=st.floats(0, 1),
            kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique=True).map(tuple),
            share=st.floats(0.01, 1),
        ),
        "gates": st.integers(0, 60),
        "face_cameras": st.integers(0, 20),
    }
)


@settings(max_examples=8, deadline=None)
@given(arguments=CITIES)
def test_every_city_keeps_its_books(arguments: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        simulate(out, **arguments)
        receipts = pq.read_table(out / "truth" / "receipt.parquet").to_pylist()
        faults = pq.read_table(out / "truth" / "faults.parquet").to_pylist()
        counts = pq.read_table(out / "truth" / "kpi_count.parquet").to_pylist()
        delivered = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.parent.name != "truth"}
    assert {r["file_name"] for r in receipts} == delivered
    by_fate = Counter((f["file_name"], f["fate"]) for f in faults if f["row_number"] > 0)
    copies = {f["file_name"] for f in faults if f["kind"] == "redelivered_file"}
    for receipt in receipts:
        fates = {fate: receipt[f"rows_{fate}"] for fate in ("accepted", "quarantined", "duplicate", "filtered")}
        assert receipt["rows_read"] == sum(fates.values())
        assert fates["quarantined"] <= 0.03 * receipt["rows_read"]
        if receipt["file_name"] not in copies:
            name = receipt["file_name"]
            assert {f: n for f, n in fates.items() if f != "accepted"} == {f: by_fate[name, f] for f in fates if f != "accepted"}
    last = arguments["first_night"] + dt.timedelta(days=arguments["nights"] - 1)
    for row in counts:
        assert row["day"] <= last
        assert row["numerator"] >= 0 and row["denominator"] >= 0
        if (
            row["kpi_id"].startswith(("INC-2", "INC-5", "CR-2", "CR-3", "AD-1", "RT-2", "MED", "SAT-2", "SAT-3", *PROPORTIONS))
            and ":" not in row["cell"]
        ):
            assert row["numerator"] <= row["denominator"]
