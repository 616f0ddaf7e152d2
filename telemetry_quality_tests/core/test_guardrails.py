"""Every guardrail below, at and above its threshold, and on days that it cannot judge."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nextafter
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.guardrails import activity
from telemetry_quality.core.guardrails.catalogue import BUILT_IN, guardrails_of, judge_day, policy_of
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality_tests.builders import SCHEMA, make_evidence, make_figures

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.policies import Policy

PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN

EMPTY_DAY = DayFigures(
    total_events=0, error_events=0, missing_version_events=0, sample_size=0, sample_passed=0, expected_events=1000.0
)


FULL_SCHEMA = replace(SCHEMA, critical_fields=("user_id",), observed_at="observed_at", dimensions=("platform",))
"""A schema that every guardrail applies to."""


def verdicts_of(
    figures: DayFigures, policy: Policy | None = None, schema: EventSchema = FULL_SCHEMA
) -> tuple[Verdict, ...]:
    return judge_day(make_evidence(figures), policy or policy_of(), schema)


def judge(guardrail: str, policy: Policy | None = None, **figures: Any) -> Verdict:
    return judge_figures(guardrail, make_figures(**figures), policy)


def judge_figures(guardrail: str, figures: DayFigures, policy: Policy | None = None) -> Verdict:
    return {verdict.guardrail: verdict for verdict in verdicts_of(figures, policy)}[guardrail]


def test_each_guardrail_has_the_level_of_its_consequence() -> None:
    assert {rule.name: rule.level for rule in BUILT_IN} == {
        "activity": Level.CRITICAL,
        "error_rate": Level.CRITICAL,
        "missing_version": Level.WARNING,
        "volume": Level.INFO,
        "sample": Level.WARNING,
        "duplicates": Level.WARNING,
        "silence": Level.WARNING,
        "segment_errors": Level.WARNING,
        "segment_volume": Level.WARNING,
        "leak": Level.WARNING,
        "missing_hours": Level.WARNING,
        "error_burst": Level.WARNING,
        "version_drift": Level.WARNING,
        "critical_fields": Level.WARNING,
        "dimensions": Level.WARNING,
        "cardinality": Level.WARNING,
        "arrival_lag": Level.WARNING,
        "timestamps": Level.WARNING,
        "unreadable_times": Level.WARNING,
    }
    assert [verdict.guardrail for verdict in verdicts_of(make_figures())] == [rule.name for rule in BUILT_IN]


def test_a_source_is_judged_only_by_guardrails_that_its_schema_permits() -> None:
    everything = {rule.name for rule in BUILT_IN}

    assert {rule.name for rule in guardrails_of(FULL_SCHEMA)} == everything
    assert {rule.name for rule in guardrails_of(replace(FULL_SCHEMA, observed_at=None))} == everything - {
        "arrival_lag",
        "timestamps",
        "unreadable_times",
    }
    assert {rule.name for rule in guardrails_of(replace(FULL_SCHEMA, critical_fields=()))} == everything - {
        "critical_fields"
    }
    assert {rule.name for rule in guardrails_of(replace(FULL_SCHEMA, dimensions=()))} == everything - {"dimensions"}


@pytest.mark.parametrize("figures", [make_figures(), EMPTY_DAY, DayFigures(unreadable_reason_code="FILE_CORRUPT")])
def test_every_verdict_has_the_level_of_its_guardrail_whatever_it_says(figures: DayFigures) -> None:
    verdicts = verdicts_of(figures)

    assert [verdict.level for verdict in verdicts] == [rule.level for rule in BUILT_IN]


def test_a_healthy_day_passes_every_guardrail_that_needs_no_history() -> None:
    verdicts = {verdict.guardrail: verdict for verdict in verdicts_of(make_figures(), schema=SCHEMA)}

    assert {name: verdict.reason_code for name, verdict in verdicts.items() if verdict.outcome is PASSED} == {
        "activity": "ACTIVE",
        "error_rate": "ERROR_RATE_OK",
        "missing_version": "VERSION_PRESENT",
        "volume": "VOLUME_OK",
        "sample": "SAMPLE_OK",
        "duplicates": "DUPLICATES_OK",
    }
    assert {name for name, verdict in verdicts.items() if verdict.outcome is UNKNOWN} == {
        "silence",
        "segment_errors",
        "segment_volume",
        "leak",
        "missing_hours",
        "error_burst",
        "version_drift",
        "cardinality",
    }


@pytest.mark.parametrize(
    ("rate", "outcome", "reason_code"),
    [
        (0.0, PASSED, "ERROR_RATE_OK"),
        (4.99, PASSED, "ERROR_RATE_OK"),
        (5.0, PASSED, "ERROR_RATE_OK"),
        (nextafter(5.0, inf), FAILED, "ERROR_RATE_HIGH"),
        (5.01, FAILED, "ERROR_RATE_HIGH"),
        (100.0, FAILED, "ERROR_RATE_HIGH"),
    ],
)
def test_the_error_rate_fails_strictly_above_five_percent(rate: float, outcome: Outcome, reason_code: str) -> None:
    verdict = judge("error_rate", error_rate_percent=rate)

    assert (verdict.outcome, verdict.reason_code) == (outcome, reason_code)
    assert (verdict.value, verdict.threshold, verdict.level) == (rate, 5.0, Level.CRITICAL)


@pytest.mark.parametrize(("rate", "outcome"), [(0.0, PASSED), (0.5, PASSED), (0.51, FAILED)])
def test_the_error_rate_obeys_another_threshold(rate: float, outcome: Outcome) -> None:
    assert judge("error_rate", policy_of(error_rate_percent=0.5), error_rate_percent=rate).outcome is outcome


def test_a_threshold_of_zero_fails_at_the_first_error_but_not_without_any() -> None:
    strict = policy_of(error_rate_percent=0.0)

    assert judge("error_rate", strict, error_rate_percent=0.0).outcome is PASSED
    assert judge("error_rate", strict, error_rate_percent=0.01).outcome is FAILED


def test_the_error_rate_is_unknown_if_no_event_says_whether_it_is_an_error() -> None:
    verdict = judge("error_rate", error_rate_percent=None)

    assert (verdict.outcome, verdict.reason_code, verdict.value) == (UNKNOWN, "ERROR_STATE_ABSENT", None)
    assert "none of 1,000 events says whether" in verdict.sentence


def test_the_error_rate_of_a_day_without_events_is_unknown_for_another_reason() -> None:
    verdict = judge_figures("error_rate", EMPTY_DAY)

    assert (verdict.outcome, verdict.reason_code, verdict.value) == (UNKNOWN, "NO_EVENTS", None)
    assert "there are no events" in verdict.sentence


@pytest.mark.parametrize(
    ("share", "outcome", "reason_code"),
    [
        (0.0, PASSED, "VERSION_PRESENT"),
        (0.99, PASSED, "VERSION_PRESENT"),
        (1.0, PASSED, "VERSION_PRESENT"),
        (nextafter(1.0, inf), FAILED, "VERSION_MISSING"),
        (1.01, FAILED, "VERSION_MISSING"),
    ],
)
def test_missing_versions_fail_strictly_above_one_percent(share: float, outcome: Outcome, reason_code: str) -> None:
    verdict = judge("missing_version", missing_version_percent=share)

    assert (verdict.outcome, verdict.reason_code) == (outcome, reason_code)
    assert (verdict.value, verdict.threshold, verdict.level) == (share, 1.0, Level.WARNING)


@pytest.mark.parametrize(("share", "outcome"), [(19.9, PASSED), (20.0, PASSED), (20.1, FAILED)])
def test_missing_versions_obey_another_threshold(share: float, outcome: Outcome) -> None:
    policy = policy_of(missing_version_percent=20.0)

    assert judge("missing_version", policy, missing_version_percent=share).outcome is outcome


def test_missing_versions_of_a_day_without_events_are_unknown() -> None:
    verdict = judge_figures("missing_version", EMPTY_DAY)

    assert (verdict.outcome, verdict.reason_code, verdict.value) == (UNKNOWN, "NO_EVENTS", None)


@pytest.mark.parametrize(
    ("deviation", "outcome", "reason_code"),
    [
        (0.0, PASSED, "VOLUME_OK"),
        (29.9, PASSED, "VOLUME_OK"),
        (30.0, PASSED, "VOLUME_OK"),
        (nextafter(30.0, inf), FAILED, "VOLUME_HIGH"),
        (30.1, FAILED, "VOLUME_HIGH"),
        (-29.9, PASSED, "VOLUME_OK"),
        (-30.0, PASSED, "VOLUME_OK"),
        (nextafter(-30.0, -inf), FAILED, "VOLUME_LOW"),
        (-30.1, FAILED, "VOLUME_LOW"),
        (-100.0, FAILED, "VOLUME_LOW"),
    ],
)
def test_the_volume_fails_strictly_beyond_thirty_percent_either_way(
    deviation: float, outcome: Outcome, reason_code: str
) -> None:
    verdict = judge("volume", policy_of(volume_rule="deviation"), volume_deviation_percent=deviation)

    assert (verdict.outcome, verdict.reason_code) == (outcome, reason_code)
    assert (verdict.value, verdict.threshold, verdict.level) == (deviation, 30.0, Level.INFO)


@pytest.mark.parametrize(
    ("deviation", "outcome"), [(149.9, PASSED), (150.0, PASSED), (150.1, FAILED), (-100.0, PASSED)]
)
def test_the_volume_obeys_another_threshold(deviation: float, outcome: Outcome) -> None:
    policy = policy_of(volume_deviation_percent=150.0, volume_rule="deviation")

    assert judge("volume", policy, volume_deviation_percent=deviation).outcome is outcome


def test_the_volume_is_unknown_while_the_history_is_too_short() -> None:
    verdict = judge("volume", expected_events=None, volume_deviation_percent=None)

    assert (verdict.outcome, verdict.reason_code, verdict.value) == (UNKNOWN, "HISTORY_TOO_SHORT", None)


def test_the_volume_is_unknown_if_no_event_was_expected() -> None:
    verdict = judge("volume", expected_events=0.0, volume_deviation_percent=None)

    assert (verdict.outcome, verdict.reason_code, verdict.value) == (UNKNOWN, "NOTHING_EXPECTED", None)
    assert "1,000 events" in verdict.sentence


@pytest.mark.parametrize(
    ("passed", "size", "outcome", "reason_code"),
    [
        (100, 100, PASSED, "SAMPLE_OK"),
        (99, 100, PASSED, "SAMPLE_OK"),
        (98, 100, FAILED, "SAMPLE_FAILED"),
        (989, 1000, FAILED, "SAMPLE_FAILED"),
        (990, 1000, PASSED, "SAMPLE_OK"),
        (991, 1000, PASSED, "SAMPLE_OK"),
        (9, 10, FAILED, "SAMPLE_FAILED"),
        (0, 1, FAILED, "SAMPLE_FAILED"),
    ],
)
def test_the_sample_fails_strictly_below_ninety_nine_percent(
    passed: int, size: int, outcome: Outcome, reason_code: str
) -> None:
    rate = 100 * passed / size
    verdict = judge("sample", sample_size=size, sample_passed=passed, sampling_success_rate_percent=rate)

    assert (verdict.outcome, verdict.reason_code) == (outcome, reason_code)
    assert (verdict.value, verdict.threshold, verdict.level) == (rate, 99.0, Level.WARNING)


@pytest.mark.parametrize(("passed", "outcome"), [(79, FAILED), (80, PASSED), (81, PASSED)])
def test_the_sample_obeys_another_threshold(passed: int, outcome: Outcome) -> None:
    policy = policy_of(sample_success_percent=80.0)

    verdict = judge("sample", policy, sample_passed=passed, sampling_success_rate_percent=float(passed))

    assert verdict.outcome is outcome


def test_the_sample_is_unknown_if_no_event_could_be_drawn() -> None:
    verdict = judge("sample", sample_size=0, sample_passed=0, sampling_success_rate_percent=None)

    assert (verdict.outcome, verdict.reason_code, verdict.value) == (UNKNOWN, "NO_EVENTS", None)


def test_a_clean_sample_says_how_many_bad_events_it_still_permits() -> None:
    assert judge("sample").sentence == (
        "100 of 100 sampled events pass (100.0 %; 95 % interval for the whole day 96.4 to 100.0 %), at least 99 %."
    )


@pytest.mark.parametrize(
    ("total", "outcome", "reason_code"),
    [(0, FAILED, "ZERO_ACTIVITY"), (1, PASSED, "ACTIVE"), (2, PASSED, "ACTIVE")],
)
def test_a_single_event_is_activity(total: int, outcome: Outcome, reason_code: str) -> None:
    verdict = judge("activity", total_events=total)

    assert (verdict.outcome, verdict.reason_code) == (outcome, reason_code)
    assert (verdict.value, verdict.threshold, verdict.level) == (total, 0, Level.CRITICAL)


WITHOUT_EVENTS = make_figures(
    total_events=0,
    error_rate_percent=None,
    missing_version_percent=None,
    sample_size=0,
    sample_passed=0,
    sampling_success_rate_percent=None,
    volume_deviation_percent=-100.0,
    is_volume_unusual=True,
    compared_events=0,
    duplicate_percent=None,
)


def judge_rest(figures: DayFigures, policy: Policy | None = None, *, is_empty_usual: bool = True) -> dict[str, Verdict]:
    """The verdicts on a Tuesday, by guardrail."""
    evidence = make_evidence(figures, expectation=Expectation(1000.0, 0.0, 1200.0, is_empty_usual=is_empty_usual))
    return {verdict.guardrail: verdict for verdict in judge_day(evidence, policy or policy_of(), FULL_SCHEMA)}


@pytest.mark.parametrize("rule", ["deviation", "unusual", "both", "either"])
def test_an_empty_day_that_is_usual_passes_activity_and_volume_and_says_why(rule: str) -> None:
    verdicts = judge_rest(WITHOUT_EVENTS, policy_of(volume_rule=rule))

    for name in ("activity", "volume"):
        assert (verdicts[name].outcome, verdicts[name].reason_code) == (PASSED, "USUALLY_EMPTY")
    assert (verdicts["activity"].value, verdicts["activity"].level) == (0, Level.CRITICAL)
    assert {verdict.outcome for name, verdict in verdicts.items() if name not in {"activity", "volume"}} == {UNKNOWN}


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        (None, "so few events were seen on earlier days that chance explains it"),
        (0.5, "earlier days like it were often empty"),
        (0.51, "only about 1 a day are expected"),
        (3.0, "only about 3 a day are expected"),
        (5.2, "only about 5 a day are expected"),
        (5.3, "earlier days like it were often empty"),
    ],
)
def test_an_empty_day_that_is_usual_because_few_events_are_expected_says_how_many(
    expected: float | None, why: str
) -> None:
    evidence = make_evidence(WITHOUT_EVENTS, expectation=Expectation(expected, 0.0, 9.0, is_empty_usual=True))

    verdict = activity.judge(evidence, policy_of())
    assert verdict.sentence == f"Not a single event was seen, which is usual: {why}."


@pytest.mark.parametrize(
    ("settings", "is_declared"),
    [({"rest": ["tue"]}, True), ({"rest": ["mon", "wed"]}, False), ({"rest_days": ["2026-03-09...2026-03-10"]}, True)],
)
def test_an_empty_day_of_rest_names_the_settings_as_the_reason(settings: dict[str, Any], is_declared: bool) -> None:
    sentence = judge_rest(WITHOUT_EVENTS, policy_of(**settings))["activity"].sentence

    assert ("the settings name it as a day of rest" in sentence) is is_declared


def test_an_empty_day_that_is_not_usual_is_critical_and_events_on_a_day_of_rest_are_activity() -> None:
    empty, busy = judge_rest(WITHOUT_EVENTS, is_empty_usual=False), judge_rest(make_figures())

    assert [(found["activity"].outcome, found["activity"].reason_code) for found in (empty, busy)] == [
        (FAILED, "ZERO_ACTIVITY"),
        (PASSED, "ACTIVE"),
    ]
    assert (empty["volume"].outcome, busy["volume"].reason_code) == (FAILED, "VOLUME_OK")


def test_a_day_without_events_fails_for_activity_and_volume_only_and_nothing_else_is_made_up() -> None:
    figures = WITHOUT_EVENTS

    assert {verdict.guardrail: verdict.reason_code for verdict in verdicts_of(figures)} == {
        "activity": "ZERO_ACTIVITY",
        "error_rate": "NO_EVENTS",
        "missing_version": "NO_EVENTS",
        "volume": "VOLUME_LOW",
        "sample": "NO_EVENTS",
        "duplicates": "NO_EVENTS",
        "silence": "NO_EVENTS",
        "segment_errors": "NO_EVENTS",
        "segment_volume": "NO_EVENTS",
        "leak": "NO_EVENTS",
        "missing_hours": "NO_EVENTS",
        "error_burst": "NO_EVENTS",
        "version_drift": "NO_EVENTS",
        "critical_fields": "NO_EVENTS",
        "dimensions": "NO_EVENTS",
        "cardinality": "NO_EVENTS",
        "arrival_lag": "NO_EVENTS",
        "timestamps": "NO_EVENTS",
        "unreadable_times": "NO_EVENTS",
    }


NO_VERSIONS = make_figures(missing_version_events=None, missing_version_percent=None)
NO_ERROR_STATE = make_figures(error_events=None, error_rate_percent=None)


@pytest.mark.parametrize(
    ("figures", "names"),
    [
        (NO_VERSIONS, {"missing_version", "version_drift"}),
        (NO_ERROR_STATE, {"error_rate", "error_burst", "segment_errors"}),
    ],
)
def test_what_a_source_has_none_of_by_choice_is_not_judged_and_fails_nothing(
    figures: DayFigures, names: set[str]
) -> None:
    verdicts = verdicts_of(figures)

    assert {verdict.guardrail for verdict in verdicts if verdict.reason_code == "NONE_BY_CHOICE"} == names
    assert {verdict.outcome for verdict in verdicts if verdict.guardrail in names} == {UNKNOWN}
    assert all("by choice" in verdict.sentence for verdict in verdicts if verdict.guardrail in names)
    assert not [verdict for verdict in verdicts if verdict.outcome is FAILED]


@pytest.mark.parametrize("recorded", [{}, {"total_events": 0}, {"total_events": 1000, "error_rate_percent": 50.0}])
def test_a_day_that_could_not_be_read_is_unknown_to_every_guardrail(recorded: dict[str, Any]) -> None:
    figures = DayFigures(
        **recorded,
        expected_events=1000.0,
        unreadable_reason_code="FILE_CORRUPT",
        unreadable_reason="part-0.parquet is not a Parquet file.",
    )

    verdicts = verdicts_of(figures)

    assert [verdict.guardrail for verdict in verdicts] == [rule.name for rule in BUILT_IN]
    for verdict in verdicts:
        assert (verdict.outcome, verdict.reason_code) == (UNKNOWN, "DAY_UNREADABLE")
        assert (verdict.value, verdict.threshold) == (None, None)
        assert verdict.sentence == ("The day could not be read (FILE_CORRUPT): part-0.parquet is not a Parquet file.")


@pytest.mark.parametrize(
    ("guardrail", "figures", "number", "threshold"),
    [
        ("error_rate", {"error_rate_percent": 7.25, "error_events": 72}, "7.25 %", "5 %"),
        ("error_rate", {"error_rate_percent": 1.25}, "1.25 %", "5 %"),
        ("missing_version", {"missing_version_percent": 2.5, "missing_version_events": 25}, "2.50 %", "1 %"),
        ("missing_version", {"missing_version_percent": 0.5}, "0.50 %", "1 %"),
        ("volume", {"total_events": 1400, "volume_deviation_percent": 40.0}, "40.0 % above", "30 %"),
        ("volume", {"total_events": 600, "volume_deviation_percent": -40.0}, "40.0 % below", "30 %"),
        ("volume", {"total_events": 1100, "volume_deviation_percent": 10.0}, "10.0 % above", "30 %"),
        ("sample", {"sample_passed": 90, "sampling_success_rate_percent": 90.0}, "90 of 100", "99 %"),
        ("sample", {}, "100 of 100", "99 %"),
    ],
)
def test_a_verdict_names_the_number_and_the_threshold(
    guardrail: str, figures: dict[str, Any], number: str, threshold: str
) -> None:
    verdict = judge(guardrail, **figures)

    assert number in verdict.sentence
    assert threshold in verdict.sentence.removeprefix(number)


def test_failed_verdicts_say_how_many_events_are_concerned() -> None:
    assert judge("error_rate", total_events=12_000, error_events=840, error_rate_percent=7.0).sentence == (
        "7.00 % of 12,000 events are errors (840), more than the 5 % allowed."
    )
    assert judge(
        "missing_version", total_events=12_000, missing_version_events=240, missing_version_percent=2.0
    ).sentence == ("2.00 % of 12,000 events carry no version (240), more than the 1 % allowed.")
    assert judge("volume", total_events=600, volume_deviation_percent=-40.0, is_volume_unusual=True).sentence == (
        "600 events are 40.0 % below the 1,000 expected, more than the 30 % allowed; "
        "normal days lie between 900 and 1,100, so this is unusual for the stream."
    )
    assert judge("sample", sample_passed=90, sampling_success_rate_percent=90.0).sentence == (
        "90 of 100 sampled events pass (90.0 %; 95 % interval for the whole day 82.4 to 95.1 %), "
        "fewer than the 99 % required."
    )
    assert judge("activity", total_events=0).sentence == "Not a single event was seen."
    assert judge("activity", total_events=12_000).sentence == "12,000 events were seen."


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ({"error_rate_percent": 5.000_4}, "5.0004 % of 1,000 events are errors"),
        ({"missing_version_percent": 1.001}, "1.001 % of 1,000 events carry no version"),
        ({"volume_deviation_percent": 30.04}, "30.04 % above"),
        ({"sampling_success_rate_percent": 98.96}, "(98.96 %;"),
        ({"error_rate_percent": 5.0}, "5.00 % of 1,000 events are errors"),
    ],
)
def test_a_sentence_shows_enough_digits_to_distinguish_the_number_from_its_threshold(
    figures: dict[str, float], shown: str
) -> None:
    assert any(shown in verdict.sentence for verdict in verdicts_of(make_figures(**figures)))
