"""Marks: what people say about days, and what the judgement makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.days import days_between
from telemetry_quality.core.dispatch import unmuted_alerts
from telemetry_quality.core.events import DayAggregates, DayScan
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import MARKED_SPECIAL, Outcome
from telemetry_quality.core.health import TelemetryHealthService
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.core.marks import (
    LONGEST_MARKED_DAYS,
    LONGEST_NOTE,
    LONGEST_NOTE_SHOWN,
    Gate,
    Mark,
    MarkedDays,
    is_trustworthy,
    mark_days,
    marks_of,
)
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.core.trust import trust_in
from telemetry_quality.errors import RequestError
from telemetry_quality_tests.builders import NOW, alerts_of, make_row, make_scan, make_snapshot
from telemetry_quality_tests.core.test_accepting import FIRST, STEP, Stream, failed, scans, verdict_of

if TYPE_CHECKING:
    from pathlib import Path

SAID_AT = datetime(2026, 3, 9, 8, tzinfo=UTC)


def marked(first: int, last: int, mark: Mark | None, by: str = "ada", note: str = "the loader ran twice") -> MarkedDays:
    return mark_days("web", (FIRST + timedelta(first), FIRST + timedelta(last)), mark, by, SAID_AT, note=note)


# What was said


@pytest.mark.parametrize("count", [LONGEST_MARKED_DAYS - 1, LONGEST_MARKED_DAYS, LONGEST_MARKED_DAYS + 1])
def test_so_many_days_can_be_marked_at_once(count: int) -> None:
    if count > LONGEST_MARKED_DAYS:
        with pytest.raises(RequestError, match="At most 400 days"):
            marked(0, count - 1, Mark.BAD)
    else:
        assert len(marks_of([marked(0, count - 1, Mark.BAD)])) == count


@pytest.mark.parametrize("length", [LONGEST_NOTE - 1, LONGEST_NOTE, LONGEST_NOTE + 1])
def test_a_note_has_a_longest_length(length: int) -> None:
    if length > LONGEST_NOTE:
        with pytest.raises(RequestError, match="shorten it"):
            marked(0, 0, Mark.BAD, note="n" * length)
    else:
        assert len(marked(0, 0, Mark.BAD, note="n" * length).note) == length


def test_somebody_must_say_it_of_days_in_order() -> None:
    with pytest.raises(RequestError, match="name of the person"):
        marked(0, 0, Mark.BAD, by=" ")
    with pytest.raises(RequestError, match="swap them"):
        marked(1, 0, Mark.BAD)


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("", "Marked bad by ada on 2026-03-09."),
        ("why\nnot?", "Marked bad by ada on 2026-03-09: why not?"),
        ("n" * LONGEST_NOTE_SHOWN, f"Marked bad by ada on 2026-03-09: {'n' * LONGEST_NOTE_SHOWN}."),
        ("n" * (LONGEST_NOTE_SHOWN + 1), f"Marked bad by ada on 2026-03-09: {'n' * (LONGEST_NOTE_SHOWN - 1)}…"),
    ],
)
def test_a_sentence_says_what_was_said_by_whom_and_why(note: str, words: str) -> None:
    assert marked(0, 0, Mark.BAD, note=note).sentence == words


words_about_days = st.builds(
    lambda first, length, mark: marked(first, first + length, mark),
    st.integers(0, 20),
    st.integers(0, 5),
    st.sampled_from([*Mark, None]),
)


@given(st.lists(words_about_days, max_size=8))
def test_the_last_word_about_each_day_counts(said: list[MarkedDays]) -> None:
    marks = marks_of(said)
    for day in days_between(FIRST, FIRST + timedelta(30)):
        last = next((row for row in reversed(said) if row.day <= day <= row.until), None)
        assert marks.get(day) is (None if last is None or last.mark is None else last)


@pytest.mark.parametrize(
    ("mark", "status", "is_trusted"),
    [
        (None, DayStatus.HEALTHY, True),
        (None, DayStatus.DEGRADED, False),
        (Mark.BAD, DayStatus.HEALTHY, False),
        (Mark.ACCEPTED, DayStatus.UNHEALTHY, True),
        (Mark.ACCEPTED, DayStatus.NO_ACTIVITY, True),
        (Mark.ACCEPTED, DayStatus.UNKNOWN, False),
        (Mark.SPECIAL, DayStatus.DEGRADED, False),
        (Mark.SPECIAL, DayStatus.HEALTHY, True),
    ],
)
def test_a_mark_decides_whether_a_known_day_can_be_trusted(
    mark: Mark | None, status: DayStatus, is_trusted: bool
) -> None:
    assert is_trustworthy(None if mark is None else marked(0, 0, mark), status) is is_trusted


@pytest.mark.parametrize(
    ("status", "is_provisional", "by_health", "unless_unhealthy"),
    [
        (DayStatus.HEALTHY, False, True, True),
        (DayStatus.HEALTHY, True, False, True),
        (DayStatus.DEGRADED, False, False, True),
        (DayStatus.DEGRADED, True, False, True),
        (DayStatus.UNHEALTHY, False, False, False),
        (DayStatus.NO_ACTIVITY, False, False, False),
        (DayStatus.UNKNOWN, False, False, False),
    ],
)
def test_the_gate_decides_where_nobody_has_said_anything_and_people_s_word_goes_before_it(
    status: DayStatus, is_provisional: bool, by_health: bool, unless_unhealthy: bool
) -> None:
    for gate, is_let_through in ((Gate.HEALTHY, by_health), (Gate.NOT_UNHEALTHY, unless_unhealthy)):
        for mark, is_trusted in (
            (None, is_let_through),
            (Mark.SPECIAL, is_let_through),
            (Mark.BAD, False),
            (Mark.ACCEPTED, status is not DayStatus.UNKNOWN),
        ):
            said = None if mark is None else marked(0, 0, mark)
            assert is_trustworthy(said, status, gate, is_provisional=is_provisional) is is_trusted
            snapshot = replace(make_snapshot(), status=status, is_provisional=is_provisional)
            trust = trust_in(snapshot, said, gate)
            assert trust.is_trusted is is_trusted
            assert f"The day can{'' if is_trusted else 'not'} be trusted" in trust.sentence


@pytest.mark.parametrize(
    ("status", "is_provisional", "mark", "code"),
    [
        (DayStatus.HEALTHY, False, None, "HEALTHY"),
        (DayStatus.HEALTHY, True, None, "PROVISIONAL"),
        (DayStatus.DEGRADED, True, Mark.SPECIAL, "DEGRADED"),
        (DayStatus.UNHEALTHY, False, Mark.ACCEPTED, "MARKED_ACCEPTED"),
        (DayStatus.HEALTHY, False, Mark.BAD, "MARKED_BAD"),
        (DayStatus.UNKNOWN, False, Mark.ACCEPTED, "UNKNOWN"),
    ],
)
def test_trust_says_what_decided(status: DayStatus, is_provisional: bool, mark: Mark | None, code: str) -> None:
    snapshot = replace(make_snapshot(), status=status, is_provisional=is_provisional)
    assert trust_in(snapshot, None if mark is None else marked(0, 0, mark), Gate.HEALTHY).reason_code == code


# What the judgement makes of it


def say(stream: Stream, first: int, last: int, mark: Mark | None) -> None:
    stream.work.store.append_marked_days(marked(first, last, mark))


def halved(stream_days: range, folder: Path) -> Stream:
    """A steady stream that held half its events on some days, judged by the mean of the last seven days."""
    policy = policy_of(baseline="trailing_mean")
    return Stream(folder, scans(lambda n: {"web": 1000 if n in stream_days else 2000}, 40, weekend=1.0), policy=policy)


def test_a_bad_day_leaves_the_history_and_later_days_are_cured_when_judged_again(tmp_path: Path) -> None:
    stream = halved(range(20, 27), tmp_path)
    before = stream.judge(0, 39)
    wrong = {number for number in failed(before) if number > 26}
    assert wrong

    say(stream, 20, 26, Mark.BAD)
    after = stream.judge(27, 39)

    assert failed(after) == {}
    assert {judged.snapshot.revision for judged in after if (judged.snapshot.day - FIRST).days in wrong} == {2}
    again = stream.judge(20, 26)
    assert set(failed(again)) >= {20}, "what the guardrails say of the bad days themselves does not change"


def test_an_unmarked_day_is_learnt_from_again(tmp_path: Path) -> None:
    stream = halved(range(20, 27), tmp_path)
    before = failed(stream.judge(27, 39))

    say(stream, 20, 26, Mark.BAD)
    say(stream, 20, 26, None)

    assert failed(stream.judge(27, 39)) == before != {}


def test_a_special_day_is_not_compared_with_ordinary_days_nor_they_with_it(tmp_path: Path) -> None:
    stream = halved(range(20, 27), tmp_path)
    say(stream, 20, 26, Mark.SPECIAL)

    found = stream.judge(0, 39)

    assert failed(found) == {}
    verdict = verdict_of(found[20], "volume")
    assert (verdict.outcome, verdict.reason_code) == (Outcome.PASSED, MARKED_SPECIAL)
    assert verdict.sentence.endswith("Marked special by ada on 2026-03-09: the loader ran twice.")
    assert "below" in verdict.sentence


def test_a_special_day_without_events_is_no_outage(tmp_path: Path) -> None:
    stream = Stream(tmp_path, [*scans(lambda _: {"web": 2000}, 20), DayScan(FIRST + timedelta(20), DayAggregates())])
    say(stream, 20, 20, Mark.SPECIAL)

    (judged,) = stream.judge(20, 20)

    assert (judged.snapshot.status, failed([judged])) == (DayStatus.HEALTHY, {})


def test_shares_of_a_special_day_are_judged_as_ever(tmp_path: Path) -> None:
    broken = make_scan(FIRST + timedelta(20), make_row(events=2000, errors=400))
    stream = Stream(tmp_path, [*scans(lambda _: {"web": 2000}, 20), broken])
    say(stream, 20, 20, Mark.SPECIAL)

    assert failed(stream.judge(20, 20)) == {20: {"error_rate"}}


def test_an_ordinary_day_marked_special_passes_and_says_so(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(lambda _: {"web": 2000}, 30))
    say(stream, 25, 25, Mark.SPECIAL)

    (judged,) = stream.judge(25, 25)
    verdict = verdict_of(judged, "volume")

    assert verdict.reason_code == "VOLUME_OK"
    assert verdict.sentence.endswith("Marked special by ada on 2026-03-09: the loader ran twice.")


def retired(number: int) -> dict[str, int]:
    return {"web": 3000} | ({"tv": 400} if number < STEP else {})


def test_an_accepted_day_keeps_its_verdicts_and_raises_nothing(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(retired, STEP + 1))
    (judged,) = stream.judge(STEP, STEP)
    alerts = list(alerts_of(judged.snapshot, judged.verdicts))
    assert incidents_of(stream.work.store, "web")[0].is_open
    assert unmuted_alerts(stream.work.store, alerts, NOW.date()) == alerts != []

    say(stream, STEP, STEP, Mark.ACCEPTED)

    assert failed(stream.judge(STEP, STEP)) == {STEP: {"silence"}}
    assert unmuted_alerts(stream.work.store, alerts, NOW.date()) == []
    (incident,) = incidents_of(stream.work.store, "web")
    assert (incident.is_open, incident.accepted_days) == (False, (stream.days[STEP],))
    assert "1 of 1 days marked accepted" in incident.state_words(NOW.date())


def test_an_incident_is_open_again_if_a_later_day_fails(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(retired, STEP + 2))
    stream.judge(STEP, STEP + 1)

    say(stream, STEP, STEP, Mark.ACCEPTED)

    (incident,) = incidents_of(stream.work.store, "web")
    assert incident.is_open


def test_an_accepted_day_stays_in_the_history_even_if_its_incident_was_confirmed(tmp_path: Path) -> None:
    stream = halved(range(20, 21), tmp_path)
    stream.judge(20, 20)
    stream.decide(20, Action.CONFIRM)
    (without,) = stream.judge(21, 21)

    say(stream, 20, 20, Mark.ACCEPTED)
    (with_it,) = stream.judge(21, 21)

    assert with_it.snapshot.expected_events != without.snapshot.expected_events


def test_a_mark_says_nothing_about_the_days_before_it(tmp_path: Path) -> None:
    stream = halved(range(20, 27), tmp_path)
    before = [judged.snapshot.content_hash for judged in stream.judge(0, 19)]

    for mark in (Mark.BAD, Mark.SPECIAL, Mark.ACCEPTED):
        say(stream, 20, 39, mark)
        assert [judged.snapshot.content_hash for judged in stream.judge(0, 19)] == before


@pytest.mark.parametrize(("mark", "is_trusted"), [(Mark.BAD, False), (Mark.SPECIAL, True), (Mark.ACCEPTED, True)])
def test_the_service_says_what_somebody_said(tmp_path: Path, mark: Mark, is_trusted: bool) -> None:
    stream = Stream(tmp_path, scans(lambda _: {"web": 2000}, 30))
    service = TelemetryHealthService(stream.work, lambda: NOW)
    day: date = stream.days[20]
    assert service.calculate_daily_integrity(day).is_trustworthy()

    say(stream, 20, 20, mark)
    found = service.calculate_daily_integrity(day)

    assert (found.mark and found.mark.mark, found.is_healthy(), found.is_trustworthy()) == (mark, True, is_trusted)
    assert not replace(found, status=DayStatus.UNKNOWN).is_trustworthy()
