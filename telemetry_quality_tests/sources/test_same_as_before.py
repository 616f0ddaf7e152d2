"""A day keeps its hash from version to version: an upgrade does not change a day."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan
from telemetry_quality.core.sampling import verify_sample
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality.storage.rows import aggregate_rows, figures_hash, figures_row, slice_rows
from telemetry_quality_tests.builders import DAY, NOW, SCHEMA, make_store

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = """
    SELECT CASE WHEN n % 50 > 0 THEN 'e' || n // 2 END AS event_id,
           TIMESTAMPTZ '2026-03-10 00:00:00+00' + to_seconds(n * 40) AS occurred_at,
           CASE WHEN n % 11 > 0 THEN 'page.' || n % 7 END AS event_name,
           CASE WHEN n % 13 > 0 THEN '1.' || n % 3 ELSE 'unknown' END AS service_version,
           n % 17 = 0 AS is_error,
           CASE WHEN n % 5 > 0 THEN 'user' END AS user_id
    FROM range(2000) AS numbers(n)
"""
COUNTED = "73b5bcd066e972cd0aeb577e0f8b32f95657c40c95eeaf476cc79791a87fb38a"
"""The hash of everything that is counted, without the sample."""

COUNTED_AND_DRAWN = "0304257986d7cfaad0053fd7ebcf59fa170decc0d9ae35680508c753c7dc89a6"
"""With the sample, missing and repeated ids, by DuckDB 2.0; a DuckDB with another hash draws other samples."""


@pytest.mark.parametrize("more", ["", " UNION ALL SELECT 'undated', NULL, 'page.1', '1.0', false, 'user'"])
@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_a_day_has_the_hash_it_had_before(tmp_path: Path, kind: str, more: str) -> None:
    schema = replace(SCHEMA, critical_fields=("user_id",), dimensions=("user_id",))
    source: ParquetSource | DuckDBFileSource
    path = str(tmp_path / f"events.{kind}")
    with duckdb.connect(path if kind == "duckdb" else ":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE events AS {EVENTS}{more}")
        if kind == "parquet":
            connection.table("events").to_parquet(path)
            source = ParquetSource(path, schema, ZoneInfo("UTC"), salt="web")
        else:
            source = DuckDBFileSource(path, "events", schema, salt="web")
    (scan,) = source.scan_days([day_window(DAY, ZoneInfo("UTC"))], 100)
    assert isinstance(scan, DayScan)
    assert {event.event_id is None for event in scan.sample} == {True, False}
    sample = verify_sample(scan.sample, schema, None)
    counted = figures_hash(figures_row(scan, ()), aggregate_rows(scan), (), slice_rows(scan))
    assert counted == COUNTED
    assert make_store(tmp_path).append_scan("web", scan, sample, NOW).figures_hash == COUNTED_AND_DRAWN
