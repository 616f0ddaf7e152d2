"""The messages of OTLP; imported only if metrics are pushed, because the protocol's package is an extra."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from telemetry_quality.core.gauges import PREFIX
from telemetry_quality.monitoring import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from telemetry_quality.core.gauges import Gauge, Sample

SERVICE = "telemetry-quality"


def encoded(samples: Iterable[Sample], now: datetime) -> bytes:
    """The samples as the body of a request: one metric per gauge, one point per sample."""
    points: dict[Gauge, list[metrics_pb2.NumberDataPoint]] = defaultdict(list)
    for sample in samples:
        points[sample.gauge].append(_point(sample, now))
    of_scope = metrics_pb2.ScopeMetrics(
        scope=InstrumentationScope(name=PREFIX, version=VERSION),
        metrics=[_metric(gauge, found) for gauge, found in points.items()],
    )
    resource = Resource(attributes=[_attribute("service.name", SERVICE), _attribute("service.version", VERSION)])
    of_resource = metrics_pb2.ResourceMetrics(resource=resource, scope_metrics=[of_scope])
    body: bytes = ExportMetricsServiceRequest(resource_metrics=[of_resource]).SerializeToString()
    return body


def _metric(gauge: Gauge, points: Iterable[metrics_pb2.NumberDataPoint]) -> metrics_pb2.Metric:
    return metrics_pb2.Metric(
        name=gauge.name,
        description=gauge.description,
        unit=gauge.unit,
        gauge=metrics_pb2.Gauge(data_points=points),
    )


def _point(sample: Sample, now: datetime) -> metrics_pb2.NumberDataPoint:
    return metrics_pb2.NumberDataPoint(
        attributes=[_attribute(*label) for label in zip(sample.gauge.labels, sample.labels, strict=True)],
        time_unix_nano=int(now.timestamp()) * 10**9,
        as_double=sample.value,
    )


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
