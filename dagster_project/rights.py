"""Who may read what of a home: its owner everything, the owner's group the releases, anybody the public releases.

Folders are the walls: nobody passes the one that he may not enter, whatever the files below allow. Rights are only ever taken away here,
so that an owner who closes more than is asked for finds it closed the next day.

Belongs here: the rights of a home's own entries. Does not belong here: landing elsewhere, backups.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = 0o751
"""Of the home itself: its group sees what there is, others reach what they know by name."""
SETTINGS = 0o640
FOR_OWNER_ALONE = 0o700
FOR_NO_STRANGER = 0o770
OF_STRANGERS = 0o007


@dataclass(frozen=True)
class Audience:
    """Who reads a folder that is finished: the modes of the folder and of its files."""

    folder: int
    file: int


OWNER = Audience(0o700, 0o400)
GROUP = Audience(0o750, 0o440)
ANYBODY = Audience(0o755, 0o444)


def create_private(file: Path) -> None:
    """Let a file exist for its owner alone before anything is written to it, whatever the process would allow others."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))


def close(root: Path, private: frozenset[Path], public: Path) -> None:
    """Take away what a home's entries allow too much: others nothing but ``public``, the group nothing of ``private``.

    What another account owns stays as it is; ``open_to_strangers`` finds it.
    """
    _limit(root, ROOT)
    for entry in root.iterdir():
        if entry != public:
            _limit(entry, FOR_OWNER_ALONE if entry in private else FOR_NO_STRANGER)


def _limit(path: Path, most: int) -> None:
    about = _status(path)
    if about is None:
        return
    mode = stat.S_IMODE(about.st_mode)
    if mode & ~most and os.geteuid() in (0, about.st_uid):
        with suppress(FileNotFoundError):  # gone since
            path.chmod(mode & most)


def _status(path: Path) -> os.stat_result | None:
    """Of the entry itself; None of a link, which has no rights of its own, and of what another process has just removed."""
    try:
        about = path.lstat()
    except FileNotFoundError:
        return None
    return None if stat.S_ISLNK(about.st_mode) else about


def open_to_strangers(root: Path, public: Path) -> Iterator[str]:
    """What others than the owner and the group may read, write or enter in a home besides what is public, in words."""
    if root.is_dir() and stat.S_IMODE(root.stat().st_mode) & OF_STRANGERS & ~ROOT:
        yield f"{root} lets anybody see what there is; chmod 751 it"
    for entry in sorted(root.iterdir()) if root.is_dir() else ():
        about = _status(entry)
        if entry != public and about is not None and about.st_mode & OF_STRANGERS:
            yield f"{entry} is open to anybody; chmod o-rwx it"
