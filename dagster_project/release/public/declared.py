"""Which KPIs count the same thing, by their definitions: whoever reads one of them has read the other.

Equal columns of figures are no reason to stand here, and unequal ones none to be left out: only what the catalogue says of both.
The numerator of a proportion is part of its denominator without being named here. Where what a denominator has beyond the numerator is the
count of another KPI, the side is called ``rest``: the figure then tells that count, and its numerator.
"""

from __future__ import annotations

Side = tuple[str, str]

SAME_COUNT: dict[str, tuple[Side, ...]] = {
    "calls": (
        ("INC-1", "numerator"),
        ("INC-2", "denominator"),
        ("INT-4.invalid", "denominator"),
        ("INT-4.deleted", "rest"),
        ("CMP-1", "denominator"),
    ),
    "effective incidents": (
        ("INC-2", "numerator"),
        ("INC-3.effective", "numerator"),
        ("INC-3.converted", "denominator"),
        ("SAT-2", "denominator"),
        ("INT-5.coverage", "denominator"),
    ),
    "incidents called back, of eligible ones": (("SAT-2", "numerator"), ("INT-5.coverage", "numerator")),
    "incidents called back": (("SAT-3", "denominator"), ("INT-5.no_phone", "denominator")),
    "first replies": (("SAT-3", "numerator"), ("INT-5.first", "denominator")),
    "cases filed": (
        ("CR-1.filed", "numerator"),
        ("CR-1", "denominator"),
        ("CR-2", "denominator"),
        ("CR-2.30", "denominator"),
        ("CR-2.90", "denominator"),
        ("CR-2.3m", "denominator"),
        ("CR-2.365", "denominator"),
        ("INT-1.before", "denominator"),
        ("INT-4.withdrawn", "denominator"),
    ),
    "cases cleared": (("CR-1", "numerator"), ("CR-5", "numerator"), ("INT-3.reopened", "denominator")),
    "serious cases filed": (("CR-3", "denominator"), ("CR-3.90", "denominator"), ("CR-3.365", "denominator")),
    "cases accepted": (("AD-1.30", "denominator"), ("AD-1.60", "denominator")),
    "agreements followed up": (("MED-2.90", "denominator"), ("MED-2.180", "denominator")),
    "requests closed": (("SVC-3", "denominator"), ("SVC-3.promised", "denominator"), ("SVC-3.statutory", "denominator")),
    "fraud cases": (("FR-1.cases", "numerator"), ("FR-1", "numerator")),
    "people killed": (("TR-1.deaths", "numerator"), ("TR-2", "numerator")),
}
"""Counts over periods that are complete: a cohort with full follow-up is then the whole of it."""

PART_OF: tuple[tuple[Side, Side], ...] = (
    (("INC-4", "numerator"), ("INC-2", "numerator")),
    (("INC-5", "denominator"), ("INC-1", "numerator")),
    (("REG-2", "denominator"), ("INC-2", "numerator")),
    (("INC-6", "numerator"), ("INC-2", "numerator")),
    (("SITE-1.located", "denominator"), ("INC-2", "numerator")),
    (("SITE-1", "numerator"), ("SITE-1.households", "numerator")),
    (("INT-3.down", "denominator"), ("INC-1", "numerator")),
    (("INT-3.late", "denominator"), ("INC-1", "numerator")),
    (("RT-2", "denominator"), ("INT-8.heap", "denominator")),
    (("CR-2.30", "numerator"), ("CR-2.90", "numerator")),
    (("CR-2.30", "numerator"), ("CR-2.3m", "numerator")),
    (("CR-2.90", "numerator"), ("CR-2.365", "numerator")),
    (("CR-2.3m", "numerator"), ("CR-2.365", "numerator")),
    (("CR-2.365", "numerator"), ("CR-2", "numerator")),
    (("CR-3", "denominator"), ("CR-1.filed", "numerator")),
    (("CR-3.90", "numerator"), ("CR-3.365", "numerator")),
    (("CR-3.365", "numerator"), ("CR-3", "numerator")),
    (("CR-3.90", "numerator"), ("CR-2.90", "numerator")),
    (("CR-3.365", "numerator"), ("CR-2.365", "numerator")),
    (("CR-3", "numerator"), ("CR-2", "numerator")),
    (("CR-6", "numerator"), ("CR-5", "numerator")),
    (("CR-6", "denominator"), ("CR-1.filed", "numerator")),
    (("INT-1.before", "numerator"), ("CR-2.30", "numerator")),
    (("INT-1.quick", "denominator"), ("CR-5", "numerator")),
    (("AD-1.30", "numerator"), ("AD-1.60", "numerator")),
    (("MED-2.90", "numerator"), ("MED-2.180", "numerator")),
    (("INT-7.cluster", "denominator"), ("CR-1.filed", "numerator")),
    (("INT-7.per_incident", "denominator"), ("CR-1.filed", "numerator")),
    (("FR-5", "denominator"), ("FR-6", "denominator")),
    (("SVC-4.one_window", "numerator"), ("SVC-5", "denominator")),
    (("TR-1.deaths", "numerator"), ("TR-1.ksi", "numerator")),
)
"""Counts that are part of another one, as subset and whole, in every unit and period."""

NEARLY_PART_OF: tuple[tuple[Side, Side], ...] = (
    (("MED-2.90", "denominator"), ("MED-1", "numerator")),
    (("SAT-2", "numerator"), ("SAT-3", "denominator")),
)
"""Counts that are part of another one but for what lies at the borders of periods, since they run on different clocks, or for records that
share a number: they are hidden as if they were parts, though no reader can rely on it."""

_NAME = {side: name for name, sides in SAME_COUNT.items() for side in sides}


def count_name(kpi_id: str, side: str) -> str:
    """The name of what a side of a KPI counts; sides of one name count the same."""
    return _NAME.get((kpi_id, side), f"{kpi_id} {side}")


def tells_rest(kpi_id: str) -> bool:
    """What the denominator has beyond the numerator is the count of another KPI."""
    return (kpi_id, "rest") in _NAME


def parts() -> list[tuple[str, str]]:
    """Part and whole by name, as far as they are declared, nearly or wholly."""
    return [(count_name(*part), count_name(*whole)) for part, whole in (*PART_OF, *NEARLY_PART_OF)]
