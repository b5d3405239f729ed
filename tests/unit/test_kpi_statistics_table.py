"""What the ``kpi`` table holds for small cities whose figures can be worked out by hand; the SQL is that which dbt runs."""

from __future__ import annotations

import csv
import datetime as dt
import random
import statistics
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from kpi_harness import DBT, kpi_table
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from dagster_project.audit.interface import KPI_COLUMNS, KPI_KEY, is_of_kind

DAY = dt.timedelta(days=1)
D = dt.date
NO_CLEAR_CHANGE = "no clear change"
Count = tuple[str, str, dt.date, str, int, int]


def daily(
    first: dt.date, last: dt.date, number: int | Callable[[dt.date], int], kpi_id: str = "K", unit: str = "city", cell: str = ""
) -> list[Count]:
    days = [first + n * DAY for n in range((last - first).days + 1)]
    return [(kpi_id, unit, day, cell, number if isinstance(number, int) else number(day), 0) for day in days]


def built(as_of: dt.date, counts: Iterable[Count], entry: dict[str, Any] | None = None, **more: Any) -> Callable[..., Any]:
    """Build the table of KPI ``K`` and return a way to ask it: columns, then conditions; one row gives a tuple, several a list."""
    catalogue = more.pop("catalogue", {"K": entry or {}})
    connection = kpi_table(as_of, catalogue, counts, **more)

    def ask(columns: str, **where: Any) -> Any:
        where = {"slice": ""} | where
        condition = " and ".join(f"{name} = ${name}" for name in where)
        chosen = f"(select * from kpi where {condition} order by grain, period_end, unit_code)"
        rows = connection.execute(f"select {columns} from {chosen}", where).fetchall()
        return rows[0] if len(rows) == 1 else rows

    ask.connection = connection  # type: ignore[attr-defined]
    return ask


def rounded(row: Iterable[Any], digits: int = 3) -> tuple[Any, ...]:
    return tuple(round(value, digits) if isinstance(value, float) else value for value in row)


# Shape


def test_columns_are_those_that_analysts_rely_on_and_no_others() -> None:
    ask = built(D(2025, 3, 31), daily(D(2025, 1, 1), D(2025, 3, 31), 3))
    described = {name: kind for name, kind, *_ in ask.connection.execute("describe kpi").fetchall()}
    assert list(described) == list(KPI_COLUMNS)
    assert [name for name, kind in KPI_COLUMNS.items() if not is_of_kind(described[name], kind)] == []
    doubled = ask.connection.execute(f"select {', '.join(KPI_KEY)} from kpi group by all having count(*) > 1").fetchall()
    assert doubled == []
    assert ask("distinct suppressed, stale, origin_release, as_of", grain="month", period_start=D(2025, 1, 1)) == (
        False,
        False,
        None,
        D(2025, 3, 31),
    )


def test_the_order_of_rows_changes_nothing() -> None:
    noise = random.Random(7)
    counts = [
        ("K", leaf, D(2024, 1, 1) + n * DAY, "", noise.randrange(40), 40 + noise.randrange(9))
        for n in range(500)
        for leaf in ("a", "b", "c")
    ]
    parents = {"city": None, "a": "city", "b": "city", "c": "city"}

    def table(rows: list[Count]) -> list[Any]:
        ask = built(D(2025, 5, 14), rows, {"kind": "proportion"}, parents=parents)
        return ask.connection.execute("select * from kpi order by kpi_id, unit_code, slice, grain, period_end").fetchall()

    first = table(counts)
    noise.shuffle(counts)
    assert table(counts) == first and len(first) > 2_000


# Periods


def test_a_fall_to_nothing_is_seen() -> None:
    """Five in January, none in February; another figure of the family shows that the feed goes on."""
    counts = daily(D(2025, 4, 3), D(2025, 4, 7), 1) + daily(D(2025, 4, 1), D(2025, 5, 31), 9, kpi_id="L")
    ask = built(D(2025, 5, 31), counts, catalogue={"K": {"product": "traffic"}, "L": {"product": "traffic"}})
    found = ask("numerator, pop_value, pop_ratio, pop_upper95, pop_z, pop_verdict", kpi_id="K", grain="month", period_start=D(2025, 5, 1))
    assert found[:3] == (0, 5, 0) and found[5] == NO_CLEAR_CHANGE
    assert round(found[3] * 31 / 30, 3) == 1.091


def test_nothing_is_made_up_beyond_what_the_family_delivered() -> None:
    ask = built(D(2025, 9, 30), daily(D(2025, 2, 3), D(2025, 4, 20), 2))
    assert [row[0] for row in ask("period_end", grain="month")] == [D(2025, 2, 28), D(2025, 3, 31), D(2025, 4, 30)]
    assert ask("min(period_start), max(period_end), count(*)", grain="day") == (D(2025, 2, 3), D(2025, 4, 20), 77)


def test_rows_after_the_night_are_not_read() -> None:
    ask = built(D(2025, 4, 10), daily(D(2025, 4, 1), D(2025, 4, 20), 1))
    assert ask("numerator, is_complete", grain="month") == (10, False)


def test_years_cut_by_the_first_delivery_are_not_complete_and_not_judged() -> None:
    ask = built(D(2026, 12, 31), daily(D(2024, 5, 3), D(2026, 12, 31), 10))
    assert ask("period_start, is_complete, yoy_verdict", grain="year") == [
        (D(2024, 1, 1), False, None),
        (D(2025, 1, 1), True, None),
        (D(2026, 1, 1), True, NO_CLEAR_CHANGE),
    ]


def test_a_feed_that_began_within_a_month_or_week_completes_none_before_the_next() -> None:
    """It began on Saturday, 24 June 2023: seven days of June are no month to measure July or another June by, two are no week."""
    ask = built(D(2024, 7, 31), daily(D(2023, 6, 24), D(2024, 7, 31), 100))
    columns = "is_complete, numerator, pop_verdict, yoy_verdict"
    assert ask(columns, grain="month", period_start=D(2023, 6, 1)) == (False, 700, None, None)
    assert ask(columns, grain="month", period_start=D(2023, 7, 1)) == (True, 3100, None, None)
    assert ask(columns, grain="month", period_start=D(2023, 8, 1)) == (True, 3100, NO_CLEAR_CHANGE, None)
    assert ask(columns, grain="month", period_start=D(2024, 6, 1)) == (True, 3000, NO_CLEAR_CHANGE, None)
    assert ask(columns, grain="month", period_start=D(2024, 7, 1)) == (True, 3100, NO_CLEAR_CHANGE, NO_CLEAR_CHANGE)
    assert [ask(columns, grain="week", period_start=D(2023, 6, day))[:3] for day in (19, 26)] == [(False, 200, None), (True, 700, None)]
    june = {"grain": "month", "period_start": D(2024, 6, 1)}
    assert ask("yoy_value, yoy_ratio", **june) == (700, 1.0), "compared by the seven days that there were"


@pytest.mark.parametrize(
    "wrong", [[D(2018, 3, 5)], [D(1970, 1, 1), D(2018, 3, 5)], [D(2022, 12, 31)]], ids=["one", "two", "of last winter"]
)
def test_a_wrong_date_years_before_a_feed_is_not_its_beginning(wrong: list[dt.date]) -> None:
    """The feed began on 24 June 2023, as above; what bears a date of long before stands there, and nothing between is known to be none."""
    counts = [*[("K", "city", day, "", 1, 0) for day in wrong], *daily(D(2023, 6, 24), D(2024, 7, 31), 100)]
    catalogue: dict[str, Any] = {"K": {}, "L": {}}
    ask = built(D(2024, 7, 31), [*counts, *daily(D(2023, 6, 24), D(2024, 7, 31), 9, kpi_id="L")], catalogue=catalogue)
    columns = "is_complete, numerator, pop_verdict, yoy_verdict"
    for kpi_id, number in (("K", 100), ("L", 9)):
        month = {"kpi_id": kpi_id, "grain": "month"}
        assert ask(columns, **month, period_start=D(2023, 6, 1)) == (False, 7 * number, None, None)
        assert ask(columns, **month, period_start=D(2023, 7, 1)) == (True, 31 * number, None, None)
        assert ask(columns, **month, period_start=D(2024, 6, 1)) == (True, 30 * number, NO_CLEAR_CHANGE, None)
    spans = "select is_complete, min(period_start), max(period_end), min(days), max(days) from int_kpi_period"
    before = f"{spans} where kpi_id = 'K' and grain = 'month' and period_start < date '2023-06-01' group by all"
    first, last = wrong[0].replace(day=1), D(2023, 5, 31)
    assert ask.connection.execute(before).fetchall() == [(False, first, last, 28, 31)]
    assert ask("numerator", kpi_id="K", grain="month", period_start=first) == (1,)


