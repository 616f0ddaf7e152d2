"""Alerts: what somebody must hear, once, and nothing else."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.alerts import Alert, alerts_of, is_alert
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality.core.policies import Policy
from telemetry_quality_tests.builders import DAY, make_snapshot

if TYPE_CHECKING:
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

UNREADABLE: dict[str, Any] = {"unreadable_reason_code": "FILE_CORRUPT", "unreadable_reason": "The file is broken."}


def make_stored_snapshot(revision: int = 1, **figures: Any) -> TelemetryIntegritySnapshot:
    return replace(make_snapshot(**figures), revision=revision)


def test_a_healthy_day_alerts_nobody() -> None:
    assert alerts_of(make_stored_snapshot(), Policy()) == ()


def test_every_failed_guardrail_alerts_at_its_own_level() -> None:
    snapshot = make_stored_snapshot(
        error_rate_percent=6.0,
        missing_version_percent=2.0,
        volume_deviation_percent=-50.0,
        sample_passed=90,
        sampling_success_rate_percent=90.0,
    )

    assert [(alert.guardrail, alert.level, alert.reason_code) for alert in alerts_of(snapshot, Policy())] == [
        ("error_rate", Level.CRITICAL, "ERROR_RATE_HIGH"),
        ("missing_version", Level.WARNING, "VERSION_MISSING"),
        ("volume", Level.INFO, "VOLUME_LOW"),
        ("sample", Level.WARNING, "SAMPLE_FAILED"),
    ]


def test_a_silent_day_alerts_critically() -> None:
    snapshot = make_stored_snapshot(
        total_events=0,
        error_rate_percent=None,
        missing_version_percent=None,
        sample_size=0,
        sample_passed=0,
        sampling_success_rate_percent=None,
        expected_events=None,
        volume_deviation_percent=None,
    )

    (alert,) = alerts_of(snapshot, Policy())

    assert (alert.guardrail, alert.level, alert.reason_code) == ("activity", Level.CRITICAL, "ZERO_ACTIVITY")


def test_a_day_that_could_not_be_read_alerts_once_and_critically() -> None:
    (alert,) = alerts_of(make_stored_snapshot(**UNREADABLE), Policy())

    assert (alert.guardrail, alert.level, alert.reason_code) == ("activity", Level.CRITICAL, "DAY_UNREADABLE")
    assert "FILE_CORRUPT" in alert.sentence
    assert "The file is broken." in alert.sentence


@pytest.mark.parametrize(
    "figures",
    [
        {"expected_events": None, "volume_deviation_percent": None},
        {"error_rate_percent": None},
        {"sample_size": 0, "sample_passed": 0, "sampling_success_rate_percent": None},
    ],
)
def test_what_cannot_be_judged_yet_alerts_nobody(figures: dict[str, Any]) -> None:
    assert alerts_of(make_stored_snapshot(**figures), Policy()) == ()


@pytest.mark.parametrize(
    ("guardrail", "outcome", "reason_code", "is_told"),
    [
        ("volume", Outcome.FAILED, "VOLUME_LOW", True),
        ("volume", Outcome.PASSED, "VOLUME_OK", False),
        ("volume", Outcome.UNKNOWN, "HISTORY_TOO_SHORT", False),
        ("volume", Outcome.UNKNOWN, "DAY_UNREADABLE", False),
        ("activity", Outcome.UNKNOWN, "DAY_UNREADABLE", True),
        ("activity", Outcome.PASSED, "ACTIVE", False),
    ],
)
def test_failures_are_told_and_an_unreadable_day_once(
    guardrail: str, outcome: Outcome, reason_code: str, is_told: bool
) -> None:
    assert is_alert(Verdict(guardrail, Level.INFO, outcome, reason_code, None, None, "")) is is_told


def test_a_day_is_alerted_by_the_policy_given() -> None:
    snapshot = make_stored_snapshot(error_rate_percent=6.0)

    assert alerts_of(snapshot, Policy(error_rate_percent=6.0)) == ()
    assert len(alerts_of(snapshot, Policy(error_rate_percent=5.9))) == 1


def test_an_alert_carries_its_key_and_reads_as_one_line() -> None:
    (alert,) = alerts_of(make_stored_snapshot(revision=3, error_rate_percent=6.0, error_events=60), Policy())

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


def test_a_snapshot_that_was_never_stored_cannot_alert() -> None:
    with pytest.raises(ValueError, match="requires a stored snapshot"):
        alerts_of(make_snapshot(error_rate_percent=6.0), Policy())


def test_an_alert_cannot_be_changed() -> None:
    (alert,) = alerts_of(make_stored_snapshot(error_rate_percent=6.0), Policy())

    with pytest.raises(FrozenInstanceError):
        alert.level = Level.INFO  # type: ignore[misc]
