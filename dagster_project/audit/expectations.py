"""Great Expectations in a process of its own, because its import takes longer than a small night.

``python -m dagster_project.audit.expectations`` is the worker: it imports at start and answers one JSON request per line
of standard input with one JSON reply per line of what was its standard output. It ends when its input closes or its
parent is gone. ``Worker`` is the other end of that line.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from dagster_project.with_parent import end_with_parent

ROWS_KEPT = 20
ANSWER_SECONDS = 1800.0
ROWS_PER_FRAME = 500_000
QUIET = {
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "TQDM_DISABLE": "1",
    "PYTHONWARNINGS": "ignore",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
}


class WorkerError(RuntimeError):
    """The worker could not be started or gave no answer; the message ends with what it wrote last."""


class Worker:
    """The process that runs Great Expectations.

    ``start`` returns at once; ``ask`` starts it if nobody did, and waits, ANSWER_SECONDS at most. One question at a time. A
    worker that died is started again by the next question.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None
        self._asking = threading.Lock()

    def start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name if __spec__ else __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **QUIET},
            text=True,
            encoding="utf-8",
        )

    def ask(self, candidate: Path, database: str, suites: Sequence[Mapping[str, Any]], scratch: Path | None = None) -> list[dict[str, Any]]:
        """Run suites over a candidate and return their results, in order.

        A suite is ``{name, sql, expectations: [{check, type, arguments}]}``. A result is ``{name, rows, seconds, error, groups:
        [{product, table, rows, observed: {check: [low, high]}}], expectations: [{check, type, arguments, success, error, failing, products,
        examples}]}``. Raises WorkerError.
        """
        request = {"candidate": str(candidate), "database": database, "suites": list(suites), "scratch": str(scratch) if scratch else None}
        with self._asking:
            reply = self._exchange(json.dumps(request) + "\n")
        answer = json.loads(reply)
        if "error" in answer:
            raise WorkerError(f"the Great Expectations worker failed: {answer['error']}")
        return answer["suites"]  # type: ignore[no-any-return]

    def _exchange(self, request: str) -> str:
        self.start()
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        watchdog = threading.Timer(ANSWER_SECONDS, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            reply = process.stdout.readline()
        except OSError:
            reply = ""
        finally:
            watchdog.cancel()
        if not reply.endswith("\n"):
            raise WorkerError(f"the Great Expectations worker gave no answer: {self._last_words()}")
        return reply

    def _last_words(self) -> str:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
        if self._log is None:
            return "nothing was logged"
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace").strip()[-500:] or "nothing was logged"

    def close(self) -> None:
        """End the worker; harmless when it never ran."""
        process, self._process = self._process, None
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# ---- inside the worker ----------------------------------------------------------------------------------------------


def _take(requests: queue.Queue[str]) -> None:
    """Feed requests from standard input; end the process at once when the input closes or the parent is gone."""

    def read() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    end_with_parent()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool | int):
        return value
    return None if str(value) in {"NaT", "<NA>"} else str(value)


class _Auditor:
    """Holds what Great Expectations needs once: a context without a store, a data source, and the classes by name."""

    def __init__(self) -> None:
        import great_expectations as gx
        import great_expectations.expectations as gxe
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(enable=False)
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._gx, self._classes = gx, gxe
        frame = context.data_sources.add_pandas("candidate").add_dataframe_asset("frame")
        self._frame = frame.add_batch_definition_whole_dataframe("all")
        self._suites = 0

    def _expectation(self, wanted: Mapping[str, Any]) -> Any:
        name = "".join(part.capitalize() for part in wanted["type"].split("_"))
        return getattr(self._classes, name)(**wanted["arguments"], meta={"check": wanted["check"]})

    def run(self, connection: Any, suite: Mapping[str, Any]) -> dict[str, Any]:
        """Judge the rows of a suite's query. Only the columns that are judged become a frame: names would slow it severalfold."""
        started = time.perf_counter()
        blank: dict[str, Any] = {"success": True, "error": None, "failing": 0, "products": {}, "examples": []}
        results = [{**copy.deepcopy(blank), **wanted} for wanted in suite["expectations"]]
        judged = ", ".join(f'"{c}"' for c in sorted({c for wanted in suite["expectations"] for c in _columns(wanted["arguments"])}))
        rows, error, groups = 0, None, []
        try:
            connection.execute(f"create or replace temp table judged as {suite['sql']}")
            rows = connection.execute("select count(*) from temp.judged").fetchone()[0]
            for first in range(0, max(rows, 1), ROWS_PER_FRAME):
                page = f"select rowid as row_id, {judged} from temp.judged where rowid >= {first} and rowid < {first + ROWS_PER_FRAME}"
                self._judge(connection, connection.execute(page).fetch_df(), suite, results)
            groups = _groups(connection, suite["expectations"])
        except Exception as problem:
            error = f"{type(problem).__name__}: {str(problem).splitlines()[0]}"
        seconds = round(time.perf_counter() - started, 3)
        return {"name": suite["name"], "rows": rows, "seconds": seconds, "error": error, "groups": groups, "expectations": results}

    def _judge(self, connection: Any, frame: Any, suite: Mapping[str, Any], results: list[dict[str, Any]]) -> None:
        self._suites += 1
        expectations = [self._expectation(wanted) for wanted in suite["expectations"]]
        declared = self._gx.ExpectationSuite(name=f"{suite['name']} {self._suites}", expectations=expectations)
        batch = self._frame.get_batch({"dataframe": frame})
        outcome = batch.validate(declared, result_format={"result_format": "COMPLETE", "partial_unexpected_count": 0})
        outcomes = {str(o.expectation_config.meta["check"]): o for o in outcome.results if o.expectation_config is not None}
        for result in results:
            failed = _failing_places(result, outcomes[result["check"]])
            if failed:
                _name_rows(connection, frame.loc[failed, ["row_id"]], result)


