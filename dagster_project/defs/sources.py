"""Every contract as an asset with its checks; one step per domain, so that a night stays a handful of steps."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.load import load_catalogue
from dagster_project.contracts.model import Contract
from dagster_project.defs.night import NIGHTS, RETRY_INFRASTRUCTURE_ERRORS, SINGLE_RUN, as_of
from dagster_project.extract.source import extract_source
from dagster_project.extract.state import is_connected
from dagster_project.home import Home
from dagster_project.ingest.night import SourceCheck, SourceResult, ingest_source
from dagster_project.ingest.pool_key import OtherKeyError, expect_pool_key
from dagster_project.ledger import record
from dagster_project.progress import PROGRESS

CHECKS = {
    "balance": "每个文件：读取 = 接受 + 隔离 + 重复 + 过滤。 Per file, rows read = accepted + quarantined + duplicate + filtered.",
    "delivery": "每个批次可读且在容差内。 Every batch could be read and is within its tolerances; a held source keeps its last good batch.",
    "arrival": "应到的交付已到，行数正常。 What was expected has come, in the usual volume, and no rule warns.",
}


def source_key(contract: Contract) -> dg.AssetKey:
    return dg.AssetKey(["source", contract.id])


def _column_schema(entity: Entity) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(c.name, c.type, constraints=dg.TableColumnConstraints(nullable=not c.required), tags={"grade": c.grade})
            for c in entity.pool_columns
        ]
    )


def source_spec(contract: Contract, entity: Entity) -> dg.AssetSpec:
    return dg.AssetSpec(
        source_key(contract),
        description=f"{contract.title.zh} {contract.title.en}",
        group_name=f"{contract.group}_{contract.domain}" if contract.group != contract.domain else contract.group,
        owners=[f"team:{contract.owner}"],
        kinds={contract.format.kind, "parquet"},
        tags={"group": contract.group, "entity": contract.entity, "cadence": contract.cadence, "grade": contract.grade},
        metadata={"dagster/column_schema": _column_schema(entity), "landing": contract.landing.glob},
        partitions_def=NIGHTS,
    )


def source_checks(contract: Contract) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(name, asset=source_key(contract), description=words) for name, words in CHECKS.items()]


def _family(check: SourceCheck) -> str:
    if check.check == "balance":
        return "balance"
    return "arrival" if check.severity == "warn" else "delivery"


def _check_results(key: dg.AssetKey, checks: tuple[SourceCheck, ...]) -> Iterator[dg.AssetCheckResult]:
    for name in CHECKS:
        failed = [c for c in checks if _family(c) == name and not c.passed]
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=name,
            passed=not failed,
            severity=dg.AssetCheckSeverity.WARN if name == "arrival" else dg.AssetCheckSeverity.ERROR,
            metadata={c.check: {"detail": c.detail, "rows": [{k: str(v) for k, v in row.items()} for row in c.rows]} for c in failed},
        )


def _events(contract: Contract, result: SourceResult) -> Iterator[Any]:
    key = source_key(contract)
    yield dg.MaterializeResult(
        asset_key=key,
        data_version=dg.DataVersion(result.content_version),
        metadata={
            "dagster/row_count": result.rows_in_pool,
            "status": result.status,
            "batches_made": len(result.batches),
            "rows_read": result.rows_read,
            "rows_accepted": result.rows_accepted,
            "rows_quarantined": result.rows_quarantined,
            "rows_duplicate": result.rows_duplicate,
            "rows_filtered": result.rows_filtered,
        },
    )
    yield from _check_results(key, result.checks)


def _pull(home: Home, contracts: list[Contract], night: dt.date) -> None:
    """Fetch what is not delivered; a server that fails shows in the checks of its source."""
    if contracts:
        with PROGRESS.phase("pull"):
            for contract in contracts:
                extract_source(contract, home.landing, home.pulls, night, PROGRESS.say)


def _expect_pool_key(home: Home) -> None:
    """Read nothing under another key than that of the pool: trying again would not help."""
    try:
        expect_pool_key(home)
    except OtherKeyError as problem:
        raise dg.Failure(str(problem), allow_retries=False) from None


def _as_recorded(results: list[SourceResult]) -> dict[str, Any]:
    return {
        "sources": len(results),
        "batches": sum(len(r.batches) for r in results),
        "rows_accepted": sum(r.rows_accepted for r in results),
        "held": sorted(r.source_id for r in results if r.status in ("held", "failed")),
    }


def ingest_step(domain: str, contracts: list[Contract], entities: dict[str, Entity]) -> dg.AssetsDefinition:
    """The step that ingests the selected sources of one domain; a source with bad data is held and stops nobody."""
    by_key = {source_key(c): c for c in contracts}

    @dg.multi_asset(
        name=f"ingest_{domain}",
        specs=[source_spec(c, entities[c.entity]) for c in contracts],
        check_specs=[check for c in contracts for check in source_checks(c)],
        can_subset=True,
        backfill_policy=SINGLE_RUN,
        retry_policy=RETRY_INFRASTRUCTURE_ERRORS,
    )
    def _ingest(context: dg.AssetExecutionContext) -> Iterator[Any]:
        home, night = Home.at().ensure(), as_of(context)
        selected = [by_key[key] for key in sorted(context.selected_asset_keys)]
        with home.writing(f"ingest of {domain}"):
            _expect_pool_key(home)
            _pull(home, [c for c in selected if is_connected(c)], night)
            results = []
            with PROGRESS.phase("ingest"):
                for contract in selected:
                    result = ingest_source(home, contract, entities[contract.entity], night, progress=PROGRESS.say)
                    results.append(result)
                    for message in result.messages:
                        context.log.warning(message)
                    yield from _events(contract, result)
            record(
                home, "run", {"run": context.run.run_id, "step": f"ingest_{domain}", "night": night.isoformat(), **_as_recorded(results)}
            )

    return _ingest


class SourcesComponent(dg.Component):
    """Turns every contract of the project and of POOL_SOURCES into an asset with checks."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        catalogue = load_catalogue()
        by_step: dict[str, list[Contract]] = defaultdict(list)
        for contract in catalogue.contracts:
            by_step[contract.domain].append(contract)
        return dg.Definitions(assets=[ingest_step(domain, contracts, catalogue.entities) for domain, contracts in sorted(by_step.items())])


@dg.component_instance
def sources(context: dg.ComponentLoadContext) -> SourcesComponent:
    return SourcesComponent()
