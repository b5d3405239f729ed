"""What the comparison of two engines calls a difference."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from benchmarks.parity import Difference, compare_table

COLUMNS = "unit varchar, day date, numerator bigint, value double, verdict varchar"
ROWS = [
    ("'a'", "date '2025-01-01'", "3", "0.1", "'rise'"),
    ("'b'", "null", "4", "null", "null"),
    ("'b'", "date '2025-01-01'", "5", "'infinity'", "'fall'"),
]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        for table in ("own", "other"):
            opened.execute(f"create table {table} ({COLUMNS})")
            opened.execute(f"insert into {table} values {', '.join('(' + ', '.join(row) + ')' for row in ROWS)}")
        yield opened


def _compared(connection: duckdb.DuckDBPyConnection, change: str = "select 1", key: tuple[str, ...] = ("unit", "day")) -> list[Difference]:
    connection.execute(change)
    return compare_table(connection, "own", "other", key)


@pytest.mark.parametrize("key", [("unit", "day"), ()])
def test_equal_tables_do_not_differ(connection: duckdb.DuckDBPyConnection, key: tuple[str, ...]) -> None:
    assert _compared(connection, key=key) == []


def test_doubles_may_stray_by_one_in_a_billion_and_no_more(connection: duckdb.DuckDBPyConnection) -> None:
    assert _compared(connection, "update other set value = value * (1 + 9e-10) where unit = 'a'") == []
    (difference,) = _compared(connection, "update other set value = value * (1 + 9e-10) where unit = 'a'")
    assert (difference.table, difference.column, difference.rows) == ("own", "value", 1)
    assert "unit a" in difference.examples[0]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("update other set numerator = 6 where numerator = 5", "numerator"),
        ("update other set verdict = 'rise' where verdict is null", "verdict"),
        ("update other set value = 0 where value is null", "value"),
        ("update other set value = null where unit = 'a'", "value"),
        ("update other set value = 1e300 where value = 'infinity'", "value"),
    ],
)
def test_a_changed_column_is_named(connection: duckdb.DuckDBPyConnection, change: str, column: str) -> None:
    assert [(d.column, d.rows) for d in _compared(connection, change)] == [(column, 1)]


@pytest.mark.parametrize(
    ("change", "engine"),
    [("delete from other where day is null", "DuckDB"), ("insert into other select * from own where day is null", "Spark")],
)
def test_a_row_of_one_engine_only_is_shown(connection: duckdb.DuckDBPyConnection, change: str, engine: str) -> None:
    (difference,) = _compared(connection, change)
    assert (difference.column, difference.rows) == ("", 1)
    assert difference.examples[0].startswith(f"only_on {engine}")


def test_a_column_of_one_engine_only_is_named(connection: duckdb.DuckDBPyConnection) -> None:
    (difference,) = _compared(connection, "alter table other drop column verdict")
    assert difference.column == "verdict"