def _groups(connection: Any, expectations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of every product and table among the rows: how many, and from where to where the values judged reach (of a pair, its difference)."""
    names = [column for column, *_ in connection.execute("describe temp.judged").fetchall()]
    if "product" not in names:
        return []
    table = "table_name" if "table_name" in names else "null::varchar"
    measured = {wanted["check"]: _measure(wanted) for wanted in expectations}
    figures = ", ".join(f"min({sql})::double, max({sql})::double" for sql in measured.values() if sql)
    found = connection.execute(
        f"select product, {table}, count(*) {', ' + figures if figures else ''} from temp.judged group by all order by all"
    )
    checks = [check for check, sql in measured.items() if sql]
    return [
        {
            "product": product,
            "table": table_name,
            "rows": rows,
            "observed": {check: [_plain(low), _plain(high)] for check, low, high in zip(checks, figures[::2], figures[1::2], strict=True)},
        }
        for product, table_name, rows, *figures in found.fetchall()
    ]


def _measure(wanted: Mapping[str, Any]) -> str | None:
    arguments = wanted["arguments"]
    if "column_A" in arguments:
        return f'"{arguments["column_A"]}" - "{arguments["column_B"]}"'
    return f'"{arguments["column"]}"' if wanted["type"] == "expect_column_values_to_be_between" else None


def _columns(arguments: Mapping[str, Any]) -> list[str]:
    return [arguments[name] for name in ("column", "column_A", "column_B") if name in arguments]


def _failing_places(result: dict[str, Any], outcome: Any) -> list[Any]:
    """Note in the result that an expectation failed, and return where in the frame."""
    if outcome.success:
        return []
    result["success"] = False
    raised = _exception_message(outcome.exception_info)
    places = outcome.result.get("unexpected_index_list") or []
    if raised or not places:
        result["error"] = raised or f"failed without naming a row: {str(outcome.result)[:300]}"
        return []
    result["failing"] += len(places)
    return list(places)


def _name_rows(connection: Any, failing: Any, result: dict[str, Any]) -> None:
    """Give failing rows their names: how many of each product, and the first of each in full."""
    connection.register("failing", failing)
    try:
        connection.execute(
            "create or replace temp table named as "
            "select failing.row_id, judged.* from temp.judged inner join failing on judged.rowid = failing.row_id"
        )
        _, *names = [column for column, *_ in connection.execute("describe temp.named").fetchall()]
        whose = "product" if "product" in names else "null::varchar"
        if "product" in names:
            for product, count in connection.execute("select product, count(*) from temp.named group by product").fetchall():
                result["products"][product or ""] = result["products"].get(product or "", 0) + count
        ranked = f"select *, row_number() over (partition by {whose} order by row_id) as place from temp.named"
        first = f"select * exclude (row_id, place) from ({ranked}) where place <= {ROWS_KEPT} order by row_id"
        examples = connection.execute(first).fetchall()
        result["examples"].extend({n: _plain(v) for n, v in zip(names, row, strict=True)} for row in examples)
    finally:
        connection.unregister("failing")


def _exception_message(info: Any) -> str | None:
    """Great Expectations nests what was raised either flat or by metric."""
    if not isinstance(info, dict):
        return None
    if "raised_exception" in info:
        return str(info.get("exception_message")) if info["raised_exception"] else None
    return next((m for nested in info.values() if (m := _exception_message(nested))), None)


def _answer(auditor: _Auditor, request: Mapping[str, Any]) -> dict[str, Any]:
    import duckdb

    settings: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False, "threads": 1}
    if request.get("scratch"):
        settings["temp_directory"] = request["scratch"]
    connection = duckdb.connect(config=settings)
    try:
        path, name = request["candidate"].replace("'", "''"), request["database"]
        connection.execute(f"attach '{path}' as \"{name}\" (read_only)")
        connection.execute(f'use "{name}"')
        return {"suites": [auditor.run(connection, suite) for suite in request["suites"]]}
    finally:
        connection.close()


def serve() -> None:
    """Answer requests until the input closes. Whatever else the process prints goes to standard error."""
    os.environ.update(QUIET)
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: queue.Queue[str] = queue.Queue()
    _take(requests)
    auditor = _Auditor()
    while True:
        try:
            reply = _answer(auditor, json.loads(requests.get()))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        replies.write(json.dumps(reply, ensure_ascii=False) + "\n")
        replies.flush()


if __name__ == "__main__":
    serve()
