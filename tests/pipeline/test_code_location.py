"""What an engineer sees in the Dagster UI: every source with its checks, one chain from source to release, the schedule."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.contracts.load import load_catalogue
from dagster_project.definitions import defs
from dagster_project.defs import transform


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return defs().get_repository_def()


def test_every_contract_is_an_asset_with_checks_owner_kind_schema_and_description(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    for contract in load_catalogue().contracts:
        key = dg.AssetKey(["source", contract.id])
        node = graph.get(key)
        assert node.owners == {f"team:{contract.owner}"} or list(node.owners) == [f"team:{contract.owner}"]
        assert contract.format.kind in node.kinds
        assert contract.title.zh in (node.description or "")
        assert node.metadata["dagster/column_schema"].columns
        assert {check.name for check in graph.get_check_keys_for_assets({key})} == {"balance", "delivery", "arrival"}


def test_every_asset_has_the_one_daily_partition_set(repository: dg.RepositoryDefinition) -> None:
    sets = {repository.asset_graph.get(k).partitions_def for k in repository.asset_graph.executable_asset_keys}
    assert len(sets) == 1 and None not in sets


def test_every_asset_is_backfilled_in_a_single_run(repository: dg.RepositoryDefinition) -> None:
    policies = {repository.asset_graph.get(k).backfill_policy for k in repository.asset_graph.executable_asset_keys}
    assert policies == {dg.BackfillPolicy.single_run()}


def test_a_source_reaches_the_release_through_pool_staging_and_product(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    reached = {dg.AssetKey(["source", "mediation_ledger"])}
    waiting = list(reached)
    while waiting:
        for child in graph.get(waiting.pop()).child_keys - reached:
            reached.add(child)
            waiting.append(child)
    assert {
        dg.AssetKey(["pool", "mediation"]),
        dg.AssetKey(["stg_mediation"]),
        dg.AssetKey(["product", "mediation"]),
        dg.AssetKey(["release"]),
    } <= reached


def test_every_product_carries_its_gate_as_a_check(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    products = {k for k in graph.executable_asset_keys if k.path[0] == "product"}
    assert len(products) >= 10
    assert {check.asset_key for check in graph.asset_check_keys if check.name == "gate"} == products


def test_the_nightly_schedule_runs_at_two_in_shanghai_and_asks_for_the_night_that_ended(repository: dg.RepositoryDefinition) -> None:
    schedule = repository.get_schedule_def("nightly")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "Asia/Shanghai")
    from datetime import UTC, datetime

    from dagster_project.calendar import last_night

    assert last_night(datetime(2026, 1, 9, 18, 0, tzinfo=UTC)).isoformat() == "2026-01-09"


def test_new_deliveries_and_failed_runs_have_sensors(repository: dg.RepositoryDefinition) -> None:
    assert {s.name for s in repository.sensor_defs} == {"new_deliveries", "alert_on_failure"}
    assert repository.get_sensor_def("alert_on_failure").default_status is dg.DefaultSensorStatus.RUNNING, "nobody is told to switch it on"


def test_steps_run_in_one_process(repository: dg.RepositoryDefinition) -> None:
    assert repository.get_job("nightly").executor_def.name == "in_process"


def test_a_whole_night_holds_the_home_wherever_it_is_started(repository: dg.RepositoryDefinition) -> None:
    publish = next(node for node in repository.get_job("nightly").graph.node_dict.values() if node.name == "publish")
    assert "whole_run" in publish.definition.required_resource_keys


def test_the_manifest_is_of_the_files_that_are_there_whatever_their_times_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, model = tmp_path / "target", tmp_path / "models" / "marts" / "one.sql"
    parsed: list[Path] = []
    model.parent.mkdir(parents=True)
    for file in (model, tmp_path / "dbt_project.yml", tmp_path / "profiles.yml"):
        file.write_text("select 1", encoding="utf-8")

    def parse(draft: Path) -> None:
        parsed.append(draft)
        for name in transform.PARSED:
            (draft / name).write_text("{}", encoding="utf-8")

    for name, value in {"PROJECT_FOLDER": tmp_path, "TARGET_FOLDER": target, "_parse": parse}.items():
        monkeypatch.setattr(transform, name, value)
    monkeypatch.setattr(transform, "MANIFEST", target / "manifest.json")
    monkeypatch.setattr(transform, "PARSED_OF", target / transform.PARSED_OF.name)

    def parses() -> int:
        parsed.clear()
        transform.ensure_manifest()
        transform.ensure_manifest()
        return len(parsed)

    assert (parses(), parses()) == (1, 0)
    unpacked = model.with_name("two.sql")
    unpacked.write_text("select 2", encoding="utf-8")
    os.utime(unpacked, (0, 0))
    assert parses() == 1
    model.write_text("select 3", encoding="utf-8")
    os.utime(model, (0, 0))
    assert parses() == 1
    unpacked.unlink()
    assert parses() == 1
    (target / "manifest.json").unlink()
    assert parses() == 1

    def read_only(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    model.write_text("select 4", encoding="utf-8")
    monkeypatch.setattr(tempfile, "TemporaryDirectory", read_only)
    with pytest.raises(transform.NotParsedError, match=r"target \(.*Read-only file system\): run 'make setup'"):
        transform.ensure_manifest()


FAKE_DBT = """#!/bin/sh
while [ "$1" != --project-dir ]; do shift; done; project=$2
while [ "$1" != --target-path ]; do shift; done
cat "$project/models/one.sql" > "$2/manifest.json"; : > "$2/partial_parse.msgpack"
"""


def test_of_two_processes_that_parse_at_once_neither_vouches_for_the_manifest_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, model, dbt = tmp_path / "target", tmp_path / "models" / "one.sql", tmp_path / "dbt"
    model.parent.mkdir()
    for file in (model, tmp_path / "dbt_project.yml", tmp_path / "profiles.yml"):
        file.write_text("after", encoding="utf-8")
    dbt.write_text(FAKE_DBT, encoding="utf-8")
    dbt.chmod(0o755)
    for name, value in {"PROJECT_FOLDER": tmp_path, "TARGET_FOLDER": target, "DBT": dbt, "MANIFEST": target / "manifest.json"}.items():
        monkeypatch.setattr(transform, name, value)
    monkeypatch.setattr(transform, "PARSED_OF", target / transform.PARSED_OF.name)
    replaced = Path.replace
    others: list[Path] = []

    def another_comes_between(draft: Path, place: Path) -> Path:
        if place.name == transform.PARSED_OF.name and not others:
            others.append(draft)
            model.write_text("before", encoding="utf-8")
            transform.ensure_manifest()
            model.write_text("after", encoding="utf-8")
        return replaced(draft, place)

    monkeypatch.setattr(Path, "replace", another_comes_between)
    assert transform.ensure_manifest().read_text(encoding="utf-8") == "after"
    assert len(others) == 1
    monkeypatch.setattr(Path, "replace", replaced)
    (target / "manifest.json").write_text("of a process that was killed before it could say of what", encoding="utf-8")
    assert transform.ensure_manifest().read_text(encoding="utf-8") == "after"
