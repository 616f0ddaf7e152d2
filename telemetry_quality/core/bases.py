"""Bases: how many events of a day say what guardrails judge by, such as whether they are an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from telemetry_quality.core.counting import RATE, changed_rules
from telemetry_quality.core.shares import ShareCount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.events import Slice, SliceCounts
    from telemetry_quality.core.scans import StoredScan

ERROR_STATE, ARRIVAL_TIME, EVENT_ID, VERSION = "error_state", "arrival_time", "event_id", "version"
"""Names of bases: events that say whether they are an error, when they arrived, which event they are, and by which
release they were sent."""

_DIMENSION = "dimension."


def dimension_basis(dimension: str) -> str:
    """The name of the basis that events have which carry a value of ``dimension``."""
    return f"{_DIMENSION}{dimension}"


def rate_basis(rate: str) -> str:
    """The name of the basis that events have which a source's own rate is a share of."""
    return f"{RATE}{rate}"


Bases = dict[str, dict["date", ShareCount]]
"""How many events of each day have each basis, by its name."""


class _Known(Protocol):
    """What the store knows about a source's days, as far as bases need it; see ``judging.HistoricalContext``."""

    @property
    def scans(self) -> Mapping[date, Sequence[StoredScan]]: ...
    @property
    def slices(self) -> Mapping[date, Mapping[Slice, SliceCounts]]: ...
    @property
    def own_slices(self) -> Mapping[date, Mapping[Slice, SliceCounts]]: ...
    @property
    def lacking(self) -> dict[date, dict[str, int]]: ...


def bases_of(day: date, earlier: Iterable[date], history: _Known, schema: EventSchema) -> Bases:
    """The bases of the schema on ``day``, and on those of the ``earlier`` days that counted them likewise."""
    rules = history.scans[day][-1].counting_rules
    found: Bases = {}
    for past in (*earlier, day):
        scan = history.scans[past][-1]
        changed = changed_rules(scan.counting_rules, rules)
        for name, rule, count in _counts(scan, schema):
            if rule not in changed:
                found.setdefault(name, {})[past] = count
        events, lacking = scan.total_events or 0, _lacking(past, history, is_own=past == day)
        for dimension in schema.dimensions:
            if dimension in lacking:
                count = ShareCount(max(events - lacking[dimension], 0), events)
                found.setdefault(dimension_basis(dimension), {})[past] = count
    return found


def _lacking(day: date, history: _Known, *, is_own: bool) -> dict[str, int]:
    """The events of ``day`` without a value of each dimension that was counted."""
    if is_own:
        return _without_a_value(history.own_slices.get(day, {}))
    if day not in history.lacking:
        history.lacking[day] = _without_a_value(history.slices.get(day, {}))
    return history.lacking[day]


def _without_a_value(slices: Mapping[Slice, SliceCounts]) -> dict[str, int]:
    found: dict[str, int] = {}
    for segment, counts in slices.items():
        if segment.by is None:
            has_value = segment.value is not None and segment.value.strip() != ""
            found[segment.dimension] = found.get(segment.dimension, 0) + (0 if has_value else counts.events)
    return found


def _counts(scan: StoredScan, schema: EventSchema) -> Iterable[tuple[str, str, ShareCount]]:
    """Each basis of a day, the rule by which it is counted, and its events."""
    events = scan.total_events or 0
    yield ERROR_STATE, "is_error", ShareCount(events - (scan.error_unknown_events or 0), events)
    untagged = events if scan.missing_version_events is None else scan.missing_version_events
    yield VERSION, "service_version", ShareCount(events - untagged, events)
    if schema.observed_at is not None:
        # Arrivals that could not be counted are as good as none.
        yield (
            ARRIVAL_TIME,
            "observed_at",
            ShareCount(0 if scan.arrivals is None else sum(scan.arrivals.by_hour), events),
        )
    if schema.event_id is not None and scan.duplicates is not None:
        # Of a large day only a fraction of the ids is compared: that there are none is all that can be told.
        yield EVENT_ID, "event_id", ShareCount(events if scan.duplicates.compared_events else 0, events)
    for rate in schema.rates:
        counted = rate.found(scan.rate_counts or {}, events)
        if counted is not None and rate.of is not None:
            yield rate_basis(rate.name), rate_basis(rate.name), ShareCount(counted[1], events)
