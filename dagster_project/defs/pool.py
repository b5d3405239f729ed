"""The pool as dbt sees it: an asset per entity over all its sources, and the tables about the pool itself."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.contracts.load import Catalogue, load_catalogue
from dagster_project.defs.night import NIGHTS, RETRY_INFRASTRUCTURE_ERRORS, SINGLE_RUN, as_of
from dagster_project.defs.sources import source_key
from dagster_project.home import Home
from dagster_project.ingest.control import CONTROL_TABLES, write_control
from dagster_project.ingest.expiry import expire_links
from dagster_project.ingest.pool import ensure_entities, entity_inventory
from dagster_project.progress import PROGRESS


def _specs(catalogue: Catalogue) -> list[dg.AssetSpec]:
    of_entity = {name: [source_key(c) for c in catalogue.contracts if c.entity == name] for name in catalogue.entities}
    every_source = [source_key(c) for c in catalogue.contracts]
    entities = [
        dg.AssetSpec(dg.AssetKey(["pool", name]), deps=of_entity[name], group_name="pool", kinds={"parquet"}, partitions_def=NIGHTS)
        for name in catalogue.entities
    ]
    control = [
        dg.AssetSpec(dg.AssetKey(["control", table]), deps=every_source, group_name="pool", kinds={"parquet"}, partitions_def=NIGHTS)
        for table in CONTROL_TABLES
    ]
    return entities + control


class PoolComponent(dg.Component):
    """The step between ingest and dbt: hashes past their days go, and what the night's sources left in the pool is sealed."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        catalogue = load_catalogue()

        @dg.multi_asset(
            name="pool", specs=_specs(catalogue), can_subset=True, backfill_policy=SINGLE_RUN, retry_policy=RETRY_INFRASTRUCTURE_ERRORS
        )
        def _seal(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
            home, night = Home.at().ensure(), as_of(context)
            groups = home.enabled_groups()
            enabled = [c for c in catalogue.contracts if c.group in groups]
            with home.writing("sealing the pool"), PROGRESS.phase("pool"):
                ensure_entities(home, catalogue.entities)
                expire_links(home, catalogue.contracts, catalogue.entities, night, PROGRESS.say)
                write_control(home, enabled, night, catalogue.entities)
                inventory = entity_inventory(home, enabled)
            for key in sorted(context.selected_asset_keys):
                kind, name = key.path
                if kind == "pool":
                    entity = inventory[name]
                    yield dg.MaterializeResult(
                        asset_key=key,
                        data_version=dg.DataVersion(entity.content_version),
                        metadata={"dagster/row_count": entity.rows, "files": entity.files, "bytes": entity.bytes},
                    )
                else:
                    yield dg.MaterializeResult(asset_key=key)

        return dg.Definitions(assets=[_seal])


@dg.component_instance
def pool(context: dg.ComponentLoadContext) -> PoolComponent:
    return PoolComponent()
