"""The policy: the mission's thresholds as defaults, in one comparable value."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from telemetry_quality.core.guardrails.catalogue import BUILT_IN, policy_of, settings_of


def test_the_defaults_are_the_thresholds_of_the_mission() -> None:
    assert (
        policy_of().values.items()
        >= {
            "error_rate_percent": 5.0,
            "missing_version_percent": 1.0,
            "volume_deviation_percent": 30.0,
            "volume_rule": "both",
            "volume_far_percent": 35.0,
            "sample_success_percent": 99.0,
            "duplicate_percent": 10.0,
            "leak_percent": 15.0,
            "leak_sigmas": 1.0,
            "segment_error_percent": 5.0,
            "segment_volume_percent": 33.0,
            "version_drift_percent": 10.0,
            "critical_missing_percent": 1.0,
            "late_percent": 5.0,
            "invalid_timestamp_percent": 1.0,
            "unreadable_time_percent": 1.0,
            "baseline": "weekday",
            "holidays": None,
            "interval_percent": 99.0,
            "minimum_events": 20,
            "complete_percent": 99.0,
            "sample_size": 100,
        }.items()
    )


def test_equal_policies_have_equal_texts() -> None:
    assert policy_of().text() == policy_of(error_rate_percent=5.0).text()
    assert policy_of(holidays="US").text() == policy_of(holidays="US").text()


CHANGES: dict[str, Any] = {
    **{setting.name: 6 * type(setting.default)(1) for setting in settings_of(BUILT_IN) if setting.default},
    "interval_percent": 95.0,
    "volume_rule": "either",
    "baseline": "trailing_mean",
    "holidays": "US",
    "rest": ("sat", "sun"),
    "rest_days": ("2026-12-24",),
}
"""Another value of every setting."""


@pytest.mark.parametrize("name", CHANGES)
def test_a_policy_that_differs_in_one_number_has_another_text(name: str) -> None:
    changed = policy_of(**{name: CHANGES[name]})

    assert changed != policy_of()
    assert changed.text() != policy_of().text()


@pytest.mark.parametrize("name", [name for name, value in CHANGES.items() if isinstance(value, float)])
def test_a_whole_number_is_the_same_threshold_as_the_real_one(name: str) -> None:
    whole: dict[str, Any] = {name: 6}
    real: dict[str, Any] = {name: 6.0}

    assert policy_of(**whole).text() == policy_of(**real).text()


def test_the_text_is_canonical_json_of_every_threshold() -> None:
    policy = policy_of(holidays="US-NY")
    text = policy.text()

    assert text.startswith('{"baseline":"weekday","combinations_factor":5.0,"complete_percent":99.0,')
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert json.loads(text).keys() == {setting.name for setting in settings_of(BUILT_IN)}
    assert policy_of(**json.loads(text)) == policy


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        policy_of().values = {}  # type: ignore[misc]


def test_a_name_that_is_not_a_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="error_rate_precent"):
        policy_of(error_rate_precent=5.0)
