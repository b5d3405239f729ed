"""How often a change of money or of scores is called when nothing has changed: what stands in docs/statistics.md.

    python -m benchmarks.verdicts [--pairs 200000]

Money and scores have no exact test, so |z| >= 3 alone decides, and only from a least number of cases or answers. Both periods are drawn from one
distribution; the statistics are those of ``int_kpi_figure``, written apart from the SQL.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

SPREADS_OF_LN_LOSS = (1.0, 1.6, 2.0)
CASES = ((1, 1), (3, 3), (10, 10), (30, 30), (50, 50), (70, 70), (100, 100), (60, 200), (60, 1000))
LEAST_CASES = 50
REPLIES = {
    "60 % satisfied, 20 % half": (0.6, 0.2, 0.2),
    "90 % satisfied, 6 % half": (0.9, 0.06, 0.04),
    "97 % satisfied, 2 % half": (0.97, 0.02, 0.01),
}
SHARES = (0.5, 0.9, 0.97)
ANSWERS = ((2, 2), (5, 5), (10, 10), (10, 300), (30, 30), (30, 900), (100, 100))
LARGEST = 4_000_000
"""Numbers held at once."""


def called(z: Numbers) -> float:
    return float(np.mean(np.abs(z) >= 3))


def pairs(wanted: int, sizes: Sequence[int]) -> int:
    return max(1_000, min(wanted, LARGEST // sum(sizes)))


def money(random: np.random.Generator, spread: float, means: tuple[int, int], least: int, wanted: int) -> float:
    """The share of pairs of periods, with so many cases on average and losses lognormal, that is called; of those with ``least`` cases in both."""
    totals, variances, enough = [], [], np.array(True)
    for mean in means:
        cases = random.poisson(mean, pairs(wanted, means))
        losses = random.lognormal(0, spread, cases.sum())
        ends = cases.cumsum()
        sums, squares = (
            np.diff(np.concatenate([[0], of]).take(np.append(0, ends))) for of in (losses.cumsum(), (losses * losses).cumsum())
        )
        with np.errstate(invalid="ignore"):
            variances.append(squares / sums**2)
        totals.append(sums / mean)
        enough = enough & (cases >= least)
    one, other = (of[enough] for of in totals)
    return called(np.log(one / other) / np.sqrt(variances[0][enough] + variances[1][enough]))


def pooled_z(difference: Numbers, variance: Numbers, one: Numbers | int, other: Numbers | int) -> Numbers:
    spread = variance * (1 / one + 1 / other)
    return np.divide(difference, np.sqrt(spread), out=np.zeros_like(difference), where=variance > 1e-12)


def replies(random: np.random.Generator, chances: Sequence[float], sizes: tuple[int, int], wanted: int) -> float:
    """The same for replies that score 1, 1/2 or 0 and weigh the same."""
    scores = np.array([1, 0.5, 0])
    one, other = (random.multinomial(n, chances, pairs(wanted, sizes)) for n in sizes)
    together, n = one + other, sum(sizes)
    variance = together @ scores**2 / n - (together @ scores / n) ** 2
    return called(pooled_z(one @ scores / sizes[0] - other @ scores / sizes[1], variance, *sizes))


def weighted(random: np.random.Generator, share: float, sizes: tuple[int, int], wanted: int) -> float:
    """The same for answers yes or no whose weights are lognormal (standard deviation 0.7), so that an effective answer is 1.6 answers."""
    means, numbers = [], []
    for n in sizes:
        weights = random.lognormal(0, 0.7, (pairs(wanted, sizes), round(n * np.exp(0.49))))
        total = weights.sum(axis=1)
        means.append((weights * (random.random(weights.shape) < share)).sum(axis=1) / total)
        numbers.append(total**2 / (weights * weights).sum(axis=1))
    pooled = (means[0] * numbers[0] + means[1] * numbers[1]) / (numbers[0] + numbers[1])
    return called(pooled_z(means[0] - means[1], pooled * (1 - pooled), *numbers))


def table(title: str, sizes: Iterable[tuple[int, int]], rows: Iterable[tuple[str, Callable[[tuple[int, int]], float]]]) -> str:
    sizes = list(sizes)
    head = [f"| {title} | " + " | ".join(f"{a} : {b:,}" for a, b in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    return "\n".join(head + [f"| {name} | " + " | ".join(f"{100 * of(pair):.1f}" for pair in sizes) + " |" for name, of in rows])


def report(wanted: int, seed: int = 1) -> str:
    random = np.random.default_rng(seed)
    all_pairs, judged = (
        [(f"spread of ln loss {s}", lambda pair, s=s, least=least: money(random, s, pair, least, wanted)) for s in SPREADS_OF_LN_LOSS]
        for least in (1, LEAST_CASES)
    )
    scored = [(name, lambda pair, c=c: replies(random, c, pair, wanted)) for name, c in REPLIES.items()]
    yes = [(f"weights unequal, {100 * s:.0f} % yes", lambda pair, s=s: weighted(random, s, pair, wanted)) for s in SHARES]
    return "\n\n".join(
        (
            table("money, mean number of cases", CASES, all_pairs),
            table(f"of those with {LEAST_CASES} in both", CASES[4:], judged),
            table("scores, answers", ANSWERS, scored + yes),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200_000, help="pairs of periods drawn of each kind")
    print(report(parser.parse_args().pairs))


if __name__ == "__main__":
    main()
