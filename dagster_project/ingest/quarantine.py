"""Quarantine: the rejected rows of a batch with their reasons, and nothing personal in clear."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.contracts.personal_values import PLATE_REGIONS
from dagster_project.home import Home
from dagster_project.ingest.conversion import delivered_column
from dagster_project.ingest.mapping import Mapping, treatment
from dagster_project.ingest.readers.raw import RawChunk, RawReject
from dagster_project.ingest.statement import quoted
from dagster_project.ingest.typed import literal

CELL_CHARACTERS = 200
SCHEMA = pa.schema(
    [
        ("source_id", pa.string()),
        ("batch_date", pa.date32()),
        ("file_name", pa.string()),
        ("row_number", pa.int64()),
        ("reasons", pa.list_(pa.string())),
        ("detail", pa.string()),
        ("cells", pa.string()),
    ]
)
_EAST_ASIAN = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"

_LOOKS_PERSONAL = (
    (r"\b[1-9]\d{5}(18|19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dXx]\b", "9" * 18),
    (r"\b[1-9]\d{7}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}\b", "9" * 15),
    (r"\b(\+?86[- ]?)?1[3-9]\d([- ]?\d{4}){2}\b", "9" * 11),
    (rf"[{PLATE_REGIONS}][A-HJ-NP-Z][·\s]?[A-HJ-NP-Z0-9]{{4,5}}[A-HJ-NP-Z0-9挂学警港澳]", "文x99999"),
    (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "x@x"),
)


def quarantine_path(home: Home, source_id: str, batch_date: dt.date) -> Path:
    return home.quarantine / source_id / f"batch={batch_date.isoformat()}.parquet"


def masked_sql(cell: str) -> str:
    """The SQL of a cell's shape: letters as x, digits as 9, ideographs, kana and hangul as 文."""
    other_letters = rf"regexp_replace(regexp_replace({cell}, '{_EAST_ASIAN}', chr(1), 'g'), '\p{{L}}', 'x', 'g')"
    return rf"replace(regexp_replace({other_letters}, '\p{{N}}', '9', 'g'), chr(1), '文')"


def shown_sql(cell: str) -> str:
    """The SQL of a cell that may be shown, but for runs that look like an identity number, a telephone, a plate or a mail address."""
    masked = cell
    for pattern, mask in _LOOKS_PERSONAL:
        masked = f"regexp_replace({masked}, {literal(pattern)}, {literal(mask)}, 'g')"
    any_of_them = literal("|".join(f"({pattern})" for pattern, _ in _LOOKS_PERSONAL))
    return f"case when regexp_matches({cell}, {any_of_them}) then {masked} else {cell} end"


class QuarantineWriter:
    """Writes the rejected rows of one batch to a draft; there is no draft as long as there is no such row.

    Cells are kept under the contract's column names as JSON, cut to CELL_CHARACTERS; of a personal column (unless kept with a
    reason) only the shape is.
    """

    def __init__(self, mapping: Mapping, connection: duckdb.DuckDBPyConnection, draft: Path) -> None:
        self.rows = 0
        self.draft = draft
        self._mapping, self._connection = mapping, connection
        self._writer: pq.ParquetWriter | None = None
        cells = ", ".join(f"{literal(name)}, left({self._cell(name)}, {CELL_CHARACTERS})" for name in mapping.delivered)
        self._sql = f"select row_number, reasons, json_object({cells})::varchar as cells from rejected"

    def _cell(self, name: str) -> str:
        personal = treatment(self._mapping.delivered[name]) in ("hmac", "presence", "generalise")
        return masked_sql(quoted(name)) if personal else shown_sql(quoted(name))

    def add_rows(self, chunk: RawChunk, rejected: npt.NDArray[np.bool_], reasons: pa.ChunkedArray | pa.Array) -> None:
        """Keep the rows of a chunk where ``rejected`` (bool) is true, with their reasons (list of text)."""
        mask = pa.array(rejected)
        columns: dict[str, pa.ChunkedArray | pa.Array] = {"row_number": chunk.row_numbers.filter(mask), "reasons": reasons.filter(mask)}
        columns |= {name: delivered_column(chunk, c.aliases).filter(mask) for name, c in self._mapping.delivered.items()}
        self._connection.register("rejected", pa.table(columns))
        try:
            shown = self._connection.execute(self._sql).to_arrow_table()
        finally:
            self._connection.unregister("rejected")
        details = pa.nulls(len(shown), pa.string())
        self._write(chunk.file_name, shown["row_number"], shown["reasons"], details, shown["cells"])

    def add_rejects(self, rejects: list[RawReject], reason: str | None = None) -> None:
        """Keep rows that are no records; their cells are one masked text. ``reason`` replaces the reader's."""
        for file_name in sorted({r.file_name for r in rejects}):
            of_file = [r for r in rejects if r.file_name == file_name]
            self._write(
                file_name,
                pa.array([r.row_number for r in of_file], pa.int64()),
                pa.array([[reason or r.reason] for r in of_file], pa.list_(pa.string())),
                pa.array([r.detail for r in of_file], pa.string()),
                pa.array([r.shape for r in of_file], pa.string()),
            )

    def _write(self, file_name: str, *columns: pa.ChunkedArray | pa.Array) -> None:
        size = len(columns[0])
        if size == 0:
            return
        if self._writer is None:
            self.draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.draft, SCHEMA, compression="zstd", store_schema=False)
        same = [
            pa.repeat(pa.scalar(self._mapping.contract.id), size),
            pa.repeat(pa.scalar(self._mapping.batch_date, pa.date32()), size),
            pa.repeat(pa.scalar(file_name), size),
        ]
        self._writer.write_table(pa.table([*same, *columns], schema=SCHEMA))
        self.rows += size

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
