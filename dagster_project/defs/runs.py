"""Runs of the nightly Dagster job in this process, recorded in the home's own instance so that the UI shows them."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from dagster_project.alerts import alert_of_failure, deliver
from dagster_project.audit import expectations
from dagster_project.calendar import last_night
from dagster_project.city.origin import is_simulated
from dagster_project.contracts.load import load_catalogue
from dagster_project.contracts.personal_values import masked
from dagster_project.contracts.problems import ContractError
from dagster_project.extract.state import is_connected
from dagster_project.home import FORMAT, WAIT_SECONDS, Home, HomeBusyError, WrongPlaceError
from dagster_project.ingest.deidentify import KEY_FILE, HashKeyError
from dagster_project.ingest.landing import discover
from dagster_project.ingest.mapping import hashes_values
from dagster_project.ingest.pool_key import OtherKeyError, new_key, pool_key
from dagster_project.ingest.receipts import Receipts
from dagster_project.ledger import LedgerError, record
from dagster_project.progress import PROGRESS
from dagster_project.refused import refusal_of_machine
from dagster_project.rights import create_private
from dagster_project.settings import SettingsError, check_settings
from dagster_project.unreleased import ENDED, not_delivered

if TYPE_CHECKING:
    from dagster import DagsterEvent
    from dagster._utils.error import SerializableErrorInfo

INSTANCE_TEMPLATE = Path(__file__).resolve().parents[2] / "dagster.yaml"
WORKSPACE = Path(__file__).resolve().parents[2] / "workspace.yaml"
PROCESS_TAG = "pool/process"
FIRST_NIGHT_TAG = "pool/first_night"
MODULE_OF_ERROR = re.compile(r"^(\w+\.)+(?=\w+: )")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class NotReadyError(ValueError):
    """The home cannot process what was asked for; the message says why and what to do."""


class NoSuchArgumentError(NotReadyError):
    """What was asked for by name or date is not there: a matter of who asked, and of nobody who watches over the nights."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``lines`` for a person, the products that were held, whether every step succeeded, and of what it failed, shortly."""

    succeeded: bool
    lines: tuple[str, ...]
    held_products: tuple[str, ...] = ()
    reason: str = ""


def prepare_instance(home: Home) -> None:
    """Point Dagster at the home's own instance, loopback only and without telemetry."""
    home.ensure()
    event_log = json.dumps(
        str(home.dagster / "history" / "runs"), ensure_ascii=False
    )  # written out: Dagster's own commands set no variable
    instance = INSTANCE_TEMPLATE.read_text(encoding="utf-8").replace("EVENT_LOG_OF_HOME", event_log)
    (home.dagster / "dagster.yaml").write_text(instance, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    os.environ["DO_NOT_TRACK"] = "1"


def groups_with_deliveries(home: Home) -> tuple[str, ...]:
    """The groups of which landing holds at least one file, or of which a source is pulled from a server that is named."""
    contracts = load_catalogue().contracts
    return tuple(sorted({c.group for c in contracts if is_connected(c) or any(discover(c, home.landing))}))


def settle_groups(home: Home, asked_for: tuple[str, ...]) -> None:
    """A new home enables the groups asked for, else those that landing delivers; a home that knows its groups adds the asked-for ones.

    Raises NoSuchArgumentError for a group that nobody knows, which would stay in the settings, and every later run would be refused for it;
    NotReadyError when nothing is delivered.
    """
    known = {c.group for c in load_catalogue().contracts}
    if unknown := sorted({*asked_for} - known):
        raise NoSuchArgumentError(f"no contract is of the group {', '.join(unknown)} (--group); there are {', '.join(sorted(known))}")
    if home.settings_file.exists():
        if asked_for:
            home.enable_groups((*home.enabled_groups(), *asked_for))
        return
    found = asked_for or groups_with_deliveries(home)
    if not found:
        raise NotReadyError(
            f"no source of any group has a delivery under {home.landing}; deliver files there, or run 'pool simulate --out {home.landing}'"
        )
    home.enable_groups(found)


def settle_key(home: Home) -> None:
    """Make sure that personal values can be hashed, and under the key of the pool, before anything is read.

    A key is made unasked only for the simulated city, whose people do not exist. Raises NotReadyError.
    """
    groups = home.enabled_groups()
    if not any(hashes_values(c) for c in load_catalogue().contracts if c.group in groups):
        return
    try:
        with Receipts(home) as receipts:
            pool_key(home, receipts)
    except OtherKeyError as problem:
        raise NotReadyError(str(problem)) from None
    except HashKeyError as problem:
        if (home.secrets / KEY_FILE).exists() or not is_simulated(home.landing):
            raise NotReadyError(str(problem)) from None
        try:
            new_key(home)
        except HashKeyError as of_pool:
            raise NotReadyError(str(of_pool)) from None
        PROGRESS.say("the deliveries are simulated: a key for hashing was made for them")


def _last_delivered_night(home: Home, newest: dt.date) -> dt.date:
    """The night of the newest delivery; of a home that pulls all it has and has not pulled yet, the newest night."""
    from dagster_project.defs.night import FIRST_NIGHT

    contracts = [c for c in load_catalogue().contracts if c.group in home.enabled_groups()]
    dates = [f.batch_date for c in contracts for f in discover(c, home.landing)[0]]
    return max(dates, default=newest if any(map(is_connected, contracts)) else FIRST_NIGHT)


def _end_runs_of_dead_processes(instance: object) -> None:
    """Close the runs whose process was killed: nothing else would, and the UI's queue waits for them.

    Who calls this holds the home for its run, so that no other process can still be at one.
    """
    from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

    assert isinstance(instance, DagsterInstance)
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED])):
        process = run.tags.get(PROCESS_TAG)
        if process is not None:
            instance.report_run_failed(run, message=f"process {process} of this run was killed; the next run repeats its work")


