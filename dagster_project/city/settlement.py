"""Calls and cases of the account's quarter and of the same quarter a year earlier, thinned to numbers whose change prints as published.

Numbers are those that a pool can know: without the rows that the initial load loses, without what is deleted. Thinning takes no row
away, so that what is lost stays lost: a call too many was for help, a fraud too many was never filed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np

from dagster_project.city import codes
from dagster_project.city.account import FRAUDS_LEFT, PREVENTABLE_LEFT, exact_pair, in_quarter, is_settled
from dagster_project.city.clock import NEVER
from dagster_project.city.deliveries import lost_at_first
from dagster_project.city.fraud.faults import FRAUD, LEDGER, LEDGER_FAULTS
from dagster_project.city.systems import CALL_FAULTS
from dagster_project.city.world import UNSETTLED, Calls, Cases, Events, Flags, Indexes, Settlement, generator, taken

FOR_HELP = "05010101"


def settlement(seed: int, first_day: dt.date, first_night: dt.date) -> Settlement:
    """The settlement of a city, if its initial load covers both quarters long after they ended."""
    if not is_settled(first_day, first_night):
        return UNSETTLED
    return Settlement(
        calls=lambda calls: _thin_preventable(calls, seed, first_night),
        cases=lambda cases, events: _thin_frauds(cases, events, seed, first_night),
    )


def _thin_preventable(calls: Calls, seed: int, first_night: dt.date) -> Calls:
    is_known = (calls.deleted == NEVER) & ~lost_at_first("call_form", calls.received, CALL_FAULTS, first_night, seed, in_parts=True)
    is_preventable = np.array([category.startswith(codes.STREET_PREVENTABLE) for category in calls.category.tolist()], dtype=np.bool_)
    surplus = _surplus(
        calls.reported, is_known & calls.effective & is_preventable, calls.moved == NEVER, PREVENTABLE_LEFT, seed, "preventable calls"
    )
    category, category_first = calls.category.copy(), calls.category_first.copy()
    category[surplus], category_first[surplus] = FOR_HELP, codes.CODES.index(FOR_HELP)
    return dataclasses.replace(calls, category=category, category_first=category_first)


def _thin_frauds(cases: Cases, events: Events, seed: int, first_night: dt.date) -> tuple[Cases, Events]:
    fraud = np.nonzero(cases.category == FRAUD)[0]
    is_known = (cases.deleted[fraud] == NEVER) & ~lost_at_first(LEDGER, cases.accepted[fraud], LEDGER_FAULTS, first_night, seed)
    surplus = fraud[_surplus(cases.filed[fraud], is_known, np.ones(len(fraud), dtype=np.bool_), FRAUDS_LEFT, seed, "frauds")]
    filed, transferred, after = cases.filed.copy(), cases.transferred.copy(), cases.investigator_after.copy()
    filed[surplus], transferred[surplus], after[surplus] = NEVER, NEVER, cases.investigator[surplus]
    unfiled = dataclasses.replace(cases, filed=filed, transferred=transferred, investigator_after=after)
    return unfiled, taken(events, ~np.isin(events.case, surplus))


def _surplus(moment: Indexes, is_counted: Flags, may_go: Flags, left: float, seed: int, name: str) -> Indexes:
    """The rows too many, of either quarter, for the later one to be ``left`` of the earlier."""
    random = generator(seed, f"surplus of {name}")
    quarters = [np.nonzero(is_counted & in_quarter(moment, years_back))[0] for years_back in (1, 0)]
    kept = exact_pair(len(quarters[0]), len(quarters[1]), left)
    chosen = [random.permutation(rows[may_go[rows]])[: len(rows) - number] for rows, number in zip(quarters, kept, strict=True)]
    return np.concatenate(chosen)
