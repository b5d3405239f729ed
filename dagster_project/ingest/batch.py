"""One batch from landing to pool: read, convert, settle duplicates, decide, and put pool file, quarantine file and receipts in place.

The order of the last three is fixed: a run killed between them leaves receipts that do not match, so the next run makes the batch
again. A batch that cannot be trusted is held: its quarantine and receipts tell why, its pool file stays as it was.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dagster_project.contracts.entities import Entity
from dagster_project.contracts.model import Contract, Format
from dagster_project.home import Home
from dagster_project.ingest.chunks import gathered, timed
from dagster_project.ingest.conversion import ACCEPTED, FILTERED, REJECTED, Conversion, ConversionError, Converted
from dagster_project.ingest.deidentify import HashKey
from dagster_project.ingest.duplicates import Duplicates
from dagster_project.ingest.landing import DeliveredFile, RefusedFile, still_same
from dagster_project.ingest.mapping import Mapping
from dagster_project.ingest.pipeline import ReadAhead, WriteBehind
from dagster_project.ingest.pool import ContentHash, PoolWriter, batch_path, draft_of, put_in_place, remove_drafts, sync_folder
from dagster_project.ingest.quarantine import QuarantineWriter, quarantine_path
from dagster_project.ingest.readers import RawChunk, RawReject, UnreadableFile, read_file
from dagster_project.ingest.receipts import BatchReceipt, FileReceipt, Receipts, Status
from dagster_project.ingest.reduction import Reducer
from dagster_project.ingest.statement import active_corrections
from dagster_project.ingest.statistics import batch_statistics

SAY_EVERY_SECONDS = 5.0
UNREADABLE = "unreadable_file"


@dataclass(frozen=True)
class PlannedFile:
    """A file of a batch. ``owner``: an earlier batch of the source has the same file and keeps its rows."""

    file: DeliveredFile
    sha256: str
    owner: dt.date | None = None


@dataclass(frozen=True)
class BatchPlan:
    """What a batch is to be made from. ``fingerprint`` is equal when nothing that could change the result has changed.

    ``refused`` files belong to the batch but cannot be taken: without them it is not whole, and so it fails. ``gone`` are files that
    retention took from landing: what came since cannot be put beside their rows, and so the batch is held.
    """

    batch_date: dt.date
    files: tuple[PlannedFile, ...]
    refused: tuple[RefusedFile, ...]
    gone: tuple[str, ...]
    fingerprint: str
    contract_version: str


@dataclass
class _Tally:
    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicate: int = 0
    filtered: int = 0
    seconds: float = 0.0
    failure: str = ""
    format: Format | None = None
    items_taken: int = 0


@dataclass
class BatchResult:
    """A batch as it was made: its receipts, why it was held, and the wall seconds of each phase."""

    receipt: BatchReceipt
    files: list[FileReceipt]
    held_because: list[str]
    phase_seconds: dict[str, float] = field(default_factory=dict)


class _Work:
    """The state of one batch while its files stream through."""

    def __init__(
        self, home: Home, contract: Contract, entity: Entity, plan: BatchPlan, key: HashKey | None, connection: duckdb.DuckDBPyConnection
    ):
        self.contract, self.plan, self.connection = contract, plan, connection
        self.mapping = Mapping(contract, entity, plan.batch_date, key)
        self.key_id = key.id if key else ""
        self.conversion = Conversion(self.mapping, connection)
        self.path = batch_path(home, entity.name, contract.id, plan.batch_date)
        self.quarantine_path = quarantine_path(home, contract.id, plan.batch_date)
        for folder in (self.path.parent, self.quarantine_path.parent):
            remove_drafts(folder)
        self.pool = PoolWriter(entity, contract.id, plan.batch_date, draft_of(self.path))
        self.quarantine = QuarantineWriter(self.mapping, connection, draft_of(self.quarantine_path))
        self.tallies: dict[str, _Tally] = {}
        self.content_hash = ContentHash()
        aside = self.pool.path.with_name(f".aside{self.pool.path.name}")
        self.duplicates = Duplicates(self.pool, aside, connection) if contract.extract.key else None
        self.corrected: Counter[int] = Counter(dict.fromkeys(active_corrections(self.mapping), 0))
        self.warned: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._said = time.perf_counter()

    def say_rows(self, say: Callable[[str], None]) -> None:
        """Tell from time to time how far a long batch has come."""
        if time.perf_counter() - self._said > SAY_EVERY_SECONDS:
            self._said = time.perf_counter()
            say(f"{self.contract.id} {self.plan.batch_date}: {sum(t.read for t in self.tallies.values()):,} rows so far")

    def items(self, file: DeliveredFile, format: Format) -> Iterator[RawChunk | list[RawReject]]:
        """Chunks and rejects of a file, small ones put together."""
        raw = read_file(file, format, self.mapping.wanted, self.mapping.optional, known=self.mapping.known, ignore=self.contract.ignore)
        return gathered(timed(raw, self.seconds, "read"))


def ingest_batch(
    home: Home,
    contract: Contract,
    entity: Entity,
    plan: BatchPlan,
    key: HashKey | None,
    connection: duckdb.DuckDBPyConnection,
    receipts: Receipts,
    say: Callable[[str], None],
) -> BatchResult:
    """Make one batch; ``say`` is told how far a long one has come. Raises infrastructure errors only (OSError, MemoryError)."""
    started = time.perf_counter()
    work = _Work(home, contract, entity, plan, key, connection)
    try:
        _stream_files(work, receipts, say)
        _settle_duplicates(work)
        failures = _failures(work)
        held = failures or _intolerable(work)
        work.quarantine.close()
        with _clock(work, "commit"):
            receipt, files = _commit(home, work, receipts, "failed" if failures else "held" if held else "ok", held)
    finally:
        for folder in (work.path.parent, work.quarantine_path.parent):
            remove_drafts(folder)
    seconds = {**work.seconds, "total": time.perf_counter() - started}
    return BatchResult(receipt, files, held, seconds)


def _stream_files(work: _Work, receipts: Receipts, say: Callable[[str], None]) -> None:
    first_of: dict[str, str] = {}
    for planned in work.plan.files:
        name = planned.file.relative_path
        format = work.contract.format_of(name)
        tally = work.tallies[name] = _Tally(format=format)
        began = time.perf_counter()
        twin = first_of.get(planned.sha256)
        if twin is not None and work.tallies[twin].format == format:
            tally.failure = f"is the same file as {twin}, which failed" if work.tallies[twin].failure else ""
            tally.read = tally.duplicate = 0 if tally.failure else work.tallies[twin].read
        elif planned.owner is not None:
            tally.read = tally.duplicate = _rows_of_owner(receipts, work, planned)
        else:
            first_of.setdefault(planned.sha256, name)
            _stream_file(work, planned.file, format, tally, say)
        tally.seconds = time.perf_counter() - began


def _rows_of_owner(receipts: Receipts, work: _Work, planned: PlannedFile) -> int:
    return max(
        (f.rows_read for f in receipts.files(work.contract.id) if f.batch_date == planned.owner and f.sha256 == planned.sha256), default=0
    )


def _stream_file(work: _Work, file: DeliveredFile, format: Format, tally: _Tally, say: Callable[[str], None]) -> None:
    reducer = Reducer(work.mapping, work.connection) if work.contract.reduce else None
    try:
        with ReadAhead(work.items(file, format)) as items, WriteBehind() as writer:
            for item in items:
                if isinstance(item, RawChunk):
                    _take_chunk(work, item, tally, reducer, writer)
                else:
                    _take_rejects(work, item, tally)
                tally.items_taken += 1
                work.say_rows(say)
        if reducer is not None:
            _write_groups(work, reducer, file.relative_path)
    except UnreadableFile as wrong:
        tally.failure = str(wrong)
    except ConversionError as wrong:
        tally.failure = f"{file.relative_path}: {wrong}"
    if tally.failure:
        _quarantine_all(work, file, format, tally)


def _take_chunk(work: _Work, chunk: RawChunk, tally: _Tally, reducer: Reducer | None, writer: WriteBehind) -> None:
    with _clock(work, "convert"):
        converted = work.conversion.convert(chunk)
    accepted, rejected = converted.count(ACCEPTED), converted.count(REJECTED)
    tally.read += len(converted.status)
    tally.accepted += accepted
    tally.filtered += converted.count(FILTERED)
    tally.quarantined += rejected
    work.corrected.update(converted.corrected)
    work.warned.update(converted.warned)
    if rejected:
        with _clock(work, "quarantine"):
            work.quarantine.add_rows(chunk, converted.status == REJECTED, converted.reasons)
    if not accepted:
        return
    values, content, numbers = _accepted_rows(converted, chunk, accepted)
    if reducer is not None:
        with _clock(work, "reduce"):
            reducer.add(values)
        return
    if work.duplicates is not None:
        with _clock(work, "duplicates"):
            repeats = work.duplicates.may_repeat(content)
        if repeats.any():
            mask = pa.array(repeats)
            writer.call(work.duplicates.set_aside, values.filter(mask), chunk.file_name, numbers.filter(mask))
            mask, content = pa.array(~repeats), content[~repeats]
            values, numbers = values.filter(mask), numbers.filter(mask)
    work.content_hash.add(content, chunk.file_name, numbers.to_numpy())
    writer.call(_write, work, values, chunk.file_name, numbers)


def _accepted_rows(converted: Converted, chunk: RawChunk, accepted: int) -> tuple[pa.Table, npt.NDArray[np.uint64], pa.Int64Array]:
    if accepted == len(converted.status):
        return converted.values, converted.content, chunk.row_numbers
    stays = converted.status == ACCEPTED
    mask = pa.array(stays)
    return converted.values.filter(mask), converted.content[stays], chunk.row_numbers.filter(mask)


def _write(work: _Work, values: pa.Table, file_name: str, row_numbers: pa.Int64Array) -> None:
    with _clock(work, "write"):
        work.pool.write(values, file_name, row_numbers)


def _take_rejects(work: _Work, rejects: list[RawReject], tally: _Tally) -> None:
    broken = [r for r in rejects if not r.filtered]
    tally.read += len(rejects)
    tally.filtered += len(rejects) - len(broken)
    tally.quarantined += len(broken)
    work.quarantine.add_rejects(broken)


def _write_groups(work: _Work, reducer: Reducer, file_name: str) -> None:
    with _clock(work, "reduce"):
        groups = reducer.result()
    if groups is None:
        return
    places = pa.array(np.arange(1, len(groups) + 1))
    work.content_hash.add(groups["content"].to_numpy(), file_name, places.to_numpy())
    values = groups.drop_columns(["content", "row_count"])
    with _clock(work, "write"):
        work.pool.write(values, file_name, places, groups["row_count"])


def _quarantine_all(work: _Work, file: DeliveredFile, format: Format, tally: _Tally) -> None:
    """Read a file that failed a second time and put those of its rows into quarantine that are not there yet."""
    tally.read = tally.accepted = tally.duplicate = tally.filtered = 0
    try:
        for number, item in enumerate(work.items(file, format)):
            taken = number < tally.items_taken
            if isinstance(item, RawChunk):
                missing = work.conversion.convert(item).status != REJECTED if taken else np.ones(len(item.row_numbers), bool)
                reasons = pa.array([[UNREADABLE]], pa.list_(pa.string())).take(pa.array(np.zeros(len(missing), np.int32)))
                work.quarantine.add_rows(item, missing, reasons)
                tally.read += len(missing)
            else:
                work.quarantine.add_rejects([r for r in item if r.filtered or not taken], UNREADABLE)
                tally.read += len(item)
    except UnreadableFile:
        pass
    tally.quarantined = tally.read


def _settle_duplicates(work: _Work) -> None:
    if work.duplicates is None:
        work.pool.close()
        return
    with _clock(work, "duplicates"):
        counts, new = work.duplicates.settle()
    for rows, content in new:
        names, numbers = np.array(rows["file_name"].to_pylist()), rows["row_number"].to_numpy()
        for name in np.unique(names):
            work.content_hash.add(content[names == name], str(name), numbers[names == name])
    for name, repeated in counts.items():
        tally = _tally_of(work, name)
        if not tally.failure:
            tally.accepted -= repeated
            tally.duplicate += repeated


def _tally_of(work: _Work, file_name: str) -> _Tally:
    """The tally of the delivered file behind a row's file name, which for a zip names the member too."""
    if file_name in work.tallies:
        return work.tallies[file_name]
    return next(tally for name, tally in work.tallies.items() if file_name.startswith(f"{name}!"))


