"""Accepting: what was accepted as intended ends all alarms about it, and about nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.detectors.windows import WINDOW_DAYS
from telemetry_quality.core.dispatch import unmuted_alerts
from telemetry_quality.core.events import DayAggregates, DayScan, Slice, SliceCounts, UnreadableDay
from telemetry_quality.core.guardrails.verdicts import ACCEPTED, Outcome
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.core.marks import LONGEST_NOTE_SHOWN
from telemetry_quality_tests.builders import (
    NOW,
    SLICED_SCHEMA,
    FakeSource,
    alerts_of,
    make_row,
    make_scan,
    make_sliced_scan,
    make_work,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from telemetry_quality.core.daily import DailyWork, Judgement
    from telemetry_quality.core.guardrails.verdicts import Verdict

FIRST = date(2026, 1, 1)
SAID_AT = datetime(2026, 3, 8, 9, tzinfo=UTC)
STEP = 30
"""The number of the day on which something changes for good."""


class Stream:
    """A stream whose days are read at once, from the day ``first`` on."""

    def __init__(self, folder: Path, scans: Iterable[DayScan], *, first: int = 0, **overrides: Any) -> None:
        days: dict[date, DayScan | UnreadableDay] = {scan.day: scan for scan in scans}
        self.days = list(days)
        self.work: DailyWork = make_work(folder, FakeSource(days, schema=SLICED_SCHEMA), **overrides)
        list(self.work.read(self.days[first:], NOW))

    def judge(self, first: int, last: int) -> list[Judgement]:
        """Judge days together, as a backfill does; each knows only what was known before it."""
        return list(self.work.judge(self.days[first : last + 1], NOW))

    def decide(self, number: int, action: Action = Action.ACCEPT, note: str = "retired with 5.0") -> None:
        day = self.days[number]
        for incident in incidents_of(self.work.store, "web", day, day):
            self.work.store.append_incident_action(incident.decide(action, "ada", SAID_AT, note=note))


def failed(judgements: Iterable[Judgement]) -> dict[int, set[str]]:
    """The guardrails that failed, by the number of the day."""
    found = {
        (judged.snapshot.day - FIRST).days: {
            verdict.guardrail for verdict in judged.verdicts if verdict.outcome is Outcome.FAILED
        }
        for judged in judgements
    }
    return {number: names for number, names in found.items() if names}


def verdict_of(judged: Judgement, guardrail: str) -> Verdict:
    return next(verdict for verdict in judged.verdicts if verdict.guardrail == guardrail)


def scans(counts: Callable[[int], Mapping[str, int]], days: int = 100, weekend: float = 0.4) -> list[DayScan]:
    """Days of ``counts(number)`` events per platform, three percent of noise, less at weekends."""
    random = Random(7)
    made = []
    for number in range(days):
        day = FIRST + timedelta(number)
        size = weekend if day.weekday() > 4 else 1.0
        events = {name: round(random.gauss(count, 0.03 * count) * size) for name, count in counts(number).items()}
        made.append(make_sliced_scan(day, {name: count for name, count in events.items() if count}))
    return made


def retired(number: int) -> dict[str, int]:
    return {"web": 3000, "ios": 2000} | ({"tv": 400} if number < STEP else {})


@pytest.mark.parametrize("seen", [0, 2])
def test_accepting_a_step_ends_all_alarms_about_it_from_the_next_judged_day(tmp_path: Path, seen: int) -> None:
    stream = Stream(tmp_path, scans(lambda n: {"web": 3000 if n < STEP else 1200, "ios": 2000 if n < STEP else 800}))
    before = stream.judge(0, STEP + seen)
    assert set(failed(before)) == {STEP + n for n in range(seen + 1)}

    stream.decide(STEP + seen)
    after = stream.judge(STEP + seen + 1, 99)

    assert failed(after) == {}
    sentence = verdict_of(after[0], "volume").sentence
    assert sentence.endswith(
        f"The level since {stream.days[STEP]} was accepted by ada on 2026-03-08: retired with 5.0."
    )


def test_a_further_loss_on_top_of_an_accepted_level_alarms_again(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(lambda n: {"web": 5000 if n < STEP else 2000 if n < STEP + 10 else 1000}, 45))
    stream.judge(0, STEP)
    stream.decide(STEP)

    daily = [judged for number in range(STEP + 1, STEP + 11) for judged in stream.judge(number, number)]
    assert set(failed(daily)) == {STEP + 10}


@pytest.mark.parametrize(("number", "is_excused"), [(STEP + 1, True), (STEP + 7, True), (STEP + 8, False)])
def test_for_a_week_a_day_passes_that_is_no_worse_than_what_was_accepted_though_the_accepted_day_was_odd(
    tmp_path: Path, number: int, is_excused: bool
) -> None:
    """The accepted day had 1,000 of 5,000 events, all later ones have 1,500, which is half as many again."""
    made = scans(lambda n: {"web": 5000 if n < STEP else 1000 if n < number else 1500}, number + 1, weekend=1.0)
    stream = Stream(tmp_path, made)
    stream.judge(0, STEP)
    stream.decide(STEP)

    *_, judged = stream.judge(STEP + 1, number)

    assert ("volume" not in failed([judged]).get(number, set())) is is_excused
    assert (verdict_of(judged, "volume").reason_code == ACCEPTED) is is_excused


def test_a_return_to_the_level_before_the_acceptance_alarms(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(lambda n: {"web": 2000 if STEP <= n < STEP + 10 else 5000}, 45))
    stream.judge(0, STEP)
    stream.decide(STEP)

    assert set(failed(stream.judge(STEP + 1, STEP + 10))) == {STEP + 10}


def test_accepting_a_retired_segment_ends_all_alarms_and_the_verdict_says_who_accepted_it(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(retired))
    assert failed(stream.judge(0, STEP)) == {STEP: {"silence"}}

    stream.decide(STEP)
    after = stream.judge(STEP + 1, 99)

    assert failed(after) == {}
    verdict = verdict_of(after[0], "silence")
    assert (verdict.outcome, verdict.reason_code) == (Outcome.PASSED, ACCEPTED)
    assert verdict.sentence.startswith("platform=tv is silent since")
    assert verdict.sentence.endswith("accepted by ada on 2026-03-08: retired with 5.0.")


def test_a_retired_segment_that_comes_back_is_learnt_afresh_and_alarms_when_it_stops_again(tmp_path: Path) -> None:
    back, again = STEP + 12, STEP + 42
    stream = Stream(tmp_path, scans(lambda n: retired(n) | ({"tv": 400} if back <= n < again else {}), again + 5))
    stream.judge(0, STEP)
    stream.decide(STEP)

    assert set(failed(stream.judge(STEP + 1, again))) == {again}


def test_another_segment_that_stops_alarms_and_is_all_that_is_named(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(lambda n: retired(n) | ({"car": 300} if n < STEP + 5 else {}), 40))
    stream.judge(0, STEP)
    stream.decide(STEP)
    *_, judged = stream.judge(STEP + 1, STEP + 5)

    assert failed([judged]) == {STEP + 5: {"silence"}}
    assert [str(found.segment) for found in verdict_of(judged, "silence").contributors] == ["platform=car"]


def erring(number: int, share: float, platform: str = "ios") -> DayScan:
    """A day of 1,000 events on each of two platforms; a share of one platform's events are errors."""
    day, errors = FIRST + timedelta(number), round(1000 * share)
    scan = make_sliced_scan(day, {"ios": 1000, "web": 1000})
    slices = {
        part: counts._replace(errors=errors if platform in part or "platform" not in part else 0)
        for part, counts in scan.slices.items()
    }
    return replace(scan, aggregates=DayAggregates((make_row(events=2000, errors=errors),)), slices=slices)


