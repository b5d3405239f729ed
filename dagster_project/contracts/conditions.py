"""SQL conditions of contracts: one scalar condition over the columns of one row, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dagster_project.contracts.problems import did_you_mean

_FORBIDDEN = (exp.Query, exp.AggFunc, exp.Window, exp.Command, exp.Placeholder, exp.Parameter, exp.Star)


class ConditionError(ValueError):
    """A condition that cannot be used; the message says what is wrong in it."""


def check_condition(sql: str, columns: Iterable[str]) -> None:
    """Raise ConditionError unless ``sql`` is one scalar condition (DuckDB) over the given columns alone."""
    known = set(columns)
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
    for part in condition.find_all(*_FORBIDDEN):
        raise ConditionError(f"'{sql}' holds '{part.sql(dialect='duckdb')}'; a condition looks at one row only")
    for column in condition.find_all(exp.Column):
        if column.table or column.name not in known:
            hint = did_you_mean(column.name, known)
            raise ConditionError(f"'{column.sql(dialect='duckdb')}' is not a column here" + (f": {hint}" if hint else ""))
