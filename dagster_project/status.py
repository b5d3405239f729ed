"""What a person wants to know of a home at a glance: its sources, what is held, and its current release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dagster_project.home import Home
from dagster_project.ingest.receipts import Receipts
from dagster_project.release import Release, current_release
from dagster_project.release.public import public_lines

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


def _source_lines(home: Home) -> Iterator[str]:
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
    for source in sorted(rows):
        yield f"{source:24} {rows[source]:>12,} rows, {quarantined[source]:>7,} quarantined, newest batch {newest[source]}"
        for words in trouble[source]:
            yield f"  held: {words}"


def status_lines(home: Home) -> Iterator[str]:
    """Lines for a terminal; the first says so when nothing was ingested or published yet."""
    if not home.receipts.exists():
        yield f"{home.root}: nothing ingested yet; run 'pool run'"
        return
    yield f"{home.root}, groups {', '.join(home.enabled_groups())}"
    yield from _source_lines(home)
    release = current_release(home)
    if release is None:
        yield "nothing published yet"
    else:
        yield from release_lines(release)
        yield from public_lines(home)
