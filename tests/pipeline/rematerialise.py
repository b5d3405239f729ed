"""Materialise one source as the UI would, if one is named, and print the staleness of the pool's entities at a night as JSON."""

from __future__ import annotations

import json
import sys

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from dagster_project.definitions import defs
from dagster_project.defs.runs import prepare_instance
from dagster_project.home import Home


def main(source: str, night: str) -> None:
    prepare_instance(Home.at())
    repository = defs().get_repository_def()
    with dg.DagsterInstance.get() as instance:
        if source:
            job = repository.get_job("nightly")
            assert job.execute_in_process(instance=instance, partition_key=night, asset_selection=[dg.AssetKey(["source", source])]).success
        resolver = CachingStaleStatusResolver(instance, repository.asset_graph, LoadingContextForTest(instance))
        keys = [k for k in repository.asset_graph.get_all_asset_keys() if k.path[0] == "pool"]
        print()
        print(json.dumps({k.to_user_string(): resolver.get_status(k, night).value for k in keys}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
