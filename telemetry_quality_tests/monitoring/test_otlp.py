"""Metrics pushed by OTLP, decoded by the protocol's own messages at a collector that is a stub."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from telemetry_quality.assembly import push_metrics
from telemetry_quality.core.gauges import DAY_STATUS, Sample
from telemetry_quality.dagster import build_definitions
from telemetry_quality.errors import SettingsError
from telemetry_quality.monitoring.otlp import OtlpCollector
from telemetry_quality.orchestration.metrics import build_metrics_sensors
from telemetry_quality.orchestration.names import Names
from telemetry_quality.orchestration.resources import TelemetryResource
from telemetry_quality.settings import OtlpSettings, load_settings
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.dashboard.desk import YESTERDAY, keep, open_desk
from telemetry_quality_tests.monitoring.receiver import SECRET, closed_port, receiving, silence
from telemetry_quality_tests.orchestration.station import make_station

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.settings import Settings
    from telemetry_quality_tests.monitoring.receiver import Received

SAMPLES = [Sample(DAY_STATUS, ("web", "healthy"), 1.0)]
Samples = set[tuple[str, tuple[tuple[str, str], ...], float]]


def decoded(request: Received) -> ExportMetricsServiceRequest:
    assert request.path == "/v1/metrics"
    assert request.headers["content-type"] == "application/x-protobuf"
    message = ExportMetricsServiceRequest()
    message.ParseFromString(request.body)
    return message


def samples_in(message: ExportMetricsServiceRequest) -> Samples:
    """The samples by name and labels, as a collector sees them."""
    (of_resource,) = message.resource_metrics
    (of_scope,) = of_resource.scope_metrics
    return {
        (
            metric.name,
            tuple(sorted((label.key, label.value.string_value) for label in point.attributes)),
            point.as_double,
        )
        for metric in of_scope.metrics
        for point in metric.gauge.data_points
    }


def test_the_collector_gets_the_samples_that_the_dashboard_shows(tmp_path: Path) -> None:
    desk = open_desk(tmp_path, "web", "app")
    keep(desk.store, YESTERDAY - timedelta(days=1))
    keep(desk.store, YESTERDAY, error_events=80, error_rate_percent=8.0, expected_events=None)
    shown = {
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(desk.ask("/metrics").text)
        for sample in family.samples
        if "source" in sample.labels
    }
    with receiving() as receiver:
        otlp = OtlpSettings(endpoint=receiver.url, headers={"api-key": SECRET})
        failure = push_metrics(desk.settings.model_copy(update={"otlp": otlp}), desk.now)
    desk.close()
    assert failure is None
    (request,) = receiver.received
    assert request.headers["api-key"] == SECRET
    message = decoded(request)
    assert samples_in(message) == shown
    assert len(shown) > 40
    (of_resource,) = message.resource_metrics
    assert {label.key: label.value.string_value for label in of_resource.resource.attributes}["service.name"] == (
        "telemetry-quality"
    )
    metrics = of_resource.scope_metrics[0].metrics
    units = {metric.name.removeprefix("telemetry_quality_"): metric.unit for metric in metrics}
    assert (units["day_error_rate_ratio"], units["day_age_seconds"], units["day_total_events"]) == ("1", "s", "{event}")
    assert {point.time_unix_nano for metric in metrics for point in metric.gauge.data_points} == {
        int(desk.now.timestamp()) * 10**9
    }


@pytest.mark.parametrize("path", ["", "/", "/v1/metrics", "/v1/metrics/"])
def test_the_path_of_the_signal_is_appended_to_the_endpoint_once(path: str) -> None:
    with receiving() as receiver:
        assert OtlpCollector(f"{receiver.url}/otlp{path}", {}, 10).push(SAMPLES, NOW) is None
    assert [request.path for request in receiver.received] == ["/otlp/v1/metrics"]


def test_a_push_that_fails_is_one_sentence_without_a_secret_and_no_redirect_is_followed() -> None:
    headers = {"api-key": SECRET}
    with receiving() as receiver, receiving() as elsewhere, silence() as silent:
        receiver.status = 401
        refused = OtlpCollector(f"{receiver.url}/{SECRET}", headers, 10).push(SAMPLES, NOW)
        receiver.status, receiver.location = 302, f"{elsewhere.url}/v1/metrics"
        redirected = OtlpCollector(receiver.url, headers, 10).push(SAMPLES, NOW)
        down = OtlpCollector(closed_port(), headers, 10).push(SAMPLES, NOW)
        hanging = OtlpCollector(silent, headers, 0.1).push(SAMPLES, NOW)
    sentence = "The metrics could not be pushed to 127.0.0.1 ({}); the next push sends newer numbers."
    assert refused == sentence.format("status 401")
    assert redirected == sentence.format("status 302")
    assert down == sentence.format("ConnectionRefusedError")
    assert hanging == sentence.format("no response within 0.1 seconds")
    assert elsewhere.received == []
    assert SECRET not in repr(OtlpCollector(f"https://{SECRET}", headers, 1))


def test_without_the_extra_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "telemetry_quality.monitoring.otlp_messages", None)
    sentence = OtlpCollector("http://127.0.0.1", {}, 1).push(SAMPLES, NOW)
    assert sentence is not None
    assert 'pip install "telemetry-quality[otlp]"' in sentence


def test_a_store_that_cannot_be_read_is_one_sentence_and_nothing_is_pushed(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    desk.close()
    with receiving() as receiver:
        settings = desk.settings.model_copy(
            update={"store": f"sqlite:///{tmp_path}/none.db", "otlp": OtlpSettings(endpoint=receiver.url)}
        )
        sentence = push_metrics(settings, NOW)
    assert sentence is not None
    assert sentence.startswith("The metrics could not be pushed: ")
    assert receiver.received == []


def test_the_sensor_pushes_and_a_collector_that_is_down_fails_nothing(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    with receiving() as receiver:
        settings = station.settings.model_copy(update={"otlp": OtlpSettings(endpoint=receiver.url)})
        (sensor,) = build_metrics_sensors(Names(), settings)
        with dg.build_sensor_context(resources={"telemetry": TelemetryResource(settings, lambda: NOW)}) as context:
            pushed = sensor.evaluate_tick(context)
            receiver.status = 503
            failed = sensor.evaluate_tick(context)
    assert pushed.skip_message == "The metrics were pushed."
    assert "status 503" in str(failed.skip_message)
    assert len(receiver.received) == 2
    assert (DAY_STATUS.name, (("source", "web"), ("status", "unknown")), 1.0) in samples_in(
        decoded(receiver.received[0])
    )
    assert [sensor.name for sensor in _sensors(settings)].count("metrics_sensor") == 1


def _sensors(settings: Settings) -> list[dg.SensorDefinition]:
    return list(build_definitions(settings, name_prefix="").get_repository_def().sensor_defs)


def test_without_an_endpoint_there_is_no_sensor(tmp_path: Path) -> None:
    station = make_station(tmp_path, days=0)
    assert "metrics_sensor" not in [sensor.name for sensor in _sensors(station.settings)]
    assert push_metrics(station.settings, NOW) is None


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        (f'endpoint = "collector/{SECRET}"', "must be an address"),
        (f'endpoint = "https://ada:{SECRET}@collector"', "must be an address"),
        (f'headers = {{ "api key" = "{SECRET}" }}', "must be names and values of HTTP headers"),
        (f'headers = {{ api-key = "{SECRET}\\n" }}', "must be names and values of HTTP headers"),
        (f'headers = [ "{SECRET}" ]', "otlp.headers"),
    ],
)
def test_a_wrong_setting_is_one_sentence_without_its_secret(tmp_path: Path, setting: str, allowed: str) -> None:
    make_station(tmp_path, days=0)
    file = tmp_path / "telemetry.toml"
    file.write_text(f"{file.read_text()}\n[otlp]\n{setting}\n")
    with pytest.raises(SettingsError) as raised:
        load_settings(file)
    assert allowed in str(raised.value)
    assert SECRET not in str(raised.value)


def test_headers_may_come_from_one_variable_as_opentelemetry_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_station(tmp_path, days=0)
    monkeypatch.setenv("TELEMETRY_QUALITY_OTLP__HEADERS", f"api-key={SECRET}==, x-tenant=web")
    settings = load_settings(tmp_path / "telemetry.toml")
    assert settings.otlp.headers == {"api-key": f"{SECRET}==", "x-tenant": "web"}
    assert SECRET not in repr(settings)
