"""Presets: which columns play which roles in the tables of well-known vendors.

A vendor's table comes in several layouts: older and newer exporters, names in upper or lower case as warehouses give
them, attributes in a map, in JSON or flattened into columns. ``FIRST_PRESENT`` takes the layout whose columns exist.
``docs/reference/presets.md`` says why each column plays its role.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

NONE = "NULL"
"""What plays a role of which a table has nothing, by choice."""

Layouts = tuple[str, ...]
"""What plays a role in each layout, the newest first. Names of columns, whose style differs, are in braces."""


@dataclass(frozen=True)
class Preset:
    """The roles of one vendor's table.

    Attributes:
        title: What the table is called.
        page: Where its vendor describes it.
        table: Its usual name.
        marks: Columns, in braces, by all of which the table is recognized.
        layouts: What plays each role.
        advice: What to know of a role or to write instead, for whoever adapts a settings file.
        settings: Further keys of the source.
    """

    title: str
    page: str
    table: str
    marks: str
    layouts: Mapping[str, Layouts]
    advice: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def roles(self) -> dict[str, str]:
        """The expression of each role, which fits all layouts."""
        return {role: _first_present(texts) for role, texts in self.layouts.items()}

    def example(self, role: str) -> str:
        """What plays a role in the newest layout."""
        return _styled(self.layouts[role][0], str)

    def is_of(self, columns: Collection[str]) -> bool:
        """Whether a table with these columns is the vendor's."""
        names = set(columns)
        return any(names >= set(_styled(self.marks, style).split()) for style in _STYLES)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]


_STYLES: tuple[Callable[[str], str], ...] = (str, _camel, _snake, str.lower, str.upper)
"""How the same name is written by exporters and warehouses; of a name in lower case, only two differ."""


def _first_present(texts: Layouts) -> str:
    """The first of ``texts`` whose columns exist in any style."""
    styled = list(dict.fromkeys(_styled(text, style) for text in texts for style in _STYLES))
    return styled[0] if len(styled) == 1 else f"FIRST_PRESENT({', '.join(styled)})"


