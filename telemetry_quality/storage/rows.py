"""Between the core's values and the store's rows; no database is touched here."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.events import AggregateRow, UnreadableDay
from telemetry_quality.core.ports import StoredReading
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot
from telemetry_quality.storage.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry_quality.core.events import DayReading
    from telemetry_quality.core.sampling import SampleVerdict

    Row = dict[str, Any]

FIGURES = (
    "total_events",
    "error_events",
    "error_unknown_events",
    "missing_version_events",
    "late_events",
    "sample_size",
    "sample_passed",
    "unreadable_reason_code",
    "unreadable_reason",
)
"""What a reading says of a day, beside its aggregates and its sample."""

SNAPSHOT_FIELDS = tuple(field.name for field in fields(TelemetryIntegritySnapshot))


def figures_row(reading: DayReading | UnreadableDay, sample: Sequence[SampleVerdict]) -> Row:
    """The FIGURES of a reading."""
    figures: Row = dict.fromkeys(FIGURES)
    if isinstance(reading, UnreadableDay):
        return figures | {"unreadable_reason_code": reading.reason_code, "unreadable_reason": reading.reason}
    totals = reading.aggregates.totals()
    return figures | {
        "total_events": totals.events,
        "error_events": totals.errors,
        "error_unknown_events": totals.error_unknown_events,
        "missing_version_events": totals.missing_version,
        "late_events": totals.late_events,
        "sample_size": len(sample),
        "sample_passed": sum(verdict.passed for verdict in sample),
    }


def aggregate_rows(reading: DayReading | UnreadableDay) -> list[Row]:
    """The rows of ``event_aggregate`` without their key, in the order they are hashed."""
    if isinstance(reading, UnreadableDay):
        return []
    names = reading.aggregates.critical_fields
    return [
        {
            "hour": row.hour,
            "event_name": row.event_name,
            "service_version": row.service_version,
            "events": row.events,
            "errors": row.errors,
            "error_unknown_events": row.error_unknown_events,
            "missing_version": row.missing_version,
            "missing_critical": dict(zip(names, row.missing_critical, strict=True)),
            "late_events": row.late_events,
        }
        for row in reading.aggregates.rows
    ]


def aggregate_of(row: Mapping[Any, Any], critical_fields: Sequence[str]) -> AggregateRow:
    """The AggregateRow of a stored row, its critical fields in the order given."""
    return AggregateRow(
        **{
            name: row[name]
            for name in (
                "hour",
                "event_name",
                "service_version",
                "events",
                "errors",
                "error_unknown_events",
                "missing_version",
                "late_events",
            )
        },
        missing_critical=tuple(row["missing_critical"][name] for name in critical_fields),
    )


def sample_rows(sample: Iterable[SampleVerdict]) -> list[Row]:
    """The rows of ``event_sample`` without their key."""
    return [
        {
            "position": position,
            "event_id": verdict.event_id,
            "verdict": "passed" if verdict.passed else "failed",
            "reason_codes": list(verdict.reason_codes),
        }
        for position, verdict in enumerate(sample)
    ]


def figures_hash(
    figures: Mapping[Any, Any], aggregates: Sequence[Mapping[Any, Any]], sample: Sequence[Mapping[Any, Any]]
) -> str:
    """The hash of all that a reading says; rows without their keys, in their order."""
    return content_hash(
        {
            "figures": {name: figures[name] for name in FIGURES},
            "aggregates": [list(row.values()) for row in aggregates],
            "sample": [list(row.values()) for row in sample],
        }
    )


def stored_reading(row: Mapping[Any, Any], *, is_new: bool) -> StoredReading:
    """The StoredReading of a row of ``day_reading``."""
    names = (field.name for field in fields(StoredReading) if field.name != "is_new")
    return StoredReading(**{name: row[name] for name in names}, is_new=is_new)


def snapshot_of(row: Mapping[Any, Any]) -> TelemetryIntegritySnapshot:
    """The snapshot of a row of ``integrity_snapshot``."""
    values = {name: row[name] for name in SNAPSHOT_FIELDS}
    return TelemetryIntegritySnapshot(**{**values, "status": DayStatus(values["status"])})
