"""A question to a release: which one is asked, what its reader must know first, and the entry in the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from dagster_project.home import Home
from dagster_project.ledger import LedgerError, presentable_sql, record
from dagster_project.release.history import published_on
from dagster_project.release.record import Release, WithdrawnError, current_release, release_of, withdrawal_of
from dagster_project.release.releases import NothingPublishedError, open_release

WORDS = (
    "select kpi_id from kpi_catalogue union select product from kpi_catalogue union select distinct unit_name from unit "
    "union select unit_code from unit union select distinct grain from kpi union select distinct slice from kpi"
)


@dataclass(frozen=True)
class Asked:
    """An open release, read-only, and what is to be said beside its answer."""

    release: Release
    connection: duckdb.DuckDBPyConnection
    remarks: tuple[str, ...]


def _chosen(home: Home, version: str | None, on: dt.date | None) -> tuple[Release, tuple[str, ...]]:
    if version is not None:
        return release_of(home, version), ()
    if on is not None:
        *earlier, last = published_on(home, on)
        more = f"; earlier that day: {', '.join(s.version for s in earlier)}" if earlier else ""
        return release_of(home, last.version), (f"at the end of {on} readers saw release {last.version}{more}",)
    current = current_release(home)
    if current is None:
        raise NothingPublishedError(home)
    return current, ()


def _parts_of_withdrawn(home: Home, release: Release) -> tuple[str, ...]:
    """Of figures that came from a release withdrawn since."""
    origins = {p.origin_release for p in release.manifest.products.values() if p.bundle} - {release.version}
    return tuple(
        f"{', '.join(p.product for p in release.manifest.products.values() if p.origin_release == origin)} in it came from release {origin}, "
        f"withdrawn: {withdrawal.words}"
        for origin in sorted(origins)
        if (withdrawal := withdrawal_of(home, origin))
    )


def _known_words(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The codes and names that a release prints; none of a release so damaged that it lacks the tables."""
    try:
        return frozenset(str(word) for (word,) in connection.execute(WORDS).fetchall())
    except duckdb.CatalogException:
        return frozenset()


@contextmanager
def asking(home: Home, sql: str, version: str | None = None, on: dt.date | None = None, even_withdrawn: bool = False) -> Iterator[Asked]:
    """Open the release to ask (the current one; a version; what was published on a day) and record the question.

    A withdrawn release answers for the day on which it was published, else only when it is asked for as such, and a remark says why it was
    withdrawn. A home that this process may only read is read all the same; a remark says that the question could not be recorded.
    Raises ReleaseError when there is no such release, WithdrawnError when it is withdrawn.
    """
    release, remarks = _chosen(home, version, on)
    if release.withdrawn:
        if on is None and not even_withdrawn:
            raise WithdrawnError(release.withdrawn, "to read it all the same, say so: --withdrawn")
        remarks = (*remarks, f"release {release.version} is withdrawn: {release.withdrawn.words}")
    remarks = (*remarks, *_parts_of_withdrawn(home, release))
    with open_release(home, release.version, even_withdrawn=True) as connection:
        try:
            record(home, "query", {"version": release.version, "sql": presentable_sql(sql, _known_words(connection))})
        except LedgerError as problem:
            remarks = (*remarks, f"this query could not be recorded: {problem}")
        yield Asked(release, connection, remarks)
