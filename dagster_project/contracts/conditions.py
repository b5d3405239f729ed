"""SQL conditions of contracts: one scalar condition over the columns of one row, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dagster_project.contracts.problems import did_you_mean

CALLS = """
    length(x); strlen(x); lower(x); upper(x); trim(x); ltrim(x); rtrim(x); left(x, 1); right(x, 1); substr(x, 1, 2);
    substring(x, 1, 2); replace(x, 'a', 'b'); lpad(x, 3, '0'); rpad(x, 3, '0'); concat(x, y); reverse(x); strpos(x, 'a');
    instr(x, 'a'); contains(x, 'a'); starts_with(x, 'a'); prefix(x, 'a'); ends_with(x, 'a'); suffix(x, 'a');
    split_part(x, '-', 1); regexp_matches(x, 'a'); regexp_full_match(x, 'a'); regexp_extract(x, 'a');
    regexp_replace(x, 'a', 'b'); x similar to 'a'; abs(x); sign(x); round(x, 1); floor(x); ceil(x); ceiling(x); mod(x, 2);
    greatest(x, y); least(x, y); coalesce(x, y); ifnull(x, y); nullif(x, y); if(x, y, z); case when x then y end;
    cast(x as bigint); try_cast(x as date); date_diff('day', x, y); datediff('day', x, y); date_part('year', x);
    extract(hour from x); date_trunc('month', x); year(x); month(x); day(x); hour(x); minute(x); second(x); dayofweek(x);
    isodow(x); quarter(x); week(x); last_day(x); make_date(x, y, z); strftime(x, '%Y'); try_strptime(x, '%Y'); epoch(x);
    x and y or not z
"""
"""What a condition may call, as examples: functions of one row that give the same answer every night."""
_FORBIDDEN = (
    exp.Query,
    exp.AggFunc,
    exp.Window,
    exp.Command,
    exp.Placeholder,
    exp.Parameter,
    exp.SessionParameter,
    exp.Star,
    exp.Dot,
    exp.Lambda,
    exp.AtTimeZone,
)


LONGEST_CONDITION = 4_000
LONGEST_PADDING = 1_000
LONGEST_REPLACEMENT = 100
MOST_NESTED = 2
_GROWING = (exp.Replace, exp.RegexpReplace)


class ConditionError(ValueError):
    """A condition that cannot be used; the message says what is wrong in it."""


def check_condition(sql: str, columns: Iterable[str]) -> None:
    """Raise ConditionError unless ``sql`` is one scalar condition (DuckDB) over the given columns alone."""
    known = set(columns)
    if len(sql) > LONGEST_CONDITION:
        raise ConditionError(f"a condition of {len(sql):,} characters is longer than {LONGEST_CONDITION:,}; use codes, or several rules")
    try:
        parsed = [tree for tree in sqlglot.parse(f"select {sql}", read="duckdb") if tree is not None]
    except SqlglotError as wrong:
        raise ConditionError(f"'{sql}' is not an SQL condition: {str(wrong).splitlines()[0]}") from None
    if (
        len(parsed) != 1
        or not isinstance(parsed[0], exp.Select)
        or len(parsed[0].expressions) != 1
        or {k for k, v in parsed[0].args.items() if v} != {"expressions"}
    ):
        raise ConditionError(f"'{sql}' is more than one condition")
    condition = parsed[0].expressions[0]
    if isinstance(condition, exp.Alias):
        raise ConditionError(f"'{sql}' names its result; a condition has no name")
    if any(part.comments for part in parsed[0].walk()):
        raise ConditionError(f"'{sql}' holds an SQL comment; write it as a comment of the YAML")
    for part in condition.find_all(*_FORBIDDEN):
        raise ConditionError(f"'{sql}' holds '{part.sql(dialect='duckdb')}'; a condition looks at one row only")
    for call in condition.find_all(exp.Func):
        name = _name(call)
        if name not in _allowed():
            called = call.sql(dialect="duckdb")
            raise ConditionError(f"'{sql}' calls '{called}'; a condition uses plain functions of one row's values only")
    _expect_bounded(condition, sql)
    for column in condition.find_all(exp.Column):
        if column.table or column.name not in known:
            hint = did_you_mean(column.name, known)
            raise ConditionError(f"'{column.sql(dialect='duckdb')}' is not a column here" + (f": {hint}" if hint else ""))


def _expect_bounded(condition: exp.Expression, sql: str) -> None:
    """The engine's limit of memory does not hold for a single text, so no condition may make a text of any length."""
    for pad in condition.find_all(exp.Pad):
        length = pad.expression
        if not (isinstance(length, exp.Literal) and length.is_int and int(length.this) <= LONGEST_PADDING):
            raise ConditionError(
                f"'{sql}' pads to '{length.sql(dialect='duckdb')}' characters; write a number of at most {LONGEST_PADDING:,}"
            )
    for growing in condition.find_all(*_GROWING):
        replacement = growing.args.get("replacement")
        is_text = replacement is None or isinstance(replacement, exp.Literal)
        if not is_text or (replacement is not None and len(replacement.this) > LONGEST_REPLACEMENT):
            raise ConditionError(f"'{sql}' replaces by something other than a text of at most {LONGEST_REPLACEMENT} characters")
        nested, outer = 1, growing.find_ancestor(*_GROWING)
        while outer is not None:
            nested, outer = nested + 1, outer.find_ancestor(*_GROWING)
        if nested > MOST_NESTED:
            raise ConditionError(f"'{sql}' nests replacements {nested} deep; at most {MOST_NESTED}")


@cache
def _allowed() -> frozenset[str]:
    return frozenset(_name(call) for example in sqlglot.parse(CALLS, read="duckdb") if example for call in example.find_all(exp.Func))


def _name(call: exp.Func) -> str:
    """A function's name where sqlglot does not know it, else the kind of expression that it stands for."""
    return call.name.lower() if isinstance(call, exp.Anonymous) else type(call).__name__
