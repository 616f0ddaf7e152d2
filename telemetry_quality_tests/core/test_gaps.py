from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import Calendar, days_between
from telemetry_quality.core.gaps import day_ranges, find_gaps, missing_days

HOUR = timedelta(hours=1)
FIRST = date(2026, 2, 1)
UTC_CALENDAR = Calendar(ZoneInfo("UTC"), FIRST)


def test_a_day_is_missing_once_its_late_events_had_time_to_arrive() -> None:
    end = datetime(2026, 2, 2, tzinfo=UTC)
    before, at = end + HOUR - timedelta(seconds=1), end + HOUR
    assert missing_days(UTC_CALENDAR, (), before, HOUR) == []
    assert missing_days(UTC_CALENDAR, (), at, HOUR) == [FIRST]


def test_no_day_before_the_first_or_after_the_last_is_missing() -> None:
    calendar = Calendar(ZoneInfo("UTC"), FIRST, date(2026, 2, 3))
    assert missing_days(calendar, {date(2026, 2, 2)}, datetime(2027, 1, 1, tzinfo=UTC), HOUR) == [
        FIRST,
        date(2026, 2, 3),
    ]


@pytest.mark.parametrize(
    ("zone", "night", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("UTC", date(2028, 2, 29), 24),
    ],
)
def test_nights_in_which_clocks_change_and_leap_days_are_neither_lost_nor_doubled(
    zone: str, night: date, hours: int
) -> None:
    calendar = Calendar(ZoneInfo(zone), night - timedelta(days=1))
    end = calendar.window(night).end
    assert calendar.window(night).hours == hours
    assert missing_days(calendar, (), end + HOUR - timedelta(seconds=1), HOUR) == [night - timedelta(days=1)]
    assert missing_days(calendar, (), end + HOUR, HOUR) == [night - timedelta(days=1), night]
    assert day_ranges(missing_days(calendar, (), end + timedelta(days=1), HOUR)) == [(night - timedelta(days=1), night)]


def test_missing_days_are_grouped_into_ranges_and_named_with_the_command_that_makes_them() -> None:
    judged = {date(2026, 2, day) for day in (3, 4, 6)}
    gaps = find_gaps("web", UTC_CALENDAR, judged, datetime(2026, 2, 9, 6, tzinfo=UTC), HOUR)
    assert gaps.missing == (
        (FIRST, date(2026, 2, 2)),
        (date(2026, 2, 5), date(2026, 2, 5)),
        (date(2026, 2, 7), date(2026, 2, 8)),
    )
    (sentence,) = gaps.sentences()
    assert sentence == (
        "web: 5 days have no snapshot (2026-02-01 to 2026-02-02, 2026-02-05, 2026-02-07 to 2026-02-08); "
        "run telemetry-quality backfill --missing --source web."
    )
    assert (gaps.as_json()["missing_days"], gaps.as_json()["command"]) == (5, gaps.command)


def test_more_than_three_gaps_are_cut_short_and_a_single_day_is_one_day() -> None:
    judged = {date(2026, 2, day) for day in (2, 4, 6, 8)}
    (sentence,) = find_gaps("web", UTC_CALENDAR, judged, datetime(2026, 2, 10, 6, tzinfo=UTC), HOUR).sentences()
    assert "5 days have no snapshot (2026-02-01, 2026-02-03, 2026-02-05, …)" in sentence
    known = set(days_between(FIRST, date(2026, 2, 8)))
    (sentence,) = find_gaps("web", UTC_CALENDAR, known, datetime(2026, 2, 10, 6, tzinfo=UTC), HOUR).sentences()
    assert sentence.startswith("web: 1 day has no snapshot (2026-02-09);")


def test_days_that_the_clock_says_are_not_over_are_named_and_yesterday_is_not() -> None:
    now = datetime(2026, 2, 3, 6, tzinfo=UTC)
    known = {FIRST, date(2026, 2, 2)}
    assert find_gaps("web", UTC_CALENDAR, known, now, HOUR).sentences() == []
    ahead = find_gaps("web", UTC_CALENDAR, known | {date(2026, 2, 3), date(2027, 3, 9)}, now, HOUR)
    assert ahead.future == (date(2026, 2, 3), date(2027, 3, 9))
    (sentence,) = ahead.sentences()
    assert "holds 2 later days, up to 2027-03-09; set the clock right if it is behind" in sentence
    assert ahead.as_json()["future_days"] == ["2026-02-03", "2027-03-09"]
    assert ahead.as_json()["command"] is None


def test_a_store_without_gaps_says_nothing() -> None:
    gaps = find_gaps("web", UTC_CALENDAR, {FIRST}, datetime(2026, 2, 2, 6, tzinfo=UTC), HOUR)
    assert gaps.sentences() == []
    assert gaps.missing_count == 0


def test_days_after_the_end_of_a_data_set_are_not_ahead_of_the_clock_once_they_are_over() -> None:
    calendar = Calendar(ZoneInfo("UTC"), FIRST, date(2026, 2, 2))
    judged = {FIRST, date(2026, 2, 2), date(2026, 2, 3)}
    during, after = datetime(2026, 2, 3, 6, tzinfo=UTC), datetime(2026, 2, 4, tzinfo=UTC)
    assert find_gaps("web", calendar, judged, during, HOUR).future == (date(2026, 2, 3),)
    gaps = find_gaps("web", calendar, judged, after, HOUR)
    assert (gaps.future, gaps.newest, gaps.sentences()) == ((), date(2026, 2, 2), [])
