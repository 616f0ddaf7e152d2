"""Scoring: what came, against what earlier forecasts expected of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.forecasts.making import incomplete_days
from telemetry_quality.core.judging import load_totals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.forecasts.model import Forecast
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import QualityStore

SCORED_DAYS = 90
"""Forecasts that were made in so many of the last days are scored."""


@dataclass(frozen=True, slots=True)
class Score:
    """How right forecasts of days were.

    Attributes:
        days: The forecast days that came; a day that was forecast repeatedly counts as often.
        covered_days: Those of them whose events lay within the interval.
        events: The events that came on these days.
        error_events: By how many events the forecasts were off, up or down, added up.
    """

    days: int = 0
    covered_days: int = 0
    events: int = 0
    error_events: float = 0.0

    @property
    def coverage_percent(self) -> float | None:
        """The share of days within their interval; None without any."""
        return 100 * self.covered_days / self.days if self.days else None

    @property
    def error_percent(self) -> float | None:
        """The error relative to the events that came (weighted absolute percentage error); None without any."""
        return 100 * self.error_events / self.events if self.events else None

    def as_json(self) -> dict[str, Any]:
        """The numbers of days and the two percentages."""
        return {
            "days": self.days,
            "coverage_percent": self.coverage_percent,
            "error_percent": self.error_percent,
        }


@dataclass(frozen=True, slots=True)
class ForecastScore:
    """How right the forecasts of a source were.

    Attributes:
        interval_percent: How many days should have been within their interval.
        total: All forecast days.
        by_days_ahead: Those that were forecast one day before, two days before, and so on.
    """

    interval_percent: float
    total: Score
    by_days_ahead: Mapping[int, Score]

    @property
    def sentence(self) -> str:
        """All of them in a sentence."""
        coverage, error = self.total.coverage_percent, self.total.error_percent
        off = "" if error is None else f"; they were off by {error:.1f} % of the events"
        return (
            f"{coverage:.0f} % of {self.total.days} forecast days lay within their {self.interval_percent:g} % "
            f"interval{off}."
        )

    def as_json(self) -> dict[str, Any]:
        """Every number under its own name; JSON types only."""
        return {
            "interval_percent": self.interval_percent,
            **self.total.as_json(),
            "by_days_ahead": [{"days_ahead": ahead, **found.as_json()} for ahead, found in self.by_days_ahead.items()],
        }


def score(forecasts: Iterable[Forecast], totals: Mapping[date, int]) -> ForecastScore | None:
    """The score of ``forecasts``, by the events of the days that count; None if none of their days is among them.

    Args:
        forecasts: Forecasts of one source that were made on different days, with intervals of the same level.
        totals: Events per complete day, without days that are not like others.
    """
    found: defaultdict[int, list[tuple[bool, int, float]]] = defaultdict(list)
    level = 0.0
    for forecast in forecasts:
        level = forecast.interval_percent
        for coming in forecast.coming:
            if (count := totals.get(coming.day)) is not None:
                is_covered = coming.low <= count <= coming.high
                found[(coming.day - forecast.day).days].append((is_covered, count, abs(count - coming.events)))
    if not found:
        return None
    by_days_ahead = {ahead: _sum(found[ahead]) for ahead in sorted(found)}
    return ForecastScore(level, _sum([day for days in found.values() for day in days]), by_days_ahead)


def _sum(days: Collection[tuple[bool, int, float]]) -> Score:
    covered, events, errors = zip(*days, strict=True)
    return Score(len(days), sum(covered), sum(events), sum(errors))


def stored_score(
    store: QualityStore, source: str, calendar: Calendar, policy: Policy, now: datetime
) -> ForecastScore | None:
    """The score of the forecasts in the store that were made in the last SCORED_DAYS days; None if none can be scored.

    Raises:
        StoreError: If the store cannot be read.
    """
    latest = calendar.latest_day(now)
    forecasts = store.forecasts(source, latest - timedelta(days=SCORED_DAYS), latest)
    if not forecasts:
        return None
    context = load_totals(store, source, latest + ONE_DAY)
    odd = context.left_out | incomplete_days(context, calendar, policy, now)
    return score(forecasts, {day: count for day, count in context.totals.items() if day not in odd})
