"""The daily work: read, store and judge days, whatever the source does, and never twice."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from telemetry_quality.core import daily
from telemetry_quality.core.daily import (
    CHUNK_DAYS,
    FIRST_CHUNK_DAYS,
    RETRY_WAITS_SECONDS,
    SECOND_CHUNK_DAYS,
    DailyWork,
    Judgement,
)
from telemetry_quality.core.days import Calendar
from telemetry_quality.core.detectors.expected_volume import HISTORY_DAYS
from telemetry_quality.core.events import (
    Arrivals,
    DayAggregates,
    DayScan,
    Duplicates,
    SampledEvent,
    Slice,
    SliceCounts,
    UnreadableDay,
)
from telemetry_quality.core.guardrails.catalogue import guardrails_of, policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.errors import RequestError, SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import (
    DAY,
    NEW_YORK,
    NOW,
    SCHEMA,
    SLICED_SCHEMA,
    FakeSource,
    make_row,
    make_scan,
    make_sliced_scan,
    make_snapshot,
    make_store,
    make_verdicts,
    make_work,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.events import AggregateRow
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.scans import StoredScan
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

FIRST_DAY = date(2026, 1, 1)
TRAILING = policy_of(baseline="trailing_mean")
STEADY = {"ios": 60, "web": 440}
ARRIVING = replace(SCHEMA, observed_at="seen_at")
FIGURES = [declared.name for declared in fields(DayFigures)]


def gone() -> SourceUnavailableError:
    return SourceUnavailableError("SOURCE_UNAVAILABLE", "The database does not answer.")


def broken() -> SourceError:
    return SourceError("COLUMN_MISSING", "There is no column event_id.")


def unreadable(day: date) -> UnreadableDay:
    return UnreadableDay(day, "FILE_CORRUPT", "The file is broken.")


def days_before(day: date, count: int) -> list[date]:
    return [day - timedelta(days=n) for n in range(count, 0, -1)]


def make_days(days: Sequence[date], events: int = 100) -> dict[date, DayScan | UnreadableDay]:
    return {day: make_scan(day, make_row(events=events)) for day in days}


def read(work: DailyWork, *days: date, now: datetime = NOW) -> list[StoredScan]:
    return list(work.read(days, now))


def judge(work: DailyWork, *days: date, now: datetime = NOW) -> list[TelemetryIntegritySnapshot]:
    return [judgement.snapshot for judgement in work.judge(days, now)]


def revisions_added(work: DailyWork, *days: date, now: datetime = NOW) -> int:
    """How many snapshots judging ``days`` adds to the store."""
    return sum(judgement.is_new for judgement in work.judge(days, now))


def verdict_on(judgement: Judgement, guardrail: str) -> Verdict:
    """The verdict of ``guardrail``."""
    (verdict,) = (verdict for verdict in judgement.verdicts if verdict.guardrail == guardrail)
    return verdict


class RecordingStore(SqlQualityStore):
    """Records the ranges of judged days: those whose scans are loaded, without the history before them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.questions: list[tuple[date, date]] = []

    def scans(self, source: str, first: date, last: date) -> list[StoredScan]:
        self.questions.append((first + timedelta(days=HISTORY_DAYS), last))
        return super().scans(source, first, last)


@dataclass
class SourceLostMidway(FakeSource):
    """Loses its connection once, after two days."""

    losses: int = 1

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        for position, answer in enumerate(super().scan_days(windows, sample_size)):
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
    """Records what it is asked for."""

    windows: list[DayWindow] = field(default_factory=list)
    sample_sizes: list[int] = field(default_factory=list)

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        self.windows += windows
        self.sample_sizes.append(sample_size)
        return super().scan_days(windows, sample_size)


# Reading


def test_a_day_is_read_and_stored_with_its_figures(tmp_path: Path) -> None:
    row = make_row(events=50, errors=3, error_unknown_events=2, missing_version=4, late_events=5)
    sample = [SampledEvent("a", "page.view", "1.0"), SampledEvent("b", "page.view", None)]
    work = make_work(tmp_path, FakeSource({DAY: make_scan(DAY, row, sample=sample)}))

    (scan,) = read(work, DAY)

    assert (scan.source, scan.day, scan.revision, scan.is_new) == ("web", DAY, 1, True)
    assert (scan.total_events, scan.error_events, scan.error_unknown_events) == (50, 3, 2)
    assert (scan.missing_version_events, scan.late_events) == (4, 5)
    assert (scan.sample_size, scan.sample_passed) == (2, 1)
    assert scan.unreadable_reason_code is None
    assert work.store.aggregates("web", DAY).rows == (row,)


def test_scans_are_yielded_one_by_one_in_the_order_requested(tmp_path: Path) -> None:
    days = [DAY, DAY - timedelta(days=2), DAY + timedelta(days=3)]
    work = make_work(tmp_path, FakeSource(make_days(days)))

    assert [scan.day for scan in read(work, *days)] == days


def test_the_source_is_asked_for_days_in_its_zone_and_for_a_sample_of_the_policys_size(tmp_path: Path) -> None:
    source = RecordingSource()
    work = make_work(tmp_path, source, calendar=Calendar(NEW_YORK, date(2013, 1, 1)), policy=policy_of(sample_size=7))

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
    scans = [read(work, DAY)[0] for _ in range(3)]
    snapshots = [judge(work, DAY)[0] for _ in range(3)]

    assert [(scan.revision, scan.is_new) for scan in scans] == [(2, True), (2, False), (2, False)]
    assert {(snapshot.revision, snapshot.total_events, snapshot.scan_revision) for snapshot in snapshots} == {
        (2, 101, 2)
    }


