"""Intervals: how far from its forecast a normal day may lie, by the stream's own one-step errors."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from math import exp, log
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.regime import TAIL_DAYS
from telemetry_quality.core.distributions import student_t5_reach

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

FIRST_REACH, TAIL_EVIDENCE_DAYS = 3.0, 40
"""Reach of an interval in spreads before any error is known, and how many days of evidence this prior is worth."""

LEAST_REACH = 0.5
"""Smallest reach of an interval, in spreads, even if the stream went exactly as forecast."""

BODY_QUANTILE, TAIL_QUANTILE = 0.9, 0.99
TAIL_RATIO = 2.2
"""TAIL_QUANTILE over BODY_QUANTILE in most streams: about that of a t distribution of 3 degrees of freedom."""

OWN_TAIL_MINIMUM, OWN_TAIL_SHARE = 50, 0.5
"""Errors that must be known before their own TAIL_QUANTILE counts, and its weight once TAIL_DAYS are known."""

OWN_SIDE_SHARE = 0.7
"""Weight of the errors on one side for the reach on that side; the rest of the weight is that of all errors. Viral days
must not widen the interval downwards."""


class Reach(NamedTuple):
    """Spreads from the middle to either end of the interval."""

    below: float
    above: float


def reach_of(tail: Collection[float], percent: float) -> Reach:
    """The reach of the interval that holds ``percent`` of normal days.

    Args:
        tail: Earlier one-step errors, each in spreads of its own day, at most LARGEST_TAIL far.
        percent: The level of the interval, 50 to below 100.
    """
    ordered = sorted(tail)
    zero = bisect_right(ordered, 0.0)
    below, above = [-error for error in reversed(ordered[:zero])], ordered[zero:]
    factor = _level_factor(percent) * _reach(sorted(below + above)) ** (1 - OWN_SIDE_SHARE)
    return Reach(factor * _reach(below) ** OWN_SIDE_SHARE, factor * _reach(above) ** OWN_SIDE_SHARE)


def _reach(sizes: Sequence[float]) -> float:
    """Spreads that 99 % of errors of these sizes stay within.

    A few weeks of errors say little about the largest in a hundred, so the reach combines what they do show, their
    BODY_QUANTILE times TAIL_RATIO, with their own extreme if there are enough of them, and with a prior of
    FIRST_REACH.
    """
    if not sizes:
        return FIRST_REACH
    known = len(sizes)
    reach = TAIL_RATIO * quantile(sizes, BODY_QUANTILE)
    if known >= OWN_TAIL_MINIMUM:
        share = OWN_TAIL_SHARE * min(1, known / TAIL_DAYS)
        reach = reach ** (1 - share) * quantile(sizes, TAIL_QUANTILE) ** share
    prior = TAIL_EVIDENCE_DAYS * log(FIRST_REACH)
    return exp((known * log(max(reach, LEAST_REACH)) + prior) / (known + TAIL_EVIDENCE_DAYS))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that ``share`` of the ``ordered`` values lie below, between two of them by their distance."""
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


@lru_cache(maxsize=16)
def _level_factor(percent: float) -> float:
    """Reach of a ``percent`` interval relative to the 99 % interval, by a t distribution of five degrees of freedom."""
    if percent == 99:
        return 1.0
    return student_t5_reach(percent / 100) / student_t5_reach(0.99)
