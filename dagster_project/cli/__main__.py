"""``python -m dagster_project.cli`` is the ``pool`` command."""

from dagster_project.cli import main

main()
