"""What a batch was made with: one short name for a contract together with the schema of its entity."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract

DIGITS = 12
DESCRIPTIVE: dict[str, Any] = {
    **dict.fromkeys(("title", "owner", "systems", "cadence", "due", "grade"), True),
    "tolerance": {"orphan_share"},
}
OF_THE_GATE = ("references", "times")
OF_THE_EXPIRY = "link"


def contract_version(contract: Contract, entity: Entity) -> str:
    """The first 12 hexadecimal digits of the SHA-256 over the canonical JSON of both.

    Comments, the order of keys, layout of the YAML, the keys that only describe (DESCRIPTIVE) and what the gate judges rows by (OF_THE_GATE)
    do not change it, nor does how long a hash lives: the expiry sees to that. Every other value does, and so does any column that the entity gains, loses or retypes, since each may change what the pool file holds.
    """
    schema = {name: value for name, value in dataclasses.asdict(entity).items() if name not in OF_THE_GATE}
    for column in (*schema["columns"], *schema["every_row"]):
        del column[OF_THE_EXPIRY]
    content = {"contract": contract.model_dump(mode="json", by_alias=True, exclude=DESCRIPTIVE), "entity": schema}
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGITS]
