"""The domains of the city beside calls, cases, disputes and callbacks.

Each is a module or package of its own that builds on the world, delivers what its systems deliver, and counts its truth.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster_project.city import devices, exposure, fraud, gates, ledgers, matters, registers, service, traffic
from dagster_project.city.deliveries import Batch, Book
from dagster_project.city.tally import Tally
from dagster_project.city.world import World


@dataclass(frozen=True)
class Domain:
    """``deliver`` writes every batch of the domain's systems and enters it in the book; ``count`` adds the true figures as of a night.

    ``covered`` names the cells of each figure that the truth counts completely: '' the figure itself, 'category' all of a kind,
    'event:cleared' one.
    """

    name: str
    deliver: Callable[[World, Path, Sequence[Batch], Book], None]
    count: Callable[[World, Book, dt.date, Tally], None]
    covered: Mapping[str, tuple[str, ...]]


DOMAINS: tuple[Domain, ...] = (
    Domain("fraud", fraud.deliver, fraud.count, fraud.COVERED),
    Domain("service", service.deliver, service.count, service.COVERED),
    Domain("matters", matters.deliver, matters.count, matters.COVERED),
    Domain("registers", registers.deliver, exposure.count, exposure.COVERED),
    Domain("devices", devices.deliver, devices.count, devices.COVERED),
    Domain("gates", gates.deliver, gates.count, gates.COVERED),
    Domain("traffic", traffic.deliver, traffic.count, traffic.COVERED),
    Domain("ledgers", ledgers.deliver, ledgers.count, ledgers.COVERED),
)


def chosen_domains(names: Collection[str] | None) -> tuple[Domain, ...]:
    """The domains of these names, all of them for None. Raises ValueError for a name that is none."""
    if names is None:
        return DOMAINS
    unknown = sorted(set(names) - {domain.name for domain in DOMAINS})
    if unknown:
        raise ValueError(f"the city has no domain {', '.join(unknown)}; it has {', '.join(domain.name for domain in DOMAINS)}")
    return tuple(domain for domain in DOMAINS if domain.name in names)
