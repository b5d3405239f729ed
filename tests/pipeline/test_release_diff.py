"""What changed from one release to another is found, counted, and told largest first."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

import pytest
from audit_home import NIGHT, AuditHome
from typer.testing import CliRunner

from dagster_project.audit.expectations import Worker
from dagster_project.cli import app
from dagster_project.release import PublishResult, ReleaseError, compare, gate_and_publish, releases_to_compare

NEXT = NIGHT + dt.timedelta(days=1)
DECEMBER = "period_start < date '2024-01-01'"
NEW_KPI = [
    "insert into kpi_catalogue by name select 'INC-9' as kpi_id, 'incident' as product, '新指标' as kpi_name_zh, 'A new figure' as kpi_name_en, "
    "'count' as kind, 1 as value_scale",
    "insert into kpi select * replace ('INC-9' as kpi_id, '新指标' as kpi_name_zh, 'A new figure' as kpi_name_en) from kpi "
    "where kpi_id = 'INC-1' and grain = 'month'",
]
RESTATED = [
    f"update kpi set numerator = numerator + 50, value = value + 50 where kpi_id = 'INC-1' and unit_code in ('A', 'C') and grain = 'month' and {DECEMBER}",
    f"update kpi set numerator = numerator + 1, value = (numerator + 1)::double / denominator where kpi_id = 'MED-1' and unit_code in ('B', 'C') and grain = 'month' and {DECEMBER}",
    "update kpi set numerator = numerator + 9, value = value + 9 where kpi_id = 'INC-1' and unit_code in ('A', 'C') and period_start >= date '2024-02-01'",
    "update fct_kpi_count set numerator = numerator + 50 where kpi_id = 'INC-1' and unit_code = 'A' and day = date '2023-12-15'",
    "update fct_kpi_count set numerator = numerator + 1 where kpi_id = 'MED-1' and unit_code = 'B' and day = date '2023-12-15'",
    "update fct_kpi_count set numerator = numerator + 9 where kpi_id = 'INC-1' and unit_code = 'A' and day = date '2024-02-01'",
]


@dataclass(frozen=True)
class Compared:
    pool: AuditHome
    first: PublishResult
    second: PublishResult
    third: PublishResult

    def command(self, *arguments: str) -> Any:
        return CliRunner().invoke(app, ["diff", *arguments, "--home", str(self.pool.root)])


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, expectations_worker: Worker) -> Compared:
    """Three releases: the second restates December, the third holds mediation and loses nothing else."""
    pool = AuditHome(tmp_path_factory.mktemp("diff") / "home", first_day=dt.date(2023, 12, 1))

    def publish(night: dt.date, tamper: list[str]) -> PublishResult:
        pool.build(night, tamper)
        return gate_and_publish(pool.home, night, pool.contracts, worker=expectations_worker)

    verdict = f"update kpi set yoy_verdict = '{{}}' where kpi_id = 'INC-1' and unit_code = 'C' and grain = 'month' and {DECEMBER}"
    first = publish(NIGHT, [verdict.format("no clear change")])
    second = publish(NEXT, [*NEW_KPI, *RESTATED, verdict.format("fall")])
    night = NEXT + dt.timedelta(days=1)
    third = publish(night, [*NEW_KPI, *RESTATED, verdict.format("fall"), "delete from kpi where product = 'mediation'"])
    return Compared(pool, first, second, third)


def test_counts_of_complete_periods_that_differ_are_restated_and_the_largest_comes_first(compared: Compared) -> None:
    found = compare(compared.first.release, compared.second.release)
    assert {k.kpi_id: k.restated for k in found.kpis if k.restated} == {"INC-1": 2, "MED-1": 2}
    assert [(r.place.kpi_id, r.place.unit_code, r.numerator_before, r.numerator_after) for r in found.restated] == [
        ("INC-1", "A", 93, 143),
        ("INC-1", "C", 217, 267),
        ("MED-1", "B", 124, 125),
        ("MED-1", "C", 248, 249),
    ]
    assert {r.place.period_start for r in found.restated} == {dt.date(2023, 12, 1)}
    med = found.restated[2]
    assert (med.denominator_before, med.denominator_after, med.more) == (155, 155, 0)


def test_periods_that_came_since_and_kpis_that_are_new_are_no_restatement(compared: Compared) -> None:
    found = compare(compared.first.release, compared.second.release)
    of_kpi = {k.kpi_id: k for k in found.kpis}
    assert of_kpi["INC-1"].of_new_periods == 3 * 2, "a day and a month of two stations and the city"
    assert (of_kpi["INC-9"].of_new_kpi, of_kpi["INC-9"].of_new_periods, of_kpi["INC-9"].restated) == (3 * 3, 0, 0)
    assert found.kpis_added == ("INC-9",) and found.kpis_gone == ()
    back = compare(compared.second.release, compared.first.release)
    assert back.kpis_gone == ("INC-9",) and {k.kpi_id: k.gone for k in back.kpis} == {"INC-1": 6, "INC-9": 9, "MED-1": 6}


def test_a_month_that_was_still_running_goes_on_without_being_restated(compared: Compared) -> None:
    found = compare(compared.second.release, compared.third.release)
    assert found.total("restated") == 0 and found.total("of_new_periods") == 3


def test_verdicts_that_turned_are_named(compared: Compared) -> None:
    found = compare(compared.first.release, compared.second.release)
    assert [(t.place.kpi_id, t.place.unit_code, t.comparison, t.before, t.after) for t in found.turned] == [
        ("INC-1", "C", "yoy", "no clear change", "fall")
    ]
    assert found.total("turned") == 1


def test_a_product_that_became_stale_is_named_with_its_reason(compared: Compared) -> None:
    (change,) = compare(compared.second.release, compared.third.release).products
    assert (change.product, change.before, change.after) == ("mediation", "fresh", "stale") and "no rows" in change.reason


def test_a_kpi_and_a_unit_can_be_chosen_and_unknown_ones_are_said(compared: Compared) -> None:
    pair = (compared.first.release, compared.second.release)
    chosen = compare(*pair, kpis=["INC-1"], units=["C"])
    assert [k.kpi_id for k in chosen.kpis] == ["INC-1"] and [r.place.unit_code for r in chosen.restated] == ["C"]
    with pytest.raises(ReleaseError, match="knows the KPI INC-77"):
        compare(*pair, kpis=["INC-77"])
    with pytest.raises(ReleaseError, match="knows the unit Z"):
        compare(*pair, units=["Z"])


def test_without_names_the_release_before_is_compared_with_the_current_one(compared: Compared) -> None:
    before, after = releases_to_compare(compared.pool.home, None, None)
    assert (before.version, after.version) == (compared.second.version, compared.third.version)
    before, after = releases_to_compare(compared.pool.home, None, compared.second.version)
    assert before.version == compared.first.version
    with pytest.raises(ReleaseError, match="is the first release"):
        releases_to_compare(compared.pool.home, None, compared.first.version)


def test_the_command_says_it_in_words_the_summary_first(compared: Compared) -> None:
    said = compared.command(compared.first.version, compared.second.version).output.splitlines()
    assert said[0].startswith("对比 Compared: 20240131-001")
    assert "4 counts restated" in said[1] and "1 verdicts turned" in said[1]
    assert "  INC-1 警情量 Incidents received, C City, month 2023-12-01 … 2023-12-31: 217 → 267 (+23.0%)" in said
    assert "  MED-1 调解成功率 Mediation success, C City, month 2023-12-01 … 2023-12-31: 248/310 → 249/310" in said
    assert said.index("改动最大 Largest restatements (numerator/denominator):") > said.index("按指标 By KPI:") > 1
    same = compared.command(compared.first.version, compared.first.version).output.splitlines()
    assert same[1] == "没有变化 Nothing differs."
    assert compared.command("20000101-001").exit_code == 2


def test_the_command_gives_json_that_is_the_same_every_time(compared: Compared) -> None:
    arguments = (compared.first.version, compared.second.version, "--json", "--limit", "1")
    once, again = (compared.command(*arguments).output for _ in range(2))
    assert once == again
    told = json.loads(once)
    assert (told["before"], told["as_of_after"], len(told["restated"]), told["kpis"][0]["kpi_id"]) == (
        compared.first.version,
        NEXT.isoformat(),
        1,
        "INC-1",
    )
