"""Delivered text to clean text, column by column: white space, full-width forms, nulls, code maps, hashes.

Works on whole Arrow columns; a text-by-text step (hashing, full-width forms) looks at the distinct texts of a chunk only.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.contracts.entities import EntityColumn
from dagster_project.contracts.model import Column
from dagster_project.ingest.deidentify import HashKey, hash_column

BLANKS = "".join(
    map(
        chr,
        (
            0x00,
            0x09,
            0x0A,
            0x0B,
            0x0C,
            0x0D,
            0x20,
            0x85,
            0xA0,
            0x1680,
            *range(0x2000, 0x200C),
            0x2028,
            0x2029,
            0x202F,
            0x205F,
            0x3000,
            0xFEFF,
        ),
    )
)


@dataclass(frozen=True)
class CleanColumn:
    """Clean values of one column and, where it has codes, which rows hold a text that is no code."""

    values: pa.ChunkedArray
    unknown: pa.ChunkedArray | None


@dataclass(frozen=True)
class Cleaner:
    """What becomes of the text of one column before typing. ``type`` is the Arrow type that its code map yields."""

    column: Column
    entity_codes: tuple[str, ...]
    type: pa.DataType
    folds_width: bool
    purpose_key: bytes | None
    asks_presence: bool = False

    @classmethod
    def of(cls, column: Column, canonical: EntityColumn | None, logical: str, type: pa.DataType, key: HashKey | None) -> Cleaner:
        codes = canonical.codes if canonical else ()
        folds_width = logical != "text" or bool(column.codes or codes or column.pad)
        purpose_key = None
        if column.personal and column.personal.treatment == "hmac":
            assert key is not None and column.personal.purpose is not None
            purpose_key = key.for_purpose(column.personal.purpose)
        asks_presence = column.personal is not None and column.personal.treatment == "presence"
        return cls(column, codes, type, folds_width, purpose_key, asks_presence)

    @property
    def maps_codes(self) -> bool:
        return self.column.codes is not None

    @property
    def yields_values(self) -> bool:
        """Whether cleaning ends in values, so that nothing is left to type."""
        return self.maps_codes or self.purpose_key is not None or self.asks_presence

    @property
    def has_codes(self) -> bool:
        return self.maps_codes or bool(self.entity_codes)

    @cached_property
    def _blanks(self) -> str:
        return BLANKS + (self.column.strip or "")

    @cached_property
    def _nulls(self) -> pa.Array:
        nulls = {"", *(self._comparable(text) for text in self.column.nulls)}
        return pa.array(sorted(nulls - self._code_map.keys()), pa.string())

    @cached_property
    def _code_map(self) -> dict[str, str | int | bool | None]:
        return {self._comparable(text): value for text, value in (self.column.codes or {}).items()}

    @cached_property
    def _code_texts(self) -> pa.Array:
        return pa.array(list(self._code_map), pa.string())

    @cached_property
    def _code_values(self) -> pa.Array:
        return pa.array([*self._code_map.values(), self.column.codes_else], _widest(self.type)).cast(self.type)

    def _comparable(self, text: str) -> str:
        return (unicodedata.normalize("NFKC", text) if self.folds_width else text).strip(self._blanks)

    def clean(self, delivered: pa.ChunkedArray) -> CleanColumn:
        """Clean one delivered column of texts."""
        texts = fold_width(delivered) if self.folds_width else delivered
        texts = pc.utf8_trim(texts, characters=self._blanks)
        if "" in self._code_map:
            texts = pc.fill_null(texts, "")
        is_null = pc.equal(texts, self._nulls[0]) if len(self._nulls) == 1 else pc.is_in(texts, value_set=self._nulls)
        if pc.any(is_null).as_py():
            texts = pc.if_else(is_null, pa.scalar(None, pa.string()), texts)
        if self.asks_presence:
            return CleanColumn(pc.is_valid(texts), None)
        if self.purpose_key is not None:
            texts = hash_column(self.purpose_key, texts)
        if self.maps_codes:
            return self._mapped(texts)
        if self.entity_codes:
            known = pc.is_in(texts, value_set=pa.array(self.entity_codes, pa.string()))
            return CleanColumn(texts, pc.and_(pc.is_valid(texts), pc.invert(known)))
        return CleanColumn(texts, None)

    def _mapped(self, texts: pa.ChunkedArray) -> CleanColumn:
        positions = pc.index_in(texts, value_set=self._code_texts)
        unknown = pc.and_(pc.is_valid(texts), pc.is_null(positions))
        if "codes_else" in self.column.model_fields_set:
            positions = pc.if_else(unknown, pa.scalar(len(self._code_map), pa.int32()), positions)
            unknown = None
        return CleanColumn(pa.chunked_array([self._code_values.take(positions.combine_chunks())], self.type), unknown)


def _widest(type: pa.DataType) -> pa.DataType | None:
    """The type in which values of codes are read before they are cast; None for their own."""
    if pa.types.is_decimal(type):
        return type
    return pa.string() if pa.types.is_temporal(type) else None


def fold_width(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write full-width digits, letters and signs as plain ones (Unicode NFKC)."""
    if pc.all(pc.string_is_ascii(texts)).as_py() is not False:
        return texts
    encoded = texts.combine_chunks().dictionary_encode()
    return pa.chunked_array([pc.utf8_normalize(encoded.dictionary, form="NFKC").take(encoded.indices)])
