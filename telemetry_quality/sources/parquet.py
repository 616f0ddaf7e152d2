"""Parquet files: which files hold which days, and which days a broken file puts in doubt.

Footers state the time span of a file's events. A file without a readable footer, or without the time column, could
hold any day. Its name is trusted only if the name of every other file contains the day of that file's events,
or if many other files show how far their events lie outside of the days in their names, as those of files that are
named by the day of arrival do; otherwise a broken file puts every day in doubt.
"""

from __future__ import annotations

import glob
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb

from telemetry_quality.core.days import DayWindow, day_window
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.columns import fitted
from telemetry_quality.sources.expressions import columns_named
from telemetry_quality.sources.walking import Problem, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.walking import Listing, Stamp

_DATE_IN_NAME = re.compile(r"(?<!\d)(\d{4})[-_/]?(?:month=)?(\d{2})[-_/]?(?:day=)?(\d{2})(?!\d)")
_MONTH_IN_NAME = re.compile(r"(?<!\d)(\d{4})[-_/]?(?:month=)?(\d{2})(?![-_/]?\d)")
_YEAR_IN_FOLDER = re.compile(r"(?:^|/)year=(\d{4})(?=/|$)")
_UTC = ZoneInfo("UTC")
_MICROSECOND = timedelta(microseconds=1)
_FILES_OF_A_HABIT = 20
"""So many files show how far events lie outside of the days in the names."""


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """One file as its footer describes it, or what cannot be read and may hold events: a file, a folder or a link.

    Attributes:
        first: The earliest event; None if the footer has no statistics, so that the file may hold any day.
        last: The latest event.
        is_dated: Whether the footer says that all events have a time.
        first_observed: The earliest arrival; None if the footer has no statistics of arrivals.
        last_observed: The latest arrival.
        columns: Types of the top-level columns by name; columns from hive folders have the type ``hive``.
        broken: Why the file cannot be read; None if it can.
        problem: The same for what is worse off than a broken file, such as a folder that cannot be listed.
    """

    path: str
    rows: int = 0
    first: datetime | None = None
    last: datetime | None = None
    is_dated: bool = False
    first_observed: datetime | None = None
    last_observed: datetime | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    broken: str | None = None
    problem: Problem | None = None

    def may_hold(self, window: DayWindow) -> bool:
        """Whether the file may hold an event of ``window``."""
        return self.rows > 0 and _may_overlap(self.first, self.last, window.start, window.end)

    def may_hold_arrivals(self, start: datetime, end: datetime) -> bool:
        """Whether the file may hold an event that arrived at ``start <= t < end``."""
        return self.rows > 0 and _may_overlap(self.first_observed, self.last_observed, start, end)

    @property
    def days_in_name(self) -> tuple[date, date] | None:
        """The first and last day that the path names: ``day=2013-02-08/``, ``events-20130208.parquet``, ``2013/02/``.

        Hive folders take precedence. None if the path names several days, since either could be meant.
        """
        hive_folders = "/".join(part for part in self.path.split("/") if "=" in part)
        for spans in (_days_in, _months_in, _years_in):
            found = set(spans(hive_folders)) or set(spans(self.path))
            if found:
                return found.pop() if len(found) == 1 else None
        return None

    def unreadable(self, day: date | None = None) -> SourceError:
        """The error of a day whose events it may hold; of all days if none is named."""
        problem = self.problem or Problem("FILE_BROKEN", f"is not ({self.broken})")
        return SourceError(
            problem.reason_code,
            f"Every file that may hold events{f' of {day}' if day else ''} must be readable, but {self.path} "
            f"{problem.found}; {problem.remedy}.",
        )


