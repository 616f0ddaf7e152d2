"""Forecasts in the store: what was expected of the coming days, by the day on which it was made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from telemetry_quality.core.forecasts.model import DayForecast, Forecast
from telemetry_quality.storage.chains import append
from telemetry_quality.storage.tables import forecast as stored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Connection


def append_forecast(connection: Connection, forecast: Forecast) -> tuple[Forecast, bool]:
    """Append a forecast in a writing transaction, unless the latest one of its day says the same."""
    latest = next(iter(forecasts(connection, forecast.source, forecast.day, forecast.day, with_hours=True)), None)
    if latest is not None and replace(forecast, made_at=latest.made_at, revision=latest.revision) == latest:
        return latest, False
    revision = 1 + (latest.revision or 0 if latest else 0)
    values = {
        "source": forecast.source,
        "day": forecast.day,
        "revision": revision,
        "made_at": forecast.made_at,
        "model_version": forecast.model_version,
        "interval_percent": forecast.interval_percent,
        "coming": [day.as_json() for day in forecast.coming],
        "hours": [day.hours_as_json() for day in forecast.coming],
    }
    append(connection, stored, values)
    return replace(forecast, revision=revision), True


def forecasts(
    connection: Connection, source: str, first: date, last: date, *, with_hours: bool = False
) -> list[Forecast]:
    """The latest forecast that was made on each of the days from ``first`` to ``last``, oldest first."""
    left_out = () if with_hours else ("hours",)
    query = (
        select(*(column for column in stored.c if column.name not in left_out))
        .where(stored.c.source == source, stored.c.day.between(first, last))
        .order_by(stored.c.day, stored.c.revision)
    )
    # Later revisions replace earlier ones.
    found = {row["day"]: row for row in connection.execute(query).mappings()}
    return [_forecast(row) for row in found.values()]


def latest_forecast(connection: Connection, source: str, last: date) -> Forecast | None:
    """The latest forecast that was made on a day up to ``last``, without its hours; None if there is none."""
    query = (
        select(*(column for column in stored.c if column.name != "hours"))
        .where(stored.c.source == source, stored.c.day <= last)
        .order_by(stored.c.day.desc(), stored.c.revision.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _forecast(row)


def _forecast(row: Mapping[Any, Any]) -> Forecast:
    hours = row.get("hours") or [None] * len(row["coming"])
    return Forecast(
        row["source"],
        row["day"],
        row["made_at"],
        row["model_version"],
        row["interval_percent"],
        tuple(map(DayForecast.from_json, row["coming"], hours)),
        revision=row["revision"],
    )
