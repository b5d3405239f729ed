"""One pull: a source, a night, one file in landing, or a reason why there is none."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dagster_project.contracts.model import Contract
from dagster_project.extract.problems import PullError
from dagster_project.extract.rest import pull_pages
from dagster_project.extract.sql import pull_table
from dagster_project.extract.state import Draft, Pulled, PullState, is_connected, read_state, write_state
from dagster_project.ingest.landing import discover
from dagster_project.ingest.pool import put_in_place

Status = Literal["delivered", "pulled_before", "not_connected", "failed"]


@dataclass(frozen=True)
class Extraction:
    """What a pull came to. ``file`` is below landing; ``detail`` says why nothing came."""

    source_id: str
    status: Status
    file: str = ""
    rows: int = 0
    detail: str = ""


def extract_source(
    contract: Contract, landing: Path, state_folder: Path, night: dt.date, progress: Callable[[str], None] | None = None
) -> Extraction:
    """Pull a source for a night, once: when this night's file or a later one has lain in landing, nothing is pulled and none is changed.

    Whatever is wrong with the server ends in the result, never in an exception; only the home's own faults (OSError) are raised.
    """
    if contract.pull is None or not is_connected(contract):
        return Extraction(contract.id, "not_connected")
    state = read_state(state_folder, contract)
    nights = [file.batch_date for file in discover(contract, landing)[0]]
    if max([*nights, state.night or dt.date.min]) >= night:
        return Extraction(contract.id, "pulled_before")
    relative = contract.landing.file_of(night)
    path = landing / relative
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft_file = path.parent / f".{contract.id}.pull"
    try:
        pulled = _pull(contract, draft_file, state, state_folder, progress or _silent)
    except PullError as wrong:
        kept = read_state(state_folder, contract).draft if wrong.keeps_draft else None
        if kept is None:
            draft_file.unlink(missing_ok=True)
        write_state(state_folder, contract, replace(state, failure=str(wrong), failed_night=night, draft=kept))
        return Extraction(contract.id, "failed", detail=str(wrong))
    put_in_place(draft_file, path)
    write_state(state_folder, contract, PullState(state.fingerprint, pulled.cursor, night))
    return Extraction(contract.id, "delivered", relative, pulled.rows)


def _pull(contract: Contract, draft_file: Path, state: PullState, state_folder: Path, say: Callable[[str], None]) -> Pulled:
    pull = contract.pull
    assert pull is not None
    address = os.environ[pull.server]
    say(f"{contract.id}: pulling from the server in {pull.server}")
    try:
        if pull.kind == "sql":
            return pull_table(contract, address, draft_file, state.cursor, say)

        def remember(draft: Draft) -> None:
            write_state(state_folder, contract, replace(state, draft=draft))

        token = os.environ.get(pull.token.variable) if pull.token else None
        return pull_pages(contract, address, token, draft_file, state.cursor, state.draft, remember, say)
    except PullError as wrong:
        raise PullError(f"the server in {pull.server}: {wrong}", keeps_draft=wrong.keeps_draft) from None
    except (OSError, MemoryError):
        raise
    except Exception as wrong:
        detail = f"stopped by an unexpected {type(wrong).__name__} in the program, not by the server; please report it"
        raise PullError(detail) from None


def _silent(text: str) -> None:
    """The progress of a caller who asks for none."""
