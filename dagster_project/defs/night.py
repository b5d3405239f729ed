"""The night: the one daily partition set of every asset, and what a run of one or several nights processes."""

import datetime as dt

import dagster as dg

from dagster_project.calendar import TIMEZONE

FIRST_NIGHT = dt.date(2000, 1, 1)

NIGHTS = dg.DailyPartitionsDefinition(start_date=FIRST_NIGHT.isoformat(), timezone=TIMEZONE)
SINGLE_RUN = dg.BackfillPolicy.single_run()
RETRY_INFRASTRUCTURE_ERRORS = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)


def as_of(context: dg.AssetExecutionContext) -> dt.date:
    """The night processed: of a range of nights the last one, since a night ingests every batch dated up to it."""
    return dt.date.fromisoformat(context.partition_key_range.end)


def night_of(partition: str | None) -> dt.date | None:
    """The night that a run's partition names; None where it names none."""
    try:
        return dt.date.fromisoformat(partition or "")
    except ValueError:
        return None
