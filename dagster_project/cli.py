"""The ``pool`` command. Each verb is thin: it sets the home, calls the package that knows, and prints for a person."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dagster_project.home import Home, HomeBusyError
from dagster_project.progress import PROGRESS, to_stderr

app = typer.Typer(help="警务数据池 The police data pool.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

HomeOption = Annotated[Path | None, typer.Option("--home", help="everything the pool owns (POOL_HOME, else ./data)")]
LandingOption = Annotated[Path | None, typer.Option("--landing", help="delivered files (POOL_LANDING, else <home>/landing)")]

FAILED = 1
USAGE = 2
HELD = 3


def _home(home: Path | None, landing: Path | None = None) -> Home:
    """The home of this command; child processes and Dagster find it in the environment."""
    chosen = Home.at(home, landing)
    os.environ["POOL_HOME"] = str(chosen.root)
    os.environ["POOL_LANDING"] = str(chosen.landing)
    return chosen


def _day(text: str | None, option: str) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r} is no date; write it as 2024-01-31") from None


@app.command()
def run(
    home: HomeOption = None,
    landing: LandingOption = None,
    date: Annotated[str | None, typer.Option("--date", help="the night to process (last night if absent)")] = None,
    first: Annotated[str | None, typer.Option("--from", help="first night of a range, processed in one run")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last night of a range")] = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="enable this group of sources for the home")] = None,
    strict: Annotated[bool, typer.Option("--strict", help=f"exit with {HELD} when a product is held")] = False,
) -> None:
    """Process a night: ingest, dbt, gate, release."""
    started = time.perf_counter()
    chosen = _home(home, landing)
    if date and (first or last):
        raise typer.BadParameter("give either --date, or --from and --to")
    if bool(first) != bool(last):
        raise typer.BadParameter("--from and --to go together")
    to_stderr()
    from dagster_project.defs.runs import NotReadyError, process_nights

    try:
        outcome = process_nights(chosen, _day(first or date, "--from"), _day(last or date, "--to"), tuple(group or ()))
    except (NotReadyError, HomeBusyError) as problem:
        err.print(f"pool: {problem}")
        raise typer.Exit(USAGE) from None
    phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in PROGRESS.phase_seconds.items())
    err.print(f"  phases: {phases}; all {time.perf_counter() - started:.1f} s")
    for line in outcome.lines:
        out.print(line)
    if not outcome.succeeded:
        raise typer.Exit(FAILED)
    if strict and outcome.held_products:
        raise typer.Exit(HELD)


@app.command()
def simulate(
    directory: Annotated[Path, typer.Option("--out", help="folder to deliver into, usually <home>/landing")],
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 1,
    scale: Annotated[float | None, typer.Option(help="share of a real city's volume; 1 writes one night at real volume")] = None,
    nights: Annotated[int | None, typer.Option(help="nightly deliveries after the initial load")] = None,
    history_days: Annotated[int | None, typer.Option(help="days of history in the initial load")] = None,
    counties: Annotated[int | None, typer.Option(help="county bureaus, up to 13")] = None,
    stations: Annotated[int | None, typer.Option(help="stations of each county, up to 14")] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(help="deliver only this domain beside calls, cases, mediation and callbacks; repeatable, none for none"),
    ] = None,
    gaming: Annotated[
        float, typer.Option(metavar="STRENGTH", help="0 to 1: how much of what some stations could shape they do; 0 is an honest city")
    ] = 0.0,
    gaming_kind: Annotated[list[str] | None, typer.Option(metavar="NAME", help="shape only in this way; repeatable, all if absent")] = None,
    gaming_share: Annotated[float | None, typer.Option(metavar="SHARE", help="share of the stations that game, 0.5 if absent")] = None,
    gaming_since: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="first day gamed; a year before the first night if absent, or half of a shorter history"),
    ] = None,
) -> None:
    """Deliver what the systems of a fictional city would deliver."""
    from dagster_project.city.gaming import KINDS, SHARE_OF_STATIONS, Gaming
    from dagster_project.city.simulate import simulate as deliver
    from dagster_project.city.simulate import simulate_real_night

    to_stderr()
    asked = {
        "scale": scale,
        "nights": nights,
        "history_days": history_days,
        "counties": counties,
        "stations_per_county": stations,
        "domains": None if domain is None else [name for name in domain if name != "none"],
    }
    options: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    details = (gaming_kind, gaming_share, gaming_since)
    try:
        if gaming == 0 and any(detail is not None for detail in details):
            raise ValueError("how to game is said, but not how much: add --gaming STRENGTH")
        since = gaming_since.date() if gaming_since else None
        share = SHARE_OF_STATIONS if gaming_share is None else gaming_share
        games = Gaming(gaming, KINDS if gaming_kind is None else tuple(gaming_kind), share, since)
        if scale != 1:
            result = deliver(directory, seed=seed, progress=PROGRESS.say, gaming=games, **options)
        elif set(options) == {"scale"} and gaming == 0:
            result = simulate_real_night(directory, seed=seed, progress=PROGRESS.say)
        else:
            raise ValueError("--scale 1 writes one night of a whole, honest city and takes no other size and no gaming")
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from None
    out.print(f"delivered {result.files} files for the nights up to {result.last_night} into {directory}")


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


@app.command()
def status(home: HomeOption = None, landing: LandingOption = None) -> None:
    """What the pool holds, what is held back, and what the current release says of itself."""
    from dagster_project.status import status_lines

    for line in status_lines(_home(home, landing)):
        out.print(line)


@app.command()
def releases(home: HomeOption = None) -> None:
    """List the releases, newest first."""
    from dagster_project.release import list_releases

    table = Table("release", "as of", "fresh", "stale", "left out", "", box=None)
    for release in list_releases(_home(home)):
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
        switch_back(_home(home), version)
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
        with open_current(_home(home)) as connection:
            answer = connection.sql(sql)
            if answer is not None:
                answer.show(max_rows=100, max_width=200)
    except (ReleaseError, duckdb.Error) as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None


@app.command()
def doctor(
    home: HomeOption = None,
    landing: LandingOption = None,
    create_key: Annotated[bool, typer.Option("--create-key", help="make the key under which personal values are hashed")] = False,
) -> None:
    """Verify what can be verified of a home; exit 1 if something is wrong."""
    from dagster_project.doctor import examine
    from dagster_project.ingest import deidentify

    chosen = _home(home, landing).ensure()
    if create_key:
        try:
            out.print(f"the key {deidentify.create_key(chosen).id} was made in {chosen.secrets}; keep a copy where only you can read it")
        except deidentify.HashKeyError as problem:
            err.print(f"pool: {problem}", markup=False)
            raise typer.Exit(USAGE) from None
    findings = examine(chosen)
    for finding in findings:
        (out if finding.passed else err).print(f"{'ok   ' if finding.passed else 'WRONG'} {finding.check}: {finding.detail}", markup=False)
    if not all(finding.passed for finding in findings):
        raise typer.Exit(FAILED)


@app.command()
def ui(home: HomeOption = None, port: Annotated[int, typer.Option(help="port on 127.0.0.1")] = 3000) -> None:
    """Open the Dagster UI of this home on 127.0.0.1."""
    from dagster_project.defs.runs import serve_ui

    serve_ui(_home(home), port)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
