"""What readers and operators do with releases: open the current one, verify one, roll back to one."""

from __future__ import annotations

from pathlib import Path

import duckdb

from dagster_project.audit.candidate import sha256_of
from dagster_project.home import Home
from dagster_project.release.files import point
from dagster_project.release.history import note_switch, settle_switches
from dagster_project.release.record import Release, ReleaseError, WithdrawnError, current_release, release_of


class NothingPublishedError(ReleaseError):
    """There is no release yet."""

    def __init__(self, home: Home) -> None:
        super().__init__(f"nothing is published in {home.published}: run a night first")


def _connect(database: Path) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(
            str(database), read_only=True, config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        )
    except duckdb.Error as error:
        raise ReleaseError(f"{database} cannot be opened ({str(error).splitlines()[0]})") from None


def open_release(home: Home, version: str, even_withdrawn: bool = False) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the ``kpi.duckdb`` of a version. Raises WithdrawnError of a withdrawn one unless it is asked for as such."""
    release = release_of(home, version)
    if release.withdrawn and not even_withdrawn:
        raise WithdrawnError(release.withdrawn, "'pool releases' lists the others")
    return _connect(release.database)


def open_current(home: Home) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the current release; it keeps reading that release when another one becomes current.

    Raises ReleaseError when nothing was published yet.
    """
    release = current_release(home)
    if release is None:
        raise NothingPublishedError(home)
    if release.withdrawn:
        raise WithdrawnError(release.withdrawn, "its withdrawal was interrupted, the next run or withdrawal makes another one current")
    return _connect(release.database)


def verify(release: Release) -> None:
    """Raise ReleaseError, naming the file, when a release does not hold the bytes that its manifest names."""
    for name, expected in release.manifest.files.items():
        file = release.path / name
        if not file.is_file():
            raise ReleaseError(f"release {release.version} is damaged: {file} is missing")
        if sha256_of(file) != expected:
            raise ReleaseError(f"release {release.version} is damaged: {file} was altered")


def is_sound(release: Release) -> bool:
    """The release holds the bytes that its manifest names."""
    try:
        verify(release)
    except ReleaseError:
        return False
    return True


def rollback(home: Home, version: str) -> Release:
    """Let readers see an older (or newer) release again; takes the writer's lock itself.

    The release is verified first. Figures held later fall back to the bundles of the release rolled back to.
    """
    with home.writing(f"rollback to {version}"):
        release = release_of(home, version)
        if release.withdrawn:
            raise WithdrawnError(release.withdrawn, "current stays as it is")
        verify(release)
        settle_switches(home)
        point(home.current, version)
        note_switch(home, "rollback")
        return release_of(home, version)
