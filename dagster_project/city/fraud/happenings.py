"""What happens: losses of fraud cases, payments that banks stop, freeze and return, and warnings to those about to pay.

A fraud case is a case of the city with a loss. Losses are heavy-tailed: most are some ten thousand yuan, a few are millions.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dagster_project.city.account import LOSSES_LEFT, in_quarter, is_settled
from dagster_project.city.clock import DAY, NEVER, Seconds, date_of, seconds_of
from dagster_project.city.deliveries import lost_at_first
from dagster_project.city.fraud.faults import FRAUD, LEDGER, LEDGER_FAULTS
from dagster_project.city.shaping import Draws
from dagster_project.city.world import Flags, Indexes, Texts, World

KINDS = (
    ("brushing", "刷单返利", 0.34, 900_000),
    ("fake_service", "冒充客服", 0.20, 1_500_000),
    ("investment", "虚假投资理财", 0.16, 6_000_000),
    ("loan", "虚假网络贷款", 0.14, 1_200_000),
    ("impersonation", "冒充公检法", 0.05, 8_000_000),
    ("other", "其他", 0.11, 700_000),
)
ACTIONS = (("stopped", "止付"), ("frozen", "冻结"), ("returned", "返还"))
LEVELS = (("1", "high", 0.15), ("2", "medium", 0.35), ("3", "low", 0.50))
MODES = (("01", "visit", 0.30), ("02", "phone", 0.55), ("03", "message", 0.15))
VERY_LARGE_SHARE = 0.02
VERY_LARGE_LEAST = 30_000_000
LARGEST_LOSS = 2_000_000_000
WARNINGS_PER_CALL = 0.04
FOLLOW_UP_DAYS = 30


@dataclass(frozen=True)
class Frauds:
    """One row per fraud case. Amounts in fen; ``corrected``: when the loss was put right, from ``loss_first`` to ``loss``."""

    case: Indexes
    kind: Texts
    loss: Seconds
    loss_first: Seconds
    corrected: Seconds

    def __len__(self) -> int:
        return len(self.case)


@dataclass(frozen=True)
class Payments:
    """One row per payment that a bank acted on; ``case`` points into the world's cases."""

    number: list[str]
    case: Indexes
    action: Texts
    amount: Seconds
    happened: Seconds

    def __len__(self) -> int:
        return len(self.case)


@dataclass(frozen=True)
class Warnings:
    """One row per dissuasion instruction. ``reported``: delivered when its 30 days are over."""

    unit: Texts
    level: Texts
    mode: Texts
    issued: Seconds
    contacted: Flags
    met: Flags
    victimised: Flags
    reported: Seconds

    def __len__(self) -> int:
        return len(self.unit)


