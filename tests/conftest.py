"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from dagster_project.audit.expectations import Worker

PROJECT = Path(__file__).resolve().parents[1]
LONGEST_FIRST = (
    "test_spark_parity",
    "test_persons",
    "test_night",
    "test_published_account",
    "test_real_figures",
    "test_gate_release",
    "test_city_order",
    "test_dbt_models",
)
OF_ONE_HOME = dict.fromkeys(
    (
        "test_spark_parity",
        "test_city_truth",
        "test_city_faults",
        "test_city_device_private",
        "test_city_fraud_service_private",
        "test_persons",
    ),
    "pooled city",
)


class WholeFiles(LoadFileScheduling):
    """A process takes whole files, and all files that share a home."""

    def _split_scope(self, nodeid: str) -> str:
        name = Path(nodeid.split("::", 1)[0]).stem
        return OF_ONE_HOME.get(name, name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles | None:
    return WholeFiles(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest starts first; persons are looked for in the pooled city before others build in it."""
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(autouse=True)
def environment_as_it_was() -> Iterator[None]:
    """A command run inside a test chooses its home by the environment: the next test must not see it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


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
