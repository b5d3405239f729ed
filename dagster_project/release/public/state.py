"""What a public release does not tell, kept for the next one: every figure as it was public, hidden ones too, and which cells are hidden.

Lies in ``withheld/<version>/``, for the owner alone. A cell that is hidden once stays hidden, and one that is printed stays printed: what a
reader of all releases knows is then what the newest tells, and the earlier values of what was revised since.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from dagster_project.audit.candidate import sql_text
from dagster_project.home import Home
from dagster_project.release.files import flush
from dagster_project.release.public.database import PublicError
from dagster_project.release.public.model import CellKey, Figure, RowKey
from dagster_project.release.public.rule import Definition
from dagster_project.rights import OWNER

FIGURES = "figures.parquet"
CELLS = "cells.parquet"
DEFINITIONS = "definitions.parquet"
UNITS = "units.parquet"
TEXT, DAY, WHOLE, FLAG = pa.string(), pa.date32(), pa.int64(), pa.bool_()
PLACE = {"unit_code": TEXT, "grain": TEXT, "period_start": DAY, "period_end": DAY}
SHAPES: Mapping[str, Mapping[str, pa.DataType]] = {
    FIGURES: {"kpi_id": TEXT, **PLACE, "numerator": WHOLE, "denominator": WHOLE},
    CELLS: {"count": TEXT, **PLACE, "hidden": FLAG},
    DEFINITIONS: {"kpi_id": TEXT, "kind": TEXT, "time_rule": TEXT, "numerator_unit": TEXT, "has_squares": FLAG},
    UNITS: {"unit_code": TEXT, "parent_code": TEXT},
}


@dataclass(frozen=True)
class Withheld:
    """Figures by row, the cells that readers do and do not know, and what the figures meant."""

    figures: Mapping[RowKey, Figure] = field(default_factory=dict)
    hidden: frozenset[CellKey] = frozenset()
    printed: frozenset[CellKey] = frozenset()
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    parent: Mapping[str, str | None] = field(default_factory=dict)


def _write(file: Path, rows: Sequence[Sequence[object]]) -> None:
    shape = SHAPES[file.name]
    table = pa.table({name: pa.array([row[at] for row in rows], kind) for at, (name, kind) in enumerate(shape.items())})
    with duckdb.connect() as connection:
        connection.register("given", table)
        connection.execute(f"copy given to {sql_text(file)} (format parquet)")
    file.chmod(OWNER.file)
    flush(file)


def write_withheld(
    home: Home,
    version: str,
    figures: Iterable[Figure],
    cells: Iterable[CellKey],
    hidden: Collection[CellKey],
    definitions: Mapping[str, Definition],
    parent: Mapping[str, str | None],
) -> None:
    """Keep what the public release ``version`` is made of; what a killed run left under its name is replaced."""
    home.withheld.mkdir(mode=0o700, exist_ok=True)
    folder = home.withheld / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    _write(folder / FIGURES, list(figures))
    _write(folder / CELLS, [(*key, key in hidden) for key in cells])
    meaning = [(d.kpi_id, d.kind, d.time_rule, d.numerator_unit, d.has_squares) for _, d in sorted(definitions.items())]
    _write(folder / DEFINITIONS, meaning)
    _write(folder / UNITS, sorted(parent.items()))
    flush(folder)
    flush(home.withheld)


def read_withheld(home: Home, version: str) -> Withheld:
    """What ``write_withheld`` kept. Raises PublicError when it is gone: no further public release can then be proved."""
    folder = home.withheld / version
    try:
        with duckdb.connect() as connection:
            figures, cells, meaning, units = (
                connection.execute(f"select * from read_parquet({sql_text(folder / name)}, hive_partitioning = false)").fetchall()
                for name in SHAPES
            )
    except duckdb.Error as error:
        raise PublicError(
            f"{folder} cannot be read ({str(error).splitlines()[0]}): without what {version} withheld nothing more can be proved; "
            "restore the folder from a backup"
        ) from None
    return Withheld(
        {row[:5]: Figure(*row) for row in figures},
        frozenset(row[:5] for row in cells if row[5]),
        frozenset(row[:5] for row in cells if not row[5]),
        {row[0]: Definition(*row) for row in meaning},
        dict(units),
    )
