"""What was published: list, query, roll back."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from dagster_project.cli.console import USAGE, HomeOption, app, day_of, err, existing_home_of, home_of, out


@app.command()
def releases(home: HomeOption = None) -> None:
    """List the releases, the oldest night first."""
    from dagster_project.release import list_releases
    from dagster_project.release.public import public_lines

    table = Table("release", "as of", "fresh", "stale", "left out", "", box=None)
    chosen = home_of(home)
    listed = list_releases(chosen)
    for release in listed:
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
            "current" if release.is_current else "withdrawn" if release.withdrawn else "",
        )
    out.print(table)
    for release in listed:
        if release.withdrawn:
            out.print(f"{release.version} is withdrawn: {release.withdrawn.words}", markup=False)
    for line in public_lines(chosen):
        out.print(line, markup=False)


@app.command()
def rollback(version: Annotated[str, typer.Argument(help="a release that 'pool releases' lists")], home: HomeOption = None) -> None:
    """Make an earlier release the current one."""
    from dagster_project.release import ReleaseError
    from dagster_project.release import rollback as switch_back

    try:
        switch_back(existing_home_of(home), version)
    except ReleaseError as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
    out.print(f"current is {version}")


@app.command()
def withdraw(
    version: Annotated[str, typer.Argument(help="a release that 'pool releases' lists")],
    reason: Annotated[str, typer.Option("--reason", help="what is wrong with it; readers see this")],
    by: Annotated[str, typer.Option("--by", help="who stands for the withdrawal; the account if absent")] = "",
    home: HomeOption = None,
) -> None:
    """Withdraw a release that is wrong: readers get the newest other one, and the reason. It is final."""
    from dagster_project.release import ReleaseError, holders_of_withdrawn
    from dagster_project.release import withdraw as take_back

    chosen = existing_home_of(home)
    try:
        current = take_back(chosen, version, reason, by)
    except ReleaseError as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
    out.print(f"{version} is withdrawn; current is {current.version}, as of {current.as_of}")
    for holder in holders_of_withdrawn(chosen, version):
        out.print(f"  figures of it are still in {holder}: withdraw that too if they are wrong", markup=False)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="SQL over the tables of the release")],
    home: HomeOption = None,
    release: Annotated[str | None, typer.Option("--release", help="ask this version; the current one if absent")] = None,
    on: Annotated[str | None, typer.Option("--on", help="ask what was published on this day")] = None,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="with --release: even if it is withdrawn")] = False,
) -> None:
    """Query a release, read-only; the question is recorded in the ledger."""
    import duckdb

    from dagster_project.ledger import LedgerError
    from dagster_project.release import ReleaseError, asking

    if release and on:
        raise typer.BadParameter("give either --release or --on")
    try:
        with asking(home_of(home), sql, release, day_of(on, "--on"), withdrawn) as asked:
            for remark in asked.remarks:
                err.print(f"pool: {remark}", markup=False)
            answer = asked.connection.sql(sql)
            if answer is not None:
                answer.show(max_rows=100, max_width=200)
    except (ReleaseError, LedgerError, duckdb.Error) as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
