"""Where everything that a pool owns lives: the folders of a home, its format, and the locks that one writer holds.

No other module spells a path inside a home. Two locks, both the kernel's, which releases them however a process ends: ``writing`` is held
by a step while it writes, ``running`` by a run from its first step to its last, so that the steps of two nights never mix.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project import rights
from dagster_project.refused import words_of

DEFAULT_HOME = Path("data")
LANDING = "landing"
DEFAULT_GROUPS = ("city",)
FORMAT = 2
"""Of the folders and files of a home; ``upgrade`` brings an older home to it, older code refuses a newer one."""
WAIT_SECONDS = 600.0
NOT_IN_A_PATH = frozenset("?#%*[\\")
"""Dagster takes its databases for addresses (? # %), DuckDB its files for patterns (* [ \\): they would be looked for, or made, elsewhere."""

_runs_of_this_process: set[Path] = set()


class HomeBusyError(RuntimeError):
    """Another process is writing to this home; the message names it."""


class NewerHomeError(RuntimeError):
    """The home was written by newer code than this."""

    def __init__(self, root: Path, found: int) -> None:
        super().__init__(
            f"{root} has format {found}, this release of the project knows {FORMAT}: run the newer release, or restore a backup"
        )


class UnreadableSettingsError(ValueError):
    """``home.json`` cannot be read; the message says where and what to do."""


class WrongPlaceError(ValueError):
    """A home cannot be where it was named; the message says why."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock of a home; one that is not ``at_work`` was killed, or its machine stopped, before it could let go."""

    words: str
    at_work: bool

    def __str__(self) -> str:
        return f"{'at work' if self.at_work else 'killed at work'}: {self.words}"


@dataclass(frozen=True)
class Home:
    """The folders of one pool. ``landing`` may lie elsewhere; nothing in it is ever changed, and only pulls add to it."""

    root: Path
    landing: Path

    @classmethod
    def at(cls, root: str | Path | None = None, landing: str | Path | None = None) -> Home:
        """Resolve a home: explicit paths first, then POOL_HOME and POOL_LANDING, then ``./data``. Raises WrongPlaceError."""
        chosen_root = Path(root or os.environ.get("POOL_HOME") or DEFAULT_HOME).resolve()
        if found := sorted({*str(chosen_root)} & NOT_IN_A_PATH):
            raise WrongPlaceError(f"{chosen_root} cannot be a home: rename the folder whose name holds {' '.join(found)}")
        if file := _file_in(chosen_root):
            raise WrongPlaceError(f"{chosen_root} cannot be a home: {'it' if file == chosen_root else file} is no folder")
        given_landing = landing or os.environ.get("POOL_LANDING")
        chosen_landing = Path(given_landing).resolve() if given_landing else chosen_root / LANDING
        if file := _file_in(chosen_landing):
            raise WrongPlaceError(
                f"{chosen_landing} cannot be a landing: {'it' if file == chosen_landing else file} is no folder; "
                "name the folder of the deliveries (--landing or POOL_LANDING)"
            )
        return cls(chosen_root, chosen_landing)

    @property
    def pool(self) -> Path:
        return self.root / "pool"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def receipts(self) -> Path:
        return self.root / "receipts.sqlite"

    @property
    def pulls(self) -> Path:
        return self.root / "pulls"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse"

    @property
    def candidate(self) -> Path:
        return self.warehouse / "candidate.duckdb"

    @property
    def dbt_target(self) -> Path:
        return self.warehouse / "dbt_target"

    @property
    def bundles(self) -> Path:
        return self.root / "bundles"

    @property
    def published(self) -> Path:
        return self.root / "published"

    @property
    def current(self) -> Path:
        return self.published / "current"

    @property
    def public(self) -> Path:
        """What anybody may read: the public releases, and nothing else."""
        return self.root / "public"

    @property
    def withheld(self) -> Path:
        """What the public releases do not tell: for the owner alone."""
        return self.root / "withheld"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    @property
    def ledger_log(self) -> Path:
        return self.ledger / "log.ndjson"

    @property
    def ledger_head(self) -> Path:
        return self.ledger / "head.json"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def lock_file(self) -> Path:
        return self.root / ".writer.lock"

    @property
    def run_lock_file(self) -> Path:
        return self.root / ".run.lock"

    @property
    def last_run_log(self) -> Path:
        return self.root / "last_run.log"

    @property
    def settings_file(self) -> Path:
        return self.root / "home.json"

    @property
    def waivers(self) -> Path:
        return self.root / "waivers.yaml"

    def ensure(self) -> Home:
        """Create the folders that must exist before a run, and let nobody read more of the home than he shall (``rights``).

        Raises NewerHomeError, WrongPlaceError.
        """
        self.expect_known_format()
        self.make_root()
        with _possible(self.root, "be a home"):
            for folder in self._private_folders:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.published.exists():
                self.published.mkdir()
                self.published.chmod(rights.GROUP.folder)
        with _possible(self.landing, "be a landing"):
            if not self.landing.exists():
                self.landing.mkdir(mode=0o700, parents=True)
        rights.close(self.root, self._private(), self.public)
        return self

    def make_root(self) -> None:
        """Create the folder of the home, and nothing in it, with the rights that it is to have. Raises WrongPlaceError."""
        with _possible(self.root, "be a home"):
            if not self.root.exists():
                self.root.mkdir(parents=True)
                self.root.chmod(rights.ROOT)

    @property
    def _private_folders(self) -> tuple[Path, ...]:
        return (self.pool, self.quarantine, self.secrets, self.warehouse, self.bundles, self.scratch, self.dagster, self.pulls)

    def _private(self) -> frozenset[Path]:
        """The entries of a home that are for its owner alone; landing only where it is the home's own."""
        files = (self.receipts, self.lock_file, self.run_lock_file, self.last_run_log)
        return frozenset({*self._private_folders, self.root / LANDING, self.withheld, *files})

    def holders(self) -> tuple[Holder, ...]:
        """Who holds the locks, the run's first, or held them when it was killed."""
        return tuple(holder for file in (self.run_lock_file, self.lock_file) if (holder := _holder(file)))

    def settings(self) -> dict[str, Any]:
        """What ``home.json`` says; nothing when there is none. Raises UnreadableSettingsError."""
        if not self.settings_file.exists():
            return {}
        try:
            return dict(json.loads(self.settings_file.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as problem:
            raise UnreadableSettingsError(
                f"{self.settings_file} is no JSON object ({problem}): correct it, or restore it from a backup"
            ) from None

    def _set(self, **changed: Any) -> None:
        """Change settings; a reader sees all of them as they were or as they are."""
        draft = self.settings_file.with_suffix(".tmp")
        rights.create_private(draft)
        draft.write_text(json.dumps({"format": self.format(), **self.settings(), **changed}, indent=2) + "\n", encoding="utf-8")
        draft.chmod(rights.SETTINGS)
        draft.replace(self.settings_file)

    def format(self) -> int:
        """The format of this home: 0 before formats were counted; the present one of a home that is still to be made."""
        settings = self.settings()
        return int(settings.get("format", 0)) if settings else FORMAT

    def set_format(self, format: int) -> None:
        """Record what an upgrade arrived at."""
        self._set(format=format)

    def expect_known_format(self) -> None:
        """Raise NewerHomeError when newer code has written this home."""
        found = self.format()
        if found > FORMAT:
            raise NewerHomeError(self.root, found)

    def enabled_groups(self) -> tuple[str, ...]:
        """The groups of sources that this home expects (``home.json``); the city alone unless set."""
        return tuple(self.settings().get("groups", DEFAULT_GROUPS))

    def enable_groups(self, groups: tuple[str, ...]) -> None:
        """Record the enabled groups."""
        self.ensure()
        self._set(groups=sorted(set(groups)))

    @contextmanager
    def writing(self, purpose: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
        """Hold the writer's lock of this home; a home of an older format is upgraded first.

        Raises HomeBusyError, naming the holder, when the lock is not free within ``wait_seconds``; NewerHomeError.
        """
        from dagster_project.upgrade import upgrade

        self.expect_known_format()
        with _locked(self.root, self.lock_file, "written", purpose, wait_seconds, _silent):
            upgrade(self)
            yield

    @contextmanager
    def running(self, purpose: str, wait_seconds: float = WAIT_SECONDS, say: Callable[[str], None] | None = None) -> Iterator[None]:
        """Hold the lock that lets one run at a time write to this home; within a process that holds it already, nothing happens.

        ``say`` is told once whom it waits for. Raises HomeBusyError as ``writing`` does.
        """
        if self.run_lock_file in _runs_of_this_process:
            yield
            return
        with _locked(self.root, self.run_lock_file, "processed", purpose, wait_seconds, say or _silent):
            _runs_of_this_process.add(self.run_lock_file)
            try:
                yield
            finally:
                _runs_of_this_process.discard(self.run_lock_file)


def _silent(text: str) -> None:
    """For a caller who wants to hear nothing."""


def _holder(file: Path) -> Holder | None:
    try:
        with file.open(encoding="utf-8") as lock:
            words = lock.read().strip()
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Holder(words or "an unnamed process", True)
    except OSError:  # of another account, or never made: nothing can be said of it
        return None
    return Holder(words, False) if words else None


def _file_in(path: Path) -> Path | None:
    """The first part of a path that is there and no folder."""
    return next((part for part in (*reversed(path.parents), path) if part.exists() and not part.is_dir()), None)


@contextmanager
def _possible(place: Path, what: str) -> Iterator[None]:
    """Raises WrongPlaceError, saying what cannot be and what to do, where the machine refuses to make a folder or a file."""
    try:
        yield
    except OSError as problem:
        raise WrongPlaceError(f"{place} cannot {what}: {words_of(problem)}") from None


@contextmanager
def _locked(root: Path, file: Path, done_to_it: str, purpose: str, wait_seconds: float, say: Callable[[str], None]) -> Iterator[None]:
    with _possible(root, "be locked"):
        root.mkdir(parents=True, exist_ok=True)
        rights.create_private(file)
    with file.open("a+", encoding="utf-8") as lock:
        deadline = time.monotonic() + wait_seconds
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "an unnamed process"
                if time.monotonic() >= deadline:
                    raise HomeBusyError(f"{root} is being {done_to_it} by {holder}; waited {wait_seconds:.0f} s") from None
                if not told:
                    say(f"waiting for {holder}")
                    told = True
                time.sleep(0.1)
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()} ({purpose})")
        lock.flush()
        try:
            yield
        finally:
            lock.seek(0)
            lock.truncate()
