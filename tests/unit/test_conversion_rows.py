"""What becomes of a row: accepted, filtered or rejected, and why."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_kit import BATCH, convert, convert_chunk, make_contract, make_entity

from dagster_project.home import Home
from dagster_project.ingest.conversion import ConversionError, fault_in_statement
from dagster_project.ingest.engine import open_engine
from dagster_project.ingest.mapping import Mapping
from dagster_project.ingest.typed import literal, sortable


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.at(tmp_path_factory.mktemp("home")).ensure()


ENTITY = make_entity(id="text", kind={"type": "text", "codes": ("a", "b")}, n="integer", seen={"type": "timestamp", "required": True})
COLUMNS: dict[str, Any] = {"id": "ID", "kind": "K", "n": "N", "seen": "T"}
GOOD = {"ID": "1", "K": "a", "N": "5", "T": "2024-03-05 10:00:00"}


def reasons(home: Home, row: dict[str, str | None], **parts: Any) -> list[str]:
    return convert(home, ENTITY, make_contract(COLUMNS, **parts), [GOOD | row])[0].reasons


def test_a_good_row_is_accepted_without_reasons(home: Home) -> None:
    row = convert(home, ENTITY, make_contract(COLUMNS), [GOOD])[0]
    assert (row.fate, row.reasons) == ("accepted", [])
    assert row.values == {"id": "1", "kind": "a", "n": 5, "seen": dt.datetime(2024, 3, 5, 10)}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"T": ""}, ["missing_required:seen"]),
        ({"T": "2023-02-30"}, ["bad_type:seen"]),
        ({"K": "z"}, ["unknown_code:kind"]),
        ({"N": "x"}, ["bad_type:n"]),
        ({"K": "z", "N": "x", "T": None}, ["unknown_code:kind", "bad_type:n", "missing_required:seen"]),
        ({"ID": None}, []),
    ],
)
def test_a_row_bears_every_reason_it_has(home: Home, row: dict[str, str | None], expected: list[str]) -> None:
    assert reasons(home, row) == expected


def test_key_columns_and_columns_that_the_contract_requires_are_required(home: Home) -> None:
    assert reasons(home, {"ID": ""}, extract={"mode": "append", "key": ["id"]}) == ["missing_required:id"]
    contract = make_contract({**COLUMNS, "n": {"from": "N", "required": True}})
    assert convert(home, ENTITY, contract, [GOOD | {"N": "", "ID": ""}])[0].reasons == ["missing_required:n"]


def test_rules_reject_where_they_are_false_and_let_null_pass(home: Home) -> None:
    rules = [{"id": "small", "expect": "n < 10", "message": "too many"}, {"id": "odd", "expect": "n % 2 = 1", "message": "even"}]
    assert reasons(home, {"N": "12"}, rules=rules) == ["rule:small", "rule:odd"]
    assert reasons(home, {"N": "3"}, rules=rules) == []
    assert reasons(home, {"N": ""}, rules=rules) == []


def test_a_warning_lets_the_row_pass_and_counts_it_once_accepted(home: Home) -> None:
    rules = [{"id": "small", "expect": "n < 10", "severity": "warn", "message": "many"}]
    delivered = [GOOD, GOOD | {"N": "12"}, GOOD | {"N": "13", "K": "z"}, GOOD | {"N": ""}]
    rows, _, warned = convert_chunk(home, ENTITY, make_contract(COLUMNS, rules=rules), delivered)
    assert [r.fate for r in rows] == ["accepted", "accepted", "rejected", "accepted"]
    assert warned == {"small": 1}


def test_the_filter_leaves_out_where_it_is_false_whatever_else_is_wrong(home: Home) -> None:
    contract = make_contract(COLUMNS, filter="id <> '合计'")
    delivered = [GOOD, GOOD | {"ID": "合计", "N": "-", "T": ""}, GOOD | {"ID": ""}]
    assert [(r.fate, r.reasons) for r in convert(home, ENTITY, contract, delivered)] == [
        ("accepted", []),
        ("filtered", []),
        ("accepted", []),
    ]


def test_a_filter_that_cannot_tell_leaves_nothing_out(home: Home) -> None:
    rows = convert(home, ENTITY, make_contract(COLUMNS, filter="n > 3"), [GOOD | {"N": "x"}, GOOD | {"N": ""}])
    assert [(r.fate, r.reasons) for r in rows] == [("rejected", ["bad_type:n"]), ("accepted", [])]


def test_local_columns_serve_conditions_and_are_not_stored(home: Home) -> None:
    columns = {**COLUMNS, "_state": {"from": "S", "type": "text"}}
    contract = make_contract(columns, rules=[{"id": "live", "expect": "_state = 'live'", "message": "dead"}])
    rows = convert(home, ENTITY, contract, [GOOD | {"S": "live"}, GOOD | {"S": "dead"}])
    assert [r.reasons for r in rows] == [[], ["rule:live"]]
    assert "_state" not in rows[0].values


def test_a_correction_puts_right_what_it_finds_and_is_counted(home: Home) -> None:
    corrections = [{"where": "id = '7'", "set": {"seen": "2024-02-29 00:00:00", "kind": "b"}, "reason": "wrong clock", "expect": 1}]
    delivered = [GOOD, GOOD | {"ID": "7", "T": "2024-02-30", "K": "?"}]
    rows, corrected, _ = convert_chunk(home, ENTITY, make_contract(COLUMNS, corrections=corrections), delivered)
    assert [r.reasons for r in rows] == [[], []]
    assert (rows[1].values["seen"], rows[1].values["kind"]) == (dt.datetime(2024, 2, 29), "b")
    assert (rows[0].values["seen"], rows[0].values["kind"]) == (dt.datetime(2024, 3, 5, 10), "a")
    assert corrected == {0: 1}


def test_corrections_look_at_rows_as_delivered_and_the_last_one_wins(home: Home) -> None:
    corrections = [
        {"where": "n = 5", "set": {"n": 6}, "reason": "r", "expect": 1},
        {"where": "n = 6", "set": {"n": 7}, "reason": "r", "expect": 1},
        {"where": "n = 5", "set": {"id": "x", "n": None}, "reason": "r", "expect": 1},
    ]
    rows, corrected, _ = convert_chunk(home, ENTITY, make_contract(COLUMNS, corrections=corrections), [GOOD])
    assert (rows[0].values["id"], rows[0].values["n"]) == ("x", None)
    assert corrected == {0: 1, 1: 0, 2: 1}


def test_a_correction_of_another_batch_does_nothing(home: Home) -> None:
    corrections = [{"where": "true", "set": {"n": 0}, "reason": "r", "expect": 1, "batch": (BATCH + dt.timedelta(days=1)).isoformat()}]
    rows, corrected, _ = convert_chunk(home, ENTITY, make_contract(COLUMNS, corrections=corrections), [GOOD])
    assert (rows[0].values["n"], corrected) == (5, {})


def test_a_row_that_deletes_its_key_needs_the_key_alone(home: Home) -> None:
    columns = {**COLUMNS, "_deleted": {"from": "D", "type": "boolean"}}
    contract = make_contract(columns, extract={"mode": "delta", "key": ["id"], "deleted_when": "_deleted"})
    delivered = [GOOD | {"D": "0"}, {"ID": "2", "D": "1"}, {"ID": "", "D": "1"}, {"ID": "3", "D": ""}]
    rows = convert(home, ENTITY, contract, delivered)
    assert [r.reasons for r in rows] == [[], [], ["missing_required:id"], ["missing_required:seen"]]
    assert [r.values["is_deleted"] for r in rows[:2]] == [False, True]


def test_keys_of_several_columns_are_never_written_alike(home: Home) -> None:
    entity = make_entity(a="text", b="text", n="integer")
    contract = make_contract({"a": "A", "b": "B", "n": "N"}, extract={"mode": "append", "key": ["a", "b", "n"]})
    pairs = [("x", "y"), ("x|y", "z"), ("x", "y|z"), ("x\\", "y"), ("x", "\\|y"), ("x\\|y", "z")]
    rows = convert(home, entity, contract, [{"A": a, "B": b, "N": "1"} for a, b in pairs])
    assert rows[0].values["record_key"] == "x|y|1"
    assert len({r.values["record_key"] for r in rows}) == len(pairs)


def test_the_key_of_one_column_is_its_value(home: Home) -> None:
    contract = make_contract(COLUMNS, extract={"mode": "append", "key": ["n"]})
    assert convert(home, ENTITY, contract, [GOOD | {"N": "007"}])[0].values["record_key"] == "7"


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=20),
    st.lists(st.decimals(-(10**12) + 1, 10**12 - 1, places=6), min_size=2, max_size=20),
)
@settings(max_examples=40, deadline=None)
def test_versions_sort_like_the_values_they_stand_for(integers: list[int], decimals: list[Any]) -> None:
    for values, logical in ((integers, "integer"), (decimals, "decimal(18,6)")):
        type = "bigint" if logical == "integer" else logical
        rows = ", ".join(f"(cast({literal(str(v))} as {type}))" for v in values)
        got = duckdb.sql(f"select v, {sortable('v', logical)} from (values {rows}) as t(v)").fetchall()
        assert [v for v, _ in sorted(got, key=lambda r: r[1])] == sorted(v for v, _ in got)


def test_versions_of_times_sort_by_time(home: Home) -> None:
    contract = make_contract(COLUMNS, extract={"mode": "delta", "key": ["id"], "version": "seen"})
    times = ["2024-03-05 09:00:00", "2024-03-05 10:00:00.5", "2024-03-05 10:00:00", "2023-12-31"]
    versions = [r.values["record_version"] for r in convert(home, ENTITY, contract, [GOOD | {"T": t} for t in times])]
    assert sorted(versions) == [versions[3], versions[0], versions[2], versions[1]]


def test_a_condition_that_breaks_on_a_value_says_so_without_the_value(home: Home) -> None:
    contract = make_contract(COLUMNS, rules=[{"id": "r", "expect": "cast(id as bigint) > 0", "message": "m"}])
    with pytest.raises(ConversionError) as failed:
        convert(home, ENTITY, contract, [GOOD | {"ID": "13812345678x"}])
    assert "check its conditions" in str(failed.value)
    assert "13812345678" not in str(failed.value)
    assert failed.value.__cause__ is None


def test_a_condition_that_does_not_fit_its_columns_names_what_is_wrong(home: Home) -> None:
    contract = make_contract(COLUMNS, filter="seen > 5")
    with pytest.raises(ConversionError, match="does not fit"):
        convert(home, ENTITY, contract, [GOOD])


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/hostname')",
        "copy (select 1) to '{scratch}/out.csv'",
        "attach '{scratch}/other.duckdb' as other",
        "set memory_limit = '100GB'",
        "set enable_external_access = true",
        "install httpfs",
        "load httpfs",
        "select * from secret_table",
    ],
)
def test_the_engine_sees_nothing_but_what_it_is_given(home: Home, sql: str) -> None:
    secret_table = {"x": [1]}
    with open_engine(home) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql.format(scratch=home.scratch))
    assert secret_table
    assert not list(home.scratch.glob("*.csv"))


def test_the_conditions_of_a_contract_can_be_tried_without_a_delivery(home: Home) -> None:
    with open_engine(home) as connection:
        faults = [
            fault_in_statement(Mapping(make_contract(COLUMNS, filter=condition), ENTITY, BATCH), connection)
            for condition in ("n > 3 and id like 'x%'", "seen > 5", "length(n) = 2")
        ]
    assert faults[0] is None
    assert all(fault is not None and "does not fit" in fault for fault in faults[1:])


def test_what_a_killed_run_spilled_is_removed(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    left = home.scratch / f"duckdb-{ended.pid}-abc"
    alive = home.scratch / f"duckdb-{os.getpid()}-abc"
    for folder in (left, alive):
        folder.mkdir()
        (folder / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"x")
    with open_engine(home):
        assert (left.exists(), alive.exists()) == (False, True)
