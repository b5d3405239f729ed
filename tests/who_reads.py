"""What of a home can be read and written by whom, worked out from the modes of everything in it as the kernel does."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

GROUP, STRANGERS = 3, 0
"""By how many bits the rights of each are shifted."""


def readable(root: Path, by: int) -> set[str]:
    """The files below ``root`` that they may read."""
    return {p.relative_to(root).as_posix() for p in _reached(root, by) if p.is_file() and _may(p, by, stat.S_IROTH)}


def writable(root: Path, by: int) -> set[str]:
    """The folders in which, and the files to which, they may write."""
    return {p.relative_to(root).as_posix() for p in _reached(root, by) if _may(p, by, stat.S_IWOTH)}


def files_below(root: Path, *names: str) -> set[str]:
    """Every file of these entries of a home, by its own name and not by a link's."""
    below = (p for name in names for p in (root / name, *(root / name).rglob("*")))
    return {p.relative_to(root).as_posix() for p in below if p.is_file() and not any(q.is_symlink() for q in (p, *p.parents))}


def _reached(path: Path, by: int) -> Iterator[Path]:
    """A path and all below it to which every folder on the way lets them through."""
    if path.is_symlink():
        return
    yield path
    if path.is_dir() and _may(path, by, stat.S_IXOTH):
        for entry in path.iterdir():
            yield from _reached(entry, by)


def _may(path: Path, by: int, right: int) -> bool:
    return bool(path.stat().st_mode >> by & right)
