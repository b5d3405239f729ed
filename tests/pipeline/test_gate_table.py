"""The audit as a table: what is delivered or altered, which checks of which products must fail then and no other, and a near miss."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from audit_home import MODELS, NIGHT, AuditHome, contract

from dagster_project.audit.expectations import Worker
from dagster_project.audit.gate import GateReport, audit_candidate
from dagster_project.audit.register import CHECKS
from dagster_project.release import PublishResult, gate_and_publish

TONIGHT = f"batch_date = date '{NIGHT}'"


@dataclass(frozen=True)
class Case:
    """``given`` and ``near_miss`` are keywords of AuditHome.build, ``pool`` fields of the home; ``trips`` what must fail, and nothing else."""

    given: Mapping[str, Any]
    trips: frozenset[tuple[str, str]]
    near_miss: Mapping[str, Any]
    pool: Mapping[str, Any] = field(default_factory=dict)


def trips(*failing: str) -> frozenset[tuple[str, str]]:
    """'product check' each."""
    return frozenset((product, check) for product, _, check in (f.partition(" ") for f in failing))


def delivers(source: str, rows: int, rows_per_batch: int) -> dict[str, str]:
    """Tonight's batch of a source has so many rows instead of the usual number."""
    of_tonight = f"source_id = '{source}' and {TONIGHT}"
    return {
        "receipts": f"update receipt set rows_read = {rows} + 2, rows_accepted = {rows} where {of_tonight}",
        "pool_tamper": f"delete from pool_row where n >= {rows} and {of_tonight}; "
        f"insert into pool_row select p.* replace (p.n + {rows_per_batch} as n) from pool_row as p "
        f"where p.n + {rows_per_batch} < {rows} and {of_tonight}",
    }


def spoilt(source: str, change: str, rows: int) -> dict[str, str]:
    """So many of tonight's rows of a source are changed."""
    return {"pool_tamper": f"update pool_row set {change} where n < {rows} and source_id = '{source}' and {TONIGHT}"}


FULL = (contract("calls", "incident"), contract("disputes", "mediation", extract={"mode": "full", "key": ["dispute_id"]}))

QUARTER = {"first_day": NIGHT - dt.timedelta(days=90)}
MOVED_TO_A = (
    "update fct_kpi_count as counted set numerator = if(unit_code = 'A', numerator + moved, 0) from "
    "(select day, numerator as moved from fct_kpi_count where kpi_id = 'INC-1' and unit_code = 'B') as of_b "
    "where counted.day = of_b.day and counted.day > date '{since}' and kpi_id = 'INC-1'"
)
SETTLED_WEEK = f"kpi_id = 'INC-1' and grain = 'week' and period_end between date '{NIGHT}' - 13 and date '{NIGHT}' - 7"
LONG_OVER = f"period_end < date '{NIGHT}' - 1"
MONTH_OF_A_AND_CITY = f"kpi_id = 'INC-1' and grain = 'month' and unit_code in ('A', 'C') and period_start = date '{NIGHT.replace(day=1)}'"

