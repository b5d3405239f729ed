"""What was published: list, query, roll back."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from dagster_project.cli.console import USAGE, HomeOption, app, err, home_of, out


@app.command()
def releases(home: HomeOption = None) -> None:
    """List the releases, newest first."""
    from dagster_project.release import list_releases

    table = Table("release", "as of", "fresh", "stale", "left out", "", box=None)
    for release in list_releases(home_of(home)):
        of_status = {
            status: [name for name, p in release.manifest.products.items() if p.status == status]
            for status in ("fresh", "stale", "left_out")
        }
        table.add_row(
            release.version,
            release.as_of.isoformat(),
            str(len(of_status["fresh"])),
            ", ".join(of_status["stale"]) or "-",
            ", ".join(of_status["left_out"]) or "-",
            "current" if release.is_current else "",
        )
    out.print(table)


@app.command()
def rollback(version: Annotated[str, typer.Argument(help="a release that 'pool releases' lists")], home: HomeOption = None) -> None:
    """Make an earlier release the current one."""
    from dagster_project.release import ReleaseError
    from dagster_project.release import rollback as switch_back

    try:
        switch_back(home_of(home), version)
    except ReleaseError as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
    out.print(f"current is {version}")


@app.command()
def query(sql: Annotated[str, typer.Argument(help="SQL over the tables of the current release")], home: HomeOption = None) -> None:
    """Query the current release, read-only."""
    import duckdb

    from dagster_project.release import ReleaseError, open_current

    try:
        with open_current(home_of(home)) as connection:
            answer = connection.sql(sql)
            if answer is not None:
                answer.show(max_rows=100, max_width=200)
    except (ReleaseError, duckdb.Error) as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
