"""The processes of this machine, as the kernel tells of them under ``/proc``."""

from __future__ import annotations

from pathlib import Path


def at_work_in(session: int) -> list[int]:
    """The ids of the processes of a session; of those that ended and were not waited for yet, none."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found
