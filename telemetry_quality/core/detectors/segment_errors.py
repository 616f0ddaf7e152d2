"""Segment errors: segments whose error rate breaks out of its own history, beyond what the whole stream does.

A signal with 4 % of the events may fail completely while the total stays below every limit. A segment's errors follow
a beta-binomial distribution: its rate varies from day to day, and few events say little. A version is young on most
days on which it matters, so until it has a history it is compared with the other versions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import fsum, log
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.robust import weighted_median
from telemetry_quality.core.detectors.windows import significant
from telemetry_quality.core.distributions import log_chance_of_at_least
from telemetry_quality.core.events import EVENT_NAME, OTHER_VALUES, SERVICE_VERSION, Slice, SliceCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.detectors.windows import Window

ACCEPTED_AFTER_DAYS = 21
"""Errors this old are the new normal: half of the window then shows nothing else."""
HISTORY_MINIMUM = 7
"""Days that a segment must be known for; until then a version is compared with others, and other segments with none."""
LEAST_ERRORS = 5
"""Fewer errors beyond the usual may be a single client that tries again and again."""
CHANCE = 5e-5
"""Expected share of days with a false alarm if rates vary as they are modelled."""
USUAL_VARIATION = 0.7
"""Coefficient of variation of an error rate from day to day, before the history shows another …"""
VARIATION_DAYS = 10
"""… which counts as so many days."""
VERSIONS_VARIATION = 1.5
"""Least coefficient of variation of the error rate between versions."""
UNEVEN_VARIATION = 1.0
"""Coefficient of variation between segments when the errors of the whole stream multiply."""
PRIOR_EVENTS = 50
"""Events at the usual rate of the whole stream that are added to a segment's own history."""
LEAST_RATE, HIGHEST_RATE = 1e-4, 1 - 1e-6
"""Bounds of a usual rate: nothing is impossible."""
HIGHEST_CORRELATION = 0.99
"""Bound of the correlation of two events of a day, so that the distribution is defined."""
RUN_RATIO = 0.5
"""A day fails as another one does if it has this share of the other one's excess."""
REST_RATIO = 0.02
"""If all other events are less than this share of the stream, the segment is the stream, which is judged itself."""
RESIDUE_RATIO = 0.1
"""If less than this share of a segment is left, that cannot show that the segment itself is well."""

_NOTHING = SliceCounts(0, 0, 0)


class Failing(NamedTuple):
    """A segment with far more errors than usual; ``usual`` is the rate to expect on the day, 0 to 1."""

    segment: Slice
    usual: float
    counts: SliceCounts
    since: date
    log_chance: float

    @property
    def excess_errors(self) -> float:
        """Errors beyond the usual."""
        return self.counts.errors - self.usual * self.counts.events

    @property
    def points(self) -> float:
        """Percentage points above the usual rate."""
        return 100 * self.excess_errors / self.counts.events


class _Day(NamedTuple):
    """A segment on an earlier day."""

    day: date
    events: int
    errors: int

    @property
    def rate(self) -> float:
        return self.errors / self.events


class _Usual(NamedTuple):
    """The error rate to expect, and the square of its coefficient of variation (of the odds, for high rates)."""

    rate: float
    variation: float

    def log_chance(self, counts: SliceCounts) -> float:
        """Log of the chance of so many errors."""
        correlation = min(self.variation * self.rate * (1 - self.rate), HIGHEST_CORRELATION)
        return log_chance_of_at_least(counts.errors, counts.events, self.rate, correlation)


