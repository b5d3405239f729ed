"""The ledgers that units fill in: when they come, what they hold, and that contract, measure and figure say the same of each."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import python_calamine

from dagster_project.city import ledgers
from dagster_project.city.deliveries import Book, batches
from dagster_project.city.ledgers.filling import fill
from dagster_project.city.ledgers.model import Kind, Ledger
from dagster_project.city.ledgers.table import JOINT_STATIONS, LEDGERS, REGISTERED_USERS
from dagster_project.city.tally import Tally
from dagster_project.city.world import World, live
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.contracts.model import Contract

SEEDS = Path(__file__).resolve().parents[2] / "dbt" / "seeds"
FIRST_NIGHT = dt.date(2025, 9, 1)
LAST_NIGHT = dt.date(2025, 9, 7)
FIRST_DAY = dt.date(2024, 12, 15)


def city(last_day: dt.date = LAST_NIGHT) -> World:
    return live(3, FIRST_DAY, last_day, counties=2, stations_per_county=2, scale=0.02)


@pytest.fixture(scope="module")
def world() -> World:
    return city()


@pytest.fixture(scope="module")
def delivered(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Book]:
    out, book = tmp_path_factory.mktemp("landing"), Book()
    ledgers.deliver(world, out, batches(FIRST_NIGHT, 7), book)
    return out, book


def seed_rows(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8") as text:
        return list(csv.DictReader(text))


def contracts() -> dict[str, Contract]:
    return {contract.id: contract for contract in load_catalogue([PROJECT_SOURCES]).contracts}


def measures_of(contract: Contract) -> dict[str, str]:
    """Printed kind ('' for all) to measure."""
    column = contract.columns["measure"]
    return {"": str(column.constant)} if column.codes is None else {text: str(measure) for text, measure in column.codes.items()}


@pytest.mark.parametrize("ledger", LEDGERS, ids=lambda ledger: ledger.source_id)
def test_contract_measure_and_figure_say_the_same_of_a_ledger(ledger: Ledger) -> None:
    contract = contracts()[ledger.source_id]
    assert (contract.entity, contract.domain, contract.title.zh) == ("observation", ledger.domain, ledger.title)
    named = {row["measure"]: row for row in seed_rows("observation_measure")}
    measures = measures_of(contract)
    for kind in ledger.kinds:
        declared = named[measures.get(kind.label) or measures[""]]
        assert declared["kpi_id"] == kind.counts.kpi_id
        assert declared["shape"] == kind.counts.shape
        assert int(declared["threshold"] or 0) == kind.counts.threshold
        assert int(declared["heap_percent"] or 0) == kind.counts.heap
        assert declared["has_category"] == ("true" if kind.category else "false")


def test_every_measure_that_is_delivered_is_named_and_every_figure_catalogued() -> None:
    named = {row["measure"]: row["kpi_id"] for row in seed_rows("observation_measure")}
    catalogued = {row["kpi_id"]: row for row in seed_rows("kpi_catalogue")}
    delivered = {m for contract in contracts().values() if contract.entity == "observation" for m in measures_of(contract).values()}
    assert delivered == set(named)
    assert {catalogued[kpi_id]["balance_side"] for kpi_id in named.values()} == {"record"}
    grains = {row["kpi_id"]: (row["finest_grain"], row["is_counted_by_day"]) for row in seed_rows("kpi_grain")}
    assert set(grains) <= set(catalogued)
    by_period = {kind.counts.kpi_id: ledger.period for ledger in LEDGERS if ledger.period != "day" for kind in ledger.kinds}
    assert {kpi_id: grains.get(kpi_id) for kpi_id in by_period} == {kpi_id: (period, "false") for kpi_id, period in by_period.items()}


def test_a_ledger_comes_only_when_its_period_is_over(delivered: tuple[Path, Book]) -> None:
    _, book = delivered
    nights: defaultdict[str, set[str]] = defaultdict(set)
    for receipt in book.receipts:
        nights[str(receipt["source_id"])].add(str(receipt["batch_date"]))
    initial = "2025-08-31"
    assert nights["time_ledger"] == {initial, "2025-09-02"}
    assert nights["alarm_test"] == {initial, "2025-09-01"}
    assert nights["community_task"] == {initial, "2025-09-03"}
    assert nights["evidence_lab"] == {initial}
    assert len(nights["app_user"]) == 8


def test_every_ledger_has_come_with_faults_that_fit_it(delivered: tuple[Path, Book]) -> None:
    _, book = delivered
    assert {str(receipt["source_id"]) for receipt in book.receipts} == {ledger.source_id for ledger in LEDGERS}
    kinds = {kind for _, kind in book.counts}
    assert kinds == {"duplicate_row", "identical_row", "bad_number", "bad_date", "bad_code", "unknown_unit"}
    spoilt = {source for source, kind in book.counts if kind != "duplicate_row"}
    assert spoilt & {ledger.source_id for ledger in LEDGERS if ledger.is_sound} == set()


def test_workbooks_have_titles_and_headers_of_two_levels(delivered: tuple[Path, Book]) -> None:
    out, _ = delivered
    (workbook,) = (out / "community" / "time_ledger" / "20250831").glob("*.xlsx")
    sheet = python_calamine.load_workbook(workbook).get_sheet_by_name("台账")
    rows = sheet.to_python()
    assert rows[0][0] == "澜川市社区民警工作时间台账" and rows[1][0] == "填报日期：2025年08月31日"
    assert rows[2][:3] == ["填报编号", "单位", ""] and rows[3][1:3] == ["代码", "名称"]
    assert ((2, 1), (2, 2)) in sheet.merged_cell_ranges and ((2, 0), (3, 0)) in sheet.merged_cell_ranges
    (older,) = (out / "community" / "basic_data" / "20250831").glob("*.xls")
    assert older.read_bytes()[:4] == b"\xd0\xcf\x11\xe0"
    assert python_calamine.load_workbook(older).get_sheet_by_name("台账").to_python()[2][0] == "填报编号"


def test_a_longer_life_begins_with_the_same_entries(world: World) -> None:
    longer = city(LAST_NIGHT + dt.timedelta(days=40))
    for ledger in LEDGERS:
        entries, more = fill(world, ledger), fill(longer, ledger)
        n = len(entries)
        assert 0 < n <= len(more)
        assert more.number[:n] == entries.number
        for name in ("value", "base", "weight"):
            assert (getattr(more.numbers, name)[:n] == getattr(entries.numbers, name)).all()
        assert (more.first[:n] == entries.first).all() and (more.corrected[:n] == entries.corrected).all()


def test_the_same_city_delivers_the_same_bytes(world: World, delivered: tuple[Path, Book], tmp_path: Path) -> None:
    out, _ = delivered
    ledgers.deliver(world, tmp_path, batches(FIRST_NIGHT, 7), Book())
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert [path for path in files if (out / path).read_bytes() != (tmp_path / path).read_bytes()] == []


def truth(world: World, book: Book) -> list[dict[str, Any]]:
    tally = Tally()
    ledgers.count(world, book, LAST_NIGHT, tally)
    rows: list[dict[str, Any]] = tally.table().to_pylist()
    return rows


def test_registers_hold_the_numbers_of_the_city_every_month(world: World, delivered: tuple[Path, Book]) -> None:
    found: Counter[tuple[str, str, dt.date]] = Counter()
    for row in truth(world, delivered[1]):
        found[row["kpi_id"], row["cell"], row["day"]] += row["numerator"]
    stations = {day: n for (kpi_id, cell, day), n in found.items() if kpi_id == "PAT-2.stations" and cell == ""}
    officers = {day: n for (kpi_id, cell, day), n in found.items() if kpi_id == "PAT-3.staff" and cell == "category:community"}
    assert set(stations.values()) == {JOINT_STATIONS} and len(stations) == 8
    assert set(officers.values()) == {1105}
    users = max((row["day"], row["denominator"]) for row in truth(world, delivered[1]) if row["kpi_id"] == "SVC-6" and row["cell"] == "")
    assert users[1] <= REGISTERED_USERS


def test_the_truth_is_what_was_delivered(world: World, delivered: tuple[Path, Book]) -> None:
    out, book = delivered
    spoilt = {(entry.file_name, entry.row_number) for entry in book.ledger if entry.fate != "accepted"}
    staffed = planned = 0
    for path in sorted((out / "patrol" / "joint_roster").rglob("*.csv")):
        rows = list(csv.DictReader(path.read_text(encoding="gb18030").splitlines()))
        sound = [row for n, row in enumerate(rows, start=1) if (path.relative_to(out).as_posix(), n) not in spoilt]
        staffed += sum(int(row["ZGBC"]) for row in sound)
        planned += sum(int(row["JHBC"]) for row in sound)
    counted = [row for row in truth(world, book) if row["kpi_id"] == "PAT-2" and row["cell"] == ""]
    assert (sum(row["numerator"] for row in counted), sum(row["denominator"] for row in counted)) == (staffed, planned)


def test_cells_are_covered_as_declared(world: World, delivered: tuple[Path, Book]) -> None:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in truth(world, delivered[1]):
        found[row["kpi_id"]].add(row["cell"].partition(":")[0])
    assert {kpi_id: kinds <= set(ledgers.COVERED[kpi_id]) for kpi_id, kinds in found.items()} == dict.fromkeys(ledgers.COVERED, True)


def test_kinds_of_one_ledger_are_printed_differently() -> None:
    for ledger in LEDGERS:
        kinds: tuple[Kind, ...] = ledger.kinds
        assert len({kind.label for kind in kinds}) == len(kinds)
