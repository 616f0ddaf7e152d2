"""A snapshot says what is known about a day, and nothing more."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from datetime import datetime
from typing import Any

import pytest

from telemetry_quality.core.guardrails.catalogue import BUILT_IN, policy_of
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.snapshots import (
    DayStatus,
    TelemetryIntegritySnapshot,
    day_status,
    take_snapshot,
    unknown_day_as_json,
)
from telemetry_quality_tests.builders import DAY, NOW, make_figures, make_snapshot, make_verdicts

ERROR_SPIKE: dict[str, Any] = {"error_events": 51, "error_rate_percent": 5.1}
UNTAGGED: dict[str, Any] = {"missing_version_events": 11, "missing_version_percent": 1.1}
TOO_FEW: dict[str, Any] = {
    "expected_events": 2000.0,
    "volume_deviation_percent": -50.0,
    "is_volume_unusual": True,
}
REPEATED: dict[str, Any] = {"duplicate_events": 101, "duplicate_percent": 10.1}
BAD_SAMPLE: dict[str, Any] = {"sample_passed": 98, "sampling_success_rate_percent": 98.0}
NO_HISTORY: dict[str, Any] = {"expected_events": None, "volume_deviation_percent": None}
NO_SEVERITY: dict[str, Any] = {"error_events": 0, "error_rate_percent": None}
NO_EVENTS: dict[str, Any] = {
    "total_events": 0,
    "error_rate_percent": None,
    "missing_version_events": 0,
    "missing_version_percent": None,
    "sample_size": 0,
    "sample_passed": 0,
    "sampling_success_rate_percent": None,
    "volume_deviation_percent": -100.0,
    "is_volume_unusual": True,
    "compared_events": 0,
    "duplicate_events": 0,
    "duplicate_percent": None,
}
UNREADABLE: dict[str, Any] = dict.fromkeys(field.name for field in fields(DayFigures)) | {
    "unreadable_reason_code": "FILE_CORRUPT",
    "unreadable_reason": "The file is broken.",
}


@pytest.mark.parametrize(
    ("figures", "status"),
    [
        ({}, DayStatus.HEALTHY),
        (NO_HISTORY, DayStatus.HEALTHY),
        (NO_SEVERITY, DayStatus.HEALTHY),
        (NO_HISTORY | NO_SEVERITY, DayStatus.HEALTHY),
        (TOO_FEW, DayStatus.DEGRADED),
        (UNTAGGED, DayStatus.DEGRADED),
        (BAD_SAMPLE, DayStatus.DEGRADED),
        (REPEATED, DayStatus.DEGRADED),
        (TOO_FEW | UNTAGGED | BAD_SAMPLE, DayStatus.DEGRADED),
        (NO_SEVERITY | UNTAGGED, DayStatus.DEGRADED),
        (ERROR_SPIKE, DayStatus.UNHEALTHY),
        (ERROR_SPIKE | TOO_FEW | UNTAGGED | BAD_SAMPLE, DayStatus.UNHEALTHY),
        (ERROR_SPIKE | NO_HISTORY, DayStatus.UNHEALTHY),
        (NO_EVENTS, DayStatus.NO_ACTIVITY),
        (NO_EVENTS | NO_HISTORY, DayStatus.NO_ACTIVITY),
        (UNREADABLE, DayStatus.UNKNOWN),
        (UNREADABLE | {"expected_events": 1000.0}, DayStatus.UNKNOWN),
    ],
)
def test_the_status_is_the_worst_of_what_is_known(figures: dict[str, Any], status: DayStatus) -> None:
    assert make_snapshot(**figures).status is status


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ({"activity": Outcome.PASSED, "error_rate": Outcome.UNKNOWN}, DayStatus.HEALTHY),
        ({"activity": Outcome.PASSED, "volume": Outcome.FAILED}, DayStatus.DEGRADED),
        ({"activity": Outcome.FAILED, "volume": Outcome.FAILED}, DayStatus.NO_ACTIVITY),
        ({"activity": Outcome.UNKNOWN}, DayStatus.NO_ACTIVITY),
        ({}, DayStatus.NO_ACTIVITY),
    ],
)
def test_an_empty_day_is_healthy_only_if_its_emptiness_passed_and_nothing_else_failed(
    outcomes: dict[str, Outcome], status: DayStatus
) -> None:
    verdicts = [Verdict(name, Level.WARNING, outcome, "CODE", 0, 0, "Words.") for name, outcome in outcomes.items()]

    assert day_status(make_figures(total_events=0), verdicts) is status


@pytest.mark.parametrize("figures", [NO_EVENTS, {}, ERROR_SPIKE])
def test_a_day_that_could_not_be_read_is_never_healthy_nor_silent(figures: dict[str, Any]) -> None:
    snapshot = make_snapshot(**figures, unreadable_reason_code="FILE_CORRUPT")

    assert snapshot.status is DayStatus.UNKNOWN
    assert not snapshot.is_healthy()
    assert snapshot.is_zero_activity is None
    assert snapshot.has_error_spike is None
    assert snapshot.has_version_anomaly is None
    assert snapshot.has_volume_anomaly is None


@pytest.mark.parametrize("status", list(DayStatus))
def test_a_day_is_healthy_if_and_only_if_its_status_is(status: DayStatus) -> None:
    assert replace(make_snapshot(), status=status).is_healthy() is (status.value == "healthy")


@pytest.mark.parametrize(
    ("figures", "flag"),
    [
        (TOO_FEW, "has_volume_anomaly"),
        (UNTAGGED, "has_version_anomaly"),
        (ERROR_SPIKE, "has_error_spike"),
    ],
)
def test_each_flag_is_raised_by_its_own_guardrail_only(figures: dict[str, Any], flag: str) -> None:
    flags = ("has_volume_anomaly", "has_version_anomaly", "has_error_spike", "is_zero_activity")
    snapshot = make_snapshot(**figures)

    assert {name: getattr(snapshot, name) for name in flags} == {name: name == flag for name in flags}


def test_a_day_without_events_is_silent_and_its_rates_are_unknown() -> None:
    snapshot = make_snapshot(**NO_EVENTS)

    assert snapshot.is_zero_activity is True
    assert snapshot.has_volume_anomaly is True
    assert snapshot.has_error_spike is None
    assert snapshot.has_version_anomaly is None


def test_a_volume_without_a_history_is_no_anomaly_and_no_all_clear() -> None:
    assert make_snapshot(**NO_HISTORY).has_volume_anomaly is None


def test_a_snapshot_holds_the_figures_and_the_policy_it_was_judged_by() -> None:
    policy = policy_of(error_rate_percent=50.0)
    snapshot = make_snapshot(policy=policy, scan_revision=3, **ERROR_SPIKE)

    assert {field.name: getattr(snapshot, field.name) for field in fields(DayFigures)} == {
        field.name: getattr(make_figures(**ERROR_SPIKE), field.name) for field in fields(DayFigures)
    }
    assert (snapshot.source, snapshot.day, snapshot.scan_revision) == ("web", DAY, 3)
    assert snapshot.policy == policy.text()
    assert snapshot.has_error_spike is False
    assert snapshot.computed_at == NOW
    assert (snapshot.revision, snapshot.previous_hash, snapshot.content_hash) == (None, None, None)
    assert snapshot.verdicts_hash is None


def test_a_snapshot_takes_its_flags_and_status_from_its_verdicts() -> None:
    """Flags and status come from the verdicts, whatever the figures look like."""
    outcomes = {"error_rate": (Outcome.FAILED, Level.CRITICAL), "missing_version": (Outcome.UNKNOWN, Level.WARNING)}
    verdicts = [
        replace(verdict, outcome=outcomes[verdict.guardrail][0], level=outcomes[verdict.guardrail][1])
        if verdict.guardrail in outcomes
        else verdict
        for verdict in make_verdicts()
    ]

    snapshot = take_snapshot(
        source="web",
        day=DAY,
        figures=make_figures(),
        verdicts=verdicts,
        policy=policy_of(),
        scan_revision=1,
        scan_hash="0" * 64,
        now=NOW,
    )

    assert (snapshot.status, snapshot.has_error_spike) == (DayStatus.UNHEALTHY, True)
    assert (snapshot.has_version_anomaly, snapshot.has_volume_anomaly) == (None, False)


@pytest.mark.parametrize(
    ("level", "status"),
    [(Level.CRITICAL, DayStatus.UNHEALTHY), (Level.WARNING, DayStatus.DEGRADED), (Level.INFO, DayStatus.DEGRADED)],
)
@pytest.mark.parametrize("guardrail", [rule.name for rule in BUILT_IN])
def test_any_guardrail_that_fails_makes_the_day_unhealthy_or_degraded_by_its_level(
    guardrail: str, level: Level, status: DayStatus
) -> None:
    failed = Verdict(guardrail, level, Outcome.FAILED, "BAD", 1.0, 0.0, "It is bad.")
    passed = Verdict("other", Level.CRITICAL, Outcome.PASSED, "OK", 0.0, 0.0, "It is good.")

    assert day_status(make_figures(), [passed, failed, passed]) is status


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        make_snapshot().status = DayStatus.HEALTHY  # type: ignore[misc]


def test_the_json_of_a_snapshot_holds_every_field_with_its_key_first() -> None:
    answer = make_snapshot().as_json()

    assert list(answer)[:3] == ["source", "day", "revision"]
    assert set(answer) == {field.name for field in fields(TelemetryIntegritySnapshot)}
    assert answer["source"] == "web"
    assert answer["day"] == "2026-03-10"
    assert answer["revision"] is None
    assert answer["status"] == "healthy"
    assert answer["total_events"] == 1000
    assert answer["has_error_spike"] is False
    assert answer["policy"]["error_rate_percent"] == 5.0
    assert datetime.fromisoformat(answer["computed_at"]) == NOW


@pytest.mark.parametrize("figures", [{}, NO_EVENTS, UNREADABLE, ERROR_SPIKE | NO_HISTORY])
def test_the_json_of_a_snapshot_can_be_written_and_read_back_unchanged(figures: dict[str, Any]) -> None:
    answer = make_snapshot(**figures).as_json()

    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_a_day_that_was_never_judged_has_the_same_keys_and_is_unknown() -> None:
    unknown, known = unknown_day_as_json("web", DAY), make_snapshot().as_json()

    assert list(unknown) == list(known)
    assert (unknown["source"], unknown["day"], unknown["status"]) == ("web", "2026-03-10", "unknown")
    assert {name for name, value in unknown.items() if value not in (None, {})} == {"source", "day", "status"}
    assert json.loads(json.dumps(unknown)) == unknown


def test_the_day_statuses_are_the_five_words_of_the_api() -> None:
    assert [status.value for status in DayStatus] == ["unknown", "no_activity", "unhealthy", "degraded", "healthy"]


def test_a_snapshot_is_taken_at_the_instant_it_is_given() -> None:
    later = NOW.replace(year=2027)
    snapshot = take_snapshot(
        source="app",
        day=DAY,
        figures=make_figures(),
        verdicts=make_verdicts(),
        policy=policy_of(),
        scan_revision=1,
        scan_hash="1" * 64,
        now=later,
    )

    assert (snapshot.source, snapshot.computed_at, snapshot.scan_hash) == ("app", later, "1" * 64)
