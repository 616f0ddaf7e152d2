"""Robust statistics: measures of spread that a few odd days do not move."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

SIGMA_PER_MAD = 1.4826
"""Standard deviation over median absolute deviation, for normally distributed values."""


def robust_sigma(values: Collection[float], center: float) -> float:
    """The standard deviation of ``values`` around ``center``, estimated by the median absolute deviation."""
    return SIGMA_PER_MAD * median(abs(value - center) for value in values)
