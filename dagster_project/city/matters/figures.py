"""What a right pool counts of the matters, in plain Python: the last state of each that reached it, judged as of a night.

Done by the deadline or not is judged on the day of the deadline, and what is still open then is late; findings and repetitions are
judged on the day of closing. A matter that is left out stands, with the reason, on the day on which it arose.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dagster_project.city import codes
from dagster_project.city.clock import DAY, date_of, is_by
from dagster_project.city.deliveries import Accepted, Book
from dagster_project.city.extracts import standing
from dagster_project.city.matters.happened import CASE_LIKE, NONE, Matters
from dagster_project.city.matters.systems import LEDGERS, Ledger
from dagster_project.city.places import UNASSIGNED
from dagster_project.city.shaping import leaf_of
from dagster_project.city.tally import Tally
from dagster_project.city.world import World

REPEATED_DAYS = 90
JUDGED_DAYS = 30
TIMED = ("", "category", "timing", "excluded")
COVERED: dict[str, tuple[str, ...]] = {
    "REG-1": (*TIMED, "limit"),
    "REG-2": ("", "category", "excluded"),
    "CMD-1.acknowledged": (*TIMED, "bin"),
    "CMD-1.done": TIMED,
    "HAZ-1": TIMED,
    "HAZ-2.rectified": TIMED,
    "HAZ-3": TIMED,
    "LAW-1": TIMED,
    "LAW-2": TIMED,
    "CMP-1": ("",),
    "CMP-2": ("", "category", "finding", "excluded"),
    "CMP-3": TIMED,
    "CMP-4.on_time": (*TIMED, "limit"),
    "CMP-4.repeated": ("", "category", "excluded"),
    "PRJ-1": TIMED,
}


@dataclass(frozen=True)
class _Matter:
    """One matter as the pool knows it; None for what it does not know or what did not happen. ``done`` is no withdrawal."""

    number: int
    unit: str
    state: Accepted
    category: str
    opened: int
    due: int | None
    done: int | None
    withdrawn: int | None
    result: str | None
    is_extended: bool
    acknowledge_due: int | None
    acknowledged: int | None
    reopened: int | None
    repeats: int


Place = Callable[[_Matter, int], str]


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Add every figure of matters, as of a night."""
    until = _end(as_of)
    known: defaultdict[str, list[_Matter]] = defaultdict(list)
    registered: set[int] = set()
    for ledger_of in LEDGERS:
        ledger = ledger_of(world)
        for matter in _known(ledger, book, until):
            known[ledger.kind].append(matter)
            if ledger.kind == "case_registration":
                registered.add(int(ledger.matters.call[matter.number]))

    def place(matter: _Matter, moment: int) -> str:
        return leaf_of(world, matter.unit, moment, matter.state)

    for kpi_id, kind in {
        "REG-1": "case_registration",
        "CMD-1.done": "order",
        "HAZ-1": "hazard",
        "HAZ-2.rectified": "site_rectification",
        "HAZ-3": "hotspot",
        "LAW-1": "law_issue",
        "LAW-2": "case_stage",
        "CMP-3": "complaint",
        "CMP-4.on_time": "appeal",
        "PRJ-1": "milestone",
    }.items():
        for matter in known[kind]:
            _deadline(tally, kpi_id, matter, matter.due, matter.done, until, place)
    for matter in known["order"]:
        _deadline(tally, "CMD-1.acknowledged", matter, matter.acknowledge_due, matter.acknowledged, until, place)
        _acknowledgement(tally, matter, until, place)
    _findings(tally, known["complaint"], place)
    _repetitions(tally, known["appeal"], until, place)
    _incidents(world, book, until, registered, tally)


def _end(day: dt.date) -> int:
    return ((day - dt.date(1970, 1, 1)).days + 1) * DAY


def _known(ledger: Ledger, book: Book, until: int) -> Iterator[_Matter]:
    m = ledger.matters
    states = book.known(ledger.source_id, until) if ledger.extract is None else standing(book, ledger.source_id, until)
    for i, state in states:
        if m.deleted[i] >= state.until:
            yield from [_as_known(m, i, state)] * state.copies


def _as_known(m: Matters, i: int, state: Accepted) -> _Matter:
    def seen(moment: int) -> int | None:
        return int(moment) if moment < state.until else None

    closed = seen(m.closed[i])
    result = str(m.result[i]) if closed is not None else None
    is_extended = bool(m.extended[i] < state.until)
    due = int(m.due_extended[i] if is_extended else m.due[i])
    return _Matter(
        number=i,
        unit=str(m.unit[i]),
        state=state,
        category=str(m.category[i]),
        opened=int(m.opened[i]),
        due=_unless_never(due),
        done=None if result == "withdrawn" else closed,
        withdrawn=closed if result == "withdrawn" else None,
        result=result,
        is_extended=is_extended,
        acknowledge_due=_unless_never(int(m.acknowledge_due[i])),
        acknowledged=seen(m.acknowledged[i]),
        reopened=seen(m.reopened[i]),
        repeats=int(m.repeats[i]),
    )


