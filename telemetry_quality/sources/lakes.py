"""Tables of lakes, such as Delta and Iceberg: one snapshot of the table, and of its live files those that hold a day.

The log or the manifests of a table say which files are live, what they may hold, which of their rows were deleted and
which columns are not stored in them. A connector reads that; everything else is here.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Protocol

from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.columns import column_roles
from telemetry_quality.sources.duckdb import LATEST_FILES, DuckDBClient, DuckDBSource
from telemetry_quality.sources.lake_files import Footer, read_footers, show, show_nothing
from telemetry_quality.sources.limits import MEMORY_LIMIT_BYTES
from telemetry_quality.sources.query import DayRange
from telemetry_quality.sources.row_groups import cost_of_parquet
from telemetry_quality.sources.stores import open_store
from telemetry_quality.sources.walking import NOWHERE, Places, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.columns import Column
    from telemetry_quality.sources.lake_files import Field, LakeFile
    from telemetry_quality.sources.query import EventTable

_EMPTY, _VIEW, _OBSERVED_VIEW = "table_without_events", "events_of_table", "observed_events_of_table"


class LakeSnapshot(Protocol):
    """One version of a table."""

    @property
    def version(self) -> str | None:
        """The version as the table's own history names it; None before the first."""
        ...

    @property
    def fields(self) -> Sequence[Field]:
        """The columns of the table."""
        ...

    @property
    def root(self) -> str:
        """The table's own folder or URL."""
        ...

    @property
    def places(self) -> Places:
        """Where the live files usually are; some may be elsewhere, such as those of a clone."""
        ...

    def files(self, column: str, start: datetime, end: datetime) -> Sequence[LakeFile]:
        """The live files that may hold a ``start <= column < end``.

        Raises:
            SourceError: If the log cannot be read, or demands something that is not supported.
        """
        ...

    def latest_files(self, column: str, count: int) -> Sequence[LakeFile]:
        """The ``count`` files with the latest times in ``column``, as far as the log knows."""
        ...

    def deleted_rows(self, connection: DuckDBPyConnection, files: Sequence[LakeFile]) -> DuckDBPyRelation:
        """The PATH and the POSITION of every deleted row of ``files``, all of which have deletes."""
        ...

    def is_current(self) -> bool:
        """Whether the table still has this version."""
        ...


def may_overlap(first: datetime | None, last: datetime | None, start: datetime, end: datetime) -> bool:
    """Whether ``first <= t <= last`` and ``start <= t < end`` share an instant; None means unknown."""
    return first is None or last is None or (first < end and last >= start)


def instant(microseconds: int | None) -> datetime | None:
    """The instant so many microseconds after 1970; None if it is unknown or Python has no datetime for it."""
    if microseconds is None:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


