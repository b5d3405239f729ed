"""The domains of the city beside calls, cases, disputes and callbacks.

Each is a module or package of its own that builds on the world, delivers what its systems deliver, and counts its truth.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster_project.city.deliveries import Batch, Book
from dagster_project.city.tally import Tally
from dagster_project.city.world import World


@dataclass(frozen=True)
class Domain:
    """``deliver`` writes every batch of the domain's systems and enters it in the book; ``count`` adds the true figures as of a night.

    ``covered`` names the cells of each figure that the truth counts completely: '' the figure itself, 'category' all of a kind,
    'event:cleared' one.
    """

    deliver: Callable[[World, Path, Sequence[Batch], Book], None]
    count: Callable[[World, Book, dt.date, Tally], None]
    covered: Mapping[str, tuple[str, ...]]


DOMAINS: tuple[Domain, ...] = ()
