"""This project's own guardrails of a day's count, as they judge it: through ``telemetry_quality.core``.

Each method knows the calendar of the series' country; ``as_shipped`` takes it away, as it is in the default settings.
Limits are those of the guardrails ``volume`` and ``activity``, since a user gets the alarms of both.
"""

from __future__ import annotations

from functools import lru_cache, partial, wraps
from math import inf, isfinite
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from detection.plain import around, both, either
from detection.protocol import Days, Limits
from telemetry_quality.core.detectors.expected_volume import (
    Expectation,
    everyday,
    expect,
    far_gain_percent,
    is_steadier_than_chance,
)
from telemetry_quality.core.detectors.leak import leak as leak_evidence
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.leak import is_leak, rest_settings
from telemetry_quality.core.guardrails.volume import FAR_PERCENT
from telemetry_quality.core.judging import expectation_settings
from telemetry_quality.core.policies import MINIMUM_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from telemetry_quality.core.policies import Policy


Answer = TypeVar("Answer")

LEAST_ACTIVITY = 1
"""The smallest count that the guardrail ``activity`` accepts on a day that is not usually empty."""


def as_shipped(method: Callable[[Days, int], Answer]) -> Callable[[Days, int], Answer]:
    """``method`` with the default settings, in which there is no calendar."""

    @wraps(method)
    def without_calendar(days: Days, index: int) -> Answer:
        return method(_without_country(days), index)

    return without_calendar


@lru_cache(maxsize=4_000)
def _without_country(days: Days) -> Days:
    return Days(days.dates, days.counts, np.zeros(len(days.counts), dtype=np.bool_), None)


def deviation(days: Days, index: int) -> Limits | None:
    """Alarm if the count is more than 30 % away from what is expected."""
    return _limits(days, index, lambda expected, _low, _high: around(expected))


def unusual(days: Days, index: int) -> Limits | None:
    """Alarm if the count lies outside the interval that is usual for this stream, once that is known."""
    if _expect(days, index).low is None:
        return _with_activity(None, days, index)
    return _limits(days, index, lambda _expected, low, high: Limits(low, high, (low, high)))


def deviation_and_unusual(days: Days, index: int) -> Limits | None:
    """Alarm if both do, or if a day is far off within the interval; without an interval, by the deviation alone."""
    return _limits(days, index, partial(_both_or_far, everyday(_expect(days, index))))


def _both_or_far(shares: tuple[float, float], expected: float, low: float, high: float) -> Limits:
    """The rule ``both`` of the volume guardrail as limits: see ``expected_volume.is_far``."""
    loss_percent = policy_of()[FAR_PERCENT]
    usual_low, usual_high = (
        expected * (end / expected) ** share for end, share in zip((low, high), shares, strict=True)
    )
    gained = expected * (1 + far_gain_percent(loss_percent) / 100)
    far = Limits(min((1 - loss_percent / 100) * expected, usual_low), max(gained, usual_high))
    limits = both(expected, low, high)
    return Limits(
        max(limits.low, min(far.low, around(expected).low)),
        min(limits.high, max(far.high, around(expected).high)),
        limits.interval,
    )


def deviation_or_unusual(days: Days, index: int) -> Limits | None:
    """Alarm if either does; by the deviation alone until the interval is known."""
    return _limits(days, index, either)


def leak(days: Days, index: int) -> bool:
    """Whether the leak guardrail would fail."""
    policy = _policy(days.region)
    found = leak_evidence(days.dates[index], _history(days, index + 1), rest_settings(policy))
    return found is not None and is_leak(found, policy)


def any_guardrail(days: Days, index: int) -> bool:
    """Whether a user would get any alarm from the counts alone: volume by the default rule, activity, or a leak."""
    limits = deviation_and_unusual(days, index)
    return (limits is not None and limits.is_alarm(float(days.counts[index]))) or leak(days, index)


def _limits(days: Days, index: int, rule: Callable[[float, float, float], Limits]) -> Limits | None:
    """The limits by ``rule``, as the volume guardrail applies it, and of the activity guardrail."""
    found = _expect(days, index)
    events, low, high = found.events, found.low, found.high
    if events is None:
        return _with_activity(None, days, index)
    limits = around(events) if low is None or high is None else rule(events, low, high)
    smallest = _policy(days.region)[MINIMUM_EVENTS]
    if events < smallest and not is_steadier_than_chance(found):
        # Few events expected and few seen: the volume guardrail does not judge such days.
        limits = Limits(-inf, max(limits.high, smallest - 1), limits.interval)
    return _with_activity(limits, days, index)


def _with_activity(limits: Limits | None, days: Days, index: int) -> Limits | None:
    """``limits`` that do not accept an empty day either, unless it would be usual."""
    if _expect(days, index).is_empty_usual:
        return limits
    if limits is None:
        return Limits(LEAST_ACTIVITY, inf)
    return limits._replace(low=max(limits.low, LEAST_ACTIVITY))


@lru_cache(maxsize=100_000)
def _expect(days: Days, index: int) -> Expectation:
    return expect(days.dates[index], _history(days, index), expectation_settings(_policy(days.region)))


def _history(days: Days, stop: int) -> dict[date, int]:
    """Counts of the days before the index ``stop``, without absent days."""
    pairs = zip(days.dates[:stop], days.counts[:stop].tolist(), strict=True)
    return {day: int(count) for day, count in pairs if isfinite(count)}


@lru_cache
def _policy(region: str | None) -> Policy:
    return policy_of(holidays=region)
