"""The table of all checks in ``docs/gate.md``, written from the code: ``python -m dagster_project.audit.documentation MANIFEST``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from dagster_project.audit.dbt_tests import action_of, check_names, name_zh, owner_of, severity_of
from dagster_project.audit.expected import EXPECTED
from dagster_project.audit.lineage import Lineage, read_lineage
from dagster_project.audit.register import PRODUCT_CHECKS, SOURCE_CHECKS, Check
from dagster_project.audit.verdict import DEFAULT_OWNER

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gate.md"
BEGIN, END = "<!-- checks: written by dagster_project.audit.documentation -->", "<!-- end of checks -->"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)


def _registered(checks: Iterable[Check]) -> str:
    rows = [[f"`{c.name}`", c.zh, c.severity, c.owner, c.finds, c.action] for c in checks]
    return _table(("check", "检查", "severity", "owner", "fails when", "what to do"), rows)


def _dbt_tests(lineage: Lineage) -> str:
    names = check_names(lineage)
    rows = sorted(
        [f"`{names[t.unique_id]}`", name_zh(lineage, t), severity_of(t), owner_of(t), " ".join(action_of(t).split())] for t in lineage.tests
    )
    return _table(("check", "检查", "severity", "owner", "what to do"), rows)


def _expectations() -> str:
    rows = [
        [f"`gx:{suite}: {e.check}`", e.zh, e.severity, DEFAULT_OWNER, e.words, e.action]
        for suite, expectations in EXPECTED.items()
        for e in expectations
    ]
    return _table(("check", "检查", "severity", "owner", "fails when", "what to do"), rows)


def all_checks(lineage: Lineage) -> str:
    """Every check of the gate as Markdown tables."""
    parts = (
        ("Of a source, shown for every product that it feeds", _registered(SOURCE_CHECKS.values())),
        ("Of a product", _registered(PRODUCT_CHECKS.values())),
        ("dbt tests, run again by the gate", _dbt_tests(lineage)),
        ("Great Expectations", _expectations()),
    )
    return "\n\n".join(f"### {title}\n\n{table}" for title, table in parts)


def with_checks(page: str, lineage: Lineage) -> str:
    """The page with the tables of now between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{all_checks(lineage)}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_checks(PAGE.read_text(encoding="utf-8"), read_lineage(Path(sys.argv[1]))), encoding="utf-8")
