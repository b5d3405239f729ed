"""Every figure that the real open data are known for, read from a release that the whole pipeline made of them.

The figures were counted from the files or published by the force or ministry concerned. Nothing is computed here but by SQL over
the release.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

NIGHT = "2023-04-30"
MACROS = """
create macro counted(wanted_kpi, wanted_unit, wanted_cell, first_day, last_day) as table
    select coalesce(sum(numerator), 0)::bigint as n, coalesce(sum(denominator), 0)::bigint as d
    from fct_kpi_count
    where kpi_id = wanted_kpi and (unit_code = wanted_unit || '.self' or starts_with(unit_code, wanted_unit || '-'))
        and cell = wanted_cell and day between first_day::date and last_day::date;
create macro printed(wanted_kpi, wanted_unit, wanted_slice, wanted_grain, first_day, last_day) as table
    select * from kpi
    where kpi_id = wanted_kpi and unit_code = wanted_unit and slice = wanted_slice and grain = wanted_grain
        and period_start >= first_day::date and period_end <= last_day::date;
create macro minutes(seconds) as
    cast(floor(seconds / 60) as integer) || ':' || printf('%04.1f', round(seconds - 60 * floor(seconds / 60), 1));
create macro wilson(x, n, side) as
    (x / n + 3.841458820694124 / (2 * n) + side * 1.959963984540054
        * sqrt(x / n * (1 - x / n) / n + 3.841458820694124 / (4 * n * n))) / (1 + 3.841458820694124 / n);
