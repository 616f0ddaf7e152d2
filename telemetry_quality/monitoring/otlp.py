"""OTLP: the samples of all gauges, pushed to an OpenTelemetry collector by HTTP with protobuf (OTLP 1.x).

One request, once: whoever calls pushes again soon anyway, and then with newer numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import Request

from telemetry_quality.addresses import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from telemetry_quality.core.gauges import Sample

SIGNAL_PATH = "/v1/metrics"
"""Appended to the endpoint, as the specification says of OTEL_EXPORTER_OTLP_ENDPOINT."""

EXTRA_MISSING = 'the extra "otlp" is not installed; run pip install "telemetry-quality[otlp]"'


@dataclass(frozen=True)
class OtlpCollector:
    """Where the samples are pushed to.

    Attributes:
        endpoint: The address of the collector, such as ``https://collector:4318``.
        headers: Sent with each request; may hold a key.
        timeout_seconds: How long to wait at most, whatever the network does.
    """

    endpoint: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    timeout_seconds: float

    def push(self, samples: Iterable[Sample], now: datetime) -> str | None:
        """Push samples; a sentence if that failed, which is no reason to fail anything else."""
        try:
            from telemetry_quality.monitoring.otlp_messages import encoded  # noqa: PLC0415 - needs the extra
        except ImportError:
            return f"The metrics could not be pushed: {EXTRA_MISSING}."
        headers = {"User-Agent": "telemetry-quality", **self.headers, "Content-Type": "application/x-protobuf"}
        request = Request(self._address, encoded(samples, now), headers)  # noqa: S310 - the settings allow http(s) only
        failure = failure_of(request, self.timeout_seconds)
        if failure is None:
            return None
        host = urlsplit(self.endpoint).hostname
        return f"The metrics could not be pushed to {host} ({failure}); the next push sends newer numbers."

    @property
    def _address(self) -> str:
        parts = urlsplit(self.endpoint)
        return parts._replace(path=parts.path.rstrip("/").removesuffix(SIGNAL_PATH) + SIGNAL_PATH).geturl()
