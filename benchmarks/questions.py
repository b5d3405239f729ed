"""Milliseconds that twenty common questions of analysts take on the ``kpi.duckdb`` of a release: the median of warm runs.

Run: ``python -m benchmarks.questions [--home DIR | --database FILE] [--repeats N] [--json FILE]``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.results import file_to_write

REPEATS = 20
TARGET_MILLISECONDS = 20.0


@dataclass(frozen=True)
class Question:
    """What is asked, and the SQL that answers it; $city, $county, $station, $month, $this_year, $last_year come from the release."""

    words: str
    sql: str


QUESTIONS = (
    Question(
        "Cleared within 30 days, of a county, by month, with interval",
        """select period_start, numerator, denominator, value, lower95, upper95 from kpi
        where kpi_id = 'CR-2.30' and unit_code = $county and grain = 'month' and slice = '' order by period_start""",
    ),
    Question(
        "The three largest rises of counties against the year before",
        """select kpi_id, kpi_name_zh, unit_name, numerator, yoy_value, yoy_ratio, yoy_verdict from kpi
        where grain = 'month' and period_start = $month and unit_level = 'county' and slice = ''
        order by coalesce(yoy_verdict = 'rise', false) desc, yoy_ratio desc nulls last limit 3""",
    ),
    Question(
        "Satisfaction of the counties beside coverage and worst-case bounds",
        """select unit_name, replies, satisfaction, satisfaction_worst_case, satisfaction_best_case, coverage, response from mart_satisfaction
        where grain = 'quarter' and period_start = date_trunc('quarter', $month) and unit_level in ('city', 'county') order by unit_code""",
    ),
    Question(
        "Disputes settled, by kind of dispute, in the year",
        """select slice, numerator, denominator, value, lower95, upper95 from kpi
        where kpi_id = 'MED-1' and unit_code = $city and grain = 'year' and period_start = $this_year and slice like 'dispute_kind:%' order by value""",
    ),
    Question(
        "Response by stage of a county, by month: means",
        """select period_start, slice, value, pop_ratio from kpi
        where kpi_id = 'RT-1' and unit_code = $county and grain = 'month' and slice like 'stage:%' order by period_start, slice""",
    ),
    Question(
        "Response of the stations: median and 90th percentile, with bounds of the share in time",
        """select unit_name, report_arrive_median_seconds, report_arrive_p90_seconds, urgent_on_time_worst_case, urgent_on_time_best_case
        from mart_response where grain = 'month' and period_start = $month and unit_level = 'station' order by 2 desc nulls last""",
    ),
    Question(
        "From which files a figure comes: receipts of the last batches behind it",
        """select receipt.source, receipt.batch, receipt.file, receipt.sha256, receipt.rows_read, receipt.rows_accepted, receipt.status
        from kpi_catalogue as catalogue
        inner join pool_inventory as source on split_part(catalogue.balance_entity, ':', 1) = source.entity
        inner join receipt on source.source_id = receipt.source
        where catalogue.kpi_id = 'CR-1.filed' order by receipt.batch desc, receipt.file""",
    ),
    Question(
        "What is stale, and why",
        "select product, status, product_as_of, age_days, reason from release_info order by stale desc, age_days desc",
    ),
    Question(
        "Which sources are overdue",
        """select source_id, title_zh, cadence, last_batch_date, age_days from pool_inventory
        order by coalesce(is_fresh, true), age_days desc limit 20""",
    ),
    Question(
        "The whole city in a month: every figure with its comparison",
        """select kpi_id, kpi_name_zh, value, lower95, upper95, yoy_ratio, yoy_verdict, pop_ratio, pop_verdict, stale from kpi
        where unit_code = $city and grain = 'month' and period_start = $month and slice = '' order by product, kpi_id""",
    ),
    Question(
        "A station in a month beside its county",
        """select kpi_id, max(value) filter (unit_code = $station) as station, max(value) filter (unit_code = $county) as county from kpi
        where unit_code in ($station, $county) and grain = 'month' and period_start = $month and slice = '' group by kpi_id order by kpi_id""",
    ),
    Question(
        "Incidents by week, two years",
        """select period_start, numerator, pop_ratio, pop_verdict, series_break from kpi
        where kpi_id = 'INC-1' and unit_code = $city and grain = 'week' and slice = '' and period_start >= $last_year order by period_start""",
    ),
    Question(
        "Incidents by day of a county, this month and the same a year before",
        """select period_start, numerator, yoy_value from kpi
        where kpi_id = 'INC-1' and unit_code = $county and grain = 'day' and period_start between $month and last_day($month)
        order by period_start""",
    ),
    Question(
        "The ten most frequent categories of a county in the year, with their change",
        """select slice, numerator, yoy_value, yoy_ratio, yoy_lower95, yoy_upper95, yoy_verdict from kpi
        where kpi_id = 'INC-3.effective' and unit_code = $county and grain = 'ytd' and period_end = last_day($month) and slice like 'category:%'
        order by numerator desc limit 10""",
    ),
    Question(
        "Street-level preventable incidents of every unit, year to date",
        """select unit_name, numerator, yoy_value, yoy_ratio, yoy_z, yoy_verdict from kpi
        where kpi_id = 'INC-4' and grain = 'ytd' and period_end = last_day($month) and slice = '' order by unit_code""",
    ),
    Question(
        "Why calls were left out of the effective ones, by county",
        """select unit_name, slice, numerator from kpi
        where kpi_id = 'INC-2' and unit_level = 'county' and grain = 'quarter' and period_start = date_trunc('quarter', $month)
        and slice like 'excluded:%' order by unit_code, slice""",
    ),
    Question(
        "Fraud: sum, median and share of the largest 1 %, by month",
        """select period_start, loss_yuan, loss_cases, loss_median_yuan, loss_top_1_percent_share from mart_fraud
        where unit_code = $city and grain = 'month' order by period_start""",
    ),
    Question(
        "Days from filing to clearance, of the cases of two years",
        """select split_part(cell, ':', 2) as outcome, try_cast(split_part(cell, ':', 3) as integer) as days, sum(denominator) as cases
        from fct_kpi_count where kpi_id = 'CR-2' and cell like 'lag:%' and day >= $last_year group by all order by all""",
    ),
    Question(
        "The two counts behind a month's figure, by day and unit",
        """select counted.day, unit.unit_name, counted.cell, counted.numerator, counted.denominator
        from fct_kpi_count as counted inner join unit on counted.unit_code = unit.unit_code
        where counted.kpi_id = 'REG-1' and counted.day between $month and last_day($month) order by all""",
    ),
    Question(
        "What a figure means, and what not to read into it",
        """select kpi_id, kpi_name_zh, numerator_zh, denominator_zh, event_clock, unit_role, caveats_zh from kpi_catalogue
        where contains(kpi_name_zh || numerator_zh, '破案') order by kpi_id""",
    ),
)


def measure(database: Path, repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Of every question: its rows, and of so many runs after a first one the median and largest milliseconds, and the median of the processor's.

    The processor's milliseconds are those of all threads: they hold on a busy machine too.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        given = _of_release(connection)
        return [_timed(connection, question, given, repeats) for question in QUESTIONS]


def _of_release(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The root of the release's units, a county and a station below it, the last whole month, its year and the one before."""
    found = connection.execute(
        """
        with station as (select unit_code, parent_code, root_code from unit where unit_level = 'station' and valid_to is null order by unit_code limit 1),
        night as (select max(as_of) as as_of from release_info)
        select
            station.root_code as city, station.parent_code as county, station.unit_code as station,
            cast(date_trunc('month', as_of + 1) - interval 1 month as date) as month,
            cast(date_trunc('year', as_of) as date) as this_year, cast(date_trunc('year', as_of) - interval 1 year as date) as last_year
        from station cross join night
        """
    )
    names = [column[0] for column in found.description or []]
    row = found.fetchone()
    if row is None:
        raise ValueError("the release has no station: there is nobody to ask about")
    return dict(zip(names, row, strict=True))