"""
ALL, FY22 = "'2021-05-01', '2023-03-31'", "'2022-04-01', '2023-03-31'"
FIRST_COHORTS = "'2021-05-01', '2022-12-31'"


def fiscal_year_of_new_york(year: int) -> str:
    return f"'{year - 1}-07-01', '{year}-06-30'"


@pytest.fixture(scope="session")
def release_folder(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The current release of a home into which one run of the pipeline took all real data."""
    home = tmp_path_factory.mktemp("real") / "home"
    command = [sys.executable, "-m", "dagster_project.cli", "run", "--group", "open_data", "--landing", str(realdata), "--home", str(home)]
    environment = {k: v for k, v in os.environ.items() if k not in {"POOL_HOME", "POOL_LANDING", "POOL_SOURCES", "DAGSTER_HOME"}}
    run = subprocess.run([*command, "--from", "2023-04-01", "--to", NIGHT], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    return home / "published" / "current"


@pytest.fixture(scope="session")
def release(release_folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{release_folder / 'kpi.duckdb'}' as release (read_only)")
        for table in ("fct_kpi_count", "kpi", "pool_inventory", "receipt", "gate_result", "release_info", "region"):
            connection.execute(f"create view {table} as select * from release.{table}")
        connection.execute(MACROS)
        yield connection


def value_of(release: duckdb.DuckDBPyConnection, sql: str) -> Any:
    (row,) = release.execute(sql).fetchall()
    return row[0] if len(row) == 1 else row


COUNTS = {
    "street rows": (f"select n from counted('INC-1', 'GB-BEDS', '', {ALL})", 115_818),
    "street rows with a Crime ID": (f"select n from counted('INC-3.converted', 'GB-BEDS', '', {ALL})", 93_108),
    "rows with a Crime ID in the pool": ("select sum(rows_accepted)::bigint from receipt where source = 'uk_street_case'", 93_108),
    "distinct Crime IDs": (f"select n from counted('CR-1.filed', 'GB-BEDS', '', {ALL})", 92_924),
    "rows that repeat a Crime ID": (f"select n from counted('CR-1.filed', 'GB-BEDS', 'excluded:duplicate_case', {ALL})", 184),
    "outcome rows": ("select sum(rows_accepted)::bigint from receipt where source = 'uk_outcome'", 94_697),
    "distinct Crime IDs among outcomes": (f"select n from counted('CR-5', 'GB-BEDS', 'flag:first_event', {ALL})", 93_048),
    "suspects charged": (f"select n from counted('CR-5', 'GB-BEDS', 'event:charged', {ALL})", 6_029),
    "local resolutions": (f"select n from counted('CR-5', 'GB-BEDS', 'event:local_resolution', {ALL})", 2_804),
    "street rows, year to 2023-03": (f"select n from counted('INC-1', 'GB-BEDS', '', {FY22})", 61_399),
    "crimes, year to 2023-03": (f"select n from counted('CR-1.filed', 'GB-BEDS', '', {FY22})", 50_690),
    "suspects charged, year to 2023-03": (f"select n from counted('CR-5', 'GB-BEDS', 'event:charged', {FY22})", 3_569),
    "local resolutions, year to 2023-03": (f"select n from counted('CR-5', 'GB-BEDS', 'event:local_resolution', {FY22})", 1_349),
    "recorded in Germany 2013": ("select d from counted('CR-1.reported', 'DE', '', '2013-01-01', '2013-12-31')", 5_961_662),
    "recorded in Germany 2019": ("select d from counted('CR-1.reported', 'DE', '', '2019-01-01', '2019-12-31')", 5_436_401),
    "killed or seriously injured 2010": ("select n from counted('TR-1.ksi', 'GB-GM', '', '2010-01-01', '2010-12-31')", 743),
    "killed or seriously injured 2019": ("select n from counted('TR-1.ksi', 'GB-GM', '', '2019-01-01', '2019-12-31')", 683),
    "killed or seriously injured 2020": ("select n from counted('TR-1.ksi', 'GB-GM', '', '2020-01-01', '2020-12-31')", 512),
    "survey rows": ("select d from counted('SUR-1', 'US-SOM', '', '2015-01-01', '2015-12-31')", 143),
    "thefts in Hokkaido": ("select n from counted('CR-1.filed', 'JP-HKD', '', '2018-01-01', '2018-12-31')", 6_616),
}


@pytest.mark.parametrize("figure", COUNTS)
def test_counts(release: duckdb.DuckDBPyConnection, figure: str) -> None:
    sql, expected = COUNTS[figure]
    assert value_of(release, sql) == expected


@pytest.mark.parametrize(
    ("kpi", "unit", "grain", "span", "expected"),
    [
        ("INC-1", "GB-BEDS", "month", ALL, 115_818),
        ("INC-1", "GB-BEDS", "month", FY22, 61_399),
        ("CR-1.filed", "GB-BEDS", "month", FY22, 50_690),
        ("TR-1.ksi", "GB-GM", "year", "'2010-01-01', '2010-12-31'", 743),
        ("TR-1.ksi", "GB-GM", "year", "'2019-01-01', '2019-12-31'", 683),
        ("TR-1.ksi", "GB-GM", "year", "'2020-01-01', '2020-12-31'", 512),
        ("CR-1.filed", "JP-HKD", "year", "'2018-01-01', '2018-12-31'", 6_616),
    ],
)
def test_counts_as_analysts_read_them(
    release: duckdb.DuckDBPyConnection, kpi: str, unit: str, grain: str, span: str, expected: int
) -> None:
    assert value_of(release, f"select sum(value) from printed('{kpi}', '{unit}', '', '{grain}', {span})") == expected


# Bedfordshire: what a share is and what it is not


def test_events_per_crime_are_no_share_and_carry_no_interval(release: duckdb.DuckDBPyConnection) -> None:
    events_per_crime = f"select n, d, round(100 * n / d, 2) from counted('CR-1', 'GB-BEDS', 'event:charged', {FY22})"
    assert value_of(release, events_per_crime) == (3_569, 50_690, 7.04)
    printed = f"""
        select count(*), sum(numerator)::bigint, count(lower95), count(upper95)
        from printed('CR-1', 'GB-BEDS', 'event:charged', 'month', {FY22})"""
    assert value_of(release, printed) == (12, 3_569, 0, 0)


def test_charged_so_far_of_the_crimes_of_the_year(release: duckdb.DuckDBPyConnection) -> None:
    sql = f"""
        select n, d, round(100 * n / d, 2), round(100 * wilson(n, d, -1), 2), round(100 * wilson(n, d, 1), 2)
        from counted('CR-2', 'GB-BEDS', '', {FY22})"""
    assert value_of(release, sql) == (2_410, 50_690, 4.75, 4.57, 4.94)


def test_charged_within_three_months_of_all_mature_cohorts(release: duckdb.DuckDBPyConnection) -> None:
    sql = "select n, d, round(100 * n / d, 2) from counted('CR-2.3m', 'GB-BEDS', '', {span})"
    assert value_of(release, sql.format(span=FIRST_COHORTS)) == (3_341, 81_097, 4.12)


def test_a_cohort_enters_once_three_months_have_passed(release: duckdb.DuckDBPyConnection) -> None:
    """By the night of 30 April 2023 the crimes of January are 89 days old and have their three months; those of February have not."""
    last = """
        select max(day)::varchar from fct_kpi_count
        where kpi_id = 'CR-2.3m' and unit_code = 'GB-BEDS.self' and cell = '' and denominator > 0"""
    assert value_of(release, last) == "2023-01-31"
    young = f"select sum(n)::bigint from (select n from counted('CR-2.3m', 'GB-BEDS', 'excluded:immature', {ALL}))"
    later = "select d from counted('CR-2', 'GB-BEDS', '', '2023-02-01', '2023-03-31')"
    assert value_of(release, young) == value_of(release, later)


@pytest.mark.parametrize("kpi", ["CR-2", "CR-2.3m"])
def test_printed_cohort_shares_carry_wilson_intervals(release: duckdb.DuckDBPyConnection, kpi: str) -> None:
    sql = f"""
        select count(*), count(*) filter (where
            abs(value - numerator / denominator) < 1e-9
            and abs(lower95 - wilson(numerator, denominator, -1)) < 1e-6
            and abs(upper95 - wilson(numerator, denominator, 1)) < 1e-6)
        from printed('{kpi}', 'GB-BEDS', '', 'month', {FIRST_COHORTS})"""
    assert value_of(release, sql) == (20, 20)


def test_every_case_is_counted_or_left_out_for_a_reason(release: duckdb.DuckDBPyConnection) -> None:
    sql = """
        select sum(case when cell = '' then denominator when starts_with(cell, 'excluded:') then numerator end)::bigint
        from fct_kpi_count where kpi_id = 'CR-2' and unit_code = 'GB-BEDS.self'"""
    assert value_of(release, sql) == 93_108


# New York


@pytest.mark.parametrize(
    ("year", "cell", "expected"),
    [
        (2022, "", "12:44.6"),
        (2021, "", "11:38.5"),
        (2015, "category:1. Critical", "7:28.9"),
        (2015, "category:2. Serious", "9:37.8"),
        (2015, "category:3. Non-Critical", "16:19.9"),
    ],
)
def test_crimes_in_progress_call_to_arrival(release: duckdb.DuckDBPyConnection, year: int, cell: str, expected: str) -> None:
    span = fiscal_year_of_new_york(year)
    assert value_of(release, f"select minutes(n / d / 100) from counted('RT-1.reported', 'US-NYC', '{cell}', {span})") == expected
    printed = f"""
        select minutes(sum(value * denominator) / sum(denominator)),
            count(*) filter (where abs(value * denominator - numerator / 100) > 1e-3)
        from printed('RT-1.reported', 'US-NYC', '{cell}', 'month', {span})"""
    assert value_of(release, printed) == (expected, 0)


def test_every_incident_counts_once_per_stage(release: duckdb.DuckDBPyConnection) -> None:
    """Ambulances are not averaged into the police. 465 fire incidents miss a pickup time and 13,223 of ambulances a job: quarantined."""
    sql = """
        select cell, sum(denominator)::bigint from fct_kpi_count
        where kpi_id = 'RT-1.reported' and unit_code = 'US-NYC.self' and not starts_with(cell, 'category:') group by cell"""
    police, other_police, fire, ambulance = 2_034_825, 11_904_520, 3_102_554, 10_383_264
    assert dict(release.execute(sql).fetchall()) == {
        "": police,
        "measure:call_to_arrival_not_in_progress": other_police,
        "measure:call_to_arrival_fire": fire,
        "measure:call_to_arrival_ambulance": ambulance,
        "measure:call_to_dispatch": police,
        "measure:call_to_dispatch_not_in_progress": other_police,
        "measure:call_to_dispatch_fire": fire,
        "measure:call_to_dispatch_ambulance": ambulance,
        "measure:call_to_pickup": police,
        "measure:call_to_pickup_not_in_progress": other_police,
        "measure:call_to_pickup_fire": fire - 465,
        "measure:call_to_pickup_ambulance": ambulance,
        "measure:call_to_job_fire": 1_578_760,
        "measure:call_to_job_ambulance": ambulance - 13_223,
    }


def test_types_of_crimes_in_progress_add_up_to_the_figure(release: duckdb.DuckDBPyConnection) -> None:
    sql = """
        select sum(denominator) filter (where cell = '')::bigint, sum(denominator) filter (where starts_with(cell, 'category:'))::bigint,
            sum(numerator) filter (where cell = '') = sum(numerator) filter (where starts_with(cell, 'category:'))
        from fct_kpi_count where kpi_id = 'RT-1.reported' and unit_code = 'US-NYC.self'"""
    assert value_of(release, sql) == (2_034_825, 2_034_825, True)


# Germany

CLEARANCE = {2013: "54.50", 2014: "54.86", 2015: "56.31", 2016: "56.24", 2017: "57.11", 2018: "57.72", 2019: "57.47"}


@pytest.mark.parametrize("year", CLEARANCE)
def test_clearance_in_germany(release: duckdb.DuckDBPyConnection, year: int) -> None:
    span = f"'{year}-01-01', '{year}-12-31'"
    counted = f"select round(100 * n / d, 2)::decimal(5, 2) from counted('CR-1.reported', 'DE', '', {span})"
    printed = f"select round(100 * value, 2)::decimal(5, 2), lower95, upper95 from printed('CR-1.reported', 'DE', '', 'year', {span})"
    assert value_of(release, counted) == Decimal(CLEARANCE[year])
    assert value_of(release, printed) == (Decimal(CLEARANCE[year]), None, None)


def test_germany_is_the_sum_of_its_sixteen_states_and_nothing_else(release: duckdb.DuckDBPyConnection) -> None:
    states = """
        select count(distinct unit_code), count(distinct unit_code) filter (where starts_with(unit_code, 'DE-'))
        from fct_kpi_count where kpi_id = 'CR-1.reported'"""
    assert value_of(release, states) == (16, 16)
    national_rows = (
        "select sum(rows_filtered)::bigint, sum(rows_read)::bigint, sum(rows_accepted)::bigint from receipt where source = 'de_pks'"
    )
    assert value_of(release, national_rows) == (7_345, 119_859, 112_514)
    total_and_parts = """
        select count(*), count(*) filter (where whole.denominator = parts.denominator and whole.numerator = parts.numerator)
        from (select period_start, numerator, denominator from kpi
              where kpi_id = 'CR-1.reported' and unit_code = 'DE' and slice = '' and grain = 'year') as whole
        join (select period_start, sum(numerator) as numerator, sum(denominator) as denominator from kpi
              where kpi_id = 'CR-1.reported' and starts_with(unit_code, 'DE-') and slice = '' and grain = 'year'
              group by period_start) as parts
        using (period_start)"""
    assert value_of(release, total_and_parts) == (7, 7)


# Greater Manchester, Somerville


def test_road_deaths_and_accidents(release: duckdb.DuckDBPyConnection) -> None:
    span = "'2010-01-01', '2021-12-31'"
    assert value_of(release, f"select n from counted('TR-1.deaths', 'GB-GM', '', {span})") == 673
    assert value_of(release, f"select n from counted('TR-1.ksi', 'GB-GM', '', {span})") == 8_458
    assert value_of(release, f"select n from counted('TR-1.accidents', 'GB-GM', '', {span})") == 45_624


def test_trust_in_the_local_police(release: duckdb.DuckDBPyConnection) -> None:
    span = "'2015-01-01', '2015-12-31'"
    counted = f"select n, d, round(100 * n / d, 1) from counted('SUR-1', 'US-SOM', '', {span})"
    assert value_of(release, counted) == (90, 143, 62.9)
    printed = f"""
        select round(100 * value, 1), round(100 * lower95, 1), round(100 * upper95, 1),
            abs(lower95 - wilson(90, 143, -1)) < 1e-6 and abs(upper95 - wilson(90, 143, 1)) < 1e-6
        from printed('SUR-1', 'US-SOM', '', 'year', {span})"""
    assert value_of(release, printed) == (62.9, 54.8, 70.4, True)


def test_the_resaved_copy_of_the_survey_counts_nowhere(release: duckdb.DuckDBPyConnection) -> None:
    assert value_of(release, "select n from counted('SUR-1', 'US-SOM', 'excluded:other_measure', '2015-01-01', '2015-12-31')") == 143


# China


def test_division_codes_appear_and_vanish_between_revisions(release: duckdb.DuckDBPyConnection) -> None:
    """Chongqing became a municipality after 1980; Beijing's Chongwen district was merged away before 2010."""
    sql = """
        select region_name, valid_from::varchar, valid_to::varchar, revisions from region
        where register = 'mca' and region_code = '{}'"""
    assert value_of(release, sql.format("500000")) == ("重庆市", "1999-12-31", None, 4)
    assert value_of(release, sql.format("110103")) == ("崇文区", "1980-12-31", "2010-12-31", 3)


def test_every_delivered_code_is_in_the_history(release: duckdb.DuckDBPyConnection) -> None:
    assert value_of(release, "select sum(revisions)::bigint from region") == 19_650


# The books

ROWS = {
    "cn_gb2260": (6, 19_650, 19_650, 0, 0, 0),
    "de_pks": (7, 119_859, 112_514, 0, 0, 7_345),
    "gm_stats19": (1, 62_615, 62_615, 0, 0, 0),
    "jp_hokkaido": (7, 6_616, 6_616, 0, 0, 0),
    "nyc_911_arrival": (1, 8_803, 8_803, 0, 0, 0),
    "nyc_911_dispatch": (1, 8_803, 8_803, 0, 0, 0),
    "nyc_911_job": (1, 8_803, 1_453, 1, 0, 7_349),
    "nyc_911_pickup": (1, 8_803, 8_801, 2, 0, 0),
    "somerville_utf16": (1, 143, 143, 0, 0, 0),
    "somerville_utf8": (1, 143, 143, 0, 0, 0),
    "uk_outcome": (23, 94_697, 94_697, 0, 0, 0),
    "uk_street_case": (23, 115_818, 93_108, 0, 0, 22_710),
    "uk_street_incident": (23, 115_818, 115_818, 0, 0, 0),
}


def test_what_became_of_every_delivered_row(release: duckdb.DuckDBPyConnection) -> None:
    sql = """
        select source, count(*), sum(rows_read)::bigint, sum(rows_accepted)::bigint, sum(rows_quarantined)::bigint,
            sum(rows_duplicate)::bigint, sum(rows_filtered)::bigint
        from receipt group by source order by source"""
    assert {source: tuple(rest) for source, *rest in release.execute(sql).fetchall()} == ROWS


def test_receipts_balance_for_every_file(release: duckdb.DuckDBPyConnection) -> None:
    sql = """
        select count(*), count(*) filter (where rows_read = rows_accepted + rows_quarantined + rows_duplicate + rows_filtered),
            count(*) filter (where status = 'ok'), count(distinct (source, file))
        from receipt"""
    assert value_of(release, sql) == (96, 96, 96, 96)


def test_the_pool_holds_what_the_receipts_say(release: duckdb.DuckDBPyConnection) -> None:
    sql = """
        select count(*), count(*) filter (where inventory.rows_accepted = receipts.rows_accepted)
        from (select source_id as source, rows_accepted from pool_inventory) as inventory
        full join (select source, sum(rows_accepted) as rows_accepted from receipt group by source) as receipts using (source)"""
    assert value_of(release, sql) == (len(ROWS), len(ROWS))


def test_identical_rows_are_kept(release: duckdb.DuckDBPyConnection) -> None:
    """6,785 street rows repeat another one in every column; casualties look alike once sex and age are dropped. None was taken out."""
    assert value_of(release, "select sum(rows_duplicate)::bigint from receipt") == 0
    assert value_of(release, f"select n from counted('INC-1', 'GB-BEDS', '', {ALL})") == ROWS["uk_street_incident"][1]
    ksi = "select sum(numerator)::bigint from fct_kpi_count where kpi_id = 'TR-1.ksi' and cell in ('', 'excluded:less_severe')"
    assert value_of(release, ksi) == ROWS["gm_stats19"][1]


def test_no_place_and_no_person_of_the_files_is_in_the_pool_or_the_release(release_folder: Path) -> None:
    """Street names, blocks, age bands and coordinates, as the files write them."""
    leaks = r"On or near|丁目|歳|-?\d\.\d{6}\b|5[0-9]\.\d{6}\b"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{release_folder / 'kpi.duckdb'}' as release (read_only)")
        texts = "select table_name, column_name from duckdb_columns() where database_name = 'release' and data_type = 'VARCHAR'"
        looked_at = [(f'release."{table}"', column) for table, column in connection.execute(texts).fetchall()]
        for entity in sorted((release_folder.parents[1] / "pool").iterdir()):
            files = f"read_parquet('{entity}/*/*.parquet', union_by_name = true, hive_partitioning = false)"
            columns = connection.execute(f"describe select * from {files}").fetchall()
            looked_at += [(files, name) for name, kind, *_ in columns if kind == "VARCHAR" and name != "value_text"]
        found = {
            (table, column)
            for table, column in looked_at
            if connection.execute(f'select count(*) from {table} where regexp_matches("{column}", ?)', [leaks]).fetchone() != (0,)
        }
    assert len(looked_at) > 100
    assert found == set()


def test_the_gate_held_nothing(release: duckdb.DuckDBPyConnection) -> None:
    assert release.execute("select product, \"check\", detail from gate_result where severity = 'block' and not passed").fetchall() == []
    assert value_of(release, "select count(distinct product) filter (where stale), count(distinct product) >= 9 from kpi") == (0, True)