def _unless_never(moment: int) -> int | None:
    return None if moment >= 2**61 else moment


def _leave_out(tally: Tally, kpi_id: str, matter: _Matter, reason: str, place: Place) -> None:
    tally.add(kpi_id, place(matter, matter.opened), date_of(matter.opened), (f"excluded:{reason}",), 1, 0)


def _deadline(tally: Tally, kpi_id: str, matter: _Matter, deadline: int | None, done: int | None, until: int, place: Place) -> None:
    if done is None and matter.withdrawn is not None and (deadline is None or is_by(matter.withdrawn, deadline)):
        return _leave_out(tally, kpi_id, matter, "withdrawn", place)
    if deadline is None:
        return _leave_out(tally, kpi_id, matter, "no_deadline", place)
    if deadline >= until:
        return _leave_out(tally, kpi_id, matter, "not_due", place)
    in_time = is_by(done, deadline)
    not_done = "open" if matter.withdrawn is None else "withdrawn"
    timing = "in_time" if in_time else not_done if done is None else "late"
    cells = ["", f"category:{matter.category}", f"timing:{timing}"]
    if kpi_id in ("REG-1", "CMP-4.on_time"):
        cells.append("limit:extended" if matter.is_extended else "limit:normal")
    counted = not in_time if kpi_id == "LAW-2" else in_time
    tally.add(kpi_id, place(matter, deadline), date_of(deadline), tuple(cells), int(counted), 1)
    return None


def _acknowledgement(tally: Tally, matter: _Matter, until: int, place: Place) -> None:
    due = matter.acknowledge_due
    if due is not None and due < until and matter.acknowledged is not None:
        seconds = matter.acknowledged - matter.opened
        tally.add("CMD-1.acknowledged", place(matter, due), date_of(due), (f"bin:acknowledge:{seconds}",), seconds, 1)


def _findings(tally: Tally, complaints: list[_Matter], place: Place) -> None:
    for matter in complaints:
        tally.add("CMP-1", place(matter, matter.opened), date_of(matter.opened), ("",), 1, 0)
        if matter.withdrawn is not None:
            _leave_out(tally, "CMP-2", matter, "withdrawn", place)
        elif matter.done is None:
            _leave_out(tally, "CMP-2", matter, "not_closed", place)
        else:
            cells = ("", f"category:{matter.category}", f"finding:{matter.result}")
            tally.add("CMP-2", place(matter, matter.done), date_of(matter.done), cells, int(matter.result == "substantiated"), 1)


def _repetitions(tally: Tally, appeals: list[_Matter], until: int, place: Place) -> None:
    repeated: defaultdict[int, list[int]] = defaultdict(list)
    for matter in appeals:
        if matter.repeats != NONE:
            repeated[matter.repeats].append(matter.opened)
    for matter in appeals:
        if matter.withdrawn is not None:
            _leave_out(tally, "CMP-4.repeated", matter, "withdrawn", place)
        elif matter.done is None:
            _leave_out(tally, "CMP-4.repeated", matter, "not_closed", place)
        elif matter.done + REPEATED_DAYS * DAY >= until:
            _leave_out(tally, "CMP-4.repeated", matter, "immature", place)
        else:
            again = [moment for moment in repeated[matter.number] if moment > matter.done]
            again += [matter.reopened] if matter.reopened is not None else []
            is_again = any(moment // DAY <= matter.done // DAY + REPEATED_DAYS for moment in again)
            cells = ("", f"category:{matter.category}")
            tally.add("CMP-4.repeated", place(matter, matter.done), date_of(matter.done), cells, int(is_again), 1)


def _incidents(world: World, book: Book, until: int, registered: set[int], tally: Tally) -> None:
    """Every incident is exposed to complaints; a case-like one, old enough, should have been registered."""
    calls = world.calls
    relations = {code: name for code, name, _ in codes.RELATIONS}
    for i, state in book.known("call_form", until):
        if calls.deleted[i] < state.until:
            continue
        reported = int(calls.reported[i])
        day = date_of(reported)
        unit = UNASSIGNED if state.unknown_unit else world.places.leaf(str(calls.unit[i]), day)
        tally.add("CMP-1", unit, day, ("",), 0, 1)
        category = str(calls.category[i]) if calls.moved[i] < state.until else codes.CODES[calls.category_first[i]]
        reason = None
        if calls.invalid[i]:
            reason = "invalid"
        elif calls.relation[i]:
            reason = relations[str(calls.relation[i])]
        elif calls.consultation[i]:
            reason = "consultation"
        elif not category.startswith(CASE_LIKE):
            reason = "category_not_listed"
        elif reported // DAY + JUDGED_DAYS >= until // DAY:
            reason = "immature"
        if reason is None:
            tally.add("REG-2", unit, day, ("", f"category:{category}"), int(i not in registered), 1)
        else:
            tally.add("REG-2", unit, day, (f"excluded:{reason}",), 1, 0)
