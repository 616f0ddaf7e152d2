"""Scoring: which forecast days count, how many were covered, and by how much they were off."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.forecasts.making import keep_forecast
from telemetry_quality.core.forecasts.model import DayForecast
from telemetry_quality.core.forecasts.scoring import SCORED_DAYS, Score, score, stored_score
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.marks import Mark, mark_days
from telemetry_quality_tests.builders import DAY
from telemetry_quality_tests.core.forecasts.streams import CALENDAR, FIRST, append_day, now_after, stored_stream
from telemetry_quality_tests.storage.examples import make_forecast

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from telemetry_quality.core.forecasts.model import Forecast


def forecast(day: date, *expected: float) -> Forecast:
    """Forecasts of the days after ``day``, each ten events up or down."""
    coming = [
        DayForecast(day + timedelta(days=n), events, events - 10, events + 10) for n, events in enumerate(expected, 1)
    ]
    return make_forecast(day=day, coming=tuple(coming))


@pytest.mark.parametrize(("events", "covered"), [(89, 0), (90, 1), (100, 1), (110, 1), (111, 0)])
def test_a_day_is_covered_if_it_lies_within_its_interval_or_on_its_ends(events: int, covered: int) -> None:
    found = score([forecast(DAY, 100)], {DAY + timedelta(days=1): events})
    assert found is not None
    assert found.total == Score(1, covered, events, abs(events - 100))


def test_coverage_and_error_are_told_apart_by_the_days_ahead() -> None:
    totals = {DAY + timedelta(days=n): count for n, count in enumerate((105, 90, 150), 1)}
    found = score([forecast(DAY, 100, 100, 100), forecast(DAY + timedelta(days=1), 100, 100)], totals)
    assert found is not None
    assert found.by_days_ahead == {1: Score(2, 2, 195, 15), 2: Score(2, 1, 240, 60), 3: Score(1, 0, 150, 50)}
    assert found.total == Score(5, 3, 585, 125)
    assert found.total.coverage_percent == 60
    assert found.total.error_percent == pytest.approx(100 * 125 / 585)
    assert (
        found.sentence
        == "60 % of 5 forecast days lay within their 90 % interval; they were off by 21.4 % of the events."
    )


def test_days_without_events_have_no_error_in_percent() -> None:
    found = score([forecast(DAY, 5)], {DAY + timedelta(days=1): 0})
    assert found is not None
    assert (found.total.error_percent, found.total.coverage_percent) == (None, 100)
    assert "off by" not in found.sentence
    assert (Score().coverage_percent, Score().error_percent) == (None, None)


def test_nothing_is_scored_before_a_forecast_day_has_come() -> None:
    assert score([forecast(DAY, 100)], {DAY: 100}) is None
    assert score([], {DAY: 100}) is None


def test_stored_forecasts_are_scored_by_the_days_that_count(tmp_path: Path) -> None:
    store, latest = stored_stream(tmp_path, 40), FIRST + timedelta(days=39)
    assert stored_score(store, "web", CALENDAR, policy_of(), now_after(latest)) is None
    keep_forecast(store, "web", CALENDAR, policy_of(), now_after(latest))
    for n, factor in enumerate((1.0, 0.1, 1.0), 1):
        append_day(store, latest + timedelta(days=n), factor)
    now = now_after(latest + timedelta(days=3))
    found = stored_score(store, "web", CALENDAR, policy_of(), now)
    assert found is not None
    assert (found.total.days, found.total.covered_days) == (3, 2)

    outage = latest + timedelta(days=2)
    store.append_marked_days(mark_days("web", (outage, outage), Mark.BAD, "ada", now))
    found = stored_score(store, "web", CALENDAR, policy_of(), now)
    assert found is not None
    assert (found.total.days, found.total.covered_days, list(found.by_days_ahead)) == (2, 2, [1, 3])

    old = latest + timedelta(days=SCORED_DAYS)
    assert stored_score(store, "web", CALENDAR, policy_of(), now_after(old)) is not None
    assert stored_score(store, "web", CALENDAR, policy_of(), now_after(old + timedelta(days=1))) is None
