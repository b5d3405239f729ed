"""The rows that a night has to write of the tables that grow, set apart in memory, file by file and in the order of the file.

Each file taken out of the candidate by itself would cost a reading of the table: a night writes eighty of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from dagster_project.audit.candidate import Candidate, sql_text
from dagster_project.release.selection import GROWERS, Selection, Shared, span_of

MEMORY = "memory.main"


@contextmanager
def rows_set_apart(
    candidate: Candidate, shared: Shared, table: str, selection: Selection, wanted: Iterable[tuple[str, str]]
) -> Iterator[Mapping[tuple[str, str], str]]:
    """By product and span the query of its rows, of every pair that is wanted of a table that grows; ``selection`` says which columns
    and which order."""
    pairs = sorted(wanted)
    if not pairs:
        yield {}
        return
    grower, apart = GROWERS[table], f'{MEMORY}."{table}"'
    columns = ", ".join(f'rows."{name}"' for name in selection.columns)
    listed = ", ".join(f"({sql_text(product)}, {sql_text(span)}, {n})" for n, (product, span) in enumerate(pairs))
    candidate.connection.execute(
        f"create table {apart} as select {columns}, wanted.piece "
        f"from {candidate.relation(shared.nodes[table])} as rows "
        f"left join {candidate.relation(shared.nodes['kpi_catalogue'])} as catalogue using (kpi_id) "
        f"inner join (values {listed}) as wanted(product, span, piece) "
        f"on {grower.product} = wanted.product and {span_of(candidate, f'rows.{grower.day}')} = wanted.span "
        f"order by wanted.piece, {', '.join(f'rows.{name.strip()}' for name in selection.order.split(','))}"
    )
    try:
        ranges = candidate.connection.execute(f"select piece, min(rowid), max(rowid) from {apart} group by piece").fetchall()
        kept = ", ".join(f'"{name}"' for name in selection.columns)
        yield {pairs[piece]: f"select {kept} from {apart} where rowid between {first} and {last}" for piece, first, last in ranges}
    finally:
        candidate.connection.execute(f"drop table {apart}")
