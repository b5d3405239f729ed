"""How deliveries of the fictional city are told from real ones."""

from __future__ import annotations

from pathlib import Path

TRUTH = "truth"
FAULTS = "faults.json"
GAMING = "gaming.json"


def is_simulated(landing: Path) -> bool:
    """Whether the deliveries below a landing folder are of the fictional city."""
    return (landing / TRUTH / FAULTS).is_file()
