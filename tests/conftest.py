"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.audit.expectations import Worker

PROJECT = Path(__file__).resolve().parents[1]


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