class LakeClient(DuckDBClient):
    """A DuckDB session that reads the files of one snapshot."""

    snapshot: LakeSnapshot | None = None

    def allow(self, files: Iterable[LakeFile]) -> None:
        """Open another session if files are not where this one may read; what it has shown is lost."""
        found = {_real(path) for file in files for path in (file.path, *file.delete_files)}
        outside = frozenset(path for path in found if not self._may_read(path))
        if outside:
            self.connection.close()
            self.places |= Places(files=outside)
            self.open()

    def _may_read(self, path: str) -> bool:
        return path in self.places.files or any(
            path.startswith(f"{folder.rstrip('/')}/") for folder in self.places.folders
        )

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Interrupt the block if it takes too long.

        Raises:
            SourceUnavailableError: If the table was rewritten meanwhile and its old files are gone.
        """
        try:
            with super().limited():
                yield
        except SourceError as error:
            if error.reason_code == "SOURCE_UNREADABLE":
                self.require_current()
            raise

    def require_current(self) -> None:
        """Raise SourceUnavailableError if the table has a newer version than the one that is read."""
        if self.snapshot is not None and not self.snapshot.is_current():
            raise SourceUnavailableError(
                "SOURCE_CHANGED",
                f"{self._what} must keep its files while they are read, but has a newer version, and old files are "
                "gone; the next attempt reads the newer version.",
            )


class LakeSource(DuckDBSource):
    """Events in a table of a lake.

    Args:
        location: The table, as messages name it.
        schema: Which column plays which role.
        catalogue: The known signals.
        time_limit_seconds: The time limit of one query.
        memory_limit_bytes: How much memory DuckDB may take.
        salt: Mixed into the sample's hash.
    """

    def __init__(
        self,
        location: str,
        schema: EventSchema,
        *,
        catalogue: SignalCatalogue | None = None,
        time_limit_seconds: float = 300,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        salt: str = "",
    ) -> None:
        super().__init__(schema, catalogue, salt)
        self.location = location
        self._seconds = time_limit_seconds
        self._memory_limit_bytes = memory_limit_bytes

    @abstractmethod
    def snapshot(self) -> LakeSnapshot:
        """The current version of the table.

        Raises:
            SourceError: If there is no table, or it cannot be read.
        """

    def new_client(self) -> LakeClient:
        """A DuckDB for one session."""
        snapshot = self.snapshot()
        catalogue = self._catalogue.table if self._catalogue else None
        places = snapshot.places | (place_of(catalogue) if catalogue else NOWHERE)
        client = LakeClient(
            self.location,
            self._seconds,
            objects=open_store(snapshot.root).file_system() if "://" in snapshot.root else None,
            memory_limit_bytes=self._memory_limit_bytes,
            places=places,
        )
        client.snapshot = snapshot
        return client

    def columns(self) -> dict[str, Column]:
        """The columns of the table's schema, and the expressions that play roles."""
        with self.new_client() as client:
            assert client.snapshot is not None  # noqa: S101 - see new_client
            view = _show_schema(client, client.snapshot)
            return dict(client.event_table(view, self.schema, self._salt).columns)

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        with self._client() as client:
            tables = self._tables(client)
            events = tables.of(DayRange((window,)))
            if events is None:
                return None
            files = tables.snapshot.files(events.schema.occurred_at, window.start, window.end)
            with client.limited():
                return cost_of_parquet(client.connection, [file.path for file in files], events, window)

    def _catalogue_relation(self, client: DuckDBClient, table: str) -> str:
        return client.show_files([table])

    def _some_events(self, client: DuckDBClient) -> EventTable:
        tables = self._tables(client)
        return tables.latest() or client.event_table(_EMPTY, self.schema, self._salt)

    def _tables(self, client: DuckDBClient) -> _LakeTables:
        assert isinstance(client, LakeClient)  # noqa: S101 - see new_client
        assert client.snapshot is not None  # noqa: S101 - likewise
        # A day without files must not hide that a role has no column.
        fitting = client.event_table(_show_schema(client, client.snapshot), self.schema, self._salt).schema
        return _LakeTables(client, client.snapshot, fitting, self._salt)


def _show_schema(client: DuckDBClient, snapshot: LakeSnapshot) -> str:
    with client.limited():
        show_nothing(client.connection, snapshot.fields).to_table(_EMPTY)
    return _EMPTY