def _failures(work: _Work) -> list[str]:
    refused = [_with_place(r.relative_path, r.detail) for r in work.plan.refused]
    return refused + [_with_place(name, tally.failure) for name, tally in work.tallies.items() if tally.failure]


def _with_place(name: str, detail: str) -> str:
    return detail if name in detail else f"{name}: {detail}"


def _intolerable(work: _Work) -> list[str]:
    contract, found = work.contract, []
    if work.plan.gone:
        gone = ", ".join(work.plan.gone)
        found.append(f"files came after others of the batch had left landing (retention): deliver {gone} again to have it made from all")
    read, quarantined = sum(t.read for t in work.tallies.values()), sum(t.quarantined for t in work.tallies.values())
    if read and quarantined / read > contract.tolerance.quarantined_share:
        tolerated = contract.tolerance.quarantined_share
        found.append(f"{quarantined} of {read} rows were rejected ({quarantined / read:.1%}), tolerated are {tolerated:.1%}")
    for number, rows in sorted(work.corrected.items()):
        correction = contract.corrections[number]
        if rows != correction.expect:
            found.append(
                f"correction {number + 1} ({correction.reason}) found {rows} wrong rows, expected {correction.expect}: upstream changed"
            )
    return found


def _commit(home: Home, work: _Work, receipts: Receipts, status: Status, held: list[str]) -> tuple[BatchReceipt, list[FileReceipt]]:
    contract, plan = work.contract, work.plan
    former = receipts.batch(contract.id, plan.batch_date)
    good = _last_good(former) if held else _put_pool_file(work)
    _put_quarantine_file(work)
    files = [_file_receipt(work, planned, status, held) for planned in plan.files]
    files += [refused_receipt(contract, refused, plan.batch_date, plan.contract_version) for refused in plan.refused]
    unsettled = not all(still_same(planned.file) for planned in plan.files)
    receipt = BatchReceipt(
        contract.id,
        plan.batch_date,
        status,
        "; ".join(held),
        "" if unsettled else plan.fingerprint,
        plan.contract_version,
        warnings=dict(work.warned),
        finished_at=_now(),
        **{"entity": contract.entity, "key_id": work.key_id, **good},
    )
    with _clock(work, "statistics"):
        statistics = None if held else batch_statistics(work.path, contract, work.mapping.entity)
    receipts.record(receipt, files, statistics)
    if former is not None and former.in_pool and not held and former.entity != contract.entity:
        batch_path(home, former.entity, contract.id, plan.batch_date).unlink(missing_ok=True)
    return receipt, files


