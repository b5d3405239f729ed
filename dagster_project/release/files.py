"""Files that stay as they were written: flushed to the disk, read-only, and moved into place by one rename."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from dagster_project.rights import Audience

DRAFT = ".draft-"


def flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seal(folder: Path, readers: Audience) -> None:
    """Make every file of a folder read-only and durable, for those who are to read it."""
    for file in folder.iterdir():
        file.chmod(readers.file)
        flush(file)
    folder.chmod(readers.folder)
    flush(folder)


def move_into_place(draft: Path, final: Path) -> None:
    """Give a finished folder its name, durably; readers see it whole or not at all."""
    draft.rename(final)
    flush(final.parent)


def link_or_copy(file: Path, target: Path) -> None:
    """Share a file that never changes; a copy where the disk cannot."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


def point(link: Path, target: str) -> None:
    """Let a symbolic link point to ``target`` (relative to its folder) from one moment to the next."""
    draft = link.with_name(f"{DRAFT}{link.name}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)
    flush(link.parent)


def sweep(folders: Iterable[Path]) -> int:
    """Remove the drafts that a killed run left; returns how many."""
    swept = 0
    for folder in folders:
        for leftover in folder.glob(f"{DRAFT}*") if folder.is_dir() else ():
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
            swept += 1
    return swept
