"""Judging: from what the store remembers to the evidence of a day, its verdicts, and where it broke."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from math import floor
from typing import TYPE_CHECKING

from telemetry_quality.core.baselines import HISTORY_DAYS, Expectation, expect
from telemetry_quality.core.events import MAXIMUM_ARRIVAL_HOURS
from telemetry_quality.core.evidence import SLICE_DAYS, Evidence
from telemetry_quality.core.explanations import DayParts, Measure, explain, reference_days
from telemetry_quality.core.explanations import sentence as explanation_sentence
from telemetry_quality.core.guardrails import judge_day
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.incidents import Act, confirmed_days, incidents_of
from telemetry_quality.core.lateness import completeness_curve, usual_completeness_percent
from telemetry_quality.core.snapshots import DayFigures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.events import Arrivals, EventSchema, Repetitions, Slice, SliceCounts
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import QualityStore, StoredReading

ARRIVAL_DAYS = 35
"""How many earlier days say how late events usually are."""

SMALL_SLICE = 5
"""Slices of earlier days with fewer events prove nothing and are not loaded."""

MEASURES = {
    "volume": Measure.EVENTS,
    "duplicates": Measure.EVENTS,
    "error_rate": Measure.ERRORS,
    "missing_version": Measure.MISSING_VERSION,
    "critical_fields": Measure.MISSING_CRITICAL,
    "arrival_lag": Measure.LATE,
}
"""What is explained where a guardrail fails; the others say themselves where."""


@dataclass(frozen=True)
class Memory:
    """What the store knows around the days to be judged, loaded once for all of them.

    Attributes:
        readings: All revisions of each day's reading, the latest last.
        slices: The parts of all days but the small ones, by which a day is compared with earlier ones.
        own_slices: All parts of the days to be judged: 4 events instead of 400 are not the same as none.
        left_out: Days of confirmed incidents: nothing is compared with them.
    """

    store: QualityStore
    source: str
    readings: Mapping[date, Sequence[StoredReading]]
    slices: Mapping[date, Mapping[Slice, SliceCounts]]
    own_slices: Mapping[date, Mapping[Slice, SliceCounts]]
    left_out: frozenset[date]

    @cached_property
    def totals(self) -> dict[date, int]:
        """Events of each readable day."""
        latest = ((day, revisions[-1].total_events) for day, revisions in self.readings.items())
        return {day: total for day, total in latest if total is not None}

    @cached_property
    def late_percents(self) -> dict[date, float]:
        """Share of late events of each readable day that has any event."""
        latest = ((day, revisions[-1]) for day, revisions in self.readings.items())
        return {
            day: 100 * one.late_events / one.total_events
            for day, one in latest
            if one.total_events and one.late_events is not None and one.arrivals is not None
        }

    def before(self, day: date, days: int) -> list[date]:
        """The days among the last ``days`` that ``day`` may be compared with, oldest first."""
        earlier = (day - timedelta(days=n) for n in range(days, 0, -1))
        return [past for past in earlier if past in self.totals and past not in self.left_out]

    @cached_property
    def _parts(self) -> dict[date, DayParts]:
        return {}

    def parts(self, day: date) -> DayParts:
        """A day as it can be taken apart; consecutive bad days share what they are compared with."""
        if day not in self._parts:
            slices = self.store.slices(self.source, day, day).get(day, {})
            self._parts[day] = DayParts(day, self.store.aggregates(self.source, day), slices)
        return self._parts[day]


def remember(store: QualityStore, source: str, days: Sequence[date]) -> Memory:
    """Load what is needed to judge ``days``."""
    first, last = min(days), max(days)
    readings: dict[date, list[StoredReading]] = {}
    for reading in store.readings(source, first - timedelta(days=HISTORY_DAYS), last):
        readings.setdefault(reading.day, []).append(reading)
    own = store.slices(source, first, last, with_hours=False)
    before = store.slices(
        source, first - timedelta(days=SLICE_DAYS), first - timedelta(days=1), SMALL_SLICE, with_hours=False
    )
    large = {
        day: {part: counts for part, counts in parts.items() if counts.events >= SMALL_SLICE}
        for day, parts in own.items()
    }
    return Memory(store, source, readings, before | large, own, _left_out(store, source))


def _left_out(store: QualityStore, source: str) -> frozenset[date]:
    confirmations = [act for act in store.acts(source) if act.act is Act.CONFIRM]
    if not confirmations:
        return frozenset()
    first, last = min(act.day for act in confirmations), max(act.last_seen for act in confirmations)
    return confirmed_days(incidents_of(store, source, first, last))


def usual_completeness(day: date, memory: Memory, calendar: Calendar, now: datetime) -> float | None:
    """Which share of ``day`` has usually arrived by ``now``, in percent; None where it is not known."""
    hours = (now - calendar.window(day).end).total_seconds() / 3600
    if hours >= MAXIMUM_ARRIVAL_HOURS:
        return 100.0
    earlier = memory.before(day, ARRIVAL_DAYS)
    ends = {past: calendar.window(past).end for past in earlier}
    curve = completeness_curve([one for past in earlier for one in memory.readings[past]], ends)
    return None if curve is None else usual_completeness_percent(curve, hours)


def evidence_of(day: date, memory: Memory, policy: Policy, calendar: Calendar, now: datetime) -> Evidence:
    """All that guardrails may look at; nothing of it is younger than the day."""
    reading = memory.readings[day][-1]
    history = {past: memory.totals[past] for past in memory.before(day, HISTORY_DAYS)}
    expectation = expect(day, history, policy)
    completeness = usual_completeness(day, memory, calendar, now)
    if completeness is not None and completeness < policy.complete_percent:
        # Whole percents: else every look at a provisional day would be a new revision.
        expectation = _scaled(expectation, floor(completeness) / 100)
    slices = {past: memory.slices[past] for past in memory.before(day, SLICE_DAYS) if past in memory.slices}
    # A day without slices could not be read or has no events, which must not look like silence of all its parts.
    own = {day: memory.own_slices[day]} if day in memory.own_slices else {}
    return Evidence(
        day,
        figures_of(reading, expectation, completeness, policy),
        expectation,
        totals=history if reading.total_events is None else history | {day: reading.total_events},
        slices=slices | own,
        missing_critical=reading.missing_critical or {},
        late_percents={
            past: memory.late_percents[past]
            for past in memory.before(day, ARRIVAL_DAYS)
            if past in memory.late_percents
        },
    )


def judge(evidence: Evidence, memory: Memory, policy: Policy, schema: EventSchema) -> tuple[Verdict, ...]:
    """One verdict per guardrail; those that failed say where."""
    verdicts = judge_day(evidence, policy, schema)
    return tuple(
        _explained(verdict, evidence, memory)
        if verdict.outcome is Outcome.FAILED and verdict.guardrail in MEASURES
        else verdict
        for verdict in verdicts
    )


def _explained(verdict: Verdict, evidence: Evidence, memory: Memory) -> Verdict:
    measure = MEASURES[verdict.guardrail]
    reference = reference_days(evidence.day, memory.before(evidence.day, SLICE_DAYS))
    causes = explain(
        measure,
        memory.parts(evidence.day),
        [memory.parts(past) for past in reference],
        evidence.figures.expected_events,
    )
    if not causes:
        return verdict
    text = f"{verdict.sentence} {explanation_sentence(causes, measure)}"
    return replace(verdict, sentence=text, causes=(*verdict.causes, *causes))


def _scaled(expectation: Expectation, ratio: float) -> Expectation:
    def scaled(value: float | None) -> float | None:
        return None if value is None else value * ratio

    return replace(
        expectation,
        events=scaled(expectation.events),
        low=scaled(expectation.low),
        high=scaled(expectation.high),
    )


def figures_of(
    reading: StoredReading, expectation: Expectation, completeness_percent: float | None, policy: Policy
) -> DayFigures:
    """The figures of a stored reading beside what earlier days lead to expect."""
    expected = DayFigures(
        expected_events=expectation.events,
        expected_low_events=expectation.low,
        expected_high_events=expectation.high,
        completeness_percent=completeness_percent,
        unreadable_reason_code=reading.unreadable_reason_code,
        unreadable_reason=reading.unreadable_reason,
    )
    if reading.unreadable_reason_code is not None:
        return expected
    figures = _compared(_counted(expected, reading), expectation)
    if reading.repetitions is not None:
        figures = _with_repetitions(figures, reading.repetitions)
    if reading.arrivals is not None:
        figures = _with_arrivals(figures, reading.arrivals, reading.late_events or 0)
    is_provisional = completeness_percent is not None and completeness_percent < policy.complete_percent
    return replace(figures, is_provisional=is_provisional)


def _counted(figures: DayFigures, reading: StoredReading) -> DayFigures:
    total, errors = reading.total_events or 0, reading.error_events or 0
    missing = reading.missing_version_events or 0
    size, passed = reading.sample_size or 0, reading.sample_passed or 0
    critical = max(reading.missing_critical.values()) if reading.missing_critical else None
    return replace(
        figures,
        total_events=total,
        error_events=errors,
        error_rate_percent=None if total == reading.error_unknown_events else 100 * errors / total,
        missing_version_events=missing,
        missing_version_percent=_percent_of(missing, total),
        sample_size=size,
        sample_passed=passed,
        sampling_success_rate_percent=_percent_of(passed, size),
        critical_missing_percent=None if critical is None else _percent_of(critical, total),
    )


def _compared(figures: DayFigures, expectation: Expectation) -> DayFigures:
    total, expected = figures.total_events or 0, expectation.events
    low, high = expectation.low, expectation.high
    return replace(
        figures,
        volume_deviation_percent=100 * (total - expected) / expected if expected else None,
        is_volume_unusual=None if low is None or high is None else not low <= total <= high,
    )


def _with_repetitions(figures: DayFigures, repetitions: Repetitions) -> DayFigures:
    return replace(
        figures,
        compared_events=repetitions.compared_events,
        repeated_events=repetitions.repeated_events,
        duplicate_percent=_percent_of(repetitions.repeated_events, repetitions.compared_events),
    )


def _with_arrivals(figures: DayFigures, arrivals: Arrivals, late_events: int) -> DayFigures:
    misdated = arrivals.future_events + arrivals.stale_events + arrivals.undated_events
    return replace(
        figures,
        late_percent=_percent_of(late_events, figures.total_events or 0),
        misdated_percent=_percent_of(misdated, arrivals.observed_events),
    )


def _percent_of(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
