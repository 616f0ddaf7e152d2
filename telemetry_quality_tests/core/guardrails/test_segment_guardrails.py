"""The guardrails of segments: what they say, what they leave to others, and when they cannot judge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.events import Slice
from telemetry_quality.core.guardrails import segment_errors, segment_volume
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.guardrail import Failure
from telemetry_quality.core.guardrails.verdicts import Outcome, Verdict
from telemetry_quality_tests.core.guardrails.streams import DAY, FIRST, evidence_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy
    from telemetry_quality_tests.core.guardrails.streams import Cell

FAILED, PASSED, UNKNOWN = Outcome.FAILED, Outcome.PASSED, Outcome.UNKNOWN
EVENTS = {("web", "page.view"): 6000, ("ios", "page.view"): 3000, ("web", "checkout"): 300, ("ios", "checkout"): 112}
BOTH = pytest.mark.parametrize("rule", [segment_errors, segment_volume])


def days_to(last: date, change: Callable[[date, Cell], float] = lambda *_: 1.0) -> dict[date, dict[Cell, int]]:
    """A steady stream up to ``last``, its cells times ``change``."""
    days = [FIRST + timedelta(days=n) for n in range((last - FIRST).days + 1)]
    cells = [(platform, signal, "1.0") for platform, signal in EVENTS]
    return {day: {cell: round(EVENTS[cell[:2]] * change(day, cell)) for cell in cells} for day in days}


def evidence(change: Callable[[date, Cell], float] = lambda *_: 1.0, **figures: Any) -> Evidence:
    return evidence_of(days_to(DAY, change), **figures)


def with_errors(evidence: Evidence, signal: str, first: date = DAY, errors: int | None = None) -> Evidence:
    """All or so many events of a signal are errors from ``first`` on, and of nothing else."""
    slices = {}
    for day, known in evidence.slices.items():
        slices[day] = dict(known)
        counts = known[Slice("event_name", signal)]
        if day >= first:
            failed = counts.events if errors is None else errors
            slices[day][Slice("event_name", signal)] = counts._replace(errors=failed)
    return replace(evidence, slices=slices)


def halved(days: int = 1) -> Evidence:
    return evidence(lambda day, cell: 0.5 if cell[1] == "checkout" and (DAY - day).days < days else 1.0)


def errors_of(evidence: Evidence, policy: Policy | None = None) -> Verdict:
    return segment_errors.judge(evidence, policy or policy_of())


def volume_of(evidence: Evidence, policy: Policy | None = None) -> Verdict:
    return segment_volume.judge(evidence, policy or policy_of())


@BOTH
def test_a_steady_day_passes(rule: Any) -> None:
    verdict = rule.judge(evidence(), policy_of())

    assert (verdict.outcome, verdict.contributors, verdict.value) == (PASSED, (), None)


def test_a_failing_signal_is_a_warning_with_its_rates_in_percent() -> None:
    verdict = errors_of(with_errors(evidence(), "checkout"))

    assert (verdict.outcome, verdict.reason_code, verdict.level) == (FAILED, "SEGMENT_FAILING", segment_errors.LEVEL)
    assert verdict.sentence == "event_name=checkout: 100.00 % of 412 events are errors, 0.00 % are usual."
    (contributor,) = verdict.contributors
    assert str(contributor.segment) == "event_name=checkout"
    assert contributor.expected == pytest.approx(0.01, abs=0.01)
    assert (contributor.found, contributor.since, contributor.share_percent) == (100, None, None)
    assert verdict.value == pytest.approx(100, abs=0.01)
    assert verdict.threshold == 5


def test_a_failing_signal_says_since_when() -> None:
    first = DAY - timedelta(days=2)
    verdict = errors_of(with_errors(evidence(), "checkout", first))

    assert verdict.contributors[0].since == first
    assert "412 events are errors since 2026-03-08, " in verdict.sentence


def test_the_threshold_of_the_points_is_exclusive() -> None:
    # 0.01 % are usual, so that 20 of 412 are 4.84 points above it.
    found = with_errors(evidence(), "checkout", errors=20)

    assert errors_of(found).outcome is PASSED
    assert errors_of(found, policy_of(segment_error_percent=4.8)).outcome is FAILED
    assert errors_of(found, policy_of(segment_error_percent=4.9)).outcome is PASSED


def test_a_halved_signal_is_a_warning_with_its_events() -> None:
    verdict = volume_of(halved())

    assert verdict.outcome is FAILED
    assert (verdict.reason_code, verdict.level) == ("SEGMENT_VOLUME_CHANGED", segment_volume.LEVEL)
    assert verdict.sentence == "event_name=checkout: 206 events, 50.0 % fewer than the 412 expected."
    (contributor,) = verdict.contributors
    assert (str(contributor.segment), contributor.found, contributor.since) == ("event_name=checkout", 206, None)
    assert contributor.expected == pytest.approx(412)
    assert verdict.value == pytest.approx(-50)
    assert verdict.threshold == 33


def test_a_doubled_signal_says_so_and_since_when() -> None:
    verdict = volume_of(evidence(lambda day, cell: 2.0 if cell[1] == "checkout" and (DAY - day).days < 3 else 1.0))

    assert verdict.sentence == "event_name=checkout: 824 events since 2026-03-08, 100.0 % more than the 412 expected."
    assert verdict.contributors[0].since == DAY - timedelta(days=2)
    assert verdict.value == pytest.approx(100)


def test_many_segments_are_counted_in_the_sentence() -> None:
    failing = evidence()
    for number in range(25):
        for day, slices in failing.slices.items():
            known = slices[Slice("event_name", "checkout")]
            slices[Slice("country", f"c{number:02}")] = known._replace(errors=known.events if day == DAY else 0)  # type: ignore[index]

    verdict = errors_of(failing)
    assert len(verdict.contributors) == segment_errors.MOST_CONTRIBUTORS == 20
    assert verdict.sentence.endswith("; and 22 more.")


def test_a_day_on_which_the_volume_of_the_stream_fails_is_left_to_its_root_cause() -> None:
    failing = halved()
    figures = replace(failing.figures, volume_deviation_percent=-60.0, is_volume_unusual=True)

    verdict = volume_of(replace(failing, figures=figures))
    assert (verdict.outcome, verdict.reason_code) == (PASSED, "VOLUME_NOT_HIDDEN")


def test_volumes_of_a_provisional_day_are_not_judged_but_its_errors_are() -> None:
    assert volume_of(evidence(is_provisional=True)).reason_code == "DAY_PROVISIONAL"
    assert errors_of(with_errors(evidence(is_provisional=True), "checkout")).outcome is FAILED


def test_errors_are_not_judged_if_no_event_says_whether_it_is_one() -> None:
    verdict = errors_of(evidence(error_rate_percent=None))

    assert (verdict.outcome, verdict.reason_code) == (UNKNOWN, "ERROR_STATE_ABSENT")


@BOTH
@pytest.mark.parametrize(("known", "outcome"), [(13, UNKNOWN), (14, PASSED)])
def test_two_weeks_must_be_known(rule: Any, known: int, outcome: Outcome) -> None:
    days = {day: cells for day, cells in days_to(DAY).items() if (DAY - day).days <= known}
    verdict = rule.judge(evidence_of(days), policy_of())

    assert verdict.outcome is outcome
    if outcome is UNKNOWN:
        assert verdict.reason_code == "HISTORY_TOO_SHORT"
        assert str(DAY + timedelta(days=1)) in verdict.sentence


@BOTH
def test_a_day_without_events_or_without_segments_is_unknown(rule: Any) -> None:
    found = evidence()
    empty = replace(found, figures=replace(found.figures, total_events=0))
    uncounted = replace(found, slices={**found.slices, DAY: {}})

    judge = rule.judge
    assert judge(empty, policy_of()).reason_code == "NO_EVENTS"
    assert judge(uncounted, policy_of()).reason_code == "SLICES_NOT_COUNTED"


@pytest.mark.parametrize("rest", [{"rest": ("tue",)}, {"rest_days": (DAY.isoformat(),)}], ids=["weekday", "date"])
def test_on_a_day_of_rest_a_segment_may_be_as_on_any_weekday(rest: dict[str, object]) -> None:
    def weekly(day: date, cell: Cell) -> float:
        return 0.5 if cell[1] == "checkout" and (day.weekday() >= 5 or day == DAY) else 1.0

    assert volume_of(evidence(weekly)).outcome is FAILED
    assert volume_of(evidence(weekly), policy_of(**rest)).outcome is PASSED


def test_a_holiday_of_the_calendar_is_a_day_of_rest() -> None:
    # New York keeps no holiday on this Tuesday; Hawaii's Kuhio Day is one in March.
    assert segment_volume.is_rest(DAY.replace(day=26), policy_of(holidays="US-HI"))
    assert not segment_volume.is_rest(DAY.replace(day=26), policy_of(holidays="US-NY"))


def test_short_words_name_the_segment() -> None:
    failing = segment_errors.GUARDRAIL.short_words
    moved = segment_volume.GUARDRAIL.short_words
    assert failing is not None
    assert moved is not None

    assert failing(Failure(99.0, 5.0, "platform=ios")) == (
        "platform=ios: error rate 99.0 points above the usual (limit 5)"
    )
    assert failing(Failure(99.0, 5.0, None)) == "a segment's error rate 99.0 points above the usual (limit 5)"
    assert moved(Failure(-50.0, 33.0, "platform=ios")) == "platform=ios: 50.0 % fewer events than expected"
    assert moved(Failure(120.0, 33.0, None)) == "a segment: 120.0 % more events than expected"
