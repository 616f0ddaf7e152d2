"""Segment volume: segments that suddenly shrink or grow while the total hides it.

A segment has changed only if it did so in every respect: in events and given the rest of the stream, against the last
week and against the whole window. So a new signal does not make the others look small, growth is followed, and the way
back from a fault is no fault. Versions are not watched, since releases move them as they like.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import exp, log, log1p, sqrt
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.detectors.silence import SILENT_RATIO, is_watched
from telemetry_quality.core.detectors.windows import WINDOW_MINIMUM, significant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.detectors.windows import Window
    from telemetry_quality.core.events import Slice

ACCEPTED_AFTER_DAYS = 3
"""A change this old is the new normal: most that last longer are intended, and some grow for days."""
RECENT_DAYS = 7
"""A segment is compared with its last week."""
SLOW_DAYS, SLOW_RATIO = 2, 0.25
"""A segment fades or grows if its last SLOW_DAYS days had gone this share of the way: it did not change suddenly."""
CHANCE = 2e-5
"""Expected share of days with a false alarm if segments vary as they are modelled."""
LEAST_VARIATION = 0.05**2
"""Smallest variance of the log of a segment's events beyond chance."""
RECORD_RATIO = 1.5
"""How many times as far as on any earlier day a segment must have moved …"""
BURST = log(1.5)
"""… and if it moved farther than this twice, it does so by nature: campaigns and batches come again."""
REST_RATIO = 0.02
"""If all other events are less than this share of the stream, they cannot hide what a segment does."""
ODD_RATIO = 0.75
"""A day with less than this share of the usual events, or more than its inverse, may resemble another weekday."""
ACCEPTED_RATIO = 0.5
"""A level was accepted if it is this share of the way of a change from the one before, in logs."""
QUICK_RATIO = 1.3
"""How much farther a closer look may find a segment from its usual events than a quick one."""


class Changed(NamedTuple):
    """A segment that shrank or grew: what was expected of it on the day, what was found, and since when."""

    segment: Slice
    expected: float
    found: int
    since: date
    log_chance: float

    @property
    def deviation_percent(self) -> float:
        """How far it lies from what is expected; negative if there are fewer events."""
        return 100 * (self.found / self.expected - 1)


class _Point(NamedTuple):
    """A segment's events on a day over its weekday's usual events, as they are and given the rest of the stream."""

    day: date
    own: float
    relative: float


