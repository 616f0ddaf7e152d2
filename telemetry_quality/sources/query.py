"""The one aggregate query and the one sample query, as SQLAlchemy Core over the role columns.

All queries read a *day range*: consecutive days of equal length (each of 24 hours, or a single day of any length),
so that every engine computes day and hour from the hours since the range began. The queries for slices, duplicates
and arrivals are in their own modules and use the same expressions.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Select,
    String,
    and_,
    cast,
    column,
    false,
    func,
    literal,
    null,
    or_,
    select,
    table,
    true,
    union_all,
)
from sqlalchemy.sql.elements import quoted_name

from telemetry_quality.core.time_forms import UNITS_PER_SECOND
from telemetry_quality.sources.clipping import clipped_text
from telemetry_quality.sources.columns import NUMBERS, ColumnKind
from telemetry_quality.sources.functions import (
    EngineType,
    epoch_microseconds,
    epoch_nanoseconds,
    exact_text,
    salted_hash,
    whole_hours,
)
from telemetry_quality.sources.times import near_text, text_microseconds, ticks_of_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import FromClause, Subquery, TableClause

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.columns import Column
    from telemetry_quality.sources.roles import Roles

    Execute = Callable[[Select[Any]], Sequence[Sequence[Any]]]
    """Runs a query."""

_SEPARATOR = "\x1f"
"""Separates the parts of a hashed text."""

DAY_HOURS = 24
"""Length in hours of each day, where several days share one scan."""

_ALWAYS_SHORT = {ColumnKind.INSTANT, ColumnKind.INTEGER, ColumnKind.BOOLEAN}


@dataclass(frozen=True, slots=True)
class DayRange:
    """Consecutive days that can share one scan."""

    windows: tuple[DayWindow, ...]

    @property
    def start(self) -> datetime:
        """The first instant."""
        return self.windows[0].start

    @property
    def end(self) -> datetime:
        """The first instant after the last day."""
        return self.windows[-1].end

    @property
    def day_seconds(self) -> int:
        """The length of each day."""
        return int((self.windows[0].end - self.windows[0].start).total_seconds())


def named_table(name: str, *columns: str) -> TableClause:
    """A table by its name in the settings, ``events`` or ``schema.events``; SQLAlchemy quotes every part of it."""
    schema, _, last = name.rpartition(".")
    quoted = quoted_name(last, quote=True)
    return table(quoted, *map(column, columns), schema=quoted_name(schema, quote=True) if schema else None)


def day_ranges_of(windows: Sequence[DayWindow], maximum_days: int | None = None) -> Iterator[DayRange]:
    """Split ``windows`` into day ranges; a day of 23 or 25 hours gets its own, a day of zero length is left out."""
    gathered: list[DayWindow] = []
    for window in windows:
        continues = (
            gathered
            and gathered[-1].end == window.start
            and gathered[-1].hours == DAY_HOURS == window.hours
            and len(gathered) != maximum_days
        )
        if gathered and not continues:
            yield DayRange(tuple(gathered))
            gathered = []
        if window.hours:
            gathered.append(window)
    if gathered:
        yield DayRange(tuple(gathered))


@dataclass(frozen=True)
class EventTable:
    """A table of events whose columns can play their roles.

    Attributes:
        roles: What plays each role, see ``roles.resolve_roles``.
        salt: Mixed into the sample's hash, so that sources that share ids are sampled independently.
        extent: The time span of the events, all of which have a time; None if it is unknown.
        finds_nulls: Whether the engine has statistics that find events without an id without a scan.
        has_grouping_sets: Whether the engine counts several groupings faster in one scan than in a scan each.
    """

    relation: FromClause
    roles: Roles
    schema: EventSchema
    salt: str = ""
    extent: tuple[datetime, datetime] | None = None
    finds_nulls: bool = False
    has_grouping_sets: bool = False

    @property
    def columns(self) -> Mapping[str, Column]:
        """The columns by name, and by their text the expressions whose type matters."""
        return self.roles.columns

    def named_conditions(self) -> dict[str, ColumnElement[bool]]:
        """The conditions that are counted by name: missing critical fields, then rates."""
        return self.missing_critical() | self.rate_conditions()

    def count_query(self, day_range: DayRange) -> Select[Any]:
        """One row per day that has events: day index, events."""
        events = self.events_of(day_range, day_index=self.day_index(day_range))
        return select(events.c.day_index, func.count()).group_by(events.c.day_index)

    def sample_query(self, day_range: DayRange, thresholds: Mapping[int, int], size: int) -> Select[Any]:
        """Per day, the ``size`` events with the lowest hashes among those not above the day's threshold.

        Columns: day index, id, name, version, then whether each critical field is missing. The engine cuts to
        ``size``, because a million events that repeat one id share one hash.
        """
        drawn = self.ranked(self._to_draw_from(day_range), thresholds)
        columns = [column for name, column in drawn.c.items() if name not in {"drawn", "position"}]
        return select(*columns).where(drawn.c.position <= size).order_by(drawn.c.day_index, drawn.c.position)

    def ranked(self, events: FromClause, thresholds: Mapping[int, int]) -> Subquery:
        """The ``events`` not above their day's threshold, with their ``position`` by their hash ``drawn``."""
        limits = union_all(
            *(
                select(
                    literal(index, BigInteger).label("day_index"),
                    literal(limit, BigInteger).label("threshold"),
                )
                for index, limit in thresholds.items()
            )
        ).subquery("thresholds")
        below = and_(
            limits.c.day_index == events.c.day_index,
            events.c.drawn <= limits.c.threshold,
            # Repeated as a literal, so that engines drop other events while scanning instead of when joining.
            events.c.drawn <= literal(max(thresholds.values()), BigInteger),
        )
        order = (events.c.drawn, events.c.id, events.c.name, events.c.version)
        position = func.row_number().over(partition_by=events.c.day_index, order_by=order).label("position")
        return select(*events.c, position).select_from(events.join(limits, below)).subquery("drawn_events")

    def sample_fields(self, day_range: DayRange) -> dict[str, ColumnElement[Any]]:
        """What is read of a sampled event: day index, id, name, version, and whether each critical field is missing."""
        return {
            "day_index": self.day_index(day_range),
            "id": self._event_id(),
            "name": self.clipped(self.schema.event_name),
            "version": self.clipped(self.schema.service_version),
            **self.missing_critical(),
        }

    def _to_draw_from(self, day_range: DayRange) -> Subquery:
        fields = self.sample_fields(day_range)
        if self.schema.event_id is None or not self.finds_nulls:
            return self.events_of(day_range, drawn=self.drawn_hash(self.drawn_text()), **fields)
        # Queried separately, events that have an id are drawn without reading the columns that replace an id.
        within, event_id = self.within(day_range, self.schema.occurred_at), self.column(self.schema.event_id)
        identified = self.events_where(
            within, event_id.is_not(None), drawn=self.drawn_hash(self.text(self.schema.event_id)), **fields
        )
        unidentified = self.events_where(
            within, event_id.is_(None), drawn=self.drawn_hash(self.text_without_id()), **fields
        )
        return union_all(identified, unidentified).subquery("events_in_range")

    def values_query(self, name: str, day_range: DayRange, limit: int) -> Select[Any]:
        """The most frequent values of a dimension and how often each occurs."""
        events = self.events_of(day_range, value=self.clipped(self.schema.expression_of(name)))
        count = func.count()
        return (
            select(events.c.value, count).group_by(events.c.value).order_by(count.desc(), events.c.value).limit(limit)
        )

    def times_query(self, name: str, rows: int) -> Select[Any]:
        """One row about some events: how many, how many of them have a readable time, the first, and the last.

        Args:
            name: A column or expression that plays the role of a time.
            rows: How many events to look at.
        """
        ticks, _ = self.ticks(name)
        some = self.events_where(ticks=ticks).limit(rows).subquery("some_events")
        found: list[ColumnElement[Any]] = [
            func.count(),
            *(count(some.c.ticks) for count in (func.count, func.min, func.max)),
        ]
        return select(*found)

    def events_of(
        self, day_range: DayRange, *conditions: ColumnElement[bool], **expressions: ColumnElement[Any]
    ) -> Subquery:
        """The events of the range as a subquery: all engines can group by its columns, but not by expressions."""
        within = self.within(day_range, self.schema.occurred_at)
        return self.events_where(within, *conditions, **expressions).subquery("events_in_range")

    def events_where(self, *conditions: ColumnElement[bool], **expressions: ColumnElement[Any]) -> Select[Any]:
        """The events that meet the conditions, each as the given expressions."""
        columns = (expression.label(name) for name, expression in expressions.items())
        return select(*columns).select_from(self.relation).where(*conditions, *self._filter())

    def _filter(self) -> Sequence[ColumnElement[bool]]:
        where = self.schema.where
        return [] if where is None else [self._holds(where)]

    def missing_critical(self) -> dict[str, ColumnElement[bool]]:
        """Whether an event lacks each critical field, in their order."""
        fields = self.schema.critical_fields
        texts = map(self.schema.expression_of, fields)
        return {f"missing_{position}": self._is_missing(text) for position, text in enumerate(texts)}

    def column(self, name: str) -> ColumnElement[Any]:
        """A column, unchanged, or an expression by its text."""
        expression = self.roles.expressions.get(name)
        return self.relation.c[name] if expression is None else expression

    def text(self, name: str | None) -> ColumnElement[str]:
        """A column as text, whatever its type; null if nothing plays the role."""
        if name is None:
            return cast(null(), String)
        value = self.column(name)
        column = self.columns[name]
        is_exact_text = column.kind is ColumnKind.TEXT and column.is_exact
        # PostgreSQL knows how many distinct values a bare column has, and groups by it in half the time.
        return value if is_exact_text else exact_text(cast(value, String))

    def clipped(self, name: str | None) -> ColumnElement[str]:
        """A column as text that is short enough to be grouped by, sorted and stored, whoever sent it."""
        if name is None:
            return self.text(None)
        column = self.columns.get(name)
        is_short = column is not None and (column.is_clipped or column.kind in _ALWAYS_SHORT)
        return self.text(name) if is_short else clipped_text(self.text(name))

    def ticks(self, name: str) -> tuple[ColumnElement[int], int]:
        """An instant as an integer since 1970, and how many of its units make a second."""
        value, column = self.column(name), self.columns[name]
        match column.kind:
            case ColumnKind.INTEGER:
                return cast(value, BigInteger), UNITS_PER_SECOND[self.roles.unit_of(name)]
            case ColumnKind.NUMBER:
                return ticks_of_number(value, self.roles.unit_of(name))
            case ColumnKind.TEXT:
                form = self.schema.format_for(name)
                return text_microseconds(value, self.roles.units.get(name), form), UNITS_PER_SECOND["us"]
            case _ if column.type_name.endswith("_NS"):
                return epoch_nanoseconds(value), UNITS_PER_SECOND["ns"]
            case _:
                return epoch_microseconds(value), UNITS_PER_SECOND["us"]

    def _hours_since(self, day_range: DayRange, name: str) -> ColumnElement[int]:
        """Whole hours from the start of the range to the instant in column ``name``, which lies within the range."""
        # The difference comes first: it is never negative, so division rounds down on every engine.
        ticks, per_second = self.ticks(name)
        start = int(day_range.start.timestamp())
        hours = (ticks - start * per_second) // (3600 * per_second)
        if self.columns[name].kind is not ColumnKind.INSTANT:
            return hours
        return whole_hours(hours, self.column(name), literal(start, BigInteger))

    def day_index(self, day_range: DayRange, name: str | None = None) -> ColumnElement[int]:
        """The day of the range to which an event's instant in column ``name`` belongs; by default ``occurred_at``."""
        if len(day_range.windows) == 1:
            # Nothing to compute: saves a tenth of a day's aggregates on DuckDB.
            return literal(0, BigInteger)
        return self._hours_since(day_range, name or self.schema.occurred_at) // DAY_HOURS

    def hour(self, day_range: DayRange) -> ColumnElement[int]:
        """Whole hours since the event's day began."""
        hours = self._hours_since(day_range, self.schema.occurred_at)
        return hours if len(day_range.windows) == 1 else hours % DAY_HOURS

    def within(self, day_range: DayRange, name: str) -> ColumnElement[bool]:
        """Whether the instant in column ``name`` lies in the range, so that indexes and Parquet statistics can help."""
        if (
            self.extent
            and name == self.schema.occurred_at
            and day_range.start <= self.extent[0] <= self.extent[1] < day_range.end
        ):
            # Known for all events: the sample and the duplicates read one column less.
            return true()
        if self.columns[name].kind is not ColumnKind.TEXT:
            return self.near(day_range, name)
        ticks, per_second = self.ticks(name)
        first, end = (int(at.timestamp()) * per_second for at in (day_range.start, day_range.end))
        # Compared once with both: reading a text as a time takes longer than anything else.
        return and_(self.near(day_range, name), ticks.between(first, end - 1))

    def near(self, day_range: DayRange, name: str) -> ColumnElement[bool]:
        """Bounds on column ``name`` itself that hold for every instant in the range; exact except for text."""
        value, column = self.column(name), self.columns[name]
        match column.kind:
            case kind if kind in NUMBERS:
                per_second = UNITS_PER_SECOND[self.roles.unit_of(name)]
                first, last = (
                    literal(int(at.timestamp()) * per_second, BigInteger) for at in (day_range.start, day_range.end)
                )
                return and_(value >= first, value < last)
            case ColumnKind.TEXT:
                if name in self.roles.units or self.schema.format_for(name) is not None:
                    return true()
                return near_text(value, day_range.start, day_range.end)
            case _:
                own_type = EngineType(column.type_name)
                start, end = (
                    cast(literal(_iso_utc(at), own_type), own_type) for at in (day_range.start, day_range.end)
                )
                return and_(value >= start, value < end)

    def is_error(self) -> ColumnElement[Any]:
        """Whether an event is an error; null if unknown."""
        return cast(null(), Boolean) if self.schema.is_error is None else self._holds(self.schema.is_error)

    def rate_conditions(self) -> dict[str, ColumnElement[bool]]:
        """Whether an event belongs to each of the schema's ``rate_counts``, in that order; null if unknown.

        They are named by position, because a rate may have the name of another column of a query.
        """
        conditions: list[ColumnElement[bool]] = []
        for rate in self.schema.rates:
            where = self._holds(rate.where)
            if rate.of is None:
                conditions.append(where)
            else:
                of = self._holds(rate.of)
                conditions += [and_(of, where), of]
        return {f"rate_{position}": condition for position, condition in enumerate(conditions)}

    def _holds(self, text: str) -> ColumnElement[Any]:
        """Whether a boolean or integer column, or a condition, is true of an event."""
        value, column = self.column(text), self.columns.get(text)
        return value != 0 if column is not None and column.kind is ColumnKind.INTEGER else value

    def _is_missing(self, name: str) -> ColumnElement[bool]:
        value = self.column(name)
        if self.columns[name].kind is not ColumnKind.TEXT:
            return value.is_(None)
        return or_(value.is_(None), func.trim(value) == "")

    def is_late(self) -> ColumnElement[bool]:
        """Whether an event arrived later than the settings allow."""
        if self.schema.observed_at is None:
            return false()
        seconds = [
            ticks // per_second
            for ticks, per_second in map(self.ticks, (self.schema.observed_at, self.schema.occurred_at))
        ]
        return seconds[0] - seconds[1] > 60 * self.schema.allowed_lateness_minutes

    @property
    def counts_unidentified_apart(self) -> bool:
        """Whether events without an id are not counted in the aggregate query, which then need not read the ids."""
        return self.finds_nulls and self.schema.event_id is not None

    def is_unidentified(self) -> ColumnElement[bool]:
        """Whether an event has no id, unless that is counted apart."""
        if self.schema.event_id is None or self.counts_unidentified_apart:
            return false()
        return self.column(self.schema.event_id).is_(None)

    def _event_id(self) -> ColumnElement[Any]:
        return self.clipped(self.schema.event_id)

    def drawn_hash(self, drawn: ColumnElement[str]) -> ColumnElement[int]:
        """The hash by which an event is drawn for the sample: those with the lowest are."""
        number = int.from_bytes(sha256(self.salt.encode()).digest()[:8], "big") >> 1
        return salted_hash(drawn, literal(f"{_SEPARATOR}{self.salt}", String), literal(number, BigInteger))

    def drawn_text(self) -> ColumnElement[str]:
        """The text that is hashed for an event: its id or, without an id, what else distinguishes the event.

        Always a single text, so that the hash depends neither on the id's type nor on how an engine combines hashes.
        """
        drawn = self.text_without_id()
        if self.schema.event_id is None:
            return drawn
        return func.coalesce(self.text(self.schema.event_id), drawn, type_=String)

    def text_without_id(self) -> ColumnElement[str]:
        """What is hashed of an event without an id."""
        ticks, _ = self.ticks(self.schema.occurred_at)
        names = (self.text(name) for name in (self.schema.event_name, self.schema.service_version))
        return joined(cast(ticks, String), *(func.coalesce(name, "") for name in names))


def joined(*parts: ColumnElement[str], by: str = _SEPARATOR) -> ColumnElement[str]:
    """Texts joined with a separator."""
    return functools.reduce(lambda text, part: text + by + part, parts)


def _iso_utc(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + "+00"
