"""What a release says of itself: its manifest, and the list of releases of a home."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from dagster_project.home import Home
from dagster_project.ledger import Head

Status = Literal["fresh", "stale", "left_out"]

MANIFEST = "manifest.json"
DATABASE = "kpi.duckdb"
VERSION = re.compile(r"^\d{8}-\d{3,}$")


class ReleaseError(RuntimeError):
    """A release that is missing, unknown or damaged; the message says which and what to do."""


class WithdrawnError(ReleaseError):
    """A release that was withdrawn; the message says why."""

    def __init__(self, withdrawal: Withdrawal, what_now: str) -> None:
        super().__init__(f"release {withdrawal.version} is withdrawn: {withdrawal.words}; {what_now}")


@dataclass(frozen=True)
class Withdrawal:
    """That a release is served to nobody any more: why, who signed it, and when."""

    version: str
    reason: str
    by: str
    at: dt.datetime | None

    @property
    def words(self) -> str:
        return f"{self.reason} ({self.by}, {self.at:%Y-%m-%d})" if self.at else self.reason

    def as_dict(self) -> dict[str, Any]:
        return {"version": self.version, "reason": self.reason, "by": self.by, "at": self.at.isoformat() if self.at else None}

    def to_json(self) -> str:
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=2) + "\n"


@dataclass(frozen=True)
class ProductRecord:
    """One product in one release. ``bundle`` is its folder below ``bundles/``; empty when the product is left out."""

    product: str
    status: Status
    bundle: str = ""
    content_hash: str = ""
    as_of: dt.date | None = None
    origin_release: str = ""
    reason: str = ""
    rows: int = 0
    rows_per_kpi: Mapping[str, int] = field(default_factory=dict)

    def age_days(self, as_of: dt.date) -> int | None:
        return (as_of - self.as_of).days if self.as_of else None


@dataclass(frozen=True)
class TableRecord:
    rows: int
    content_hash: str


@dataclass(frozen=True)
class ReleaseManifest:
    """``published/<version>/manifest.json``. ``content_hash`` covers every table; ``fingerprint`` what the release was made of."""

    version: str
    as_of: dt.date
    published_at: dt.datetime
    schema_version: int
    code_version: str
    key_id: str
    content_hash: str
    fingerprint: str
    candidate_sha256: str
    baseline: str
    contracts: Mapping[str, str]
    receipts: TableRecord
    products: Mapping[str, ProductRecord]
    tables: Mapping[str, TableRecord]
    files: Mapping[str, str]
    """File name to sha256 of its bytes."""
    ledger: Head = field(default_factory=Head)
    """The last entry of the ledger when the release was made."""
    waivers: tuple[Mapping[str, str], ...] = ()
    """The waivers that were listed, needed or not."""

    def to_json(self) -> str:
        def plain(value: Any) -> Any:
            if isinstance(value, dt.date | dt.datetime):
                return value.isoformat()
            raise TypeError(type(value).__name__)

        return json.dumps(asdict(self), default=plain, ensure_ascii=False, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ReleaseManifest:
        raw = json.loads(text)
        products = {
            name: ProductRecord(**{**p, "as_of": dt.date.fromisoformat(p["as_of"]) if p["as_of"] else None})
            for name, p in raw["products"].items()
        }
        return cls(
            **{
                **raw,
                "as_of": dt.date.fromisoformat(raw["as_of"]),
                "published_at": dt.datetime.fromisoformat(raw["published_at"]),
                "receipts": TableRecord(**raw["receipts"]),
                "products": products,
                "tables": {name: TableRecord(**t) for name, t in raw["tables"].items()},
                "ledger": Head(**raw.get("ledger", {})),
                "waivers": tuple(raw.get("waivers", ())),
            }
        )


@dataclass(frozen=True)
class Release:
    """A release on disk."""

    path: Path
    manifest: ReleaseManifest
    is_current: bool
    withdrawn: Withdrawal | None = None

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def as_of(self) -> dt.date:
        return self.manifest.as_of

    @property
    def products(self) -> tuple[str, ...]:
        """The products that the release holds, stale ones included."""
        return tuple(name for name, p in self.manifest.products.items() if p.status != "left_out")

    @property
    def stale(self) -> tuple[str, ...]:
        return tuple(name for name, p in self.manifest.products.items() if p.status == "stale")

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(name for name, p in self.manifest.products.items() if p.status == "left_out")

    @property
    def database(self) -> Path:
        return self.path / DATABASE


def withdrawal_file(home: Home, version: str) -> Path:
    return home.published / f"{version}.withdrawn.json"


def withdrawal_of(home: Home, version: str) -> Withdrawal | None:
    """The withdrawal of a version. One that cannot be read withdraws all the same."""
    file = withdrawal_file(home, version)
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        return Withdrawal(version, raw["reason"], raw["by"], dt.datetime.fromisoformat(raw["at"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Withdrawal(version, f"for a reason that cannot be read ({file}: {type(error).__name__})", "", None)


def _read(home: Home, version: str, is_current: bool) -> Release:
    folder = home.published / version
    try:
        manifest = ReleaseManifest.from_json((folder / MANIFEST).read_text(encoding="utf-8"))
        return Release(folder, manifest, is_current, withdrawal_of(home, version))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"{folder / MANIFEST} cannot be read ({type(error).__name__}): the release is damaged; roll back to another"
        ) from None


def current_version(home: Home) -> str | None:
    """The version that ``published/current`` points to, read once, so that a switch in between cannot mix two releases."""
    try:
        return home.current.readlink().name
    except FileNotFoundError:
        return None


def current_release(home: Home) -> Release | None:
    version = current_version(home)
    return None if version is None else _read(home, version, True)


def versions(home: Home) -> list[str]:
    """The versions of the internal releases that have a folder, readable or not, in order."""
    return versions_in(home.published)


def versions_in(folder: Path) -> list[str]:
    """The versions that have a folder in ``folder``, readable or not, oldest night first, the serials of a night in order."""
    if not folder.is_dir():
        return []
    found = [p.name for p in folder.iterdir() if p.is_dir() and not p.is_symlink() and VERSION.match(p.name)]
    return sorted(found, key=lambda version: (version[:8], int(version[9:])))


def list_releases(home: Home) -> list[Release]:
    """Every release of a home, oldest night first. One whose manifest cannot be read is passed over: ``unreadable`` names it."""
    current = current_version(home)
    releases = []
    for version in versions(home):
        with contextlib.suppress(ReleaseError):
            releases.append(_read(home, version, version == current))
    return releases


def unreadable(home: Home) -> list[str]:
    """The versions whose manifest cannot be read."""
    readable = {r.version for r in list_releases(home)}
    return [version for version in versions(home) if version not in readable]


def release_of(home: Home, version: str) -> Release:
    """The release of this version. Raises ReleaseError, naming the known ones."""
    folder = home.published / version
    if not VERSION.match(version) or not folder.is_dir():
        known = ", ".join(r.version for r in list_releases(home)[-5:]) or "none"
        raise ReleaseError(f"there is no release {version} in {home.published}; the latest are: {known}")
    return _read(home, version, version == current_version(home))


def next_version(home: Home, as_of: dt.date) -> str:
    """The version of the next release of a night."""
    night = f"{as_of:%Y%m%d}"
    taken = [int(version[9:]) for version in versions(home) if version.startswith(night)]
    return f"{night}-{max(taken, default=0) + 1:03d}"
