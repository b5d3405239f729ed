"""dbt as Dagster assets: the project in place, one invocation a night."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster.components.resolved.core_models import OpSpec
from dagster_dbt import DbtCliResource, DbtProject, DbtProjectComponent

from dagster_project.audit.candidate import seal_candidate
from dagster_project.defs.night import NIGHTS, SINGLE_RUN
from dagster_project.home import Home
from dagster_project.progress import PROGRESS

PROJECT_FOLDER = Path(__file__).resolve().parents[2] / "dbt"
TARGET_FOLDER = PROJECT_FOLDER / "target"
MANIFEST = TARGET_FOLDER / "manifest.json"
LAYERS = ("staging", "intermediate", "marts", "seeds")


def _newest_project_file() -> float:
    inputs = (p for folder in ("models", "macros", "seeds", "tests") for p in (PROJECT_FOLDER / folder).rglob("*") if p.is_file())
    return max(p.stat().st_mtime for p in (*inputs, PROJECT_FOLDER / "dbt_project.yml", PROJECT_FOLDER / "profiles.yml"))


def ensure_manifest() -> Path:
    """Parse the dbt project if its manifest is missing or older than any of its files."""
    if not MANIFEST.exists() or MANIFEST.stat().st_mtime < _newest_project_file():
        dbt = Path(sys.executable).with_name("dbt")
        arguments = ["--quiet", "parse", "--project-dir", PROJECT_FOLDER, "--profiles-dir", PROJECT_FOLDER, "--target-path", TARGET_FOLDER]
        environment = {**os.environ, "POOL_HOME": str(Home.at().root), "DBT_LOG_PATH": str(TARGET_FOLDER), "DO_NOT_TRACK": "1"}
        finished = subprocess.run([str(a) for a in (dbt, *arguments)], env=environment, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise RuntimeError(f"the dbt project does not parse:\n{finished.stdout}{finished.stderr}")
        MANIFEST.touch()
    return MANIFEST


class PoolDbtComponent(DbtProjectComponent):
    """The dbt project of the pool, with the nights as partitions and the home of the run as its target."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        folders = self.get_resource_props(manifest, unique_id)["fqn"]
        layer = next((name for name in LAYERS if name in folders), "seeds")
        return spec.replace_attributes(group_name=layer, partitions_def=NIGHTS, owners=["team:statistics"])

    def execute(self, context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        home = Home.at().ensure()
        os.environ["POOL_HOME"] = str(home.root)
        arguments = ["build", "--exclude-resource-type", "unit_test", "--no-use-colors"]
        with home.writing("dbt"), PROGRESS.phase("dbt"):
            PROGRESS.say("dbt: building the marts")
            yield from dbt.cli(arguments, context=context, target_path=home.dbt_target).stream().fetch_row_counts()
            seal_candidate(home)


@dg.component_instance
def transform(context: dg.ComponentLoadContext) -> PoolDbtComponent:
    ensure_manifest()
    return PoolDbtComponent(
        project=DbtProject(project_dir=PROJECT_FOLDER, profiles_dir=PROJECT_FOLDER, target_path=TARGET_FOLDER),
        op=OpSpec(name="transform", backfill_policy=SINGLE_RUN),
    )
