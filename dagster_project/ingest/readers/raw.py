"""What every reader yields: raw text in columns, rows that could not be put into columns, and the end of a file that cannot be read."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

SHAPE_LENGTH = 160
_IDEOGRAPHIC = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "HALFWIDTH KATAKANA", "HALFWIDTH HANGUL", "BOPOMOFO", "YI ")


class UnreadableFile(Exception):  # noqa: N818  (the word of the design)
    """A file that cannot be read to its end. What was yielded before stays counted.

    ``message`` says what is wrong and what to do, ``file_name`` where, ``row`` (1-based data row, if known) how far reading came.
    """

    def __init__(self, message: str, *, file_name: str = "", row: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.file_name = file_name
        self.row = row

    def __str__(self) -> str:
        place = self.file_name + (f", row {self.row}" if self.row is not None else "")
        return f"{place}: {self.message}" if place else self.message


@dataclass(frozen=True)
class RawChunk:
    """Rows as delivered.

    ``columns`` holds the columns asked for, all of type string, under the name that the contract gives them (a column is found by
    its alias whatever white space the delivery puts into its header). ``row_numbers`` (int64, as long as the table) are the 1-based
    numbers of data rows in their file: header, title rows and blank lines are not counted, rejected rows are. ``file_name`` is the
    path below landing, for a zip with the member behind it (``a.zip!b.csv``); each member counts its own rows.
    """

    columns: pa.Table
    row_numbers: pa.Int64Array
    file_name: str


@dataclass(frozen=True)
class RawReject:
    """A delivered row that is no record: it has a number but no columns.

    ``shape`` is the row as `shape_of` masks it, so that it can be shown. ``filtered``: the contract says that such rows are
    expected (repeated headers that are to be skipped).
    """

    row_number: int
    reason: str
    detail: str
    shape: str
    file_name: str
    filtered: bool = False


@lru_cache(maxsize=8192)
def _mask(character: str) -> str:
    if character.isascii():
        if character.isalpha():
            return "x"
        if character.isdigit():
            return "9"
        return character if character.isprintable() else {"\n": "⏎", "\r": "⏎", "\t": "⇥", "\0": "␀"}.get(character, "·")
    category = unicodedata.category(character)
    if category.startswith("N"):
        return "9"
    if category.startswith(("L", "M")):
        return "文" if unicodedata.name(character, "").startswith(_IDEOGRAPHIC) else "x"
    return character if category.startswith("P") or character == "\u3000" else "·"


def shape_of(text: str, length: int = SHAPE_LENGTH) -> str:
    """The text with every letter as ``x``, digit as ``9``, and ideograph, kana or hangul as ``文``; punctuation stays, control
    characters become signs. Cut to ``length`` characters, with ``…`` where something is cut off.
    """
    masked = "".join(map(_mask, text[:length]))
    return masked + "…" if len(text) > length else masked


def split_off_nul_rows(columns: pa.Table, numbers: pa.Int64Array, file_name: str) -> tuple[pa.Table, pa.Int64Array, list[RawReject]]:
    """Separate the rows in which a value holds a NUL character: text with NUL cannot be stored by every engine, so it is rejected."""
    bad = np.zeros(columns.num_rows, dtype=bool)
    for column in columns.columns:
        offset = 0
        for piece in column.chunks:
            data = piece.buffers()[2]
            if data is not None and (np.frombuffer(data, dtype=np.uint8) == 0).any():
                bad[offset : offset + len(piece)] |= ["\0" in (value or "") for value in piece.to_pylist()]
            offset += len(piece)
    if not bad.any():
        return columns, numbers, []
    rejected = columns.filter(pa.array(bad)).to_pylist()
    rejects = [
        RawReject(int(number), "nul_byte", "a value holds a NUL character", shape_of(",".join(v or "" for v in row.values())), file_name)
        for number, row in zip(np.asarray(numbers)[bad], rejected, strict=True)
    ]
    kept = pa.array(~bad)
    return columns.filter(kept), numbers.filter(kept), rejects
