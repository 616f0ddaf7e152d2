"""Tables as vendors publish their layouts, column by column, with events whose errors and versions are known.

Each layout names the page that it follows. Columns that play no role are filled too, so that nothing but the preset
decides what is read.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FIRST_DAY, DAYS = date(2026, 2, 1), 30


class Event(NamedTuple):
    """What is known of an event, whatever table it lies in.

    Attributes:
        is_error: None if the event does not say.
    """

    number: int
    at: datetime
    name: str
    version: str | None
    is_error: bool | None

    @property
    def arrived(self) -> datetime:
        """Half a minute later."""
        return self.at + timedelta(seconds=30)

    @property
    def id(self) -> str:
        """A text of 36 characters."""
        return f"00000000-0000-4000-8000-{self.number:012}"


class Counts(NamedTuple):
    """What a day must hold."""

    events: int
    errors: int
    error_unknown_events: int
    missing_version: int


VERSIONS = ("1.4.0", "1.5.0", None, "1.5.0", "", "1.6.0-rc.1", "unknown")
MISSING_VERSIONS = (None, "", "unknown")


def make_events(*, with_unknown_errors: bool = False) -> list[Event]:
    """Events of all days: one in the first and one in the last microsecond of each, and more on each day."""
    events: list[Event] = []
    for offset in range(DAYS):
        start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=offset)
        end = start + timedelta(days=1)
        count = 9 + offset % 5
        times = [start, end - timedelta(microseconds=1), *(start + timedelta(minutes=97 * n) for n in range(1, count))]
        for at in times:
            number = len(events)
            state: bool | None = number % 6 == 5
            events.append(
                Event(
                    number,
                    at,
                    "checkout" if number % 3 else "page view",
                    VERSIONS[number % len(VERSIONS)],
                    None if with_unknown_errors and number % 11 == 4 else state,
                )
            )
    return events


@dataclass(frozen=True)
class Layout:
    """A vendor's table.

    Attributes:
        columns: Name and type of each column, by the names of TYPES.
        row: The values of an event in the columns that play a role.
        has_versions: Whether the table says which release sent an event.
        has_errors: Whether it says which events are errors.
        has_unknown_errors: Whether some events do not say whether they are.
        own_types: Types of columns by engine that differ from TYPES.
    """

    name: str
    preset: str
    columns: Mapping[str, str]
    row: Callable[[Event], dict[str, Any]]
    has_versions: bool = True
    has_errors: bool = True
    has_unknown_errors: bool = False
    own_types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def events(self) -> list[Event]:
        """The events in the table."""
        return make_events(with_unknown_errors=self.has_unknown_errors)

    def rows(self) -> list[dict[str, Any]]:
        """A value for every column of every event."""
        filler = {name: FILLERS.get(kind) for name, kind in self.columns.items()}
        found = []
        for event in self.events():
            row = self.row(event)
            assert row.keys() <= filler.keys(), row.keys() - filler.keys()
            found.append({**filler, **row})
        return found

    def expected(self) -> dict[date, Counts]:
        """The counts of each day, from the events alone."""
        sums: dict[date, Counter[str]] = {}
        for event in self.events():
            day = sums.setdefault(event.at.date(), Counter())
            is_missing = self.has_versions and event.version in MISSING_VERSIONS
            is_unknown = not self.has_errors or event.is_error is None
            is_error = self.has_errors and event.is_error is True
            day.update(events=1, errors=is_error, unknown=is_unknown, missing=is_missing)
        return {
            day: Counts(found["events"], found["errors"], found["unknown"], found["missing"])
            for day, found in sums.items()
        }

    def types(self, engine: str) -> dict[str, str]:
        """The type of each column on an engine."""
        own = self.own_types.get(engine, {})
        return {name: own.get(name) or TYPES[kind][ENGINES.index(engine)] for name, kind in self.columns.items()}


ENGINES = ("duckdb", "postgresql", "clickhouse")

TYPES = {
    "text": ("VARCHAR", "TEXT", "Nullable(String)"),
    "int": ("BIGINT", "BIGINT", "Nullable(Int64)"),
    "small": ("INTEGER", "INTEGER", "Nullable(Int32)"),
    "tiny": ("UTINYINT", "SMALLINT", "UInt8"),
    "float": ("DOUBLE", "DOUBLE PRECISION", "Nullable(Float64)"),
    "bool": ("BOOLEAN", "BOOLEAN", "Nullable(Bool)"),
    "date": ("DATE", "DATE", "Nullable(Date)"),
    "ts": ("TIMESTAMP", "TIMESTAMP", "DateTime64(6, 'UTC')"),
    "tz": ("TIMESTAMPTZ", "TIMESTAMPTZ", "DateTime64(6, 'UTC')"),
    "seconds": ("TIMESTAMP_S", "TIMESTAMP(0)", "DateTime('UTC')"),
    "ns": ("TIMESTAMP_NS", "TIMESTAMP", "DateTime64(9)"),
    "uuid": ("UUID", "UUID", "UUID"),
    "json": ("JSON", "JSONB", "String"),
    "json_text": ("VARCHAR", "TEXT", "String"),
    "map": ("MAP(VARCHAR, VARCHAR)", "JSONB", "Map(LowCardinality(String), String)"),
    "enum": ("VARCHAR", "TEXT", "LowCardinality(String)"),
    "texts": ("VARCHAR[]", "TEXT[]", "Array(String)"),
    "contexts": (
        "STRUCT(version VARCHAR, build VARCHAR)[]",
        "JSONB",
        "Array(Tuple(version Nullable(String), build String))",
    ),
    "app": (
        "STRUCT(id VARCHAR, version VARCHAR, install_store VARCHAR, firebase_app_id VARCHAR, install_source VARCHAR)",
        "JSONB",
        (
            "Tuple(id String, version Nullable(String), install_store Nullable(String), firebase_app_id String,"
            " install_source String)"
        ),
    ),
    "params": (
        (
            "STRUCT(key VARCHAR, value STRUCT(string_value VARCHAR, int_value BIGINT, float_value DOUBLE,"
            " double_value DOUBLE))[]"
        ),
        "JSONB",
        (
            "Array(Tuple(key String, value Tuple(string_value Nullable(String), int_value Nullable(Int64),"
            " float_value Nullable(Float64), double_value Nullable(Float64))))"
        ),
    ),
    "properties": (
        'STRUCT("$lib" VARCHAR, "$lib_version" VARCHAR)',
        "JSONB",
        "Tuple(`$lib` String, `$lib_version` Nullable(String))",
    ),
    "client": (
        "STRUCT(app_build VARCHAR, app_display_version VARCHAR, client_id VARCHAR)",
        "JSONB",
        "Tuple(app_build String, app_display_version Nullable(String), client_id String)",
    ),
    "ping": (
        "STRUCT(seq BIGINT, start_time VARCHAR, end_time VARCHAR, reason VARCHAR)",
        "JSONB",
        "Tuple(seq Int64, start_time String, end_time String, reason Nullable(String))",
    ),
}
"""The types of columns on each of ENGINES."""

FILLERS: dict[str, Any] = {
    "text": "x",
    "small": 7,
    "tiny": 1,
    "bool": True,
    "ts": datetime(2020, 1, 1, tzinfo=UTC),
    "tz": datetime(2020, 1, 1, tzinfo=UTC),
    "seconds": datetime(2020, 1, 1, tzinfo=UTC),
    "ns": datetime(2020, 1, 1, tzinfo=UTC),
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json": {},
    "json_text": "{}",
    "map": {},
    "enum": "",
    "texts": [],
    "params": [],
    "contexts": [],
    "app": {"id": "a", "version": None, "install_store": None, "firebase_app_id": "f", "install_source": "s"},
    "client": {"app_build": "b", "app_display_version": None, "client_id": "c"},
    "ping": {"seq": 1, "start_time": "t", "end_time": "t", "reason": None},
}


def _columns(listed: str) -> dict[str, str]:
    """``app_id text, platform text`` as a table."""
    pairs = (part.rsplit(maxsplit=1) for part in listed.replace("\n", " ").split(",") if part.strip())
    return {name.strip(): kind for name, kind in pairs}


def _in_upper_case(columns: Mapping[str, str]) -> dict[str, str]:
    return {name.upper(): kind for name, kind in columns.items()}


# OpenTelemetry: exporter/clickhouseexporter/internal/sqltemplates/logs_table.sql, before and after EventName was added,
# and logs_json_table.sql.

_OTEL = _columns(
    "Timestamp ns, TimestampTime seconds, TraceId text, SpanId text, TraceFlags tiny, SeverityText enum,"
    "SeverityNumber tiny, ServiceName enum, Body text, ResourceSchemaUrl enum, ResourceAttributes map,"
    "ScopeSchemaUrl enum, ScopeName text, ScopeVersion enum, ScopeAttributes map, LogAttributes map"
)
_SEVERITIES = {True: 17, False: 9, None: 0}


def _otel(event: Event) -> dict[str, Any]:
    version = {} if event.version is None else {"service.version": event.version}
    return {
        "Timestamp": event.at,
        "TimestampTime": event.at.replace(microsecond=0),
        "SeverityNumber": _SEVERITIES[event.is_error],
        "SeverityText": {True: "ERROR", False: "INFO", None: ""}[event.is_error],
        "ServiceName": "cart",
        "ResourceAttributes": {"service.name": "cart", **version},
        "LogAttributes": {"event.name": event.name} if event.number % 2 else {},
    }


def _otel_flat(event: Event) -> dict[str, Any]:
    return {
        "log.record.uid": event.id,
        "timestamp": event.at,
        "observed_timestamp": event.arrived,
        "severity_number": _SEVERITIES[event.is_error],
        "event_name": event.name,
        "service.version": event.version,
        "service.name": "cart",
    }


def _otlp(event: Event) -> dict[str, Any]:
    nanoseconds = (event.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    attributes = {"service.name": "cart"} | ({} if event.version is None else {"service.version": event.version})
    return {
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds + 30 * 10**9,
        "severityNumber": _SEVERITIES[event.is_error],
        "eventName": event.name,
        "resource": {"attributes": attributes},
    }


# Segment: docs of "Warehouse Schemas"; RudderStack: "Warehouse Schema". Both: table tracks, and one per event.

_SEGMENT = _columns(
    "id text, anonymous_id text, user_id text, received_at tz, uuid_ts tz, sent_at tz, original_timestamp tz,"
    "timestamp tz, event text, event_text text, context_ip text, context_user_agent text, context_locale text,"
    "context_timezone text, context_page_path text, context_page_title text, context_page_url text,"
    "context_page_referrer text, context_campaign_name text, context_library_name text, context_library_version text,"
    "context_os_name text, context_os_version text, context_device_id text, context_device_model text,"
    "context_app_name text, context_app_build text, context_app_version text"
)


def _tracks(event: Event) -> dict[str, Any]:
    slug = "application_crashed" if event.is_error else event.name.replace(" ", "_")
    return {
        "id": event.id,
        "timestamp": event.at,
        "received_at": event.arrived,
        "event": slug,
        "event_text": slug.replace("_", " ").title(),
        "context_app_version": event.version,
    }


def _web_tracks(event: Event) -> dict[str, Any]:
    row = _tracks(event)
    version = row.pop("context_app_version")
    return {**row, "context_library_version": version}


def _without(columns: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: kind for name, kind in columns.items() if name not in names}


def _upper(row: Callable[[Event], dict[str, Any]]) -> Callable[[Event], dict[str, Any]]:
    return lambda event: {name.upper(): value for name, value in row(event).items()}


# Snowplow: 4-storage/redshift-storage/sql/atomic-def.sql, with the context of mobile trackers as later loaders add it.

_SNOWPLOW = _columns(
    """app_id text, platform text, etl_tstamp ts, collector_tstamp ts, dvce_created_tstamp ts, event text,
    event_id text, txn_id small, name_tracker text, v_tracker text, v_collector text, v_etl text, user_id text,
    user_ipaddress text,
    user_fingerprint text, domain_userid text, domain_sessionidx small, network_userid text, geo_country text,
    geo_region text, geo_city text, geo_zipcode text, geo_latitude float, geo_longitude float, geo_region_name text,
    ip_isp text, ip_organization text, ip_domain text, ip_netspeed text, page_url text, page_title text,
    page_referrer text, page_urlscheme text, page_urlhost text, page_urlport small, page_urlpath text,
    page_urlquery text, page_urlfragment text, refr_urlscheme text, refr_urlhost text, refr_urlport small,
    refr_urlpath text, refr_urlquery text, refr_urlfragment text, refr_medium text, refr_source text, refr_term text,
    mkt_medium text, mkt_source text, mkt_term text, mkt_content text, mkt_campaign text, se_category text,
    se_action text, se_label text, se_property text, se_value float, tr_orderid text, tr_affiliation text,
    tr_total float, tr_tax float, tr_shipping float, tr_city text, tr_state text, tr_country text, ti_orderid text,
    ti_sku text, ti_name text, ti_category text, ti_price float, ti_quantity small, pp_xoffset_min small,
    pp_xoffset_max small, pp_yoffset_min small, pp_yoffset_max small, useragent text, br_name text, br_family text,
    br_version text, br_type text, br_renderengine text, br_lang text, br_features_pdf bool, br_features_flash bool,
    br_features_java bool, br_features_director bool, br_features_quicktime bool, br_features_realplayer bool,
    br_features_windowsmedia bool, br_features_gears bool, br_features_silverlight bool, br_cookies bool,
    br_colordepth text, br_viewwidth small, br_viewheight small, os_name text, os_family text, os_manufacturer text,
    os_timezone text, dvce_type text, dvce_ismobile bool, dvce_screenwidth small, dvce_screenheight small,
    doc_charset text, doc_width small, doc_height small, tr_currency text, tr_total_base float, tr_tax_base float,
    tr_shipping_base float, ti_currency text, ti_price_base float, base_currency text, geo_timezone text,
    mkt_clickid text, mkt_network text, etl_tags text, dvce_sent_tstamp ts, refr_domain_userid text,
    refr_dvce_tstamp ts, domain_sessionid text, derived_tstamp ts, event_vendor text, event_name text,
    event_format text, event_version text, event_fingerprint text, true_tstamp ts, load_tstamp ts"""
)
_MOBILE = "contexts_com_snowplowanalytics_mobile_application_1"


def _snowplow_web(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "derived_tstamp": event.at,
        "collector_tstamp": event.arrived,
        "event": "unstruct",
        "event_name": "application_error" if event.is_error else event.name,
        "v_tracker": event.version,
    }


def _snowplow_mobile(event: Event) -> dict[str, Any]:
    contexts = [] if event.version is None else [{"version": event.version, "build": "7"}]
    return {**_snowplow_web(event), "v_tracker": "andr-6.0.0", _MOBILE: contexts}


# Snowplow before derived_tstamp: 4-storage/postgres-storage/sql/atomic-def.sql, of which only what differs matters.

_OLD_SNOWPLOW = _without(
    _SNOWPLOW, "dvce_created_tstamp", "derived_tstamp", "event_vendor", "event_name", "event_format", "load_tstamp"
) | _columns("dvce_tstamp ts, contexts json, unstruct_event json, derived_contexts json, session_id text")


def _old_snowplow(event: Event) -> dict[str, Any]:
    schema = "iglu:com.snowplowanalytics.snowplow/application_error/jsonschema/1-0-0"
    unstructured = {"schema": "iglu:…/unstruct_event/1-0-0", "data": {"schema": schema, "data": {}}}
    return {
        "event_id": event.id,
        "collector_tstamp": event.at,
        "event": "unstruct" if event.is_error else event.name,
        "v_tracker": event.version,
        "unstruct_event": unstructured if event.is_error else None,
    }


# PostHog: "S3 destination" (Parquet), "Postgres destination", and the table events of ClickHouse.

_POSTHOG_PARQUET = _columns(
    "uuid text, event text, distinct_id text, person_id text, properties json_text, person_properties json_text,"
    "elements_chain text, timestamp tz, created_at tz, _inserted_at tz"
)
_POSTHOG_TABLE = _columns(
    "uuid text, event text, properties json, elements json, set json, set_once json, distinct_id text, team_id small,"
    "ip text, site_url text, timestamp tz"
)


def _posthog_properties(event: Event) -> dict[str, Any]:
    key = "$app_version" if event.number % 2 else "$lib_version"
    version = {} if event.version is None else {key: event.version}
    return {"$os": "Linux", "$lib": "web", **version}


def _posthog(event: Event) -> dict[str, Any]:
    return {
        "uuid": event.id,
        "event": "$exception" if event.is_error else event.name,
        "timestamp": event.at,
        "properties": _posthog_properties(event),
    }


def _posthog_site(event: Event) -> dict[str, Any]:
    """As JSON lines are read whose properties became structs: without what no event has."""
    return {**_posthog(event), "properties": {"$lib": "web", "$lib_version": event.version}}


def _posthog_parquet(event: Event) -> dict[str, Any]:
    row = _posthog(event)
    arrived = {"created_at": event.arrived, "_inserted_at": event.arrived}
    return {**row, **arrived, "properties": json.dumps(row["properties"])}


# Google Analytics 4: "[GA4] BigQuery Export schema".

_GA4 = _columns(
    "event_date text, event_timestamp int, event_name text, event_params params, event_previous_timestamp int,"
    "event_value_in_usd float, event_bundle_sequence_id int, event_server_timestamp_offset int, user_id text,"
    "user_pseudo_id text, privacy_info json, user_properties params, user_first_touch_timestamp int, user_ltv json,"
    "device json, geo json, app_info app, traffic_source json, stream_id text, platform text, event_dimensions json,"
    "ecommerce json, items json, collected_traffic_source json, is_active_user bool, batch_event_index int,"
    "batch_page_id int, batch_ordering_id int, session_traffic_source_last_click json, publisher json"
)


def _ga4(event: Event) -> dict[str, Any]:
    return {
        "event_date": event.at.strftime("%Y%m%d"),
        "event_timestamp": (event.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1),
        "event_name": "app_exception" if event.is_error else event.name.replace(" ", "_"),
        "app_info": {**FILLERS["app"], "version": event.version},
    }


# CloudEvents: spec.md, "Context Attributes", and extensions/severity.md.

_CLOUDEVENTS = _columns(
    "id text, source text, specversion text, type text, datacontenttype text, dataschema text, subject text,"
    "time text, data json_text"
)


def _cloudevents(event: Event) -> dict[str, Any]:
    zone = "Z" if event.number % 2 else "+00:00"
    return {
        "id": str(event.number // 2),
        "source": "/shop" if event.number % 2 else "/crew",
        "specversion": "1.0",
        "type": f"com.example.{event.name.replace(' ', '.')}",
        "time": event.at.replace(tzinfo=None).isoformat() + zone,
    }


def _extended_cloudevents(event: Event) -> dict[str, Any]:
    return {
        **_cloudevents(event),
        "serviceversion": event.version,
        "severitynumber": _SEVERITIES[event.is_error],
    }


# Mozilla: docs.telemetry.mozilla.org, "Glean Data", and bigquery-etl's events_stream.

_EVENTS_STREAM = _columns(
    "submission_timestamp tz, client_id text, sample_id small, document_id text, client_info client, ping_info ping,"
    "metadata json, normalized_app_id text, normalized_app_name text, normalized_channel text,"
    "normalized_country_code text, normalized_os text, normalized_os_version text, reason text, experiments json,"
    "event_timestamp tz, event_category text, event_name text, event text, event_extra json"
)
_PING = _columns(
    "additional_properties text, client_info client, document_id text, metadata json, metrics json,"
    "normalized_app_name text, normalized_channel text, normalized_country_code text, normalized_os text,"
    "normalized_os_version text, ping_info ping, sample_id small, submission_timestamp tz"
)


def _ping(event: Event) -> dict[str, Any]:
    return {
        "document_id": event.id,
        "submission_timestamp": event.at,
        "client_info": {**FILLERS["client"], "app_display_version": event.version},
    }


def _stream(event: Event) -> dict[str, Any]:
    more = {"event_timestamp": event.at, "event_category": "shop", "event_name": event.name}
    return {**_ping(event), **more, "submission_timestamp": event.arrived}


LAYOUTS = (
    Layout("otel_logs", "opentelemetry", _OTEL, _otel, has_unknown_errors=True),
    Layout(
        "otel_logs_with_event_name",
        "opentelemetry",
        {**_OTEL, "EventName": "text"},
        lambda event: {**_otel(event), "EventName": event.name},
        has_unknown_errors=True,
    ),
    Layout(
        "otel_logs_json",
        "opentelemetry",
        _without(
            {**_OTEL, "ResourceAttributes": "json", "ScopeAttributes": "json", "LogAttributes": "json"}, "TimestampTime"
        )
        | _columns("ResourceAttributesKeys texts, ScopeAttributesKeys texts, LogAttributesKeys texts"),
        lambda event: {name: value for name, value in _otel(event).items() if name != "TimestampTime"},
        has_unknown_errors=True,
        own_types={"clickhouse": dict.fromkeys(("ResourceAttributes", "ScopeAttributes", "LogAttributes"), "JSON")},
    ),
    Layout(
        "otel_logs_in_lower_case",
        "opentelemetry",
        {name.lower(): kind for name, kind in _OTEL.items()},
        lambda event: {name.lower(): value for name, value in _otel(event).items()},
        has_unknown_errors=True,
    ),
    Layout(
        "otel_flattened",
        "opentelemetry",
        _columns(
            "log.record.uid text, timestamp ns, observed_timestamp ns, severity_number small, severity_text text,"
            "event_name text, body text, trace_id text, service.version text, service.name text"
        ),
        _otel_flat,
        has_unknown_errors=True,
    ),
    Layout(
        "otlp_records",
        "opentelemetry",
        _columns(
            "timeUnixNano int, observedTimeUnixNano int, severityNumber small, severityText text, eventName text,"
            "body json, traceId text, spanId text, resource json"
        ),
        _otlp,
        has_unknown_errors=True,
    ),
    Layout("segment_tracks", "segment", _SEGMENT, _tracks),
    Layout("segment_tracks_of_a_site", "segment", _without(_SEGMENT, "context_app_version"), _web_tracks),
    Layout(
        "segment_order_completed",
        "segment",
        {**_in_upper_case(_SEGMENT), "ORDER_ID": "text", "REVENUE": "float"},
        _upper(_tracks),
    ),
    Layout("rudderstack_tracks", "rudderstack", {**_SEGMENT, "channel": "text"}, _tracks),
    Layout(
        "rudderstack_server_tracks",
        "rudderstack",
        _without(_SEGMENT, "context_app_version", "context_library_version", "context_library_name"),
        lambda event: {name: value for name, value in _tracks(event).items() if name != "context_app_version"},
        has_versions=False,
    ),
    Layout("snowplow_web", "snowplow", _SNOWPLOW, _snowplow_web),
    Layout("snowplow_mobile", "snowplow", {**_SNOWPLOW, _MOBILE: "contexts"}, _snowplow_mobile),
    Layout("snowplow_mobile_json", "snowplow", {**_SNOWPLOW, _MOBILE: "json"}, _snowplow_mobile),
    Layout("snowplow_before_2016", "snowplow", _OLD_SNOWPLOW, _old_snowplow),
    Layout("posthog_parquet", "posthog", _POSTHOG_PARQUET, _posthog_parquet),
    Layout("posthog_table", "posthog", _POSTHOG_TABLE, _posthog),
    Layout("posthog_struct", "posthog", {**_POSTHOG_TABLE, "properties": "properties"}, _posthog_site),
    Layout("ga4", "ga4", _GA4, _ga4),
    Layout("ga4_json", "ga4", {**_GA4, "app_info": "json", "event_params": "json"}, _ga4),
    Layout("cloudevents", "cloudevents", _CLOUDEVENTS, _cloudevents, has_versions=False, has_errors=False),
    Layout(
        "cloudevents_with_extensions",
        "cloudevents",
        {**_CLOUDEVENTS, "serviceversion": "text", "severitynumber": "small", "severitytext": "text"},
        _extended_cloudevents,
        has_unknown_errors=True,
    ),
    Layout("glean_events", "mozilla", _EVENTS_STREAM, _stream, has_errors=False),
    Layout("glean_ping", "mozilla", _PING, _ping, has_errors=False),
)
