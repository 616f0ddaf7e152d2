"""What all connectors share: a connector only knows how to open a session and which table holds the events.

Everything that decides what a day is happens once, here and in the modules that this one uses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from sqlalchemy import column, literal, select, table

from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.limits import TIME_LIMIT
from telemetry_quality.sources.query import DayRange, day_ranges_of
from telemetry_quality.sources.scanning import (
    answer_days,
    count_day_range,
    count_versions,
    scan_day_range,
    scan_hour_range,
)
from telemetry_quality.sources.signals import listed_signals, read_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date

    from sqlalchemy import Select

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.events import DayAggregates, DayCounts, DayScan
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.columns import Column
    from telemetry_quality.sources.limits import QueryTime
    from telemetry_quality.sources.query import EventTable
    from telemetry_quality.sources.scanning import EventTables


class EngineClient(Protocol):
    """An open, read-only connection whose errors are SourceErrors.

    Attributes:
        time: How long its queries may take.
    """

    time: QueryTime

    def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a query, within the time limit."""
        ...

    def columns_of(self, relation: str) -> dict[str, Column]:
        """The columns of a table or view."""
        ...

    def event_table(self, relation: str, schema: EventSchema, salt: str) -> EventTable:
        """A table or view whose columns can play their roles."""
        ...


@dataclass(frozen=True, slots=True)
class FullScan:
    """A table of which far more than the day is read.

    Attributes:
        relation: The table or partition.
        create_index: The statement that would fix it; None if the time is not a column of the table itself.
    """

    relation: str
    create_index: str | None


@dataclass(frozen=True, slots=True)
class TimesFound:
    """What the times of some events look like.

    Attributes:
        role: ``occurred_at`` or ``observed_at``.
        events: How many events were looked at.
        readable: How many of them have a time that can be read.
        first: The earliest time; None if none is readable, or if it is beyond the years 1 to 9999.
        last: The latest time.
    """

    role: str
    events: int
    readable: int
    first: datetime | None
    last: datetime | None

    @classmethod
    def of(cls, role: str, per_second: int, events: int, readable: int, *ticks: int | None) -> TimesFound:
        """From ticks since 1970, ``per_second`` of which make a second."""
        first, last = (None if tick is None else _instant(tick, per_second) for tick in ticks)
        return cls(role, events, readable, first, last)


