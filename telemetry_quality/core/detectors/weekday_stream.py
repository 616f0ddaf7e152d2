"""A stream as it is learnt day by day: what each of its days teaches, and what to expect of the next.

How an interval follows from this belongs to ``intervals``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.accepted_levels import AcceptedLevels
from telemetry_quality.core.detectors.calendar_lifts import CalendarLifts
from telemetry_quality.core.detectors.emptiness import is_empty_usual
from telemetry_quality.core.detectors.first_profile import WEEK, first_profile
from telemetry_quality.core.detectors.kept_holidays import KeptHolidays
from telemetry_quality.core.detectors.level_changes import LevelChanges
from telemetry_quality.core.detectors.recurrences import Recurrences
from telemetry_quality.core.detectors.regime import Forecast, Regime, spread_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.calendar_effects import CalendarEffect

PROFILE_MINIMUM = 14
"""Ordinary days that must be known before a stream can be learnt: two of each weekday."""

FAR_SPREADS, FAR_LOGS = 5.0, log(2)
"""A day beyond both, in spreads and in logs, is far off: it teaches nothing until other days corroborate it."""

FAR_TAIL = 3.5
"""Spreads that the error of such a day counts for: it shows that the stream can stray, but not how far."""

FAR_CARRIED = 6.0
"""Spreads at which the surprise of such a day, if it is a peak, is clipped before a share of it is expected again."""

WEEKDAY_AGREEMENT = 0.3
"""A weekday that is far off twice in a row, by logs that differ by less than this, has changed for good."""

LEAST_RECURRING = log(20)
"""Where fewer events are expected, days that seem to recur are chance."""

QUIET, QUIET_SPREADS = 0.2, 2.5
"""A day is quiet if it lies below what is expected by more than both, in logs and in spreads."""

HOLIDAY_CARRY, LARGEST_HOLIDAY_CARRY = 0.5, 2
"""Share of a surprise expected again on a day with a calendar effect and after it; spreads that clip the latter."""


@dataclass(frozen=True, slots=True)
class StreamCalendar:
    """What is known of a stream's days beforehand.

    Attributes:
        effects: Holidays and the days they affect; None if no calendar was set, and the stream must show which
            holidays it keeps.
        rest: Weekdays on which the stream may rest.
        new_levels: Days from which on somebody accepted another level as normal.
    """

    effects: Mapping[date, CalendarEffect] | None = None
    rest: Collection[int] = ()
    new_levels: Collection[date] = ()


class Stream:
    """All that is learnt about a stream, day by day, in order."""

    def __init__(self, calendar: StreamCalendar) -> None:
        self.calendar = calendar
        self.effects = calendar.effects or {}
        self.kept = KeptHolidays() if calendar.effects is None else None
        self.first: list[tuple[date, int]] = []
        self.counts: dict[date, int] = {}
        self.regime: Regime | None = None
        self.changes = LevelChanges()
        self.accepted = AcceptedLevels(calendar.new_levels)
        self.lifts = CalendarLifts()
        self.recurrences = Recurrences()
        self.far_weekdays: list[float | None] = [None] * WEEK

    @property
    def tail(self) -> Sequence[float]:
        """Earlier one-step errors, each in the spread of its own day."""
        return self.regime.tail if self.regime else ()

    def forecast(self, day: date) -> Forecast:
        """What to expect of ``day``; PROFILE_MINIMUM or more ordinary days must have been learnt."""
        regime = self._known()
        forecast = regime.forecast(day)
        effect_of_day = self.effects.get(day)
        return self._with_effect(day, effect_of_day, forecast, regime) if effect_of_day else forecast

    def forecast_recurrence(self, day: date) -> Forecast | None:
        """What to expect of the day if it is one that comes back each month or every second week."""
        regime = self._known()
        forecast = regime.forecast(day)
        offset = regime.offset(day.weekday(), forecast.quick_weight)
        recurrence = None if day in self.effects else self._recurrence(day, offset, regime)
        return None if recurrence is None else forecast._replace(middle=forecast.middle + recurrence)

    def forecast_ahead(self, day: date, days: int) -> Forecast:
        """What to expect of ``day``, so many days after the last one learnt; what surprised there fades until then."""
        regime = self._known()
        forecast = self.forecast_recurrence(day) or self.forecast(day)
        tomorrow = HOLIDAY_CARRY * regime.surprise if day in self.effects else regime.carried_over(1)
        return forecast._replace(middle=forecast.middle - tomorrow + regime.carried_over(days))

    def possible_holiday(self, day: date) -> CalendarEffect | None:
        """Why the day may be a holiday of the stream, where no calendar says so."""
        return self.kept.possible(day) if self.kept else None

    def forecast_holiday(self, day: date, effect_of_day: CalendarEffect) -> Forecast:
        """What to expect of the day if it is a holiday of the stream."""
        regime = self._known()
        return self._with_effect(day, effect_of_day, regime.forecast(day), regime)

    def is_empty_usual(self, day: date) -> bool:
        """Whether a day without events would be ordinary on ``day``."""
        return day.weekday() in self.calendar.rest or is_empty_usual(day, self.counts, exp(self.forecast(day).middle))

    def learn(self, day: date, count: int) -> None:
        """Learn the events of the next day."""
        if self.regime is None:
            self._start(day, count)
        else:
            self._learn(day, count, self.regime)
        self.counts[day] = count

    def _known(self) -> Regime:
        if self.regime is None:
            raise ValueError(f"A forecast requires {PROFILE_MINIMUM} ordinary days, but {len(self.first)} are known.")
        return self.regime

    def _start(self, day: date, count: int) -> None:
        if day in self.effects:
            return
        self.first.append((day, count))
        if len(self.first) == PROFILE_MINIMUM:
            self.regime = Regime(first_profile(self.first), day)

    def _learn(self, day: date, count: int, regime: Regime) -> None:
        value, forecast = log(max(count, 1)), regime.forecast(day)
        is_quiet = value - forecast.middle < min(-QUIET, -QUIET_SPREADS * forecast.spread)
        possible = self.possible_holiday(day)
        if self.kept:
            self.kept.learn(day, is_quiet=is_quiet)
        effect_of_day = self.effects.get(day) or (possible if is_quiet else None)
        if accepted := self.accepted.regime(day, value, regime):
            self.regime = accepted
            self.changes.forget()
        elif effect_of_day:
            self._learn_effect(day, value, effect_of_day, regime)
        elif count or self.is_empty_usual(day):
            self._learn_ordinary(day, self._without_recurrence(day, value, forecast, regime), forecast, regime)

    def _recurrence(self, day: date, offset: float, regime: Regime) -> float | None:
        return self.recurrences.expected(day, offset, sqrt(regime.variance))

    def _without_recurrence(self, day: date, value: float, forecast: Forecast, regime: Regime) -> float:
        """The value without what recurs, if it did; all of it is remembered for the next time."""
        offset = regime.offset(day.weekday(), forecast.quick_weight)
        rest, recurrence = value - forecast.base, self._recurrence(day, offset, regime)
        if forecast.base > LEAST_RECURRING:
            self.recurrences.learn(day, rest, rest / forecast.spread, rest + offset)
        return value if recurrence is None or abs(rest) < abs(rest - recurrence) else value - recurrence

    def _with_effect(self, day: date, effect_of_day: CalendarEffect, forecast: Forecast, regime: Regime) -> Forecast:
        lift = self.lifts.expected(day.weekday(), effect_of_day, regime.weekdays(forecast.quick_weight))
        middle = forecast.base + lift.effect + HOLIDAY_CARRY * regime.surprise
        return forecast._replace(middle=middle, spread=spread_of(regime.variance + lift.variance, middle))

    def _learn_effect(self, day: date, value: float, effect_of_day: CalendarEffect, regime: Regime) -> None:
        forecast = self._with_effect(day, effect_of_day, regime.forecast(day), regime)
        error = value - forecast.middle
        level = forecast.base - regime.offset(day.weekday(), forecast.quick_weight)
        self.lifts.learn(effect_of_day, value - level, error, forecast.spread)
        limit = LARGEST_HOLIDAY_CARRY * sqrt(regime.variance)
        regime.surprise = min(max(HOLIDAY_CARRY * error, -limit), limit)

    def _learn_ordinary(self, day: date, value: float, forecast: Forecast, regime: Regime) -> None:
        if returned := self.changes.returned(day, value, regime):
            self.regime = returned
            returned.learn(day, value, returned.forecast(day))
            return
        if changed := self.changes.follow(day, value, forecast, regime):
            self.regime = changed
            self.far_weekdays = [None] * WEEK
            return
        error = value - forecast.middle
        if abs(error) > max(FAR_LOGS, FAR_SPREADS * forecast.spread):
            self._learn_far(day.weekday(), error, forecast.spread, regime)
            return
        self.far_weekdays[day.weekday()] = None
        regime.learn(day, value, forecast)

    def _learn_far(self, weekday: int, error: float, spread: float, regime: Regime) -> None:
        """Learn of a day that is far off only that such days occur, unless last week's was far off alike."""
        regime.learn_tail(max(-FAR_TAIL, min(FAR_TAIL, error / spread)))
        # What goes viral stays in part for a while; what is lost should be expected back at once.
        regime.learn_carry(max(0.0, min(error, FAR_CARRIED * sqrt(regime.variance))))
        last, self.far_weekdays[weekday] = self.far_weekdays[weekday], error
        if last is not None and abs(error - last) < WEEKDAY_AGREEMENT:
            regime.move_weekday(weekday, error)
            self.far_weekdays[weekday] = None


def learn(history: Mapping[date, int], calendar: StreamCalendar) -> Stream:
    """The stream after all of ``history``: events per readable day, beginning with a day that has any."""
    stream = Stream(calendar)
    for day in sorted(history):
        stream.learn(day, history[day])
    return stream
