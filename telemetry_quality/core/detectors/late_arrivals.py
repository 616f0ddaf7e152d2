"""Late arrivals: which share of late events is usual for a stream, and up to which share is still normal."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.detectors.robust import robust_sigma

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

ARRIVAL_DAYS = 35
"""How many earlier days show which share of events is usually late."""
HISTORY_MINIMUM = 7
"""Fewer earlier days do not show what is usual."""
SIGMAS = 4
"""How many sigmas above the usual share a day must lie."""
MARGIN_PERCENT, MARGIN_RATIO = 2.0, 0.2
"""Smallest margin above the usual share, in points and as a ratio of it, since a steady stream has no spread."""
SAME_WEEKDAY_MINIMUM = 3
"""Earlier days of the same weekday that must be known before they show what is usual on it."""


class LateShares(NamedTuple):
    """The stream's usual share of late events and the highest share that is still normal, in percent."""

    usual_percent: float
    limit_percent: float


def known_from(day: date, history: Mapping[date, float]) -> date | None:
    """The first day that will have HISTORY_MINIMUM days before it if none is missing; None if ``day`` has them."""
    missing = HISTORY_MINIMUM - len(history)
    return day + missing * ONE_DAY if missing > 0 else None


def usual_late_shares(day: date, history: Mapping[date, float]) -> LateShares:
    """The median share of ``history``, or of the same weekday if that is higher, and the end of what is normal.

    The end lies above it by the largest of SIGMAS sigmas, MARGIN_PERCENT points and MARGIN_RATIO of it: mobile
    clients that send 20 % late every day, or every Sunday, are not a fault.

    Args:
        day: The day to be judged.
        history: Share of late events (percent) of each earlier day; at least HISTORY_MINIMUM days.
    """
    middle = median(history.values())
    spread = robust_sigma(history.values(), middle)
    same_weekday = [share for past, share in history.items() if past.weekday() == day.weekday()]
    usual = max(middle, median(same_weekday)) if len(same_weekday) >= SAME_WEEKDAY_MINIMUM else middle
    return LateShares(usual, usual + max(SIGMAS * spread, MARGIN_PERCENT, MARGIN_RATIO * usual))
