from __future__ import annotations

import pytest

from telemetry_quality.core.guardrails.verdicts import Contributor, Segment
from telemetry_quality.core.root_cause import Measure, RateMeasure, sentence


def test_a_sentence_says_how_much_of_what_lies_where() -> None:
    segment = Segment((("platform", "ios"), ("event_name", "page.view")), (14, 23))

    assert sentence([Contributor(segment, 4210, 0, 92.4)], Measure.EVENTS) == (
        "92 % of the missing events are platform=ios × event_name=page.view, hours 14 to 23 (0 instead of 4,210)."
    )


def test_a_sentence_about_hours_alone_is_grammatical() -> None:
    assert sentence([Contributor(Segment(hours=(14, 23)), 100, 400, 75)], Measure.ERRORS) == (
        "75 % of the additional errors fall into hours 14 to 23 (400 instead of 100)."
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
