"""What all connectors share: a connector only says how to open a session and which table holds the events.

Everything that decides what a day is stands here and below, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.query import runs_of
from telemetry_quality.sources.reading import answer_days, count_run, count_versions, read_run
from telemetry_quality.sources.signals import listed_signals, read_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date

    from sqlalchemy import Select

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.events import DayCounts, DayReading, EventSchema, UnreadableDay
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.columns import Column
    from telemetry_quality.sources.query import EventTable, Run
    from telemetry_quality.sources.reading import EventTables


class Session(Protocol):
    """An open, read-only connection whose errors are SourceErrors."""

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
    """A table of which far more is read than a day.

    Attributes:
        relation: The table or partition.
        create_index: The statement that would end it, None where the time is no column of the table itself.
    """

    relation: str
    create_index: str | None


S = TypeVar("S", bound=Session)


class SqlSource(ABC, Generic[S]):
    """An EventSource; see there for what its methods promise."""

    maximum_days: ClassVar[int | None] = None
    """How many days one scan may hold, where that is faster than all of them in one."""

    reads_ahead: ClassVar[bool] = False
    """Whether ``interrupt`` works; see EventSource."""

    def __init__(self, schema: EventSchema, catalogue: SignalCatalogue | None, salt: str) -> None:
        self.schema = schema
        self._catalogue = catalogue
        self._salt = salt

    @abstractmethod
    def _session(self) -> AbstractContextManager[S]:
        """Open the source."""

    def _reading(self, session: S) -> AbstractContextManager[None]:
        """What the queries of one run are asked within: on some engines, one view of all events."""
        del session
        return nullcontext()

    @abstractmethod
    def _tables(self, session: S) -> EventTables:
        """What finds the table that holds a run's events."""

    @abstractmethod
    def columns(self) -> dict[str, Column]:
        """The columns of the events."""

    def interrupt(self) -> None:
        """End what another thread is reading; see EventSource."""

    def read_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayReading | UnreadableDay]:
        """One answer per window; see EventSource."""
        with self._session() as session:
            tables = self._tables(session)

            def ask(run: Run) -> Mapping[date, DayReading]:
                with self._reading(session):
                    return read_run(session.execute, tables, run, sample_size)

            yield from (answer for _, answer in answer_days(windows, ask, self.maximum_days))

    def count_days(self, windows: Sequence[DayWindow]) -> dict[date, int | UnreadableDay]:
        """Events per day; see EventSource."""
        with self._session() as session:
            tables = self._tables(session)

            def ask(run: Run) -> Mapping[date, int]:
                events = tables.of(run)
                if events is None:
                    return {window.day: 0 for window in run.windows}
                with self._reading(session):
                    return count_run(session.execute, events, run)

            return dict(answer_days(windows, ask, self.maximum_days))

    def count_day(self, window: DayWindow) -> DayCounts:
        """The counts of a day, for whoever wants nothing else: neither hours nor a sample.

        Raises:
            SourceError: If the day cannot be read.
        """
        run = next(runs_of([window]), None)
        if run is None:
            raise SourceError(
                "DAY_SKIPPED", f"The time zone skipped {window.day}: it has no instants; ask for another."
            )
        with self._session() as session:
            tables = self._tables(session)
            with self._reading(session):
                return count_versions(session.execute, tables.of(run), run, self.schema)

    def frequent_values(self, name: str, window: DayWindow, limit: int) -> list[tuple[str | None, int]]:
        """The most frequent values of a column on a day, and how often each occurs."""
        (run,) = runs_of([window])
        with self._session() as session:
            events = self._tables(session).of(run)
            if events is None:
                return []
            return [(value, count) for value, count in session.execute(events.values_query(name, run, limit))]

    def full_scan(self, window: DayWindow) -> FullScan | None:
        """What reading a day would read whole; None where nothing is, or where the engine does not say."""
        del window
        return None

    def holds_up_writers(self) -> str | None:
        """Why reading makes writers wait, as a sentence with its remedy; None where it does not."""
        return None

    def read_signals(self) -> frozenset[str] | None:
        """The signal catalogue; see EventSource."""
        if self._catalogue is None or self._catalogue.table is None:
            return listed_signals(self._catalogue)
        with self._session() as session:
            relation = self._catalogue_relation(session, self._catalogue.table)
            return read_catalogue(session.execute, relation, self._catalogue)

    def _catalogue_relation(self, session: S, table: str) -> str:
        """The relation that lists the signals."""
        del session
        return table


class TableSource(SqlSource[S]):
    """Events in one table or view of a database."""

    def __init__(self, table: str, schema: EventSchema, catalogue: SignalCatalogue | None, salt: str) -> None:
        super().__init__(schema, catalogue, salt)
        self._table = table

    def columns(self) -> dict[str, Column]:
        """The columns of the table."""
        with self._session() as session:
            return session.columns_of(self._table)

    def _tables(self, session: S) -> EventTables:
        return _OneTable(session.event_table(self._table, self.schema, self._salt))


@dataclass(frozen=True, slots=True)
class _OneTable:
    """All events of a source, whenever they happened or arrived."""

    events: EventTable

    @property
    def schema(self) -> EventSchema:
        return self.events.schema

    def of(self, _: Run) -> EventTable:
        return self.events

    def observed_in(self, _: Run) -> EventTable:
        return self.events
