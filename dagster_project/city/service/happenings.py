"""What happens: requests for services of the police, the items they are for, and the visits to the windows of the service halls."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from dagster_project.city.account import HALF_YEAR
from dagster_project.city.clock import DAY, NEVER, Seconds, date_of, seconds_of
from dagster_project.city.shaping import Draws
from dagster_project.city.world import Flags, Indexes, Texts, World

ITEMS = 148
ONE_WINDOW_ITEMS = 36
ONE_VISIT_ITEMS = 38
HALVED_AFTER_DAYS = 180
REQUESTS_PER_CALL = 0.075
VISITS_PER_CALL = 0.065
WEEKEND_FACTOR = 0.25
AT_THE_COUNTY = 0.3
IN_TIME_FROM = 0.05
CHANNELS = (("1", "online", 0.34), ("2", "app", 0.30), ("3", "window", 0.36))
RESULTS = (("completed", "办结"), ("refused", "不予办理"), ("withdrawn", "撤回"))


@dataclass(frozen=True)
class Items:
    """One row per service item. From ``halved`` on the days promised are half of those by statute."""

    code: list[str]
    name: list[str]
    statutory_days: Indexes
    promised_days: Indexes
    promised_days_after: Indexes
    one_window: Flags
    one_visit: Flags
    halved: dt.date

    def promised(self, item: int, day: dt.date) -> int:
        """Days within which an item is promised to be done when asked for on a day."""
        return int(self.promised_days[item] if day < self.halved else self.promised_days_after[item])


@dataclass(frozen=True)
class Requests:
    """One row per request; ``closed`` is NEVER while it is open."""

    number: list[str]
    item: Indexes
    unit: Texts
    channel: Texts
    cross_region: Flags
    received: Seconds
    due: Seconds
    closed: Seconds
    result: Texts

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Visits:
    """One row per ticket drawn in a service hall; ``called`` is NEVER for those who left before."""

    number: list[str]
    item: Indexes
    unit: Texts
    window: Texts
    taken: Seconds
    called: Seconds
    finished: Seconds

    def __len__(self) -> int:
        return len(self.number)


def items_of(world: World) -> Items:
    draw = Draws(world.seed, "service items", ITEMS)
    statutory = np.array([2, 4, 6, 10, 14, 20, 30], dtype=np.int64)[draw.whole("statutory", 0, 7)]
    promised = np.maximum(1, statutory * 9 // 10)
    return Items(
        code=[f"GA{number:04d}" for number in range(1, ITEMS + 1)],
        name=[f"公安政务服务事项{number}" for number in range(1, ITEMS + 1)],
        statutory_days=statutory,
        promised_days=promised,
        promised_days_after=statutory // 2,
        one_window=np.arange(ITEMS) < ONE_WINDOW_ITEMS,
        one_visit=np.arange(ITEMS) * 7 % ITEMS < ONE_VISIT_ITEMS,
        halved=world.first_day + dt.timedelta(days=HALVED_AFTER_DAYS),
    )


def requests_of(world: World, items: Items) -> Requests:
    """Most are done within the days promised, some late, a few never, but none that is due in the half-year of the account; some are withdrawn."""
    received, unit, item = _arrivals(world, "requests", REQUESTS_PER_CALL, 21)
    draw = Draws(world.seed, "requests", len(received))
    promised = np.array([items.promised(i, date_of(t)) for i, t in zip(item.tolist(), received.tolist(), strict=True)], dtype=np.int64)
    due = (received // DAY + promised + 1) * DAY - 1
    fate, part, late = draw.share("fate"), draw.share("part"), draw.lognormal("late", 4 * DAY, 0.8)
    in_time = np.minimum(received + 1800 + (part**2 * promised * DAY).astype(np.int64), due)
    first, last = (seconds_of(day) for day in HALF_YEAR)
    fate = np.where((due >= first) & (due < last + DAY), np.maximum(fate, IN_TIME_FROM), fate)
    is_open, is_late, withdrawn, refused = (
        fate < 0.012,
        (fate >= 0.012) & (fate < IN_TIME_FROM),
        fate > 0.96,
        (fate > 0.93) & (fate <= 0.96),
    )
    closed = np.where(is_open, NEVER, np.where(is_late, due + late, in_time))
    return Requests(
        number=_numbers("BJ", received),
        item=item,
        unit=unit,
        channel=draw.one_of("channel", [code for code, _, _ in CHANNELS], [share for _, _, share in CHANNELS]),
        cross_region=draw.share("cross region") < 0.08,
        received=received,
        due=due,
        closed=closed,
        result=np.where(withdrawn, "withdrawn", np.where(refused, "refused", "completed")),
    )


def visits_of(world: World) -> Visits:
    """Tickets of the service halls: most wait some minutes, a few leave before they are called."""
    taken, unit, item = _arrivals(world, "visits", VISITS_PER_CALL, 17)
    draw = Draws(world.seed, "visits", len(taken))
    waited = 20 + draw.lognormal("wait", 420, 0.9)
    stays = draw.share("stays") >= 0.05
    called = np.where(stays, taken + waited, NEVER)
    return Visits(
        number=_numbers("QH", taken),
        item=item,
        unit=unit,
        window=np.char.add("W", draw.whole("window", 1, 9).astype("<U2")),
        taken=taken,
        called=called,
        finished=np.where(stays, taken + waited + 60 + draw.lognormal("handling", 500, 0.6), NEVER),
    )


def _arrivals(world: World, what: str, per_call: float, last_hour: int) -> tuple[Seconds, Texts, Indexes]:
    """Time, unit and item of everyone who comes, in the order of time.

    People come where and when the city is busy, but few at week-ends; some turn to the hall of the county. Popular items come first.
    """
    calls = world.calls
    of_call = Draws(world.seed, f"{what} of call", len(calls))
    day = calls.reported // DAY
    is_weekend = (day + 3) % 7 >= 5
    who = np.nonzero(of_call.share("comes") < per_call * np.where(is_weekend, WEEKEND_FACTOR, 1.0))[0]
    came = day[who] * DAY + of_call.whole("second", 8 * 3600, last_hour * 3600)[who]
    item = (of_call.share("item")[who] ** 2 * ITEMS).astype(np.int64)
    station = calls.unit[who]
    county = np.array([f"{code[:6]}000000" for code in station.tolist()], dtype=station.dtype)
    unit = np.where(of_call.share("county")[who] < AT_THE_COUNTY, county, station)
    order = np.lexsort((item, who, came))
    return came[order], unit[order], item[order]


def _numbers(letters: str, moment: Seconds) -> list[str]:
    """Letters, day and place in the day."""
    used: defaultdict[dt.date, int] = defaultdict(int)
    numbers = []
    for time in moment.tolist():
        day = date_of(time)
        used[day] += 1
        numbers.append(f"{letters}{day:%Y%m%d}{used[day]:05d}")
    return numbers
