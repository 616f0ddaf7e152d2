"""The benchmark of running days: its series are as it says, and it counts what is found, confirmed and false."""

from __future__ import annotations

import math
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from running_day import FIRST, Hours, Score, Series, made, measure

from telemetry_quality.core.days import Calendar

pytestmark = pytest.mark.slow


def steady_days(count: int) -> dict[date, Hours]:
    return {FIRST + timedelta(days=n): Hours([300] * 24, [3] * 24) for n in range(count)}


def series_of(days: dict[date, Hours]) -> Series:
    return Series("steady", days, Calendar(ZoneInfo("UTC"), FIRST))


def test_outages_and_bursts_of_a_steady_series_are_found_and_confirmed() -> None:
    score = measure(series_of(steady_days(52)), days=2)
    assert (score.days, score.alarms) == (2, [])
    assert score.percent(("day", "empty"), ("day", "a fifth"), ("any", "empty"), ("any", "a fifth")) == 100
    assert score.percent(("burst", "added")) == 100
    assert score.confirmed == [34, 34]


def test_an_outage_that_the_series_has_itself_is_a_false_alarm() -> None:
    days = steady_days(51)
    days[max(days)] = Hours([300] * 9 + [0] * 2 + [300] * 13, [3] * 9 + [0] * 2 + [3] * 13)
    score = measure(series_of(days), days=1)
    assert len(score.alarms) == 1
    assert "| steady | 1 | 30.0 |" in score.row


def test_what_was_never_tried_is_not_a_number() -> None:
    assert math.isnan(Score("none").percent(("day", "empty")))


def test_the_same_name_makes_the_same_series_through_both_changes_of_the_clock() -> None:
    series = made("closed weekends")
    assert series.days == made("closed weekends").days
    assert sorted({len(hours.events) for hours in series.days.values()}) == [23, 24, 25]
    weekend = [sum(hours.events) for day, hours in series.days.items() if day.weekday() >= 5]
    assert not np.any(weekend)
