"""Releases: immutable bundles per product, the assembled ``kpi.duckdb``, its manifest, and the one atomic switch.

Belongs here: what readers get and how it gets there, is listed, and is rolled back. Does not belong here: any check of
the figures (``audit``), and anything that changes pool or warehouse.

The way of a publish, all under the writer's lock of the home: sweep what a killed run left; audit the candidate; write a
bundle of every product that passed; assemble draft → ``published/<version>`` by one rename; move ``published/current`` by
another. Whatever moment a process is killed at, readers see a whole release and the next publish arrives at the same.
"""

from dagster_project.release.asking import Asked, asking
from dagster_project.release.diff import ReleaseDiff, compare, releases_to_compare
from dagster_project.release.history import published_on
from dagster_project.release.publish import PublishResult, gate_and_publish
from dagster_project.release.record import (
    Release,
    ReleaseError,
    Withdrawal,
    WithdrawnError,
    current_release,
    list_releases,
    release_of,
    unreadable,
)
from dagster_project.release.releases import open_current, open_release, rollback, verify
from dagster_project.release.withdrawal import holders_of_withdrawn, withdraw

__all__ = [
    "Asked",
    "PublishResult",
    "Release",
    "ReleaseDiff",
    "ReleaseError",
    "Withdrawal",
    "WithdrawnError",
    "asking",
    "compare",
    "current_release",
    "gate_and_publish",
    "holders_of_withdrawn",
    "list_releases",
    "open_current",
    "open_release",
    "published_on",
    "release_of",
    "releases_to_compare",
    "rollback",
    "unreadable",
    "verify",
    "withdraw",
]
