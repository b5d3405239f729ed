"""Progress of long work for a person at a terminal: silent unless switched on, and never part of a result."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Prints what is under way, and keeps the wall and processor seconds (of ended child processes too) of each phase, in order."""

    is_shown: bool = False
    phase_seconds: dict[str, float] = field(default_factory=dict)
    phase_cpu_seconds: dict[str, float] = field(default_factory=dict)

    def say(self, text: str) -> None:
        if self.is_shown:
            sys.stderr.write(f"  {text}\n")
            sys.stderr.flush()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started, cpu_started = time.perf_counter(), _cpu_seconds()
        try:
            yield
        finally:
            self.phase_seconds[name] = self.phase_seconds.get(name, 0.0) + time.perf_counter() - started
            self.phase_cpu_seconds[name] = self.phase_cpu_seconds.get(name, 0.0) + _cpu_seconds() - cpu_started


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


PROGRESS = Progress()


def to_stderr() -> None:
    """Show progress on standard error from now on."""
    PROGRESS.is_shown = True
