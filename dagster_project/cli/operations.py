"""Operations: the dead man's check, backup and restore."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.console import FAILED, USAGE, HomeOption, app, err, home_of, out
from dagster_project.progress import PROGRESS, to_stderr
from dagster_project.refused import words_of


@app.command()
def watch(
    home: HomeOption = None,
    by: Annotated[dt.datetime, typer.Option(formats=["%H:%M"], help="when last night's release is due, in time of the city")] = "06:00",  # type: ignore[assignment]
    alert: Annotated[bool, typer.Option("--alert", help="hand what is wrong to POOL_ALERT_COMMAND and POOL_ALERT_WEBHOOK")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="let the doctor look at the home too")] = False,
) -> None:
    """Whether last night's release came and is fresh, for cron or a timer; exit 1 if not."""
    from dagster_project.alerts import deliver
    from dagster_project.doctor import examine
    from dagster_project.watch import look

    chosen = home_of(home)
    found = look(chosen, dt.datetime.now(tz=dt.UTC), by.time(), examine(chosen) if verify else ())
    for told in found:
        err.print(told.text(), end="", markup=False)
        for problem in deliver(told) if alert else ():
            err.print(f"pool: {problem}", markup=False)
    if found:
        raise typer.Exit(FAILED)
    out.print("all is well")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="folder of snapshots, outside of the home")], home: HomeOption = None
) -> None:
    """Take a snapshot of the home; unchanged files are shared with the last one."""
    from dagster_project.backup import BackupError
    from dagster_project.backup import backup as take

    to_stderr()
    try:
        taken = take(home_of(home), target, PROGRESS.say)
    except (BackupError, OSError) as problem:
        err.print(f"pool: {words_of(problem) if isinstance(problem, OSError) else problem}", markup=False)
        raise typer.Exit(USAGE) from None
    out.print(f"{taken.folder}: {taken.copied} files copied ({taken.bytes_copied:,} bytes), {taken.linked} shared with the one before")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="a snapshot, or a folder of them: then the newest")],
    home: Annotated[Path, typer.Option("--home", help="the new home; it must not exist or be empty")],
) -> None:
    """Make a new home from a snapshot, every file verified, and let the doctor look at it; exit 1 if something is wrong."""
    from dagster_project.backup import BackupError
    from dagster_project.backup import restore as make
    from dagster_project.doctor import examine

    chosen = home_of(home)
    try:
        files = make(source, chosen)
    except (BackupError, OSError) as problem:
        err.print(f"pool: {words_of(problem) if isinstance(problem, OSError) else problem}", markup=False)
        raise typer.Exit(USAGE) from None
    wrong = [finding for finding in examine(chosen) if not finding.passed]
    for finding in wrong:
        err.print(f"WRONG {finding.check}: {finding.detail}", markup=False)
    out.print(f"{chosen.root} holds {files} files, each as the snapshot lists it; run a night to build what was left out")
    if wrong:
        raise typer.Exit(FAILED)
