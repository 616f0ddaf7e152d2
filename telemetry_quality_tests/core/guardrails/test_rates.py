"""The guardrails of a source's own rates."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nextafter
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.event_schema import EventSchema, Rate
from telemetry_quality.core.guardrails.catalogue import (
    BUILT_IN,
    guardrail_named,
    guardrails_of,
    judge_day,
    policy_of,
    with_extra_numbers,
)
from telemetry_quality.core.guardrails.guardrail import Failure
from telemetry_quality.core.guardrails.rates import rate_guardrails
from telemetry_quality.core.guardrails.verdicts import Level, Outcome
from telemetry_quality.core.incidents import FailedGuardrail
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.policies import Direction
from telemetry_quality.core.root_cause import RateMeasure
from telemetry_quality_tests.builders import DAY, SCHEMA, make_evidence, make_figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry_quality.core.guardrails.verdicts import Verdict

PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN
ABOVE = Rate("lost", "is_lost", above_percent=5.0)
BELOW = Rate(
    "paid", "is_paid", "is_basket", below_percent=90.0, level="CRITICAL", description="Baskets that were paid."
)
BOTH = Rate("mobile", "platform = 'ios'", above_percent=60.0, below_percent=20.0, level="INFO")


def schema_of(*rates: Rate) -> EventSchema:
    return replace(SCHEMA, rates=rates)


def judge(rate: Rate, counts: Mapping[str, int], events: int = 1000, policy: Any = None) -> Verdict:
    (rule,) = rate_guardrails((rate,))
    evidence = make_evidence(make_figures(total_events=events), rate_counts=counts)
    return rule.judge(evidence, policy or policy_of((rate,)))


@pytest.mark.parametrize(
    ("lost", "outcome", "reason_code"),
    [(0, PASSED, "RATE_OK"), (49, PASSED, "RATE_OK"), (50, PASSED, "RATE_OK"), (51, FAILED, "RATE_HIGH")],
)
def test_a_rate_fails_strictly_above_its_limit(lost: int, outcome: Outcome, reason_code: str) -> None:
    verdict = judge(ABOVE, {"lost": lost})
    assert (verdict.guardrail, verdict.level) == ("rate_lost", Level.WARNING)
    assert (verdict.outcome, verdict.reason_code) == (outcome, reason_code)
    assert (verdict.value, verdict.threshold) == (lost / 10, 5.0)


@pytest.mark.parametrize(
    ("paid", "outcome", "reason_code"),
    [(100, PASSED, "RATE_OK"), (90, PASSED, "RATE_OK"), (89, FAILED, "RATE_LOW"), (0, FAILED, "RATE_LOW")],
)
def test_a_rate_fails_strictly_below_its_limit(paid: int, outcome: Outcome, reason_code: str) -> None:
    verdict = judge(BELOW, {"paid": paid, "paid.of": 100})
    assert (verdict.guardrail, verdict.level) == ("rate_paid", Level.CRITICAL)
    assert (verdict.outcome, verdict.reason_code) == (outcome, reason_code)
    assert (verdict.value, verdict.threshold) == (float(paid), 90.0)


@pytest.mark.parametrize(
    ("mobile", "outcome", "reason_code", "threshold"),
    [
        (199, FAILED, "RATE_LOW", 20.0),
        (200, PASSED, "RATE_OK", 20.0),
        (399, PASSED, "RATE_OK", 20.0),
        (401, PASSED, "RATE_OK", 60.0),
        (600, PASSED, "RATE_OK", 60.0),
        (601, FAILED, "RATE_HIGH", 60.0),
    ],
)
def test_a_rate_may_have_limits_on_both_sides(
    mobile: int, outcome: Outcome, reason_code: str, threshold: float
) -> None:
    verdict = judge(BOTH, {"mobile": mobile})
    assert (verdict.outcome, verdict.reason_code, verdict.threshold) == (outcome, reason_code, threshold)


@pytest.mark.parametrize(
    ("rate", "counts", "sentence"),
    [
        (ABOVE, {"lost": 20}, "The rate lost is 2.00 % (20 of 1,000 events), within 5 %."),
        (ABOVE, {"lost": 120}, "The rate lost is 12.00 % (120 of 1,000 events), more than the 5 % allowed."),
        (BELOW, {"paid": 95, "paid.of": 100}, "The rate paid is 95.00 % (95 of 100 events), at least 90 %."),
        (
            BELOW,
            {"paid": 80, "paid.of": 100},
            "The rate paid is 80.00 % (80 of 100 events), less than the 90 % required.",
        ),
        (BOTH, {"mobile": 300}, "The rate mobile is 30.00 % (300 of 1,000 events), between 20 % and 60 %."),
    ],
)
def test_a_sentence_says_how_many_of_how_many_and_what_is_allowed(
    rate: Rate, counts: dict[str, int], sentence: str
) -> None:
    assert judge(rate, counts).sentence == sentence


@pytest.mark.parametrize(
    ("rate", "counts", "events", "reason_code"),
    [
        (ABOVE, {"lost": 0}, 0, "NO_EVENTS"),
        (ABOVE, {}, 0, "NO_EVENTS"),
        (ABOVE, {}, 1000, "RATE_NOT_COUNTED"),
        (ABOVE, {"other": 7}, 1000, "RATE_NOT_COUNTED"),
        (BELOW, {"paid": 7}, 1000, "RATE_NOT_COUNTED"),
        (ABOVE, {"lost": 7, "lost.of": 70}, 1000, "RATE_NOT_COUNTED"),
        (BELOW, {"paid": 0, "paid.of": 0}, 1000, "RATE_WITHOUT_BASE"),
    ],
)
def test_a_rate_that_was_not_counted_or_has_no_base_is_unknown(
    rate: Rate, counts: dict[str, int], events: int, reason_code: str
) -> None:
    verdict = judge(rate, counts, events)
    assert (verdict.outcome, verdict.reason_code, verdict.value) == (UNKNOWN, reason_code, None)


def test_the_limits_in_force_are_those_of_the_policy() -> None:
    (rule,) = rate_guardrails((ABOVE,))
    (threshold,) = rule.thresholds
    policy = policy_of((ABOVE,))
    assert policy.values["rates.lost.above_percent"] == 5.0
    assert judge(ABOVE, {"lost": 120}, policy=policy.changed(threshold, 12.0)).outcome is PASSED
    assert judge(ABOVE, {"lost": 120}, policy=policy.changed(threshold, nextafter(12.0, -inf))).outcome is FAILED


@pytest.mark.parametrize(
    "other",
    [replace(ABOVE, above_percent=6.0), replace(ABOVE, below_percent=1.0), replace(ABOVE, level="INFO")],
)
def test_another_limit_or_level_is_another_policy(other: Rate) -> None:
    assert policy_of((other,)).text() != policy_of((ABOVE,)).text()
    assert policy_of((replace(ABOVE, above_percent=5),)).text() == policy_of((ABOVE,)).text()


def test_rates_are_judged_after_all_other_guardrails() -> None:
    schema = schema_of(ABOVE, BELOW)
    assert [rule.name for rule in guardrails_of(schema)][-2:] == ["rate_lost", "rate_paid"]
    evidence = make_evidence(rate_counts={"lost": 1, "paid": 9, "paid.of": 10})
    assert [verdict.outcome for verdict in judge_day(evidence, policy_of(schema.rates), schema)][-2:] == [
        PASSED,
        PASSED,
    ]


def test_each_rate_is_a_number_of_the_day() -> None:
    evidence = make_evidence(rate_counts={"lost": 5, "paid": 9, "paid.of": 10})
    judged = with_extra_numbers(evidence, guardrails_of(schema_of(ABOVE, BELOW, BOTH)))
    own = {name: value for name, value in judged.figures.extra_numbers.items() if name.startswith("rate_")}
    assert own == {
        "rate_lost_percent": 0.5,
        "rate_paid_percent": 90.0,
        "rate_mobile_percent": None,
    }
    unreadable = make_evidence(DayFigures(unreadable_reason_code="FILE_CORRUPT"))
    assert with_extra_numbers(unreadable, guardrails_of(schema_of(ABOVE))).figures.extra_numbers == {}


def test_a_rate_describes_itself_by_its_description_or_by_its_predicates() -> None:
    lost, paid, mobile = rate_guardrails((ABOVE, BELOW, BOTH))
    assert lost.description == "Share of events for which is_lost: at most 5 %."
    assert paid.description == "Baskets that were paid: at least 90 %."
    assert mobile.description == "Share of events for which platform = 'ios': at most 60 % and at least 20 %."
    (number,) = rate_guardrails((replace(BELOW, description=None),))[0].numbers
    assert number.metric.description == "Share of events for which is_paid, among the events for which is_basket"


@pytest.mark.parametrize(
    ("value", "threshold", "words"),
    [
        (12.0, 5.0, "rate lost 12.00 % (limit 5 %)"),
        (5.001, 5.0, "rate lost 5.001 % (limit 5 %)"),
        (3.0, 5.0, "rate lost 3.00 % (5 % required)"),
    ],
)
def test_short_words_need_nothing_but_the_name_of_the_rate(value: float, threshold: float, words: str) -> None:
    named = guardrail_named("rate_lost")
    assert named is not None
    assert named.short_words is not None
    assert named.short_words(Failure(value, threshold, None)) == words


def test_only_names_of_rates_give_the_guardrail_of_a_rate() -> None:
    assert guardrail_named("error_rate") in BUILT_IN
    assert guardrail_named("lost") is None


def test_the_root_cause_of_too_many_is_what_matches_and_of_too_few_what_does_not() -> None:
    (rule,) = rate_guardrails((replace(BOTH, of="is_app"),))
    high = judge(BOTH, {"mobile": 900})
    low = judge(BOTH, {"mobile": 100})
    assert rule.measure_of(high) == RateMeasure("mobile", "mobile.of")
    assert rule.measure_of(low) == RateMeasure("mobile", "mobile.of", is_of_the_rest=True)


@pytest.mark.parametrize("limit", [0, 0.01, 0.5, 5, 49.9, 50, 75, 99, 99.99, 100])
def test_tuning_may_propose_limits_around_the_one_that_is_set(limit: float) -> None:
    rate = Rate("lost", "is_lost", above_percent=limit, below_percent=limit)
    for threshold in rate_guardrails((rate,))[0].thresholds:
        low, high = threshold.proposed
        assert 0 < low < high < 100
        if 0.2 <= limit <= 99:
            assert low <= limit <= high
        assert threshold.fails in {Direction.ABOVE, Direction.BELOW}


def test_a_failure_by_too_few_is_measured_by_the_distance_from_100_percent() -> None:
    low = judge(BELOW, {"paid": 80, "paid.of": 100})
    failure = FailedGuardrail(
        day=DAY,
        guardrail=low.guardrail,
        level=low.level,
        reason_code=low.reason_code,
        value=low.value,
        threshold=low.threshold,
        sentence=low.sentence,
        root_cause="everywhere",
        foremost="",
        is_confined=False,
        revision=1,
    )
    assert failure.times_threshold() == 2.0
