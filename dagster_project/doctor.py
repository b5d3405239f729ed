"""What can be verified of a home without changing it: folders, key, receipts, pool files, releases."""

from __future__ import annotations

import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project import ledger
from dagster_project.audit.traces import traces
from dagster_project.contracts.load import load_catalogue
from dagster_project.contracts.personal_values import MAY_BE_PERSONAL, find_personal
from dagster_project.home import Home
from dagster_project.ingest.deidentify import HashKeyError
from dagster_project.ingest.expiry import older_rows
from dagster_project.ingest.mapping import hashes_values
from dagster_project.ingest.pool import REMEDY, batch_path, files_without_footer, pool_files
from dagster_project.ingest.pool_key import batches_by_key, pool_key
from dagster_project.ingest.receipts import Receipts
from dagster_project.progress import PROGRESS
from dagster_project.release import ReleaseError, current_release, list_releases, unreadable, verify
from dagster_project.release.public import damaged_faces, list_faces, verify_face
from dagster_project.release.public.database import PublicError, broken_rule
from dagster_project.rights import open_to_strangers

OPEN_TO_OTHERS = 0o077


@dataclass(frozen=True)
class Finding:
    """One thing that was verified; ``detail`` says what is wrong and what to do, or what was seen."""

    check: str
    passed: bool
    detail: str


def examine(home: Home) -> tuple[Finding, ...]:
    """Every finding of a home, in the order of the data's way. What is too damaged to be looked at is a finding too: the dead man's check
    must be able to tell of it."""
    return tuple(
        finding for look in (_folders, _key, _links, _receipts, _files, _releases, _public, _ledger) for finding in _looked(look, home)
    )


def _looked(look: Callable[[Home], Iterator[Finding]], home: Home) -> Iterator[Finding]:
    try:
        yield from look(home)
    except (OSError, ValueError, RuntimeError, sqlite3.Error, duckdb.Error) as damage:
        yield Finding(look.__name__.strip("_"), False, f"cannot be verified: {str(damage) or type(damage).__name__}")


def search(home: Home) -> Iterator[Finding]:
    """Every text outside landing that reads as a resident ID, a telephone, a plate or a bank card: one finding per file, or that there is none."""
    may_be_personal, files, texts = re.compile(MAY_BE_PERSONAL), dict[Path, str](), 0
    for trace in traces(home):
        texts += 1
        if trace.file not in files and may_be_personal.search(trace.text):
            for found in find_personal(trace.text):
                files[trace.file] = f"{trace.file}, {trace.place}: a {found.kind}, {found.shown}"
    for detail in files.values():
        yield Finding("privacy", False, f"{detail}; correct the contract that lets it in, ingest again, and remove the file")
    if not files:
        yield Finding("privacy", True, f"{texts:,} texts outside landing name nobody")


def _folders(home: Home) -> Iterator[Finding]:
    for folder in (home.pool, home.quarantine, home.secrets, home.warehouse):
        if not folder.is_dir():
            yield Finding("folder", False, f"{folder} is missing; 'pool run' creates it")
        elif stat.S_IMODE(folder.stat().st_mode) & OPEN_TO_OTHERS:
            yield Finding("folder", False, f"{folder} is open to others; chmod 700 it")
        else:
            yield Finding("folder", True, f"{folder} is private")
    strangers = list(open_to_strangers(home.root, home.public))
    for problem in strangers:
        yield Finding("rights", False, problem)
    if not strangers:
        yield Finding("rights", True, "nobody but the owner and the owner's group reads anything that is not public")


def _key(home: Home) -> Iterator[Finding]:
    groups = home.enabled_groups()
    if not any(hashes_values(c) for c in load_catalogue().contracts if c.group in groups):
        yield Finding("key", True, "no enabled source hashes a value")
        return
    with Receipts(home) as receipts:
        batches = batches_by_key(receipts)
        try:
            yield Finding("key", True, f"the key for hashing is {pool_key(home, receipts).id}")
        except HashKeyError as problem:
            mixed = ", ".join(f"{count} under {key}" for key, count in sorted(batches.items()))
            yield Finding("key", False, f"{problem}; of its batches stand {mixed}" if len(batches) > 1 else str(problem))


