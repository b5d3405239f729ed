"""Gaming that can be switched on: what each kind changes, whose rows, from when; and that nothing else changes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dagster_project.city import codes
from dagster_project.city.clock import DAY, NEVER, date_of, seconds_of
from dagster_project.city.gaming import KINDS, Gaming, Record, play_games
from dagster_project.city.simulate import simulate
from dagster_project.city.world import NO_CALL, World, live
from dagster_project.cli import app

SINCE = dt.date(2024, 12, 10)
LAST_DAY = dt.date(2025, 3, 7)
QUOTA = 10
Row = tuple[Any, ...]
SMALL: dict[str, Any] = {"seed": 5, "history_days": 70, "counties": 2, "stations_per_county": 2, "scale": 0.004, "domains": ()}


@cache
def honest() -> World:
    return live(5, dt.date(2024, 9, 1), LAST_DAY, 2, 3, 0.02)


@cache
def gamed(kind: str, strength: float = 1.0) -> tuple[World, Record]:
    return play_games(honest(), Gaming(strength, (kind,)), SINCE)


def of_calls(world: World) -> Iterator[tuple[str, str, int, Row]]:
    """Table, unit, time and content of every row of the calls; the unit of a call is that of its place."""
    calls = world.calls
    columns = {n: getattr(calls, n) for n in calls.__dataclass_fields__}
    lists = {n: c if isinstance(c, list) else c.tolist() for n, c in columns.items()}
    for row in zip(*lists.values(), strict=True):
        values = dict(zip(lists, row, strict=True))
        yield "calls", values["unit"], values["reported"], row


def rows_of(world: World) -> Iterator[tuple[str, str, int, Row]]:
    """Every row of the world by what it says, not by its place: (table, unit that answers for it, its time, content)."""
    yield from of_calls(world)
    cases, events, disputes, callbacks = world.cases, world.events, world.disputes, world.callbacks

    def number_of_call(call: int) -> str | None:
        return world.calls.number[call] if call != NO_CALL else None

    for i in range(len(cases)):
        content = tuple(str(getattr(cases, n)[i]) for n in cases.__dataclass_fields__ if n != "call")
        yield "cases", str(cases.unit[i]), int(cases.accepted[i]), (number_of_call(cases.call[i]), *content)
    for e in range(len(events)):
        case = events.case[e]
        content = (cases.number[case], str(events.event[e]), str(events.unit[e]), int(events.happened[e]))
        yield "events", str(cases.unit[case]), int(cases.accepted[case]), content
    for d in range(len(disputes)):
        content = tuple(str(getattr(disputes, n)[d]) for n in disputes.__dataclass_fields__ if n not in ("call", "dispute"))
        yield "disputes", str(disputes.unit[d]), int(disputes.opened[d]), (number_of_call(disputes.call[d]), *content)
    for c in range(len(callbacks)):
        call = int(callbacks.call[c])
        content = tuple(str(getattr(callbacks, n)[c]) for n in callbacks.__dataclass_fields__ if n != "call")
        yield "callbacks", str(world.calls.unit[call]), int(world.calls.reported[call]), (number_of_call(call), *content)


def plays(record: Record, unit: str, time: int) -> bool:
    return unit in record.units and time >= seconds_of(SINCE)


@pytest.mark.parametrize("kind", KINDS)
def test_only_rows_of_gaming_stations_change_and_only_from_the_day_on(kind: str) -> None:
    world, record = gamed(kind)
    before, after = Counter(rows_of(honest())), Counter(rows_of(world))
    differing = (before - after) + (after - before)
    assert differing
    if kind == "rounded_arrivals":
        responder = list(honest().calls.__dataclass_fields__).index("responder")
        differing = Counter((table, row[responder], time, row) for table, _, time, row in differing)
    assert [row for row in differing if not plays(record, row[1], row[2])] == []


def test_an_honest_city_has_a_little_of_everything_that_is_exaggerated() -> None:
    calls, cases, events, callbacks = honest().calls, honest().cases, honest().events, honest().callbacks
    levels = np.array([code[:2] for code in codes.CODES])[calls.category_first]
    moved = calls.moved != NEVER
    arrived = calls.arrived[calls.arrived != NEVER]
    filed = int((cases.criminal & (cases.filed != NEVER)).sum())
    everyone = Record(1.0, None, tuple(unit.code for unit in honest().places.units), {})
    shares = {
        "graver": (moved & (np.array([c[:2] for c in calls.category.tolist()]) < levels)).mean(),
        "less serious": (moved & (np.array([c[:2] for c in calls.category.tolist()]) > levels)).mean(),
        "deleted": (calls.deleted != NEVER).mean(),
        "round": (arrived % 300 == 0).mean(),
        "without telephone": 1 - callbacks.phone_known.mean(),
        "split": sum(n - 1 for n in clusters(honest(), everyone).values()) / filed,
        "reopened": (events.event == "reopened").mean(),
        "withdrawn": (events.event == "withdrawn").mean(),
    }
    assert {name: share for name, share in shares.items() if not 0.0005 < share < 0.06} == {}


TOUCHED = {
    "solved_only": {"cases", "events"},
    "no_criming": {"calls", "cases", "events", "callbacks"},
    "splitting": {"cases", "events"},
    "downgrading": {"calls"},
    "late_edits": {"calls"},
    "rounded_arrivals": {"calls"},
    "selective_callbacks": {"callbacks"},
    "quota_mediation": {"disputes"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_counts_what_changed(kind: str) -> None:
    world, record = gamed(kind)
    assert {what.split()[0] for _, what in record.kinds[kind]} == TOUCHED[kind]
    assert {unit for unit, _ in record.kinds[kind]} == set(record.units)
    before, after = Counter(rows_of(honest())), Counter(rows_of(world))
    told = Counter[str]()
    for (_, what), number in record.kinds[kind].items():
        table, action = what.split()[0], what.split()[-1]
        told[table] += number if action == "added" else -number if action == "removed" else 0
    assert {table: n for table, n in told.items() if n} == {
        table: n
        for table in TOUCHED[kind]
        if (n := sum(m for row, m in after.items() if row[0] == table) - sum(m for row, m in before.items() if row[0] == table))
    }
    changed_calls = sum(n for (_, what), n in record.kinds[kind].items() if what.startswith("calls"))
    replaced = Counter(of_calls(without_cases_opened(honest()))) - Counter(of_calls(without_cases_opened(world)))
    assert changed_calls == replaced.total()


def without_cases_opened(world: World) -> World:
    """A call knows of its case: that follows from the cases and is no change of its own."""
    return dataclasses.replace(world, calls=dataclasses.replace(world.calls, case_opened=np.full(len(world.calls), NEVER)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_weaker_kind_changes_some_of_what_a_stronger_one_changes(kind: str) -> None:
    totals = [sum(gamed(kind, strength)[1].kinds[kind].values()) for strength in (0.1, 0.5, 1.0)]
    assert 0 < totals[0] < totals[1] < totals[2]


@settings(max_examples=12, deadline=None)
@given(strengths=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), kind=st.sampled_from(KINDS))
def test_rows_changed_grow_with_the_strength(strengths: tuple[float, float], kind: str) -> None:
    weak, strong = (play_games(honest(), Gaming(s, (kind,)), SINCE)[1].kinds[kind].total() for s in sorted(strengths))
    assert weak <= strong


def test_the_declared_share_of_stations_games() -> None:
    standing = {unit.code for unit in honest().places.stations if unit.valid_to is None}
    for share, expected in ((0.01, 1), (0.5, 3), (1.0, 6)):
        _, record = play_games(honest(), Gaming(1.0, ("late_edits",), share), SINCE)
        assert len(record.units) == expected and set(record.units) <= standing


def test_solved_only_files_when_solved_and_keeps_the_unsolved_out() -> None:
    world, record = gamed("solved_only")

    def shares(of: World) -> tuple[float, float, float]:
        rows = [i for i in range(len(of.cases)) if of.cases.criminal[i] and plays(record, str(of.cases.unit[i]), int(of.cases.accepted[i]))]
        cleared: dict[int, int] = {}
        for case, event, happened in zip(of.events.case.tolist(), of.events.event.tolist(), of.events.happened.tolist(), strict=True):
            if event == "cleared":
                cleared[case] = min(happened, cleared.get(case, NEVER))
        filed = [i for i in rows if of.cases.filed[i] != NEVER]
        solved = [i for i in filed if i in cleared]
        quick = sum(cleared[i] - of.cases.filed[i] <= DAY for i in solved) / len(solved)
        before = sum(cleared[i] < of.cases.filed[i] for i in solved) / len(solved)
        return len(solved) / len(filed), quick, before

    assert shares(honest())[0] < 0.45 < 0.55 < shares(world)[0]
    assert shares(honest())[1] < 0.35 < 0.6 < shares(world)[1]
    assert shares(honest())[2] < 0.1 < 0.15 < shares(world)[2]
    kept_out = {number for number, filed in zip(world.cases.number, world.cases.filed.tolist(), strict=True) if filed == NEVER}
    assert not [
        e for e in rows_of(world) if e[0] == "events" and e[3][0] in kept_out and e[3][1] in {"cleared", "withdrawn", "exceptional"}
    ]


def test_no_criming_declares_calls_invalid_deletes_them_and_withdraws_cases() -> None:
    world, record = gamed("no_criming")
    calls = world.calls
    mine = np.array([plays(record, u, t) for u, t in zip(calls.unit.tolist(), calls.reported.tolist(), strict=True)])
    newly_invalid = calls.invalid & ~honest().calls.invalid
    newly_deleted = (calls.deleted != NEVER) & (honest().calls.deleted == NEVER)
    assert newly_invalid.any() and newly_deleted.any() and (mine | ~(newly_invalid | newly_deleted)).all()
    gone = newly_invalid | newly_deleted
    assert (honest().calls.case_opened[gone] != NEVER).all() and (calls.case_opened[gone] == NEVER).all()
    assert not gone[world.cases.call[world.cases.call != NO_CALL]].any()
    assert not newly_invalid[world.callbacks.call].any()
    withdrawn = Counter(e[3][1] for e in rows_of(world) if e[0] == "events" and plays(record, e[1], e[2]))["withdrawn"]
    assert withdrawn > 5 * Counter(e[3][1] for e in rows_of(honest()) if e[0] == "events" and plays(record, e[1], e[2]))["withdrawn"]


def clusters(world: World, record: Record) -> Counter[Row]:
    cases = world.cases
    return Counter(
        (str(cases.unit[i]), str(cases.category[i]), int(cases.occurred[i]) // 60, date_of(cases.filed[i]))
        for i in range(len(cases))
        if cases.filed[i] != NEVER and cases.criminal[i] and plays(record, str(cases.unit[i]), int(cases.accepted[i]))
    )


def test_splitting_makes_several_cases_of_one_matter_on_one_day() -> None:
    world, record = gamed("splitting")
    beyond = {name: sum(n - 1 for n in clusters(of, record).values()) for name, of in (("honest", honest()), ("split", world))}
    assert beyond["split"] - beyond["honest"] == sum(n for (_, what), n in record.kinds["splitting"].items() if what == "cases added")
    assert max(clusters(world, record).values()) >= 4
    assert len(set(world.cases.number)) == len(world.cases)
    assert Counter(clusters(world, record)).keys() == Counter(clusters(honest(), record)).keys()


@pytest.mark.parametrize("kind", ["downgrading", "late_edits"])
def test_categories_are_edited_down(kind: str) -> None:
    world, _ = gamed(kind)
    calls = world.calls
    edited = np.nonzero(calls.moved != honest().calls.moved)[0].tolist()
    assert len(edited) > 20
    for i in edited:
        assert codes.CODES[calls.category_first[i]][:2] < str(calls.category[i])[:2]
        month_after = (date_of(calls.reported[i]).replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        lag = calls.moved[i] - (seconds_of(month_after) if kind == "late_edits" else calls.closed[i])
        assert 0 < lag <= (8 * DAY if kind == "late_edits" else DAY / 2)
        assert calls.case_opened[i] == NEVER


def test_arrivals_are_rounded_and_moved_in_time_but_never_before_the_dispatch() -> None:
    world, record = gamed("rounded_arrivals")
    calls = world.calls
    shaped = calls.arrived != honest().calls.arrived
    assert (calls.arrived[shaped] % 300 == 0).all()
    assert (calls.arrived[shaped] > np.maximum(calls.reported, calls.dispatched)[shaped]).all()
    assert (calls.arrived[shaped] < honest().calls.arrived[shaped]).all()
    mine = np.isin(calls.responder, record.units) & (calls.reported >= seconds_of(SINCE)) & (calls.arrived != NEVER)
    assert shaped[mine].mean() > 0.85
    on_time = [(of.calls.arrived - of.calls.reported <= 600)[mine].mean() for of in (honest(), world)]
    assert on_time[1] > on_time[0] + 0.1


def test_callbacks_are_selected_and_invented() -> None:
    world, record = gamed("selective_callbacks")
    calls, callbacks = world.calls, world.callbacks
    mine = np.isin(calls.unit, record.units) & (calls.reported >= seconds_of(SINCE))
    about_cases = mine & (calls.case_opened != NEVER)
    assert about_cases[honest().callbacks.call].any() and not about_cases[callbacks.call].any()
    at_once = mine[callbacks.call] & (callbacks.attempt == 1)
    assert set(callbacks.reply[at_once].tolist()) == {"1", "5"}
    later = Counter(callbacks.reply[mine[callbacks.call] & (callbacks.attempt > 1)].tolist())
    assert later["3"] > 0 and 0.6 < later["1"] / (later["1"] + later["2"] + later["3"]) < 0.9
    without_phone = [1 - of.callbacks.phone_known[mine[of.callbacks.call]].mean() for of in (honest(), world)]
    assert without_phone[0] < 0.08 and without_phone[1] > 0.12


def test_the_quota_is_met_exactly_on_the_last_day_of_every_whole_month() -> None:
    world, record = gamed("quota_mediation")

    def entries(of: World) -> Counter[tuple[str, str]]:
        own = of.disputes.origin == "station"
        return Counter(
            (u, f"{date_of(t):%Y-%m}") for u, t in zip(of.disputes.unit[own].tolist(), of.disputes.opened[own].tolist(), strict=True)
        )

    for unit in record.units:
        for month in ("2025-01", "2025-02"):
            assert entries(world)[unit, month] == max(QUOTA, entries(honest())[unit, month])
        assert entries(world)[unit, "2024-12"] == entries(honest())[unit, "2024-12"]
    before = set(rows_of(honest()))
    added = [row for row in rows_of(world) if row not in before and row[0] == "disputes" and "agreement" in row[3]]
    assert {f"{date_of(time):%m-%d}" for _, _, time, _ in added} >= {"01-31", "02-28"}
    assert (np.diff(world.disputes.opened) >= 0).all() and len(set(world.disputes.number)) == len(world.disputes)


def fingerprints(folder: Path, part: str = "") -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and (not part or not p.relative_to(folder).as_posix().startswith(part))
    }


def test_no_strength_gives_the_bytes_of_an_honest_city(tmp_path: Path) -> None:
    first_night = dt.date(2025, 3, 1)
    simulate(tmp_path / "honest", first_night=first_night, nights=2, **SMALL)
    simulate(tmp_path / "idle", first_night=first_night, nights=2, gaming=Gaming(0, ("splitting",)), **SMALL)
    assert fingerprints(tmp_path / "idle") == fingerprints(tmp_path / "honest")
    assert json.loads((tmp_path / "idle" / "truth" / "gaming.json").read_text(encoding="utf-8")) == {
        "strength": 0,
        "since": None,
        "units": [],
        "kinds": {},
    }
    world = honest()
    assert play_games(world, Gaming(0), SINCE)[0] is world


def test_the_same_games_give_the_same_bytes_and_further_nights_leave_the_earlier_ones_as_they_were(tmp_path: Path) -> None:
    first_night, gaming = dt.date(2025, 2, 26), Gaming(0.8)
    for name, nights in (("shorter", 2), ("longer", 6), ("again", 6)):
        simulate(tmp_path / name, first_night=first_night, nights=nights, gaming=gaming, **SMALL)
    assert fingerprints(tmp_path / "again") == fingerprints(tmp_path / "longer")
    shorter, longer = fingerprints(tmp_path / "shorter", "truth/"), fingerprints(tmp_path / "longer", "truth/")
    assert {name: longer[name] for name in shorter} == shorter
    assert len(longer) > len(shorter)
    record = json.loads((tmp_path / "longer" / "truth" / "gaming.json").read_text(encoding="utf-8"))
    assert (record["strength"], record["since"], list(record["kinds"])) == (0.8, "2025-01-22", list(KINDS))
    assert record["kinds"]["quota_mediation"] and record["kinds"]["quota_mediation"].keys() <= set(record["units"])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"strength": -0.1}, "strength"),
        ({"strength": 1.01}, "strength"),
        ({"strength": math.nan}, "strength"),
        ({"strength": 1, "kinds": ("bribery",)}, "bribery.*splitting"),
        ({"strength": 1, "kinds": ()}, "needs a kind"),
        ({"strength": 1, "share": 0.0}, "share"),
        ({"strength": 1, "share": 1.5}, "share"),
        ({"strength": 1, "since": dt.date(2031, 1, 1)}, "2031-01-01.*lives from 2024-12-21 to 2025-03-02"),
    ],
    ids=str,
)
def test_games_that_cannot_be_played_are_refused(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        simulate(tmp_path, first_night=dt.date(2025, 3, 1), nights=2, gaming=Gaming(**wrong), **SMALL)
    assert not list(tmp_path.iterdir())


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["simulate", *arguments], env={"COLUMNS": "300", "TERM": "dumb"})
    return done.exit_code, done.output


TINY = ("--scale", "0.001", "--nights", "1", "--history-days", "40", "--counties", "1", "--stations", "2", "--domain", "none")


def test_the_command_games_as_it_is_told(tmp_path: Path) -> None:
    code, text = run("--out", str(tmp_path), *TINY, "--gaming", "1", "--gaming-kind", "rounded_arrivals", "--gaming-share", "1")
    assert code == 0, text
    record = json.loads((tmp_path / "truth" / "gaming.json").read_text(encoding="utf-8"))
    assert list(record["kinds"]) == ["rounded_arrivals"] and record["strength"] == 1
    assert len(record["units"]) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--gaming", "2"), "must be 0 to 1"),
        (("--gaming", "1", "--gaming-kind", "bribery"), "there is no gaming of kind bribery"),
        (("--gaming-kind", "splitting"), "add --gaming STRENGTH"),
        (("--gaming", "1", "--gaming-since", "2001-01-01"), "gaming cannot begin on 2001-01-01"),
    ],
    ids=str,
)
def test_the_command_says_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    code, text = run("--out", str(tmp_path), *TINY, *arguments)
    assert code == 2 and says in text.replace("│", "")
    assert not list(tmp_path.iterdir())
