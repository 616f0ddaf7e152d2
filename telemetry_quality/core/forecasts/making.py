"""Making forecasts: from what the store knows of a source to its coming days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.detectors.coming_days import INTERVAL_PERCENT, coming_days, first_forecast
from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.detectors.hourly_curve import expected_hours
from telemetry_quality.core.detectors.windows import WINDOW_DAYS
from telemetry_quality.core.events import MAXIMUM_ARRIVAL_HOURS
from telemetry_quality.core.forecasts.model import DEFAULT_DAYS, MODEL_VERSION, DayForecast, Forecast, rounded
from telemetry_quality.core.hours import ExpectedHour, clock_of
from telemetry_quality.core.judging import expectation_settings, load_totals, usual_completeness
from telemetry_quality.core.marks import Mark
from telemetry_quality.core.policies import COMPLETE_PERCENT, HOLIDAYS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.detectors.coming_days import ComingDay
    from telemetry_quality.core.hours import ClockCounts
    from telemetry_quality.core.judging import HistoricalContext
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import QualityStore

LATE_DAYS = MAXIMUM_ARRIVAL_HOURS // 24 + 1
"""Events of earlier days do not arrive any more."""


def make_forecast(
    store: QualityStore, source: str, calendar: Calendar, policy: Policy, now: datetime, *, days: int = DEFAULT_DAYS
) -> Forecast:
    """The forecast of the ``days`` days that were not complete at ``now``, from what the store knows; not stored.

    Raises:
        StoreError: If the store cannot be read.
        SettingsError: If the ``holidays`` library does not know the region.
    """
    context = load_totals(store, source, calendar.latest_day(now) + ONE_DAY)
    return forecast_of(context, calendar, policy, now, days)


def keep_forecast(
    store: QualityStore, source: str, calendar: Calendar, policy: Policy, now: datetime
) -> tuple[Forecast, bool]:
    """Make a forecast and store it, unless too little is known or it says what the latest one of its day says.

    Returns it, and whether it was appended.

    Raises:
        StoreError: If the store cannot be read or written.
        SettingsError: If the ``holidays`` library does not know the region.
    """
    made = make_forecast(store, source, calendar, policy, now)
    return store.append_forecast(made) if made.coming else (made, False)


def forecast_of(
    context: HistoricalContext, calendar: Calendar, policy: Policy, now: datetime, days: int = DEFAULT_DAYS
) -> Forecast:
    """The forecast from complete days that others may be compared with: no incident, neither bad nor special."""
    latest = calendar.latest_day(now)
    first, settings = latest + ONE_DAY, expectation_settings(policy)
    incomplete = incomplete_days(context, calendar, policy, now)
    history = {past: count for past, count in context.totals_before(first).items() if past not in incomplete}
    coming = coming_days(first, days, history, settings, context.new_levels(first))
    known_from = None if coming else first_forecast(first, history, settings)
    hours = {past: counts for past, counts in _hours(context, calendar, policy, first).items() if past in history}
    return Forecast(
        context.source,
        latest,
        now,
        MODEL_VERSION,
        INTERVAL_PERCENT,
        tuple(_day(found, context, calendar, hours) for found in coming or ()),
        known_from,
    )


def incomplete_days(context: HistoricalContext, calendar: Calendar, policy: Policy, now: datetime) -> frozenset[date]:
    """The latest days of which too many events have usually not arrived yet."""
    latest = calendar.latest_day(now)
    days = [latest - n * ONE_DAY for n in range(LATE_DAYS)]
    shares = {day: usual_completeness(day, context, calendar, now) for day in days if day in context.totals}
    return frozenset(day for day, share in shares.items() if share is not None and share < policy[COMPLETE_PERCENT])


def _hours(context: HistoricalContext, calendar: Calendar, policy: Policy, first: date) -> dict[date, ClockCounts]:
    """The hours of earlier ordinary days."""
    effects = calendar_effects(policy[HOLIDAYS], first.year)
    days = [past for past in context.before(first, WINDOW_DAYS) if past not in effects]
    return {past: counted.events_by_clock() for past, counted in context.hours(days, calendar).items()}


def _day(
    found: ComingDay, context: HistoricalContext, calendar: Calendar, hours: Mapping[date, ClockCounts]
) -> DayForecast:
    expected = Expectation(found.events, found.low, found.high)
    by_hour = expected_hours(found.day, expected, hours, INTERVAL_PERCENT, clock_of(found.day, calendar))
    marked = context.marks.get(found.day)
    return DayForecast(
        found.day,
        rounded(found.events),
        rounded(found.low),
        rounded(found.high),
        "marked special" if marked is not None and marked.mark is Mark.SPECIAL else found.why,
        None if by_hour is None else tuple(ExpectedHour(*map(rounded, hour)) for hour in by_hour),
    )