def test_a_change_within_the_day_is_a_revision_even_when_the_totals_stay(tmp_path: Path) -> None:
    source = FakeSource({DAY: make_scan(DAY, make_row(hour=1))})
    work = make_work(tmp_path, source)
    read(work, DAY)

    source.days = {DAY: make_scan(DAY, make_row(hour=2))}

    assert [(scan.revision, scan.is_new) for scan in read(work, DAY)] == [(2, True)]


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

    scans = read(make_work(tmp_path, source), *days)

    assert [scan.total_events for scan in scans] == [100, None, 100]


def test_a_day_still_unreadable_adds_no_revision_and_a_repaired_day_adds_one(tmp_path: Path) -> None:
    source = FakeSource({DAY: unreadable(DAY)})
    work = make_work(tmp_path, source)

    assert [(scan.revision, scan.is_new) for scan in read(work, DAY) + read(work, DAY)] == [(1, True), (1, False)]
    source.days = make_days([DAY])
    assert [(scan.revision, scan.is_new) for scan in read(work, DAY)] == [(2, True)]
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

    (scan,) = read(work, DAY)

    assert scan.total_events == 100
    assert source.calls == failures + 1
    assert waits == list(RETRY_WAITS_SECONDS[:failures])


def test_a_source_that_stays_unavailable_makes_its_days_unreadable(tmp_path: Path) -> None:
    source, waits = FakeSource(make_days([DAY]), failures=[gone() for _ in range(3)]), list[float]()
    work = make_work(tmp_path, source, wait=waits.append)

    (scan,) = read(work, DAY)

    assert source.calls == 3
    assert waits == list(RETRY_WAITS_SECONDS)
    assert scan.total_events is None
    assert (scan.unreadable_reason_code, scan.unreadable_reason) == (
        "SOURCE_UNAVAILABLE",
        "The database does not answer.",
    )
    assert judge(work, DAY)[0].status is DayStatus.UNKNOWN


def test_a_permanent_failure_is_not_retried(tmp_path: Path) -> None:
    source, waits = FakeSource(make_days([DAY]), failures=[broken()]), list[float]()
    work = make_work(tmp_path, source, wait=waits.append)

    (scan,) = read(work, DAY)

    assert (source.calls, waits) == (1, [])
    assert scan.unreadable_reason_code == "COLUMN_MISSING"


def test_a_failure_that_turns_out_permanent_is_not_retried_further(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY]), failures=[gone(), broken()])

    (scan,) = read(make_work(tmp_path, source), DAY)

    assert source.calls == 2
    assert scan.unreadable_reason_code == "COLUMN_MISSING"


def test_a_retry_does_not_repeat_days_that_were_already_yielded(tmp_path: Path) -> None:
    days = [DAY + timedelta(days=n) for n in range(4)]
    source = SourceLostMidway(make_days(days))

    scans = read(make_work(tmp_path, source), *days)

    assert source.calls == 3, "the first day, then the others, which are lost once"
    assert [(scan.day, scan.revision, scan.is_new) for scan in scans] == [(day, 1, True) for day in days]


def test_a_catalogue_that_cannot_be_read_makes_the_day_unreadable_rather_than_its_signals_unknown(
    tmp_path: Path,
) -> None:
    (scan,) = read(make_work(tmp_path, SourceWithoutCatalogue(make_days([DAY]))), DAY)

    assert scan.unreadable_reason_code == "COLUMN_MISSING"


def test_a_bug_of_this_package_is_not_reported_as_bad_data(tmp_path: Path) -> None:
    work = make_work(tmp_path, FakeSource(failures=[RuntimeError("a bug")]))

    with pytest.raises(RuntimeError, match="a bug"):
        read(work, DAY)

    assert work.store.latest_scans("web", [DAY]) == {}


@pytest.mark.parametrize(
    ("count", "calls"),
    [
        (1, 1),
        (2, 2),
        (1 + SECOND_CHUNK_DAYS, 2),
        (1 + SECOND_CHUNK_DAYS + 1, 3),
        (1 + SECOND_CHUNK_DAYS + CHUNK_DAYS, 3),
        (1 + SECOND_CHUNK_DAYS + CHUNK_DAYS + 1, 4),
    ],
)
def test_many_days_are_asked_for_one_then_a_week_and_then_a_month_at_a_time(
    tmp_path: Path, count: int, calls: int
) -> None:
    days = days_before(DAY, count)
    source = FakeSource(make_days(days))

    assert [scan.total_events for scan in read(make_work(tmp_path, source), *days)] == [100] * count
    assert source.calls == calls


@pytest.mark.parametrize("is_spread", [False, True], ids=["a row for each hour", "a row for all hours"])
@pytest.mark.parametrize(("hours", "calls"), [(1, 2), (2, 4), (3, 6), (9, 6)])
def test_the_more_hours_a_day_has_the_fewer_days_are_held_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int, calls: int, *, is_spread: bool
) -> None:
    monkeypatch.setattr(daily, "CHUNK_HOURS", 5)
    days = days_before(DAY, FIRST_CHUNK_DAYS + 5)
    rows = tuple(make_row(hour=hour) for hour in range(hours))
    source = FakeSource({day: make_scan(day, *([spread(*rows)] if is_spread else rows)) for day in days})

    assert len(read(make_work(tmp_path, source), *days)) == len(days)
    assert source.calls == calls


def test_a_source_lost_during_one_chunk_is_asked_again_for_the_next(tmp_path: Path) -> None:
    days = days_before(DAY, FIRST_CHUNK_DAYS + 2)
    source = FakeSource(make_days(days), failures=[broken()])

    scans = read(make_work(tmp_path, source), *days)

    assert [scan.total_events for scan in scans] == [None] * FIRST_CHUNK_DAYS + [100, 100]


