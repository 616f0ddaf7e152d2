"""Cardinality: what is too many, what is usual, and what is said of clipped texts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telemetry_quality.core.events import Cardinality
from telemetry_quality.core.guardrails.cardinality import FACTOR, FEW_COMBINATIONS, GUARDRAIL, LEAST_DAYS
from telemetry_quality.core.guardrails.catalogue import with_extra_numbers
from telemetry_quality.core.guardrails.verdicts import Outcome, Verdict
from telemetry_quality.core.policies import Policy
from telemetry_quality_tests.builders import DAY, make_evidence, make_figures


def judged(today: Cardinality | None, usual: int = 1000, days: int = LEAST_DAYS, events: int = 10**6) -> Verdict:
    earlier = {DAY - timedelta(days=n): Cardinality(usual, 0, 0) for n in range(1, days + 1)}
    found = earlier if today is None else earlier | {DAY: today}
    evidence = make_evidence(make_figures(total_events=events), cardinalities=found)
    return GUARDRAIL.judge(evidence, Policy({FACTOR.name: FACTOR.default}))


@pytest.mark.parametrize(
    ("combinations", "outcome", "code"),
    [
        (4999, Outcome.PASSED, "CARDINALITY_OK"),
        (5000, Outcome.PASSED, "CARDINALITY_OK"),
        (5001, Outcome.FAILED, "CARDINALITY_HIGH"),
    ],
)
def test_a_day_with_more_than_five_times_the_usual_names_and_versions_fails(
    combinations: int, outcome: Outcome, code: str
) -> None:
    verdict = judged(Cardinality(combinations, 0, 0))
    assert (verdict.outcome, verdict.reason_code) == (outcome, code)


@pytest.mark.parametrize(
    ("combinations", "outcome"), [(FEW_COMBINATIONS, Outcome.PASSED), (FEW_COMBINATIONS + 1, Outcome.FAILED)]
)
def test_few_names_and_versions_are_never_too_many(combinations: int, outcome: Outcome) -> None:
    assert judged(Cardinality(combinations, 0, 0), usual=2).outcome is outcome


def test_the_bound_alone_is_no_failure_where_it_is_usual_but_is_said() -> None:
    usual, unusual = judged(Cardinality(30_000, 700, 0), 30_000), judged(Cardinality(30_000, 700, 0))
    assert (usual.outcome, unusual.reason_code) == (Outcome.PASSED, "TOO_MANY_COMBINATIONS")
    assert "700 events are summed as (other)" in usual.sentence
    assert unusual.sentence.endswith("they are 30.0 times as many as usual (1,000), more than 5 times.")


@pytest.mark.parametrize(
    ("other", "days", "outcome", "code"),
    [
        (1, LEAST_DAYS - 1, Outcome.FAILED, "TOO_MANY_COMBINATIONS"),
        (0, LEAST_DAYS - 1, Outcome.UNKNOWN, "HISTORY_TOO_SHORT"),
        (0, LEAST_DAYS, Outcome.PASSED, "CARDINALITY_OK"),
    ],
)
def test_a_young_stream_fails_only_where_not_all_can_be_told_apart(
    other: int, days: int, outcome: Outcome, code: str
) -> None:
    verdict = judged(Cardinality(4000, other, 0), days=days)
    assert (verdict.outcome, verdict.reason_code) == (outcome, code)


@pytest.mark.parametrize("combinations", [3, 2000])
def test_clipped_texts_are_said_with_a_reason_code_and_pass(combinations: int) -> None:
    verdict = judged(Cardinality(combinations, 0, 12))
    assert (verdict.outcome, verdict.reason_code) == (Outcome.PASSED, "TEXTS_CLIPPED")
    assert "12 events have one of more than 200 characters, which was clipped" in verdict.sentence


def test_what_was_not_counted_is_not_judged_and_is_no_number() -> None:
    assert judged(None).reason_code == "NOT_COUNTED"
    assert judged(Cardinality(0, 0, 0), events=0).reason_code == "NO_EVENTS"


def test_the_numbers_of_the_day_are_its_combinations_other_and_clipped_events() -> None:
    evidence = make_evidence(make_figures(), cardinalities={DAY: Cardinality(12, 3, 4)})
    numbers = with_extra_numbers(evidence, (GUARDRAIL,)).figures
    assert [numbers.number(name) for name in ("combinations", "other_events", "clipped_events")] == [12, 3, 4]
    unknown = with_extra_numbers(make_evidence(make_figures()), (GUARDRAIL,)).figures
    assert unknown.number("combinations") is None
