"""What the domains of the city share: draws that stay the same when the world lives longer, and rows as known at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dagster_project.city.clock import NEVER, Seconds, date_of
from dagster_project.city.deliveries import Accepted
from dagster_project.city.files import Cell, Row
from dagster_project.city.places import UNASSIGNED
from dagster_project.city.world import Flags, Texts, World, generator


@dataclass(frozen=True)
class Draws:
    """Draws for the rows of one table; every name is a stream of its own, and the first rows draw the same whatever follows."""

    seed: int
    table: str
    rows: int

    def share(self, name: str) -> npt.NDArray[np.float64]:
        """Evenly between 0 and 1."""
        return self._stream(name).random(self.rows)

    def whole(self, name: str, low: int, high: int) -> Seconds:
        """Whole numbers from ``low`` to below ``high``."""
        return self._stream(name).integers(low, high, self.rows)

    def lognormal(self, name: str, median: float | npt.NDArray[np.float64], sigma: float) -> Seconds:
        """Whole numbers of a lognormal distribution."""
        drawn: Seconds = (median * np.exp(sigma * self._stream(name).standard_normal(self.rows))).astype(np.int64)
        return drawn

    def pareto(self, name: str, least: float, shape: float) -> Seconds:
        """Whole numbers of a Pareto distribution from ``least`` on."""
        drawn: Seconds = (least * (1.0 + self._stream(name).pareto(shape, self.rows))).astype(np.int64)
        return drawn

    def one_of(self, name: str, values: Sequence[str], shares: Sequence[float]) -> Texts:
        """One of the values each, with the given shares (the last takes what is left)."""
        picked = np.searchsorted(np.cumsum(shares), self.share(name), side="right")
        return np.array(values)[np.minimum(picked, len(values) - 1)]

    def _stream(self, name: str) -> np.random.Generator:
        return generator(self.seed, f"{self.table} {name}")


def before(times: Seconds, until: int) -> Seconds:
    """The times known at a moment; NEVER for those still to come."""
    return np.where(times < until, times, NEVER)


def latest(changes: Seconds, until: int) -> Seconds:
    """The last change of each row known at a moment."""
    known = np.where(changes < until, changes, np.int64(-1))
    newest: Seconds = known.max(axis=1)
    return newest


def ended(changes: Seconds, deleted: Seconds) -> Seconds:
    """Changes up to the deletion of a record; nothing changes after it."""
    return np.where(changes <= deleted[:, None], changes, NEVER)


def as_rows(columns: Sequence[Sequence[Cell]]) -> list[Row]:
    return [list(row) for row in zip(*columns, strict=True)]


def yes_no(flags: Flags) -> list[str]:
    return ["1" if flag else "0" for flag in flags.tolist()]


def or_none(texts: Sequence[str]) -> list[str | None]:
    return [text or None for text in texts]


def leaf_of(world: World, unit: str, moment: int, state: Accepted) -> str:
    """Where a record counts that carries a unit code: under the unit valid on the day of a moment, or nowhere if the code was spoilt."""
    return UNASSIGNED if state.unknown_unit else world.places.leaf(unit, date_of(moment))
