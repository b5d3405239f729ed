"""A held source holds the products that it feeds, and of the many ledgers of one entity each feeds its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from small_pool import build_candidate, build_pool

from dagster_project.audit.candidate import Candidate
from dagster_project.audit.feeds import products_of_sources
from dagster_project.audit.lineage import read_lineage
from dagster_project.contracts.load import Catalogue, load_catalogue

AS_OF = dt.date(2024, 6, 30)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue) -> Iterator[dict[str, frozenset[str]]]:
    home = tmp_path_factory.mktemp("feeds")
    build_pool(home, {}, as_of=AS_OF)
    connection = build_candidate(home, "--select", "observation_measure", "matter_kind", "kpi_catalogue", "--resource-type", "seed")
    lineage = read_lineage(home / "target" / "manifest.json")
    tables = frozenset(
        f"{schema}.{name}" for schema, name in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
    )
    file = home / "warehouse" / "candidate.duckdb"
    yield products_of_sources(Candidate(file, "", AS_OF, lineage, {}, connection, tables), catalogue.contracts, catalogue.entities)
    connection.close()


def test_a_ledger_of_one_measure_feeds_the_product_of_that_measure_alone(fed: dict[str, frozenset[str]]) -> None:
    assert fed["time_ledger"] == {"community"}
    assert fed["budget"] == {"progress"}


def test_a_ledger_of_several_measures_feeds_the_products_of_all_of_them(fed: dict[str, frozenset[str]]) -> None:
    assert fed["safety_survey"] == {"satisfaction"}
    assert fed["law_issue"] == {"enforcement"}
    assert fed["duty_order"] == {"response"}


def test_a_source_of_an_entity_of_one_kind_feeds_every_product_that_reads_it(fed: dict[str, frozenset[str]]) -> None:
    assert {"incident", "warning_drop", "response", "satisfaction", "registration"} <= fed["call_form"]
    assert "mediation" not in fed["call_form"]


def test_units_feed_everything(fed: dict[str, frozenset[str]], catalogue: Catalogue) -> None:
    assert set().union(*fed.values()) - {"pool"} == fed["unit_register"] - {"pool"}


def test_every_source_of_the_city_feeds_a_figure(fed: dict[str, frozenset[str]], catalogue: Catalogue) -> None:
    assert [c.id for c in catalogue.contracts if c.group == "city" and not fed[c.id] - {"pool"}] == []