def frauds_of(world: World) -> Frauds:
    case = np.nonzero(world.cases.category == FRAUD)[0]
    draw = Draws(world.seed, "frauds", len(case))
    kind = draw.one_of("kind", [kind for kind, _, _, _ in KINDS], [share for _, _, share, _ in KINDS])
    medians = {kind: float(median) for kind, _, _, median in KINDS}
    usual = draw.lognormal("loss", np.array([medians[k] for k in kind.tolist()], dtype=np.float64), 1.3)
    very_large = draw.share("very large") < VERY_LARGE_SHARE
    loss = np.minimum(np.where(very_large, draw.pareto("large loss", VERY_LARGE_LEAST, 1.2), usual), LARGEST_LOSS)
    loss = np.where(draw.share("whole yuan") < 0.85, (loss // 100 + 1) * 100, loss + 1)
    loss = _as_published(world, case, loss)
    misstated = draw.share("misstated") < 0.05
    accepted = world.cases.accepted[case]
    return Frauds(
        case=case,
        kind=kind,
        loss=loss,
        loss_first=np.where(misstated, loss * 4 // 5 + 1, loss),
        corrected=np.where(misstated, accepted + draw.whole("correction", DAY, 20 * DAY), NEVER),
    )


def _as_published(world: World, case: Indexes, loss: Seconds) -> Seconds:
    """Losses of the account's quarter and of the year before, drawn towards each other so that the change of their sum prints as published."""
    cases = world.cases
    if world.first_night is None or not is_settled(world.first_day, world.first_night):
        return loss
    is_known = (cases.deleted[case] == NEVER) & ~lost_at_first(LEDGER, cases.accepted[case], LEDGER_FAULTS, world.first_night, world.seed)
    before, after = (in_quarter(cases.filed[case], years_back) for years_back in (1, 0))
    sums = int(loss[before & is_known].sum()), int(loss[after & is_known].sum())
    if 0 in sums:
        return loss
    factor = LOSSES_LEFT * sums[0] / sums[1]
    loss = np.where(before, _yuan(loss / factor**0.5), loss)
    return np.where(after, _yuan(loss * factor**0.5), loss)


def _yuan(fen: npt.NDArray[np.float64]) -> Seconds:
    whole: Seconds = np.maximum(np.rint(fen / 100), 1).astype(np.int64) * 100
    return whole


def payments_of(world: World, frauds: Frauds) -> Payments:
    """A stop soon after the report, perhaps a second one, perhaps a freeze of what was stopped, of which some is returned later."""
    draw = Draws(world.seed, "payments", len(frauds))
    chance = {name: draw.share(name) for name in ("stopped", "again", "frozen", "returned", "part", "second part", "frozen part", "back")}
    lag = {
        "stopped": draw.lognormal("stop lag", 2400, 1.2),
        "again": draw.whole("second lag", 1800, 2 * DAY),
        "frozen": draw.whole("freeze lag", 600, DAY),
        "returned": draw.whole("return lag", 15 * DAY, 220 * DAY),
        "rest": draw.whole("rest lag", 20 * DAY, 120 * DAY),
    }
    rows: list[tuple[int, str, int, int]] = []
    for i, case in enumerate(frauds.case.tolist()):
        if chance["stopped"][i] >= 0.55:
            continue
        loss = int(frauds.loss[i])
        stopped_at = int(world.cases.reported[case]) + 300 + int(lag["stopped"][i])
        stopped = 1 + int((loss - 1) * 0.7 * chance["part"][i])
        rows.append((case, "stopped", stopped, stopped_at))
        if chance["again"][i] < 0.2 and loss > stopped:
            second = 1 + int((loss - stopped - 1) * 0.5 * chance["second part"][i])
            rows.append((case, "stopped", second, stopped_at + int(lag["again"][i])))
            stopped += second
        if chance["frozen"][i] >= 0.7:
            continue
        frozen = max(1, int(stopped * (0.5 + 0.5 * chance["frozen part"][i])))
        rows.append((case, "frozen", frozen, stopped_at + int(lag["frozen"][i])))
        if chance["returned"][i] < 0.75:
            back = max(1, int(frozen * (0.4 + 0.6 * chance["back"][i])))
            returned_at = stopped_at + int(lag["returned"][i])
            first = back if back < 10_000_000 else back // 2
            rows.append((case, "returned", first, returned_at))
            if back > first:
                rows.append((case, "returned", back - first, returned_at + int(lag["rest"][i])))
    rows.sort(key=lambda row: (row[3], row[0], row[1], row[2]))
    happened = np.array([row[3] for row in rows], dtype=np.int64)
    on_day: defaultdict[dt.date, int] = defaultdict(int)
    numbers = []
    for moment in happened.tolist():
        day = date_of(moment)
        on_day[day] += 1
        numbers.append(f"FZ{day:%Y%m%d}{on_day[day]:05d}")
    return Payments(
        number=numbers,
        case=np.array([row[0] for row in rows], dtype=np.int64),
        action=np.array([row[1] for row in rows], dtype="<U8"),
        amount=np.array([row[2] for row in rows], dtype=np.int64),
        happened=happened,
    )


def warnings_of(world: World, frauds: Frauds) -> Warnings:
    """Instructions for people who were called or messaged by swindlers; some of the later victims were warned in time, in vain."""
    calls, cases = world.calls, world.cases
    of_call = Draws(world.seed, "warning of call", len(calls))
    targeted = np.nonzero(of_call.share("targeted") < WARNINGS_PER_CALL)[0]
    of_case = Draws(world.seed, "warning of case", len(frauds))
    ahead = of_case.whole("ahead", 3600, 29 * DAY)
    reported = cases.reported[frauds.case]
    warned = np.nonzero((of_case.share("warned") < 0.08) & (reported - ahead >= seconds_of(world.first_day)))[0]
    unit = np.concatenate([calls.unit[targeted], cases.unit[frauds.case[warned]]])
    issued = np.concatenate([calls.reported[targeted], (reported - ahead)[warned]])
    victimised = np.concatenate([of_call.share("victimised")[targeted] < 0.01, np.ones(len(warned), dtype=np.bool_)])
    chance = {
        name: np.concatenate([of_call.share(name)[targeted], of_case.share(name)[warned]])
        for name in ("level", "mode", "contact", "meeting")
    }
    order = np.lexsort((chance["level"], issued))
    unit, issued, victimised = unit[order], issued[order], victimised[order]
    chance = {name: drawn[order] for name, drawn in chance.items()}
    mode = _picked(chance["mode"], MODES)
    contacted = chance["contact"] < np.where(mode == "03", 0.6, 0.9)
    return Warnings(
        unit=unit,
        level=_picked(chance["level"], LEVELS),
        mode=mode,
        issued=issued,
        contacted=contacted,
        met=contacted & (mode == "01") & (chance["meeting"] < 0.85),
        victimised=victimised,
        reported=(issued // DAY + FOLLOW_UP_DAYS + 1) * DAY + 2 * 3600,
    )


def _picked(share: npt.NDArray[np.float64], choices: Sequence[tuple[str, str, float]]) -> Texts:
    place = np.searchsorted(np.cumsum([part for _, _, part in choices]), share, side="right")
    return np.array([code for code, _, _ in choices])[np.minimum(place, len(choices) - 1)]
