"""Looks at events before there are settings: where they are, what their columns hold and which days have any."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from telemetry_quality.assembly import open_source, utc_now
from telemetry_quality.commands.proposals import Sight
from telemetry_quality.connectors import OBJECT_STORES, connector_names
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.errors import SettingsError, SourceError
from telemetry_quality.settings import SourceSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry_quality.sources.sql_source import SqlSource

ROWS = 1000
"""How many events are looked at."""

LONGEST_HISTORY_DAYS = 400
"""How far back from the last event the first day is sought."""

LEAST_SHARE_OF_A_DAY = 0.01
"""A day with a smaller share of the events of an ordinary day holds stray events: the stream did not begin with it."""

_NOTHING: dict[str, Any] = {
    "occurred_at": "CAST('1970-01-01' AS TEXT)",
    "event_name": "CAST('?' AS TEXT)",
    "service_version": "NULL",
    "is_error": "NULL",
}
"""Roles that need no column."""

_ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
}
_COMPRESSED = (".gz", ".zst")
_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Place:
    """Where events are.

    Attributes:
        keys: The keys of the connector, as the settings file has them, without a password.
        secret_url: The URL with the password, if it has one.
    """

    keys: dict[str, str]
    secret_url: str | None = None

    def anchored(self, folder: Path) -> Place:
        """The same place as a settings file in another folder names it."""
        if folder.resolve() == Path.cwd():
            return self
        keys = dict(self.keys)
        if "path" in keys and "://" not in keys["path"]:
            keys["path"] = os.path.abspath(keys["path"])  # noqa: PTH100 - a pattern is no path to resolve
        if keys.get("url", "").startswith(_SQLITE):
            keys["url"] = _SQLITE + os.path.abspath(keys["url"].removeprefix(_SQLITE))  # noqa: PTH100
        return replace(self, keys=keys)

    def opened(self, roles: Mapping[str, Any], **more: Any) -> SqlSource[Any]:
        """The source with these roles."""
        return open_source("events", self.settings(roles, **more))

    def settings(self, roles: Mapping[str, Any], **more: Any) -> SourceSettings:
        """The settings of the source with these roles."""
        secret = {} if self.secret_url is None else {"url": self.secret_url}
        return SourceSettings.model_validate(
            {"first_day": date(1970, 1, 1), "roles": roles, **self.keys, **secret, **more}
        )


def place_of(location: str, table: str | None) -> Place:
    """The place that a path or URL names.

    Raises:
        SettingsError: If there is nothing, or if nothing can be told from it.
    """
    protocol, separator, _ = location.partition("://")
    if separator and protocol not in OBJECT_STORES:
        return _with_table(_database(location, protocol), table)
    keys = {"connector": "parquet", "path": location} if separator else _on_disk(Path(location))
    return _with_table(Place(keys), table) if keys["connector"] in {"duckdb", "database"} else Place(keys)


def _database(location: str, protocol: str) -> Place:
    is_clickhouse = protocol in {"http", "https", "clickhouse"}
    url = location.replace("clickhouse://", "http://", 1) if is_clickhouse else location
    parts = urlsplit(url)
    without = url
    if parts.password is not None:
        user = f"{parts.username}@" if parts.username else ""
        without = urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2]))
    keys = {"connector": "clickhouse" if is_clickhouse else "database", "url": without}
    return Place(keys, None if without == url else url)


def _on_disk(path: Path) -> dict[str, str]:
    if not path.exists() and not any(letter in str(path) for letter in "*?["):
        raise SettingsError(
            f"--from requires a file, a folder, a pattern or a URL, but there is no {path}; correct it."
        )
    if path.is_file():
        with path.open("rb") as file:
            beginning = file.read(16)
        if beginning.startswith(b"SQLite format 3"):
            return {"connector": "database", "url": f"{_SQLITE}{path}"}
        if beginning[8:12] == b"DUCK":
            return {"connector": "duckdb", "path": str(path)}
    if (path / "_delta_log").is_dir():
        return {"connector": "delta", "path": str(path)}
    if (path / "metadata").is_dir() and (path / "data").is_dir():
        return {"connector": "iceberg", "path": str(path)}
    return {"connector": _format_of(path), "path": str(path)}


def _format_of(path: Path) -> str:
    """The connector that reads most of the files at ``path``."""
    files = [path.name] if not path.is_dir() else [name for _, _, names in os.walk(path) for name in names]
    kinds = [kind for name in files if (kind := _ENDINGS.get(_ending(name))) is not None]
    if not kinds:
        raise SettingsError(
            f"--from requires Parquet, JSON or CSV files, a DuckDB or SQLite file, or a table of a lake, "
            f"but {path} is none of them; name a file."
        )
    kind = max(kinds, key=kinds.count)
    if kind not in connector_names():
        raise SettingsError(f"--from requires files that a connector reads, but there is none for {kind}; use Parquet.")
    return kind


def _ending(name: str) -> str:
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    return Path(name).suffix.lower()


def _with_table(place: Place, table: str | None) -> Place:
    if table is None:
        names = Place({**place.keys, "table": "?"}, place.secret_url).opened(_NOTHING).table_names()
        if len(names) != 1:
            found = ", ".join(names[:20]) or "none"
            raise SettingsError(f"--table must name the table or view of the events; there are: {found}.")
        (table,) = names
    return Place({**place.keys, "table": table}, place.secret_url)


@dataclass(frozen=True)
class Look:
    """What a place holds.

    Attributes:
        columns: The names of all columns.
        sights: The plain columns and some values of each.
        events: How many events were looked at.
    """

    columns: frozenset[str]
    sights: list[Sight]
    events: int


def look_at(place: Place) -> Look:
    """Look at some events.

    Raises:
        SourceError: If they cannot be read.
    """
    source = place.opened(_NOTHING)
    columns, rows = source.look_at_values(ROWS)
    values = zip(*rows, strict=True) if rows else ([] for _ in columns)
    names = frozenset(source.columns()) - {str(text) for text in _NOTHING.values()}
    return Look(names, [Sight(column, list(found)) for column, found in zip(columns, values, strict=True)], len(rows))


@dataclass(frozen=True)
class Days:
    """The first and the last day that have events.

    Attributes:
        first: None if no day has any.
        is_cut: Whether events go back further than was sought.
    """

    first: date | None = None
    last: date | None = None
    is_cut: bool = False
    trouble: str = field(default="", compare=False)


def days_with_events(place: Place, roles: Mapping[str, Any], **more: Any) -> Days:
    """The days of the stream, by counting the days of more than a year."""
    try:
        return _days(place, roles, **more)
    except SourceError as error:
        return Days(trouble=str(error))


def _days(place: Place, roles: Mapping[str, Any], **more: Any) -> Days:
    settings = place.settings(roles, **more)
    source = open_source("events", settings)
    last = utc_now().date()
    counts = _counts(source, settings, last)
    seen = next((found for found in source.look_at_times(ROWS) if found.role == "occurred_at"), None)
    if not counts and seen is not None and seen.first is not None:
        # An old data set: some of its events are known, and the others are sought around them.
        last = min(seen.first.date() + timedelta(days=LONGEST_HISTORY_DAYS // 2), last)
        counts = _counts(source, settings, last)
    if not counts:
        return Days()
    least = LEAST_SHARE_OF_A_DAY * median(counts.values())
    usual = sorted(day for day, count in counts.items() if count >= least)
    return Days(usual[0], max(counts), is_cut=usual[0] == last - timedelta(days=LONGEST_HISTORY_DAYS - 1))


def _counts(source: SqlSource[Any], settings: SourceSettings, last: date) -> dict[date, int]:
    calendar = settings.calendar()
    windows = [calendar.window(last - timedelta(days=back)) for back in range(LONGEST_HISTORY_DAYS - 1, -1, -1)]
    found = source.count_days(windows)
    return {day: count for day, count in found.items() if not isinstance(count, UnreadableDay) and count}
