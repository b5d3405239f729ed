"""What would let a person be recognised in a release holds the products that print it; what only looks like it holds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_home import NIGHT, AuditHome

from dagster_project.audit.candidate import CandidateRefusedError
from dagster_project.audit.expectations import Worker
from dagster_project.audit.gate import GateReport, audit_candidate

PARTIES = "select {} as unit_code from candidate.pool.mediation group by unit_code"
THROUGH_COUNTS = "select unit_code, {} as numerator from candidate.pool.mediation group by unit_code"


@pytest.fixture
def pool(tmp_path: Path) -> AuditHome:
    return AuditHome(tmp_path / "home")


def _audit(pool: AuditHome, worker: Worker) -> GateReport:
    return audit_candidate(pool.home, NIGHT, pool.contracts, worker=worker)


def _failed(report: GateReport) -> set[tuple[str, str]]:
    return {(v.product, v.check) for v in report.verdicts if not v.passed}


COLUMNS_OF_PERSONS: dict[str, tuple[dict[str, str], set[str]]] = {
    "a hash in a mart": ({"mart_mediation": PARTIES.format("max(parties_key)")}, {"mediation"}),
    "a record's key in a mart": ({"mart_incident": "select record_key as unit_code from candidate.pool.incident"}, {"incident"}),
    "a hash in the counts, through two models": (
        {
            "int_count_mediation": THROUGH_COUNTS.format("min(parties_key)"),
            "fct_kpi_count": "select numerator as cell from candidate.main.int_count_mediation",
        },
        {"incident", "mediation"},
    ),
    "a model that reads the pool past dbt": (
        {"mart_incident": "select phone from read_parquet('pool/callback/*/*.parquet')"},
        {"incident", "mediation"},
    ),
    "a hash that is counted": ({"mart_mediation": PARTIES.format("count(distinct parties_key)")}, set()),
    "a hash that joins": (
        {
            "mart_mediation": "select a.unit_code from candidate.pool.mediation as a "
            "inner join candidate.pool.mediation as b on a.parties_key = b.parties_key and a.dispute_id <> b.dispute_id"
        },
        set(),
    ),
}


@pytest.mark.parametrize("case", COLUMNS_OF_PERSONS)
def test_a_published_column_carries_no_personal_one(pool: AuditHome, expectations_worker: Worker, case: str) -> None:
    compiled, held = COLUMNS_OF_PERSONS[case]
    pool.build(compiled=compiled)
    report = _audit(pool, expectations_worker)
    assert _failed(report) == {(product, "personal columns") for product in held}
    assert set(report.held) == held


TEXTS: dict[str, tuple[str, set[str]]] = {
    "a telephone in the name of a unit": (
        "update unit set unit_name = '值班员13812345678' where unit_code = 'A'",
        {"incident", "mediation"},
    ),
    "a resident ID in a definition": (
        "update kpi_catalogue set kpi_name_en = 'as told by 11010519491231002X' where kpi_id = 'MED-1'",
        {"incident", "mediation"},
    ),
    "a plate in a unit's name": ("update unit set unit_name = '京A·12345 巡逻车' where unit_code = 'B'", {"incident", "mediation"}),
    "a number of a case": ("update unit set unit_name = 'A3301060000002024010001' where unit_code = 'A'", set()),
    "18 digits that fail the check digit": ("update unit set unit_name = '110105194912310029' where unit_code = 'A'", set()),
    "a keyed hash": ("update unit set unit_name = '13812345678aaaabbbbcccc13812345f' where unit_code = 'A'", set()),
    "a decimal": ("update unit set unit_name = '0.13812345678' where unit_code = 'A'", set()),
}


@pytest.mark.parametrize("case", TEXTS)
def test_no_published_text_names_a_person(pool: AuditHome, expectations_worker: Worker, case: str) -> None:
    statement, held = TEXTS[case]
    pool.build(tamper=[statement])
    report = _audit(pool, expectations_worker)
    assert _failed(report) == {(product, "personal values") for product in held}
    said = " ".join(v.detail for v in report.verdicts if not v.passed)
    assert "13812345678" not in said and "11010519491231002X" not in said and "12345" not in said


def test_nothing_goes_out_when_the_name_of_a_delivered_file_names_a_person(pool: AuditHome, expectations_worker: Worker) -> None:
    pool.build(tamper=["update receipt set file = 'calls/报警人13812345678.csv' where batch = (select max(batch) from receipt)"])
    with pytest.raises(CandidateRefusedError, match=r"receipt\.file holds a mobile telephone"):
        _audit(pool, expectations_worker)