def _timed(connection: duckdb.DuckDBPyConnection, question: Question, given: dict[str, Any], repeats: int) -> dict[str, Any]:
    parameters = {name: value for name, value in given.items() if f"${name}" in question.sql}
    rows = connection.execute(question.sql, parameters).fetchall()
    spent, worked = [], []
    for _ in range(repeats):
        started, cpu_started = time.perf_counter(), time.process_time()
        connection.execute(question.sql, parameters).fetchall()
        spent.append(1000 * (time.perf_counter() - started))
        worked.append(1000 * (time.process_time() - cpu_started))
    return {
        "question": question.words,
        "rows": len(rows),
        "median_ms": statistics.median(spent),
        "largest_ms": max(spent),
        "cpu_ms": statistics.median(worked),
    }


def table(results: list[dict[str, Any]]) -> str:
    """The results for a person, the slowest last."""
    lines = [f"{'median ms':>10} {'largest':>8} {'cpu ms':>7} {'rows':>6}  question"]
    for r in sorted(results, key=lambda r: float(r["median_ms"])):
        late = "  OVER THE TARGET" if r["median_ms"] > TARGET_MILLISECONDS else ""
        lines.append(f"{r['median_ms']:>10.1f} {r['largest_ms']:>8.1f} {r['cpu_ms']:>7.1f} {r['rows']:>6}  {r['question']}{late}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.questions", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("data"), help="a home of the pool; its current release is asked")
    parser.add_argument("--database", type=Path, help="another kpi.duckdb")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--json", type=file_to_write, help="write the results here too")
    chosen = parser.parse_args()
    database = chosen.database or chosen.home / "published" / "current" / "kpi.duckdb"
    results = measure(database, chosen.repeats)
    print(table(results))
    text = json.dumps(
        {"target_ms": TARGET_MILLISECONDS, "bytes": database.stat().st_size, "questions": results}, ensure_ascii=False, indent=2
    )
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