CASES: dict[str, Case] = {
    "a fifth of the usual rows": Case(
        delivers("calls", 20, 100), trips("incident volume"), delivers("calls", 75, 100), {"rows_per_batch": 100}
    ),
    "two days in one delivery": Case(
        delivers("disputes", 200, 100), trips("mediation volume"), delivers("disputes", 125, 100), {"rows_per_batch": 100}
    ),
    "no row where there are ten": Case(delivers("calls", 0, 10), trips("incident volume"), delivers("calls", 1, 10)),
    "a full extract cut short": Case(
        delivers("disputes", 19, 40),
        trips("mediation shrinkage"),
        delivers("disputes", 29, 40),
        {"rows_per_batch": 40, "contracts": FULL},
    ),
    "disputes of calls that nobody delivered": Case(
        spoilt("disputes", "incident_id = 'X' || n", 12),
        trips("mediation orphans"),
        spoilt("disputes", "incident_id = 'X' || n", 9),
        {"rows_per_batch": 40},
    ),
    "call numbers written otherwise": Case(
        spoilt("disputes", "incident_id = lower(incident_id)", 40),
        trips("mediation detached"),
        spoilt("disputes", "incident_id = lower(incident_id)", 4),
        {"rows_per_batch": 40},
    ),
    "a channel that nobody used before": Case(
        spoilt("calls", "channel = 'app'", 30),
        trips("incident drift"),
        spoilt("calls", "channel = 'app'", 10),
        {"rows_per_batch": 40},
    ),
    "a column that came empty": Case(
        spoilt("disputes", "result = null", 40),
        trips("mediation emptied", "mediation drift"),
        spoilt("disputes", "result = null", 4),
        {"rows_per_batch": 40},
    ),
    "arrivals before their report": Case(
        spoilt("calls", "arrived_at = reported_at - interval 1 hour", 8),
        trips("incident times"),
        spoilt("calls", "arrived_at = reported_at", 40),
        {"rows_per_batch": 40},
    ),
    "two columns of times exchanged": Case(
        spoilt("disputes", "opened_at = closed_at, closed_at = opened_at", 40),
        trips("mediation reversed"),
        spoilt("disputes", "closed_at = null", 40),
        {"rows_per_batch": 40},
    ),
    "a unit that fell silent": Case(
        {"tamper": [MOVED_TO_A.format(since=NIGHT - dt.timedelta(days=7))]},
        trips("incident coverage"),
        {"tamper": [MOVED_TO_A.format(since=NIGHT - dt.timedelta(days=6))]},
        QUARTER,
    ),
    "three times the usual calls in the last settled week": Case(
        {"tamper": [f"update kpi set numerator = 3 * numerator, value = 3 * value where {SETTLED_WEEK}"]},
        trips("incident plausibility"),
        {"tamper": [f"update kpi set numerator = numerator * 5 // 4, value = numerator * 5 // 4 where {SETTLED_WEEK}"]},
        QUARTER,
    ),
    "a figure that is more than its counts": Case(
        {"tamper": [f"update kpi set numerator = numerator + 1, value = value + 1 where {MONTH_OF_A_AND_CITY}"]},
        trips("incident additivity"),
        {
            "tamper": [
                f"update kpi set numerator = numerator + 1, value = value + 1 where {MONTH_OF_A_AND_CITY}",
                f"update fct_kpi_count set numerator = numerator + 1 where kpi_id = 'INC-1' and unit_code = 'A' and day = date '{NIGHT}'",
            ]
        },
    ),
    "a unit that prints other counts": Case(
        {"tamper": ["update reconciliation set numerator = numerator + 9 where unit_code = 'A'"]},
        trips("mediation reconciliation"),
        {"tamper": ["update reconciliation set numerator = numerator + 3 where unit_code = 'A'"]},
    ),
    "a model that dbt could not build": Case(
        {"node_status": {"int_count_mediation": "error"}},
        trips("mediation built"),
        {"node_status": {"int_count_mediation": "no-op"}},
    ),
    "figures of the night before": Case(
        {"tamper": [f"update kpi set as_of = date '{NIGHT - dt.timedelta(days=1)}' where product = 'mediation' and {LONG_OVER}"]},
        trips("mediation as_of"),
        {"tamper": [f"update kpi set as_of = date '{NIGHT}' where product = 'mediation'"]},
    ),
    "a product that prints figures of a held one": Case(
        {"tamper": [f"update kpi set as_of = date '{NIGHT - dt.timedelta(days=1)}' where product = 'incident' and {LONG_OVER}"]},
        trips("incident as_of", "mediation needs"),
        {"tamper": ["update mart_incident set rate_lower95 = 0.5"]},
        {"models": {**MODELS, "mart_mediation": ("marts", ("kpi",), {"product": "mediation", "needs": ["incident"]})}},
    ),
    "a file that does not add up": Case(
        {"receipts": f"update receipt set rows_read = rows_read + 1 where source_id = 'calls' and {TONIGHT}"},
        trips("incident balance"),
        {"receipts": f"update receipt set rows_read = rows_read + 1, rows_filtered = 1 where source_id = 'calls' and {TONIGHT}"},
    ),
    "a delivery held": Case(
        {
            "receipts": f"update receipt set status = 'held', detail = 'row 7' where source_id = 'calls' and {TONIGHT}",
            "pool_tamper": f"delete from pool_row where source_id = 'calls' and {TONIGHT}",
        },
        trips("incident deliveries", "incident freshness"),
        {"receipts": f"update receipt set detail = 'late' where source_id = 'calls' and {TONIGHT}"},
        {"rows_per_batch": 40},
    ),
    "a delivery that did not come": Case(
        {
            "receipts": f"delete from receipt where source_id = 'disputes' and {TONIGHT}",
            "pool_tamper": f"delete from pool_row where source_id = 'disputes' and {TONIGHT}",
        },
        trips("mediation freshness"),
        {
            "receipts": f"delete from receipt where source_id = 'disputes' and batch_date = date '{NIGHT.replace(day=1)}'",
            "pool_tamper": f"delete from pool_row where source_id = 'disputes' and batch_date = date '{NIGHT.replace(day=1)}'",
        },
    ),
}


