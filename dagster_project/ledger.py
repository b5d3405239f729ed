"""The ledger of a home: what was run, published, switched, withdrawn, waived, asked and removed, when and by whom.

``ledger/log.ndjson`` is only ever appended to. Every entry carries the hash of the one before and its own, so that a changed, missing
or moved entry shows; ``ledger/head.json`` and the manifest of every release keep the last hash that they knew, so that entries cut off
at the end show too. An entry is written under a lock on the log itself, in one write, and is on the disk before its writer goes on.

Belongs here: the log alone. Does not belong here: what the entries mean to releases. No personal value may enter: texts that people
typed pass through ``masked`` or ``presentable_sql`` before.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
import pwd
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dagster_project.contracts.personal_values import MASK, masked
from dagster_project.home import Home, WrongPlaceError

Action = Literal[
    "run",
    "refusal",
    "failure",
    "publish",
    "switch",
    "withdrawal",
    "public",
    "waiver",
    "query",
    "key",
    "prune",
    "reproduction",
    "upgrade",
    "backup",
    "restore",
    "torn line",
    "break",
]

OF_LEDGER, OF_ENTRIES = 0o770, 0o660
"""The group writes too: what analysts ask is recorded."""
NOTHING_BEFORE = "0" * 64
LOCK_SECONDS = 30.0
TAIL_BYTES = 1 << 16
TORN = "torn"
PENDING = ".pending"
LONGEST_NUMBER = 8
SHORT_NUMBER_OR_DATE = re.compile(r"^\d{4}(-\d{2}){0,2}$|^\d{0,8}$", re.ASCII)
PLAIN_NAME = re.compile(r"^\w+$", re.ASCII)
SQL_PIECE = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"""
    r"""|(?P<quoted>\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)|[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z))"""
    r"""|[\w.]+(?:-\d\w*)*|[^\x00-\x7f]""",
    re.DOTALL,
)


class LedgerError(RuntimeError):
    """The ledger cannot be written or read; the message says why."""


@dataclass(frozen=True)
class Head:
    """The last entry that somebody knew of: how many there were, and the hash of the last."""

    entries: int = 0
    hash: str = NOTHING_BEFORE


