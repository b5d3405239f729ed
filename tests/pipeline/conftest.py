"""Fixtures of the tests that run several parts of the pool together."""

from __future__ import annotations

import pytest
from city_pool import Pooled, pool_city


@pytest.fixture(scope="session")
def pooled_city(tmp_path_factory: pytest.TempPathFactory) -> Pooled:
    """One simulated city, pooled once for the whole session; tests must leave its home as it was."""
    return pool_city(tmp_path_factory.mktemp("city"))
