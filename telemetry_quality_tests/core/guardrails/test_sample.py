"""The sample's guardrail: the draw decides, unless the count of all events says that it was bad luck."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.detectors.small_counts import KNOWN_DAYS
from telemetry_quality.core.guardrails import sample
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome, Verdict
from telemetry_quality.core.shares import ShareCount
from telemetry_quality_tests.builders import DAY, make_evidence, make_figures

if TYPE_CHECKING:
    from datetime import date

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def judge(passed: int, verified: int | None, total: int = 10_000, rule: str = "confirmed", **evidence: Any) -> Verdict:
    """The verdict on a sample of 100, or of all events, of which ``passed`` pass."""
    size = min(100, total)
    figures = make_figures(
        total_events=total,
        sample_size=size,
        sample_passed=passed,
        sampling_success_rate_percent=100 * passed / size,
        verified_events=verified,
        verified_percent=None if verified is None else 100 * verified / total,
    )
    return sample.judge(make_evidence(figures, **evidence), policy_of(sample_rule=rule))


@pytest.mark.parametrize(
    ("passed", "verified", "outcome", "reason_code"),
    [
        (98, None, FAILED, "SAMPLE_FAILED"),
        (98, 9_899, FAILED, "SAMPLE_FAILED"),
        (98, 9_900, PASSED, "SAMPLE_REFUTED"),
        (98, 9_901, PASSED, "SAMPLE_REFUTED"),
        (0, 9_900, PASSED, "SAMPLE_REFUTED"),
        (99, 9_899, PASSED, "SAMPLE_OK"),
        (99, None, PASSED, "SAMPLE_OK"),
        (100, 10_000, PASSED, "SAMPLE_OK"),
    ],
)
def test_a_sample_below_the_threshold_fails_unless_all_events_reach_it(
    passed: int, verified: int | None, outcome: Outcome, reason_code: str
) -> None:
    verdict = judge(passed, verified)

    assert (verdict.outcome, verdict.reason_code) == (outcome, reason_code)
    assert (verdict.value, verdict.threshold) == (passed, 99.0)


@pytest.mark.parametrize("verified", [9_900, 10_000])
def test_the_bare_threshold_decides_by_the_rule_threshold(verified: int) -> None:
    assert judge(98, verified, rule="threshold").reason_code == "SAMPLE_FAILED"
    assert judge(99, verified, rule="threshold").reason_code == "SAMPLE_OK"


def test_the_sentence_says_what_was_drawn_and_what_all_events_say() -> None:
    drawn = "98 of 100 sampled events pass (98.0 %; 95 % interval for the whole day 93.0 to 99.8 %)"

    assert judge(98, 9_950).sentence == (
        f"{drawn}, less than 99 %; of all 10,000 events 99.50 % would pass: the draw was bad luck."
    )
    assert judge(98, 9_800).sentence == (
        f"{drawn}, fewer than the 99 % required; of all 10,000 events 98.00 % would pass."
    )
    assert judge(98, None).sentence == f"{drawn}, fewer than the 99 % required."
    assert judge(100, 9_950).sentence.endswith(", at least 99 %; of all 10,000 events 99.50 % would pass.")


def test_a_share_of_all_events_just_below_the_threshold_is_not_shown_as_the_threshold() -> None:
    assert judge(98, 989_999, total=1_000_000).sentence.endswith("of all 1,000,000 events 98.9999 % would pass.")


def failing_days(bad_ratio: float, rule: str, days: int = 400) -> int:
    """Of ``days`` days of 10,000 events, how many fail at a true share of bad events."""
    random, failed = Random(4), 0
    for _ in range(days):
        bad = sum(random.random() < bad_ratio for _ in range(10_000))
        drawn = sum(position < bad for position in random.sample(range(10_000), 100))
        failed += judge(100 - drawn, 10_000 - bad, rule=rule).outcome is FAILED
    return failed


@pytest.mark.slow
def test_half_a_percent_of_bad_events_no_longer_fails_and_two_percent_fail_as_often_as_before() -> None:
    assert failing_days(0.005, "threshold") == pytest.approx(36, abs=18)
    assert failing_days(0.005, "confirmed") == 0
    assert failing_days(0.02, "threshold") == failing_days(0.02, "confirmed") == pytest.approx(240, abs=30)


def history(verified: int, days: int = 50) -> dict[date, ShareCount]:
    earlier = {DAY - timedelta(days=n): ShareCount(verified, 100) for n in range(1, days + 1)}
    return earlier | {DAY: ShareCount(2, 3)}


@pytest.mark.parametrize(
    ("earlier", "days", "rule", "outcome"),
    [
        (98, 50, "confirmed", PASSED),
        (98, KNOWN_DAYS, "confirmed", PASSED),
        (98, KNOWN_DAYS - 1, "confirmed", FAILED),
        (100, 50, "confirmed", FAILED),
        (98, 50, "threshold", FAILED),
    ],
)
def test_a_bad_event_among_three_passes_where_the_usual_share_explains_it(
    earlier: int, days: int, rule: str, outcome: Outcome
) -> None:
    verdict = judge(2, 2, total=3, rule=rule, small_shares={"verified_percent": history(earlier, days)})

    assert verdict.outcome is outcome
    assert (verdict.reason_code == "USUAL_SHARE") is (outcome is PASSED)
