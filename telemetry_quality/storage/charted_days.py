"""Reads what charts of a source show besides its snapshots: the events of each version by day, and what comes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.storage.compared_days import versions_by_day
from telemetry_quality.storage.forecasts import latest_forecast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Connection

    from telemetry_quality.core.forecasts.model import Forecast
    from telemetry_quality.storage.compared_days import Segments


class ChartedDays(NamedTuple):
    """What the store knows of the days of a chart.

    Attributes:
        versions: The events of each day by version, None for those without one; a day without events is left out.
        forecast: The latest one that was made up to the last of the days, without its hours; None if there is none.
    """

    versions: Mapping[date, Mapping[str | None, int]]
    forecast: Forecast | None


def charted_days(connection: Connection, source: str, first: date, last: date) -> ChartedDays:
    """The days from ``first`` to ``last``, as they were scanned last, with the busiest versions of each."""
    versions = {
        day: _named(counted) for day, counted in versions_by_day(connection, source, first, last).items() if counted
    }
    return ChartedDays(versions, latest_forecast(connection, source, last))


def _named(counted: Segments) -> dict[str | None, int]:
    """The events of each version; one that counts as missing, such as a blank, is none."""
    found: Counter[str | None] = Counter()
    for version, counts in counted.items():
        found[None if counts.missing_version else version] += counts.events
    return dict(found)
