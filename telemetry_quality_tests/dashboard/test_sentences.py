from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from telemetry_quality.core.guardrails.catalogue import BUILT_IN
from telemetry_quality.core.guardrails.verdicts import Level, Segment
from telemetry_quality.core.incidents.wording import failure_words, incident_sentence
from telemetry_quality.core.root_cause import Cause
from telemetry_quality.dashboard.sentences import day_sentence, wrong_on
from telemetry_quality_tests.dashboard.states import (
    BEFORE,
    YESTERDAY,
    because,
    make_failure,
    make_incidents,
    make_journal_row,
    make_unknown_row,
    make_unreadable,
)

EV = Segment((("carrier", "EV"),))
IOS = Segment((("platform", "ios"),))
NO_CARRIER = Segment((("carrier", None),))
AT_EV: dict[str, Any] = {
    "root_cause": "carrier=EV",
    "foremost": "carrier=EV",
    "is_confined": True,
    "contributors": because(EV, 81.4),
}
NO_VERSION: dict[str, Any] = {
    "guardrail": "missing_version",
    "level": Level.WARNING,
    "value": 4.1,
    "threshold": 1.0,
}
FEWER: dict[str, Any] = {"guardrail": "volume", "level": Level.INFO, "value": -35.1, "threshold": 30.0}


def sentence(*failures: Any, **row: Any) -> str:
    """The sentence about YESTERDAY."""
    return day_sentence(YESTERDAY, make_journal_row(**row), wrong_on(YESTERDAY, make_incidents(*failures)))


@pytest.mark.parametrize(
    ("total", "deviation", "seen"),
    [
        (776, -3.4, "776 events, 3.4 % fewer than expected."),
        (1776, 3.4, "1,776 events, 3.4 % more than expected."),
        (1, 0.04, "1 event, as many as expected."),
        (1000, 0.05, "1,000 events, 0.1 % more than expected."),
        (1000, None, "1,000 events; the expected number is not known."),
    ],
)
def test_a_healthy_day_is_shown_with_its_events_and_how_far_they_are_from_what_was_expected(
    total: int, deviation: float | None, seen: str
) -> None:
    assert sentence(total_events=total, volume_deviation_percent=deviation) == f"2026-03-10 can be trusted: {seen}"


def test_a_provisional_day_says_that_it_may_change() -> None:
    assert sentence(is_provisional=True).endswith(" It is provisional: late events may still change it.")
    assert "provisional" not in sentence(is_provisional=None)


def test_a_broken_day_is_shown_with_what_is_wrong_since_when_and_where() -> None:
    assert sentence(make_failure(BEFORE, **AT_EV), make_failure(**AT_EV), status="unhealthy") == (
        "2026-03-10 cannot be trusted: error rate 50.75 % (limit 5 %), since 2026-03-09, 81 % of it at carrier=EV."
    )


def test_a_day_that_failed_alone_and_everywhere_says_neither_since_nor_where() -> None:
    assert sentence(make_failure(), status="unhealthy") == (
        "2026-03-10 cannot be trusted: error rate 50.75 % (limit 5 %)."
    )


def test_a_guardrail_that_joined_an_older_incident_is_not_said_to_have_failed_since() -> None:
    failures = (make_failure(BEFORE, **NO_VERSION), make_failure(**NO_VERSION), make_failure())
    assert sentence(*failures, status="unhealthy") == (
        "2026-03-10 cannot be trusted: error rate 50.75 % (limit 5 %), in an incident that began on 2026-03-09; "
        "also 4.10 % of events without a version (limit 1 %)."
    )


