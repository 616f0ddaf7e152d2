"""Which of a source's Parquet files hold the events of a day, and the view that shows them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import sleep
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.columns import column_roles
from telemetry_quality.sources.limits import TIME_LIMIT
from telemetry_quality.sources.parquet import drifting_column, extent, missing_column, time_kinds
from telemetry_quality.sources.walking import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from sqlalchemy import Select

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.parquet import ParquetFile, ParquetIndex
    from telemetry_quality.sources.query import DayRange, EventTable
    from telemetry_quality.sources.walking import Stamp

_WAITS_SECONDS = (0.05, 0.3, 1.0)
"""How long to wait before files are listed again that changed while they were read."""

_OBSERVED_VIEW = "observed_events_of_source"
"""Shown beside the view of the day's own events."""

_UNDATED_VIEW = "files_with_undated_events"

MOST_UNREADABLE_PERCENT = 1.0
"""Share of the events in a day's files that may have no readable time; strictly above it, the day is unknown."""

_ALL_ROWS = 2**62


T = TypeVar("T")


class FileClient(Protocol):
    """What shows files as a table."""

    def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a query."""
        ...

    def show_files(self, paths: Sequence[str], view: str = ...) -> str:
        """Create one view of several files, and return its name."""
        ...

    def event_table(self, relation: str, schema: EventSchema, salt: str) -> EventTable:
        """A table or view whose columns can play their roles."""
        ...


@dataclass(slots=True)
class FileTables:
    """Which of the files of a source hold which events.

    Attributes:
        stamps: A stamp of each listed file, from before its footer was read.
    """

    client: FileClient
    index: ParquetIndex
    schema: EventSchema
    salt: str
    source_version: str | None = None
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def forget_use(self) -> None:
        """Begin to note which files are read."""
        self._used.clear()

    def changed_file(self) -> str | None:
        """A file that was read and is not what was listed any more; None if there is none."""
        return next((path for path in sorted(self._used) if stamp(path) != self.stamps[path]), None)

    def _note(self, files: Iterable[ParquetFile]) -> None:
        self._used |= {file.path for file in files if file.path in self.stamps}

    def of(self, day_range: DayRange) -> EventTable | None:
        """The events of the day range; None if no file holds any.

        Raises:
            SourceError: If a file that may hold some is broken or lacks a column.
        """
        readable: dict[str, ParquetFile] = {}
        for window in day_range.windows:
            files, broken = self.index.split(window)
            self._note([*files, *broken])
            if broken:
                raise broken[0].unreadable(window.day)
            readable |= {file.path: file for file in files}
        needed = self._roles(readable.values())
        if error := missing_column(readable.values(), {name: role for role, name in needed}):
            raise error
        times = [(role, name) for role, name in needed if role == "occurred_at"]
        table = self._table(list(readable.values()), day_range, times, (name for _, name in needed))
        if table is not None and table.schema.observed_at is None:
            self._require_readable_times(list(readable.values()), table, day_range)
        return table

    def _require_readable_times(self, files: Sequence[ParquetFile], table: EventTable, day_range: DayRange) -> None:
        """Raise SourceError if a day's own files hold events that belong to no day, because no time can be read.

        With arrival times, such events are counted on the day on which they arrived.
        """
        unnamed: list[ParquetFile] = []
        of_day: dict[date, list[ParquetFile]] = {}
        for file in files:
            if file.is_dated or not file.rows:
                continue
            day = _day_of(file, day_range)
            if day is not None:
                of_day.setdefault(day, []).append(file)
            elif file.first is None and file.days_in_name is None:
                unnamed.append(file)
        for day, its_files in of_day.items():
            self._require_readable(its_files, table if its_files == files else None, day)
        if unnamed:
            shown = table if unnamed == files else None
            self._require_readable(unnamed, shown, day_range.windows[0].day, within=day_range)

    def _require_readable(
        self, files: Sequence[ParquetFile], events: EventTable | None, day: date, within: DayRange | None = None
    ) -> None:
        """Raise SourceError if too many events lack a readable time and, where asked, all others lie in a range."""
        if events is None:
            shown = self.client.show_files([file.path for file in files], _UNDATED_VIEW)
            events = self.client.event_table(shown, self.schema, self.salt)
        ((count, readable, first, last),) = self.client.execute(
            events.times_query(events.schema.occurred_at, _ALL_ROWS)
        )
        if within is not None:
            per_second = events.ticks(events.schema.occurred_at)[1]
            start, end = (int(at.timestamp()) * per_second for at in (within.start, within.end))
            if first is None or first < start or last >= end:
                return
        if 100 * (count - readable) > MOST_UNREADABLE_PERCENT * count:
            raise SourceError(
                "TIMES_UNREADABLE",
                f"The events in the files of {day} must have a time that can be read, but {count - readable:,} of "
                f"{count:,} have none ({files[0].path}); name the form with time_unit or time_format, or leave these "
                "rows out with where.",
            )

    def observed_in(self, day_range: DayRange) -> EventTable | None:
        """The events that arrived in the day range; None if no readable file holds any.

        Unreadable files do not count here: they make the days of their own events unreadable.
        """
        may_hold = self.index.observed_between(day_range.start, day_range.end)
        self._note(may_hold)
        needed = self._roles(may_hold)
        files = [file for file in may_hold if missing_column([file], {name: role for role, name in needed}) is None]
        times = [(role, name) for role, name in needed if role in {"occurred_at", "observed_at"}]
        return self._table(files, day_range, times, [name for _, name in times], _OBSERVED_VIEW)

    def _roles(self, files: Iterable[ParquetFile]) -> list[tuple[str, str]]:
        """Role and column of every column that is needed of files which are read together."""
        names: dict[str, str] = {}
        for file in files:
            names |= file.columns
        return list(column_roles(self.schema, names))

    def _table(
        self,
        files: Sequence[ParquetFile],
        day_range: DayRange,
        times: Iterable[tuple[str, str]],
        columns: Iterable[str],
        view: str | None = None,
    ) -> EventTable | None:
        """Files as one table in which ``times`` and ``columns`` mean what they mean in each file."""
        if not files:
            return None
        for role, name in times:
            kinds = time_kinds(files, name)
            if len(kinds) > 1 and "integer" in kinds:
                # Read as text, integers would not be times, and their events would silently belong to no day.
                raise SourceError(
                    "COLUMN_TYPE",
                    f"{role} requires {name!r} to be of one kind in all files of a day, "
                    "but some hold integers and others do not; rewrite the files.",
                )
        if len(day_range.windows) > 1 and (drifting := drifting_column(files, columns)):
            # Read together, all days would get the common type: 42 in one file would become 42.0 because of another.
            raise SourceError(
                "COLUMN_DRIFT", f"{drifting!r} has different types in different files; each day is read alone."
            )
        paths = [file.path for file in files]
        shown = self.client.show_files(paths, view) if view else self.client.show_files(paths)
        return replace(self.client.event_table(shown, self.schema, self.salt), extent=extent(files))


def read_settled(
    tables: FileTables, read: Callable[[DayRange], T], day_range: DayRange, list_again: Callable[[], None]
) -> T:
    """What ``read`` answers of files that did not change meanwhile: two versions of a file are never mixed.

    Raises:
        SourceError: ``SOURCE_CHANGED`` if they change at every attempt, or if each day has to be read by itself.
    """
    for pause in (*_WAITS_SECONDS, None):
        tables.forget_use()
        try:
            answer = read(day_range)
        except SourceError as error:
            changed = tables.changed_file()
            if changed is None or error.reason_code == TIME_LIMIT:
                raise
        else:
            changed = tables.changed_file()
            if changed is None:
                return answer
        sleep(pause or 0)
        list_again()
        if pause is None or len(day_range.windows) > 1:
            raise SourceError(
                "SOURCE_CHANGED",
                f"Files must keep their content while they are read, but {changed} was written to, replaced or removed "
                f"at each of {len(_WAITS_SECONDS) + 1} attempts; write files under another name, rename them once, "
                "and read the day again.",
            )
    raise AssertionError("the last round always returns or raises")


def _day_of(file: ParquetFile, day_range: DayRange) -> date | None:
    """The day of the range to which a file belongs by its name or, without a day in it, by the times in it."""
    for window in day_range.windows:
        if file.days_in_name is not None:
            if file.days_in_name == (window.day, window.day):
                return window.day
        elif file.first is not None and file.last is not None and window.start <= file.first and file.last < window.end:
            return window.day
    return None
