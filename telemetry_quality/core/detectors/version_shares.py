"""Shares of versions: in the whole stream and in each dimension value, on each day of a window."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import OTHER_VALUES, SERVICE_VERSION, Slice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.detectors.windows import Window
    from telemetry_quality.core.events import SliceCounts


class Scope(NamedTuple):
    """All events, or those of one dimension value."""

    dimension: str | None = None
    value: str | None = None

    def version(self, version: str | None) -> Slice:
        """The slice of the scope's events of ``version``."""
        if self.dimension is None:
            return Slice(SERVICE_VERSION, version)
        return Slice(self.dimension, self.value, SERVICE_VERSION, version)

    @property
    def slice(self) -> Slice:
        """The slice of the dimension value; the whole stream has none."""
        return Slice(self.dimension or "", self.value)

    @property
    def parts(self) -> tuple[tuple[str, str | None], ...]:
        """Name and value of the dimension; empty for all events."""
        return () if self.dimension is None else ((self.dimension, self.value),)

    @property
    def order(self) -> tuple[str, ...]:
        """A total order, null before empty."""
        return self.slice.order


WHOLE = Scope()


class Point(NamedTuple):
    """A share on one day: ``part`` of ``whole`` events, or up to ``most`` if its slice was too small to be kept."""

    day: date
    part: int
    whole: int
    most: int

    @property
    def share(self) -> float:
        """The share that was seen, 0 to 1."""
        return self.part / self.whole

    @property
    def highest_share(self) -> float:
        """The largest share that is possible, 0 to 1."""
        return min(self.most / self.whole, 1.0)


class Missing(NamedTuple):
    """Events without a version, and how many of them are not errors."""

    events: int
    without_errors: int


_NONE_MISSING = Missing(0, 0)


class VersionShares:
    """The shares of one window; each is looked up once.

    Args:
        window: The day and the days before it.
        least_move_percent: The smallest move of a share that counts, in percentage points.
        minimum_events: Days on which a scope has fewer events are left out.
        completeness_percent: How much of the day has usually arrived; the rest might all have other versions.
    """

    def __init__(
        self, window: Window, least_move_percent: float, minimum_events: int, completeness_percent: float | None
    ) -> None:
        self.window = window
        self.points = least_move_percent / 100
        self.minimum_events = max(minimum_events, 1)
        self.arrived = (completeness_percent or 100.0) / 100
        self._left_out: dict[date, int] = {}
        self._missing: dict[date, dict[Scope, Missing]] = {}
        self._points: dict[Scope, list[Point]] = {}
        self._versions: dict[date, dict[Scope, dict[str, int]]] = {}

    def events(self, scope: Scope, day: date) -> int:
        """All events of the scope on ``day``."""
        if scope == WHOLE:
            return self.window.totals[day]
        counts = self.window.slices[day].get(scope.slice)
        return 0 if counts is None else counts.events

    def missing(self, scope: Scope, day: date) -> Missing:
        """The events of the scope without a version on ``day``."""
        if day not in self._missing:
            self._missing[day] = missing_by_scope(self.window.slices[day])
        known = self._missing[day].get(scope)
        if known is None:
            # The slice of the scope's events without a version may have been too small to be kept.
            counts = None if scope == WHOLE else self.window.slices[day].get(scope.slice)
            known = _NONE_MISSING if counts is None else Missing(counts.missing_version, counts.missing_version)
            self._missing[day][scope] = known
        return known

    def left_out(self, day: date) -> int:
        """The most events that a slice of ``day`` can have that was not kept."""
        if day not in self._left_out:
            smallest = min((counts.events for counts in self.window.slices[day].values()), default=1)
            self._left_out[day] = max(smallest - 1, 0)
        return self._left_out[day]

    def versions(self, day: date) -> Mapping[Scope, Mapping[str, int]]:
        """The events of each named version, per scope."""
        if day not in self._versions:
            self._versions[day] = _versions_by_scope(self.window.slices[day])
        return self._versions[day]

    def missing_points(self, scope: Scope) -> Sequence[Point]:
        """The share without a version on every day with enough events; the judged day is the last.

        Errors are left out: what fails early often does not know its version yet, and the error rate judges it.
        """
        if scope not in self._points:
            self._points[scope] = [
                self._missing_point(scope, day, events)
                for day in (*self.window.days, self.window.day)
                if (events := self.events(scope, day)) >= self.minimum_events
            ]
        return self._points[scope]

    def _missing_point(self, scope: Scope, day: date, whole: int) -> Point:
        missing = self.missing(scope, day).without_errors
        return Point(day, missing, whole, missing)

    def version_points(self, scope: Scope, version: str) -> list[Point]:
        """The share of ``version`` among the events that have one, without days that lost many of their versions."""
        missing = self.missing_points(scope)
        limit = median(point.share for point in missing) + self.points
        return [
            self._version_point(scope.version(version), point.day, tagged)
            for point in missing
            if (tagged := point.whole - self.missing(scope, point.day).events) >= self.minimum_events
            and point.share <= limit
        ]

    def _version_point(self, segment: Slice, day: date, whole: int) -> Point:
        counts = self.window.slices[day].get(segment)
        if counts is None:
            return Point(day, 0, whole, self.left_out(day))
        return Point(day, counts.events, whole, counts.events)


def _scope_of(segment: Slice) -> Scope | None:
    """The scope whose versions ``segment`` counts; None if it counts none."""
    if segment.dimension == SERVICE_VERSION:
        return WHOLE
    is_version = segment.by == SERVICE_VERSION and segment.value != OTHER_VALUES
    return Scope(segment.dimension, segment.value) if is_version else None


def missing_by_scope(slices: Mapping[Slice, SliceCounts]) -> dict[Scope, Missing]:
    """The events without a version, for each scope that has any."""
    found: dict[Scope, Missing] = {}
    for segment, (_, errors, missing, _) in slices.items():
        if missing and (scope := _scope_of(segment)) is not None:
            known = found.get(scope, _NONE_MISSING)
            found[scope] = Missing(known.events + missing, known.without_errors + max(missing - errors, 0))
    return found


def _versions_by_scope(slices: Mapping[Slice, SliceCounts]) -> dict[Scope, dict[str, int]]:
    found: dict[Scope, dict[str, int]] = {}
    for segment, counts in slices.items():
        scope = None if counts.missing_version else _scope_of(segment)
        version = segment.value if segment.by is None else segment.by_value
        if scope is not None and version is not None and version != OTHER_VALUES:
            found.setdefault(scope, {})[version] = counts.events
    return found
