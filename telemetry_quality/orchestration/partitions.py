"""A source's days as Dagster partitions."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.core.days import ONE_DAY

if TYPE_CHECKING:
    from telemetry_quality.core.days import Calendar


def daily_partitions(calendar: Calendar) -> dg.DailyPartitionsDefinition:
    """One partition per complete day; today, still incomplete, has no partition (``end_offset=0``)."""
    end = None if calendar.last_day is None else (calendar.last_day + ONE_DAY).isoformat()
    return dg.DailyPartitionsDefinition(
        calendar.first_day.isoformat(), end_date=end, timezone=calendar.zone.key, end_offset=0
    )


def partition_days(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """The days that a run covers: one day or a range."""
    return [date.fromisoformat(key) for key in context.partition_keys]
