"""The whole ``kpi`` table against an oracle in plain Python, on counts that nobody chose."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kpi_harness import kpi_table
from kpi_oracle import City

PARENTS = {"city": None, "north": "city", "south": "city", "n1": "north", "n2": "north", "s1": "south"}
LEAVES = ("n1", "n2", "s1")
FOREVER = dt.date(9999, 12, 31)
COMPARED = [f"{side}_{name}" for side in ("yoy", "pop") for name in ("value", "ratio", "lower95", "upper95", "z")]
EXACT = ["period_start", "is_complete", "numerator", "denominator", "yoy_verdict", "pop_verdict", "series_break"]
NUMBERS = ["value", "lower95", "upper95", *COMPARED]


@st.composite
def cities(draw: st.DrawFn) -> City:
    """A day to two years and a half of one or two KPIs, ending on any day of 2024 to 2026, sparse or busy; one row may have a date too early."""
    as_of = dt.date(2024, 1, 1) + dt.timedelta(days=draw(st.integers(0, 1000)))
    length = draw(st.sampled_from([1, 40, 150, 420, 900]))
    noise = random.Random(draw(st.integers(0, 2**32)))
    catalogue: dict[str, dict[str, Any]] = {}
    counts = []
    for n, kind in enumerate(draw(st.lists(st.sampled_from(["count", "proportion", "rate", "ratio"]), min_size=1, max_size=2))):
        kpi_id = f"{kind}-{n}"
        catalogue[kpi_id] = {
            "kind": kind,
            "product": draw(st.sampled_from(["incident", "clearance"])),
            "maturity_days": draw(st.sampled_from([0, 0, 40])),
            "value_scale": draw(st.sampled_from([1, 100])),
            "time_rule": "exposure" if kind == "rate" else "sum",
        }
        level, presence = draw(st.sampled_from([0.3, 3, 40])), draw(st.sampled_from([0.05, 0.5, 1.0]))
        start = noise.randrange(length)
        for back in range(-5, length - start):
            day = as_of - dt.timedelta(days=back)
            for leaf in LEAVES:
                if noise.random() < presence:
                    trials = 0 if kind == "count" else int(noise.expovariate(1 / level) * 2)
                    events = int(noise.expovariate(1 / level)) if kind != "proportion" else sum(noise.random() < 0.4 for _ in range(trials))
                    counts.append((kpi_id, leaf, day, noise.choice(["", "category:a", "excluded:x"]), events, trials))
    wrong = draw(st.sampled_from([None, None, 20, 200, 2000]))
    if wrong and counts:
        kpi_id, leaf, first, *_ = min(counts, key=lambda count: count[2])
        counts.append((kpi_id, leaf, first - dt.timedelta(days=wrong), "", 1, 1))
    if not any(count[2] <= as_of for count in counts):
        counts.append((next(iter(catalogue)), "n1", as_of, "", 1, 1))
    return City(as_of, catalogue, counts, PARENTS, calendar=draw(st.sampled_from(["china", "plain"])))


def built(city: City, **more: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
    group = "city" if city.calendar == "china" else "open_data"
    with kpi_table(city.as_of, city.catalogue, city.counts, dict(city.parents), group, city.slices, moves=city.moves, **more) as connection:
        columns = ", ".join(EXACT + NUMBERS)
        cursor = connection.execute(
            f"select kpi_id, unit_code, slice, grain, period_end, {columns} from kpi where not starts_with(slice, 'festival:')"
        )
        return {row[:5]: dict(zip(EXACT + NUMBERS, row[5:], strict=True)) for row in cursor.fetchall()}


def assert_same(city: City, found: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    expected = city.table()
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        for name in EXACT:
            assert found[key][name] == row[name], (key, name, row, found[key])
        for name in NUMBERS:
            wanted, got = row[name], found[key][name]
            assert (wanted is None) == (got is None), (key, name, row, found[key])
            if wanted is not None:
                assert got == pytest.approx(wanted, rel=1e-6, abs=1e-6), (key, name, row, found[key])


# Each example builds the table: shrinking one would take longer than reading it.
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(cities())
def test_every_row_is_what_the_oracle_says(city: City) -> None:
    assert_same(city, built(city))
