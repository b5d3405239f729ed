"""The quirks of the real open data, each pinned by a few generated rows that go through the shipped contract."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from dagster_project.contracts.load import PROJECT_SOURCES, Catalogue, load_catalogue
from dagster_project.home import Home
from dagster_project.ingest.night import SourceResult, ingest_source

NIGHT = dt.date(2023, 4, 30)
CRIME = "c31df7a35168bfd999f18b1ffa6b7e1ded3c74cd1e126c7a440f590c0c79d7c7"
OTHER_CRIME = "df14db153106b5a9340f0f9c3ac8f69bbb30571f23f80a22cdaa33714e1b51a6"
STREET = "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,Crime type,Last outcome category,Context"
OUTCOMES = "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,Outcome type"
BEDS = "Bedfordshire Police"
STREET_FILE = "uk-bedfordshire/{month}/{month}-bedfordshire-street.csv"
OUTCOMES_FILE = "uk-bedfordshire/{month}/{month}-bedfordshire-outcomes.csv"


@dataclass(frozen=True)
class Ingested:
    """What one night made of a source: the result, its pool rows, and the reasons of its quarantined rows."""

    result: SourceResult
    rows: list[dict[str, Any]]
    reasons: list[str]

    def values(self, column: str) -> list[Any]:
        return [row[column] for row in self.rows]

    @property
    def balance(self) -> tuple[int, int, int, int, int]:
        r = self.result
        return (r.rows_read, r.rows_accepted, r.rows_quarantined, r.rows_duplicate, r.rows_filtered)


Ingest = Callable[[str, Mapping[str, bytes]], Ingested]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue([PROJECT_SOURCES])


@pytest.fixture
def ingest(tmp_path: Path, catalogue: Catalogue) -> Ingest:
    home = Home.at(tmp_path / "home", tmp_path / "landing").ensure()

    def _ingest(source_id: str, files: Mapping[str, bytes]) -> Ingested:
        for name, content in files.items():
            path = home.landing / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        contract = catalogue.contract(source_id)
        result = ingest_source(home, contract, catalogue.entity_of(contract), NIGHT)
        rows = _parquet(home.pool / contract.entity / f"source={source_id}", "batch_date, file_name, row_number")
        reasons = [reason for row in _parquet(home.quarantine / source_id, "file_name, row_number") for reason in row["reasons"]]
        return Ingested(result, rows, reasons)

    return _ingest


def _parquet(folder: Path, order: str) -> list[dict[str, Any]]:
    files = [p.as_posix() for p in folder.rglob("*.parquet")]
    if not files:
        return []
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select * from read_parquet({files!r}, union_by_name = true, hive_partitioning = false) order by {order}"
        )
        names = [d[0] for d in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _csv(*lines: str, encoding: str = "utf-8", newline: str = "\n") -> bytes:
    return (newline.join(lines) + newline).encode(encoding)


# England


def street_row(crime_id: str = CRIME, kind: str = "Burglary", month: str = "2022-02", area: str = "Bedford 001A") -> str:
    return (
        f"{crime_id},{month},{BEDS},{BEDS},-0.472054,52.301536,On or near Shelton Road,E01017540,{area},{kind},Unable to prosecute suspect,"
    )


def outcome_row(kind: str, crime_id: str = CRIME, month: str = "2022-02") -> str:
    return f"{crime_id},{month},{BEDS},{BEDS},-0.472054,52.301536,On or near Shelton Road,E01017540,Bedford 001A,{kind}"


def test_identical_street_rows_are_distinct_incidents(ingest: Ingest) -> None:
    behaviour = street_row("", "Anti-social behaviour")
    found = ingest("uk_street_incident", {STREET_FILE.format(month="2022-02"): _csv(STREET, behaviour, behaviour, behaviour, street_row())})
    assert found.balance == (4, 4, 0, 0, 0)
    assert found.values("is_case") == [False, False, False, True]
    assert found.values("row_number") == [1, 2, 3, 4]


def test_identical_street_files_of_two_months_both_count(ingest: Ingest) -> None:
    files = {STREET_FILE.format(month=m): _csv(STREET, street_row(month=m)) for m in ("2022-01", "2022-02")}
    assert ingest("uk_street_case", files).balance == (2, 2, 0, 0, 0)


def test_anti_social_behaviour_is_no_case(ingest: Ingest) -> None:
    rows = [street_row("", "Anti-social behaviour"), street_row(), street_row("", "Anti-social behaviour")]
    found = ingest("uk_street_case", {STREET_FILE.format(month="2022-02"): _csv(STREET, *rows)})
    assert found.balance == (3, 1, 0, 0, 2)


def test_repeated_crime_ids_stay(ingest: Ingest) -> None:
    rows = [street_row(), street_row(), street_row(OTHER_CRIME), street_row(OTHER_CRIME, kind="Drugs")]
    found = ingest("uk_street_case", {STREET_FILE.format(month="2022-02"): _csv(STREET, *rows)})
    assert found.balance == (4, 4, 0, 0, 0)
    assert sorted(found.values("case_id")) == [CRIME, CRIME, OTHER_CRIME, OTHER_CRIME]


@pytest.mark.parametrize(("month", "day"), [("2022-02", 28), ("2021-12", 31), ("2022-04", 30)])
def test_months_stand_on_their_last_day(ingest: Ingest, month: str, day: int) -> None:
    found = ingest("uk_street_case", {STREET_FILE.format(month=month): _csv(STREET, street_row(month=month))})
    expected = dt.date(int(month[:4]), int(month[5:]), day)
    assert [v.date() for v in found.values("filed_at")] == found.values("batch_date") == [expected]


def test_a_row_of_another_month_than_its_file_is_rejected(ingest: Ingest) -> None:
    rows = [street_row() for _ in range(40)] + [street_row(month="2022-01")]
    found = ingest("uk_street_case", {STREET_FILE.format(month="2022-02"): _csv(STREET, *rows)})
    assert found.balance == (41, 40, 1, 0, 0)
    assert found.reasons == ["rule:month_of_file"]


def test_area_names_with_a_quoted_comma(ingest: Ingest) -> None:
    row = street_row(area='"Bournemouth, Christchurch and Poole 022C"')
    found = ingest("uk_street_incident", {STREET_FILE.format(month="2022-02"): _csv(STREET, row)})
    assert found.balance == (1, 1, 0, 0, 0)
    assert found.values("category") == ["Burglary"]


def test_places_of_incidents_do_not_reach_the_pool(ingest: Ingest) -> None:
    found = ingest("uk_street_incident", {STREET_FILE.format(month="2022-02"): _csv(STREET, street_row())})
    stored = " ".join(str(v) for row in found.rows for v in row.values())
    assert "Shelton" not in stored and "0.47" not in stored and "52.30" not in stored


def test_one_crime_has_many_outcomes_and_the_same_one_twice(ingest: Ingest) -> None:
    kinds = ["Suspect charged", "Suspect charged", "Local resolution", "Suspect charged as part of another case"]
    found = ingest("uk_outcome", {OUTCOMES_FILE.format(month="2022-02"): _csv(OUTCOMES, *map(outcome_row, kinds))})
    assert found.balance == (4, 4, 0, 0, 0)
    assert found.values("event") == ["charged", "charged", "local_resolution", "otherwise_closed"]


def test_an_outcome_that_nobody_has_mapped_is_quarantined(ingest: Ingest) -> None:
    rows = [outcome_row("Suspect charged")] * 40 + [outcome_row("Suspect apologised")]
    found = ingest("uk_outcome", {OUTCOMES_FILE.format(month="2022-02"): _csv(OUTCOMES, *rows)})
    assert found.balance == (41, 40, 1, 0, 0)
    assert found.reasons == ["unknown_code:event"]


# New York

NYC_FILE = "nyc-911-e2e/911_End-to-End_Data.csv"
NYC_COLUMNS = (
    "Week Start Date,Agency,Final Incident Type,# of Incidents Calculated,"
    "Call to First Pickup,Call to Agency Job Creation,Call to Agency Dispatch,Call to Agency Arrival"
)


def test_a_stage_that_an_agency_does_not_deliver_is_left_out_and_counted(ingest: Ingest) -> None:
    rows = [
        "07/05/2021,NYPD,1. Critical,100,3.10,,90.00,450.25",
        "07/05/2021,EMS,1. Life Threating Med Emergencies,200,3.18,155.51,193.89,556.80",
    ]
    found = ingest("nyc_911_job", {NYC_FILE: _csv(NYC_COLUMNS, *rows)})
    assert found.balance == (2, 1, 0, 0, 1)
    assert (found.values("measure"), found.values("weight")) == (["call_to_job_ambulance"], [200])


def test_weeks_are_written_month_first_and_stand_on_their_monday(ingest: Ingest) -> None:
    found = ingest("nyc_911_arrival", {NYC_FILE: _csv(NYC_COLUMNS, "07/05/2021,NYPD,1. Critical,100,3.10,,90.00,450.25")})
    assert found.values("period_end") == found.values("period_start") == [dt.date(2021, 7, 5)]
    assert [str(v) for v in found.values("value")] == ["450.250000"]


def test_a_week_written_day_first_is_rejected_not_misread(ingest: Ingest) -> None:
    rows = ["07/05/2021,NYPD,1. Critical,100,3.10,,90.00,450.25"] * 40 + ["05/07/2021,NYPD,2. Serious,100,3.10,,90.00,450.25"]
    found = ingest("nyc_911_arrival", {NYC_FILE: _csv(NYC_COLUMNS, *rows)})
    assert found.reasons == ["rule:week_starts_on_monday"]


def test_incidents_without_a_type_keep_their_weight(ingest: Ingest) -> None:
    found = ingest("nyc_911_arrival", {NYC_FILE: _csv(NYC_COLUMNS, "11/18/2013,FDNY,,83,3.12,,486.61,718.89")})
    assert (found.values("category"), found.values("weight"), found.values("measure")) == ([None], [83], ["call_to_arrival_fire"])


# Germany

PKS_2013 = (
    "Strft. Schl.|Straftat|Bundesland|erfasste Fälle 2013|HZ nach Zensus|Versuche absolut|Versuche in % |"
    "aufgeklärte Fälle|AQ \nin %|TV insges."
)
PKS_2016 = "Schlüssel|Straftat|Bundesland|erfasste Fälle|HZ nach Zensus|von Spalte 4 Versuche||Aufklärung||Tatver-dächtige insg."


def workbook(
    sheet: str,
    header: str,
    rows: list[tuple[str, str, int, int, float]],
    *,
    macro_sheet: bool = False,
    merged: str | None = None,
) -> bytes:
    """A PKS workbook; rows are offence key, state, recorded, cleared, printed rate."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet
    page.append([name or None for name in header.split("|")])
    for key, state, recorded, cleared, rate in rows:
        page.append((key, "Straftaten\xa0insgesamt", state, recorded, 5450.5, 37, 6.5, cleared, rate, 231))
    if merged:
        page.merge_cells(merged)
    if macro_sheet:
        macro = book.create_sheet("Macro1")
        macro.sheet_state = "hidden"
        macro.append(("Macro10", "Auto_öffnen"))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


