"""Proposals: which columns of somebody's events may play which roles, judged by their names, types and values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import expressions as exp

from telemetry_quality.settings import PRESETS
from telemetry_quality.sources.columns import ColumnKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry_quality.sources.columns import Column


@dataclass(frozen=True, slots=True)
class Sight:
    """A column, and its values in the events that were looked at, as texts; empty texts count as null."""

    column: Column
    values: Sequence[str | None]

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def words(self) -> str:
        """The name in lower-case words: ``app_version`` of ``appVersion``."""
        parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", self.name)
        return parted.lower().strip("_")

    @property
    def known(self) -> list[str]:
        """The values that are not null."""
        return [value for value in self.values if value is not None and value.strip()]

    @property
    def is_unique(self) -> bool:
        """Whether every event has a value of its own."""
        return bool(self.values) and len(set(self.known)) == len(self.values)

    @property
    def has_few_values(self) -> bool:
        """Whether values come again, as those of names and versions do."""
        different = len(set(self.known))
        return 0 < different <= max(20, len(self.known) // 5)


@dataclass(frozen=True, slots=True)
class Guess:
    """What may play a role.

    Attributes:
        text: The column or expression.
        why: Why, and what else it could be; the end of a line of the settings file.
    """

    text: str
    why: str


@dataclass(frozen=True)
class Proposal:
    """What the settings of a source may be.

    Attributes:
        preset: The name of the vendor's preset, if the columns are those of its table.
        roles: What may play each role; empty with a preset.
        settings: Further keys of the source, such as ``time_unit``.
        dimensions: Columns with few values.
        missing: A sentence for each role that nothing seems to play.
    """

    preset: str | None = None
    roles: Mapping[str, Guess] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    dimensions: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every role is played that must be."""
        return self.preset is not None or {"occurred_at", "event_name"} <= self.roles.keys()


def recognized(columns: Iterable[str]) -> str | None:
    """The preset whose vendor's table has these columns; None if they are nobody's."""
    names = set(columns)
    found = [name for name, preset in PRESETS.items() if preset.is_of(names)]
    return max(found, key=lambda name: len(PRESETS[name].marks), default=None)


def propose(columns: Iterable[str], sights: Sequence[Sight]) -> Proposal:
    """The roles that these columns may play; those that hold structs, maps and the like have no sights."""
    preset = recognized(columns)
    if preset is not None:
        return Proposal(preset, settings=PRESETS[preset].settings)
    taken: dict[str, Guess] = {}
    left = list(sights)
    for role, guess in _GUESSES.items():
        found = guess(left)
        if found is not None:
            taken[role] = found[0]
            left = [sight for sight in left if sight is not found[1]]
    unit = next((unit_of(sight) for sight in sights if sight.name == _text_of(taken, "occurred_at")), None)
    dimensions = tuple(sight.name for sight in left if sight.words in _DIMENSIONS and sight.has_few_values)
    missing = {role: words for role, words in _NOT_FOUND.items() if role not in taken}
    return Proposal(None, taken, {} if unit is None else {"time_unit": unit}, dimensions, missing)


def _text_of(guesses: Mapping[str, Guess], role: str) -> str | None:
    return guesses[role].text if role in guesses else None


_NOT_FOUND = {
    "event_id": "no column is unique and named like an id: events that agree in all roles count as duplicates",
    "occurred_at": "no column looks like the time of an event; name it",
    "event_name": "no column looks like the name of an event; name it",
    "service_version": "no column looks like a version, so missing versions are not judged; name it if there is one",
    "is_error": "no column looks like an error state, so errors are not judged; write a condition if there is one",
    "observed_at": "no column looks like the time of arrival",
}

_TIMES = (
    *("occurred_at", "event_time", "event_timestamp", "event_at", "occurred", "timestamp", "event_ts", "client_time"),
    *(
        "client_timestamp",
        "time",
        "ts",
        "datetime",
        "date_time",
        "at",
        "sent_at",
        "created_at",
        "created",
        "event_date",
    ),
    *("start_time", "started_at", "log_time", "date"),
)
_ARRIVALS = (
    *("observed_at", "received_at", "received", "arrived_at", "ingested_at", "ingestion_time", "ingest_time"),
    *("server_time", "server_received_at", "server_timestamp", "server_upload_time", "collector_tstamp"),
    *("inserted_at", "loaded_at", "processed_at", "observed_timestamp"),
)
_IDS = ("event_id", "event_uuid", "uuid", "message_id", "insert_id", "id", "guid", "record_id", "log_id", "key")
_NAMES = (
    *(
        "event_name",
        "event",
        "event_type",
        "name",
        "signal",
        "type",
        "action",
        "topic",
        "kind",
        "message_type",
        "category",
    ),
    *("logger", "service_name", "service"),
)
_VERSIONS = (
    *("service_version", "app_version", "application_version", "version", "release", "client_version", "app_release"),
    *("build_version", "version_name", "app_version_name", "sdk_version", "lib_version", "library_version"),
    *("agent_version", "firmware_version", "build", "build_number", "app_build"),
)
_DIMENSIONS = frozenset(
    ("platform", "os", "os_name", "country", "country_code", "region", "channel", "env", "environment", "device_type")
)


