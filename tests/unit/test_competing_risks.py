"""Aalen and Johansen's estimate in SQL, against the golden vectors, against fractions, and against the kept library."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kpi_harness import render

OPEN, CLEARED, EXIT = 0, 1, 2
OUTCOMES = {OPEN: "open", CLEARED: "cleared", EXIT: "exit"}
LAGS = (0, 2, 5, 5, 8, 12, 15, 20, 30, 40)
CAUSES = (1, 1, 1, 2, 0, 1, 2, 0, 1, 0)
HORIZONS = (5, 12, 15, 30, 60)


def estimated(lags: Sequence[int], causes: Sequence[int], horizons: Sequence[int] = HORIZONS) -> dict[str, float | None]:
    values = ", ".join(f"('a', {lag}, '{OUTCOMES[cause]}', 1)" for lag, cause in zip(lags, causes, strict=True))
    sql = render(
        f"with cohort as (select * from (values {values}) as t(unit, lag, outcome, members)), "
        f"{{{{ competing_risks('curve', 'cohort', ['unit'], {list(horizons)}) }}}} select * from curve"
    )
    cursor = duckdb.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    (row,) = cursor.fetchall()
    return dict(zip(names, row, strict=True))


def by_fractions(lags: Sequence[int], causes: Sequence[int], cause: int, horizon: int) -> Fraction:
    open_share, share = Fraction(1), Fraction(0)
    for lag in sorted({lag for lag in lags if lag <= horizon}):
        at_risk = sum(other >= lag for other in lags)
        ended = [c for other, c in zip(lags, causes, strict=True) if other == lag and c != OPEN]
        share += open_share * Fraction(ended.count(cause), at_risk)
        open_share *= 1 - Fraction(len(ended), at_risk)
    return share


@pytest.mark.parametrize(("horizon", "share"), [(5, 3 / 10), (12, 21 / 50), (30, 3 / 5)])
def test_golden_shares_cleared(horizon: int, share: float) -> None:
    assert estimated(LAGS, CAUSES)[f"cleared_{horizon}_share"] == pytest.approx(share, abs=1e-12)


def test_golden_share_that_left_otherwise() -> None:
    assert estimated(LAGS, CAUSES)["exited_15_share"] == pytest.approx(11 / 50, abs=1e-12)


def test_golden_share_still_open_is_what_neither_end_has() -> None:
    row = estimated(LAGS, CAUSES)
    cleared, exited = row["cleared_30_share"], row["exited_30_share"]
    assert cleared is not None and exited is not None
    assert 1 - cleared - exited == pytest.approx(9 / 50, abs=1e-12)


def test_what_left_otherwise_is_not_taken_as_still_open() -> None:
    """With every open case an exit the share is the plain one, where 1 − Kaplan–Meier would still say 0.72."""
    assert estimated(LAGS, [cause or EXIT for cause in CAUSES])["cleared_30_share"] == pytest.approx(0.5, abs=1e-12)


def test_nothing_is_said_of_days_that_nobody_was_followed_to() -> None:
    row = estimated(LAGS, CAUSES)
    assert row["cleared_60_share"] is None and row["exited_60_share"] is None
    assert row["cleared_60"] == 5 and row["members"] == 10


def test_the_kept_library_agrees() -> None:
    survival = pytest.importorskip("statsmodels.duration.survfunc", reason="statsmodels is not installed")
    incidence = survival.CumIncidenceRight(np.array(LAGS, dtype=float), np.array(CAUSES))
    row = estimated(LAGS, CAUSES)
    for horizon in (5, 12, 30):
        at = np.searchsorted(incidence.times, horizon, side="right") - 1
        assert row[f"cleared_{horizon}_share"] == pytest.approx(incidence.cinc[0][at], abs=1e-9)
        assert row[f"exited_{horizon}_share"] == pytest.approx(incidence.cinc[1][at], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([OPEN, CLEARED, EXIT])), min_size=1, max_size=40))
def test_any_cohort_is_estimated_as_fractions_say(cohort: list[tuple[int, int]]) -> None:
    lags, causes = [lag for lag, _ in cohort], [cause for _, cause in cohort]
    row = estimated(lags, causes)
    for horizon in HORIZONS:
        if max(lags) >= horizon or OPEN not in causes:
            for cause, name in ((CLEARED, "cleared"), (EXIT, "exited")):
                assert row[f"{name}_{horizon}_share"] == pytest.approx(float(by_fractions(lags, causes, cause, horizon)), abs=1e-9)
        else:
            assert row[f"cleared_{horizon}_share"] is None
