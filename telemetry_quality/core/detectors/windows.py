"""Windows: the earlier days that the slices of a day are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import log
from statistics import median
from typing import TYPE_CHECKING, Protocol, TypeVar

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.events import EVENT_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.events import Slice, SliceCounts

WINDOW_DAYS = 42
"""Six weeks show which segments of a stream are regular."""

WINDOW_MINIMUM = 14
"""Two weeks: each weekday twice."""


LIKE_MINIMUM = 4
"""With fewer days of the same weekday, all working days or all weekend days are like a day."""


def days_like(day: date, known: Iterable[date]) -> list[date]:
    """The known days that are like ``day``, without the day itself; all of them if hardly any is."""
    others = [past for past in known if past != day]
    kinds: tuple[Callable[[date], bool], ...] = (
        lambda past: past.weekday() == day.weekday(),
        lambda past: (past.weekday() < 5) == (day.weekday() < 5),
    )
    for is_like in kinds:
        found = [past for past in others if is_like(past)]
        if len(found) >= LIKE_MINIMUM:
            return found
    return others


@dataclass(frozen=True, slots=True)
class Window:
    """The judged day and the readable days with events among the WINDOW_DAYS days before it.

    Attributes:
        days: The earlier days, oldest first.
        slices: The slices of the earlier days and of the day itself.
        totals: The events of the same days.
        weekday_totals: Median events of the earlier days, per weekday that has any.
    """

    day: date
    days: tuple[date, ...]
    slices: Mapping[date, Mapping[Slice, SliceCounts]]
    totals: Mapping[date, int]
    weekday_totals: Mapping[int, float]

    @property
    def known_from(self) -> date | None:
        """The first day that will have WINDOW_MINIMUM days before it if none is missing; None if ``day`` has them."""
        missing = WINDOW_MINIMUM - len(self.days)
        return self.day + missing * ONE_DAY if missing > 0 else None


def window_of(
    day: date, known_totals: Mapping[date, int], slices: Mapping[date, Mapping[Slice, SliceCounts]]
) -> Window:
    """The window of ``day``; later days are ignored.

    Args:
        day: The day to be judged.
        known_totals: Events per day; for a day without them, its slices are added up.
        slices: The slices of each day, including the day itself.
    """
    first = day - timedelta(days=WINDOW_DAYS)
    totals: dict[date, int] = {}
    for past in sorted(past for past in slices if first <= past <= day):
        total = known_totals.get(past)
        totals[past] = _total(slices[past]) if total is None else total
    days = tuple(past for past, total in totals.items() if past < day and total > 0)
    by_weekday: dict[int, list[int]] = {}
    for past in days:
        by_weekday.setdefault(past.weekday(), []).append(totals[past])
    medians = {weekday: float(median(counts)) for weekday, counts in by_weekday.items()}
    return Window(day, days, slices, totals, medians)


def _total(slices: Mapping[Slice, SliceCounts]) -> int:
    return sum(
        counts.events for segment, counts in slices.items() if segment.dimension == EVENT_NAME and segment.by is None
    )


class Likely(Protocol):
    """A finding, and how likely it was by chance."""

    @property
    def log_chance(self) -> float:
        """Log of the chance."""


Finding = TypeVar("Finding", bound=Likely)


def significant(found: Sequence[Finding], watched: int, chance: float) -> list[Finding]:
    """The findings that chance does not explain, the least likely first.

    Source: Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Statist. Soc. B 57 (1995). If nothing
    is wrong, at most ``chance`` of the days have any finding, however many segments are watched.
    """
    ordered = sorted(found, key=lambda finding: finding.log_chance)
    last = 0
    for rank, finding in enumerate(ordered, start=1):
        if finding.log_chance <= log(chance * rank / watched):
            last = rank
    return ordered[:last]
