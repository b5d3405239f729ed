"""The contracts of the real open data: sound, complete over what is delivered, and silent about persons."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from dagster_project.contracts.load import PROJECT_SOURCES, Catalogue, survey
from dagster_project.contracts.model import Contract
from dagster_project.ingest.landing import discover

PROJECT = Path(__file__).resolve().parents[2]
NOT_DATA = {"README.md", "SOURCES.md", "cn-gb2260/sources.tsv"}
PERSONAL_COLUMNS = {
    "Longitude",
    "Latitude",
    "Location",
    "Sex",
    "AgeBandOfCasualty",
    "町丁目（発生地）",
    "被害者の性別",
    "被害者の年齢",
    "被害者の職業",
}
BATCHES = {
    "uk_street_incident": (23, "2021-05-31", "2023-03-31"),
    "uk_street_case": (23, "2021-05-31", "2023-03-31"),
    "uk_outcome": (23, "2021-05-31", "2023-03-31"),
    "nyc_911_pickup": (1, "2023-01-29", "2023-01-29"),
    "nyc_911_job": (1, "2023-01-29", "2023-01-29"),
    "nyc_911_dispatch": (1, "2023-01-29", "2023-01-29"),
    "nyc_911_arrival": (1, "2023-01-29", "2023-01-29"),
    "de_pks": (7, "2013-12-31", "2019-12-31"),
    "gm_stats19": (1, "2021-12-31", "2021-12-31"),
    "jp_hokkaido": (7, "2018-12-31", "2018-12-31"),
    "cn_gb2260": (6, "1980-12-31", "2018-10-31"),
    "somerville_utf16": (1, "2015-12-31", "2015-12-31"),
    "somerville_utf8": (1, "2015-12-31", "2015-12-31"),
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    found, problems = survey([PROJECT_SOURCES])
    assert [str(p) for p in problems if p.file.parent.name == "open_data"] == []
    return found


@pytest.fixture(scope="module")
def contracts(catalogue: Catalogue) -> tuple[Contract, ...]:
    return tuple(c for c in catalogue.contracts if c.group == "open_data")


def test_the_group_is_the_folder(contracts: tuple[Contract, ...]) -> None:
    assert {c.id for c in contracts} == set(BATCHES) == {p.stem for p in (PROJECT_SOURCES / "open_data").glob("*.yaml")}


def test_every_real_file_is_dated_and_belongs_to_a_source(contracts: tuple[Contract, ...], realdata: Path) -> None:
    claimed = set()
    for contract in contracts:
        delivered, refused = discover(contract, realdata)
        assert refused == []
        dates = sorted(f.batch_date.isoformat() for f in delivered)
        assert (len(delivered), dates[0], dates[-1]) == BATCHES[contract.id], contract.id
        claimed |= {f.relative_path for f in delivered}
    everything = {p.relative_to(realdata).as_posix() for p in realdata.rglob("*") if p.is_file()}
    assert everything - claimed == NOT_DATA


def test_every_file_is_read_once_but_where_two_entities_or_stages_need_it(contracts: tuple[Contract, ...]) -> None:
    by_glob: dict[str, set[str]] = {}
    for contract in contracts:
        by_glob.setdefault(contract.landing.glob, set()).add(contract.id)
    shared = [ids for ids in by_glob.values() if len(ids) > 1]
    assert sorted(map(sorted, shared)) == [
        ["nyc_911_arrival", "nyc_911_dispatch", "nyc_911_job", "nyc_911_pickup"],
        ["uk_street_case", "uk_street_incident"],
    ]


def test_no_personal_column_is_stored(contracts: tuple[Contract, ...]) -> None:
    seen = set()
    for contract in contracts:
        for name, column in contract.columns.items():
            if set(column.aliases) & PERSONAL_COLUMNS:
                seen |= set(column.aliases)
                assert column.personal is not None and column.personal.treatment == "drop", f"{contract.id}.{name}"
                assert name not in contract.stored_columns
    assert seen == PERSONAL_COLUMNS


def _seed(name: str) -> list[dict[str, str]]:
    with (PROJECT / "dbt" / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as seed:
        return list(csv.DictReader(seed))


def _values(contract: Contract, name: str) -> set[str]:
    """Every value that a column of constants or codes can take."""
    column = contract.columns.get(name)
    if column is None:
        return set()
    return {str(column.constant)} if column.constant is not None else {str(v) for v in (column.codes or {}).values()}


def test_every_unit_is_a_leaf_of_the_seeded_tree(contracts: tuple[Contract, ...]) -> None:
    units = {row["unit_code"]: row["parent_code"] for row in _seed("unit_open_data")}
    leaves = set(units) - set(units.values())
    assert set().union(*(_values(c, "unit_code") for c in contracts)) == leaves


def test_every_reported_measure_has_one_kpi(contracts: tuple[Contract, ...]) -> None:
    delivered = set().union(*(_values(c, "measure") for c in contracts if c.entity == "reported_figure"))
    known = Counter(row["measure"] for row in _seed("reported_measure"))
    assert {measure: known[measure] for measure in delivered} == dict.fromkeys(delivered, 1)


def test_titles_speak_both_languages(contracts: tuple[Contract, ...]) -> None:
    for contract in contracts:
        assert re.search(r"[\u4e00-\u9fff]", contract.title.zh), contract.id
        assert contract.title.en.isascii(), contract.id
    assert len({c.title.zh for c in contracts}) == len({c.title.en for c in contracts}) == len(contracts)


def test_the_documentation_names_every_source(contracts: tuple[Contract, ...]) -> None:
    text = (PROJECT / "docs" / "open-data.md").read_text(encoding="utf-8")
    assert [c.id for c in contracts if f"`{c.id}`" not in text] == []
