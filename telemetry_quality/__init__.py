"""Know every morning, and for any past day, whether a day of telemetry can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

__all__ = [
    "Settings",
    "TelemetryHealthService",
    "TelemetryIntegritySnapshot",
    "health_service",
    "load_settings",
    "load_snapshots",
    "load_training_days",
    "load_trusted_days",
]

if TYPE_CHECKING:
    from telemetry_quality.assembly import health_service
    from telemetry_quality.core.health import TelemetryHealthService
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.frames import load_snapshots, load_training_days, load_trusted_days
    from telemetry_quality.settings import Settings, load_settings

_HOMES = {
    "Settings": "telemetry_quality.settings",
    "TelemetryHealthService": "telemetry_quality.core.health",
    "TelemetryIntegritySnapshot": "telemetry_quality.core.snapshots",
    "health_service": "telemetry_quality.assembly",
    "load_settings": "telemetry_quality.settings",
    "load_snapshots": "telemetry_quality.frames",
    "load_training_days": "telemetry_quality.frames",
    "load_trusted_days": "telemetry_quality.frames",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import telemetry_quality`` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOMES[name]), name)
