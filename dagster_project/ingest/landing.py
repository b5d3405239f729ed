"""Landing: which delivered files belong to a source, and which cannot be taken and why. Nothing in landing is ever written to."""

from __future__ import annotations

import calendar
import datetime as dt
import errno
import fcntl
import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from dagster_project.contracts.model import BatchDate, Contract
from dagster_project.contracts.patterns import find

TEMPORARY_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
TEMPORARY_PREFIXES = (".", "~$")
_DAY_DIRECTIVES = frozenset("djxcDFuwaA")
_MONTH_DIRECTIVES = frozenset("mbB")

Reason = Literal["link_outside", "broken_link", "unreadable", "not_a_file", "undatable", "still_written"]


@dataclass(frozen=True)
class DeliveredFile:
    """One delivered file as it stood when it was found. ``relative_path`` is below landing, with '/'; ``path`` is the file itself,
    where the one below landing is a link to another place in landing.
    """

    source_id: str
    batch_date: dt.date
    path: Path
    relative_path: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class RefusedFile:
    """A file (or a folder that cannot be searched) of the source that is not taken. ``detail`` says what to do about it."""

    source_id: str
    path: Path
    relative_path: str
    reason: Reason
    detail: str

    @property
    def waiting(self) -> bool:
        """It is still being written: nothing is wrong, it is looked at again next time."""
        return self.reason == "still_written"


def discover(contract: Contract, landing: Path, *, now: float | None = None) -> tuple[list[DeliveredFile], list[RefusedFile]]:
    """Find the files of a source, ordered by batch date and path, and those that match its glob but cannot be taken.

    Files being written are not taken: names of unfinished transfers (``.tmp``, ``.part``, ``.filepart``, … and dot files) are passed
    over, files that a process holds open for writing or that changed within ``settle_seconds`` of ``now`` (seconds since 1970, the
    present if None) are refused as waiting.
    """
    delivered: list[DeliveredFile] = []
    refused: list[RefusedFile] = []
    root = landing.resolve()
    clock = time.time() if now is None else now
    pattern = tuple(part for part in contract.landing.glob.split("/") if part not in {"", "."})
    for found in _search(root, "", pattern or ("*",)):
        taken = _take(contract, root, found, clock)
        if isinstance(taken, DeliveredFile):
            delivered.append(taken)
        elif taken is not None:
            refused.append(taken)
    delivered = list({file.relative_path: file for file in delivered}.values())
    refused = list({file.relative_path: file for file in refused}.values())
    return sorted(delivered, key=lambda f: (f.batch_date, f.relative_path)), sorted(refused, key=lambda f: f.relative_path)


def still_same(file: DeliveredFile) -> bool:
    """Whether size and modification time are as they were when the file was found; asked after reading it."""
    try:
        status = file.path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (file.bytes, file.mtime_ns)


def batch_date(batch: BatchDate, relative_path: str) -> dt.date:
    """The date of the batch that a file belongs to: a month is its last day, a year its 31 December, an ISO week its Sunday.

    Raises ValueError, saying what was looked for, when the path holds no such date.
    """
    if batch.constant is not None:
        return batch.constant
    assert batch.path is not None and batch.format is not None
    match = find(batch.path, relative_path)
    if match is None or match[1] is None:
        raise ValueError(f"the path does not match '{batch.path}' (landing.batch.path)")
    directives = set(re.findall(r"%([A-Za-z])", batch.format))
    text, format = match[1], batch.format
    if directives >= {"G", "V"} and not directives & _DAY_DIRECTIVES:
        text, format, directives = f"{text} 7", f"{format} %u", directives | {"u"}
    try:
        parsed = dt.datetime.strptime(text, format).date()
    except ValueError:
        raise ValueError(f"'{text}' in the path is no date of the format '{format}' (landing.batch.format)") from None
    if directives & _DAY_DIRECTIVES:
        return parsed
    if directives & _MONTH_DIRECTIVES:
        return parsed.replace(day=calendar.monthrange(parsed.year, parsed.month)[1])
    return parsed.replace(month=12, day=31)


@dataclass(frozen=True)
class _Found:
    """A match of the glob; ``error`` if it cannot even be listed."""

    path: Path
    relative_path: str
    error: OSError | None = None


def _search(folder: Path, prefix: str, pattern: tuple[str, ...]) -> Iterator[_Found]:
    """Match a glob part by part. Unlike pathlib's, a folder that cannot be read is reported, not passed over; links to folders are
    followed only where a part of the pattern names them, never by '**'.
    """
    part, rest = pattern[0], pattern[1:]
    if part == "**":
        yield from _search(folder, prefix, rest or ("*",))
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield _Found(folder, prefix.rstrip("/") or ".", error)
        return
    for entry in entries:
        name = _readable_name(entry.name)
        if name.startswith(TEMPORARY_PREFIXES) or name.lower().endswith(TEMPORARY_SUFFIXES):
            continue
        if part == "**":
            if entry.is_dir(follow_symlinks=False):
                yield from _search(Path(entry.path), f"{prefix}{name}/", pattern)
        elif fnmatchcase(name, part):
            if not rest:
                yield _Found(Path(entry.path), prefix + name)
            elif _leads_to_folder(entry):
                yield from _search(Path(entry.path), f"{prefix}{name}/", rest)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _readable_name(name: str) -> str:
    """A file name as text; names that are not UTF-8 come from systems that write GBK."""
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        raw = os.fsencode(name)
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError:
        return raw.decode("ascii", "backslashreplace")


def _take(contract: Contract, root: Path, found: _Found, now: float) -> DeliveredFile | RefusedFile | None:
    """Look at one match; None for a folder."""

    def refuse(reason: Reason, detail: str) -> RefusedFile:
        return RefusedFile(contract.id, found.path, found.relative_path, reason, detail)

    if found.error is not None:
        return refuse("unreadable", f"the folder cannot be searched ({found.error.strerror}); give the pool's user the right to read it")
    try:
        real = found.path.resolve(strict=True)
    except (OSError, RuntimeError):
        return refuse("broken_link", "is a link that leads nowhere; deliver the file itself")
    if not real.is_relative_to(root):
        return refuse("link_outside", "is, or lies behind, a link that points out of landing; deliver the file itself")
    try:
        status = real.stat()
    except OSError as error:
        return refuse("unreadable", f"cannot be looked at ({error.strerror})")
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return refuse("not_a_file", "is a pipe, socket or device, not a file")
    try:
        date = batch_date(contract.landing.batch, found.relative_path)
    except ValueError as error:
        return refuse("undatable", f"{error}; rename the file or correct the contract")
    if 0 <= now - status.st_mtime < contract.landing.settle_seconds:  # a time to come says nothing: a clock was wrong, here or there
        settle = f"{contract.landing.settle_seconds} s ago (settle_seconds)"
        return refuse("still_written", f"was changed less than {settle}; it is taken once it rests")
    try:
        if _open_for_writing(real):
            return refuse("still_written", "is held open for writing by another process; it is taken once that has closed it")
    except OSError as error:
        return refuse("unreadable", f"cannot be opened ({error.strerror}); give the pool's user the right to read it")
    return DeliveredFile(contract.id, date, real, found.relative_path, status.st_size, status.st_mtime_ns)


def _open_for_writing(path: Path) -> bool:
    """Whether a process of this machine has the file open for writing: the kernel then refuses a read lease on it.

    Where leases are not to be had (files of another owner, network file systems) the answer is False. Raises OSError if the file
    cannot be opened for reading.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # A writer that comes while the lease is held makes the kernel send SIGIO, which ends a process; SIGURG does nothing.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False
