"""Which entries a ledger has: every unit that is there fills it in once its period is over, and hands it in some days later."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator

import numpy as np

from dagster_project.city.clock import DAY, NEVER, seconds_of
from dagster_project.city.ledgers.model import Entries, Ledger, Numbers, Period, Slots
from dagster_project.city.places import CITY_CODE, Unit
from dagster_project.city.shaping import Draws
from dagster_project.city.world import Indexes, World

HANDED_IN_AT = 9 * 3600
CORRECTED_SHARE = 0.015
BLANK_SHARE = 0.006
ABOVE_SHARE = 0.004
SURE_BLANKS = (7, 12)


def fill(world: World, ledger: Ledger) -> Entries:
    """The entries of a ledger, in the order of time; a longer life has the same and then more."""
    slots = _slots(world, ledger)
    draws = Draws(world.seed, f"ledger {ledger.source_id}", len(slots))
    numbers = ledger.draw(slots, draws)
    if ledger.keyed and ledger.leaves_out:
        excludes = np.array([kind.counts.shape == "share" and kind.counts.above == "exclude" for kind in ledger.kinds])[slots.kind]
        oddity = draws.share("oddity")
        value = np.where(excludes & (numbers.base >= 0) & (oddity < ABOVE_SHARE), numbers.base + 1, numbers.value)
        blank = ((oddity >= ABOVE_SHARE) & (oddity < ABOVE_SHARE + BLANK_SHARE)) | np.isin(np.arange(len(slots)), SURE_BLANKS)
        numbers = Numbers(np.where(blank, -1, value), numbers.base, numbers.weight)
    is_corrected = (draws.share("corrected") < CORRECTED_SHARE) & (ledger.keyed and not ledger.is_sound)
    first: Indexes = np.where(is_corrected & (numbers.value > 0), numbers.value - 1, numbers.value)
    return Entries(slots, numbers, first, np.where(is_corrected, slots.next_due, NEVER), _numbers(ledger, slots))


def _numbers(ledger: Ledger, slots: Slots) -> list[str]:
    """The number of each entry in its ledger: unit, day, kind and item."""
    parts = zip(slots.unit, slots.day, slots.kind.tolist(), slots.item.tolist(), strict=True)
    return [f"{unit}{day:%Y%m%d}{kind + 1:02d}{item + 1:03d}" for unit, day, kind, item in parts]


def _units(world: World, ledger: Ledger) -> list[Unit]:
    levels = {"city": [u for u in world.places.units if u.code == CITY_CODE], "county": list(world.places.counties)}
    units = levels.get(ledger.level) or [u for u in world.places.units if u.level == ledger.level]
    return [u for u in units if u.valid_to is None] if ledger.of_all else units


def _slots(world: World, ledger: Ledger) -> Slots:
    units = _units(world, ledger)
    items = [ledger.items] * len(units)
    if ledger.of_all:
        least, more = divmod(ledger.of_all, len(units))
        items = [least + (number < more) for number in range(len(units))]
    kinds = len(ledger.kinds)
    first_place = np.cumsum([0, *(n * kinds for n in items)])
    chosen: list[tuple[int, int, int, int, int]] = []
    spans = list(_spans(ledger.period, world.first_day, world.last_day))
    for period, (start, _) in enumerate(spans):
        for number, unit in enumerate(units):
            if unit.valid_from <= start and (unit.valid_to is None or start < unit.valid_to):
                chosen += [
                    (period, number, kind, item, int(first_place[number]) + kind * items[number] + item)
                    for kind in range(kinds)
                    for item in range(items[number])
                ]
    table = np.array(chosen, dtype=np.int64).reshape(len(chosen), 5)
    due = np.array([_due(ledger, end) for _, end in spans], dtype=np.int64)
    next_due = np.array([_due(ledger, _next_end(ledger.period, end)) for _, end in spans], dtype=np.int64)
    return Slots(
        unit=[units[n].code for n in table[:, 1].tolist()],
        unit_number=table[:, 1],
        kind=table[:, 2],
        item=table[:, 3],
        place=table[:, 4],
        places=int(first_place[-1]),
        period=table[:, 0],
        start=[spans[p][0] for p in table[:, 0].tolist()],
        day=[spans[p][1] for p in table[:, 0].tolist()],
        due=due[table[:, 0]] if len(spans) else np.zeros(0, dtype=np.int64),
        next_due=next_due[table[:, 0]] if len(spans) else np.zeros(0, dtype=np.int64),
    )


def _due(ledger: Ledger, end: dt.date) -> int:
    return seconds_of(end) + ledger.report_after * DAY + HANDED_IN_AT


def _spans(period: Period, first_day: dt.date, last_day: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    """First and last day of every whole period of a life."""
    start = first_day
    while (end := _end(period, start)) <= last_day:
        if start == first_day and not _begins(period, start):
            start = end + dt.timedelta(days=1)
            continue
        yield start, end
        start = end + dt.timedelta(days=1)


def _begins(period: Period, day: dt.date) -> bool:
    if period == "week":
        return day.weekday() == 0
    return period == "day" or (day.day == 1 and (period == "month" or day.month % 3 == 1))


def _end(period: Period, day: dt.date) -> dt.date:
    if period == "day":
        return day
    if period == "week":
        return day + dt.timedelta(days=6 - day.weekday())
    month = day.month if period == "month" else (day.month + 2) // 3 * 3
    return dt.date(day.year, month, calendar.monthrange(day.year, month)[1])


def _next_end(period: Period, end: dt.date) -> dt.date:
    return _end(period, end + dt.timedelta(days=1))
