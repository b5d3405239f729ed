"""The checks that need no dbt: was it built, did the sources deliver, does everything balance, is it fresh, did it jump."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.audit.candidate import BUILT, Candidate, sql_text
from dagster_project.audit.register import PRODUCT_CHECKS, SOURCE_CHECKS
from dagster_project.audit.verdict import NOT_AUDITED, Verdict, first_line, presentable_rows
from dagster_project.contracts.model import Contract
from dagster_project.contracts.personal_values import masked
from dagster_project.home import Home
from dagster_project.ingest.cadence import missing_deliveries

HELD = frozenset({"held", "failed"})
BUILD_KINDS = frozenset({"model", "seed", "snapshot"})
PERIODS_NAMED = 3
JUMP_SHARE = 0.5
JUMP_LEAST = 100
RESTATED_SHARE = 0.2
RESTATED_LEAST = 20


def _control(home: Home, table: str) -> str:
    return f"read_parquet({sql_text(home.warehouse / 'control' / f'{table}.parquet')}, hive_partitioning = false)"


# ---- sources ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SourceState:
    """What the receipts say of one source up to a night."""

    source_id: str
    batches: tuple[dt.date, ...]
    files: int
    held: tuple[dict[str, Any], ...]
    out_of_balance: tuple[dict[str, Any], ...]


def source_states(home: Home, candidate: Candidate, contracts: Sequence[Contract]) -> dict[str, SourceState]:
    """The state of every enabled source; a held batch of a full extract counts only until a later batch replaces it."""
    receipts = candidate.rows(
        "select source_id, batch_date, file_name, rows_read, rows_accepted, rows_quarantined, rows_duplicate, rows_filtered, status, "
        f"detail from {_control(home, 'receipt')} where batch_date <= date '{candidate.as_of}' order by source_id, batch_date, file_name",
    )
    of_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for receipt in receipts:
        of_source[receipt["source_id"]].append(receipt)
    unbalanced_batches = _unbalanced_batches(home, candidate, contracts)
    states = {}
    for contract in contracts:
        own = of_source[contract.id]
        good = [r["batch_date"] for r in own if r["status"] not in HELD]
        held = [r for r in own if r["status"] in HELD and (contract.extract.mode != "full" or not good or r["batch_date"] > max(good))]
        unbalanced = [
            r for r in own if r["rows_read"] != r["rows_accepted"] + r["rows_quarantined"] + r["rows_duplicate"] + r["rows_filtered"]
        ]
        states[contract.id] = SourceState(
            contract.id, tuple(sorted(set(good))), len(own), tuple(held), (*unbalanced, *unbalanced_batches[contract.id])
        )
    return states


def _unbalanced_batches(home: Home, candidate: Candidate, contracts: Sequence[Contract]) -> dict[str, list[dict[str, Any]]]:
    """Batches in which rows accepted by the receipts, by the inventory and in the pool itself are not the same number."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    entities = sorted({c.entity for c in contracts})
    scans = [
        f"select source_id, batch_date, sum(row_count)::bigint as in_pool "
        f"from read_parquet({sql_text(home.pool / entity / '*' / '*.parquet')}, union_by_name = true, hive_partitioning = false) "
        f"group by all"
        for entity in entities
        if any((home.pool / entity).glob("*/*.parquet"))
    ]
    in_pool = (
        " union all ".join(scans) or "select null::varchar as source_id, null::date as batch_date, null::bigint as in_pool where false"
    )
    rows = candidate.rows(
        f"""
        with receipts as (
            select source_id, batch_date, sum(rows_accepted)::bigint as in_receipts, bool_and(status = 'ok') as is_ok
            from {_control(home, "receipt")} where batch_date <= date '{candidate.as_of}' group by all
        ),
        inventory as (
            select source_id, batch_date, rows_accepted as in_inventory
            from {_control(home, "batch")} where batch_date <= date '{candidate.as_of}'
        ),
        in_pool as (select * from ({in_pool}) where batch_date <= date '{candidate.as_of}')
        select
            coalesce(receipts.source_id, inventory.source_id, in_pool.source_id) as source_id,
            coalesce(receipts.batch_date, inventory.batch_date, in_pool.batch_date) as batch_date,
            in_receipts, in_inventory, coalesce(in_pool, 0) as in_pool
        from receipts
        full join inventory using (source_id, batch_date)
        full join in_pool using (source_id, batch_date)
        where (coalesce(is_ok, true) and (in_receipts is distinct from in_inventory))
            or coalesce(in_inventory, 0) <> coalesce(in_pool, 0)
        order by all
        """,
    )
    for row in rows:
        found[row["source_id"]].append(row)
    return found