def test_scans_come_with_the_stored_aggregates_even_in_an_outage(tmp_path: Path) -> None:
    source = FakeSource(make_days(days := days_before(DAY, 2)))
    work = make_work(tmp_path, source)
    ((first, aggregates),) = work.read_with_aggregates(days[:1], NOW)
    # The first day is asked for alone, the other after it.
    source.failures += [gone() for _ in range(2 * (1 + len(RETRY_WAITS_SECONDS)))]

    assert aggregates == work.store.aggregates("web", days[0])
    assert aggregates.totals().events == 100
    assert [(scan.is_new, found) for scan, found in work.read_with_aggregates(days, NOW)] == [
        (False, aggregates),
        (True, DayAggregates()),
    ]
    assert first.day == days[0]


# Days that may be asked for


@pytest.mark.parametrize("day", [FIRST_DAY - timedelta(days=1), date(2026, 6, 1), date(2026, 6, 2)])
def test_a_day_outside_the_calendar_is_refused_before_anything_is_read(tmp_path: Path, day: date) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)

    with pytest.raises(RequestError, match=f"but {day} was asked for"):
        read(work, DAY, day)

    assert source.calls == 0
    assert work.store.latest_scans("web", [DAY]) == {}


@pytest.mark.parametrize("day", [FIRST_DAY, date(2026, 5, 31)])
def test_the_first_and_the_latest_day_of_the_calendar_may_be_read(tmp_path: Path, day: date) -> None:
    assert read(make_work(tmp_path, FakeSource(make_days([day]))), day)[0].total_events == 100


def test_an_instant_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="aware instant"):
        read(make_work(tmp_path), DAY, now=NOW.replace(tzinfo=None))


def test_judging_a_day_that_was_never_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="run telemetry-quality snapshot 2026-03-10"):
        judge(make_work(tmp_path), DAY)


def test_an_empty_list_of_days_does_nothing(tmp_path: Path) -> None:
    work = make_work(tmp_path)

    assert read(work) == []
    assert judge(work) == []
    assert work.changed_days([], NOW) == []


# Samples


def signal_days(days: Sequence[date], name: str) -> dict[date, DayScan | UnreadableDay]:
    """Days of one signal, each with a sample of one event."""
    sample, slices = [SampledEvent("e", name, "1.0")], {Slice("event_name", name): SliceCounts(100, 0, 0)}
    return {day: make_scan(day, make_row(event_name=name), sample=sample, slices=slices) for day in days}


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
        scan = read(work, *earlier, DAY)[-1]
    else:
        read(work, *earlier)
        (scan,) = read(work, DAY)

    assert (scan.sample_size, scan.sample_passed) == (1, passed)


def test_a_signal_is_known_from_the_day_after_it_was_first_seen(tmp_path: Path) -> None:
    earlier, tomorrow = days_before(DAY, 8), DAY + timedelta(days=1)
    source = FakeSource(signal_days(earlier, "page.view") | signal_days([DAY, tomorrow], "checkout"))
    work = make_work(tmp_path, source)

    scans = {scan.day: scan.sample_passed for scan in read(work, *earlier, DAY, tomorrow)}

    assert scans == {**dict.fromkeys(earlier, 1), DAY: 0, tomorrow: 1}
    # Read again, the day is judged as before: it does not learn from its own names, which are in the store by now.
    assert [scan.is_new for scan in read(work, DAY)] == [False]


def test_a_catalogue_applies_from_the_first_day(tmp_path: Path) -> None:
    source = FakeSource(signal_days([DAY], "page.veiw"), signals=frozenset({"page.view"}))

    (scan,) = read(make_work(tmp_path, source), DAY)

    assert scan.sample_passed == 0


def test_a_catalogue_replaces_what_was_learnt(tmp_path: Path) -> None:
    earlier = days_before(DAY, 8)
    source = FakeSource(signal_days(earlier, "page.view") | signal_days([DAY], "checkout"))
    source.signals = frozenset({"page.view", "checkout"})

    assert [scan.sample_passed for scan in read(make_work(tmp_path, source), *earlier, DAY)] == [1] * 9


# Judging


def test_a_healthy_day_is_judged_by_its_figures(tmp_path: Path) -> None:
    row = make_row(events=200, errors=4, missing_version=1)
    work = make_work(tmp_path, FakeSource({DAY: make_scan(DAY, row)}))
    (scan,) = read(work, DAY)

    (judgement,) = work.judge([DAY], NOW)

    snapshot = judgement.snapshot
    assert judgement.is_new
    assert judgement.scan == replace(scan, is_new=False)
    assert (snapshot.total_events, snapshot.error_rate_percent, snapshot.missing_version_percent) == (200, 2.0, 0.5)
    assert (snapshot.sample_size, snapshot.sampling_success_rate_percent) == (10, 100.0)
    assert (snapshot.expected_events, snapshot.volume_deviation_percent) == (None, None)
    assert (snapshot.revision, snapshot.status, snapshot.computed_at) == (1, DayStatus.HEALTHY, NOW)
    assert (snapshot.scan_revision, snapshot.scan_hash) == (scan.revision, scan.figures_hash)


def test_events_that_do_not_say_whether_they_are_errors_leave_the_rate_unknown(tmp_path: Path) -> None:
    row = make_row(events=100, error_unknown_events=100)
    work = make_work(tmp_path, FakeSource({DAY: make_scan(DAY, row)}))
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
    lost: dict[date, DayScan | UnreadableDay] = {earlier[0]: unreadable(earlier[0])}
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


def test_a_day_judged_before_earlier_days_were_backfilled_is_judged_again(tmp_path: Path) -> None:
    earlier = days_before(DAY, 7)
    work = make_work(tmp_path, FakeSource(make_days([*earlier, DAY])), policy=TRAILING)
    read(work, DAY)
    assert judge(work, DAY)[0].expected_events is None

    read(work, *earlier)
    (judgement,) = work.judge([DAY], NOW)

    snapshot = judgement.snapshot
    assert judgement.is_new
    assert (snapshot.revision, snapshot.scan_revision, snapshot.expected_events) == (2, 1, 100)
    assert revisions_added(work, DAY) == 0