def _instant(ticks: int, per_second: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks * 10**6 // per_second)
    except OverflowError:
        return None


S = TypeVar("S", bound=EngineClient)
Answer = TypeVar("Answer")

_OF_THE_SERVER = (
    "information_schema",
    "INFORMATION_SCHEMA",
    "pg_catalog",
    "system",
    "mysql",
    "performance_schema",
    "sys",
)
_BY_DEFAULT = ("main", "public", "default")
"""Schemas whose tables need no schema before their names."""


class SqlSource(ABC, Generic[S]):
    """An EventSource; see there for what the methods promise."""

    maximum_days: ClassVar[int | None] = None
    """How many days one scan may hold, where that is faster than scanning all days at once."""

    can_prefetch: ClassVar[bool] = False
    """Whether ``interrupt`` works; see EventSource."""

    def __init__(self, schema: EventSchema, catalogue: SignalCatalogue | None, salt: str) -> None:
        self.schema = schema
        self._catalogue = catalogue
        self._salt = salt

    @abstractmethod
    def _client(self) -> AbstractContextManager[S]:
        """Open the source."""

    def _scanning(self, client: S) -> AbstractContextManager[None]:
        """The context in which the queries of one day range run: on some engines, at one point in time."""
        del client
        return nullcontext()

    def _settled(
        self, client: S, tables: EventTables, read: Callable[[DayRange], Answer], day_range: DayRange
    ) -> Answer:
        """What ``read`` answers of events that did not change meanwhile."""
        del client, tables
        return read(day_range)

    @abstractmethod
    def _tables(self, client: S) -> EventTables:
        """What finds the table that holds the events of a day range."""

    def _tables_of_hours(self, client: S) -> EventTables:
        """The same for a few hours, whose arrivals are not asked for."""
        return self._tables(client)

    @abstractmethod
    def columns(self) -> dict[str, Column]:
        """The columns of the events by name, and the expressions that play roles by their text.

        Raises:
            SourceError: If a role cannot be played.
        """

    def interrupt(self) -> None:
        """Stop what another thread is reading; see EventSource."""

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        """One answer per window; see EventSource."""
        with self._client() as client:
            tables = self._tables(client)

            def scan(day_range: DayRange) -> Mapping[date, DayScan]:
                with self._scanning(client):
                    return scan_day_range(client.execute, tables, day_range, sample_size)

            ask = partial(self._settled, client, tables, scan)
            yield from (answer for _, answer in answer_days(windows, ask, self.maximum_days))

    def scan_hours(self, window: DayWindow) -> DayAggregates | UnreadableDay:
        """The aggregates of some hours of a day; see EventSource."""
        began = monotonic()
        with self._client() as client, client.time.of_a_look(began):
            tables = self._tables_of_hours(client)

            def scan(day_range: DayRange) -> Mapping[date, DayScan]:
                with self._scanning(client):
                    return scan_hour_range(client.execute, tables, day_range)

            try:
                return self._settled(client, tables, scan, DayRange((window,)))[window.day].aggregates
            except SourceUnavailableError:
                raise
            except SourceError as error:
                if error.reason_code == TIME_LIMIT:
                    raise
                return UnreadableDay(window.day, error.reason_code, str(error))

    def count_days(self, windows: Sequence[DayWindow]) -> dict[date, int | UnreadableDay]:
        """Events per day; see EventSource."""
        with self._client() as client:
            tables = self._tables(client)

            def count(day_range: DayRange) -> Mapping[date, int]:
                events = tables.of(day_range)
                if events is None:
                    return {window.day: 0 for window in day_range.windows}
                with self._scanning(client):
                    return count_day_range(client.execute, events, day_range)

            ask = partial(self._settled, client, tables, count)
            return dict(answer_days(windows, ask, self.maximum_days))

    def count_day(self, window: DayWindow) -> DayCounts:
        """The counts of a day, for callers that need neither hours nor a sample.

        Raises:
            SourceError: If the day cannot be read.
        """
        day_range = next(day_ranges_of([window]), None)
        if day_range is None:
            raise SourceError(
                "DAY_SKIPPED", f"The time zone skipped {window.day}: it has no instants; ask for another day."
            )
        with self._client() as client:
            tables = self._tables(client)

            def count(day_range: DayRange) -> DayCounts:
                with self._scanning(client):
                    return count_versions(client.execute, tables.of(day_range), day_range, self.schema)

            return self._settled(client, tables, count, day_range)

    def frequent_values(self, name: str, window: DayWindow, limit: int) -> list[tuple[str | None, int]]:
        """The most frequent values of a column on a day, and how often each occurs."""
        (day_range,) = day_ranges_of([window])
        with self._client() as client:
            tables = self._tables(client)

            def find(day_range: DayRange) -> list[tuple[str | None, int]]:
                events = tables.of(day_range)
                if events is None:
                    return []
                return [(value, count) for value, count in client.execute(events.values_query(name, day_range, limit))]

            return self._settled(client, tables, find, day_range)

    def look_at_times(self, rows: int) -> list[TimesFound]:
        """What the times of some events look like, the latest ones where the source knows which they are.

        Args:
            rows: How many events to look at.

        Raises:
            SourceError: If they cannot be read.
        """
        with self._client() as client:
            events = self._some_events(client)
            roles = {"occurred_at": events.schema.occurred_at, "observed_at": events.schema.observed_at}
            return [
                TimesFound.of(role, events.ticks(text)[1], *client.execute(events.times_query(text, rows))[0])
                for role, text in roles.items()
                if text is not None
            ]

    def look_at_values(self, rows: int) -> tuple[list[Column], Sequence[Sequence[str | None]]]:
        """The plain columns of the source, and their values in some events as texts, the long ones clipped.

        Raises:
            SourceError: If they cannot be read.
        """
        with self._client() as client:
            events = self._some_events(client)
            plain = [column for column in events.relation.c if events.columns[column.name].is_plain]
            texts = {f"value_{place}": events.clipped(column.name) for place, column in enumerate(plain)}
            found = client.execute(events.events_where(**texts).limit(rows)) if texts else []
            return [events.columns[column.name] for column in plain], found

    def table_names(self) -> list[str]:
        """The tables and views of the database; none where a source has no tables."""
        return []

    @abstractmethod
    def _some_events(self, client: S) -> EventTable:
        """A table of some events."""

    def full_scan(self, window: DayWindow) -> FullScan | None:
        """What reading a day would scan in full; None if nothing, or if the engine does not say."""
        del window
        return None

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        del window
        return None

    def holds_up_writers(self) -> str | None:
        """Why reading makes writers wait, as a sentence with its remedy; None if it does not."""
        return None

    def read_signals(self) -> frozenset[str] | None:
        """The signal catalogue; see EventSource."""
        if self._catalogue is None or self._catalogue.table is None:
            return listed_signals(self._catalogue)
        with self._client() as client:
            relation = self._catalogue_relation(client, self._catalogue.table)
            return read_catalogue(client.execute, relation, self._catalogue)

    def _catalogue_relation(self, client: S, table: str) -> str:
        """The relation that lists the signals."""
        del client
        return table


class TableSource(SqlSource[S]):
    """Events in one table or view of a database."""

    def __init__(self, table: str, schema: EventSchema, catalogue: SignalCatalogue | None, salt: str) -> None:
        super().__init__(schema, catalogue, salt)
        self._table = table

    def columns(self) -> dict[str, Column]:
        """The columns of the table, and the expressions that play roles."""
        with self._client() as client:
            return dict(client.event_table(self._table, self.schema, self._salt).columns)

    def table_names(self) -> list[str]:
        """The tables and views of the database."""
        tables = table("tables", column("table_schema"), column("table_name"), schema="information_schema")
        found = select(tables.c.table_schema, tables.c.table_name).where(
            tables.c.table_schema.not_in(map(literal, _OF_THE_SERVER))
        )
        with self._client() as client, self._scanning(client):
            names = client.execute(found.order_by(tables.c.table_schema, tables.c.table_name))
        return [name if schema in _BY_DEFAULT else f"{schema}.{name}" for schema, name in names]

    def _some_events(self, client: S) -> EventTable:
        return client.event_table(self._table, self.schema, self._salt)

    def _tables(self, client: S) -> EventTables:
        return _OneTable(client.event_table(self._table, self.schema, self._salt))


@dataclass(frozen=True, slots=True)
class _OneTable:
    """All events of a source, whenever they happened or arrived."""

    events: EventTable
    source_version: str | None = None

    @property
    def schema(self) -> EventSchema:
        return self.events.schema

    def of(self, _: DayRange) -> EventTable:
        return self.events

    def observed_in(self, _: DayRange) -> EventTable:
        return self.events