def rows_by_batch(home: Home, candidate: Candidate) -> dict[str, dict[dt.date, int]]:
    """Rows accepted by batch date of every source, of the batches in the pool up to the night."""
    found: dict[str, dict[dt.date, int]] = defaultdict(dict)
    sql = f"select source_id, batch_date, rows_accepted from {_control(home, 'batch')} where batch_date <= date '{candidate.as_of}'"
    for row in candidate.rows(sql):
        found[row["source_id"]][row["batch_date"]] = row["rows_accepted"]
    return found


def delivery_verdict(contract: Contract, state: SourceState) -> Verdict:
    """A source with a held or failed batch blocks: its figures would be of an older state, or lack a delivery."""
    check = SOURCE_CHECKS["deliveries"]
    if not state.held:
        return check.of_source(contract.id, contract.owner, True, f"{state.files} files read")
    worst = state.held[-1]
    last = f"{worst['file_name']} of {worst['batch_date']} ({worst['status']}): {masked(worst['detail'] or 'no detail')}"
    return check.of_source(contract.id, contract.owner, False, f"{contract.id}: {len(state.held)} held, the last {last}", state.held)


def balance_verdict(contract: Contract, state: SourceState) -> Verdict:
    """Rows read = accepted + quarantined + duplicate + filtered per file; accepted = rows in the pool per batch."""
    check = SOURCE_CHECKS["balance"]
    if not state.out_of_balance:
        return check.of_source(contract.id, contract.owner, True, f"{state.files} files balance")
    detail = f"{contract.id}: {len(state.out_of_balance)} files or batches do not balance"
    return check.of_source(contract.id, contract.owner, False, detail, state.out_of_balance)


def freshness_verdict(contract: Contract, state: SourceState, as_of: dt.date) -> Verdict:
    """A delivery that the cadence expects and that is missing is a warning: the figures stand, on less."""
    missing = missing_deliveries(contract, state.batches, as_of)
    newest = f"the newest batch is of {state.batches[-1]}" if state.batches else "nothing was delivered yet"
    more = f" and {len(missing) - PERIODS_NAMED} more" if len(missing) > PERIODS_NAMED else ""
    detail = f"{contract.id}: {', '.join(missing[-PERIODS_NAMED:])}{more} missing; {newest}" if missing else newest
    return SOURCE_CHECKS["freshness"].of_source(contract.id, contract.owner, not missing, detail)


def folded(product: str, check: str, of_sources: Sequence[Verdict]) -> Verdict:
    """The verdicts of one check over the sources that a product reads, as one verdict of the product."""
    failed = sorted((v for v in of_sources if not v.passed), key=lambda v: bool(v.waived))
    first = (failed or list(of_sources))[0]
    if not failed:
        return Verdict(product, check, first.severity, True, f"{len(of_sources)} sources", first.owner, first.action, zh=first.zh)
    waived = "" if any(not v.waived for v in failed) else "; ".join(dict.fromkeys(v.waived for v in failed))
    detail = "; ".join(v.detail for v in failed[:5]) + (f"; and {len(failed) - 5} more" if len(failed) > 5 else "")
    rows = presentable_rows({"source": v.source, **row} for v in failed for row in (v.rows or ({"detail": v.detail},)))
    return Verdict(product, check, first.severity, False, detail, first.owner, first.action, rows, zh=first.zh, waived=waived)


