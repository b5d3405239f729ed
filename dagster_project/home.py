"""Where everything that a pool owns lives: the folders of a home, and the lock that one writer holds.

No other module spells a path inside a home.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_HOME = Path("data")
DEFAULT_GROUPS = ("city",)


class HomeBusyError(RuntimeError):
    """Another process is writing to this home; the message names it."""


@dataclass(frozen=True)
class Home:
    """The folders of one pool. ``landing`` may lie elsewhere; nothing in it is ever changed, and only pulls add to it."""

    root: Path
    landing: Path

    @classmethod
    def at(cls, root: str | Path | None = None, landing: str | Path | None = None) -> Home:
        """Resolve a home: explicit paths first, then POOL_HOME and POOL_LANDING, then ``./data``."""
        chosen_root = Path(root or os.environ.get("POOL_HOME") or DEFAULT_HOME).resolve()
        chosen_landing = landing or os.environ.get("POOL_LANDING")
        return cls(chosen_root, Path(chosen_landing).resolve() if chosen_landing else chosen_root / "landing")

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
    def settings_file(self) -> Path:
        return self.root / "home.json"

    @property
    def waivers(self) -> Path:
        return self.root / "waivers.yaml"

    def ensure(self) -> Home:
        """Create the folders that must exist before a run; landing, pool and secrets are private to their owner."""
        self.root.mkdir(parents=True, exist_ok=True)
        for private in (self.pool, self.quarantine, self.secrets, self.warehouse, self.bundles, self.scratch, self.dagster, self.pulls):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.published.mkdir(parents=True, exist_ok=True)
        if not self.landing.exists():
            self.landing.mkdir(mode=0o700, parents=True)
        return self

    def enabled_groups(self) -> tuple[str, ...]:
        """The groups of sources that this home expects (``home.json``); the city alone unless set."""
        return tuple(self.settings().get("groups", DEFAULT_GROUPS))

    def settings(self) -> dict[str, Any]:
        """What ``home.json`` says; nothing when there is none."""
        if not self.settings_file.exists():
            return {}
        return dict(json.loads(self.settings_file.read_text(encoding="utf-8")))

    def enable_groups(self, groups: tuple[str, ...]) -> None:
        """Record the enabled groups; a reader sees the old list or the new one."""
        self.ensure()
        draft = self.settings_file.with_suffix(".tmp")
        draft.write_text(json.dumps({**self.settings(), "groups": sorted(set(groups))}, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.settings_file)

    @contextmanager
    def writing(self, purpose: str, wait_seconds: float = 600.0) -> Iterator[None]:
        """Hold the writer's lock of this home; the kernel releases it when the process ends, however it ends.

        Raises HomeBusyError, naming the holder, when the lock is not free within ``wait_seconds``.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self.lock_file.open("a+", encoding="utf-8") as lock:
            deadline = time.monotonic() + wait_seconds
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        lock.seek(0)
                        holder = lock.read().strip() or "an unnamed process"
                        raise HomeBusyError(f"{self.root} is being written by {holder}; waited {wait_seconds:.0f} s") from None
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
