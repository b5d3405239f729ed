"""Spark builds what DuckDB builds. Run alone: ``pytest -m spark``."""

from __future__ import annotations

from pathlib import Path

import pytest
from city_pool import Pooled

from benchmarks.parity import beside, measure, what_is_missing

MISSING = what_is_missing()


@pytest.mark.spark
@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_a_small_city_is_the_same_on_both_engines(pooled_city: Pooled, tmp_path: Path) -> None:
    parity = measure(beside(pooled_city.home.root, tmp_path / "both"))
    assert "\n".join(map(str, parity.differences)) == ""
    assert parity.tables > 100 and parity.rows > 100_000
