"""The volume of days of few events: judged by the sum of the last such days, by every rule alike."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.guardrails import volume
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality.core.root_cause.tables import Measure
from telemetry_quality_tests.builders import DAY, make_evidence, make_figures

if TYPE_CHECKING:
    from datetime import date

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def make_totals(*latest: int, weeks: int = 10) -> dict[date, int]:
    """Three events a day for some weeks, then the ``latest`` days, DAY last."""
    counts = [3] * 7 * weeks + list(latest)
    return {DAY - timedelta(days=n): count for n, count in enumerate(reversed(counts))}


def judge(totals: dict[date, int], *, is_empty_usual: bool = False, **settings: Any) -> Verdict:
    """The verdict on DAY by ``settings``, of which three events were expected."""
    return judge_with(totals, settings, is_empty_usual=is_empty_usual)


def judge_with(
    totals: dict[date, int], settings: dict[str, Any], *, is_empty_usual: bool = False, **evidence: Any
) -> Verdict:
    total = totals[DAY]
    figures = make_figures(
        total_events=total,
        expected_events=3.0,
        expected_low_events=0.0,
        expected_high_events=9.0,
        volume_deviation_percent=100 * (total - 3) / 3,
        is_volume_unusual=False,
        is_provisional=evidence.pop("is_provisional", False),
    )
    expectation = Expectation(3.0, 0.0, 9.0, is_empty_usual=is_empty_usual)
    made = make_evidence(figures, expectation=expectation, totals=totals, **evidence)
    return volume.judge(made, policy_of(**settings))


@pytest.mark.parametrize("rule", ["deviation", "unusual", "both", "either"])
def test_five_empty_days_in_a_row_fail_although_each_of_them_may_be_empty(rule: str) -> None:
    verdict = judge(make_totals(0, 0, 0, 0, 0), is_empty_usual=True, volume_rule=rule)

    assert (verdict.outcome, verdict.level, verdict.reason_code) == (FAILED, Level.WARNING, "VOLUME_SUM_LOW")
    assert verdict.value == pytest.approx(-100 * 15 / 21)
    assert verdict.threshold == 30.0
    assert verdict.sentence == (
        "0 events are too few to be judged alone; the last 7 days of few events hold 6, 71.4 % below the 21 that are "
        "usual, more than the 30 % allowed and more than chance explains."
    )


def test_an_empty_day_among_usual_ones_passes_and_says_what_the_last_days_hold() -> None:
    verdict = judge(make_totals(3, 3, 0), is_empty_usual=True)

    assert (verdict.outcome, verdict.reason_code) == (PASSED, "VOLUME_SUM_OK")
    assert verdict.sentence == (
        "0 events are too few to be judged alone; the last 7 days of few events hold 18, 14.3 % below the 21 that are "
        "usual, as chance explains."
    )


def test_a_burst_of_few_events_is_found_upwards() -> None:
    verdict = judge(make_totals(7, 8, 7, 8))

    assert (verdict.outcome, verdict.level, verdict.reason_code) == (FAILED, Level.WARNING, "VOLUME_SUM_HIGH")


@pytest.mark.parametrize(("threshold", "outcome"), [(71.0, FAILED), (100 * 15 / 21, PASSED), (72.0, PASSED)])
def test_a_sum_must_deviate_strictly_beyond_the_threshold(threshold: float, outcome: Outcome) -> None:
    verdict = judge(make_totals(0, 0, 0, 0, 0), volume_deviation_percent=threshold)

    assert verdict.outcome is outcome


def test_a_day_is_left_to_itself_while_too_few_sums_are_known() -> None:
    few = make_totals(weeks=4)

    assert judge(few).reason_code == "VOLUME_TOO_SMALL"
    assert judge(few).outcome is PASSED
    assert judge(make_totals(0, weeks=3), is_empty_usual=True).reason_code == "USUALLY_EMPTY"


def test_a_provisional_day_is_not_judged_by_a_sum_that_may_still_grow() -> None:
    verdict = judge_with(make_totals(0, 0, 0, 0, 0), {}, is_provisional=True)

    assert verdict.reason_code == "VOLUME_TOO_SMALL"


def test_days_of_rest_belong_to_no_sum() -> None:
    outage = make_totals(0, 0, 0, 0, 0)
    first, last = DAY - timedelta(days=4), DAY

    assert judge(outage, rest_days=[f"{first}...{last}"], is_empty_usual=True).reason_code == "USUALLY_EMPTY"
    assert judge(outage | {DAY: 3}, rest_days=[f"{first}...{last - timedelta(days=1)}"]).reason_code == "VOLUME_SUM_OK"


def test_only_days_of_an_accepted_level_are_compared() -> None:
    totals = make_totals(*[1] * 14)
    accepted = DAY - timedelta(days=13)

    assert judge(make_totals(1, 1, 1, 1, 1, 1, 1)).reason_code == "VOLUME_SUM_LOW"
    assert judge_with(totals, {}, new_levels=frozenset({accepted})).reason_code == "VOLUME_TOO_SMALL"


def test_no_later_day_changes_the_verdict() -> None:
    totals = make_totals(0, 0, 0, 0, 0)
    later = {DAY + timedelta(days=n): 500 for n in range(1, 9)}

    assert judge(totals | later) == judge(totals)


@pytest.mark.parametrize(("events", "reason_code"), [(19, "VOLUME_SUM_HIGH"), (20, "VOLUME_HIGH"), (21, "VOLUME_HIGH")])
def test_a_day_of_as_many_events_as_volumes_are_judged_from_is_judged_alone(events: int, reason_code: str) -> None:
    assert judge(make_totals(events)).reason_code == reason_code


def test_no_segment_of_the_day_is_blamed_for_what_several_days_lack() -> None:
    alone = judge(make_totals(20))

    assert volume.GUARDRAIL.measure_of(judge(make_totals(0, 0, 0, 0, 0))) is None
    assert volume.GUARDRAIL.measure_of(judge(make_totals(7, 8, 7, 8))) is None
    assert volume.GUARDRAIL.measure_of(alone) is Measure.EVENTS
