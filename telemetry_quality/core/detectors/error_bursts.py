"""Bursts of errors: runs of hours with far more errors than the same hours usually have, given the rest of the day."""

from __future__ import annotations

from itertools import accumulate
from math import log
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.windows import WINDOW_MINIMUM
from telemetry_quality.core.hours import ALL_HOURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

LONGEST_BURST = 12
LEAST_ERRORS = 10
"""Fewer errors in a row of hours are no burst, whatever their share."""
FAR_FACTOR = 3.0
"""A burst has more than this many times the errors to expect."""
EDGE_RATIO = 0.5
"""The first and the last hour of a burst have more than this part of the least share; beside them, it was over."""
CHANCE = 5e-3
"""The chance of a false alarm on a day whose errors vary as they did before."""
LOOKS = 100
"""Runs overlap: of the 222 runs of a day, about so many are independent looks."""
ODD_DAYS = 2
"""On so many earlier days, the errors in a run may have been bursts, which say nothing about how much they vary."""
LEAST_DISPERSION = 0.05
"""Smallest variance of the errors beyond chance, over their squared mean."""


class ErrorBurst(NamedTuple):
    """A run of hours with far more errors than usual.

    Attributes:
        first: Its first hour, in whole hours since the day began.
        last: Its last hour, likewise.
        expected: Errors to expect in the run, given its events, its history and the rest of the day.
        errors: Errors in the run.
        events: Events in the run.
    """

    first: int
    last: int
    expected: float
    errors: int
    events: int

    @property
    def percent(self) -> float:
        """The share of errors in the run."""
        return 100 * self.errors / self.events


class HourErrors(NamedTuple):
    """Events and errors per hour: since the day began, or, of earlier days, per hour of the clock."""

    events: Sequence[float | None]
    errors: Sequence[float | None]


def error_burst(
    day: date,
    counts: HourErrors,
    earlier: Mapping[date, HourErrors],
    least_percent: float,
    clock: Sequence[int] = ALL_HOURS,
    *,
    begins_at: int | None = None,
) -> ErrorBurst | None:
    """The most surprising run of hours with a share of errors strictly above ``least_percent``; None if there is none.

    Args:
        day: The day to be judged.
        counts: Its events and errors in each hour since it began.
        earlier: Those of earlier days by the clock; the day itself and later days are ignored.
        least_percent: Which share of errors in a run is worth looking at.
        clock: The hour of the clock of each of ``counts``.
        begins_at: Of a running day, whose ``counts`` are those of the last 24 hours, the position of its first hour:
            only a burst within the day that ends with the last hour is looked for. None for a day that is over.
    """
    high = list(_high_runs(_sums(counts.events), _sums(counts.errors), least_percent, begins_at))
    if not high:
        return None
    past = [(_sums(hours.events), _sums(hours.errors)) for known, hours in sorted(earlier.items()) if known < day]
    surprises = (
        (surprise, burst) for burst in high if (surprise := _surprise(burst, past, clock)) > log(LOOKS / CHANCE)
    )
    found = max(surprises, default=None)
    return None if found is None else found[1]


def is_history_enough(earlier: Mapping[date, HourErrors]) -> bool:
    """Whether earlier days show how many errors are usual."""
    return len(earlier) >= WINDOW_MINIMUM


def _sums(counts: Sequence[float | None]) -> list[float]:
    """The sums up to each hour; an hour that a day did not have has no events."""
    return [0.0, *accumulate(count or 0.0 for count in counts)]


def _high_runs(
    events: Sequence[float], errors: Sequence[float], least_percent: float, begins_at: int | None
) -> Iterator[ErrorBurst]:
    """The runs that have a high share of errors, with the errors to expect from the rest of the day."""
    hours = len(events) - 1
    edges = {hour for hour in range(hours) if _may_be_edge(events, errors, hour, least_percent)}
    for first in range(begins_at or 0, hours):
        for last in range(first if begins_at is None else hours - 1, min(first + LONGEST_BURST, hours)):
            if not {first, last} <= edges:
                continue
            size, found = events[last + 1] - events[first], errors[last + 1] - errors[first]
            if found < LEAST_ERRORS or 100 * found <= least_percent * size:
                continue
            outside = events[-1] - size
            # A day on which errors are everywhere has no burst.
            rest_ratio = (errors[-1] - found) / outside if outside else 1.0
            if found > FAR_FACTOR * size * rest_ratio:
                yield ErrorBurst(first, last, size * rest_ratio, round(found), round(size))


def _may_be_edge(events: Sequence[float], errors: Sequence[float], hour: int, least_percent: float) -> bool:
    """Whether a burst may begin or end with this hour."""
    size, found = events[hour + 1] - events[hour], errors[hour + 1] - errors[hour]
    return 100 * found > EDGE_RATIO * least_percent * size


def _surprise(burst: ErrorBurst, past: Sequence[tuple[list[float], list[float]]], clock: Sequence[int]) -> float:
    """Minus the log of Chernoff's bound of the chance of so many errors in the run; 0 if they are not far more.

    The errors are taken to have a negative binomial distribution with mean m and variance m + φm², as in
    ``silence``; φ is how much more than by chance the errors of the same hours varied on earlier days.
    """
    begin, end = clock[burst.first], clock[burst.last] + 1
    days = [(events[end] - events[begin], errors[end] - errors[begin]) for events, errors in past]
    known = sorted(((size, found) for size, found in days if size > 0), key=lambda pair: pair[1] / pair[0])
    ordinary = known[:-ODD_DAYS]
    if len(ordinary) < WINDOW_MINIMUM - ODD_DAYS:
        return 0.0
    # One error more in all hours together: none so far does not mean never.
    ratio = sum(found for _, found in ordinary) / sum(size for size, _ in ordinary)
    ratio += 1 / sum(events[-1] for events, _ in past)
    mean = max(burst.expected, burst.events * ratio)
    if burst.errors <= FAR_FACTOR * mean:
        return 0.0
    squares = sum((size * ratio) ** 2 for size, _ in known)
    excess = sum((found - size * ratio) ** 2 - size * ratio for size, found in ordinary)
    phi = max(excess / squares, LEAST_DISPERSION)
    k, found = 1 / phi, burst.errors
    return found * log(found * (k + mean) / (mean * (k + found))) + k * log((k + mean) / (k + found))
