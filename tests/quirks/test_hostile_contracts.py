"""A contract is data: whatever stands in one, nothing beyond its batch is read, written, or brought down."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from ingest_kit import Bench, make_contract, make_entity
from pydantic import ValidationError

from dagster_project.contracts.check import check_contract
from dagster_project.contracts.conditions import ConditionError, check_condition
from dagster_project.contracts.entities import load_entities
from dagster_project.contracts.model import Contract
from dagster_project.contracts.patterns import find
from dagster_project.contracts.problems import Finding

OUTSIDE = (
    "read_csv('/etc/passwd') is null",
    "exists (from read_text('/etc/passwd'))",
    "id in (select content from read_text('/etc/passwd'))",
    "getenv('HOME') = id",
    "current_setting('temp_directory') = id",
    "id = (select sql from duckdb_tables())",
    "true; attach '/tmp/x.duckdb' as x",
    "true; copy chunk to '/tmp/x.csv'",
    "true; install httpfs",
    "true union all select 1",
    "list_transform([1], x -> getenv('HOME')) is null",
    "id = $1",
    "pg_read_file('/etc/passwd') = id",
    "query('select 1') is null",
    "sniff_csv('/etc/passwd') is null",
    "struct_pack(a := getenv('HOME')).a = id",
    "[getenv('HOME')][1] = id",
    "cast(getenv('HOME') as varchar) = id",
    "case when getenv('HOME') = '' then true end",
    "id similar to getenv('HOME')",
    "id collate nocase = getenv('HOME')",
    "id = 'a' /* */ or glob('/etc/*') is null",
)
ENTITY = make_entity(id="text", kind={"type": "text", "codes": ("a'; drop table chunk; --", "b")}, note="text", _flag="text")
COLUMNS: dict[str, Any] = {"id": {"from": "ID"}, "kind": {"from": "K"}, "note": {"from": "N"}}
PROJECT_CONTRACT = Path(__file__).resolve().parents[2] / "dagster_project" / "sources" / "call" / "call_form.yaml"


def _written(place: str, sql: str) -> dict[str, Any]:
    contract: dict[str, Any] = yaml.safe_load(PROJECT_CONTRACT.read_text(encoding="utf-8"))
    if place == "filter":
        contract["filter"] = sql
    elif place == "rule":
        contract["rules"] = [{"id": "r", "expect": sql, "message": "m"}]
    elif place == "correction":
        contract["corrections"] = [{"where": sql, "set": {"unit_code": "x"}, "reason": "r", "expect": 1}]
    elif place == "deleted_when":
        contract["extract"] = {**contract["extract"], "mode": "delta", "key": ["incident_id"], "deleted_when": sql}
    return contract


@pytest.mark.parametrize("place", ["filter", "rule", "correction", "deleted_when"])
def test_no_condition_can_read_beyond_its_row(place: str) -> None:
    def findings(sql: str) -> list[Finding]:
        contract = Contract.model_validate(_written(place, sql))
        return check_contract(contract, load_entities()[contract.entity])

    assert findings("incident_id is null") == []
    for sql in OUTSIDE:
        assert findings(sql.replace("id ", "incident_id ")) != [], sql


def test_texts_of_a_contract_are_values_and_names_never_sql(tmp_path: Path) -> None:
    """Codes, constants, corrections and delivered names with quotes in them come out as they went in."""
    hostile = "a'; drop table chunk; --"
    columns = {
        "id": {"from": "I\"D; attach 'x' as y; --"},
        "kind": {"from": "K'", "codes": {"'": hostile, "\"); copy chunk to '/tmp/x'; --": "b"}},
        "note": {"constant": "'); select getenv('HOME'); --"},
    }
    bench = Bench(tmp_path, ENTITY, make_contract(columns, rules=[{"id": "r", "expect": "kind <> '''; --'", "message": "m"}]))
    bench.deliver("2024-03-05.csv", '''"I""D; attach 'x' as y; --",K'\nx,'\ny,"""); copy chunk to '/tmp/x'; --"\n''')
    assert bench.night().status == "ok"
    assert bench.pool("id, kind, note") == [
        ("x", hostile, "'); select getenv('HOME'); --"),
        ("y", "b", "'); select getenv('HOME'); --"),
    ]


