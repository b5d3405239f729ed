"""Gate and release as assets: one per product, whose checks are the verdicts of the gate, and the release itself."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from dagster_project.alerts import alert_of_deliveries, alert_of_release, deliver
from dagster_project.audit.lineage import Lineage, read_lineage
from dagster_project.audit.register import FAMILIES, FAMILY_WORDS, family_of
from dagster_project.audit.verdict import Verdict
from dagster_project.contracts.load import load_catalogue
from dagster_project.defs.night import NIGHTS, SINGLE_RUN, as_of
from dagster_project.defs.resources import ExpectationsWorker, WholeRun
from dagster_project.defs.transform import ensure_manifest
from dagster_project.home import Home
from dagster_project.ingest.receipts import Receipts
from dagster_project.ledger import record
from dagster_project.progress import PROGRESS
from dagster_project.release import PublishResult, gate_and_publish

GATE = "gate"
RELEASE_KEY = dg.AssetKey(["release"])


def product_key(product: str) -> dg.AssetKey:
    return dg.AssetKey(["product", product])


def _specs(lineage: Lineage) -> list[dg.AssetSpec]:
    products = [
        dg.AssetSpec(
            product_key(product),
            deps=[dg.AssetKey([table.name]) for table in lineage.tables_of(product)]
            + [dg.AssetKey(["kpi"]), dg.AssetKey(["fct_kpi_count"])],
            group_name="release",
            kinds={"duckdb"},
            owners=["team:statistics"],
            skippable=True,
            partitions_def=NIGHTS,
        )
        for product in lineage.products
    ]
    release = dg.AssetSpec(
        RELEASE_KEY,
        deps=[product_key(p) for p in lineage.products],
        group_name="release",
        kinds={"duckdb"},
        owners=["team:statistics"],
        description="当前发布 published/current, moved by one atomic switch.",
        partitions_def=NIGHTS,
    )
    return [*products, release]


def _checks(lineage: Lineage) -> list[dg.AssetCheckSpec]:
    words = "Every blocking check of the product passed on the candidate that was published."
    described = {GATE: words, **FAMILY_WORDS}
    return [dg.AssetCheckSpec(name, asset=product_key(p), description=text) for p in lineage.products for name, text in described.items()]


def _as_record(verdict: Verdict) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "check": verdict.check,
            "检查": verdict.zh,
            "severity": verdict.severity,
            "detail": verdict.detail,
            "owner": verdict.owner,
            "action": verdict.action,
            "rows": json.dumps(verdict.rows, ensure_ascii=False, default=str),
        }
    )


def _family_results(product: str, verdicts: Sequence[Verdict]) -> Iterator[dg.AssetCheckResult]:
    """A check of the product's asset for every family: an error when a check of it blocks, a warning when one warns."""
    for family in FAMILIES:
        own = [v for v in verdicts if family_of(v.check) == family]
        failed = [v for v in own if not v.passed]
        blocks = any(v.blocks for v in failed)
        yield dg.AssetCheckResult(
            asset_key=product_key(product),
            check_name=family,
            passed=not failed,
            severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
            metadata={"checks": len(own), **({"failed": dg.MetadataValue.table([_as_record(v) for v in failed])} if failed else {})},
        )


def _events(result: PublishResult) -> Iterator[Any]:
    for product, verdicts in result.report.of_product.items():
        failed = [v for v in verdicts if not v.passed]
        record = result.products[product]
        yield dg.AssetCheckResult(
            asset_key=product_key(product),
            check_name=GATE,
            passed=product not in result.report.held,
            metadata={"failed": [f"{v.severity}: {v.check}: {v.detail} {v.action}" for v in failed], "checks": len(verdicts)},
        )
        yield from _family_results(product, verdicts)
        if record.status == "fresh":
            yield dg.MaterializeResult(
                asset_key=product_key(product),
                data_version=dg.DataVersion(record.content_hash),
                metadata={"dagster/row_count": record.rows, "bundle": record.bundle},
            )
    yield dg.MaterializeResult(
        asset_key=RELEASE_KEY,
        data_version=dg.DataVersion(result.release.manifest.content_hash),
        metadata={"version": result.version, "path": dg.MetadataValue.path(str(result.release.database)), "held": list(result.report.held)},
    )


def _hash_key_ids(home: Home) -> str:
    """The ids of the keys under which the values now in the pool were hashed."""
    with Receipts(home) as receipts:
        return ",".join(sorted({b.key_id for b in receipts.batches() if b.in_pool and b.key_id}))


class PublishComponent(dg.Component):
    """The step that audits the candidate and publishes what passed; it trusts no check of another step."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        lineage = read_lineage(ensure_manifest())

        @dg.multi_asset(name="publish", specs=_specs(lineage), check_specs=_checks(lineage), backfill_policy=SINGLE_RUN)
        def _publish(context: dg.AssetExecutionContext, expectations_worker: ExpectationsWorker, whole_run: WholeRun) -> Iterator[Any]:
            home = Home.at().ensure()
            groups = home.enabled_groups()
            contracts = [c for c in load_catalogue().contracts if c.group in groups]
            with PROGRESS.phase("gate and release"):
                result = gate_and_publish(
                    home, as_of(context), contracts, worker=expectations_worker.worker, key_id=_hash_key_ids(home), progress=PROGRESS.say
                )
            about = {"version": result.version, "new": result.is_new, "held": sorted(result.report.held)}
            record(home, "run", {"run": context.run.run_id, "step": "publish", "night": as_of(context).isoformat(), **about})
            for product, reason in result.report.held.items():
                context.log.warning(f"{product} is held: {reason}")
            told = (alert_of_release(home, result.release, tuple(result.report.held)), alert_of_deliveries(home, as_of(context)))
            for alert in told if result.became_current else ():
                for problem in deliver(alert) if alert else ():
                    context.log.error(problem)
            yield from _events(result)

        return dg.Definitions(assets=[_publish])


@dg.component_instance
def publish(context: dg.ComponentLoadContext) -> PublishComponent:
    return PublishComponent()
