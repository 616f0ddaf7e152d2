"""Streams to be judged: a few steady segments whose days a test then breaks, and seeded noise."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from telemetry_quality.core.events import Slice, SliceCounts
from telemetry_quality_tests.builders import make_evidence, make_figures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random
    from typing import Any

    from telemetry_quality.core.evidence import Evidence

DAY = date(2026, 3, 10)
"""A Tuesday."""
FIRST = DAY - timedelta(days=42)

Cell = tuple[str, str, str | None]
"""Platform, signal and version."""


def weekly(level: float, weekend: float = 1.0) -> Callable[[date], float]:
    """``level`` events a day, and that share of them on Saturdays and Sundays."""
    return lambda day: level * (weekend if day.weekday() >= 5 else 1.0)


def cut(cells: Mapping[Cell, int]) -> dict[Slice, SliceCounts]:
    """A day's cells as the slices of a scan."""
    slices: dict[Slice, SliceCounts] = {}
    for (platform, signal, version), events in cells.items():
        missing = events if version is None else 0
        for segment in (
            Slice("event_name", signal),
            Slice("service_version", version),
            Slice("platform", platform),
            Slice("platform", platform, "event_name", signal),
            Slice("platform", platform, "service_version", version),
        ):
            known = slices.get(segment, SliceCounts(0, 0, 0))
            slices[segment] = SliceCounts(known.events + events, 0, known.missing_version + missing)
    return {segment: counts for segment, counts in slices.items() if counts.events}


def evidence_of(days: Mapping[date, Mapping[Cell, int]], day: date = DAY, **figures: Any) -> Evidence:
    """The evidence of ``day`` and of whatever else is in ``days``, including later days."""
    totals = {past: sum(cells.values()) for past, cells in days.items()}
    return make_evidence(
        make_figures(total_events=totals[day], **figures),
        day,
        totals=totals,
        slices={past: cut(cells) for past, cells in days.items()},
    )


def poisson(random: Random, mean: float) -> int:
    """An approximate Poisson count for means of any size: exact below 30, normal above."""
    if mean > 30:
        return max(round(random.gauss(mean, mean**0.5)), 0)
    events, waited = -1, 0.0
    while waited < mean:
        waited += random.expovariate(1.0)
        events += 1
    return max(events, 0)
