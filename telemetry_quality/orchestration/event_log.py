"""Dagster's event log in SQLite with connections that stay open: a year's backfill writes thousands of events.

Dagster's own storage opens, commits and closes several connections per event, and each close checkpoints the whole
write-ahead log. This storage also commits consecutive events together. Files and content are the same, so an instance
can be switched over and back. To use it, name it in ``dagster.yaml`` (see ADR 0014)::

    event_log_storage:
      module: telemetry_quality.orchestration.event_log
      class: KeptSqliteEventLog
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, Timer
from typing import TYPE_CHECKING, Any

import dagster as dg
from sqlalchemy import create_engine, inspect
from sqlalchemy import event as events_of_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from telemetry_quality.errors import SettingsError
from telemetry_quality.orchestration.evaluations import SqliteEventLogStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Engine

KEPT_RUNS = 2
"""The number of runs whose files stay open: a worker writes one, and readers go from one run to the next."""

BUSY_SECONDS = 60
"""How long to wait while another process writes."""

INDEX = "index"
"""The name of the file that all runs share."""

GATHERED_TYPES = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}
"""Event types with one event per partition; any other event is written immediately, after the gathered ones."""

GATHERED_EVENTS = 50
"""The most events written together, which takes a fifth of a second, while events of other runs wait."""

GATHERED_SECONDS = 0.5
"""How long an event is held back at most if no other event follows."""


class KeptSqliteEventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite files, each opened once.

    What a process wrote survives its death. After a power failure only the last events may be missing; a run in
    progress would be lost anyway.

    Args:
        base_dir: The folder of the files; by default the folder that Dagster would use.
    """

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._tables: set[str] = set()
        self._begin()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """The schema of ``config`` in dagster.yaml."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> KeptSqliteEventLog:
        """The storage that dagster.yaml describes.

        Raises:
            SettingsError: If neither dagster.yaml nor DAGSTER_HOME names a folder.
        """
        folder = config_value.get("base_dir")
        if folder is None:
            home = os.environ.get("DAGSTER_HOME")
            if not home:
                raise SettingsError(
                    "The event log requires a folder, but neither base_dir in dagster.yaml nor DAGSTER_HOME names one; "
                    "set one of them."
                )
            folder = str(Path(home).expanduser() / "history" / "runs")
        return cls(folder, inst_data)

    def _begin(self) -> None:
        """Start with nothing open, gathered or in progress, whatever the parent process did."""
        self._process = os.getpid()
        self._kept: dict[str, Engine] = {}
        self._gathered: list[dg.EventLogEntry] = []
        self._under_way: dict[str, Connection] = {}
        self._lock = RLock()

    @property
    def _one_at_a_time(self) -> RLock:
        if os.getpid() != self._process:
            # SQLite connections do not survive a fork; connections and gathered events stay with the parent.
            self._begin()
        return self._lock

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Write an event; one with more of its type to follow is gathered and written within half a second."""
        with self._one_at_a_time:
            if self._gathered and self._gathered[0].run_id != event.run_id:
                self._write_gathered()
            if not event.run_id or event.dagster_event_type not in GATHERED_TYPES:
                self._write_gathered()
                super().store_event(event)
                return
            if not self._gathered:
                self._write_soon()
            self._gathered.append(event)
            if len(self._gathered) >= GATHERED_EVENTS:
                self._write_gathered()

    def _write_gathered(self) -> None:
        """Write the gathered events in one transaction per file."""
        with self._one_at_a_time:
            if not self._gathered:
                return
            events, self._gathered = self._gathered, []
            try:
                self._write(events)
            except Exception:  # noqa: BLE001 - raised again for the event that caused it
                self._write_singly(events)
            except BaseException:
                self._gathered = events
                raise

    def _write_singly(self, events: list[dg.EventLogEntry]) -> None:
        """Write events singly, as Dagster does: a refused event raises its error once, and later events survive."""
        while events:
            try:
                self._write(events[:1])
            except SQLAlchemyError:
                self._gathered = events
                raise
            except BaseException:
                del events[0]
                self._gathered = events  # the same list: its timer writes the rest
                raise
            events.pop(0)

    def _write(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Write the events of a run, all or none, so that a retry does not write any of them twice."""
        with self._transaction(events[0].run_id), self._transaction(INDEX):
            for event in events:
                super().store_event(event)

    def _write_soon(self) -> None:
        events = self._gathered

        def write() -> None:
            with self._one_at_a_time:
                if self._gathered is not events:
                    return  # already written; what is gathered now has its own timer
                self._gathered = []
                try:
                    self._write(events)
                except Exception:  # noqa: BLE001 - the next write or read tries again and gets the error
                    self._gathered = events

        timer = Timer(GATHERED_SECONDS, write)
        timer.daemon = True
        timer.start()

    @contextmanager
    def run_connection(self, run_id: str | None = None) -> Iterator[Connection]:
        """A transaction on the file of a run."""
        with self._transaction(str(run_id)) as connection:
            yield connection

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """A transaction on the file that all runs share."""
        with self._transaction(INDEX) as connection:
            yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the file that all runs share has this table; called for every check evaluation."""
        if table_name not in self._tables:
            with self.index_connection() as connection:
                if not inspect(connection).has_table(table_name):
                    return False
            self._tables.add(table_name)
        return True

    def delete_events(self, run_id: str) -> None:
        """Delete the events of a run."""
        super().delete_events(run_id)
        self._close(run_id)

    def wipe(self) -> None:
        """Delete all events, including the files of runs."""
        self.close()
        super().wipe()

    def dispose(self) -> None:
        """Close everything; the storage can be used again."""
        self.close()
        super().dispose()

    def open_files(self) -> list[str]:
        """The files that are open now: those of runs, and the shared one."""
        return list(self._kept)

    def close(self) -> None:
        """Close every file."""
        self._write_gathered()
        for name in list(self._kept):
            self._close(name)

    @contextmanager
    def _transaction(self, name: str) -> Iterator[Connection]:
        # Only one file at a time, too: Dagster's own storage takes one lock for all files.
        with self._one_at_a_time:
            self._write_gathered()  # before anything is read, and in order
            if name in self._under_way:
                yield self._under_way[name]
                return
            with self._engine(name).begin() as connection:
                self._under_way[name] = connection
                try:
                    yield connection
                finally:
                    del self._under_way[name]

    def _engine(self, name: str) -> Engine:
        if name in self._kept and not Path(self.path_for_shard(name)).exists():
            self._close(name)
        if name not in self._kept:
            opened = super().index_connection() if name == INDEX else super().run_connection(name)
            with opened:
                pass  # creates the file and its tables, once
            for oldest in [name for name in self._kept if name != INDEX][: -(KEPT_RUNS - 1)]:
                self._close(oldest)
            self._kept[name] = _open(self.conn_string_for_shard(name))
        return self._kept[name]

    def _close(self, name: str) -> None:
        engine = self._kept.pop(name, None)
        if engine is not None:
            engine.dispose()


def _open(url: str) -> Engine:
    engine = create_engine(
        url, poolclass=StaticPool, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )

    @events_of_engine.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine
