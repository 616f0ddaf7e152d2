"""Reads a SQLite table in batches, so that no writer has to wait for a long read.

While a read lasts, SQLite cannot restart its write-ahead log, and without such a log nobody can commit. The table is
therefore read once, in batches of rows with short transactions. What is needed of a day range's events is copied into
DuckDB, and all queries run there.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Column, MetaData, Table, Text, and_, func, insert, not_, or_, select
from sqlalchemy.schema import CreateTable, DropTable
from sqlalchemy.sql.elements import quoted_name

from telemetry_quality.errors import SourceUnavailableError
from telemetry_quality.sources.columns import ColumnKind
from telemetry_quality.sources.copied import TYPES, copied_columns
from telemetry_quality.sources.costs import Reading
from telemetry_quality.sources.query import DayRange
from telemetry_quality.sources.transfer import PACKED_ROWS, pack, packing_query, parameters, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from sqlalchemy import ColumnElement, Executable, Insert, TableClause

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.copied import CopiedColumns
    from telemetry_quality.sources.query import EventTable
    from telemetry_quality.sources.transfer import ReceivingClient

BATCH_SECONDS = 0.1
"""Target duration of a batch: meanwhile the log grows, or writers wait if there is no log."""

REST_SECONDS = 0.05
"""Reading time after which a pause is due; batches of other days' rows are shorter and share one pause."""

FIRST_BATCH_ROWS, MOST_BATCH_ROWS = 5_000, 50_000
"""Rows of the first batch, which is timed to size the next, and of any batch, as other days' rows read much faster."""

MOST_BATCH_CHARACTERS = 16 * 2**20
"""The length of all texts of a batch from which on the next one has fewer rows."""

COPIED_CHARACTERS = 8 * 2**20
"""The length of all texts from which on they are copied, however many batches they come from: planning takes time."""

