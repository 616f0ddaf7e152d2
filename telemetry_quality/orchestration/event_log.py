"""Dagster's event log in SQLite with its connections kept open: a year's backfill writes thousands of events.

Dagster's own storage opens, commits and closes several connections per event, and each close writes the whole
write-ahead log back. The files and their content are the same: an instance can be switched over and back. To use it,
name it in ``dagster.yaml`` (see ADR 0014)::

    event_log_storage:
      module: telemetry_quality.orchestration.event_log
      class: KeptSqliteEventLog
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import dagster as dg
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.pool import StaticPool

from telemetry_quality.errors import SettingsError
from telemetry_quality.orchestration.evaluations import SqliteEventLogStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Engine

KEPT_RUNS = 2
"""Runs whose files stay open: a worker writes one, and whoever shows runs reads one after the other."""

BUSY_SECONDS = 60
"""How long to wait for another process that writes."""

INDEX = "index"
"""The file that all runs share."""


class KeptSqliteEventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite files, each opened once.

    What a process wrote survives its death. After a power cut the last events may be missing, no more: a run that was
    under way is lost then anyhow.

    Args:
        base_dir: The folder of the files; where Dagster would put them, if it is not named.
    """

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._process = os.getpid()
        self._kept: dict[str, Engine] = {}
        self._tables: set[str] = set()
        self._one_at_a_time = RLock()
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
        for name in list(self._kept):
            self._close(name)

    @contextmanager
    def _transaction(self, name: str) -> Iterator[Connection]:
        # Not two files at once either: Dagster's own storage takes one lock for all of them.
        with self._one_at_a_time, self._engine(name).begin() as connection:
            yield connection

    def _engine(self, name: str) -> Engine:
        if os.getpid() != self._process:
            # SQLite's connections do not survive a fork; those of the parent are its own to close.
            self._process, self._kept = os.getpid(), {}
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

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine
