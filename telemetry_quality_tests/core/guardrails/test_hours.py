"""The guardrails that judge the hours of a day: missing hours and bursts of errors."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.guardrails import error_burst, missing_hours
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.guardrail import Failure
from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Segment
from telemetry_quality.core.hours import DayHours
from telemetry_quality_tests.builders import make_evidence, make_figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.verdicts import Verdict

THANKSGIVING = date(2026, 11, 26)
DAY = date(2026, 11, 19)


def hours_of(events: Mapping[int, int] = {}, errors: Mapping[int, int] = {}) -> DayHours:
    """100 events and one error an hour, apart from the hours named."""
    return DayHours(
        tuple(events.get(hour, 100) for hour in range(24)), tuple(errors.get(hour, 1) for hour in range(24))
    )


def evidence_of(today: DayHours | None, day: date = DAY, *, days: int = 42, **figures: Any) -> Evidence:
    hours = {day - timedelta(days=n): hours_of() for n in range(1, days + 1)}
    if today is not None:
        hours[day] = today
    total = sum(today.events) if today is not None else 2400
    return make_evidence(make_figures(**{"total_events": total, **figures}), day, hours=hours)


def judged(evidence: Evidence, **settings: Any) -> Verdict:
    return missing_hours.judge(evidence, policy_of(**settings))


def dead(*hours: int) -> DayHours:
    return hours_of(dict.fromkeys(hours, 0))


class TestMissingHours:
    def test_a_failure_names_the_hours_what_is_usual_and_the_share_of_the_day_that_is_missing(self) -> None:
        verdict = judged(evidence_of(dead(9, 10, 11)))

        assert (verdict.outcome, verdict.level, verdict.reason_code) == (
            Outcome.FAILED,
            Level.WARNING,
            "HOURS_MISSING",
        )
        segment = Segment(hours=(9, 11))
        assert verdict.contributors == (Contributor(segment, 300.0, 0),)
        assert verdict.value == 12.5
        assert verdict.sentence == (
            f"0 events {segment.hours_text}, about 300 are usual: 12.5 % of the day's events are missing."
        )

    def test_hours_are_named_by_the_clock(self) -> None:
        autumn = date(2026, 11, 1)
        clock = (0, 1, 1, *range(2, 24))
        today = DayHours(tuple(0 if hour in {9, 10} else 100 for hour in range(25)), (0,) * 25, clock)
        verdict = judged(replace(evidence_of(today, autumn), zone=ZoneInfo("America/New_York")))
        assert verdict.contributors[0].segment.hours == (9, 10)
        assert verdict.sentence.startswith("0 events between 08:00 and 10:00, about 200 are usual:")

    @pytest.mark.parametrize(("limit", "fails"), [(12.4, True), (12.5, False), (12.6, False)])
    def test_a_missing_share_strictly_above_the_threshold_fails(self, limit: float, fails: bool) -> None:
        verdict = judged(evidence_of(dead(9, 10, 11)), missing_hours_percent=limit)
        assert verdict.outcome is (Outcome.FAILED if fails else Outcome.PASSED)
        assert (verdict.value, verdict.threshold) == (12.5, limit)
        assert "12.5" in verdict.sentence

    def test_all_missing_hours_of_a_day_count_together(self) -> None:
        verdict = judged(evidence_of(dead(2, 3, 9, 10, 11)), missing_hours_percent=20.0)
        assert verdict.value == pytest.approx(500 / 24)
        assert [found.segment.hours for found in verdict.contributors] == [(9, 11), (2, 3)]

    def test_a_day_with_all_its_hours_passes(self) -> None:
        verdict = judged(evidence_of(hours_of()))
        assert (verdict.outcome, verdict.reason_code, verdict.value) == (Outcome.PASSED, "HOURS_PRESENT", 0.0)

    @pytest.mark.parametrize(
        ("evidence", "code"),
        [
            (evidence_of(dead(9, 10, 11), is_provisional=True), "DAY_PROVISIONAL"),
            (evidence_of(hours_of(), total_events=0), "NO_EVENTS"),
            (evidence_of(None), "HOURS_NOT_COUNTED"),
            (evidence_of(dead(9, 10, 11), days=13), "HISTORY_TOO_SHORT"),
        ],
    )
    def test_what_cannot_be_judged_is_unknown(self, evidence: Evidence, code: str) -> None:
        verdict = judged(evidence)
        assert (verdict.outcome, verdict.reason_code, verdict.value) == (Outcome.UNKNOWN, code, None)

    def test_the_hours_of_a_holiday_are_not_judged_where_the_calendar_is_known(self) -> None:
        evidence = evidence_of(dead(9, 10, 11), THANKSGIVING)
        assert judged(evidence).outcome is Outcome.FAILED
        verdict = judged(evidence, holidays="US")
        assert (verdict.outcome, verdict.reason_code) == (Outcome.PASSED, "HOURS_OF_AN_ODD_DAY")
        assert verdict.sentence == "The hours of Thanksgiving Day need not be as usual."

    def test_a_holiday_teaches_no_hours(self) -> None:
        evidence = evidence_of(dead(9, 10, 11), days=14)
        assert judged(evidence).outcome is Outcome.FAILED
        assert judged(evidence, holidays="US").reason_code == "HISTORY_TOO_SHORT", "Veterans Day is one of the 14 days"

    def test_the_hours_of_a_day_that_is_usually_empty_are_not_judged(self) -> None:
        evidence = replace(evidence_of(dead(9, 10, 11)), expectation=Expectation(2400, 0, 3000, is_empty_usual=True))
        assert judged(evidence).reason_code == "HOURS_OF_AN_ODD_DAY"

    def test_short_words_say_how_much_is_missing(self) -> None:
        words = missing_hours.GUARDRAIL.short_words
        assert words is not None
        assert words(Failure(12.5, 2.0, None)) == "12.5 % of the day's events missing in some hours (limit 2 %)"


def burst(evidence: Evidence, **settings: Any) -> Verdict:
    return error_burst.judge(evidence, policy_of(**settings))


class TestErrorBurst:
    def test_a_failure_names_the_hours_and_their_errors(self) -> None:
        verdict = burst(evidence_of(hours_of(errors={9: 20, 10: 30})))
        segment = Segment(hours=(9, 10))
        assert (verdict.outcome, verdict.reason_code, verdict.value) == (Outcome.FAILED, "ERROR_BURST", 25.0)
        assert verdict.contributors == (Contributor(segment, 2.0, 50),)
        assert verdict.sentence == f"25.0 % of the 200 events {segment.hours_text} are errors (50, about 2 are usual)."

    @pytest.mark.parametrize(("limit", "fails"), [(29.9, True), (30.0, False), (30.1, False)])
    def test_a_share_strictly_above_the_threshold_fails(self, limit: float, fails: bool) -> None:
        verdict = burst(evidence_of(hours_of(errors={9: 30})), error_burst_percent=limit)
        assert verdict.outcome is (Outcome.FAILED if fails else Outcome.PASSED)

    @pytest.mark.parametrize(
        ("evidence", "code"),
        [
            (evidence_of(hours_of(), total_events=0), "NO_EVENTS"),
            (evidence_of(hours_of(), error_rate_percent=None), "NO_EVENTS"),
            (evidence_of(None), "HOURS_NOT_COUNTED"),
            (evidence_of(hours_of(errors={9: 30}), days=13), "HISTORY_TOO_SHORT"),
        ],
    )
    def test_what_cannot_be_judged_is_unknown(self, evidence: Evidence, code: str) -> None:
        verdict = burst(evidence)
        assert (verdict.outcome, verdict.reason_code, verdict.value) == (Outcome.UNKNOWN, code, None)

    def test_a_day_without_a_burst_passes(self) -> None:
        assert burst(evidence_of(hours_of())).reason_code == "ERRORS_STEADY"

    def test_short_words_say_the_share(self) -> None:
        words = error_burst.GUARDRAIL.short_words
        assert words is not None
        assert words(Failure(25.0, 10.0, None)) == "25.0 % errors in some hours (limit 10 %)"
