"""What dbt's YAML says of tables and columns arrives whole: it becomes their comments in a release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DBT = Path(__file__).resolve().parents[2] / "dbt"
DOCUMENTS = sorted(path for folder in ("models", "seeds") for path in (DBT / folder).rglob("*.yml"))


def _cut(node: Any) -> Iterator[str]:
    """Descriptions that a comma ended: what stands behind it in a mapping of one line is a key without a value."""
    if isinstance(node, dict):
        if "description" in node:
            yield from (f"{node.get('name')}: {node['description']}, {key}" for key, value in node.items() if value is None)
        for value in node.values():
            yield from _cut(value)
    elif isinstance(node, list):
        for value in node:
            yield from _cut(value)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(DBT)))
def test_no_description_is_cut_at_a_comma(document: Path) -> None:
    assert list(_cut(yaml.safe_load(document.read_text(encoding="utf-8")))) == []
