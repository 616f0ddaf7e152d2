"""Stored scans: what the store holds of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from telemetry_quality.core.events import Arrivals, Cardinality, Duplicates
    from telemetry_quality.core.hours import HourTotals


@dataclass(frozen=True, slots=True)
class StoredScan:
    """What the store holds of a scan of a day; figures are None if the day could not be read.

    Attributes:
        figures_hash: Hash of all that was read; scans with equal hashes have equal content.
        error_events: None also if no event says whether it is an error, by choice.
        missing_version_events: None also if events have no version, by choice.
        verified_events: How many of all events would pass the sample's verification; None if they were not counted.
        missing_critical: Events without a value, per critical field.
        rate_counts: Events per rate count of the schema; None if no rate was counted.
        duplicates: None if they were not counted.
        arrivals: None if they were not counted.
        cardinality: None if it was not counted.
        hours: The events and errors of each hour.
        counting_rules: The rules by which it was counted, see ``counting``; None if they are not known.
        source_version: The version of the table in which this content was first found; None without versions.
        is_new: Whether this call appended the scan; False if the latest scan already had the same content.
    """

    source: str
    day: date
    revision: int
    scanned_at: datetime
    figures_hash: str
    total_events: int | None
    error_events: int | None
    error_unknown_events: int | None
    missing_version_events: int | None
    late_events: int | None
    sample_size: int | None
    sample_passed: int | None
    verified_events: int | None
    unreadable_reason_code: str | None
    unreadable_reason: str | None
    missing_critical: Mapping[str, int] | None
    rate_counts: Mapping[str, int] | None
    duplicates: Duplicates | None
    arrivals: Arrivals | None
    is_new: bool
    hours: HourTotals | None = None
    counting_rules: str | None = None
    cardinality: Cardinality | None = None
    source_version: str | None = None
