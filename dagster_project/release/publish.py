"""Publish: audit the candidate, take every product that passed, keep the last good bundle of every other, switch once."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from dagster_project.audit.candidate import SCRATCH, Candidate, CandidateRefusedError, open_candidate, sha256_of, sql_text
from dagster_project.audit.checks import Baseline
from dagster_project.audit.expectations import Worker
from dagster_project.audit.gate import GateReport, judge
from dagster_project.audit.register import PRODUCT_CHECKS
from dagster_project.audit.verdict import Verdict
from dagster_project.contracts.model import Contract
from dagster_project.home import Home
from dagster_project.ledger import head as ledger_head
from dagster_project.ledger import record
from dagster_project.release.assemble import Part, ReleaseHead, assemble
from dagster_project.release.bundle import SCHEMA_VERSION, Bundle, BundleError, read_bundle, sweep_unused, write_bundles
from dagster_project.release.code_version import code_version
from dagster_project.release.content import TableContent, digest, outside_content, table_content
from dagster_project.release.expectations_page import expectations_page
from dagster_project.release.files import DRAFT, move_into_place, point, seal, sweep
from dagster_project.release.history import note_switch
from dagster_project.release.public import publish_face
from dagster_project.release.record import (
    DATABASE,
    MANIFEST,
    ProductRecord,
    Release,
    ReleaseError,
    ReleaseManifest,
    TableRecord,
    WithdrawnError,
    current_release,
    list_releases,
    next_version,
    unreadable,
)
from dagster_project.release.releases import is_sound
from dagster_project.release.retention import prune_under_lock, retention_of
from dagster_project.release.selection import POOL_TABLES
from dagster_project.release.withdrawal import settle_withdrawals
from dagster_project.rights import GROUP

Say = Callable[[str], None]
AUDIT = "audit.json"
EXPECTATIONS = "expectations.json"
EXPECTATIONS_PAGE = "expectations.html"
BUNDLE_CHECK = "last good bundle"
WITHDRAWN_CHECK = "withdrawn before"
NO_LONGER_BUILT = "the project no longer builds this product"


@dataclass(frozen=True)
class PublishResult:
    """What came of a publish.

    ``is_new`` is false when the night's release existed already with the same content; ``became_current`` is false when
    readers have a release of a later night, which stays current.
    """

    release: Release
    report: GateReport
    is_new: bool
    became_current: bool

    @property
    def version(self) -> str:
        return self.release.version

    @property
    def products(self) -> Mapping[str, ProductRecord]:
        return self.release.manifest.products


def _readable_current(home: Home) -> Release | None:
    """The current release; None when there is none or it is damaged, which the next publish heals."""
    try:
        return current_release(home)
    except ReleaseError:
        return None


def _previous(home: Home, as_of: dt.date) -> Release | None:
    """The release that held products fall back to: the current one, or for an older night the newest up to that night."""
    current = _readable_current(home)
    if current is not None and current.as_of <= as_of:
        return current
    return next((r for r in reversed(list_releases(home)) if r.as_of <= as_of and not r.withdrawn), None)


def _baseline(home: Home, previous: Release | None, as_of: dt.date) -> Release | None:
    """The release to compare with: always of an earlier night, so that publishing a night again changes nothing; none withdrawn."""
    known = {r.version: r for r in list_releases(home)}
    found = previous
    while found is not None and (found.as_of >= as_of or found.withdrawn):
        found = known.get(found.manifest.baseline)
    return found


@dataclass(frozen=True)
class _Earlier:
    """What earlier releases vouch for: a bundle that was fresh in a release which is not withdrawn."""

    previous: Release | None
    releases: Sequence[Release]

    @cached_property
    def vouched(self) -> frozenset[str]:
        return frozenset(p.bundle for r in self.releases if not r.withdrawn for p in r.manifest.products.values() if p.status == "fresh")

    @property
    def products(self) -> Mapping[str, ProductRecord]:
        return self.previous.manifest.products if self.previous else {}

    def last_good(self, product: str) -> ProductRecord | None:
        """The state that a held product falls back to: that of the previous release; where only withdrawn releases vouch for it, the newest
        before that others vouch for."""
        last = self.products.get(product)
        if self.previous is None or last is None or not last.bundle or last.bundle in self.vouched:
            return last if last and last.bundle else None
        older = self.releases[: next(place for place, r in enumerate(self.releases) if r.version == self.previous.version)]
        candidates = (r.manifest.products.get(product) for r in reversed(older) if not r.withdrawn)
        return next((p for p in candidates if p and p.bundle in self.vouched), None)

    def withdrawn_with(self, bundle: str) -> list[Release]:
        return [r for r in self.releases if r.withdrawn and any(p.bundle == bundle for p in r.manifest.products.values())]


def _baselines(release: Release | None) -> dict[str, Baseline]:
    if release is None:
        return {}
    return {
        name: Baseline(release.version, release.database, {_split(key): rows for key, rows in p.rows_per_kpi.items()})
        for name, p in release.manifest.products.items()
        if p.status != "left_out"
    }


def _split(key: str) -> tuple[str, str]:
    kpi_id, _, grain = key.rpartition(" ")
    return kpi_id, grain


@dataclass(frozen=True)
class _Plan:
    """What a release will hold, before its version is known."""

    products: Mapping[str, ProductRecord]
    bundles: Mapping[str, Bundle]
    verdicts: tuple[Verdict, ...]

    def under(self, version: str) -> dict[str, ProductRecord]:
        """The products, each under the release that first held its content."""
        return {
            name: p if p.origin_release or p.status == "left_out" else replace(p, origin_release=version)
            for name, p in self.products.items()
        }


def _plan(home: Home, candidate: Candidate, report: GateReport, known: _Earlier, say: Say) -> _Plan:
    earlier = known.products
    held = report.held
    products: dict[str, ProductRecord] = {}
    verdicts_of = {product: report.of_product[product] for product in report.passed}
    bundles = write_bundles(home, candidate, verdicts_of, {name: p.bundle for name, p in earlier.items()})
    verdicts = list(report.verdicts)
    for product in sorted({*report.of_product, *(name for name, p in earlier.items() if p.status != "left_out")}):
        if product in report.of_product and product not in held:
            bundle = bundles[product]
            counted = {f"{kpi_id} {grain}": n for (kpi_id, grain), n in sorted(report.rows_per_kpi.get(product, {}).items())}
            published = earlier.get(product)
            origin = published.origin_release if published and published.bundle == bundle.name else ""
            kpi_rows = bundle.tables["kpi"].content.rows
            products[product] = ProductRecord(
                product, "fresh", bundle.name, bundle.content_hash, bundle.as_of, origin, "", kpi_rows, counted
            )
            verdicts.extend(_withdrawn_before(product, known.withdrawn_with(bundle.name)))
            continue
        reason = held.get(product, NO_LONGER_BUILT)
        say(f"gate: {product} is held: {reason}")
        if product not in report.of_product:
            verdicts.append(PRODUCT_CHECKS["built"].of_product(product, False, NO_LONGER_BUILT))
            products[product] = ProductRecord(product, "left_out", reason=reason)
            continue
        last = known.last_good(product)
        if last is None:
            products[product] = ProductRecord(product, "left_out", reason=f"{reason} (there is no earlier good state)")
            continue
        try:
            bundles[product] = read_bundle(home, last.bundle)
            products[product] = replace(last, status="stale", reason=reason)
        except BundleError as error:
            verdicts.append(PRODUCT_CHECKS[BUNDLE_CHECK].of_product(product, False, str(error)))
            products[product] = ProductRecord(product, "left_out", reason=f"{reason}; {error}")
    return _Plan(products, bundles, tuple(verdicts))


def _withdrawn_before(product: str, releases: Sequence[Release]) -> Iterator[Verdict]:
    for release in releases:
        if release.withdrawn:
            detail = f"these are the figures of release {release.version}, withdrawn: {release.withdrawn.words}"
            yield PRODUCT_CHECKS[WITHDRAWN_CHECK].of_product(product, False, detail)


def _refuse_withdrawn(known: _Earlier, plan: _Plan, as_of: dt.date) -> None:
    """Raise WithdrawnError when the plan holds the same figures as a withdrawn release of the night, no more, no less and no other."""
    planned = {name: p.bundle for name, p in plan.products.items() if p.bundle}
    for release in known.releases:
        held = {name: p.bundle for name, p in release.manifest.products.items() if p.bundle}
        if release.withdrawn and release.as_of == as_of and planned and held == planned:
            raise WithdrawnError(
                release.withdrawn, "this night gives the same figures again, so nothing was published; put right what was wrong"
            )


def _fingerprint(candidate: Candidate, report: GateReport, plan: _Plan, key_id: str) -> str:
    """Everything that a release is made of; the same fingerprint means that the release exists already."""
    pool_tables = {}
    for name in POOL_TABLES:
        node = candidate.lineage.named(name)
        if node is not None and candidate.has(node):
            pool_tables[name] = table_content(candidate.connection, candidate.relation(node), outside_content(name)).content_hash
    return digest(
        {
            "as_of": candidate.as_of.isoformat(),
            "schema_version": SCHEMA_VERSION,
            "code_version": code_version(),
            "key_id": key_id,
            "products": {
                name: [p.status, p.bundle, p.origin_release if p.status == "stale" else "", p.reason] for name, p in plan.products.items()
            },
            "waivers": [w.as_dict() for w in report.waivers],
            "gate": sorted([v.product, v.check, v.severity, v.passed, v.detail] for v in plan.verdicts),
            "pool": pool_tables,
        }
    )


def _contract_versions(home: Home, candidate: Candidate) -> dict[str, str]:
    file = sql_text(home.warehouse / "control" / "source.parquet")
    rows = candidate.connection.execute(
        f"select source_id, contract_version from read_parquet({file}, hive_partitioning = false) order by 1"
    ).fetchall()
    return dict(rows)


def _receipts(home: Home, candidate: Candidate) -> TableRecord:
    file = sql_text(home.warehouse / "control" / "receipt.parquet")
    content = table_content(
        candidate.connection,
        f"(select * from read_parquet({file}, hive_partitioning = false) where batch_date <= date '{candidate.as_of}')",
        {"seconds"},
    )
    return TableRecord(content.rows, content.content_hash)


def _write_release(
    home: Home, candidate: Candidate, report: GateReport, plan: _Plan, fingerprint: str, baseline: Release | None, key_id: str, say: Say
) -> Release:
    version = next_version(home, candidate.as_of)
    say(f"release: assembling {version}")
    draft = home.published / f"{DRAFT}{version}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    products = plan.under(version)
    parts = [Part(bundle, products[name].status == "stale", products[name].origin_release) for name, bundle in sorted(plan.bundles.items())]
    head = ReleaseHead(version, candidate.as_of, dt.datetime.now(tz=dt.UTC).replace(microsecond=0), code_version())
    contents = assemble(draft / DATABASE, candidate, parts, head, products, plan.verdicts)
    _write_json(draft / AUDIT, [v.as_dict() for v in (*plan.verdicts, *report.of_source)])
    _write_json(draft / EXPECTATIONS, list(report.expectation_results))
    titles = {product: mart.description for product, mart in candidate.lineage.marts.items()}
    page = expectations_page(candidate.as_of, version, report.expectation_results, plan.verdicts, titles)
    (draft / EXPECTATIONS_PAGE).write_text(page, encoding="utf-8")
    manifest = ReleaseManifest(
        version=version,
        as_of=candidate.as_of,
        published_at=head.published_at,
        schema_version=SCHEMA_VERSION,
        code_version=head.code_version,
        key_id=key_id,
        content_hash=_release_hash(contents),
        fingerprint=fingerprint,
        candidate_sha256=candidate.sha256,
        baseline=baseline.version if baseline else "",
        contracts=_contract_versions(home, candidate),
        receipts=_receipts(home, candidate),
        products=products,
        tables={name: TableRecord(c.rows, c.content_hash) for name, c in contents.items()},
        files={name: sha256_of(draft / name) for name in (DATABASE, AUDIT, EXPECTATIONS, EXPECTATIONS_PAGE)},
        ledger=ledger_head(home),
        waivers=tuple(w.as_dict() for w in report.waivers),
    )
    (draft / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    seal(draft, GROUP)
    if not candidate.unaltered():
        shutil.rmtree(draft)
        raise CandidateRefusedError(f"{candidate.file} was altered while it was being published: nothing was published; build it again")
    move_into_place(draft, home.published / version)
    return Release(home.published / version, manifest, False)


def _release_hash(contents: Mapping[str, TableContent]) -> str:
    """The content of a whole release; release_info and gate_result speak of other releases too and stay outside."""
    return digest({name: c.content_hash for name, c in contents.items() if name not in {"release_info", "gate_result"}})


def _write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")


def gate_and_publish(
    home: Home,
    as_of: dt.date,
    contracts: Sequence[Contract],
    *,
    worker: Worker | None = None,
    key_id: str = "",
    progress: Say | None = None,
) -> PublishResult:
    """Audit the candidate of the night ``as_of`` and publish what passes, under the writer's lock, which it takes itself.

    ``contracts`` are the enabled sources. A product that passes is published from the candidate; one that is held keeps its
    last good bundle, marked stale with the reason; one without is left out and named in ``release_info`` and
    ``gate_result``. When every product is held there is still a release that says so, since readers must see why nothing
    moves. When nothing at all differs from a release of the same night, none is added: that one becomes current.

    Raises CandidateRefusedError (nothing published) when the candidate is missing, half-built, altered or of another night;
    WithdrawnError (nothing published) when the figures are those of a withdrawn release again;
    HomeBusyError when another process writes to the home.
    """
    say = progress or (lambda _: None)
    own = Worker() if worker is None else None
    asking = worker or own
    assert asking is not None
    asking.start()
    try:
        with home.writing(f"publishing the night {as_of}"):
            return _publish(home, as_of, contracts, asking, key_id, say)
    finally:
        if own is not None:
            own.close()


def _as_recorded(release: Release, is_new: bool, becomes_current: bool) -> dict[str, object]:
    manifest = release.manifest
    return {
        "version": release.version,
        "as_of": release.as_of.isoformat(),
        "new": is_new,
        "becomes_current": becomes_current,
        "content_hash": manifest.content_hash,
        "code_version": manifest.code_version,
        "key_id": manifest.key_id,
        "stale": list(release.stale),
        "left_out": list(release.left_out),
    }


def _publish(home: Home, as_of: dt.date, contracts: Sequence[Contract], worker: Worker, key_id: str, say: Say) -> PublishResult:
    home.ensure()
    settle_withdrawals(home)
    shutil.rmtree(home.scratch / SCRATCH, ignore_errors=True)
    sweep([home.published, *(p for p in home.bundles.glob("*") if p.is_dir())])
    previous = _previous(home, as_of)
    baseline = _baseline(home, previous, as_of)
    with open_candidate(home, as_of) as candidate:
        report = judge(home, candidate, contracts, worker, _baselines(baseline), say)
        known = _Earlier(previous, list_releases(home))
        plan = _plan(home, candidate, report, known, say)
        _refuse_withdrawn(known, plan, as_of)
        fingerprint = _fingerprint(candidate, report, plan, key_id)
        existing = next((r for r in list_releases(home) if r.manifest.fingerprint == fingerprint and not r.withdrawn and is_sound(r)), None)
        release = existing or _write_release(home, candidate, report, plan, fingerprint, baseline, key_id, say)
    current = _readable_current(home)
    switch = current is None or current.as_of <= as_of
    for waived in (v for v in report.verdicts if v.waived):
        record(home, "waiver", {"version": release.version, "product": waived.product, "check": waived.check, "waived": waived.waived})
    record(home, "publish", _as_recorded(release, existing is None, switch))
    if switch:
        point(home.current, release.version)
        note_switch(home, f"publish of the night {as_of}")
        say(f"release: {release.version} is current")
        publish_face(home, release, say)
    rule = retention_of(home)
    if rule is not None:
        prune_under_lock(home, rule)
    if not unreadable(home):
        sweep_unused(home, frozenset(p.bundle for r in list_releases(home) for p in r.manifest.products.values() if p.bundle))
    return PublishResult(replace(release, is_current=switch), report, existing is None, switch)
