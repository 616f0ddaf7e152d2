"""A part of the contract on fakesnow, an emulator of Snowflake: its queries run, but not on Snowflake.

It needs packages that clash with those of this project, so it runs in an environment of its own;
docs/reference/sources.md says how.
"""

from __future__ import annotations

import os
from datetime import UTC
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from telemetry_quality.sources.unproven import UnprovenSource
from telemetry_quality_tests.sources.test_contract import (
    ALL_EVENTS,
    CASE_WINDOWS,
    COLUMNS,
    AllCases,
    Location,
    read,
    test_a_day_sent_twice_is_half_duplicates,
    test_a_sampled_event_shows_its_id_name_version_and_what_it_misses,
    test_counting_days_says_what_reading_them_says,
    test_days_may_be_asked_for_in_any_order_and_with_gaps,
    test_every_hour_of_a_local_day_is_counted_where_it_belongs,
    test_rates_are_counted_where_their_predicates_hold_and_a_null_does_not,
    test_the_counts_of_a_day_alone_are_those_of_its_reading,
    test_the_same_events_are_the_same_day_wherever_they_live,
    test_what_arrives_bearing_an_impossible_time_is_counted_where_it_arrived,
    with_times,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Write = Callable[[Location, Sequence[Mapping[str, Any]]], UnprovenSource]

if not os.environ.get("FAKESNOW"):
    pytest.skip("fakesnow has an environment of its own, see docs/reference/sources.md.", allow_module_level=True)

CONTRACT = (
    test_a_day_sent_twice_is_half_duplicates,
    test_a_sampled_event_shows_its_id_name_version_and_what_it_misses,
    test_counting_days_says_what_reading_them_says,
    test_days_may_be_asked_for_in_any_order_and_with_gaps,
    test_every_hour_of_a_local_day_is_counted_where_it_belongs,
    test_rates_are_counted_where_their_predicates_hold_and_a_null_does_not,
    test_the_counts_of_a_day_alone_are_those_of_its_reading,
    test_the_same_events_are_the_same_day_wherever_they_live,
    test_what_arrives_bearing_an_impossible_time_is_counted_where_it_arrived,
)
"""The tests that run here with the fixtures below."""
TYPES = {
    "occurred_at": "TIMESTAMP_NTZ(9)",
    "is_error": "BOOLEAN",
    "session": "NUMBER(38, 0)",
    "observed_at": "TIMESTAMP_NTZ(9)",
    "build": "NUMBER(38, 0)",
}
"""All others are TEXT."""
NUMBERS = count(1)
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def written() -> Iterator[Write]:
    fakesnow = pytest.importorskip("fakesnow")

    def write(location: Location, events: Sequence[Mapping[str, Any]]) -> UnprovenSource:
        name = f"events{next(NUMBERS)}"
        source = UnprovenSource("snowflake://fake:snow@fakesnow/DB1/PUBLIC", name, location.schema, salt=location.salt)
        columns = ", ".join(f'"{column}" {TYPES.get(column, "TEXT")}' for column in COLUMNS)
        rows = with_times(events, lambda at: at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" "))
        with source._engine.begin() as connection:
            connection.execute(text(f'CREATE TABLE "{name}" ({columns})'))
            places = ", ".join(f":{column}" for column in COLUMNS)
            for row in rows:
                values = {column: row.get(column) for column in COLUMNS}
                connection.execute(text(f'INSERT INTO "{name}" VALUES ({places})'), values)
        return source

    with fakesnow.patch():
        yield write


@pytest.fixture
def write(written: Write) -> Write:
    return written


@pytest.fixture(scope="module")
def all_cases(written: Write, tmp_path_factory: pytest.TempPathFactory) -> AllCases:
    source = written(Location(tmp_path_factory.mktemp("cases")), ALL_EVENTS)
    return AllCases(source, {scan.day: scan for scan in read(source, CASE_WINDOWS)})
