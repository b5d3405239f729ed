"""Materialise the publish step alone, as somebody in the UI would, and print why it failed as JSON; null when it did not."""

from __future__ import annotations

import json
import sys

import dagster as dg

from dagster_project.definitions import defs
from dagster_project.defs.runs import prepare_instance
from dagster_project.home import Home


def main(night: str) -> None:
    prepare_instance(Home.at())
    repository = defs().get_repository_def()
    published = [k for k in repository.asset_graph.get_all_asset_keys() if k.path[0] in {"product", "release"}]
    with dg.DagsterInstance.get() as instance:
        job = repository.get_job("nightly")
        run = job.execute_in_process(instance=instance, partition_key=night, asset_selection=published, raise_on_error=False)
        failures = [e.event_specific_data.error for e in run.all_node_events if e.is_step_failure]
    print()
    print(json.dumps([str(error.cause.message if error.cause else error.message) for error in failures] or None))


if __name__ == "__main__":
    main(sys.argv[1])
