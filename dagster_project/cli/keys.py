"""The key under which personal values are hashed."""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.cli.console import USAGE, HomeOption, LandingOption, app, err, existing_home_of, out
from dagster_project.progress import PROGRESS, to_stderr

key = typer.Typer(help="The key under which personal values are hashed.", no_args_is_help=True)
app.add_typer(key, name="key")


@key.callback()
def of_hashing() -> None:
    """Keep what is done to the key a word of its own, though it is one word so far."""


@key.command()
def rotate(
    home: HomeOption = None,
    landing: LandingOption = None,
    cut_all: Annotated[bool, typer.Option("--cut-all", help="even if landing holds no batch, so that every link is lost")] = False,
) -> None:
    """Hash the pool again under a new key (POOL_HMAC_KEY, else one made here); killed, the same command goes on."""
    from dagster_project.contracts.load import load_catalogue
    from dagster_project.ingest.deidentify import HashKeyError
    from dagster_project.ingest.rotation import rotate as bring_under_new_key

    to_stderr()
    chosen = existing_home_of(home, landing)
    catalogue = load_catalogue()
    try:
        with chosen.running("pool key rotate", say=PROGRESS.say), chosen.writing("pool key rotate"):
            done = bring_under_new_key(chosen, catalogue.contracts, catalogue.entities, PROGRESS.say, cut_all=cut_all)
    except HashKeyError as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
    for cut in done.cut:
        err.print(f"{cut.source_id} {cut.batch_date}: {cut.rows} rows lost their link; {cut.reason}", markup=False)
    rows = sum(cut.rows for cut in done.cut)
    out.print(
        f"the key is {done.key_id}: {done.hashed_again} batches are hashed under it, {len(done.cut)} batches lost the links of {rows} rows"
    )
    out.print("keep a copy of the new key where the pool is not; the next run builds the warehouse without the former hashes")