def test_a_backfill_that_changes_no_number_and_no_verdict_adds_no_revision(tmp_path: Path) -> None:
    earlier = days_before(DAY, 10)
    work = make_work(tmp_path, FakeSource(make_days([*earlier, DAY])), policy=TRAILING)
    read(work, *earlier[-8:], DAY)
    judge(work, DAY)

    read(work, *earlier[:-8])

    assert revisions_added(work, DAY) == 0


def test_a_new_policy_is_a_new_revision(tmp_path: Path) -> None:
    work = make_work(tmp_path, FakeSource({DAY: make_scan(DAY, make_row(errors=6))}))
    read(work, DAY)
    assert judge(work, DAY)[0].status is DayStatus.UNHEALTHY

    lenient = replace(work, policy=policy_of(error_rate_percent=10.0))
    (snapshot,) = judge(lenient, DAY)

    assert (snapshot.revision, snapshot.status) == (2, DayStatus.HEALTHY)


def test_a_snapshot_of_an_older_scan_never_replaces_a_newer_one(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)
    read(work, DAY)
    source.days = make_days([DAY], events=101)
    read(work, DAY)
    (newer,) = judge(work, DAY)

    late, is_new = work.store.append_snapshot(make_snapshot(DAY, scan_revision=1), make_verdicts())

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


# Verdicts


def test_verdicts_are_stored_with_their_snapshot(tmp_path: Path) -> None:
    work = make_work(tmp_path, FakeSource({DAY: make_scan(DAY, make_row(errors=6))}))
    read(work, DAY)

    (judgement,) = work.judge([DAY], NOW)

    assert [verdict.guardrail for verdict in judgement.verdicts] == [rule.name for rule in guardrails_of(SCHEMA)]
    assert work.store.verdicts("web", DAY, DAY) == {DAY: {1: judgement.verdicts}}
    assert verdict_on(judgement, "error_rate").outcome is Outcome.FAILED


def test_a_source_is_judged_by_the_guardrails_that_fit_its_schema(tmp_path: Path) -> None:
    schema = replace(SCHEMA, critical_fields=("user_id",), observed_at="seen_at")
    scan = make_scan(
        DAY,
        aggregates=DayAggregates((make_row(missing_critical=(2,)),), ("user_id",)),
        arrivals=Arrivals((100,), 100, 2, 0, 0),
    )
    work = make_work(tmp_path, FakeSource({DAY: scan}, schema=schema))
    read(work, DAY)

    (judgement,) = work.judge([DAY], NOW)

    assert {"critical_fields", "timestamps"} == {
        verdict.guardrail for verdict in judgement.verdicts if verdict.outcome is Outcome.FAILED
    }
    assert verdict_on(judgement, "critical_fields").value == verdict_on(judgement, "timestamps").value == 2.0
    assert (judgement.snapshot.critical_missing_percent, judgement.snapshot.invalid_timestamp_percent) == (2.0, 2.0)


@pytest.mark.parametrize(
    ("arrivals", "failed"),
    [
        (Arrivals((100,), 1000, 6, 4, 10), set()),
        (Arrivals((100,), 1000, 6, 5, 10), {"timestamps"}),
        (Arrivals((100,), 1000, 6, 4, 11), {"unreadable_times"}),
        (Arrivals((100,), 1000, 0, 0, 1000), {"unreadable_times"}),
        (Arrivals((100,), 1000, 6, 5, 11), {"timestamps", "unreadable_times"}),
        (Arrivals((100,), 0, 0, 0, 0), set()),
        (None, set()),
    ],
)
def test_a_wrong_clock_and_a_time_that_cannot_be_read_each_fail_a_guardrail_of_their_own(
    tmp_path: Path, arrivals: Arrivals | None, failed: set[str]
) -> None:
    schema = replace(SCHEMA, observed_at="seen_at")
    work = make_work(tmp_path, FakeSource({DAY: make_scan(DAY, make_row(), arrivals=arrivals)}, schema=schema))
    read(work, DAY)

    (judgement,) = work.judge([DAY], NOW)

    verdicts = [verdict_on(judgement, name) for name in ("timestamps", "unreadable_times")]
    assert {verdict.guardrail for verdict in verdicts if verdict.outcome is Outcome.FAILED} == failed
    is_known = arrivals is not None and arrivals.observed_events > 0
    assert [verdict.outcome is not Outcome.UNKNOWN for verdict in verdicts] == [is_known, is_known]


def test_a_day_with_nothing_new_is_returned_as_it_was_stored(tmp_path: Path) -> None:
    """With two more days of history, a guardrail would name another day from which it can judge."""
    earlier = days_before(DAY, 10)
    source = FakeSource({day: make_sliced_scan(day, STEADY) for day in [*earlier, DAY]})
    work = make_work(tmp_path, source, policy=TRAILING)
    read(work, *earlier[-8:], DAY)
    (first,) = work.judge([DAY], NOW)
    assert verdict_on(first, "silence").sentence.endswith(f"it can be judged from {DAY + timedelta(days=14 - 8)}.")
    read(work, *earlier[:-8])

    (again,) = work.judge([DAY], NOW + timedelta(hours=1))

    assert again == replace(first, is_new=False)
    assert again.verdicts == work.store.verdicts("web", DAY, DAY)[DAY][1]


