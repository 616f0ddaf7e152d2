"""How days are grouped into day ranges, and the one aggregate query as each engine gets it."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import DayWindow, day_window, days_between
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.columns import Column, ColumnKind
from telemetry_quality.sources.duckdb_sql import DuckDBDialect
from telemetry_quality.sources.query import DayRange, EventTable, day_ranges_of
from telemetry_quality_tests.builders import DAY, NEW_YORK, SCHEMA
from telemetry_quality_tests.sources.event_tables import table_of

UTC_ZONE = ZoneInfo("UTC")


def windows(zone: ZoneInfo, first: date, last: date) -> list[DayWindow]:
    return [day_window(day, zone) for day in days_between(first, last)]


def days_of(runs: list[DayRange]) -> list[list[int]]:
    return [[window.day.day for window in day_range.windows] for day_range in runs]


@pytest.mark.parametrize(
    ("first", "runs"),
    [
        (date(2013, 3, 8), [[8, 9], [10], [11, 12]]),
        (date(2013, 11, 1), [[1, 2], [3], [4, 5]]),
    ],
    ids=["23 hours", "25 hours"],
)
def test_a_day_on_which_clocks_change_is_its_own_day_range(first: date, runs: list[list[int]]) -> None:
    assert days_of(list(day_ranges_of(windows(NEW_YORK, first, first + timedelta(days=4))))) == runs


def test_a_year_without_clock_changes_is_one_day_range() -> None:
    (day_range,) = day_ranges_of(windows(UTC_ZONE, date(2013, 1, 1), date(2013, 12, 31)))
    assert len(day_range.windows) == 365
    assert (day_range.start, day_range.end) == (day_range.windows[0].start, day_range.windows[-1].end)
    assert day_range.day_seconds == 86_400


def test_days_that_do_not_follow_each_other_share_no_day_range() -> None:
    asked = windows(UTC_ZONE, date(2013, 1, 1), date(2013, 1, 2)) + windows(
        UTC_ZONE, date(2013, 1, 9), date(2013, 1, 9)
    )
    assert days_of(list(day_ranges_of(asked))) == [[1, 2], [9]]
    assert days_of(list(day_ranges_of(asked[::-1]))) == [[9], [2], [1]]


def test_a_day_that_the_zone_skipped_is_in_no_day_range() -> None:
    asked = windows(ZoneInfo("Pacific/Apia"), date(2011, 12, 29), date(2011, 12, 31))
    assert days_of(list(day_ranges_of(asked))) == [[29], [31]]


def test_no_days_give_no_day_ranges() -> None:
    assert list(day_ranges_of([])) == []


COLUMNS = {
    "event_id": ColumnKind.TEXT,
    "event_name": ColumnKind.TEXT,
    "service_version": ColumnKind.TEXT,
    "is_error": ColumnKind.BOOLEAN,
}


def event_table(time_type: str, time_kind: ColumnKind) -> EventTable:
    columns = {name: Column(name, "TEXT", kind) for name, kind in COLUMNS.items()}
    columns["occurred_at"] = Column("occurred_at", time_type, time_kind)
    return table_of("events", columns, SCHEMA)


AGGREGATES_ON_DUCKDB = """\
WITH event_groups AS
(SELECT events_in_range.hour AS hour, events_in_range.name AS name, events_in_range.version AS version, \
count(*) AS events, \
count(*) FILTER (WHERE events_in_range.is_error) AS errors, \
count(*) FILTER (WHERE events_in_range.is_error IS NULL) AS error_unknown_events, \
count(*) FILTER (WHERE events_in_range.is_late) AS late_events, \
count(*) FILTER (WHERE events_in_range.is_unidentified) AS incomplete_events
FROM (SELECT 0 AS day_index, \
(((epoch_us(CAST(events.occurred_at AS TIMESTAMPTZ)) - 1773100800000000) // 3600000000)) AS hour, \
(CASE WHEN strlen(events.event_name) > 200 AND length(events.event_name) > 200 \
THEN concat(left(events.event_name, 200), '…', left(md5(events.event_name), 16)) \
ELSE events.event_name END) AS name, \
(CASE WHEN strlen(events.service_version) > 200 AND length(events.service_version) > 200 \
THEN concat(left(events.service_version, 200), '…', left(md5(events.service_version), 16)) \
ELSE events.service_version END) AS version, \
events.is_error AS is_error, false AS is_late, \
events.event_id IS NULL AS is_unidentified
FROM events
WHERE events.occurred_at >= CAST('2026-03-10 00:00:00+00' AS TIMESTAMP WITH TIME ZONE) \
AND events.occurred_at < CAST('2026-03-11 00:00:00+00' AS TIMESTAMP WITH TIME ZONE)) AS events_in_range \
GROUP BY events_in_range.hour, events_in_range.name, events_in_range.version)
SELECT kept_combinations.day_index, kept_combinations.name, kept_combinations.version, kept_combinations.events, \
kept_combinations.errors, kept_combinations.error_unknown_events, kept_combinations.late_events, \
kept_combinations.numbers, kept_combinations.incomplete_events, kept_combinations.groups_of_day, \
kept_combinations.clipped_events
FROM (SELECT ranked_combinations.day_index AS day_index, ranked_combinations.name AS name, \
ranked_combinations.version AS version, ranked_combinations.events AS events, ranked_combinations.errors AS errors, \
ranked_combinations.error_unknown_events AS error_unknown_events, ranked_combinations.late_events AS late_events, \
ranked_combinations.numbers AS numbers, ranked_combinations.incomplete_events AS incomplete_events, \
ranked_combinations.groups_of_day AS groups_of_day, ranked_combinations.clipped_events AS clipped_events
FROM (SELECT combinations.day_index AS day_index, combinations.name AS name, combinations.version AS version, \
combinations.events AS events, combinations.errors AS errors, combinations.error_unknown_events AS \
error_unknown_events, combinations.late_events AS late_events, combinations.numbers AS numbers, \
combinations.incomplete_events AS incomplete_events, count(*) OVER (PARTITION BY combinations.day_index) AS \
groups_of_day, CAST(sum(CASE WHEN ((length(combinations.name) > 200) OR (length(combinations.version) > 200)) THEN \
combinations.events ELSE 0 END) OVER (PARTITION BY combinations.day_index) AS BIGINT) AS clipped_events, \
row_number() OVER (PARTITION BY combinations.day_index ORDER BY combinations.events DESC, combinations.name IS NOT \
NULL, combinations.name, combinations.version IS NOT NULL, combinations.version) AS position
FROM (SELECT 0 AS day_index, hours.name AS name, hours.version AS version, CAST(sum(hours.events) AS BIGINT) AS \
events, CAST(sum(hours.errors) AS BIGINT) AS errors, CAST(sum(hours.error_unknown_events) AS BIGINT) AS \
error_unknown_events, CAST(sum(hours.late_events) AS BIGINT) AS late_events, string_agg(hours.numbers, ',') AS \
numbers, CAST(sum(hours.incomplete_events) AS BIGINT) AS incomplete_events
FROM (SELECT event_groups.name AS name, event_groups.version AS version, event_groups.events AS events, \
event_groups.errors AS errors, event_groups.error_unknown_events AS error_unknown_events, event_groups.late_events \
AS late_events, event_groups.incomplete_events AS incomplete_events, CAST(event_groups.hour AS VARCHAR) || ',' || \
CAST(event_groups.events AS VARCHAR) || ',' || CAST(event_groups.errors AS VARCHAR) || ',' || \
CAST(event_groups.error_unknown_events AS VARCHAR) || ',' || CAST(event_groups.late_events AS VARCHAR) AS numbers
FROM event_groups) AS hours GROUP BY hours.name, hours.version) AS combinations) AS ranked_combinations
WHERE ranked_combinations.position <= 10000) AS kept_combinations ORDER BY kept_combinations.day_index, \
kept_combinations.name NULLS FIRST, kept_combinations.version NULLS FIRST"""


def test_the_aggregate_query_is_one_group_by_over_the_events_of_the_day_range() -> None:
    day_range = DayRange((day_window(DAY, UTC_ZONE),))
    query = aggregate_query(event_table("TIMESTAMP WITH TIME ZONE", ColumnKind.INSTANT), day_range)
    compiled = str(query.compile(dialect=DuckDBDialect(), compile_kwargs={"literal_binds": True}))
    assert "\n".join(line.strip() for line in compiled.splitlines()) == AGGREGATES_ON_DUCKDB


def test_names_that_need_it_are_quoted_and_values_are_bound() -> None:
    hostile = 'name"; DROP TABLE events; --'
    columns = event_table("TIMESTAMP", ColumnKind.INSTANT).columns
    schema = EventSchema(
        event_id="event_id",
        occurred_at="occurred_at",
        event_name=hostile,
        service_version="service_version",
        is_error="severity >= 17",
    )
    found = {**columns, hostile: Column(hostile, "VARCHAR", ColumnKind.TEXT)}
    found["severity"] = Column("severity", "BIGINT", ColumnKind.INTEGER)
    events = table_of("my events", found, schema)
    compiled = aggregate_query(events, DayRange((day_window(DAY, UTC_ZONE),))).compile(dialect=DuckDBDialect())
    assert 'ELSE "my events"."name""; DROP TABLE events; --" END) AS name' in str(compiled)
    assert "17" not in str(compiled)
    assert 17 in compiled.params.values()
