"""The statistics of the ``kpi`` table, one formula at a time: the SQL that dbt runs, against golden vectors and kept libraries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pytest
from kpi_harness import DBT, evaluate, evaluate_each, render
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

NO_CLEAR_CHANGE = "no clear change"


def change(c: int, p: int, e_c: float = 1.0, e_p: float = 1.0, phi: float = 1.0) -> dict[str, Any]:
    """Ratio, limits, z, exact p and verdict of c events against p, as the SQL gives them."""
    given: dict[str, Any] = {"c": c, "p": p, "e_c": e_c, "e_p": e_p, "phi": phi}
    given["ratio"] = evaluate("{{ rate_ratio('c', 'p', 'e_c', 'e_p') }}", **given)
    given["factor"] = evaluate("{{ ratio_factor('c', 'p', 'phi') }}", **given)
    found = {"ratio": given["ratio"]}
    for bound in ("lower", "upper"):
        found[bound] = evaluate(f"{{{{ rate_ratio_{bound}('ratio', 'factor', 'c', 'p', 'e_c', 'e_p') }}}}", **given)
    found["z"] = evaluate("{{ count_z('c', 'p', 'e_c', 'e_p', 'phi') }}", **given)
    found["p"] = evaluate("{{ conditional_p('c', 'p', 'e_c', 'e_p', 40) }}", **given)
    found["verdict"] = evaluate("{{ verdict_text(change_call('z', 'p')) }}", z=found["z"], p=found["p"])
    return found


def rounded(numbers: Sequence[float | None], digits: int) -> list[float | None]:
    return [None if n is None else round(n, digits) for n in numbers]


# Golden vectors: change of counts


@pytest.mark.parametrize(
    ("prior", "current", "ratio", "z", "verdict"),
    [
        (13, 8, [0.615, 0.255, 1.485], -1.10, NO_CLEAR_CHANGE),
        (200, 123, [0.615, 0.491, 0.770], -4.32, "fall"),
        (26, 11, [0.423, 0.209, 0.856], -2.52, NO_CLEAR_CHANGE),
        (0, 5, [None, 0.916, None], 3.16, NO_CLEAR_CHANGE),
        (5, 0, [0.0, 0.0, 1.091], -3.16, NO_CLEAR_CHANGE),
        (0, 9, [None, 1.974, None], 4.24, "rise"),
    ],
)
def test_change_of_counts(prior: int, current: int, ratio: list[float | None], z: float, verdict: str) -> None:
    found = change(current, prior)
    assert rounded([found["ratio"], found["lower"], found["upper"]], 3) == ratio
    assert round(found["z"], 2) == z
    assert found["verdict"] == verdict


@pytest.mark.parametrize(("prior", "current", "p"), [(26, 11, 0.0201), (0, 5, 0.0625), (5, 0, 0.0625), (0, 9, 0.0039)])
def test_exact_conditional_p(prior: int, current: int, p: float) -> None:
    assert round(change(current, prior)["p"], 4) == p


@pytest.mark.parametrize(("percent", "prior", "current"), [(-38.5, 104, 64), (-57.7, 52, 22)])
def test_smallest_pairs_that_print_a_percentage_and_are_called(percent: float, prior: int, current: int) -> None:
    def prints(c: int, p: int) -> bool:
        return round(100 * (c / p - 1), 1) == percent

    assert prints(current, prior) and change(current, prior)["verdict"] == "fall"
    smaller = [(c, p) for p in range(1, prior) for c in range(p) if prints(c, p)]
    assert smaller and all(change(c, p)["verdict"] == NO_CLEAR_CHANGE for c, p in smaller)


def test_dispersion_widens_the_interval_and_shrinks_z() -> None:
    plain, dispersed = change(20, 40), change(20, 40, phi=2.9015)
    assert rounded([plain["lower"], plain["upper"]], 3) == [0.292, 0.855]
    assert rounded([dispersed["lower"], dispersed["upper"]], 3) == [0.200, 1.248]
    assert rounded([plain["z"], dispersed["z"]], 2) == [-2.62, -1.54]


def test_exposure_takes_the_leap_day_out() -> None:
    """February 2024 has 29 days, February 2025 has 28."""
    found = change(2800, 2900, e_c=28.0, e_p=29.0)
    assert rounded([found["ratio"], found["lower"], found["upper"]], 3) == [1.000, 0.949, 1.053]


def test_weekday_exposure() -> None:
    found = change(2980, 3140, e_c=29.8, e_p=31.4)
    assert round(found["ratio"], 3) == 1.000 and found["verdict"] == NO_CLEAR_CHANGE


@pytest.mark.parametrize(("mean", "level"), [(2, 0.0143), (10, 0.0046), (50, 0.0029), pytest.param(10_000, 0.0027, id="many")])
def test_level_of_three_standard_deviations(mean: float, level: float) -> None:
    counts = np.arange(max(0, int(mean - 6 * np.sqrt(mean))), int(mean + 6 * np.sqrt(mean) + 40))
    c, p = (grid.ravel() for grid in np.meshgrid(counts, counts))
    ones = np.ones_like(c, dtype=float)
    z = evaluate_each({"z": "{{ count_z('c', 'p', 'e', 'e', 'e') }}"}, c=c, p=p, e=ones)["z"]
    weight = stats.poisson.pmf(c, mean) * stats.poisson.pmf(p, mean)
    assert round(weight[np.abs(np.round(z, 6)) >= 3].sum(), 4) == level


def test_level_of_the_exact_rule_at_mean_two() -> None:
    counts = np.arange(30)
    c, p = (grid.ravel() for grid in np.meshgrid(counts, counts))
    call = "{{ change_call(count_z('c', 'p', 'e', 'e', 'e'), conditional_p('c', 'p', 'e', 'e', 1)) }}"
    called = evaluate_each({"call": call}, c=c, p=p, e=np.ones_like(c, dtype=float))["call"]
    weight = stats.poisson.pmf(c, 2) * stats.poisson.pmf(p, 2)
    assert round(weight[called != 0].sum(), 4) == 0.0045


# Golden vectors: shares and scores


@pytest.mark.parametrize(
    ("events", "trials", "limits"),
    [
        (62, 108, [48.0, 66.3]),
        (5, 5, [56.6, 100.0]),
        (0, 5, [0.0, 43.4]),
        (400, 430, [90.22, 95.07]),
        (7285, 7781, [93.06, 94.15]),
        (2410, 50690, [4.57, 4.94]),
    ],
)
def test_wilson(events: int, trials: int, limits: list[float]) -> None:
    digits = 2 if trials > 108 else 1
    found = [100 * evaluate(f"{{{{ wilson_{bound}('x', 'n') }}}}", x=events, n=trials) for bound in ("lower", "upper")]
    assert rounded(found, digits) == limits


def test_satisfaction_with_half_weight_by_the_delta_method() -> None:
    """6,554 replies count in full, 731 by half, 496 not."""
    sums = {"wy": 655_400 + 731 * 50, "w": 7_781, "squares": 6_554 * 100**2 + 731 * 50**2, "weights": 7_781}
    error = evaluate("{{ score_error('wy', 'w', 'squares', 'weights') }}", **sums)
    rate = sums["wy"] / sums["w"]
    assert rounded([rate, rate - 1.96 * error, rate + 1.96 * error], 2) == [88.93, 88.32, 89.54]


@pytest.mark.parametrize(
    ("successes", "answered", "eligible", "bounds"),
    [(7_285, 7_781, 21_882, [33.3, 97.7]), (6_919.5, 7_781, 21_882, [31.6, 96.1]), (400, 430, 500, [80.0, 94.0])],
)
def test_worst_case_bounds_over_all_eligible(successes: float, answered: int, eligible: int, bounds: list[float]) -> None:
    """Satisfied of those who replied, the same with half weights, and urgent calls with valid times."""
    given = {"s": successes, "a": answered, "e": eligible}
    found = [evaluate("{{ worst_case_lower('s', 'e') }}", **given), evaluate("{{ worst_case_upper('s', 'a', 'e') }}", **given)]
    assert rounded([100 * bound for bound in found], 1) == bounds


def test_bounds_of_satisfaction_hold_and_are_attained_whoever_was_called() -> None:
    """Up to three eligible and three others, in every way in which they can be called and reply: what is known of each against the sums."""
    scores = {"dissatisfied": 0.0, "basically": 0.5, "satisfied": 1.0}
    states = ["not called", "no reply", *scores]
    sizes = range(4)
    eligible = [who for size in sizes[1:] for who in itertools.combinations_with_replacement(states, size)]
    others = [who for size in sizes for who in itertools.combinations_with_replacement(states[1:], size)]
    sums: dict[str, list[float]] = {name: [] for name in ("eligible", "called", "attempted", "replies", "satisfied", "least", "most")}
    for inside, outside in itertools.product(eligible, others):
        called, replies = [x for x in inside if x != "not called"], [scores[x] for x in (*inside, *outside) if x in scores]
        known, silent = sum(scores.get(x, 0) for x in inside), sum(x not in scores for x in inside)
        for name, number in zip(
            sums,
            (
                len(inside),
                len(called),
                len(called) + len(outside),
                len(replies),
                sum(replies),
                known / len(inside),
                (known + silent) / len(inside),
            ),
            strict=True,
        ):
            sums[name].append(number)
    macro = (DBT / "macros" / "satisfaction.sql").read_text(encoding="utf-8")
    outside_called = "callbacks_outside('attempted', 'called', 'replies')"
    bounds = evaluate_each(
        {
            "lower": f"{macro}{{{{ eligible_worst_case('satisfied', {outside_called}, 'eligible') }}}}",
            "upper": f"{macro}{{{{ eligible_best_case('satisfied', 'replies', {outside_called}, 'eligible') }}}}",
        },
        **sums,
    )
    lower, upper = np.asarray(bounds["lower"]), np.asarray(bounds["upper"])
    least, most = np.array(sums["least"]), np.array(sums["most"])
    assert (lower <= least + 1e-12).all() and (upper >= most - 1e-12).all()
    replied = np.array(sums["replies"]) > 0
    rate = np.array(sums["satisfied"])[replied] / np.array(sums["replies"])[replied]
    assert (lower[replied] <= rate + 1e-12).all() and (upper[replied] >= rate - 1e-12).all(), "the rate printed lies within its bounds"
    alike: dict[tuple[float, ...], list[int]] = {}
    for i, key in enumerate(zip(*(sums[name] for name in list(sums)[:5]), strict=True)):
        alike.setdefault(key, []).append(i)
    for members in alike.values():
        assert [lower[members[0]], upper[members[0]]] == pytest.approx([least[members].min(), most[members].max()])


NEWCOMBE = {
    bound: f"{{{{ difference_{bound}(['c / n * 1e0', wilson_lower('c', 'n'), wilson_upper('c', 'n')], ['p / m * 1e0', wilson_lower('p', 'm'), wilson_upper('p', 'm')]) }}}}"
    for bound in ("lower", "upper")
}


def test_newcombe() -> None:
    found = [100 * evaluate(NEWCOMBE[bound], c=400, n=500, p=350, m=500) for bound in ("lower", "upper")]
    assert rounded(found, 1) == [4.6, 15.3]


# Golden vectors: dispersion, money, false discoveries, funnels


def test_dispersion_of_twelve_counts() -> None:
    counts = np.array([18, 25, 31, 12, 22, 40, 27, 15, 33, 20, 29, 16])
    sums = {"events": int(counts.sum()), "exposure": 12.0, "squares": float((counts**2).sum()), "freedom": 11}
    chi_square = evaluate("{{ pearson_chi_square('events', 'exposure', 'squares', 'false') }}", **sums)
    assert round(chi_square, 3) == 31.917
    phi = evaluate("{{ dispersion('chi', 'freedom', 'chi', 'freedom') }}", chi=chi_square, **sums)
    assert round(phi, 4) == 2.9015
    assert round(change(20, 40, phi=phi)["z"], 2) == -1.54


def test_dispersion_is_at_least_one_and_needs_some_history() -> None:
    expression = "{{ dispersion('chi', 'freedom', 'all_chi', 'all_freedom') }}"
    assert evaluate(expression, chi=3.0, freedom=20, all_chi=3.0, all_freedom=22) == 1
    assert evaluate(expression, chi=60.0, freedom=20, all_chi=9.0, all_freedom=22) == 3
    assert evaluate(expression, chi=60.0, freedom=9, all_chi=44.0, all_freedom=11) == 4
    assert evaluate(expression, chi=60.0, freedom=9, all_chi=44.0, all_freedom=9) == 1


def test_benjamini_hochberg() -> None:
    p = [0.0001, 0.004, 0.011, 0.012, 0.03, 0.034, 0.2, 0.41, 0.74, 0.9]
    with duckdb.connect() as connection:
        connection.execute("create table tested as select unnest($p) as p, 'a' as kind union all select 0.04, 'b'", {"p": p[::-1]})
        sql = render("{{ benjamini_hochberg('select * from tested', 'p', ['kind']) }}")
        found = connection.execute(f"select p, q_value from ({sql}) where kind = 'a' order by p").fetchall()
        alone = connection.execute(f"select q_value from ({sql}) where kind = 'b'").fetchall()
    assert [round(float(q), 4) for _, q in found] == [0.001, 0.02, 0.03, 0.03, 0.0567, 0.0567, 0.2857, 0.5125, 0.8222, 0.9]
    assert np.allclose([float(q) for _, q in found], multipletests(p, method="fdr_bh")[1])
    assert sum(q <= 0.05 for _, q in found) == 4 and sum(value < 0.05 for value in p) == 6
    assert float(alone[0][0]) == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("level", "funnel"),
    [
        (95, {1: (0, 3), 5: (1, 10), 10: (4, 17), 20: (12, 29), 50: (37, 64)}),
        (998, {1: (0, 5), 5: (0, 13), 10: (2, 21), 20: (8, 35), 50: (30, 73)}),
    ],
)
def test_poisson_funnel(level: int, funnel: dict[int, tuple[int, int]]) -> None:
    limits = {b: f"{{{{ poisson_{b}('given.events', 'poisson_limit.{b}{level}', {level}) }}}}" for b in ("lower", "upper")}
    found = evaluate_each(limits, events=np.arange(151))
    for expected, span in funnel.items():
        inside = np.flatnonzero((found["lower"] < expected) & (expected < found["upper"]))
        assert (inside.min(), inside.max()) == span


# Against kept libraries, on grids


def test_wilson_is_that_of_statsmodels() -> None:
    trials = np.repeat(np.array([1, 2, 7, 30, 108, 999, 50_690, 10**9]), 41)
    events = np.minimum(np.round(trials * np.tile(np.linspace(0, 1, 41), 8)), trials).astype(int)
    found = evaluate_each({b: f"{{{{ wilson_{b}('x', 'n') }}}}" for b in ("lower", "upper")}, x=events, n=trials)
    lower, upper = proportion_confint(events, trials, method="wilson")
    assert np.allclose(found["lower"], np.clip(lower, 0, 1), rtol=1e-9, atol=1e-12)
    assert np.allclose(found["upper"], np.clip(upper, 0, 1), rtol=1e-9, atol=1e-12)


def test_newcombe_is_that_of_statsmodels() -> None:
    random = np.random.default_rng(5)
    n, m = random.integers(1, 400, (2, 300))
    c, p = random.integers(0, n + 1), random.integers(0, m + 1)
    found = evaluate_each(NEWCOMBE, c=c, n=n, p=p, m=m)
    oracle = [confint_proportions_2indep(*four, method="newcomb", compare="diff") for four in zip(c, n, p, m, strict=True)]
    assert np.allclose(found["lower"], [low for low, _ in oracle], atol=1e-9)
    assert np.allclose(found["upper"], [high for _, high in oracle], atol=1e-9)


@pytest.mark.parametrize(("level", "tail"), [(95, 0.025), (998, 0.001)])
def test_poisson_limits_are_exact_to_a_millionth(level: int, tail: float) -> None:
    events = np.unique(np.concatenate([np.arange(2_000), np.logspace(3.3, 8, 400).astype(int)]))
    limits = {b: f"{{{{ poisson_{b}('given.events', 'poisson_limit.{b}{level}', {level}) }}}}" for b in ("lower", "upper")}
    found = evaluate_each(limits, events=events)
    lower = np.where(events > 0, stats.chi2.ppf(tail, 2 * np.maximum(events, 1)) / 2, 0.0)
    assert np.allclose(found["lower"], lower, rtol=0, atol=1e-6)
    assert np.allclose(found["upper"], stats.chi2.ppf(1 - tail, 2 * events + 2) / 2, rtol=0, atol=1e-6)


def test_zero_counts_have_the_exact_limits_of_the_conditional_binomial() -> None:
    for total in (1, 2, 5, 9, 40, 1000):
        for share in (0.5, 0.1, 31 / 59):
            e_c, e_p = share, 1 - share
            odds_to_ratio = e_p / e_c
            rise, fall = change(total, 0, e_c, e_p), change(0, total, e_c, e_p)
            least = stats.beta.ppf(0.025, total, 1)
            most = stats.beta.ppf(0.975, 1, total)
            assert rise["lower"] == pytest.approx(least / (1 - least) * odds_to_ratio, rel=1e-9)
            assert fall["upper"] == pytest.approx(most / (1 - most) * odds_to_ratio, rel=1e-9)
            assert (rise["ratio"], rise["upper"], fall["ratio"], fall["lower"]) == (None, None, 0, 0)


def test_nothing_against_nothing_is_no_change() -> None:
    found = change(0, 0)
    assert (found["ratio"], found["lower"], found["upper"], found["z"], found["verdict"]) == (None, None, None, 0, NO_CLEAR_CHANGE)


def test_exact_conditional_p_is_that_of_scipy() -> None:
    counts = np.arange(36)
    c, p = (grid.ravel() for grid in np.meshgrid(counts, counts))
    for share in (0.5, 29 / 59, 0.05, 0.999):
        exposures = {"e_c": np.full(c.shape, share), "e_p": np.full(c.shape, 1 - share)}
        found = evaluate_each({"p": "{{ conditional_p('c', 'p', 'e_c', 'e_p', 36) }}"}, c=c, p=p, **exposures)["p"]
        tails = np.minimum(stats.binom.cdf(c, c + p, share), stats.binom.sf(c - 1, c + p, share))
        assert np.allclose(found, np.minimum(1, 2 * tails), atol=1e-9)


def test_fisher_p_is_that_of_scipy() -> None:
    random = np.random.default_rng(11)
    n, m = random.integers(1, 3_000, (2, 400))
    c, p = random.binomial(n, 0.01), random.binomial(m, 0.004)
    smallest = np.minimum(np.minimum(c, p), np.minimum(n - c, m - p))
    keep = (smallest < 12) & (np.minimum(c, p) == smallest)
    n, m, c, p = n[keep], m[keep], c[keep], p[keep]
    row = np.where(c <= p, n, m)
    expression = "{{ fisher_p('least(c, p)', 'row_total', '(c + p)', '(n + m)', 12) }}"
    found = evaluate_each({"p": expression}, c=c, p=p, n=n, m=m, row_total=row)["p"]
    tails = np.minimum(stats.hypergeom.cdf(c, n + m, c + p, n), stats.hypergeom.sf(c - 1, n + m, c + p, n))
    assert keep.sum() > 200
    assert np.allclose(found, np.minimum(1, 2 * tails), atol=1e-9)


def test_ln_factorial() -> None:
    n = np.unique(np.concatenate([np.arange(60), np.logspace(2, 9, 60).astype(int)]))
    found = evaluate_each({"x": "{{ ln_factorial('n') }}"}, n=n)["x"]
    assert np.allclose(found, [float(stats.poisson.logpmf(k, 1.0)) * -1 - 1 for k in n], rtol=1e-12, atol=1e-11)


def test_score_error_is_the_multinomial_delta_method() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        replies = random.multinomial(random.integers(5, 500), [0.6, 0.3, 0.1])
        scores = np.array([100, 50, 0])
        each = np.repeat(scores, replies)
        given = {"wy": int(each.sum()), "w": len(each), "squares": int((each**2).sum()), "weights": len(each)}
        assert evaluate("{{ score_error('wy', 'w', 'squares', 'weights') }}", **given) == pytest.approx(
            each.std() / np.sqrt(len(each)), abs=1e-9
        )


# Where the exact test may be skipped


def test_with_one_event_on_either_side_three_standard_deviations_imply_p_below_a_twentieth() -> None:
    """Why the table asks the exact test only where a count is 0: at every smaller count m >= 1 and share of exposure, the closest other count has p < 0.05."""
    worst = 0.0
    for m in range(1, 400):
        share = np.concatenate([np.logspace(-9, -0.31, 200), 1 - np.logspace(-9, -0.31, 200)])
        lifted = np.ceil((1.5 + np.sqrt(m * (1 - share))) ** 2 / share - 1e-5)
        other = np.maximum(lifted, m)
        worst = max(worst, float((2 * stats.binom.cdf(m, m + other, share)).max()))
        root = np.sqrt(m * (1 - share)) - 1.5
        other = np.floor(root**2 / share + 1e-5)
        possible = (root >= 0) & (other >= m)
        if possible.any():
            worst = max(worst, float((2 * stats.binom.sf(m - 1, m + other, share))[possible].max()))
    assert 0.02 < worst < 0.03


def test_with_one_in_every_cell_three_standard_deviations_imply_fisher_p_below_a_twentieth() -> None:
    worst = 0.0
    sizes = [*range(2, 26), 40, 100, 400, 1_500]
    for n in sizes:
        for m in sizes:
            c, p = (grid.ravel() for grid in np.meshgrid(np.arange(1, n), np.arange(1, m)))
            z = 2 * (np.arcsin(np.sqrt(c / n)) - np.arcsin(np.sqrt(p / m))) / np.sqrt(1 / n + 1 / m)
            c, p = c[z >= 3 - 1e-6], p[z >= 3 - 1e-6]
            if c.size:
                worst = max(worst, float((2 * stats.hypergeom.sf(c - 1, n + m, c + p, n)).max()))
    assert 0.02 < worst < 0.03


def test_share_z_has_unit_variance() -> None:
    n, m, share = 300, 200, 0.3
    c, p = (grid.ravel() for grid in np.meshgrid(np.arange(n + 1), np.arange(m + 1)))
    ones = np.ones_like(c, dtype=float)
    z = evaluate_each({"z": "{{ share_z('c', 'n', 'p', 'm', 'phi') }}"}, c=c, p=p, n=n * ones, m=m * ones, phi=ones)["z"]
    weight = stats.binom.pmf(c, n, share) * stats.binom.pmf(p, m, share)
    assert (weight * z).sum() == pytest.approx(0, abs=0.01)
    assert (weight * z**2).sum() == pytest.approx(1, abs=0.02)
