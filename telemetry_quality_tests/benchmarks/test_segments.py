"""The benchmark of segments: its streams are as it says, and it counts what is named and what is not."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import segments
from segments import FAULTS, WARM_UP_DAYS, Judging, Score, Stream

from telemetry_quality.core.events import EVENT_NAME, SERVICE_VERSION, Slice, SliceCounts
from telemetry_quality.core.guardrails.catalogue import policy_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stream() -> Stream:
    """A small stream with a dimension."""
    return next(made for made in (segments.made(seed, 60) for seed in range(1, 20)) if len(made.codes) == 3)


def test_the_same_seed_makes_the_same_stream_and_another_seed_another() -> None:
    first, again, other = segments.made(7, 45), segments.made(7, 45), segments.made(8, 45)

    assert first.slices == again.slices
    assert first.slices != other.slices


def test_streams_differ_widely_in_volume_and_shape() -> None:
    streams = [segments.made(seed, 45) for seed in range(30, 50)]
    volumes = sorted(float(np.median([events.sum() for events in made.events])) for made in streams)
    signals = {len(made.labels[EVENT_NAME]) for made in streams}

    assert volumes[0] < 5_000
    assert volumes[-1] > 100_000
    assert min(signals) < 15
    assert max(signals) > 40
    assert {len(made.codes) for made in streams} == {2, 3, 4}


def test_slices_are_sums_of_the_cells(stream: Stream) -> None:
    day, number = stream.day(50), 50
    slices = stream.slices[day]
    for name in (EVENT_NAME, SERVICE_VERSION, "dimension_0"):
        alone = [counts for segment, counts in slices.items() if segment.dimension == name and segment.by is None]
        assert sum(counts.events for counts in alone) == stream.events[number].sum()
        assert sum(counts.errors for counts in alone) == stream.errors[number].sum()
    pair = max((segment for segment in slices if segment.by == EVENT_NAME), key=lambda segment: slices[segment].events)
    assert slices[pair].events == stream.events[number][stream.mask(pair.parts)].sum()


def test_a_release_moves_events_and_adds_none(stream: Stream) -> None:
    shares = segments.versions(120, 5, np.random.default_rng(3))

    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert (shares[0] > 0).sum() == 1
    assert (shares >= 0).all()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_a_fault_changes_its_segment_and_nothing_else(stream: Stream, fault: segments.Fault) -> None:
    rng = np.random.default_rng(1)
    segment = Slice(EVENT_NAME, "e0")
    inside = stream.mask(segment.parts)
    events, errors = segments.broken(stream, 50, segment, fault, rng)

    assert (events[~inside] == stream.events[50][~inside]).all()
    assert (errors[~inside] == stream.errors[50][~inside]).all()
    kept = events[inside].sum() / stream.events[50][inside].sum()
    assert kept == pytest.approx(fault.kept, rel=0.1)
    assert errors[inside].sum() >= 0.9 * fault.failing * events[inside].sum()
    assert (errors <= events).all()


def test_a_drawn_segment_has_about_the_share_of_the_fault(stream: Stream) -> None:
    rng = np.random.default_rng(1)
    for fault in FAULTS:
        for number in range(WARM_UP_DAYS, 60):
            segment = segments.draw_segment(stream, number, fault, rng)
            if segment is not None:
                share = 100 * stream.slices[stream.day(number)][segment].events / stream.events[number].sum()
                assert 0.7 < share / fault.share_percent < 1.4


def test_a_day_is_judged_by_the_days_before_it_without_small_slices(stream: Stream) -> None:
    evidence = Judging(stream, policy_of()).evidence(50)

    assert sorted(evidence.slices) == [stream.day(number) for number in range(8, 51)]
    assert max(evidence.totals) == evidence.day == stream.day(50)
    assert all(counts.events >= 5 for day in list(evidence.slices)[:-1] for counts in evidence.slices[day].values())
    assert evidence.slices[evidence.day] == stream.slices[evidence.day]


def test_two_names_of_the_same_events_are_the_same_segment(stream: Stream) -> None:
    assert segments.is_same(stream, 50, Slice(EVENT_NAME, "e0"), ((EVENT_NAME, "e0"),))
    assert not segments.is_same(stream, 50, Slice(EVENT_NAME, "e0"), ((EVENT_NAME, "e1"),))


def steady() -> Stream:
    """Two signals, one of which has 4 % of the events; 1 % are errors."""
    codes = {EVENT_NAME: np.array([0, 1]), SERVICE_VERSION: np.array([0, 0])}
    labels = {EVENT_NAME: ["view", "checkout"], SERVICE_VERSION: ["1.0"]}
    days = 50
    made = Stream("steady", codes, labels, [np.array([9600, 400])] * days, [np.array([96, 4])] * days)
    made.cut_all()
    return made


def test_faults_that_are_named_are_counted_and_days_without_alarms_too() -> None:
    score = segments.measure(steady(), policy_of(), 1)

    assert score.named["4 % of the stream, all errors"] == [True] * segments.FAULT_DAYS
    assert score.named["2 % of the stream, half errors"] == []
    assert {name: (len(days), sum(days)) for name, days in score.alarms.items()} == {
        rule.NAME: (8, 0) for rule in segments.RULES
    }


def test_an_alarm_without_a_fault_is_counted_unless_the_total_fails() -> None:
    made, day = steady(), steady().first + timedelta(days=45)
    made.errors[45] = np.array([96, 400])
    made.slices[day] = made.cut(made.events[45], made.errors[45])
    assert made.slices[day][Slice(EVENT_NAME, "checkout")] == SliceCounts(400, 400, 0)
    score = Score()

    segments.judge_as_it_is(Judging(made, policy_of()), 45, score)
    assert score.alarms["segment_errors"] == [True]

    made.errors[45] = np.array([300, 400])
    segments.judge_as_it_is(Judging(made, policy_of()), 45, score)
    assert score.alarms["segment_errors"] == [True]
    assert "the total failed" in score.sentences[-1]
