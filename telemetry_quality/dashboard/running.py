"""The running day in words and numbers: what is known of today so far, and whether anybody still looks.

The hours shown are always those of the day that runs now: what was found on an earlier day is never shown as today's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from telemetry_quality.core.running.report import RunningDay, RunningState
from telemetry_quality.dashboard.day_responses import verdict_response
from telemetry_quality.dashboard.running_models import RunningDayResponse, RunningResponse

if TYPE_CHECKING:
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.running.model import RunningHour
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings
    from telemetry_quality.settings.sources import SourceSettings

MISSED_LOOKS = 2
"""So many looks may be missed, or be on their way, before pages say that nobody looks."""

ONE_HOUR = timedelta(hours=1)


def running_response(
    state: DashboardState, settings: Settings, now: datetime, source: str | None = None
) -> RunningResponse:
    """The running day of each source that has one, or of ``source`` alone."""
    names = tuple(settings.sources) if source is None else (source,)
    days = (running_day(state, settings, now, name) for name in names)
    return RunningResponse(
        as_of=now,
        read_at=state.read_at if state.trouble else now,
        version=state.version,
        trouble=state.trouble,
        sources=tuple(day for day in days if day is not None),
    )


def running_day(state: DashboardState, settings: Settings, now: datetime, source: str) -> RunningDayResponse | None:
    """What is known of the day of ``source`` that runs at ``now``; None if no day of it does, or nobody should look."""
    known = settings.sources[source]
    calendar, settled = known.calendar(), now - timedelta(minutes=known.allowed_lateness_minutes)
    day = settled.astimezone(calendar.zone).date()
    if not known.intraday or not _has(calendar, day):
        return None
    shared = state.trouble, state.has_been_read, state.read_at if state.trouble else None
    key = ("running", day, _due(known, day, now), *shared)
    running = RunningDay(source, day, calendar, hours_of(state, source, day))
    return state.cached(source, key, lambda: as_it_ran(state, settings, now, running))


def running_moment(running: RunningDayResponse) -> tuple[date, str, str | None]:
    """What the clock and a store that cannot be read can change about a running day."""
    return running.day, running.sentence, running.stale_sentence


def as_it_ran(state: DashboardState, settings: Settings, now: datetime, running: RunningDay) -> RunningDayResponse:
    """What is known of a day that was looked at while it ran, and that has no snapshot."""
    known = settings.sources[running.source]
    return _View(state, running, _due(known, running.day, now)).response()


def hours_of(state: DashboardState, source: str, day: date) -> tuple[RunningHour, ...]:
    """The hours of ``day`` that were looked at, if it is the last day that was, and has no snapshot."""
    hours = state.running.get(source, ())
    return hours if hours and hours[0].day == day and state.index.current(source, day) is None else ()


def _due(known: SourceSettings, day: date, now: datetime) -> int:
    """How many hours of ``day`` should have been looked at by now."""
    if not known.intraday:
        return 0
    patience = timedelta(minutes=known.allowed_lateness_minutes + MISSED_LOOKS * known.intraday_minutes)
    window = known.calendar().window(day)
    return min(max(0, (now - patience - window.start) // ONE_HOUR), ceil(window.hours))


def _has(calendar: Calendar, day: date) -> bool:
    return calendar.first_day <= day and (calendar.last_day is None or day <= calendar.last_day)


@dataclass(frozen=True)
class _View:
    """What the response about a running day is made of.

    Attributes:
        due: How many hours of the day should have been looked at by now.
    """

    state: DashboardState
    running: RunningDay
    due: int

    def response(self) -> RunningDayResponse:
        """What is known of the running day."""
        stale = self._stale_sentence()
        return RunningDayResponse.model_validate(
            {
                **self.running.as_json(),
                "state": self._state(),
                "failures": tuple(verdict_response(verdict) for verdict in self.running.verdicts),
                "sentence": self._sentence(),
                "due_hours": self.due,
                "is_stale": stale is not None,
                "stale_sentence": stale,
            }
        )

    def _state(self) -> RunningState:
        """The state; while the store cannot be read, nobody knows whether something fails meanwhile."""
        is_known = self.state.trouble is None or self.running.state is RunningState.FAILING
        return self.running.state if is_known else RunningState.UNKNOWN

    def _looked_until(self) -> int:
        return self.running.hours[-1].hour + 1 if self.running.hours else 0

    def _clock(self, hours: int) -> str:
        """When so many hours of the day are over, by the clock."""
        window = self.running.calendar.window(self.running.day)
        return "24:00" if hours >= window.hours else f"{self.running.begins_at(hours):%H:%M}"

    def _stale_sentence(self) -> str | None:
        until = self._looked_until()
        if until >= self.due or not self.state.has_been_read:
            return None
        missed = f"none after {self._clock(until)} was" if until else "none was"
        return (
            f"The hours of {self.running.day} up to {self._clock(self.due)} should have been looked at by now, "
            f"but {missed}: see whether the Dagster daemon, or telemetry-quality now --watch, still runs."
        )

    def _sentence(self) -> str:
        state, running = self.state, self.running
        if not state.has_been_read:
            return f"What is known of {running.day} so far cannot be said: the store cannot be read."
        words = self._words(f"Until {self._clock(self._looked_until())}")
        if state.trouble is None:
            return words
        at = f"{state.read_at.astimezone(running.calendar.zone):%Y-%m-%d %H:%M %Z}"
        return f"The store cannot be read now. At {at} it said: {words}"

    def _words(self, until: str) -> str:
        running = self.running
        match running.state:
            case RunningState.NOT_LOOKED_AT:
                return f"No hour of {running.day} has been looked at yet."
            case RunningState.UNKNOWN:
                return f"{until}, nothing failed on {running.day}, but the last hour could not be read."
            case RunningState.NOTHING_FAILED:
                return f"{until}, nothing failed on {running.day}; that is provisional until the day is judged."
            case RunningState.FAILING:
                names = ", ".join(verdict.guardrail for verdict in running.verdicts)
                return f"{until}, {names} failed on {running.day}; that is provisional until the day is judged."
