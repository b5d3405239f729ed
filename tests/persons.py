"""The personal values that a city's systems delivered, and where any of them stands in a home outside landing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from dagster_project.audit.traces import Trace, traces
from dagster_project.contracts.model import Contract
from dagster_project.home import Home
from dagster_project.ingest.landing import discover
from dagster_project.ingest.readers import RawChunk, UnreadableFile, read_file

SHORTEST = 6
"""Shorter values (a sex, a surname and given name of two characters) are texts that much else holds too."""
HANDLE = 4


def delivered_persons(contract: Contract, home: Home) -> dict[str, set[str]]:
    """Every value of each personal column of a source, as it stands in landing; files that cannot be read name nobody."""
    personal = {
        name: column.aliases
        for name, column in contract.columns.items()
        if column.personal and column.personal.treatment in ("drop", "hmac", "presence")
    }
    found: dict[str, set[str]] = {name: set() for name in personal}
    if not personal:
        return found
    files, _ = discover(contract, home.landing)
    for file in files:
        try:
            for part in read_file(file, contract.format, (), tuple(personal.values())):
                if isinstance(part, RawChunk):
                    for name, aliases in personal.items():
                        for alias in set(aliases) & set(part.columns.column_names):
                            found[name] |= {text for text in part.columns[alias].to_pylist() if text}
        except UnreadableFile:
            continue
    return found


def _stands_alone(value: str, text: str, place: int) -> bool:
    """Digits inside a longer number are another number; what is written in ideographs has no borders."""
    if not value.isascii():
        return True
    around = text[max(0, place - 1) : place] + text[place + len(value) : place + len(value) + 1]
    return not any(character.isascii() and character.isalnum() for character in around)


def seen(persons: Iterable[str], home: Home) -> list[tuple[str, Trace]]:
    """The values that a text of the home holds, each with the first such text."""
    by_handle: defaultdict[str, list[str]] = defaultdict(list)
    for value in set(persons):
        by_handle[value[:HANDLE]].append(value)
    hits: dict[str, Trace] = {}
    for trace in traces(home):
        text = trace.text
        for place in range(len(text) - HANDLE + 1):
            for value in by_handle.get(text[place : place + HANDLE], ()):
                if value not in hits and text.startswith(value, place) and _stands_alone(value, text, place):
                    hits[value] = trace
    return sorted(hits.items(), key=lambda hit: hit[0])
