"""What rows of a source say of rows elsewhere and of their own times: references that lead somewhere, times in their order.

Judged are the rows of the newest batch, as delivered, against everything in the pool: a fault of tonight is not diluted by years of
sound rows.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.audit.candidate import Candidate, sql_text
from dagster_project.audit.register import SOURCE_CHECKS
from dagster_project.audit.verdict import NOT_AUDITED, Verdict, first_line
from dagster_project.contracts.entities import Entity, Reference, TimeOrder
from dagster_project.contracts.model import Contract
from dagster_project.home import Home

SLACK = 3.0
SYSTEMATIC_LEAST = 20
EXAMPLES = 3


@dataclass(frozen=True)
class _Shortfall:
    """How many of the rows judged offend against one declared relation."""

    relation: str
    rows: int
    offending: int
    tolerance: float
    examples: tuple[str, ...] = ()

    @property
    def is_tolerated(self) -> bool:
        """A few more than declared are chance in a small batch."""
        expected = self.tolerance * self.rows
        return self.offending <= expected + SLACK * math.sqrt(expected)

    @property
    def is_systematic(self) -> bool:
        """More than half of the rows, and half as far again as is tolerated: no accident of single rows."""
        return self.rows >= SYSTEMATIC_LEAST and self.offending > (1 + self.tolerance) / 2 * self.rows

    def as_row(self) -> dict[str, Any]:
        share = round(self.offending / self.rows, 4) if self.rows else 0.0
        shown = {"examples": ", ".join(self.examples)} if self.examples else {}
        return {
            "relation": self.relation,
            "rows": self.rows,
            "offending": self.offending,
            "share": share,
            "tolerated": self.tolerance,
            **shown,
        }


def _files(home: Home, entity: str, source_ids: Collection[str]) -> list[Path]:
    return [file for source_id in sorted(source_ids) for file in sorted((home.pool / entity / f"source={source_id}").glob("*.parquet"))]


def _read(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(map(sql_text, files))}], union_by_name = true, hive_partitioning = false)"


def _is_shown(reference: Reference, entity: Entity) -> bool:
    return entity.by_name[reference.column].grade != "pseudonym"


def _follow(
    candidate: Candidate, reference: Reference, entity: Entity, child: Sequence[Path], parent: Sequence[Path], batch: dt.date, timed: bool
) -> tuple[_Shortfall, _Shortfall | None]:
    own = f'"{reference.own_time}"' if timed else "null::timestamp"
    theirs = f'min("{reference.their_time}")' if timed else "null::timestamp"
    (found,) = candidate.rows(
        f"""
        with child as (
            select "{reference.column}" as key, {own} as own_time, row_count from {_read(child)}
            where batch_date = date '{batch}' and "{reference.column}" is not null and not coalesce(is_deleted, false)
        ),
        parent as (
            select "{reference.to}" as key, {theirs} as their_time from {_read(parent)}
            where batch_date <= date '{candidate.as_of}' and "{reference.to}" in (select key from child) group by all
        )
        select
            coalesce(sum(row_count), 0)::bigint as row_count,
            coalesce(sum(row_count) filter (where parent.key is null), 0)::bigint as orphans,
            coalesce(sum(row_count) filter (where own_time is not null and their_time is not null), 0)::bigint as timed,
            coalesce(sum(row_count) filter (where own_time < their_time), 0)::bigint as early,
            (list(distinct child.key order by child.key) filter (where parent.key is null))[:{EXAMPLES}] as examples
        from child left join parent on child.key = parent.key
        """
    )
    examples = tuple(map(str, found["examples"] or ())) if _is_shown(reference, entity) else ()
    orphans = _Shortfall(
        f"{reference.column} → {reference.entity}.{reference.to}", found["row_count"], found["orphans"], reference.tolerance, examples
    )
    if not timed:
        return orphans, None
    words = f"{reference.entity}.{reference.their_time} ≤ {reference.own_time}"
    return orphans, _Shortfall(words, found["timed"], found["early"], reference.early)


def _in_order(candidate: Candidate, order: TimeOrder, columns: Sequence[str], files: Sequence[Path], batch: dt.date) -> _Shortfall:
    wrong = " or ".join(f'coalesce("{a}" > "{b}", false)' for a, b in combinations(columns, 2))
    comparable = " or ".join(f'("{a}" is not null and "{b}" is not null)' for a, b in combinations(columns, 2))
    (found,) = candidate.rows(
        f"select coalesce(sum(row_count) filter (where {comparable}), 0)::bigint as row_count, "
        f"coalesce(sum(row_count) filter (where {wrong}), 0)::bigint as wrong from {_read(files)} "
        f"where batch_date = date '{batch}' and not coalesce(is_deleted, false)"
    )
    return _Shortfall(" ≤ ".join(columns), found["row_count"], found["wrong"], order.tolerance)


def _judged(check: str, contract: Contract, found: Sequence[_Shortfall], bad: Sequence[_Shortfall], batch: dt.date | None) -> Verdict:
    if not bad:
        detail = f"{len(found)} relations in the batch of {batch}" if found else "nothing to judge"
        return SOURCE_CHECKS[check].of_source(contract.id, contract.owner, True, detail)
    worst = max(bad, key=lambda s: s.offending / s.rows)
    detail = (
        f"{contract.id}: {worst.relation} fails in {worst.offending} of {worst.rows} rows of the batch of {batch}, tolerated are "
        f"{worst.tolerance:.0%}" + (f"; and {len(bad) - 1} more relations" if len(bad) > 1 else "")
    )
    return SOURCE_CHECKS[check].of_source(contract.id, contract.owner, False, detail, [s.as_row() for s in bad])


def relation_verdicts(
    home: Home,
    candidate: Candidate,
    contract: Contract,
    contracts: Sequence[Contract],
    entities: Mapping[str, Entity],
    newest: dt.date | None,
) -> Iterator[Verdict]:
    """The verdicts 'orphans', 'detached', 'times' and 'reversed' of one source, from its newest batch in the pool.

    A reference to an entity of which nobody in the source's group has delivered anything is not judged.
    """
    try:
        references, times = _shortfalls(home, candidate, contract, contracts, entities, newest)
    except duckdb.Error as error:
        detail = f"{NOT_AUDITED}: {contract.id}: {first_line(error)}"
        for check in ("detached", "reversed"):
            yield SOURCE_CHECKS[check].of_source(contract.id, contract.owner, False, detail)
        return
    for tolerated, systematic, found in (("orphans", "detached", references), ("times", "reversed", times)):
        torn = [s for s in found if s.is_systematic]
        yield _judged(tolerated, contract, found, [s for s in found if not s.is_tolerated and s not in torn], newest)
        yield _judged(systematic, contract, found, torn, newest)


def _shortfalls(
    home: Home,
    candidate: Candidate,
    contract: Contract,
    contracts: Sequence[Contract],
    entities: Mapping[str, Entity],
    newest: dt.date | None,
) -> tuple[list[_Shortfall], list[_Shortfall]]:
    entity, delivered = entities.get(contract.entity), contract.stored_columns
    references: list[_Shortfall] = []
    times: list[_Shortfall] = []
    if entity is None or newest is None or not (files := _files(home, contract.entity, [contract.id])):
        return references, times
    for reference in entity.references:
        parents = [c for c in contracts if c.entity == reference.entity and c.group == contract.group and reference.to in c.stored_columns]
        theirs = _files(home, reference.entity, [c.id for c in parents])
        if reference.column not in delivered or not theirs:
            continue
        timed = reference.own_time in delivered and any(reference.their_time in c.stored_columns for c in parents)
        orphans, early = _follow(candidate, reference, entity, files, theirs, newest, timed)
        share = contract.tolerance.orphan_share
        references.append(
            orphans if share is None else _Shortfall(orphans.relation, orphans.rows, orphans.offending, share, orphans.examples)
        )
        times += [early] if early else []
    for order in entity.times:
        columns = [c for c in order.columns if c in delivered]
        if len(columns) > 1:
            times.append(_in_order(candidate, order, columns, files, newest))
    return references, times
