"""What a criterion is, and what was found of it. Nothing here measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality_tests.verification.stage import Stage


@dataclass(frozen=True)
class Finding:
    """What was measured of a criterion.

    Attributes:
        figure: The measured numbers with their units, and what they were measured on.
        holds: Whether the criterion holds.
    """

    figure: str
    holds: bool


@dataclass(frozen=True)
class Criterion:
    """A promise and how it is measured.

    Attributes:
        name: What it is called on the command line.
        promise: What must hold, with its bound.
        measure: Measures it on the stage.
    """

    name: str
    promise: str
    measure: Callable[[Stage], Finding]


def median_below(found: list[float], bound_ms: float, what: str) -> Finding:
    """Whether the median of times in milliseconds is below a bound."""
    ordered = sorted(found)
    middle = ordered[len(ordered) // 2]
    figure = f"{middle:.1f} ms at the median, {ordered[0]:.1f} to {ordered[-1]:.1f} ms, {len(found)} × {what}"
    return Finding(figure, middle < bound_ms)
