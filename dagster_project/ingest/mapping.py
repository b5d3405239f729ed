"""What a contract maps onto its entity: which columns are read, stored, hashed, required, and what each becomes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Column, Contract
from dagster_project.ingest.cleaning import Cleaner
from dagster_project.ingest.deidentify import HashKey

_ARROW_OF_LOCAL = {
    "text": pa.string(),
    "integer": pa.int64(),
    "decimal": pa.decimal128(18, 6),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


def treatment(column: Column) -> str | None:
    """What becomes of a personal value; None when the column is not personal."""
    return column.personal.treatment if column.personal else None


def hashes_values(contract: Contract) -> bool:
    """Whether the home's key takes part in what this contract makes."""
    return any(treatment(c) == "hmac" for c in contract.columns.values())


@dataclass(frozen=True)
class Mapping:
    """One contract on one entity for one batch. Every column is named by its canonical name; dropped ones do not appear."""

    contract: Contract
    entity: Entity
    batch_date: dt.date
    key: HashKey | None = None

    @cached_property
    def columns(self) -> dict[str, Column]:
        return {n: c for n, c in self.contract.columns.items() if treatment(c) != "drop"}

    @cached_property
    def delivered(self) -> dict[str, Column]:
        return {n: c for n, c in self.columns.items() if c.source is not None}

    @cached_property
    def cleaners(self) -> dict[str, Cleaner]:
        return {n: Cleaner.of(c, self.entity.by_name.get(n), self.logical(n), self._arrow(n), self.key) for n, c in self.delivered.items()}

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """The columns that reach the pool, in the entity's order."""
        return tuple(c.name for c in self.entity.columns if c.name in self.columns)

    @cached_property
    def untouched(self) -> frozenset[str]:
        """Stored texts that are final once clean: SQL may look at them but does not return them."""
        corrected = {name for c in self.contract.corrections for name in c.assign}
        return frozenset(n for n in self.stored if n in self.delivered and self._is_plain_text(n) and n not in corrected)

    @cached_property
    def required(self) -> tuple[str, ...]:
        by_name, key = self.entity.by_name, self.contract.extract.key
        return tuple(n for n, c in self.columns.items() if c.required or n in key or (n in by_name and by_name[n].required))

    @property
    def record_key_column(self) -> str | None:
        """The untouched column that alone is the record key."""
        key = self.contract.extract.key
        return key[0] if len(key) == 1 and key[0] in self.untouched else None

    @property
    def wanted(self) -> tuple[tuple[str, ...], ...]:
        """Alias groups that a file must deliver."""
        return tuple(c.aliases for c in self.delivered.values() if not c.optional)

    @property
    def optional(self) -> tuple[tuple[str, ...], ...]:
        """Alias groups that a file may deliver."""
        return tuple(c.aliases for c in self.delivered.values() if c.optional)

    @property
    def known(self) -> tuple[str, ...]:
        """Delivered columns that the contract names and never reads."""
        return tuple(alias for n, c in self.contract.columns.items() if n not in self.columns for alias in c.aliases)

    def logical(self, name: str) -> str:
        """Logical type of a column, with its digits where the entity gives them."""
        return self.contract.columns[name].type or self.entity.by_name[name].type

    def canonical_unit(self, name: str) -> str | None:
        return self.entity.by_name[name].unit if name in self.entity.by_name else None

    def may_be_bad(self, name: str) -> bool:
        """Whether a delivered text may turn out to be no value of the column's type."""
        return (
            name in self.delivered
            and name not in self.untouched
            and not self.cleaners[name].yields_values
            and not self._is_plain_text(name)
        )

    def _is_plain_text(self, name: str) -> bool:
        column = self.columns[name]
        return self.logical(name) == "text" and not column.pad and treatment(column) != "generalise"

    def _arrow(self, name: str) -> pa.DataType:
        return self.entity.by_name[name].arrow_type if name in self.entity.by_name else _ARROW_OF_LOCAL[self.logical(name)]