def test_a_snapshot_names_the_run_that_computed_it_first(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY], 100))
    work = make_work(tmp_path, source)
    read(work, DAY)
    shown = [
        judgement.snapshot.run_id for run_id in ("run-1", "run-2", None) for judgement in work.judge([DAY], NOW, run_id)
    ]
    assert shown == ["run-1"] * 3
    source.days |= make_days([DAY], 90)
    read(work, DAY)
    assert [judgement.snapshot.run_id for judgement in work.judge([DAY], NOW)] == [None]
    lenient = replace(work, policy=policy_of(error_rate_percent=10.0))
    assert lenient.standing([DAY], NOW, "run-3")[DAY][0].run_id == "run-3"
    assert [snapshot.run_id for snapshot in work.store.revisions("web", DAY)] == ["run-1", None, "run-3"]


def test_another_verdict_on_the_same_numbers_is_a_new_revision(tmp_path: Path) -> None:
    """No number of the snapshot shows that a segment is missing; it is judged once earlier days' segments are known."""
    earlier = days_before(DAY, 20)
    source = FakeSource(make_days(earlier, 500) | {DAY: make_sliced_scan(DAY, STEADY)})
    work = make_work(tmp_path, source)
    read(work, *earlier, DAY)
    (first,) = work.judge([DAY], NOW)

    source.days |= {day: make_sliced_scan(day, STEADY) for day in earlier}
    read(work, *earlier)
    (second,) = work.judge([DAY], NOW)

    assert verdict_on(first, "silence").outcome is Outcome.UNKNOWN
    assert verdict_on(second, "silence").outcome is Outcome.PASSED
    for name in (*FIGURES, "status", "scan_revision"):
        assert getattr(first.snapshot, name) == getattr(second.snapshot, name), name
    assert (second.snapshot.revision, second.is_new) == (2, True)


def test_many_days_are_judged_a_month_at_a_time_and_as_if_they_were_judged_alone(tmp_path: Path) -> None:
    make_store(tmp_path)
    store = RecordingStore(f"sqlite:///{tmp_path / 'quality.db'}")
    days = days_before(DAY, CHUNK_DAYS + 3)
    source = FakeSource(make_days(days) | {days[-1]: make_scan(days[-1], make_row(events=40, errors=9))})
    work = make_work(tmp_path, source, store=store)
    read(work, *days)
    store.questions.clear()

    together = list(work.judge(days, NOW))

    assert [judgement.snapshot.day for judgement in together] == days
    assert store.questions == [(days[0], days[CHUNK_DAYS - 1]), (days[CHUNK_DAYS], days[-1])]
    assert all(judgement.is_new for judgement in together)
    assert [judgement.verdicts for day in days for judgement in work.judge([day], NOW)] == [
        judgement.verdicts for judgement in together
    ]
    assert revisions_added(work, *days) == 0


def test_days_are_judged_whatever_their_order(tmp_path: Path) -> None:
    days = [*days_before(DAY, 20), DAY]
    work = make_work(tmp_path, FakeSource(make_days(days)))
    read(work, *days)

    backwards = {judgement.snapshot.day: judgement for judgement in work.judge(days[::-1], NOW)}

    assert list(backwards) == days[::-1]
    assert revisions_added(work, *days) == 0


def test_a_day_delivered_twice_is_degraded_even_without_a_history(tmp_path: Path) -> None:
    doubled = make_scan(DAY, make_row(events=200), duplicates=Duplicates(200, 100))
    work = make_work(tmp_path, FakeSource({DAY: doubled}))
    read(work, DAY)

    (judgement,) = work.judge([DAY], NOW)

    failed = verdict_on(judgement, "duplicates")
    assert (failed.outcome, failed.reason_code, failed.value) == (Outcome.FAILED, "DUPLICATES_HIGH", 50.0)
    assert judgement.snapshot.status is DayStatus.DEGRADED
    assert (judgement.snapshot.duplicate_percent, judgement.snapshot.duplicate_events) == (50.0, 100)


def test_a_platform_that_fell_silent_is_found_inside_a_healthy_total(tmp_path: Path) -> None:
    earlier, tomorrow = days_before(DAY, 20), DAY + timedelta(days=1)
    days = {day: make_sliced_scan(day, {"ios": 50, "web": 950}) for day in earlier}
    source = FakeSource(dict(days), schema=SLICED_SCHEMA)
    source.days |= {day: make_sliced_scan(day, {"web": 1000}) for day in (DAY, tomorrow)}
    work = make_work(tmp_path, source)
    read(work, *earlier, DAY, tomorrow)
    assert {snapshot.status for snapshot in judge(work, *earlier)} == {DayStatus.HEALTHY}

    first, second = work.judge([DAY, tomorrow], NOW)

    assert [verdict.guardrail for verdict in first.verdicts if verdict.outcome is Outcome.FAILED] == ["silence"]
    (contributor,) = verdict_on(first, "silence").contributors
    assert (str(contributor.segment), contributor.found, contributor.since) == ("platform=ios", 0, None)
    assert contributor.expected == pytest.approx(50)
    assert first.snapshot.status is DayStatus.DEGRADED
    assert verdict_on(second, "silence").contributors[0].since == DAY
    (incident,) = incidents_of(work.store, "web")
    assert (incident.root_cause, incident.days, incident.is_open) == ("platform=ios", (DAY, tomorrow), True)


def test_a_failure_names_its_root_cause_and_the_store_records_it(tmp_path: Path) -> None:
    earlier = days_before(DAY, 20)
    source = FakeSource({day: make_scan(day, *two_signals()) for day in earlier})
    source.days[DAY] = make_scan(DAY, *two_signals(errors=30))
    work = make_work(tmp_path, source)
    read(work, *earlier, DAY)

    (judgement,) = work.judge([DAY], NOW)

    failed = verdict_on(judgement, "error_rate")
    assert str(failed.contributors[0].segment) == "event_name=checkout"
    assert failed.sentence.startswith("15.00 % of 200 events are errors (30), more than the 5 % allowed. ")
    assert "event_name=checkout" in failed.sentence.split("allowed. ")[1]
    stored = {verdict.guardrail: verdict for verdict in work.store.verdicts("web", DAY, DAY)[DAY][1]}
    assert stored["error_rate"] == failed