def _styled(text: str, style: Callable[[str], str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: style(name[1]), text)


_ERROR_IN_NAME = "LOWER({event}) LIKE '%error%' OR LOWER({event}) LIKE '%exception%' OR LOWER({event}) LIKE '%crash%'"

_TRACKS = {
    "event_id": ("{id}",),
    "occurred_at": ("{timestamp}",),
    "observed_at": (
        "{received_at}",
        NONE,
    ),
    "event_name": (
        "COALESCE(NULLIF({event_text}, ''), {event})",
        "{event_text}",
        "{event}",
    ),
    "service_version": (
        "{context_app_version}",
        "{context_library_version}",
        NONE,
    ),
    "is_error": (_ERROR_IN_NAME,),
}
"""The table ``tracks``, and the tables of single events, which have the same columns and those of their properties."""

_TRACKS_ADVICE = {
    "service_version": "the release of the app; in a table that no app writes to, that of the library",
    "is_error": "events have no error state: those whose name says so, such as application_crashed",
}

_MOBILE_APPLICATION = "contexts_com_snowplowanalytics_mobile_application_1"

PRESETS: dict[str, Preset] = {
    "opentelemetry": Preset(
        "OpenTelemetry logs and events: otel_logs of the collector's ClickHouse exporter, or one row per log record",
        "https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/clickhouseexporter",
        "otel_logs",
        "{SeverityNumber} {TraceId}",
        {
            "event_id": (
                '"log.record.uid"',
                "{LogRecordUid}",
                NONE,
            ),
            "occurred_at": (
                "{Timestamp}",
                "{TimeUnixNano}",
            ),
            "observed_at": (
                "{ObservedTimestamp}",
                "{ObservedTimeUnixNano}",
                NONE,
            ),
            "event_name": (
                "COALESCE(NULLIF({EventName}, ''), NULLIF({LogAttributes}['event.name'], ''), {ServiceName})",
                "COALESCE(NULLIF({LogAttributes}['event.name'], ''), {ServiceName})",
                "COALESCE(NULLIF({EventName}, ''), {ServiceName})",
                "{EventName}",
                '"event.name"',
                "{ServiceName}",
                '"service.name"',
            ),
            "service_version": (
                "{ResourceAttributes}['service.version']",
                '{ResourceAttributes}."service.version"',
                '"service.version"',
                "{ServiceVersion}",
                "{Resource}.attributes['service.version']",
                '{Resource}.attributes."service.version"',
            ),
            "is_error": ("NULLIF({SeverityNumber}, 0) >= 17",),
        },
        {
            "event_id": "records have no id of their own; LogAttributes['log.record.uid'] if your collector sets it",
            "event_name": "the name of the event; of other records, the service that wrote them",
            "is_error": "17 is ERROR, 21 is FATAL; 0 is unspecified, so it is not known whether it is an error",
        },
        {"time_unit": "ns"},
    ),
    "segment": Preset(
        "Segment's warehouse tables: tracks, or the table of one event",
        "https://www.twilio.com/docs/segment/connections/storage/warehouses/schema",
        "tracks",
        "{id} {event} {received_at} {original_timestamp}",
        _TRACKS,
        _TRACKS_ADVICE,
    ),
    "rudderstack": Preset(
        "RudderStack's warehouse tables: tracks, or the table of one event",
        "https://www.rudderstack.com/docs/destinations/warehouse-destinations/warehouse-schema/",
        "tracks",
        "{id} {event} {received_at} {original_timestamp} {channel}",
        _TRACKS,
        _TRACKS_ADVICE,
    ),
    "snowplow": Preset(
        "Snowplow's atomic.events",
        "https://docs.snowplow.io/docs/fundamentals/canonical-event/",
        "atomic.events",
        "{event_id} {collector_tstamp} {v_tracker}",
        {
            "event_id": ("{event_id}",),
            "occurred_at": (
                "{derived_tstamp}",
                "{collector_tstamp}",
            ),
            "observed_at": (
                "{collector_tstamp}",
                NONE,
            ),
            "event_name": (
                "COALESCE({event_name}, {event})",
                "{event_name}",
                "{event}",
            ),
            "service_version": (
                f"{{{_MOBILE_APPLICATION}}}[0].version",
                f"{{{_MOBILE_APPLICATION}_0_0}}[0].version",
                "{app_version}",
                "{v_tracker}",
            ),
            "is_error": (
                "{event_name} = 'application_error'",
                "COALESCE({unstruct_event}.data.schema LIKE '%/application_error/%', FALSE)",
            ),
        },
        {
            "occurred_at": "the clock of the device, corrected; collector_tstamp is the clock of the collector",
            "service_version": "the app's release, from its context; in a table without this context, the tracker's",
            "is_error": "what trackers send of uncaught exceptions; add your own events with OR",
        },
    ),
    "posthog": Preset(
        "PostHog's events, as batch exports write them to Parquet and warehouses, or in ClickHouse",
        "https://posthog.com/docs/cdp/batch-exports",
        "events",
        "{uuid} {event} {properties} {distinct_id} {timestamp}",
        {
            "event_id": ("{uuid}",),
            "occurred_at": ("{timestamp}",),
            "observed_at": (
                "{created_at}",
                "{_inserted_at}",
                NONE,
            ),
            "event_name": ("{event}",),
            "service_version": ("COALESCE(NULLIF({properties}.$app_version, ''), {properties}.$lib_version)",),
            "is_error": ("{event} = '$exception'",),
        },
        {
            "service_version": "the release of the app; of other events, that of the library",
            "is_error": "what error tracking captures; add your own events with OR",
        },
    ),
    "ga4": Preset(
        "Google Analytics 4 and Firebase, exported to BigQuery: events_YYYYMMDD",
        "https://support.google.com/analytics/answer/7029846",
        "events_20260101",
        "{event_timestamp} {event_name} {user_pseudo_id}",
        {
            "occurred_at": ("{event_timestamp}",),
            "event_name": ("{event_name}",),
            "service_version": (
                "{app_info}.version",
                "{app_info_version}",
                "{app_info__version}",
                NONE,
            ),
            "is_error": ("{event_name} IN ('app_exception', 'exception')",),
        },
        {
            "service_version": 'the release of the app; a web stream has none: "NULL"',
            "is_error": "app_exception is what Firebase logs of crashes; add your own events with OR",
        },
        {"time_unit": "us"},
    ),
    "cloudevents": Preset(
        "CloudEvents 1.0: a column for each context attribute",
        "https://github.com/cloudevents/spec/blob/main/cloudevents/spec.md",
        "events",
        "{specversion} {id} {source} {type} {time}",
        {
            "event_id": (
                "{source} || '/' || {id}",
                "{ce_source} || '/' || {ce_id}",
                "{id}",
            ),
            "occurred_at": (
                "{time}",
                "{ce_time}",
            ),
            "event_name": (
                "{type}",
                "{ce_type}",
            ),
            "service_version": (
                "{serviceversion}",
                "{appversion}",
                "{ce_serviceversion}",
                NONE,
            ),
            "is_error": (
                "NULLIF(CAST({severitynumber} AS BIGINT), 0) >= 17",
                "NULLIF(CAST({ce_severitynumber} AS BIGINT), 0) >= 17",
                NONE,
            ),
        },
        {
            "event_id": "an id is unique only within its source",
            "service_version": "an extension attribute that most events do not have, such as data.version",
            "is_error": "the severity extension, if events have it; else a condition, such as type LIKE '%.failed'",
        },
    ),
    "mozilla": Preset(
        "Mozilla's Glean: events_stream, or the table of one ping",
        "https://docs.telemetry.mozilla.org/concepts/pipeline/glean_data.html",
        "events_stream",
        "{submission_timestamp} {document_id} {client_info}",
        {
            "event_id": (
                "{event_id}",
                "{document_id} || '.' || {event_category} || '.' || {event_name} || '.' || {event_timestamp}",
                "{document_id}",
            ),
            "occurred_at": (
                "{event_timestamp}",
                "{submission_timestamp}",
            ),
            "observed_at": (
                "{submission_timestamp}",
                NONE,
            ),
            "event_name": (
                "{event_category} || '.' || {event_name}",
                "{event_name}",
                "COALESCE({ping_info}.reason, 'ping')",
            ),
            "service_version": (
                "{client_info}.app_display_version",
                "{app_display_version}",
                NONE,
            ),
            "is_error": (NONE,),
        },
        {
            "occurred_at": "of pings, when they arrived; the clock of the client is in ping_info.end_time",
            "is_error": "nothing says so of an event or ping; or a condition, such as event_category = 'crash'",
        },
    ),
}
"""The presets by name; a role or setting in the settings file overrides the preset."""