def process_nights(
    home: Home, first: dt.date | None, last: dt.date | None, groups: tuple[str, ...] = (), wait_seconds: float = WAIT_SECONDS
) -> Outcome:
    """Run the nightly job for the nights ``first`` … ``last`` as one run; the last delivered night if both are None.

    The run carries the partition of the last night alone: a night ingests every batch dated up to it, and Dagster writes an
    event per asset and partition of a range (a year of nights with 20 assets took 317 s of event writing, the work none).

    Raises NotReadyError for what keeps any night from being processed (settings or contracts that are wrong), NoSuchArgumentError for nights
    or groups that do not exist, HomeBusyError if another run holds the home for longer than ``wait_seconds``.
    """
    with _told_of(home, last):
        try:
            check_settings(home)
            load_catalogue()
            _expect_landing(home)
            home.ensure()
        except (SettingsError, ContractError) as problem:
            raise NotReadyError(str(problem)) from None
        with home.running("pool run", wait_seconds, PROGRESS.say):
            return _process(home, first, last, groups)


def _expect_landing(home: Home) -> None:
    """Raise NotReadyError where the landing of a home that was delivered to is not there: made anew it would be a night without deliveries."""
    if home.receipts.exists() and not home.landing.exists():
        raise NotReadyError(
            f"there is no landing at {home.landing}, though this home was delivered to: mount it, name another (--landing or POOL_LANDING), "
            "or make the folder if nothing is delivered any more"
        )


@contextmanager
def _told_of(home: Home, night: dt.date | None) -> Iterator[None]:
    """What stops a night outside of its steps is told like a step that failed; that a night was refused stands in the ledger too.

    Arguments that name what there is not are a matter of who gave them: no night of the home is refused by them. Of one that waited in vain
    for another run nobody is told here, since that run may bring the release: if it does not, the watch tells of both.
    """
    try:
        yield
    except NoSuchArgumentError:
        raise
    except HomeBusyError as busy:
        record_end(home, "refusal", night, str(busy))
        raise
    except (NotReadyError, WrongPlaceError) as refusal:
        record_end(home, "refusal", night, str(refusal))
        _tell(home, night, f"the night was refused: {refusal}")
        raise
    except Exception as problem:  # of no step: a full disk, a history of Dagster that cannot be written
        words = f"{type(problem).__name__}: {refusal_of_machine(problem) or next(iter(str(problem).splitlines()), '')}"
        record_end(home, "failure", night, words)
        _tell(home, night, f"the run stopped with {words}")
        raise


def _tell(home: Home, night: dt.date | None, words: str) -> None:
    for untold in deliver(alert_of_failure(home, night, (words,))):
        PROGRESS.say(untold)


def record_end(home: Home, how: Literal["refusal", "failure"], night: dt.date | None, reason: str) -> None:
    """That a night ended without a release, as far as the home can be written: that it cannot is said, and who is to be told is told all
    the same."""
    if _is_of_newer_code(home):
        return
    try:
        record(home, how, {"night": night.isoformat() if night else None, "reason": masked(reason)})
    except LedgerError as problem:
        PROGRESS.say(f"that the night {ENDED[how]} could not be recorded: {problem}")


def _is_of_newer_code(home: Home) -> bool:
    """Whether older code, as this is, must not write to the home; settings that cannot be read do not say so."""
    try:
        return home.format() > FORMAT
    except ValueError:
        return False