@pytest.mark.parametrize(
    "days",
    [
        [D(year, 8, 5) for year in range(2014, 2026)],
        [D(2022 + n // 12, n % 12 + 1, 5) for n in range(44)],
        [D(2022, 8, 20), *[D(year, month, 9) for year in (2023, 2024, 2025) for month in (6, 7, 8)]],
        [D(2022, 3, 14), D(2023, 1, 2), D(2023, 1, 30), D(2024, 8, 5), D(2025, 6, 1), D(2025, 8, 5)],
        [D(2023, 3, 14), D(2025, 8, 5)],
        [*[D(2023, 3, 1) + n * DAY for n in range(31)], *[D(2024, 3, 1) + n * DAY for n in range(523)]],
    ],
    ids=["once a year", "once a month", "in summer", "now and then", "twice", "a month, a year of nothing, and ever since"],
)
def test_families_that_are_often_quiet_begin_on_their_first_day(days: list[dt.date]) -> None:
    ask = built(D(2025, 9, 2), [("K", "city", day, "", 1, 0) for day in days])
    begins = days[0].replace(day=1)
    assert ask("is_complete", grain="month", period_start=begins) == (begins == days[0],)
    assert ask("min(is_complete::int)", grain="quarter") == (0,)
    second = D(begins.year + begins.month // 12, begins.month % 12 + 1, 1)
    assert ask("numerator, is_complete", grain="month", period_start=second)[1] is True


def test_a_figure_that_is_first_counted_late_in_its_family_has_whole_months() -> None:
    """Nothing of K before 20 May, of a family that had begun long ago: it is rare, not cut."""
    counts = [*daily(D(2025, 3, 1), D(2025, 6, 30), 9, kpi_id="L"), ("K", "city", D(2025, 5, 20), "", 1, 0)]
    ask = built(D(2025, 6, 30), counts, catalogue={"K": {}, "L": {}})
    assert ask("numerator, is_complete", kpi_id="K", grain="month", period_start=D(2025, 5, 1)) == (1, True)
    elsewhere = built(D(2025, 6, 30), counts, catalogue={"K": {}, "L": {"product": "traffic"}})
    assert elsewhere("numerator, is_complete", kpi_id="K", grain="month", period_start=D(2025, 5, 1)) == (1, False)


def test_what_another_feed_of_the_product_counts_does_not_make_whole_months() -> None:
    """Cases all the time, calls from 10 June to 5 August: of one product, but what is counted from calls is of the family of incidents."""
    counts = daily(D(2025, 1, 1), D(2025, 9, 1), 9, kpi_id="INT-1.quick") + daily(D(2025, 6, 10), D(2025, 8, 5), 9, kpi_id="INT-4.deleted")
    ask = built(D(2025, 9, 2), counts, catalogue={"INT-1.quick": {"product": "integrity"}, "INT-4.deleted": {"product": "integrity"}})
    complete = ask("is_complete", kpi_id="INT-4.deleted", grain="month")
    assert [row[0] for row in complete] == [False, True, False]
    assert [row[0] for row in ask("is_complete", kpi_id="INT-1.quick", grain="month")][:8] == [True] * 8


@pytest.mark.parametrize(
    ("of_the_feed", "of_every_day", "product"),
    [("SAT-1", "SAT-2", "satisfaction"), ("REG-1", "REG-2", "registration"), ("RT-2", "CMD-1.done", "response")],
)
def test_what_the_records_of_another_feed_count_does_not_make_whole_months(of_the_feed: str, of_every_day: str, product: str) -> None:
    """Calls are counted every day, called back or not; callbacks came from 10 June to 5 August."""
    counts = daily(D(2025, 1, 1), D(2025, 9, 1), 9, kpi_id=of_every_day) + daily(D(2025, 6, 10), D(2025, 8, 5), 9, kpi_id=of_the_feed)
    ask = built(D(2025, 9, 9), counts, catalogue={of_the_feed: {"product": product}, of_every_day: {"product": product}})
    assert [row[0] for row in ask("is_complete", kpi_id=of_the_feed, grain="month")][:3] == [False, True, False]


def test_what_shows_callbacks_begins_and_stops_with_them() -> None:
    counts = daily(D(2025, 1, 1), D(2025, 9, 1), 9, kpi_id="SAT-2") + daily(D(2025, 1, 1), D(2025, 9, 1), 9, kpi_id="INT-5.coverage")
    counts += daily(D(2025, 6, 10), D(2025, 8, 5), 9, kpi_id="SAT-1") + daily(D(2025, 6, 10), D(2025, 8, 5), 9, kpi_id="INT-5.no_phone")
    products = {"SAT-1": "satisfaction", "SAT-2": "satisfaction", "INT-5.coverage": "integrity", "INT-5.no_phone": "integrity"}
    ask = built(D(2025, 9, 9), counts, catalogue={kpi_id: {"product": product} for kpi_id, product in products.items()})
    for kpi_id in products:
        assert ask("period_start", kpi_id=kpi_id, grain="month", is_complete=True) == (D(2025, 7, 1),), kpi_id


@pytest.mark.parametrize(
    ("kpi_id", "product"), [("REG-1", "registration"), ("MED-1", "mediation"), ("SVC-1", "service"), ("CMD-1.done", "response")]
)
def test_what_falls_due_of_deliveries_of_before_is_no_sign_of_life(kpi_id: str, product: str) -> None:
    """Of 9 a day half are in time; records came until 5 August, what they left open falls due, and is late, up to the night."""
    alive = daily(D(2025, 1, 1), D(2025, 8, 5), 9)
    counts = [(kpi_id, "city", day, "", 5 if day <= D(2025, 8, 5) else 0, 9) for _, _, day, *_ in daily(D(2025, 1, 1), D(2025, 9, 9), 9)]
    catalogue = {kpi_id: {"product": product, "kind": "proportion"}}
    ask = built(D(2025, 9, 9), counts, catalogue=catalogue, recorded=[(kpi_id, "city", day) for _, _, day, *_ in alive])
    months = ask("period_start, numerator, is_complete, pop_verdict", grain="month")
    assert months[6:8] == [(D(2025, 7, 1), 155, True, NO_CLEAR_CHANGE), (D(2025, 8, 1), 25, False, None)]


def test_records_are_looked_at_for_the_end_of_a_family_and_not_for_its_beginning() -> None:
    """Opened from 1 June on, due a fortnight later: June is half a month; little is recorded, and what falls due every day makes it not seem stopped."""
    counts = [("REG-1", "city", day, "", 5, 9) for _, _, day, *_ in daily(D(2025, 6, 15), D(2025, 9, 2), 9)]
    rare = [("REG-1", "city", D(2025, month, day)) for month in (6, 7, 8) for day in (1, 20)]
    ask = built(D(2025, 9, 2), counts, catalogue={"REG-1": {"product": "registration", "kind": "proportion"}}, recorded=rare)
    assert [row[0] for row in ask("is_complete", grain="month")] == [False, True, True, False]


@pytest.mark.parametrize(
    ("kpi_id", "product", "goes_on"),
    [
        ("HAZ-1", "hazard", "HAZ-3"),
        ("FR-5", "fraud", "FR-1.cases"),
        ("SVC-5", "service", "SVC-1"),
        ("SVC-1", "service", "SVC-6"),
        ("CMP-3", "complaint", "CMP-4.on_time"),
        ("LAW-1", "enforcement", "LAW-2"),
        ("CR-5", "clearance", "CR-1.filed"),
        ("TR-1.accidents", "traffic", "TR-3"),
        ("EQ-2.volume", "equipment", "EQ-1"),
    ],
)
def test_a_feed_that_stopped_does_not_hide_behind_others_of_its_product(kpi_id: str, product: str, goes_on: str) -> None:
    counts = daily(D(2025, 1, 1), D(2025, 8, 5), 9, kpi_id=kpi_id) + daily(D(2025, 1, 1), D(2025, 9, 2), 9, kpi_id=goes_on)
    ask = built(D(2025, 9, 2), counts, catalogue={kpi_id: {"product": product}, goes_on: {"product": product}})
    august = {"grain": "month", "period_start": D(2025, 8, 1)}
    assert ask("numerator, is_complete, pop_verdict", kpi_id=kpi_id, **august) == (45, False, None)
    assert ask("is_complete", kpi_id=goes_on, **august) == (True,)


@pytest.mark.parametrize("stopped", ["CR-1.filed", "CR-5"])
def test_what_is_made_of_two_feeds_is_covered_where_both_are(stopped: str) -> None:
    """Cases filed and cleared: clearances beside cases have no whole August whichever of the two stopped on 5 August."""
    counts = []
    for feed in ("CR-1.filed", "CR-5"):
        last = D(2025, 8, 5) if feed == stopped else D(2025, 9, 2)
        counts += daily(D(2025, 1, 1), last, 9, kpi_id=feed) + daily(D(2025, 1, 1), last, 9, kpi_id="CR-1")
    clearance = {"product": "clearance"}
    ask = built(D(2025, 9, 2), counts, catalogue={"CR-1.filed": clearance, "CR-5": clearance, "CR-1": clearance})
    complete = {kpi_id: ask("is_complete", kpi_id=kpi_id, grain="month")[6:8] for kpi_id in ("CR-1.filed", "CR-5", "CR-1")}
    whole, torn = [(True,), (True,)], [(True,), (False,)]
    assert complete == {"CR-1.filed": torn if stopped == "CR-1.filed" else whole, "CR-5": torn, "CR-1": torn}


@pytest.mark.parametrize(("first", "is_whole"), [(D(2025, 6, 3), True), (D(2025, 6, 20), False)])
def test_what_follows_upon_records_begins_with_them_though_a_few_days_later(first: dt.date, is_whole: bool) -> None:
    """Cases from 1 June; the first of them is cleared on the third, or events of cases come from the twentieth only."""
    counts = daily(D(2025, 6, 1), D(2025, 8, 31), 9, kpi_id="CR-1.filed") + daily(first, D(2025, 8, 31), 9, kpi_id="CR-5")
    ask = built(D(2025, 9, 1), counts, catalogue={kpi_id: {"product": "clearance"} for kpi_id in ("CR-1.filed", "CR-5")})
    assert [row[0] for row in ask("is_complete", kpi_id="CR-5", grain="month")] == [is_whole, True, True]


def test_nothing_is_followed_up_beyond_the_last_delivery() -> None:
    """Settled disputes are followed for 90 days. Records stopped on 5 August: of what was settled after 7 May nobody knows, whenever one asks."""
    catalogue = {kpi_id: {"product": "mediation", "kind": "proportion"} for kpi_id in ("MED-1", "MED-2.90")}
    catalogue["MED-2.90"] = catalogue["MED-2.90"] | {"maturity_days": 90}
    for last, ripe in ((D(2025, 8, 5), 4), (D(2025, 11, 20), 7)):
        counts = [(kpi_id, "city", day, "", 2, 9) for kpi_id in catalogue for _, _, day, *_ in daily(D(2025, 1, 1), last, 1)]
        ask = built(D(2025, 11, 25), counts, catalogue=catalogue)
        assert sum(row[0] for row in ask("is_complete", kpi_id="MED-2.90", grain="month")) == ripe


def test_a_rate_beside_a_register_begins_with_its_cases_not_with_a_wrong_date() -> None:
    """Residents are counted from the first fraud on, and that was dated 2018: the feed began on 24 June 2023."""
    cases = [*daily(D(2018, 3, 5), D(2018, 3, 5), 1, kpi_id="FR-1.cases"), *daily(D(2023, 6, 24), D(2025, 8, 31), 9, kpi_id="FR-1.cases")]
    ask = built(
        D(2025, 9, 1),
        cases + daily(D(2018, 3, 5), D(2025, 8, 31), 5, kpi_id="FR-1"),
        catalogue={"FR-1.cases": {"product": "fraud"}, "FR-1": {"product": "fraud"}},
    )
    first_complete = "select kpi_id, min(period_start) from int_kpi_period where grain = 'month' and is_complete group by all order by all"
    assert ask.connection.execute(first_complete).fetchall() == [("FR-1", D(2023, 7, 1)), ("FR-1.cases", D(2023, 7, 1))]


def test_what_is_known_by_month_of_a_named_family_begins_and_stops_with_it() -> None:
    """Disputes from 10 March 2024 to 20 May 2025, their quota by month, and cases all the time, of the same product as the quota."""
    counts = daily(D(2024, 1, 1), D(2025, 8, 31), 9, kpi_id="INT-1.quick") + daily(D(2024, 3, 10), D(2025, 5, 20), 9, kpi_id="MED-1")
    counts += [row for m in range(3, 17) for row in daily(*[D(2024 + (m - 1) // 12, (m - 1) % 12 + 1, 28)] * 2, 1, kpi_id="INT-6.quota")]
    integrity = {"product": "integrity"}
    ask = built(D(2025, 9, 1), counts, catalogue={"MED-1": {"product": "mediation"}, "INT-6.quota": integrity, "INT-1.quick": integrity})
    complete = "select kpi_id, min(period_start), max(period_end) from int_kpi_period where grain = 'month' and is_complete and kpi_id <> 'INT-1.quick' group by all order by all"
    assert ask.connection.execute(complete).fetchall() == [
        ("INT-6.quota", D(2024, 4, 1), D(2025, 4, 30)),
        ("MED-1", D(2024, 4, 1), D(2025, 4, 30)),
    ]


def test_a_feed_that_stopped_within_a_month_or_week_completes_neither() -> None:
    """It stopped on Tuesday, 5 August 2025; the night is 2 September."""
    ask = built(D(2025, 9, 2), daily(D(2023, 1, 1), D(2025, 8, 5), 100))
    columns = "numerator, is_complete, yoy_verdict, pop_verdict"
    assert ask(columns, grain="month", period_start=D(2025, 7, 1)) == (3100, True, NO_CLEAR_CHANGE, NO_CLEAR_CHANGE)
    assert ask(columns, grain="month", period_start=D(2025, 8, 1)) == (500, False, None, None)
    assert ask(columns, grain="week", period_start=D(2025, 8, 4)) == (200, False, None, None)
    assert ask("yoy_ratio", grain="month", period_start=D(2025, 8, 1)) == (1.0,), "compared by the five days that there were"


@pytest.mark.parametrize("stock", [True, False], ids=["a stock of the register", "days without a record"])
def test_what_a_register_counts_every_day_does_not_make_up_for_a_feed_that_stopped(stock: bool) -> None:
    """Minutes online until 5 August; the register counts its devices, and the gaps of its gates, up to the night."""
    unasked = "EQ-4.devices" if stock else "EQ-2.gap"
    counts = daily(D(2023, 1, 1), D(2025, 8, 5), 100, kpi_id="EQ-1") + daily(D(2023, 1, 1), D(2025, 9, 2), 7, kpi_id=unasked)
    equipment = {"product": "equipment"}
    ask = built(D(2025, 9, 2), counts, catalogue={"EQ-1": equipment, unasked: equipment | ({"time_rule": "last"} if stock else {})})
    months = ask("period_start, numerator, is_complete, pop_verdict", kpi_id="EQ-1", grain="month")
    assert months[-3:] == [(D(2025, 7, 1), 3100, True, NO_CLEAR_CHANGE), (D(2025, 8, 1), 500, False, None), (D(2025, 9, 1), 0, False, None)]
    assert ask("is_complete", kpi_id=unasked, grain="month", period_start=D(2025, 7, 1)) == (True,)


def test_what_a_register_counts_before_its_family_begins_has_its_own_days() -> None:
    counts = daily(D(2025, 5, 20), D(2025, 8, 31), 7, kpi_id="EQ-2.gap") + daily(D(2025, 7, 10), D(2025, 8, 31), 100, kpi_id="EQ-1")
    ask = built(D(2025, 8, 31), counts, catalogue={"EQ-1": {"product": "equipment"}, "EQ-2.gap": {"product": "equipment"}})
    days = "select kpi_id, period_start, days, is_complete from int_kpi_period where grain = 'month' order by all"
    assert ask.connection.execute(days).fetchall() == [
        ("EQ-1", D(2025, 7, 1), 22, False),
        ("EQ-1", D(2025, 8, 1), 31, True),
        ("EQ-2.gap", D(2025, 5, 1), 12, False),
        ("EQ-2.gap", D(2025, 6, 1), 30, True),
        ("EQ-2.gap", D(2025, 7, 1), 31, True),
        ("EQ-2.gap", D(2025, 8, 1), 31, True),
    ]


def test_a_feed_a_day_behind_completes_a_month_a_day_later() -> None:
    counts = daily(D(2024, 1, 1), D(2025, 8, 31), 100)
    for night, complete in ((D(2025, 8, 31), False), (D(2025, 9, 1), True)):
        ask = built(night, [row for row in counts if row[2] < night])
        assert ask("is_complete", grain="month", period_start=D(2025, 8, 1)) == (complete,)


@pytest.mark.parametrize(
    "days",
    [
        [D(year, 8, 5) for year in (2022, 2023, 2024, 2025)],
        [D(2024, 5, 30), D(2024, 6, 2), D(2024, 9, 30), D(2025, 3, 1), D(2025, 8, 5)],
        [D(2025, 6, 10), D(2025, 8, 5)],
    ],
    ids=["once a year", "now and then", "twice"],
)
def test_quiet_ends_of_months_are_usual_where_events_are_rare(days: list[dt.date]) -> None:
    ask = built(D(2025, 9, 2), [("K", "city", day, "", 1, 0) for day in days])
    assert ask("is_complete", grain="month", period_start=D(2025, 8, 1)) == (True,)


@pytest.mark.parametrize(("last", "complete"), [(D(2025, 8, 28), True), (D(2025, 8, 24), True), (D(2025, 8, 14), False)])
def test_how_long_a_family_may_be_quiet_depends_on_how_it_counts(last: dt.date, complete: bool) -> None:
    """Counted on Thursdays and Sundays: a week without is nothing, seventeen days are."""
    counts = [row for row in daily(D(2024, 1, 1), last, 4) if row[2].weekday() in (3, 6)]
    ask = built(D(2025, 9, 2), counts)
    assert ask("is_complete", grain="month", period_start=D(2025, 8, 1)) == (complete,)


def test_one_outage_or_one_wrong_date_long_ago_excuses_no_other() -> None:
    outage = [row for row in daily(D(2023, 1, 1), D(2025, 8, 5), 100) if not D(2024, 3, 5) < row[2] < D(2024, 4, 20)]
    for counts in (outage, [("K", "city", D(1970, 1, 1), "", 1, 0), *daily(D(2023, 1, 1), D(2025, 8, 5), 100)]):
        ask = built(D(2025, 9, 2), counts)
        assert ask("is_complete", grain="month", period_start=D(2025, 8, 1)) == (False,)


def test_what_is_delivered_by_the_month_says_nothing_of_a_nightly_feed() -> None:
    """COM-1 comes once a month and is dated by its end; the feed of K, of the same family, stopped on 5 August."""
    monthly = [("COM-1", "city", D(2025, month, 28), "", 4, 0) for month in range(1, 9)]
    ask = built(D(2025, 9, 2), [*daily(D(2025, 1, 1), D(2025, 8, 5), 9), *monthly], catalogue={"K": {}, "COM-1": {}})
    assert ask("numerator, is_complete", kpi_id="K", grain="month", period_start=D(2025, 8, 1)) == (45, False)
    assert ask("numerator, is_complete", kpi_id="COM-1", grain="month", period_start=D(2025, 8, 1)) == (4, True)


def test_a_stock_is_known_at_the_end_of_the_month_in_which_it_is_first_reported_and_not_where_reports_stop() -> None:
    counts = daily(D(2025, 6, 30), D(2025, 8, 5), 100)
    for rule, complete in (("last", [True, True, False]), ("sum", [False, True, False])):
        ask = built(D(2025, 9, 2), counts, {"time_rule": rule})
        assert [row[0] for row in ask("is_complete", grain="month")] == complete


def test_to_date_figures_end_with_each_month_and_are_judged_there() -> None:
    ask = built(D(2025, 8, 10), daily(D(2024, 1, 1), D(2025, 8, 10), lambda day: 12 if day.year == 2024 else 6))
    rows = ask("period_start, period_end, numerator, yoy_value, is_complete, yoy_verdict", grain="ytd")
    assert [row[1].month for row in rows] == [*range(1, 13), *range(1, 9)]
    assert rows[12 + 6] == (D(2025, 1, 1), D(2025, 7, 31), 6 * 212, 12 * 213.0, True, "fall")
    assert rows[12 + 7] == (D(2025, 1, 1), D(2025, 8, 31), 6 * 222, 12 * 244.0, False, None)
    assert ask("count(pop_value)", grain="ytd") == (0,)


def test_leap_day_and_week_53_have_nothing_to_be_compared_with_a_year_earlier() -> None:
    ask = built(D(2024, 12, 31), daily(D(2019, 1, 1), D(2024, 12, 31), 4))
    for day in (D(2020, 2, 29), D(2024, 2, 29)):
        assert ask("yoy_value, yoy_ratio, yoy_z, yoy_verdict, pop_value", grain="day", period_start=day) == (None, None, None, None, 4)
    assert ask("yoy_value", grain="day", period_start=D(2024, 3, 1)) == (4,)
    week_53, week_1, week_52 = D(2020, 12, 28), D(2021, 1, 4), D(2021, 12, 27)
    assert ask("yoy_value, pop_value", grain="week", period_start=week_53) == (None, 28)
    assert ask("yoy_value", grain="week", period_start=week_1) == (28,)
    assert ask("yoy_value", grain="week", period_start=week_52) == (28,)


def test_data_known_by_month_have_no_days_and_data_known_by_year_no_months() -> None:
    ends = [D(2024, 1, 31), D(2024, 2, 29), D(2024, 3, 31)]
    monthly = [("K", "GB-BEDS", day, "", 100, 0) for day in ends]
    ask = built(D(2024, 6, 1), monthly, parents={"GB-BEDS": None}, group="open_data")
    assert {row[0] for row in ask("distinct grain")} == {"month", "quarter", "year", "ytd"}
    assert ask("numerator, is_complete", grain="quarter") == (300, True)
    yearly = [("K", "DE", D(year, 12, 31), "", 100, 0) for year in (2018, 2019)]
    ask = built(D(2024, 6, 1), yearly, parents={"DE": None}, group="open_data")
    assert ask("grain, numerator, is_complete, yoy_ratio, yoy_verdict") == [
        ("year", 100, True, None, None),
        ("year", 100, True, 1.0, NO_CLEAR_CHANGE),
    ]


def test_one_wrong_date_does_not_fill_decades_with_days() -> None:
    counts = [("K", "city", D(1970, 1, 1), "", 1, 0), *daily(D(2025, 3, 1), D(2025, 3, 31), 2)]
    ask = built(D(2025, 3, 31), counts)
    assert ask("min(period_start) >= date '2015-01-01', max(period_end)", grain="day") == (True, D(2025, 3, 31))
    assert ask("numerator", grain="year", period_start=D(1970, 1, 1)) == (1,)


# Calendar


def festive(day: dt.date) -> int:
    windows = ((D(2025, 1, 24), D(2025, 2, 18)), (D(2026, 2, 12), D(2026, 3, 9)))
    return 60 if any(first <= day <= last for first, last in windows) else 100


def test_spring_festival_compares_window_with_window_and_rest_with_rest() -> None:
    ask = built(D(2026, 4, 30), daily(D(2025, 1, 1), D(2026, 4, 30), festive), {"product": "other"})
    quarter = {"grain": "quarter", "period_start": D(2026, 1, 1)}
    assert ask("numerator, yoy_value, yoy_ratio, yoy_verdict", slice="festival:window", **quarter) == (1560, 1560, 1, NO_CLEAR_CHANGE)
    assert ask("numerator, yoy_value, yoy_ratio, yoy_verdict", slice="festival:rest", **quarter) == (6400, 6400, 1, NO_CLEAR_CHANGE)
    assert ask("yoy_ratio, yoy_verdict, series_break", grain="quarter", period_start=D(2026, 1, 1)) == (1, NO_CLEAR_CHANGE, True)
    raw = [ask("yoy_value, numerator, yoy_z, yoy_verdict, series_break", grain="month", period_start=D(2026, month, 1)) for month in (1, 3)]
    assert [rounded(row, 2) for row in raw] == [(2780, 3100, 4.17, None, True), (3100, 2740, -4.71, None, True)]
    to_february = ask("yoy_value, numerator, yoy_z, yoy_verdict, series_break", grain="ytd", period_end=D(2026, 2, 28))
    assert rounded(to_february, 2) == (4860, 5220, 3.59, None, True)
    assert ask("yoy_ratio, yoy_verdict, series_break", grain="ytd", period_end=D(2026, 3, 31)) == (1, NO_CLEAR_CHANGE, False)
    assert ask("count(yoy_verdict), count(pop_verdict)", grain="week", period_start=D(2026, 2, 16)) == (0, 0)


@pytest.mark.parametrize(
    ("first", "last"), [(D(2024, 2, 5), D(2024, 3, 1)), (D(2025, 1, 24), D(2025, 2, 18)), (D(2026, 2, 12), D(2026, 3, 9))]
)
def test_the_window_of_the_spring_festival_has_26_days(first: dt.date, last: dt.date) -> None:
    day = dt.timedelta(days=1)
    assert last - first == 25 * day
    at_its_ends = [(first - day, 1), (first, 10), (last, 100), (last + day, 1000)]
    counts = [("K", "city", on, "", n, 0) for on, n in at_its_ends]
    ask = built(D(first.year, 4, 30), counts, {"product": "other"})
    quarter = {"grain": "quarter", "period_start": D(first.year, 1, 1)}
    assert ask("numerator", slice="festival:window", **quarter) == (110,)
    assert ask("numerator", slice="festival:rest", **quarter) == (1001,)


def test_spring_festival_is_no_matter_where_it_is_not_kept() -> None:
    ask = built(D(2026, 4, 30), daily(D(2025, 1, 1), D(2026, 4, 30), 100, unit="JP"), parents={"JP": None}, group="open_data")
    assert ask("yoy_verdict, series_break", grain="month", period_start=D(2026, 2, 1)) == (NO_CLEAR_CHANGE, False)
    assert ask("count(*)", slice="festival:window") == (0,)


def test_leap_year_exposure() -> None:
    counts = [("K", "JP", D(2024, 2, 1), "", 2900, 0), ("K", "JP", D(2025, 2, 28), "", 2800, 0)]
    ask = built(D(2025, 2, 28), counts, parents={"JP": None}, group="open_data")
    found = ask("yoy_value, yoy_ratio, yoy_lower95, yoy_upper95", grain="month", period_start=D(2025, 2, 1))
    assert rounded(found) == (2900, 1.000, 0.949, 1.053)


def test_what_is_reported_for_weeks_is_compared_by_the_weeks_that_end_in_a_month() -> None:
    """A hundred a week, dated on Sundays: August 2024 has four, August 2025 five, and nothing changed; nor from June to July 2025."""
    weekly = [("ACT-1.events", "city", day, "", 100, 0) for _, _, day, *_ in daily(D(2024, 1, 1), D(2025, 8, 31), 1) if day.weekday() == 6]
    ask = built(D(2025, 9, 1), weekly, catalogue={"ACT-1.events": {"product": "progress"}})
    august, july = ({"grain": "month", "period_start": D(2025, month, 1)} for month in (8, 7))
    assert ask("numerator, yoy_value, yoy_ratio, yoy_verdict", **august) == (500, 400, 1.0, NO_CLEAR_CHANGE)
    assert ask("numerator, pop_value, pop_ratio, pop_verdict", **july) == (400, 500, 1.0, NO_CLEAR_CHANGE)
    assert ask("numerator, yoy_ratio, pop_ratio", grain="week", period_start=D(2025, 8, 25)) == (100, 1.0, 1.0)


def test_months_are_compared_by_weighted_days_working_weekends_and_days_off_included() -> None:
    """August 2025 weighs 31.4 days of the incident pattern; September 29.8, less 0.2 for Sunday the 28th, which was worked."""
    counts = [("K", "city", D(2025, 8, 1), "", 3140, 0), ("K", "city", D(2025, 9, 30), "", 2960, 0)]
    ask = built(D(2025, 9, 30), counts, {"product": "incident"})
    assert rounded(ask("pop_ratio, pop_value", grain="month", period_start=D(2025, 9, 1))) == (1.0, 3140)
    unweighted = built(D(2025, 9, 30), counts, {"product": "other"})
    assert rounded(unweighted("pop_ratio", grain="month", period_start=D(2025, 9, 1))) == (round(2960 / 30 / (3140 / 31), 3),)


def test_unfinished_months_compare_by_the_days_there_were() -> None:
    ask = built(D(2025, 7, 10), daily(D(2024, 7, 1), D(2025, 7, 10), 5))
    assert ask("numerator, yoy_value, yoy_ratio, yoy_verdict", grain="month", period_start=D(2025, 7, 1)) == (50, 155, 1, None)


# Kinds of figure


def shares(rows: Iterable[tuple[dt.date, str, int, int]]) -> list[Count]:
    return [("K", "city", day, cell, numerator, denominator) for day, cell, numerator, denominator in rows]


def test_shares_change_by_a_difference_in_their_own_units() -> None:
    counts = shares([(D(2024, 5, 9), "", 350, 500), (D(2025, 5, 9), "", 400, 500)])
    for scale in (1, 100):
        ask = built(D(2025, 5, 31), counts, {"kind": "proportion", "value_scale": scale})
        found = ask("value, lower95, upper95, yoy_value, yoy_ratio, yoy_lower95, yoy_upper95", grain="month", period_start=D(2025, 5, 1))
        lower, upper = proportion_confint(400, 500, method="wilson")
        assert rounded([value / scale for value in found]) == rounded([0.8, lower, upper, 0.7, 0.1, 0.046, 0.153])


def test_shares_of_all_or_nothing_ask_the_exact_test() -> None:
    """2 of 2 against none of 2 lies 3.14 standard deviations apart and proves nothing; 9 of 9 against none of 9 does."""
    for number, verdict in ((2, NO_CLEAR_CHANGE), (9, "rise")):
        counts = shares([(D(2025, 5, 1), "", 0, number), (D(2025, 6, 9), "", number, number)])
        ask = built(D(2025, 6, 30), counts, {"kind": "proportion"})
        z, found = ask("pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1))
        assert z > 3 and found == verdict


@pytest.mark.parametrize(("before", "after"), [((0, 5), (0, 70)), ((5, 5), (70, 70))], ids=["none of both", "all of both"])
def test_shares_that_stay_at_the_end_of_the_scale_have_not_changed(before: tuple[int, int], after: tuple[int, int]) -> None:
    counts = shares([(D(2025, 5, 1), "", *before), (D(2025, 6, 9), "", *after)])
    ask = built(D(2025, 6, 30), counts, {"kind": "proportion"})
    ratio, lower, upper, z, verdict = ask(
        "pop_ratio, pop_lower95, pop_upper95, pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1)
    )
    assert (ratio, z, verdict) == (0, 0, NO_CLEAR_CHANGE) and lower <= 0 <= upper


def test_rates_carry_exact_poisson_limits_and_compare_by_their_own_exposure() -> None:
    counts = shares([(D(2025, 5, 1), "", 30, 2_000), (D(2025, 6, 9), "", 250, 1_000)])
    ask = built(D(2025, 6, 30), counts, {"kind": "rate", "value_scale": 10_000})
    may, june = ask("value, lower95, upper95, pop_ratio, pop_verdict", grain="month")
    assert rounded(may[:3], 6) == rounded([150, stats.chi2.ppf(0.025, 60) / 2 * 5, stats.chi2.ppf(0.975, 62) / 2 * 5], 6)
    assert rounded(june, 6) == rounded(
        [2_500, stats.chi2.ppf(0.025, 500) / 2 * 10, stats.chi2.ppf(0.975, 502) / 2 * 10, 250 / 15, "rise"], 6
    )


def test_ratios_have_no_interval_and_are_not_clipped() -> None:
    counts = shares([(D(2025, 5, 1), "", 100, 80), (D(2025, 6, 9), "", 40, 80)])
    ask = built(D(2025, 6, 30), counts, {"kind": "ratio"})
    assert ask("value, lower95, upper95", grain="month", period_start=D(2025, 5, 1)) == (1.25, None, None)
    june = ask("pop_ratio, pop_lower95, pop_upper95, pop_verdict", grain="month", period_start=D(2025, 6, 1))
    assert june == (0.4, None, None, "fall")


def test_both_counts_of_a_ratio_stray() -> None:
    """Cleared 100, then 60, of 80 filed each: z of √100 - √60 was 3.2 as if the 80 were fixed; the 80 filed stray as well."""
    counts = shares([(D(2025, 5, 1), "", 100, 80), (D(2025, 6, 9), "", 60, 80)])
    ask = built(D(2025, 6, 30), counts, {"kind": "ratio"})
    z = 2 * (60**0.5 - 100**0.5) / 4**0.5
    assert rounded(ask("pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1)), 6) == (round(z, 6), NO_CLEAR_CHANGE)


def test_means_are_compared_and_not_judged() -> None:
    counts = shares([(D(2025, 5, 1), "", 60_000, 100), (D(2025, 6, 9), "", 30_000, 100)])
    ask = built(D(2025, 6, 30), counts, {"kind": "mean"})
    june = ask("value, lower95, pop_value, pop_ratio, pop_lower95, pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1))
    assert june == (300, None, 600, 0.5, None, None, None)


def test_points_in_tenths_are_compared_by_the_day_and_not_judged() -> None:
    """3,900 tenths of a point are not 3,900 events: 390 points, then 350, were three standard deviations apart."""
    counts = shares([(D(2025, 5, 1), "", 3_900, 0), (D(2025, 6, 30), "", 2_000, 0)])
    ask = built(D(2025, 6, 30), counts, {"value_scale": 0.1, "product": "other"})
    columns = "value, lower95, upper95, pop_value, round(pop_ratio, 6), pop_lower95, pop_upper95, pop_z, pop_verdict"
    ratio = round((200 / 30) / (390 / 31), 6)
    assert ask(columns, grain="month", period_start=D(2025, 6, 1)) == (200, None, None, 390, ratio, None, None, None, None)


def test_a_share_of_more_than_all_has_no_interval() -> None:
    ask = built(D(2025, 5, 31), shares([(D(2025, 5, 9), "", 12, 10)]), {"kind": "proportion"})
    assert ask("value, lower95, upper95", grain="month") == (1.2, None, None)


def test_few_serious_cases_are_counts_and_no_rate() -> None:
    """Of nine homicides there is no share, and nothing is compared with one; of ten there is. Of nine other cases there is a share too."""
    counts = [
        (kpi_id, "city", D(2025, month, 1), "", cleared, filed)
        for kpi_id in ("CR-3", "CR-2")
        for month, cleared, filed in ((4, 9, 10), (5, 2, 9), (6, 10, 10))
    ]
    cohort = {"kind": "proportion", "basis": "cohort"}
    ask = built(D(2025, 6, 30), counts, catalogue={"CR-3": cohort, "CR-2": cohort})
    columns = "numerator, denominator, value, lower95, upper95, pop_value, pop_ratio, pop_lower95, pop_z, pop_verdict"
    april, may, june = ask(columns, kpi_id="CR-3", grain="month")
    assert april[:3] == (9, 10, 0.9) and None not in april[:5]
    assert may == (2, 9, None, None, None, 0.9, None, None, None, None)
    assert june[:3] == (10, 10, 1) and june[5:] == (None, None, None, None, None)
    others = ask(columns, kpi_id="CR-2", grain="month")
    assert others[1][2] == pytest.approx(2 / 9) and None not in others[1]


def test_nothing_to_divide_by_is_no_figure() -> None:
    ask = built(D(2025, 6, 30), shares([(D(2025, 5, 1), "", 3, 9), (D(2025, 6, 9), "", 0, 0)]), {"kind": "proportion"})
    assert ask("numerator, value, lower95, pop_ratio, pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1)) == (
        0,
        None,
        None,
        None,
        None,
        None,
    )


SATISFACTION = {"kind": "weighted", "value_scale": 0.01, "product": "satisfaction"}


def replies(day: dt.date, full: int, half: int, none: int, attempt: int = 1) -> list[tuple[dt.date, str, int, int]]:
    by_result = {"satisfied": (100 * full, full), "basically_satisfied": (50 * half, half), "dissatisfied": (0, none)}
    total = (day, "", 100 * full + 50 * half, full + half + none)
    cells = [(day, f"{kind}{result}", *sums) for result, sums in by_result.items() for kind in ("result:", f"attempt_result:{attempt}:")]
    return [total, (day, f"attempt:{attempt}", *total[2:]), *cells]


def test_scores_by_the_delta_method_from_the_cells_of_their_results() -> None:
    ask = built(D(2025, 5, 31), shares(replies(D(2025, 5, 2), 6_554, 731, 496)), SATISFACTION, slices=("attempt",))
    for of in ("", "attempt:1"):
        assert rounded(ask("value, lower95, upper95", slice=of, grain="month"), 4) == (0.8893, 0.8832, 0.8954)


def test_scores_that_are_all_alike_have_wilson_limits() -> None:
    ask = built(D(2025, 5, 31), shares(replies(D(2025, 5, 2), 5, 0, 0)), SATISFACTION)
    assert rounded(ask("value, lower95, upper95", grain="month")) == (1, 0.566, 1)


def test_unequal_weights_count_as_fewer_answers() -> None:
    """Ten reviews that all passed, one of them weighted twice as much as the others: 11² ÷ 13, not ten."""
    weights = [5_000] * 9 + [10_000]
    total, squares = sum(weights), sum(w * w for w in weights)
    counts = shares([(D(2025, 5, 31), "", total, total), (D(2025, 5, 31), "square:weight", squares, squares)])
    ask = built(D(2025, 5, 31), counts, {"kind": "weighted"}, sums=("square",))
    effective = total**2 / squares
    assert round(effective, 3) == round(121 / 13, 3)
    lower, upper = proportion_confint(effective, effective, method="wilson")
    assert rounded(ask("value, lower95, upper95", grain="month")) == rounded((1, lower, upper))


def reviews(day: dt.date, results: Iterable[tuple[int, bool]]) -> list[tuple[dt.date, str, int, int]]:
    """Reviews (or survey answers) that weigh so much each and pass or not, in thousandths, as LAW-3 and SUR-1.safety are counted."""
    weighed = [(1000 * weight, passed) for weight, passed in results]
    total = (day, "", sum(w for w, passed in weighed if passed), sum(w for w, _ in weighed))
    return [total, (day, "square:weight", sum(w * w for w, passed in weighed if passed), sum(w * w for w, _ in weighed))]


def test_scores_of_unequal_weight_have_wilson_limits_at_the_effective_number() -> None:
    """Nine reviews of weight 5 pass and one of weight 10 fails, after ten that passed: (55)^2 / 325 = 9.3 answers, of which 45/55 passed."""
    before = [(5, True)] * 9 + [(10, True)]
    counts = reviews(D(2025, 5, 1), before) + reviews(D(2025, 6, 30), [*before[:9], (10, False)])
    ask = built(D(2025, 6, 30), shares(counts), {"kind": "weighted"}, sums=("square",))
    effective = 55**2 / 325
    june = ask("lower95, upper95, pop_verdict", grain="month", period_start=D(2025, 6, 1))
    assert rounded(june, 6) == (*rounded(proportion_confint(45 / 55 * effective, effective, method="wilson"), 6), NO_CLEAR_CHANGE)


def test_scores_of_equal_weight_other_than_1_have_wilson_limits_too() -> None:
    ask = built(D(2025, 5, 31), shares(reviews(D(2025, 5, 31), [(3, True)] * 8 + [(3, False)] * 2)), {"kind": "weighted"}, sums=("square",))
    assert rounded(ask("lower95, upper95", grain="month"), 6) == rounded(proportion_confint(8, 10, method="wilson"), 6)


def test_scores_change_by_a_difference() -> None:
    counts = shares(replies(D(2025, 5, 1), 500, 300, 200) + replies(D(2025, 6, 2), 800, 150, 50))
    ask = built(D(2025, 6, 30), counts, SATISFACTION)
    difference, lower, upper, verdict = ask("pop_ratio, pop_lower95, pop_upper95, pop_verdict", grain="month", period_start=D(2025, 6, 1))
    assert difference == pytest.approx(0.875 - 0.65) and verdict == "rise"
    assert difference - lower == pytest.approx(upper - difference)


def test_a_few_scores_are_never_called() -> None:
    """One satisfied reply, then one dissatisfied and one half satisfied; the spread of the first alone is nothing, of both together it is not."""
    counts = replies(D(2025, 5, 1), 1, 0, 0) + replies(D(2025, 6, 2), 0, 1, 1)
    ask = built(D(2025, 6, 30), shares(counts), SATISFACTION)
    scores = [1, 0.5, 0]
    z = (0.25 - 1) / (statistics.pvariance(scores) * (1 + 1 / 2)) ** 0.5
    assert rounded(ask("pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1)), 6) == (round(z, 6), NO_CLEAR_CHANGE)


def test_a_few_scores_that_are_all_alike_are_no_change_against_many() -> None:
    """Thirty satisfied replies after 2,000 of which nine in ten are: once in 24 months that is chance, and it was called a rise."""
    counts = replies(D(2025, 5, 1), 1800, 0, 200) + replies(D(2025, 6, 2), 30, 0, 0) + replies(D(2025, 7, 2), 60, 0, 0)
    ask = built(D(2025, 7, 31), shares(counts), SATISFACTION)
    z = 0.1 / ((1830 / 2030) * (200 / 2030) * (1 / 30 + 1 / 2000)) ** 0.5
    assert rounded(ask("pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1)), 6) == (round(z, 6), NO_CLEAR_CHANGE)
    assert ask("pop_z, pop_verdict", grain="month", period_start=D(2025, 7, 1)) == (0, NO_CLEAR_CHANGE)


@pytest.mark.parametrize(("answers", "verdict"), [(29, NO_CLEAR_CHANGE), (30, "fall")])
def test_scores_are_called_from_thirty_answers(answers: int, verdict: str) -> None:
    """By the effective number, where weights are unequal: n answers of weight 1 and as many of weight 1000 say hardly more than n."""
    counts = replies(D(2025, 5, 1), answers, 0, 0) + replies(D(2025, 6, 2), 0, 0, 300)
    ask = built(D(2025, 6, 30), shares(counts), SATISFACTION)
    assert ask("pop_verdict", grain="month", period_start=D(2025, 6, 1)) == (verdict,)
    before = [(1, True), (1000, True)] * answers
    weighed = reviews(D(2025, 5, 1), before) + reviews(D(2025, 6, 30), [(1, False)] * 300)
    ask = built(D(2025, 6, 30), shares(weighed), {"kind": "weighted"}, sums=("square",))
    assert ask("pop_verdict", grain="month", period_start=D(2025, 6, 1)) == (verdict,)


@pytest.mark.parametrize(("cases", "verdict"), [(1, NO_CLEAR_CHANGE), (49, NO_CLEAR_CHANGE), (50, "fall")])
def test_money_is_called_from_fifty_cases(cases: int, verdict: str) -> None:
    """Of so many cases in May and June, those of June lose a hundredth each."""
    counts = []
    for day, yuan in ((D(2025, 5, 1), 76_000), (D(2025, 6, 9), 760)):
        counts += [(day, "", 100 * yuan * cases, cases), (day, "square_yuan:case", yuan * yuan * cases, 0)]
    ask = built(D(2025, 6, 30), shares(counts), {"kind": "amount", "value_scale": 0.01}, sums=("square_yuan",))
    z, found = ask("pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1))
    assert z < -3 and found == verdict


def test_money_by_compound_poisson() -> None:
    before, after = [1, 1, 2, 2, 3, 3, 5, 8, 20, 155], [1, 1, 2, 3, 4, 6, 10, 59.8]
    counts = []
    for day, sums in ((D(2024, 5, 1), before), (D(2025, 5, 9), after)):
        tenths = [round(10 * x) for x in sums]
        counts += [(day, "", sum(tenths), 0), (day, "square", sum(x * x for x in tenths), 0)]
    ask = built(D(2025, 5, 31), shares(counts), {"kind": "amount", "value_scale": 0.1})
    found = ask("value, yoy_value, yoy_ratio, yoy_lower95, yoy_upper95, yoy_verdict", grain="month", period_start=D(2025, 5, 1))
    assert rounded(found) == (86.8, 200, 0.434, 0.055, 3.423, NO_CLEAR_CHANGE)
    value, lower, upper = ask("value, lower95, upper95", grain="month", period_start=D(2024, 5, 1))
    assert lower < value < upper


def test_money_from_nothing_and_to_nothing_is_not_judged() -> None:
    """Without a case there is no sum to compare: no percentage from 0, and no call either way."""
    with_money, without = [("", 5_000, 2), ("square:case", 13_000_000, 0)], [("", 0, 0)]
    for before, after, ratio in ((without, with_money, None), (with_money, without, 0)):
        counts = [(day, *cell) for day, cells in ((D(2025, 5, 1), before), (D(2025, 6, 9), after)) for cell in cells]
        ask = built(D(2025, 6, 30), shares(counts), {"kind": "amount"})
        june = ask("pop_ratio, pop_lower95, pop_upper95, pop_z, pop_verdict", grain="month", period_start=D(2025, 6, 1))
        assert june == (ratio, None, None, None, None)


def test_deaths_that_come_in_clusters_have_wider_limits() -> None:
    """Twelve deaths in three accidents of four say as much as three events."""
    plain = shares([(D(2025, 5, 1), "", 12, 0), (D(2025, 6, 9), "", 2, 0)])
    clustered = [*plain, *shares([(D(2025, 5, 1), "square:accident", 48, 0), (D(2025, 6, 9), "square:accident", 2, 0)])]
    narrow, wide = (built(D(2025, 6, 30), counts, {"time_rule": "exposure"}) for counts in (plain, clustered))
    columns = "lower95, upper95, pop_z, pop_upper95"
    may = {"grain": "month", "period_start": D(2025, 5, 1)}
    (low, high, *_), (lower, higher, *_) = narrow(columns, **may), wide(columns, **may)
    assert 12 - lower == pytest.approx(2 * (12 - low)) and higher - 12 == pytest.approx(2 * (high - 12))
    june = {"grain": "month", "period_start": D(2025, 6, 1)}
    (*_, z, limit), (*_, small_z, wide_limit) = narrow(columns, **june), wide(columns, **june)
    assert small_z == pytest.approx(z / (50 / 14) ** 0.5) and wide_limit > limit


def test_a_stock_is_its_last_state_and_its_leaves_add_up() -> None:
    parents = {"city": None, "a": "city", "b": "city"}
    stock = [
        ("K", "a", D(2025, 4, 10), "", 5, 0),
        ("K", "a", D(2025, 4, 20), "", 7, 0),
        ("K", "b", D(2025, 4, 15), "", 2, 0),
        ("K", "a", D(2025, 6, 1), "", 9, 0),
    ]
    ask = built(D(2025, 6, 30), stock, {"time_rule": "last"}, parents=parents)
    assert ask("period_end, numerator, lower95", unit_code="city", grain="month") == [(D(2025, 4, 30), 9, None), (D(2025, 6, 30), 9, None)]
    assert ask("numerator", unit_code="a", grain="year") == (9,)
    assert ask("numerator", unit_code="city", grain="ytd", period_end=D(2025, 5, 31)) == (9,)


def test_a_share_of_a_stock_has_limits_and_a_difference_and_no_verdict() -> None:
    stock = [("K", "city", D(2025, month, 20), "", rooms, 5) for month, rooms in ((4, 2), (5, 5))]
    ask = built(D(2025, 5, 31), stock, {"kind": "proportion", "time_rule": "last"})
    columns = "value, lower95, upper95, pop_ratio, pop_lower95, pop_upper95, pop_z, pop_verdict"
    assert rounded(ask(columns, grain="month", period_start=D(2025, 5, 1))) == (1, 0.566, 1, 0.6, None, None, None, None)


def test_a_stock_forgets_units_that_ended_and_rows_of_nobody_and_reports_without_a_figure() -> None:
    """Station b ended on 1 May and a took it over; a row of nobody was put right in May; in June a reported nothing that counts."""
    parents = {"city": None, "a": "city", "b": "city", "city.unassigned": "city"}
    stock = [
        ("K", "a", D(2025, 4, 30), "", 5, 0),
        ("K", "b", D(2025, 4, 30), "", 2, 0),
        ("K", "city.unassigned", D(2025, 4, 30), "", 3, 0),
        ("K", "a", D(2025, 5, 31), "", 10, 0),
        ("K", "a", D(2025, 6, 30), "excluded:value_missing", 1, 0),
    ]
    lives = {"b": (D(2000, 1, 1), D(2025, 5, 1))}
    ask = built(D(2025, 6, 30), stock, {"time_rule": "last"}, parents=parents, lives=lives)
    assert ask("period_end, numerator", unit_code="city", grain="month") == [(D(2025, 4, 30), 10), (D(2025, 5, 31), 10)]
    assert ask("numerator", unit_code="city", grain="quarter") == (10,)
    assert ask("numerator", unit_code="a", grain="quarter") == (10,)


def test_cohorts_are_complete_once_they_have_matured() -> None:
    counts = shares([(D(2025, month, 1), "", 10 * month, 100) for month in (3, 4, 5)])
    ask = built(D(2025, 6, 1), counts, {"kind": "proportion", "basis": "cohort", "maturity_days": 30})
    columns = "numerator, is_complete, pop_value is not null, pop_ratio is not null, pop_verdict"
    assert ask(columns, grain="month") == [
        (30, True, False, False, None),
        (40, True, True, True, NO_CLEAR_CHANGE),
        (50, False, True, False, None),
    ]


def test_what_can_only_rise_is_not_compared_before_its_follow_up_is_over() -> None:
    """A steady city of 1,300 filings a month, 3 % of them withdrawn, a third of these within each of three months; forms deleted within one."""
    as_of = D(2025, 8, 31)
    months = [D(2023 + n // 12, n % 12 + 1, 15) for n in range(32)]

    def rises_over(days: int) -> list[tuple[dt.date, str, int, int]]:
        return [(day, "", round(39 * min(1, (as_of - day).days / days)), 1_300) for day in months]

    with (DBT / "seeds" / "kpi_catalogue.csv").open(encoding="utf-8") as text:
        entries = {row["kpi_id"]: row for row in csv.DictReader(text)}
    for kpi_id, days, last_complete in (
        ("INT-4.withdrawn", 92, D(2025, 2, 28)),
        ("INT-4.deleted", 30, D(2025, 7, 31)),
        ("INT-3.late", 30, D(2025, 7, 31)),
    ):
        declared = {name: entries[kpi_id][name] for name in ("kind", "basis", "time_rule", "unit_role")}
        ask = built(as_of, shares(rises_over(days)), declared | {"maturity_days": int(entries[kpi_id]["maturity_days"])})
        found = ask("period_end, is_complete, yoy_verdict, pop_verdict", grain="month")
        assert max(end for end, is_complete, *_ in found if is_complete) == last_complete, kpi_id
        assert {verdict for *_, yoy, pop in found for verdict in (yoy, pop)} == {None, NO_CLEAR_CHANGE}, kpi_id
        assert [row for row in found if row[0] > last_complete and row[2:] != (None, None)] == [], kpi_id


# History


def test_a_series_that_strays_needs_a_larger_change() -> None:
    """The same 123 after 200 in a series that jumps about from month to month, and in one that does not."""

    def monthly(strays: bool) -> Callable[..., Any]:
        counts = [("K", "JP", D(2022 + n // 12, n % 12 + 1, 28), "", 100 + (60 * (n % 2) if strays else n % 2), 0) for n in range(48)]
        changed = [("K", "JP", day, "", number, 0) for day, number in ((D(2026, 4, 1), 200), (D(2026, 5, 1), 123))]
        filled = [("K", "JP", D(2026, month, 1), "", 100, 0) for month in (1, 2, 3)]
        return built(D(2026, 5, 31), counts + changed + filled, parents={"JP": None}, group="open_data")

    steady, straying = monthly(False), monthly(True)
    may = {"grain": "month", "period_start": D(2026, 5, 1)}
    assert steady("pop_verdict", **may) == ("fall",)
    assert straying("pop_verdict", **may) == (NO_CLEAR_CHANGE,)
    assert straying("pop_ratio", **may) == steady("pop_ratio", **may)


def test_records_of_machines_are_judged_by_their_own_history_alone() -> None:
    """A million records a month that stray by 1 %: nothing is known of them in the first year, later a fall of 1 % is none and one of 30 % is."""
    counts = [("K", "JP", D(2022 + n // 12, n % 12 + 1, 28), "", 1_000_000 + 10_000 * (n % 2) - 300_000 * (n == 47), 0) for n in range(48)]
    ask = built(D(2025, 12, 31), counts, {"numerator_unit": "passage"}, parents={"JP": None}, group="open_data")
    columns = "numerator, lower95, upper95, pop_ratio is not null, pop_lower95, pop_upper95, pop_z, pop_verdict"
    assert ask(columns, grain="month", period_start=D(2022, 5, 1)) == (1_000_000, None, None, True, None, None, None, None)
    assert ask("pop_verdict", grain="month", period_start=D(2025, 5, 1)) == (NO_CLEAR_CHANGE,)
    assert ask("lower95, pop_lower95 is not null, pop_verdict", grain="month", period_start=D(2025, 12, 1)) == (None, True, "fall")
    events = built(D(2025, 12, 31), counts[:6], parents={"JP": None}, group="open_data")
    assert events("pop_verdict", grain="month", period_start=D(2022, 5, 1)) == ("fall",)


@pytest.mark.parametrize(("months", "verdict"), [(24, "fall"), (9, None)], ids=["a history", "too short a one"])
def test_records_that_never_strayed_are_known_to_stray_by_nothing(months: int, verdict: str | None) -> None:
    """A thousand a day, then half: the dispersion is measured as 0, taken as 1; where it was not measured nothing is called."""
    first, halved = D(2023, 1, 1), D(2023 + months // 12, months % 12 + 1, 1)
    counts = daily(first, halved - DAY, 1000, unit="JP") + daily(halved, halved + 30 * DAY, 500, unit="JP")
    ask = built(D(2025, 12, 31), counts, {"numerator_unit": "record"}, parents={"JP": None}, group="open_data")
    assert ask("pop_z is not null, pop_verdict", grain="month", period_start=halved) == (verdict is not None, verdict)


def test_a_lasting_fall_does_not_count_as_noise() -> None:
    """Three even years at 200 a month and one at 123: the change itself must not widen its own limits."""
    counts = [("K", "JP", D(2022 + n // 12, n % 12 + 1, 28), "", 200 if n < 36 else 123, 0) for n in range(48)]
    ask = built(D(2025, 12, 31), counts, parents={"JP": None}, group="open_data")
    found = ask("yoy_z, yoy_verdict", grain="month", period_start=D(2025, 5, 1))
    assert rounded(found, 2) == (-4.32, "fall")


# Units and slices


PARENTS = {"city": None, "north": "city", "south": "city", "a": "north", "b": "north", "c": "south"}
FIRST, FOREVER, MOVED = D(1900, 1, 1), D(9999, 12, 31), D(2025, 6, 1)


def test_a_station_that_changes_county_takes_its_counts_along_and_breaks_both_series() -> None:
    moves = [("b", "b", FIRST, FOREVER), ("b", "city", FIRST, FOREVER), ("b", "north", FIRST, MOVED), ("b", "south", MOVED, FOREVER)]
    counts = [row for leaf in "abc" for row in daily(D(2024, 4, 1), D(2025, 7, 31), 10, unit=leaf)]
    ask = built(D(2025, 7, 31), counts, parents=PARENTS, moves=moves)
    june = {"grain": "month", "period_start": MOVED}
    assert ask("unit_code, numerator, pop_verdict, series_break", **june) == [
        ("a", 300, NO_CLEAR_CHANGE, False),
        ("b", 300, NO_CLEAR_CHANGE, False),
        ("c", 300, NO_CLEAR_CHANGE, False),
        ("city", 900, NO_CLEAR_CHANGE, False),
        ("north", 300, None, True),
        ("south", 600, None, True),
    ]
    assert ask("series_break, pop_verdict", unit_code="north", grain="month", period_start=D(2025, 5, 1)) == (False, NO_CLEAR_CHANGE)
    split = """
        select grain, period_end, sum(numerator) filter (where unit_code = 'city') = sum(numerator) filter (where unit_code in ('north', 'south')) as adds_up
        from kpi where slice = '' group by grain, period_end having not adds_up"""
    assert ask.connection.execute(split).fetchall() == []


CLOSED_UNIT_STAYS_PLACED = [("a", "a", FIRST, FOREVER), ("a", "north", FIRST, FOREVER), ("a", "city", FIRST, FOREVER)]


@pytest.mark.parametrize("moves", [[], CLOSED_UNIT_STAYS_PLACED], ids=["placement ends with the unit", "placement covers all time"])
def test_a_unit_that_takes_another_over_has_a_break(moves: list[tuple[str, str, dt.date, dt.date]]) -> None:
    """The heir breaks; its county and the city held both before and after, and do not."""
    lives = {"a": (FIRST, MOVED)}
    counts = (
        daily(D(2024, 4, 1), MOVED - DAY, 10, unit="a")
        + daily(D(2024, 4, 1), D(2025, 7, 31), 10, unit="b")
        + daily(MOVED, D(2025, 7, 31), 10, unit="b")
    )
    totals: dict[tuple[Any, ...], int] = {}
    for kpi_id, unit, day, cell, numerator, _ in counts:
        totals[kpi_id, unit, day, cell] = totals.get((kpi_id, unit, day, cell), 0) + numerator
    ask = built(
        D(2025, 7, 31),
        [(*key, number, 0) for key, number in totals.items()],
        parents=PARENTS,
        moves=moves,
        lives=lives,
        heirs=[("a", "b", MOVED)],
    )
    june = {"grain": "month", "period_start": MOVED}
    assert ask("unit_code, numerator, pop_verdict, series_break", **june) == [
        ("b", 600, None, True),
        ("city", 600, NO_CLEAR_CHANGE, False),
        ("north", 600, NO_CLEAR_CHANGE, False),
    ]
    assert ask("max(period_end)", unit_code="a", grain="month") == (D(2025, 5, 31),)
    july = {"unit_code": "b", "grain": "month", "period_start": D(2025, 7, 1)}
    assert ask("numerator, pop_verdict, yoy_verdict, series_break", **july) == (620, NO_CLEAR_CHANGE, None, True), (
        "June and July are the heir's"
    )


def test_a_unit_that_opens_or_closes_within_a_period_is_not_judged_by_it() -> None:
    """Station a closed on 22 October 2023, b opened on 12 June 2024; c and the city live on."""
    closed, opened = D(2023, 10, 22), D(2024, 6, 12)
    counts = [
        *daily(D(2023, 1, 1), closed - DAY, 10, unit="a"),
        *daily(opened, D(2025, 8, 31), 10, unit="b"),
        *daily(D(2023, 1, 1), D(2025, 8, 31), 50, unit="c"),
    ]
    ask = built(D(2025, 8, 31), counts, parents=PARENTS, lives={"a": (FIRST, closed), "b": (opened, None)})

    def found(unit: str, grain: str, start: dt.date) -> Any:
        return ask("series_break, pop_verdict, yoy_verdict", unit_code=unit, grain=grain, period_start=start)

    assert found("a", "month", D(2023, 9, 1)) == (False, NO_CLEAR_CHANGE, None)
    assert found("a", "month", D(2023, 10, 1)) == (True, None, None)
    assert found("a", "quarter", D(2023, 10, 1)) == (True, None, None)
    assert found("b", "month", D(2024, 6, 1)) == (True, None, None)
    assert found("b", "month", D(2024, 7, 1)) == (True, None, None), "July has more days of it than June"
    assert found("b", "month", D(2024, 8, 1)) == (True, NO_CLEAR_CHANGE, None), "the August before is the one it had not begun in"
    assert found("b", "month", D(2025, 6, 1))[::2] == (True, None), "so has the June after"
    assert found("b", "month", D(2025, 7, 1))[::2] == (False, NO_CLEAR_CHANGE)
    for unit in ("c", "south", "city"):
        assert found(unit, "month", D(2023, 10, 1))[:2] == (False, NO_CLEAR_CHANGE)
        assert found(unit, "month", D(2024, 7, 1)) == (False, NO_CLEAR_CHANGE, NO_CLEAR_CHANGE)


def test_a_unit_that_is_over_when_a_period_ends_leaves_no_break() -> None:
    closed = D(2025, 7, 1)
    counts = [*daily(D(2025, 1, 1), closed - DAY, 10, unit="a"), *daily(D(2025, 1, 1), D(2025, 8, 31), 50, unit="c")]
    ask = built(D(2025, 8, 31), counts, parents=PARENTS, lives={"a": (FIRST, closed)})
    assert ask("series_break, pop_verdict", unit_code="a", grain="month", period_start=D(2025, 6, 1)) == (False, NO_CLEAR_CHANGE)


@pytest.mark.parametrize("moves", [[], CLOSED_UNIT_STAYS_PLACED], ids=["placement ends with the unit", "placement covers all time"])
def test_a_county_that_loses_a_station_to_another_has_a_break_too(moves: list[tuple[str, str, dt.date, dt.date]]) -> None:
    """Station c, of the south, takes over a, of the north: both counties break, the city does not."""
    counts = [
        *daily(D(2025, 1, 1), MOVED - DAY, 10, unit="a"),
        *daily(D(2025, 1, 1), D(2025, 7, 31), 10, unit="b"),
        *daily(D(2025, 1, 1), D(2025, 7, 31), lambda day: 20 if day >= MOVED else 10, unit="c"),
    ]
    ask = built(D(2025, 7, 31), counts, parents=PARENTS, moves=moves, lives={"a": (FIRST, MOVED)}, heirs=[("a", "c", MOVED)])
    assert ask("unit_code, pop_verdict, series_break", grain="month", period_start=MOVED) == [
        ("b", NO_CLEAR_CHANGE, False),
        ("c", None, True),
        ("city", NO_CLEAR_CHANGE, False),
        ("north", None, True),
        ("south", None, True),
    ]


def test_a_role_that_moves_breaks_the_series_of_that_role_on_either_side_of_the_move() -> None:
    """The responding role goes from a to c, in another county: both and their counties break, for figures by responding unit only."""
    counts = [(kpi_id, unit, *row[2:]) for kpi_id in "KJ" for unit in "abc" for row in daily(D(2025, 4, 1), D(2025, 7, 31), 10)]
    catalogue = {"K": {"unit_role": "responding"}, "J": {"unit_role": "jurisdiction"}}
    ask = built(D(2025, 7, 31), counts, catalogue=catalogue, parents=PARENTS, roles=[("responding", "a", "c", MOVED)])
    june = {"grain": "month", "period_start": MOVED}
    assert ask("unit_code, series_break", kpi_id="K", **june) == [
        ("a", True), ("b", False), ("c", True), ("city", False), ("north", True), ("south", True),
    ]  # fmt: skip
    assert not any(broken for (broken,) in ask("series_break", kpi_id="J", **june))
    assert not any(broken for (broken,) in ask("series_break", kpi_id="K", grain="month", period_start=D(2025, 5, 1)))


def test_slices_begin_at_the_month_and_other_cells_are_not_published() -> None:
    counts = [("K", "city", D(2025, 4, 1), cell, 4, 0) for cell in ("", "category:theft", "excluded:repeat")]
    ask = built(D(2025, 4, 30), counts)
    assert ask("numerator", slice="category:theft", grain="month") == (4,)
    assert ask("count(*)", slice="category:theft", grain="day") == (0,)
    assert ask("count(*)", slice="excluded:repeat") == (0,)


def test_groups_of_units_are_read_by_their_own_calendar() -> None:
    weekly = [("K", "US-NYC", D(2024, 1, 1) + n * 7 * DAY, cell, 70, 0) for n in range(20) for cell in ("", "category:a")]
    ask = built(D(2024, 6, 1), weekly, parents={"US-NYC": None}, group="open_data")
    assert {row[0] for row in ask("distinct grain")} == {"week", "month", "quarter", "year", "ytd"}
    assert ask("count(*)", slice="category:a", grain="week") == (20,)
