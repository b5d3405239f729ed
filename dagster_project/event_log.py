"""Dagster's SQLite event log, without making a new engine for every event."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

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


def _relax(connection: object, _record: object) -> None:
    connection.execute("pragma synchronous = normal")  # type: ignore[attr-defined]
