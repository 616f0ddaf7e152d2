"""Small sums: days of few events, judged together.

Three events instead of six say nothing, but a week without any does: the sum of the last days is compared with the sums
of as many days in the weeks before, by an exact test.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.detectors.robust import robust_sigma
from telemetry_quality.core.distributions import negative_binomial_tails

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

WEEK_DAYS = 7

LONGEST_DAYS = 28
"""How far back the days of a sum may lie: a stream that needs more days for a sum is not judged."""

MOST_SUMS, FEWEST_SUMS = 8, 4
"""Earlier sums that are compared with, and how many must be known."""

LEVEL = 0.004
"""A sum is unusual if a usual one is that low, or that high, on fewer than so many days.

Simulated, that is 0.1 to 0.4 false alarms in 100 days, and 1.1 where the counts vary three times as much as by chance.
Sums overlap from day to day, so alarms come in runs, which does not change their mean number.
"""

MEDIAN_VARIANCE = 1.57
"""Variance of the median of n sums, in the variance of a sum / n: pi / 2 for a normal distribution."""

LEAST_VARIANCE, LARGEST_SQUARE = 0.5, 9.0
"""The least variance of a day by chance, and at how many times that variance a square is clipped: an outage in the
history must not widen what is usual."""

LEVEL_SUMS = 2
"""So many earlier sums in a row that explain the present one make a new level."""

RECENT_EVENTS = 3.0
FALLEN, RISEN = 0.6, 1.45
"""The latest days on which so many events are expected together must agree with the change: with a fall to a third if
they hold less than FALLEN times the usual, where both are equally likely; with a doubling above RISEN times. Otherwise
each day after an outage would be alarmed as long as the sum contains the outage."""


@dataclass(frozen=True, slots=True)
class SumOfDays:
    """The sum of the last days of few events, against what is usual.

    Attributes:
        days: How many days are summed, the judged day included.
        events: Their events.
        usual_events: Median of the earlier sums of as many days on the same weekdays.
        is_unusual: Whether the sum is unusual and the latest days agree with it.
    """

    days: int
    events: int
    usual_events: float
    is_unusual: bool

    @property
    def deviation_percent(self) -> float:
        """Signed distance of the sum from the usual one, in percent of that."""
        return 100 * (self.events - self.usual_events) / self.usual_events


def sum_of_days(day: date, counts: Mapping[date, int], least_events: float) -> SumOfDays | None:
    """The sum of so many days up to ``day`` that ``least_events`` are usual; None if too little is known.

    Weekdays on which ``least_events`` or more are usual are judged by themselves and belong to no sum.

    Args:
        day: The day to be judged; later days are ignored.
        counts: Events per day, the day's own included; days that must not be learnt from are absent.
        least_events: From how many usual events on a sum is judged; at least 1.
    """
    usual_weekdays = _usual_weekdays(day, counts)
    small = {weekday: usual for weekday, usual in usual_weekdays.items() if usual < least_events}
    if day not in counts or day.weekday() not in small:
        return None
    members: list[date] = []
    for back in range(LONGEST_DAYS):
        past = day - back * ONE_DAY
        if past not in counts or past.weekday() not in small:
            continue
        members.append(past)
        sums = _earlier_sums(members, back, counts)
        if len(sums) >= FEWEST_SUMS and (usual := median(sums)) >= max(least_events, 1):
            spread = max(1.0, _spread_of_days(day, counts, small), robust_sigma(sums, usual) ** 2 / usual)
            latest = [(counts[member], small[member.weekday()]) for member in members]
            return _compared(latest, usual, sums, spread)
    return None


def _earlier_days(day: date, counts: Mapping[date, int]) -> Iterator[date]:
    """The known days of the MOST_SUMS weeks before ``day``."""
    earlier = (day - back * ONE_DAY for back in range(1, WEEK_DAYS * MOST_SUMS + 1))
    return (past for past in earlier if past in counts)


def _usual_weekdays(day: date, counts: Mapping[date, int]) -> dict[int, float]:
    """The median of each weekday before ``day``."""
    known: defaultdict[int, list[int]] = defaultdict(list)
    for past in _earlier_days(day, counts):
        known[past.weekday()].append(counts[past])
    return {weekday: median(found) for weekday, found in known.items()}


def _spread_of_days(day: date, counts: Mapping[date, int], small: Mapping[int, float]) -> float:
    """How many times as far as by pure chance (Poisson) the earlier days of few events vary, in variances."""
    squares = []
    for past in _earlier_days(day, counts):
        if (usual := small.get(past.weekday())) is not None:
            scale = max(usual, LEAST_VARIANCE)
            squares.append(min((counts[past] - usual) ** 2 / scale, LARGEST_SQUARE))
    return fmean(squares)


def _earlier_sums(members: Sequence[date], back: int, counts: Mapping[date, int]) -> list[int]:
    """The sums of the same weekdays in earlier weeks, the latest first; those with an unknown day are left out.

    They do not overlap; ``back`` is how many days before the judged one the first of ``members`` is.
    """
    period = WEEK_DAYS * (back // WEEK_DAYS + 1) * ONE_DAY
    shifted = ([counts.get(member - n * period) for member in members] for n in range(1, MOST_SUMS + 1))
    return [sum(count or 0 for count in found) for found in shifted if None not in found]


def _compared(latest: Sequence[tuple[int, float]], usual: float, sums: Sequence[int], spread: float) -> SumOfDays:
    """The sum of ``latest`` compared with the earlier ``sums``.

    Args:
        latest: The count of each summed day, the latest first, and the usual count of its weekday.
        usual: The median of the earlier sums.
        sums: The earlier sums, the latest first.
        spread: The variance of such sums in multiples of their mean.
    """
    events = sum(count for count, _ in latest)
    dispersion = spread * (1 + MEDIAN_VARIANCE / len(sums))
    # Two sums in a row that are as far off are a new level, unless they are empty.
    is_low = events < usual
    level = max(sums[:LEVEL_SUMS]) if is_low else min(sums[:LEVEL_SUMS])
    is_unusual = _is_rare(events, usual, dispersion) and (not level or _is_rare(events, level, dispersion))
    return SumOfDays(len(latest), events, usual, is_unusual and _agrees(latest, usual, is_low=is_low))


def _is_rare(events: int, usual: float, dispersion: float) -> bool:
    """Whether a negative binomial sum is so low, or so high, on fewer than LEVEL of the days."""
    return min(negative_binomial_tails(events, usual, dispersion)) < LEVEL


def _agrees(latest: Sequence[tuple[int, float]], usual: float, *, is_low: bool) -> bool:
    """Whether the latest of the summed days have changed like their sum."""
    weekdays = sum(of_weekday for _, of_weekday in latest)
    # Where most days are empty, medians say nothing about the weekday.
    shares = [of_weekday / weekdays if weekdays else 1 / len(latest) for _, of_weekday in latest]
    events, expected = 0, 0.0
    for (count, _), share in zip(latest, shares, strict=True):
        events, expected = events + count, expected + share * usual
        if expected >= RECENT_EVENTS:
            break
    return events < FALLEN * expected if is_low else events > RISEN * expected
