"""The small fictional city: the same arguments give the same bytes, its deliveries hang together, its faults are where it says."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner

from dagster_project.city.calendar import day_factor, in_festival_window
from dagster_project.city.clock import NEVER, compact, date_of, seconds_of, spelled
from dagster_project.city.gaming import Gaming
from dagster_project.city.origin import LessOfCityError, OtherCityError
from dagster_project.city.people import identity_numbers
from dagster_project.city.places import UNASSIGNED, found
from dagster_project.city.sample import SAMPLE, write_sample
from dagster_project.city.simulate import simulate
from dagster_project.city.truth import COVERED
from dagster_project.city.world import live
from dagster_project.cli import app
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue

FIRST_NIGHT = dt.date(2025, 3, 1)
CORE = {"call_form", "case_form", "case_event", "mediation_ledger", "callback_record", "monthly_figure"}
SMALL: dict[str, Any] = {"seed": 7, "first_night": FIRST_NIGHT, "nights": 7, "history_days": 160, "counties": 2, "stations_per_county": 2}


@dataclass(frozen=True)
class City:
    out: Path

    def truth(self, name: str) -> list[dict[str, Any]]:
        return _rows(self.out / "truth" / f"{name}.parquet")

    def files(self, source: str) -> list[Path]:
        return sorted(self.out.glob(f"*/{source}/*/*"), key=lambda path: (path.parent.name, path.name))

    def relative(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()


@cache
def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    out = tmp_path_factory.mktemp("city")
    simulate(out, scale=0.01, **SMALL)
    return City(out)


def fingerprints(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def csv_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    header, *rows = csv.reader(io.StringIO(path.read_bytes().decode("gb18030"), newline=""))
    return header, rows


def sheet_rows(path: Path) -> list[list[Any]]:
    if path.suffix == ".xls":
        return CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    return [list(row) for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)]


def records_in(document: Any) -> list[dict[str, Any]]:
    """The one list of records in a JSON document, whatever envelope it lies in."""
    if isinstance(document, list):
        return document
    inner = [value for value in document.values() if isinstance(value, dict | list)]
    return records_in(inner[0])


def delivered_rows(path: Path) -> list[list[Any]]:
    """The data rows of one delivered file, as a reader with no contract sees them."""
    shape = next(c.format for c in load_catalogue([PROJECT_SOURCES]).contracts if c.id == path.parent.parent.name)
    if path.suffix == ".csv":
        return list(csv.reader(io.StringIO(path.read_bytes().decode(shape.encoding), newline="")))[1:]  # type: ignore[arg-type]
    if path.suffix == ".ndjson":
        return [list(json.loads(line).values()) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".json":
        return [list(row.values()) for row in records_in(json.loads(path.read_text(encoding="utf-8")))]
    if path.suffix == ".xml":
        return [
            [cell.text for cell in record] for record in ElementTree.fromstring(path.read_bytes().decode("gb18030").partition("?>")[2])[0]
        ]
    if path.suffix == ".txt":
        return [[line] for line in path.read_bytes().splitlines()]
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as base:
            return [list(row) for row in base.execute("select * from wg")]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return [row for name in archive.namelist() for row in csv.reader(archive.read(name).decode("gbk").splitlines()[1:])]
    rows = sheet_rows(path)
    title_rows = next(i for i, row in enumerate(rows) if shape.header_contains in row) if shape.header_contains else shape.skip_rows
    return rows[title_rows + shape.header_rows :]


def test_the_same_arguments_give_the_same_bytes(city: City, tmp_path: Path) -> None:
    simulate(tmp_path / "again", scale=0.01, **SMALL)
    assert fingerprints(tmp_path / "again") == fingerprints(city.out)


def test_another_seed_is_another_city(city: City, tmp_path: Path) -> None:
    simulate(tmp_path / "other", scale=0.01, **{**SMALL, "seed": 8})
    ours, theirs = fingerprints(city.out), fingerprints(tmp_path / "other")
    assert set(ours) == set(theirs)
    same = {name for name in ours if ours[name] == theirs[name]}
    with_rows = {r["file_name"]: r["source_id"] for r in city.truth("receipt") if r["rows_read"] > 0}
    assert {name for name in same if with_rows.get(name) in CORE} == set()
    assert len(same & set(with_rows)) < len(with_rows) / 20


def test_further_nights_leave_the_earlier_deliveries_as_they_were(city: City, tmp_path: Path) -> None:
    simulate(tmp_path / "shorter", scale=0.01, **{**SMALL, "nights": 4})
    longer = fingerprints(city.out)
    shorter = {name: digest for name, digest in fingerprints(tmp_path / "shorter").items() if not name.startswith("truth/")}
    assert {name: longer[name] for name in shorter} == shorter
    assert max(name.split("/")[2] for name in shorter) == "20250304"


TINY: dict[str, Any] = {**SMALL, "nights": 1, "history_days": 20, "counties": 1, "scale": 0.002, "domains": ()}


def test_a_folder_takes_further_nights_of_its_city_and_of_no_other(tmp_path: Path) -> None:
    landing, afresh = tmp_path / "landing", tmp_path / "afresh"
    simulate(landing, **TINY)
    before = fingerprints(landing)
    for other, words in (
        ({"seed": 8}, r"seed 7, not 8"),
        ({"counties": 2}, r"counties 1, not 2"),
        ({"scale": 0.01, "nights": 3}, r"scale 0\.002, not 0\.01"),
        ({"history_days": 21}, r"history days 20, not 21"),
        ({"first_night": dt.date(2025, 3, 2)}, r"first night 2025-03-01, not 2025-03-02"),
        ({"gaming": Gaming(0.5)}, r"gaming 0, not 0\.5"),
    ):
        with pytest.raises(OtherCityError, match=f"{landing} holds deliveries of another city .*{words}.*deliver into another folder"):
            simulate(landing, **{**TINY, **other})
        assert fingerprints(landing) == before
    simulate(landing, **{**TINY, "nights": 3, "domains": ("matters",)})
    simulate(afresh, **{**TINY, "nights": 3, "domains": ("matters",)})
    assert fingerprints(landing) == fingerprints(afresh)


@pytest.mark.parametrize("lost", ["faults.json", "city.json"], ids=["half delivered", "delivered by an older release"])
def test_another_city_is_seen_in_what_there_is(tmp_path: Path, lost: str) -> None:
    simulate(tmp_path, **TINY)
    (tmp_path / "truth" / lost).unlink()
    with pytest.raises(OtherCityError, match="seed 7, not 8"):
        simulate(tmp_path, **{**TINY, "seed": 8})
    simulate(tmp_path, **TINY)


GROWN: dict[str, Any] = {**TINY, "nights": 3, "domains": ("matters", "fraud")}


@pytest.mark.parametrize(
    ("less", "words"),
    [
        ({"nights": 1}, r"nights 3, not 1\)"),
        ({"domains": ()}, r"domains fraud matters, not none\)"),
        ({"nights": 0, "domains": ("matters", "gates")}, r"nights 3, not 0, domains fraud matters, not matters gates\)"),
        ({"nights": 4, "domains": ("fraud",)}, r"domains fraud matters, not fraud\)"),
    ],
    ids=["nights", "domains", "both", "more nights, fewer domains"],
)
def test_less_of_a_city_than_was_delivered_is_refused(tmp_path: Path, less: dict[str, Any], words: str) -> None:
    simulate(tmp_path, **GROWN)
    before = fingerprints(tmp_path)
    with pytest.raises(LessOfCityError, match=f"{tmp_path} holds more of this city .*{words}.*deliver into another folder"):
        simulate(tmp_path, **{**GROWN, **less})
    assert fingerprints(tmp_path) == before


def test_more_of_a_city_may_come_again_and_again_up_to_all_of_it(tmp_path: Path) -> None:
    landing, afresh = tmp_path / "landing", tmp_path / "afresh"
    everything = {**TINY, "nights": 2, "domains": None}
    more: list[dict[str, Any]] = [{"domains": ("fraud",)}, {"nights": 2, "domains": ("fraud", "matters")}, everything]
    for city in ({}, {}, *more, everything):
        simulate(landing, **{**TINY, **city})
    with pytest.raises(LessOfCityError, match=r"domains fraud service .* ledgers, not fraud"):
        simulate(landing, **{**everything, "domains": ("fraud",)})
    simulate(afresh, **everything)
    assert fingerprints(landing) == fingerprints(afresh)


def test_of_a_half_delivered_city_nothing_less_is_taken_and_the_same_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landing, afresh = tmp_path / "landing", tmp_path / "afresh"

    def stops(*_: Any) -> None:
        raise OSError("No space left on device")

    simulate(landing, **TINY)
    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr("dagster_project.city.simulate.deliver_figures", stops)
        simulate(landing, **GROWN)
    for less, words in ((TINY, "nights 3, not 1, domains fraud matters, not none"), ({**GROWN, "nights": 2}, "nights 3, not 2")):
        with pytest.raises(LessOfCityError, match=words):
            simulate(landing, **less)
    simulate(landing, **GROWN)
    simulate(afresh, **GROWN)
    assert fingerprints(landing) == fingerprints(afresh)


@pytest.mark.parametrize("has_city", [True, False], ids=["city.json without them", "faults.json alone"])
def test_what_an_earlier_release_wrote_of_a_city_is_kept_to(tmp_path: Path, has_city: bool) -> None:
    simulate(tmp_path, **GROWN)
    for name in ("city.json", "faults.json"):
        path = tmp_path / "truth" / name
        document = json.loads(path.read_text(encoding="utf-8"))
        city = document.get("city", document)
        del city["domains"]
        if name == "city.json":
            del city["nights"]
        path.write_text(json.dumps(document), encoding="utf-8")
    if not has_city:
        (tmp_path / "truth" / "city.json").unlink()
    with pytest.raises(LessOfCityError, match="nights 3, not 2"):
        simulate(tmp_path, **{**GROWN, "nights": 2})
    simulate(tmp_path, **GROWN)
    with pytest.raises(LessOfCityError, match="domains fraud matters, not none"):
        simulate(tmp_path, **{**GROWN, "domains": ()})


def test_the_command_refuses_another_city_and_goes_on_with_the_same(tmp_path: Path) -> None:
    options = ["--scale", "0.002", "--history-days", "20", "--counties", "1", "--domain", "none", "--out", str(tmp_path)]

    def run(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["simulate", *options, *more])
        return done.exit_code, done.output

    assert run("--nights", "1")[0] == 0
    code, said = run("--nights", "2", "--seed", "2")
    assert code == 2 and f"pool: {tmp_path} holds deliveries of another city (seed 1, not 2)" in said
    code, said = run("--nights", "2")
    assert code == 0 and "up to 2025-09-02" in said
    code, said = run("--nights", "1")
    assert code == 2 and f"pool: {tmp_path} holds more of this city (nights 2, not 1)" in said


@pytest.mark.parametrize(("place", "why"), [("a_file", "Not a directory"), ("a_file/below", "Not a directory"), ("l", "symbolic links")])
def test_a_folder_that_cannot_be_delivered_into_is_told_to_a_person(tmp_path: Path, place: str, why: str) -> None:
    (tmp_path / "a_file").touch()
    (tmp_path / "l").symlink_to("l")
    done = CliRunner().invoke(app, ["simulate", "--nights", "1", "--history-days", "1", "--counties", "1", "--out", str(tmp_path / place)])
    assert done.exit_code == 2 and isinstance(done.exception, SystemExit), done.exception
    assert f"pool: nothing can be delivered into {tmp_path / place}: " in done.output and why in done.output


def contents(folder: Path) -> dict[str, Any]:
    """What is in the delivered files, apart from how a workbook is compressed."""
    files = [path for path in folder.rglob("*") if path.suffix in {".csv", ".json", ".ndjson", ".xlsx"}]
    return {p.relative_to(folder).as_posix(): sheet_rows(p) if p.suffix == ".xlsx" else p.read_bytes() for p in files}


def test_the_tracked_sample_is_the_one_that_is_written(tmp_path: Path) -> None:
    write_sample(tmp_path)
    assert contents(tmp_path) == contents(SAMPLE), "run: python -m dagster_project.city.sample"
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 200_000


def test_a_sample_is_written_over_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("stays", encoding="utf-8")
    (tmp_path / "call").mkdir()
    (tmp_path / "call" / "old.csv").write_text("goes", encoding="utf-8")
    write_sample(tmp_path)
    assert not (tmp_path / "call" / "old.csv").exists()
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "stays"


def test_what_comes_back_says_what_was_written(city: City, tmp_path: Path) -> None:
    said: list[str] = []
    delivery = simulate(tmp_path, scale=0.006, progress=said.append, **{**SMALL, "history_days": 30, "nights": 2})
    delivered = [name for name in fingerprints(tmp_path) if not name.startswith("truth/")]
    assert delivery.files == len(delivered)
    day = dt.timedelta(days=1)
    assert (delivery.initial_load, delivery.first_night, delivery.last_night) == (FIRST_NIGHT - day, FIRST_NIGHT, FIRST_NIGHT + day)
    assert any("call_form" in text for text in said)


@pytest.mark.parametrize(
    "wrong", [{"nights": -1}, {"history_days": 0}, {"scale": 0.0}, {"counties": 0}, {"counties": 14}, {"stations_per_county": 15}], ids=str
)
def test_arguments_that_make_no_city_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        simulate(tmp_path, **{**SMALL, **wrong})
    assert not list(tmp_path.iterdir())


def test_every_system_delivers_in_its_own_shape(city: City) -> None:
    first_call = city.files("call_form")[0].read_bytes()
    assert first_call.startswith(b"JJDBH,") and b"\r\n" in first_call
    with pytest.raises(UnicodeDecodeError):
        first_call.decode("utf-8")
    assert city.files("case_form")[0].read_bytes().startswith(b'"AJBH","JQBH"')
    assert '"(null)"' in city.files("case_form")[0].read_text(encoding="gb18030")
    records = json.loads(city.files("callback_record")[0].read_text(encoding="utf-8"))["data"]["list"]
    assert records[0]["reserver01"] is None
    units = openpyxl.load_workbook(city.files("unit_register")[0]).worksheets[0]
    assert sorted(map(str, units.merged_cells.ranges)) == ["A1:G1", "A2:D2", "E2:F2", "G2:G3"]
    ledger = openpyxl.load_workbook(city.files("mediation_ledger")[0]).worksheets[0]
    assert sorted(map(str, ledger.merged_cells.ranges)) == ["A1:K1", "A2:K2"]


def test_receipts_balance_and_agree_with_the_files(city: City) -> None:
    for receipt in city.truth("receipt"):
        outcomes = [receipt[f"rows_{fate}"] for fate in ("accepted", "quarantined", "duplicate", "filtered")]
        assert receipt["rows_read"] == sum(outcomes) == len(delivered_rows(city.out / receipt["file_name"]))
    assert {r["file_name"] for r in city.truth("receipt")} == {n for n in fingerprints(city.out) if not n.startswith("truth/")}


def test_the_ledger_and_its_summary_count_alike(city: City) -> None:
    summary = json.loads((city.out / "truth" / "faults.json").read_text(encoding="utf-8"))
    counted = Counter((f["source_id"], f["kind"]) for f in city.truth("faults"))
    assert counted == {(source, kind): n for source, kinds in summary["faults"].items() for kind, n in kinds.items()}
    kinds = {kind for source, kind in counted if source in CORE}
    assert kinds == {
        "duplicate_row",
        "bad_date",
        "bad_code",
        "impossible_time",
        "ragged_row",
        "missing_key",
        "unknown_unit",
        "quoted_newline",
        "test_row",
        "late_row",
        "renamed_column",
        "redelivered_file",
        "missing_batch",
        "identical_row",
        "padded_figure",
        "figure_not_reproducible",
    }
    assert all(n > 0 for kinds in summary["records"].values() for n in kinds.values())


def call_faults(city: City) -> Iterator[tuple[str, int, str]]:
    """Every fault that can be seen in a call form by itself: file, row and kind."""
    for path in city.files("call_form"):
        if path.name.startswith("重发"):
            continue
        header, rows = csv_rows(path)
        at = {name: header.index(name) for name in header} | {"BJFS": header.index("BJFSDM" if "BJFSDM" in header else "BJFS")}
        seen: set[tuple[str, ...]] = set()
        for number, row in enumerate(rows, start=1):
            place = (city.relative(path), number)
            if len(row) != len(header):
                yield *place, "ragged_row"
            elif row[at["CSBS"]] == "1":
                yield *place, "test_row"
            elif tuple(row) in seen:
                yield *place, "duplicate_row"
            elif row[at["JJDBH"]] == "":
                yield *place, "missing_key"
            elif row[at["BJFS"]] not in {"1", "2", "3", "4"}:
                yield *place, "bad_code"
            elif row[at["GXDWDM"]].startswith("9999"):
                yield *place, "unknown_unit"
            elif "\n" in row[at["BJNR"]]:
                yield *place, "quoted_newline"
            elif not _is_moment(row[at["BJSJ"]]):
                yield *place, "bad_date"
            elif row[at["CZWBSJ"]] and row[at["CZWBSJ"]] < row[at["BJSJ"]]:
                yield *place, "impossible_time"
            seen.add(tuple(row))


def _is_moment(text: str) -> bool:
    try:
        dt.datetime.strptime(text, "%Y%m%d%H%M%S")
    except ValueError:
        return False
    return True


def test_the_faults_of_the_call_forms_are_those_of_the_ledger(city: City) -> None:
    not_of_a_row = {"renamed_column", "redelivered_file", "late_row"}
    ledger = {
        (f["file_name"], f["row_number"], f["kind"])
        for f in city.truth("faults")
        if f["source_id"] == "call_form" and f["kind"] not in not_of_a_row
    }
    assert set(call_faults(city)) == ledger
    assert len({(name, number) for name, number, _ in ledger}) == len(ledger)


def test_faults_of_whole_files(city: City) -> None:
    whole = {(f["source_id"], f["kind"]): f for f in city.truth("faults") if f["row_number"] == 0}
    for source in ("call_form", "case_event"):
        copy = city.out / whole[source, "redelivered_file"]["file_name"]
        original = copy.name.removeprefix("重发_")
        assert copy.read_bytes() == next(p for p in city.files(source) if p.name == original).read_bytes()
    assert whole["case_event", "redelivered_file"]["batch_date"] > "2025-03-05" == whole["call_form", "redelivered_file"]["batch_date"]
    missing = whole["mediation_ledger", "missing_batch"]["batch_date"].replace("-", "")
    assert missing not in {p.parent.name for p in city.files("mediation_ledger")}
    headers = {p.parent.name: csv_rows(p)[0] for p in city.files("call_form")}
    assert ["BJFSDM" in header for _, header in sorted(headers.items())] == [False] * 4 + [True] * 4


def test_late_forms_come_two_nights_after_their_night(city: City) -> None:
    late = [f for f in city.truth("faults") if f["kind"] == "late_row" and f["source_id"] == "call_form"]
    assert late
    for fault in late:
        header, rows = csv_rows(city.out / fault["file_name"])
        received = rows[fault["row_number"] - 1][header.index("JJSJ")]
        assert (dt.date.fromisoformat(fault["batch_date"]) - dt.datetime.strptime(received, "%Y%m%d%H%M%S").date()).days == 2


def latest_calls(city: City) -> dict[str, dict[str, str]]:
    """The call forms as they stand at last, recounted from the files and the places of the rows to be rejected alone."""
    rejected = {(f["file_name"], f["row_number"]) for f in city.truth("faults") if f["fate"] in {"quarantined", "filtered"}}
    latest: dict[str, dict[str, str]] = {}
    for path in city.files("call_form"):
        header, rows = csv_rows(path)
        names = ["BJFS" if name == "BJFSDM" else name for name in header]
        for number, row in enumerate(rows, start=1):
            if (city.relative(path), number) in rejected or path.name.startswith("重发"):
                continue
            form = dict(zip(names, row, strict=True))
            if form["JJDBH"] not in latest or form["GXSJ"] >= latest[form["JJDBH"]]["GXSJ"]:
                latest[form["JJDBH"]] = form
    return {number: form for number, form in latest.items() if form["SCBS"] == "0"}


def total(city: City, kpi_id: str, cell: str = "") -> tuple[int, int]:
    rows = [r for r in city.truth("kpi_count") if r["kpi_id"] == kpi_id and r["cell"] == cell]
    return sum(r["numerator"] for r in rows), sum(r["denominator"] for r in rows)


def test_the_truth_about_incidents_is_that_of_the_forms(city: City) -> None:
    forms = list(latest_calls(city).values())
    effective = [f for f in forms if f["WXBS"] == "0" and f["ZXBS"] == "0" and f["GLLX"] == ""]
    assert total(city, "INC-1") == (len(forms), 0)
    assert total(city, "INC-2") == (len(effective), len(forms))
    assert total(city, "INC-2", "excluded:consultation")[0] == sum(f["ZXBS"] == "1" and f["WXBS"] == "0" and f["GLLX"] == "" for f in forms)
    assert total(city, "INC-5") == (sum(f["TDBS"] == "1" for f in forms), sum(f["PJSJ"] != "" for f in forms))
    assert total(city, "INC-3.converted")[0] == sum(f["SFJA"] == "1" for f in effective)
    urgent = [f for f in forms if f["JJBS"] == "1" and f["GLLX"] == "" and f["PJSJ"] and f["DDXCSJ"] > f["PJSJ"]]
    assert total(city, "RT-2")[1] == len(urgent)
    unknown = [r for r in city.truth("kpi_count") if (r["kpi_id"], r["cell"], r["unit_code"]) == ("INC-1", "", UNASSIGNED)]
    assert sum(r["numerator"] for r in unknown) == sum(f["GXDWDM"].startswith("9999") for f in forms)


def test_the_truth_about_the_integrity_of_incidents_is_that_of_the_forms(city: City) -> None:
    forms = list(latest_calls(city).values())
    assert total(city, "INT-4.invalid") == (sum(f["WXBS"] == "1" for f in forms), len(forms))
    down, up = (
        sum((f["JQLBDM"][:2] > f["CSJQLBDM"][:2]) if lower else (f["JQLBDM"][:2] < f["CSJQLBDM"][:2]) for f in forms)
        for lower in (True, False)
    )
    assert total(city, "INT-3.down") == (down, len(forms)) and down > up > 0
    assert (total(city, "INT-3.down", "direction:down")[0], total(city, "INT-3.down", "direction:up")[0]) == (down, up)
    pairs = Counter(f"pair:{f['CSJQLBDM']}>{f['JQLBDM']}" for f in forms if f["JQLBDM"] != f["CSJQLBDM"])
    counted = Counter[str]()
    for row in city.truth("kpi_count"):
        if row["kpi_id"] == "INT-3.down" and row["cell"].startswith("pair:"):
            counted[row["cell"]] += row["numerator"]
    assert counted == pairs
    reached = [f["DDXCSJ"] for f in forms if f["GLLX"] == "" and f["PJSJ"] and f["DDXCSJ"] > max(f["PJSJ"], f["BJSJ"])]
    assert total(city, "INT-8.heap") == (sum(int(t[10:]) % 500 == 0 for t in reached), len(reached))
    for digit in "0123456789":
        assert total(city, "INT-8.heap", f"digit:{digit}")[0] == sum(t[11] == digit for t in reached)


def test_durations_in_bins_are_those_of_their_stage(city: City) -> None:
    stages, bins = Counter[Any](), Counter[Any]()
    for row in city.truth("kpi_count"):
        kind, _, rest = row["cell"].partition(":")
        if row["kpi_id"] == "RT-1" and kind in {"stage", "bin"}:
            stage, _, seconds = rest.partition(":")
            sums = stages if kind == "stage" else bins
            sums.update({(row["unit_code"], row["day"], stage, side): row[side] for side in ("numerator", "denominator")})
            assert kind == "stage" or row["numerator"] == int(seconds) * row["denominator"]
    assert stages == bins and stages


PARTITIONS = [
    ("INC-1", "category"),
    ("INC-1", "channel"),
    ("INC-2", "category"),
    ("INC-5", "category"),
    ("INC-4", "category"),
    ("CR-1.filed", "category"),
    ("CR-2", "lag"),
    ("CR-2.30", "category"),
    ("RT-2", "place_kind"),
    ("MED-1", "dispute_kind"),
    ("MED-1", "result"),
    ("SAT-1", "attempt"),
    ("SAT-1", "channel"),
    ("SAT-2", "category"),
    ("SAT-3", "channel"),
    ("INT-5.coverage", "outcome"),
    ("INT-5.first", "attempt"),
]


@pytest.mark.parametrize(("kpi_id", "kind"), PARTITIONS)
def test_cells_sum_to_their_figure_on_every_day(city: City, kpi_id: str, kind: str) -> None:
    figure, cells = Counter[Any](), Counter[Any]()
    for row in city.truth("kpi_count"):
        if row["kpi_id"] == kpi_id:
            sums = figure if row["cell"] == "" else cells if row["cell"].startswith(f"{kind}:") else None
            if sums is not None:
                sums.update({(row["unit_code"], row["day"], side): row[side] for side in ("numerator", "denominator")})
    assert +figure == +cells
    assert figure.total() > 0


def test_exclusions_account_for_every_incident(city: City) -> None:
    received = total(city, "INC-1")[0]
    for kpi_id, counted in (("INC-2", 0), ("RT-2", 1), ("INC-5", 1)):
        excluded = sum(r["numerator"] for r in city.truth("kpi_count") if r["kpi_id"] == kpi_id and r["cell"].startswith("excluded:"))
        assert total(city, kpi_id)[counted] + excluded == received


def test_the_truth_covers_what_it_says(city: City) -> None:
    rows = city.truth("kpi_count")
    found = {(r["kpi_id"], r["cell"].partition(":")[0]) for r in rows}
    declared = {(kpi_id, cell) for kpi_id, cells in COVERED.items() for cell in cells}
    may_be_absent = {(kpi_id, cell) for kpi_id, cell in declared if "365" in kpi_id or "180" in kpi_id or cell == "excluded"}
    assert declared - may_be_absent <= found <= declared
    keys = [(r["kpi_id"], r["unit_code"], r["day"], r["cell"]) for r in rows]
    assert keys == sorted(set(keys))
    assert {r["day"] for r in rows} <= {dt.date(2025, 3, 7) - dt.timedelta(days=n) for n in range(167)}


def test_no_figure_stands_under_a_unit_that_was_closed(city: City) -> None:
    register = {row[0]: row for row in sheet_rows(city.files("unit_register")[0])[3:]}
    (closed,) = [row for row in register.values() if row[5]]
    last_day, successor = dt.date.fromisoformat(closed[5]), closed[6]
    days = {unit: {r["day"] for r in city.truth("kpi_count") if r["unit_code"] == unit} for unit in (closed[0], successor)}
    assert days[closed[0]] and max(days[closed[0]]) < last_day <= max(days[successor])
    assert {r["unit_code"].split(".")[0] for r in city.truth("kpi_count")} <= set(register)


def test_records_hang_together(city: City) -> None:
    calls = {row[0] for path in city.files("call_form") for row in csv_rows(path)[1]}
    cases = {row[0]: row[1] for path in city.files("case_form") for row in csv_rows(path)[1]}
    assert all(len(number) == 23 and number[0] == "A" for number in cases)
    from_calls = [number for number in cases.values() if number != "(null)"]
    assert 0 < len(from_calls) - len(set(from_calls)) < 0.03 * len(from_calls)
    events = [row for path in city.files("case_event") for row in delivered_rows(path)]
    assert {row[0] for row in events} <= set(cases)
    callbacks = [row for path in city.files("callback_record") for row in delivered_rows(path)]
    disputes = [row for path in city.files("mediation_ledger") for row in delivered_rows(path)]
    named = set(from_calls) | {row[0] for row in callbacks} | {row[1] for row in disputes if row[1]}
    without_number = sum(f["kind"] == "missing_key" for f in city.truth("faults"))
    not_yet_delivered = {number for number in named - calls if number[6:14] >= "20250306"}
    assert len(named - calls - not_yet_delivered) <= without_number
    assert len(named & calls) > 1000


def test_few_printed_figures_do_not_follow_from_their_counts(city: City) -> None:
    faults = {(f["file_name"], f["row_number"]): f for f in city.truth("faults") if f["source_id"] == "monthly_figure"}
    seen = Counter[str]()
    for path in city.files("monthly_figure"):
        for number, row in enumerate(sheet_rows(path)[3:], start=1):
            scale = 100 if row[3] == "回访满意率" else 1
            right = f"{100 * row[4] / row[5] / scale:.2f}"
            fault = faults.get((city.relative(path), number))
            kind = fault["kind"] if fault else ""
            seen[kind] += 1
            assert (row[6] == right) == (kind == "")
            assert kind != "padded_figure" or (row[6].endswith("0") and abs(float(row[6]) - float(right)) <= 0.051)
    assert seen[""] > 5 * (seen.total() - seen[""]) > 0


def test_preventable_incidents_fall_year_on_year_and_the_festival_is_quiet() -> None:
    world = live(3, dt.date(2024, 7, 1), dt.date(2025, 8, 31), 4, 3, 0.04)
    by_month = Counter[tuple[bool, str]]()
    falling = {"010201", "010202", "010301", "010302", "010303"}
    for category, reported in zip(world.calls.category.tolist(), world.calls.reported.tolist(), strict=True):
        by_month[category[:6] in falling, f"{date_of(reported):%Y-%m}"] += 1
    drop = 1 - sum(by_month[True, f"2025-{m}"] for m in ("07", "08")) / sum(by_month[True, f"2024-{m}"] for m in ("07", "08"))
    others = 1 - sum(by_month[False, f"2025-{m}"] for m in ("07", "08")) / sum(by_month[False, f"2024-{m}"] for m in ("07", "08"))
    assert 0.30 < drop < 0.47
    assert -0.05 < others < 0.12
    assert in_festival_window(dt.date(2025, 1, 24)) and in_festival_window(dt.date(2025, 2, 18))
    assert not in_festival_window(dt.date(2025, 2, 19))
    assert day_factor(dt.date(2025, 2, 5)) < 0.7 * day_factor(dt.date(2025, 3, 5))
    by_day = Counter(date_of(t) for t in world.calls.reported.tolist())
    festival = [n for day, n in by_day.items() if in_festival_window(day)]
    ordinary = [n for day, n in by_day.items() if not in_festival_window(day)]
    assert sum(festival) / len(festival) < 0.7 * sum(ordinary) / len(ordinary)


def test_times_are_printed_as_the_systems_print_them() -> None:
    moment = seconds_of(dt.date(2024, 2, 29)) + 8 * 3600 + 5
    assert compact(np.array([], dtype=np.int64)) == []
    both = np.array([moment, NEVER])
    assert compact(both) == ["20240229080005", ""]
    assert spelled(both) == ["2024-02-29 08:00:05", ""]


def test_identity_numbers_are_well_formed_and_belong_to_nobody() -> None:
    numbers = identity_numbers(1, "test", 200)
    weights = [2 ** (17 - place) % 11 for place in range(17)]
    for number in numbers:
        assert number.startswith("9901")
        dt.datetime.strptime(number[6:14], "%Y%m%d")
        check = (12 - sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True))) % 11
        assert number[17] == "0123456789X"[check]


def test_a_unit_counts_where_it_stood_on_the_day() -> None:
    merger = dt.date(2025, 1, 1)
    places = found(3, 2, merger)
    closed = next(unit for unit in places.units if unit.valid_to)
    assert places.leaf(closed.code, dt.date(2024, 12, 31)) == closed.code
    assert places.leaf(closed.code, merger) == closed.successor
    assert places.leaf("990100000000", merger) == "990100000000.self"
    assert places.leaf("990102000000", merger) == "990102000000.self"
    assert places.leaf("110101000000", merger) == UNASSIGNED
    assert len({unit.code for unit in places.units}) == len(places.units) == 1 + 3 * (1 + 2 + 1) + 1
    assert all(len(unit.code) == 12 and unit.code.startswith("99") for unit in places.units)