TWO_STATES = [("------", "Bayern", 200, 100, 50.0), ("------", "Thüringen", 100, 70, 70)]


def test_header_texts_and_sheets_change_by_year(ingest: Ingest) -> None:
    found = ingest(
        "de_pks",
        {
            "de-pks-states/PKS2013.xlsx": workbook("Tab01-2013_LÜ", PKS_2013, TWO_STATES, macro_sheet=True),
            "de-pks-states/PKS2015.xlsx": workbook("T01_LÜ", PKS_2016, TWO_STATES),
            "de-pks-states/PKS2016.xlsx": workbook("BKA-LKS-F-01-T01 Länder", PKS_2016, TWO_STATES, merged="F1:G1"),
        },
    )
    assert found.balance == (6, 6, 0, 0, 0)
    assert found.values("period_start") == [dt.date(y, 1, 1) for y in (2013, 2013, 2015, 2015, 2016, 2016)]
    assert found.values("period_end") == [dt.date(y, 12, 31) for y in (2013, 2013, 2015, 2015, 2016, 2016)]
    assert found.values("numerator") == [100, 70] * 3
    assert found.values("denominator") == [200, 100] * 3
    assert found.values("unit_code") == ["DE-BY", "DE-TH"] * 3
    assert found.values("value_text") == ["50", "70"] * 3