@dataclass(frozen=True)
class ParquetIndex:
    """The files of a source, listed again for every scan, because files come and go."""

    files: tuple[ParquetFile, ...]
    zone: ZoneInfo

    def split(self, window: DayWindow) -> tuple[list[ParquetFile], list[ParquetFile]]:
        """The readable files that may hold events of ``window``, and the broken ones that may."""
        readable = [file for file in self.files if file.broken is None and file.may_hold(window)]
        unreadable = [file for file in self.files if file.broken is not None]
        # Judging a broken file requires looking at every file's name, so only do that if there is one.
        return readable, [file for file in unreadable if _in_doubt(file, window, self._habits)]

    def observed_between(self, start: datetime, end: datetime) -> list[ParquetFile]:
        """The readable files that may hold events which arrived at ``start <= t < end``."""
        return [file for file in self.files if file.broken is None and file.may_hold_arrivals(start, end)]

    @cached_property
    def _habits(self) -> tuple[_Habit, ...]:
        """What names say about the events of all readable files, by time zone; none where they say nothing.

        A few files show a habit only if all their events lie within the days of their names.
        """
        dated = [file for file in self.files if file.broken is None and file.rows]
        found = [habit for zone in (self.zone, _UTC) if (habit := _habit(dated, zone)) is not None]
        strict = tuple(habit for habit in found if not habit.before and not habit.after)
        return strict or (tuple(found) if len(dated) >= _FILES_OF_A_HABIT else ())


def _may_overlap(first: datetime | None, last: datetime | None, start: datetime, end: datetime) -> bool:
    """Whether ``first <= t <= last`` and ``start <= t < end`` share an instant; None means unknown."""
    return first is None or last is None or (first < end and last >= start)


def _days_in(path: str) -> Iterator[tuple[date, date]]:
    for year, month, day in _DATE_IN_NAME.findall(path.replace("year=", "")):
        with suppress(ValueError):
            yield (date(int(year), int(month), int(day)),) * 2


def _months_in(path: str) -> Iterator[tuple[date, date]]:
    for year, month in _MONTH_IN_NAME.findall(path.replace("year=", "")):
        with suppress(ValueError):
            first = date(int(year), int(month), 1)
            yield first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _years_in(path: str) -> Iterator[tuple[date, date]]:
    for year in _YEAR_IN_FOLDER.findall(path):
        with suppress(ValueError):
            yield date(int(year), 1, 1), date(int(year), 12, 31)


def _named_span(days: tuple[date, date], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From when until when the days last."""
    return day_window(days[0], zone).start, day_window(days[1], zone).end


@dataclass(frozen=True, slots=True)
class _Habit:
    """How far the events of files lie outside of the days in their names, which are days of ``zone``, at most."""

    zone: ZoneInfo
    before: timedelta
    after: timedelta

    def span(self, days: tuple[date, date]) -> tuple[datetime, datetime]:
        """When the events of a file of this name may have happened."""
        start, end = _named_span(days, self.zone)
        try:
            return start - self.before, end + self.after
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _habit(files: Iterable[ParquetFile], zone: ZoneInfo) -> _Habit | None:
    """The habit of files, each of which has to have a day in its name and a time span in its footer."""
    before = after = timedelta()
    for file in files:
        if (days := file.days_in_name) is None or file.first is None or file.last is None:
            return None
        start, end = _named_span(days, zone)
        before = max(before, start - file.first)
        after = max(after, file.last - end + _MICROSECOND)
    return _Habit(zone, before, after) if files else None


def _in_doubt(file: ParquetFile, window: DayWindow, habits: Sequence[_Habit]) -> bool:
    days = file.days_in_name
    if not habits or days is None:
        return True
    spans = (habit.span(days) for habit in habits)
    return any(start < window.end and end > window.start for start, end in spans)


def index_files(
    connection: duckdb.DuckDBPyConnection, listing: Listing, schema: EventSchema, zone: ZoneInfo, footers: Footers
) -> ParquetIndex:
    """The footers of all listed files, and what could not be listed."""
    unlisted = (ParquetFile(path, broken=problem.found, problem=problem) for path, problem in listing.unlisted.items())
    return ParquetIndex((*footers.describe(connection, listing.files, schema), *unlisted), zone)


class Footers:
    """Footers of local files of one schema; an unchanged file's footer is read only once.

    Days are read a few at a time, and any file may hold them.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, ParquetFile]] = {}

    def describe(
        self, connection: duckdb.DuckDBPyConnection, stamps: Mapping[str, Stamp], schema: EventSchema
    ) -> list[ParquetFile]:
        """The files as their footers describe them now.

        Their stamps are from before: a file that changes in between is read again next time.
        """
        known = {
            path: file
            for path, (stamp, file) in self._known.items()
            if stamp == stamps.get(path) and file.broken is None  # a broken file may only have lacked permissions
        }
        unknown = [path for path in stamps if path not in known]
        if unknown:
            known |= {file.path: _denied_or_broken(file) for file in describe_files(connection, unknown, schema)}
        self._known = {path: (stamp, known[path]) for path, stamp in stamps.items()}
        return [known[path] for path in stamps]


