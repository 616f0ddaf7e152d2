"""Every guardrail of a share: on a day of few events, a count that the stream's usual share explains passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.guardrails.catalogue import judge_day, policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome, Verdict
from telemetry_quality.core.shares import ShareCount, field_share, rate_share
from telemetry_quality_tests.builders import DAY, SCHEMA, make_evidence, make_figures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

RATES = (Rate("paid", "is_paid", below_percent=90.0), Rate("refunded", "is_refunded", above_percent=1.0))
FULL_SCHEMA = replace(SCHEMA, critical_fields=("user_id", "session"), observed_at="observed_at", rates=RATES)

ONE_BAD_OF_THREE: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "error_rate": ("error_rate_percent", {"error_events": 1, "error_rate_percent": 100 / 3}, {}, "ERROR_RATE_HIGH"),
    "missing_version": (
        "missing_version_percent",
        {"missing_version_events": 1, "missing_version_percent": 100 / 3},
        {},
        "VERSION_MISSING",
    ),
    "duplicates": (
        "duplicate_percent",
        {"compared_events": 3, "duplicate_events": 1, "duplicate_percent": 100 / 3},
        {},
        "DUPLICATES_HIGH",
    ),
    "critical_fields": (
        field_share("user_id"),
        {"critical_missing_percent": 100 / 3},
        {"missing_critical": {"session": 0, "user_id": 1}},
        "CRITICAL_FIELD_MISSING",
    ),
    "arrival_lag": (
        "late_percent",
        {"late_percent": 100 / 3},
        {"late_percents": {DAY - timedelta(days=n): 0.0 for n in range(1, 40)}},
        "ARRIVALS_LATE",
    ),
    "timestamps": (
        "impossible_timestamp_percent",
        {"impossible_timestamp_percent": 100 / 3},
        {},
        "TIMESTAMPS_IMPOSSIBLE",
    ),
    "unreadable_times": (
        "unreadable_time_percent",
        {"arrived_events": 3, "unreadable_time_events": 1, "unreadable_time_percent": 100 / 3},
        {},
        "TIMES_LOST",
    ),
    "rate_refunded": (rate_share("refunded"), {}, {"rate_counts": {"refunded": 1, "paid": 3}}, "RATE_HIGH"),
    "rate_paid": (rate_share("paid"), {}, {"rate_counts": {"refunded": 0, "paid": 2}}, "RATE_LOW"),
}
"""Per guardrail: the share, the figures and the evidence of a day with one bad event of three, and how it fails."""


def make_shares(
    share: str, earlier: tuple[int, int], today: tuple[int, int] = (1, 3), days: int = 50
) -> dict[str, dict[date, ShareCount]]:
    """The counts of a share: ``days`` equal days, then DAY."""
    history = {DAY - timedelta(days=n): ShareCount(*earlier) for n in range(1, days + 1)}
    return {share: {**history, DAY: ShareCount(*today)}}


def verdict_of(guardrail: str, small_shares: Mapping[str, Mapping[date, ShareCount]]) -> Verdict:
    _, figures, evidence, _ = ONE_BAD_OF_THREE[guardrail]
    made = make_evidence(make_figures(total_events=3, **figures), small_shares=small_shares, **evidence)
    verdicts = judge_day(made, policy_of(RATES), FULL_SCHEMA)
    return {verdict.guardrail: verdict for verdict in verdicts}[guardrail]


@pytest.mark.parametrize("guardrail", ONE_BAD_OF_THREE)
def test_one_bad_event_of_three_passes_where_the_usual_share_explains_it_and_the_sentence_says_why(
    guardrail: str,
) -> None:
    (
        share,
        *_,
    ) = ONE_BAD_OF_THREE[guardrail]
    usual = (98, 100) if guardrail == "rate_paid" else (2, 100)

    verdict = verdict_of(guardrail, make_shares(share, usual))

    assert (verdict.outcome, verdict.reason_code) == (Outcome.PASSED, "USUAL_SHARE")
    assert verdict.threshold is not None
    assert "of 3 events are too few to show that the share is" in verdict.sentence
    assert "of 5,000 events of the last 8 weeks)" in verdict.sentence
    assert ("below the usual 98.0 %" if guardrail == "rate_paid" else "above the usual 2.0 %") in verdict.sentence


@pytest.mark.parametrize("guardrail", ONE_BAD_OF_THREE)
def test_one_bad_event_of_three_fails_where_the_usual_share_does_not_explain_it(guardrail: str) -> None:
    share, *_, code = ONE_BAD_OF_THREE[guardrail]
    usual = (100, 100) if guardrail == "rate_paid" else (0, 100)

    verdict = verdict_of(guardrail, make_shares(share, usual))

    assert (verdict.outcome, verdict.reason_code) == (Outcome.FAILED, code)


@pytest.mark.parametrize("guardrail", ONE_BAD_OF_THREE)
def test_the_bare_threshold_decides_on_larger_days_and_while_the_usual_share_is_not_known(guardrail: str) -> None:
    share, *_, code = ONE_BAD_OF_THREE[guardrail]
    usual = (3, 3) if guardrail == "rate_paid" else (0, 3)

    unknown: list[Mapping[str, Mapping[date, ShareCount]]] = [{}, make_shares(share, usual, days=3)]
    for small_shares in unknown:
        verdict = verdict_of(guardrail, small_shares)
        assert (verdict.outcome, verdict.reason_code) == (Outcome.FAILED, code)
    assert verdict_of(guardrail, make_shares(share, usual, days=4)).outcome is Outcome.PASSED


def test_the_sentence_says_what_was_found_what_is_allowed_and_what_is_usual() -> None:
    assert verdict_of("error_rate", make_shares("error_rate_percent", (2, 100))).sentence == (
        "33.33 % of 3 events are errors (1), more than 5 %, but 1 of 3 events are too few to show that the share is "
        "above the usual 2.0 % (100 of 5,000 events of the last 8 weeks)."
    )
    assert verdict_of("rate_paid", make_shares(rate_share("paid"), (98, 100), (2, 3))).sentence == (
        "The rate paid is 66.67 % (2 of 3 events), less than 90 %, but 2 of 3 events are too few to show that the "
        "share is below the usual 98.0 % (4,900 of 5,000 events of the last 8 weeks)."
    )


def test_three_errors_of_three_fail_although_the_day_is_small() -> None:
    figures = make_figures(total_events=3, error_events=3, error_rate_percent=100.0)
    evidence = make_evidence(figures, small_shares=make_shares("error_rate_percent", (2, 100), (3, 3)))

    verdicts = {verdict.guardrail: verdict for verdict in judge_day(evidence, policy_of(), SCHEMA)}

    assert verdicts["error_rate"].reason_code == "ERROR_RATE_HIGH"


def test_a_critical_field_that_is_usually_missing_does_not_hide_one_that_is_not() -> None:
    shares = make_shares(field_share("user_id"), (30, 100)) | make_shares(field_share("session"), (0, 100))
    figures = make_figures(total_events=3, critical_missing_percent=100 / 3)
    evidence = make_evidence(figures, small_shares=shares, missing_critical={"session": 1, "user_id": 1})

    verdicts = {verdict.guardrail: verdict for verdict in judge_day(evidence, policy_of(), FULL_SCHEMA)}

    assert verdicts["critical_fields"].reason_code == "CRITICAL_FIELD_MISSING"
    assert [str(found.segment) for found in verdicts["critical_fields"].contributors] == ["session=(null)"]
