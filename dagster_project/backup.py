"""Backups of a home: snapshots of everything that cannot be made anew, each whole, unchanged files shared by hard links.

A snapshot is taken while no run writes and gets its name only once it is on the disk. It holds what a home must not lose: settings, key,
receipts, pool, quarantine, state of pulls, bundles, releases, ledger, and landing where that lies in the home. What a run makes anew
(the warehouse, scratch, Dagster's history) stays out. It holds the key and personal data in landing: keep it where only the pool's
user can read. An old snapshot may be removed with ``rm -r``; the others keep their files.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from dagster_project.audit.candidate import sha256_of
from dagster_project.home import FORMAT, Home, NewerHomeError
from dagster_project.ingest.pool import is_draft
from dagster_project.ledger import record
from dagster_project.release.files import DRAFT, flush, link_or_copy, move_into_place, sweep

Say = Callable[[str], None]
SNAPSHOT = re.compile(r"^snapshot-(\d{6,})$")
LIST = "snapshot.json"
TREE = "home"


class BackupError(RuntimeError):
    """A backup that cannot be made or restored; the message says why."""


@dataclass(frozen=True)
class Kept:
    """One file of a snapshot: what it must hold to be restored, and by what the next snapshot tells that it is the same."""

    sha256: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Snapshot:
    """What a backup did. ``copied`` and ``linked`` count files."""

    folder: Path
    copied: int
    linked: int
    bytes_copied: int


def _left_out(home: Home) -> frozenset[Path]:
    return frozenset({home.warehouse, home.scratch, home.dagster, home.lock_file, home.run_lock_file})


def _files(home: Home) -> Iterator[Path]:
    """Files and links to be kept, drafts of killed runs and SQLite's companions left out."""
    left_out = _left_out(home)
    for folder, folders, files in os.walk(home.root):
        here = Path(folder)
        folders[:] = sorted(f for f in folders if here / f not in left_out and not f.startswith(DRAFT) and not (here / f).is_symlink())
        links = (p for p in here.iterdir() if p.is_symlink())
        for path in sorted({*(here / name for name in files), *links}):
            if path not in left_out and not is_draft(path) and not path.name.startswith((DRAFT, f"{home.receipts.name}-")):
                yield path


def snapshots(target: Path) -> list[Path]:
    """The whole snapshots of a backup folder, oldest first."""
    found = [p for p in target.iterdir() if p.is_dir() and SNAPSHOT.match(p.name)] if target.is_dir() else []
    return sorted(found, key=lambda p: int(p.name.rpartition("-")[2]))


def _listed(snapshot: Path) -> dict[str, Kept]:
    try:
        raw = json.loads((snapshot / LIST).read_text(encoding="utf-8"))
        return {name: Kept(**kept) for name, kept in raw["files"].items()}
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise BackupError(f"{snapshot / LIST} cannot be read ({type(problem).__name__}): this snapshot is damaged, use another") from None


def backup(home: Home, target: Path, say: Say | None = None) -> Snapshot:
    """Take a snapshot of a home into ``target``, a folder outside of it; waits for a run that is under way.

    Raises BackupError, HomeBusyError, OSError (the disk is full: nothing of the snapshot is left then).
    """
    tell = say or (lambda _: None)
    target = target.resolve()
    if not home.settings_file.exists():
        raise BackupError(f"{home.root} is no home that has been run: {home.settings_file.name} is missing")
    if target.is_relative_to(home.root):
        raise BackupError(f"{target} lies in the home that is to be backed up: name a folder elsewhere, better on another disk")
    with home.running("backup", say=tell), home.writing("backup"):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep([target])
        earlier = snapshots(target)
        number = int(earlier[-1].name.rpartition("-")[2]) + 1 if earlier else 1
        name = f"snapshot-{number:06d}"
        draft = target / f"{DRAFT}{name}"
        try:
            taken = _take(home, draft, earlier[-1] if earlier else None)
            move_into_place(draft, target / name)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        record(home, "backup", {"snapshot": name, "copied": taken.copied, "linked": taken.linked})
    return Snapshot(target / name, taken.copied, taken.linked, taken.bytes_copied)


