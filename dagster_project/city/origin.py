"""How deliveries of the fictional city are told from real ones, and those of one such city from another's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TRUTH = "truth"
CITY = "city.json"
"""Which city is delivered; written before its first delivery, so that a half delivered one is known too."""
FAULTS = "faults.json"
GAMING = "gaming.json"


class OtherCityError(ValueError):
    """A landing folder holds deliveries of another city; the message says of which, and what to do."""


def is_simulated(landing: Path) -> bool:
    """Whether the deliveries below a landing folder are of the fictional city."""
    return (landing / TRUTH / FAULTS).is_file()


def expect_same_city(landing: Path, city: Mapping[str, Any]) -> None:
    """Raise OtherCityError when a landing folder holds deliveries of a city with other settings than ``city``.

    Further nights of the same city may always come. What is not written down of the city that is there is not compared.
    """
    known = _city_of(landing)
    others = {name: known[name] for name in city if name in known and known[name] != city[name]}
    if others:
        there = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}, not {_shown(city[name])}" for name, value in others.items())
        raise OtherCityError(
            f"{landing} holds deliveries of another city ({there}), and both would be taken for one: deliver into another folder, "
            "go on with the city that is there by giving its own options, or remove everything below the folder first"
        )


def _city_of(landing: Path) -> dict[str, Any]:
    """What is written down of the city whose deliveries are there; nothing where none is, or none that can be read."""
    for name, key in ((CITY, None), (FAULTS, "city")):
        try:
            document = json.loads((landing / TRUTH / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            continue
        found = document.get(key) if key and isinstance(document, dict) else document
        if isinstance(found, dict):
            return found
    return {}


def _shown(value: Any) -> str:
    return "none" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)