def _links(home: Home) -> Iterator[Finding]:
    """Of the newest batch's day: keyed hashes that should have gone. A night that was not run lets none go."""
    if not home.receipts.exists():
        return
    with Receipts(home) as receipts:
        newest = max((b.batch_date for b in receipts.batches() if b.in_pool), default=None)
    if newest is None:
        return
    linked = [e for e in load_catalogue().entities.values() if any(c.link for c in e.columns)]
    over = {e.name: rows for e in linked if (rows := older_rows(home, e, newest))}
    words = ", ".join(f"{rows:,} rows of {name}" for name, rows in over.items())
    told = f"no keyed hash is older than its days on {newest}"
    yield Finding("links", not over, f"{words} hold keyed hashes older than their days on {newest}: run that night" if over else told)


def _receipts(home: Home) -> Iterator[Finding]:
    if not home.receipts.exists():
        yield Finding("receipts", True, "nothing ingested yet")
        return
    try:
        with Receipts(home) as receipts:
            files, batches = receipts.files(), receipts.batches()
    except (sqlite3.Error, RuntimeError) as problem:
        yield Finding("receipts", False, f"{home.receipts} cannot be read: {problem}")
        return
    unbalanced = [f.file_name for f in files if not f.balances]
    yield Finding(
        "balance", not unbalanced, f"rows do not add up in {', '.join(unbalanced)}" if unbalanced else f"{len(files)} files balance"
    )
    lost = [
        f"{b.source_id} {b.batch_date}"
        for b in batches
        if b.in_pool and not batch_path(home, b.entity, b.source_id, b.batch_date).is_file()
    ]
    detail = (
        f"receipts without their pool file: {', '.join(lost)}; touch the delivery and run again"
        if lost
        else f"{len(batches)} batches have their pool file"
    )
    yield Finding("pool", not lost, detail)


def _files(home: Home) -> Iterator[Finding]:
    """Of every file of the pool its end alone: a build would stop at a damaged one, in the night."""
    files = pool_files(home)
    damaged = files_without_footer(files, PROGRESS.say)
    for path in damaged:
        yield Finding("file", False, f"{path} is damaged; {REMEDY}")
    if not damaged:
        yield Finding("file", True, f"{len(files):,} files of the pool are written to their end")


def _ledger(home: Home) -> Iterator[Finding]:
    of_releases = {f"the manifest of release {r.version}": r.manifest.ledger for r in list_releases(home)}
    try:
        problem = ledger.check(home, of_releases)
    except ledger.LedgerError as unreadable:
        problem = str(unreadable)
    last = ledger.head(home)
    seen = f"the chain of {last.entries} entries is whole; the last is {last.hash}" if last.entries else "nothing recorded yet"
    yield Finding("ledger", not problem, problem or seen)


def _releases(home: Home) -> Iterator[Finding]:
    for release in list_releases(home):
        try:
            verify(release)
            yield Finding("release", True, f"{release.version} holds the bytes of its manifest")
        except ReleaseError as problem:
            yield Finding("release", False, str(problem))
    for version in unreadable(home):
        yield Finding("release", False, f"{home.published / version} has no manifest that can be read: restore it from a backup")
    if current_release(home) is None:
        yield Finding("release", True, "nothing published yet")


def _public(home: Home) -> Iterator[Finding]:
    """Every public release: its bytes, the rule read from its rows, and that what it withholds is there and private."""
    for problem in damaged_faces(home):
        yield Finding("public", False, problem)
    for face in list_faces(home):
        try:
            verify_face(face)
            with duckdb.connect(str(face.database), read_only=True) as connection:
                broken = broken_rule(connection, f'"{face.database.stem}"')
        except (PublicError, duckdb.Error) as found:
            broken = str(found).splitlines()[0]
        detail = f"{face.version} holds the bytes of its manifest and tells nothing small"
        yield Finding(
            "public", not broken, f"public release {face.version}: {broken}; withdraw release {face.version}" if broken else detail
        )
        withheld = home.withheld / face.version
        if not withheld.is_dir():
            yield Finding("public", False, f"{withheld} is missing: without it no further public release can be proved; restore a backup")
    if home.withheld.is_dir() and stat.S_IMODE(home.withheld.stat().st_mode) & OPEN_TO_OTHERS:
        yield Finding("public", False, f"{home.withheld} is open to others; chmod 700 it: it holds the small figures")
