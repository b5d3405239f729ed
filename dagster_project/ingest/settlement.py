"""What keyed hashes tell the figures, kept before they go: by the very rule of the models that count, rendered from their macros.

Belongs here: what is settled of which entity. When a hash goes, and how it leaves the pool, is ``expiry``'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cache
from typing import Any

import duckdb
import jinja2

from dagster_project.contracts.entities import POOL_SOURCE_YAML

MACROS = POOL_SOURCE_YAML.parents[2] / "macros"
CURRENT = "current_record"

SETTLED_DISPUTES = """
create or replace temp table settled as
with {disputes},

leaving_record as (
    select
        dispute_record.*,
        coalesce(bool_or(place_in_incident = 1 and parties_key is not null and expires_on <= as_of)
            over (partition by group_name, incident_id, own_identity), false) as is_leaving,
        as_of
    from dispute_record cross join control.night
)

select
    source_id,
    dispute_id,
    min(coalesce(episode_link, episode_name)) as dispute,
    bool_or(has_parties) as had_key,
    max(case when is_leaving then greatest(settled_on, as_of) else settled_on end) as settled_on,
    min(coalesce(repeated_at, linked_repeat)) as repeated_at,
    false as is_deleted,
    1 as row_count
from leaving_record
where (group_name, parties) in (select (group_name, parties) from leaving_record where is_leaving)
group by source_id, dispute_id
"""


class SettlementError(RuntimeError):
    """A hash is to be settled in an entity for which there is no rule."""


def settle(connection: duckdb.DuckDBPyConnection, entity: str, settled: str, as_of: dt.date) -> None:
    """Add to the table ``pool.<settled>`` what the hashes of ``entity`` that go on this day told.

    The connection holds ``pool.<entity>`` with a column ``expires_on``, ``pool.<settled>``, ``control.source`` and ``control.batch``.
    Settled again, what stands in the table already stays. Raises SettlementError.
    """
    if settled != "dispute_link":
        raise SettlementError(f"nothing says what is settled in '{settled}' before the hashes of '{entity}' go: add its rule to {__file__}")
    connection.execute(f"create or replace table control.night as select date '{as_of}' as as_of")
    connection.execute(f"create or replace temp table {CURRENT} as {_rule('current_state')(entity)} select * from current_rows")
    connection.execute(SETTLED_DISPUTES.format(disputes=_rule("disputes")(CURRENT, f"pool.{settled}", "control.night")))
    connection.execute(f"delete from pool.{settled} where (source_id, dispute_id) in (select (source_id, dispute_id) from settled)")
    connection.execute(f"insert into pool.{settled} by name select * from settled")


@cache
def _rule(macro: str) -> Any:
    """A macro of the models, for the engine that ingest runs on."""
    known: dict[str, Any] = {"source": lambda schema, table: f"{schema}.{table}", "config": {}, "days_between": _days_between}
    text = (MACROS / f"{macro}.sql").read_text(encoding="utf-8")
    return getattr(jinja2.Environment().from_string(text, known).module, macro)


def _days_between(first_day: str, later_day: str) -> str:
    return f"datediff('day', {first_day}, {later_day})"


def days_that_settle(connection: duckdb.DuckDBPyConnection, entity: str, column: str) -> Iterable[dt.date]:
    """The days on which hashes of ``pool.<entity>`` go, in their order."""
    rows = connection.execute(
        f'select distinct expires_on from pool."{entity}" where "{column}" is not null and expires_on is not null order by 1'
    )
    return [day for (day,) in rows.fetchall()]
