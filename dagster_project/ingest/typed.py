"""Clean text to a typed value: one SQL expression (DuckDB) per column, null where the text is no value of the type.

Nothing is guessed: a fraction is no integer, ``1,5`` is a number only where the contract names the mark, and a day that does not
exist, or lies outside FIRST_DAY … LAST_DAY, is none (sentinels such as 9999-12-31 belong into the contract's ``nulls``).
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from dagster_project.contracts.entities import DECIMAL
from dagster_project.contracts.model import Column
from dagster_project.contracts.units import factor

FIRST_DAY = "1850-01-01"
LAST_DAY = "2199-12-31"
LOCAL_DECIMAL = "decimal(18,6)"
_EXACT = "decimal(28,10)"
_ISO = r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}([.]\d{1,9})?)?)?"
_TRUE = ("true", "t", "yes", "y", "1", "是")
_FALSE = ("false", "f", "no", "n", "0", "否")
_DIGITS_OF = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%H": 2, "%I": 2, "%M": 2, "%S": 2, "%j": 3}
_CHINA_HOURS = 8


def literal(value: str | int | float | bool | None) -> str:
    """A value as an SQL literal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, (int, float)) else "'" + value.replace("'", "''") + "'"


def duckdb_type(logical: str) -> str:
    """The DuckDB type of a logical one."""
    return {"text": "varchar", "integer": "bigint", "decimal": LOCAL_DECIMAL}.get(logical, logical)


def typed_value(text: str, column: Column, logical: str, canonical_unit: str | None) -> str:
    """The SQL of a column's value, given the SQL of its clean text; ``logical`` is the type with its digits.

    A date or timestamp may still lie outside the calendar: see ``within_calendar``.
    """
    if column.personal and column.personal.treatment == "generalise":
        assert column.personal.to is not None
        return _generalised(text, column, logical, column.personal.to)
    kind = logical.split("(")[0]
    if kind == "text":
        return f"case when length({text}) < {column.pad} then lpad({text}, {column.pad}, '0') else {text} end" if column.pad else text
    if kind in ("integer", "decimal"):
        return _number(text, column, logical, canonical_unit)
    if kind == "boolean":
        return _boolean(text)
    moment = _moment(text, column)
    if column.truncate:
        moment = f"date_trunc('{column.truncate}', {moment})"
    return f"cast({moment} as date)" if kind == "date" else moment


def within_calendar(value: str) -> str:
    """The SQL of a date or timestamp that lies in the days this pool can hold, else null."""
    return f"case when {value} >= '{FIRST_DAY}' and {value} < cast('{LAST_DAY}' as date) + 1 then {value} end"


def _boolean(text: str) -> str:
    true, false = (", ".join(map(literal, words)) for words in (_TRUE, _FALSE))
    return f"case when lower({text}) in ({true}) then true when lower({text}) in ({false}) then false end"


def _number(text: str, column: Column, logical: str, canonical_unit: str | None) -> str:
    if column.unit == "percent":
        text = rf"regexp_replace({text}, '\s*%$', '')"
    plain = _without_separators(text, column)
    scale = factor(column.unit, canonical_unit) if column.unit and canonical_unit else Fraction(1)
    if scale != 1:
        return _converted(_decimal(plain, _EXACT), scale, logical)
    return _integer(plain) if logical == "integer" else _decimal(plain, duckdb_type(logical))


def _without_separators(text: str, column: Column) -> str:
    mark = re.escape(column.decimal_mark)
    if column.thousands:
        separator = unicodedata.normalize("NFKC", column.thousands)
        grouped = literal(rf"[+-]?\d{{1,3}}({re.escape(separator)}\d{{3}})+({mark}\d*)?")
        without = f"replace({text}, {literal(separator)}, '')"
        text = (
            f"case when not contains({text}, {literal(separator)}) then {text} when regexp_full_match({text}, {grouped}) then {without} end"
        )
    if column.decimal_mark == ",":
        text = f"case when not contains({text}, '.') then replace({text}, ',', '.') end"
    return text


def _integer(text: str) -> str:
    number = f"try_cast({text} as bigint)"
    whole = rf"try_cast(regexp_extract({text}, '^([+-]?\d+)', 1) as bigint)"
    return (
        rf"case when cast({number} as varchar) = {text} then {number} when regexp_full_match({text}, '[+-]?\d+([.]0*)?') then {whole} end"
    )


def _decimal(text: str, type: str) -> str:
    return rf"case when regexp_full_match({text}, '[+-]?(\d+[.]?\d*|[.]\d+)([eE][+-]?\d+)?') then try_cast({text} as {type}) end"


