"""The versions of a source over time: how much of the stream each carried, how often it failed, and two of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.days import days_between
from telemetry_quality.core.events import OTHER_VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from telemetry_quality.storage.compared_days import SegmentCounts

    ByDay = Mapping[date, Mapping[str | None, SegmentCounts]]
    BySignal = Mapping[tuple[str | None, str], tuple[int, int]]

MOST_VERSIONS, MOST_SIGNALS = 100, 50
"""How many versions of a source, and how many signals of two versions, are listed."""

CARRIED_PERCENT = 50.0
"""A version has taken over on the first day on which it carries at least this share."""

CHANCE_SIGMAS = 3.0
"""Two error rates differ if chance alone hardly moves them so far apart."""


@dataclass(frozen=True, slots=True)
class VersionUse:
    """A version over the days that are shown.

    Attributes:
        version: None for the events without one.
        missing_version: Its events that count as having no version.
        share_percent: Its share of the events of all days.
        shares: Its share on each day in percent; None for a day that is not known or has no events.
        peak: Its largest share in percent.
        first_seen: The first of the days with events of it.
        was_there_before: Whether that is the first day that is known at all, so that it may be older.
        took_over: The first day on which it carried CARRIED_PERCENT; None if it never did.
    """

    version: str | None
    events: int
    errors: int
    missing_version: int
    share_percent: float
    shares: tuple[float | None, ...]
    peak: float
    first_seen: date
    last_seen: date
    was_there_before: bool
    took_over: date | None

    @property
    def error_rate_percent(self) -> float:
        """Share of its events that are errors."""
        return 100 * self.errors / self.events

    @property
    def last_share(self) -> float | None:
        """Its share on the last day."""
        return self.shares[-1]


def versions_in_use(by_day: ByDay, first: date, last: date) -> list[VersionUse]:
    """Every version of the days, those that carry most of the last days first."""
    totals = {day: sum(counts.events for counts in versions.values()) for day, versions in by_day.items()}
    known = sorted(day for day, total in totals.items() if total)
    if not known:
        return []
    seen: defaultdict[str | None, dict[date, SegmentCounts]] = defaultdict(dict)
    for day in known:
        for version, counts in by_day[day].items():
            if counts.events and version != OTHER_VALUES:
                seen[version][day] = counts
    days = list(days_between(first, last))
    used = [_use(version, counts, totals, days, known[0]) for version, counts in seen.items()]
    return sorted(used, key=lambda use: (-use.last_seen.toordinal(), -(use.last_share or 0), -use.events))


def _use(
    version: str | None,
    counts: Mapping[date, SegmentCounts],
    totals: Mapping[date, int],
    days: Sequence[date],
    first_known: date,
) -> VersionUse:
    shares = {day: 100 * found.events / totals[day] for day, found in counts.items()}
    events = sum(found.events for found in counts.values())
    return VersionUse(
        version,
        events,
        sum(found.errors for found in counts.values()),
        sum(found.missing_version for found in counts.values()),
        100 * events / sum(totals.values()),
        tuple(shares.get(day, 0.0) if totals.get(day) else None for day in days),
        max(shares.values()),
        min(counts),
        max(counts),
        min(counts) == first_known,
        min((day for day, share in shares.items() if share >= CARRIED_PERCENT), default=None),
    )


class SignalOfTwo(NamedTuple):
    """A signal in two versions: events and errors of each.

    Attributes:
        worse: 0 or 1 for the version whose error rate is higher by more than chance explains; None if neither is.
    """

    signal: str | None
    events: tuple[int, int]
    errors: tuple[int, int]
    worse: int | None

    def rate(self, place: int) -> float | None:
        """The error rate in percent of one of the two; None without events."""
        return 100 * self.errors[place] / self.events[place] if self.events[place] else None


def signals_of_two(counts: BySignal, versions: tuple[str, str]) -> list[SignalOfTwo]:
    """The signals of two versions, those whose error rates differ first, then the busiest."""
    found = []
    for signal in dict.fromkeys(name for name, _ in counts):
        left, right = (counts.get((signal, version), (0, 0)) for version in versions)
        events, errors = (left[0], right[0]), (left[1], right[1])
        found.append(SignalOfTwo(signal, events, errors, worse_of(events, errors)))
    return sorted(found, key=lambda row: (row.worse is None, -sum(row.events), row.signal or ""))


def worse_of(events: tuple[int, int], errors: tuple[int, int]) -> int | None:
    """Which of two error rates is higher by more than chance explains (pooled two-proportion test)."""
    if not all(events):
        return None
    pooled = sum(errors) / sum(events)
    sigma = sqrt(pooled * (1 - pooled) * (1 / events[0] + 1 / events[1]))
    difference = errors[0] / events[0] - errors[1] / events[1]
    if not sigma or abs(difference) <= CHANCE_SIGMAS * sigma:
        return None
    return 0 if difference > 0 else 1
