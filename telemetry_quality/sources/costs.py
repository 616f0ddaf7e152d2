"""What a look at some hours would read: far more than these hours, unless partitions, statistics or an index help.

A look comes every few minutes. What a source would have to read from end to end each time is refused, with the remedy;
up to CHEAP_BYTES it does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.query import DayRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.sources.query import EventTable

CHEAP_BYTES = 64 * 2**20
"""What any look may read: of Parquet it takes a tenth of a second, of JSON lines a few seconds."""

CHEAP_ROWS = 1_000_000
"""The same where an engine counts in rows."""

LARGE_FACTOR = 4
"""A look reads far more than its hours if these are less than one part in so many of what is read."""


class EngineClient(Protocol):
    """What says how much a query reads."""

    def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a query."""
        ...

    def rows_read(self, query: Select[Any]) -> int:
        """How many rows the server expects to read for a query; 0 if it does not say."""
        ...


class Reading(NamedTuple):
    """How much a look would read, and how much of it belongs to its hours, in bytes or in rows."""

    everything: float
    of_hours: float = 0

    def is_far_more(self, cheap: float) -> bool:
        """Whether it is more than ``cheap``, and little of it belongs to the hours."""
        return self.everything > cheap and self.of_hours * LARGE_FACTOR < self.everything


def rows_read(client: EngineClient, events: EventTable, window: DayWindow) -> Reading:
    """The rows that a server reads for some hours; those of the hours are counted only if that may matter."""
    day_range = DayRange((window,))
    everything = client.rows_read(aggregate_query(events, day_range))
    if everything <= CHEAP_ROWS:
        return Reading(everything)
    return Reading(everything, sum(count for _, count in client.execute(events.count_query(day_range))))


def cost_of_rows(reading: Reading, table: str, remedy: str) -> str | None:
    """Why looking into a table costs too much; None if it does not."""
    if not reading.is_far_more(CHEAP_ROWS):
        return None
    return too_costly(f"{reading.everything:,.0f} rows of {table}", remedy)


def cost_of_bytes(reading: Reading, what: str, remedy: str) -> str | None:
    """Why looking into files costs too much; None if it does not."""
    if not reading.is_far_more(CHEAP_BYTES):
        return None
    return too_costly(f"{reading.everything / 2**20:,.0f} MiB of {what}", remedy)


def too_costly(what: str, remedy: str) -> str:
    """The sentence that says why hours cannot be asked for."""
    return f"A look at some hours must not read far more than these, but would read {what}; {remedy}."
