"""What a careful user types with DuckDB: one query for the counts; ``sample`` draws 100 events with a second."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import duckdb

from peers.protocol import ERROR_PERCENT, MISSING_VERSION_PERCENT, answer

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = """
    SELECT count(*), count(*) FILTER (severity >= 17), count(*) - count(app_version), count(*) - count(event_name)
    FROM events
"""
SAMPLE = "SELECT event_id, event_name, app_version FROM events USING SAMPLE reservoir(100 ROWS)"


def load(file: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.read_parquet(str(file)).create_view("events")
    return connection


def check(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    with connection:
        ((rows, errors, without_version, without_name),) = connection.execute(COUNTS).fetchall()
        verdicts: dict[str, object] = {
            "rows": rows > 0,
            "error_rate": 100 * errors <= ERROR_PERCENT * rows,
            "missing_version": 100 * without_version <= MISSING_VERSION_PERCENT * rows,
            "missing_name": without_name == 0,
        }
        if "sample" in sys.argv:
            sample = connection.execute(SAMPLE).fetchall()
            verdicts["sample"] = sum(None not in event for event in sample)
    return verdicts


answer(load, check)