def two_signals(errors: int = 0) -> tuple[AggregateRow, AggregateRow]:
    return make_row(), make_row(event_name="checkout", errors=errors)


# Confirmed incidents


def decide(work: DailyWork, day: date, action: Action) -> None:
    (incident,) = incidents_of(work.store, work.name, day, day)
    work.store.append_incident_action(incident.decide(action, "ada", NOW))


def test_confirming_an_incident_changes_what_later_days_are_compared_with_and_dismissing_revokes_that(
    tmp_path: Path,
) -> None:
    earlier = days_before(DAY, 7)
    flood = earlier[4]
    source = FakeSource(make_days([*earlier, DAY]) | make_days([flood], 800))
    work = make_work(tmp_path, source, policy=TRAILING)
    read(work, *earlier, DAY)
    judge(work, *earlier)
    seen = judge(work, DAY)

    for action in (Action.CONFIRM, Action.DISMISS):
        decide(work, flood, action)
        seen += judge(work, DAY)

    assert [snapshot.revision for snapshot in seen] == [1, 2, 3]
    assert [snapshot.expected_events for snapshot in seen] == pytest.approx([200, 100, 200])
    assert [snapshot.has_volume_anomaly for snapshot in seen] == [True, False, True]
    assert {snapshot.scan_revision for snapshot in seen} == {1}


def test_a_confirmed_incident_of_one_source_changes_no_other(tmp_path: Path) -> None:
    earlier = days_before(DAY, 7)
    web = make_work(tmp_path, FakeSource(make_days([*earlier, DAY]) | make_days(earlier[4:5], 800)), policy=TRAILING)
    app = replace(web, name="app")
    for work in (web, app):
        read(work, *earlier, DAY)
        judge(work, *earlier)
    decide(web, earlier[4], Action.CONFIRM)

    assert [judge(work, DAY)[0].expected_events for work in (web, app)] == pytest.approx([100, 200])


# Independence of later days


