"""Forecasts in the API: the latest one of each source that was stored, and how right earlier ones were.

Annotations are evaluated here so that pydantic can resolve them.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from telemetry_quality.core.forecasts.model import Forecast
from telemetry_quality.core.forecasts.scoring import SCORED_DAYS, ForecastScore, score
from telemetry_quality.core.incidents import confirmed_days
from telemetry_quality.core.marks import Mark, days_marked, marks_of
from telemetry_quality.settings import Settings
from telemetry_quality.storage.reader import StoreReader


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ComingDayResponse(_Response):
    """What is expected of a day."""

    day: date = Field(description="The day in the source's time zone.")
    events: float = Field(description="The events to expect.")
    low: float = Field(description="Fewer are unlikely.")
    high: float = Field(description="More are unlikely.")
    why: str | None = Field(description="Why the day may not be an ordinary one; null if nothing says so.")


class ScoreResponse(_Response):
    """How right forecasts of days that have come were."""

    days: int = Field(description="How many forecast days have come; one that was forecast repeatedly counts as often.")
    coverage_percent: float | None = Field(description="How many of them lay within their interval; null without any.")
    error_percent: float | None = Field(
        description="All distances between forecast and events, relative to the events; null without any."
    )


class AheadScoreResponse(ScoreResponse):
    """The same for days that were forecast so many days before."""

    days_ahead: int = Field(description="1 for the day after the latest complete one.")


class ForecastResponse(_Response):
    """The latest forecast of a source."""

    source: str = Field(description="The source's name in the settings.")
    made_on: date | None = Field(description="The latest complete day at that time; null if none was stored lately.")
    made_at: datetime | None = Field(description="When it was made, in UTC.")
    model_version: str | None = Field(description="What made it.")
    interval_percent: float | None = Field(description="How many days should lie within their interval.")
    coming: tuple[ComingDayResponse, ...] = Field(description="The days after made_on, in order.")
    score: ScoreResponse | None = Field(
        description="The score of recent forecasts; null until a day of theirs has come."
    )
    by_days_ahead: tuple[AheadScoreResponse, ...] = Field(description="The same by how far ahead a day was forecast.")


class ForecastsResponse(_Response):
    """The forecasts of the sources in the settings, in their order."""

    sources: tuple[ForecastResponse, ...]


def forecasts_response(
    reader: StoreReader, settings: Settings, names: Collection[str], now: datetime
) -> ForecastsResponse:
    """The forecasts of the sources called ``names``, loaded from the store.

    Raises:
        StoreError: If the store cannot be read.
    """
    found = []
    for name in names:
        latest = settings.sources[name].calendar().latest_day(now)
        first = latest - timedelta(days=SCORED_DAYS)
        forecasts = reader.forecasts(name, first, latest)
        scored = score(forecasts, _totals(reader, name, first, latest)) if forecasts else None
        found.append(_response(name, forecasts[-1] if forecasts else None, scored))
    return ForecastsResponse(sources=tuple(found))


def _totals(reader: StoreReader, source: str, first: date, last: date) -> dict[date, int]:
    """Events of the complete days that are like others."""
    marked = days_marked(marks_of(reader.marked_days(source)), {Mark.BAD, Mark.SPECIAL})
    left_out = marked | confirmed_days(reader.incidents(source))
    return {
        snapshot.day: snapshot.total_events
        for snapshot in reader.snapshots(sources=[source], first=first, last=last)
        if snapshot.total_events is not None and not snapshot.is_provisional and snapshot.day not in left_out
    }


def _response(source: str, made: Forecast | None, scored: ForecastScore | None) -> ForecastResponse:
    ahead = scored.by_days_ahead if scored else {}
    return ForecastResponse(
        source=source,
        made_on=made and made.day,
        made_at=made and made.made_at,
        model_version=made and made.model_version,
        interval_percent=made and made.interval_percent,
        coming=tuple(
            ComingDayResponse(day=day.day, events=day.events, low=day.low, high=day.high, why=day.why)
            for day in (made.coming if made else ())
        ),
        score=ScoreResponse(**scored.total.as_json()) if scored else None,
        by_days_ahead=tuple(AheadScoreResponse(days_ahead=days, **found.as_json()) for days, found in ahead.items()),
    )
