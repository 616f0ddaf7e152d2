"""Windows of a few segments with known events and errors, for the tests of the segments' detectors."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.windows import Window, window_of
from telemetry_quality.core.events import Slice, SliceCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Cell = tuple[str, str, str | None]
"""Signal, platform and version."""
Count = tuple[int, int]
"""Events and errors."""

DAY = date(2026, 3, 10)
"""A Tuesday."""


def age(day: date) -> int:
    return (DAY - day).days


def cut(cells: Mapping[Cell, Count]) -> dict[Slice, SliceCounts]:
    """A day's cells as the slices of a scan."""
    sums: defaultdict[Slice, list[int]] = defaultdict(lambda: [0, 0])
    for (signal, platform, version), (events, errors) in cells.items():
        for segment in (
            Slice("event_name", signal),
            Slice("service_version", version),
            Slice("platform", platform),
            Slice("platform", platform, "event_name", signal),
            Slice("platform", platform, "service_version", version),
        ):
            sums[segment][0] += events
            sums[segment][1] += errors
    return {segment: SliceCounts(events, errors, 0) for segment, (events, errors) in sums.items() if events}


def days_before(known: int = 42) -> list[date]:
    return [DAY - timedelta(days=n) for n in range(known, 0, -1)]


def window(
    cells: Callable[[date], Mapping[Cell, Count]], known: int = 42, without: Iterable[date] = (), ahead: int = 0
) -> Window:
    """The window of DAY, of the ``known`` days before it, and of days ``ahead`` of it."""
    days = {*days_before(known), *(DAY + timedelta(days=n) for n in range(ahead + 1))} - set(without)
    counted = {day: cells(day) for day in sorted(days)}
    totals = {day: sum(events for events, _ in found.values()) for day, found in counted.items()}
    return window_of(DAY, totals, {day: cut(found) for day, found in counted.items()})
