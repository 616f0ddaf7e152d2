"""Looking: reads the hours of a day that is not over, judges them, and stores what is new.

An hour is read when its late events have usually arrived, once more with the hour that follows, and a few times later
in the day. What nobody looked at, because no daemon ran, is read by the next look. A day that has a snapshot is looked
at no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from telemetry_quality.core.days import ONE_DAY, DayWindow
from telemetry_quality.core.detectors.hourly_curve import expected_hours
from telemetry_quality.core.detectors.windows import WINDOW_DAYS
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.hours import DayHours, clock_of
from telemetry_quality.core.judging import expectation_of, load_totals
from telemetry_quality.core.policies import INTERVAL_PERCENT
from telemetry_quality.core.running.counting import hour_counts
from telemetry_quality.core.running.due import due_hours
from telemetry_quality.core.running.judging import judge_running_day
from telemetry_quality.core.running.model import RunningHour
from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.hours import ExpectedHour
    from telemetry_quality.core.judging import HistoricalContext
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.running.model import HourCounts

    Answers = Mapping[int, HourCounts | UnreadableDay]
    """What a source says of each hour that was read."""

ONE_HOUR = timedelta(hours=1)

COSTLY_HOURS = "COSTLY_HOURS"
"""Why hours are not read: the source would have to read far more than them, again and again."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known after a look.

    Attributes:
        day: The running day; the day before is looked at too until it has a snapshot.
        hours: All hours of the running day that were ever looked at, in order.
        new: The hours of which something was stored, of both days.
    """

    day: date
    hours: tuple[RunningHour, ...]
    new: tuple[RunningHour, ...]


@dataclass(frozen=True)
class RunningWork:
    """The work on the running day of one source.

    Attributes:
        daily: The work on the days that are over.
        lateness: How long after an hour its events have usually arrived.
        interval: How often the source is looked at.
    """

    daily: DailyWork
    lateness: timedelta
    interval: timedelta

    def look(self, now: datetime) -> Look:
        """Read the hours that are due at ``now``, judge the running day and store what is new.

        What cannot be read is stored as such: hours that could be read before stay as they were.

        Raises:
            StoreError: If the store fails.
        """
        with self.daily.store.kept_open():
            return self._look(now)

    def _look(self, now: datetime) -> Look:
        store, name = self.daily.store, self.daily.name
        settled = now - self.lateness
        today = settled.astimezone(self.daily.calendar.zone).date()
        days = today - ONE_DAY, today
        known = {day: tuple(hours) for day, hours in store.running_hours(name, *days).items()}
        judged = {snapshot.day for snapshot in store.snapshots(name, *days)}
        new: list[RunningHour] = []
        for day in days:
            if day in judged or not self._has(day):
                continue
            before = known.get(day, ())
            answers = self._read(day, before, settled)
            if not answers:
                continue
            appended = store.append_running_hours(self._judged(day, before, answers, known.get(day - ONE_DAY, ()), now))
            known[day] = _in_order(before, appended)
            new += appended
        return Look(today, known.get(today, ()), tuple(new))

    def _has(self, day: date) -> bool:
        """Whether the source has the day at all."""
        calendar = self.daily.calendar
        return calendar.first_day <= day and (calendar.last_day is None or day <= calendar.last_day)

    def _read(self, day: date, before: Sequence[RunningHour], settled: datetime) -> Answers:
        """What the source says of the hours of ``day`` that are due."""
        window = self.daily.calendar.window(day)
        over = ceil(window.hours) if settled >= window.end else max(0, (settled - window.start) // ONE_HOUR)
        since = settled - min(window.start + over * ONE_HOUR, window.end)
        due = due_hours([hour.hour for hour in before if hour.counts is not None], over, max(0, since // self.interval))
        answers: dict[int, HourCounts | UnreadableDay] = {}
        try:
            if due:
                self._require_cheap(_part(window, due[-1]))
            for hours in due:
                answers |= self._ask(window, hours)
        except SourceError as error:
            # The source as a whole does not answer, and is not asked for the other hours too.
            failure = UnreadableDay(day, error.reason_code, str(error))
            answers = {**{hour: failure for hours in due for hour in hours}, **answers}
        return answers

    def _require_cheap(self, hours: DayWindow) -> None:
        """Refuse to look where far more than these hours would be read.

        Raises:
            SourceError: If the source cannot be asked cheaply, or not at all.
        """
        reason = self.daily.source.costly_hours(hours)
        if reason is not None:
            raise SourceError(COSTLY_HOURS, reason)

    def _ask(self, window: DayWindow, hours: range) -> dict[int, HourCounts | UnreadableDay]:
        """What the source says of consecutive hours; of each by itself if they cannot be read together.

        Raises:
            SourceError: If the source does not answer at all, or not in time.
        """
        answer = self.daily.source.scan_hours(_part(window, hours))
        if not isinstance(answer, UnreadableDay):
            return dict(zip(hours, hour_counts(answer, self.daily.source.schema, len(hours)), strict=True))
        if len(hours) == 1:
            return {hours[0]: answer}
        # A file that cannot be read may hold one of these hours and not the others.
        singly: dict[int, HourCounts | UnreadableDay] = {}
        for hour in hours:
            singly |= self._ask(window, range(hour, hour + 1))
        return singly

    def _judged(
        self,
        day: date,
        before: Sequence[RunningHour],
        answers: Answers,
        yesterday: Sequence[RunningHour],
        now: datetime,
    ) -> list[RunningHour]:
        """All hours of ``day`` that were ever looked at, as they are now."""
        known: dict[int, HourCounts | UnreadableDay] = {hour.hour: _answer_in(hour) for hour in before}
        # What was read once stays known when the source fails later.
        known |= {
            hour: answer
            for hour, answer in answers.items()
            if not (isinstance(answer, UnreadableDay) and hour in known and not isinstance(known[hour], UnreadableDay))
        }
        counts = [_counts(known.get(hour)) for hour in range(max(known) + 1)]
        calendar, policy = self.daily.calendar, self.daily.policy
        context = load_totals(self.daily.store, self.daily.name, day)
        verdicts = judge_running_day(
            day,
            counts,
            _whole_day(yesterday, day - ONE_DAY, calendar),
            context,
            policy=policy,
            calendar=calendar,
            schema=self.daily.source.schema,
        )
        curve = _curve(day, context, policy, calendar)
        return [
            RunningHour(
                self.daily.name,
                day,
                hour,
                0,
                now,
                counts[hour],
                curve[hour] if curve else None,
                verdicts[hour],
                *_why(known[hour]),
                later=curve[hour + 1 :],
            )
            for hour in sorted(known)
        ]


def _part(window: DayWindow, hours: range) -> DayWindow:
    """These hours of a day."""
    begin, end = (window.start + hour * ONE_HOUR for hour in (hours.start, hours.stop))
    return DayWindow(window.day, begin, min(end, window.end))


def _in_order(before: Sequence[RunningHour], appended: Sequence[RunningHour]) -> tuple[RunningHour, ...]:
    """The latest revisions of all hours of one day."""
    latest = {hour.hour: hour for hour in (*before, *appended)}
    return tuple(latest[hour] for hour in sorted(latest))


def _answer_in(hour: RunningHour) -> HourCounts | UnreadableDay:
    """What the source said of a stored hour."""
    if hour.counts is not None:
        return hour.counts
    return UnreadableDay(hour.day, hour.unreadable_reason_code or "", hour.unreadable_reason or "")


def _counts(answer: HourCounts | UnreadableDay | None) -> HourCounts | None:
    return None if isinstance(answer, UnreadableDay) else answer


def _why(answer: HourCounts | UnreadableDay) -> tuple[str | None, str | None]:
    """Why an hour is unreadable."""
    return (answer.reason_code, answer.reason) if isinstance(answer, UnreadableDay) else (None, None)


def _whole_day(hours: Sequence[RunningHour], day: date, calendar: Calendar) -> DayHours | None:
    """The hours of a day that has no scan yet; None unless all of them could be read."""
    clock = clock_of(day, calendar)
    counts = [hour.counts for hour in hours if hour.counts is not None]
    if len(counts) != len(clock):
        return None
    return DayHours(tuple(each.events for each in counts), tuple(each.errors or 0 for each in counts), clock)


def _curve(day: date, context: HistoricalContext, policy: Policy, calendar: Calendar) -> tuple[ExpectedHour, ...]:
    """What to expect in each hour of ``day``; empty if too little is known."""
    earlier = {
        past: hours.events_by_clock()
        for past, hours in context.hours(context.before(day, WINDOW_DAYS), calendar).items()
    }
    total = expectation_of(day, context, policy)
    return expected_hours(day, total, earlier, policy[INTERVAL_PERCENT], clock_of(day, calendar)) or ()
