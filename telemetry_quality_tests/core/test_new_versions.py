"""A new version is one that nobody saw for four weeks and that came to carry part of the stream."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from telemetry_quality.core.new_versions import new_versions

FIRST = date(2026, 3, 1)


def days(*seen: dict[str | None, int] | None) -> dict[date, dict[str | None, int]]:
    """The events by version of consecutive days; None for a day that could not be read."""
    return {FIRST + timedelta(days=age): events for age, events in enumerate(seen) if events is not None}


OLD: dict[str | None, int] = {"1.0": 100}


@pytest.mark.parametrize(("before", "is_found"), [(6, False), (7, True), (8, True)])
def test_a_version_is_new_once_a_week_of_days_without_it_is_known(before: int, is_found: bool) -> None:
    found = new_versions(days(*[OLD] * before, OLD | {"2.0": 50}, {"2.0": 100}))
    assert found == ({FIRST + timedelta(days=before): ("2.0",)} if is_found else {})


@pytest.mark.parametrize(("events", "is_found"), [(4, False), (5, False), (6, True)])
def test_a_version_that_never_carries_more_than_a_twentieth_is_not_named(events: int, is_found: bool) -> None:
    found = new_versions(days(*[OLD] * 7, {"1.0": 99, "2.0": 1}, {"1.0": 100 - events, "2.0": events}))
    assert found == ({FIRST + timedelta(days=7): ("2.0",)} if is_found else {}), "on the day it was first seen"


@pytest.mark.parametrize(("away", "is_back"), [(27, False), (28, True), (29, True)])
def test_a_version_that_was_away_for_four_weeks_is_back(away: int, is_back: bool) -> None:
    found = new_versions(days(*[OLD] * 7, {"2.0": 100}, *[OLD] * away, {"2.0": 100}))
    assert (FIRST + timedelta(days=8 + away) in found) is is_back


def test_new_versions_of_a_day_come_by_their_events_and_events_without_a_version_are_none() -> None:
    found = new_versions(days(*[OLD] * 8, None, {"2.0": 10, "2.1": 80, None: 10}))
    assert found == {FIRST + timedelta(days=9): ("2.1", "2.0")}
