"""Fixtures of the tests that run several parts of the pool together."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_home import NIGHT, AuditHome
from city_pool import Pooled, pool_city

from dagster_project.audit.expectations import Worker
from dagster_project.release import PublishResult, gate_and_publish, release_of


@pytest.fixture(scope="session")
def pooled_city(tmp_path_factory: pytest.TempPathFactory) -> Pooled:
    """One simulated city, pooled once for the whole session; tests must leave its home as it was."""
    return pool_city(tmp_path_factory.mktemp("city"))


@pytest.fixture
def pool(tmp_path: Path) -> AuditHome:
    """A home of two products made by hand."""
    return AuditHome(tmp_path / "home")


@pytest.fixture(scope="session")
def first_release(tmp_path_factory: pytest.TempPathFactory, expectations_worker: Worker) -> tuple[AuditHome, PublishResult]:
    """A home with one good release, to be copied."""
    pool = AuditHome(tmp_path_factory.mktemp("first") / "home")
    pool.build()
    return pool, gate_and_publish(pool.home, NIGHT, pool.contracts, worker=expectations_worker, key_id="k1")


@pytest.fixture
def release(pool: AuditHome, expectations_worker: Worker, first_release: tuple[AuditHome, PublishResult]) -> Callable[..., PublishResult]:
    """Builds a night of ``pool`` and publishes it; a good first night is copied."""

    def build_and_publish(night: dt.date = NIGHT, **build: Any) -> PublishResult:
        good, result = first_release
        if night == NIGHT and not build and pool == dataclasses.replace(good, root=pool.root, builds=0):
            shutil.copytree(good.root, pool.root, symlinks=True, dirs_exist_ok=True)
            pool.builds = good.builds
            return dataclasses.replace(result, release=release_of(pool.home, result.version))
        pool.build(night, **build)
        return gate_and_publish(pool.home, night, pool.contracts, worker=expectations_worker, key_id="k1")

    return build_and_publish
