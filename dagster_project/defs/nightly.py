"""The nightly job, its schedule, the sensor on new deliveries, and the alert on a failed run."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from dagster_project.alerts import alert_of_failure, deliver
from dagster_project.calendar import TIMEZONE, last_night
from dagster_project.contracts.load import load_catalogue
from dagster_project.defs.night import NIGHTS, night_of
from dagster_project.defs.runs import PROCESS_TAG, record_end
from dagster_project.defs.sources import source_key
from dagster_project.home import Home
from dagster_project.ingest.night import plan_source

nightly_job = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all(),
    partitions_def=NIGHTS,
    description="一夜：入库、建模、审核、发布。 One night: ingest, dbt, gate, release.",
)


def night_selection(repository: dg.RepositoryDefinition, home: Home) -> list[dg.AssetKey]:
    """Every asset of the nightly job except the sources of groups that this home has not enabled."""
    groups = home.enabled_groups()
    disabled = {source_key(c) for c in load_catalogue().contracts if c.group not in groups}
    return [key for key in repository.asset_graph.executable_asset_keys if key not in disabled]


@dg.schedule(job=nightly_job, cron_schedule="0 2 * * *", execution_timezone=TIMEZONE)
def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Processes the night that ended two hours before."""
    night = last_night(context.scheduled_execution_time).isoformat()
    return dg.RunRequest(run_key=night, partition_key=night, asset_selection=night_selection(context.repository_def, Home.at()))


@dg.sensor(job=nightly_job, minimum_interval_seconds=300)
def new_deliveries(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Asks for a run of the last night when landing holds a delivery that the receipts do not know."""
    home = Home.at()
    night = last_night(dt.datetime.now(tz=dt.UTC))
    groups = home.enabled_groups()
    catalogue = load_catalogue()
    plans = (plan_source(home, c, catalogue.entity_of(c), night) for c in catalogue.contracts if c.group in groups)
    waiting = [plan for plan in plans if plan.batches_to_ingest]
    if not waiting:
        yield dg.SkipReason("landing holds nothing that the receipts do not know")
        return
    state = ";".join(batch.fingerprint for plan in waiting for batch in plan.batches_to_ingest)
    if state == context.cursor:
        yield dg.SkipReason("a run for these deliveries was asked for already")
        return
    context.update_cursor(state)
    yield dg.RunRequest(partition_key=night.isoformat(), asset_selection=night_selection(context.repository_def, home))


@dg.run_failure_sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def alert_on_failure(context: dg.RunFailureSensorContext) -> None:
    """Tells of a run that failed; one that 'pool run' started tells by itself. Runs unasked: who switches the schedule on expects it."""
    run = context.dagster_run
    message = f"run {run.run_id} of {run.job_name} failed: {context.failure_event.message}"
    context.log.error(message)
    if PROCESS_TAG in run.tags:
        return
    home, night = Home.at(), night_of(run.tags.get("dagster/partition"))
    record_end(home, "failure", night, message)
    for problem in deliver(alert_of_failure(home, night, (message,))):
        context.log.error(problem)


@dg.definitions
def nightly_definitions() -> dg.Definitions:
    return dg.Definitions(jobs=[nightly_job], schedules=[nightly], sensors=[new_deliveries, alert_on_failure])
