"""How the columns of a delivery are filled, against recent batches: values missing, and shares of codes."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.audit.candidate import Candidate, sql_text
from dagster_project.audit.register import SOURCE_CHECKS
from dagster_project.audit.verdict import Verdict
from dagster_project.contracts.model import Contract
from dagster_project.home import Home

Shares = Mapping[tuple[str, str], float]

NO_VALUE = ""
WORDS_OF_NO_VALUE = "(no value)"
LEAST_ROWS = 30
LEAST_BATCHES = {"daily": 7}
LEAST_BATCHES_ELSE = 4
TRIMMED_FROM = 10
LEAST_SHIFT = 0.1
DEVIATIONS = 6.0
EMPTY, FILLED = 0.9, 0.5


@dataclass(frozen=True)
class _Shift:
    """A share outside the range of the recent batches."""

    column: str
    code: str
    share: float
    low: float
    high: float

    @property
    def is_emptied(self) -> bool:
        return self.code == NO_VALUE and self.share >= EMPTY and self.high <= FILLED

    @property
    def distance(self) -> float:
        return max(self.share - self.high, self.low - self.share)

    def as_row(self) -> dict[str, Any]:
        return {
            "column": self.column,
            "code": self.code or WORDS_OF_NO_VALUE,
            "share": round(self.share, 4),
            "usual_from": round(self.low, 4),
            "usual_to": round(self.high, 4),
        }


def shares_by_batch(home: Home, candidate: Candidate) -> dict[str, dict[dt.date, tuple[int, Shares]]]:
    """Source to batch date to its rows and the share of rows by column and code, of recent batches up to the night."""
    control = home.warehouse / "control"
    rows = candidate.rows(
        f"select s.source_id, s.batch_date, s.column_name, s.code, s.rows, b.rows_accepted "
        f"from read_parquet({sql_text(control / 'statistic.parquet')}, hive_partitioning = false) as s "
        f"inner join read_parquet({sql_text(control / 'batch.parquet')}, hive_partitioning = false) as b using (source_id, batch_date) "
        f"where s.batch_date <= date '{candidate.as_of}' and b.rows_accepted > 0"
    )
    sizes: dict[tuple[str, dt.date], int] = {}
    shares: dict[tuple[str, dt.date], dict[tuple[str, str], float]] = defaultdict(dict)
    for r in rows:
        batch = (r["source_id"], r["batch_date"])
        sizes[batch] = r["rows_accepted"]
        shares[batch][r["column_name"], r["code"]] = r["rows"] / r["rows_accepted"]
    found: dict[str, dict[dt.date, tuple[int, Shares]]] = defaultdict(dict)
    for (source_id, date), counted in shares.items():
        found[source_id][date] = (sizes[source_id, date], counted)
    return found


def _range(history: Sequence[float]) -> tuple[float, float]:
    """From the lowest to the highest share; of many batches one on either side does not count, so that one bad night teaches nothing."""
    ordered = sorted(history)
    return (ordered[1], ordered[-2]) if len(ordered) >= TRIMMED_FROM else (ordered[0], ordered[-1])


def _shifts(rows: int, shares: Shares, history: Sequence[Shares], least: int) -> list[_Shift]:
    found = []
    for column, code in sorted({key for counted in (shares, *history) for key in counted}):
        before = [h.get((column, code), 0.0) for h in history if (column, NO_VALUE) in h]
        if (column, NO_VALUE) not in shares or len(before) < least:
            continue
        low, high = _range(before)
        shift = _Shift(column, code, shares.get((column, code), 0.0), low, high)
        nearest = high if shift.share > high else low
        chance = DEVIATIONS * math.sqrt(max(nearest * (1 - nearest), 1 / rows) / rows)
        if shift.distance > max(LEAST_SHIFT, chance):
            found.append(shift)
    return sorted(found, key=lambda s: -s.distance)


def drift_verdicts(contract: Contract, batches: Mapping[dt.date, tuple[int, Shares]], newest: dt.date | None) -> Iterator[Verdict]:
    """The verdicts 'drift' and 'emptied' of one source, of its newest batch against up to fourteen before it."""
    least = LEAST_BATCHES.get(contract.cadence, LEAST_BATCHES_ELSE)
    history = [shares for date, (_, shares) in sorted(batches.items()) if newest is not None and date < newest]
    if newest is None or newest not in batches or batches[newest][0] < LEAST_ROWS or len(history) < least:
        for check in ("drift", "emptied"):
            yield SOURCE_CHECKS[check].of_source(contract.id, contract.owner, True, "too few rows or batches to compare")
        return
    shifts = _shifts(*batches[newest], history, least)
    emptied = [s for s in shifts if s.is_emptied]
    for check, bad in (("drift", [s for s in shifts if s not in emptied]), ("emptied", emptied)):
        detail = f"the batch of {newest} is filled like the {len(history)} before it"
        if bad:
            first = bad[0]
            detail = (
                f"{contract.id}: {first.column} is {first.code or WORDS_OF_NO_VALUE} in {first.share:.0%} of the rows of {newest}, in "
                f"{first.low:.0%} … {first.high:.0%} before" + (f"; and {len(bad) - 1} more shares" if len(bad) > 1 else "")
            )
        yield SOURCE_CHECKS[check].of_source(contract.id, contract.owner, not bad, detail, [s.as_row() for s in bad])