@pytest.fixture
def errors_accepted(tmp_path: Path) -> Callable[..., dict[int, set[str]]]:
    """The failures of later days by their share of errors and platform; 20 % on iOS was accepted."""

    def judge(*later: tuple[float, str]) -> dict[int, set[str]]:
        known = [erring(n, 0.2 if n == 20 else 0.01) for n in range(21)]
        stream = Stream(tmp_path, [*known, *(erring(21 + n, *day) for n, day in enumerate(later))])
        stream.judge(0, 20)
        stream.decide(20)
        judged = stream.judge(20, 20 + len(later))
        assert all(verdict_of(day, "error_rate").sentence.count("additional errors") <= 1 for day in judged)
        return {number: {"error_rate"} for number, names in failed(judged).items() if "error_rate" in names}

    return judge


def test_an_accepted_share_of_errors_passes_until_it_is_markedly_higher(
    errors_accepted: Callable[..., dict[int, set[str]]],
) -> None:
    found = errors_accepted((0.2, "ios"), (0.24, "ios"), (0.25, "ios"), (0.26, "ios"))

    assert found == {20: {"error_rate"}, 24: {"error_rate"}}


def test_the_same_share_of_errors_in_another_segment_alarms(
    errors_accepted: Callable[..., dict[int, set[str]]],
) -> None:
    assert errors_accepted((0.2, "web")) == {20: {"error_rate"}, 21: {"error_rate"}}