def test_a_guardrail_that_passed_in_between_is_not_said_to_have_failed_since() -> None:
    days = [BEFORE - timedelta(days=1), BEFORE, YESTERDAY]
    failures = [make_failure(day, **NO_VERSION) for day in days] + [make_failure(days[0]), make_failure(days[2])]
    assert sentence(*failures, status="unhealthy").startswith(
        "2026-03-10 cannot be trusted: error rate 50.75 % (limit 5 %), in an incident that began on 2026-03-08; also"
    )


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause(EV, 39.9), "no single segment holds it, the largest is carrier=EV with 40 %"),
        (Cause(EV, 40.0), "40 % of it at carrier=EV"),
        (Cause(replace(EV, hours=(14, 17)), 98.2), "98 % of it at carrier=EV, between 14:00 and 18:00"),
        (Cause(Segment(hours=(14, 17)), 98.2), "98 % of it between 14:00 and 18:00"),
        (Cause(Segment(hours=(14, 17)), 10.0), "no single segment holds it, the largest is between 14:00 and 18:00"),
        (Cause(Segment(), 100.0), "spread over the whole stream"),
    ],
)
def test_the_headline_names_the_segment_and_the_hours_of_the_evidence(cause: Cause, words: str) -> None:
    day, failure = (
        sentence(make_failure(contributors=because(cause.segment, cause.share_percent)), status="unhealthy"),
        make_failure(contributors=because(cause.segment, cause.share_percent)),
    )
    assert day.startswith(f"2026-03-10 cannot be trusted: error rate 50.75 % (limit 5 %), {words}")
    (incident,) = make_incidents(failure)
    assert f", {words}" in incident_sentence(incident)
    assert incident.where == failure.where == str(cause)


def test_the_worst_is_shown_first_and_the_rest_in_short() -> None:
    minor = [{**NO_VERSION, "guardrail": "duplicates", "threshold": 2.0}, {**NO_VERSION, "guardrail": "timestamps"}]
    failures = [make_failure(**changes) for changes in (FEWER, NO_VERSION, *minor)]
    assert sentence(*failures, make_failure(), status="unhealthy") == (
        "2026-03-10 cannot be trusted: error rate 50.75 % (limit 5 %); also 4.10 % of events without a version "
        "(limit 1 %), 4.10 % of events have an impossible timestamp (limit 1 %) and 2 more."
    )


def test_of_two_failures_of_the_same_level_the_one_further_beyond_its_threshold_comes_first() -> None:
    near = make_failure(guardrail="duplicates", level=Level.WARNING, value=11.0, threshold=10.0)
    assert sentence(near, make_failure(**NO_VERSION), status="degraded").startswith(
        "2026-03-10 can be trusted only in part: 4.10 % of events without a version (limit 1 %); also 11.00 % of events"
    )


@pytest.mark.parametrize(
    ("level", "words"),
    [(Level.WARNING, "can be trusted only in part"), (Level.INFO, "can be trusted with care")],
)
def test_a_degraded_day_says_how_far_it_can_be_trusted(level: Level, words: str) -> None:
    failure = make_failure(**(FEWER | {"level": level}))
    assert sentence(failure, status="degraded") == (
        f"2026-03-10 {words}: 35.1 % fewer events than expected (limit 30 %)."
    )


def test_a_day_without_events_cannot_be_trusted_and_says_how_many_were_expected() -> None:
    none = make_failure(guardrail="activity", value=0.0, threshold=0.0)
    earlier = make_failure(BEFORE, guardrail="activity", value=0.0, threshold=0.0)
    assert sentence(earlier, none, status="no_activity", total_events=0, expected_events=803.2) == (
        "2026-03-10 cannot be trusted: not a single event was seen, since 2026-03-09. About 803 were expected."
    )
    assert "expected" not in sentence(none, status="no_activity", total_events=0, expected_events=None)


def test_a_healthy_day_without_events_says_that_there_were_none() -> None:
    assert sentence(status="healthy", total_events=0, volume_deviation_percent=-100.0) == (
        "2026-03-10 can be trusted: not a single event was seen, which is usual on such a day."
    )