def failed(report: GateReport) -> frozenset[tuple[str, str]]:
    return frozenset((v.product, v.check) for v in report.verdicts if not v.passed)


def audit(folder: Path, case: Case, given: Mapping[str, Any], worker: Worker) -> GateReport:
    pool = AuditHome(folder / "home", **case.pool)
    pool.build(NIGHT, **given)
    return audit_candidate(pool.home, NIGHT, pool.contracts, worker=worker)


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_trips_its_checks_and_no_other(name: str, tmp_path: Path, expectations_worker: Worker) -> None:
    case = CASES[name]
    report = audit(tmp_path, case, case.given, expectations_worker)
    assert failed(report) == case.trips
    assert set(report.held) == {product for product, check in case.trips if CHECKS[check].severity == "block"}
    bad = [v for v in report.verdicts if not v.passed]
    assert all(v.owner and v.action and v.detail for v in bad)
    assert all(v.rows for v in bad if v.check not in {"freshness", "needs"})


@pytest.mark.parametrize("name", CASES)
def test_a_near_miss_trips_nothing(name: str, tmp_path: Path, expectations_worker: Worker) -> None:
    case = CASES[name]
    assert failed(audit(tmp_path, case, case.near_miss, expectations_worker)) == frozenset()


def test_a_bad_night_is_held_and_the_good_one_after_it_heals_by_itself(tmp_path: Path, expectations_worker: Worker) -> None:
    pool = AuditHome(tmp_path / "home")

    def night(number: int, **given: Any) -> PublishResult:
        as_of = NIGHT + dt.timedelta(days=number)
        pool.build(as_of, **given)
        return gate_and_publish(pool.home, as_of, pool.contracts, worker=expectations_worker)

    pool.first_day = NIGHT.replace(day=1)
    night(0)
    bad = night(1, tamper=["delete from kpi where product = 'mediation'"])
    assert failed(bad.report) == trips("mediation rows", "mediation continuity")
    assert {name: p.status for name, p in bad.products.items()} == {"incident": "fresh", "mediation": "stale"}
    good = night(2)
    assert failed(good.report) == frozenset()
    assert {name: p.status for name, p in good.products.items()} == {"incident": "fresh", "mediation": "fresh"}


def test_every_check_of_the_register_has_a_case() -> None:
    with_a_case = {check for case in CASES.values() for _, check in case.trips} | {"rows", "continuity"}
    of_releases = {"restatement", "last good bundle", "waivers", "withdrawn before", "withdrawn"}
    of_privacy = {"personal columns", "personal values"}
    assert set(CHECKS) - with_a_case == of_releases | of_privacy, "these stand in the tests of releases, waivers, withdrawals and privacy"