def test_the_first_accepted_day_and_earlier_days_stay_as_they_were_judged(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(retired, STEP + 3))
    stream.judge(0, STEP + 2)
    stream.decide(STEP + 2)

    again = stream.judge(STEP - 5, STEP + 2)

    assert failed(again) == {STEP: {"silence"}}
    assert [judged.is_new for judged in again] == [False] * 6 + [True] * 2


@pytest.mark.parametrize("action", [Action.DISMISS, Action.CONFIRM])
def test_an_acceptance_can_be_revoked(tmp_path: Path, action: Action) -> None:
    stream = Stream(tmp_path, scans(retired, STEP + 3))
    stream.judge(0, STEP)
    stream.decide(STEP)
    assert failed(stream.judge(STEP + 1, STEP + 2)) == {}

    stream.decide(STEP, action)

    assert "silence" in failed(stream.judge(STEP + 1, STEP + 2))[STEP + 2]


def test_a_note_is_shown_on_one_line_and_bounded(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(retired, STEP + 2))
    stream.judge(0, STEP)
    stream.decide(STEP, note="a\n" + "b" * LONGEST_NOTE_SHOWN)

    (judged,) = stream.judge(STEP + 1, STEP + 1)
    note = verdict_of(judged, "silence").sentence.partition("2026-03-08: ")[2]

    assert note == "a " + "b" * (LONGEST_NOTE_SHOWN - 3) + "…"


def test_an_empty_stream_that_was_accepted_passes_as_long_as_it_is_empty(tmp_path: Path) -> None:
    empty = [DayScan(FIRST + timedelta(n), DayAggregates()) for n in range(STEP, STEP + 5)]
    stream = Stream(tmp_path, scans(lambda _: {"web": 5000}, STEP) + empty)
    assert failed(stream.judge(0, STEP)) == {STEP: {"activity", "volume"}}

    stream.decide(STEP)

    assert failed(stream.judge(STEP + 1, STEP + 4)) == {}


def test_alerts_of_an_accepted_incident_are_not_dispatched_even_if_they_were_pending(tmp_path: Path) -> None:
    stream = Stream(tmp_path, scans(retired, STEP + 1))
    (judged,) = stream.judge(STEP, STEP)
    alerts = list(alerts_of(judged.snapshot, judged.verdicts))
    assert unmuted_alerts(stream.work.store, alerts, NOW.date()) == alerts != []

    stream.decide(STEP)

    assert unmuted_alerts(stream.work.store, alerts, NOW.date()) == []


def versions(number: int, lost_percent: int) -> DayScan:
    """A day of 1,000 events, some of which carry no version."""
    day, lost = FIRST + timedelta(number), 10 * lost_percent
    counts = {None: lost, "1.0": 1000 - lost}
    slices = {
        Slice("service_version", version): SliceCounts(n, 0, 0 if version else n) for version, n in counts.items() if n
    }
    slices[Slice("event_name", "page.view")] = SliceCounts(1000, 0, lost)
    rows = [
        make_row(service_version=version, events=n, missing_version=n if version is None else 0)
        for version, n in counts.items()
        if n
    ]
    return make_scan(day, *rows, slices=slices)


def test_a_version_drift_that_was_accepted_passes_and_a_further_one_alarms(tmp_path: Path) -> None:
    shares = [0] * STEP + [40] * (WINDOW_DAYS + 5) + [90]
    stream = Stream(tmp_path, [versions(number, share) for number, share in enumerate(shares)])
    assert "version_drift" in failed(stream.judge(0, STEP))[STEP]

    stream.decide(STEP)

    assert set(failed(stream.judge(STEP + 1, len(shares) - 1))) == {len(shares) - 1}
