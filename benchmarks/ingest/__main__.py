"""``python -m benchmarks.ingest [--rows N …] [--cases …] [--repeat N] [--scratch DIR] [--json FILE]``

Generates the deliveries (kept in the scratch folder for the next time), runs every case in a process of its own, the pyarrow floor
anew before each of ours so that both meet the same machine, and prints a table and JSON. The second ratio is of processor seconds:
it holds on a busy machine too. Phases run beside each other, so they add up to more than the whole.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.ingest.cases import CASES
from benchmarks.ingest.passages import DAY, write_passages
from benchmarks.results import file_to_write

FLOOR = "pyarrow floor"
TARGETS = {"no key": 2.0, "unique key": 3.5}
TARGET_PEAK_MB = 3 * 1024


def delivery(scratch: Path, rows: int, faulty: bool) -> Path:
    """The delivery of so many rows, generated if it is not there."""
    path = scratch / f"{rows}{'-faulty' if faulty else '-clean'}" / "gates" / f"{DAY}.csv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"generating {path}", file=sys.stderr, flush=True)
        write_passages(path, rows, faulty)
    return path


def measure(case: str, file: Path, scratch: Path) -> dict[str, Any]:
    """One case in a process of its own. ``seconds`` start after imports."""
    with tempfile.TemporaryDirectory(dir=scratch) as home:
        command = [sys.executable, "-m", "benchmarks.ingest.cases", case, str(file), home]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"case '{case}' failed")
    measured: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return measured


def run(rows: int, cases: list[str], repeat: int, scratch: Path) -> list[dict[str, Any]]:
    """Every case ``repeat`` times, the floor before each; of each case the run nearest to its floor."""
    clean, faulty = delivery(scratch, rows, faulty=False), delivery(scratch, rows, faulty=True)
    results = []
    for case in cases:
        tries = []
        for _ in range(repeat):
            floor = measure(FLOOR, clean, scratch)
            of_case = floor if case == FLOOR else measure(case, clean if "floor" in case else faulty, scratch)
            ratios = {"ratio": of_case["seconds"] / floor["seconds"], "cpu_ratio": of_case["cpu_seconds"] / floor["cpu_seconds"]}
            tries.append({"case": case, "rows": rows, **of_case, "floor_seconds": floor["seconds"], **ratios})
            print(f"{rows:,} {case}: {tries[-1]['seconds']:.2f} s, floor {floor['seconds']:.2f} s", file=sys.stderr, flush=True)
        results.append(min(tries, key=lambda t: t["ratio"]))
    return results


def table(results: list[dict[str, Any]]) -> str:
    """The results for a person."""
    lines = [
        f"{'rows':>12} {'case':<14} {'seconds':>8} {'floor':>7} {'ratio':>6} {'target':>6} "
        f"{'cpu s':>7} {'ratio':>6} {'peak MB':>8} {'rows/s':>10}  phases (s)"
    ]
    for r in results:
        target = f"{TARGETS[r['case']]:.1f}" if r["case"] in TARGETS else ""
        phases = " ".join(f"{name} {spent:.1f}" for name, spent in r.get("phases", {}).items())
        lines.append(
            f"{r['rows']:>12,} {r['case']:<14} {r['seconds']:>8.2f} {r['floor_seconds']:>7.2f} {r['ratio']:>6.2f} {target:>6} "
            f"{r['cpu_seconds']:>7.1f} {r['cpu_ratio']:>6.2f} {r['peak_mb']:>8.0f} {r['rows'] / r['seconds']:>10,.0f}  {phases}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000_000, 40_000_000])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "pool-benchmark")
    parser.add_argument("--json", type=file_to_write, help="write the results here too")
    parser.add_argument("--clean-up", action="store_true", help="remove the generated deliveries afterwards")
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    results = [result for rows in chosen.rows for result in run(rows, chosen.cases, chosen.repeat, chosen.scratch)]
    print(table(results))
    text = json.dumps(results, ensure_ascii=False, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    if chosen.clean_up:
        shutil.rmtree(chosen.scratch)


if __name__ == "__main__":
    main()
