"""What of an event is copied from SQLite into DuckDB, and how the copy plays the roles.

SQLite lets a column hold values of any type, and what a comparison means depends on how the column was declared. What
is copied is therefore computed by SQLite: whether a condition holds, and every value as text. The copy holds values
of one type per column, so that the queries mean in it what they mean everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Double, LargeBinary, String, case, cast, func, null, or_

from telemetry_quality.sources.clipping import clipped_text
from telemetry_quality.sources.columns import Column, ColumnKind
from telemetry_quality.sources.query import EventTable
from telemetry_quality.sources.roles import Roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import FromClause
    from sqlalchemy.types import TypeEngine

    from telemetry_quality.core.event_schema import EventSchema, Rate

LONGEST_TIME = 100
"""Bytes of a time; a longer text is none, whatever it begins with, and may be very long."""

TYPES: dict[ColumnKind, TypeEngine[Any]] = {
    ColumnKind.INTEGER: BigInteger(),
    ColumnKind.NUMBER: Double(),
    ColumnKind.BOOLEAN: Boolean(),
}
"""The types of the copy's columns; all others hold text."""


@dataclass(frozen=True, slots=True)
class CopiedColumns:
    """The columns of a copy.

    Attributes:
        expressions: What SQLite computes for each column, as text, by the name in the copy.
        columns: The columns of the copy.
        schema: Which of them plays which role.
        salt: Mixed into the sample's hash.
        units: The unit of each time that is a number.
    """

    expressions: dict[str, ColumnElement[Any]]
    columns: dict[str, Column]
    schema: EventSchema
    salt: str
    units: Mapping[str, str]

    def table(self, relation: FromClause, **traits: Any) -> EventTable:
        """The events in ``relation``, which has these columns."""
        return EventTable(relation, Roles(self.columns, units=self.units), self.schema, self.salt, **traits)

    def with_parsed_times(self) -> CopiedColumns:
        """The same columns, but times as numbers: a text is parsed once and not by each query."""
        times = [text for text in (self.schema.occurred_at, self.schema.observed_at) if text is not None]
        if any(self.columns[text].kind is not ColumnKind.TEXT for text in times):
            return self
        numbers = {text: replace(self.columns[text], type_name="BIGINT", kind=ColumnKind.INTEGER) for text in times}
        return replace(self, columns=self.columns | numbers, units=dict.fromkeys(times, "us"))

    def only(self, name: str) -> CopiedColumns:
        """Just one of the columns, for queries that need no other."""
        return replace(self, expressions={name: self.expressions[name]}, columns={name: self.columns[name]})


def copied_columns(events: EventTable) -> CopiedColumns:
    """What must be copied of the events of a SQLite table."""
    return _Copying(events).columns()


@dataclass
class _Copying:
    """Collects the columns, each once."""

    events: EventTable
    expressions: dict[str, ColumnElement[Any]] = field(default_factory=dict)
    kinds: dict[str, ColumnKind] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def columns(self) -> CopiedColumns:
        events, schema = self.events, self.events.schema
        rates = iter(events.rate_conditions().items())
        copied = replace(
            schema,
            event_id=self._text_or_none(schema.event_id),
            occurred_at=self._time(schema.occurred_at),
            observed_at=None if schema.observed_at is None else self._time(schema.observed_at),
            event_name=self._text(schema.event_name),
            service_version=self._text_or_none(schema.service_version),
            is_error=None if schema.is_error is None else self._condition("copied is_error", events.is_error()),
            named={name: self._text(schema.expression_of(name)) for name in schema.dimensions}
            | self._critical()
            | {text: self._text(text) for text in (schema.event_name, schema.service_version) if text is not None},
            rates=tuple(self._rate(rate, rates) for rate in schema.rates),
            where=None,
        )
        columns = {
            name: Column(name, str(TYPES.get(kind, "VARCHAR")), kind, is_clipped=True)
            for name, kind in self.kinds.items()
        }
        return CopiedColumns(self.expressions, columns, copied, events.salt, events.roles.units)

    def _add(self, name: str, expression: ColumnElement[Any], kind: ColumnKind) -> str:
        self.expressions[name], self.kinds[name] = expression, kind
        return name

    def _text(self, text: str) -> str:
        if text not in self.texts:
            held = self.events.columns.get(text)
            kind = ColumnKind.TEXT if held is not None and held.kind is ColumnKind.TEXT else ColumnKind.OTHER
            whole = cast(self.events.column(text), String)
            self.texts[text] = self._add(f"copied text {len(self.texts)}", clipped_text(whole), kind)
        return self.texts[text]

    def _text_or_none(self, text: str | None) -> str | None:
        return None if text is None else self._text(text)

    def _time(self, text: str) -> str:
        """A time, whose name in the copy is what the schema calls it."""
        value, kind = self.events.column(text), self.events.columns[text].kind
        if kind is ColumnKind.INTEGER:
            # Text among numbers would be converted as far as it looks like one.
            value = case((func.typeof(value).in_(["integer", "real"]), cast(value, BigInteger)))
        elif kind is ColumnKind.NUMBER:
            # A cast would write fewer digits than a float has.
            value = case((func.typeof(value).in_(["integer", "real"]), func.printf("%!.17g", value)))
        written = cast(value, String)
        is_short = or_(written.is_(None), func.length(cast(written, LargeBinary)) <= LONGEST_TIME)
        return self._add(text, case((is_short, written), else_=""), kind)

    def _condition(self, name: str, holds: ColumnElement[Any]) -> str:
        unknown = case((holds.is_(None), null()), else_="0")
        return self._add(name, case((holds, "1"), else_=unknown), ColumnKind.BOOLEAN)

    def _critical(self) -> dict[str, str]:
        """Fields whose text is needed for nothing else are copied as whether they are missing: they may be large."""
        schema, missing = self.events.schema, self.events.missing_critical()
        named = {}
        for field_name, (name, is_missing) in zip(schema.critical_fields, missing.items(), strict=True):
            text = schema.expression_of(field_name)
            if schema.event_id is None or text in self.texts:
                named[field_name] = self._text(text)
            else:
                named[field_name] = self._add(f"copied {name}", case((is_missing, null()), else_="1"), ColumnKind.OTHER)
        return named

    def _rate(self, rate: Rate, conditions: Any) -> Rate:
        found = islice(conditions, 1 if rate.of is None else 2)
        where, *of = (self._condition(f"copied {name}", holds) for name, holds in found)
        return replace(rate, where=where, of=of[0] if of else None)
