"""A night killed at any moment loses nothing: killed at random moments, amid one of its phases, or right at the commit points.

``python -m benchmarks.kill [--kills N] [--seed N] [--scratch DIR] [--phase NAME | --points | --points-in-turn]``

A small city is processed up to its last night but one; its last night is then run, killed up to four times in turn, and run to its end, from
the same start each time. With ``--phase`` (start, ingest, pool, dbt, gate and release) every night is killed once, at moments spread evenly over
the processor time of that phase: short phases are hardly hit by chance. Half of the kills take the run's process alone, half take all that it started. After every kill the current
release must be whole and of one night and no process may be left, and the run that ends must arrive at the same content, the same pool
and the same files as a night that nobody disturbed. Runs, dbt and Great Expectations are forked from a process that has imported
everything, so that the moments fall on work; nothing in the project knows that it is watched. What was tried stands in DIR/state.json:
the next call goes on from there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import duckdb

from benchmarks.processes import at_work_in
from dagster_project.city.simulate import FIRST_NIGHT, simulate
from dagster_project.contracts import load
from dagster_project.home import Home
from dagster_project.ingest.receipts import Receipts
from dagster_project.progress import Progress, to_stderr
from dagster_project.release import current_release, verify
from dagster_project.with_parent import end_with_parent

CITY: dict[str, Any] = {"counties": 1, "stations_per_county": 1, "scale": 0.004, "domains": [], "history_days": 20, "nights": 2}
DOMAINS = ("call", "case", "mediation", "callback")
NIGHT = FIRST_NIGHT + dt.timedelta(days=1)
DIFFERS_BY_RUN = ("dagster/", "last_run.log", "ledger/torn-", "warehouse/dbt_target/", "receipts.sqlite-")
NIGHTS = (FIRST_NIGHT, NIGHT)
MOST_IN_TURN = 4
OF_THE_NEWEST = 0.3
MOST_TRIALS = 5
MARK = "> "
BEFORE_THE_STEPS, AMID_INGEST = "before the steps", "amid ingest"
INTO_INGEST = 0.1
BEFORE_THE_SWITCH, AFTER_THE_SWITCH = OF_THE_SWITCH = ("before the switch", "after the switch")
Hook = Callable[[], None]


class NotConvergedError(AssertionError):
    """What a kill left behind, or what the run after it made of it, is not as it should be."""


# ---- runs, forked from a process that has imported everything -------------------------------------------------------


class ForkedDbt:
    """dbt in a fork of the run instead of a process that imports dbt first; what ``subprocess.Popen`` shows of it."""

    def __init__(self, args: Sequence[str], env: dict[str, str], cwd: Path, **_: Any) -> None:
        self.args = args
        said, saying = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            _become_dbt(args[args.index("build") :], env, cwd, saying)
        os.close(saying)
        self.stdout = os.fdopen(said, "rb")
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        return self.returncode


def _become_dbt(arguments: Sequence[str], env: dict[str, str], cwd: Path, saying: int) -> NoReturn:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    status = 2
    try:
        end_with_parent()
        os.dup2(saying, 1)
        os.dup2(saying, 2)
        _let_go_of_locks()
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        os.environ.update(env)
        os.chdir(cwd)
        outcome = dbtRunner().invoke(list(arguments))
        status = 0 if outcome.success else 2 if outcome.exception else 1
        DuckDBConnectionManager.close_all_connections()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _let_go_of_locks() -> None:
    """A process that is started, not forked, would not have them: a run that is killed alone frees its home though dbt lives on."""
    for descriptor in Path("/proc/self/fd").iterdir():
        if descriptor.is_symlink() and str(descriptor.readlink()).endswith(".lock"):
            os.close(int(descriptor.name))


def few_sources(folder: Path) -> None:
    """Let the city consist of the systems that deliver: every other contract costs a run its share of events, none of what is killed."""
    for domain in DOMAINS:
        shutil.copytree(load.PROJECT_SOURCES / domain, folder / domain, dirs_exist_ok=True)
    load.PROJECT_SOURCES = folder


def _kept(work: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """A pure function whose results are kept in files, so that the next run need not work them out again."""
    folder.mkdir(parents=True, exist_ok=True)

    def looked_up(*arguments: Any) -> Any:
        file = folder / hashlib.sha256(repr(arguments).encode()).hexdigest()
        if file.exists():
            return pickle.loads(file.read_bytes())
        result = work(*arguments)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_bytes(pickle.dumps(result))
        draft.replace(file)
        return result

    return looked_up


def publish_alone() -> None:
    """Let a run consist of its last step, as somebody in the UI would who goes on from the failure."""
    from dagster_project.defs import nightly

    def published(repository: Any, _home: Home) -> list[Any]:
        return [key for key in repository.asset_graph.executable_asset_keys if key.path[0] in {"product", "release"}]

    nightly.night_selection = published


def import_everything(home: Home) -> None:
    """Do once what every run would do before it starts to work."""
    os.environ.update(POOL_HOME=str(home.root), POOL_LANDING=str(home.landing), DO_NOT_TRACK="1")
    from dagster_dbt.core import dbt_cli_invocation
    from dbt.cli.main import dbtRunner

    from dagster_project import definitions
    from dagster_project.audit import expectations, privacy
    from dagster_project.defs import runs

    runs.prepare_instance(home.ensure())
    os.environ.update(expectations.QUIET)
    auditor = expectations._Auditor()
    loaded = definitions.defs()
    loaded.get_repository_def()

    class Imported(expectations.Worker):
        """Great Expectations in the forked run itself, which dies with it."""

        def start(self) -> None: ...

        def _exchange(self, request: str) -> str:
            return json.dumps(expectations._answer(auditor, json.loads(request))) + "\n"

    assert dbtRunner is not None
    privacy.column_flow = _kept(privacy.column_flow, home.root.parent / "column_flow")
    dbt_cli_invocation.subprocess = SimpleNamespace(Popen=ForkedDbt, PIPE=None, STDOUT=None)  # type: ignore[assignment]
    definitions.defs = lambda: loaded  # type: ignore[assignment]
    expectations.Worker = Imported  # type: ignore[misc]


def start_run(home: Home, night: dt.date, hook: Hook | None = None) -> int:
    """The process id, and process group, of a run of the night that has just begun."""
    sys.stdout.flush()
    run_log = home.root.parent / "run.log"
    run_log.write_text("", encoding="utf-8")  # of the run before nothing may be read
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        with run_log.open("a", encoding="utf-8") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            to_stderr()
            if hook is not None:
                hook()
            from dagster_project.defs.runs import process_nights

            outcome = process_nights(home, night, night)
            print("\n".join(outcome.lines), flush=True)
            status = 0 if outcome.succeeded else 1
    finally:
        os._exit(status)


def mark_phases() -> None:
    """Let a run say in its log which phase begins."""
    original = Progress.phase

    @contextmanager
    def phase(self: Progress, name: str) -> Iterator[None]:
        print(f"{MARK}{name}", file=sys.stderr, flush=True)
        with original(self, name):
            yield

    Progress.phase = phase  # type: ignore[method-assign]


def phases_begun(home: Home) -> list[str]:
    """The phases that the last run has come to, in order."""
    lines = (home.root.parent / "run.log").read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(line.removeprefix(MARK) for line in lines if line.startswith(MARK)))


def run_to_the_end(home: Home, night: dt.date) -> float:
    """The processor seconds of an undisturbed run."""
    _, status, used = os.wait4(start_run(home, night), 0)
    if status != 0:
        raise NotConvergedError(f"the run failed:\n{(home.root.parent / 'run.log').read_text(encoding='utf-8')}")
    return used.ru_utime + used.ru_stime


def killed_at(home: Home, night: dt.date, seconds: float, *, alone: bool) -> bool:
    """Start the night and kill it after so many processor seconds of all that it started, its process alone or everything; False when it had
    ended by then."""
    child = start_run(home, night, mark_phases)
    return _killed_when(lambda: _processor_seconds(child) >= seconds, home, child, alone=alone)


def killed_in(home: Home, night: dt.date, phase: str, seconds: float, *, alone: bool) -> bool:
    """The same, so many processor seconds after a phase has begun."""
    child = start_run(home, night, mark_phases)
    begun: list[float] = []

    def is_time() -> bool:
        if not begun and phase in phases_begun(home):
            begun.append(_processor_seconds(child))
        return bool(begun) and _processor_seconds(child) - begun[0] >= seconds

    return _killed_when(is_time, home, child, alone=alone)


def _killed_when(is_time: Callable[[], bool], home: Home, child: int, *, alone: bool) -> bool:
    while not is_time():
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if status != 0:
                raise NotConvergedError(f"the run failed:\n{(home.root.parent / 'run.log').read_text(encoding='utf-8')}")
            return False
        time.sleep(0.005)
    (os.kill if alone else os.killpg)(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _expect_no_process(child)
    return True


def seconds_of_phases(home: Home, night: dt.date) -> dict[str, float]:
    """The processor seconds of an undisturbed run from the beginning of each phase to that of the next."""
    child = start_run(home, night, mark_phases)
    begun: dict[str, float] = {}
    latest = 0.0
    while not os.waitpid(child, os.WNOHANG)[0]:
        latest = _processor_seconds(child) or latest
        for name in phases_begun(home):
            begun.setdefault(name, latest)
        time.sleep(0.005)
    ends = [*list(begun.values())[1:], latest]
    return {name: end - begin for (name, begin), end in zip(begun.items(), ends, strict=True)}


def killed_by(home: Home, night: dt.date, hook: Hook) -> None:
    """Start the night with a hook that kills it."""
    child = start_run(home, night, hook)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
        raise NotConvergedError(f"the run never came to its point:\n{(home.root.parent / 'run.log').read_text(encoding='utf-8')}")
    _expect_no_process(child)


def _expect_no_process(session: int) -> None:
    deadline = time.monotonic() + 5
    while left := at_work_in(session):
        if time.monotonic() > deadline:
            raise NotConvergedError(f"processes {left} outlived the run that was killed")
        time.sleep(0.02)


def _processor_seconds(process: int) -> float:
    """Of a process and its children, those that ended included."""
    try:
        ticks = sum(int(field) for field in Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:15])
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
    except OSError:
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK") + sum(_processor_seconds(int(child)) for child in children)


# ---- the points at which something becomes true ----------------------------------------------------------------------


def _die_alone() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_with_all() -> None:
    os.killpg(0, signal.SIGKILL)


def _around(module: Any, name: str, *, after: bool) -> Hook:
    def hook() -> None:
        original = getattr(module, name)

        def dying(*args: Any, **kwargs: Any) -> Any:
            if after:
                original(*args, **kwargs)
            _die_with_all()

        setattr(module, name, dying)

    return hook


def _amid_dbt() -> None:
    from dagster_project.defs.transform import DbtCommand

    original = DbtCommand.cli

    def cli(self: Any, *args: Any, **kwargs: Any) -> Any:
        invocation = original(self, *args, **kwargs)
        events = invocation.stream()

        def stream() -> Any:
            for number, event in enumerate(events):
                if number == 10:
                    _die_alone()
                yield event

        invocation.stream = stream
        return invocation

    DbtCommand.cli = cli  # type: ignore[method-assign]


def _first(*hooks: Hook) -> Hook:
    def all_of_them() -> None:
        for hook in hooks:
            hook()

    return all_of_them


def commit_points() -> dict[str, Hook]:
    """By name, in the order in which a night comes to them."""
    from dagster_project.ingest import batch
    from dagster_project.release import publish

    return {
        "pool file swapped, receipt not written": _around(batch, "put_in_place", after=True),
        "amid dbt": _amid_dbt,
        "release assembled, not in place": _around(publish, "assemble", after=True),
        BEFORE_THE_SWITCH: _around(publish, "point", after=False),
        AFTER_THE_SWITCH: _around(publish, "point", after=True),
    }


# ---- what must be true ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrived:
    """What a night left: equal for the disturbed and the undisturbed."""

    content_hash: str
    pool: list[str]
    files: list[str]


def arrived(home: Home) -> Arrived:
    release = current_release(home)
    if release is None:
        raise NotConvergedError("nothing is published")
    with Receipts(home) as receipts:
        pool = [f"{b.source_id} {b.batch_date} {b.status} {b.content_hash}" for b in receipts.batches()]
    every = (p.relative_to(home.root).as_posix() for p in home.root.rglob("*") if p.is_symlink() or not p.is_dir())
    files = sorted(name for name in every if not name.startswith(("landing/", *DIFFERS_BY_RUN)))
    return Arrived(release.manifest.content_hash, pool, files)


def expect_whole_release(home: Home, nights: Sequence[dt.date]) -> None:
    """What a reader sees is one whole release of one of the nights."""
    release = current_release(home)
    if release is None:
        raise NotConvergedError("readers see no release")
    verify(release)
    with duckdb.connect(str(home.current / "kpi.duckdb"), read_only=True) as connection:
        seen = connection.execute("select distinct version, as_of from release_info").fetchall()
        (figures,) = connection.execute("select count(*) from kpi").fetchall()[0]
    if seen != [(release.version, release.as_of)] or release.as_of not in nights or not figures:
        raise NotConvergedError(f"readers of {release.version} see {seen} with {figures} figures")


def expect_same(home: Home, expected: Arrived) -> None:
    found = arrived(home)
    if found.content_hash != expected.content_hash:
        raise NotConvergedError(f"the content is {found.content_hash}, undisturbed it is {expected.content_hash}")
    if found.pool != expected.pool:
        raise NotConvergedError(f"the pool differs: {sorted(set(found.pool) ^ set(expected.pool))}")
    if found.files != expected.files:
        left, lacking = set(found.files) - set(expected.files), set(expected.files) - set(found.files)
        raise NotConvergedError(f"files left over: {sorted(left)}; lacking: {sorted(lacking)}")
    unfinished = [run for run in _runs(home) if run[1] not in {"SUCCESS", "FAILURE"}]
    if unfinished:
        raise NotConvergedError(f"Dagster still waits for runs {unfinished}")


def _runs(home: Home) -> list[tuple[str, str]]:
    import sqlite3

    with sqlite3.connect(home.dagster / "history" / "runs.db") as connection:
        return connection.execute("select run_id, status from runs").fetchall()


# ---- the experiment ---------------------------------------------------------------------------------------------------


@dataclass
class State:
    seed: int
    seconds: float
    expected: Arrived
    nights: int = 0
    kills: list[dict[str, Any]] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)


class Experiment:
    """A home that is put back to its start before every trial, always in the same place, where dbt need not parse anew."""

    def __init__(self, scratch: Path, seed: int = 1) -> None:
        self._start, self._file = scratch / "start", scratch / "state.json"
        self.home = Home.at(scratch / "home", scratch / "landing")
        if self._file.exists():
            raw = json.loads(self._file.read_text(encoding="utf-8"))
            self.state = State(**{**raw, "expected": Arrived(**raw["expected"])})
            few_sources(scratch / "sources")
            import_everything(self.home)
            return
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        simulate(self.home.landing, **CITY)
        few_sources(scratch / "sources")
        import_everything(self.home)
        run_to_the_end(self.home, NIGHTS[0])
        shutil.copytree(self.home.root, self._start, symlinks=True)
        seconds = run_to_the_end(self.home, NIGHT)
        self.state = State(seed, seconds, arrived(self.home))
        self._save()

    def put_back(self) -> None:
        for path in self.home.root.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(self.home.root)
        shutil.copytree(self._start, self.home.root, symlinks=True)

    def settle(self) -> None:
        """Run the night to its end, whatever was left, and compare with the undisturbed one."""
        seconds = run_to_the_end(self.home, NIGHT)
        self.state.seconds += (seconds - self.state.seconds) * OF_THE_NEWEST
        self.compare()

    def compare(self) -> None:
        expect_whole_release(self.home, (NIGHT,))
        expect_same(self.home, self.state.expected)

    def at_random(self, kills: int) -> None:
        """Kill at random moments until so many kills stand in the state: a night several times in turn, before it may end."""
        while len(self.state.kills) < kills:
            chance = random.Random(f"{self.state.seed} {self.state.nights}")
            self.put_back()
            made: list[dict[str, Any]] = []
            problem = self._problem(lambda made=made, chance=chance: self._kill_in_turn(made, chance))  # type: ignore[misc]
            if problem:
                kept = self._start.with_name(f"failed-{self.state.nights}")
                shutil.copytree(self.home.root, kept, symlinks=True, dirs_exist_ok=True)
            self.state.kills += [{**kill, "problem": problem} for kill in made]
            self.state.nights += 1
            self._save()
            print(json.dumps(self.state.kills[len(self.state.kills) - len(made) :]), file=sys.stderr, flush=True)

    def _kill_in_turn(self, made: list[dict[str, Any]], chance: random.Random) -> None:
        for _ in range(chance.randint(1, MOST_IN_TURN)):
            second, alone = chance.uniform(0.0, self.state.seconds), chance.random() < 0.5
            if not killed_at(self.home, NIGHT, second, alone=alone):
                self.compare()
                return
            made.append({"night": self.state.nights, "second": round(second, 3), "alone": alone, "amid": self._amid()})
            expect_whole_release(self.home, NIGHTS)
        self.settle()

    def _amid(self) -> str:
        return ([BEFORE_THE_STEPS, *phases_begun(self.home)])[-1]

    def amid_phase(self, phase: str, kills: int) -> None:
        """Kill nights once each, at moments spread evenly over a phase, and run each to its end, until so many kills have hit the phase.

        A kill that came after the phase had ended is one more trial; moments as late as its own are not tried again.
        """
        if not self.state.phases:
            self.put_back()
            self.state.phases = seconds_of_phases(self.home, NIGHT)
            self._save()
        if phase not in self.state.phases:
            raise SystemExit(f"a night has no phase {phase!r}; it has {', '.join(self.state.phases)}")
        while (hit := sum(kill.get("amid") == phase for kill in self.aimed_at(phase))) < kills:
            if len(self.aimed_at(phase)) >= MOST_TRIALS * kills:
                raise SystemExit(f"of {MOST_TRIALS * kills} nights {hit} were killed amid {phase}: it is too short to be hit")
            chance = random.Random(f"{self.state.seed} {phase} {self.state.nights}")
            second, alone = self.state.phases[phase] * (hit + chance.random()) / kills, chance.random() < 0.5
            self.put_back()
            kill: dict[str, Any] = {"night": self.state.nights, "aimed": phase, "second": round(second, 3), "alone": alone}
            problem = self._problem(lambda kill=kill, second=second, alone=alone: self._kill_once(kill, phase, second, alone))  # type: ignore[misc]
            if problem:
                shutil.copytree(self.home.root, self._start.with_name(f"failed-{self.state.nights}"), symlinks=True, dirs_exist_ok=True)
            self.state.kills.append({**kill, "problem": problem})
            self.state.nights += 1
            if kill.get("amid", phase) != phase:
                self.state.phases[phase] = min(self.state.phases[phase], second)
            self._save()
            print(json.dumps(self.state.kills[-1]), file=sys.stderr, flush=True)

    def _kill_once(self, kill: dict[str, Any], phase: str, second: float, alone: bool) -> None:
        if not killed_in(self.home, NIGHT, phase, second, alone=alone):
            raise NotConvergedError("the night had ended before it was killed")
        kill["amid"] = self._amid()
        expect_whole_release(self.home, NIGHTS)
        self.settle()

    def aimed_at(self, phase: str) -> list[dict[str, Any]]:
        """The kills that were meant for a phase."""
        return [kill for kill in self.state.kills if kill.get("aimed") == phase]

    def _problem(self, work: Hook) -> str:
        try:
            work()
        except (NotConvergedError, RuntimeError) as wrong:
            return f"{type(wrong).__name__}: {wrong}"
        return ""

    def at_points(self) -> list[str]:
        """Kill at every commit point, each from the start; the points."""
        points = commit_points()
        for hook in points.values():
            self.put_back()
            killed_by(self.home, NIGHT, hook)
            expect_whole_release(self.home, NIGHTS)
            self.settle()
        return list(points)

    def at_points_in_turn(self) -> list[str]:
        """Kill the same night at every commit point, one after the other, then let it end; the points.

        Once its candidate is built the night is gone on with at its last step, which costs a third.
        """
        self.put_back()
        killed_in(self.home, NIGHT, "ingest", INTO_INGEST, alone=False)
        expect_whole_release(self.home, NIGHTS[:1])
        points = commit_points()
        for name, hook in points.items():
            killed_by(self.home, NIGHT, _first(publish_alone, hook) if name in OF_THE_SWITCH else hook)
            expect_whole_release(self.home, NIGHTS[1:] if name == AFTER_THE_SWITCH else NIGHTS[:1])
        os.waitpid(start_run(self.home, NIGHT, publish_alone), 0)
        self.compare()
        return [AMID_INGEST, *points]

    def _save(self) -> None:
        draft = self._file.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(self.state), indent=1), encoding="utf-8")
        draft.replace(self._file)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phase", help="amid this phase, each night once")
    parser.add_argument("--points", action="store_true", help="at the commit points, each from the start, instead of at random moments")
    parser.add_argument("--points-in-turn", action="store_true", help="one night at all of the commit points")
    parser.add_argument("--scratch", type=Path)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        experiment = Experiment(asked.scratch or Path(temporary) / "kill", asked.seed)
        if asked.points or asked.points_in_turn:
            tried = experiment.at_points_in_turn() if asked.points_in_turn else experiment.at_points()
            print(json.dumps(tried))
            return
        if asked.phase:
            experiment.amid_phase(asked.phase, asked.kills)
        else:
            experiment.at_random(asked.kills)
        kills = experiment.aimed_at(asked.phase) if asked.phase else experiment.state.kills
        nights = len({kill["night"] for kill in kills})
        wrong = [kill for kill in kills if kill["problem"]]
        amid = ", ".join(f"{name} {count}" for name, count in Counter(k.get("amid", "nothing") for k in kills).most_common())
        alone = sum(kill["alone"] for kill in kills)
        print(f"{len(kills)} kills ({alone} of the run's process alone) of {nights} nights, {len(wrong)} not recovered; amid: {amid}")
        if wrong:
            raise SystemExit(json.dumps(wrong, indent=1))


if __name__ == "__main__":
    main()
