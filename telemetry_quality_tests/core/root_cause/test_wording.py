from __future__ import annotations

import pytest

from telemetry_quality.core.guardrails.verdicts import Contributor, Segment
from telemetry_quality.core.root_cause import Cause, Measure, RateMeasure, cause_of
from telemetry_quality.core.root_cause.wording import sentence


def test_a_sentence_says_how_much_of_what_lies_where() -> None:
    segment = Segment((("platform", "ios"), ("event_name", "page.view")), (14, 23))

    assert sentence([Contributor(segment, 4210, 0, 92.4)], Measure.EVENTS) == (
        "92 % of the missing events are platform=ios × event_name=page.view, between 14:00 and 24:00 "
        "(0 instead of 4,210)."
    )


def test_a_sentence_about_hours_alone_is_grammatical() -> None:
    assert sentence([Contributor(Segment(hours=(14, 23)), 100, 400, 75)], Measure.ERRORS) == (
        "75 % of the additional errors fall between 14:00 and 24:00 (400 instead of 100)."
    )


@pytest.mark.parametrize(
    ("measure", "expected", "found", "start"),
    [
        (Measure.EVENTS, 10, 2000, "80 % of the additional events are"),
        (Measure.ERRORS, 10, 2000, "80 % of the additional errors are"),
        (Measure.MISSING_VERSION, 10, 2000, "80 % of the additional events without a version are"),
        (Measure.MISSING_CRITICAL, 10, 2000, "80 % of the additional missing critical values are"),
        (Measure.LATE, 10, 2000, "80 % of the additional late events are"),
        (Measure.ERRORS, 2000, 10, "80 % of the missing errors are"),
        (RateMeasure("paid"), 10, 2000, "80 % of the additional events that match the rate paid are"),
        (
            RateMeasure("paid", "paid.of", is_of_the_rest=True),
            10,
            2000,
            "80 % of the additional events that do not match the rate paid are",
        ),
    ],
)
def test_a_sentence_names_what_changed(
    measure: Measure | RateMeasure, expected: float, found: float, start: str
) -> None:
    contributor = Contributor(Segment((("country", None),)), expected, found, 80)

    assert sentence([contributor], measure).startswith(f"{start} country=(null) (")


def test_a_sentence_about_everywhere_and_one_about_nothing() -> None:
    everywhere = Contributor(Segment(), 60_000, 30_000, 100)

    assert sentence([everywhere], Measure.EVENTS) == (
        "The change is spread over the whole stream (30,000 instead of 60,000)."
    )
    assert sentence([], Measure.EVENTS) == "There is nothing to compare the day with."


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (
            39.99,
            "No single segment holds the additional errors; the largest is carrier=MQ with 40 % (9 instead of 4).",
        ),
        (40.0, "40 % of the additional errors are carrier=MQ (9 instead of 4)."),
    ],
)
def test_a_segment_that_holds_too_little_is_named_only_as_the_largest(share: float, words: str) -> None:
    assert sentence([Contributor(Segment((("carrier", "MQ"),)), 4, 9, share)], Measure.ERRORS) == words


def test_the_cause_is_the_first_contributor_and_what_the_guardrail_itself_named() -> None:
    ios, field = Segment((("platform", "ios"),), (14, 17)), Segment((("user_id", None),))

    assert cause_of([Contributor(ios, 1, 5, 98), Contributor(field, 1, 7)]) == Cause(ios, 98, field)
    assert cause_of([Contributor(field, 1, 7)]) == Cause(field, None, field)
    assert cause_of([]) is None


@pytest.mark.parametrize(
    ("cause", "name", "clause"),
    [
        (Cause(Segment((("a", "b"),), (0, 0)), 98.4), "a=b, between 00:00 and 01:00", "98 % of it at a=b, between"),
        (Cause(Segment(hours=(14, 17)), 41), "between 14:00 and 18:00", "41 % of it between 14:00 and 18:00"),
        (Cause(Segment((("a", "b"),)), 10), "no single segment, the largest is a=b (10 %)", "no single segment holds"),
        (Cause(Segment(), 100), "everywhere", "spread over the whole stream"),
        (Cause(Segment((("a", "b"),))), "a=b", "at a=b"),
        (Cause(Segment(hours=(14, 17))), "between 14:00 and 18:00", "between 14:00 and 18:00"),
        (Cause(Segment()), "everywhere", ""),
    ],
)
def test_a_cause_reads_the_same_by_itself_and_at_the_end_of_a_sentence(cause: Cause, name: str, clause: str) -> None:
    assert str(cause) == name
    assert cause.clause().startswith(clause)


def test_hours_are_read_from_the_clock_where_it_was_changed() -> None:
    moved = Segment((("a", "b"),), (14, 17), ("15:00", "19:00"))

    assert str(moved) == "a=b, between 15:00 and 19:00"
    assert moved == Segment((("a", "b"),), (14, 17))
