"""The report on a running day: what is known, and never that it is healthy."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.running.report import RunningDay, RunningState
from telemetry_quality_tests.builders import DAY, NOW
from telemetry_quality_tests.storage.examples import make_running_hour

if TYPE_CHECKING:
    from telemetry_quality.core.running.model import RunningHour

BERLIN = Calendar(ZoneInfo("Europe/Berlin"), DAY)
FINE = replace(make_running_hour(), verdicts=())
UNREADABLE = replace(FINE, hour=11, counts=None, unreadable_reason_code="GONE", unreadable_reason="Gone.")


def report(*hours: RunningHour) -> RunningDay:
    return RunningDay("web", DAY, BERLIN, hours)


def test_the_state_says_what_failed_what_is_unknown_and_never_that_the_day_is_healthy() -> None:
    assert report().state is RunningState.NOT_LOOKED_AT
    assert report(FINE).state is RunningState.NOTHING_FAILED
    assert report(FINE, UNREADABLE).state is RunningState.UNKNOWN
    assert report(UNREADABLE, replace(FINE, hour=12)).state is RunningState.NOTHING_FAILED
    assert report(make_running_hour(), UNREADABLE).state is RunningState.FAILING
    assert "healthy" not in {state.value for state in RunningState}


def test_everything_known_is_json_with_hours_by_the_clock() -> None:
    later = replace(UNREADABLE, looked_at=NOW + timedelta(hours=1), later=make_running_hour().later)
    shown = report(make_running_hour(), later).as_json()
    json.dumps(shown)
    assert (shown["state"], shown["is_provisional"], shown["events"]) == ("failing", True, 1000)
    assert shown["looked_at"] == later.looked_at.isoformat()
    first, second = shown["hours"]
    assert (first["hour"], first["begins_at"]) == (10, "2026-03-10T10:00:00+01:00")
    assert (first["expected_events"], first["expected_low_events"], first["expected_high_events"]) == (
        2000.5,
        1800.2,
        2200,
    )
    assert first["failed_guardrails"] == ["volume"]
    assert (second["events"], second["unreadable_reason_code"]) == (None, "GONE")
    assert [(hour["hour"], hour["begins_at"]) for hour in shown["later_hours"]] == [(12, "2026-03-10T12:00:00+01:00")]


def test_nothing_is_known_before_the_first_look() -> None:
    shown = report().as_json()
    assert (shown["hours"], shown["later_hours"], shown["looked_at"], shown["state"]) == ([], [], None, "not_looked_at")
