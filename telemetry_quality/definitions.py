"""The code location: everything that Dagster loads by itself; the only module named in workspace.yaml."""

from __future__ import annotations

import dagster as dg

from telemetry_quality.dagster import build_definitions
from telemetry_quality.settings import load_settings

defs = dg.Definitions.merge(
    build_definitions(load_settings(), name_prefix=""),
    # Backfills that are started from an asset's page run in one process too, as our jobs do.
    dg.Definitions(executor=dg.in_process_executor),
)
