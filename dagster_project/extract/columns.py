"""Which delivered columns a pull may ask for: what the contract reads, never what it drops."""

from __future__ import annotations

from dagster_project.contracts.model import Contract
from dagster_project.ingest.readers.header import Request


def request_of(contract: Contract) -> Request:
    """The columns that a contract reads, as readers are asked for them."""
    dropped = {name for name, column in contract.columns.items() if column.personal and column.personal.treatment == "drop"}
    read = [column for name, column in contract.columns.items() if name not in dropped and column.source is not None]
    return Request(
        tuple(column.aliases for column in read if not column.optional),
        tuple(column.aliases for column in read if column.optional),
        tuple(alias for name in sorted(dropped) for alias in contract.columns[name].aliases),
        contract.ignore if contract.ignore == "*" else tuple(contract.ignore),
    )