def failed_batch(contract: Contract, plan: BatchPlan, detail: str, former: BatchReceipt | None) -> BatchReceipt:
    """The receipt of an attempt that came to nothing: what the pool holds stays, and every night tries again."""
    good = {"entity": contract.entity, "key_id": "", **_last_good(former)}
    return BatchReceipt(
        contract.id, plan.batch_date, "failed", detail, plan.fingerprint, plan.contract_version, warnings={}, finished_at=_now(), **good
    )


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _last_good(former: BatchReceipt | None) -> dict[str, Any]:
    if former is None or not former.in_pool:
        return {}
    names = ("entity", "key_id", "good_fingerprint", "rows_accepted", "pool_rows", "pool_bytes", "content_hash")
    return {name: getattr(former, name) for name in names}


def _put_pool_file(work: _Work) -> dict[str, Any]:
    put_in_place(draft_of(work.path), work.path)
    return {
        "good_fingerprint": work.plan.fingerprint,
        "rows_accepted": sum(t.accepted for t in work.tallies.values()),
        "pool_rows": work.pool.rows,
        "pool_bytes": work.path.stat().st_size,
        "content_hash": work.content_hash.text(),
    }


def _put_quarantine_file(work: _Work) -> None:
    if work.quarantine.rows:
        put_in_place(work.quarantine.draft, work.quarantine_path)
    elif work.quarantine_path.exists():
        work.quarantine_path.unlink()
        sync_folder(work.quarantine_path.parent)


