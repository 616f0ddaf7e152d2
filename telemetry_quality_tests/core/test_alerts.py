"""Alerts: what must be dispatched, once, and nothing else."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.alerts import Alert, changes, is_alert
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality_tests.builders import (
    DAY,
    NOW,
    alerts_of,
    make_snapshot,
    make_verdicts,
)

if TYPE_CHECKING:
    from telemetry_quality.core.policies import Policy

UNREADABLE: dict[str, Any] = {"unreadable_reason_code": "FILE_CORRUPT", "unreadable_reason": "The file is broken."}
TODAY = NOW.date()


def alerts_on(revision: int = 1, policy: Policy | None = None, **figures: Any) -> tuple[Alert, ...]:
    """The alerts of a stored snapshot of ``make_figures(**figures)`` and its verdicts."""
    snapshot = replace(make_snapshot(policy=policy, **figures), revision=revision)
    return alerts_of(snapshot, make_verdicts(policy, **figures))


def test_a_healthy_day_alerts_nobody() -> None:
    assert alerts_on() == ()


def test_every_failed_guardrail_alerts_at_its_own_level() -> None:
    alerts = alerts_on(
        error_rate_percent=6.0,
        missing_version_percent=2.0,
        volume_deviation_percent=-50.0,
        is_volume_unusual=True,
        sample_passed=90,
        sampling_success_rate_percent=90.0,
        duplicate_events=120,
        duplicate_percent=12.0,
    )

    assert [(alert.guardrail, alert.level, alert.reason_code) for alert in alerts] == [
        ("error_rate", Level.CRITICAL, "ERROR_RATE_HIGH"),
        ("missing_version", Level.WARNING, "VERSION_MISSING"),
        ("volume", Level.WARNING, "VOLUME_LOW"),
        ("sample", Level.WARNING, "SAMPLE_FAILED"),
        ("duplicates", Level.WARNING, "DUPLICATES_HIGH"),
    ]


def test_the_level_of_an_alert_is_that_of_its_verdict_and_not_the_guardrail_s_usual_one() -> None:
    (alert,) = alerts_on(volume_deviation_percent=-50.0, is_volume_unusual=None)

    assert (alert.guardrail, alert.level) == ("volume", Level.INFO)


def test_a_silent_day_alerts_critically() -> None:
    (alert,) = alerts_on(
        total_events=0,
        error_rate_percent=None,
        missing_version_percent=None,
        sample_size=0,
        sample_passed=0,
        sampling_success_rate_percent=None,
        expected_events=None,
        volume_deviation_percent=None,
    )

    assert (alert.guardrail, alert.level, alert.reason_code) == ("activity", Level.CRITICAL, "ZERO_ACTIVITY")


def test_a_day_that_could_not_be_read_alerts_once_and_critically() -> None:
    (alert,) = alerts_on(**UNREADABLE)

    assert (alert.guardrail, alert.level, alert.reason_code) == ("activity", Level.CRITICAL, "DAY_UNREADABLE")
    assert "FILE_CORRUPT" in alert.sentence
    assert "The file is broken." in alert.sentence


@pytest.mark.parametrize(
    "figures",
    [
        {"expected_events": None, "volume_deviation_percent": None},
        {"error_rate_percent": None},
        {"sample_size": 0, "sample_passed": 0, "sampling_success_rate_percent": None},
        {"compared_events": None, "duplicate_percent": None},
    ],
)
def test_what_cannot_be_judged_yet_alerts_nobody(figures: dict[str, Any]) -> None:
    assert alerts_on(**figures) == ()


@pytest.mark.parametrize(
    ("guardrail", "outcome", "reason_code", "is_dispatched"),
    [
        ("volume", Outcome.FAILED, "VOLUME_LOW", True),
        ("volume", Outcome.PASSED, "VOLUME_OK", False),
        ("volume", Outcome.UNKNOWN, "HISTORY_TOO_SHORT", False),
        ("volume", Outcome.UNKNOWN, "DAY_UNREADABLE", False),
        ("activity", Outcome.UNKNOWN, "DAY_UNREADABLE", True),
        ("activity", Outcome.PASSED, "ACTIVE", False),
    ],
)
def test_failures_are_dispatched_and_an_unreadable_day_once(
    guardrail: str, outcome: Outcome, reason_code: str, is_dispatched: bool
) -> None:
    assert is_alert(Verdict(guardrail, Level.INFO, outcome, reason_code, None, None, "")) is is_dispatched


def test_a_day_is_alerted_by_the_policy_that_judged_it() -> None:
    assert alerts_on(policy=policy_of(error_rate_percent=6.0), error_rate_percent=6.0) == ()
    assert len(alerts_on(policy=policy_of(error_rate_percent=5.9), error_rate_percent=6.0)) == 1


def test_an_alert_carries_its_key_and_reads_as_one_line() -> None:
    (alert,) = alerts_on(revision=3, error_rate_percent=6.0, error_events=60)

    assert alert == Alert(
        source="web",
        day=DAY,
        guardrail="error_rate",
        revision=3,
        level=Level.CRITICAL,
        reason_code="ERROR_RATE_HIGH",
        sentence="6.00 % of 1,000 events are errors (60), more than the 5 % allowed.",
    )
    assert alert.line() == (
        "CRITICAL web 2026-03-10 error_rate [ERROR_RATE_HIGH] "
        "6.00 % of 1,000 events are errors (60), more than the 5 % allowed. (revision 3)"
    )
    assert alert.key == "web/2026-03-10/error_rate/3"


def test_an_alert_cannot_be_changed() -> None:
    (alert,) = alerts_on(error_rate_percent=6.0)

    with pytest.raises(FrozenInstanceError):
        alert.level = Level.INFO  # type: ignore[misc]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {"total_events": 1200}, "1,200 events instead of 1,000"),
        ({}, {"expected_events": 1100.0}, "1,100 expected instead of 1,000"),
        ({}, {"expected_events": None}, "unknown expected instead of 1,000"),
        ({"error_rate_percent": None}, {}, "0.00 % errors instead of unknown"),
        ({}, {"missing_version_percent": 2.0}, "2.00 % without a version instead of 0.00"),
        ({}, {"sampling_success_rate_percent": 97.0}, "97.0 % of the sample passed instead of 100.0"),
        ({}, {"duplicate_percent": 12.0}, "12.00 % duplicates instead of 0.00"),
        ({"late_percent": 1.0}, {"late_percent": 3.5}, "3.50 % late instead of 1.00"),
        (
            {},
            {"total_events": 1200, "error_rate_percent": 6.0},
            "1,200 events instead of 1,000, 6.00 % errors instead of 0.00",
        ),
        ({}, {"policy": policy_of(error_rate_percent=4.0)}, "other thresholds"),
        ({}, {}, "none of the main figures changed"),
        ({}, {"error_rate_percent": 0.001}, "none of the main figures changed"),
        ({}, {"is_provisional": True}, "none of the main figures changed"),
    ],
)
def test_what_a_revision_changed_is_one_sentence(before: dict[str, Any], after: dict[str, Any], words: str) -> None:
    earlier = replace(make_snapshot(**before), revision=4)
    later = replace(make_snapshot(**after), revision=5)

    assert changes(earlier, later) == f"Since revision 4: {words}."


def test_the_line_of_an_alert_is_one_line_without_control_characters() -> None:
    sentence = "event_name=\x1b[2J\nCRITICAL web is silent."
    line = Alert("web", DAY, "silence", 1, Level.WARNING, "SEGMENT_SILENT", sentence).line()
    assert line.isprintable()
    assert "event_name=�[2J�CRITICAL" in line
