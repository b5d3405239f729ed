"""Delivered column names: their spelling, headers of several levels, and which delivered column each wanted one is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dagster_project.ingest.readers.raw import UnreadableFile, shape_of

_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_SHOWN_NAMES = 60
MergedRange = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Request:
    """Which columns a contract wants of a delivery; see `read_file` for the meaning of each field."""

    wanted: tuple[tuple[str, ...], ...]
    optional: tuple[tuple[str, ...], ...] = ()
    known: tuple[str, ...] = ()
    ignore: tuple[str, ...] | Literal["*"] = "*"


@dataclass(frozen=True)
class Picked:
    """A delivered column to be read: its 0-based position and the name that the contract gives it."""

    position: int
    name: str


def normalise_name(name: str) -> str:
    """A column name as it is compared: every run of white space (line breaks, non-breaking and ideographic spaces too) is one
    space, none at the ends, invisible characters removed.
    """
    return " ".join(_INVISIBLE.sub("", name).split())


def join_levels(levels: Sequence[Sequence[str]], merged: Sequence[MergedRange] | None = None) -> list[str]:
    """One name per column of a header of several rows, the levels joined with '/'.

    A cell merged over several columns is repeated in each, one merged over several rows counts once. ``merged`` are the merged
    ranges ((row, column), (row, column)), inclusive, relative to the header; without any (text files know none, many systems do not
    write them), an empty cell of an upper level repeats its left neighbour as long as no level above begins anew.
    """
    width = max((len(level) for level in levels), default=0)
    grid = [[normalise_name(cell) for cell in level] + [""] * (width - len(level)) for level in levels]
    if len(grid) == 1 and not merged:
        return grid[0]
    if merged:
        for (top, left), (bottom, right) in merged:
            for row in range(max(top, 0), min(bottom + 1, len(grid))):
                for column in range(left, min(right + 1, width)):
                    grid[row][column] = grid[max(top, 0)][left]
    else:
        for depth, row_cells in enumerate(grid[:-1]):
            for column in range(1, width):
                same_parent = all(above[column] == above[column - 1] for above in grid[:depth])
                if not row_cells[column] and same_parent and any(below[column] for below in grid[depth + 1 :]):
                    row_cells[column] = row_cells[column - 1]
    names = []
    for column in range(width):
        parts: list[str] = []
        for level_cells in grid:
            if level_cells[column] and (not parts or parts[-1] != level_cells[column]):
                parts.append(level_cells[column])
        names.append("/".join(parts))
    return names


def name_unnamed(names: Sequence[str]) -> list[str]:
    """Names as compared; a column without a name is called '#' and its 1-based position."""
    return [normalise_name(name) or f"#{position}" for position, name in enumerate(names, start=1)]


def pick_columns(delivered: Sequence[str], request: Request, repeated_columns: Literal["refuse", "first"] = "refuse") -> list[Picked]:
    """Find the delivered column of each wanted group of aliases: the first alias that is delivered.

    Raises UnreadableFile when a wanted column is missing, when a column to be read is delivered twice (and ``repeated_columns``
    is not 'first'), or when a column is delivered that the contract neither reads nor ignores.
    """
    names = name_unnamed(delivered)
    places: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        places.setdefault(name, []).append(position)

    picked: dict[int, str] = {}
    missing: list[tuple[str, ...]] = []
    for group, must_exist in [(g, True) for g in request.wanted] + [(g, False) for g in request.optional]:
        found = next((alias for alias in group if normalise_name(alias) in places), None)
        if found is None:
            if must_exist:
                missing.append(group)
            continue
        positions = places[normalise_name(found)]
        if len(positions) > 1 and repeated_columns == "refuse":
            raise UnreadableFile(
                f"column '{found}' is delivered {len(positions)} times, as columns {_listed(str(p + 1) for p in positions)}; if the "
                "header stands in the file as a repeated block, say 'repeated_columns: first' in the contract's format"
            )
        picked.setdefault(positions[0], found)
    if missing:
        raise UnreadableFile(_missing_columns(missing, names, request))
    if request.ignore != "*":
        _refuse_extra(names, request)
    return [Picked(position, name) for position, name in picked.items()]


def _expected_names(request: Request) -> set[str]:
    aliases = {normalise_name(alias) for group in request.wanted + request.optional for alias in group}
    return aliases.union(map(normalise_name, request.known), map(normalise_name, request.ignore))


def _refuse_extra(names: Sequence[str], request: Request) -> None:
    expected = _expected_names(request)
    extra = [name for name in dict.fromkeys(names) if name not in expected]
    if extra:
        raise UnreadableFile(f"columns the contract does not know: {_listed(extra)}; map them under 'columns' or name them under 'ignore'")


def _missing_columns(missing: Sequence[tuple[str, ...]], names: Sequence[str], request: Request) -> str:
    """What is missing and what is there instead. A row that shares nothing with the contract may be a record rather than a header,
    so it is shown masked.
    """
    expected = _expected_names(request)
    parts = []
    any_close = False
    for group in missing:
        close = [match for alias in group for match in difflib.get_close_matches(normalise_name(alias), names, n=1, cutoff=0.5)]
        any_close = any_close or bool(close)
        hint = f" (the closest delivered name is '{close[0]}': add it to 'from' if it is the same column)" if close else ""
        parts.append("no column " + " or ".join(f"'{alias}'" for alias in group) + f" is delivered{hint}")
    if any_close or expected.intersection(names):
        return "; ".join(parts) + f". Delivered columns: {_listed(names)}"
    return (
        "; ".join(parts)
        + ". The row taken for the header has nothing of the contract and may be a record; it looks like: "
        + f"{_listed(map(shape_of, names))}. Check header_rows, skip_rows, header_contains, delimiter and encoding"
    )


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _SHOWN_NAMES} more" if len(shown) > _SHOWN_NAMES else ""
    return ", ".join(shown[:_SHOWN_NAMES]) + more


def delivered_as(names: Iterable[str], aliases: Sequence[str]) -> str | None:
    """Which of the column names of a chunk is the column of these aliases: the first alias present; None if there is none."""
    by_spelling = {normalise_name(name): name for name in names}
    return next((by_spelling[normalise_name(alias)] for alias in aliases if normalise_name(alias) in by_spelling), None)