@pytest.mark.parametrize("name", ["Bund echte Zählung der Tatverdächtigen", "Bundesrepublik Deutschland"])
def test_the_national_total_among_the_states_is_no_state(ingest: Ingest, name: str) -> None:
    rows = [*TWO_STATES, ("------", name, 300, 170, 56.7)]
    found = ingest("de_pks", {"de-pks-states/PKS2018.xlsx": workbook("T01_LÜ", PKS_2016, rows)})
    assert found.balance == (3, 2, 0, 0, 1)
    assert sum(found.values("denominator")) == 300


def test_a_national_total_under_a_third_name_holds_the_batch(ingest: Ingest) -> None:
    rows = [*TWO_STATES, ("------", "Deutschland gesamt", 300, 170, 56.7)]
    found = ingest("de_pks", {"de-pks-states/PKS2018.xlsx": workbook("T01_LÜ", PKS_2016, rows)})
    assert found.result.status == "held"
    assert found.rows == []
    assert found.reasons == ["unknown_code:unit_code"]


def test_columns_that_moved_contradict_the_printed_rate(ingest: Ingest) -> None:
    rows = [("------", "Bayern", 100, 200, 50.0)]
    found = ingest("de_pks", {"de-pks-states/PKS2018.xlsx": workbook("T01_LÜ", PKS_2016, rows)})
    assert found.result.status == "held"
    assert found.reasons == ["rule:rate_of_counts"]