WIDENING_ROWS = 5_000
"""How many rows without events of the day range must lie around those that an index finds."""


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
    """An open file; every statement is a transaction of its own."""

    def read(self, query: Executable, spent_seconds: float = 0) -> Sequence[Sequence[Any]]:
        """All rows of a query, within the remaining time limit."""
        ...

    def stream(self, query: Executable, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        """So many rows of a query at a time, in one transaction, within the time limit."""
        ...

    def schema_version(self) -> int:
        """A number that changes whenever a table is altered or rows are renumbered."""
        ...

    @property
    def duckdb(self) -> ReceivingClient:
        """A DuckDB that holds the copy."""
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
        columns = copied_columns(self._events)
        stored = columns.with_parsed_times()
        if self._copy is None or day_range != self._day_range:
            self._day_range = None
            self._copy = self._empty_copy(stored)
            self._fill(self._copy, columns, stored, day_range)
            self._day_range = day_range
        # Without arrivals the copy holds only events of the day range, so queries need not check that again.
        is_of_range = self.schema.observed_at is None
        extent = (day_range.start, day_range.end - timedelta(microseconds=1)) if is_of_range else None
        return stored.table(self._copy, extent=extent, finds_nulls=True, has_grouping_sets=True)

    def observed_in(self, day_range: DayRange) -> EventTable:
        """The same copy."""
        return self.of(day_range)

    def reading(self, window: DayWindow) -> Reading:
        """The rows that are read for the events of some hours, and how many of them belong to these hours."""
        near = self._near(DayRange((window,)), self.schema.occurred_at)
        if self._shape.rowid is None:
            return Reading(float("inf"))
        low, high = self._bounds(DayRange((window,)), [self.schema.occurred_at])
        rows = high - low + 1 if low is not None else 0
        is_text = self._events.columns[self.schema.occurred_at].kind is ColumnKind.TEXT
        if is_text or self.schema.occurred_at not in self._shape.indexed:
            # Texts may have any offset: an index finds their days, but not their hours.
            return Reading(rows)
        ((of_hours,),) = self._client.read(select(func.count()).select_from(self._shape.relation).where(near))
        return Reading(rows, of_hours)

    def some(self, rows: int) -> EventTable:
        """A copy of some events, whenever they happened."""
        columns = copied_columns(self._events)
        found = self._client.read(self._events.events_where(**columns.expressions).limit(rows))
        self._day_range, self._copy = None, self._empty_copy(columns)
        if found:
            batch = columns.table(unpacked(columns.columns))
            values = select(*(batch.column(name).label(name) for name in columns.columns))
            insertion = insert(self._copy).from_select(list(columns.columns), values)
            self._client.duckdb.prepared(insertion)(parameters(columns.columns, [pack(found)]))
        return columns.table(self._copy)

    def counts(self, day_range: DayRange) -> dict[int, int]:
        """Events by day index; only their times are copied, a batch at a time."""
        counts: Counter[int] = Counter()
        times = copied_columns(self._events).only(self.schema.occurred_at)
        count = self._client.duckdb.prepared(times.table(unpacked(times.columns)).count_query(day_range))
        for packed in _gathered(self._batches(times, day_range, [self.schema.occurred_at])):
            counts.update(dict(count(parameters(times.columns, packed))))
        return counts

    def _empty_copy(self, columns: CopiedColumns) -> Table:
        duckdb = self._client.duckdb
        if self._copy is not None:
            duckdb.run(DropTable(self._copy))
        # DuckDB has words of its own that no other dialect quotes.
        held = (
            Column(quoted_name(name, quote=True), TYPES.get(column.kind, Text()))
            for name, column in columns.columns.items()
        )
        copy = Table("copied_events", MetaData(), *held)
        duckdb.run(CreateTable(copy))
        return copy

    def _fill(self, copy: Table, columns: CopiedColumns, stored: CopiedColumns, day_range: DayRange) -> None:
        batch = columns.table(unpacked(columns.columns))
        insert_batch = self._client.duckdb.prepared(self._insertion(copy, batch, stored, day_range))
        inserting: Future[Any] | None = None
        # DuckDB copies what was read of one batch while the next one is read: SQLite needs just one core.
        with ThreadPoolExecutor(1, "copying") as pool:
            for packed in _gathered(self._batches(columns, day_range, self._times())):
                if inserting is not None:
                    inserting.result()
                inserting = pool.submit(insert_batch, parameters(columns.columns, packed))
            if inserting is not None:
                inserting.result()

    def _insertion(self, copy: Table, batch: EventTable, stored: CopiedColumns, day_range: DayRange) -> Insert:
        """Stores those events of a batch that belong to the range."""
        times = self._times() if stored.columns != batch.columns else []
        values = (batch.ticks(name)[0] if name in times else batch.column(name) for name in stored.columns)
        named = (value.label(name) for value, name in zip(values, stored.columns, strict=True))
        # Materialized, so that a time is parsed once, although it is both compared and stored.
        every = select(*named).cte("batch_of_events").prefix_with("MATERIALIZED", dialect="duckdb")
        within = or_(*(stored.table(every).within(day_range, text) for text in self._times()))
        return insert(copy).from_select(list(stored.columns), select(*every.c).where(within))

    def _times(self) -> list[str]:
        return [text for text in (self.schema.occurred_at, self.schema.observed_at) if text is not None]

    def _batches(
        self, columns: CopiedColumns, day_range: DayRange, times: Sequence[str]
    ) -> Iterator[Sequence[Sequence[str]]]:
        """Batches that together hold each event with one of ``times`` near ``day_range`` once, packed.

        Rows added meanwhile are in no batch: together the batches are the table as it was at the start, except for rows
        that were changed or deleted.
        """
        near = or_(*(self._near(day_range, text) for text in times))
        rows = self._events.events_where(near, **columns.expressions)
        if self._shape.rowid is None:
            for some in self._client.stream(rows, PACKED_ROWS):
                yield [pack(some)]
            return
        pace = _Pace(self._pause_seconds)
        version = self._client.schema_version()
        rowid = self._shape.relation.c[self._shape.rowid]
        first, last = self._bounds(day_range, times)
        while first is not None and first <= last:
            with pace.reading():
                end = self._slice_end(first, last, pace.rows, pace.spent_seconds)
                packed = []
                for low, high in _pieces(first, last if end is None else end, -(-pace.rows // PACKED_ROWS)):
                    piece = packing_query(rows.where(rowid.between(low, high)))
                    ((count, *texts),) = self._client.read(piece, pace.spent_seconds)
                    packed += [texts] if count else []
            if end is None:
                break
            if packed:
                yield packed
            pace.rest(_length(packed))
            first = end + 1
        self._require_schema(version)

    def _near(self, day_range: DayRange, text: str) -> ColumnElement[bool]:
        """Like ``EventTable.near``, but without the neighbouring days, unless texts have offsets that lead there."""
        near = self._events.near(day_range, text)
        sorts = self._events.columns[text].kind is ColumnKind.TEXT and text not in self._events.roles.units
        if not sorts or self.schema.format_for(text) is not None:
            return near
        value = self._events.column(text)
        last = day_range.end - timedelta(microseconds=1)
        begin, end = (at.astimezone(UTC).date().isoformat() for at in (day_range.start, last + timedelta(days=1)))
        is_of_another_date = and_(
            or_(value < begin, value >= end),
            value.op("GLOB")("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"),
            not_(func.substr(value, 11).op("GLOB")("*[-+]*")),
        )
        return and_(near, not_(is_of_another_date))

    def _slice_end(self, first: int, last: int, rows: int, spent_seconds: float) -> int | None:
        """The row id of the last of at most ``rows`` rows from ``first`` to ``last``; None if there are none."""
        rowid = self._shape.relation.c[self._shape.rowid or ""]
        some = select(rowid.label("number")).where(rowid.between(first, last)).order_by(rowid).limit(rows).subquery()
        end: int | None = self._client.read(select(func.max(some.c.number)), spent_seconds)[0][0]
        return end

    def _require_schema(self, version: int) -> None:
        if self._client.schema_version() != version:
            raise SourceUnavailableError(
                "SOURCE_CHANGED",
                f"{self._shape.relation.name} must keep its structure while it is read, but the file was vacuumed "
                "or a table altered; try again.",
            )

    def _bounds(self, day_range: DayRange, times: Sequence[str]) -> tuple[int | None, int]:
        """The lowest and the highest row id that a row with one of ``times`` in ``day_range`` may have."""
        rowid = self._shape.relation.c[self._shape.rowid or ""]
        if self._shape.indexed.issuperset(times):
            query = select(func.min(rowid), func.max(rowid))
            found = [self._client.read(query.where(self._events.near(day_range, text)))[0] for text in times]
            held = [bounds for bounds in found if bounds[0] is not None]
            if held:
                near = or_(*(self._events.near(day_range, text) for text in times))
                low, high = min(low for low, _ in held), max(high for _, high in held)
                return self._widened(near, low, is_up=False), self._widened(near, high, is_up=True)
        # Nor is an index believed that there are no events at all: an entry of a damaged one may lie anywhere.
        low, high = (self._client.read(select(function(rowid)))[0][0] for function in (func.min, func.max))
        return low, high or 0

    def _widened(self, near: ColumnElement[bool], end: int, *, is_up: bool) -> int:
        """The last row id from ``end`` on after which, for many rows, there is no event that an index may have lost."""
        rowid = self._shape.relation.c[self._shape.rowid or ""]
        while True:
            beyond, order = (rowid > end, rowid) if is_up else (rowid < end, rowid.desc())
            rows = select(rowid.label("number"), near.label("is_near")).where(beyond).order_by(order)
            some = rows.limit(WIDENING_ROWS).subquery("rows_beyond")
            last = func.max(some.c.number) if is_up else func.min(some.c.number)
            found: int | None = self._client.read(select(last).where(some.c.is_near))[0][0]
            if found is None:
                return end
            end = found


class _Pace:
    """How many rows the next batch has, and the pauses between batches."""

    def __init__(self, pause_seconds: float) -> None:
        self.rows = FIRST_BATCH_ROWS
        self._pause_seconds = pause_seconds
        self._begun, self._paused_seconds = perf_counter(), 0.0
        self._read_seconds, self._unrested_seconds = 0.0, 0.0

    @property
    def spent_seconds(self) -> float:
        """The time since the first batch, without the pauses."""
        return perf_counter() - self._begun - self._paused_seconds

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While the file is read."""
        begun = perf_counter()
        yield
        self._read_seconds = perf_counter() - begun
        self._unrested_seconds += self._read_seconds

    def rest(self, characters: int) -> None:
        """Choose the size of the next batch after so many characters were read, and pause if it is due."""
        share = min(BATCH_SECONDS / self._read_seconds, MOST_BATCH_CHARACTERS / max(characters, 1))
        self.rows = max(1, min(MOST_BATCH_ROWS, int(self.rows * share)))
        if self._unrested_seconds >= REST_SECONDS:
            # A commit that finds no reader restarts the log; otherwise each later commit checkpoints a little more.
            begun = perf_counter()
            sleep(self._pause_seconds)
            self._paused_seconds += perf_counter() - begun
            self._unrested_seconds = 0.0


def _length(packed: Sequence[Sequence[str]]) -> int:
    return sum(len(text) for texts in packed for text in texts)


def _gathered(batches: Iterable[Sequence[Sequence[str]]]) -> Iterator[Sequence[Sequence[str]]]:
    """The same texts, in parts that are worth copying."""
    gathered: list[Sequence[str]] = []
    length = 0
    for packed in batches:
        gathered += packed
        length += _length(packed)
        if length >= COPIED_CHARACTERS:
            yield gathered
            gathered, length = [], 0
    if gathered:
        yield gathered


def _pieces(first: int, last: int, count: int) -> Iterator[tuple[int, int]]:
    """Ranges of row ids that together are ``first`` to ``last``."""
    step = -(-(last - first + 1) // count)
    for low in range(first, last + 1, step):
        yield low, min(low + step - 1, last)
