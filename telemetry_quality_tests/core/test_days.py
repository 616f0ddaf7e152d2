"""Days tile time without gap or overlap, whatever a zone's clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telemetry_quality.core.days import Calendar, clock_times, day_window, days_between, latest_complete_day
from telemetry_quality.errors import RequestError
from telemetry_quality_tests.builders import NEW_YORK, NOW

ONE_DAY = timedelta(days=1)
ODD_ZONES = (
    "Africa/Cairo",
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/London",
    "Pacific/Apia",
    "UTC",
)
"""Zones whose clocks jump at midnight, by half an hour, over a whole day, or never."""

zones = st.sampled_from(sorted(available_timezones()))
days = st.dates(min_value=date(1970, 1, 2), max_value=date(2037, 12, 30))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2013, 3, 10), 23),
        ("America/New_York", date(2013, 3, 11), 24),
        ("America/New_York", date(2013, 11, 3), 25),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("America/Sao_Paulo", date(2018, 2, 17), 25),
        ("Africa/Cairo", date(2023, 4, 28), 23),
        ("Africa/Cairo", date(2023, 10, 26), 25),
        ("Australia/Lord_Howe", date(2013, 10, 6), 23.5),
        ("Australia/Lord_Howe", date(2013, 4, 7), 24.5),
        # Clocks jumped from 23:30 to 00:30: each of the two days lost half an hour.
        ("America/Toronto", date(1919, 3, 30), 23.5),
        ("America/Toronto", date(1919, 3, 31), 23.5),
        ("Pacific/Apia", date(2011, 12, 29), 24),
        ("Pacific/Apia", date(2011, 12, 30), 0),
        ("Pacific/Apia", date(2011, 12, 31), 24),
        ("UTC", date(2013, 3, 10), 24),
    ],
)
def test_a_day_has_as_many_hours_as_its_zone_gives_it(zone: str, day: date, hours: float) -> None:
    assert day_window(day, ZoneInfo(zone)).hours == hours


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("UTC", date(2026, 3, 10), datetime(2026, 3, 10, tzinfo=UTC)),
        ("America/New_York", date(2013, 3, 10), datetime(2013, 3, 10, 5, tzinfo=UTC)),
        ("America/New_York", date(2013, 3, 11), datetime(2013, 3, 11, 4, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2026, 3, 10), datetime(2026, 3, 9, 18, 15, tzinfo=UTC)),
        # Clocks jump from 23:59:59 to 01:00: the day begins with the jump.
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC)),
        ("Africa/Cairo", date(2023, 4, 28), datetime(2023, 4, 27, 22, tzinfo=UTC)),
        ("America/Toronto", date(1919, 3, 31), datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),
        # Clocks go back from 00:00 to 23:00: the day begins at the second midnight.
        ("America/Sao_Paulo", date(2018, 2, 18), datetime(2018, 2, 18, 3, tzinfo=UTC)),
        # Clocks go back from 01:00 to 00:00: the day begins at the first midnight.
        ("America/Havana", date(2013, 11, 3), datetime(2013, 11, 3, 4, tzinfo=UTC)),
        # The day that never was begins and ends where the date line was moved.
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("Pacific/Apia", date(2011, 12, 31), datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: date, start: datetime) -> None:
    window = day_window(day, ZoneInfo(zone))

    assert window.day == day
    assert window.start == start
    assert window.start.utcoffset() == timedelta(0)
    assert window.end.utcoffset() == timedelta(0)


def test_an_hour_repeated_across_midnight_belongs_to_the_day_that_had_begun() -> None:
    """St. John's set its clocks back at 00:01 until 2011, so that an hour of the old date came after midnight."""
    zone = ZoneInfo("America/St_Johns")
    window = day_window(date(2010, 11, 7), zone)
    repeated = datetime(2010, 11, 7, 3, tzinfo=UTC)

    assert window.start == datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    assert repeated.astimezone(zone).date() == date(2010, 11, 6)
    assert window.start <= repeated < window.end
    assert window.hours == 25


@settings(deadline=None)
@given(zones, days)
@example("America/St_Johns", date(2010, 11, 7))
@example("America/Sao_Paulo", date(2018, 11, 4))
@example("Africa/Cairo", date(2023, 4, 28))
@example("America/Toronto", date(1919, 3, 30))
@example("America/Toronto", date(1919, 3, 31))
@example("Pacific/Apia", date(2011, 12, 30))
@example("Antarctica/Casey", date(2010, 3, 5))
def test_consecutive_days_tile_time_in_every_zone(zone_name: str, day: date) -> None:
    assert_tiles(ZoneInfo(zone_name), day)


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_every_day_of_fifteen_years_joins_the_next_one(zone: str) -> None:
    for day in days_between(date(2010, 1, 1), date(2024, 12, 31)):
        assert_tiles(ZoneInfo(zone), day)