def test_old_cases_are_cleared_where_none_were_recorded(ingest: Ingest) -> None:
    rows = [("211210", "Brandenburg", 0, 1, 0)]
    assert ingest("de_pks", {"de-pks-states/PKS2018.xlsx": workbook("T01_LÜ", PKS_2016, rows)}).balance == (1, 1, 0, 0, 0)


# Greater Manchester

GM_FILE = "gm-stats19/STATS19CasDataJan2010Dec2021forGMServers.csv"
GM_COLUMNS = (
    '"Accident Index","Year","VehicleReferenceNumber","CasualtyNumber","CasualtyClass","Sex","AgeBandOfCasualty","CasualtySeverity",'
    '"PedLocation","PedMovement","CarPassenger","BusPassenger","PedInjWork","CasTypeCode"'
)


def test_casualties_that_look_alike_are_distinct(ingest: Ingest) -> None:
    rows = [
        '"100259992010",2010,3,1,1,1,7,3,0,0,0,0,0,11',
        '"100259992010",2010,3,1,1,2,4,3,0,0,0,0,0,11',
        '"100259992010",2010,3,2,1,1,7,1,0,0,0,0,0,0',
    ]
    found = ingest("gm_stats19", {GM_FILE: _csv(GM_COLUMNS, *rows, newline="\r\n")})
    assert found.balance == (3, 3, 0, 0, 0)
    assert found.values("severity") == ["slight", "slight", "fatal"]
    assert found.values("road_user") == ["bus", "bus", "pedestrian"]
    assert found.values("happened_on") == [dt.date(2010, 12, 31)] * 3


# Hokkaido

JP_BASE = (
    "罪名,手口,管轄警察署（発生地）,管轄交番・駐在所（発生地）,市区町村コード（発生地）,都道府県（発生地）,"
    "市区町村（発生地）,町丁目（発生地）,発生年月日（始期）,発生時（始期）,発生場所の属性"
)
JP_FILE = "jp-hokkaido-2018/hokkaido_2018{modus}.csv"


def theft(modus: str, date: str, code: str = "011011", extra: str = "") -> str:
    return f"窃盗,{modus},中央,薄野,{code},北海道,札幌市中央区,南６条西１丁目,{date},19,道路上{extra}"


def test_thefts_without_a_date_belong_to_the_year_of_their_file(ingest: Ingest) -> None:
    header = JP_BASE + ",被害者の年齢,被害者の職業,施錠関係"
    rows = [theft("自転車盗", "不明", extra=",40歳代,その他,施錠した"), theft("自転車盗", "2011-11-02", extra=",30歳代,その他,施錠した")]
    found = ingest("jp_hokkaido", {JP_FILE.format(modus="zitensyatou"): _csv(header, *rows, encoding="shift_jis", newline="\r\n")})
    assert found.balance == (2, 2, 0, 0, 0)
    assert [v and v.date() for v in found.values("occurred_at")] == [None, dt.date(2011, 11, 2)]
    assert [v.date() for v in found.values("filed_at")] == [dt.date(2018, 12, 31)] * 2
    stored = " ".join(str(v) for row in found.rows for v in row.values())
    assert "歳代" not in stored and "丁目" not in stored


