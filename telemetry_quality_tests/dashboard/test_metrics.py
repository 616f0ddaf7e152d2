"""``/metrics``, read as Prometheus' own parser reads it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from telemetry_quality.core.gauges import GAUGES
from telemetry_quality.dashboard.durations import OTHER, REQUEST_DURATION, RequestDurations, Timed
from telemetry_quality.dashboard.metrics import OWN
from telemetry_quality.storage.staff.tokens import Scope, fingerprint, new_token
from telemetry_quality_tests.dashboard.desk import YESTERDAY, Desk, keep, open_desk
from telemetry_quality_tests.dashboard.test_error_shape import break_store, error_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric
    from starlette.types import Message, Receive, Send
    from starlette.types import Scope as HttpScope

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Two sources: ``web`` had errors yesterday, and ``app`` was never judged."""
    desk = open_desk(tmp_path, "web", "app")
    keep(desk.store, YESTERDAY - timedelta(days=1))
    keep(desk.store, YESTERDAY, error_events=80, error_rate_percent=8.0, expected_events=None)
    yield desk
    desk.close()


def families(desk: Desk) -> dict[str, Metric]:
    """What Prometheus reads from ``/metrics``."""
    response = desk.ask("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(response.text)}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    """The only sample of a metric with these labels."""
    (sample,) = [sample for sample in found[name].samples if labels.items() <= sample.labels.items()]
    return float(sample.value)


def test_prometheus_reads_the_numbers_of_the_newest_day_of_every_source(desk: Desk) -> None:
    found = families(desk)
    assert value(found, "telemetry_quality_store_is_readable") == 1
    assert value(found, "telemetry_quality_day_status", source="web", status="unhealthy") == 1
    assert value(found, "telemetry_quality_day_status", source="web", status="healthy") == 0
    assert value(found, "telemetry_quality_day_status", source="app", status="unknown") == 1
    assert value(found, "telemetry_quality_day_error_rate_ratio") == pytest.approx(0.08)
    assert value(found, "telemetry_quality_day_total_events", source="web") == 1000
    assert value(found, "telemetry_quality_open_incidents", source="web", level="CRITICAL", state="raised") == 1
    assert value(found, "telemetry_quality_day_is_overdue", source="app") == 1
    assert value(found, "telemetry_quality_snapshots_missing", source="web") == 37
    assert found["telemetry_quality_day_expected_events"].samples == []


def test_the_metrics_are_those_that_are_declared_and_documented(desk: Desk) -> None:
    desk.ask("/metrics")
    found = {name.removesuffix("_created") for name in families(desk)}
    assert found == {gauge.name for gauge in GAUGES} | OWN.keys()
    rows = re.findall(r"^\| `(telemetry_quality_\w+)` \| (.*?) \| (.*?) \|$", DOCS.read_text(), flags=re.MULTILINE)
    written = {name: (labels, meaning) for name, labels, meaning in rows}
    assert len(written) == len(rows)
    declared = {gauge.name: (", ".join(f"`{label}`" for label in gauge.labels), gauge.description) for gauge in GAUGES}
    own = {name: (written[name][0], text) for name, text in OWN.items()}
    assert written == declared | own


def test_a_token_of_the_scope_metrics_reads_the_metrics_and_nothing_else(desk: Desk) -> None:
    access, text = desk.dashboard.access, new_token()
    account = access.staff.require_account("ada")
    access.staff.add_token(account.id, "prometheus", fingerprint(text), desk.now, 365, scopes=[Scope.METRICS])
    headers = {"Authorization": f"Bearer {text}"}
    assert desk.ask("/metrics", headers=headers).status_code == 200
    error_of(desk.ask("/api/health/summary/", headers=headers), 403, "TOKEN_OUT_OF_SCOPE")
    error_of(desk.ask("/metrics", headers=desk.by_token), 403, "TOKEN_OUT_OF_SCOPE")
    error_of(desk.ask("/metrics", headers={"Accept": "*/*"}), 401, "SIGN_IN_REQUIRED")


def test_while_the_store_cannot_be_read_nothing_is_said_about_any_source(desk: Desk) -> None:
    families(desk)
    break_store(desk)
    found = families(desk)
    assert value(found, "telemetry_quality_store_is_readable") == 0
    assert {sample.name for family in found.values() for sample in family.samples if "source" in sample.labels} == set()


def test_a_source_that_is_no_longer_in_the_settings_is_not_exported(desk: Desk) -> None:
    keep(desk.store, YESTERDAY, "retired")
    text = desk.ask("/metrics").text
    assert "web" in text
    assert "retired" not in text


def test_requests_are_counted_by_the_declared_address_whatever_clients_ask_for(desk: Desk) -> None:
    for path in (
        "/health/snapshots/web/2026-03-11/",
        "/health/snapshots/web/2026-03-10/",
        "/healthz",
        "/no/such",
        "/x",
    ):
        desk.ask(path)
    found = families(desk)[REQUEST_DURATION].samples
    counted = {
        (sample.labels["route"], sample.labels["code"]): sample.value
        for sample in found
        if sample.name.endswith("_count")
    }
    assert counted == {
        ("/health/snapshots/{source}/{day}/", "2xx"): 2,
        ("/healthz", "2xx"): 1,
        (OTHER, "4xx"): 2,
    }


def test_a_request_takes_until_its_response_has_been_sent_and_an_error_counts_as_5xx() -> None:
    ticks = iter([10.0, 10.3, 20.0, 24.0])

    async def app(scope: HttpScope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/metrics":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            return
        raise RuntimeError("the application failed")

    async def nothing(*_: Message) -> Any:
        return {}

    durations = RequestDurations()
    timed = Timed(app, durations=durations, timer=lambda: next(ticks))
    anyio.run(timed, {"type": "http", "path": "/metrics"}, nothing, nothing)
    with pytest.raises(RuntimeError, match="the application failed"):
        anyio.run(timed, {"type": "http", "path": "/health/"}, nothing, nothing)

    def measured(route: str, code: str) -> float | None:
        return durations.registry.get_sample_value(f"{REQUEST_DURATION}_sum", {"route": route, "code": code})

    assert measured("/metrics", "2xx") == pytest.approx(0.3)
    assert measured("/health/", "5xx") == pytest.approx(4.0)


def test_no_value_of_an_event_becomes_a_label(desk: Desk) -> None:
    """Names, versions and dimensions come from whoever can send an event, and are unbounded."""
    desk.ask("/health/")
    labels = {name for family in families(desk).values() for sample in family.samples for name in sample.labels}
    assert labels == {"source", "status", "level", "state", "version", "route", "code", "le"}
