"""Quantiles of distributions that are not in the standard library."""

from __future__ import annotations

from math import cos, pi, sin, sqrt, tan


def student_t5_reach(share: float) -> float:
    """The distance from zero, on either side, that holds ``share`` of a t distribution of five degrees of freedom.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 26.7.3: with ``t = √5 tan θ`` the share
    is elementary. It grows with θ, so bisection finds it to the last digits.

    Raises:
        ValueError: If not ``0 <= share < 1``.
    """
    if not 0 <= share < 1:
        raise ValueError(f"A share from 0 to below 1 is required, not {share}.")
    low, high = 0.0, pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        inside = 2 / pi * (angle + sin(angle) * (cos(angle) + 2 / 3 * cos(angle) ** 3))
        low, high = (angle, high) if inside < share else (low, angle)
    return sqrt(5) * tan(low)
