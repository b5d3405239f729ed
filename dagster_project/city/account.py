"""The published account that the default city reproduces: each figure, where a release shows it, for which period, and as printed.

Declared here and nowhere else. The city is drawn so that the pool counts these figures from its rows; the pipeline knows nothing of them.
Changes are of the second quarter of 2025 against that of 2024: whole quarters of equal length, without a leap day and without the Spring
Festival, so that the change of the numbers is the change of the rates.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dagster_project.city.clock import DAY, Seconds, seconds_of

QUARTER = (dt.date(2025, 4, 1), dt.date(2025, 6, 30))
HALF_YEAR = (dt.date(2025, 1, 1), dt.date(2025, 6, 30))
SETTLED_DAYS = 62
PREVENTABLE_LEFT = 0.615
FRAUDS_LEFT = 0.423
LOSSES_LEFT = 0.434
GATES = 10_478
FACE_CAMERAS = 3_002
PASSAGES_PER_GATE = 3_818
COUNTIES = 13
MOST_THINNED = 0.25
DIGITS = 3


def in_quarter(moment: Seconds, years_back: int = 0) -> np.typing.NDArray[np.bool_]:
    """Of the account's quarter, or of the same quarter so many years earlier."""
    first, last = (seconds_of(day.replace(year=day.year - years_back)) for day in QUARTER)
    within: npt.NDArray[np.bool_] = (moment >= first) & (moment < last + DAY)
    return within


def is_settled(first_day: dt.date, first_night: dt.date) -> bool:
    """Whether an initial load holds both quarters, the later one so long over that nothing in it changes any more."""
    return first_day <= QUARTER[0].replace(year=QUARTER[0].year - 1) and first_night > QUARTER[1] + dt.timedelta(days=SETTLED_DAYS)


def exact_pair(before: int, after: int, left: float) -> tuple[int, int]:
    """The largest numbers up to these of which the second is ``left`` of the first, at the digits printed; these themselves if that
    would take too many away."""
    for taken in range(int(MOST_THINNED * (before + after)) + 1):
        for of_before in range(taken + 1):
            pair = before - of_before, after - (taken - of_before)
            if min(pair) > 0 and round(pair[1] / pair[0], DIGITS) == left:
                return pair
    return before, after


Shown = Literal["change", "direction", "percent", "number", "base", "millions_a_day", "per_gate_and_day", "stage", "rows"]


@dataclass(frozen=True)
class Figure:
    """One published figure: the KPI, slice and period of the city's row in ``kpi`` that shows it, and how it is printed.

    ``shown``: ``change`` the year-on-year ratio less one in per cent, ``direction`` its sign in words, ``percent`` numerator of denominator,
    ``number`` the numerator, ``base`` the denominator, ``millions_a_day`` and ``per_gate_and_day`` the numerator of a week by day and by
    registered gate, ``stage`` that the stage was
    measured (the account gives no digits), ``rows`` the counties in ``unit``.
    """

    name_zh: str
    name_en: str
    kpi_id: str
    slice: str
    grain: str
    period_end: dt.date
    shown: Shown
    printed: str


_MONTH_BEFORE, _MONTH_SO_FAR, _WEEK_BEFORE = dt.date(2025, 8, 31), dt.date(2025, 9, 30), dt.date(2025, 8, 31)


def _of_quarter(name_zh: str, name_en: str, kpi_id: str, shown: Shown, printed: str, slice: str = "") -> Figure:
    return Figure(name_zh, name_en, kpi_id, slice, "quarter", QUARTER[1], shown, printed)


FIGURES = (
    _of_quarter("街面可防性警情同比", "street preventable incidents, year on year", "INC-4", "change", "−38.5 %"),
    _of_quarter("电诈立案同比", "telecom-fraud cases, year on year", "FR-1.cases", "change", "−57.7 %"),
    _of_quarter("电诈损失同比", "telecom-fraud losses, year on year", "FR-2.loss", "change", "−56.6 %"),
    _of_quarter("政务服务按期办结率", "service requests closed by their due date", "SVC-1", "percent", "100 %"),
    _of_quarter("智慧安防小区可防性警情", "preventable incidents in smart-security communities", "SITE-1", "number", "0"),
    _of_quarter("社区民警在社区工时", "hours of community officers in the community", "TIME-1", "percent", "80 %"),
    _of_quarter("八类严重暴力案件破案率", "eight serious violent types cleared", "CR-3", "percent", "100 %"),
    _of_quarter("伤亡事故同比", "accidents with casualties, year on year", "TR-1.accidents", "direction", "down"),
    _of_quarter("事故死亡同比", "deaths in accidents, year on year", "TR-1.deaths", "direction", "down"),
    _of_quarter("承诺时限占法定时限", "days promised of the days by statute", "SVC-3.cut", "percent", "50 %"),
    _of_quarter("报警至接警", "response: report to receipt", "RT-1", "stage", "by stage", "stage:report_receive"),
    _of_quarter("接警至派警", "response: receipt to dispatch", "RT-1", "stage", "by stage", "stage:receive_dispatch"),
    _of_quarter("派警至到达", "response: dispatch to arrival", "RT-1", "stage", "by stage", "stage:dispatch_arrive"),
    _of_quarter("到达至处置完毕", "response: arrival to closing", "RT-1", "stage", "by stage", "stage:arrive_close"),
    Figure("车辆卡口数", "vehicle gates", "EQ-4.devices", "device_kind:gate", "month", _MONTH_SO_FAR, "number", "10,478"),
    Figure("人像识别前端数", "face cameras", "EQ-4.devices", "device_kind:face_camera", "month", _MONTH_SO_FAR, "number", "3,002"),
    Figure("日均过车量", "passages a day", "EQ-2.volume", "", "week", _WEEK_BEFORE, "millions_a_day", "40 million"),
    Figure("每卡口日均过车量", "passages a gate and day", "EQ-2.volume", "", "week", _WEEK_BEFORE, "per_gate_and_day", "3,818"),
    Figure("警保联控站数", "joint-security stations", "PAT-2.stations", "", "month", _MONTH_BEFORE, "number", "208"),
    Figure("社区民警数", "community officers", "PAT-3.staff", "category:community", "month", _MONTH_BEFORE, "number", "1,105"),
    Figure("县级公安机关数", "county bureaus", "", "", "", _MONTH_SO_FAR, "rows", "13"),
    Figure("线上服务事项数", "online services", "SVC-2.items", "", "month", _MONTH_SO_FAR, "number", "148"),
    Figure("一窗通办事项数", "one-window items", "SVC-2.items", "mark:one_window", "month", _MONTH_SO_FAR, "number", "36"),
    Figure("线上服务注册用户数", "registered users of online services", "SVC-6", "", "month", _MONTH_BEFORE, "base", "760,000"),
)