def _converted(exact: str, scale: Fraction, logical: str) -> str:
    product = f"({exact} * cast({scale.numerator} as decimal(10,0)))"
    if scale.denominator != 1:
        product = f"(cast({product} as double) / {scale.denominator})"
    return f"try_cast(round({product}, 0) as bigint)" if logical == "integer" else f"try_cast({product} as {duckdb_type(logical)})"


def _moment(text: str, column: Column) -> str:
    tried = [_by_format(text, pattern, column.as_day) for pattern in column.formats] or [_iso(text)]
    return tried[0] if len(tried) == 1 else f"coalesce({', '.join(tried)})"


def _iso(text: str) -> str:
    moment = f"try_cast({text} as timestamp)"
    return f"case when regexp_full_match({text}, {literal(_ISO)}) then {moment} end"


def _by_format(text: str, pattern: str, as_day: str) -> str:
    parsed = f"try_strptime({text}, {literal(pattern)})"
    if "%z" in pattern:
        with_offset = f"try_strptime(regexp_replace({text}, 'Z$', '+00:00'), {literal(pattern)})"
        parsed = f"make_timestamp(epoch_us({with_offset}) + {_CHINA_HOURS * 3600 * 1_000_000})"
    digits = _fixed_digits(pattern)
    if digits is not None:
        parsed = f"case when strlen({text}) = {digits} then {parsed} end"
    period = _period(pattern)
    if period is not None and as_day == "last":
        parsed = f"cast(cast({parsed} as date) + interval 1 {period} - interval 1 day as timestamp)"
    return parsed


def _fixed_digits(pattern: str) -> int | None:
    """Length of a text of fixed-width numbers written together: there a missing digit would shift all that follow."""
    parts = re.findall(r"%.|[^%]", pattern)
    if not re.search(r"%[YymdHIMSj]%[YymdHIMSj]", pattern) or any(p.startswith("%") and p not in _DIGITS_OF for p in parts):
        return None
    return sum(_DIGITS_OF.get(p, len(p.encode())) for p in parts)


def _period(pattern: str) -> str | None:
    """What a format without a day tells: a month or a year."""
    if any(day in pattern for day in ("%d", "%j", "%x", "%c")):
        return None
    return "month" if any(month in pattern for month in ("%m", "%b", "%B")) else "year"


def _generalised(text: str, column: Column, logical: str, to: str) -> str:
    kind, _, size = to.partition(":")
    if kind == "prefix":
        return f"left({text}, {int(size)})"
    if kind == "age_band":
        age = _integer(text)
        low = f"({age} // {int(size)} * {int(size)})"
        band = f"concat({low}, '-', {low} + {int(size) - 1})" if logical == "text" else low
        return f"case when {age} >= 0 then {band} end"
    if kind == "grid":
        cell = _grid_cell(text, column, Fraction(size))
        return (
            rf"regexp_replace(cast({cell} as varchar), '[.]?0+$', '')" if logical == "text" else f"cast({cell} as {duckdb_type(logical)})"
        )
    first = f"date_trunc('{kind}', {within_calendar(_moment(text, column))})"
    if logical == "text":
        return f"strftime({first}, '{'%Y' if kind == 'year' else '%Y-%m'}')"
    day = first if column.as_day == "first" else f"({first} + interval 1 {kind} - interval 1 day)"
    return f"cast({day} as {duckdb_type(logical)})"


def _grid_cell(text: str, column: Column, degrees: Fraction) -> str:
    """The lower bound of the cell, exact in millionths of a degree."""
    size = max(int(degrees * 1_000_000), 1)
    millionths = f"cast({_decimal(_without_separators(text, column), LOCAL_DECIMAL)} * 1000000 as bigint)"
    return f"(cast({millionths} - (({millionths} % {size}) + {size}) % {size} as decimal(18,0)) * 0.000001)"


def sortable(value: str, logical: str) -> str:
    """The SQL of a text that sorts like the value (binary collation)."""
    if logical == "timestamp":
        return f"strftime({value}, '%Y-%m-%d %H:%M:%S.%f')"
    if logical in ("integer", "boolean"):
        number = f"cast({value} as hugeint)"
        return (
            f"case when {number} >= 0 then concat('1', lpad(cast({number} as varchar), 19, '0')) "
            f"else concat('0', lpad(cast(9223372036854775808 + {number} as varchar), 19, '0')) end"
        )
    digits = DECIMAL.match(duckdb_type(logical))
    if digits:
        precision, scale = int(digits[1]), int(digits[2])
        width = precision + 2
        offset = 10 ** (precision - scale)
        below_zero = f"cast({offset} + cast({value} as decimal(38,{scale})) as varchar)"
        padded, padded_below = (f"lpad({text}, {width}, '0')" for text in (f"cast({value} as varchar)", below_zero))
        return f"case when {value} >= 0 then concat('1', {padded}) else concat('0', {padded_below}) end"
    return f"cast({value} as varchar)"
