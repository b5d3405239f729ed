"""What a condition of a contract may say."""

from __future__ import annotations

import pytest

from dagster_project.contracts.conditions import ConditionError, check_condition

COLUMNS = ["n", "name", "at"]


@pytest.mark.parametrize(
    "sql",
    [
        "n between 1 and 12",
        "n is null or n % 2 = 0",
        "n in (1, 2, 3)",
        "not n > 5",
        "-n < 0",
        "n // 2 = 1",
        "n is distinct from 1",
        "name like '3401%'",
        "name ilike 'x'",
        "name not in ('合计', '--')",
        "name similar to '[0-9]+'",
        "length(name) = 18",
        "regexp_full_match(name, '\\d{6}')",
        "name || 'x' = 'yx'",
        "case when n > 1 then true else false end",
        "at >= timestamp '2026-03-01' and at < date '2026-03-02'",
        "at + interval 1 day > at",
        "date_diff('minute', at, at) >= 0",
        "extract(year from at) = 2020",
        "year(at) = 2020",
        "cast(name as date) < at",
        "try_cast(name as integer) > 0",
        "name = 'it''s; -- fine'",
    ],
)
def test_plain_conditions_over_one_row_are_taken(sql: str) -> None:
    check_condition(sql, COLUMNS)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("now() > at", "plain functions"),
        ("current_date > at", "plain functions"),
        ("random() < 0.5", "plain functions"),
        ("getenv('HOME') = name", "plain functions"),
        ("current_setting('x') = name", "plain functions"),
        ("uuid() = name", "plain functions"),
        ("nextval('s') > 1", "plain functions"),
        ("hash(name) = 1", "plain functions"),
        ("error(name)", "plain functions"),
        ("read_text('/etc/passwd') is null", "plain functions"),
        ("exists (select 1)", "one row only"),
        ("n in (select 1)", "one row only"),
        ("count(*) > 1", "one row only"),
        ("sum(n) > 1", "one row only"),
        ("row_number() over () = 1", "one row only"),
        ("n = ?", "one row only"),
        ("n > 1 -- always", "comment"),
        ("n > 1 /* always */", "comment"),
        ("n > 1; drop table x", "more than one"),
        ("n > 1) or (1 = 1", "not an SQL"),
        ("n, name", "more than one"),
        ("n = 1 as answer", "names its result"),
        ("m > 1", "did you mean 'n'|known here"),
        ("chunk.n > 1", "not a column"),
        ("at at time zone 'UTC' > at", "one row only"),
        ("n >", "not an SQL"),
    ],
)
def test_everything_else_is_refused_with_the_reason(sql: str, said: str) -> None:
    with pytest.raises(ConditionError, match=said):
        check_condition(sql, COLUMNS)
