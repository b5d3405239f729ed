"""Building a release anew from landing, elsewhere, to prove that it follows from what it names.

The scratch home gets the release's night, groups, key and waivers, and of landing exactly the files that the release's receipts name, by
their checksum. What can no longer be the same (a file that left landing, another key, other code, another contract) is said beforehand;
what came out is compared table by table. Figures that were stale come from an earlier release and are not made of this night: they are
left out of the comparison by name.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dagster_project import alerts
from dagster_project.audit.candidate import sha256_of
from dagster_project.contracts.load import load_catalogue
from dagster_project.contracts.version import contract_version
from dagster_project.extract.state import is_connected
from dagster_project.home import Home
from dagster_project.ingest.deidentify import KEY_FILE, HashKeyError, load_key
from dagster_project.ingest.receipts import Receipts
from dagster_project.ledger import entries, record
from dagster_project.release.code_version import code_version
from dagster_project.release.files import link_or_copy
from dagster_project.release.record import Release, ReleaseError, current_release
from dagster_project.release.releases import open_release, verify

OF_A_RELEASE = frozenset({"release_info", "gate_result"})
"""Tables that speak of other releases too: outside the content of a release."""

OF_A_PRODUCT = "product "
COMMAND = (sys.executable, "-m", "dagster_project.cli")


@dataclass(frozen=True)
class Compared:
    """One table or product of both releases; ``detail`` says what differs, or why it was not compared."""

    what: str
    same: bool
    detail: str


@dataclass(frozen=True)
class Reproduction:
    """What came of it: ``differences`` in what the release was made of, then what was compared."""

    version: str
    differences: tuple[str, ...]
    compared: tuple[Compared, ...]

    @property
    def proved(self) -> bool:
        """Everything was compared and is the same."""
        return bool(self.compared) and all(c.same for c in self.compared)

    @property
    def words(self) -> str:
        """What came of it, in a line: of what is not proved, how much is."""
        if self.proved:
            return f"release {self.version} is reproduced"
        products = [c for c in self.compared if c.what.startswith(OF_A_PRODUCT)]
        same = sum(c.same for c in products)
        for_lack = f"; it is made of what is not the same any more ({len(self.differences)} named above)" if self.differences else ""
        return f"release {self.version} is not reproduced: {same} of {len(products)} products are the same{for_lack}"


def reproduce(home: Home, release: Release, scratch: Path) -> Reproduction:
    """Rebuild a release in ``scratch``, a folder that must be empty or absent, and compare. The home is only read, but for its ledger.

    Raises ReleaseError when the release is damaged, ``scratch`` is not empty, or the run there fails: then with what is not the same any more.
    """
    verify(release)
    if scratch.exists() and any(scratch.iterdir()):
        raise ReleaseError(f"{scratch} is not empty: name a folder that is")
    other = Home.at(scratch / "home", scratch / "landing").ensure()
    differences = prepare(home, release, other)
    try:
        _run(release, other)
    except ReleaseError as failed:
        raise ReleaseError("\n".join((str(failed), *differences))) from None
    again = current_release(other)
    if again is None:
        raise ReleaseError(f"no release came out of the run in {scratch}")
    result = Reproduction(release.version, differences, tuple(_compare(release, again)))
    about = {"version": release.version, "proved": result.proved, "different": [c.what for c in result.compared if not c.same]}
    record(home, "reproduction", about)
    return result


def prepare(home: Home, release: Release, other: Home) -> tuple[str, ...]:
    """Give another home what the release was made of; what is not the same any more, in words."""
    return (*_take_deliveries(home, release, other), *_take_settings(home, release, other), *came_after_hashes_went(home, release.as_of))


def _take_deliveries(home: Home, release: Release, other: Home) -> Iterator[str]:
    """Put the files that the receipts name into the other landing; yields those that are gone or others now."""
    with open_release(home, release.version, even_withdrawn=True) as connection:
        named = connection.execute("select distinct file, sha256 from receipt where sha256 <> '' order by 1").fetchall()
    for name, sha256 in named:
        file = home.landing / name
        if not file.is_file():
            yield f"landing: {name} is gone (retention, or removed)"
        elif sha256_of(file) != sha256:
            yield f"landing: {name} is another file than then"
        else:
            target = other.landing / name
            target.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(file, target)


def _take_settings(home: Home, release: Release, other: Home) -> Iterator[str]:
    manifest = release.manifest
    other.enable_groups(home.enabled_groups())
    if (home.secrets / KEY_FILE).exists():
        shutil.copy2(home.secrets / KEY_FILE, other.secrets / KEY_FILE)
    if manifest.waivers:
        other.waivers.write_text(json.dumps({"waivers": [{k: v for k, v in w.items() if v} for w in manifest.waivers]}), encoding="utf-8")
    if manifest.key_id and manifest.key_id != (now := _key_id(home)):
        yield f"key: values were hashed under {manifest.key_id}, the key is {now} now"
    if manifest.code_version != code_version():
        yield f"code: the release was made by {manifest.code_version}, this is {code_version()}"
    yield from _contract_differences(home, manifest.contracts)


def came_after_hashes_went(home: Home, as_of: dt.date) -> Iterator[str]:
    """Sources of which batches came later than their night, when keyed hashes that they could have met were gone. There all come in time."""
    expired = [e for e in entries(home) if e.action == "key" and e.about.get("links") == "expired"]
    went = [(e.time, night) for e in expired if (night := dt.date.fromisoformat(e.about["night"])) <= as_of]
    if not went:
        return
    linked = {e.name for e in load_catalogue().entities.values() if any(c.link for c in e.columns)}
    late: dict[str, list[dt.date]] = defaultdict(list)
    with Receipts(home) as receipts:
        for batch in receipts.batches():
            made = dt.datetime.fromisoformat(batch.finished_at)
            if batch.entity in linked and batch.in_pool and any(batch.batch_date <= night and gone < made for gone, night in went):
                late[batch.source_id].append(batch.batch_date)
    for source, dates in sorted(late.items()):
        batches = f"batch {dates[0]}" if len(dates) == 1 else f"{len(dates)} batches ({dates[0]} to {dates[-1]})"
        yield f"links: {batches} of {source} came, or came again, when hashes of that time were gone: its repeated disputes may be counted otherwise"


def _key_id(home: Home) -> str:
    try:
        return load_key(home).id
    except HashKeyError:
        return "missing"


def _contract_differences(home: Home, then: Mapping[str, str]) -> Iterator[str]:
    catalogue, groups = load_catalogue(), home.enabled_groups()
    now = {c.id: contract_version(c, catalogue.entity_of(c)) for c in catalogue.contracts if c.group in groups}
    for source in sorted({*then, *now}):
        if source not in now:
            yield f"contract: {source} is no longer enabled"
        elif source not in then:
            yield f"contract: {source} was not enabled then"
        elif then[source] != now[source]:
            yield f"contract: {source} is of version {now[source]}, then {then[source]}"


def _run(release: Release, other: Home) -> None:
    """A night in a process of its own, which asks no server (what was pulled then lies in landing) and alerts nobody: it is no night."""
    servers = {c.pull.server for c in load_catalogue().contracts if c.pull is not None and is_connected(c)}
    environment = {
        name: value for name, value in os.environ.items() if name not in {*servers, "DAGSTER_HOME", alerts.COMMAND, alerts.WEBHOOK}
    }
    command = [*COMMAND, "run", "--home", str(other.root), "--landing", str(other.landing), "--date", release.as_of.isoformat()]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ReleaseError(f"the run in {other.root} failed:\n{done.stdout}{done.stderr}")


def _compare(then: Release, now: Release) -> Iterator[Compared]:
    stale = set(then.stale) | set(now.stale)
    for product in sorted({*then.products, *now.products}):
        first, second = then.manifest.products.get(product), now.manifest.products.get(product)
        if first is None or second is None or first.status != second.status:
            was, became = (r.status if r else "absent" for r in (first, second))
            origin = f" (it came from release {first.origin_release}: reproduce that)" if first and first.status == "stale" else ""
            yield Compared(f"{OF_A_PRODUCT}{product}", False, f"was {was}, is {became}{origin}")
        else:
            yield _same(f"{OF_A_PRODUCT}{product}", first.content_hash, second.content_hash, first.rows, second.rows)
    if stale:
        yield Compared("tables of all products", False, f"not compared: {', '.join(sorted(stale))} is of an earlier night")
        return
    for table in sorted({*then.manifest.tables, *now.manifest.tables} - OF_A_RELEASE):
        before, after = then.manifest.tables.get(table), now.manifest.tables.get(table)
        if before is None or after is None:
            yield Compared(f"table {table}", False, "only in the release" if before else "only in the reproduction")
        else:
            yield _same(f"table {table}", before.content_hash, after.content_hash, before.rows, after.rows)


def _same(what: str, before: str, after: str, rows_before: int, rows_after: int) -> Compared:
    if before == after:
        return Compared(what, True, f"{rows_before:,} rows, content {before[:12]}")
    return Compared(what, False, f"{rows_before:,} rows of content {before[:12]} then, {rows_after:,} of {after[:12]} now")
