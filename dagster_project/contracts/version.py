"""What a batch was made with: one short name for a contract together with the schema of its entity."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract

DIGITS = 12
DESCRIPTIVE = {"title", "owner", "systems", "cadence", "due", "grade"}


def contract_version(contract: Contract, entity: Entity) -> str:
    """The first 12 hexadecimal digits of the SHA-256 over the canonical JSON of both.

    Comments, the order of keys, layout of the YAML and the keys that only describe (DESCRIPTIVE) do not change it. Every other
    value does, and so does any column that the entity gains, loses or retypes, since each may change what the pool file holds.
    """
    content = {"contract": contract.model_dump(mode="json", by_alias=True, exclude=DESCRIPTIVE), "entity": dataclasses.asdict(entity)}
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGITS]
