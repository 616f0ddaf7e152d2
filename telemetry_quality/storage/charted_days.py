"""Reads what charts of a source show besides its snapshots: the events of each version by day, and what comes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, case, func, select

from telemetry_quality.storage.forecasts import latest_forecast
from telemetry_quality.storage.tables import day_scan, event_aggregate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Connection

    from telemetry_quality.core.forecasts.model import Forecast


class ChartedDays(NamedTuple):
    """What the store knows of the days of a chart.

    Attributes:
        versions: The events of each day by version, None for those without one; a day without events is left out.
        forecast: The latest one that was made up to the last of the days, without its hours; None if there is none.
    """

    versions: Mapping[date, Mapping[str | None, int]]
    forecast: Forecast | None


def charted_days(connection: Connection, source: str, first: date, last: date) -> ChartedDays:
    """The days from ``first`` to ``last``, as they were scanned last."""
    kept, scan = event_aggregate.c, day_scan.c
    is_wanted = and_(scan.source == source, scan.day.between(first, last))
    latest = select(scan.day, func.max(scan.revision).label("revision")).where(is_wanted).group_by(scan.day).subquery()
    # A version that counts as missing, such as a blank, is none.
    version = case((kept.missing_version == 0, kept.service_version))
    query = (
        select(kept.day, version.label("version"), func.sum(kept.events))
        .join(latest, and_(kept.day == latest.c.day, kept.revision == latest.c.revision))
        .where(kept.source == source)
        .group_by(kept.day, "version")
    )
    versions: dict[date, dict[str | None, int]] = defaultdict(dict)
    for day, name, events in connection.execute(query):
        versions[day][name] = int(events)
    return ChartedDays(versions, latest_forecast(connection, source, last))
