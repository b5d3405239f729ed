"""The gate: every check of a candidate, gathered product by product. A product passes when no blocking check failed."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.audit.candidate import SCRATCH, Candidate, open_candidate
from dagster_project.audit.checks import (
    Baseline,
    Figures,
    as_of_verdict,
    balance_verdict,
    built_verdict,
    continuity_verdict,
    delivery_verdict,
    figures_by_product,
    folded,
    freshness_verdict,
    restatement_verdicts,
    rows_by_batch,
    rows_verdict,
    source_states,
)
from dagster_project.audit.dbt_tests import RowOwners, run_dbt_tests
from dagster_project.audit.drift import drift_verdicts, shares_by_batch
from dagster_project.audit.expectations import Worker, WorkerError
from dagster_project.audit.feeds import products_of_sources
from dagster_project.audit.figures import figure_verdicts
from dagster_project.audit.lineage import Lineage
from dagster_project.audit.privacy import privacy_verdicts, pseudonyms
from dagster_project.audit.register import PRODUCT_CHECKS, SOURCE_CHECKS
from dagster_project.audit.relations import relation_verdicts
from dagster_project.audit.suites import Suite, all_suites
from dagster_project.audit.usual import unusual_days
from dagster_project.audit.verdict import NOT_AUDITED, Verdict, first_line, presentable_rows
from dagster_project.audit.volume import shrinkage_verdict, volume_verdict
from dagster_project.audit.waivers import Waiver, load_waivers
from dagster_project.contracts.entities import Entity, load_entities
from dagster_project.contracts.model import Contract
from dagster_project.home import Home

Say = Callable[[str], None]
REASONS_KEPT = 3
REPAIR = "Put the check or the table right and run again."


@dataclass(frozen=True)
class GateReport:
    """What the gate found. ``of_source`` holds the verdicts of single sources, which ``of_product`` gathers by product."""

    as_of: dt.date
    candidate_sha256: str
    of_product: Mapping[str, tuple[Verdict, ...]]
    of_source: tuple[Verdict, ...] = ()
    expectation_results: tuple[Mapping[str, Any], ...] = ()
    rows_per_kpi: Mapping[str, Mapping[tuple[str, str], int]] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    """Those that were listed, whether or not they were needed."""

    @cached_property
    def held(self) -> dict[str, str]:
        """Held product to the reasons, in words."""
        return {product: reason for product, verdicts in self.of_product.items() if (reason := reason_to_hold(verdicts))}

    @property
    def passed(self) -> tuple[str, ...]:
        return tuple(product for product in self.of_product if product not in self.held)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(v for verdicts in self.of_product.values() for v in verdicts)


def reason_to_hold(verdicts: Sequence[Verdict]) -> str:
    """The first blocking failures in words; empty when the product passes."""
    blocking = [v for v in verdicts if v.blocks]
    words = "; ".join(f"{v.check}: {v.detail}" for v in blocking[:REASONS_KEPT])
    return words + (f"; and {len(blocking) - REASONS_KEPT} more" if len(blocking) > REASONS_KEPT else "")


def expectation_verdicts(suites: Sequence[Suite], results: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    """A verdict of every expectation for every product of its suite; rows that name their product fail that product alone."""
    for suite, result in zip(suites, results, strict=True):
        for expectation, outcome in zip(suite.expectations, result["expectations"], strict=True):
            trouble = result["error"] or outcome["error"]
            named = {p for p in outcome["products"] if p in suite.products}
            for product in suite.products:
                passing = Verdict(
                    product,
                    f"gx:{suite.name}: {expectation.check}",
                    expectation.severity,
                    True,
                    f"{result['rows']} rows",
                    action=expectation.action,
                    zh=expectation.zh,
                )
                if trouble:
                    yield replace(passing, severity="block", passed=False, detail=f"{NOT_AUDITED}: {trouble}", action=REPAIR)
                elif outcome["success"] or (named and product not in named and "" not in outcome["products"]):
                    yield passing
                else:
                    rows = presentable_rows(r for r in outcome["examples"] if r.get("product", product) in (product, None))
                    failing = outcome["products"].get(product, outcome["failing"])
                    yield replace(passing, passed=False, detail=f"{expectation.words}: {failing} rows", rows=rows)


def _hidden_columns(entities: Mapping[str, Entity]) -> frozenset[str]:
    return frozenset(name for entity in entities.values() for name in pseudonyms(entity))


def _product_of_kpi(candidate: Candidate) -> dict[str, str]:
    catalogue = candidate.lineage.named("kpi_catalogue")
    if catalogue is None or not candidate.has(catalogue):
        return {}
    try:
        return {r["kpi_id"]: r["product"] for r in candidate.rows(f"select kpi_id, product from {candidate.relation(catalogue)}")}
    except duckdb.Error:
        return {}


def _figures(candidate: Candidate) -> tuple[dict[str, Figures], str]:
    """The figures by product, or why they cannot be read."""
    try:
        return figures_by_product(candidate), ""
    except duckdb.Error as error:
        return {}, first_line(error)


def needs_verdicts(lineage: Lineage, gathered: Mapping[str, Sequence[Verdict]]) -> list[Verdict]:
    """A product that prints figures of a held one is held with it, and so on along the chain."""
    held = {product for product, verdicts in gathered.items() if any(v.blocks for v in verdicts)}
    while follow := {p for p in lineage.products if p not in held and held & set(lineage.needs[p])}:
        held |= follow
    verdicts = []
    for product, needed in lineage.needs.items():
        missing = sorted(held & set(needed))
        if needed:
            detail = f"{', '.join(missing)} is held" if missing else f"{', '.join(needed)} passed"
            verdicts.append(PRODUCT_CHECKS["needs"].of_product(product, not missing, detail))
    return verdicts


@dataclass
class _Asked:
    """The question to the worker, asked in a thread so that the dbt tests run meanwhile."""

    worker: Worker
    candidate: Candidate
    suites: Sequence[Suite]
    scratch: Path
    results: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._ask, daemon=True)
        thread.start()
        return thread

    def _ask(self) -> None:
        try:
            requests = [suite.as_request() for suite in self.suites]
            self.results = self.worker.ask(self.candidate.file, self.candidate.lineage.database, requests, self.scratch)
        except (WorkerError, OSError, ValueError) as error:
            self.error = first_line(error)

    def answer(self) -> list[dict[str, Any]]:
        if not self.error:
            return self.results
        outcome = {"success": False, "error": self.error, "failing": 0, "products": {}, "examples": []}
        return [
            {
                "name": s.name,
                "rows": 0,
                "seconds": 0.0,
                "error": self.error,
                "groups": [],
                "expectations": [{**e.as_request(), **outcome} for e in s.expectations],
            }
            for s in self.suites
        ]


def _source_verdicts(
    home: Home, candidate: Candidate, contracts: Sequence[Contract], entities: Mapping[str, Entity]
) -> dict[str, dict[str, Verdict]]:
    states = source_states(home, candidate, contracts)
    batches, shares, unusual = rows_by_batch(home, candidate), shares_by_batch(home, candidate), unusual_days(candidate)
    of_source = {}
    for contract in contracts:
        state, delivered = states[contract.id], batches.get(contract.id, {})
        newest = max(delivered, default=None)
        verdicts = (
            delivery_verdict(contract, state),
            balance_verdict(contract, state),
            freshness_verdict(contract, state, candidate.as_of),
            volume_verdict(contract, delivered, unusual),
            shrinkage_verdict(contract, delivered),
            *drift_verdicts(contract, shares.get(contract.id, {}), newest),
            *relation_verdicts(home, candidate, contract, contracts, entities, newest),
        )
        of_source[contract.id] = {v.check: v for v in verdicts}
    return of_source


def judge(
    home: Home,
    candidate: Candidate,
    contracts: Sequence[Contract],
    worker: Worker,
    baselines: Mapping[str, Baseline],
    say: Say,
) -> GateReport:
    """Every check of an open candidate. ``contracts`` are the enabled sources, ``baselines`` the last release by product."""
    suites, waivers = all_suites(candidate), load_waivers(home)
    asked = _Asked(worker, candidate, suites, home.scratch / SCRATCH)
    thread = asked.start()
    gathered: dict[str, list[Verdict]] = {product: [] for product in candidate.lineage.products}

    say(f"gate: balance and deliveries of {len(contracts)} sources")
    entities = load_entities()
    of_source = _source_verdicts(home, candidate, contracts, entities)
    figures, trouble = _figures(candidate)
    fed = products_of_sources(candidate, contracts, entities)
    figured = []
    for product, verdicts in gathered.items():
        read = [of_source[c.id] for c in contracts if product in fed[c.id]]
        for check in SOURCE_CHECKS if read else ():
            verdict = folded(product, check, [waivers.of_source(v[check], product, candidate.as_of) for v in read])
            shows_it = check == "deliveries" and candidate.lineage.describes_sources(product)
            verdicts.append(replace(verdict, severity="warn") if shows_it else verdict)
        built = built_verdict(candidate, product)
        verdicts.append(built)
        if not built.passed:
            continue
        if trouble:
            verdicts.append(PRODUCT_CHECKS["rows"].of_product(product, False, f"{NOT_AUDITED}: {trouble}"))
            continue
        own = figures.get(product, Figures({}, frozenset()))
        baseline = baselines.get(product)
        verdicts.append(as_of_verdict(product, own, candidate.as_of))
        verdicts.append(rows_verdict(product, own.rows, baseline))
        verdicts.append(continuity_verdict(product, own.rows, baseline))
        figured.append(product)
    for product, verdict in restatement_verdicts(candidate, figured, baselines).items():
        gathered[product].append(verdict)

    for verdict in figure_verdicts(
        candidate, [p for p, verdicts in gathered.items() if any(v.check == "built" and v.passed for v in verdicts)]
    ):
        gathered[verdict.product].append(verdict)

    say("gate: personal columns and values")
    for verdict in privacy_verdicts(candidate, entities):
        gathered[verdict.product].append(verdict)

    say(f"gate: {len(candidate.lineage.tests)} dbt tests")
    owners = RowOwners(_product_of_kpi(candidate), fed)
    for verdict in run_dbt_tests(candidate, owners, _hidden_columns(entities)):
        gathered[verdict.product].append(verdict)

    say(f"gate: {len(suites)} suites of Great Expectations")
    thread.join()
    results = asked.answer()
    for verdict in expectation_verdicts(suites, results):
        gathered[verdict.product].append(verdict)
    for product, verdicts in gathered.items():
        gathered[product] = [waivers.of_product(v, candidate.as_of) for v in verdicts]
    every = [v for verdicts in gathered.values() for v in verdicts]
    for product, remark in waivers.remarks(every, gathered, candidate.as_of):
        gathered[product].append(PRODUCT_CHECKS["waivers"].of_product(product, False, remark))
    for verdict in needs_verdicts(candidate.lineage, gathered):
        gathered[verdict.product].append(verdict)

    return GateReport(
        candidate.as_of,
        candidate.sha256,
        {product: tuple(verdicts) for product, verdicts in gathered.items()},
        tuple(v for checks in of_source.values() for v in checks.values()),
        tuple(results),
        {product: own.rows for product, own in figures.items()},
        waivers.listed,
    )


def audit_candidate(
    home: Home,
    as_of: dt.date,
    contracts: Sequence[Contract],
    *,
    worker: Worker | None = None,
    baselines: Mapping[str, Baseline] | None = None,
    progress: Say | None = None,
) -> GateReport:
    """Audit the candidate of a home and change nothing; it takes no lock, so nobody may be building meanwhile.

    ``contracts`` are the enabled ones. Raises CandidateRefusedError when there is no whole candidate of this night.
    """
    own = Worker() if worker is None else None
    asked = worker or own
    assert asked is not None
    asked.start()
    try:
        with open_candidate(home, as_of) as candidate:
            return judge(home, candidate, contracts, asked, baselines or {}, progress or (lambda _: None))
    finally:
        if own is not None:
            own.close()
