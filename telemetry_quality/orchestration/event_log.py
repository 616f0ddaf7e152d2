"""Dagster's event log in SQLite with its connections kept open: a year's backfill writes thousands of events.

Dagster's own storage opens, commits and closes several connections per event, and each close writes the whole
write-ahead log back. Here events that come in a row are committed together besides. The files and their content are
the same: an instance can be switched over and back. To use it, name it in ``dagster.yaml`` (see ADR 0014)::

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
"""Runs whose files stay open: a worker writes one, and whoever shows runs reads one after the other."""

BUSY_SECONDS = 60
"""How long to wait for another process that writes."""

INDEX = "index"
"""The file that all runs share."""

GATHERED_TYPES = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}
"""Events of which one comes per partition; every other event is written at once, and those gathered before it."""

GATHERED_EVENTS = 50
"""How many are written together at most: that takes a fifth of a second, during which other runs' events wait."""

GATHERED_SECONDS = 0.5
"""How long one is held back at most, while no other comes."""


class KeptSqliteEventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite files, each opened once.

    What a process wrote survives its death. After a power cut the last events may be missing, no more: a run that was
    under way is lost then anyhow.

    Args:
        base_dir: The folder of the files; where Dagster would put them, if it is not named.
    """

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._tables: set[str] = set()
        self._begin()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """What dagster.yaml may say under ``config``."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> KeptSqliteEventLog:
        """The storage that dagster.yaml describes.

        Raises:
            SettingsError: If neither it nor DAGSTER_HOME names a folder.
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
        """Nothing is open, gathered or under way: in a new process, whatever its parent did."""
        self._process = os.getpid()
        self._kept: dict[str, Engine] = {}
        self._gathered: list[dg.EventLogEntry] = []
        self._under_way: dict[str, Connection] = {}
        self._lock = RLock()

    @property
    def _one_at_a_time(self) -> RLock:
        if os.getpid() != self._process:
            # SQLite's connections do not survive a fork; those of the parent, and its events, are its own.
            self._begin()
        return self._lock

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Write an event; or, where more of its kind will come, have it written with them or half a second later."""
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
        """Write what was gathered as one transaction per file."""
        with self._one_at_a_time:
            if not self._gathered:
                return
            events, self._gathered = self._gathered, []
            try:
                self._write(events)
            except Exception:  # noqa: BLE001 - reported by the event that it belongs to
                self._write_singly(events)
            except BaseException:
                self._gathered = events
                raise

    def _write_singly(self, events: list[dg.EventLogEntry]) -> None:
        """Write as Dagster would: an event that is refused says why, once, and those after it are not lost."""
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
        """Events of one run, all or none: what is written again is not written twice."""
        with self._transaction(events[0].run_id), self._transaction(INDEX):
            for event in events:
                super().store_event(event)

    def _write_soon(self) -> None:
        events = self._gathered

        def write() -> None:
            with self._one_at_a_time:
                if self._gathered is not events:
                    return  # written long since; what is gathered now has its own timer
                self._gathered = []
                try:
                    self._write(events)
                except Exception:  # noqa: BLE001 - whoever writes or reads next tries again, and gets the error
                    self._gathered = events

        timer = Timer(GATHERED_SECONDS, write)
        timer.daemon = True
        timer.start()

    @contextmanager
    def run_connection(self, run_id: str | None = None) -> Iterator[Connection]:
        """A transaction on the file of one run."""
        with self._transaction(str(run_id)) as connection:
            yield connection

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """A transaction on the file that all runs share."""
        with self._transaction(INDEX) as connection:
            yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether there is such a table in the file that all runs share; asked at every check evaluation."""
        if table_name not in self._tables:
            with self.index_connection() as connection:
                if not inspect(connection).has_table(table_name):
                    return False
            self._tables.add(table_name)
        return True

    def delete_events(self, run_id: str) -> None:
        """Remove the events of a run."""
        super().delete_events(run_id)
        self._close(run_id)

    def wipe(self) -> None:
        """Remove all events; the files of runs too."""
        self.close()
        super().wipe()

    def dispose(self) -> None:
        """Close everything; it can be used again."""
        self.close()
        super().dispose()

    def open_files(self) -> list[str]:
        """Which files are open now: runs, and the one that they share."""
        return list(self._kept)

    def close(self) -> None:
        """Close every file."""
        self._write_gathered()
        for name in list(self._kept):
            self._close(name)

    @contextmanager
    def _transaction(self, name: str) -> Iterator[Connection]:
        # Not two files at once either: Dagster's own storage takes one lock for all of them.
        with self._one_at_a_time:
            self._write_gathered()  # before anybody looks, and in their order
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
            for oldest in [one for one in self._kept if one != INDEX][: -(KEPT_RUNS - 1)]:
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
