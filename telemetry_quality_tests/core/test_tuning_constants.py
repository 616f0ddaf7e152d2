"""Tuning: the exact position of each of its limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.guardrails.catalogue import BUILT_IN, policy_of
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.verdicts import Outcome, Verdict
from telemetry_quality.core.tuning.backtest import Trial, Try, candidates, trial_of
from telemetry_quality.core.tuning.proposals import Advice, propose
from telemetry_quality_tests.builders import DAY, SCHEMA, make_evidence
from telemetry_quality_tests.core.test_tuning import caught_below, make_trial, threshold_named, threshold_of

if TYPE_CHECKING:
    from collections.abc import Container


def at(threshold: float, today: float = 30.0) -> int:
    """The position of a threshold."""
    return candidates(threshold_named("volume_deviation_percent"), today).index(threshold)


def tries(*caught: Container[int]) -> tuple[Try, ...]:
    """One try each, on days that are always quiet without the fault."""
    return tuple(Try(range(100), positions) for positions in caught)


@pytest.mark.parametrize(
    ("setting", "strictest", "loosest"),
    [
        ("error_rate_percent", 0.5, 50),
        ("missing_version_percent", 0.1, 50),
        ("volume_deviation_percent", 10, 200),
        ("sample_success_percent", 99.5, 80),
        ("duplicate_percent", 1, 40),
        ("leak_percent", 5, 40),
        ("segment_error_percent", 1, 50),
        ("segment_volume_percent", 10, 80),
        ("version_drift_percent", 2, 50),
        ("critical_missing_percent", 0.1, 50),
        ("late_percent", 0.5, 50),
        ("invalid_timestamp_percent", 0.1, 50),
        ("unreadable_time_percent", 0.1, 50),
    ],
)
def test_nothing_is_proposed_that_alarms_on_noise_or_only_on_disasters(
    setting: str, strictest: float, loosest: float
) -> None:
    _, first, *_, last = candidates(threshold_named(setting), first_of(setting))

    assert (first, last) == (strictest, loosest)


def first_of(setting: str) -> float:
    """A threshold of today that is among the candidates anyway."""
    return 90.0 if setting == "sample_success_percent" else 10.0


@pytest.mark.parametrize(("alarms", "advice"), [(1, Advice.KEEP), (2, Advice.LOOSEN)])
def test_one_false_alarm_in_a_hundred_days_is_what_a_threshold_may_raise(alarms: int, advice: Advice) -> None:
    noisy = [at(30.0) + 1] * alarms + [0] * (100 - alarms)

    assert propose(make_trial(noisy)).advice is advice


@pytest.mark.parametrize(("better", "advice"), [(4, Advice.KEEP), (5, Advice.TIGHTEN), (6, Advice.TIGHTEN)])
def test_todays_threshold_is_replaced_by_one_that_catches_five_points_more(better: int, advice: Advice) -> None:
    catches = tries(*[range(100)] * 50, *[range(at(20.0) + 1)] * better, *[()] * (50 - better))

    assert propose(make_trial([0] * 100, {Fault.DROP_20: catches})).advice is advice


def test_of_the_thresholds_within_a_point_of_the_best_the_nearest_to_todays_is_proposed() -> None:
    def proposed(at_15: int, at_20: int) -> float | None:
        catches = tries(*[range(at(20.0) + 1)] * at_20, *[range(at(15.0) + 1)] * (at_15 - at_20), *[()] * (100 - at_15))
        found = propose(make_trial([0] * 100, {Fault.DROP_20: catches})).proposed
        return None if found is None else found.threshold

    assert proposed(at_15=51, at_20=50) == 20.0
    assert proposed(at_15=52, at_20=50) == 15.0


@pytest.mark.parametrize(("caught", "advice"), [(94, Advice.NOTHING_FITS), (95, Advice.LOOSEN)])
@pytest.mark.parametrize("fault", [Fault.DROP_50, Fault.DOUBLED, Fault.ZERO, Fault.TAGS, Fault.SPOILED])
def test_a_looser_threshold_must_catch_nearly_all_gross_faults_that_todays_does(
    fault: Fault, caught: int, advice: Advice
) -> None:
    catches = tries(*[range(100)] * caught, *[range(at(30.0) + 1)] * (100 - caught))

    assert propose(make_trial([at(30.0) + 1] * 50 + [0] * 50, {fault: catches})).advice is advice


@pytest.mark.parametrize(("caught", "advice"), [(49, Advice.NOTHING_FITS), (50, Advice.LOOSEN)])
def test_a_looser_threshold_must_catch_half_of_the_leaks_that_todays_does(caught: int, advice: Advice) -> None:
    catches = tries(*[range(100)] * caught, *[range(at(30.0) + 1)] * (100 - caught))

    assert propose(make_trial([at(30.0) + 1] * 50 + [0] * 50, {Fault.LEAK: catches})).advice is advice


@pytest.mark.parametrize(("tried", "advice"), [(9, Advice.LOOSEN), (10, Advice.NOTHING_FITS)])
def test_a_catch_rate_from_fewer_than_ten_tries_is_not_compared_with_another(tried: int, advice: Advice) -> None:
    few = caught_below(at(30.0) + 1, tried)
    known = {Fault.DROP_50: few, Fault.ZERO: caught_below(100)}

    assert propose(make_trial([at(30.0) + 1] * 50 + [0] * 50, known)).advice is advice


@pytest.mark.parametrize(("left", "advice"), [(10, Advice.LOOSEN), (11, Advice.NOTHING_FITS)])
def test_if_no_threshold_fits_half_of_the_false_alarms_must_go(left: int, advice: Advice) -> None:
    noisy = [100] * left + [at(30.0) + 1] * (20 - left) + [0] * 80

    assert propose(make_trial(noisy)).advice is advice


@pytest.mark.parametrize(("today", "advice"), [(33.0, Advice.LOOSEN), (34.0, Advice.LOOSEN), (35.0, Advice.KEEP)])
def test_a_threshold_at_85_percent_of_the_next_is_a_step_stricter(today: float, advice: Advice) -> None:
    # The days fail at 30 but not at today's, so 40 has a margin only if today's is the step before it.
    noisy = [at(30.0, today) + 1] * 50 + [0] * 50
    catches = tries(*[(at(40.0, today),)] * 100)

    assert propose(make_trial(noisy, {Fault.DROP_20: catches}, today)).advice is advice


def trial_of_days(name: str, days: int) -> Trial:
    """The trial of a guardrail that passes whatever it sees."""
    rule = next(rule for rule in BUILT_IN if rule.name == name)
    passed = Verdict(name, rule.level, Outcome.PASSED, "OK", None, None, "")
    stream = [make_evidence(day=DAY + timedelta(days=n)) for n in range(days)]
    return trial_of(replace(rule, judge=lambda *_: passed), threshold_of(rule), stream, policy_of(), SCHEMA)


@pytest.mark.parametrize(("days", "leaks"), [(29, 0), (30, 1), (52, 23), (53, 24), (54, 24), (100, 24)])
def test_leaks_of_a_month_are_tried_from_24_days_on_at_most(days: int, leaks: int) -> None:
    assert len(trial_of_days("leak", days).tries[Fault.LEAK]) == leaks


@pytest.mark.parametrize(("name", "judged"), [("volume", 125), ("silence", 17 * 7), ("version_drift", 17 * 7)])
def test_slow_guardrails_are_tried_on_seventeen_weeks_only(name: str, judged: int) -> None:
    assert len(trial_of_days(name, 125).failing) == judged
