"""The personal values that systems delivered, and where any of them stands in a home outside landing."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb

from dagster_project.audit.candidate import sql_text
from dagster_project.audit.traces import Trace, traces
from dagster_project.contracts.model import Contract
from dagster_project.home import Home
from dagster_project.ingest.landing import discover
from dagster_project.ingest.readers import RawChunk, UnreadableFile, read_file

SHORTEST = 6
"""Shorter values (a sex, a surname and given name of two characters) are texts that much else holds too."""
HANDLE = 4
ENCODINGS = ("utf-8", "gb18030", "utf-16-le")
BLOCK = 1 << 22
CLOCK = re.compile(r"\d\d:\d\d:\d\d\.")
DIGIT, SIGN = "[0-9X]", "[0-9A-Z]"
IDEOGRAPHS = {
    "utf-8": rb"[\xe4-\xe9][\x80-\xbf]{2}",
    "gb18030": rb"[\x81-\xfe][\x40-\xfe]",
    "utf-16-le": rb"[\x00-\xff][\x4e-\x9f]",
}


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
    """Digits inside a longer number, or after the seconds of a clock, are another number; what is written in ideographs has no borders."""
    if not value.isascii():
        return True
    if CLOCK.fullmatch(text[max(0, place - len("00:00:00.")) : place]):
        return False
    around = text[max(0, place - 1) : place] + text[place + len(value) : place + len(value) + 1]
    return not any(character.isascii() and character.isalnum() for character in around)


def seen(persons: Iterable[str], home: Home) -> list[tuple[str, Trace]]:
    """The values that a text of the home holds, each with the first such text."""
    wanted, lengths = set(persons), defaultdict[str, set[int]](set)
    for value in wanted:
        lengths[value[:HANDLE]].add(len(value))
    hits: dict[str, Trace] = {}
    for trace in traces(home):
        text = trace.text
        for place in range(len(text) - HANDLE + 1):
            for length in lengths.get(text[place : place + HANDLE], ()):
                value = text[place : place + length]
                if value in wanted and value not in hits and _stands_alone(value, text, place):
                    hits[value] = trace
    return sorted(hits.items(), key=lambda hit: hit[0])


def seen_in_bytes(
    markers: Mapping[str, Iterable[str]], folders: Iterable[Path], without: Iterable[Path] = ()
) -> tuple[list[tuple[str, str]], int, int]:
    """The markers (by the pattern that all of a kind match) that stand in the bytes of a file below the folders as UTF-8, GB18030, UTF-16 or
    escaped as in JSON, each with such a file; and how many files and bytes were read. Files below ``without`` are left out, what is packed is not unpacked.
    """
    written: dict[bytes, str] = {}
    patterns = []
    for pattern, values in markers.items():
        for way in (*ENCODINGS, "escaped"):
            written |= {_written(value, way): value for value in values}
            patterns.append(_pattern(pattern, way))
    any_marker, longest = re.compile(b"|".join(sorted(set(patterns)))), max(map(len, written))
    hits: dict[str, str] = {}
    files, read, left_out = 0, 0, tuple(without)
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_symlink() or not file.is_file() or any(other in file.parents for other in left_out):
                continue
            for block in _blocks(file, longest):
                for found in any_marker.finditer(block):
                    value = written.get(found[0])
                    if value is not None:
                        hits.setdefault(value, str(file))
            files, read = files + 1, read + file.stat().st_size
    return sorted(hits.items()), files, read


def _written(value: str, way: str) -> bytes:
    if way == "escaped":
        return "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in value).encode()
    return value.encode(way)


def as_regex(pattern: str) -> str:
    """The pattern of a kind of value (``#`` a digit, ``?`` an ideograph, ``@`` a letter or digit) as a regular expression."""
    return "".join({"#": DIGIT, "@": SIGN, "?": "[\u4e00-\u9fff]"}.get(part, re.escape(part)) for part in pattern)


def _pattern(pattern: str, way: str) -> bytes:
    """The same in the bytes of an encoding."""
    ideograph = IDEOGRAPHS.get(way, rb"\\u[0-9a-f]{4}")
    wide = b"\x00" if way == "utf-16-le" else b""
    signs = {"#": DIGIT.encode() + wide, "@": SIGN.encode() + wide, "?": ideograph}
    return b"".join(signs.get(part) or re.escape(_written(part, way)) for part in pattern)


def _blocks(file: Path, overlap: int) -> Iterator[bytes]:
    with file.open("rb") as stream:
        rest = b""
        while block := stream.read(BLOCK):
            yield rest + block
            rest = block[-overlap:]


def plant_in_copies(value: str, home: Home, copies: Path) -> dict[str, Path]:
    """Copies of the smallest file of each kind that the home holds, each with the value put in as such a file would hold it; by the kind."""
    planted = {}
    for suffix in (".parquet", ".duckdb", ".sqlite", ".db", ".json", ".ndjson", ".log", ".sql", ".html"):
        files = [f for f in home.root.rglob(f"*{suffix}") if f.is_file() and not f.is_symlink() and home.secrets not in f.parents]
        if not files:
            continue
        source = min(files, key=lambda f: (f.stat().st_size, f))
        copy = copies / f"{len(planted)}{suffix}"
        shutil.copy2(source, copy)
        copy.chmod(0o600)
        if suffix == ".parquet":
            source_rows = f"read_parquet({sql_text(source)}, hive_partitioning = false)"
            duckdb.execute(
                f"copy (select *, note from (values ('x {value} y')) as planted(note) left join {source_rows} on true) to {sql_text(copy)}"
            )
        elif suffix == ".duckdb":
            with duckdb.connect(str(copy)) as connection:
                connection.execute(f"create table planted as select {sql_text(f'x {value} y')} as note from range(3000)")
        elif suffix in (".sqlite", ".db"):
            with sqlite3.connect(copy) as opened:
                opened.execute("create table planted (note text)")
                opened.execute("insert into planted values (?)", (f'{{"said": "x {value} y"}}',))
            opened.close()
        else:
            with copy.open("a", encoding="utf-8") as stream:
                stream.write(f"\nx {value} y\n")
        planted[suffix] = copy
    return planted
