"""Reads what pages compare over many days of a source: the hours of each day, in one query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from telemetry_quality.core.hours import HourTotals
from telemetry_quality.storage.tables import day_scan

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection


def hours_by_day(connection: Connection, source: str, first: date, last: date) -> dict[date, HourTotals | None]:
    """The hours of the latest scan of each day from ``first`` to ``last``; None for a day that could not be read."""
    kept = day_scan.c
    is_wanted = and_(kept.source == source, kept.day.between(first, last))
    latest = select(kept.day, func.max(kept.revision).label("revision")).where(is_wanted).group_by(kept.day).subquery()
    query = (
        select(kept.day, kept.totals_by_hour)
        .join(latest, and_(kept.day == latest.c.day, kept.revision == latest.c.revision))
        .where(is_wanted)
        .order_by(kept.day)
    )
    return {day: None if hours is None else HourTotals.from_json(hours) for day, hours in connection.execute(query)}
