"""Units of measure that deliveries use, and the exact factor between two of them."""

from __future__ import annotations

from fractions import Fraction

_DIMENSIONS: dict[str, dict[str, Fraction]] = {
    "duration": {
        "millisecond": Fraction(1, 1000),
        "centisecond": Fraction(1, 100),
        "second": Fraction(1),
        "minute": Fraction(60),
        "hour": Fraction(3600),
        "day": Fraction(86400),
    },
    "money": {"fen": Fraction(1), "yuan": Fraction(100), "wan_yuan": Fraction(1_000_000)},
    "share": {"permille": Fraction(1, 1000), "percent": Fraction(1, 100), "ratio": Fraction(1)},
    "length": {"metre": Fraction(1), "km": Fraction(1000), "mile": Fraction(1_609_344, 1000)},
}
UNITS: tuple[str, ...] = tuple(unit for units in _DIMENSIONS.values() for unit in units)


class UnitError(ValueError):
    """Two units that cannot be converted into each other; the message names both."""


def factor(delivered: str, canonical: str) -> Fraction:
    """What a value in ``delivered`` is multiplied by to be in ``canonical``; exact. Raises UnitError."""
    for units in _DIMENSIONS.values():
        if delivered in units and canonical in units:
            return units[delivered] / units[canonical]
    raise UnitError(f"'{delivered}' cannot be converted to '{canonical}'")
