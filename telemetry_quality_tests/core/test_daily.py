"""The daily work: read, keep and judge days, whatever the source does, and never twice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.daily import CHUNK_DAYS, RETRY_WAITS_SECONDS, DailyWork, figures_of
from telemetry_quality.core.days import Calendar
from telemetry_quality.core.events import DayReading, SampledEvent, UnreadableDay
from telemetry_quality.core.guardrails import judge_day
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.policies import Policy
from telemetry_quality.core.ports import StoredReading
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.errors import RequestError, SourceError, SourceUnavailableError
from telemetry_quality_tests.builders import (
    DAY,
    NEW_YORK,
    NOW,
    FakeSource,
    make_reading,
    make_row,
    make_snapshot,
    make_work,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

FIRST_DAY = date(2026, 1, 1)
TRAILING = Policy(baseline="trailing_mean")


def gone() -> SourceUnavailableError:
    return SourceUnavailableError("SOURCE_UNAVAILABLE", "The database does not answer.")


def broken() -> SourceError:
    return SourceError("COLUMN_MISSING", "There is no column event_id.")


def unreadable(day: date) -> UnreadableDay:
    return UnreadableDay(day, "FILE_CORRUPT", "The file is broken.")


def days_before(day: date, count: int) -> list[date]:
    return [day - timedelta(days=n) for n in range(count, 0, -1)]


def make_days(days: Sequence[date], events: int = 100) -> dict[date, DayReading | UnreadableDay]:
    return {day: make_reading(day, make_row(events=events)) for day in days}


def read(work: DailyWork, *days: date, now: datetime = NOW) -> list[StoredReading]:
    return list(work.read(days, now))


def judge(work: DailyWork, *days: date, now: datetime = NOW) -> list[TelemetryIntegritySnapshot]:
    return [snapshot for snapshot, _, _ in work.judge(days, now)]


def revisions_added(work: DailyWork, *days: date, now: datetime = NOW) -> int:
    """How many snapshots judging ``days`` adds to the store."""
    return sum(is_new for _, _, is_new in work.judge(days, now))


@dataclass
class SourceLostMidway(FakeSource):
    """Loses its connection after two days, once."""

    losses: int = 1

    def read_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayReading | UnreadableDay]:
        for position, answer in enumerate(super().read_days(windows, sample_size)):
            if position == 2 and self.losses:
                self.losses -= 1
                raise gone()
            yield answer


@dataclass
class SourceWithoutCatalogue(FakeSource):
    """Its catalogue of signals cannot be read."""

    def read_signals(self) -> frozenset[str] | None:
        raise broken()


@dataclass
class RecordingSource(FakeSource):
    """Remembers what it was asked for."""

    windows: list[DayWindow] = field(default_factory=list)
    sample_sizes: list[int] = field(default_factory=list)

    def read_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayReading | UnreadableDay]:
        self.windows += windows
        self.sample_sizes.append(sample_size)
        return super().read_days(windows, sample_size)


# Reading


def test_a_day_is_read_and_kept_with_its_figures(tmp_path: Path) -> None:
    row = make_row(events=50, errors=3, error_unknown_events=2, missing_version=4, late_events=5)
    sample = [SampledEvent("a", "page.view", "1.0"), SampledEvent("b", "page.view", None)]
    work = make_work(tmp_path, FakeSource({DAY: make_reading(DAY, row, sample=sample)}))

    (reading,) = read(work, DAY)

    assert (reading.source, reading.day, reading.revision, reading.is_new) == ("web", DAY, 1, True)
    assert (reading.total_events, reading.error_events, reading.error_unknown_events) == (50, 3, 2)
    assert (reading.missing_version_events, reading.late_events) == (4, 5)
    assert (reading.sample_size, reading.sample_passed) == (2, 1)
    assert reading.unreadable_reason_code is None
    assert work.store.aggregates("web", DAY).rows == (row,)


def test_days_are_answered_one_by_one_in_the_order_asked(tmp_path: Path) -> None:
    days = [DAY, DAY - timedelta(days=2), DAY + timedelta(days=3)]
    work = make_work(tmp_path, FakeSource(make_days(days)))

    assert [reading.day for reading in read(work, *days)] == days


def test_the_source_is_asked_for_days_of_its_zone_and_a_sample_of_the_policys_size(tmp_path: Path) -> None:
    source = RecordingSource()
    work = make_work(tmp_path, source, calendar=Calendar(NEW_YORK, date(2013, 1, 1)), policy=Policy(sample_size=7))

    read(work, date(2013, 3, 10))

    assert [window.hours for window in source.windows] == [23]
    assert source.sample_sizes == [7]


def test_reading_twice_adds_no_revision(tmp_path: Path) -> None:
    work = make_work(tmp_path, FakeSource(make_days([DAY])))

    (first,) = read(work, DAY)
    (second,) = read(work, DAY, now=NOW + timedelta(days=1))

    assert second == replace(first, is_new=False)
    assert revisions_added(work, DAY) == 1
    assert revisions_added(work, DAY, now=NOW + timedelta(days=1)) == 0


def test_late_events_add_exactly_one_revision(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY], events=100))
    work = make_work(tmp_path, source)
    read(work, DAY)
    judge(work, DAY)

    source.days = make_days([DAY], events=101)
    readings = [read(work, DAY)[0] for _ in range(3)]
    snapshots = [judge(work, DAY)[0] for _ in range(3)]

    assert [(one.revision, one.is_new) for one in readings] == [(2, True), (2, False), (2, False)]
    assert {(one.revision, one.total_events, one.reading_revision) for one in snapshots} == {(2, 101, 2)}


def test_a_change_within_the_day_is_a_revision_even_when_the_totals_stay(tmp_path: Path) -> None:
    source = FakeSource({DAY: make_reading(DAY, make_row(hour=1))})
    work = make_work(tmp_path, source)
    read(work, DAY)

    source.days = {DAY: make_reading(DAY, make_row(hour=2))}

    assert [(one.revision, one.is_new) for one in read(work, DAY)] == [(2, True)]


def test_an_empty_day_is_not_the_same_as_a_day_that_could_not_be_read(tmp_path: Path) -> None:
    tomorrow = DAY + timedelta(days=1)
    work = make_work(tmp_path, FakeSource({tomorrow: unreadable(tomorrow)}))

    empty, lost = read(work, DAY, tomorrow)

    assert (empty.total_events, empty.sample_size, empty.unreadable_reason_code) == (0, 0, None)
    assert (lost.total_events, lost.sample_size, lost.unreadable_reason_code) == (None, None, "FILE_CORRUPT")
    assert lost.unreadable_reason == "The file is broken."
    assert [snapshot.status for snapshot in judge(work, DAY, tomorrow)] == [DayStatus.NO_ACTIVITY, DayStatus.UNKNOWN]


def test_an_unreadable_day_does_not_stop_the_others(tmp_path: Path) -> None:
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    source = FakeSource(make_days(days) | {days[1]: unreadable(days[1])})

    readings = read(make_work(tmp_path, source), *days)

    assert [one.total_events for one in readings] == [100, None, 100]


def test_a_day_still_unreadable_adds_no_revision_and_a_day_mended_adds_one(tmp_path: Path) -> None:
    source = FakeSource({DAY: unreadable(DAY)})
    work = make_work(tmp_path, source)

    assert [(one.revision, one.is_new) for one in read(work, DAY) + read(work, DAY)] == [(1, True), (1, False)]
    source.days = make_days([DAY])
    assert [(one.revision, one.is_new) for one in read(work, DAY)] == [(2, True)]
    assert judge(work, DAY)[0].status is DayStatus.HEALTHY


def test_a_day_that_can_no_longer_be_read_is_unknown_again(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)
    read(work, DAY)
    judge(work, DAY)

    source.days = {DAY: unreadable(DAY)}
    read(work, DAY)
    (snapshot,) = judge(work, DAY)

    assert (snapshot.revision, snapshot.status, snapshot.total_events) == (2, DayStatus.UNKNOWN, None)


# Failing sources


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_source_that_was_unavailable_is_asked_again_after_a_pause(tmp_path: Path, failures: int) -> None:
    source, waits = FakeSource(make_days([DAY]), failures=[gone() for _ in range(failures)]), list[float]()
    work = make_work(tmp_path, source, wait=waits.append)

    (reading,) = read(work, DAY)

    assert reading.total_events == 100
    assert source.calls == failures + 1
    assert waits == list(RETRY_WAITS_SECONDS[:failures])


def test_a_source_that_stays_unavailable_makes_its_days_unreadable(tmp_path: Path) -> None:
    source, waits = FakeSource(make_days([DAY]), failures=[gone() for _ in range(3)]), list[float]()
    work = make_work(tmp_path, source, wait=waits.append)

    (reading,) = read(work, DAY)

    assert source.calls == 3
    assert waits == list(RETRY_WAITS_SECONDS)
    assert reading.total_events is None
    assert (reading.unreadable_reason_code, reading.unreadable_reason) == (
        "SOURCE_UNAVAILABLE",
        "The database does not answer.",
    )
    assert judge(work, DAY)[0].status is DayStatus.UNKNOWN


def test_a_permanent_failure_is_not_retried(tmp_path: Path) -> None:
    source, waits = FakeSource(make_days([DAY]), failures=[broken()]), list[float]()
    work = make_work(tmp_path, source, wait=waits.append)

    (reading,) = read(work, DAY)

    assert (source.calls, waits) == (1, [])
    assert reading.unreadable_reason_code == "COLUMN_MISSING"


def test_a_failure_that_turns_out_permanent_is_not_retried_further(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY]), failures=[gone(), broken()])

    (reading,) = read(make_work(tmp_path, source), DAY)

    assert source.calls == 2
    assert reading.unreadable_reason_code == "COLUMN_MISSING"


def test_a_retry_does_not_duplicate_days_already_answered(tmp_path: Path) -> None:
    days = [DAY + timedelta(days=n) for n in range(4)]
    source = SourceLostMidway(make_days(days))

    readings = read(make_work(tmp_path, source), *days)

    assert source.calls == 2
    assert [(one.day, one.revision, one.is_new) for one in readings] == [(day, 1, True) for day in days]


def test_a_catalogue_that_cannot_be_read_makes_the_day_unreadable_rather_than_its_signals_unknown(
    tmp_path: Path,
) -> None:
    (reading,) = read(make_work(tmp_path, SourceWithoutCatalogue(make_days([DAY]))), DAY)

    assert reading.unreadable_reason_code == "COLUMN_MISSING"


def test_a_mistake_of_our_own_is_not_reported_as_bad_data(tmp_path: Path) -> None:
    work = make_work(tmp_path, FakeSource(failures=[RuntimeError("a bug")]))

    with pytest.raises(RuntimeError, match="a bug"):
        read(work, DAY)

    assert work.store.latest_readings("web", [DAY]) == {}


@pytest.mark.parametrize(("count", "calls"), [(CHUNK_DAYS, 1), (CHUNK_DAYS + 1, 2)])
def test_many_days_are_asked_for_a_month_at_a_time(tmp_path: Path, count: int, calls: int) -> None:
    days = days_before(DAY, count)
    source = FakeSource(make_days(days))

    assert [one.total_events for one in read(make_work(tmp_path, source), *days)] == [100] * count
    assert source.calls == calls


def test_a_source_lost_during_one_month_is_asked_again_for_the_next(tmp_path: Path) -> None:
    days = days_before(DAY, CHUNK_DAYS + 2)
    source = FakeSource(make_days(days), failures=[broken()])

    readings = read(make_work(tmp_path, source), *days)

    assert [one.total_events for one in readings] == [None] * CHUNK_DAYS + [100, 100]


# Days that may be asked for


@pytest.mark.parametrize("day", [FIRST_DAY - timedelta(days=1), date(2026, 6, 1), date(2026, 6, 2)])
def test_a_day_outside_the_calendar_is_refused_before_anything_is_read(tmp_path: Path, day: date) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)

    with pytest.raises(RequestError, match=f"but {day} was asked for"):
        read(work, DAY, day)

    assert source.calls == 0
    assert work.store.latest_readings("web", [DAY]) == {}


@pytest.mark.parametrize("day", [FIRST_DAY, date(2026, 5, 31)])
def test_the_first_and_the_latest_day_of_the_calendar_may_be_read(tmp_path: Path, day: date) -> None:
    assert read(make_work(tmp_path, FakeSource(make_days([day]))), day)[0].total_events == 100


def test_an_instant_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="aware instant"):
        read(make_work(tmp_path), DAY, now=NOW.replace(tzinfo=None))


def test_judging_a_day_that_was_never_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="run telemetry-quality snapshot 2026-03-10"):
        judge(make_work(tmp_path), DAY)


def test_asking_for_no_day_at_all_does_nothing(tmp_path: Path) -> None:
    work = make_work(tmp_path)

    assert read(work) == []
    assert judge(work) == []
    assert work.changed_days([]) == []


# Samples


def signal_days(days: Sequence[date], name: str) -> dict[date, DayReading | UnreadableDay]:
    """Days of one signal, and a sample of one event of it."""
    sample = [SampledEvent("e", name, "1.0")]
    return {day: make_reading(day, make_row(event_name=name), sample=sample) for day in days}


@pytest.mark.parametrize(
    ("days_since_the_first", "passed"),
    [(6, 1), (7, 0), (8, 0)],
)
@pytest.mark.parametrize("is_one_call", [True, False])
def test_a_new_signal_fails_the_sample_only_after_the_learning_period(
    tmp_path: Path, days_since_the_first: int, passed: int, is_one_call: bool
) -> None:
    earlier = days_before(DAY, days_since_the_first)
    source = FakeSource(signal_days(earlier, "page.view") | signal_days([DAY], "checkout"))
    work = make_work(tmp_path, source)

    if is_one_call:
        reading = read(work, *earlier, DAY)[-1]
    else:
        read(work, *earlier)
        (reading,) = read(work, DAY)

    assert (reading.sample_size, reading.sample_passed) == (1, passed)


def test_a_signal_is_known_from_the_day_after_it_was_first_seen(tmp_path: Path) -> None:
    earlier, tomorrow = days_before(DAY, 8), DAY + timedelta(days=1)
    source = FakeSource(signal_days(earlier, "page.view") | signal_days([DAY, tomorrow], "checkout"))
    work = make_work(tmp_path, source)

    readings = {one.day: one.sample_passed for one in read(work, *earlier, DAY, tomorrow)}

    assert readings == {**dict.fromkeys(earlier, 1), DAY: 0, tomorrow: 1}
    # Read again, the day is judged as before: its own names, by now in the store, teach it nothing.
    assert [one.is_new for one in read(work, DAY)] == [False]


def test_a_catalogue_is_obeyed_from_the_first_day(tmp_path: Path) -> None:
    source = FakeSource(signal_days([DAY], "page.veiw"), signals=frozenset({"page.view"}))

    (reading,) = read(make_work(tmp_path, source), DAY)

    assert reading.sample_passed == 0


def test_a_catalogue_replaces_what_was_learnt(tmp_path: Path) -> None:
    earlier = days_before(DAY, 8)
    source = FakeSource(signal_days(earlier, "page.view") | signal_days([DAY], "checkout"))
    source.signals = frozenset({"page.view", "checkout"})

    assert [one.sample_passed for one in read(make_work(tmp_path, source), *earlier, DAY)] == [1] * 9


# Judging


def test_a_healthy_day_is_judged_by_its_figures(tmp_path: Path) -> None:
    row = make_row(events=200, errors=4, missing_version=1)
    work = make_work(tmp_path, FakeSource({DAY: make_reading(DAY, row)}))
    (reading,) = read(work, DAY)

    ((snapshot, judged, is_new),) = work.judge([DAY], NOW)

    assert is_new
    assert judged == replace(reading, is_new=False)
    assert (snapshot.total_events, snapshot.error_rate_percent, snapshot.missing_version_percent) == (200, 2.0, 0.5)
    assert (snapshot.sample_size, snapshot.sampling_success_rate_percent) == (10, 100.0)
    assert (snapshot.expected_events, snapshot.volume_deviation_percent) == (None, None)
    assert (snapshot.revision, snapshot.status, snapshot.computed_at) == (1, DayStatus.HEALTHY, NOW)
    assert (snapshot.reading_revision, snapshot.reading_hash) == (reading.revision, reading.figures_hash)


def test_events_that_do_not_say_whether_they_are_errors_leave_the_rate_unknown(tmp_path: Path) -> None:
    row = make_row(events=100, error_unknown_events=100)
    work = make_work(tmp_path, FakeSource({DAY: make_reading(DAY, row)}))
    read(work, DAY)

    assert judge(work, DAY)[0].error_rate_percent is None


def test_the_history_of_a_day_excludes_the_day_itself_and_later_ones(tmp_path: Path) -> None:
    earlier, later = days_before(DAY, 14), DAY + timedelta(days=1)
    source = FakeSource(make_days(earlier) | make_days([DAY], 150) | make_days([later], 90_000))
    work = make_work(tmp_path, source)
    read(work, *earlier, DAY, later)

    (snapshot,) = judge(work, DAY)

    assert snapshot.expected_events == pytest.approx(100)
    assert snapshot.volume_deviation_percent == pytest.approx(50)
    assert snapshot.has_volume_anomaly is True
    assert judge(work, DAY, later)[0] == snapshot


def test_an_unreadable_day_is_a_gap_in_the_history_and_an_empty_one_is_not(tmp_path: Path) -> None:
    earlier = days_before(DAY, 7)
    lost: dict[date, DayReading | UnreadableDay] = {earlier[0]: unreadable(earlier[0])}
    source = FakeSource(make_days(earlier) | lost | make_days(earlier[1:2], 0) | make_days([DAY]))
    work = make_work(tmp_path, source, policy=TRAILING)
    read(work, *earlier, DAY)

    assert judge(work, DAY)[0].expected_events == pytest.approx(500 / 6)


def test_an_unreadable_day_still_says_what_was_expected(tmp_path: Path) -> None:
    earlier = days_before(DAY, 7)
    source = FakeSource({**make_days(earlier), DAY: unreadable(DAY)})
    work = make_work(tmp_path, source, policy=TRAILING)
    read(work, *earlier, DAY)

    (snapshot,) = judge(work, DAY)

    assert (snapshot.status, snapshot.expected_events) == (DayStatus.UNKNOWN, 100)
    assert (snapshot.total_events, snapshot.volume_deviation_percent) == (None, None)
    assert snapshot.unreadable_reason_code == "FILE_CORRUPT"


def test_a_day_judged_before_earlier_days_were_backfilled_is_judged_anew(tmp_path: Path) -> None:
    earlier = days_before(DAY, 7)
    work = make_work(tmp_path, FakeSource(make_days([*earlier, DAY])), policy=TRAILING)
    read(work, DAY)
    assert judge(work, DAY)[0].expected_events is None

    read(work, *earlier)
    ((snapshot, _, is_new),) = work.judge([DAY], NOW)

    assert is_new
    assert (snapshot.revision, snapshot.reading_revision, snapshot.expected_events) == (2, 1, 100)
    assert revisions_added(work, DAY) == 0


def test_a_backfill_that_does_not_change_what_was_expected_adds_no_revision(tmp_path: Path) -> None:
    earlier = days_before(DAY, 30)
    work = make_work(tmp_path, FakeSource(make_days([*earlier, DAY])), policy=TRAILING)
    read(work, *earlier[-7:], DAY)
    judge(work, DAY)

    read(work, *earlier[:-7])

    assert revisions_added(work, DAY) == 0


def test_a_new_policy_is_a_new_revision(tmp_path: Path) -> None:
    work = make_work(tmp_path, FakeSource({DAY: make_reading(DAY, make_row(errors=6))}))
    read(work, DAY)
    assert judge(work, DAY)[0].status is DayStatus.UNHEALTHY

    lenient = replace(work, policy=Policy(error_rate_percent=10.0))
    (snapshot,) = judge(lenient, DAY)

    assert (snapshot.revision, snapshot.status) == (2, DayStatus.HEALTHY)


def test_a_snapshot_of_an_older_reading_never_replaces_a_newer_one(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)
    read(work, DAY)
    source.days = make_days([DAY], events=101)
    read(work, DAY)
    (newer,) = judge(work, DAY)

    late, is_new = work.store.append_snapshot(make_snapshot(DAY, reading_revision=1))

    assert (late, is_new) == (newer, False)
    assert work.store.snapshots("web", DAY, DAY) == [newer]


def test_sources_in_one_store_do_not_see_each_other(tmp_path: Path) -> None:
    earlier = days_before(DAY, 7)
    web = make_work(tmp_path, FakeSource(make_days([*earlier, DAY])), policy=TRAILING)
    app = replace(web, name="app", source=FakeSource(make_days([DAY], 7)))
    read(web, *earlier, DAY)
    read(app, DAY)

    (snapshot,) = judge(app, DAY)

    assert (snapshot.source, snapshot.total_events, snapshot.expected_events) == ("app", 7, None)


# Looking again


def test_only_days_that_may_say_something_new_are_looked_at_again(tmp_path: Path) -> None:
    never_read, was_unreadable, changed, unchanged, not_countable, still_unreadable = (
        DAY + timedelta(days=n) for n in range(6)
    )
    source = FakeSource(make_days([changed, unchanged, not_countable]))
    source.days |= {day: unreadable(day) for day in (was_unreadable, still_unreadable)}
    work = make_work(tmp_path, source)
    read(work, was_unreadable, changed, unchanged, not_countable, still_unreadable)
    judge(work, was_unreadable, changed, unchanged, not_countable, still_unreadable)

    source.days |= make_days([never_read, was_unreadable]) | make_days([changed], 101)
    source.days |= {not_countable: unreadable(not_countable)}

    days = [never_read, was_unreadable, changed, unchanged, not_countable, still_unreadable]
    assert work.changed_days(days) == [never_read, was_unreadable, changed, still_unreadable]


@pytest.mark.parametrize(("count", "is_changed"), [(99, True), (100, False), (101, True)])
def test_a_day_has_changed_when_it_holds_more_or_fewer_events(tmp_path: Path, count: int, is_changed: bool) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)
    read(work, DAY)
    judge(work, DAY)

    source.days = make_days([DAY], count)

    assert work.changed_days([DAY]) == ([DAY] if is_changed else [])


def test_a_day_that_was_read_by_a_process_that_ended_before_it_judged_is_looked_at_again(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)
    read(work, DAY)
    assert work.changed_days([DAY]) == [DAY]
    judge(work, DAY)
    assert work.changed_days([DAY]) == []
    source.days = make_days([DAY], 101)
    read(work, DAY)
    assert work.changed_days([DAY]) == [DAY], "the snapshot is of the reading before"


def test_a_day_read_as_empty_has_changed_when_events_arrive(tmp_path: Path) -> None:
    source = FakeSource()
    work = make_work(tmp_path, source)
    read(work, DAY)
    judge(work, DAY)

    assert work.changed_days([DAY]) == []
    source.days = make_days([DAY], 1)
    assert work.changed_days([DAY]) == [DAY]


# Figures


def make_stored_reading(
    total: int, errors: int = 0, untagged: int = 0, size: int = 0, passed: int = 0
) -> StoredReading:
    return StoredReading(
        source="web",
        day=DAY,
        revision=1,
        figures_hash="0" * 64,
        total_events=total,
        error_events=errors,
        error_unknown_events=0,
        missing_version_events=untagged,
        late_events=0,
        sample_size=size,
        sample_passed=passed,
        unreadable_reason_code=None,
        unreadable_reason=None,
        is_new=False,
    )


@settings(deadline=None)
@given(st.data())
def test_shares_are_judged_exactly_however_many_events_there_are(data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 10**9), label="total")
    near = st.integers(-2, 2)
    errors = min(total, max(0, total // 20 + data.draw(near, label="errors")))
    untagged = min(total, max(0, total // 100 + data.draw(near, label="untagged")))
    size = data.draw(st.integers(1, 100_000), label="size")
    passed = min(size, max(0, size * 99 // 100 + data.draw(near, label="passed")))

    figures = figures_of(make_stored_reading(total, errors, untagged, size, passed), {}, Policy())
    failed = {verdict.guardrail: verdict.outcome is Outcome.FAILED for verdict in judge_day(figures, Policy())}

    assert failed["error_rate"] is (20 * errors > total)
    assert failed["missing_version"] is (100 * untagged > total)
    assert failed["sample"] is (100 * passed < 99 * size)


@pytest.mark.parametrize(
    ("total", "deviation", "outcome"),
    [
        (700, -30.0, Outcome.PASSED),
        (1300, 30.0, Outcome.PASSED),
        (699, -30.1, Outcome.FAILED),
        (0, -100.0, Outcome.FAILED),
    ],
)
def test_the_deviation_is_signed_and_in_percent_of_what_was_expected(
    total: int, deviation: float, outcome: Outcome
) -> None:
    history = dict.fromkeys(days_before(DAY, 7), 1000)

    figures = figures_of(make_stored_reading(total), history, TRAILING)

    assert figures.volume_deviation_percent == pytest.approx(deviation)
    assert {verdict.guardrail: verdict.outcome for verdict in judge_day(figures, TRAILING)}["volume"] is outcome


def test_nothing_can_deviate_from_an_expectation_of_nothing() -> None:
    figures = figures_of(make_stored_reading(10), dict.fromkeys(days_before(DAY, 7), 0), TRAILING)

    assert (figures.expected_events, figures.volume_deviation_percent) == (0, None)


def test_a_day_is_complete_only_when_its_zone_says_so(tmp_path: Path) -> None:
    work = make_work(tmp_path, calendar=Calendar(NEW_YORK, FIRST_DAY))
    midnight_in_new_york = datetime(2026, 3, 11, 4, tzinfo=UTC)

    with pytest.raises(RequestError):
        read(work, DAY, now=midnight_in_new_york - timedelta(seconds=1))
    assert len(read(work, DAY, now=midnight_in_new_york)) == 1


def outage() -> SourceUnavailableError:
    return SourceUnavailableError("SOURCE_LOCKED", "locked")


def test_an_outage_leaves_days_that_were_read_before_as_they_are_and_fails(tmp_path: Path) -> None:
    source = FakeSource({DAY: make_reading(DAY)})
    work = make_work(tmp_path, source)
    (before,) = work.read([DAY], NOW)
    source.failures = [outage(), outage(), outage()]
    with pytest.raises(SourceUnavailableError):
        list(work.read([DAY], NOW))
    assert work.store.latest_readings("web", [DAY])[DAY].revision == before.revision == 1


def test_an_outage_makes_only_days_unreadable_that_were_never_read(tmp_path: Path) -> None:
    days = [DAY, DAY + timedelta(days=1)]
    source = FakeSource({DAY: make_reading(DAY)})
    work = make_work(tmp_path, source)
    list(work.read(days[:1], NOW))
    source.failures = [outage(), outage(), outage()]
    known, new = work.read(days, NOW)
    assert (known.day, known.is_new, known.total_events) == (DAY, False, 100)
    assert (new.day, new.unreadable_reason_code) == (days[1], "SOURCE_LOCKED")


def test_a_day_that_was_unreadable_before_an_outage_is_still_unreadable_after_it(tmp_path: Path) -> None:
    source = FakeSource({DAY: UnreadableDay(DAY, "FILE_BROKEN", "half a file")})
    work = make_work(tmp_path, source)
    list(work.read([DAY], NOW))
    source.failures = [outage(), outage(), outage()]
    (reading,) = work.read([DAY], NOW)
    assert reading.unreadable_reason_code == "SOURCE_LOCKED"


@pytest.mark.parametrize("baseline", ["weekday", "trailing_mean"])
@pytest.mark.parametrize(
    ("events", "is_anomaly"), [(1299, False), (1300, False), (1301, True), (700, False), (699, True)]
)
def test_the_volume_of_a_steady_stream_fails_strictly_beyond_its_threshold(
    tmp_path: Path, baseline: str, events: int, is_anomaly: bool
) -> None:
    days = [DAY - timedelta(days=n) for n in range(20, -1, -1)]
    source = FakeSource({day: make_reading(day, make_row(events=1000)) for day in days[:-1]})
    source.days[DAY] = make_reading(DAY, make_row(events=events))
    work = make_work(tmp_path, source, policy=Policy(baseline=baseline))
    list(work.read(days, NOW))
    ((snapshot, _, _),) = work.judge([DAY], NOW)
    assert snapshot.has_volume_anomaly is is_anomaly
