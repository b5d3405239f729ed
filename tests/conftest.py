"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.audit.expectations import Worker

PROJECT = Path(__file__).resolve().parents[1]
LONGEST_FIRST = (
    "test_night",
    "test_published_account",
    "test_real_figures",
    "test_gate_release",
    "test_city_order",
    "test_dbt_models",
    "test_city_truth",
)
OF_ONE_HOME = dict.fromkeys(
    ("test_city_truth", "test_city_faults", "test_city_device_private", "test_city_fraud_service_private"), "pooled city"
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A process takes whole files, and all files that share a home; what takes longest starts first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(OF_ONE_HOME.get(item.path.stem, item.path.stem)))
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real police open data; POOL_REALDATA, or ``shared/realdata`` beside the checkout."""
    folder = Path(os.environ.get("POOL_REALDATA") or PROJECT.parent / "shared" / "realdata")
    if not folder.is_dir():
        pytest.skip(f"real police data are not at {folder}; set POOL_REALDATA")
    return folder


@pytest.fixture(scope="session")
def expectations_worker() -> Iterator[Worker]:
    """One Great Expectations process for the whole session: its import takes seconds."""
    with Worker() as worker:
        worker.start()
        yield worker
