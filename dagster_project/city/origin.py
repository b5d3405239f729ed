"""How deliveries of the fictional city are told from real ones, and those of one such city from another's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TRUTH = "truth"
CITY = "city.json"
"""Which city is delivered, of how many nights and domains; written before its first delivery, so that a half delivered one is known too."""
FAULTS = "faults.json"
GAMING = "gaming.json"
GROWING = ("nights", "domains")
"""What there may be more of when the same city is delivered again, and never less."""


class OtherCityError(ValueError):
    """A landing folder holds deliveries of another city; the message says of which, and what to do."""


class LessOfCityError(ValueError):
    """A landing folder holds more nights or domains of the city than would be delivered; the message says which, and what to do."""


def is_simulated(landing: Path) -> bool:
    """Whether the deliveries below a landing folder are of the fictional city."""
    return (landing / TRUTH / FAULTS).is_file()


def expect_same_city(landing: Path, city: Mapping[str, Any]) -> None:
    """Raise OtherCityError when a landing folder holds deliveries of a city with other settings than ``city``.

    Further nights and domains of the same city may always come. LessOfCityError is raised for fewer: what was delivered would stay, and
    the truth would not tell of it. What is not written down of the city that is there is not compared.
    """
    known = _city_of(landing)
    others = {name: known[name] for name in city if name in known and name not in GROWING and known[name] != city[name]}
    if others:
        there = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}, not {_shown(city[name])}" for name, value in others.items())
        raise OtherCityError(
            f"{landing} holds deliveries of another city ({there}), and both would be taken for one: deliver into another folder, "
            "go on with the city that is there by giving its own options, or remove everything below the folder first"
        )
    shrunk = {
        "nights": known.get("nights", 0) > city["nights"],
        "domains": not {*known.get("domains", ())} <= {*city["domains"]},
    }
    if any(shrunk.values()):
        there = ", ".join(f"{name} {_shown(known[name])}, not {_shown(city[name])}" for name in GROWING if shrunk[name])
        raise LessOfCityError(
            f"{landing} holds more of this city ({there}), and what is there beyond would be processed, but not be in its truth: "
            "give as many nights and all the domains that are there, deliver into another folder, or remove everything below the folder first"
        )


def _city_of(landing: Path) -> dict[str, Any]:
    """What is written down of the city whose deliveries are there; nothing where none is, or none that can be read.

    Earlier releases wrote how many nights there are beside the faults alone, and the domains nowhere.
    """
    known: dict[str, Any] = {}
    for name, key in ((FAULTS, "city"), (CITY, None)):
        try:
            document = json.loads((landing / TRUTH / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            continue
        found = document.get(key) if key and isinstance(document, dict) else document
        if isinstance(found, dict):
            known |= found
    return known


def _shown(value: Any) -> str:
    return "none" if value is None or value == [] else " ".join(map(str, value)) if isinstance(value, list) else str(value)
