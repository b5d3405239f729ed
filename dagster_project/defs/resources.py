"""What the steps of a run share: the Great Expectations worker, started beside ingest, and the lock that lets one run at a time write."""

import datetime as dt
from contextlib import ExitStack
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from dagster_project.audit import expectations
from dagster_project.defs.history import forget_old_runs
from dagster_project.home import WAIT_SECONDS, Home
from dagster_project.progress import PROGRESS
from dagster_project.settings import check_settings

_started_early: list[expectations.Worker] = []


def adopt(worker: expectations.Worker) -> None:
    """Hand over a worker that was started before Dagster was imported; the next run of this process uses it."""
    _started_early.append(worker)


class ExpectationsWorker(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Great Expectations in a process of its own: its import takes longer than a small night's ingest, so both run at once."""

    _worker: Any = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._worker = _started_early.pop() if _started_early else expectations.Worker()
        self._worker.start()

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        with PROGRESS.phase("gate and release"):  # the processor time of a process counts where it ends
            self._worker.close()

    @property
    def worker(self) -> expectations.Worker:
        return self._worker


class WholeRun(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Holds the home from the first step of a run that publishes to its last, wherever the run was started.

    Before the first step it looks at the settings; after the last it removes the history of runs that are too old.
    """

    wait_seconds: float = WAIT_SECONDS
    _held: Any = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        run = context.run.run_id if context.run else "of no number"
        check_settings(Home.at())
        self._held = ExitStack()
        self._held.enter_context(Home.at().running(f"run {run}", self.wait_seconds, PROGRESS.say))

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        with self._held:
            if context.instance is not None:
                forget_old_runs(context.instance, Home.at(), dt.datetime.now(tz=dt.UTC), PROGRESS.say)


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(
        resources={"expectations_worker": ExpectationsWorker(), "whole_run": WholeRun()},
        executor=dg.in_process_executor,
    )
