"""A new source enters by one file: of an entity that exists, as an observation nobody had in mind, or with an entity of its own."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_pool import run_dbt

from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.home import Home
from dagster_project.ingest.control import write_control
from dagster_project.ingest.night import ingest_source
from dagster_project.ingest.pool import ensure_entities

NIGHT = dt.date(2025, 3, 1)
COMMON = """\
title: {{zh: {zh}, en: {id}}}
group: city
domain: outside
owner: data_office
cadence: irregular
grade: internal
landing:
  glob: outside/{id}/*/*
  batch:
    path: {id}/(\\d{{8}})/
    format: '%Y%m%d'
extract: {{mode: append}}
id: {id}
"""

COUNTY_CALLS = (
    COMMON.format(id="county_call", zh="县级接警系统")
    + """\
entity: incident
systems: [S02]
format: {kind: csv, encoding: gb18030}
columns:
  incident_id: {from: 编号, required: true}
  unit_code: {from: 单位}
  category: {from: 类别}
  reported_at: {from: 报警时间, required: true}
  _caller: {from: 报警人, type: text, personal: {treatment: drop}}
"""
)
BICYCLES = (
    COMMON.format(id="bicycle_count", zh="共享单车停放量")
    + """\
entity: observation
format: {kind: json}
columns:
  unit_code: {from: dw}
  observed_on: {from: rq, required: true}
  measure: {constant: parked_bicycles}
  value: {from: sl}
"""
)
LIFTS = (
    COMMON.format(id="lift_inspection", zh="电梯检验")
    + """\
entity: lift
format: {kind: csv}
columns:
  lift_id: {from: 编号, required: true}
  inspected_on: {from: 日期, required: true}
"""
)
LIFT_ENTITY = """\
sources:
  - name: pool
    tables:
      - name: lift
        columns:
          - {name: lift_id, config: {meta: {type: text, required: true}}}
          - {name: inspected_on, config: {meta: {type: date, required: true}}}
"""


@pytest.fixture(scope="module")
def onboarded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that took in one delivery of each, with nothing but a folder of contracts from outside the project."""
    root = tmp_path_factory.mktemp("onboarding")
    contracts = root / "contracts"
    (contracts / "outside").mkdir(parents=True)
    (contracts / "entities.yml").write_text(LIFT_ENTITY, encoding="utf-8")
    for name, text in (("county_call", COUNTY_CALLS), ("bicycle_count", BICYCLES), ("lift_inspection", LIFTS)):
        (contracts / "outside" / f"{name}.yaml").write_text(text, encoding="utf-8")
    deliveries: dict[str, bytes] = {
        "county_call/20250301/a.csv": "编号,单位,类别,报警时间,报警人\nX1,S,01020101,2025-02-28 10:00:00,钱某\n".encode("gb18030"),
        "bicycle_count/20250301/a.json": json.dumps([{"dw": "S", "rq": "2025-02-28", "sl": 12}]).encode(),
        "lift_inspection/20250301/a.csv": "编号,日期\nL1,2025-02-27\nL2,2025-02-28\n".encode(),
    }
    for name, content in deliveries.items():
        path = root / "landing" / "outside" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    home = Home.at(root / "home", root / "landing").ensure()
    catalogue = load_catalogue([PROJECT_SOURCES, contracts])
    outside = [contract for contract in catalogue.contracts if contract.domain == "outside"]
    for contract in outside:
        assert ingest_source(home, contract, catalogue.entity_of(contract), NIGHT).status == "ok"
    ensure_entities(home, catalogue.entities)
    write_control(home, outside, NIGHT, catalogue.entities)
    select = ("--select", "+fct_kpi_count", "+pool_inventory", "+kpi_balance")
    done = run_dbt(home.root, "build", *select, "--resource-type", "model", "--resource-type", "seed")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return home.candidate


def rows(candidate: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(candidate), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_another_source_of_an_entity_counts_by_its_contract_alone(onboarded: Path) -> None:
    counted = rows(onboarded, "select kpi_id, cast(day as varchar), numerator from fct_kpi_count where kpi_id = 'INC-1' and cell = ''")
    assert counted == [("INC-1", "2025-02-28", 1)]


def test_an_unforeseen_measure_is_in_the_pool_and_unbalances_nothing(onboarded: Path) -> None:
    assert rows(onboarded, "select measure, cast(value as integer) from pool.observation") == [("parked_bicycles", 12)]
    assert rows(onboarded, "select kpi_id from kpi_balance where not is_balanced") == []


def test_a_folder_of_contracts_brings_its_own_entity(onboarded: Path) -> None:
    inventory = rows(onboarded, "select source_id, entity, rows_accepted from pool_inventory order by source_id")
    assert inventory == [("bicycle_count", "observation", 1), ("county_call", "incident", 1), ("lift_inspection", "lift", 2)]
    pooled = onboarded.parents[1] / "pool" / "lift"
    assert len(list(pooled.glob("source=lift_inspection/batch=2025-03-01.parquet"))) == 1
