"""A build of ``kpi`` that starts from the last one gives, to the last digit, what a build that starts anew gives (I3)."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kpi_harness import LONG_AGO, build_on_last, kpi_table

PARENTS = {"city": None, "north": "city", "south": "city", "n1": "north", "n2": "north", "s1": "south"}
LEAVES = ("n1", "n2", "s1")
KINDS: dict[str, dict[str, Any]] = {
    "count": {"kind": "count"},
    "share": {"kind": "proportion", "maturity_days": 40},
    "rate": {"kind": "rate", "time_rule": "exposure"},
    "ratio": {"kind": "ratio"},
    "stock": {"kind": "proportion", "time_rule": "last"},
    "money": {"kind": "amount", "value_scale": 0.01},
    "score": {"kind": "weighted"},
    "weighed": {"kind": "weighted"},
    "records": {"kind": "count", "numerator_unit": "record"},
    "points": {"kind": "count", "value_scale": 0.1},
}
CELLS = {"money": ("", "square:x", "category:a"), "score": ("", "result:good", "category:a"), "weighed": ("", "square:x")}
ORDINARY = ("", "category:a", "category:b", "excluded:x")
Count = tuple[str, str, dt.date, str, int, int]


def everything(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute("select * from kpi order by all").fetchall()


def counted(noise: random.Random, kpi_id: str, last: dt.date, days: int, presence: float | None = None) -> list[Count]:
    """Counts of one KPI on some of the days up to some days after the night; one row per unit, day and cell."""
    presence, level = presence or noise.choice([0.03, 0.3, 0.9]), noise.choice([0.5, 5, 60])
    rows = {}
    for back in range(-3, days):
        for leaf in LEAVES:
            if noise.random() < presence:
                n = int(noise.expovariate(1 / level)) + 1
                cell = noise.choice(CELLS.get(kpi_id, ORDINARY))
                day = last - dt.timedelta(days=back)
                rows[leaf, day, cell] = (kpi_id, leaf, day, cell, noise.randint(0, n), n)
    return list(rows.values())


def spoilt(noise: random.Random, counts: Sequence[Count], earlier: dt.date) -> list[Count]:
    """What an earlier night may have counted: nothing later, some rows not yet there, some others (of one month or of any), some that are gone since."""
    share = noise.choice([0, 0.002, 0.2])
    month = noise.choice([None, noise.choice(counts)[2].replace(day=1)]) if counts else None
    kept = []
    for kpi_id, leaf, day, cell, numerator, denominator in counts:
        spoils = month in (None, day.replace(day=1))
        if day > earlier or (spoils and noise.random() < share):
            continue
        more = spoils and noise.random() < share
        kept.append((kpi_id, leaf, day, cell, numerator, denominator + 1 if more else denominator))
    gone = noise.choice([None, "category:b", "n1", "share"])
    return [row for row in kept if gone not in (row[0], row[1], row[3])]


Nights = list[tuple[dt.date, list[Count]]]
Lives = dict[str, tuple[dt.date, dt.date | None]]


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, dict[str, Any]], Nights, Lives]:
    """A catalogue, two or three nights, each with all it counts, and a unit that may end; a later night may also come before an earlier one."""
    noise = random.Random(draw(st.integers(0, 2**32)))
    last = dt.date(2024, 1, 1) + dt.timedelta(days=draw(st.integers(0, 1000)))
    days = draw(st.sampled_from([5, 45, 420, 1300]))
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3, unique=True))
    counts = [row for kind in kinds for row in counted(noise, kind, last, days)]
    nights = [last - dt.timedelta(days=n) for n in draw(st.lists(st.sampled_from([0, 1, 2, 20, 70, 400]), min_size=1, max_size=2))]
    states = [(night, spoilt(noise, counts, night)) for night in nights]
    anchor = (kinds[0], "n1", min(nights) - dt.timedelta(days=1), "", 1, 1)
    catalogue = {kind: KINDS[kind] for kind in kinds}
    ends = draw(st.sampled_from([None, -30, -1, 0, 1, 15, 60, 400]))
    lives: Lives = {} if ends is None else {"s1": (LONG_AGO, last - dt.timedelta(days=ends))}
    return catalogue, [(night, one_row_each([*rows, anchor])) for night, rows in [*states, (last, counts)]], lives


def one_row_each(rows: Sequence[Count]) -> list[Count]:
    return list({row[:4]: row for row in rows}.values())


def assert_same_as_anew(catalogue: dict[str, dict[str, Any]], nights: Nights, **units: Any) -> None:
    units = {"parents": PARENTS, "sums": ("square", "result"), **units}
    (first, counts), *later = nights
    with kpi_table(first, catalogue, counts, **units) as grown, kpi_table(nights[-1][0], catalogue, nights[-1][1], **units) as anew:
        for night, rows in later:
            build_on_last(grown, night, rows)
        assert everything(grown) == everything(anew)


@settings(max_examples=16, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(histories())
def test_nights_one_after_the_other_give_what_the_last_alone_gives(
    history: tuple[dict[str, dict[str, Any]], Nights, Lives],
) -> None:
    catalogue, nights, lives = history
    assert_same_as_anew(catalogue, nights, lives=lives)


def test_only_what_holds_a_restated_day_is_summed_again_and_nothing_is_forgotten() -> None:
    """A night on which only a day is new sums what holds its month; one that restates a day of an earlier year sums those of its month."""
    noise = random.Random(3)
    last = dt.date(2025, 9, 7)
    counts = counted(noise, "count", last, 1300, presence=1.0)
    restated = [(k, u, d, c, n + 50 if d == dt.date(2023, 3, 8) else n, m) for k, u, d, c, n, m in counts]
    with kpi_table(last, {"count": KINDS["count"]}, counts, PARENTS) as connection:

        def summed_again() -> list[tuple[str, dt.date, dt.date]]:
            counted_period = "select period_key from int_kpi_touched_period where is_counted"
            spans = "select grain, min(period_start), max(period_end) from int_kpi_period"
            return connection.execute(f"{spans} where period_key in ({counted_period}) group by grain order by grain").fetchall()

        build_on_last(connection, last + dt.timedelta(days=1), counts)
        assert {start for grain, start, _ in summed_again() if grain in ("day", "week", "month")} == {dt.date(2025, 9, 1)}
        build_on_last(connection, last + dt.timedelta(days=1), restated)
        first, end = dt.date(2023, 3, 1), dt.date(2023, 3, 31)
        assert summed_again() == [
            ("day", first, end),
            ("month", first, end),
            ("quarter", dt.date(2023, 1, 1), end),
            ("week", dt.date(2023, 2, 27), dt.date(2023, 4, 2)),
            ("year", dt.date(2023, 1, 1), dt.date(2023, 12, 31)),
            ("ytd", dt.date(2023, 1, 1), dt.date(2023, 12, 31)),
        ]
        grown = everything(connection)
    with kpi_table(last + dt.timedelta(days=1), {"count": KINDS["count"]}, restated, PARENTS) as anew:
        assert grown == everything(anew)


@pytest.mark.parametrize("days_later", [0, 30])
def test_a_unit_that_ends_between_two_nights_is_in_no_state_from_then_on(days_later: int) -> None:
    """Nothing was counted since, and the months over stay as they were: the year in which the unit ended is summed again."""
    ended = dt.date(2025, 9, 10)
    counts: list[Count] = [("stock", leaf, dt.date(2025, 7, 31), "", 10, 100) for leaf in LEAVES]
    nights = [(ended - dt.timedelta(days=1), counts), (ended + dt.timedelta(days=days_later), counts)]
    assert_same_as_anew({"stock": KINDS["stock"]}, nights, lives={"s1": (LONG_AGO, ended)})


def test_a_feed_that_stops_and_goes_on_gives_every_night_what_that_night_alone_gives() -> None:
    """On 2 September August is cut by the silence since 5 August; on the 4th the feed goes on, and August was quiet; then a day long ago is found."""
    noise = random.Random(5)
    stop = dt.date(2025, 8, 5)
    before = counted(noise, "count", stop, 700, presence=1.0)
    before = [row for row in before if row[2] <= stop]
    after = [row for row in counted(noise, "count", dt.date(2025, 9, 10), 10, presence=1.0) if row[2] >= dt.date(2025, 9, 4)]
    earlier: Count = ("count", "n1", dt.date(2022, 6, 24), "", 3, 0)
    nights = [(dt.date(2025, 8, 5), before), (dt.date(2025, 9, 2), before), (dt.date(2025, 9, 4), [*before, *after])]
    for n in range(2, 4):
        assert_same_as_anew({"count": KINDS["count"]}, nights[:n])
    assert_same_as_anew({"count": KINDS["count"]}, [*nights, (dt.date(2025, 9, 5), [earlier, *before, *after])])


def test_a_wrong_date_is_no_beginning_from_the_night_on_that_shows_it() -> None:
    """Of a single month of deliveries nobody can tell, two show that it is never quiet; then the row is put right."""
    noise = random.Random(7)
    wrong: Count = ("count", "n1", dt.date(2021, 3, 5), "", 3, 0)
    feed = counted(noise, "count", dt.date(2025, 9, 7), 60, presence=1.0)
    ends = [dt.date(2025, 7, 31), dt.date(2025, 8, 1), dt.date(2025, 9, 7)]
    nights = [(end, [wrong, *(row for row in feed if row[2] <= end)]) for end in ends]
    with kpi_table(ends[0], {"count": KINDS["count"]}, nights[0][1], PARENTS) as connection:
        april = "select is_complete from int_kpi_period where grain = 'month' and period_start = date '2021-04-01'"
        told = connection.execute(april).fetchall()
        build_on_last(connection, *nights[1])
        assert [*told, *connection.execute(april).fetchall()] == [(True,), (False,)]
    for n in range(2, 4):
        assert_same_as_anew({"count": KINDS["count"]}, nights[:n])
    assert_same_as_anew({"count": KINDS["count"]}, [*nights, (ends[-1], feed)])


@pytest.mark.parametrize("days_earlier", [0, 3])
def test_a_night_on_which_nothing_was_counted_builds_too(days_earlier: int) -> None:
    last = dt.date(2025, 9, 7)
    counts: list[Count] = [("count", "n1", last - dt.timedelta(days=9), "", 1, 0)]
    assert_same_as_anew({"count": KINDS["count"]}, [(last - dt.timedelta(days=days_earlier), counts), (last, counts)])
