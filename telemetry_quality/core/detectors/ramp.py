"""Ramps and steps: whether values rose little by little up to the last of them, or at once."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP_DAYS = (1, 3)
"""How many days a step may take."""
STEP_MARGIN = 3
"""Days on either side of a step at least."""
RAMP_MINIMUM = 14
"""Days on which a ramp falls at least."""
RAMP_SHARE = 0.2
"""Share of the squares that a ramp explains at least: noise alone makes poor ramps."""
STEP_SHARE = 0.9
"""A step explains the days better if it leaves less than this share of the squares that a ramp leaves."""


def is_ramp(values: Sequence[float]) -> bool:
    """Whether ``values`` rise in a ramp up to the last one, not in a step; odd ones are smoothed out.

    Both are fitted by least squares: a step of each of STEP_DAYS at every place with STEP_MARGIN values on either
    side, and a ramp that begins at every place with RAMP_MINIMUM values from there on.
    """
    smooth = [values[0], *(sorted(values[n : n + 3])[1] for n in range(len(values) - 2)), values[-1]]
    mean = sum(smooth) / len(smooth)
    # Sums of the deviations from each place on.
    after = list(accumulate(value - mean for value in reversed(smooth)))[::-1]
    total = sum((value - mean) ** 2 for value in smooth)
    ramp = _explained_by_ramp(after)
    step = max(_explained_by_step(after, days) for days in STEP_DAYS)
    return ramp > RAMP_SHARE * total and total - step >= STEP_SHARE * (total - ramp)


def _explained_by_step(after: Sequence[float], days: int) -> float:
    """The squares that the best step explains, which takes ``days`` equal stairs."""
    n = len(after)
    explained = 0.0
    for place in range(STEP_MARGIN, n - STEP_MARGIN - days + 2):
        # The stairs are 1 / days, 2 / days … and 1 on all later values: a mean of sums.
        product = sum(after[place : place + days]) / days
        above = n - place - days + 1
        total = above + (days - 1) / 2
        squares = above + (days - 1) * (2 * days - 1) / (6 * days) - total**2 / n
        explained = max(explained, product**2 / squares)
    return explained


def _explained_by_ramp(after: Sequence[float]) -> float:
    n = len(after)
    explained = product = 0.0
    for length in range(1, n):
        # The ramp is 1, 2 … length on the last values: its product with them is a sum of sums.
        product += after[n - length]
        if length < RAMP_MINIMUM or product <= 0:
            continue
        total = length * (length + 1) / 2
        squares = total * (2 * length + 1) / 3 - total**2 / n
        explained = max(explained, product**2 / squares)
    return explained
