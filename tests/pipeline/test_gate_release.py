"""What readers get: whole releases only, by product, with the last good state of what is held."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest
from audit_home import NIGHT, AuditHome

from benchmarks import readers
from dagster_project.audit.candidate import CandidateRefusedError
from dagster_project.audit.expectations import Worker
from dagster_project.release import (
    PublishResult,
    ReleaseError,
    bundle,
    current_release,
    gate_and_publish,
    list_releases,
    open_current,
    open_release,
    publish,
    release_of,
    rollback,
    unreadable,
    verify,
)

NEXT = NIGHT + dt.timedelta(days=1)
BAD_INCIDENTS = [
    "update kpi set numerator = numerator + 1 where kpi_id = 'INC-1' and unit_code = 'A' and grain = 'day' and period_start = date '{}'"
]


def _bad_incidents(night: dt.date) -> list[str]:
    return [statement.format(night) for statement in BAD_INCIDENTS]


def _query(pool: AuditHome, sql: str, version: str | None = None) -> list[tuple[Any, ...]]:
    with open_release(pool.home, version) if version else open_current(pool.home) as connection:
        return connection.execute(sql).fetchall()


# ---- a release ------------------------------------------------------------------------------------------------------


def test_a_home_below_a_folder_whose_name_reads_as_a_partition_has_no_column_of_it(
    tmp_path: Path, expectations_worker: Worker, first_release: tuple[AuditHome, PublishResult]
) -> None:
    pool = AuditHome(tmp_path / "the 'best' \"region\" = north" / "home")
    pool.build()
    published = gate_and_publish(pool.home, NIGHT, pool.contracts, worker=expectations_worker, key_id="k1").release
    elsewhere = first_release[1].release
    assert published.manifest.tables["kpi"] == elsewhere.manifest.tables["kpi"]
    columns = "select table_name, column_name from duckdb_columns() where not internal order by all"
    with open_current(first_release[0].home) as expected:
        assert _query(pool, columns) == expected.execute(columns).fetchall()
    assert published.manifest.receipts == elsewhere.manifest.receipts


def test_every_parquet_file_is_read_without_columns_of_its_folders() -> None:
    """Where a folder above the home is called ``name=value`` DuckDB would add them unasked."""
    project = Path(publish.__file__).parents[1]
    calls = [
        call for file in project.rglob("*.py") for call in re.findall(r"from read_parquet\(.*|\"read_parquet\(.*", file.read_text("utf-8"))
    ]
    assert len(calls) > 10 and [call for call in calls if "hive_partitioning = false" not in call] == []


def test_a_release_holds_the_figures_the_counts_and_what_is_known_of_them(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    result = release()
    assert (result.version, result.is_new, result.became_current) == ("20240131-001", True, True)
    tables = {name for (name,) in _query(pool, "select table_name from duckdb_tables()")}
    assert tables == {
        "kpi",
        "fct_kpi_count",
        "kpi_catalogue",
        "unit",
        "mart_incident",
        "mart_mediation",
        "receipt",
        "release_info",
        "gate_result",
    }
    month = "grain = 'month' and unit_code = 'C'"
    assert _query(pool, f"select kpi_id, numerator, denominator from kpi where {month} order by 1") == [
        ("INC-1", 31 * 7, None),
        ("MED-1", 31 * 8, 31 * 10),
    ]
    assert _query(pool, "select distinct stale, as_of, origin_release from kpi") == [(False, NIGHT, "20240131-001")]
    assert _query(pool, "select sum(numerator) from fct_kpi_count where kpi_id = 'INC-1'") == [(31 * 7,)]
    assert _query(pool, "select product, status, age_days, reason from release_info order by 1") == [
        ("incident", "fresh", 0, None),
        ("mediation", "fresh", 0, None),
    ]
    assert _query(pool, "select count(*) from gate_result where not passed or waived") == [(0,)]


def test_figures_of_one_quarter_lie_side_by_side(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    """So that a question about a period reads few of the row groups."""
    pool.first_day = dt.date(2023, 9, 15)
    release()
    rows = _query(pool, "select date_trunc('quarter', period_end), product from kpi order by rowid")
    assert len(set(rows)) == 2 * 3 and rows == sorted(rows)


def test_every_table_and_column_carries_a_comment(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    release()
    assert _query(pool, "select table_name from duckdb_tables() where comment is null") == []
    assert _query(pool, "select table_name, column_name from duckdb_columns() where not internal and comment is null") == []


def test_the_manifest_names_the_inputs_and_the_content(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    folder = release().release.path
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["as_of"] == "2024-01-31" and manifest["key_id"] == "k1"
    assert manifest["contracts"] == {"calls": "v1", "disputes": "v1"}
    assert manifest["receipts"]["rows"] == 62
    assert set(manifest["files"]) == {"kpi.duckdb", "audit.json", "expectations.json", "expectations.html"}
    assert manifest["tables"]["fct_kpi_count"]["rows"] == 4 * 31
    assert all(len(t["content_hash"]) == 64 for t in manifest["tables"].values())


def test_files_of_a_release_and_its_bundles_are_read_only(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    result = release()
    bundled = [f for p in result.products.values() for f in (pool.home.bundles / p.bundle).iterdir()]
    assert {stat.S_IMODE(f.stat().st_mode) for f in result.release.path.iterdir()} == {0o440}
    assert len(bundled) > 10 and {stat.S_IMODE(f.stat().st_mode) for f in bundled} == {0o400}


def test_the_database_is_written_in_the_format_of_duckdb_1_0(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    database = release().release.database
    with duckdb.connect() as connection:
        connection.execute(f"attach '{database}' as r (read_only)")
        (tags,) = connection.execute("select tags from duckdb_databases() where database_name = 'r'").fetchone() or ({},)
    assert tags["storage_version"].startswith("v1.0.0")


def test_the_same_night_again_adds_no_release(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    again = release()
    assert (again.version, again.is_new) == (first.version, False)
    assert [r.version for r in list_releases(pool.home)] == [first.version]


def test_another_home_with_the_same_input_has_the_same_content(
    pool: AuditHome, release: Callable[..., PublishResult], tmp_path: Path, expectations_worker: Worker
) -> None:
    first = release().release.manifest
    other = AuditHome(tmp_path / "elsewhere")
    other.build(NIGHT - dt.timedelta(days=1))
    gate_and_publish(other.home, NIGHT - dt.timedelta(days=1), other.contracts, worker=expectations_worker)
    other.build()
    second = gate_and_publish(other.home, NIGHT, other.contracts, worker=expectations_worker).release.manifest
    assert second.content_hash == first.content_hash
    assert {n: p.content_hash for n, p in second.products.items()} == {n: p.content_hash for n, p in first.products.items()}


# ---- products that are held ---------------------------------------------------------------------------------------


def test_a_first_release_leaves_a_failing_product_out_visibly(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    result = release(tamper=_bad_incidents(NIGHT))
    assert result.release.left_out == ("incident",) and result.release.products == ("mediation",)
    assert _query(pool, "select distinct product from kpi") == [("mediation",)]
    assert _query(pool, "select count(*) from duckdb_tables() where table_name = 'mart_incident'") == [(0,)]
    (status, reason) = _query(pool, "select status, reason from release_info where product = 'incident'")[0]
    assert status == "left_out" and "additive_kpi" in reason
    assert _query(pool, 'select product, "check" from gate_result where not passed') == [("incident", "dbt:additive_kpi")]


def test_a_first_release_without_any_good_product_says_so_to_readers(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    result = release(node_status={"fct_kpi_count": "error"})
    assert result.release.products == ()
    assert _query(pool, "select count(*) from kpi") == [(0,)]
    assert _query(pool, "select distinct status from release_info") == [("left_out",)]
    assert release(NEXT).release.products == ("incident", "mediation")


def test_a_release_that_was_damaged_is_made_again(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    first.release.database.chmod(0o644)
    first.release.database.write_bytes(b"")
    again = release()
    assert (again.version, again.is_new) == ("20240131-002", True)
    assert _query(pool, "select count(distinct product) from kpi") == [(2,)]


def test_a_held_product_keeps_its_last_good_state_marked_stale(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    second = release(NEXT, tamper=_bad_incidents(NEXT))
    assert second.release.stale == ("incident",)
    assert _query(pool, "select distinct product, stale, as_of, origin_release from kpi order by 1") == [
        ("incident", True, NIGHT, first.version),
        ("mediation", False, NEXT, second.version),
    ]
    assert _query(pool, "select distinct stale, origin_release from mart_incident") == [(True, first.version)]
    ((status, age, origin, reason),) = _query(
        pool, "select status, age_days, origin_release, reason from release_info where product = 'incident'"
    )
    assert (status, age, origin) == ("stale", 1, first.version) and "additive_kpi" in reason
    assert _query(pool, "select passed from gate_result where product = 'incident' and \"check\" = 'dbt:additive_kpi'") == [(False,)]


def test_a_good_night_after_bad_ones_heals_by_itself(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    release(NEXT, tamper=_bad_incidents(NEXT))
    third_night = NEXT + dt.timedelta(days=1)
    still = release(third_night, tamper=_bad_incidents(third_night))
    assert still.products["incident"].origin_release == first.version
    assert _query(pool, "select age_days from release_info where product = 'incident'") == [(2,)]
    healed = release(third_night + dt.timedelta(days=1))
    assert healed.release.stale == ()
    assert _query(pool, "select distinct stale from kpi") == [(False,)]


def test_a_night_on_which_everything_is_held_is_still_released_with_its_reasons(
    pool: AuditHome, release: Callable[..., PublishResult]
) -> None:
    first = release()
    second = release(NEXT, node_status={"fct_kpi_count": "error"})
    assert second.is_new and second.release.stale == ("incident", "mediation")
    assert _query(pool, "select distinct origin_release, stale from kpi") == [(first.version, True)]
    assert _query(pool, "select count(*) from release_info where reason like '%fct_kpi_count%'") == [(2,)]


def test_a_rebuilt_night_that_now_fails_falls_back_to_what_was_published_of_it(
    pool: AuditHome, release: Callable[..., PublishResult]
) -> None:
    first = release()
    second = release(tamper=_bad_incidents(NIGHT))
    assert second.version == "20240131-002"
    assert second.products["incident"].origin_release == first.version
    assert _query(pool, "select age_days from release_info where product = 'incident'") == [(0,)]
    assert second.products["mediation"].origin_release == first.version, "its content is that of the first release of the night"


def test_a_product_that_had_figures_does_not_go_out_empty(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    release()
    second = release(NEXT, tamper=["delete from kpi where product = 'mediation'", "delete from mart_mediation"])
    assert "no rows" in second.report.held["mediation"]
    assert second.release.stale == ("mediation",)


def test_a_product_that_never_had_figures_goes_out_empty_with_a_warning(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    result = release(
        tamper=[
            "delete from kpi where product = 'mediation'",
            "delete from mart_mediation",
            "delete from fct_kpi_count where kpi_id = 'MED-1'",
        ]
    )
    assert result.report.held == {}
    assert _query(pool, "select severity, passed from gate_result where product = 'mediation' and \"check\" = 'rows'") == [("warn", False)]
    assert _query(pool, "select count(*) from mart_mediation") == [(0,)]


def test_a_product_that_the_project_no_longer_builds_is_left_out_visibly(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    release()
    del pool.models["mart_mediation"], pool.tests["known_units_mediation"]
    second = release(NEXT)
    assert second.release.left_out == ("mediation",)
    assert _query(pool, "select reason from release_info where product = 'mediation'") == [(publish.NO_LONGER_BUILT,)]


def test_figures_of_a_held_product_do_not_get_out_in_a_table_of_another(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    pool.models["kpi_balance"] = ("marts", ("kpi",), {"product": "mediation"})
    balance = "create table kpi_balance as select kpi_id, sum(numerator)::bigint as counted from kpi where grain = 'day' group by all"
    release(tamper=[balance])
    assert _query(pool, "select kpi_id from kpi_balance order by 1") == [("INC-1",), ("MED-1",)]
    release(NEXT, tamper=[*_bad_incidents(NEXT), balance])
    assert _query(pool, "select kpi_id, stale from kpi_balance") == [("MED-1", False)]


def test_a_bundle_of_an_older_structure_is_left_out_visibly(
    pool: AuditHome, release: Callable[..., PublishResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    release()
    monkeypatch.setattr("dagster_project.release.bundle.SCHEMA_VERSION", bundle.SCHEMA_VERSION + 1)
    second = release(NEXT, tamper=_bad_incidents(NEXT))
    assert second.release.left_out == ("incident",)
    ((detail,),) = _query(pool, "select detail from gate_result where product = 'incident' and \"check\" = 'last good bundle'")
    assert f"structure version {bundle.SCHEMA_VERSION - 1}" in detail


def test_a_damaged_bundle_is_left_out_visibly(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    (damaged,) = (pool.home.bundles / first.products["incident"].bundle).glob("kpi-*.parquet")
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    second = release(NEXT, tamper=_bad_incidents(NEXT))
    assert second.release.left_out == ("incident",)
    assert _query(pool, "select count(*) from gate_result where \"check\" = 'last good bundle' and detail like '%damaged%'") == [(1,)]


# ---- what changed against the release before ------------------------------------------------------------------------


def test_a_row_count_that_jumps_warns_with_the_numbers(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    pool.first_day = dt.date(2023, 11, 1)
    release()
    second = release(NEXT, tamper=["delete from kpi where kpi_id = 'INC-1' and grain = 'day' and period_start < date '2024-01-15'"])
    (verdict,) = [v for v in second.report.of_product["incident"] if v.check == "continuity"]
    assert not verdict.passed and verdict.severity == "warn"
    assert verdict.rows[0]["kpi_id"] == "INC-1" and verdict.rows[0]["rows_before"] == 92 * 3
    assert "incident" not in second.report.held


def test_a_complete_month_that_moves_warns_with_the_numbers(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    pool.first_day = dt.date(2023, 12, 1)
    release()
    second = release(
        NEXT,
        tamper=[
            "update kpi set numerator = numerator * 2, value = value * 2 where kpi_id = 'INC-1' and grain in ('month', 'day') and period_start < date '2024-01-01'"
        ],
    )
    failed = {v.check: v for v in second.report.of_product["incident"] if not v.passed}
    assert set(failed) == {"restatement", "additivity"}
    assert "INC-1 of C in 2023-12: numerator 217 to 434" in failed["restatement"].detail


# ---- the switch -----------------------------------------------------------------------------------------------------


def test_an_older_night_is_released_and_does_not_become_current(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    newer = release(NEXT)
    older = release(NIGHT)
    assert older.is_new and not older.became_current
    assert current_release(pool.home).version == newer.version  # type: ignore[union-attr]
    assert [r.version for r in list_releases(pool.home)] == [older.version, newer.version]


def test_rollback_lets_readers_see_the_older_release_and_later_nights_go_on_from_it(
    pool: AuditHome, release: Callable[..., PublishResult]
) -> None:
    first, second = release(), release(NEXT)
    assert rollback(pool.home, first.version).is_current
    assert _query(pool, "select distinct as_of from kpi") == [(NIGHT,)]
    third_night = NEXT + dt.timedelta(days=1)
    third = release(third_night, tamper=_bad_incidents(third_night))
    assert third.products["incident"].origin_release == first.version
    assert rollback(pool.home, second.version).version == second.version


def test_rollback_refuses_what_is_unknown_or_damaged(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first, second = release(), release(NEXT)
    with pytest.raises(ReleaseError, match=r"no release 20200101-001.*20240201-001"):
        rollback(pool.home, "20200101-001")
    with pytest.raises(ReleaseError, match="no release"):
        rollback(pool.home, "../bundles")
    audit = first.release.path / "audit.json"
    audit.chmod(0o644)
    audit.write_text("[]")
    with pytest.raises(ReleaseError, match=r"audit\.json was altered"):
        rollback(pool.home, first.version)
    assert current_release(pool.home).version == second.version  # type: ignore[union-attr]


def test_a_damaged_release_neither_stops_a_publish_nor_loses_its_bundles(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    bundles = set(pool.home.bundles.glob("*/*"))
    manifest = first.release.path / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text("{")
    second = release(NEXT)
    assert second.became_current and second.release.products == ("incident", "mediation")
    assert [r.version for r in list_releases(pool.home)] == [second.version]
    assert unreadable(pool.home) == [first.version]
    assert bundles < set(pool.home.bundles.glob("*/*"))


def test_nothing_published_yet_is_said_so(pool: AuditHome) -> None:
    assert current_release(pool.home) is None and list_releases(pool.home) == []
    with pytest.raises(ReleaseError, match="nothing is published"):
        open_current(pool.home)


def test_a_candidate_altered_while_it_is_published_is_refused(
    pool: AuditHome, release: Callable[..., PublishResult], expectations_worker: Worker
) -> None:
    first = release()

    class Meddler(Worker):
        def start(self) -> None:
            expectations_worker.start()

        def ask(self, candidate: Path, *rest: Any) -> list[dict[str, Any]]:
            answer = expectations_worker.ask(candidate, *rest)
            with candidate.open("ab") as stream:
                stream.write(b"\0")
            return answer

    pool.build(NEXT)
    with pytest.raises(CandidateRefusedError, match="altered while it was being published"):
        gate_and_publish(pool.home, NEXT, pool.contracts, worker=Meddler())
    assert current_release(pool.home).version == first.version  # type: ignore[union-attr]
    assert [r.version for r in list_releases(pool.home)] == [first.version]


def test_great_expectations_that_cannot_run_hold_everything(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    class Dead(Worker):
        def start(self) -> None:
            pass

        def ask(self, *_: Any) -> list[dict[str, Any]]:
            from dagster_project.audit.expectations import WorkerError

            raise WorkerError("it is gone")

    pool.build()
    result = gate_and_publish(pool.home, NIGHT, pool.contracts, worker=Dead())
    assert set(result.report.held) == {"incident", "mediation"}
    assert all("not audited" in reason and "it is gone" in reason for reason in result.report.held.values())


# ---- killed at any moment -------------------------------------------------------------------------------------------


def _die_in(module: ModuleType, name: str, after: bool) -> None:
    original = getattr(module, name)

    def killed(*args: Any, **kwargs: Any) -> Any:
        if after:
            original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, killed)


@pytest.fixture(scope="module")
def content_when_undisturbed(tmp_path_factory: pytest.TempPathFactory, expectations_worker: Worker) -> str:
    undisturbed = AuditHome(tmp_path_factory.mktemp("undisturbed"))
    undisturbed.build(NEXT)
    result = gate_and_publish(undisturbed.home, NEXT, undisturbed.contracts, worker=expectations_worker)
    return result.release.manifest.content_hash


@pytest.mark.parametrize(
    ("module", "place", "after"),
    [
        (publish, "write_bundles", False),
        (bundle, "move_into_place", True),
        (publish, "assemble", True),
        (publish, "seal", True),
        (publish, "move_into_place", True),
        (publish, "point", True),
        (publish, "sweep_unused", False),
    ],
)
def test_a_killed_publish_leaves_readers_a_whole_release_and_the_next_one_arrives_at_the_same(
    module: ModuleType,
    place: str,
    after: bool,
    pool: AuditHome,
    release: Callable[..., PublishResult],
    expectations_worker: Worker,
    content_when_undisturbed: str,
) -> None:
    first = release()
    pool.build(NEXT)
    child = os.fork()
    if child == 0:
        try:
            _die_in(module, place, after)
            gate_and_publish(pool.home, NEXT, pool.contracts, worker=expectations_worker, key_id="k1")
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])

    seen = current_release(pool.home)
    assert seen is not None
    verify(seen)
    switched = place in {"point", "sweep_unused"}
    assert (seen.version == first.version) is not switched
    assert _query(pool, "select count(distinct as_of) from kpi") == [(1,)]

    result = gate_and_publish(pool.home, NEXT, pool.contracts, worker=expectations_worker, key_id="k1")
    assert result.release.manifest.content_hash == content_when_undisturbed
    assert [r.version for r in list_releases(pool.home)] == [first.version, "20240201-001"]
    leftovers = [p for folder in (pool.home.published, pool.home.bundles) for p in folder.rglob("*") if p.name.startswith(".draft")]
    assert leftovers == []
    bundles = {f"{p.parent.name}/{p.name}" for p in pool.home.bundles.glob("*/*")}
    assert bundles == {p.bundle for r in list_releases(pool.home) for p in r.manifest.products.values()}


# ---- readers --------------------------------------------------------------------------------------------------------


def test_readers_never_see_half_a_release(tmp_path: Path, expectations_worker: Worker) -> None:
    met, about = readers.measure(tmp_path, expectations_worker, readers=2, publishes=6, rollbacks=2)
    assert [r.faults for r in met] == [(), ()]
    assert {r.by for r in met} == {"path", "project"} and all(r.reads > 0 for r in met)
    assert max(r.versions for r in met) >= 3
    assert readers.table(met).count("\n") == 3 and about["removed"] == 0


def test_a_reader_notices_tables_of_two_releases(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    """Else nobody could say that none was ever seen."""
    pool.first_day = readers.FIRST_NIGHT
    pool.build(readers.FIRST_NIGHT)
    with duckdb.connect(str(pool.home.candidate)) as mixed:
        mixed.execute("create table release_info as select '20240301-001' as version, date '2024-03-01' as as_of")
        mixed.execute("update kpi set origin_release = '20240301-001'")
        for mart in readers.MARTS:
            mixed.execute(f"alter table {mart} add column origin_release varchar default '20240301-001'")
        assert readers.read_once(mixed) == ("20240301-001", [])
        for table, change in {
            "release_info": "as_of = date '2024-03-02'",
            "mart_incident": "origin_release = '20240302-001'",
            "fct_kpi_count": "numerator = numerator + 1",
        }.items():
            mixed.execute(f"begin; update {table} set {change}")
            assert readers.read_once(mixed)[1] != [], table
            mixed.execute("rollback")


def test_an_open_reader_keeps_its_release_and_blocks_no_publish(pool: AuditHome, release: Callable[..., PublishResult]) -> None:
    first = release()
    with open_current(pool.home) as connection:
        release(NEXT)
        assert connection.execute("select distinct origin_release from kpi").fetchall() == [(first.version,)]
    assert release_of(pool.home, first.version).is_current is False