def _process(home: Home, first: dt.date | None, last: dt.date | None, groups: tuple[str, ...]) -> Outcome:
    settle_groups(home, groups)
    settle_key(home)
    prepare_instance(home)
    worker = expectations.Worker()
    worker.start()
    with PROGRESS.phase("start"):
        import dagster as dg

        from dagster_project.definitions import defs
        from dagster_project.defs.night import FIRST_NIGHT
        from dagster_project.defs.nightly import night_selection
        from dagster_project.defs.resources import adopt
        from dagster_project.defs.transform import NotParsedError, ensure_manifest

        newest = last_night(dt.datetime.now(tz=dt.UTC))
        is_asked_for = last is not None and newest >= FIRST_NIGHT  # a clock that stands before every night is no matter of arguments
        last = last or min(_last_delivered_night(home, newest), newest)
        first = first or last
        if not FIRST_NIGHT <= first <= last <= newest:
            raise (NoSuchArgumentError if is_asked_for else NotReadyError)(
                f"nights {first} to {last} cannot be processed: they must lie between {FIRST_NIGHT} and {newest}, first before last"
            )
        try:
            ensure_manifest()
        except NotParsedError as problem:
            raise NotReadyError(str(problem)) from None
        repository = defs().get_repository_def()
        job = repository.get_job("nightly")
        adopt(worker)
    nights = str(last) if first == last else f"{first} to {last}"
    PROGRESS.say(f"night {nights}, groups {', '.join(home.enabled_groups())}")
    tags = {FIRST_NIGHT_TAG: first.isoformat(), PROCESS_TAG: str(os.getpid())}
    create_private(home.last_run_log)
    with dg.DagsterInstance.get() as instance, home.last_run_log.open("w", encoding="utf-8") as log, redirect_stdout(log):
        _end_runs_of_dead_processes(instance)
        result = job.execute_in_process(
            run_config=QUIET,
            instance=instance,
            partition_key=last.isoformat(),
            tags=tags,
            asset_selection=night_selection(repository, home),
            raise_on_error=False,
        )
    outcome = outcome_of(home, result)
    if outcome.succeeded:
        return outcome
    record_end(home, "failure", last, outcome.reason)
    return replace(outcome, lines=(*outcome.lines, *deliver(alert_of_failure(home, last, (outcome.reason, *outcome.lines)))))


def outcome_of(home: Home, result: object) -> Outcome:
    """How a run ended, in the words of the release of its own night, which need not be the one that readers see."""
    from dagster import ExecuteInProcessResult

    from dagster_project.release import ReleaseError, current_release, release_of
    from dagster_project.status import release_lines

    assert isinstance(result, ExecuteInProcessResult)
    failures = [
        f"step {e.step_key} failed: {e.step_failure_data.error.to_string() if e.step_failure_data.error else e.message}"
        for e in result.get_step_failure_events()
    ]
    if not result.success:
        shortly = [f"step {e.step_key}: {_first_cause(e.step_failure_data.error)}" for e in result.get_step_failure_events()]
        failures = failures or _why_no_step_ran(result.all_events)
        reason = "; ".join(shortly) or next((line for words in failures for line in words.splitlines()), "no step ran")
        ended = f"run {result.run_id} failed; nothing was released, 'pool ui' shows its log"
        return Outcome(False, (*failures, *shortly, ended), reason=reason)
    version = _version_made(result.all_events)
    if version is None:
        nothing = "no release came out of this run"
        return Outcome(False, (nothing,), reason=nothing)
    current = current_release(home)
    try:
        release = release_of(home, version)
    except ReleaseError:
        return Outcome(
            True, (f"release {version} was published and went at once: {home.settings_file} keeps none of that night (retention)",)
        )
    newer = () if current is None or release.is_current else (f"current stays {current.version}, as of {current.as_of}: a newer night",)
    held = tuple(name for name, product in release.manifest.products.items() if product.status != "fresh")
    return Outcome(True, (*release_lines(release), *not_delivered(home, release.as_of), *newer), held)


def _version_made(events: Iterable[DagsterEvent]) -> str | None:
    """The release that the run published, or found to be there already."""
    made = (e.materialization for e in events if e.event_type_value == "ASSET_MATERIALIZATION")
    return next((str(m.metadata["version"].value) for m in made if m.asset_key is not None and m.asset_key.path == ["release"]), None)


def _first_cause(error: SerializableErrorInfo | None) -> str:
    """The error that the others were raised for, in a line."""
    while error is not None and error.cause is not None:
        error = error.cause
    words = next(iter(error.message.strip().splitlines()), "") if error else "for no reason that is known"
    return MODULE_OF_ERROR.sub("", words)


def _why_no_step_ran(events: Iterable[DagsterEvent]) -> list[str]:
    """The words of a run that failed before its first step: a resource that did not start, for one."""
    failed = [e for e in events if e.event_type_value == "PIPELINE_FAILURE"]
    return [error.to_string() if (error := e.job_failure_data.error) else e.message or "" for e in failed]


def serve_ui(home: Home, port: int) -> NoReturn:
    """Become the Dagster UI and daemon for this home on 127.0.0.1: a signal meets the one process that knows how to end all of them.

    Dagster takes SIGTERM for SIGINT. A shell starts what shall run in the background with SIGINT ignored: then it would ignore both.
    """
    prepare_instance(home)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.execv(dagster, [dagster, "dev", "--workspace", str(WORKSPACE), "--host", "127.0.0.1", "--port", str(port)])
