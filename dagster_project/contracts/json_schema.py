"""The JSON Schema of a contract, for editors: completion, descriptions and red underlines while a contract is written.

``python -m dagster_project.contracts.json_schema`` writes it anew after the model has changed.
"""

from __future__ import annotations

import json
from pathlib import Path

from dagster_project.contracts.load import PROJECT_SOURCES
from dagster_project.contracts.model import Contract

SCHEMA_FILE = PROJECT_SOURCES / "contract.schema.json"


def schema_text() -> str:
    """The schema as it is written to ``sources/contract.schema.json``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Contract.model_json_schema(by_alias=True),
        "title": "Contract of one source",
    }
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=False) + "\n"


def write_schema(path: Path = SCHEMA_FILE) -> Path:
    """Write the schema and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema_text(), encoding="utf-8")
    return path


if __name__ == "__main__":
    write_schema()
