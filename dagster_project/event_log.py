"""Dagster's SQLite event log, without making a new engine for every event, and without what it would leave behind."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SQLITE_BUSY_TIMEOUT_SECONDS, SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event


class EngineKeepingEventLogStorage(SqliteEventLogStorage):
    """The stock storage makes an engine and a connection per event: SQLAlchemy compiles every statement anew, and SQLite checkpoints its
    log at every close. This one keeps both, per file.

    A commit is not synced to disk one by one: after a loss of power the history shown in the UI may lack its last moments,
    the pool's own receipts and releases do not depend on it.
    """

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, str]) -> "EngineKeepingEventLogStorage":
        return cls(inst_data=inst_data, **config_value)

    def _engine(self, shard: str) -> Engine:
        engines: dict[str, Engine] = self.__dict__.setdefault("_engines", {})
        if shard not in engines:
            engine = create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
            event.listen(engine, "connect", _relax)
            self._initdb(engine)
            engines[shard] = engine
        return engines[shard]

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def store_event(self, event: EventLogEntry) -> None:
        super().store_event(_of_no_partition(event))

    def delete_events(self, run_id: str) -> None:
        """Besides what the stock storage deletes, the outcomes of the run's checks and its file."""
        with self.index_connection() as index:
            self.delete_events_for_run(index, run_id)
            index.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id))
        if self.supports_global_concurrency_limits:
            self.free_concurrency_slots_for_run(run_id)
        with self._db_lock:
            self._close(run_id)
            for ending in ("", "-wal", "-shm"):
                Path(self.path_for_shard(run_id) + ending).unlink(missing_ok=True)

    def dispose(self) -> None:
        """Close the files: SQLite takes its log away when the last connection is closed, never when a process just ends."""
        with self._db_lock:
            for shard in list(self.__dict__.get("_engines", ())):
                self._close(shard)
        super().dispose()

    def _close(self, shard: str) -> None:
        engine = self.__dict__.get("_engines", {}).pop(shard, None)
        if engine is not None:
            engine.dispose()


def _of_no_partition(event: EventLogEntry) -> EventLogEntry:
    """A planned check without the partition of its run, which no check of this project has.

    Dagster plans a check of a partitioned run for the partition and notes its outcome for none: the plan would stand for ever beside it, in
    half as many bytes again.
    """
    planned = event.dagster_event.event_specific_data if event.dagster_event else None
    if not isinstance(planned, AssetCheckEvaluationPlanned) or planned.partitions_subset is None:
        return event
    whole = AssetCheckEvaluationPlanned(asset_key=planned.asset_key, check_name=planned.check_name)
    return event._replace(dagster_event=event.dagster_event._replace(event_specific_data=whole))


def _relax(connection: object, _record: object) -> None:
    connection.execute("pragma synchronous = normal")  # type: ignore[attr-defined]
