"""The policy: the mission's numbers unless set, in one comparable value."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from telemetry_quality.core.policies import BASELINES, VOLUME_RULES, Policy


def test_the_defaults_are_the_thresholds_of_the_mission() -> None:
    policy = Policy()

    assert policy.error_rate_percent == 5.0
    assert policy.missing_version_percent == 1.0
    assert policy.volume_deviation_percent == 30.0
    assert policy.volume_far_percent == 40.0
    assert policy.sample_success_percent == 99.0
    assert policy.sample_size == 100
    assert policy.duplicate_percent == 10.0
    assert policy.critical_missing_percent == 1.0
    assert policy.late_percent == 5.0
    assert policy.misdated_percent == 1.0
    assert (policy.leak_percent, policy.leak_spreads) == (15.0, 2.75)
    assert policy.version_drift_percent == 10.0
    assert policy.complete_percent == 99.0
    assert (policy.interval_percent, policy.minimum_events) == (99.0, 20)
    assert policy.volume_rule == "both"
    assert policy.volume_rule in VOLUME_RULES
    assert policy.baseline == "weekday"
    assert policy.baseline in BASELINES
    assert policy.holidays is None


def test_equal_policies_have_equal_texts() -> None:
    assert Policy().text() == Policy(error_rate_percent=5.0).text()
    assert Policy(holidays="US").text() == Policy(holidays="US").text()


CHANGES: dict[str, Any] = {
    "error_rate_percent": 6.0,
    "missing_version_percent": 6.0,
    "volume_deviation_percent": 6.0,
    "sample_success_percent": 6.0,
    "sample_size": 6,
    "volume_far_percent": 6.0,
    "volume_rule": "either",
    "interval_percent": 95.0,
    "minimum_events": 6,
    "duplicate_percent": 6.0,
    "critical_missing_percent": 6.0,
    "late_percent": 6.0,
    "misdated_percent": 6.0,
    "leak_percent": 6.0,
    "leak_spreads": 6.0,
    "version_drift_percent": 6.0,
    "complete_percent": 6.0,
    "baseline": "trailing_mean",
    "holidays": "US",
}


def test_every_number_of_a_policy_is_tried_here() -> None:
    assert CHANGES.keys() == {one.name for one in fields(Policy)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_policy_that_differs_in_one_number_has_another_text(name: str) -> None:
    changed = replace(Policy(), **{name: CHANGES[name]})

    assert changed != Policy()
    assert changed.text() != Policy().text()


@pytest.mark.parametrize("name", [name for name, value in CHANGES.items() if isinstance(value, float)])
def test_a_whole_number_is_the_same_threshold_as_the_real_one(name: str) -> None:
    whole: dict[str, Any] = {name: 6}
    real: dict[str, Any] = {name: 6.0}

    assert replace(Policy(), **whole).text() == replace(Policy(), **real).text()


def test_the_text_is_canonical_json_of_every_threshold() -> None:
    policy = Policy(holidays="US-NY")
    text = policy.text()

    assert text.startswith('{"baseline":"weekday","complete_percent":99.0,"critical_missing_percent":1.0,')
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert json.loads(text).keys() == {one.name for one in fields(Policy)}
    assert Policy(**json.loads(text)) == policy


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Policy().error_rate_percent = 50.0  # type: ignore[misc]
