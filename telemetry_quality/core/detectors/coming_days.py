"""Coming days: how many events to expect on each of the next days, and within which interval.

What an interval means is measured: the stream is replayed, and each of its last days is compared with what would have
been forecast one, two or more days before.
"""

from __future__ import annotations

from datetime import timedelta
from math import exp, log
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.detectors.emptiness import rests
from telemetry_quality.core.detectors.expected_volume import FEW_EVENTS, HISTORY_DAYS, LARGEST_LOGARITHM, REST
from telemetry_quality.core.detectors.intervals import LEAST_REACH, Reach, quantile
from telemetry_quality.core.detectors.regime import LARGEST_TAIL
from telemetry_quality.core.detectors.weekday_stream import Stream, StreamCalendar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.detectors.expected_volume import ExpectationSettings

INTERVAL_PERCENT = 90.0
"""How many of the coming days should lie within their interval."""

LEAST_DAYS = 28
"""Days that must be known: the first two weeks make the profile, two more show how far it errs."""

REPLAYED_DAYS = 120
"""From so many of the last days the stream is forecast again."""

POOLED_DAYS = 2
"""Errors of so many days more and less ahead count too."""

FIRST_REACH, FIRST_REACH_DAYS = 1.9, 20
"""Reach of an interval in spreads before any error is known, and the days of evidence that it is worth."""

REPEATED = 0.25
"""Errors several days ahead overlap: each day more makes one of them worth less evidence, by this share."""

OWN_SIDE_SHARE = 0.5
"""Weight of the errors on one side for the reach on that side; the rest of the weight is that of all errors."""


class ComingDay(NamedTuple):
    """The events to expect on a day, and the interval in which INTERVAL_PERCENT of such days lie.

    Attributes:
        why: Why the day may not be an ordinary one: ``Labor Day``, ``perhaps Labor Day``, ``day of rest``; None if
            nothing says so.
    """

    day: date
    events: float
    low: float
    high: float
    why: str | None = None


def coming_days(
    first: date,
    days: int,
    history: Mapping[date, int],
    settings: ExpectationSettings,
    new_levels: Collection[date] = (),
) -> list[ComingDay] | None:
    """What to expect of the ``days`` days from ``first`` on; None if fewer than LEAST_DAYS days are known.

    Args:
        first: The first day to forecast; its own count and later ones in ``history`` are ignored.
        days: How many days to forecast.
        history: Events per readable day that may be learnt from.
        settings: The holiday calendar and the days of rest; the baseline and the interval are not used.
        new_levels: Days from which on somebody accepted another level as normal.

    Raises:
        SettingsError: If the ``holidays`` library does not know the region.
    """
    known = _known(first, history, settings)
    last = first + timedelta(days=days - 1)
    effects = calendar_effects(settings.holidays, last.year) if settings.holidays else None
    stream = Stream(StreamCalendar(effects, settings.rest, new_levels))
    reaches = _replay(stream, known, days)
    if len(known) < LEAST_DAYS or stream.regime is None:
        return None
    # What is forecast of a week shows whether the one after is its turn, where the stream rests every other week.
    found, counts, latest = [], dict(known), max(known)
    for ahead in range(days):
        day = first + timedelta(days=ahead)
        since = (day - latest).days
        coming = _coming(stream, day, since, reaches[min(since, days) - 1], is_empty=rests(day, counts))
        found.append(_with_rest(coming, settings))
        counts[day] = round(coming.events)
    return found


def first_forecast(first: date, history: Mapping[date, int], settings: ExpectationSettings) -> date:
    """The day from which on there will be a forecast at the earliest, if no day is missing from ``first`` on."""
    return first + max(LEAST_DAYS - len(_known(first, history, settings)), 1) * ONE_DAY


def _known(first: date, history: Mapping[date, int], settings: ExpectationSettings) -> dict[date, int]:
    """The days to learn from, oldest first; those before the first event are not days of the stream."""
    start = first - timedelta(days=HISTORY_DAYS)
    begin = min((past for past, count in history.items() if count and past >= start), default=first)
    return {past: history[past] for past in sorted(history) if begin <= past < first and past not in settings.rest_days}


def _replay(stream: Stream, known: Mapping[date, int], days: int) -> list[Reach]:
    """Teach the stream the known days; returns the reach of the interval for each number of days ahead."""
    errors: list[list[float]] = [[] for _ in range(days)]
    since = max(known, default=None)
    for day, count in known.items():
        stream.learn(day, count)
        if since is None or stream.regime is None or (since - day).days > REPLAYED_DAYS:
            continue
        for ahead, error in _errors_after(stream, day, known, days):
            errors[ahead - 1].append(error)
    return [_reach(errors, ahead) for ahead in range(days)]


def _errors_after(stream: Stream, day: date, known: Mapping[date, int], days: int) -> Iterator[tuple[int, float]]:
    """How far the days after ``day`` were from what is forecast up to there, in spreads; empty days show nothing."""
    for ahead in range(1, days + 1):
        later = day + timedelta(days=ahead)
        if count := known.get(later):
            forecast = stream.forecast_ahead(later, ahead)
            error = (log(count) - forecast.middle) / forecast.spread
            yield ahead, min(max(error, -LARGEST_TAIL), LARGEST_TAIL)


def _reach(errors: Sequence[Sequence[float]], ahead: int) -> Reach:
    """The reach of the interval from the errors so many days ahead, in spreads."""
    near = errors[max(ahead - POOLED_DAYS, 0) : ahead + POOLED_DAYS + 1]
    pooled = sorted(error for found in near for error in found)
    evidence = len(errors[ahead]) / (1 + REPEATED * ahead)
    if not pooled or not evidence:
        return Reach(FIRST_REACH, FIRST_REACH)
    share = INTERVAL_PERCENT / 100
    both = quantile(sorted(map(abs, pooled)), share)
    below, above = -quantile(pooled, (1 - share) / 2), quantile(pooled, (1 + share) / 2)

    def shrunk(side: float) -> float:
        own = max(max(side, 0.0) ** OWN_SIDE_SHARE * both ** (1 - OWN_SIDE_SHARE), LEAST_REACH)
        return exp((evidence * log(own) + FIRST_REACH_DAYS * log(FIRST_REACH)) / (evidence + FIRST_REACH_DAYS))

    return Reach(shrunk(below), shrunk(above))


def _coming(stream: Stream, day: date, ahead: int, reach: Reach, *, is_empty: bool) -> ComingDay:
    forecast = stream.forecast_ahead(day, ahead)
    effect = stream.effects.get(day)
    events = _events(forecast.middle)
    low = _events(forecast.middle - reach.below * forecast.spread)
    high = _events(forecast.middle + reach.above * forecast.spread)
    why = effect.name if effect else None
    if possible := stream.possible_holiday(day):
        quiet = stream.forecast_holiday(day, possible)
        low, why = min(low, _events(quiet.middle - reach.below * quiet.spread)), f"perhaps {possible.name}"
    if is_empty:
        return ComingDay(day, 0.0, 0.0, max(high, 1.0), why or "usually empty")
    # One event more or less is never unusual, however steady the stream.
    low = 0.0 if events < FEW_EVENTS else min(low, events - 1)
    return ComingDay(day, events, low, max(high, events + 1), why)


def _with_rest(coming: ComingDay, settings: ExpectationSettings) -> ComingDay:
    """The stream may rest where the settings say so."""
    if coming.day in settings.rest_days or coming.day.weekday() in settings.rest:
        return coming._replace(low=0.0, why=REST)
    return coming


def _events(logarithm: float) -> float:
    return exp(min(logarithm, LARGEST_LOGARITHM))
