"""The model: a forecast of the coming days, as it was made on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.hours import ExpectedHour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

MODEL_VERSION = "weekday stream, 1"
"""What forecasts are made by; another version begins when the same history gives other numbers."""

DEFAULT_DAYS, MOST_DAYS = 14, 28
"""How many days are forecast unless somebody asks otherwise, and at most."""


def rounded(events: float) -> float:
    """Six digits, of which a forecast has fewer: what is stored is what is shown."""
    return float(f"{events:.6g}")


@dataclass(frozen=True, slots=True)
class DayForecast:
    """The events to expect on a day, and the interval in which such days lie.

    Attributes:
        why: Why the day may not be an ordinary one; None if nothing says so.
        hours: The same for each hour of the day, 23 to 25 of them; None if too little is known of the hours.
    """

    day: date
    events: float
    low: float
    high: float
    why: str | None = None
    hours: tuple[ExpectedHour, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name, without the hours."""
        return {
            "day": self.day.isoformat(),
            "events": self.events,
            "low": self.low,
            "high": self.high,
            "why": self.why,
        }

    def hours_as_json(self) -> list[list[float]] | None:
        """Lists of events, low and high."""
        return None if self.hours is None else [list(hour) for hour in self.hours]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], hours: Iterable[Iterable[float]] | None = None) -> DayForecast:
        """A day as ``as_json`` and ``hours_as_json`` wrote it."""
        return cls(
            date.fromisoformat(stored["day"]),
            stored["events"],
            stored["low"],
            stored["high"],
            stored["why"],
            None if hours is None else tuple(ExpectedHour(*hour) for hour in hours),
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was expected of the coming days when ``day`` was the latest complete one.

    Attributes:
        interval_percent: How many of the days should lie within their interval.
        coming: The days after ``day``; empty if too little is known.
        known_from: If it is, the first day for which there will be a forecast, provided that none is missing.
        revision: Which forecast of that day it is in the store; None if it is not stored.
    """

    source: str
    day: date
    made_at: datetime
    model_version: str
    interval_percent: float
    coming: tuple[DayForecast, ...]
    known_from: date | None = None
    revision: int | None = None

    def as_json(self, *, with_hours: bool = True) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            "source": self.source,
            "day": self.day.isoformat(),
            "made_at": self.made_at.isoformat(),
            "model_version": self.model_version,
            "interval_percent": self.interval_percent,
            "known_from": self.known_from and self.known_from.isoformat(),
            "coming": [day.as_json() | ({"hours": day.hours_as_json()} if with_hours else {}) for day in self.coming],
        }
