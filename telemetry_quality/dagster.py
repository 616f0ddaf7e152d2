"""What a Dagster deployment adds to its own definitions; importing this reads no file and no environment.

``definitions`` is a code location of its own instead. docs/how-to/existing-dagster.md shows both. ``dg`` finds
the component here by an entry point.
"""

from telemetry_quality.orchestration.building import build_definitions
from telemetry_quality.orchestration.component import TelemetryQualityComponent
from telemetry_quality.orchestration.conditions import trusted_days_condition

__all__ = ["TelemetryQualityComponent", "build_definitions", "trusted_days_condition"]
