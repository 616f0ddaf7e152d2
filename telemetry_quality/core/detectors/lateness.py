"""Lateness: how much of a day has usually arrived so many hours after its end, learnt from earlier days."""

from __future__ import annotations

from datetime import timedelta
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING, Protocol

from telemetry_quality.core.events import MAXIMUM_ARRIVAL_HOURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.events import Arrivals

CURVE_DAYS = 28
"""How many of the latest days count: enough for four weekends, few enough to follow a change."""
CURVE_MINIMUM = 7
"""How many days must count to make a curve."""
SETTLED_HOURS = 24
"""Shortest time from a day's end to its scan: earlier, most of the day's tail is unknown."""

_HOUR = timedelta(hours=1)


class DayScan(Protocol):
    """The part of a stored scan of a day that shows when its events arrived."""

    @property
    def day(self) -> date:
        """The day that was scanned."""

    @property
    def revision(self) -> int:
        """The number of the scan among the day's scans that differ."""

    @property
    def scanned_at(self) -> datetime:
        """When the day was scanned."""

    @property
    def total_events(self) -> int | None:
        """The events of the day; None if it could not be read."""

    @property
    def arrivals(self) -> Arrivals | None:
        """The events by hour of arrival; None if they were not counted."""


def completeness_curve(scans: Sequence[DayScan], ends: Mapping[date, datetime]) -> tuple[float, ...] | None:
    """Usual share (percent) of a day's events that have arrived h whole hours after its end, h = 0 to at most 168.

    The median over the last CURVE_DAYS days that count; it never falls and ends at 100. A day counts by its counted
    arrivals or else by its revisions, each relative to the day's last count. A day scanned h hours after its end
    shows nothing beyond h: the curve is as long as CURVE_MINIMUM days reach, and shorter days, whose last count is
    not final, are left out. None while fewer than CURVE_MINIMUM days count.

    Args:
        scans: All revisions of earlier days, and of no other days, in any order.
        ends: The instant at which each day ended; days without one are left out.
    """
    by_day: dict[date, list[DayScan]] = {}
    for scan in sorted(scans, key=lambda scan: (scan.day, scan.revision)):
        if scan.day in ends and scan.total_events:
            by_day.setdefault(scan.day, []).append(scan)
    newest_first = sorted(by_day, reverse=True)
    shown = [_by_arrivals(by_day[day][-1], ends[day]) for day in newest_first]
    if sum(map(bool, shown)) < CURVE_MINIMUM:
        seen_until = max((scan.scanned_at for known in by_day.values() for scan in known), default=None)
        if seen_until is None or all(len(known) == 1 for known in by_day.values()):
            return None  # Days that never changed were either complete at once or never scanned again.
        shown = [_by_revisions(by_day[day], ends[day], seen_until) for day in newest_first]
    return _median_curve([counts for counts in shown if counts])


def _median_curve(days: Sequence[Sequence[int]]) -> tuple[float, ...] | None:
    """The median of the newest CURVE_DAYS days that are long enough; ``days`` is given newest first."""
    if len(days) < CURVE_MINIMUM:
        return None
    length = sorted(map(len, days), reverse=True)[CURVE_MINIMUM - 1]
    long_enough = [counts[:length] for counts in days if len(counts) >= length][:CURVE_DAYS]
    return tuple(median(100 * counts[hour] / counts[-1] for counts in long_enough) for hour in range(length))


def usual_completeness_percent(curve: Sequence[float], hours_after_end: float) -> float | None:
    """The share that has usually arrived so long after the day's end, interpolated linearly between whole hours.

    None before the day's end; 100 beyond the curve.
    """
    if hours_after_end < 0 or not curve:
        return None
    hour = int(hours_after_end)
    if hour >= len(curve) - 1:
        return curve[-1] if hour < len(curve) else 100.0
    return curve[hour] + (curve[hour + 1] - curve[hour]) * (hours_after_end - hour)


def _by_arrivals(scan: DayScan, end: datetime) -> list[int]:
    """Events that had arrived by each whole hour after the day's end, as far as the scan could know."""
    known_hours = _whole_hours(end, scan.scanned_at)
    if scan.arrivals is None or known_hours < SETTLED_HOURS or not any(scan.arrivals.by_hour):
        return []
    counts = list(accumulate(scan.arrivals.by_hour))[: known_hours + 1]
    return counts + [counts[-1]] * (known_hours + 1 - len(counts))


def _by_revisions(scans: Sequence[DayScan], end: datetime, seen_until: datetime) -> list[int]:
    """The same by revisions; hours before the first revision are assumed to have held as much as it."""
    known_hours = _whole_hours(end, seen_until)
    if known_hours < SETTLED_HOURS or _whole_hours(end, scans[0].scanned_at) >= SETTLED_HOURS:
        return []
    held, counts = iter(scans), []
    current, following = next(held), next(held, None)
    for hour in range(known_hours + 1):
        while following is not None and following.scanned_at <= end + hour * _HOUR:
            current, following = following, next(held, None)
        counts.append(current.total_events or 0)
    # A day may also lose events; a share above 100 would be meaningless.
    return [min(count, counts[-1]) for count in accumulate(counts, max)] if counts[-1] else []


def _whole_hours(end: datetime, instant: datetime) -> int:
    return min(int((instant - end) / _HOUR), MAXIMUM_ARRIVAL_HOURS)
