"""Judging the running day: what fails at the end of each of its hours, by the guardrails of a day that is over.

What an hour's end says depends on the hours up to it alone: later hours never change it, late events of these hours do.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.days import ONE_DAY, clock_times
from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.detectors.small_counts import KNOWN_DAYS, SMALL_DAY, USUAL_DAYS, WEEK_DAYS
from telemetry_quality.core.detectors.windows import WINDOW_DAYS, WINDOW_MINIMUM
from telemetry_quality.core.evidence import Evidence
from telemetry_quality.core.guardrails.catalogue import guardrails_of, judge_by
from telemetry_quality.core.guardrails.guardrail import RunningView
from telemetry_quality.core.guardrails.verdicts import Outcome, Segment
from telemetry_quality.core.hours import clock_of
from telemetry_quality.core.judging import expectation_of, shares_of
from telemetry_quality.core.marks import Mark
from telemetry_quality.core.metrics import Basis, figures_of
from telemetry_quality.core.policies import HOLIDAYS
from telemetry_quality.core.running.last_hours import LastHoursOf
from telemetry_quality.core.scans import StoredScan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.hours import DayHours
    from telemetry_quality.core.judging import HistoricalContext
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.running.model import HourCounts
    from telemetry_quality.core.shares import ShareCount

HOUR, NOON = timedelta(hours=1), time(12)
ODD_DAYS = 2
"""On so many earlier days, the bad events may have come from an incident and do not show what is usual."""


def judge_running_day(
    day: date,
    hours: Sequence[HourCounts | None],
    yesterday_hours: DayHours | None,
    context: HistoricalContext,
    *,
    policy: Policy,
    calendar: Calendar,
    schema: EventSchema,
) -> list[tuple[Verdict, ...]]:
    """What failed at the end of each hour of a running day, by the hours up to it.

    Args:
        day: The running day.
        hours: Its hours that are over, since it began; None for an hour that could not be read.
        yesterday_hours: The hours of the day before, used while the store has no scan of it.
        context: What the store knows about earlier days.
        policy: The settings of the judgement.
        calendar: The days of the source.
        schema: Its event roles and rates.
    """
    look = _Look(day, tuple(hours), yesterday_hours, context, policy, calendar, schema)
    return [look.failed(end) for end in range(len(hours))]


@dataclass(frozen=True)
class _Look:
    """A running day, and what is worked out about earlier days once for all its hours."""

    day: date
    counts: tuple[HourCounts | None, ...]
    yesterday_hours: DayHours | None
    context: HistoricalContext
    policy: Policy
    calendar: Calendar
    schema: EventSchema

    @cached_property
    def rules(self) -> list[tuple[Guardrail, RunningView]]:
        """The guardrails that judge the running day, and what of it."""
        marked = self.context.marks.get(self.day)
        is_special = marked is not None and marked.mark is Mark.SPECIAL
        rules = ((rule, rule.running_view) for rule in guardrails_of(self.schema))
        return [
            (rule, view) for rule, view in rules if view is not None and not (is_special and rule.needs_ordinary_days)
        ]

    @cached_property
    def expectation(self) -> Expectation:
        return expectation_of(self.day, self.context, self.policy)

    @cached_property
    def ordinary_hours(self) -> dict[date, DayHours]:
        """The hours of earlier days that may be compared with others, without holidays and the days beside them."""
        effects = calendar_effects(self.policy[HOLIDAYS], self.day.year)
        days = self.context.before(self.day, WINDOW_DAYS + 1)
        known = self.context.hours([past for past in days if past not in effects], self.calendar)
        yesterday = self.day - ONE_DAY
        if self.yesterday_hours is not None and not {yesterday} & (
            self.context.scans.keys() | self.context.left_out | effects.keys()
        ):
            known[yesterday] = self.yesterday_hours
        return known

    @cached_property
    def last_hours(self) -> LastHoursOf:
        clock = clock_of(self.day, self.calendar)
        return LastHoursOf(self.day, self.ordinary_hours, clock, self._shifts())

    def _shifts(self) -> dict[date, int]:
        """By how many hours the clock was set forward since each earlier day, where it was changed."""
        now = self._offset(self.day)
        shifts = {past: (now - self._offset(past)) // HOUR for past in self.ordinary_hours}
        return {past: shift for past, shift in shifts.items() if shift}

    def _offset(self, day: date) -> timedelta:
        """How far the clock is ahead of UTC at noon."""
        return datetime.combine(day, NOON, self.calendar.zone).utcoffset() or timedelta(0)

    @cached_property
    def earlier_shares(self) -> dict[str, dict[date, ShareCount]]:
        """The counts behind each share of the days before, by the name of the share."""
        found: defaultdict[str, dict[date, ShareCount]] = defaultdict(dict)
        for past in self.context.before(self.day, USUAL_DAYS):
            for name, count in shares_of(self.context.scans[past][-1], self.schema).items():
                found[name][past] = count
        return found

    def failed(self, end: int) -> tuple[Verdict, ...]:
        """What fails at the end of this hour."""
        if self.counts[end] is None:
            return ()
        known = [counts for counts in self.counts[: end + 1] if counts is not None]
        so_far = _scan_of(self.context.source, self.day, known)
        evidences = {
            RunningView.LAST_HOURS: self._last_hours(end, so_far),
            RunningView.SO_FAR: self._so_far(so_far),
        }
        accepted = self.context.acceptances.before(self.day)
        verdicts = []
        for rule, view in self.rules:
            verdict = judge_by(rule, evidences[view], self.policy)
            if verdict.outcome is Outcome.FAILED and view is RunningView.LAST_HOURS and self.last_hours.shifts:
                verdict = self._unless_unmoved(verdict, rule, evidences[view], end)
            if verdict.outcome is Outcome.FAILED and view is RunningView.SO_FAR:
                verdict = self._beyond_a_usual_day(verdict, rule, so_far, end)
            verdicts.append(accepted.applied(verdict, rule, self.day))
        return tuple(verdict for verdict in verdicts if verdict.outcome is Outcome.FAILED)

    def _last_hours(self, end: int, so_far: StoredScan) -> Evidence:
        """The evidence for the guardrails of hours."""
        counts = self.counts[: end + 1]
        events = [None if hour is None else hour.events for hour in counts]
        errors = [None if hour is None else hour.errors for hour in counts]
        found = self.last_hours.at(events, errors, self.ordinary_hours.get(self.day - ONE_DAY))
        scan = replace(
            so_far,
            total_events=sum(found.hours.events),
            error_events=None if so_far.error_events is None else sum(found.hours.errors),
        )
        return replace(
            self._evidence(scan),
            expectation=self.expectation,
            hours=self.last_hours.until(end) | {self.day: found.hours},
            running_hours=found.numbers,
        )

    def _unless_unmoved(self, verdict: Verdict, rule: Guardrail, evidence: Evidence, end: int) -> Verdict:
        """The failure; after a change of the clock it passes if the hours are as usual for a stream that did not move.

        Machines that keep UTC come an hour earlier or later by the clock from that day on.
        """
        own = {self.day: evidence.hours[self.day]}
        otherwise = judge_by(rule, replace(evidence, hours=self.last_hours.unmoved(end) | own), self.policy)
        return verdict if otherwise.outcome is Outcome.FAILED else otherwise

    def _so_far(self, so_far: StoredScan) -> Evidence:
        """The evidence for the guardrails of shares: the hours that are over, as if they were a whole day."""
        counts = shares_of(so_far, self.schema)
        small = {
            name: {**self.earlier_shares.get(name, {}), self.day: count}
            for name, count in counts.items()
            if count.whole < SMALL_DAY
        }
        return replace(self._evidence(so_far), rate_counts=so_far.rate_counts or {}, small_shares=small)

    def _evidence(self, scan: StoredScan) -> Evidence:
        figures = figures_of(Basis(scan, Expectation(), None, self.policy))
        return Evidence(self.day, figures, Expectation(), zone=self.calendar.zone)

    def _beyond_a_usual_day(self, verdict: Verdict, rule: Guardrail, so_far: StoredScan, end: int) -> Verdict:
        """The failure of a share so far; it passes if a usual day may have as many bad events in these hours.

        Many streams have most of their errors at night, when there are few events. So many bad events that they are
        beyond the limit of a whole usual day fail in any case.
        """
        count = shares_of(so_far, self.schema).get(rule.metric or "")
        if count is None or verdict.value is None or verdict.threshold is None:
            return verdict
        is_low = verdict.value < verdict.threshold
        earlier = self._known_shares(rule.metric or "")
        if len(earlier) < KNOWN_DAYS:
            return replace(verdict, outcome=Outcome.PASSED)
        limit = 100 - verdict.threshold if is_low else verdict.threshold
        bad, usual = _bad_events(count, is_low=is_low), _usual_bad_events(earlier, is_low=is_low)
        whole = max(day.whole for day in earlier[-WEEK_DAYS:])
        if 100 * (bad - usual) <= limit * count.whole and 100 * bad <= limit * whole:
            return replace(verdict, outcome=Outcome.PASSED)
        return replace(verdict, sentence=f"{self._up_to(end)}, {_continued(verdict.sentence)}")

    def _known_shares(self, name: str) -> list[ShareCount]:
        first = self.day - WINDOW_DAYS * ONE_DAY
        return [count for past, count in self.earlier_shares.get(name, {}).items() if past >= first]

    def _up_to(self, end: int) -> str:
        """The hours so far, by the clock."""
        segment = Segment(hours=(0, end), clock=clock_times(self.day, (0, end), self.calendar.zone))
        return segment.hours_text.capitalize()


def _scan_of(source: str, day: date, counts: Sequence[HourCounts]) -> StoredScan:
    """The hours that are over as the scan of a day; what is counted only once a day is not known."""
    names = {name for hour in counts for name in hour.rate_counts}
    return StoredScan(
        source=source,
        day=day,
        revision=0,
        scanned_at=datetime.max.replace(tzinfo=UTC),
        figures_hash="",
        total_events=sum(hour.events for hour in counts),
        error_events=_sum(hour.errors for hour in counts),
        error_unknown_events=sum(hour.error_unknown_events for hour in counts),
        missing_version_events=_sum(hour.missing_version for hour in counts),
        late_events=None,
        sample_size=None,
        sample_passed=None,
        verified_events=None,
        unreadable_reason_code=None,
        unreadable_reason=None,
        missing_critical=None,
        rate_counts={name: sum(hour.rate_counts.get(name, 0) for hour in counts) for name in names},
        duplicates=None,
        arrivals=None,
        is_new=False,
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    """The sum; None if one of them is none by choice."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _bad_events(count: ShareCount, *, is_low: bool) -> int:
    return count.whole - count.part if is_low else count.part


def _usual_bad_events(counts: Sequence[ShareCount], *, is_low: bool) -> int:
    """How many bad events a usual day has at most."""
    bad = sorted(_bad_events(count, is_low=is_low) for count in counts)
    return bad[-1 - ODD_DAYS] if len(bad) >= WINDOW_MINIMUM else bad[-1]


def _continued(sentence: str) -> str:
    """The sentence as it reads after an introduction."""
    return sentence[:1].lower() + sentence[1:]
