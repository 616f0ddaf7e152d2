"""The one aggregate query and the one sample query, as SQLAlchemy Core over the role columns.

Both read a *run*: consecutive days of equal length (every day of 24 hours, or a single one of any length), so
that day and hour follow from the seconds since the run began, on every engine alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import UserDefinedType

from telemetry_quality.sources.columns import Column, ColumnKind, require_roles
from telemetry_quality.sources.predicates import is_column, parse_predicate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import FromClause, Subquery
    from sqlalchemy.sql.compiler import SQLCompiler

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.events import EventSchema

HASH_SPACE = 2**63
"""Sample hashes are uniform in ``0 <= hash < HASH_SPACE`` on every engine."""

UNITS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class epoch_seconds(FunctionElement[int]):  # noqa: N801 - SQL functions are lower case
    """Whole seconds since 1970 of an instant; each engine's connector says how."""

    type = BigInteger()
    inherit_cache = True


class epoch_seconds_of_text(FunctionElement[int]):  # noqa: N801
    """Whole seconds since 1970 of ISO 8601 text, null where it is none; without an offset it is UTC."""

    type = BigInteger()
    inherit_cache = True


class sample_hash(FunctionElement[int]):  # noqa: N801
    """A uniform hash of its arguments in ``0 <= hash < HASH_SPACE``."""

    type = BigInteger()
    inherit_cache = True


class EngineType(UserDefinedType[Any]):
    """A column type under the engine's own name, for casting bounds to exactly the column's type."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """The name as the engine itself reported it."""
        return self.name


@compiles(epoch_seconds, "duckdb")
def _epoch_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"(epoch_us(CAST({compiler.process(element.clauses, **kw)} AS TIMESTAMPTZ)) // 1000000)"


@compiles(epoch_seconds_of_text, "duckdb")
def _epoch_of_text_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"(epoch_us(TRY_CAST({compiler.process(element.clauses, **kw)} AS TIMESTAMPTZ)) // 1000000)"


@compiles(sample_hash, "duckdb")
def _hash_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(hash({compiler.process(element.clauses, **kw)}) >> 1 AS BIGINT)"


@compiles(epoch_seconds_of_text, "sqlite")
def _epoch_of_text_sqlite(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"telemetry_epoch_seconds({compiler.process(element.clauses, **kw)})"


@compiles(sample_hash, "sqlite")
def _hash_sqlite(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"telemetry_sample_hash({compiler.process(element.clauses, **kw)})"


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive days that can share one scan."""

    windows: tuple[DayWindow, ...]

    @property
    def start(self) -> datetime:
        """The first instant."""
        return self.windows[0].start

    @property
    def end(self) -> datetime:
        """The instant after the last."""
        return self.windows[-1].end

    @property
    def day_seconds(self) -> int:
        """Length of each of its days."""
        return int((self.windows[0].end - self.windows[0].start).total_seconds())


def runs_of(windows: Sequence[DayWindow]) -> Iterator[Run]:
    """Split ``windows`` into runs; a day of 23 or 25 hours stands alone, a day of none is left out."""
    gathered: list[DayWindow] = []
    for window in windows:
        continues = gathered and gathered[-1].end == window.start and gathered[-1].hours == 24 == window.hours
        if gathered and not continues:
            yield Run(tuple(gathered))
            gathered = []
        if window.hours:
            gathered.append(window)
    if gathered:
        yield Run(tuple(gathered))


