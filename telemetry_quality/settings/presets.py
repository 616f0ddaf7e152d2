"""Column names that well-known formats use."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # OpenTelemetry log data model: EventName, Timestamp, ObservedTimestamp, SeverityNumber (17 and up are errors)
    # and the resource attribute service.version. The model has no id; log.record.uid is the conventional attribute.
    "opentelemetry": {
        "event_id": "log.record.uid",
        "occurred_at": "Timestamp",
        "observed_at": "ObservedTimestamp",
        "event_name": "EventName",
        "service_version": "service.version",
        "is_error": '"SeverityNumber" >= 17',
    },
    # Segment's warehouse schema for the tracks table.
    "segment": {
        "event_id": "id",
        "occurred_at": "timestamp",
        "observed_at": "received_at",
        "event_name": "event",
        "service_version": "context_app_version",
        "is_error": "event LIKE '%Error%'",
    },
    # Snowplow's atomic.events table.
    "snowplow": {
        "event_id": "event_id",
        "occurred_at": "derived_tstamp",
        "observed_at": "collector_tstamp",
        "event_name": "event_name",
        "service_version": "app_version",
        "is_error": "event_name = 'application_error'",
    },
    # CloudEvents 1.0 context attributes; errors and versions are extension attributes.
    "cloudevents": {
        "event_id": "id",
        "occurred_at": "time",
        "event_name": "type",
        "service_version": "serviceversion",
        "is_error": "severitynumber >= 17",
    },
}
"""Column names that well-known formats use; a role in the settings overrides the preset."""
