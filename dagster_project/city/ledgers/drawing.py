"""How the numbers of a ledger come about. Each function makes a way of drawing that several ledgers share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dagster_project.city.ledgers.model import THOUSAND, Draw, Numbers, Slots
from dagster_project.city.shaping import Draws
from dagster_project.city.world import Indexes

Range = tuple[float, float]
Shares = npt.NDArray[np.float64]


def _between(draws: Draws, name: str, bounds: Range) -> Shares:
    low, high = bounds
    drawn: Shares = low + (high - low) * draws.share(name)
    return drawn


def _of_place(slots: Slots, draws: Draws, name: str, bounds: Range) -> Shares:
    """A number that each place keeps for ever."""
    own = _between(Draws(draws.seed, f"{draws.table} places", slots.places), name, bounds)
    kept: Shares = own[slots.place]
    return kept


def _whole(numbers: Shares) -> Indexes:
    whole: Indexes = np.floor(numbers + 1e-9).astype(np.int64)
    return whole


def number(low: int, high: int) -> Draw:
    """So many of something."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        return Numbers.of(draws.whole("number", low, high))

    return draw


def part(base: tuple[int, int], share: Range) -> Draw:
    """A part of a whole."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        whole = draws.whole("base", *base)
        return Numbers.of(
            np.minimum(_whole(whole.astype(np.float64) * _between(draws, "share", share) + draws.share("rounding")), whole), whole
        )

    return draw


def work(plan: int, share: Range) -> Draw:
    """Work done of a plan that is the same every time; some do more than planned."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        return Numbers.of(_whole(plan * _between(draws, "share", share)), np.full(len(slots), plan, dtype=np.int64))

    return draw


def hours(staff: int, week: int, share: Range, heap: float, heaped: float) -> Draw:
    """Hours of a unit's officers, of whom the city has ``staff``; a share ``heaped`` of the entries says exactly ``heap``.

    What is above the middle of ``share`` in one week is as much below it in the next.
    """

    def draw(slots: Slots, draws: Draws) -> Numbers:
        least, more = divmod(staff, max(slots.places, 1))
        base = (least + (slots.place < more).astype(np.int64)) * week
        low, high = share
        pairs = slots.period // 2 * slots.places + slots.place
        first = Draws(draws.seed, f"{draws.table} fortnights", int(pairs.max(initial=-1)) + 1).share("share")[pairs]
        told = np.where(draws.share("heaped") < heaped, heap, low + (high - low) * np.where(slots.period % 2 == 0, first, 1.0 - first))
        return Numbers.of(_whole(base.astype(np.float64) * told), base)

    return draw


def stock(size: Range, growth: float) -> Draw:
    """A holding of each place that grows by a share of itself every period."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        return Numbers.of(_whole(_of_place(slots, draws, "size", size) * (1.0 + growth * slots.period)))

    return draw


def held(size: int = 1) -> Draw:
    """Things that are there, as many every time."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        return Numbers.of(np.full(len(slots), size, dtype=np.int64))

    return draw


def covered(base: tuple[int, int], begin: Range, growth: float) -> Draw:
    """A part of a whole that each place keeps; the part grows every period."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        whole = _whole(_of_place(slots, draws, "base", base))
        share = np.minimum(_of_place(slots, draws, "share", begin) + growth * slots.period, 1.0)
        return Numbers.of(_whole(whole.astype(np.float64) * share), whole)

    return draw


def done(at_first: float, periods: int) -> Draw:
    """Done (1) or not yet (0) by each place: a share from the first, the others within so many periods."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        done_in = np.where(
            _of_place(slots, draws, "first", (0.0, 1.0)) < at_first, 0, 1 + _whole(_of_place(slots, draws, "when", (0.0, periods)))
        )
        return Numbers.of((slots.period >= done_in).astype(np.int64), np.ones(len(slots), dtype=np.int64))

    return draw


def outcomes(share: float) -> Draw:
    """Passed (1) or not (0)."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        return Numbers.of((draws.share("passed") < share).astype(np.int64), np.ones(len(slots), dtype=np.int64))

    return draw


def answers(shares: tuple[float, ...], weights: Range) -> Draw:
    """Answers from 1 on, each with its share and the weight of the respondent; what is left of the shares is no answer."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        place = np.searchsorted(np.cumsum(shares), draws.share("answer"), side="right")
        value = np.where(place < len(shares), place + 1, -1)
        return Numbers.of(value, weight=_whole(THOUSAND * _between(draws, "weight", weights)))

    return draw


def reviewed(share: float, strata: tuple[float, ...]) -> Draw:
    """Cases of a sample, passed or not, weighted by the stratum from which they were drawn."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        stratum = np.array(strata)[draws.whole("stratum", 0, len(strata))]
        return Numbers.of((draws.share("passed") < share).astype(np.int64), weight=_whole(THOUSAND * stratum))

    return draw


def spent(budget: tuple[int, int], pace: Range) -> Draw:
    """A yearly budget of each place and what was spent of it so far."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        whole = _whole(_of_place(slots, draws, "budget", budget))
        gone = np.array([day.month / 12 for day in slots.day])
        return Numbers.of(_whole(whole * gone * _between(draws, "pace", pace)), whole)

    return draw


def users(total: int, begin: int, daily: int, active: Range) -> Draw:
    """Registered users, who become more every day up to a total, and how many of them are active."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        registered = np.minimum(begin + daily * slots.period, total)
        return Numbers.of(_whole(registered * _between(draws, "active", active)), registered)

    return draw


def rare(mean: float, base: tuple[int, int]) -> Draw:
    """Rare happenings and the days on which they could have happened."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        exposure = draws.whole("base", *base)
        return Numbers.of((draws.share("happened") < mean * exposure).astype(np.int64), exposure)

    return draw


def shared_out(totals: tuple[int, ...]) -> Draw:
    """Totals of the city, one of each kind, shared out among its units."""

    def draw(slots: Slots, draws: Draws) -> Numbers:
        units = int(slots.unit_number.max(initial=0)) + 1
        total = np.array(totals)[slots.kind]
        return Numbers.of(total // units + (slots.unit_number < total % units))

    return draw
