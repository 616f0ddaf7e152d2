"""One cause: verdict, alert, incident, headline and table name the same segment and the same hours, whatever failed."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.alerts import Alert
from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.incidents import EVERYWHERE, failures_of, group_incidents
from telemetry_quality.core.incidents.wording import incident_sentence
from telemetry_quality.core.root_cause import Measure, explained, find_root_cause
from telemetry_quality.dashboard.sentences import day_sentence, wrong_on
from telemetry_quality_tests.core.root_cause.streams import (
    DAY,
    REFERENCE,
    SEGMENTS,
    Events,
    at,
    break_down,
    double,
    fail,
    lose,
    make_events,
    untag,
)
from telemetry_quality_tests.core.root_cause.test_answer import is_near
from telemetry_quality_tests.dashboard.states import make_journal_row

if TYPE_CHECKING:
    from collections.abc import Callable

HOURS = re.compile(r"between \d\d:00 and \d\d:00")
USER_ID = Contributor(Segment((("user_id", None),)), 1.0, 30.0)
PLACES = [Segment(), *SEGMENTS]


def forget(group: Events) -> Events:
    return replace(group, missing=group.count)


def delay(group: Events) -> Events:
    return replace(group, late=group.count // 2)


FAULTS: dict[str, tuple[str, Measure, Callable[[Events], Events], tuple[Contributor, ...]]] = {
    "lost": ("volume", Measure.EVENTS, lose(1.0), ()),
    "half lost": ("volume", Measure.EVENTS, lose(0.5), ()),
    "doubled": ("volume", Measure.EVENTS, double, ()),
    "errors": ("error_rate", Measure.ERRORS, fail(1.0), ()),
    "some errors": ("error_rate", Measure.ERRORS, fail(0.3), ()),
    "no version": ("missing_version", Measure.MISSING_VERSION, untag, ()),
    "no user": ("critical_fields", Measure.MISSING_CRITICAL, forget, (USER_ID,)),
    "late": ("arrival_lag", Measure.LATE, delay, ()),
}


@cache
def judged(kind: str, segment: Segment) -> Verdict:
    """The verdict on a day on which this happened to a segment."""
    guardrail, measure, change, named = FAULTS[kind]
    events = at(segment, change, make_events())
    verdict = Verdict(guardrail, Level.WARNING, Outcome.FAILED, "BAD", 31.0, 5.0, "It failed.", named)
    return explained(verdict, find_root_cause(measure, break_down(events), REFERENCE, 60_000), measure)


def texts(verdict: Verdict) -> list[str]:
    """Everything that people read about a failed verdict."""
    (incident,) = group_incidents("web", failures_of(DAY, 1, [verdict]), [DAY])
    row = make_journal_row(DAY, status="degraded")
    alert = Alert("web", DAY, verdict.guardrail, 1, verdict.level, verdict.reason_code, verdict.sentence)
    return [
        verdict.sentence,
        alert.line(),
        incident_sentence(incident),
        day_sentence(DAY, row, wrong_on(DAY, [incident])),
        incident.where,
        incident.as_json(DAY)["root_cause"],
    ]


@pytest.mark.parametrize("segment", PLACES, ids=str)
@pytest.mark.parametrize("kind", FAULTS)
def test_headline_incident_alert_and_table_name_the_same_segment_and_hours(kind: str, segment: Segment) -> None:
    verdict = judged(kind, segment)
    first = verdict.contributors[0]

    assert first.share_percent is not None
    for text in texts(verdict):
        if first.segment == Segment():
            assert "spread over the whole stream" in text or text == EVERYWHERE
        else:
            assert str(first.segment) in text
        assert HOURS.findall(text) == HOURS.findall(str(first.segment))
        assert ("no single segment" in text.lower()) is (first.share_percent < 40)


def test_of_a_hundred_faults_all_are_named_as_they_were_made_if_the_counts_can_show_it() -> None:
    named = {
        (kind, segment): is_near(judged(kind, segment).contributors[0].segment, segment)
        for kind in FAULTS
        for segment in PLACES
    }
    # Missing fields and late events are not counted by dimension.
    hidden = {
        (kind, segment)
        for kind, segment in named
        if kind in {"no user", "late"} and {"platform", "country"} & {name for name, _ in segment.parts}
    }

    assert len(named) >= 100
    assert [case for case, is_named in named.items() if not is_named and case not in hidden] == []


def test_below_the_limit_all_of_them_say_that_no_single_segment_holds_it() -> None:
    first = Contributor(Segment((("carrier", "MQ"),), (14, 17)), 2.0, 12.0, 10.0)
    verdict = Verdict("error_rate", Level.CRITICAL, Outcome.FAILED, "BAD", 31.0, 5.0, "It failed.")

    for text in texts(explained(verdict, [first], Measure.ERRORS)):
        assert "no single segment" in text.lower()
        assert "carrier=MQ, between 14:00 and 18:00" in text
