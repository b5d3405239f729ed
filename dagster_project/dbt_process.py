"""dbt as a process of a run: ``python -P -m dagster_project.dbt_process ARGUMENTS`` is dbt's command, ended when the run ends.

A run whose process alone is killed (by the kernel when memory is short, for instance) would leave dbt at work for as long as the marts take:
it holds the candidate, and the next run could not build one.
"""

from __future__ import annotations

import sys

from dagster_project.with_parent import end_with_parent


def main() -> int:
    """Never returns where dbt itself ends the process."""
    end_with_parent()
    from dbt.cli.main import cli

    return cli() or 0


if __name__ == "__main__":
    sys.exit(main())
