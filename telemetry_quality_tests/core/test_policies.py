"""The policy: the mission's numbers unless set, in one comparable value."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from telemetry_quality.core.policies import BASELINES, Policy


def test_the_defaults_are_the_thresholds_of_the_mission() -> None:
    policy = Policy()

    assert policy.error_rate_percent == 5.0
    assert policy.missing_version_percent == 1.0
    assert policy.volume_deviation_percent == 30.0
    assert policy.sample_success_percent == 99.0
    assert policy.sample_size == 100
    assert policy.baseline == "weekday"
    assert policy.baseline in BASELINES
    assert policy.holidays is None


def test_equal_policies_have_equal_texts() -> None:
    assert Policy().text() == Policy(error_rate_percent=5.0).text()
    assert Policy(holidays="US").text() == Policy(holidays="US").text()


@pytest.mark.parametrize(
    "change",
    [
        {"error_rate_percent": 6.0},
        {"missing_version_percent": 6.0},
        {"volume_deviation_percent": 6.0},
        {"sample_success_percent": 6.0},
        {"sample_size": 6},
        {"baseline": "trailing_mean"},
        {"holidays": "US"},
    ],
)
def test_a_policy_that_differs_in_one_number_has_another_text(change: dict[str, Any]) -> None:
    changed = replace(Policy(), **change)

    assert changed != Policy()
    assert changed.text() != Policy().text()


def test_the_text_is_canonical_json_of_every_threshold() -> None:
    assert Policy(holidays="US-NY").text() == (
        '{"baseline":"weekday","error_rate_percent":5.0,"holidays":"US-NY","missing_version_percent":1.0,'
        '"sample_size":100,"sample_success_percent":99.0,"volume_deviation_percent":30.0}'
    )
    assert Policy(**json.loads(Policy(holidays="US-NY").text())) == Policy(holidays="US-NY")


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Policy().error_rate_percent = 50.0  # type: ignore[misc]
