"""The hourly curve: how many events to expect in each hour of a day, given those of the whole day.

How many to expect on the day belongs to ``expected_volume``; which hours are far below belongs to ``hours``.
"""

from __future__ import annotations

from math import exp, log, sqrt
from statistics import NormalDist, fmean, median
from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.intervals import reach_of
from telemetry_quality.core.detectors.regime import LARGEST_TAIL
from telemetry_quality.core.detectors.robust import robust_sigma
from telemetry_quality.core.detectors.windows import WINDOW_DAYS, WINDOW_MINIMUM, days_like
from telemetry_quality.core.hours import ALL_HOURS, ExpectedHour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.detectors.expected_volume import Expectation
    from telemetry_quality.core.hours import ClockCounts

SCATTERED = 0.8
"""Where the median shares add up to less, events come at odd hours, and the mean shares are expected."""

LEAST_VARIATION = 0.05
"""Smallest standard deviation of an hour's events beyond chance, in logs."""

HALF = 0.5
"""Half an event more, since counts may be zero."""

Shares = tuple[float, ...]
"""Share of a day's events per hour of the clock; they add up to 1."""


def expected_hours(
    day: date,
    total: Expectation,
    earlier: Mapping[date, ClockCounts],
    interval_percent: float,
    clock: Sequence[int] = ALL_HOURS,
) -> tuple[ExpectedHour, ...] | None:
    """The events to expect in each hour of ``day``, with the interval of ordinary hours; None if too little is known.

    Each hour has the median share that it had on earlier days of that weekday. Its interval holds what the whole day
    may stray from ``total``, what the hour's share strayed on earlier days, and chance (Poisson).

    Args:
        day: The day that is asked about.
        total: The events to expect on the whole day, if it has 24 hours, with the interval of ``interval_percent``.
        earlier: Events of earlier days per hour of the clock, of which the last WINDOW_DAYS count; empty days, the
            day itself and later days are ignored. With fewer than WINDOW_MINIMUM others nothing is known.
        interval_percent: The percentage of ordinary hours that lie within their interval, 50 to below 100.
        clock: The hour of the clock at which each hour of the day begins, as ``hours.clock_of`` says it.
    """
    known = _known(day, earlier)
    if total.events is None or len(known) < WINDOW_MINIMUM:
        return None
    shares, tails = _shares(_peers(day, known)), _strayed(known)
    by_clock = [_hour(total, share, tail, interval_percent) for share, tail in zip(shares, tails, strict=True)]
    return tuple(by_clock[hour] for hour in clock)


def usual_shares(day: date, earlier: Mapping[date, ClockCounts]) -> Shares | None:
    """The usual share of each hour of the clock in the events of ``day``; None if too little is known.

    Args:
        day: The day that is asked about.
        earlier: As for ``expected_hours``.
    """
    known = _known(day, earlier)
    return _shares(_peers(day, known)) if len(known) >= WINDOW_MINIMUM else None


def _known(day: date, earlier: Mapping[date, ClockCounts]) -> dict[date, ClockCounts]:
    """The last WINDOW_DAYS before ``day`` that have events."""
    past_days = {past: hours for past, hours in earlier.items() if past < day and any(hours)}
    latest = max(past_days, default=day)
    return {past: hours for past, hours in past_days.items() if (latest - past).days < WINDOW_DAYS}


def _peers(day: date, known: Mapping[date, ClockCounts]) -> list[ClockCounts]:
    """The hours of the days that are like ``day``, without its own."""
    return [known[past] for past in days_like(day, known)]


def _shares(peers: Sequence[ClockCounts]) -> Shares:
    """The usual share of each hour of the clock; an hour that a day did not have shows nothing."""
    by_hour: list[list[float]] = [[] for _ in ALL_HOURS]
    for hours in peers:
        whole = _whole(hours)
        for found, count in zip(by_hour, hours, strict=True):
            if count is not None:
                found.append(count / whole)
    middles = [median(found) if found else 0.0 for found in by_hour]
    if fmean(middles) * len(middles) < SCATTERED:
        middles = [fmean(found) if found else 0.0 for found in by_hour]
    whole = sum(middles)
    return tuple(middle / whole for middle in middles)


def _whole(hours: ClockCounts) -> float:
    return sum(count for count in hours if count is not None)


def _strayed(known: Mapping[date, ClockCounts]) -> list[list[tuple[float, float]]]:
    """Per hour of the clock: by how much each day strayed from its peers, in logs, and the variance of chance there."""
    strayed: list[list[tuple[float, float]]] = [[] for _ in ALL_HOURS]
    for day, hours in known.items():
        shares, whole = _shares(_peers(day, known)), _whole(hours)
        for found, share, count in zip(strayed, shares, hours, strict=True):
            if count is not None:
                expected = share * whole
                found.append((log((count + HALF) / (expected + HALF)), 1 / (expected + HALF)))
    return strayed


def _hour(total: Expectation, share: float, strayed: Sequence[tuple[float, float]], percent: float) -> ExpectedHour:
    events = share * (total.events or 0.0)
    below, above = _own_reach(strayed, percent)
    chance_low, chance_high = _chance(events, percent)
    low = _beyond(events, (_logs(events, share * (total.low or 0.0)) if total.low else 0.0, below, chance_low), -1)
    high = _beyond(events, (_logs(share * total.high, events) if total.high else 0.0, above, chance_high), 1)
    return ExpectedHour(events, 0.0 if total.low == 0 else max(low, 0.0), max(high, events + 1))


def _own_reach(strayed: Sequence[tuple[float, float]], percent: float) -> tuple[float, float]:
    """How far an hour's share strays beyond chance to either side, in logs."""
    errors = [error for error, _ in strayed]
    if not errors:
        return LEAST_VARIATION, LEAST_VARIATION
    chance = fmean(variance for _, variance in strayed)
    spread = max(robust_sigma(errors, 0.0), sqrt(chance), LEAST_VARIATION)
    reach = reach_of([min(max(error / spread, -LARGEST_TAIL), LARGEST_TAIL) for error in errors], percent)
    beyond = sqrt(max(spread**2 - chance, LEAST_VARIATION**2))
    return reach.below * beyond, reach.above * beyond


def _chance(events: float, percent: float) -> tuple[float, float]:
    """How far a Poisson count strays to either side, in logs; after Anscombe (1948), its square root is normal."""
    reach = NormalDist().inv_cdf(HALF + percent / 200) / 2
    root = sqrt(events + 3 / 8)
    low, high = (max(bound, 0.0) ** 2 - 3 / 8 for bound in (root - reach, root + reach))
    return _logs(events, max(low, 0.0)), _logs(high, events)


def _logs(larger: float, smaller: float) -> float:
    return log((larger + HALF) / (smaller + HALF))


def _beyond(events: float, distances: Iterable[float], sign: int) -> float:
    """The end of an interval, by independent distances in logs."""
    return (events + HALF) * exp(sign * sqrt(sum(distance**2 for distance in distances))) - HALF
