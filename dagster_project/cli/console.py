"""What every command shares: the app, where it prints, its options, and how it ends."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dagster_project.calendar import last_night
from dagster_project.home import Home, WrongPlaceError

app = typer.Typer(help="警务数据池 The police data pool.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

HomeOption = Annotated[Path | None, typer.Option("--home", help="everything the pool owns (POOL_HOME, else ./data)")]
LandingOption = Annotated[Path | None, typer.Option("--landing", help="delivered files (POOL_LANDING, else <home>/landing)")]

FAILED = 1
USAGE = 2
HELD = 3


def home_of(home: Path | None, landing: Path | None = None) -> Home:
    """The home of this command; child processes and Dagster find it in the environment."""
    chosen = Home.at(home, landing)
    os.environ["POOL_HOME"] = str(chosen.root)
    os.environ["POOL_LANDING"] = str(chosen.landing)
    return chosen


def existing_home_of(home: Path | None, landing: Path | None = None) -> Home:
    """The home of a command that makes none: a name mistyped must not become one. Raises WrongPlaceError."""
    chosen = home_of(home, landing)
    if not chosen.pool.is_dir() and not chosen.settings_file.exists():
        raise WrongPlaceError(f"there is no home at {chosen.root}: name another (--home or POOL_HOME), or make it with 'pool run'")
    return chosen.ensure()


def day_of(text: str | None, option: str) -> dt.date | None:
    """The day that an option names, or the night that has just ended for ``yesterday``. Raises typer.BadParameter."""
    if text is None:
        return None
    if text == "yesterday":
        return last_night(dt.datetime.now(tz=dt.UTC))
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r} is no date; write it as 2024-01-31, or as yesterday") from None