@dataclass(frozen=True)
class Entry:
    """One thing that was done. ``about`` names what it concerned; ``before`` is the hash of the entry before."""

    number: int
    time: dt.datetime
    actor: str
    action: str
    about: Mapping[str, Any]
    before: str
    hash: str = field(default="")

    def content(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "time": self.time.isoformat(timespec="microseconds"),
            "actor": self.actor,
            "action": self.action,
            "about": dict(self.about),
            "before": self.before,
        }

    def line(self) -> bytes:
        return _canonical({**self.content(), "hash": self.hash}) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        """Raises ValueError, KeyError or TypeError when the line is no entry."""
        raw = json.loads(line)
        return cls(**{**raw, "time": dt.datetime.fromisoformat(raw["time"])})


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def actor() -> str:
    """The name of the account that runs this process, as the system knows it; its number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def record(home: Home, action: Action, about: Mapping[str, Any]) -> Entry:
    """Append one entry and wait until it is on the disk; ``about`` holds JSON values, by name.

    Raises LedgerError when it cannot be written: nothing was recorded then.
    """
    try:
        if not home.ledger.exists():
            home.make_root()
            home.ledger.mkdir(exist_ok=True)
            home.ledger.chmod(OF_LEDGER)
        with _locked(home) as log:
            _set_torn_line_aside(home, log)
            last = _last(log)
            known = _read_head(home)
            if known is not None and (known.entries > last.entries or (known.entries == last.entries and known.hash != last.hash)):
                found = {"expected": known.entries, "expected_hash": known.hash, "found": last.entries, "found_hash": last.hash}
                last = _append(home, log, last, "break", found)
            last = _record_torn_lines(home, log, last)
            _append(home, log, last, action, about)
            return _last_entry(log)
    except OSError as problem:
        raise LedgerError(f"{home.ledger} cannot be written: {problem.strerror or problem}") from None
    except WrongPlaceError as problem:
        raise LedgerError(str(problem)) from None


@contextmanager
def _locked(home: Home) -> Iterator[int]:
    is_new = not home.ledger_log.exists()
    log = os.open(home.ledger_log, os.O_RDWR | os.O_CREAT | os.O_APPEND, OF_ENTRIES)
    try:
        if is_new:
            os.fchmod(log, OF_ENTRIES)
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LedgerError(f"{home.ledger_log} has been locked by another process for {LOCK_SECONDS:.0f} s") from None
                time.sleep(0.005)
        yield log
    finally:
        os.close(log)


def _tail(log: int) -> bytes:
    """The last whole line without its end, and nothing before it; empty when there is none."""
    size = os.fstat(log).st_size
    taken = TAIL_BYTES
    while True:
        start = max(size - taken, 0)
        tail = os.pread(log, size - start, start)
        lines = tail.rstrip(b"\n").rsplit(b"\n", 1)
        if start == 0 or len(lines) == 2:
            return lines[-1]
        taken *= 2


def _last(log: int) -> Head:
    """The head of the log as it stands; a last line that is no entry is gone on from by the hash of its bytes."""
    line = _tail(log)
    if not line:
        return Head()
    try:
        entry = Entry.from_line(line)
        return Head(entry.number, entry.hash)
    except (ValueError, KeyError, TypeError):
        return Head(_lines(log), hashlib.sha256(line).hexdigest())


def _lines(log: int) -> int:
    with os.fdopen(os.dup(log), "rb") as stream:
        stream.seek(0)
        return sum(1 for _ in stream)


def _last_entry(log: int) -> Entry:
    return Entry.from_line(_tail(log))


def _append(home: Home, log: int, last: Head, action: Action, about: Mapping[str, Any]) -> Head:
    entry = Entry(last.entries + 1, dt.datetime.now(tz=dt.UTC), actor(), action, about, last.hash)
    entry = Entry(**{**entry.__dict__, "hash": _hash(entry.content())})
    size = os.fstat(log).st_size
    line = entry.line()
    try:
        if os.write(log, line) != len(line):
            raise OSError(None, "the disk is full")
        os.fsync(log)
    except OSError:
        os.ftruncate(log, size)
        raise
    head = Head(entry.number, entry.hash)
    _write_durably(home.ledger_head, _canonical(head.__dict__) + b"\n")
    return head


def _write_durably(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.tmp")
    with draft.open("wb") as stream:
        os.fchmod(stream.fileno(), OF_ENTRIES)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _set_torn_line_aside(home: Home, log: int) -> None:
    """What a killed writer left of its line goes to a file of its own before the log is cut to its last whole line."""
    size = os.fstat(log).st_size
    if size == 0 or os.pread(log, 1, size - 1) == b"\n":
        return
    everything = os.pread(log, size, 0)
    whole = everything.rfind(b"\n") + 1
    torn = everything[whole:]
    name = f"{TORN}-{hashlib.sha256(torn).hexdigest()[:12]}"
    _write_durably(home.ledger / f"{name}{PENDING}", torn)
    os.ftruncate(log, whole)
    os.fsync(log)


def _record_torn_lines(home: Home, log: int, last: Head) -> Head:
    for pending in sorted(home.ledger.glob(f"{TORN}-*{PENDING}")):
        torn = pending.read_bytes()
        kept = pending.with_suffix(".txt")
        about = {"file": kept.name, "bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}
        last = _append(home, log, last, "torn line", about)
        pending.replace(kept)
    return last


# ---- reading ----------------------------------------------------------------------------------------------------------


def _read_head(home: Home) -> Head | None:
    """What ``head.json`` says; None when it is missing or no head."""
    try:
        return Head(**json.loads(home.ledger_head.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _whole_lines(home: Home) -> tuple[list[bytes], bytes]:
    """The whole lines of the log, and what stands after the last."""
    try:
        content = home.ledger_log.read_bytes()
    except FileNotFoundError:
        return [], b""
    except OSError as problem:
        raise LedgerError(f"{home.ledger_log} cannot be read: {problem.strerror}") from None
    *lines, rest = content.split(b"\n")
    return lines, rest


def entries(home: Home) -> list[Entry]:
    """Every entry, oldest first. Raises LedgerError, naming the line, at one that cannot be read; ``check`` says what else is wrong."""
    found = []
    for place, line in enumerate(_whole_lines(home)[0], start=1):
        try:
            found.append(Entry.from_line(line))
        except (ValueError, KeyError, TypeError):
            raise LedgerError(f"{home.ledger_log}:{place}: this is no entry of a ledger") from None
    return found


def head(home: Home) -> Head:
    """The last entry of the log, for a manifest to keep."""
    lines, _ = _whole_lines(home)
    if not lines:
        return Head()
    try:
        last = Entry.from_line(lines[-1])
        return Head(last.number, last.hash)
    except (ValueError, KeyError, TypeError):
        return Head(len(lines), hashlib.sha256(lines[-1]).hexdigest())


def check(home: Home, known_elsewhere: Mapping[str, Head] | None = None) -> str:
    """What is wrong with the ledger, in words that name the first broken entry; empty when nothing is.

    ``known_elsewhere`` are heads that others kept (a release's manifest), by what they are to be called.
    """
    lines, rest = _whole_lines(home)
    kept = {home.ledger_head.name: kept_head} if (kept_head := _read_head(home)) else {}
    expected = {name: known for name, known in {**kept, **(known_elsewhere or {})}.items() if known.entries}
    if not lines and not rest:
        return f"{home.ledger_log} is missing, though {next(iter(expected))} knows entries of it" if expected else ""
    problem = _broken_chain(home, lines) or _broken_by_heads(home, lines, expected)
    if problem:
        return problem
    if rest:
        return f"{home.ledger_log} ends in {len(rest)} bytes of an unfinished entry; the next entry sets them aside and says so"
    if not kept:
        return f"{home.ledger_head} is missing: nobody would notice entries cut off at the end"
    return ""


def _broken_chain(home: Home, lines: list[bytes]) -> str:
    before = NOTHING_BEFORE
    for place, line in enumerate(lines, start=1):
        where = f"{home.ledger_log}:{place}"
        try:
            entry = Entry.from_line(line)
        except (ValueError, KeyError, TypeError):
            return f"{where}: this is no entry of a ledger"
        if entry.number != place:
            return f"{where}: entry {place} is missing, entry {entry.number} stands in its place"
        if entry.hash != _hash(entry.content()) or entry.line() != line + b"\n":
            return f"{where}: entry {entry.number} ({entry.action}) was altered after it was written"
        if entry.before != before:
            return f"{where}: entry {entry.number} ({entry.action}) does not follow the entry that stands before it"
        if entry.action == "break":
            return (
                f"{where}: on {entry.time:%Y-%m-%d %H:%M} the log held {entry.about['found']} entries instead of {entry.about['expected']}"
            )
        before = entry.hash
    return ""


def _broken_by_heads(home: Home, lines: list[bytes], expected: Mapping[str, Head]) -> str:
    for name, known in expected.items():
        if known.entries > len(lines):
            return f"{home.ledger_log}: {name} knows of {known.entries} entries, the log ends after {len(lines)}: its end was cut off"
        if Entry.from_line(lines[known.entries - 1]).hash != known.hash:
            return f"{home.ledger_log}:{known.entries}: entry {known.entries} is another than the one that {name} knows"
    return ""


# ---- texts ------------------------------------------------------------------------------------------------------------


def presentable_sql(sql: str, known: Collection[str]) -> str:
    """A query as the ledger keeps it: what could name a person is masked.

    Kept are words of the language and names of ASCII letters, dates, numbers of up to 8 digits, and texts that are ``known`` (codes and
    names that the release itself prints); every other text, number and comment becomes ``▒``.
    """

    def presentable(piece: re.Match[str]) -> str:
        text = piece[0]
        if piece["comment"]:
            return f"/* {MASK} */"
        if piece["quoted"]:
            quote = text[0] if text[0] in "'\"" else "'"
            inside = text[1:-1].replace(quote * 2, quote)
            is_name = quote == '"' and PLAIN_NAME.match(inside)
            kept = text[0] == quote and (is_name or inside in known or SHORT_NUMBER_OR_DATE.match(inside))
            return text if kept else f"{quote}{MASK}{quote}"
        return text if text.isascii() and sum(c.isdigit() for c in text) <= LONGEST_NUMBER else MASK

    return masked(SQL_PIECE.sub(presentable, sql).strip())
