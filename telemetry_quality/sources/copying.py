"""Reads a SQLite table in batches, so that no writer has to wait for a long read.

While a read lasts, SQLite cannot restart its write-ahead log, and without such a log nobody can commit. The table is
therefore read once, in batches of rows with a short transaction each. The columns needed of a day range's events are
copied to a temporary table, and all queries run on that copy.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import CreateTableAs, func, insert, or_, select
from sqlalchemy.schema import DropTable

from telemetry_quality.errors import SourceUnavailableError
from telemetry_quality.sources.columns import column_roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Executable, Table, TableClause

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.query import DayRange, EventTable

BATCH_SECONDS = 0.1
"""Target duration of a batch: meanwhile the log grows, or writers wait if there is no log."""

REST_SECONDS = 0.05
"""Reading time after which a pause is due; batches of other days' rows are shorter and share one pause."""

FIRST_BATCH_ROWS, MOST_BATCH_ROWS = 5_000, 50_000
"""Rows of the first batch, which is timed to size the next, and of any batch, as other days' rows read much faster."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What must be known about a table to read it in batches.

    Attributes:
        relation: The table with its columns and its row ids.
        rowid: The name of the row id; None if there is none, as in a view, which is read in one piece.
        indexed: The columns by which rows are found without a full scan.
    """

    relation: TableClause
    rowid: str | None
    indexed: frozenset[str]


class EngineClient(Protocol):
    """An open file that commits after every statement and can write only to temporary tables."""

    def execute(self, query: Executable, spent_seconds: float = 0) -> Sequence[Sequence[Any]]:
        """All rows of a query, within the remaining time limit."""
        ...

    def schema_version(self) -> int:
        """A number that changes whenever a table is altered or rows are renumbered."""
        ...


class BatchedTable:
    """A table of events that is read in batches; the last copied day range is kept until another is requested."""

    def __init__(self, client: EngineClient, events: EventTable, shape: Shape, pause_seconds: float) -> None:
        self._client = client
        self._events = replace(events, relation=shape.relation)
        self._shape = shape
        self._pause_seconds = pause_seconds
        self._day_range: DayRange | None = None
        self._copy: Table | None = None

    @property
    def schema(self) -> EventSchema:
        """Which column plays which role."""
        return self._events.schema

    @property
    def source_version(self) -> None:
        """A database's table has no versions."""
        return

    @property
    def is_batched(self) -> bool:
        """Whether the table has row ids to batch by."""
        return self._shape.rowid is not None

    def of(self, day_range: DayRange) -> EventTable:
        """A copy of the events that happened or arrived in ``day_range``.

        Raises:
            SourceError: If they cannot be read, or not within the time limit.
        """
        if self._copy is None or day_range != self._day_range:
            self._day_range = None
            self._copy = self._empty_copy()
            self._fill(self._copy, day_range)
            self._day_range = day_range
        # Without arrivals the copy holds only events of the day range, so queries need not check that again.
        is_of_range = self.schema.observed_at is None
        extent = (day_range.start, day_range.end - timedelta(microseconds=1)) if is_of_range else None
        return replace(self._events, relation=self._copy, extent=extent)

    def observed_in(self, day_range: DayRange) -> EventTable:
        """The same copy."""
        return self.of(day_range)

    def counts(self, day_range: DayRange) -> dict[int, int]:
        """Events by day index; nothing is copied."""
        counts: Counter[int] = Counter()
        for part, spent_seconds in self._batches(day_range, [self.schema.occurred_at]):
            counts.update(dict(map(tuple, self._client.execute(part.count_query(day_range), spent_seconds))))
        return counts

    def _empty_copy(self) -> Table:
        if self._copy is not None:
            self._client.execute(DropTable(self._copy))
        # Selected from the columns themselves, so that values compare as they do in the table. The copy must
        # have another name, because SQLite looks in the temporary schema first.
        nothing = select(*(self._shape.relation.c[name] for name in self._roles())).limit(0)
        creation = CreateTableAs(nothing, f"copy of {self._shape.relation.name}", schema="temp")
        self._client.execute(creation)
        return creation.table

    def _fill(self, copy: Table, day_range: DayRange) -> None:
        times = [name for name in (self.schema.occurred_at, self.schema.observed_at) if name is not None]
        names = self._roles()
        for part, spent_seconds in self._batches(day_range, times):
            within = or_(*(part.within(day_range, name) for name in times))
            rows = select(*(part.relation.c[name] for name in names)).where(within)
            self._client.execute(insert(copy).from_select(names, rows), spent_seconds)

    def _roles(self) -> list[str]:
        columns = dict.fromkeys(self._shape.relation.c.keys())
        return list(dict.fromkeys(name for _, name in column_roles(self.schema, columns)))

    def _batches(self, day_range: DayRange, times: Iterable[str]) -> Iterator[tuple[EventTable, float]]:
        """Batches that together hold each event with one of ``times`` in ``day_range`` once, and the seconds spent.

        Rows added meanwhile are in no batch: together the batches are the table as it was at the start, except for rows
        that were changed or deleted.
        """
        if self._shape.rowid is None:
            yield self._events, 0
            return
        relation, rowid = self._shape.relation, self._shape.relation.c[self._shape.rowid]
        version = self._client.schema_version()
        first, last = self._bounds(day_range, times)
        rows, spent_seconds, unrested_seconds = FIRST_BATCH_ROWS, 0.0, 0.0
        while first is not None and first <= last:
            begun = perf_counter()
            end = self._slice_end(first, last, rows, spent_seconds)
            if end is None:
                break
            part = select(*relation.c).where(rowid.between(first, end)).subquery("batch_of_events")
            yield replace(self._events, relation=part), spent_seconds
            seconds = perf_counter() - begun
            spent_seconds += seconds
            unrested_seconds += seconds
            rows = max(1, min(MOST_BATCH_ROWS, int(rows * BATCH_SECONDS / seconds)))
            first = end + 1
            if unrested_seconds >= REST_SECONDS:
                # A commit that finds no reader restarts the log; otherwise each later commit checkpoints a little more.
                sleep(self._pause_seconds)
                unrested_seconds = 0.0
        self._require_schema(version)

    def _slice_end(self, first: int, last: int, rows: int, spent_seconds: float) -> int | None:
        """The row id of the last of at most ``rows`` rows from ``first`` to ``last``; None if there are none."""
        rowid = self._shape.relation.c[self._shape.rowid or ""]
        some = select(rowid.label("number")).where(rowid.between(first, last)).order_by(rowid).limit(rows).subquery()
        end: int | None = self._client.execute(select(func.max(some.c.number)), spent_seconds)[0][0]
        return end

    def _require_schema(self, version: int) -> None:
        if self._client.schema_version() != version:
            raise SourceUnavailableError(
                "SOURCE_CHANGED",
                f"{self._shape.relation.name} must keep its structure while it is read, but the file was vacuumed "
                "or a table altered; try again.",
            )

    def _bounds(self, day_range: DayRange, times: Iterable[str]) -> tuple[int | None, int]:
        """The lowest and the highest row id that a row with one of ``times`` in ``day_range`` may have."""
        rowid = self._shape.relation.c[self._shape.rowid or ""]
        query = select(func.min(rowid), func.max(rowid))
        if self._shape.indexed.issuperset(times):
            found = [self._client.execute(query.where(self._events.near(day_range, name)))[0] for name in times]
        else:
            found = [tuple(self._client.execute(select(function(rowid)))[0][0] for function in (func.min, func.max))]
        held = [bounds for bounds in found if bounds[0] is not None]
        return (min(low for low, _ in held), max(high for _, high in held)) if held else (None, 0)
