"""What of the world the pool knows as of a night: the last accepted state of every record, under the unit that answers for it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from dagster_project.city import codes
from dagster_project.city.clock import DAY, NEVER, date_of, seconds_of
from dagster_project.city.deliveries import Accepted, Book
from dagster_project.city.places import UNASSIGNED, Places
from dagster_project.city.world import Table, World

RELATION_NAMES = {code: name for code, name, _ in codes.RELATIONS}
REPLY_NAMES = {code: name for code, name, _ in codes.REPLIES}


def _as_lists(table: Table) -> Table:
    """The same table with plain Python values: rows are visited one by one, and NumPy scalars are slow at that."""
    arrays = {f.name: getattr(table, f.name) for f in dataclasses.fields(table)}
    return dataclasses.replace(
        table, **{name: array.tolist() if isinstance(array, np.ndarray) else array for name, array in arrays.items()}
    )


class Known:
    """The world as the pool knows it on the evening of a night."""

    def __init__(self, world: World, book: Book, as_of: dt.date) -> None:
        self.world = dataclasses.replace(
            world,
            calls=_as_lists(world.calls),
            cases=_as_lists(world.cases),
            events=_as_lists(world.events),
            disputes=_as_lists(world.disputes),
            callbacks=_as_lists(world.callbacks),
        )
        self.book = book
        self.as_of = as_of
        self.until = seconds_of(as_of) + DAY
        self._leaves: dict[tuple[str, bool], str] = {}

    def leaf(self, unit: str, day: dt.date, state: Accepted) -> str:
        if state.unknown_unit:
            return UNASSIGNED
        return self.leaf_of(unit, day)

    def leaf_of(self, unit: str, day: dt.date) -> str:
        places: Places = self.world.places
        key = (unit, day >= places.merger)
        if key not in self._leaves:
            self._leaves[key] = places.leaf(unit, day)
        return self._leaves[key]

    def states(self, source_id: str) -> Iterator[tuple[int, Accepted]]:
        return self.book.known(source_id, self.until)

    @cached_property
    def calls(self) -> dict[int, Accepted]:
        deleted = self.world.calls.deleted
        return {i: state for i, state in self.states("call_form") if deleted[i] >= state.until}

    @cached_property
    def cases(self) -> dict[int, Accepted]:
        deleted = self.world.cases.deleted
        return {i: state for i, state in self.states("case_form") if deleted[i] >= state.until}

    @cached_property
    def events(self) -> list[tuple[int, Accepted]]:
        """Events of cases that were not deleted; of a case that the pool does not know, too."""
        void = {i for i, _ in self.states("case_form")} - set(self.cases)
        return [(e, state) for e, state in self.states("case_event") if self.world.events.case[e] not in void]

    @cached_property
    def criminal_cases(self) -> dict[int, Accepted]:
        """Criminal cases that were filed."""
        cases = self.world.cases
        return {i: state for i, state in self.cases.items() if cases.criminal[i] and cases.filed[i] < state.until}

    def is_criminal(self, case: int) -> bool:
        """Criminal, as far as is known: a case that no register holds counts as one."""
        return case not in self.cases or bool(self.world.cases.criminal[case])

    @cached_property
    def callbacks(self) -> dict[int, list[int]]:
        """The callbacks after each call, in the order in which they were made."""
        made: defaultdict[int, list[int]] = defaultdict(list)
        for i, _ in self.states("callback_record"):
            made[int(self.world.callbacks.call[i])].append(i)
        return {call: sorted(members, key=lambda i: (int(self.world.callbacks.called[i]), i)) for call, members in made.items()}

    def place_of_callbacks(self, call: int) -> tuple[str, dt.date]:
        """Callbacks count where and when their call does; where the pool does not know it, as the first of them was made."""
        calls, about = self.world.calls, self.calls.get(call)
        unit = str(calls.unit[call])
        if about:
            day = date_of(calls.reported[call])
            return self.leaf(unit, day, about), day
        day = date_of(self.world.callbacks.called[self.callbacks[call][0]])
        return self.leaf_of(unit, day), day

    def filing_leaf(self, case: int, state: Accepted) -> str:
        """The unit that filed a case, on the day of filing."""
        cases = self.world.cases
        return self.leaf(str(cases.unit[case]), date_of(cases.filed[case]), state)

    def event_leaf(self, case: int, day: dt.date, unit_of_event: str) -> str:
        """Events count for the unit that filed the case; for their own where the pool does not know the case."""
        state = self.cases.get(case)
        return self.leaf_of(unit_of_event, day) if state is None else self.leaf(str(self.world.cases.unit[case]), day, state)

    def responding_leaf(self, call: int, state: Accepted) -> str:
        calls, day = self.world.calls, date_of(self.world.calls.reported[call])
        if calls.dispatched[call] < state.until and calls.responder[call]:
            return self.leaf_of(str(calls.responder[call]), day)
        return self.leaf(str(calls.unit[call]), day, state)

    def arrived(self, call: int, state: Accepted) -> int | None:
        calls = self.world.calls
        is_entered = calls.arrival_entered[call] < state.until and calls.arrived[call] != NEVER
        return int(calls.arrived[call]) if is_entered else None

    def dispatched(self, call: int, state: Accepted) -> int | None:
        dispatched = self.world.calls.dispatched[call]
        return int(dispatched) if dispatched < state.until else None

    def unusable_arrival(self, call: int, state: Accepted) -> str | None:
        """Why the time of arrival says nothing of how fast somebody came, if it does not."""
        if self.world.calls.relation[call]:
            return "related_call"
        dispatched, arrived, reported = self.dispatched(call, state), self.arrived(call, state), int(self.world.calls.reported[call])
        if dispatched is None:
            return "not_dispatched"
        if arrived is None:
            return "missing"
        if arrived < max(reported, dispatched):
            return "negative"
        return "identical" if arrived in (reported, dispatched) else None

    def category(self, call: int, state: Accepted) -> str:
        calls = self.world.calls
        return str(calls.category[call]) if calls.moved[call] < state.until else codes.CODES[calls.category_first[call]]

    def ineffective(self, call: int) -> str | None:
        calls = self.world.calls
        if calls.invalid[call]:
            return "invalid"
        if calls.relation[call]:
            return RELATION_NAMES[str(calls.relation[call])]
        return "consultation" if calls.consultation[call] else None