def _named(sights: Iterable[Sight], names: Sequence[str], fits: Callable[[Sight], bool]) -> list[Sight]:
    """The columns with one of the names that fit, in the order of the names."""
    found = [sight for sight in sights if sight.words in names and fits(sight)]
    return sorted(found, key=lambda sight: names.index(sight.words))


def _first(found: Sequence[Sight], why: str) -> tuple[Guess, Sight] | None:
    if not found:
        return None
    others = ", ".join(sight.name for sight in found[1:4])
    return Guess(found[0].name, f"guessed by {why}" + (f"; or {others}" if others else "")), found[0]


def is_time(sight: Sight) -> bool:
    """Whether a column's values are instants."""
    if sight.column.kind is ColumnKind.INSTANT:
        return True
    if sight.column.kind is ColumnKind.INTEGER:
        return unit_of(sight) is not None
    return sight.column.kind is ColumnKind.TEXT and bool(sight.known) and all(map(_is_iso, sight.known[:100]))


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return False
    return not text.strip().isdigit()


_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_SECOND, _LAST_SECOND = 946_684_800, 4_102_444_800
"""The years 2000 to 2099, within which whole numbers count in one unit only."""


def unit_of(sight: Sight) -> str | None:
    """The unit in which whole numbers count from 1970, if they are times of this century."""
    if sight.column.kind is not ColumnKind.INTEGER or not sight.known:
        return None
    middle = median(map(int, sight.known))
    return next((unit for unit, per in _UNITS.items() if _FIRST_SECOND * per <= middle < _LAST_SECOND * per), None)


def _time(sights: Sequence[Sight]) -> tuple[Guess, Sight] | None:
    found = _named(sights, _TIMES, is_time)
    return _first(found or [sight for sight in sights if is_time(sight) and sight.words not in _ARRIVALS], "its values")


def _arrival(sights: Sequence[Sight]) -> tuple[Guess, Sight] | None:
    return _first(_named(sights, _ARRIVALS, is_time), "its name")


def _id(sights: Sequence[Sight]) -> tuple[Guess, Sight] | None:
    return _first(_named(sights, _IDS, lambda sight: sight.is_unique), "its name and unique values")


def _name(sights: Sequence[Sight]) -> tuple[Guess, Sight] | None:
    is_text = lambda sight: sight.column.kind is ColumnKind.TEXT and sight.has_few_values  # noqa: E731
    return _first(_named(sights, _NAMES, is_text), "its name")


def _version(sights: Sequence[Sight]) -> tuple[Guess, Sight] | None:
    return _first(_named(sights, _VERSIONS, lambda sight: sight.has_few_values or not sight.known), "its name")


_LEVELS = ("error", "fatal", "critical", "severe", "emergency", "alert", "panic", "crash")


def _error(sights: Sequence[Sight]) -> tuple[Guess, Sight] | None:
    for sight in sights:
        if (text := _condition(sight)) is not None:
            return Guess(text, "guessed by its name and values"), sight
    return None


def _condition(sight: Sight) -> str | None:
    """What says that an event is an error, judged by one column; None if it says nothing."""
    kind, words, name = sight.column.kind, sight.words, quoted(sight.name)
    is_truth = kind is ColumnKind.BOOLEAN or (kind is ColumnKind.INTEGER and set(sight.known) <= {"0", "1"})
    if is_truth and words in {"is_error", "error", "has_error", "is_failed", "failed", "is_crash", "crashed"}:
        return sight.name
    if kind is ColumnKind.BOOLEAN and words in {"success", "is_success", "succeeded", "ok", "is_ok"}:
        return f"NOT {name}"
    if kind is ColumnKind.INTEGER and words in {"severity_number", "severitynumber"}:
        return f"NULLIF({name}, 0) >= 17"
    if kind is ColumnKind.INTEGER and _holds_http_states(sight):
        return f"{name} >= 500"
    if kind is ColumnKind.TEXT and words in {"level", "log_level", "severity", "severity_text", "status", "outcome"}:
        bad = sorted({value.strip().lower() for value in sight.known} & {*_LEVELS, "failed", "failure"})
        named = bad if words in {"status", "outcome"} else list(dict.fromkeys([*_LEVELS[:3], *bad]))
        return f"LOWER({name}) IN ({', '.join(map(_literal, named))})" if named else None
    return None


def _holds_http_states(sight: Sight) -> bool:
    if sight.words in {"status_code", "http_status", "http_status_code", "response_code"}:
        return True
    values = {int(value) for value in sight.known}
    return sight.words == "status" and bool(values) and min(values) >= 100 and max(values) < 600


_GUESSES: dict[str, Callable[[Sequence[Sight]], tuple[Guess, Sight] | None]] = {
    "occurred_at": _time,
    "observed_at": _arrival,
    "event_id": _id,
    "event_name": _name,
    "service_version": _version,
    "is_error": _error,
}


def quoted(name: str) -> str:
    """A column's name as expressions write it: in quotes if it is a word of SQL or none at all."""
    is_plain = re.fullmatch(r"[A-Za-z_]\w*", name) is not None and _is_column(name)
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def _is_column(name: str) -> bool:
    try:
        return isinstance(sqlglot.parse_one(f"LOWER({name})").this, exp.Column)
    except sqlglot.errors.SqlglotError:
        return False


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
