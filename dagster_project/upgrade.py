"""A home written by older code becomes one of the present format: the one place that knows how.

A step leads from one format to the next and may be killed at any moment: run again, it arrives at the same. What can be made anew from
landing needs no step (a changed contract, entity or program makes batches, builds and bundles anew by itself).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dagster_project.home import FORMAT, Home
from dagster_project.ledger import record


def _from_0_to_1(home: Home) -> None:
    """The format is written down, and drafts of settings from before are gone."""
    home.settings_file.with_suffix(".tmp").unlink(missing_ok=True)


STEPS: Mapping[int, Callable[[Home], None]] = {0: _from_0_to_1}


def upgrade(home: Home) -> None:
    """Bring a home to the present format, step by step; to be called under the writer's lock."""
    while (found := home.format()) < FORMAT:
        STEPS[found](home)
        home.set_format(found + 1)
        record(home, "upgrade", {"from": found, "to": found + 1})
