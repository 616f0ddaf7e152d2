"""Making forecasts from the store: what is learnt from, what is said of each day, and what is stored."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.events import Arrivals
from telemetry_quality.core.forecasts.making import incomplete_days, keep_forecast, make_forecast
from telemetry_quality.core.forecasts.model import DayForecast, rounded
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.judging import load_totals
from telemetry_quality.core.marks import Mark, mark_days
from telemetry_quality_tests.builders import make_row, make_scan
from telemetry_quality_tests.core.forecasts.streams import (
    CALENDAR,
    FIRST,
    HOURS,
    append_day,
    events_of,
    now_after,
    stored_stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.core.forecasts.model import Forecast
    from telemetry_quality.storage.store import SqlQualityStore

DAYS = 77
LAST = FIRST + timedelta(days=DAYS - 1)
"""22 March 2026, a Sunday; a week later, Berlin's clocks are set forward."""
NOW = now_after(LAST)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlQualityStore]:
    store = stored_stream(tmp_path, DAYS)
    yield store
    store.close()


def made(store: SqlQualityStore, now: datetime = NOW, days: int = 14) -> Forecast:
    return make_forecast(store, "web", CALENDAR, policy_of(), now, days=days)


def test_the_days_that_are_not_complete_are_forecast_with_their_hours(store: SqlQualityStore) -> None:
    forecast = made(store)
    assert (forecast.source, forecast.day, forecast.made_at, forecast.known_from) == ("web", LAST, NOW, None)
    assert [coming.day for coming in forecast.coming] == [LAST + timedelta(days=n) for n in range(1, 15)]
    for coming in forecast.coming:
        assert coming.events == pytest.approx(events_of(coming.day), rel=0.1)
        assert coming.low <= coming.events <= coming.high
        assert coming.hours is not None
        peak = max(hour.events for hour in coming.hours)
        assert peak == pytest.approx(coming.events * max(HOURS) / sum(HOURS), rel=0.1)


def test_the_day_on_which_clocks_are_set_forward_has_23_hours(store: SqlQualityStore) -> None:
    hours = {coming.day: len(coming.hours or ()) for coming in made(store).coming}
    assert hours.pop(date(2026, 3, 29)) == 23
    assert set(hours.values()) == {24}


def test_what_is_stored_later_changes_no_earlier_forecast(store: SqlQualityStore) -> None:
    before = made(store)
    append_day(store, LAST + timedelta(days=1), factor=9)
    assert made(store) == before
    assert made(store, now_after(LAST + timedelta(days=1))) != before


@pytest.mark.parametrize("mark", [Mark.BAD, Mark.SPECIAL])
def test_bad_and_special_days_are_not_learnt(store: SqlQualityStore, mark: Mark) -> None:
    odd = LAST - timedelta(days=3)
    clean = made(store)
    append_day(store, odd, factor=1.6)
    assert made(store) != clean
    store.append_marked_days(mark_days("web", (odd, odd), mark, "ada", NOW))
    events = [coming.events for coming in made(store).coming]
    assert events == pytest.approx([coming.events for coming in clean.coming], rel=0.02)


def test_a_coming_day_that_is_marked_special_says_so(store: SqlQualityStore) -> None:
    sale = LAST + timedelta(days=5)
    store.append_marked_days(mark_days("web", (sale, sale), Mark.SPECIAL, "ada", NOW, note="sale"))
    assert [coming.day for coming in made(store).coming if coming.why == "marked special"] == [sale]


def test_a_day_whose_events_are_still_arriving_is_not_learnt(store: SqlQualityStore) -> None:
    """Of every day, a third arrives only 30 hours after it; the last day is read after 12."""
    late = Arrivals((66, *[0] * 30, 34), 100, 0, 0, 0)
    for n in range(14):
        day = LAST - timedelta(days=n + 1)
        store.append_scan("web", make_scan(day, make_row(events=100), arrivals=late), (), now_after(LAST))
    context = load_totals(store, "web", LAST + timedelta(days=1))
    end = CALENDAR.window(LAST).end
    assert LAST in incomplete_days(context, CALENDAR, policy_of(), end + timedelta(hours=12))
    assert LAST not in incomplete_days(context, CALENDAR, policy_of(), end + timedelta(hours=40))

    before = made(store, end + timedelta(hours=12)).coming
    append_day(store, LAST, factor=0.66)
    assert made(store, end + timedelta(hours=12)).coming == before
    assert made(store, end + timedelta(hours=23)).coming == before


def test_too_short_a_history_says_from_when_on_there_will_be_a_forecast(tmp_path: Path) -> None:
    store = stored_stream(tmp_path, 20)
    forecast, is_new = keep_forecast(store, "web", CALENDAR, policy_of(), now_after(FIRST + timedelta(days=19)))
    assert (forecast.coming, forecast.known_from, is_new) == ((), FIRST + timedelta(days=28), False)
    assert store.forecasts("web", FIRST, LAST) == []


def test_a_forecast_is_kept_once(store: SqlQualityStore) -> None:
    kept, is_new = keep_forecast(store, "web", CALENDAR, policy_of(), NOW)
    again = keep_forecast(store, "web", CALENDAR, policy_of(), NOW + timedelta(hours=2))
    assert (is_new, again) == (True, (kept, False))
    (read,) = store.forecasts("web", LAST, LAST)
    assert [day.events for day in read.coming] == [day.events for day in kept.coming]


def test_a_day_is_the_same_after_json(store: SqlQualityStore) -> None:
    for coming in made(store, days=2).coming:
        assert DayForecast.from_json(coming.as_json(), coming.hours_as_json()) == coming


def test_numbers_have_six_digits() -> None:
    assert [rounded(events) for events in (1234567.8, 0.12345678, 0.0)] == [1234570.0, 0.123457, 0.0]


def test_an_unread_latest_day_is_forecast_over(store: SqlQualityStore) -> None:
    forecast = made(store, datetime(2026, 3, 25, 12, tzinfo=UTC))
    assert forecast.day == date(2026, 3, 24)
    assert forecast.coming[0].events == pytest.approx(events_of(date(2026, 3, 25)), rel=0.1)