@dataclass(frozen=True)
class SegmentErrors:
    """The errors of the segments of one window.

    Attributes:
        window: The day and at least WINDOW_MINIMUM days before it.
        points: The smallest rise of a rate that counts, in percentage points.
        minimum_events: A version is compared with others only if it has so many events, on days with as many.
        accepted: Segments whose errors somebody accepted, and the first day of these.
    """

    window: Window
    points: float
    minimum_events: int
    accepted: Mapping[Slice, date] = field(default_factory=dict)

    def failing(self) -> list[Failing]:
        """The segments that fail, the most excess errors first; of nested segments the one that tells most."""
        watched = [(segment, counts) for segment, counts in self._today.items() if _is_watched(segment)]
        found = [failing for segment, counts in watched if (failing := self._failing(segment, counts)) is not None]
        chosen = significant(found, len(watched), CHANCE)
        return sorted(self._telling(chosen), key=lambda failing: (-failing.excess_errors, failing.segment.order))

    def _failing(self, segment: Slice, counts: SliceCounts) -> Failing | None:
        """The segment if its rate rose far enough, however likely that was."""
        if not self._is_beyond(counts, 0.0) or counts.events >= (1 - REST_RATIO) * self.window.totals[self.window.day]:
            return None
        past = self._past(segment)
        history = _before_the_run(past, counts)
        since = past[len(history)].day if len(history) < len(past) else self.window.day
        if (self.window.day - since).days >= ACCEPTED_AFTER_DAYS:
            return None
        usual = self._accepted_usual(segment, past[len(history) :]) or self._usual(segment, counts, history)
        # What the stream does on the day can only raise what is expected.
        if usual is None or not self._is_beyond(counts, usual.rate) or usual.log_chance(counts) > log(CHANCE):
            return None
        usual = self._on_the_day(segment, usual)
        if not self._is_beyond(counts, usual.rate):
            return None
        return Failing(segment, usual.rate, counts, since, usual.log_chance(counts))

    def _is_beyond(self, counts: SliceCounts, usual: float) -> bool:
        """Whether there are enough errors beyond a usual rate."""
        excess = counts.errors - usual * counts.events
        return 100 * excess > self.points * counts.events and excess >= LEAST_ERRORS

    @cached_property
    def _today(self) -> Mapping[Slice, SliceCounts]:
        return self.window.slices[self.window.day]

    def _past(self, segment: Slice) -> Sequence[_Day]:
        if segment not in self._pasts:
            slices = self.window.slices
            self._pasts[segment] = [
                _Day(day, counts.events, counts.errors)
                for day in self.window.days
                if (counts := slices[day].get(segment)) is not None
            ]
        return self._pasts[segment]

    @cached_property
    def _pasts(self) -> dict[Slice, Sequence[_Day]]:
        return {}

    # ---- what is usual ----

    def _usual(self, segment: Slice, counts: SliceCounts, history: Sequence[_Day]) -> _Usual | None:
        """The usual rate of a segment; None if nothing shows it."""
        if len(history) >= HISTORY_MINIMUM:
            return self._own_usual(history)
        if segment.dimension == SERVICE_VERSION and counts.events >= self.minimum_events:
            return self._versions_usual(segment)
        return None

    def _accepted_usual(self, segment: Slice, run: Sequence[_Day]) -> _Usual | None:
        """What the days that fail as the judged day show since somebody accepted that; None if nobody did."""
        accepted = [self.accepted[part] for part in (segment, *segment.parents) if part in self.accepted]
        learnt = [day for day in run if accepted and day.day >= max(accepted)]
        return self._own_usual(learnt, prior_events=0) if learnt else None

    def _own_usual(self, history: Sequence[_Day], prior_events: int = PRIOR_EVENTS) -> _Usual:
        """What the segment's own days show, without the worst stretch, which may have been a fault itself.

        The variation is estimated by moments, and is drawn towards USUAL_VARIATION.
        """
        days = _without_the_worst(history, self.points)
        events, errors = sum(day.events for day in days), sum(day.errors for day in days)
        rate = min((errors + prior_events * self._usual_rate) / (events + prior_events), HIGHEST_RATE)
        chance = rate * (1 - rate)
        beyond = sum((day.errors - rate * day.events) ** 2 - day.events * chance for day in days)
        scale = sum(day.events * (day.events - 1) for day in days) * chance**2
        own = max(beyond / scale, 0.0) if scale else 0.0
        weight = len(days) / (len(days) + VARIATION_DAYS)
        return _Usual(rate, weight * own + (1 - weight) * USUAL_VARIATION**2)

    def _versions_usual(self, segment: Slice) -> _Usual | None:
        """What the other versions show; None if none has a history."""
        rates = [rate for version, rate in self._versions.items() if version != segment]
        if not rates:
            return None
        rate = min(max(fmean(rates), self._usual_rate), HIGHEST_RATE)
        spread = fmean((one - rate) ** 2 for one in rates) / (rate * (1 - rate)) ** 2
        return _Usual(rate, max(spread, VERSIONS_VARIATION**2))

    @cached_property
    def _versions(self) -> dict[Slice, float]:
        """The error rate of each version that has a history of days with enough events."""
        slices = self.window.slices
        known = {segment for day in self.window.days for segment in slices[day] if segment.dimension == SERVICE_VERSION}
        pasts = {
            version: [day for day in self._past(version) if day.events >= self.minimum_events]
            for version in known
            if not _is_untagged(version)
        }
        return {version: _pooled(past) for version, past in pasts.items() if len(past) >= HISTORY_MINIMUM}

    @cached_property
    def _signals(self) -> dict[Slice, float]:
        """The usual error rate of each signal of the day that has a history."""
        signals = {signal: self._past(signal) for signal in self._today if _is_signal(signal)}
        return {signal: _pooled(past) for signal, past in signals.items() if len(past) >= HISTORY_MINIMUM}

    @cached_property
    def _usual_rate(self) -> float:
        """The usual error rate of most events, whatever a few signals do that fail by nature."""
        weighted = [(rate, self._today[signal].events) for signal, rate in self._signals.items()]
        return max(weighted_median(weighted), LEAST_RATE) if weighted else LEAST_RATE

    # ---- what the day does to every segment ----

    def _on_the_day(self, segment: Slice, usual: _Usual) -> _Usual:
        """What to expect if the segment's errors change as those of most other events do."""
        rises, factors = [], []
        for signal, rate in self._signals.items():
            shared = self._within(segment, signal)
            events = self._today[signal].events - shared[0]
            errors = max(self._today[signal].errors - shared[1], 0.0)
            if events > 0:
                rises.append((errors / events - rate, events))
                factors.append(((errors + 1) / (rate * events + 1), events))
        rate = max(usual.rate, self._rate_by_mix(segment, usual.rate))
        if not rises:
            return _Usual(rate, usual.variation)
        rise, factor = max(weighted_median(rises), 0.0), max(weighted_median(factors), 1.0)
        rate = min(max(rate * factor, rate + rise), HIGHEST_RATE)
        return _Usual(rate, usual.variation + (UNEVEN_VARIATION * (1 - 1 / factor)) ** 2)

    def _within(self, segment: Slice, signal: Slice) -> tuple[float, float]:
        """Events and errors of the signal in the segment; a version is taken to have the same share of each signal."""
        if segment.dimension == SERVICE_VERSION:
            share = self._today[signal].events / self.window.totals[self.window.day]
            return share * self._today[segment].events, share * self._today[segment].errors
        if segment == signal or signal in segment.parents:
            counts = self._today[segment]
        elif segment.by is None:
            counts = self._today.get(Slice(*segment.parts[0], *signal.parts[0]), _NOTHING)
        else:
            counts = _NOTHING
        return counts.events, counts.errors

    def _rate_by_mix(self, segment: Slice, usual: float) -> float:
        """The usual rate of the segment if its signals had the shares that they have today.

        A new signal that fails by nature makes every platform fail more often, but it says nothing about any of them.
        The signals of a version are not counted: its rate rises as that of the whole stream.
        """
        if segment.dimension == EVENT_NAME or segment.by is not None:
            return usual
        if segment.dimension == SERVICE_VERSION:
            return usual + self._rise_by_mix
        pairs = (Slice(*segment.parts[0], *signal.parts[0]) for signal in self._today if _is_signal(signal))
        return self._mixed_rate([pair for pair in pairs if pair in self._today])

    @cached_property
    def _rise_by_mix(self) -> float:
        """How far the error rate of the whole stream rises because the shares of its signals change."""
        slices = [
            counts
            for day in self.window.days
            for segment, counts in self.window.slices[day].items()
            # Without a call, since there are thousands: _is_signal(segment).
            if segment.by is None and segment.dimension == EVENT_NAME
        ]
        usual = sum(counts.errors for counts in slices) / max(sum(counts.events for counts in slices), 1)
        return max(self._mixed_rate([segment for segment in self._today if _is_signal(segment)]) - usual, 0.0)

    def _mixed_rate(self, segments: Sequence[Slice]) -> float:
        """The error rate of these segments together if each is as usual; what has no history is as it is."""
        expected = []
        for segment in segments:
            counts, past = self._today[segment], self._past(segment)
            expected.append(counts.errors if len(past) < HISTORY_MINIMUM else _pooled(past) * counts.events)
        # The exact sum: in another order, the day would get a revision for its last digit.
        return fsum(expected) / max(sum(self._today[segment].events for segment in segments), 1)

    # ---- which segments tell most ----

    def _telling(self, found: Sequence[Failing]) -> list[Failing]:
        """Each cause once: what fails only because of another segment is left out."""
        kept = {failing.segment: failing for failing in found}
        singles = [failing for failing in found if failing.segment.by is None]
        for failing in sorted(singles, key=lambda failing: (-failing.log_chance, failing.segment.order)):
            if self._is_explained(failing, kept):
                del kept[failing.segment]
        return [failing for failing in kept.values() if kept.keys().isdisjoint(failing.segment.parents)]

    def _is_explained(self, failing: Failing, kept: Mapping[Slice, Failing]) -> bool:
        """Whether the rest is ordinary without the values of another attribute that fail or were accepted."""
        inside: dict[str, set[Slice]] = {}
        for other in {*kept, *self.accepted}:
            if (pair := _intersection(failing.segment, other)) is not None:
                attribute = pair.dimension if pair.by == failing.segment.dimension else pair.by or ""
                inside.setdefault(attribute, set()).add(pair)
        return any(self._is_ordinary_without(failing, pairs) for pairs in inside.values())

    def _is_ordinary_without(self, failing: Failing, pairs: Iterable[Slice]) -> bool:
        shared = [self._today.get(pair, _NOTHING) for pair in pairs]
        events = failing.counts.events - sum(counts.events for counts in shared)
        errors = failing.counts.errors - sum(counts.errors for counts in shared)
        is_enough = events >= RESIDUE_RATIO * failing.counts.events
        return is_enough and 100 * (errors - failing.usual * events) <= self.points * events


