"""The content hash: the same for the same content, another for any other."""

from __future__ import annotations

import json
import random

import duckdb
import pytest

from dagster_project.release.content import TableContent, combined, table_content

ROWS = [
    ("INC-1", "A", "2024-01-01", 3),
    ("INC-1", "B", "2024-01-01", 4),
    ("INC-1", "A", "2024-01-02", None),
    ("MED-1", "A", "2024-01-01", 3),
]


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _hash(
    connection: duckdb.DuckDBPyConnection,
    rows: list[tuple[object, ...]],
    columns: str = "kpi_id varchar, unit_code varchar, day date, n bigint",
) -> str:
    connection.execute(f"create or replace table t ({columns})")
    connection.executemany(f"insert into t values ({', '.join('?' for _ in rows[0])})", [list(r) for r in rows])
    return table_content(connection, "t").content_hash


def test_the_order_of_rows_does_not_matter(connection: duckdb.DuckDBPyConnection) -> None:
    expected = _hash(connection, list(ROWS))
    for seed in range(5):
        shuffled = random.Random(seed).sample(ROWS, len(ROWS))
        assert _hash(connection, list(shuffled)) == expected


def test_the_order_of_columns_and_the_number_of_threads_do_not_matter(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table many as select i % 7 as a, 'x' || i as b, (i / 3)::decimal(18, 2) as c from range(300000) t(i)")
    expected = table_content(connection, "many").content_hash
    assert table_content(connection, "(select c, b, a from many order by b)").content_hash == expected
    connection.execute("set threads = 1")
    assert table_content(connection, "many").content_hash == expected


@pytest.mark.parametrize(
    "changed",
    [
        [*ROWS[:3], ("MED-1", "A", "2024-01-01", 4)],
        [*ROWS[:3], ("MED-1", "A", "2024-01-02", 3)],
        ROWS[:3],
        [*ROWS, ROWS[0]],
        [*ROWS, ROWS[0], ROWS[0]],
        [("INC-1", "B", "2024-01-01", 3), ("INC-1", "A", "2024-01-01", 4), *ROWS[2:]],
        [*ROWS[:2], ("INC-1", "A", "2024-01-02", 0), ROWS[3]],
    ],
    ids=["a count", "a day", "a row less", "a row twice", "a row three times", "counts swapped between units", "null became 0"],
)
def test_any_other_content_has_another_hash(connection: duckdb.DuckDBPyConnection, changed: list[tuple[object, ...]]) -> None:
    assert _hash(connection, list(changed)) != _hash(connection, list(ROWS))


def test_text_cannot_move_between_columns_and_empty_is_not_null(connection: duckdb.DuckDBPyConnection) -> None:
    columns = "a varchar, b varchar"
    assert _hash(connection, [("x;1:y", "z")], columns) != _hash(connection, [("x", "y;1:z")], columns)
    assert _hash(connection, [("", "z")], columns) != _hash(connection, [(None, "z")], columns)


def test_names_and_types_belong_to_the_content(connection: duckdb.DuckDBPyConnection) -> None:
    assert (
        table_content(connection, "(select 1::bigint as a)").content_hash
        != table_content(connection, "(select 1::bigint as b)").content_hash
    )
    assert table_content(connection, "(select 1::bigint as a)").content_hash != table_content(connection, "(select '1' as a)").content_hash


def test_derived_doubles_and_named_columns_stay_outside(connection: duckdb.DuckDBPyConnection) -> None:
    first = table_content(connection, "(select 1 as n, 0.1::double as value, 5 as seconds)", {"seconds"})
    second = table_content(connection, "(select 1 as n, 0.2::double as value, 6 as seconds)", {"seconds"})
    assert first.content_hash == second.content_hash
    assert [name for name, _ in first.columns] == ["n", "value", "seconds"]


def test_an_empty_table_has_a_hash_of_its_columns(connection: duckdb.DuckDBPyConnection) -> None:
    empty = table_content(connection, "(select 1 as a where false)")
    assert empty.rows == 0
    assert empty.content_hash != table_content(connection, "(select 1 as b where false)").content_hash


def test_the_content_of_a_table_follows_from_its_parts(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table whole as select i % 5 as part, i as n, 'x' || i % 3 as word from range(1000) t(i)")
    parts = [table_content(connection, f"(select * from whole where part = {part})") for part in range(5)]
    whole = table_content(connection, "whole")
    joined = combined(parts)
    assert joined is not None and joined.content_hash == whole.content_hash and joined.rows == 1000
    assert combined([TableContent.from_json(json.loads(json.dumps(p.as_json()))) for p in reversed(parts)]) == joined
    assert combined(parts[:4]) != whole
    assert combined([parts[0], table_content(connection, "(select 1 as n)")]) is None


ODD = {
    "boolean": ["true", "false", "null"],
    "date": ["'0001-01-01'", "'2024-02-29'", "'9999-12-31'", "'10000-01-01'", "'0044-03-15 (BC)'", "'infinity'", "null"],
    "integer": ["-10", "-1", "0", "9", "10", "99", "100", "999", "1000", "2147483647", "null"],
    "bigint": ["'-9223372036854775808'", "-9", "0", "9", "10", "99", "100", "999", "1000", "9223372036854775807", "null"],
    "varchar": ["''", "'-1:;'", "'内'", "'0123456789'", "null"],
    "timestamp": ["'2024-01-01 00:00:00.5'", "null"],
}


@pytest.mark.parametrize("duckdb_type", ODD)
def test_a_row_is_hashed_as_the_length_and_text_of_its_columns(connection: duckdb.DuckDBPyConnection, duckdb_type: str) -> None:
    values = ", ".join(f"(cast({value} as {duckdb_type}))" for value in ODD[duckdb_type])
    connection.execute(f"create table odd as select * from (values {values}) as given(a)")
    shown = "strftime(a, '%Y-%m-%dT%H:%M:%S.%f')" if duckdb_type == "timestamp" else "a::varchar"
    texts = [text for (text,) in connection.execute(f"select {shown} from odd").fetchall()]
    in_row = ["-1:;" if text is None else f"{len(text.encode())}:{text};" for text in texts]
    expected = connection.execute(
        "select sum(md5_number_lower(t)) % 18446744073709551616, sum(md5_number_upper(t)) % 18446744073709551616 from (select unnest(?) as t)",
        [in_row],
    ).fetchone()
    assert table_content(connection, "odd").sums == expected
