"""Removing what need not be kept."""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.cli.console import USAGE, HomeOption, LandingOption, app, err, existing_home_of, out


@app.command()
def prune(
    home: HomeOption = None,
    landing: LandingOption = None,
    of_landing: Annotated[bool, typer.Option("--deliveries", help="delivered files too, as their contracts say")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
) -> None:
    """Remove releases older than home.json keeps them ("retention": {"last": 30, "days": 90, "month_ends": true})."""
    from dagster_project.contracts.load import load_catalogue
    from dagster_project.release import ReleaseError, retention

    chosen = existing_home_of(home, landing)
    try:
        rule = retention.retention_of(chosen)
        if rule is None:
            out.print(f"{chosen.settings_file} names no retention: all releases are kept")
        else:
            versions = [r.version for r in retention.expired(chosen, rule)] if dry_run else retention.prune(chosen, rule)
            out.print(f"releases {'that would go' if dry_run else 'removed'}: {', '.join(versions) or 'none'}")
        if of_landing:
            groups = chosen.enabled_groups()
            contracts = [c for c in load_catalogue().contracts if c.group in groups]
            act = retention.expired_deliveries if dry_run else retention.prune_landing
            for file in act(chosen, contracts):
                out.print(f"{'would go' if dry_run else 'removed'}: {file}", markup=False)
    except ReleaseError as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
