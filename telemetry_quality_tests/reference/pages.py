"""The pages that are written, by their names."""

from __future__ import annotations

from pathlib import Path

from telemetry_quality_tests.reference import api, command_line, dagster_names, reason_codes, tables

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

PAGES = {
    "command-line": command_line.written,
    "api": api.written,
    "dagster": dagster_names.written,
    "reason-codes": reason_codes.written,
    "tables": tables.written,
}
