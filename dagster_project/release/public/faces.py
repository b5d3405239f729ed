"""The public releases of a home: which there are, which one readers have, and which are withdrawn."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dagster_project.audit.candidate import sha256_of
from dagster_project.home import Home
from dagster_project.ledger import record
from dagster_project.release.files import DRAFT, flush, move_into_place, point, seal
from dagster_project.release.public.database import DATABASE, PublicError, write_notice
from dagster_project.release.record import Withdrawal, versions_in
from dagster_project.rights import ANYBODY

MANIFEST = "manifest.json"
CURRENT = "current"
NOTICE = "withdrawn"
"""The folder that readers have when every public release is withdrawn."""


@dataclass(frozen=True)
class PublicFace:
    """A public release on disk."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def version(self) -> str:
        return str(self.manifest["version"])

    @property
    def month_end(self) -> dt.date:
        return dt.date.fromisoformat(self.manifest["month_end"])

    @property
    def next_revision(self) -> dt.date:
        return dt.date.fromisoformat(self.manifest["next_revision"])

    @property
    def included(self) -> frozenset[str]:
        """The products that were fresh when they were made public up to this month end."""
        return frozenset(self.manifest["included"])

    @property
    def holds(self) -> frozenset[str]:
        """The releases whose figures it prints."""
        return frozenset(self.manifest["holds"])

    @property
    def figures(self) -> Mapping[str, int]:
        return dict(self.manifest["figures"])

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    @cached_property
    def withdrawn(self) -> str:
        """Why nobody is served from it any more; empty when it stands. A withdrawal that cannot be read is one all the same."""
        file = withdrawal_file(self.path.parent, self.version)
        if not file.exists():
            return ""
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return f"for a reason that cannot be read ({file})"


def withdrawal_file(folder: Path, version: str) -> Path:
    return folder / f"{version}.withdrawn.json"


def _read(folder: Path) -> PublicFace:
    try:
        return PublicFace(folder, json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise PublicError(
            f"{folder / MANIFEST} cannot be read ({type(error).__name__}): the public release is damaged, restore it from a backup"
        ) from None


def public_versions(home: Home) -> list[str]:
    """The public releases that have a folder, readable or not, the oldest first."""
    return versions_in(home.public)


def list_faces(home: Home) -> list[PublicFace]:
    """Every public release, the oldest first, withdrawn ones too. One that is damaged is passed over: ``damaged_faces`` says so."""
    faces = []
    for version in public_versions(home):
        with contextlib.suppress(PublicError):
            faces.append(_read(home.public / version))
    return faces


def damaged_faces(home: Home) -> list[str]:
    """Of each public release whose manifest cannot be read, what is wrong and what to do."""
    found = []
    for version in public_versions(home):
        try:
            _read(home.public / version)
        except PublicError as problem:
            found.append(str(problem))
    return found


def current_face(home: Home) -> PublicFace | None:
    """The public release that readers have; None when nothing is public. Raises PublicError when it is damaged."""
    link_to = home.public / CURRENT
    name = link_to.readlink().name if link_to.is_symlink() else NOTICE
    return None if name == NOTICE else _read(home.public / name)


def settle_current(home: Home) -> None:
    """Let readers have the newest public release that is not withdrawn, else a notice; to be called under the writer's lock.

    While one is damaged nothing moves: nobody knows what it printed.
    """
    if damaged_faces(home):
        return
    faces = list_faces(home)
    standing = [face for face in faces if not face.withdrawn]
    link_to, notice = home.public / CURRENT, home.public / NOTICE
    now = link_to.readlink().name if link_to.is_symlink() else None
    if standing:
        if standing[-1].version != now:
            point(link_to, standing[-1].version)
        if notice.is_dir():
            shutil.rmtree(notice)
    elif faces and now != NOTICE:
        _write_notice(home, faces[-1])
        point(link_to, NOTICE)


def _write_notice(home: Home, withdrawn: PublicFace) -> None:
    """A folder in the place of a public release, with a database that holds no figure and says why there is none."""
    notice, draft = home.public / NOTICE, home.public / f"{DRAFT}{NOTICE}"
    for left in (draft, notice):
        shutil.rmtree(left, ignore_errors=True)
    draft.mkdir(mode=0o700)
    told = {
        "version": withdrawn.version,
        "as_of": withdrawn.manifest["as_of"],
        "month_end": withdrawn.month_end,
        "status": "withdrawn",
        "kpi_rows": 0,
        "suppressed_rows": 0,
        "revised_pending_rows": 0,
        "next_revision": withdrawn.next_revision,
        "reason": withdrawn.withdrawn,
    }
    write_notice(draft / DATABASE, _sound(withdrawn), [{**told, "product": product} for product in sorted(withdrawn.included)])
    seal(draft, ANYBODY)
    move_into_place(draft, notice)


def _sound(face: PublicFace) -> Path | None:
    """The database of a public release, if it is as it was written."""
    try:
        verify_face(face)
    except PublicError:
        return None
    return face.database


def withdraw_faces(home: Home, withdrawals: Mapping[str, Withdrawal]) -> None:
    """Withdraw every public release that prints figures of a withdrawn internal one, by version; under the writer's lock."""
    for face in list_faces(home) if withdrawals else ():
        because = next((withdrawals[version] for version in sorted(face.holds) if version in withdrawals), None)
        if because is None or face.withdrawn:
            continue
        file = withdrawal_file(home.public, face.version)
        draft = file.with_name(f"{DRAFT}{file.name}")
        at = because.at.isoformat() if because.at else None
        told = {"version": face.version, "reason": because.reason, "figures_of": because.version, "at": at}
        draft.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        draft.chmod(ANYBODY.file)
        flush(draft)
        draft.replace(file)
        flush(file.parent)
        record(home, "public", {"version": face.version, "withdrawn": because.reason})
    settle_current(home)


def verify_face(face: PublicFace) -> None:
    """Raise PublicError, naming the file, when a public release does not hold the bytes that its manifest names."""
    for name, expected in face.manifest["files"].items():
        file = face.path / name
        if not file.is_file():
            raise PublicError(f"public release {face.version} is damaged: {file} is missing")
        if sha256_of(file) != expected:
            raise PublicError(f"public release {face.version} is damaged: {file} was altered")