def _denied_or_broken(file: ParquetFile) -> ParquetFile:
    """A broken file with what keeps it from being opened, if that is not its content."""
    if file.broken is None:
        return file
    try:
        os.close(os.open(file.path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return replace(file, problem=unreadable(error, "FILE_UNREADABLE"))
    return file


def literal_path(path: str) -> str:
    """``path`` as DuckDB takes it if its name holds what would be a wildcard."""
    return path if "://" in path else glob.escape(path)


def files_required(paths: Sequence[str], pattern: str) -> Sequence[str]:
    """``paths``, or an error if there are none."""
    if not paths:
        raise SourceError(
            "NO_FILES", f"At least one Parquet file is required, but none matches {pattern}; check the path."
        )
    return paths


def describe_files(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str], schema: EventSchema
) -> list[ParquetFile]:
    """Read the footers of files."""
    try:
        return _read_footers(connection, paths, schema)
    except duckdb.Error:
        # One bad footer fails the query for all files: ask for each to find out which.
        return [_read_footer(connection, path, schema) for path in paths]


def is_hidden(path: str, pattern: str) -> bool:
    """Whether a wildcard matched a writer's own file, such as Spark's ``_temporary/`` and ``.crc`` files."""
    fixed = re.split(r"[*?\[{]", pattern)[0].rpartition("/")[0]
    return any(part.startswith(("_", ".")) for part in path.removeprefix(fixed).split("/"))


def _read_footer(connection: duckdb.DuckDBPyConnection, path: str, schema: EventSchema) -> ParquetFile:
    try:
        return _read_footers(connection, [path], schema)[0]
    except duckdb.Error as error:
        return ParquetFile(path, broken=str(error).splitlines()[0])


def _read_footers(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str], schema: EventSchema
) -> list[ParquetFile]:
    columns: dict[str, dict[str, str]] = {path: dict.fromkeys(hive_keys(path), "hive") for path in paths}
    named = [literal_path(path) for path in paths]
    elements = connection.execute(
        "SELECT file_name, name, num_children, concat_ws(' ', type, converted_type, logical_type)"
        " FROM parquet_schema(?)",
        [named],
    ).fetchall()
    for path, its_elements in groupby(elements, key=itemgetter(0)):
        columns[path] |= dict(_top_level([element[1:] for element in its_elements]))
    rows = dict(connection.execute("SELECT file_name, num_rows FROM parquet_file_metadata(?)", [named]).fetchall())
    # Files have few layouts, and finding out what plays a role in one takes milliseconds.
    layouts = {frozenset(names): names for names in columns.values()}
    fitting = {layout: fitted(schema, names) for layout, names in layouts.items()}
    times = {name for its in fitting.values() for name in (its.occurred_at, its.observed_at) if name is not None}
    spans = _spans(connection, named, sorted(times))
    return [_file(path, rows.get(path, 0), spans, columns[path], fitting[frozenset(columns[path])]) for path in paths]


@dataclass(frozen=True, slots=True)
class _Span:
    first: datetime | None = None
    last: datetime | None = None
    nulls: int | None = None


