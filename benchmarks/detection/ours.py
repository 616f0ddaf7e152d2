"""This project's own baseline and leak check, as the guardrails use them: through ``telemetry_quality.core``."""

from __future__ import annotations

from functools import lru_cache
from math import inf, isfinite
from typing import TYPE_CHECKING, NamedTuple

from detection.plain import around, both, either
from detection.protocol import Days, Limits
from telemetry_quality.core.detectors.expected_volume import EVERYDAY, expect
from telemetry_quality.core.detectors.leak import leak as leak_evidence
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.leak import SIGMAS as LEAK_SIGMAS
from telemetry_quality.core.guardrails.leak import THRESHOLD as LEAK_PERCENT
from telemetry_quality.core.guardrails.volume import FAR_PERCENT
from telemetry_quality.core.judging import expectation_settings
from telemetry_quality.core.policies import HOLIDAYS, MINIMUM_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from telemetry_quality.core.policies import Policy


def deviation(days: Days, index: int) -> Limits | None:
    """Alarm if the count is more than 30 % away from what is expected."""
    return _limits(days, index, lambda expected, _low, _high: around(expected))


def unusual(days: Days, index: int) -> Limits | None:
    """Alarm if the count lies outside the interval that is usual for this stream, once that is known."""
    if _expect(days, index).low is None:
        return None
    return _limits(days, index, lambda _expected, low, high: Limits(low, high, (low, high)))


def deviation_and_unusual(days: Days, index: int) -> Limits | None:
    """Alarm if both do, or if a day is far off within the interval; without an interval, by the deviation alone."""
    return _limits(days, index, _both_or_far)


def _both_or_far(expected: float, low: float, high: float) -> Limits:
    """The rule ``both`` of the volume guardrail as limits: see ``expected_volume.is_far``."""
    left = 1 - policy_of()[FAR_PERCENT] / 100
    everyday_low, everyday_high = (expected * (end / expected) ** EVERYDAY for end in (low, high))
    far = Limits(min(left * expected, everyday_low), max(expected / left, everyday_high))
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
    """Whether the leak guardrail would fail: the loss is above its percentage and above its sigmas."""
    policy = _policy(days.region)
    found = leak_evidence(days.dates[index], _history(days, index + 1), policy[HOLIDAYS])
    return bool(found and found.drop_percent > policy[LEAK_PERCENT] and found.scale > policy[LEAK_SIGMAS])


def _limits(days: Days, index: int, rule: Callable[[float, float, float], Limits]) -> Limits | None:
    """The limits by ``rule``, as the volume guardrail applies it; None while there is no expectation."""
    events, low, high = _expect(days, index)
    if events is None:
        return None
    limits = around(events) if low is None or high is None else rule(events, low, high)
    smallest = _policy(days.region)[MINIMUM_EVENTS]
    # Few events expected and few seen: the guardrail does not judge such days.
    return limits if events >= smallest else Limits(-inf, max(limits.high, smallest - 1), limits.interval)


class _Expected(NamedTuple):
    events: float | None
    low: float | None
    high: float | None


@lru_cache(maxsize=20_000)
def _expect(days: Days, index: int) -> _Expected:
    found = expect(days.dates[index], _history(days, index), expectation_settings(_policy(days.region)))
    return _Expected(found.events, found.low, found.high)


def _history(days: Days, stop: int) -> dict[date, int]:
    """Counts of the days before the index ``stop``, without absent days."""
    pairs = zip(days.dates[:stop], days.counts[:stop].tolist(), strict=True)
    return {day: int(count) for day, count in pairs if isfinite(count)}


@lru_cache
def _policy(region: str) -> Policy:
    return policy_of(holidays=region)
