"""The ``pool`` command. Each verb is thin: it sets the home, calls the package that knows, and prints for a person.

Belongs here: a module per group of commands, each with its arguments, one call and what is printed. Does not belong here:
anything that another caller would need too.
"""

from dagster_project.cli import comparing, contracts, nights, proving, pruning, released, upkeep, waiving
from dagster_project.cli.console import app

__all__ = ["app", "comparing", "contracts", "main", "nights", "proving", "pruning", "released", "upkeep", "waiving"]


def main() -> None:
    app()
