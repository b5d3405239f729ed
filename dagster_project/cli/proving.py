"""Proving that a release follows from what it names."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.console import FAILED, USAGE, HomeOption, LandingOption, app, err, home_of, out
from dagster_project.refused import words_of


@app.command()
def reproduce(
    version: Annotated[str, typer.Argument(help="a release that 'pool releases' lists")],
    home: HomeOption = None,
    landing: LandingOption = None,
    scratch: Annotated[Path | None, typer.Option("--scratch", help="an empty folder that is kept; a temporary one if absent")] = None,
) -> None:
    """Build a release anew from landing, elsewhere, and compare its content table by table; exit 1 if anything differs."""
    from dagster_project.release import ReleaseError, release_of
    from dagster_project.release.reproduce import reproduce as rebuild

    chosen = home_of(home, landing)
    try:
        with tempfile.TemporaryDirectory(prefix="pool-") as temporary:
            result = rebuild(chosen, release_of(chosen, version), scratch or Path(temporary) / "scratch")
    except (ReleaseError, OSError) as problem:
        err.print(f"pool: {words_of(problem) if isinstance(problem, OSError) else problem}", markup=False)
        raise typer.Exit(USAGE) from None
    for difference in result.differences:
        out.print(f"other  {difference}", markup=False)
    for compared in result.compared:
        out.print(f"{'same  ' if compared.same else 'DIFFERS'} {compared.what}: {compared.detail}", markup=False)
    out.print(result.words)
    if not result.proved:
        raise typer.Exit(FAILED)
