"""Withdrawals: a release that turned out wrong stays as it is, and nobody is served from it any more.

The withdrawal is a file beside the release, ``published/<version>.withdrawn.json``, in place by one rename. What follows from it (an entry in
the ledger, another current release) is caught up with by whoever writes to the home next, if the process that withdrew was killed before.
A withdrawal is final: a later run that gives other figures is a release of its own.
"""

from __future__ import annotations

import datetime as dt
import shutil

from dagster_project.audit.candidate import sha256_of
from dagster_project.audit.register import PRODUCT_CHECKS
from dagster_project.contracts.personal_values import masked
from dagster_project.home import Home
from dagster_project.ledger import actor, entries, record
from dagster_project.ledger import head as ledger_head
from dagster_project.release.assemble import ReleaseHead, assemble_notice
from dagster_project.release.bundle import SCHEMA_VERSION
from dagster_project.release.code_version import code_version
from dagster_project.release.content import digest
from dagster_project.release.files import DRAFT, flush, move_into_place, point, seal
from dagster_project.release.history import note_switch, settle_switches
from dagster_project.release.public import withdraw_faces
from dagster_project.release.record import (
    DATABASE,
    MANIFEST,
    ProductRecord,
    Release,
    ReleaseError,
    ReleaseManifest,
    TableRecord,
    Withdrawal,
    current_release,
    list_releases,
    next_version,
    release_of,
    withdrawal_file,
    withdrawal_of,
)
from dagster_project.release.releases import is_sound
from dagster_project.rights import GROUP


def withdraw(home: Home, version: str, reason: str, by: str = "") -> Release:
    """Withdraw a release and return the one that is current now; takes the writer's lock itself.

    Current becomes the newest sound release that is not withdrawn. When there is none, a release without any figure is made that tells why:
    who opens ``current`` finds the tables that he knows, empty, and the reason in ``release_info``, where a missing file would tell nothing.
    Raises ReleaseError when there is no such release, no reason, or it is withdrawn already.
    """
    if not reason.strip():
        raise ReleaseError("a withdrawal needs a reason: readers will see it")
    with home.writing(f"withdrawal of {version}"):
        release_of(home, version)
        settle_withdrawals(home)
        known = withdrawal_of(home, version)
        if known:
            raise ReleaseError(f"release {version} is withdrawn already: {known.words}")
        moment = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
        _write(home, Withdrawal(version, masked(reason.strip()), masked(by.strip()) or actor(), moment))
        settle_withdrawals(home)
        current = current_release(home)
        assert current is not None
        return current


def _write(home: Home, withdrawal: Withdrawal) -> None:
    file = withdrawal_file(home, withdrawal.version)
    draft = file.with_name(f"{DRAFT}{file.name}")
    draft.write_text(withdrawal.to_json(), encoding="utf-8")
    draft.chmod(GROUP.file)
    flush(draft)
    draft.replace(file)
    flush(file.parent)


def settle_withdrawals(home: Home) -> None:
    """Let everything follow from the withdrawals that are in place; to be called under the writer's lock."""
    settle_switches(home)
    withdrawn = [r for r in list_releases(home) if r.withdrawn]
    recorded = {e.about["version"] for e in entries(home) if e.action == "withdrawal"} if withdrawn else set()
    for release in withdrawn:
        assert release.withdrawn is not None
        if release.version not in recorded:
            record(home, "withdrawal", release.withdrawn.as_dict())
    for release in withdrawn:
        if release.is_current:
            point(home.current, _stand_in(home, release).version)
            note_switch(home, f"withdrawal of {release.version}")
    withdraw_faces(home, {r.version: r.withdrawn for r in withdrawn if r.withdrawn})


def _stand_in(home: Home, withdrawn: Release) -> Release:
    """The newest sound release that is not withdrawn, else one that says why there is none."""
    found = next((r for r in reversed(list_releases(home)) if not r.withdrawn and is_sound(r)), None)
    return found or _notice(home, withdrawn)


def holders_of_withdrawn(home: Home, version: str) -> list[str]:
    """Releases, not withdrawn themselves, that hold figures which came from this one, with the products, in words."""
    found = []
    for release in list_releases(home):
        products = sorted(p.product for p in release.manifest.products.values() if p.bundle and p.origin_release == version)
        if products and not release.withdrawn and release.version != version:
            found.append(f"{release.version} ({', '.join(products)})")
    return found


def _notice(home: Home, withdrawn: Release) -> Release:
    assert withdrawn.withdrawn is not None
    reason = f"release {withdrawn.version} was withdrawn, and no other is left: {withdrawn.withdrawn.words}"
    products = {name: ProductRecord(name, "left_out", reason=reason) for name in withdrawn.manifest.products}
    verdicts = [PRODUCT_CHECKS["withdrawn"].of_product(name, False, reason) for name in products]
    version = next_version(home, withdrawn.as_of)
    draft = home.published / f"{DRAFT}{version}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    moment = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
    head = ReleaseHead(version, withdrawn.as_of, moment, code_version())
    contents = assemble_notice(draft / DATABASE, withdrawn.database if is_sound(withdrawn) else None, head, products, verdicts)
    manifest = ReleaseManifest(
        version=version,
        as_of=withdrawn.as_of,
        published_at=moment,
        schema_version=SCHEMA_VERSION,
        code_version=head.code_version,
        key_id="",
        content_hash=digest({name: c.content_hash for name, c in contents.items()}),
        fingerprint=digest({"notice": withdrawn.version}),
        candidate_sha256="",
        baseline="",
        contracts={},
        receipts=TableRecord(0, ""),
        products=products,
        tables={name: TableRecord(c.rows, c.content_hash) for name, c in contents.items()},
        files={DATABASE: sha256_of(draft / DATABASE)},
        ledger=ledger_head(home),
    )
    (draft / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    seal(draft, GROUP)
    move_into_place(draft, home.published / version)
    about = {"version": version, "as_of": manifest.as_of.isoformat(), "new": True, "becomes_current": True, "left_out": sorted(products)}
    record(home, "publish", {**about, "content_hash": manifest.content_hash})
    return release_of(home, version)
