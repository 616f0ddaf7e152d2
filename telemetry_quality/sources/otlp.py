"""OTLP/JSON, as the OpenTelemetry collector's file exporter writes it: many log records in each line.

Each record becomes a row with the columns that the collector's ClickHouse exporter has, so that the same roles fit.
Source: opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import glob
from collections import defaultdict
from functools import reduce
from typing import TYPE_CHECKING, ClassVar

import duckdb

from telemetry_quality.sources.text_formats import FILE, JsonLines, TextFormat, layout_of, rows_of_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from telemetry_quality.sources.text_formats import Condition, JsonLayout

_ATTRIBUTES = 'STRUCT("key" VARCHAR, "value" JSON)[]'
_RECORD = (
    "STRUCT(timeUnixNano VARCHAR, observedTimeUnixNano VARCHAR, severityNumber VARCHAR, severityText VARCHAR,"
    f" eventName VARCHAR, body JSON, attributes {_ATTRIBUTES}, traceId VARCHAR, spanId VARCHAR)"
)
_SCOPE = f'STRUCT("name" VARCHAR, "version" VARCHAR, attributes {_ATTRIBUTES})'
_SIGNALS = {
    "resourceLogs": (
        f"STRUCT(resource STRUCT(attributes {_ATTRIBUTES}),"
        f" scopeLogs STRUCT(scope {_SCOPE}, logRecords {_RECORD}[])[])[]"
    ),
    "resourceSpans": "JSON",
    "resourceMetrics": "JSON",
}
"""What a line may hold; only logs are events."""

_LOGS = (
    "CASE WHEN coalesce(to_json(resourceLogs), resourceSpans, resourceMetrics) IS NULL"
    " THEN error('a line is no OTLP') ELSE resourceLogs END"
)


def _nanoseconds(value: str) -> str:
    """A time, which is a number in a text; 0 stands for none."""
    return f"nullif(try_cast({value} AS BIGINT), 0)"


def _value(value: str) -> str:
    """A value of any type as text; lists and maps as JSON."""
    kinds = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue", "arrayValue", "kvlistValue")
    return f"coalesce({', '.join(f'{value}->>{kind!r}' for kind in kinds)})"


def _map(attributes: str) -> str:
    """A list of attributes as a map; of those with the same key the first."""
    keys = f"list_transform({attributes}, lambda a: a.key)"
    first = f"list_filter({attributes}, lambda a, i: a.key IS NOT NULL AND list_position({keys}, a.key) = i)"
    entries = f"list_transform({first}, lambda a: {{'key': a.key, 'value': {_value('a.value')}}})"
    return f"map_from_entries(coalesce({entries}, []))"


_COLUMNS = {
    # Like the exporter: a record without a time happened when it was observed.
    "TimeUnixNano": ("BIGINT", f"coalesce({_nanoseconds('l.timeUnixNano')}, {_nanoseconds('l.observedTimeUnixNano')})"),
    "ObservedTimeUnixNano": ("BIGINT", _nanoseconds("l.observedTimeUnixNano")),
    "SeverityNumber": ("INTEGER", "coalesce(try_cast(l.severityNumber AS INTEGER), 0)"),
    "SeverityText": ("VARCHAR", "coalesce(l.severityText, '')"),
    "EventName": ("VARCHAR", "coalesce(l.eventName, '')"),
    "Body": ("VARCHAR", _value("l.body")),
    "LogAttributes": ("MAP(VARCHAR, VARCHAR)", _map("l.attributes")),
    "ResourceAttributes": ("MAP(VARCHAR, VARCHAR)", _map("resource.attributes")),
    "ServiceName": ("VARCHAR", f"coalesce({_map('resource.attributes')}['service.name'], '')"),
    "ScopeName": ("VARCHAR", "coalesce(scope.name, '')"),
    "ScopeVersion": ("VARCHAR", "coalesce(scope.version, '')"),
    "ScopeAttributes": ("MAP(VARCHAR, VARCHAR)", _map("scope.attributes")),
    "TraceId": ("VARCHAR", "coalesce(l.traceId, '')"),
    "SpanId": ("VARCHAR", "coalesce(l.spanId, '')"),
}
"""Type and expression of each column, by its name in the ClickHouse exporter's table."""


class OtlpLogs(TextFormat):
    """The log records in lines of OTLP/JSON."""

    names = JsonLines.names
    has_header = True
    kinds: ClassVar[Mapping[str, Condition]] = {"present": lambda value: value.is_not(None)}

    def columns(self, connection: DuckDBPyConnection, path: str) -> tuple[str, ...]:
        """Those of every log record."""
        del connection, path
        return tuple(_COLUMNS)

    def raw(self, connection: DuckDBPyConnection, paths: Sequence[str], columns: Iterable[str]) -> DuckDBPyRelation:
        """A row for each log record."""
        return self.typed(connection, paths, {name: _COLUMNS[name][0] for name in columns if name in _COLUMNS})

    def typed(self, connection: DuckDBPyConnection, paths: Sequence[str], types: Mapping[str, str]) -> DuckDBPyRelation:
        """A row for each log record."""
        alike: defaultdict[JsonLayout, list[str]] = defaultdict(list)
        for path in paths:
            alike[layout_of(path)].append(glob.escape(path))
        lines = reduce(
            duckdb.DuckDBPyRelation.union,
            (rows_of_json(connection, group, layout, _SIGNALS) for layout, group in alike.items()),
        )
        resources = lines.select(f'"{FILE}", unnest({_LOGS}) AS r')
        scopes = resources.select(f'"{FILE}", r.resource AS resource, unnest(r.scopeLogs) AS s')
        records = scopes.select(f'"{FILE}", resource, s.scope AS scope, unnest(s.logRecords) AS l')
        columns = [f'{_COLUMNS[name][1]} AS "{name}"' for name in types]
        return records.select(", ".join([*columns, f'"{FILE}"']))

    def kinds_of(self, counts: Mapping[str, int]) -> frozenset[str]:
        """Whether there is any value."""
        return frozenset(kind for kind, count in counts.items() if count)

    def type_of(self, name: str, kinds: Sequence[frozenset[str]]) -> str:
        """The type that OTLP gives it."""
        del kinds
        return _COLUMNS[name][0] if name in _COLUMNS else "VARCHAR"
