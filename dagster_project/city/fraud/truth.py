"""The true figures of fraud, from what the pool can know: the last accepted state of every case, payment and instruction."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping

from dagster_project.city.clock import DAY, date_of, seconds_of
from dagster_project.city.deliveries import Accepted, Book
from dagster_project.city.extracts import standing
from dagster_project.city.fraud.happenings import FOLLOW_UP_DAYS, LEVELS, MODES, frauds_of, payments_of, warnings_of
from dagster_project.city.places import UNASSIGNED
from dagster_project.city.registers import residents, stocks
from dagster_project.city.shaping import leaf_of
from dagster_project.city.tally import Tally
from dagster_project.city.world import World

COVERED: Mapping[str, tuple[str, ...]] = {
    "FR-1": ("",),
    "FR-1.cases": ("", "category", "excluded"),
    "FR-2": ("", "category", "bin", "square_yuan"),
    "FR-2.loss": ("", "category", "bin", "square_yuan"),
    "FR-3": ("", "category", "excluded"),
    "FR-3.actions": ("", "action"),
    "FR-4": ("",),
    "FR-5": ("", "level", "mode", "excluded"),
    "FR-6": ("", "level", "mode"),
}
LEVEL_NAMES = {code: name for code, name, _ in LEVELS}
MODE_NAMES = {code: name for code, name, _ in MODES}


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Add every figure of fraud as of a night."""
    until = seconds_of(as_of) + DAY
    frauds = frauds_of(world)
    row_of = {case: row for row, case in enumerate(frauds.case.tolist())}
    deleted = world.cases.deleted
    known = {
        int(frauds.case[row]): state for row, state in book.known("fraud_case_ledger", until) if deleted[frauds.case[row]] >= state.until
    }
    moved = _count_payments(world, book, until, known, tally)
    for case, state in known.items():
        row = row_of[case]
        loss = int(frauds.loss[row] if frauds.corrected[row] < state.until else frauds.loss_first[row])
        _count_case(world, case, state, str(frauds.kind[row]), loss, moved, tally)
    filed = [int(world.cases.filed[case]) for case, state in known.items() if world.cases.filed[case] < state.until]
    if filed:
        _count_residents(world, book, date_of(min(filed)), as_of, tally)
    _count_warnings(world, book, until, as_of, tally)


def _count_residents(world: World, book: Book, first: dt.date, last: dt.date, tally: Tally) -> None:
    """Residents of every unit on every day, as the last register delivered says."""
    found = list(standing(book, "population_stock", seconds_of(last) + DAY))
    held = {stock[0]: stock for stock in stocks(world, date_of(found[0][1].until - 1))} if found else {}
    days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    for record, state in found:
        _, station, half, begins, ends = held[record]
        persons = residents(world, station, half)
        for day in days:
            if begins <= day and (ends is None or day < ends):
                tally.add("FR-1", UNASSIGNED if state.unknown_unit else world.places.leaf(station.code, day), day, ("",), 0, persons)


def _count_case(world: World, case: int, state: Accepted, kind: str, loss: int, moved: Mapping[tuple[int, str], int], tally: Tally) -> None:
    cases = world.cases
    unit, category = str(cases.unit[case]), f"category:{kind}"
    reported = int(cases.reported[case])
    reporting_leaf, reported_on = leaf_of(world, unit, reported, state), date_of(reported)
    tally.add("FR-3", reporting_leaf, reported_on, ("", category), moved[case, "stopped"], loss)
    if cases.filed[case] >= state.until:
        tally.add("FR-1.cases", reporting_leaf, reported_on, ("excluded:not_filed",), 1, 0)
        return
    filed = int(cases.filed[case])
    leaf, day = leaf_of(world, unit, filed, state), date_of(filed)
    tally.add("FR-1", leaf, day, ("",), 1, 0)
    tally.add("FR-1.cases", leaf, day, ("", category), 1, 0)
    tally.add("FR-4", leaf, day, ("",), 0, loss)
    for kpi_id, fen in (("FR-2.loss", loss), ("FR-2", max(loss - moved[case, "returned"], 0))):
        tally.add(kpi_id, leaf, day, ("", category, f"bin:{_bin(fen)}"), fen, 1)
        tally.add(kpi_id, leaf, day, ("square_yuan:case",), ((fen + 50) // 100) ** 2, 0)


def _bin(fen: int) -> int:
    """The amount with its two leading digits kept."""
    digits = str(fen)
    return int(digits[:2] + "0" * len(digits[2:]))


def _count_payments(world: World, book: Book, until: int, known: Mapping[int, Accepted], tally: Tally) -> Counter[tuple[int, str]]:
    """Count the payments; the fen moved so far for each known case and action."""
    payments = payments_of(world, frauds_of(world))
    moved: Counter[tuple[int, str]] = Counter()
    for i, state in book.known("fraud_bank_action", until):
        case, action, amount = int(payments.case[i]), str(payments.action[i]), int(payments.amount[i])
        happened = int(payments.happened[i])
        leaf, day = leaf_of(world, str(world.cases.unit[case]), happened, known.get(case, state)), date_of(happened)
        tally.add("FR-3.actions", leaf, day, ("", f"action:{action}"), 1, 0)
        if case in known:
            moved[case, action] += amount
        elif action == "stopped":
            tally.add("FR-3", leaf, day, ("excluded:case_unknown",), 1, 0)
        if action == "returned":
            tally.add("FR-4", leaf, day, ("",), amount, 0)
    return moved


def _count_warnings(world: World, book: Book, until: int, as_of: dt.date, tally: Tally) -> None:
    warnings = warnings_of(world, frauds_of(world))
    for i, state in book.known("fraud_warning_order", until):
        issued = int(warnings.issued[i])
        leaf, day = leaf_of(world, str(warnings.unit[i]), issued, state), date_of(issued)
        cells = ("", f"level:{LEVEL_NAMES[str(warnings.level[i])]}", f"mode:{MODE_NAMES[str(warnings.mode[i])]}")
        copies = state.copies
        tally.add("FR-6", leaf, day, cells, copies * int(warnings.met[i]), copies)
        if day + dt.timedelta(days=FOLLOW_UP_DAYS) > as_of:
            tally.add("FR-5", leaf, day, ("excluded:immature",), copies, 0)
        elif not warnings.contacted[i]:
            tally.add("FR-5", leaf, day, ("excluded:not_contacted",), copies, 0)
        else:
            tally.add("FR-5", leaf, day, cells, copies * int(warnings.victimised[i]), copies)
