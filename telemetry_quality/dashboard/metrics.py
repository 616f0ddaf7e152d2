"""``/metrics``: the gauges of every source, and how this dashboard itself is doing, in Prometheus' text format.

Everything comes from the state in RAM, so that a fetch costs about as much as a page. While the store cannot be read,
no source has samples. Labels are bounded: sources are those of the settings, routes the declared addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from telemetry_quality import __version__
from telemetry_quality.core.gauges import GAUGES, PREFIX, WatchedSource, samples_of
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.durations import DURATION_DESCRIPTION, REQUEST_DURATION
from telemetry_quality.dashboard.gaps import gaps_in
from telemetry_quality.dashboard.parameters import (
    INSIDE,
    NO_PARAMETERS,
    STAFF_AND_FEED_READERS,
    TO_SIGN_IN,
    answers,
    refused_beside,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings

TEXT = "text/plain; version=0.0.4; charset=utf-8"

STORE_READABLE = f"{PREFIX}_store_is_readable"
BUILD = f"{PREFIX}_build_info"

OWN = {
    STORE_READABLE: "1 if the dashboard can read the store, else 0; without it there are no samples of sources.",
    BUILD: "1, with the version of the dashboard.",
    REQUEST_DURATION: DURATION_DESCRIPTION,
}
"""The metrics of the dashboard itself."""

router = APIRouter(tags=["metrics"])


class MetricsResponse(Response):
    """Metrics in Prometheus' text format."""

    media_type = TEXT


@answers(
    router,
    "/metrics",
    response_class=MetricsResponse,
    dependencies=[*STAFF_AND_FEED_READERS, NO_PARAMETERS],
    responses=refused_beside(*INSIDE) | TO_SIGN_IN,
)
async def metrics(request: Request) -> Response:
    """The numbers of every source and of the dashboard itself, for Prometheus."""
    dashboard = dashboard_of(request)
    state = await dashboard.state()
    exposed = CollectorRegistry(auto_describe=False)
    exposed.register(StateCollector(state, dashboard.settings, dashboard.clock()))
    return MetricsResponse(generate_latest(exposed) + generate_latest(dashboard.durations.registry))


class StateCollector(Collector):
    """The gauges of a state as Prometheus' client collects them."""

    def __init__(self, state: DashboardState, settings: Settings, now: datetime) -> None:
        self._state = state
        self._settings = settings
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All metrics but the histogram."""
        is_readable = self._state.trouble is None
        yield _with_one_sample(STORE_READABLE, {}, float(is_readable))
        yield _with_one_sample(BUILD, {"version": __version__}, 1)
        families = {gauge: GaugeMetricFamily(gauge.name, gauge.description, labels=gauge.labels) for gauge in GAUGES}
        for gauge, labels, value in samples_of(self._watched() if is_readable else (), self._now):
            families[gauge].add_metric(labels, value)
        yield from families.values()

    def _watched(self) -> Iterator[WatchedSource]:
        state = self._state
        for name, source in self._settings.sources.items():
            gaps = gaps_in(state, self._settings, name, self._now)
            newest = None if gaps.newest is None else state.index.current(name, gaps.newest)
            yield WatchedSource(source.calendar(), gaps, newest, state.incidents.get(name, ()))


def _with_one_sample(name: str, labels: dict[str, str], value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, OWN[name], labels=tuple(labels))
    family.add_metric(tuple(labels.values()), value)
    return family
