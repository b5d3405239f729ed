"""The statistics of the ``kpi`` table, one formula at a time: the SQL that dbt runs, against golden vectors and kept libraries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from kpi_harness import evaluate, evaluate_each
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable  # noqa: F401
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

EXPOSED = {"e_c": 1.0, "e_p": 1.0, "phi": 1.0}
RATIO = "{{ rate_ratio('c', 'p', 'e_c', 'e_p') }}"
FACTOR = "{{ ratio_factor('c', 'p', 'phi') }}"
LOWER = "{{ rate_ratio_lower('ratio', 'factor', 'c', 'p', 'e_c', 'e_p') }}"
UPPER = "{{ rate_ratio_upper('ratio', 'factor', 'c', 'p', 'e_c', 'e_p') }}"
Z = "{{ count_z('c', 'p', 'e_c', 'e_p', 'phi') }}"


def change(c: int, p: int, **exposed: float) -> dict[str, Any]:
    """Ratio, limits, z, exact p and what may be said of it, as the SQL says it."""
    given: dict[str, Any] = {"c": c, "p": p, **EXPOSED, **exposed}
    given |= {"ratio": evaluate(RATIO, **given), "factor": evaluate(FACTOR, **given)}
    z = evaluate(Z, **given)
    exact = evaluate("{{ conditional_p('c', 'p', 'e_c', 'e_p', 40) }}", **given)
    called = evaluate("{{ verdict_text(change_call('z', \"" + "conditional_p_stub" + "\")) }}".replace('"conditional_p_stub"', "'exact'"), z=z, exact=exact)
    return {"ratio": given["ratio"], "lower": evaluate(LOWER, **given), "upper": evaluate(UPPER, **given), "z": z, "p": exact, "verdict": called}
