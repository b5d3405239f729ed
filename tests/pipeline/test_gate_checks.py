"""For every check of the gate: what trips it holds the products concerned and no other, and a near miss trips nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from audit_home import NIGHT, AuditHome, contract

from dagster_project.audit.candidate import CandidateRefusedError, seal_candidate
from dagster_project.audit.expectations import Worker
from dagster_project.audit.gate import GateReport, audit_candidate

MONTH = NIGHT.replace(day=1)


def _failed(report: GateReport, product: str) -> set[str]:
    return {v.check for v in report.of_product[product] if not v.passed}


@pytest.fixture
def pool(tmp_path: Path) -> AuditHome:
    return AuditHome(tmp_path / "home")


def _audit(pool: AuditHome, worker: Worker) -> GateReport:
    return audit_candidate(pool.home, NIGHT, pool.contracts, worker=worker)


def test_a_good_candidate_passes_every_check(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build()
    report = _audit(pool, expectations_worker)
    assert [v for v in report.verdicts if not v.passed] == []
    assert report.passed == ("incident", "mediation")
    checks = {v.check for v in report.of_product["incident"]}
    assert {"built", "deliveries", "balance", "freshness", "as_of", "rows", "continuity", "dbt:additive_kpi"} <= checks
    assert any(c.startswith("gx:kpi: ") for c in checks) and "gx:marts: unit known" in checks


def _of_the_night(kpi_id: str, unit: str) -> str:
    return f"kpi_id = '{kpi_id}' and unit_code = '{unit}' and grain = 'day' and period_start = date '{NIGHT}'"


INC, INC_B, INC_CITY = (_of_the_night("INC-1", unit) for unit in "ABC")
MED, MED_CITY = _of_the_night("MED-1", "A"), _of_the_night("MED-1", "C")

TAMPERINGS: dict[str, tuple[list[str], str, set[str]]] = {
    "a figure that is not the sum of its stations": (
        [f"update kpi set numerator = numerator + 1, value = value + 1 where {INC}"],
        "incident",
        {"dbt:additive_kpi"},
    ),
    "a proportion above one": (
        [f"update kpi set numerator = 6, value = 1.2 where {MED}", f"update kpi set numerator = numerator + 2 where {MED_CITY}"],
        "mediation",
        {"gx:kpi: part within whole", "gx:kpi: proportion within 0 and 1", "gx:kpi: value of its counts"},
    ),
    "a value that its counts do not give": ([f"update kpi set value = 0.81 where {MED}"], "mediation", {"gx:kpi: value of its counts"}),
    "a negative count": (
        [
            f"update kpi set numerator = -1, value = -1 where {INC}",
            f"update kpi set numerator = (select sum(numerator) from kpi where {INC_B}) - 1 where {INC_CITY}",
        ],
        "incident",
        {"gx:kpi: count not negative"},
    ),
    "a bound on the wrong side": (
        [f"update kpi set lower95 = 0.9, upper95 = 0.95 where {MED}"],
        "mediation",
        {"gx:kpi: value within lower bound"},
    ),
    "an unknown unit": (
        [f"update kpi set unit_code = 'X' where {INC}"],
        "incident",
        {"gx:kpi: unit known"},
    ),
    "a row twice": (
        [f"insert into kpi select * from kpi where {MED_CITY}"],
        "mediation",
        {"gx:kpi keys: key unique"},
    ),
    "a period that calls itself complete too early": (
        [f"update kpi set period_end = date '{NIGHT + dt.timedelta(days=1)}' where {INC}"],
        "incident",
        {"gx:kpi: complete means over"},
    ),
    "a figure without a name": ([f"update kpi set kpi_name_zh = null where {INC}"], "incident", {"gx:kpi: required columns given"}),
    "a KPI that the catalogue gives to another product": (
        ["update kpi_catalogue set product = 'incident' where kpi_id = 'MED-1'"],
        "mediation",
        {"gx:kpi: product of the catalogue"},
    ),
    "figures of the night before": (
        [f"update kpi set as_of = date '{NIGHT - dt.timedelta(days=1)}' where product = 'mediation' and period_end < date '{NIGHT}'"],
        "mediation",
        {"as_of"},
    ),
    "a count twice": (
        [f"insert into fct_kpi_count select * from fct_kpi_count where kpi_id = 'INC-1' and unit_code = 'A' and day = date '{NIGHT}'"],
        "incident",
        {"gx:fct_kpi_count keys: key unique", "additivity"},
    ),
    "a count on a day to come": (
        [f"insert into fct_kpi_count values ('INC-1', 'A', date '{NIGHT + dt.timedelta(days=1)}', '', 1, 0)"],
        "incident",
        {"gx:fct_kpi_count days: nothing after the night"},
    ),
    "a described mart column that is gone": (
        ["alter table mart_mediation drop column gone"],
        "mediation",
        {"gx:tables: columns as promised"},
    ),
    "bounds of a mart the wrong way round": (
        ["update mart_incident set rate_lower95 = 0.6 where unit_code = 'A' and grain = 'month'"],
        "incident",
        {"gx:marts bounds: bounds in order"},
    ),
    "an unknown unit in a mart": (
        [f"update mart_mediation set unit_code = 'X' where unit_code = 'A' and grain = 'day' and period_start = date '{NIGHT}'"],
        "mediation",
        {"gx:marts: unit known", "dbt:known_units_mediation"},
    ),
    "a mart row twice": (
        [
            f"insert into mart_incident select * from mart_incident where unit_code = 'A' and grain = 'day' and period_start = date '{NIGHT}'"
        ],
        "incident",
        {"gx:marts keys: key unique"},
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampered_candidate_holds_the_product_concerned_alone(name: str, pool: AuditHome, expectations_worker: Worker) -> None:
    tamper, product, expected = TAMPERINGS[name]
    pool.build(tamper=tamper)
    report = _audit(pool, expectations_worker)
    other = "mediation" if product == "incident" else "incident"
    assert _failed(report, product) == expected
    assert product in report.held
    assert _failed(report, other) == set()
    assert report.passed == (other,)


NEAR_MISSES = {
    "a proportion of exactly one": [
        f"update kpi set numerator = 5, value = 1, lower95 = 0.5, upper95 = 1 where {MED}",
        f"update kpi set numerator = numerator + 1, value = 0.9 where {MED_CITY}",
    ],
    "nothing happened": [
        f"update kpi set numerator = 0, denominator = 0, value = null where {MED}",
        f"update kpi set numerator = numerator - 4, denominator = 5, value = 0.8 where {MED_CITY}",
    ],
    "a bound that equals its value": [f"update kpi set lower95 = value, upper95 = value where {MED}"],
    "a period that runs on": [f"update kpi set period_end = date '{NIGHT + dt.timedelta(days=1)}', is_complete = false where {INC}"],
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_trips_nothing(name: str, pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(tamper=NEAR_MISSES[name])
    assert [v for v in _audit(pool, expectations_worker).verdicts if not v.passed] == []


def test_a_promised_column_that_is_missing_holds_every_product(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(tamper=["alter table kpi drop column yoy_verdict", "alter table kpi add column note varchar"])
    report = _audit(pool, expectations_worker)
    assert set(report.held) == {"incident", "mediation"}
    assert "gx:tables: columns as promised" in _failed(report, "incident") & _failed(report, "mediation")
    (verdict,) = [v for v in report.of_product["incident"] if v.check == "gx:tables: columns as promised"]
    assert {(r["column_name"], r["broken"]) for r in verdict.rows} == {("yoy_verdict", "missing"), ("note", "not promised")}


@pytest.mark.parametrize(
    "tamper",
    [["alter table kpi drop column product"], ["alter table kpi_catalogue drop column product"], ["drop table unit"], ["drop table kpi"]],
    ids=["kpi without product", "catalogue without product", "no units", "no kpi"],
)
def test_a_candidate_that_cannot_even_be_read_holds_every_product(tamper: list[str], pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(tamper=tamper)
    assert set(_audit(pool, expectations_worker).held) == {"incident", "mediation"}


def test_a_column_that_nobody_described_warns(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(undescribed=("rate_lower95",))
    report = _audit(pool, expectations_worker)
    assert _failed(report, "incident") == {"gx:tables: columns described"}
    assert report.held == {}


def test_a_product_that_prints_figures_of_a_held_one_is_held_with_it(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.models["mart_mediation"] = ("marts", ("kpi",), {"product": "mediation", "needs": ["incident"]})
    pool.build(node_status={"mart_incident": "error"})
    report = _audit(pool, expectations_worker)
    assert _failed(report, "mediation") == {"needs"}
    assert set(report.held) == {"incident", "mediation"}


def test_a_product_about_the_sources_shows_a_held_one_and_is_not_held(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.models["mart_mediation"] = ("marts", ("kpi",), {"product": "mediation", "held_sources": "warn"})
    pool.build(
        receipts=f"update receipt set status = 'held' where source_id = 'disputes' and batch_date = date '{NIGHT}'",
        pool_tamper=f"delete from pool_row where source_id = 'disputes' and batch_date = date '{NIGHT}'",
    )
    report = _audit(pool, expectations_worker)
    assert _failed(report, "mediation") == {"deliveries", "freshness"}
    assert report.held == {}


def test_offending_rows_are_shown_with_the_product_s_own(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(tamper=[f"update kpi set value = 0.81 where {MED}"])
    failed = [v for v in _audit(pool, expectations_worker).of_product["mediation"] if not v.passed]
    (row,) = failed[0].rows
    assert (row["kpi_id"], row["unit_code"], row["value"]) == ("MED-1", "A", 0.81)
    assert failed[0].action and failed[0].owner


# ---- dbt tests ------------------------------------------------------------------------------------------------------


def test_a_failing_test_with_severity_warn_does_not_hold(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.tests["big_days"] = {
        "model": "kpi",
        "sql": "select product, kpi_id from {db}.main.kpi where product = 'incident'",
        "meta": {"severity": "warn"},
    }
    pool.build()
    report = _audit(pool, expectations_worker)
    assert _failed(report, "incident") == {"dbt:big_days"}
    assert report.held == {}


def test_a_failing_test_whose_rows_name_no_kpi_holds_every_product_that_reads_the_model(
    pool: AuditHome, expectations_worker: Worker
) -> None:
    pool.tests["units"] = {"model": "unit", "sql": "select unit_code from {db}.main.unit", "meta": {"severity": "block"}}
    pool.build()
    assert set(_audit(pool, expectations_worker).held) == {"incident", "mediation"}


def test_a_test_of_one_family_holds_that_family_alone(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.tests["family"] = {"model": "int_count_mediation", "sql": "select unit_code from {db}.main.int_count_mediation", "meta": {}}
    pool.build()
    assert set(_audit(pool, expectations_worker).held) == {"mediation"}


@pytest.mark.parametrize(("column", "name"), [("kpi_id", "INC-1"), ("source_id", "calls"), ("product", "incident")])
def test_a_test_on_a_table_about_all_holds_whom_its_failing_rows_name(
    column: str, name: str, pool: AuditHome, expectations_worker: Worker
) -> None:
    pool.tests["balances"] = {"model": "mart_mediation", "sql": f"select '{name}' as {column}, 1 as n", "meta": {"severity": "block"}}
    pool.build()
    report = _audit(pool, expectations_worker)
    assert set(report.held) == {"incident"}
    assert "dbt:balances" not in _failed(report, "mediation")


def test_what_is_left_to_the_audit_holds_whom_the_tables_behind_its_view_make(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.models["counts_below_one"] = ("audit", ("int_count_mediation",), {})
    pool.tests["left"] = {
        "model": "counts_below_one",
        "generic": "no_rows",
        "sql": "",
        "meta": {"check": "counts_count", "severity": "block", "owner": "statistics", "action": "Look at the counts."},
    }
    wrong = "create view counts_below_one as select unit_code from candidate.main.int_count_mediation where {}"
    pool.build(tamper=[wrong.format("numerator < 0")], uncompiled=["left"])
    assert _audit(pool, expectations_worker).held == {}
    pool.build(tamper=[wrong.format("numerator >= 0")], uncompiled=["left"])
    report = _audit(pool, expectations_worker)
    assert set(report.held) == {"mediation"}
    assert _failed(report, "mediation") == {"dbt:counts_count"}
    pool.build(uncompiled=["left"])
    assert "not audited" in _audit(pool, expectations_worker).held["mediation"]


def test_a_threshold_in_the_test_is_kept(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.tests["few"] = {"model": "int_count_mediation", "sql": "select 1 as n from range(3)", "meta": {}, "config": {"warn_if": "> 3"}}
    pool.build()
    assert _audit(pool, expectations_worker).held == {}


@pytest.mark.parametrize("product_test", ["additive_kpi", "known_units_mediation"])
def test_a_test_that_was_not_compiled_leaves_its_products_not_audited(
    product_test: str, pool: AuditHome, expectations_worker: Worker
) -> None:
    pool.build(uncompiled=[product_test])
    report = _audit(pool, expectations_worker)
    expected = {"incident", "mediation"} if product_test == "additive_kpi" else {"mediation"}
    assert set(report.held) == expected
    assert all("not audited" in reason for reason in report.held.values())


def test_a_test_that_cannot_run_leaves_its_products_not_audited(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.tests["broken"] = {"model": "mart_incident", "sql": "select no_such_column from {db}.main.kpi", "meta": {"severity": "warn"}}
    pool.build()
    report = _audit(pool, expectations_worker)
    assert set(report.held) == {"incident"}
    assert "no_such_column" in report.held["incident"]


# ---- built, sources, freshness --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "held"),
    [("int_count_mediation", {"mediation"}), ("mart_incident", {"incident"}), ("fct_kpi_count", {"incident", "mediation"})],
)
def test_a_model_that_dbt_could_not_build_holds_what_is_made_of_it(
    model: str, held: set[str], pool: AuditHome, expectations_worker: Worker
) -> None:
    pool.build(node_status={model: "error"})
    report = _audit(pool, expectations_worker)
    assert set(report.held) == held
    assert all(model in reason for reason in report.held.values())


def test_a_model_skipped_since_its_parent_failed_is_not_built(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(node_status={"mart_mediation": "skipped"})
    assert set(_audit(pool, expectations_worker).held) == {"mediation"}


@pytest.mark.parametrize("status", ["held", "failed"])
def test_a_held_source_holds_the_products_that_read_it(status: str, pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(
        receipts=f"update receipt set status = '{status}', detail = 'row 7: bad date' where source_id = 'disputes' and batch_date = date '{NIGHT}'",
        pool_tamper=f"delete from pool_row where source_id = 'disputes' and batch_date = date '{NIGHT}'",
    )
    report = _audit(pool, expectations_worker)
    assert _failed(report, "mediation") == {"deliveries", "freshness"}
    assert "row 7: bad date" in report.held["mediation"]
    assert report.passed == ("incident",)
    assert [v.source for v in report.of_source if v.check == "deliveries" and not v.passed] == ["disputes"]


def test_a_held_batch_of_a_full_extract_is_healed_by_the_next_one(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.contracts = (pool.contracts[0], contract("disputes", "mediation", extract={"mode": "full", "key": ["unit_code"]}))
    earlier = NIGHT - dt.timedelta(days=2)
    pool.build(
        receipts=f"update receipt set status = 'held' where source_id = 'disputes' and batch_date = date '{earlier}'",
        pool_tamper=f"delete from pool_row where source_id = 'disputes' and batch_date = date '{earlier}'",
    )
    assert _audit(pool, expectations_worker).held == {}


BALANCE: dict[str, dict[str, Any]] = {
    "a file that lost a row": {
        "receipts": f"update receipt set rows_read = rows_read + 1 where source_id = 'calls' and batch_date = date '{NIGHT}'"
    },
    "a pool file that lost a row": {
        "pool_tamper": f"delete from pool_row where rowid = (select max(rowid) from pool_row where source_id = 'calls' and batch_date = date '{NIGHT}')"
    },
    "a pool file that nobody knows": {
        "pool_tamper": f"insert into pool_row (source_id, batch_date, row_count) values ('calls', date '{MONTH - dt.timedelta(days=1)}', 1)"
    },
    "an inventory that disagrees": {
        "pool_tamper": f"update batch set rows_accepted = 9 where source_id = 'calls' and batch_date = date '{NIGHT}'"
    },
}


@pytest.mark.parametrize("name", BALANCE)
def test_what_does_not_balance_holds_the_products_that_read_it(name: str, pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(**BALANCE[name])
    report = _audit(pool, expectations_worker)
    assert _failed(report, "incident") == {"balance"}
    assert report.passed == ("mediation",)


def test_rows_that_stand_for_several_balance_by_their_count(pool: AuditHome, expectations_worker: Worker) -> None:
    reduced = "create or replace table pool_row as select * replace (5::bigint as row_count) from pool_row where n in (0, 1)"
    pool.build(pool_tamper=reduced)
    assert _audit(pool, expectations_worker).held == {}


def test_a_batch_dated_after_the_night_is_no_part_of_it(pool: AuditHome, expectations_worker: Worker) -> None:
    later = NIGHT + dt.timedelta(days=3)
    pool.build(
        receipts=f"insert into receipt select * replace (date '{later}' as batch_date, 'held' as status) from receipt where source_id = 'calls' limit 1"
    )
    assert _audit(pool, expectations_worker).held == {}


def test_a_missing_delivery_warns_and_holds_nothing(pool: AuditHome, expectations_worker: Worker) -> None:
    missing = f"delete from receipt where source_id = 'calls' and batch_date = date '{NIGHT}'"
    pool.build(receipts=missing, pool_tamper=f"delete from pool_row where source_id = 'calls' and batch_date = date '{NIGHT}'")
    report = _audit(pool, expectations_worker)
    assert _failed(report, "incident") == {"freshness"}
    assert report.held == {}


# ---- the candidate as a whole ---------------------------------------------------------------------------------------


def test_there_must_be_a_candidate(tmp_path: Path) -> None:
    pool = AuditHome(tmp_path)
    with pytest.raises(CandidateRefusedError, match="does not exist"), Worker() as worker:
        audit_candidate(pool.home, NIGHT, pool.contracts, worker=worker)


def test_a_candidate_that_no_finished_build_sealed_is_refused(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(seal=False)
    with pytest.raises(CandidateRefusedError, match="no seal"):
        _audit(pool, expectations_worker)


def test_a_candidate_altered_after_its_build_is_refused(pool: AuditHome, expectations_worker: Worker) -> None:
    import duckdb

    pool.build()
    with duckdb.connect(str(pool.home.candidate)) as hand:
        hand.execute("update kpi set numerator = numerator + 1")
    with pytest.raises(CandidateRefusedError, match="altered"):
        _audit(pool, expectations_worker)


def test_a_build_that_was_killed_is_refused(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build()
    manifest = pool.home.dbt_target / "manifest.json"
    manifest.write_text(manifest.read_text().replace("build-1", "build-2"))
    with pytest.raises(CandidateRefusedError, match="did not finish"):
        _audit(pool, expectations_worker)


def test_a_seal_of_another_build_is_refused(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build()
    for file in ("manifest.json", "run_results.json"):
        path = pool.home.dbt_target / file
        path.write_text(path.read_text().replace("build-1", "build-2"))
    with pytest.raises(CandidateRefusedError, match="another build"):
        _audit(pool, expectations_worker)
    seal_candidate(pool.home, "test")
    assert _audit(pool, expectations_worker).held == {}


def test_unfinished_writes_beside_the_candidate_are_refused(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build()
    pool.home.candidate.with_name("candidate.duckdb.wal").write_bytes(b"x")
    with pytest.raises(CandidateRefusedError, match="unfinished writes"):
        _audit(pool, expectations_worker)


def test_the_candidate_of_another_night_is_refused(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(as_of=NIGHT - dt.timedelta(days=1))
    with pytest.raises(CandidateRefusedError, match="2024-01-30"):
        _audit(pool, expectations_worker)