@dataclass(frozen=True)
class EventTable:
    """A table of events whose columns have been found able to play their roles.

    Attributes:
        salt: Mixed into the sample's hash, so that sources sharing ids are sampled independently.
    """

    relation: FromClause
    columns: Mapping[str, Column]
    schema: EventSchema
    salt: str = ""

    def __post_init__(self) -> None:
        require_roles(self.schema, self.columns)

    def aggregate_query(self, run: Run) -> Select[Any]:
        """One row per day, hour, event name and version.

        Columns: day index, hour, name, version, events, errors, events of unknown error state, one count of
        missing values per critical field, late events.
        """
        seconds = self._seconds_since(run)
        events = self._events_of(
            run,
            day_index=seconds // run.day_seconds,
            hour=(seconds % run.day_seconds) // 3600,
            name=self._text(self.schema.event_name),
            version=self._text(self.schema.service_version),
            is_error=self._is_error(),
            is_late=self._is_late(),
            **self._missing_critical(),
        )
        keys = (events.c.day_index, events.c.hour, events.c.name, events.c.version)
        missing = (_count_where(events.c[name]) for name in self._missing_critical())
        return select(
            *keys,
            func.count().label("events"),
            _count_where(events.c.is_error),
            _count_where(events.c.is_error.is_(None)),
            *missing,
            _count_where(events.c.is_late),
        ).group_by(*keys)

    def count_query(self, run: Run) -> Select[Any]:
        """One row per day that has events: day index, events."""
        events = self._events_of(run, day_index=self._seconds_since(run) // run.day_seconds)
        return select(events.c.day_index, func.count()).group_by(events.c.day_index)

    def sample_query(self, run: Run, thresholds: Mapping[int, int]) -> Select[Any]:
        """The events whose hash is not above their day's threshold, per day the lowest hash first.

        Columns: day index, id, name, version, then whether each critical field is missing.
        """
        events = self._events_of(
            run,
            day_index=self._seconds_since(run) // run.day_seconds,
            drawn=self._hash(),
            id=self._text(self.schema.event_id),
            name=self._text(self.schema.event_name),
            version=self._text(self.schema.service_version),
            **self._missing_critical(),
        )
        limits = union_all(
            *(
                select(
                    literal(index, BigInteger).label("day_index"),
                    literal(limit, BigInteger).label("threshold"),
                )
                for index, limit in thresholds.items()
            )
        ).subquery("thresholds")
        below = and_(limits.c.day_index == events.c.day_index, events.c.drawn <= limits.c.threshold)
        columns = [column for name, column in events.c.items() if name != "drawn"]
        order = (events.c.day_index, events.c.drawn, events.c.id, events.c.name, events.c.version)
        return select(*columns).select_from(events.join(limits, below)).order_by(*order)

    def values_query(self, name: str, run: Run, limit: int) -> Select[Any]:
        """The most frequent values of a column and how often each occurs."""
        events = self._events_of(run, value=self._text(name))
        count = func.count()
        return (
            select(events.c.value, count).group_by(events.c.value).order_by(count.desc(), events.c.value).limit(limit)
        )

    def _events_of(self, run: Run, **expressions: ColumnElement[Any]) -> Subquery:
        """The run's events, as a subquery: grouping by its columns works where grouping by expressions does not."""
        columns = (expression.label(name) for name, expression in expressions.items())
        return select(*columns).select_from(self.relation).where(self._within(run)).subquery("events_of_run")

    def _missing_critical(self) -> dict[str, ColumnElement[bool]]:
        fields = self.schema.critical_fields
        return {f"missing_{position}": self._is_missing(name) for position, name in enumerate(fields)}

    def _column(self, name: str) -> ColumnElement[Any]:
        return self.relation.c[name]

    def _text(self, name: str) -> ColumnElement[str]:
        value = self._column(name)
        return value if self.columns[name].kind is ColumnKind.TEXT else cast(value, String)

    def _epoch(self, name: str) -> ColumnElement[int]:
        match self.columns[name].kind:
            case ColumnKind.INTEGER:
                return cast(self._column(name), BigInteger) // self._units_per_second
            case ColumnKind.TEXT:
                return epoch_seconds_of_text(self._column(name))
            case _:
                return epoch_seconds(self._column(name))

    @property
    def _units_per_second(self) -> int:
        return UNITS_PER_SECOND[self.schema.time_unit or "s"]

    def _seconds_since(self, run: Run) -> ColumnElement[int]:
        return self._epoch(self.schema.occurred_at) - int(run.start.timestamp())

    def _within(self, run: Run) -> ColumnElement[bool]:
        """Whether an event lies in the run, said so that indexes and Parquet statistics can help."""
        name = self.schema.occurred_at
        value, column = self._column(name), self.columns[name]
        match column.kind:
            case ColumnKind.INTEGER:
                first, last = (int(at.timestamp()) * self._units_per_second for at in (run.start, run.end))
                return and_(value >= first, value < last)
            case ColumnKind.TEXT:
                # Dates as text bound the search roughly, whatever the offset; the seconds decide.
                near, far = run.start - timedelta(days=1), run.end + timedelta(days=2)
                epoch = self._epoch(name)
                return and_(
                    value >= near.date().isoformat(),
                    value < far.date().isoformat(),
                    epoch >= int(run.start.timestamp()),
                    epoch < int(run.end.timestamp()),
                )
            case _:
                own_type = EngineType(column.type_name)
                start, end = (cast(literal(_iso_utc(at)), own_type) for at in (run.start, run.end))
                return and_(value >= start, value < end)

    def _is_error(self) -> ColumnElement[Any]:
        name = self.schema.is_error
        if not is_column(name):
            return parse_predicate(name)
        value = self._column(name)
        return value != 0 if self.columns[name].kind is ColumnKind.INTEGER else value

    def _is_missing(self, name: str) -> ColumnElement[bool]:
        value = self._column(name)
        if self.columns[name].kind is not ColumnKind.TEXT:
            return value.is_(None)
        return or_(value.is_(None), func.trim(value) == "")

    def _is_late(self) -> ColumnElement[bool]:
        if self.schema.observed_at is None:
            return false()
        delay = self._epoch(self.schema.observed_at) - self._epoch(self.schema.occurred_at)
        return delay > 60 * self.schema.allowed_lateness_minutes

    def _hash(self) -> ColumnElement[int]:
        """The hash of the event's id; an event without one is drawn by what else tells it apart."""
        event_id, salt = self._column(self.schema.event_id), literal(self.salt, String)
        rest = (
            self._epoch(self.schema.occurred_at),
            *map(self._text, (self.schema.event_name, self.schema.service_version)),
        )
        return case((event_id.is_(None), sample_hash(*rest, salt)), else_=sample_hash(event_id, salt))


def _count_where(condition: ColumnElement[Any]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _iso_utc(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + "+00"