@dataclass(frozen=True)
class SegmentVolume:
    """The volumes of the segments of one window.

    Attributes:
        window: The day and at least WINDOW_MINIMUM days before it.
        far_percent: How many percent fewer events are a change; more events are one if they are as many times more.
        minimum_events: Segments with fewer expected events are not watched.
        new_levels: Days from which on somebody accepted other levels as normal.
        is_rest: Whether the stream may rest on the day.
    """

    window: Window
    far_percent: float
    minimum_events: int
    new_levels: frozenset[date] = frozenset()
    is_rest: bool = False

    @property
    def far(self) -> float:
        """The log of the smallest growth that is a change."""
        return -log(1 - self.far_percent / 100)

    def changed(self) -> list[Changed]:
        """The segments that changed, by the most events first, without segments inside them."""
        levels = dict(self._levels())
        found = [
            changed
            for segment, level in levels.items()
            if self._may_have_changed(segment, level) and (changed := self._change(segment)) is not None
        ]
        chosen = significant(found, len(levels), CHANCE)
        segments = {changed.segment for changed in chosen}
        top = [changed for changed in chosen if segments.isdisjoint(changed.segment.parents)]
        return sorted(top, key=lambda changed: (-abs(changed.found - changed.expected), changed.segment.order))

    def _levels(self) -> Iterator[tuple[Slice, float]]:
        """Each watched segment that the same weekday had, with the median of its events there."""
        weekday = self.window.day.weekday()
        peers = [self.window.slices[day] for day in self.window.days if day.weekday() == weekday]
        for segment in set().union(*peers):
            if is_watched(segment):
                level = median(peer[segment].events for peer in peers if segment in peer)
                if level * QUICK_RATIO >= self.minimum_events:
                    yield segment, level

    def _may_have_changed(self, segment: Slice, level: float) -> bool:
        """A quick look, so that only few segments need a closer one."""
        found = self._events(segment, self.window.day)
        if found <= SILENT_RATIO / QUICK_RATIO * level:
            return False
        own = log(found / level)
        return any(
            min(abs(own), abs(relative)) * QUICK_RATIO > self.far and own * relative > 0
            for relative in self._quickly_relative(found, level)
        )

    def _quickly_relative(self, found: int, level: float) -> set[float]:
        """Logs of the day over what is usual, given the rest of the stream, before and after acceptances."""
        day = self.window.day
        wholes = {usual[day.weekday()] for usual in (self.window.weekday_totals, self._weekday_totals)}
        return {log(_relative(found, level, self.window.totals[day], whole)) for whole in wholes}

    def _events(self, segment: Slice, day: date) -> int:
        counts = self.window.slices[day].get(segment)
        return 0 if counts is None else counts.events

    def _change(self, segment: Slice) -> Changed | None:
        """The change of the segment, however likely it was; None if it is too small, too old or came slowly."""
        counts = self._counts(segment)
        usual = _medians(counts, 2)
        level = usual.get(self.window.day.weekday())
        if not level:
            return None
        points = [
            self._point(day, count, usual[day.weekday()]) for day, count in counts.items() if usual.get(day.weekday())
        ]
        today = self._point(self.window.day, self._events(segment, self.window.day), level)
        history = points[: len(points) - _run(points, today)] if points else points
        since = points[len(history)] if len(history) < len(points) else today
        is_accepted = (self.window.day - since.day).days >= ACCEPTED_AFTER_DAYS
        if len(history) < WINDOW_MINIMUM or is_accepted or _came_slowly(history, since):
            return None
        step = self._step_of_the_day(_step(today, history), usual)
        found = self._events(segment, self.window.day)
        expected = found / exp(step)
        is_far = abs(step) > self.far and abs(_step(since, history)) > self.far
        if not is_far or expected < self.minimum_events or found <= SILENT_RATIO * expected:
            return None
        chance = log_chance(found, expected, _steps(history))
        return Changed(segment, expected, found, since.day, chance)

    def _counts(self, segment: Slice) -> Mapping[date, float]:
        """The events of the earlier days since the segment began, at the levels accepted since."""
        days = self.window.days
        first = next(index for index, day in enumerate(days) if segment in self.window.slices[day])
        return self._at_accepted_levels({day: self._events(segment, day) for day in days[first:]})

    def _at_accepted_levels(self, counts: Mapping[date, float]) -> Mapping[date, float]:
        """The counts of earlier days as if the levels that somebody accepted since then had always been usual."""
        firsts = sorted(day for day in self.new_levels if day - ONE_DAY not in self.new_levels)
        for first, following in pairwise([*firsts, self.window.day]):
            before = {day: count for day, count in counts.items() if day < first}
            usual = _medians(before)
            since = [
                count / usual[day.weekday()]
                for day, count in counts.items()
                if first <= day < following and usual.get(day.weekday())
            ]
            factor = median(since) if since else 1.0
            if factor and abs(log(factor)) > ACCEPTED_RATIO * self.far:
                counts = {day: count * factor if day < first else count for day, count in counts.items()}
        return counts

    @cached_property
    def _totals(self) -> Mapping[date, float]:
        """The events of the stream on the earlier days, at the levels accepted since, and on the day."""
        totals = self.window.totals
        return {
            **self._at_accepted_levels({day: totals[day] for day in self.window.days}),
            self.window.day: totals[self.window.day],
        }

    @cached_property
    def _weekday_totals(self) -> Mapping[int, float]:
        if not self.new_levels:
            return self.window.weekday_totals
        return _medians({day: self._totals[day] for day in self.window.days})

    def _point(self, day: date, count: float, level: float) -> _Point:
        count = max(count, 0.5)
        relative = _relative(count, level, self._totals[day], self._weekday_totals[day.weekday()])
        return _Point(day, count / level, relative)

    def _step_of_the_day(self, step: float, usual: Mapping[int, float]) -> float:
        """What is left of a step if the day may be a holiday, on which a segment may be as on any weekday."""
        if not self._is_odd:
            return step
        levels = [level for level in usual.values() if level]
        reach = log((min(levels) if step < 0 else max(levels)) / usual[self.window.day.weekday()])
        return min(step - reach, 0.0) if step < 0 else max(step - reach, 0.0)

    @cached_property
    def _is_odd(self) -> bool:
        """Whether the stream may rest, or is so far from its weekday that the day may resemble another weekday."""
        totals, usual = self._totals, self._weekday_totals
        ratios = [totals[day] / usual[day.weekday()] for day in self.window.days[-RECENT_DAYS:]]
        level = usual[self.window.day.weekday()] * median(ratios)
        return self.is_rest or not ODD_RATIO * level <= totals[self.window.day] <= level / ODD_RATIO