def _is_watched(segment: Slice) -> bool:
    return segment.by in {None, EVENT_NAME} and OTHER_VALUES not in segment and not _is_untagged(segment)


def _is_untagged(segment: Slice) -> bool:
    """Events without a version: what fails early often does not know its version yet."""
    return segment.dimension == SERVICE_VERSION and segment.value is None


def _is_signal(segment: Slice) -> bool:
    return segment.dimension == EVENT_NAME and segment.by is None


def _intersection(single: Slice, other: Slice) -> Slice | None:
    """The slice of the events in both, if scans count it and ``other`` is not of the same attribute."""
    if other.by is not None:
        return other if single in other.parents else None
    if single.dimension == other.dimension:
        return None
    # Scans count pairs under the dimension, never under event name or version.
    first, second = (other, single) if single.dimension in {EVENT_NAME, SERVICE_VERSION} else (single, other)
    return Slice(*first.parts[0], *second.parts[0]) if second.dimension in {EVENT_NAME, SERVICE_VERSION} else None


def _pooled(past: Sequence[_Day]) -> float:
    """The error rate of all these days together."""
    return sum(day.errors for day in past) / sum(day.events for day in past)


def _before_the_run(past: Sequence[_Day], counts: SliceCounts) -> Sequence[_Day]:
    """The days before the consecutive days that fail as the judged day does."""
    if not past:
        return past
    ordinary = median(day.rate for day in past)
    limit = ordinary + RUN_RATIO * (counts.errors / counts.events - ordinary)
    end = len(past)
    while end and past[end - 1].rate > limit:
        end -= 1
    return past[:end]


def _without_the_worst(history: Sequence[_Day], points: float) -> Sequence[_Day]:
    """The days without the consecutive days around the highest rate, if that was far above the median."""
    ordinary = median(day.rate for day in history)
    worst = max(range(len(history)), key=lambda index: history[index].rate)
    excess = history[worst].rate - ordinary
    if 100 * excess <= points:
        return history
    first = last = worst
    while first and history[first - 1].rate > ordinary + RUN_RATIO * excess:
        first -= 1
    while last + 1 < len(history) and history[last + 1].rate > ordinary + RUN_RATIO * excess:
        last += 1
    left = [*history[:first], *history[last + 1 :]]
    return left if len(left) >= HISTORY_MINIMUM else history
