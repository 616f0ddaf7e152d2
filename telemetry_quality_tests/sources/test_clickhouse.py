"""What only the ClickHouse connector promises: its types, its limits, and how it ends and fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.sources.clickhouse import ClickHouseSource
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events

if TYPE_CHECKING:
    from telemetry_quality.core.events import DayScan
    from telemetry_quality_tests.servers import ClickHouse

pytestmark = pytest.mark.slow

WINDOW = day_window(DAY, ZoneInfo("UTC"))
SCHEMA_COLUMNS = ("event_id", "occurred_at", "event_name", "service_version", "is_error")
LEAN = replace(SCHEMA, critical_fields=())
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
COLUMNS = (
    "event_id String, occurred_at DateTime64(9, 'UTC'), event_name LowCardinality(String), service_version String,"
    " is_error Bool"
)


def scan_of(source: ClickHouseSource, size: int = 10) -> DayScan:
    (scan,) = source.scan_days([WINDOW], size)
    assert not isinstance(scan, UnreadableDay), scan
    return scan


@pytest.mark.parametrize(
    "time_type",
    ["DateTime", "DateTime('Asia/Tokyo')", "DateTime64(0)", "DateTime64(3, 'America/New_York')", "DateTime64(9)"],
)
def test_a_day_has_the_same_bounds_in_every_type_of_time(clickhouse: ClickHouse, time_type: str) -> None:
    second = timedelta(seconds=1)
    times = [WINDOW.start - second, WINDOW.start, NOON, WINDOW.end - second, WINDOW.end]
    rows = [event | {"occurred_at": at} for event, at in zip(make_events(5), times, strict=True)]
    columns = COLUMNS.replace("DateTime64(9, 'UTC')", time_type)
    table = clickhouse.new_table(columns, [{name: row[name] for name in SCHEMA_COLUMNS} for row in rows])
    hours = scan_of(ClickHouseSource(clickhouse.url(), table, LEAN)).aggregates.by_hour()
    assert {hour: totals.events for hour, totals in hours.items()} == {0: 1, 12: 1, 23: 1}