def assert_tiles(zone: ZoneInfo, day: date) -> None:
    """The day joins its neighbours, begins and ends with its own date, and follows the date before it."""
    window = day_window(day, zone)
    assert day_window(day - ONE_DAY, zone).end == window.start
    assert window.end == day_window(day + ONE_DAY, zone).start
    assert window.start <= window.end
    assert (window.start - timedelta(microseconds=1)).astimezone(zone).date() < day
    if window.hours:
        assert window.start.astimezone(zone).date() == day
        assert (window.end - timedelta(microseconds=1)).astimezone(zone).date() == day


def test_days_between_includes_both_ends() -> None:
    assert list(days_between(date(2026, 2, 27), date(2026, 3, 1))) == [
        date(2026, 2, 27),
        date(2026, 2, 28),
        date(2026, 3, 1),
    ]
    assert list(days_between(date(2026, 3, 1), date(2026, 3, 1))) == [date(2026, 3, 1)]
    assert list(days_between(date(2026, 3, 2), date(2026, 3, 1))) == []


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        (datetime(2026, 3, 10, 3, 59, 59, tzinfo=UTC), date(2026, 3, 8)),
        (datetime(2026, 3, 10, 4, tzinfo=UTC), date(2026, 3, 9)),
        (datetime(2026, 3, 10, 4, 0, 1, tzinfo=UTC), date(2026, 3, 9)),
        (datetime(2026, 3, 10, 5, tzinfo=timezone(timedelta(hours=2))), date(2026, 3, 8)),
    ],
)
def test_a_day_is_complete_from_the_instant_the_next_one_begins_in_its_zone(now: datetime, latest: date) -> None:
    assert latest_complete_day(now, NEW_YORK) == latest


def test_an_instant_without_a_zone_is_refused_with_the_remedy() -> None:
    naive = NOW.replace(tzinfo=None)

    with pytest.raises(RequestError, match=r"2026-06-01T12:00:00 has no zone; pass one in UTC"):
        latest_complete_day(naive, NEW_YORK)
    with pytest.raises(RequestError, match="aware instant"):
        Calendar(NEW_YORK, date(2026, 1, 1)).require(date(2026, 3, 10), naive)


@pytest.mark.parametrize(
    ("last_day", "latest"),
    [
        (None, date(2026, 5, 31)),
        (date(2026, 4, 30), date(2026, 4, 30)),
        (date(2026, 5, 31), date(2026, 5, 31)),
        (date(2026, 6, 30), date(2026, 5, 31)),
    ],
)
def test_the_latest_day_is_complete_and_within_the_data_set(last_day: date | None, latest: date) -> None:
    assert Calendar(NEW_YORK, date(2026, 1, 1), last_day).latest_day(NOW) == latest


def test_a_calendar_cuts_its_days_in_its_own_zone() -> None:
    assert Calendar(NEW_YORK, date(2013, 1, 1)).window(date(2013, 3, 10)).hours == 23


@pytest.mark.parametrize("day", [date(2026, 1, 1), date(2026, 1, 2), date(2026, 5, 30), date(2026, 5, 31)])
def test_days_at_and_between_the_ends_of_a_calendar_are_allowed(day: date) -> None:
    Calendar(NEW_YORK, date(2026, 1, 1)).require(day, NOW)
    Calendar(NEW_YORK, date(2026, 1, 1), date(2026, 5, 31)).require(day, NOW)


@pytest.mark.parametrize("day", [date(2025, 12, 31), date(2026, 6, 1), date(2026, 6, 2)])
@pytest.mark.parametrize("last_day", [None, date(2026, 5, 31)])
def test_a_day_beyond_either_end_of_a_calendar_is_refused_with_what_is_allowed(
    day: date, last_day: date | None
) -> None:
    with pytest.raises(RequestError) as refused:
        Calendar(NEW_YORK, date(2026, 1, 1), last_day).require(day, NOW)

    assert str(refused.value) == (
        f"A complete day from 2026-01-01 to 2026-05-31 is required, but {day} was asked for; "
        "choose another day or change first_day or last_day in the settings."
    )


@pytest.mark.parametrize(
    ("day", "hours", "shown"),
    [
        (date(2026, 3, 28), (14, 17), None),
        (date(2026, 3, 29), (0, 0), None),
        (date(2026, 3, 29), (0, 1), ("00:00", "03:00")),
        (date(2026, 3, 29), (14, 17), ("15:00", "19:00")),
        (date(2026, 3, 29), (14, 22), ("15:00", "24:00")),
        (date(2026, 10, 25), (14, 17), ("13:00", "17:00")),
        (date(2026, 10, 25), (14, 24), ("13:00", "24:00")),
        (date(2026, 10, 26), (14, 23), None),
    ],
)
def test_hours_since_the_day_began_are_read_from_the_clock_where_it_was_changed(
    day: date, hours: tuple[int, int], shown: tuple[str, str] | None
) -> None:
    assert clock_times(day, hours, ZoneInfo("Europe/Berlin")) == shown