def _take(home: Home, draft: Path, last: Path | None) -> Snapshot:
    known: Mapping[str, Kept] = _listed(last) if last else {}
    listed: dict[str, Kept] = {}
    placed: dict[tuple[int, int], str] = {}
    copied = linked = copied_bytes = 0
    for path in _files(home):
        name = path.relative_to(home.root).as_posix()
        place = draft / TREE / name
        _make_folders(home.root, path.parent, draft / TREE)
        if path.is_symlink():
            place.symlink_to(path.readlink())
            continue
        if path == home.receipts:
            _copy_database(path, place)
        elif (shared := _already_kept(draft, placed.get(_inode(path)), listed) or _in_last(last, name, path, known)) is not None:
            link_or_copy(shared[0], place)
            flush(place)
            listed[name] = shared[1]
            placed[_inode(path)] = name
            linked += 1
            continue
        else:
            shutil.copy2(path, place)
        placed[_inode(path)] = name
        status = path.stat()
        flush(place)
        listed[name] = Kept(sha256_of(place), place.stat().st_size, status.st_mtime_ns)
        copied += 1
        copied_bytes += listed[name].bytes
    about = {
        "format": FORMAT,
        "taken": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        "home": str(home.root),
        "files": {name: asdict(kept) for name, kept in sorted(listed.items())},
    }
    (draft / LIST).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    flush(draft / LIST)
    return Snapshot(draft, copied, linked, copied_bytes)


def _make_folders(root: Path, folder: Path, tree: Path) -> None:
    """The folder in the snapshot, and those above it, as private as in the home."""
    chain = [folder, *folder.parents]
    for part in reversed(chain[: chain.index(root) + 1]):
        place = tree / part.relative_to(root)
        if not place.is_dir():
            place.mkdir(parents=True)
            place.chmod(part.stat().st_mode & 0o777 | 0o700)


def _inode(path: Path) -> tuple[int, int]:
    """What two names of one file have in common."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _already_kept(draft: Path, name: str | None, listed: Mapping[str, Kept]) -> tuple[Path, Kept] | None:
    """The copy in this snapshot of a file that the home has under two names."""
    return None if name is None else (draft / TREE / name, listed[name])


def _in_last(last: Path | None, name: str, path: Path, known: Mapping[str, Kept]) -> tuple[Path, Kept] | None:
    """The copy in the last snapshot, where size and time of change are the same; None where the file must be copied."""
    kept, status = known.get(name), path.stat()
    if last is None or kept is None or (status.st_size, status.st_mtime_ns) != (kept.bytes, kept.mtime_ns):
        return None
    earlier = last / TREE / name
    return (earlier, kept) if earlier.is_file() and earlier.stat().st_size == kept.bytes else None


def _copy_database(source: Path, place: Path) -> None:
    """A consistent copy of SQLite's file, whatever stands in its journal."""
    try:
        with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(place)) as copy:
            original.backup(copy)
            copy.execute("pragma journal_mode = delete")
    except sqlite3.Error as problem:
        raise BackupError(f"{source} cannot be copied to {place.parent}: {problem}") from None
    place.chmod(source.stat().st_mode & 0o777)


def restore(source: Path, home: Home) -> int:
    """Make a new home from a snapshot, or from the newest one of a backup folder; returns how many files it holds.

    Every file is compared with its checksum before the home gets its name. Raises BackupError; NewerHomeError when the snapshot is of newer
    code than this.
    """
    chosen = source if SNAPSHOT.match(source.resolve().name) else next(iter(reversed(snapshots(source))), None)
    if chosen is None:
        raise BackupError(f"{source} holds no snapshot; name a folder that 'pool backup' wrote")
    if home.root.exists() and any(home.root.iterdir()):
        raise BackupError(f"{home.root} is not empty: a backup is restored into a new home")
    listed = _listed(chosen)
    found = int(json.loads((chosen / LIST).read_text(encoding="utf-8"))["format"])
    if found > FORMAT:
        raise NewerHomeError(chosen, found)
    draft = home.root.with_name(f"{DRAFT}{home.root.name}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(mode=0o700)  # nobody may read a key or a person on their way to folders that are closed again
        shutil.copytree(chosen / TREE, draft, symlinks=True, dirs_exist_ok=True)
        for name, kept in listed.items():
            if not (draft / name).is_file() or sha256_of(draft / name) != kept.sha256:
                raise BackupError(f"{chosen / TREE / name} is missing or was altered: this snapshot is damaged, use another")
            flush(draft / name)
        if home.root.exists():
            home.root.rmdir()
        move_into_place(draft, home.root)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    home.ensure()
    record(home, "restore", {"snapshot": chosen.name, "files": len(listed)})
    return len(listed)
