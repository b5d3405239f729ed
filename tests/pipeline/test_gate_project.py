"""What the dbt project tells the gate: which sources each product stands on, and who acts on every failing test."""

from __future__ import annotations

import csv
import re

import pytest
from small_pool import DBT, run_dbt

from dagster_project.audit.dbt_tests import affected_products, check_names, name_zh
from dagster_project.audit.documentation import PAGE, with_checks
from dagster_project.audit.expected import EXPECTED
from dagster_project.audit.lineage import Lineage, read_lineage
from dagster_project.audit.register import CHECKS, FAMILIES, FAMILY_WORDS, family_of

MODELS = DBT / "models" / "intermediate"
ENTITIES = {
    "clearance": {"case", "case_event"},
    "community": {"incident", "observation", "register_entry"},
    "complaint": {"incident", "matter"},
    "enforcement": {"matter", "observation"},
    "equipment": {"device_day", "gate_hour", "observation", "register_entry"},
    "fraud": {"fraud_case", "fraud_payment", "fraud_warning", "register_entry"},
    "hazard": {"matter", "observation"},
    "incident": {"incident", "register_entry"},
    "integrity": {"callback", "case", "case_event", "incident", "mediation"},
    "mediation": {"dispute_link", "mediation", "observation"},
    "patrol": {"observation"},
    "progress": {"matter", "observation"},
    "public_order": {"case", "case_event"},
    "registration": {"incident", "matter"},
    "reported_figure": {"reported_figure"},
    "response": {"incident", "matter"},
    "satisfaction": {"callback", "incident", "observation"},
    "service": {"observation", "service_item", "service_request", "service_visit"},
    "traffic": {"accident", "casualty", "observation", "register_entry"},
    "warning_drop": {"incident"},
}
OF_EVERY_PRODUCT = {"unit", "responsibility"}


@pytest.fixture(scope="module")
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    home = tmp_path_factory.mktemp("project")
    done = run_dbt(home, "parse")
    assert done.returncode == 0, done.stdout + done.stderr
    return read_lineage(home / "target" / "manifest.json")


@pytest.mark.parametrize("product", ENTITIES)
def test_a_product_stands_on_its_own_entities_and_on_units(product: str, lineage: Lineage) -> None:
    assert lineage.entities_of(product) == ENTITIES[product] | OF_EVERY_PRODUCT


def test_when_records_came_is_told_of_kpis_whose_product_reads_those_records_anyway(lineage: Lineage) -> None:
    """So that nothing is lost where the walk leaves out the model that says when they came."""
    named = re.findall(
        r"'stg_(\w+)' as record, '\w*' as kind, '([\w.-]+)' as kpi_id", (MODELS / "int_kpi_recorded_month.sql").read_text("utf-8")
    )
    with (DBT / "seeds" / "matter_kind.csv").open(encoding="utf-8") as text:
        told = {*named, *(("matter", row["kpi_id"]) for row in csv.DictReader(text))}
    with (DBT / "seeds" / "kpi_catalogue.csv").open(encoding="utf-8") as text:
        product_of = {row["kpi_id"]: row["product"] for row in csv.DictReader(text)}
    assert {entity for entity, _ in told} == {"matter", "service_request", "mediation", "device_day", "fraud_warning"}
    assert [(entity, kpi_id) for entity, kpi_id in sorted(told) if entity not in ENTITIES[product_of[kpi_id]]] == []


def test_every_product_has_its_wide_table(lineage: Lineage) -> None:
    assert set(lineage.products) == {*ENTITIES, "pool"}
    assert {product: mart.name for product, mart in lineage.marts.items()} == {p: f"mart_{p}" for p in lineage.products}


def test_what_a_mart_prints_of_another_product_is_declared(lineage: Lineage) -> None:
    assert {product: needed for product, needed in lineage.needs.items() if needed} == {
        "warning_drop": ("incident",),
        "integrity": ("clearance", "community", "incident", "mediation", "registration", "response", "warning_drop"),
    }


def test_integrity_needs_every_product_whose_counts_its_flags_read(lineage: Lineage) -> None:
    with (DBT / "seeds" / "kpi_catalogue.csv").open(encoding="utf-8") as text:
        product_of = {row["kpi_id"]: row["product"] for row in csv.DictReader(text)}
    with (DBT / "seeds" / "integrity_flag_term.csv").open(encoding="utf-8") as text:
        read = {product_of[row["kpi_id"]] for row in csv.DictReader(text)}
    assert read == {"integrity", *lineage.needs["integrity"]}


def test_every_test_says_how_severe_it_is_who_acts_and_what_to_do(lineage: Lineage) -> None:
    silent = [
        t.name
        for t in lineage.tests
        if t.meta.get("severity") not in {"block", "warn"} or not t.meta.get("owner") or not t.meta.get("action")
    ]
    assert silent == []


def test_every_check_has_a_name_in_chinese(lineage: Lineage) -> None:
    def is_chinese(text: str) -> bool:
        return any("\u4e00" <= c <= "\u9fff" for c in text)

    assert [t.name for t in lineage.tests if not is_chinese(name_zh(lineage, t))] == []
    assert [name for name, check in CHECKS.items() if not is_chinese(check.zh)] == []
    assert [e.check for expectations in EXPECTED.values() for e in expectations if not is_chinese(e.zh)] == []


def test_every_check_belongs_to_a_family_that_the_ui_shows(lineage: Lineage) -> None:
    names = {*CHECKS, *check_names(lineage).values(), *(f"gx:{suite}: {e.check}" for suite, found in EXPECTED.items() for e in found)}
    assert {family_of(name) for name in names} == set(FAMILIES) == set(FAMILY_WORDS)


def test_the_page_lists_every_check_as_the_code_has_it(lineage: Lineage) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_checks(page, lineage), "run: python -m dagster_project.audit.documentation dbt/target/manifest.json"
    assert page.count("\n| `") == len(CHECKS) + len(lineage.tests) + sum(map(len, EXPECTED.values()))


def test_every_test_speaks_for_a_product_under_a_name_of_its_own(lineage: Lineage) -> None:
    names = check_names(lineage)
    assert len(set(names.values())) == len(lineage.tests) > 0
    mute = [t.name for t in lineage.tests if not affected_products(lineage, t)]
    assert mute == []


def test_every_published_column_is_described_in_chinese_and_english(lineage: Lineage) -> None:
    published = [lineage.named(name) for name in ("kpi", "fct_kpi_count", "kpi_catalogue", "unit")]
    tables = [t for t in published if t] + [t for p in lineage.products for t in lineage.tables_of(p)]
    wanting = [
        f"{table.name}.{column or 'itself'}"
        for table in tables
        for column, words in {"": table.description, **table.column_descriptions}.items()
        if not (any("\u4e00" <= c <= "\u9fff" for c in words) and any(c.isascii() and c.isalpha() for c in words))
    ]
    assert wanting == []
