"""The guardrails that judge a day's own numbers: volume, duplicates, fields, arrivals, timestamps, and slow leaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from math import inf, nextafter
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.detectors.leak import LeakEvidence
from telemetry_quality.core.guardrails import (
    arrival_lag,
    critical_fields,
    duplicates,
    leak,
    timestamps,
    unreadable_times,
    volume,
)
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality.core.policies import WEEKDAYS
from telemetry_quality_tests.builders import DAY, make_evidence, make_figures

if TYPE_CHECKING:
    from telemetry_quality.core.policies import Policy

PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN
BEYOND = nextafter(30.0, inf)


def judge_volume(rule: str = "both", **figures: Any) -> Verdict:
    return volume.judge(make_evidence(make_figures(**figures)), policy_of(volume_rule=rule))


@pytest.mark.parametrize(
    ("rule", "deviation", "unusual", "outcome", "level"),
    [
        ("deviation", 30.0, True, PASSED, Level.INFO),
        ("deviation", BEYOND, False, FAILED, Level.INFO),
        ("deviation", -BEYOND, True, FAILED, Level.WARNING),
        ("unusual", 5.0, True, FAILED, Level.INFO),
        ("unusual", 50.0, False, PASSED, Level.INFO),
        ("unusual", 50.0, True, FAILED, Level.WARNING),
        ("unusual", 50.0, None, UNKNOWN, Level.INFO),
        ("both", 30.0, True, PASSED, Level.INFO),
        ("both", BEYOND, False, PASSED, Level.INFO),
        ("both", BEYOND, True, FAILED, Level.WARNING),
        ("both", BEYOND, None, FAILED, Level.INFO),
        ("both", 30.0, None, PASSED, Level.INFO),
        ("either", 5.0, True, FAILED, Level.INFO),
        ("either", BEYOND, False, FAILED, Level.INFO),
        ("either", 30.0, False, PASSED, Level.INFO),
        ("either", BEYOND, True, FAILED, Level.WARNING),
        ("either", BEYOND, None, FAILED, Level.INFO),
    ],
)
def test_the_volume_rule_decides_between_deviating_and_being_unusual(
    rule: str, deviation: float, unusual: bool | None, outcome: Outcome, level: Level
) -> None:
    verdict = judge_volume(rule, volume_deviation_percent=deviation, is_volume_unusual=unusual)

    assert (verdict.outcome, verdict.level) == (outcome, level)


def test_a_volume_says_how_far_it_lies_and_what_is_normal() -> None:
    verdict = judge_volume(
        total_events=612,
        expected_events=1041.0,
        expected_low_events=890.0,
        expected_high_events=1205.0,
        volume_deviation_percent=-41.2,
        is_volume_unusual=True,
    )

    assert verdict.sentence == (
        "612 events are 41.2 % below the 1,041 expected, more than the 30 % allowed; "
        "normal days lie between 890 and 1,205, so this is unusual for the stream."
    )


def test_a_provisional_volume_says_what_the_expectation_counts() -> None:
    assert "The day is provisional" in judge_volume(is_provisional=True).sentence
    assert "provisional" not in judge_volume(is_provisional=False).sentence


@pytest.mark.parametrize(("low", "is_judged"), [(8.0, True), (4.0, False)])
def test_small_volumes_are_judged_where_the_stream_is_steadier_than_chance(low: float, is_judged: bool) -> None:
    verdict = judge_volume(
        total_events=4,
        expected_events=9.0,
        expected_low_events=low,
        expected_high_events=18.0,
        volume_deviation_percent=-55.6,
        is_volume_unusual=True,
    )

    assert verdict.reason_code == ("VOLUME_LOW" if is_judged else "VOLUME_TOO_SMALL")


@pytest.mark.parametrize("rule", volume.RULES)
@pytest.mark.parametrize(("total", "expected", "is_small"), [(19, 19.9, True), (20, 2.0, False), (1, 20.0, False)])
def test_a_volume_is_not_judged_where_both_numbers_are_small(
    rule: str, total: int, expected: float, is_small: bool
) -> None:
    deviation = 100 * (total - expected) / expected
    verdict = judge_volume(
        rule,
        total_events=total,
        expected_events=expected,
        expected_low_events=expected / 4,
        expected_high_events=expected * 4,
        volume_deviation_percent=deviation,
        is_volume_unusual=True,
    )

    assert (verdict.reason_code == "VOLUME_TOO_SMALL") is is_small
    assert verdict.outcome is (PASSED if is_small else FAILED)


def test_an_unknown_volume_says_from_which_day_it_can_be_judged() -> None:
    figures = make_figures(expected_events=None, volume_deviation_percent=None)
    evidence = make_evidence(figures, expectation=Expectation(known_from=date(2026, 3, 14)))

    verdict = volume.judge(evidence, policy_of())

    assert (verdict.outcome, verdict.reason_code) == (UNKNOWN, "HISTORY_TOO_SHORT")
    assert "2026-03-14" in verdict.sentence


def judge_duplicates(**figures: Any) -> Verdict:
    return duplicates.judge(make_evidence(make_figures(**figures)), policy_of())


@pytest.mark.parametrize(
    ("share", "outcome"),
    [(0.0, PASSED), (5.9, PASSED), (10.0, PASSED), (nextafter(10.0, inf), FAILED), (50.0, FAILED)],
)
def test_duplicates_fail_strictly_above_ten_percent(share: float, outcome: Outcome) -> None:
    verdict = judge_duplicates(duplicate_percent=share)

    assert verdict.outcome is outcome
    assert verdict.reason_code == ("DUPLICATES_HIGH" if outcome is FAILED else "DUPLICATES_OK")
    assert (verdict.value, verdict.threshold) == (share, 10.0)


def test_duplicates_say_when_only_a_subset_was_compared() -> None:
    whole = judge_duplicates(duplicate_percent=50.0, compared_events=1000, duplicate_events=500)
    verdict = judge_duplicates(
        total_events=1_000_000, duplicate_percent=50.0, compared_events=62_000, duplicate_events=31_000
    )

    assert whole.sentence == "50.00 % of 1,000 events repeat another one (500), more than the 10 % allowed."
    assert "a subset of 62,000 of the day's 1,000,000 events" in verdict.sentence


def test_duplicates_are_unknown_where_nothing_was_compared() -> None:
    verdict = judge_duplicates(compared_events=0, duplicate_percent=None)

    assert (verdict.outcome, verdict.reason_code) == (UNKNOWN, "NOTHING_COMPARED")


@pytest.mark.parametrize(("missing", "outcome"), [(0, PASSED), (9, PASSED), (10, PASSED), (11, FAILED)])
def test_critical_fields_fail_strictly_above_one_percent(missing: int, outcome: Outcome) -> None:
    verdict = critical_fields.judge(make_evidence(missing_critical={"user_id": missing, "region": 0}), policy_of())

    assert (verdict.outcome, verdict.value) == (outcome, missing / 10)


def test_failing_critical_fields_are_named_the_worst_first() -> None:
    missing = {"region": 20, "user_id": 500, "plan": 10}
    verdict = critical_fields.judge(make_evidence(missing_critical=missing), policy_of())

    assert verdict.sentence == (
        "Of 1,000 events 50.00 % carry no user_id (500) and 2.00 % carry no region (20), more than the 1 % allowed."
    )
    assert [contributor.segment.parts for contributor in verdict.contributors] == [
        (("user_id", None),),
        (("region", None),),
    ]


def test_critical_fields_that_were_not_counted_are_unknown() -> None:
    assert critical_fields.judge(make_evidence(), policy_of()).reason_code == "NOT_COUNTED"


def late_days(*shares: float) -> dict[date, float]:
    return {DAY - timedelta(days=back): share for back, share in enumerate(shares, start=1)}


def judge_lag(share: float, history: dict[date, float], **figures: Any) -> Verdict:
    evidence = make_evidence(make_figures(late_percent=share, **figures), late_percents=history)
    return arrival_lag.judge(evidence, policy_of())


@pytest.mark.parametrize(("share", "outcome"), [(4.9, PASSED), (5.0, PASSED), (5.1, FAILED), (60.0, FAILED)])
def test_late_events_fail_strictly_above_five_percent_where_hardly_any_are_usual(
    share: float, outcome: Outcome
) -> None:
    assert judge_lag(share, late_days(*[0.5] * 14)).outcome is outcome


@pytest.mark.parametrize(("share", "outcome"), [(20.0, PASSED), (24.0, PASSED), (24.1, FAILED), (50.0, FAILED)])
def test_a_stream_that_is_a_fifth_late_every_day_fails_only_clearly_above_that(share: float, outcome: Outcome) -> None:
    assert judge_lag(share, late_days(*[20.0] * 28)).outcome is outcome


def test_what_is_late_every_same_weekday_is_usual_on_it() -> None:
    history = {
        day: 30.0 if day.weekday() == DAY.weekday() else 1.0
        for day in (DAY - timedelta(days=back) for back in range(1, 36))
    }

    assert judge_lag(31.0, history).outcome is PASSED
    assert judge_lag(60.0, history).outcome is FAILED


def test_too_few_earlier_days_cannot_say_whether_lateness_is_usual() -> None:
    verdict = judge_lag(40.0, late_days(*[1.0] * 6))

    assert (verdict.outcome, verdict.reason_code) == (UNKNOWN, "HISTORY_TOO_SHORT")
    assert str(DAY + timedelta(days=1)) in verdict.sentence
    assert judge_lag(40.0, late_days(*[1.0] * 7)).outcome is FAILED
    assert judge_lag(4.0, {}).outcome is PASSED


def test_lateness_of_later_days_changes_nothing() -> None:
    history = late_days(*[1.0] * 14)
    later = {DAY + timedelta(days=ahead): 90.0 for ahead in range(40)}

    assert judge_lag(40.0, history | later) == judge_lag(40.0, history)


def test_a_provisional_day_says_how_much_of_it_has_usually_arrived() -> None:
    verdict = judge_lag(1.0, late_days(*[1.0] * 14), is_provisional=True, completeness_percent=82.4)

    assert "usually 82 % of a day have arrived by now" in verdict.sentence


@pytest.mark.parametrize(
    ("share", "outcome"), [(0.0, PASSED), (1.0, PASSED), (nextafter(1.0, inf), FAILED), (7.0, FAILED), (None, UNKNOWN)]
)
def test_impossible_timestamps_fail_strictly_above_one_percent(share: float | None, outcome: Outcome) -> None:
    verdict = timestamps.judge(make_evidence(make_figures(impossible_timestamp_percent=share)), policy_of())

    assert (verdict.outcome, verdict.value, verdict.threshold) == (outcome, share, 1.0)


@pytest.mark.parametrize(
    ("share", "outcome"), [(0.0, PASSED), (1.0, PASSED), (nextafter(1.0, inf), FAILED), (7.0, FAILED), (None, UNKNOWN)]
)
def test_unreadable_times_fail_strictly_above_one_percent(share: float | None, outcome: Outcome) -> None:
    verdict = unreadable_times.judge(make_evidence(make_figures(unreadable_time_percent=share)), policy_of())

    assert (verdict.outcome, verdict.value, verdict.threshold) == (outcome, share, 1.0)


def test_unreadable_times_say_how_many_of_the_arrived_events_they_are_and_where_to_look() -> None:
    figures = make_figures(arrived_events=1200, unreadable_time_events=30, unreadable_time_percent=2.5)

    assert unreadable_times.judge(make_evidence(figures), policy_of()).sentence == (
        "30 of 1,200 events that arrived on the day (2.50 %) have no readable time, more than the 1 % allowed: "
        "check time_unit and time_format, then look at the client."
    )


def leaking(percent_a_day: float, days: int = 30) -> dict[date, int]:
    """A hundred days, of which each of the last ones loses a little."""
    return {
        DAY - timedelta(days=back): round(1000 * (1 - percent_a_day / 100) ** max(days - back, 0))
        for back in range(100)
    }


def test_a_slow_loss_fails_and_says_how_much_compared_with_what_and_since_when() -> None:
    history = leaking(2.0)
    verdict = leak.judge(make_evidence(make_figures(total_events=history[DAY]), totals=history), policy_of())

    assert (verdict.outcome, verdict.reason_code) == (FAILED, "LEAK_FOUND")
    assert "fewer events than a few weeks ago" in verdict.sentence
    assert verdict.contributors[0].since is not None
    assert str(verdict.contributors[0].since) in verdict.sentence


def test_a_steady_stream_leaks_nothing_and_later_days_are_ignored() -> None:
    steady = leaking(0.0)
    evidence = make_evidence(totals=steady)
    later = {DAY + timedelta(days=ahead): 1 for ahead in range(1, 40)}

    assert leak.judge(evidence, policy_of()).outcome is PASSED
    assert leak.judge(replace(evidence, totals=steady | later), policy_of()) == leak.judge(evidence, policy_of())


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        (policy_of(), FAILED),
        (policy_of(leak_percent=99.0), PASSED),
        (policy_of(leak_sigmas=99.0), PASSED),
    ],
)
def test_a_loss_must_be_large_and_larger_than_the_spread_of_the_stream(policy: Policy, outcome: Outcome) -> None:
    assert leak.judge(make_evidence(totals=leaking(2.0)), policy).outcome is outcome


@pytest.mark.parametrize(
    ("percent", "sigmas", "is_slow", "expected"),
    [
        (BEYOND / 2, nextafter(1.0, inf), True, True),
        (15.0, 2.0, True, False),
        (20.0, 1.0, True, False),
        (20.0, 2.0, False, False),
    ],
)
def test_a_leak_is_slow_and_strictly_above_both_settings(
    percent: float, sigmas: float, is_slow: bool, expected: bool
) -> None:
    found = LeakEvidence(percent, sigmas, is_slow, since=DAY, reference_events=100, recent_events=80)

    assert leak.is_leak(found, policy_of()) is expected


def test_a_step_passes_and_says_why() -> None:
    step = {day: 600 if (DAY - day).days < 20 else 1000 for day in leaking(0.0)}
    verdict = leak.judge(make_evidence(totals=step), policy_of())

    assert (verdict.outcome, verdict.reason_code) == (PASSED, "LEAK_NONE")
    assert verdict.value == pytest.approx(40)
    assert verdict.sentence.endswith("(600 against 1,000), but not less from week to week: no slow loss.")


def test_a_loss_since_somebody_accepted_another_level_counts_from_there_on() -> None:
    history = leaking(2.0, days=25)
    accepted = make_evidence(totals=history, new_levels=frozenset({DAY - timedelta(days=10)}))

    assert leak.judge(make_evidence(totals=history), policy_of()).outcome is FAILED
    assert leak.judge(accepted, policy_of()).reason_code == "HISTORY_TOO_SHORT"


@pytest.mark.parametrize(
    "policy",
    [
        policy_of(rest=(WEEKDAYS[DAY.weekday()],)),
        policy_of(rest_days=(DAY.isoformat(),)),
    ],
)
def test_a_loss_is_not_judged_on_a_day_of_rest(policy: Policy) -> None:
    verdict = leak.judge(make_evidence(totals=leaking(2.0)), policy)

    assert (verdict.outcome, verdict.reason_code) == (UNKNOWN, "DAY_OF_REST")


@pytest.mark.parametrize(
    ("figures", "reason_code"),
    [({"is_provisional": True}, "DAY_PROVISIONAL"), ({"total_events": 0}, "NO_EVENTS"), ({}, "HISTORY_TOO_SHORT")],
)
def test_a_loss_is_not_judged_before_it_can_be(figures: dict[str, Any], reason_code: str) -> None:
    verdict = leak.judge(make_evidence(make_figures(**figures)), policy_of())

    assert (verdict.outcome, verdict.reason_code) == (UNKNOWN, reason_code)
