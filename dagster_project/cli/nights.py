"""Deliveries and nights: simulate, run, status, and the UI."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dagster_project.cli.console import FAILED, HELD, USAGE, HomeOption, LandingOption, app, day_of, err, home_of, out
from dagster_project.home import WAIT_SECONDS
from dagster_project.progress import PROGRESS, to_stderr


@app.command()
def run(
    home: HomeOption = None,
    landing: LandingOption = None,
    date: Annotated[
        str | None, typer.Option("--date", help="the night to process, or yesterday (the last delivered night if absent)")
    ] = None,
    first: Annotated[str | None, typer.Option("--from", help="first night of a range, processed in one run")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last night of a range")] = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="enable this group of sources for the home")] = None,
    strict: Annotated[bool, typer.Option("--strict", help=f"exit with {HELD} when a product is held")] = False,
    wait: Annotated[float, typer.Option("--wait", min=0, help="seconds to wait for another run of this home")] = WAIT_SECONDS,
) -> None:
    """Process a night: ingest, dbt, gate, release."""
    started = time.perf_counter()
    chosen = home_of(home, landing)
    if date and (first or last):
        raise typer.BadParameter("give either --date, or --from and --to")
    if bool(first) != bool(last):
        raise typer.BadParameter("--from and --to go together")
    to_stderr()
    from dagster_project.defs.runs import NotReadyError, process_nights

    try:
        outcome = process_nights(chosen, day_of(first or date, "--from"), day_of(last or date, "--to"), tuple(group or ()), wait)
    except NotReadyError as problem:
        err.print(f"pool: {problem}", markup=False)
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
    from dagster_project.city.origin import LessOfCityError, OtherCityError
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
    except (OtherCityError, LessOfCityError) as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from None
    except OSError as problem:
        where = f" ({problem.filename})" if problem.filename else ""
        err.print(f"pool: nothing can be delivered into {directory}: {problem.strerror or problem}{where}", markup=False)
        raise typer.Exit(USAGE) from None
    out.print(f"delivered {result.files} files for the nights up to {result.last_night} into {directory}")


@app.command()
def status(home: HomeOption = None, landing: LandingOption = None) -> None:
    """What the pool holds, what is held back, and what the current release says of itself."""
    from dagster_project.release import ReleaseError
    from dagster_project.status import status_lines

    try:
        for line in status_lines(home_of(home, landing)):
            out.print(line)
    except ReleaseError as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(FAILED) from None


@app.command()
def ui(home: HomeOption = None, port: Annotated[int, typer.Option(help="port on 127.0.0.1")] = 3000) -> None:
    """Open the Dagster UI of this home on 127.0.0.1."""
    from dagster_project.defs.runs import serve_ui

    serve_ui(home_of(home), port)
