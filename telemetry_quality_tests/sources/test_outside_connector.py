"""The shared contract, met by the connector that ``docs/add-a-connector.md`` builds outside the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality_tests.packages import CONTRACT_TEST, installed, write_the_page_s_package
from telemetry_quality_tests.sources import test_contract
from telemetry_quality_tests.sources.test_contract import (
    ALL_EVENTS,
    CASE_WINDOWS,
    AllCases,
    Location,
    read,
    test_a_day_reads_the_same_alone_and_together_with_others,
    test_a_day_sent_twice_is_half_duplicates,
    test_a_day_that_the_zone_skipped_is_reported_as_skipped_and_stops_no_other,
    test_a_day_whose_ids_are_all_the_same_still_fills_its_sample,
    test_a_day_without_events_is_read_as_empty_and_not_left_out,
    test_a_missing_version_means_the_same_in_a_slice_as_in_the_day_however_many_there_are,
    test_a_sampled_event_shows_its_id_name_version_and_what_it_misses,
    test_beyond_the_limit_a_slice_of_the_ids_is_compared_and_says_the_same,
    test_counting_days_says_what_reading_them_says,
    test_days_may_be_asked_for_in_any_order_and_with_gaps,
    test_days_of_a_zone_half_an_hour_off_are_cut_at_their_own_midnight,
    test_events_without_an_id_are_drawn_and_shown_without_one,
    test_events_without_ids_repeat_where_all_that_is_known_of_them_is_equal,
    test_every_hour_of_a_local_day_is_counted_where_it_belongs,
    test_frequent_values_are_counted_within_the_day,
    test_rates_are_counted_where_their_predicates_hold_and_a_null_does_not,
    test_reading_never_changes_a_byte_of_the_source,
    test_the_busiest_hundred_values_of_a_dimension_are_distinguished_and_the_rest_summed,
    test_the_counts_of_a_day_alone_are_those_of_its_reading,
    test_the_same_events_are_the_same_day_wherever_they_live,
    test_what_a_rate_cannot_be_counted_of_is_named_with_the_rate,
    test_what_arrives_bearing_an_impossible_time_is_counted_where_it_arrived,
    test_without_a_column_of_arrival_there_are_no_arrivals,
    test_without_rates_nothing_is_counted_for_any,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from telemetry_quality_tests.sources.test_contract import Source

    Write = Callable[[Location, Sequence[Mapping[str, Any]]], Source]

pytestmark = pytest.mark.slow

CONTRACT = (
    test_a_day_reads_the_same_alone_and_together_with_others,
    test_a_day_sent_twice_is_half_duplicates,
    test_a_day_that_the_zone_skipped_is_reported_as_skipped_and_stops_no_other,
    test_a_day_whose_ids_are_all_the_same_still_fills_its_sample,
    test_a_day_without_events_is_read_as_empty_and_not_left_out,
    test_a_missing_version_means_the_same_in_a_slice_as_in_the_day_however_many_there_are,
    test_a_sampled_event_shows_its_id_name_version_and_what_it_misses,
    test_beyond_the_limit_a_slice_of_the_ids_is_compared_and_says_the_same,
    test_counting_days_says_what_reading_them_says,
    test_days_may_be_asked_for_in_any_order_and_with_gaps,
    test_days_of_a_zone_half_an_hour_off_are_cut_at_their_own_midnight,
    test_events_without_an_id_are_drawn_and_shown_without_one,
    test_events_without_ids_repeat_where_all_that_is_known_of_them_is_equal,
    test_every_hour_of_a_local_day_is_counted_where_it_belongs,
    test_frequent_values_are_counted_within_the_day,
    test_rates_are_counted_where_their_predicates_hold_and_a_null_does_not,
    test_what_a_rate_cannot_be_counted_of_is_named_with_the_rate,
    test_without_rates_nothing_is_counted_for_any,
    test_reading_never_changes_a_byte_of_the_source,
    test_the_busiest_hundred_values_of_a_dimension_are_distinguished_and_the_rest_summed,
    test_the_counts_of_a_day_alone_are_those_of_its_reading,
    test_the_same_events_are_the_same_day_wherever_they_live,
    test_what_arrives_bearing_an_impossible_time_is_counted_where_it_arrived,
    test_without_a_column_of_arrival_there_are_no_arrivals,
)
"""The imported tests run here with the fixtures below."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Write]:
    """The function of this name in the page's own test."""
    names: dict[str, Any] = {}
    exec(CONTRACT_TEST, names)
    with installed(write_the_page_s_package(tmp_path_factory.mktemp("packages"))):
        yield names["written"]


@pytest.fixture
def write(written: Write) -> Write:
    return written


@pytest.fixture(scope="module")
def all_cases(written: Write, tmp_path_factory: pytest.TempPathFactory) -> AllCases:
    source = written(Location(tmp_path_factory.mktemp("cases")), ALL_EVENTS)
    return AllCases(source, {scan.day: scan for scan in read(source, CASE_WINDOWS)})


def test_every_test_that_must_hold_everywhere_is_held_here() -> None:
    everywhere = {
        name
        for name, test in vars(test_contract).items()
        if any(mark == test_contract.wherever.mark for mark in getattr(test, "pytestmark", ()))
    }
    assert everywhere <= {test.__name__ for test in CONTRACT}
