"""What is read of a day range that is partly unreadable, and how days are grouped to compare their ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import AggregateRow, HourlyCounts, hourly_counts
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.columns import Column, ColumnKind
from telemetry_quality.sources.combinations import _combined
from telemetry_quality.sources.duplicates import EVENTS_AT_ONCE, MAXIMUM_COMPARED_EVENTS, _batches, _halvings
from telemetry_quality.sources.query import DayRange, EventTable
from telemetry_quality.sources.scanning import _arrivals_if_possible
from telemetry_quality_tests.builders import DAY, SCHEMA, each_hour
from telemetry_quality_tests.sources.event_tables import table_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.event_schema import EventSchema

OBSERVED = replace(SCHEMA, observed_at="observed_at")
KINDS = {"is_error": ColumnKind.BOOLEAN, "occurred_at": ColumnKind.INSTANT, "observed_at": ColumnKind.INSTANT}
COLUMNS = {
    name: Column(name, "TIMESTAMP", KINDS.get(name, ColumnKind.TEXT))
    for name in ("event_id", "event_name", "service_version", *KINDS)
}


@dataclass(frozen=True)
class OneTable:
    """All events in one table."""

    events: EventTable
    schema: EventSchema = OBSERVED
    source_version: str | None = None

    def of(self, day_range: DayRange) -> EventTable:
        return self.events

    def observed_in(self, day_range: DayRange) -> EventTable:
        return self.events


EVENTS = table_of("events", COLUMNS, OBSERVED)


def day_range_of(days: int) -> DayRange:
    return DayRange(tuple(day_window(DAY + timedelta(days=n), ZoneInfo("UTC")) for n in range(days)))


def failing(error: Exception) -> Callable[[Any], NoReturn]:
    def execute(query: Any) -> NoReturn:
        raise error

    return execute


def test_where_the_arrivals_of_a_day_cannot_be_counted_they_are_not_known() -> None:
    execute = failing(SourceError("QUERY_FAILED", "the types do not fit"))
    assert _arrivals_if_possible(execute, OneTable(EVENTS), EVENTS, day_range_of(1)) == {}


@pytest.mark.parametrize(
    ("days", "error"),
    [
        (2, SourceError("QUERY_FAILED", "each day is read alone")),
        (1, SourceError("TIME_LIMIT", "too slow")),
        (1, SourceUnavailableError("SOURCE_LOCKED", "gone for the moment")),
    ],
    ids=["a range", "a time limit", "a source that is gone"],
)
def test_a_failure_that_is_not_the_day_s_own_is_raised(days: int, error: SourceError) -> None:
    with pytest.raises(SourceError) as caught:
        _arrivals_if_possible(failing(error), OneTable(EVENTS), EVENTS, day_range_of(days))
    assert caught.value is error


def test_without_a_column_of_arrival_nothing_is_asked() -> None:
    execute = failing(AssertionError("asked"))
    assert _arrivals_if_possible(execute, OneTable(EVENTS, SCHEMA), EVENTS, day_range_of(1)) == {}


@pytest.mark.parametrize(
    ("events", "halvings"),
    [
        (0, 0),
        (1, 0),
        (MAXIMUM_COMPARED_EVENTS, 0),
        (MAXIMUM_COMPARED_EVENTS + 1, 1),
        (2 * MAXIMUM_COMPARED_EVENTS, 1),
        (2 * MAXIMUM_COMPARED_EVENTS + 1, 2),
        (100 * MAXIMUM_COMPARED_EVENTS, 7),
    ],
)
def test_ids_are_halved_until_a_million_events_are_to_be_compared(events: int, halvings: int) -> None:
    assert _halvings(events) == halvings


def test_days_are_compared_together_as_long_as_memory_allows_and_a_large_one_alone() -> None:
    half, large = EVENTS_AT_ONCE // 2, 5 * MAXIMUM_COMPARED_EVENTS
    counts = dict(enumerate([0, half, half, 0, 1, large, 0, 7, 0]))
    assert list(_batches(9, counts)) == [(1, 3, 0), (4, 4, 0), (5, 5, 3), (7, 8, 0)]
    assert list(_batches(3, {})) == []


def test_the_hours_of_a_name_may_come_in_any_order() -> None:
    schema = replace(
        SCHEMA,
        critical_fields=("user_id", "session", 'an "odd" one'),
        rates=(Rate("ghost", "crew = 0"), Rate("diverted", "is_diverted", of="is_arrival")),
    )
    found = [
        (
            *(0, "a", "1", 60, 1, 0, 9, 5, 0, 1, 0, 3, 7),
            "7,10,1,0,4,2,0,0,0,3,4,0,20,0,0,0,3,0,1,0,0,2,24,30,0,0,5,0,0,0,0,0,1",
            *(6, 2, 0),
        ),
        (*(0, "b", None, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1), "9,1,1,1,1,1,1,1,1,0,1", *(1, 2, 0)),
    ]
    aggregates = _combined(found, None, schema).aggregates
    spread, alone = aggregates.rows
    assert spread[:-1] == (0, "a", "1", 60, 1, 0, 0, (5, 0, 1), 9, (0, 3, 7))
    assert hourly_counts(aggregates.rows) == [
        HourlyCounts(
            hours=[0, 7, 24],
            events=[20, 10, 30],
            errors=[0, 1, 0],
            late_events=[0, 4, 5],
            missing_critical={"user_id": [3, 2, 0], 'an "odd" one': [1, 0, 0]},
            rate_counts={"diverted": [0, 3, 0], "diverted.of": [2, 4, 1]},
        ),
        None,
    ]
    assert alone == AggregateRow(9, "b", None, 1, 1, 1, 1, (1, 1, 1), 1, (1, 0, 1))
    assert aggregates.rate_counts() == {"ghost": 1, "diverted": 3, "diverted.of": 8}
    assert [row.events for row in each_hour(aggregates)] == [20, 10, 1, 30]
    assert aggregates.hours == 4
