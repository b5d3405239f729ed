"""Tail probabilities and control charts: the SQL that dbt runs, against golden vectors, scipy and statsmodels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kpi_harness import evaluate, evaluate_each
from scipy import stats

TERMS = 60


def upper(side: str) -> str:
    return f"{{{{ binomial_upper_tail('{side}', 'trials', 'share', {TERMS}) }}}}"


def binomial_tails(trials: int, share: float) -> tuple[Any, Any]:
    """P(X <= x) and P(X >= x) for every x, as the SQL gives them."""
    x, n, p = np.arange(trials + 1), np.full(trials + 1, trials), np.full(trials + 1, share)
    up = evaluate_each({"p": upper("observed")}, observed=x, trials=n, share=p)["p"]
    down = evaluate_each({"p": upper("observed")}, observed=n - x, trials=n, share=1 - p)["p"]
    return down, up


@pytest.mark.parametrize(
    ("level", "funnel"),
    [
        (0.05, {20: (2, 10), 50: (9, 22), 100: (21, 39), 500: (130, 170)}),
        (0.002, {20: (1, 13), 50: (6, 25), 100: (17, 45), 500: (119, 182)}),
    ],
)
def test_binomial_funnel(level: float, funnel: dict[int, tuple[int, int]]) -> None:
    """Around a share of 0.3; inside are the counts of which both tails exceed half of what the level leaves."""
    for trials, limits in funnel.items():
        inside = np.flatnonzero(np.minimum(*binomial_tails(trials, 0.3)) > level / 2)
        assert inside.tolist() == list(range(limits[0], limits[1] + 1))


def test_u_chart() -> None:
    events, days = [12, 18, 9, 30, 14, 11], [31, 28, 31, 30, 31, 30]
    centre = sum(events) / sum(days)
    limits = {d: [evaluate(f"{{{{ u_chart_limit('{s}', 'c', 'd') }}}}", c=centre, d=d) for s in ("lower", "upper")] for d in (30, 31)}
    assert round(centre, 5) == 0.51934
    assert [round(x, 4) for x in limits[31]] == [0.1310, 0.9076]
    assert round(limits[30][1], 4) == 0.9141 and events[3] / days[3] > limits[30][1]


def test_p_chart() -> None:
    points = [(90, 100), (70, 100), (200, 250), (45, 50), (12, 20)]
    centre = sum(x for x, _ in points) / sum(n for _, n in points)

    def limits(n: int, dispersion: str = "1e0") -> list[float]:
        return [evaluate(f"{{{{ p_chart_limit('{s}', 'c', 'n', '{dispersion}') }}}}", c=centre, n=n) for s in ("lower", "upper")]

    assert round(centre, 5) == 0.80192
    assert [round(x, 4) for x in limits(100)] == [0.6824, 0.9215]
    assert [round(x, 4) for x in limits(20)] == [0.5346, 1.0]
    assert all(limits(n)[0] < x / n < limits(n)[1] for x, n in points)
    assert limits(100, "4e0")[0] == pytest.approx(centre - 2 * (centre - limits(100)[0]))


def test_a_chart_does_not_leave_what_is_possible() -> None:
    assert evaluate("{{ u_chart_limit('lower', 'c', 'd') }}", c=0.1, d=10) == 0
    assert evaluate("{{ p_chart_limit('lower', 'c', 'n') }}", c=0.01, n=10) == 0


def relative(found: Any, expected: Any) -> float:
    return float(np.max(np.abs(np.asarray(found) / np.asarray(expected) - 1)))


def test_normal_tail_is_that_of_scipy() -> None:
    z = np.concatenate([np.linspace(-8, 8, 801), [12.5, 30.0]])
    assert relative(evaluate_each({"p": "{{ normal_upper_tail('z') }}"}, z=z)["p"], stats.norm.sf(z)) < 1e-8


def test_student_score_is_the_normal_score_of_the_same_tail() -> None:
    t, freedom = (grid.ravel() for grid in np.meshgrid(np.linspace(-10, 10, 401), [4.0, 5, 8, 11, 30, 200]))
    found = evaluate_each({"z": "{{ student_score('t', 'freedom') }}"}, t=t, freedom=freedom)["z"]
    expected = np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), freedom))
    assert np.max(np.abs(found - expected)) < 1e-3


@pytest.mark.parametrize("freedom", [9, 11])
def test_chi_square_tail_is_that_of_scipy(freedom: int) -> None:
    x = np.linspace(0.05, 60, 500)
    found = evaluate_each({"p": f"{{{{ chi_square_upper_tail('x', 'root', {freedom}) }}}}"}, x=x, root=np.sqrt(x))["p"]
    assert relative(found, stats.chi2.sf(x, freedom)) < 1e-9


def test_binomial_tail_is_that_of_scipy() -> None:
    random = np.random.default_rng(5)
    trials = random.integers(1, 400, 500)
    share = random.uniform(0.005, 0.995, 500)
    observed = random.binomial(trials, share)
    found = evaluate_each({"p": upper("observed")}, observed=observed, trials=trials, share=share)["p"]
    expected = stats.binom.sf(observed - 1, trials, share)
    assert relative(found[expected < 0.5], expected[expected < 0.5]) < 1e-6
    assert relative(found, expected) < 1e-3


def test_hypergeometric_tail_is_that_of_scipy() -> None:
    random = np.random.default_rng(6)
    drawn, others = random.integers(1, 600, 500), random.integers(1, 6000, 500)
    share = random.uniform(0.001, 0.3, 500)
    observed = random.binomial(drawn, share)
    marked = observed + random.binomial(others, share)
    expression = f"{{{{ hypergeometric_upper_tail('observed', 'drawn', 'marked', 'everything', {TERMS}) }}}}"
    found = evaluate_each({"p": expression}, observed=observed, drawn=drawn, marked=marked, everything=drawn + others)["p"]
    expected = stats.hypergeom.sf(observed - 1, drawn + others, marked, drawn)
    assert relative(found[expected < 0.5], expected[expected < 0.5]) < 1e-6
    assert relative(found, expected) < 1e-3
