"""Cursors as texts: which is higher, and the one that lies the overlap below.

A time to come (9999-12-31 in one row is enough) is no cursor: everything that changes from then on would be passed over.
"""

from __future__ import annotations

import datetime as dt
import re

from dagster_project.contracts.model import PullCursor
from dagster_project.extract.problems import PullError

_INTEGER = re.compile(r"[+-]?\d+")


def lowered(cursor: PullCursor, value: str) -> str:
    """The cursor to ask from, in the form of ``value``: the overlap below it."""
    if not cursor.overlap:
        return value
    if _is_number(cursor, value):
        return str(int(value) - cursor.overlap)
    moment = _moment(cursor, value) - dt.timedelta(seconds=cursor.overlap)
    if cursor.format is not None:
        return moment.strftime(cursor.format)
    return moment.isoformat(sep="T" if "T" in value else " ")


def is_believable(cursor: PullCursor, value: str) -> bool:
    """Whether a value may be the cursor of later nights: a number, or a time not more than a day ahead of the clock."""
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    return _is_number(cursor, value) or _rank(cursor, value)[0] < tomorrow.timestamp()


def higher(cursor: PullCursor, first: str | None, second: str | None) -> str | None:
    """The higher of two cursors; None is the lowest."""
    if first is None or second is None:
        return first if second is None else second
    return max(first, second, key=lambda value: _rank(cursor, value))


def _is_number(cursor: PullCursor, value: str) -> bool:
    return cursor.format is None and _INTEGER.fullmatch(value) is not None


def _rank(cursor: PullCursor, value: str) -> tuple[int, float]:
    if _is_number(cursor, value):
        return int(value), 0.0
    moment = _moment(cursor, value)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    since = aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return since.days * 86_400 + since.seconds, since.microseconds / 1e6


def _moment(cursor: PullCursor, value: str) -> dt.datetime:
    try:
        return dt.datetime.strptime(value, cursor.format) if cursor.format else dt.datetime.fromisoformat(value)
    except ValueError:
        raise PullError(
            f"a value of the cursor column '{cursor.column}' is neither a whole number nor a time"
            + (f" of the format '{cursor.format}'" if cursor.format else " in ISO form; give 'pull.cursor.format'")
        ) from None
