"""The dead man's check: whether last night's release came, looked at from outside of any run (cron, a systemd timer)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from dagster_project.alerts import Alert, alert_of_deliveries, alert_of_release
from dagster_project.calendar import city_time, last_night
from dagster_project.doctor import Finding
from dagster_project.home import Home
from dagster_project.release import Release, ReleaseError, current_release
from dagster_project.unreleased import ended_without_release, not_delivered

DUE = dt.time(6)


def night_due(now: dt.datetime, by: dt.time = DUE) -> dt.date:
    """The newest night whose release must be there: last night's from ``by`` (time of the city) on, before that the one before."""
    night = last_night(now)
    return night if city_time(now).time() >= by else night - dt.timedelta(days=1)


def look(home: Home, now: dt.datetime, by: dt.time = DUE, findings: Sequence[Finding] = ()) -> tuple[Alert, ...]:
    """What has to be told of a home at a moment; nothing when all is well. ``findings`` are those of the doctor."""
    due = night_due(now, by)
    alerts = []
    wrong = tuple(f"{f.check}: {f.detail}" for f in findings if not f.passed)
    if wrong:
        alerts.append(Alert("damaged", home, due, wrong))
    try:
        release = current_release(home)
    except ReleaseError as problem:
        return (*alerts, Alert("damaged", home, due, (str(problem),)))
    if release is None or release.as_of < due:
        seen = "nothing is published" if release is None else f"readers still see {release.version}, as of {release.as_of}"
        why = (*ended_without_release(home), *not_delivered(home, due), *map(str, home.holders()))
        alerts.append(Alert("missed", home, due, (f"due by {by:%H:%M}: {seen}", *why)))
    elif release.as_of > last_night(now):
        alerts.append(Alert("damaged", home, due, _from_the_future(release, now)))
    elif undelivered := alert_of_deliveries(home, release.as_of):
        alerts.append(undelivered)
    if release is not None and (stale := alert_of_release(home, release, ())):
        alerts.append(stale)
    return tuple(alerts)


def _from_the_future(release: Release, now: dt.datetime) -> tuple[str, ...]:
    clock = f"{city_time(now):%Y-%m-%d %H:%M}"
    return (f"the clock says {clock}, but release {release.version} is as of {release.as_of}: set the clock right",)
