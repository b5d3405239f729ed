"""The catalogue of KPIs: what each one is is declared twice, so that a change of it is a decision and not a slip."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
DBT = TESTS.parent / "dbt"
INTEGRITY = "integrity"
FAMILIES = {
    "incident": "INC-1 INC-2 INC-5 INC-6",
    "warning_drop": "INC-3 INC-4",
    "clearance": "CR-1 CR-2 CR-3 CR-4 CR-5 CR-6",
    "public_order": "AD-1",
    "registration": "REG-1 REG-2",
    "response": "RT-1 RT-2 CMD-1",
    "mediation": "MED-1 MED-2 MED-3",
    "satisfaction": "SAT-1 SAT-2 SAT-3 SUR-1",
    "fraud": "FR-1 FR-2 FR-3 FR-4 FR-5 FR-6",
    "service": "SVC-1 SVC-2 SVC-3 SVC-4 SVC-5 SVC-6",
    "traffic": "TR-1 TR-2 TR-3",
    "community": "SITE-1 SITE-2 SITE-3 TIME-1 COM-1 COM-2 COM-3",
    "patrol": "PAT-1 PAT-2 PAT-3",
    "hazard": "HAZ-1 HAZ-2 HAZ-3 SAF-1 DRL-1",
    "enforcement": "LAW-1 LAW-2 LAW-3 LAW-4",
    "complaint": "CMP-1 CMP-2 CMP-3 CMP-4",
    "equipment": "EQ-1 EQ-2 EQ-3 EQ-4",
    "progress": "REF-1 PRJ-1 TRN-1 FIN-1 ACT-1 PTS-1 EXT-1",
    "pool": "POOL-1 POOL-2 POOL-3",
}
NEVER_WITHOUT_A_CAVEAT = [
    "INC-2",
    "INC-3.effective",
    "INC-3.converted",
    "INC-4",
    "CR-1",
    "CR-2",
    "CR-2.30",
    "CR-3",
    "CR-4",
    "CR-5",
    "CR-6",
    "AD-1.30",
    "AD-1.60",
    "REG-1",
    "REG-2",
    "RT-1",
    "RT-2",
    "MED-1",
    "MED-2.90",
    "SAT-1",
    "SUR-1",
    "SUR-1.safety",
    "FR-1",
    "FR-2",
    "FR-3",
    "FR-4",
    "FR-5",
    "SVC-1",
    "SVC-3",
    "TR-1.deaths",
    "TR-2",
    "SITE-1",
    "TIME-1",
    "CMP-1",
    "PTS-1",
    "EXT-1",
]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as text:
        return list(csv.DictReader(text))


CATALOGUE = {row["kpi_id"]: row for row in table(DBT / "seeds" / "kpi_catalogue.csv")}
DECLARED = {row["kpi_id"]: row for row in table(TESTS / "figures" / "declared.csv")}


def test_every_kpi_is_declared_in_figures_declared_csv() -> None:
    assert set(DECLARED) == set(CATALOGUE)


@pytest.mark.parametrize("kpi_id", DECLARED)
def test_a_kpi_keeps_its_clock_its_unit_and_its_kind(kpi_id: str) -> None:
    declared = DECLARED[kpi_id]
    assert {name: CATALOGUE[kpi_id][name] for name in declared} == declared


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_every_figure_that_it_promises(family: str) -> None:
    present = {kpi_id.split(".")[0] for kpi_id, row in CATALOGUE.items() if row["product"] == family}
    assert present == set(FAMILIES[family].split())


def test_no_family_is_unheard_of() -> None:
    delivered_ready_made = {"reported_figure"}
    assert {row["product"] for row in CATALOGUE.values()} - {INTEGRITY} == set(FAMILIES) | delivered_ready_made


@pytest.mark.parametrize("kpi_id", CATALOGUE)
def test_an_entry_is_filled_in(kpi_id: str) -> None:
    entry = CATALOGUE[kpi_id]
    optional = {"balance_entity", "balance_side", "cell_kinds"}
    if entry["kind"] in {"count", "amount"}:
        optional |= {"denominator_zh", "denominator_en"}
    if kpi_id not in NEVER_WITHOUT_A_CAVEAT:
        optional |= {"caveats_zh", "caveats_en"}
    assert [name for name, text in entry.items() if not text and name not in optional] == []
    pairs = [(entry[f"{name}_zh"], entry[f"{name}_en"]) for name in ("kpi_name", "numerator", "denominator", "caveats")]
    assert all(bool(zh) == bool(en) and not (zh and zh.isascii()) and en.isascii() for zh, en in pairs)
    assert all(re.fullmatch(r"[^\x00-\x7f].* [a-z].*", entry[name]) for name in ("owner", "purpose", "event_clock"))


def test_kinds_of_cells_are_known() -> None:
    known = {row["cell_kind"] for row in table(DBT / "seeds" / "kpi_cell.csv")} | {""}
    unknown = {kpi_id: set(row["cell_kinds"].split("|")) - known for kpi_id, row in CATALOGUE.items()}
    assert {kpi_id: kinds for kpi_id, kinds in unknown.items() if kinds} == {}


def test_nobody_is_measured_by_clearance() -> None:
    described = [row for row in CATALOGUE.values() if row["product"] in {"clearance", "warning_drop", "incident", INTEGRITY}]
    assert {row["kpi_id"] for row in described if row["may_be_target"] != "false"} == set()
    assert {row["direction"] for row in described if row["product"] == "clearance"} == {"neither"}


FEEDS = {
    "app_user": "SVC-6",
    "appeal": "CMP-4.on_time CMP-4.repeated",
    "case_event": "CR-4 CR-5 INT-1.quick INT-3.reopened",
    "case_stage": "LAW-2",
    "fraud_payment": "FR-3.actions",
    "fraud_warning": "FR-5 FR-6",
    "gate_day": "EQ-2.volume",
    "gate_passage": "EQ-2.passages",
    "hazard_ledger": "HAZ-1",
    "hotspot": "HAZ-3",
    "law_issue": "LAW-1",
    "order": "CMD-1.acknowledged CMD-1.done",
    "remote_id_card": "SVC-4.id",
    "service_visit": "SVC-4.one_window SVC-5",
    "site_rectification": "HAZ-2.rectified",
    "traffic_violation": "TR-3",
}
"""What is counted from one feed of several of its product: it begins and stops with it."""


def test_what_kpis_begin_and_stop_with_is_a_product_or_the_feed_of_several() -> None:
    """A name that is misspelt would be a feed of its own, of which nothing ever shows that it is alive."""
    grains = table(DBT / "seeds" / "kpi_grain.csv")
    of_feed = {feed: " ".join(sorted(row["kpi_id"] for row in grains if row["family"] == feed)) for feed in FEEDS}
    assert of_feed == FEEDS
    named = {row[column] for row in grains for column in ("family", "other_family")} - {""}
    assert named - FEEDS.keys() - FAMILIES.keys() == set()
    witnesses = {row["family"] or CATALOGUE[row["kpi_id"]]["product"] for row in grains if row["needs_delivery"] == "true"}
    assert named - witnesses - {"incident"} == set(), "and of every one something shows that it is alive"