# ---- products -----------------------------------------------------------------------------------------------------


def built_verdict(candidate: Candidate, product: str) -> Verdict:
    """Every model, seed and snapshot that the product is made of was built, without an error, by the build that was sealed."""
    check = PRODUCT_CHECKS["built"]
    nodes = [candidate.lineage.nodes[i] for i in sorted(candidate.lineage.upstream[product])]
    to_build = [n for n in nodes if n.kind in BUILD_KINDS and n.config.get("materialized") != "ephemeral"]
    bad: list[dict[str, Any]] = []
    for node in to_build:
        built = candidate.built.get(node.unique_id)
        if built is None:
            bad.append({"model": node.name, "status": "not in this build", "message": ""})
        elif built.status not in BUILT:
            bad.append({"model": node.name, "status": built.status, "message": masked(built.message.strip())})
        elif not candidate.has(node):
            bad.append({"model": node.name, "status": "not in the candidate", "message": ""})
    if not bad:
        return check.of_product(product, True, f"{len(to_build)} models built")
    detail = ", ".join(f"{b['model']} ({b['status']})" for b in bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
    return check.of_product(product, False, detail, bad)


@dataclass(frozen=True)
class Figures:
    """What ``kpi`` holds of one product: rows by KPI and grain, and the nights they are of."""

    rows: Mapping[tuple[str, str], int]
    nights: frozenset[dt.date]


def figures_by_product(candidate: Candidate) -> dict[str, Figures]:
    """One scan of ``kpi`` for all products; a product without rows is absent. Raises duckdb.Error when ``kpi`` is not as promised."""
    kpi = candidate.lineage.named("kpi")
    if kpi is None or not candidate.has(kpi):
        return {}
    rows: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    nights: dict[str, set[dt.date]] = defaultdict(set)
    sql = f"select product, kpi_id, grain, as_of, count(*) as n from {candidate.relation(kpi)} group by all order by all"
    for r in candidate.rows(sql):
        key = (r["kpi_id"], r["grain"])
        rows[r["product"]][key] = rows[r["product"]].get(key, 0) + r["n"]
        nights[r["product"]].add(r["as_of"])
    return {product: Figures(counted, frozenset(nights[product])) for product, counted in rows.items()}


def as_of_verdict(product: str, figures: Figures, as_of: dt.date) -> Verdict:
    """The product's figures are of the night processed, not of one before."""
    other = sorted(figures.nights - {as_of}, key=str)
    detail = f"figures as of {', '.join(str(d) for d in other)}" if other else f"figures as of {as_of}"
    return PRODUCT_CHECKS["as_of"].of_product(product, not other, detail, [{"as_of": d} for d in other])


@dataclass(frozen=True)
class Baseline:
    """What the last release of an earlier night says of a product: its database, and rows per KPI and grain."""

    version: str
    database: Path
    rows: Mapping[tuple[str, str], int]


def rows_verdict(product: str, now: Mapping[tuple[str, str], int], baseline: Baseline | None) -> Verdict:
    """A product that had figures must not go out empty; one that never had any is only worth a warning."""
    check = PRODUCT_CHECKS["rows"]
    count = sum(now.values())
    had = sum(baseline.rows.values()) if baseline else 0
    if count:
        return check.of_product(product, True, f"{count} rows of {len({k for k, _ in now})} KPIs")
    if had:
        return check.of_product(product, False, f"no rows, {had} in release {baseline.version if baseline else ''}")
    return check.of_product(product, False, "no rows: no source has delivered what this product counts", severity="warn")


def continuity_verdict(product: str, now: Mapping[tuple[str, str], int], baseline: Baseline | None) -> Verdict:
    """Against the release before: no KPI vanished, no row count halved or more than doubled by half again."""
    check = PRODUCT_CHECKS["continuity"]
    if baseline is None or not baseline.rows:
        return check.of_product(product, True, "no earlier release to compare with")
    jumps = []
    for kpi_id, grain in sorted({*now, *baseline.rows}):
        before, after = baseline.rows.get((kpi_id, grain), 0), now.get((kpi_id, grain), 0)
        gone = before > 0 and after == 0
        if gone or (before >= JUMP_LEAST and abs(after - before) > JUMP_SHARE * before):
            jumps.append({"kpi_id": kpi_id, "grain": grain, "rows_before": before, "rows_now": after})
    if not jumps:
        return check.of_product(product, True, f"rows per KPI and grain are like those of {baseline.version}")
    first = jumps[0]
    detail = (
        f"{len(jumps)} KPI and grain pairs jump against {baseline.version}, the first {first['kpi_id']} by {first['grain']}: "
        f"{first['rows_before']} to {first['rows_now']} rows"
    )
    return check.of_product(product, False, detail, jumps)


def restatement_verdicts(candidate: Candidate, products: Sequence[str], baselines: Mapping[str, Baseline]) -> dict[str, Verdict]:
    """Against the release before: counts of months that were complete then have not moved much (period basis, all units).

    Late deliveries and corrections do move them; a move of more than a fifth and of more than 20 is worth a look. One comparison for all
    products of one release.
    """
    check = PRODUCT_CHECKS["restatement"]
    kpi = candidate.lineage.named("kpi")
    verdicts = {product: check.of_product(product, True, "no earlier release to compare with") for product in products}
    if kpi is None:
        return verdicts
    compared: dict[tuple[str, Path], list[str]] = defaultdict(list)
    for product in products:
        if product in baselines:
            compared[baselines[product].version, baselines[product].database].append(product)
    for (version, database), of_release in compared.items():
        try:
            moved = _restated(candidate, candidate.relation(kpi), of_release, database)
        except duckdb.Error as error:
            detail = f"{NOT_AUDITED}: release {version} cannot be compared with: {first_line(error)}"
            verdicts |= {product: check.of_product(product, False, detail) for product in of_release}
        else:
            verdicts |= {product: _restatement_verdict(product, moved[product], version) for product in of_release}
    return verdicts


def _restated(candidate: Candidate, kpi: str, products: Sequence[str], earlier: Path) -> Mapping[str, list[dict[str, Any]]]:
    """By product the counts of complete months that moved, the furthest first."""
    try:
        candidate.connection.execute(f"attach {sql_text(earlier)} as baseline (read_only)")
        rows = candidate.rows(
            f"""
            select product, now.kpi_id, now.unit_code, now.period_start, figure.part, figure.before, figure.now
            from {kpi} as now
            inner join baseline.main.kpi as earlier using (product, kpi_id, unit_code, slice, grain, period_start),
                unnest([
                    {{'part': 'numerator', 'before': earlier.numerator::double, 'now': now.numerator::double}},
                    {{'part': 'denominator', 'before': earlier.denominator::double, 'now': now.denominator::double}}
                ]) as unnested(figure)
            where now.product in ({", ".join(map(sql_text, products))}) and now.grain = 'month' and now.slice = '' and now.basis = 'period'
                and earlier.grain = 'month' and earlier.slice = '' and earlier.is_complete
                and abs(figure.now - figure.before) > greatest({RESTATED_SHARE} * abs(figure.before), {RESTATED_LEAST})
            order by abs(figure.now - figure.before) desc, 2, 3, 4, 5
            """
        )
    finally:
        candidate.connection.execute("detach database if exists baseline")
    moved: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        moved[row.pop("product")].append(row)
    return moved


def _restatement_verdict(product: str, moved: Sequence[dict[str, Any]], version: str) -> Verdict:
    check = PRODUCT_CHECKS["restatement"]
    if not moved:
        return check.of_product(product, True, f"complete months are like those of {version}")
    top = moved[0]
    detail = (
        f"{len(moved)} counts of complete months moved against {version}, most {top['kpi_id']} of {top['unit_code']} "
        f"in {top['period_start']:%Y-%m}: {top['part']} {top['before']:.0f} to {top['now']:.0f}"
    )
    return check.of_product(product, False, detail, moved)
