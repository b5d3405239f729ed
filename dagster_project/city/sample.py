"""The tiny delivery in ``data/sample``: two weeks and two nights of one county, small enough to read with one's own eyes.

``python -m dagster_project.city.sample`` writes it anew after the city has changed.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from dagster_project.city.simulate import Delivery, simulate

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
README = "README.md"


def write_sample(out: Path = SAMPLE) -> Delivery:
    """Replace everything in ``out`` but its README by the sample delivery."""
    for path in sorted(out.glob("*")):
        if path.name != README:
            shutil.rmtree(path)
    return simulate(
        out, seed=20, first_night=dt.date(2025, 9, 1), nights=2, history_days=32, counties=1, stations_per_county=2, scale=0.002, domains=()
    )


if __name__ == "__main__":
    write_sample()
