"""Days of events that a change can be injected into, for the tests of root causes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

from telemetry_quality.core.events import AggregateRow, DayAggregates, Slice, SliceCounts
from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality.core.root_cause import DayBreakdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DAY = date(2026, 3, 10)
PAST = tuple(DAY - timedelta(days=7 * week) for week in (4, 3, 2, 1))


@dataclass(frozen=True)
class Events:
    """A number of events with the same attributes."""

    hour: int
    name: str | None
    version: str | None
    platform: str | None
    country: str | None
    count: int
    errors: int = 0
    untagged: int = 0
    missing: int = 0
    late: int = 0
    baskets: int = 0
    paid: int = 0

    def holds(self, segment: Segment) -> bool:
        values = {
            "event_name": self.name,
            "service_version": self.version,
            "platform": self.platform,
            "country": self.country,
        }
        in_hours = segment.hours is None or segment.hours[0] <= self.hour <= segment.hours[1]
        return in_hours and all(values[name] == value for name, value in segment.parts)


PLATFORMS: dict[str | None, tuple[float, tuple[tuple[str | None, float], ...]]] = {
    "ios": (0.4, (("i2", 0.7), ("i1", 0.3))),
    "android": (0.35, (("a3", 0.6), ("a2", 0.4))),
    "web": (0.25, (("w1", 0.8), (None, 0.2))),
}
NAMES = {"page.view": 0.5, "search": 0.3, "purchase": 0.2}
COUNTRIES: dict[str | None, float] = {"DE": 0.5, "FR": 0.3, None: 0.2}


def make_events(volume: float = 60_000, noise: Random | None = None) -> list[Events]:
    """A day; without noise exactly as expected, otherwise every value of every attribute has its own noise."""

    def sway(spread: float) -> float:
        return noise.lognormvariate(0, spread) if noise else 1.0

    swayed: defaultdict[object, float] = defaultdict(lambda: sway(0.04))
    day = []
    for platform, (share, versions) in PLATFORMS.items():
        for version, part in versions:
            for name, of_name in NAMES.items():
                for country, of_country in COUNTRIES.items():
                    for hour in range(24):
                        busy = 1.5 if 8 <= hour < 20 else 0.5
                        liking = 1.6 if (platform, name) in {("ios", "page.view"), ("web", "search")} else 1.0
                        mean = volume / 24 * share * part * of_name * of_country * busy * liking
                        mean *= swayed[version] * swayed[name] * swayed[country, "c"] * swayed[hour] * sway(0.1)
                        count = max(0, round(noise.gauss(mean, mean**0.5) if noise else mean))
                        untagged = count if version is None else 0
                        day.append(Events(hour, name, version, platform, country, count, untagged=untagged))
    return day


def at(segment: Segment, change: Callable[[Events], Events], events: Iterable[Events]) -> list[Events]:
    return [change(group) if group.holds(segment) else group for group in events]


def lose(share: float) -> Callable[[Events], Events]:
    return lambda group: replace(group, count=round(group.count * (1 - share)))


def double(group: Events) -> Events:
    return replace(group, count=2 * group.count)


def fail(share: float) -> Callable[[Events], Events]:
    return lambda group: replace(group, errors=round(group.count * share))


def sell(share: float) -> Callable[[Events], Events]:
    """Half of the events are baskets, of which ``share`` are paid."""
    return lambda group: replace(group, baskets=group.count // 2, paid=round(group.count // 2 * share))


def untag(group: Events) -> Events:
    return replace(group, version=None, untagged=group.count)


def break_down(events: Sequence[Events], day: date = DAY) -> DayBreakdown:
    rows: defaultdict[tuple[int, str | None, str | None], list[int]] = defaultdict(lambda: [0] * 7)
    slices: defaultdict[Slice, list[int]] = defaultdict(lambda: [0] * 5)
    for group in events:
        figures = (group.count, group.errors, group.untagged, group.paid, group.baskets, group.missing, group.late)
        row = rows[group.hour, group.name, group.version]
        row[:] = [a + b for a, b in zip(row, figures, strict=True)]
        for dimension, value in (("platform", group.platform), ("country", group.country)):
            for by, by_value in ((None, None), ("event_name", group.name), ("service_version", group.version)):
                cut = slices[Slice(dimension, value, by, by_value)]
                cut[:] = [a + b for a, b in zip(cut, figures[:5], strict=True)]
            cut = slices[Slice(dimension, value, "hour", str(group.hour))]
            cut[:] = [a + b for a, b in zip(cut, figures[:5], strict=True)]
    aggregates = DayAggregates(
        tuple(
            AggregateRow(hour, name, version, count, errors, 0, untagged, (missing,), late, tuple(rates))
            for (hour, name, version), (count, errors, untagged, *rates, missing, late) in rows.items()
            if count
        ),
        ("user_id",),
        ("paid", "paid.of"),
    )
    counted = {
        cut: SliceCounts(events, errors, untagged, tuple(rates))
        for cut, (events, errors, untagged, *rates) in slices.items()
        if events
    }
    return DayBreakdown(day, aggregates, counted)


REFERENCE = tuple(break_down(make_events(noise=Random(number)), day) for number, day in enumerate(PAST))


SEGMENTS = [
    Segment((("event_name", "search"),)),
    Segment((("service_version", "a3"),)),
    Segment((("platform", "ios"),)),
    Segment((("country", None),)),
    Segment(hours=(14, 23)),
    Segment(hours=(3, 9)),
    Segment((("event_name", "page.view"), ("service_version", "i2"))),
    Segment((("platform", "ios"), ("event_name", "page.view"))),
    Segment((("country", "FR"), ("service_version", "a2"))),
    Segment((("platform", "android"),), (8, 15)),
    Segment((("event_name", "search"),), (10, 23)),
    Segment((("service_version", "a2"),), (6, 18)),
]
