"""Parquet files: which of them hold which days, and which days a broken one puts in doubt.

The footers say from when to when a file's events reach. A file without a readable footer, or without the
time column, could hold any day. Only where every other file's name bears the day its events were found to
lie in is the broken one taken at its name; otherwise it puts every day in doubt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb

from telemetry_quality.core.days import DayWindow, day_window
from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_DATE_IN_NAME = re.compile(r"(?<!\d)(\d{4})[-_/]?(?:month=)?(\d{2})[-_/]?(?:day=)?(\d{2})(?!\d)")
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """One file as its footer describes it.

    Attributes:
        first: Its earliest event, None where the footer keeps no statistics: it may hold any day.
        last: Its latest event.
        columns: Names of its columns, those of its hive folders included.
        broken: Why it cannot be read, None where it can.
    """

    path: str
    rows: int = 0
    first: datetime | None = None
    last: datetime | None = None
    columns: frozenset[str] = frozenset()
    broken: str | None = None

    def may_hold(self, window: DayWindow) -> bool:
        """Whether an event of ``window`` may be in here."""
        if not self.rows:
            return False
        return self.first is None or self.last is None or (self.first < window.end and self.last >= window.start)

    @property
    def day_in_name(self) -> date | None:
        """The day its path names, as in ``day=2013-02-08/`` or ``events-20130208.parquet``."""
        for year, month, day in reversed(_DATE_IN_NAME.findall(self.path.replace("year=", ""))):
            try:
                return date(int(year), int(month), int(day))
            except ValueError:
                continue
        return None


@dataclass(frozen=True)
class ParquetIndex:
    """The files of a source, read anew for every reading: files come and go."""

    files: tuple[ParquetFile, ...]
    zone: ZoneInfo

    def split(self, window: DayWindow) -> tuple[list[ParquetFile], list[ParquetFile]]:
        """The readable files that may hold events of ``window``, and the broken ones that may."""
        readable = [file for file in self.files if file.broken is None and file.may_hold(window)]
        naming_zone = self._naming_zone()
        broken = [file for file in self.files if file.broken is not None and _in_doubt(file, window, naming_zone)]
        return readable, broken

    def _naming_zone(self) -> ZoneInfo | None:
        """The zone in which every readable file's events lie within the day its name bears, if there is one."""
        dated = [file for file in self.files if file.broken is None and file.rows]
        return next((zone for zone in (self.zone, _UTC) if dated and all(_lives_up(f, zone) for f in dated)), None)


def _lives_up(file: ParquetFile, zone: ZoneInfo) -> bool:
    if file.day_in_name is None or file.first is None or file.last is None:
        return False
    window = day_window(file.day_in_name, zone)
    return window.start <= file.first and file.last < window.end


def _in_doubt(file: ParquetFile, window: DayWindow, naming_zone: ZoneInfo | None) -> bool:
    if naming_zone is None or file.day_in_name is None:
        return True
    named = day_window(file.day_in_name, naming_zone)
    return named.start < window.end and named.end > window.start


def index_files(connection: duckdb.DuckDBPyConnection, pattern: str, time_column: str, zone: ZoneInfo) -> ParquetIndex:
    """Read the footers of all files that match ``pattern``.

    Raises:
        SourceError: ``NO_FILES`` where none matches.
    """
    paths = [path for (path,) in connection.execute("SELECT file FROM glob(?) ORDER BY file", [pattern]).fetchall()]
    if not paths:
        raise SourceError(
            "NO_FILES", f"At least one Parquet file is required, but none matches {pattern}; check the path."
        )
    try:
        files = _read_footers(connection, paths, time_column)
    except duckdb.Error:
        # One bad footer fails the query for all: ask one by one, to know which.
        files = [_read_footer(connection, path, time_column) for path in paths]
    return ParquetIndex(tuple(files), zone)


def _read_footer(connection: duckdb.DuckDBPyConnection, path: str, time_column: str) -> ParquetFile:
    try:
        return _read_footers(connection, [path], time_column)[0]
    except duckdb.Error as error:
        return ParquetFile(path, broken=str(error).splitlines()[0])


def _read_footers(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], time_column: str) -> list[ParquetFile]:
    columns: dict[str, set[str]] = {path: _hive_columns(path) for path in paths}
    for path, name in connection.execute("SELECT file_name, name FROM parquet_schema(?)", [paths]).fetchall():
        columns[path].add(name)
    rows = dict(connection.execute("SELECT file_name, num_rows FROM parquet_file_metadata(?)", [paths]).fetchall())
    # Text and integers sort as their instants do only sometimes: statistics are used for true instants alone.
    spans = {
        path: (first, last)
        for path, first, last, known, groups in connection.execute(
            "SELECT file_name, min(epoch_us(TRY_CAST(stats_min_value AS TIMESTAMPTZ))),"
            " max(epoch_us(TRY_CAST(stats_max_value AS TIMESTAMPTZ))),"
            " count(TRY_CAST(stats_min_value AS TIMESTAMPTZ)), count(*)"
            " FROM parquet_metadata(?) WHERE path_in_schema = ? AND type IN ('INT64', 'INT96') GROUP BY file_name",
            [paths, time_column],
        ).fetchall()
        if known == groups
    }
    return [_file(path, rows.get(path, 0), spans.get(path), columns[path], time_column) for path in paths]


def _file(path: str, rows: int, span: tuple[int, int] | None, columns: Iterable[str], time_column: str) -> ParquetFile:
    names = frozenset(columns)
    broken = None if time_column in names else f"it has no column {time_column!r}"
    first, last = map(_instant, span) if span else (None, None)
    return ParquetFile(path, rows, first, last, names, broken)


def _instant(microseconds: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def _hive_columns(path: str) -> set[str]:
    return {part.partition("=")[0] for part in path.split("/")[:-1] if "=" in part}


def missing_column(files: Iterable[ParquetFile], needed: Mapping[str, str]) -> SourceError | None:
    """The error for the first file that lacks a column which plays a role, None where all have all.

    Without this, a file that lost its ``is_error`` column would read as a day without errors.
    """
    for file in files:
        for column, role in needed.items():
            if column not in file.columns:
                return SourceError(
                    "COLUMN_MISSING",
                    f"{role} requires the column {column!r}, but {file.path} does not have it; "
                    "write the file again or change the role.",
                )
    return None