def test_a_day_that_could_not_be_read_is_unknown_and_not_empty() -> None:
    wrong = wrong_on(YESTERDAY, make_incidents(make_unreadable(BEFORE), make_unreadable()))
    assert day_sentence(YESTERDAY, make_unknown_row(), wrong) == (
        "Whether 2026-03-10 can be trusted is not known: the day could not be read (FILE_CORRUPT): "
        "day=2026-03-10.parquet is no Parquet file. The first such day was 2026-03-09."
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("unhealthy", "cannot be trusted: a guardrail failed."),
        ("degraded", "can be trusted only in part: a guardrail failed."),
        ("no_activity", "cannot be trusted: not a single event was seen. About 1,000 were expected."),
    ],
)
def test_a_day_whose_failures_are_not_known_yet_has_a_sentence_too(status: str, words: str) -> None:
    assert sentence(status=status) == f"2026-03-10 {words}"
    assert day_sentence(YESTERDAY, make_unknown_row(), []) == (
        "Whether 2026-03-10 can be trusted is not known: the day could not be read."
    )


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ({"value": 5.001}, "error rate 5.001 % (limit 5 %)"),
        ({**FEWER, "value": 67.0}, "67.0 % more events than expected (limit 30 %)"),
        ({**FEWER, "value": -12.0}, "12.0 % fewer events than expected (unusual here)"),
        ({"guardrail": "sample", "value": 96.0, "threshold": 99.0}, "96.0 % of the sample passed (99 % required)"),
        (
            {"guardrail": "duplicates", "value": 12.0, "threshold": 10.0},
            "12.00 % of events repeat another one (limit 10 %)",
        ),
        (
            {"guardrail": "silence", "value": 1.0, "threshold": 0.0, "contributors": because(IOS)},
            "platform=ios silent",
        ),
        (
            {"guardrail": "silence", "value": 2.0, "threshold": 0.0, "contributors": because(IOS)},
            "platform=ios and 1 more segment silent",
        ),
        (
            {"guardrail": "silence", "value": 4.0, "threshold": 0.0, "contributors": because(IOS)},
            "platform=ios and 3 more segments silent",
        ),
        (
            {"guardrail": "leak", "value": 18.2, "threshold": 15.0},
            "18 % fewer events than a few weeks ago (limit 15 %)",
        ),
        (
            {"guardrail": "version_drift", "value": 35.0, "threshold": 10.0},
            "versions shifted by 35.0 points (limit 10)",
        ),
        (
            {
                "guardrail": "critical_fields",
                "value": 2.0,
                "threshold": 1.0,
                "contributors": because(EV, 90, NO_CARRIER),
            },
            "2.00 % of events without carrier (limit 1 %)",
        ),
        (
            {"guardrail": "critical_fields", "value": 2.0, "threshold": 1.0},
            "2.00 % of events without a critical field (limit 1 %)",
        ),
        ({"guardrail": "arrival_lag", "value": 9.0, "threshold": 5.0}, "9.00 % of events arrived late (limit 5 %)"),
        ({"guardrail": "of_a_later_version", "sentence": "Of all events 3 glow."}, "of all events 3 glow"),
        ({"value": None, "sentence": "OTLP says no."}, "OTLP says no"),
    ],
)
def test_every_guardrail_describes_its_failure_in_a_few_words(failure: dict[str, Any], words: str) -> None:
    assert failure_words(make_failure(**failure)) == words


def test_every_guardrail_has_short_words() -> None:
    assert all(rule.short_words for rule in BUILT_IN)


def test_words_that_already_name_the_segment_do_not_repeat_it() -> None:
    silent = make_failure(guardrail="silence", level=Level.WARNING, value=1.0, threshold=0.0, contributors=because(EV))
    assert sentence(silent, status="degraded") == "2026-03-10 can be trusted only in part: carrier=EV silent."
    drift = replace(silent, guardrail="version_drift", value=35.0, threshold=10.0)
    assert sentence(drift, status="degraded").endswith("versions shifted by 35.0 points (limit 10), at carrier=EV.")


def test_a_segment_from_the_events_is_shortened_and_has_no_invisible_characters() -> None:
    nasty = Segment((("event_name", f"\x1b[31m\n{'x' * 500}"), ("platform", "y" * 500)), (14, 17))
    text = sentence(make_failure(contributors=because(nasty, 90)), status="unhealthy")
    assert text.isprintable()
    assert text.endswith(f"{'y' * 60}…, between 14:00 and 18:00.")
    assert len(text) < 300


def test_an_incident_of_one_day_is_shown_with_that_day() -> None:
    (incident,) = make_incidents(make_failure(**AT_EV))
    assert incident_sentence(incident) == "2026-03-10: error rate 50.75 % (limit 5 %), 81 % of it at carrier=EV."


def test_an_incident_of_several_days_is_described_by_its_worst_day() -> None:
    failures = [make_failure(BEFORE, value=90.0), make_failure()]
    (still_open,) = make_incidents(*failures)
    assert incident_sentence(still_open) == (
        "Since 2026-03-09 (2 failed days), at its worst on 2026-03-09: error rate 90.00 % (limit 5 %)."
    )
