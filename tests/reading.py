"""Helpers of the tests that read delivered files: deliver bytes, read them, look at what came out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dagster_project.contracts.model import Format
from dagster_project.ingest.landing import DeliveredFile
from dagster_project.ingest.readers import RawChunk, RawReject, UnreadableFile, read_file

HEADER = ("编号", "姓名", "金额")


def delivered(path: Path, relative_path: str | None = None) -> DeliveredFile:
    status = path.stat()
    return DeliveredFile("calls", dt.date(2024, 1, 31), path, relative_path or path.name, status.st_size, status.st_mtime_ns)


@dataclass
class Outcome:
    """What a reader made of a file: rows as (number, cells), rejects, and the error that ended it."""

    rows: list[tuple[int, tuple[str | None, ...]]] = field(default_factory=list)
    rejects: list[RawReject] = field(default_factory=list)
    chunks: list[RawChunk] = field(default_factory=list)
    error: UnreadableFile | None = None

    @property
    def cells(self) -> list[tuple[str | None, ...]]:
        return [cells for _, cells in self.rows]

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.rows]

    @property
    def message(self) -> str:
        assert self.error is not None, "the file was read to its end"
        return str(self.error)

    @property
    def why(self) -> list[tuple[int, str]]:
        return [(r.row_number, r.reason) for r in self.rejects]


def read(path: Path, wanted: Iterable[str | tuple[str, ...]] = HEADER, optional: Sequence[tuple[str, ...]] = (), **options: Any) -> Outcome:
    """Read a file; options of the format by their name, those of read_file (known, ignore, limits) too."""
    of_reader = {name: options.pop(name) for name in ("known", "ignore", "limits") if name in options}
    format = Format(**{"kind": "csv", **options})
    groups = [(group,) if isinstance(group, str) else group for group in wanted]
    outcome = Outcome()
    try:
        for part in read_file(delivered(path), format, groups, optional, **of_reader):
            if isinstance(part, RawReject):
                outcome.rejects.append(part)
            else:
                outcome.chunks.append(part)
                cells = zip(*(column.to_pylist() for column in part.columns.columns), strict=True)
                if part.columns.num_columns:
                    outcome.rows += zip(part.row_numbers.to_pylist(), cells, strict=True)
    except UnreadableFile as error:
        outcome.error = error
    return outcome


def write(folder: Path, content: str | bytes, encoding: str = "utf-8", name: str = "calls.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path
