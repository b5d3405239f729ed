"""What a person wants to know of a home at a glance: its sources, what is held, and its current release."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator

from dagster_project.contracts.load import survey
from dagster_project.home import Home
from dagster_project.ingest.night import source_states
from dagster_project.ingest.receipts import Receipts
from dagster_project.release import Release, ReleaseError, current_release
from dagster_project.release.public import public_lines
from dagster_project.unreleased import ended_without_release

MOST_PERIODS = 3
NOT_TAKEN = frozenset({"held", "failed"})


def release_lines(release: Release) -> Iterator[str]:
    """The release in words: which products are fresh, stale or left out, and why."""
    products = release.manifest.products
    fresh = [name for name, p in products.items() if p.status == "fresh"]
    yield f"release {release.version}, as of {release.as_of}: {len(fresh)} of {len(products)} products fresh ({', '.join(fresh) or 'none'})"
    if release.withdrawn:
        yield f"  withdrawn: {release.withdrawn.words}"
    for name, product in products.items():
        if product.status == "stale":
            yield f"  stale: {name}, {product.age_days(release.as_of)} days old, from release {product.origin_release}: {product.reason}"
        elif product.status == "left_out":
            yield f"  left out: {name}: {product.reason}"
    yield f"  {release.database}"


def source_lines(home: Home, night: dt.date | None) -> Iterator[str]:
    """Every source in words: what the pool holds of it, what is held back, and what did not come by the night of the release."""
    rows: dict[str, int] = defaultdict(int)
    quarantined: dict[str, int] = defaultdict(int)
    newest: dict[str, str] = {}
    trouble: dict[str, list[str]] = defaultdict(list)
    with Receipts(home) as receipts:
        files = receipts.files()
    for file in files:
        source = file.source_id
        rows[source] += file.rows_accepted
        quarantined[source] += file.rows_quarantined
        newest[source] = max(newest.get(source, ""), file.batch_date.isoformat())
        if file.status in NOT_TAKEN:
            trouble[source].append(f"{file.file_name}: {file.detail}")
    missing = {s.source_id: s.missing for s in source_states(home, survey()[0].contracts, night)} if night else {}
    for source in sorted(rows):
        yield f"{source:24} {rows[source]:>12,} rows, {quarantined[source]:>7,} quarantined, newest batch {newest[source]}"
        for words in trouble[source]:
            yield f"  held: {words}"
        if periods := missing.get(source):
            more = f" and {len(periods) - MOST_PERIODS} before" if len(periods) > MOST_PERIODS else ""
            yield f"  not delivered by the night {night}: {', '.join(periods[-MOST_PERIODS:])}{more}"


def status_lines(home: Home) -> Iterator[str]:
    """Lines for a terminal; the first says so when nothing was ingested or published yet."""
    if home.receipts.exists():
        yield from _pooled_and_published(home)
    else:
        yield f"{home.root}: nothing ingested yet; run 'pool run'"
    for words in ended_without_release(home):
        yield f"since then: {words}"
    for holder in home.holders():
        yield str(holder)


def _night_of_release(home: Home) -> dt.date | None:
    """None where there is none, or it is too damaged to say: what the pool holds is told all the same."""
    try:
        release = current_release(home)
    except ReleaseError:
        return None
    return release.as_of if release else None


def _pooled_and_published(home: Home) -> Iterator[str]:
    yield f"{home.root}, groups {', '.join(home.enabled_groups())}"
    yield from source_lines(home, _night_of_release(home))
    release = current_release(home)
    if release is None:
        yield "nothing published yet"
    else:
        yield from release_lines(release)
        yield from public_lines(home)
