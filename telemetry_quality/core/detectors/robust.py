"""Robust statistics: measures of spread that a few odd days do not move."""

from __future__ import annotations

from math import fsum
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

SIGMA_PER_MAD = 1.4826
"""Standard deviation over median absolute deviation, for normally distributed values."""


def robust_sigma(values: Collection[float], center: float) -> float:
    """The standard deviation of ``values`` around ``center``, estimated by the median absolute deviation."""
    return SIGMA_PER_MAD * median(abs(value - center) for value in values)


def weighted_median(weighted: Collection[tuple[float, float]]) -> float:
    """The value up to which half of the weights lie.

    Args:
        weighted: Values and their weights, at least one.
    """
    half = fsum(weight for _, weight in weighted) / 2
    below = 0.0
    for value, weight in sorted(weighted):
        below += weight
        if below >= half:
            return value
    return max(value for value, _ in weighted)
