"""The home itself: what can be verified of it, and its key."""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.cli.console import FAILED, USAGE, HomeOption, LandingOption, app, err, existing_home_of, home_of, out
from dagster_project.progress import to_stderr


@app.command()
def doctor(
    home: HomeOption = None,
    landing: LandingOption = None,
    create_key: Annotated[bool, typer.Option("--create-key", help="make the key under which personal values are hashed")] = False,
    privacy: Annotated[bool, typer.Option("--privacy", help="search every text outside landing for what reads as a person's")] = False,
) -> None:
    """Verify what can be verified of a home; exit 1 if something is wrong."""
    from dagster_project.doctor import examine, search
    from dagster_project.ingest.deidentify import HashKeyError
    from dagster_project.ingest.pool_key import new_key

    chosen = home_of(home, landing).ensure() if create_key else existing_home_of(home, landing)
    if create_key:
        try:
            out.print(f"the key {new_key(chosen).id} was made in {chosen.secrets}; keep a copy where only you can read it")
        except HashKeyError as problem:
            err.print(f"pool: {problem}", markup=False)
            raise typer.Exit(USAGE) from None
    to_stderr()
    findings = (*examine(chosen), *(search(chosen) if privacy else ()))
    for finding in findings:
        (out if finding.passed else err).print(f"{'ok   ' if finding.passed else 'WRONG'} {finding.check}: {finding.detail}", markup=False)
    if not all(finding.passed for finding in findings):
        raise typer.Exit(FAILED)
