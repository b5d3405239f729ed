"""Waivers: letting a product out although a check of it failed, signed."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from dagster_project.cli.console import USAGE, HomeOption, app, err, existing_home_of, out


@app.command()
def waive(
    product: Annotated[str, typer.Argument(help="the product that is held")],
    check: Annotated[str, typer.Argument(help="the check that failed, as gate_result names it")],
    reason: Annotated[str, typer.Option("--reason", help="why it may go out; readers see this")],
    by: Annotated[str, typer.Option("--by", help="who answers for it")],
    until: Annotated[dt.datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="the last night for which it counts")],
    source: Annotated[str, typer.Option("--source", help="only where this source fails the check")] = "",
    home: HomeOption = None,
) -> None:
    """Add a waiver to waivers.yaml; the next run of the night obeys it."""
    from dagster_project.audit.waivers import Waiver, WaiverError, add_waiver, expect_known
    from dagster_project.ledger import record

    chosen = existing_home_of(home)
    waiver = Waiver(product, check, reason, by, until.date(), source)
    try:
        expect_known(chosen, waiver)
        add_waiver(chosen, waiver)
    except WaiverError as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
    record(chosen, "waiver", {"added": waiver.as_masked()})
    out.print(f"{waiver.what}: written to {chosen.waivers}; run the night again")
