"""The ``pool`` command. Each verb is thin: it sets the home, calls the package that knows, and prints for a person.

Belongs here: a module per group of commands, each with its arguments, one call and what is printed. Does not belong here:
anything that another caller would need too.
"""

from dagster_project.cli import comparing, contracts, keys, nights, operations, proving, pruning, released, upkeep, waiving
from dagster_project.cli.console import USAGE, app, err
from dagster_project.home import HomeBusyError, NewerHomeError, UnreadableSettingsError, WrongPlaceError
from dagster_project.ingest.receipts import UnreadableReceiptsError
from dagster_project.ledger import LedgerError
from dagster_project.refused import refusal_of_machine

__all__ = ["app", "comparing", "contracts", "keys", "main", "nights", "operations", "proving", "pruning", "released", "upkeep", "waiving"]


def main() -> None:
    """Run the command; a home that is busy, newer than this code, misplaced or damaged, and a machine that refuses to read or write, are no
    fault of the program."""
    try:
        app()
    except (HomeBusyError, LedgerError, NewerHomeError, UnreadableReceiptsError, UnreadableSettingsError, WrongPlaceError) as problem:
        err.print(f"pool: {problem}", markup=False)
        raise SystemExit(USAGE) from None
    except Exception as problem:
        refusal = refusal_of_machine(problem)
        if refusal is None:
            raise
        err.print(f"pool: {refusal}", markup=False)
        raise SystemExit(USAGE) from None