@pytest.mark.parametrize(
    "condition",
    [
        "lpad(id, 2000000000, 'x') <> 'a'",
        "rpad(id, length(id) * 1000000, 'x') <> 'a'",
        "replace(replace(replace(id, 'a', 'aaa'), 'a', 'aaa'), 'a', 'aaa') = 'a'",
        f"replace(id, 'a', '{'a' * 101}') = 'a'",
        "id in (" + ", ".join(["'a'"] * 1_000) + ")",
    ],
)
def test_no_condition_can_fill_the_memory(condition: str) -> None:
    check_condition("lpad(replace(replace(id, '-', ''), ' ', ''), 12, '0') <> id", ["id"])
    with pytest.raises(ConditionError, match=r"longer than|at most"):
        check_condition(condition, ["id"])


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "../../etc"},
        {"id": "a/b"},
        {"id": "a'b"},
        {"entity": "../incident"},
        {"domain": "../../x"},
        {"group": "a b"},
        {"landing": {"glob": "../secrets/*", "batch": {"constant": "2024-01-01"}}},
        {"landing": {"glob": "/etc/passwd", "batch": {"constant": "2024-01-01"}}},
        {"landing": {"glob": "a/../../*", "batch": {"constant": "2024-01-01"}}},
        {"pull": {"kind": "sql", "server": "postgresql://me@host/db", "table": "t"}},
        {"pull": {"kind": "rest", "server": "API", "path": "@elsewhere.example/x"}},
    ],
)
def test_names_and_paths_cannot_lead_out_of_their_place(changed: dict[str, Any]) -> None:
    sound = make_contract(COLUMNS).model_dump(mode="json", by_alias=True, exclude_unset=True)
    Contract.model_validate(sound)
    with pytest.raises(ValidationError):
        Contract.model_validate({**sound, **changed})


# ---- regular expressions ------------------------------------------------------------------------------------------------

GOES_BACK_AND_FORTH = ("^(.+)+;$", "^([a-z/]+)+;$", "(a|aa)+;$")


@contextmanager
def _seconds(limit: int) -> Iterator[None]:
    """Fail instead of waiting for years."""

    def too_long(*_: object) -> None:
        raise TimeoutError(f"not done after {limit} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("pattern", GOES_BACK_AND_FORTH)
def test_an_expression_that_goes_back_and_forth_costs_its_batch_no_time(tmp_path: Path, pattern: str) -> None:
    landing = {"glob": "things/*", "batch": {"path": pattern, "format": "%Y-%m-%d"}}
    bench = Bench(tmp_path, ENTITY, make_contract({"id": {"from": "ID"}}, landing=landing))
    bench.deliver("a" * 200 + ".csv", "ID\nx\n")
    with _seconds(20):
        result = bench.night()
    assert result.status == "held" and any("does not match" in m for m in result.messages)


def test_an_expression_for_a_sheet_costs_no_time_either(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.title = "a" * 31
    book = io.BytesIO()
    workbook.save(book)
    shape = {"kind": "xlsx", "sheet": "/^(a+)+;$/"}
    bench = Bench(tmp_path, ENTITY, make_contract({"id": {"from": "ID"}}, format=shape))
    bench.deliver("2024-03-05.xlsx", book.getvalue())
    with _seconds(20):
        result = bench.night()
    assert result.status == "failed" and any("finds no sheet" in m for m in result.messages)


@pytest.mark.parametrize("pattern", [r"(?=a)(\d{8})", r"(\d)\1", "((((x{99}){99}){99}){99})", "(" + "x" * 1_000 + ")"])
def test_what_the_engine_of_expressions_does_not_know_or_cannot_hold_is_a_mistake_of_the_contract(pattern: str) -> None:
    landing = {"glob": "things/*", "batch": {"path": pattern, "format": "%Y"}}
    with pytest.raises(ValidationError, match=r"not a regular expression of RE2|longer than 1,000"):
        make_contract({"id": {"from": "ID"}}, landing=landing)


def test_a_file_name_that_is_no_text_can_be_dated(tmp_path: Path) -> None:
    assert find(r"(\d{4})-x", os.fsdecode(b"\xff2024-x")) == ("2024-x", "2024")
