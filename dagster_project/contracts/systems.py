"""The register of systems, as contracts name its rows: each exists, and none that must stay out of the pool is read."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dagster_project.contracts.model import Contract
from dagster_project.contracts.problems import Finding, did_you_mean

REGISTER = Path(__file__).resolve().parents[2] / "dbt" / "seeds" / "system.csv"
EXCLUDED = "EXCLUDE"


@cache
def treatments() -> dict[str, str]:
    """Number of a system to how far it may enter the pool: KEEP, UNIT, REDUCE, EQUIP, CLAIM or EXCLUDE."""
    with REGISTER.open(encoding="utf-8", newline="") as lines:
        return {row["system_id"]: row["treatment"] for row in csv.DictReader(lines)}


def check_systems(contract: Contract) -> Iterator[Finding]:
    """What is wrong with the systems that a contract names."""
    known = treatments()
    for place, system_id in enumerate(contract.systems):
        if system_id not in known:
            yield Finding(("systems", place), f"there is no system '{system_id}' in the register", did_you_mean(system_id, known))
        elif known[system_id] == EXCLUDED:
            yield Finding(
                ("systems", place), f"system '{system_id}' must stay out of the pool", "remove the contract: nothing of it may be landed"
            )