def _file_receipt(work: _Work, planned: PlannedFile, batch_status: Status, held: list[str]) -> FileReceipt:
    file, tally = planned.file, work.tallies[planned.file.relative_path]
    status: Status = "failed" if tally.failure else "ok" if batch_status == "ok" else "held"
    detail = tally.failure
    if not detail and status == "held":
        detail = "the batch is held: " + "; ".join(held)
    elif not detail and planned.owner is not None:
        detail = f"the same file came in the batch of {planned.owner}"
    return FileReceipt(
        work.contract.id,
        work.plan.batch_date,
        file.relative_path,
        planned.sha256,
        file.bytes,
        file.mtime_ns,
        work.contract.format_of(file.relative_path).encoding,
        tally.read,
        tally.accepted,
        tally.quarantined,
        tally.duplicate,
        tally.filtered,
        round(tally.seconds, 3),
        work.plan.contract_version,
        status,
        detail,
    )


def refused_receipt(contract: Contract, refused: RefusedFile, batch_date: dt.date, version: str) -> FileReceipt:
    """The receipt of a file that could not be taken at all; it has no checksum."""
    encoding = contract.format_of(refused.relative_path).encoding
    return FileReceipt(
        contract.id,
        batch_date,
        refused.relative_path,
        "",
        0,
        0,
        encoding,
        0,
        0,
        0,
        0,
        0,
        0.0,
        version,
        "failed",
        f"{refused.reason}: {refused.detail}",
    )


@contextmanager
def _clock(work: _Work, phase: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        work.seconds[phase] += time.perf_counter() - began
