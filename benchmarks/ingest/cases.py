"""What is measured, each in a process of its own: ``python -m benchmarks.ingest.cases CASE FILE HOME`` prints one JSON line."""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONTRACTS = Path(__file__).parent / "contracts"
NIGHT = dt.date(2026, 3, 1)
READ = ["过车编号", "设备编号", "卡口名称", "方向", "车道", "过车时间"]
FLOOR_BLOCK_BYTES = 16 << 20


def floor_pyarrow(file: Path, home: Path) -> dict[str, Any]:
    """The least that any ingest of this file must do: decode, parse, type, write Parquet (zstd)."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    reader = pyarrow.csv.open_csv(
        file,
        read_options=pyarrow.csv.ReadOptions(encoding="gb18030", block_size=FLOOR_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(quote_char=False),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=READ,
            column_types={**dict.fromkeys(READ, pa.string()), "车道": pa.int64(), "过车时间": pa.timestamp("us")},
            timestamp_parsers=["%Y%m%d%H%M%S"],
        ),
    )
    rows = 0
    with pq.ParquetWriter(home / "floor.parquet", reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return {"rows_read": rows, "rows_accepted": rows}


def floor_pandas(file: Path, home: Path) -> dict[str, Any]:
    """The same with pandas, a million rows at a time."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, writer = 0, None
    frames = pd.read_csv(
        file, encoding="gb18030", usecols=READ, dtype={name: "str" for name in READ if name != "车道"}, chunksize=1_000_000
    )
    for frame in frames:
        frame["过车时间"] = pd.to_datetime(frame["过车时间"], format="%Y%m%d%H%M%S")
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(home / "pandas.parquet", table.schema, compression="zstd")
        writer.write_table(table)
        rows += len(frame)
    assert writer is not None
    writer.close()
    return {"rows_read": rows, "rows_accepted": rows}


def _ingest(source_id: str) -> Callable[[Path, Path], dict[str, Any]]:
    def measured(file: Path, home: Path) -> dict[str, Any]:
        from dagster_project.contracts.load import load_catalogue
        from dagster_project.home import Home
        from dagster_project.ingest.night import ingest_source

        catalogue = load_catalogue([CONTRACTS])
        contract = catalogue.contract(source_id)
        result = ingest_source(Home.at(home, file.parent.parent).ensure(), contract, catalogue.entity_of(contract), NIGHT)
        assert result.status == "ok", result.messages
        assert not result.unbalanced_files
        fates = ("read", "accepted", "quarantined", "duplicate", "filtered")
        return {
            **{f"rows_{fate}": getattr(result, f"rows_{fate}") for fate in fates},
            "phases": result.phase_seconds,
            "messages": result.messages,
        }

    return measured


CASES: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "pyarrow floor": floor_pyarrow,
    "pandas floor": floor_pandas,
    "no key": _ingest("gate_passage"),
    "unique key": _ingest("gate_passage_keyed"),
    "reduced": _ingest("gate_passage_hourly"),
}


def main() -> None:
    case, file, home = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    home.mkdir(parents=True, exist_ok=True)
    import numpy  # noqa: F401  (imports are paid once a night, not once a source)
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    if "floor" not in case:
        import dagster_project.ingest.night  # noqa: F401
    started, cpu_started = time.perf_counter(), time.process_time()
    outcome = CASES[case](file, home)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measures = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak, "load": os.getloadavg()[0]}
    print(json.dumps({**measures, **outcome}))


if __name__ == "__main__":
    main()
