"""The pages that are written, by their names."""

from __future__ import annotations

from pathlib import Path

from telemetry_quality_tests.reference import api, command_line, dagster_names, guardrails, reason_codes, tables

DOCS = Path(__file__).parents[2] / "docs"

PAGES = {
    "reference/command-line": command_line.written,
    "reference/api": api.written,
    "reference/dagster": dagster_names.written,
    "reference/guardrails": guardrails.written,
    "reference/numbers": guardrails.numbers,
    "quick-reference": guardrails.quick_reference,
    "reference/reason-codes": reason_codes.written,
    "reference/tables": tables.written,
}
