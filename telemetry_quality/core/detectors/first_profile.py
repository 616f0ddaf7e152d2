"""The first profile: level and weekdays of a stream from its first two weeks, whatever one bad day among them holds."""

from __future__ import annotations

from math import log, sqrt
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.detectors.robust import SIGMA_PER_MAD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

WEEK = 7

SLOPE_MINIMUM = 3
"""Pairs of the same weekday that show a slope; the median of fewer may be a single bad day."""

DISAGREEMENT = log(2.5)
DISAGREEMENT_SIGMAS = 5.0
"""Two days of a weekday contradict each other beyond both: a constant, and sigmas of the difference of two days."""

FAR_OFF = log(3.0)
"""A weekday seen once is only believed if it lies within this distance of the middle of the week."""

LEAST_NOISE = 1e-9
"""Smallest spread of a day, in logs, so that the weight of a weekday is defined."""


class Profile(NamedTuple):
    """What the first days show, in logs of events.

    Attributes:
        level: The mean of the week, as of the last of the days.
        offsets: The distance of each weekday from it; they sum to zero.
        weekday_days: The days each offset was learnt from.
    """

    level: float
    offsets: list[float]
    weekday_days: list[int]


def first_profile(first: Sequence[tuple[date, int]]) -> Profile:
    """The profile of the ``first`` days and their events, at least one of which has events.

    Days without events are left out, unless every known day of that weekday is one. Where two days of a weekday
    contradict each other, only the one that resembles another weekday more is kept. Each weekday is shrunk
    towards the week as far as its distance may be chance (empirical Bayes; Efron and Morris, 1973), and growth
    between the two weeks is allowed for.
    """
    logs = _believable(first)
    slope = _slope(logs)
    middle = fmean(day.toordinal() for day in logs)
    rests: list[list[float]] = [[] for _ in range(WEEK)]
    for day, value in logs.items():
        rests[day.weekday()].append(value - slope * (day.toordinal() - middle))
    differences = [abs(rest[0] - rest[1]) for rest in rests if len(rest) > 1]
    noise = SIGMA_PER_MAD * median(differences) / sqrt(2) if differences else 0.0
    kept = _agreeing(rests, noise)
    level, offsets = _offsets(kept, max(noise, LEAST_NOISE))
    last = max(day for day, _ in first)
    return Profile(level + slope * (last.toordinal() - middle), offsets, [len(values) for values in kept])


def _believable(first: Sequence[tuple[date, int]]) -> dict[date, float]:
    """The logs of the days with events, and of those without on weekdays that never have any."""
    alive = {day.weekday() for day, count in first if count}
    return {day: log(max(count, 1)) for day, count in first if count or day.weekday() not in alive}


def _slope(logs: dict[date, float]) -> float:
    pairs = [later - value for day, value in logs.items() if (later := logs.get(day + WEEK * ONE_DAY)) is not None]
    return median(pairs) / WEEK if len(pairs) >= SLOPE_MINIMUM else 0.0


def _agreeing(rests: Sequence[Sequence[float]], noise: float) -> list[list[float]]:
    """The values per weekday, without those that contradict the others."""
    limit = max(DISAGREEMENT, DISAGREEMENT_SIGMAS * noise * sqrt(2))
    agreeing = [median(values) for values in rests if values and max(values) - min(values) <= limit]
    others = agreeing or [value for values in rests for value in values]
    kept = []
    for values in rests:
        if len(values) > 1 and max(values) - min(values) > limit:
            kept.append([min(values, key=lambda value: min(abs(value - other) for other in others))])
        elif len(values) == 1 and abs(values[0] - median(others)) > FAR_OFF:
            kept.append([])
        else:
            kept.append(list(values))
    return kept


def _offsets(kept: Sequence[Sequence[float]], noise: float) -> tuple[float, list[float]]:
    means = [fmean(values) for values in kept if values]
    level = fmean(means)
    chance = noise**2
    between = fmean((mean - level) ** 2 for mean in means) - chance * fmean(
        1 / len(values) for values in kept if values
    )
    offsets = []
    for values in kept:
        trust = max(between, 0.0) / (max(between, 0.0) + chance / len(values)) if values else 0.0
        offsets.append(trust * (fmean(values) - level) if values else 0.0)
    mean = fmean(offsets)
    return level + mean, [offset - mean for offset in offsets]
