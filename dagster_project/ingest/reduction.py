"""Reduction: sources that may enter as counts only. Rows are grouped chunk by chunk, the groups merged at the end of each file."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from dagster_project.ingest.mapping import Mapping
from dagster_project.ingest.statement import quoted

_MERGE_GROUPS = 1 << 20


class Reducer:
    """Counts the rows of one delivered file by the columns of ``reduce.by`` and sums those of ``reduce.sums``."""

    def __init__(self, mapping: Mapping, connection: duckdb.DuckDBPyConnection) -> None:
        reduce = mapping.contract.reduce
        assert reduce is not None
        filled_in = (name for name in mapping.stored if name not in mapping.delivered and name not in reduce.sums)
        self._by = tuple(dict.fromkeys((*reduce.by, *filled_in)))
        self._sums = tuple(dict.fromkeys(reduce.sums))
        self._connection = connection
        self._groups: list[pa.Table] = []
        self._merged_size = 0

    def add(self, values: pa.Table) -> None:
        """Take in accepted rows."""
        if len(values) == 0:
            return
        self._groups.append(self._grouped(values, "count(*)"))
        if sum(map(len, self._groups)) > self._merged_size * 2 + _MERGE_GROUPS:
            self._merge()

    def result(self) -> pa.Table | None:
        """The groups in the order of their values, with ``row_count`` and ``content`` (hash of values and counts); None without rows."""
        if not self._groups:
            return None
        self._merge()
        order = ", ".join(f"{quoted(name)} nulls first" for name in self._by)
        values = ", ".join(quoted(name) for name in (*self._by, *self._sums, "row_count"))
        return self._query(self._groups[0], f"select *, hash({values}) as content from rows_of_file order by {order}")

    def _merge(self) -> None:
        merged = self._grouped(pa.concat_tables(self._groups), "sum(row_count)")
        self._groups, self._merged_size = [merged], len(merged)

    def _grouped(self, rows: pa.Table, counted: str) -> pa.Table:
        keys = ", ".join(quoted(name) for name in self._by)
        sums = "".join(f", cast(sum({quoted(name)}) as {_sql_type(rows.schema.field(name).type)}) as {quoted(name)}" for name in self._sums)
        return self._query(rows, f"select {keys}{sums}, cast({counted} as bigint) as row_count from rows_of_file group by {keys}")

    def _query(self, rows: pa.Table, sql: str) -> pa.Table:
        self._connection.register("rows_of_file", rows)
        try:
            return self._connection.execute(sql).to_arrow_table()
        finally:
            self._connection.unregister("rows_of_file")


def _sql_type(summed: pa.DataType) -> str:
    """A sum has the type of what is summed: no digit of a decimal is lost, and an overflow fails."""
    return f"decimal({summed.precision},{summed.scale})" if pa.types.is_decimal(summed) else "bigint"