@dataclass(frozen=True, slots=True)
class _LakeTables:
    """Which of the live files of a snapshot hold which events."""

    client: LakeClient
    snapshot: LakeSnapshot
    schema: EventSchema
    salt: str
    _footers: dict[str, Footer] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def source_version(self) -> str | None:
        return self.snapshot.version

    def of(self, day_range: DayRange) -> EventTable | None:
        """The events of the day range; None if no file holds any.

        Raises:
            SourceError: If a file that may hold some is missing or broken.
        """
        files = self.snapshot.files(self.schema.occurred_at, day_range.start, day_range.end)
        self.client.allow([*files, *self._observed(day_range)])
        for file, error in self._unreadable(files):
            self.client.require_current()
            days = " to ".join(
                dict.fromkeys(str(window.day) for window in (day_range.windows[0], day_range.windows[-1]))
            )
            raise SourceError(
                error.reason_code,
                f"Every file of the table that may hold events of {days} must be readable, but {file.path} {error}; "
                "restore it, or remove it from the table.",
            )
        return self._table(files, _VIEW)

    def observed_in(self, day_range: DayRange) -> EventTable | None:
        """The events that arrived in the day range; None if no readable file holds any.

        Unreadable files do not count here: they make the days of their own events unreadable.
        """
        files = self._observed(day_range)
        unreadable = {file.path for file, _ in self._unreadable(files)}
        return self._table([file for file in files if file.path not in unreadable], _OBSERVED_VIEW)

    def _observed(self, day_range: DayRange) -> Sequence[LakeFile]:
        """The files that may hold events which arrived in the day range; none where arrivals are not known."""
        column = self.schema.observed_at
        return () if column is None else self.snapshot.files(column, day_range.start, day_range.end)

    def latest(self) -> EventTable | None:
        """Events of the latest files that can be read; None if there are none."""
        files = self.snapshot.latest_files(self.schema.occurred_at, LATEST_FILES)
        self.client.allow(files)
        unreadable = {file.path for file, _ in self._unreadable(files)}
        return self._table([file for file in files if file.path not in unreadable], _VIEW)

    def _unreadable(self, files: Sequence[LakeFile]) -> list[tuple[LakeFile, SourceError]]:
        """The files that cannot be read, each with the reason."""
        self._read_footers([file.path for file in files])
        return [(file, error) for file in files if (error := _fault(file, self._footers[file.path])) is not None]

    def _read_footers(self, paths: Sequence[str]) -> None:
        unknown = [path for path in paths if path not in self._footers]
        objects = [path for path in unknown if "://" in path]
        missing = dict.fromkeys(self.client.absent_objects(objects) if objects else (), Footer(is_missing=True))
        missing |= {path: footer for path in unknown if (footer := _absence(path)) is not None}
        self._footers.update(missing)
        if present := [path for path in unknown if path not in missing]:
            with self.client.limited():
                self._footers.update(read_footers(self.client.connection, present))

    def _table(self, files: Sequence[LakeFile], view: str) -> EventTable | None:
        if not files:
            return None
        with_deletes = [file for file in files if file.has_deletes]
        known = {column.name: column for column in self.snapshot.fields}
        fields = [known[name] for name in dict.fromkeys(name for _, name in column_roles(self.schema, known))]
        connection = self.client.connection
        with self.client.limited():
            deleted = self._deleted_rows(with_deletes) if with_deletes else None
            show(connection, files, self._footers, fields, deleted).create_view(view, replace=True)
        return self.client.event_table(view, self.schema, self.salt)

    def _deleted_rows(self, files: Sequence[LakeFile]) -> DuckDBPyRelation:
        connection = self.client.connection
        name = f"deleted_rows_{next(self._numbers)}"
        self.client.absent_objects([path for file in files for path in file.delete_files])
        self.snapshot.deleted_rows(connection, files).to_table(name)
        return connection.table(name)


def _real(path: str) -> str:
    return path if "://" in path else os.path.realpath(path)


def _absence(path: str) -> Footer | None:
    """A local file that cannot be found or entered, instead of its footer; None if it can."""
    if "://" in path:
        return None
    try:
        os.stat(path)  # noqa: PTH116 - a Path costs more than the call, and there may be thousands
    except FileNotFoundError:
        return Footer(is_missing=True)
    except OSError as error:
        return Footer(broken=error.strerror)
    return None


def _fault(file: LakeFile, footer: Footer) -> SourceError | None:
    """Why a file cannot be read; None if it can."""
    if footer.is_missing:
        return SourceError("FILE_MISSING", "is missing")
    if footer.broken is not None:
        return SourceError("FILE_BROKEN", f"is broken ({footer.broken})")
    if file.rows is not None and file.rows != footer.rows:
        return SourceError("FILE_BROKEN", f"holds {footer.rows:,} rows instead of {file.rows:,}")
    return None
