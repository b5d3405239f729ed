"""The rows that a night has to write of the tables that grow, set apart in memory, file by file and in the order of the file.

Each file taken out of the candidate by itself would cost a reading of the table: a night writes eighty of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from dagster_project.audit.candidate import Candidate, sql_text
from dagster_project.release.selection import GROWERS, Shared, filed_rows, kept_columns

MEMORY = "memory.main"
SetApart = Mapping[tuple[str, str], str]
"""By product and span the query of its rows, in the order of their file."""


@contextmanager
def rows_set_apart(candidate: Candidate, shared: Shared, table: str, wanted: Iterable[tuple[str, str]]) -> Iterator[SetApart]:
    """Holds the rows of every product and span that is wanted of a table that grows."""
    pairs = sorted(wanted)
    if not pairs:
        yield {}
        return
    apart = f'{MEMORY}."{table}"'
    kept = ", ".join(f'"{name}"' for name in kept_columns(candidate, table, shared.nodes[table]))
    listed = ", ".join(f"({sql_text(product)}, {sql_text(span)}, {n})" for n, (product, span) in enumerate(pairs))
    candidate.connection.execute(
        f"create table {apart} as select {kept}, piece from {filed_rows(candidate, table, shared.nodes)} as filed "
        f"inner join (values {listed}) as wanted(filed_product, filed_span, piece) using (filed_product, filed_span) "
        f"order by piece, {', '.join(GROWERS[table].order)}"
    )
    try:
        ranges = candidate.connection.execute(f"select piece, min(rowid), max(rowid) from {apart} group by piece").fetchall()
        yield {pairs[piece]: f"select {kept} from {apart} where rowid between {first} and {last}" for piece, first, last in ranges}
    finally:
        candidate.connection.execute(f"drop table {apart}")
