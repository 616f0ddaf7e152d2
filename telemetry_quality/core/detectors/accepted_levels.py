"""Accepted levels: from which day on another level is normal, because somebody said so."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from telemetry_quality.core.detectors.regime import Regime

FIRST_DAYS = 4
"""The median of so many days is the new level, since the change may have come in the course of the first of them."""


class AcceptedLevels:
    """The first days after each change that somebody accepted."""

    def __init__(self, new_levels: Collection[date]) -> None:
        self.new_levels = new_levels
        self.steps: list[float] = []
        self.before: Regime | None = None

    def regime(self, day: date, value: float, regime: Regime) -> Regime | None:
        """The regime after ``day``, if it is one of the first days of an accepted level; None otherwise.

        Args:
            day: The next day.
            value: Its log count.
            regime: The present regime, which has not learnt the day yet.
        """
        if day in self.new_levels:
            self.steps, self.before = [], regime.copy()
        if self.before is None or len(self.steps) == FIRST_DAYS:
            return None
        self.steps.append(value - self.before.forecast(day).base)
        accepted = self.before.copy()
        accepted.move_level(median(self.steps), day)
        return accepted
