"""Contracts: what the pool reads."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from dagster_project.cli.console import FAILED, app, err, out


@app.command()
def sources(
    check: Annotated[bool, typer.Option("--check", help="check every contract; exit 1 if one is wrong")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON Schema of a contract, for editors")] = False,
) -> None:
    """List the sources, or check their contracts."""
    from dagster_project.contracts.load import survey

    if schema:
        from dagster_project.contracts.json_schema import schema_text

        out.out(schema_text(), end="")
        return
    catalogue, problems = survey()
    for problem in problems:
        err.print(str(problem), markup=False)
    if problems:
        err.print(f"{len(problems)} problem(s)")
        raise typer.Exit(FAILED)
    if check:
        out.print(f"{len(catalogue.contracts)} contracts are right")
        return
    table = Table("source", "title", "group", "entity", "cadence", "format", box=None)
    for contract in catalogue.contracts:
        table.add_row(
            contract.id, f"{contract.title.zh} {contract.title.en}", contract.group, contract.entity, contract.cadence, contract.format.kind
        )
    out.print(table)
