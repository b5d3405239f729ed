"""Records that name their own columns (json, xml): gathered into chunks, each column found once its key has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dagster_project.ingest.readers.header import Picked, Request, pick_columns
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile, shape_of, split_off_nul_rows

CHUNK_ROWS = 32_768
CHUNK_CHARACTERS = 16 << 20


class BadRecord(Exception):  # noqa: N818
    """A record that cannot become a row."""


class Delivered(NamedTuple):
    """A record (or the BadRecord that stands for it), its length, and its text where that may be asked for."""

    value: Any
    characters: int
    text: str


class KeyedRows:
    """Records, gathered into chunks. ``row`` is the number of the last record seen.

    ``text_of`` makes the text of every value whose type is not among ``plain``, or raises BadRecord; ``reason`` is the code of
    records that cannot become rows.
    """

    def __init__(
        self, file_name: str, request: Request, reason: str, text_of: Callable[[Any], str | None], plain: frozenset[type] = frozenset()
    ) -> None:
        self.row = 0
        self._file_name = file_name
        self._request = request
        self._reason = reason
        self._text_of = text_of
        self._plain = {str, type(None), *plain}
        self._keys: dict[str, None] = {}
        self._picked: list[Picked] | None = None
        self._records: list[dict[str, Any]] = []
        self._numbers: list[int] = []
        self._characters = 0

    def of(self, records: Iterator[Delivered]) -> Iterator[RawChunk | RawReject]:
        """The rows of all records; an UnreadableFile of the delivery comes behind the rows before it and knows its row."""
        while True:
            try:
                record = next(records, None)
            except UnreadableFile as error:
                yield from self._rest()
                error.row = self.row + 1
                raise
            if record is None:
                break
            reject = self._add(record)
            if reject is not None:
                yield reject
            if len(self._records) >= CHUNK_ROWS or self._characters >= CHUNK_CHARACTERS:
                yield from self._rest()
        yield from self._rest()

    def _add(self, delivered: Delivered) -> RawReject | None:
        """Take a record in; what is no record of columns comes back."""
        self.row += 1
        value = delivered.value
        if type(value) is dict:
            self._characters += delivered.characters
            self._records.append(value)
            self._numbers.append(self.row)
            return None
        return self._reject(self.row, "nul_byte" if "\0" in delivered.text else self._reason, str(value), delivered.text)

    def _reject(self, number: int, reason: str, detail: str, text: str) -> RawReject:
        return RawReject(number, reason, detail, shape_of(text), self._file_name)

    def _rest(self) -> Iterator[RawChunk | RawReject]:
        """What is gathered, as a chunk. Raises UnreadableFile when its keys are not the columns that are asked for."""
        records, numbers = self._records, self._numbers
        self._records, self._numbers, self._characters = [], [], 0
        if not records:
            return
        for record in records:
            self._keys.update(dict.fromkeys(record))
        keys = list(self._keys)
        values = {picked.name: [record.get(keys[picked.position]) for record in records] for picked in self._pick()}
        bad: dict[int, str] = {}
        for column in values.values():
            for row in [row for row, value in enumerate(column) if type(value) not in self._plain]:
                try:
                    column[row] = self._text_of(column[row])
                except BadRecord as error:
                    column[row] = None
                    bad[row] = str(error)
        yield from self._chunk(values, numbers, bad)

    def _pick(self) -> list[Picked]:
        picked = pick_columns(list(self._keys), self._request)
        before = {p.name: p.position for p in self._picked or ()}
        now = {p.name: p.position for p in picked}
        lost = [name for name in before if now.get(name) != before[name]]
        if lost:
            raise UnreadableFile(f"column '{lost[0]}' comes under another name further down in the file", row=self.row)
        self._picked = picked
        return picked

    def _chunk(self, values: dict[str, list[str | None]], numbers: list[int], bad: dict[int, str]) -> Iterator[RawChunk | RawReject]:
        try:
            columns = _table(values)
        except UnicodeEncodeError:
            for column in values.values():
                for row, value in enumerate(column):
                    if value is not None and _holds_surrogate(value):
                        column[row] = None
                        bad[row] = "a string holds an unpaired surrogate, which is no character"
            columns = _table(values)
        row_numbers = pa.array(np.array(numbers, dtype=np.int64))
        if bad:
            for row, detail in sorted(bad.items()):
                yield self._reject(numbers[row], self._reason, detail, ",".join(column[row] or "" for column in values.values()))
            sound = pa.array([row not in bad for row in range(len(numbers))])
            columns, row_numbers = columns.filter(sound), row_numbers.filter(sound)
        columns, row_numbers, rejects = split_off_nul_rows(columns, row_numbers, self._file_name)
        yield from rejects
        if len(row_numbers):
            yield RawChunk(columns, row_numbers, self._file_name)


def _table(values: dict[str, list[str | None]]) -> pa.Table:
    return pa.table({name: pa.array(column, pa.string()) for name, column in values.items()})


def _holds_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
