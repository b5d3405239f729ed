"""dbt as Dagster assets: the project in place, one invocation a night."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster.components.resolved.core_models import OpSpec
from dagster_dbt import DbtCliResource, DbtProject, DbtProjectComponent
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version

from dagster_project.audit.candidate import can_build_on, discard_unsealed, seal_candidate
from dagster_project.audit.dbt_tests import LEFT_TO_THE_AUDIT
from dagster_project.audit.lineage import Lineage, read_lineage
from dagster_project.defs.night import NIGHTS, SINGLE_RUN, as_of
from dagster_project.home import Home
from dagster_project.ingest.pool import REMEDY, unreadable_files
from dagster_project.ledger import record
from dagster_project.progress import PROGRESS

PROJECT_FOLDER = Path(__file__).resolve().parents[2] / "dbt"
TARGET_FOLDER = PROJECT_FOLDER / "target"
MANIFEST = TARGET_FOLDER / "manifest.json"
PARSED_OF = TARGET_FOLDER / "manifest.sha256"
"""Of which files the manifest is, and which manifest that is."""
PARSED = ("partial_parse.msgpack", MANIFEST.name)
DBT = Path(sys.executable).with_name("dbt")
ENDS_WITH_THE_RUN = ("-P", "-m", "dagster_project.dbt_process")
LAYERS = ("staging", "intermediate", "marts", "audit", "seeds")


class NotParsedError(RuntimeError):
    """There is no manifest of the dbt project as it stands, and none can be made; the message says why and what to do."""


def _digest_of_project() -> str:
    """The content of every file of the project. Times tell nothing: an archive unpacked over the project brings old ones, and a file that
    is gone has none."""
    inputs = (p for folder in ("models", "macros", "seeds", "tests") for p in (PROJECT_FOLDER / folder).rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for file in sorted((*inputs, PROJECT_FOLDER / "dbt_project.yml", PROJECT_FOLDER / "profiles.yml")):
        digest.update(file.relative_to(PROJECT_FOLDER).as_posix().encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def ensure_manifest() -> Path:
    """Parse the dbt project if its manifest is missing or of other files; another process sees the old or the new one.

    Raises NotParsedError.
    """
    while not _is_parsed_of(digest := _digest_of_project()):  # before dbt reads: a file changed while it parses is not in the manifest
        try:
            TARGET_FOLDER.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=TARGET_FOLDER, prefix=".parsing-") as draft:
                _parse(Path(draft))
                (Path(draft) / PARSED_OF.name).write_text(_pair(digest, Path(draft) / MANIFEST.name), encoding="ascii")
                for name in (*PARSED, PARSED_OF.name):
                    (Path(draft) / name).replace(TARGET_FOLDER / name)
        except OSError as problem:
            raise NotParsedError(
                f"the dbt project changed since it was parsed, and could not be parsed again into {TARGET_FOLDER} ({problem}): "
                "run 'make setup' as the owner of the project"
            ) from None
    return MANIFEST


def _is_parsed_of(digest: str) -> bool:
    try:
        return PARSED_OF.read_text(encoding="ascii") == _pair(digest, MANIFEST)
    except FileNotFoundError:
        return False


def _pair(digest: str, manifest: Path) -> str:
    """Of which files a manifest is, and which one: of two processes that parse at once, either may have put its manifest there last."""
    return f"{digest} {hashlib.sha256(manifest.read_bytes()).hexdigest()}"


def _parse(draft: Path) -> None:
    for name in PARSED:
        if (TARGET_FOLDER / name).exists():
            shutil.copy2(TARGET_FOLDER / name, draft)
    arguments = ["--quiet", "parse", "--project-dir", PROJECT_FOLDER, "--profiles-dir", PROJECT_FOLDER, "--target-path", draft]
    environment = {**os.environ, "POOL_HOME": str(Home.at().root), "DBT_LOG_PATH": str(draft), "DO_NOT_TRACK": "1"}
    finished = subprocess.run([str(a) for a in (DBT, *arguments)], env=environment, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise NotParsedError(f"the dbt project does not parse:\n{finished.stdout}{finished.stderr}")


@cache
def builder_version() -> str:
    """What a build depends on besides models, seeds and data: macros, tests and the engines. dbt itself notices a changed model or seed."""
    digest = hashlib.sha256()
    code = (file for folder in ("macros", "tests") for file in (PROJECT_FOLDER / folder).rglob("*.sql"))
    for file in sorted((*code, PROJECT_FOLDER / "dbt_project.yml")):
        digest.update(file.relative_to(PROJECT_FOLDER).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    for package in ("dbt-core", "dbt-duckdb", "duckdb"):
        digest.update(f"{package} {version(package)}".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class TableFacts:
    """What a finished build left of one table."""

    rows: int
    columns: dg.TableSchema


def table_facts(candidate: Path, lineage: Lineage) -> dict[str, TableFacts]:
    """Row count and column schema of every table of the candidate by name, from its catalogue (no table is scanned) and the manifest."""
    with duckdb.connect(str(candidate), read_only=True) as connection:
        rows = dict(connection.execute("select table_name, estimated_size from duckdb_tables()").fetchall())
        columns = connection.execute("select table_name, column_name, data_type from duckdb_columns() order by column_index").fetchall()
    of_table: dict[str, list[dg.TableColumn]] = defaultdict(list)
    described = {node.name: node.column_descriptions for node in lineage.nodes.values() if node.kind != "source"}
    for table, column, data_type in columns:
        of_table[table].append(dg.TableColumn(column, data_type.lower(), description=described.get(table, {}).get(column)))
    return {table: TableFacts(count, dg.TableSchema(columns=of_table[table])) for table, count in rows.items()}


def _with_facts(event: Any, facts: Mapping[str, TableFacts]) -> Any:
    if not isinstance(event, dg.Output | dg.AssetMaterialization):
        return event
    table = event.metadata["unique_id"].value.rsplit(".", 1)[-1] if "unique_id" in event.metadata else None
    found = facts.get(table) if table else None
    return (
        event.with_metadata({**event.metadata, "dagster/row_count": found.rows, "dagster/column_schema": found.columns}) if found else event
    )


class DbtCommand(DbtCliResource):
    """The dbt command alone. The resource would also start dbt to ask for its version, import it here and parse the project again, to
    query through dbt's adapter: together more seconds than a small night's models, for what the lock file and the candidate tell."""

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:
        return None


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
            # Kept until dbt has ended: while it writes, no other process can open the file to count its rows.
            anew = [] if can_build_on(home, builder_version()) else ["--full-refresh"]
            if anew:
                discard_unsealed(home)
            command = DbtCommand(self.dbt_project, dbt_executable=sys.executable, global_config_flags=list(ENDS_WITH_THE_RUN))
            try:
                events = list(command.cli([*arguments, *anew], context=context, target_path=home.dbt_target).stream())
            except DagsterDbtCliRuntimeError:
                if damaged := unreadable_files(home):
                    raise dg.Failure(f"of the pool cannot be read: {', '.join(map(str, damaged))}; {REMEDY}", allow_retries=False) from None
                raise
            seal_candidate(home, builder_version())
            anew_or_on = "anew" if anew else "on the last build"
            record(home, "run", {"run": context.run.run_id, "step": "transform", "night": as_of(context).isoformat(), "built": anew_or_on})
        facts = table_facts(home.candidate, read_lineage(home.dbt_target / "manifest.json"))
        for event in events:
            yield _with_facts(event, facts)


@dg.component_instance
def transform(context: dg.ComponentLoadContext) -> PoolDbtComponent:
    ensure_manifest()
    os.environ["PATH"] = os.pathsep.join([str(DBT.parent), os.environ.get("PATH", "")])
    return PoolDbtComponent(
        project=DbtProject(project_dir=PROJECT_FOLDER, profiles_dir=PROJECT_FOLDER, target_path=TARGET_FOLDER),
        exclude=f"test_name:{LEFT_TO_THE_AUDIT}",
        op=OpSpec(name="transform", backfill_policy=SINGLE_RUN),
    )