def test_two_ways_to_write_dates_and_codes_and_columns_that_differ_by_file(ingest: Ingest) -> None:
    found = ingest(
        "jp_hokkaido",
        {
            JP_FILE.format(modus="buhinnerai"): _csv(
                JP_BASE + ",現金以外の主な被害品", theft("部品ねらい", "2018/3/1", "11011", ",タイヤ・ホイール"), encoding="cp932"
            ),
            JP_FILE.format(modus="hittakuri"): _csv(
                JP_BASE + ",被害者の性別,被害者の年齢,現金被害の有無",
                theft("ひったくり", "2018-12-26", extra=",女性,65-69歳,なし"),
                encoding="cp932",
            ),
        },
    )
    assert found.balance == (2, 2, 0, 0, 0)
    assert [v.date() for v in found.values("occurred_at")] == [dt.date(2018, 3, 1), dt.date(2018, 12, 26)]
    assert found.values("category") == ["部品ねらい", "ひったくり"]


def _doubled() -> bytes:
    header = JP_BASE + ",施錠関係,盗難防止装置の有無,現金以外の主な被害品"
    row = theft("自動車盗", "2018/3/6", "11011", ",キーあり,なし,乗用自動車")
    return _csv(f"{header},{header}", f"{row},{row}", f"{row},{row}", encoding="shift_jis", newline="\r\n")


def test_the_doubled_header_block_is_read_once(ingest: Ingest) -> None:
    found = ingest("jp_hokkaido", {JP_FILE.format(modus="zidousyatou"): _doubled()})
    assert found.balance == (2, 2, 0, 0, 0)
    assert found.values("category") == ["自動車盗"] * 2


def test_a_doubled_header_block_that_no_contract_declares_holds_the_batch(ingest: Ingest) -> None:
    found = ingest("jp_hokkaido", {JP_FILE.format(modus="ootobaitou"): _doubled()})
    assert found.result.status == "failed"
    assert "delivered 2 times" in " ".join(found.result.messages)
    assert found.rows == []


# Division codes


def test_codes_appear_and_vanish_between_revisions(ingest: Ingest) -> None:
    header = "Source\tRevision\tCode\tName"
    found = ingest(
        "cn_gb2260",
        {
            "cn-gb2260/mca/199912.tsv": _csv(header, "mca\t199912\t110103\t崇文区", "mca\t199912\t110101\t东城区"),
            "cn-gb2260/mca/201012.tsv": _csv(header, "mca\t201012\t110101\t东城区"),
            "cn-gb2260/stats/201012.tsv": _csv(header, "stats\t201012\t110101\t东城区"),
        },
    )
    assert found.balance == (4, 4, 0, 0, 0)
    kept = {(row["register"], row["revised_on"].isoformat(), row["region_code"]) for row in found.rows}
    assert kept == {
        ("mca", "1999-12-31", "110103"),
        ("mca", "1999-12-31", "110101"),
        ("mca", "2010-12-31", "110101"),
        ("stats", "2010-12-31", "110101"),
    }


# Somerville

ANSWERS = ["0,3,3,3,4,2,4", "1,5,3,3,3,3,5", "0,3,3,3,4,5,4"]


def test_utf16_without_header_where_every_row_is_one_quoted_text(ingest: Ingest) -> None:
    content = "\r\n".join(f'"{a}"' for a in ANSWERS).encode("utf-16")
    found = ingest("somerville_utf16", {"somerville-survey/utf16le-noheader/SomervilleHappinessSurvey2015.csv": content})
    assert found.balance == (3, 3, 0, 0, 0)
    assert [int(v) for v in found.values("value")] == [2, 3, 5]
    assert found.values("observed_on") == [dt.date(2015, 12, 31)] * 3


def test_the_resaved_copy_stands_under_a_measure_of_its_own(ingest: Ingest) -> None:
    content = _csv("D,X1,X2,X3,X4,X5,X6", *ANSWERS, encoding="utf-8-sig")
    found = ingest("somerville_utf8", {"somerville-survey/utf8bom-header/SomervilleHappinessSurvey2015.csv": content})
    assert [int(v) for v in found.values("value")] == [2, 3, 5]
    assert set(found.values("measure")) == {"trust_police_resaved"}