def _spans(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str], columns: Sequence[str]
) -> dict[tuple[str, str | None], _Span]:
    """The time span of each file and column, where the footer knows it for all rows."""
    # Text and integers do not always sort as their instants do, so only true instants use statistics.
    found = connection.execute(
        "SELECT file_name, path_in_schema, min(epoch_us(TRY_CAST(stats_min_value AS TIMESTAMPTZ))),"
        " max(epoch_us(TRY_CAST(stats_max_value AS TIMESTAMPTZ))),"
        " count(epoch_us(TRY_CAST(stats_min_value AS TIMESTAMPTZ))"
        " + epoch_us(TRY_CAST(stats_max_value AS TIMESTAMPTZ))), count(*),"
        " CASE WHEN count(stats_null_count) = count(*) THEN sum(stats_null_count) END"
        " FROM parquet_metadata(?) WHERE list_contains(?, path_in_schema) AND type IN ('INT64', 'INT96')"
        " GROUP BY file_name, path_in_schema",
        [paths, list(columns)],
    ).fetchall()
    return {
        (path, column): _Span(_instant(first), _instant(last), nulls)
        for path, column, first, last, known, groups, nulls in found
        if known == groups
    }


def _file(
    path: str,
    rows: int,
    spans: Mapping[tuple[str, str | None], _Span],
    columns: Mapping[str, str],
    schema: EventSchema,
) -> ParquetFile:
    lacking = (name for name in columns_named(schema.occurred_at, "occurred_at", columns) if name not in columns)
    broken = next((f"it has no column {name!r}" for name in lacking), None)
    occurred, observed = (spans.get((path, name), _Span()) for name in (schema.occurred_at, schema.observed_at))
    return ParquetFile(
        path,
        rows,
        occurred.first,
        occurred.last,
        is_dated=occurred.nulls == 0,
        first_observed=observed.first,
        last_observed=observed.last,
        columns=columns,
        broken=broken,
    )


def _instant(microseconds: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def hive_keys(path: str) -> tuple[str, ...]:
    """The columns that the hive folders of a path stand for."""
    return tuple(part.partition("=")[0] for part in path.split("/")[:-1] if "=" in part)


def _top_level(elements: Sequence[tuple[str, int | None, str]]) -> Iterator[tuple[str, str]]:
    """Name and type of the top-level columns of a schema, which Parquet lists depth-first after the root."""
    position = 1
    while position < len(elements):
        name, _, type_ = elements[position]
        yield name, type_
        pending = 1
        while pending and position < len(elements):
            pending += (elements[position][1] or 0) - 1
            position += 1


def missing_column(files: Iterable[ParquetFile], needed: Mapping[str, str]) -> SourceError | None:
    """The error for the first file that lacks a column with a role; None if no file lacks any.

    Without this check, a file that lost its ``is_error`` column would read as a day without errors.
    """
    for file in files:
        for column, role in needed.items():
            if column not in file.columns:
                return SourceError(
                    "COLUMN_MISSING",
                    f"{role} requires the column {column!r}, but {file.path} does not have it; "
                    "rewrite the file or change the role.",
                )
    return None


def drifting_column(files: Iterable[ParquetFile], columns: Iterable[str]) -> str | None:
    """The first of ``columns`` whose type differs between the files; None if there is none."""
    listed = list(files)
    return next((name for name in columns if len({file.columns[name] for file in listed}) > 1), None)


def extent(files: Iterable[ParquetFile]) -> tuple[datetime, datetime] | None:
    """The time span of the events of all files; None if a footer does not state it for every event."""
    spans = [(file.first, file.last) if file.is_dated else (None, None) for file in files]
    known = [(first, last) for first, last in spans if first is not None and last is not None]
    if not known or len(known) < len(spans):
        return None
    return min(first for first, _ in known), max(last for _, last in known)


def time_kinds(files: Iterable[ParquetFile], time_column: str) -> frozenset[str]:
    """The kinds of time that the files hold: ``instant``, ``text``, ``integer``, or several of them."""
    return frozenset(_time_kind(file.columns[time_column]) for file in files)


def _time_kind(type_: str) -> str:
    if "imestamp" in type_ or "TIMESTAMP" in type_ or type_.startswith("INT96"):
        return "instant"
    return "text" if type_.startswith("BYTE_ARRAY") else "integer"