def _medians(counts: Mapping[date, float], least: int = 1) -> dict[int, float]:
    """The median count of each weekday that occurs at least so often."""
    by_weekday: dict[int, list[float]] = {}
    for day, count in counts.items():
        by_weekday.setdefault(day.weekday(), []).append(count)
    return {weekday: float(median(found)) for weekday, found in by_weekday.items() if len(found) >= least}


def _relative(count: float, level: float, total: float, whole: float) -> float:
    """The events over the weekday's usual events, given the rest of the stream.

    It is 1 if there is hardly a rest: then the segment is the stream, which its own guardrails judge.
    """
    rest, usual_rest = total - count, whole - level
    return count / level * usual_rest / rest if min(rest, usual_rest) > REST_RATIO * whole else 1.0


def _step(point: _Point, history: Sequence[_Point]) -> float:
    """Log of the change in the respect in which it is smallest; 0 if the respects do not agree on its direction."""
    recent = history[-RECENT_DAYS:]
    logs = [
        log(point.own / median(other.own for other in recent)),
        log(point.relative / median(other.relative for other in recent)),
        log(point.own / median(other.own for other in history)),
        log(point.relative / median(other.relative for other in history)),
    ]
    return max(logs) if max(logs) < 0 else max(min(logs), 0.0)


def _run(points: Sequence[_Point], today: _Point) -> int:
    """How many of the last days had changed at least half as far as the judged day, in logs."""
    ordinary = median(point.own for point in points)
    middle = sqrt(ordinary * today.own)
    is_low = today.own < ordinary
    run = 0
    while run < len(points) and (points[-1 - run].own < middle if is_low else points[-1 - run].own > middle):
        run += 1
    return run


def _came_slowly(history: Sequence[_Point], first: _Point) -> bool:
    """Whether the last SLOW_DAYS days before the ``first`` day of the change had already gone part of the way."""
    ordinary = median(point.own for point in history)
    way = log(first.own / ordinary)
    gone = fmean(log(point.own / ordinary) for point in history[-SLOW_DAYS:])
    return not way or gone / way >= SLOW_RATIO


def _steps(history: Sequence[_Point]) -> list[float]:
    """Logs of the changes of each day against the week before it, given the rest of the stream."""
    return [
        log(history[index].relative / median(other.relative for other in history[index - RECENT_DAYS : index]))
        for index in range(RECENT_DAYS, len(history))
    ]


def log_chance(found: int, expected: float, steps: Sequence[float]) -> float:
    """Log of the chance, about, of such a change; 0 if the segment's own history knows such changes.

    The steps in its direction decide, or all steps if they explain the change less. In either direction the farthest
    stretch of days is left out, since it may have been a fault.

    Args:
        found: The segment's events.
        expected: How many were expected.
        steps: The logs of the changes of earlier days, in order.
    """
    sign = 1 if found > expected else -1
    change = sign * log(found / expected)
    ordinary = _without_the_farthest(_without_the_farthest(steps, sign), -sign)
    same = [sign * step for step in ordinary if sign * step > 0]
    record = max(same, default=0.0)
    if record > BURST or RECORD_RATIO * record >= change:
        return 0.0
    least = (1 / found + 1 / expected) / 2 + LEAST_VARIATION
    return min(_log_tail(change, same, least), _log_tail(change, ordinary, least))


def _without_the_farthest(steps: Sequence[float], sign: int) -> list[float]:
    """The steps without the farthest in a direction, and without its neighbours if they are far as well."""
    farthest = max(range(len(steps)), key=lambda index: sign * steps[index], default=0)
    first = last = farthest
    while first and sign * steps[first - 1] > BURST:
        first -= 1
    while last + 1 < len(steps) and sign * steps[last + 1] > BURST:
        last += 1
    return [*steps[:first], *steps[last + 1 :]]


def _log_tail(change: float, steps: Sequence[float], least: float) -> float:
    """Log of the tail, about, of Student's t with as many degrees of freedom as there are steps.

    The density falls as ``(1 + t²/n)^(-(n+1)/2)`` with t² = ``change``² over the variance of the steps.
    """
    known = len(steps)
    if not known:
        return 0.0
    variance = max(fmean(step**2 for step in steps), least)
    return -(known + 1) / 2 * log1p(change**2 / variance / known)
