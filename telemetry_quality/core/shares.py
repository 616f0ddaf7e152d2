"""Shares: of how many events of a day how many are errors, untagged, late and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry_quality.core.event_schema import Rate
    from telemetry_quality.core.scans import StoredScan


class ShareCount(NamedTuple):
    """How many of ``whole`` events count."""

    part: int
    whole: int


def share_counts(scan: StoredScan, rates: Iterable[Rate] = ()) -> dict[str, ShareCount]:
    """The counts behind each share of a day, as far as they are known and there are events, by the share's name.

    A share is named like its number of the day; of each critical field, like ``field_share``; of a source's own rate,
    like ``rate_share``.
    """
    events = scan.total_events or 0
    found: dict[str, ShareCount] = {}
    if scan.missing_version_events is not None:
        found["missing_version_percent"] = ShareCount(scan.missing_version_events, events)
    if events != scan.error_unknown_events:
        found["error_rate_percent"] = ShareCount(scan.error_events or 0, events)
    if scan.verified_events is not None:
        found["verified_percent"] = ShareCount(scan.verified_events, events)
    for field, missing in (scan.missing_critical or {}).items():
        found[field_share(field)] = ShareCount(missing, events)
    if scan.duplicates is not None:
        found["duplicate_percent"] = ShareCount(scan.duplicates.duplicate_events, scan.duplicates.compared_events)
    if scan.arrivals is not None:
        arrivals = scan.arrivals
        impossible = arrivals.future_events + arrivals.stale_events
        found["late_percent"] = ShareCount(scan.late_events or 0, events)
        found["impossible_timestamp_percent"] = ShareCount(impossible, arrivals.observed_events)
        found["unreadable_time_percent"] = ShareCount(arrivals.undated_events, arrivals.observed_events)
    for rate in rates:
        if (counted := rate.found(scan.rate_counts or {}, events)) is not None:
            found[rate_share(rate.name)] = ShareCount(*counted)
    return {name: count for name, count in found.items() if count.whole}


def field_share(field: str) -> str:
    """The name of the share of events without a value in a critical field."""
    return f"critical_missing_percent:{field}"


def rate_share(rate: str) -> str:
    """The name of the share that a source defines itself."""
    return f"rate_{rate}_percent"