@pytest.fixture(scope="module")
def steady_month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of thirty days before DAY, all with different arrivals, one of them bad and confirmed."""
    folder = tmp_path_factory.mktemp("steady")
    earlier = days_before(DAY, 30)
    source = FakeSource(schema=ARRIVING)
    for late, day in enumerate(reversed(earlier), 20):
        arrivals = Arrivals((500 - 3 * late, late, late, late), 500, 0, 0, 0)
        source.days[day] = make_sliced_scan(day, STEADY, arrivals=arrivals)
    source.days[earlier[-5]] = make_sliced_scan(earlier[-5], {"ios": 60, "web": 2000})
    work = make_work(folder, source)
    read(work, *earlier)
    judge(work, *earlier)
    decide(work, earlier[-5], Action.CONFIRM)
    return folder / "quality.db"


def any_day(day: date, draw: st.DataObject) -> DayScan | UnreadableDay:
    kind = draw.draw(st.sampled_from(["steady", "any", "any", "empty", "unreadable"]), label=f"{day}")
    if kind == "unreadable":
        return unreadable(day)
    counts = st.integers(0, 900)
    platforms = {"ios": draw.draw(counts), "web": draw.draw(counts)} if kind == "any" else STEADY
    if kind == "empty" or not sum(platforms.values()):
        return DayScan(day, DayAggregates())
    compared = sum(platforms.values())
    if draw.draw(st.integers(0, 3)) == 0:
        # A day that lost what it is judged by: error states, arrival times, ids and dimension values.
        row = make_row(events=compared, error_unknown_events=compared)
        slices = {Slice("platform", None): SliceCounts(compared, 0, 0)}
        nothing = Arrivals((), 0, 0, 0, 0)
        return make_scan(day, row, slices=slices, duplicates=Duplicates(0, 0), arrivals=nothing)
    return make_sliced_scan(
        day,
        platforms,
        duplicates=Duplicates(compared, compared // draw.draw(st.integers(2, 20))),
        arrivals=Arrivals((compared - compared // 10, compared // 10), compared, 0, 0, 0),
    )


# Each example fills two stores, so a failure is shown as it was found: shrinking would take minutes.
@pytest.mark.slow
@settings(deadline=None, max_examples=15, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(draw=st.data())
def test_no_verdict_and_no_number_of_a_day_depends_on_what_happens_later(
    steady_month: Path, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    days = [DAY + timedelta(days=n) for n in range(6)]
    judged = draw.draw(st.integers(0, 4), label="judged")
    hours = draw.draw(st.sampled_from([1, 30, 1000]), label="hours after its end")
    scans: dict[date, DayScan | UnreadableDay] = {day: any_day(day, draw) for day in days}
    now = datetime(2026, 3, 11, tzinfo=UTC) + timedelta(days=judged, hours=hours)
    answers = []
    for known in (days[: judged + 1], days):
        folder = tmp_path_factory.mktemp("days")
        store = SqlQualityStore(f"sqlite:///{shutil.copy(steady_month, folder)}")
        work = make_work(folder, FakeSource(scans, schema=replace(ARRIVING, dimensions=("platform",))), store=store)
        read(work, *known)
        for together in (known, known[judged : judged + 1]):
            (answer,) = (judgement for judgement in work.judge(together, now) if judgement.snapshot.day == days[judged])
            answers.append((answer.verdicts, {name: getattr(answer.snapshot, name) for name in FIGURES}))
        store.close()

    assert all(judged_alike == answers[0] for judged_alike in answers)


# Provisional days


END = datetime(2026, 3, 11, tzinfo=UTC)


@pytest.fixture
def arriving(tmp_path: Path) -> DailyWork:
    """A stream with a tenth of its events arriving within five hours after the day; nine tenths of DAY have arrived."""
    earlier = days_before(DAY, 30)
    known = Arrivals((900, 0, 50, 0, 0, 50), 1000, 0, 0, 0)
    source = FakeSource({day: make_scan(day, make_row(events=1000), arrivals=known) for day in earlier})
    source.days[DAY] = make_scan(DAY, make_row(events=900), arrivals=Arrivals((900,), 900, 0, 0, 0))
    work = make_work(tmp_path, source)
    read(work, *earlier)
    return work


def test_a_provisional_day_is_compared_with_what_has_usually_arrived(arriving: DailyWork) -> None:
    soon = END + timedelta(hours=1)
    read(arriving, DAY, now=soon)

    (judgement,) = arriving.judge([DAY], soon)

    snapshot = judgement.snapshot
    assert snapshot.is_provisional is True
    assert snapshot.completeness_percent == pytest.approx(90)
    assert snapshot.expected_events == pytest.approx(900)
    assert snapshot.volume_deviation_percent == pytest.approx(0)
    assert "provisional" in verdict_on(judgement, "volume").sentence


def test_a_provisional_day_is_looked_at_again_once_it_is_complete_and_then_no_more(arriving: DailyWork) -> None:
    soon, later = END + timedelta(hours=1), END + timedelta(hours=6)
    read(arriving, DAY, now=soon)
    judge(arriving, DAY, now=soon)

    assert arriving.changed_days([DAY], soon) == [], "as provisional as before"
    assert arriving.changed_days([DAY], END + timedelta(hours=4, minutes=30)) == []
    assert arriving.changed_days([DAY], later) == [DAY]

    read(arriving, DAY, now=later)
    (snapshot,) = judge(arriving, DAY, now=later)
    assert (snapshot.revision, snapshot.is_provisional) == (2, False)
    assert snapshot.expected_events == pytest.approx(1000)
    assert arriving.changed_days([DAY], later) == []


def test_looking_often_at_a_provisional_day_adds_no_revision_a_minute(arriving: DailyWork) -> None:
    read(arriving, DAY, now=END + timedelta(hours=1))
    revisions = {judge(arriving, DAY, now=END + timedelta(hours=1, minutes=n))[0].revision for n in range(6)}

    assert len(revisions) <= 2, "one per whole percent that has usually arrived"


def test_a_day_that_was_complete_when_it_was_judged_is_left_alone(arriving: DailyWork) -> None:
    later = END + timedelta(hours=6)
    read(arriving, DAY, now=later)
    judge(arriving, DAY, now=later)

    assert arriving.changed_days([DAY], later + timedelta(days=1)) == []


def test_time_alone_adds_no_revision_to_a_complete_day(tmp_path: Path, arriving: DailyWork) -> None:
    work = make_work(tmp_path, FakeSource(make_days([DAY])), name="app", store=arriving.store)
    for daily_work, hours in ((work, (1, 200)), (arriving, (4.96, 6, 200))):
        now = END + timedelta(hours=hours[0])
        read(daily_work, DAY, now=now)
        judge(daily_work, DAY, now=now)
        assert sum(revisions_added(daily_work, DAY, now=END + timedelta(hours=later)) for later in hours[1:]) == 0


# Current snapshots


def test_a_day_judged_before_a_guardrail_came_to_apply_is_judged_again(tmp_path: Path) -> None:
    work = make_work(tmp_path, FakeSource(make_days([DAY])))
    read(work, DAY)
    judge(work, DAY)
    stricter = replace(SCHEMA, critical_fields=("user_id",))
    later = make_work(tmp_path, FakeSource(make_days([DAY]), schema=stricter), store=work.store)

    snapshot, verdicts = later.standing([DAY], NOW)[DAY]

    assert snapshot.revision == 2
    assert "critical_fields" in {verdict.guardrail for verdict in verdicts}
    assert later.standing([DAY], NOW)[DAY][0].revision == 2


def test_the_current_snapshot_comes_with_the_verdicts_stored_with_it(tmp_path: Path) -> None:
    before = DAY - timedelta(days=1)
    source = FakeSource(make_days([before, DAY]))
    work = make_work(tmp_path, source)
    read(work, before, DAY)
    judged = {
        judgement.snapshot.day: (judgement.snapshot, judgement.verdicts) for judgement in work.judge([before, DAY], NOW)
    }
    calls = source.calls

    assert work.standing([before, DAY], NOW + timedelta(days=1)) == judged
    assert source.calls == calls
    assert len(work.store.revisions("web", DAY)) == 1


def test_the_current_snapshot_is_judged_again_only_if_the_policy_has_changed(tmp_path: Path) -> None:
    first, second, third = (DAY + timedelta(days=n) for n in range(3))
    source = FakeSource({day: make_scan(day, make_row(errors=6)) for day in (first, second, third)})
    work = make_work(tmp_path, source)
    read(work, first, second, third)
    judge(work, first)
    lenient = replace(work, policy=policy_of(error_rate_percent=10.0))
    judge(lenient, second)
    calls = source.calls

    standing = lenient.standing([first, second, third], NOW)

    assert {day: (snapshot.revision, snapshot.status) for day, (snapshot, _) in standing.items()} == {
        first: (2, DayStatus.HEALTHY),
        second: (1, DayStatus.HEALTHY),
    }
    assert all(snapshot.policy == lenient.policy.text() for snapshot, _ in standing.values())
    assert {day: len(work.store.revisions("web", day)) for day in (first, second, third)} == {
        first: 2,
        second: 1,
        third: 0,
    }
    assert source.calls == calls, "no event is read"
    for day, (snapshot, verdicts) in standing.items():
        assert work.store.verdicts("web", day, day)[day][snapshot.revision or 0] == verdicts


def test_the_current_snapshot_is_not_judged_again_because_of_another_history(tmp_path: Path) -> None:
    earlier = days_before(DAY, 7)
    work = make_work(tmp_path, FakeSource(make_days([*earlier, DAY])), policy=TRAILING)
    read(work, DAY)
    judge(work, DAY)
    read(work, *earlier)

    ((snapshot, _),) = work.standing([DAY], NOW).values()

    assert (snapshot.revision, snapshot.expected_events) == (1, None)


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
    assert work.changed_days(days, NOW) == [never_read, was_unreadable, changed, still_unreadable]


@pytest.mark.parametrize(("count", "is_changed"), [(99, True), (100, False), (101, True)])
def test_a_day_has_changed_when_it_holds_more_or_fewer_events(tmp_path: Path, count: int, is_changed: bool) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)
    read(work, DAY)
    judge(work, DAY)

    source.days = make_days([DAY], count)

    assert work.changed_days([DAY], NOW) == ([DAY] if is_changed else [])


def test_a_day_that_was_read_by_a_process_that_ended_before_it_judged_is_looked_at_again(tmp_path: Path) -> None:
    source = FakeSource(make_days([DAY]))
    work = make_work(tmp_path, source)
    read(work, DAY)
    assert work.changed_days([DAY], NOW) == [DAY]
    judge(work, DAY)
    assert work.changed_days([DAY], NOW) == []
    source.days = make_days([DAY], 101)
    read(work, DAY)
    assert work.changed_days([DAY], NOW) == [DAY], "the snapshot is of the scan before"


def test_a_day_read_as_empty_has_changed_when_events_arrive(tmp_path: Path) -> None:
    source = FakeSource()
    work = make_work(tmp_path, source)
    read(work, DAY)
    judge(work, DAY)

    assert work.changed_days([DAY], NOW) == []
    source.days = make_days([DAY], 1)
    assert work.changed_days([DAY], NOW) == [DAY]


def test_a_day_is_complete_only_once_it_has_ended_in_its_zone(tmp_path: Path) -> None:
    work = make_work(tmp_path, calendar=Calendar(NEW_YORK, FIRST_DAY))
    midnight_in_new_york = datetime(2026, 3, 11, 4, tzinfo=UTC)

    with pytest.raises(RequestError):
        read(work, DAY, now=midnight_in_new_york - timedelta(seconds=1))
    assert len(read(work, DAY, now=midnight_in_new_york)) == 1


def outage() -> SourceUnavailableError:
    return SourceUnavailableError("SOURCE_LOCKED", "locked")


def test_an_outage_leaves_days_that_were_read_before_as_they_are_and_fails(tmp_path: Path) -> None:
    source = FakeSource({DAY: make_scan(DAY)})
    work = make_work(tmp_path, source)
    (before,) = work.read([DAY], NOW)
    source.failures = [outage(), outage(), outage()]
    with pytest.raises(SourceUnavailableError):
        list(work.read([DAY], NOW))
    assert work.store.latest_scans("web", [DAY])[DAY].revision == before.revision == 1


def test_an_outage_makes_only_days_unreadable_that_were_never_read(tmp_path: Path) -> None:
    days = [DAY, DAY + timedelta(days=1)]
    source = FakeSource({DAY: make_scan(DAY)})
    work = make_work(tmp_path, source)
    list(work.read(days[:1], NOW))
    source.failures = [outage() for _ in range(6)]
    known, new = work.read(days, NOW)
    assert (known.day, known.is_new, known.total_events) == (DAY, False, 100)
    assert (new.day, new.unreadable_reason_code) == (days[1], "SOURCE_LOCKED")


def test_a_source_that_was_waited_for_is_an_outage_at_once(tmp_path: Path) -> None:
    days = [DAY, DAY + timedelta(days=1)]
    source, waits = FakeSource({DAY: make_scan(DAY)}), list[float]()
    work = make_work(tmp_path, source, wait=waits.append)
    list(work.read(days[:1], NOW))
    source.failures = [SourceSilentError("The database must answer, but does not.") for _ in days]
    known, new = work.read(days, NOW)
    assert (known.is_new, new.unreadable_reason_code, waits) == (False, "SOURCE_SILENT", [])


def test_a_day_that_was_unreadable_before_an_outage_is_still_unreadable_after_it(tmp_path: Path) -> None:
    source = FakeSource({DAY: UnreadableDay(DAY, "FILE_BROKEN", "half a file")})
    work = make_work(tmp_path, source)
    list(work.read([DAY], NOW))
    source.failures = [outage(), outage(), outage()]
    (scan,) = work.read([DAY], NOW)
    assert scan.unreadable_reason_code == "SOURCE_LOCKED"


@pytest.mark.parametrize("baseline", ["weekday", "trailing_mean"])
@pytest.mark.parametrize(
    ("events", "is_anomaly"), [(1299, False), (1300, False), (1301, True), (700, False), (699, True)]
)
def test_the_volume_of_a_steady_stream_fails_strictly_beyond_its_threshold(
    tmp_path: Path, baseline: str, events: int, is_anomaly: bool
) -> None:
    days = [DAY - timedelta(days=n) for n in range(20, -1, -1)]
    source = FakeSource({day: make_scan(day, make_row(events=1000)) for day in days[:-1]})
    source.days[DAY] = make_scan(DAY, make_row(events=events))
    work = make_work(tmp_path, source, policy=policy_of(baseline=baseline))
    list(work.read(days, NOW))
    (snapshot,) = judge(work, DAY)
    assert snapshot.has_volume_anomaly is is_anomaly
