"""How far each source has been pulled: one small JSON file per source in the home, replaced in one step."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from dagster_project.contracts.model import Contract
from dagster_project.extract.columns import request_of


@dataclass(frozen=True)
class Pulled:
    """What a pull brought: rows, and the highest cursor seen so far."""

    rows: int
    cursor: str | None


@dataclass(frozen=True)
class Draft:
    """Pages of an unfinished pull: ``position`` is what to ask for next, ``bytes`` how much of the draft file is whole pages."""

    since: str | None
    position: str
    bytes: int
    rows: int
    newest: str | None
    last_page: str


@dataclass(frozen=True)
class PullState:
    """``fingerprint`` names what was asked; ``cursor`` the highest seen; ``night`` the last one delivered; ``failure`` what ended the
    last attempt, and ``failed_night`` for which night.
    """

    fingerprint: str
    cursor: str | None = None
    night: dt.date | None = None
    failure: str = ""
    failed_night: dt.date | None = None
    draft: Draft | None = None


def is_connected(contract: Contract) -> bool:
    """Whether this home has been told where the source is to be pulled from."""
    return contract.pull is not None and bool(os.environ.get(contract.pull.server))


def fingerprint_of(contract: Contract) -> str:
    """Equal as long as a pull asks the same of the same columns: another question starts from the beginning."""
    assert contract.pull is not None
    asked = [contract.pull.model_dump(mode="json"), dataclasses.astuple(request_of(contract))]
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]


def read_state(folder: Path, contract: Contract) -> PullState:
    """What is remembered of a source; nothing, when the contract now asks something else."""
    fingerprint = fingerprint_of(contract)
    path = folder / f"{contract.id}.json"
    if not path.is_file():
        return PullState(fingerprint)
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["fingerprint"] != fingerprint:
        return PullState(fingerprint)
    draft = document["draft"]
    return PullState(
        fingerprint,
        document["cursor"],
        _date(document["night"]),
        document["failure"],
        _date(document["failed_night"]),
        Draft(**draft) if draft else None,
    )


def failure_of(contract: Contract, state_folder: Path, night: dt.date) -> str:
    """Why the pull of a night came to nothing; '' if it did not fail."""
    if contract.pull is None:
        return ""
    state = read_state(state_folder, contract)
    return state.failure if state.failed_night == night else ""


def write_state(folder: Path, contract: Contract, state: PullState) -> None:
    """Remember; a reader sees the old state or the new one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{contract.id}.json"
    document = json.dumps(dataclasses.asdict(state), ensure_ascii=False, indent=1, default=str) + "\n"
    draft = path.with_suffix(".tmp")
    with draft.open("w", encoding="utf-8") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
