"""TelemetryHealthService gives the right answer, and gives an answer whatever happens."""

from __future__ import annotations

import logging
from dataclasses import FrozenInstanceError, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from telemetry_quality.core import daily
from telemetry_quality.core.days import Calendar
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.health import (
    AnomalySpikes,
    DailyIntegrity,
    TelemetryHealthService,
    VersionMismatch,
    ZeroActivity,
)
from telemetry_quality.core.judging import judge
from telemetry_quality.core.marks import Gate
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import (
    DAY,
    NEW_YORK,
    NOW,
    FakeSource,
    make_row,
    make_scan,
    make_work,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.events import AggregateRow, DayScan
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.verdicts import Verdict

    Result = DailyIntegrity | AnomalySpikes | ZeroActivity | VersionMismatch

AFTER_DAY = datetime(2026, 3, 11, 6, tzinfo=UTC)
"""An instant at which DAY is the latest complete day."""

DAY_METHODS = ("calculate_daily_integrity", "detect_anomaly_spikes", "detect_version_mismatch")
RESULTS: Mapping[str, type[Result]] = {
    "calculate_daily_integrity": DailyIntegrity,
    "detect_anomaly_spikes": AnomalySpikes,
    "detect_zero_activity": ZeroActivity,
    "detect_version_mismatch": VersionMismatch,
}


@dataclass
class CrashingSource(FakeSource):
    """Raises ``crash`` from every method."""

    crash: BaseException | None = None

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        self._crash()

    def count_days(self, windows: Sequence[DayWindow]) -> dict[date, int | UnreadableDay]:
        self._crash()

    def _crash(self) -> NoReturn:
        assert self.crash is not None
        raise self.crash


def make_service(folder: Path, source: FakeSource, now: datetime = NOW, **overrides: Any) -> TelemetryHealthService:
    return TelemetryHealthService(make_work(folder, source, **overrides), lambda: now)


def make_source(*rows: AggregateRow, history_days: int = 0) -> FakeSource:
    """A source with DAY as ``rows``, after days of 100 healthy events."""
    earlier = [DAY - timedelta(days=n) for n in range(history_days, 0, -1)]
    return FakeSource({**{day: make_scan(day) for day in earlier}, DAY: make_scan(DAY, *rows)})


def test_reading_and_judging_a_day_opens_the_store_once(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source(make_row()))
    service.calculate_daily_integrity(DAY)
    store, opened = service._work.store, list[object]()
    assert isinstance(store, SqlQualityStore)
    store.close()
    event.listen(store._engine, "connect", lambda connection, _: opened.append(connection))
    service.calculate_daily_integrity(DAY)
    assert len(opened) == 1


def ask(service: TelemetryHealthService, method: str, when: Any) -> Result:
    answer: Result = getattr(service, method)(when)
    return answer


def read_history(service: TelemetryHealthService, days: int) -> None:
    for n in range(days, 0, -1):
        service.calculate_daily_integrity(DAY - timedelta(days=n))


def is_unknown(result: Result) -> bool:
    """Whether a result claims nothing at all about the day."""
    if isinstance(result, DailyIntegrity):
        return result.status is DayStatus.UNKNOWN and not result.is_healthy()
    if isinstance(result, AnomalySpikes):
        return (result.has_error_spike, result.has_volume_anomaly, result.error_rate_percent) == (None, None, None)
    if isinstance(result, ZeroActivity):
        return (result.is_zero_activity, result.total_events) == (None, None)
    return (result.has_version_anomaly, result.missing_version_events, result.missing_version_percent) == (
        None,
        None,
        None,
    )


# Right answers


def test_a_good_day_is_healthy_and_its_snapshot_is_stored(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source())

    integrity = service.calculate_daily_integrity(DAY)

    assert integrity.is_healthy()
    assert (integrity.status, integrity.reason_code, integrity.reason) == (DayStatus.HEALTHY, None, None)
    assert integrity.snapshot is not None
    assert (integrity.snapshot.total_events, integrity.snapshot.revision) == (100, 1)


def test_asking_twice_adds_nothing_to_the_store(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source())

    assert service.calculate_daily_integrity(DAY) == service.calculate_daily_integrity(DAY)


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (make_row(errors=5), DayStatus.HEALTHY),
        (make_row(errors=6), DayStatus.UNHEALTHY),
        (make_row(missing_version=2), DayStatus.DEGRADED),
        (make_row(events=0), DayStatus.NO_ACTIVITY),
    ],
)
def test_a_bad_day_is_not_healthy(tmp_path: Path, row: AggregateRow, status: DayStatus) -> None:
    integrity = make_service(tmp_path, make_source(row)).calculate_daily_integrity(DAY)

    assert integrity.status is status
    assert integrity.is_healthy() is (status is DayStatus.HEALTHY)


@pytest.mark.parametrize("status", list(DayStatus))
def test_an_integrity_is_healthy_if_and_only_if_its_status_is(status: DayStatus) -> None:
    assert DailyIntegrity(status).is_healthy() is (status.value == "healthy")


def test_an_ordinary_day_has_no_spikes(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source(history_days=14))
    read_history(service, 14)

    spikes = service.detect_anomaly_spikes(DAY)

    assert (spikes.has_error_spike, spikes.has_volume_anomaly) == (False, False)
    assert spikes.error_rate_percent == 0.0
    assert spikes.volume_deviation_percent == pytest.approx(0)
    assert spikes.reason_code == "ERROR_RATE_OK"


def test_a_day_of_errors_has_an_error_spike(tmp_path: Path) -> None:
    spikes = make_service(tmp_path, make_source(make_row(errors=6))).detect_anomaly_spikes(DAY)

    assert (spikes.has_error_spike, spikes.error_rate_percent) == (True, 6.0)
    assert spikes.reason_code == "ERROR_RATE_HIGH"
    assert spikes.reason is not None
    assert "6.00 %" in spikes.reason


def test_a_day_of_twice_the_events_has_a_volume_anomaly(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source(make_row(events=200), history_days=14))
    read_history(service, 14)

    spikes = service.detect_anomaly_spikes(DAY)

    assert (spikes.has_error_spike, spikes.has_volume_anomaly) == (False, True)
    assert spikes.volume_deviation_percent == pytest.approx(100)
    assert spikes.reason_code == "VOLUME_HIGH"


def test_without_a_history_a_volume_anomaly_is_not_known(tmp_path: Path) -> None:
    spikes = make_service(tmp_path, make_source()).detect_anomaly_spikes(DAY)

    assert (spikes.has_error_spike, spikes.has_volume_anomaly) == (False, None)
    assert spikes.reason_code == "HISTORY_TOO_SHORT"


@pytest.mark.parametrize(
    ("untagged", "has_anomaly", "reason_code"),
    [(0, False, "VERSION_PRESENT"), (1, False, "VERSION_PRESENT"), (2, True, "VERSION_MISSING")],
)
def test_a_version_mismatch_is_more_than_one_percent_of_untagged_events(
    tmp_path: Path, untagged: int, has_anomaly: bool, reason_code: str
) -> None:
    service = make_service(tmp_path, make_source(make_row(missing_version=untagged)))

    mismatch = service.detect_version_mismatch(DAY)

    assert mismatch.has_version_anomaly is has_anomaly
    assert (mismatch.missing_version_events, mismatch.missing_version_percent) == (untagged, float(untagged))
    assert mismatch.reason_code == reason_code


def test_versions_of_a_day_without_events_are_not_known(tmp_path: Path) -> None:
    mismatch = make_service(tmp_path, make_source(make_row(events=0))).detect_version_mismatch(DAY)

    assert (mismatch.has_version_anomaly, mismatch.reason_code) == (None, "NO_EVENTS")


@pytest.mark.parametrize(("events", "is_silent", "reason_code"), [(0, True, "ZERO_ACTIVITY"), (1, False, "ACTIVE")])
def test_a_stream_is_silent_when_its_last_complete_day_holds_no_event(
    tmp_path: Path, events: int, is_silent: bool, reason_code: str
) -> None:
    activity = make_service(tmp_path, make_source(make_row(events=events))).detect_zero_activity(AFTER_DAY)

    assert activity == ZeroActivity(is_silent, DAY, events, reason_code, f"{events} events were seen on 2026-03-10.")


def test_the_last_complete_day_is_a_day_in_the_zone_of_the_source(tmp_path: Path) -> None:
    calendar = Calendar(NEW_YORK, date(2026, 1, 1))
    service = make_service(tmp_path, make_source(), calendar=calendar)
    midnight_in_new_york = datetime(2026, 3, 11, 4, tzinfo=UTC)

    assert service.detect_zero_activity(midnight_in_new_york).day == DAY
    assert service.detect_zero_activity(midnight_in_new_york - timedelta(seconds=1)).day == DAY - timedelta(days=1)


def test_whether_a_stream_is_silent_needs_no_store(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source(), store=SqlQualityStore(f"sqlite:///{tmp_path / 'absent.db'}"))

    assert service.detect_zero_activity(AFTER_DAY).is_zero_activity is False


def test_an_empty_day_of_a_stream_that_has_few_events_is_no_silence_and_says_why(tmp_path: Path) -> None:
    days = [DAY - timedelta(days=n) for n in range(5, 0, -1)]
    source = FakeSource(
        {**{day: make_scan(day, make_row(events=2)) for day in days}, DAY: make_scan(DAY, make_row(events=0))}
    )
    service = make_service(tmp_path, source)
    read_history(service, 5)

    activity = service.detect_zero_activity(AFTER_DAY)

    assert (activity.is_zero_activity, activity.total_events, activity.reason_code) == (False, 0, "USUALLY_EMPTY")
    assert activity.reason == (
        "0 events were seen on 2026-03-10, which is usual: "
        "so few events were seen on earlier days that chance explains it."
    )
    integrity = service.calculate_daily_integrity(DAY)
    assert integrity.is_healthy()
    assert integrity.snapshot is not None
    assert (integrity.snapshot.total_events, integrity.snapshot.is_zero_activity) == (0, False)


def test_an_empty_day_is_silence_if_no_store_says_that_it_is_usual(tmp_path: Path) -> None:
    store = SqlQualityStore(f"sqlite:///{tmp_path / 'absent.db'}")
    activity = make_service(tmp_path, make_source(make_row(events=0)), store=store).detect_zero_activity(AFTER_DAY)

    assert (activity.is_zero_activity, activity.reason_code) == (True, "ZERO_ACTIVITY")


# Never an exception


@pytest.mark.parametrize("method", DAY_METHODS)
@pytest.mark.parametrize(
    "crash",
    [
        SourceError("FILE_CORRUPT", "The file is broken."),
        SourceUnavailableError("SOURCE_UNAVAILABLE", "The database does not answer."),
    ],
)
def test_a_day_that_cannot_be_read_is_unknown_and_says_why(tmp_path: Path, method: str, crash: SourceError) -> None:
    service = make_service(tmp_path, CrashingSource(crash=crash))

    result = ask(service, method, DAY)

    assert is_unknown(result)
    assert result.reason is not None
    assert str(crash) in result.reason
    assert result.reason_code in {crash.reason_code, "DAY_UNREADABLE"}


def test_the_integrity_of_a_day_that_cannot_be_read_carries_the_sources_reason_code(tmp_path: Path) -> None:
    source = FakeSource({DAY: UnreadableDay(DAY, "FILE_CORRUPT", "The file is broken.")})

    integrity = make_service(tmp_path, source).calculate_daily_integrity(DAY)

    assert (integrity.status, integrity.reason_code, integrity.reason) == (
        DayStatus.UNKNOWN,
        "FILE_CORRUPT",
        "The file is broken.",
    )
    assert not integrity.is_healthy()


def test_a_day_that_cannot_be_counted_is_not_silent_but_unknown(tmp_path: Path) -> None:
    source = FakeSource({DAY: UnreadableDay(DAY, "FILE_CORRUPT", "The file is broken.")})

    activity = make_service(tmp_path, source).detect_zero_activity(AFTER_DAY)

    assert activity == ZeroActivity(None, DAY, None, "FILE_CORRUPT", "The file is broken.")


@pytest.mark.parametrize(
    ("crash", "reason_code"),
    [
        (SourceError("COLUMN_MISSING", "There is no column event_id."), "COLUMN_MISSING"),
        (SourceUnavailableError("SOURCE_UNAVAILABLE", "The database does not answer."), "SOURCE_UNAVAILABLE"),
        (RuntimeError("a bug"), "INTERNAL_ERROR"),
    ],
)
def test_a_source_that_cannot_count_is_logged_and_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, crash: Exception, reason_code: str
) -> None:
    activity = make_service(tmp_path, CrashingSource(crash=crash)).detect_zero_activity(AFTER_DAY)

    assert is_unknown(activity)
    assert (activity.reason_code, activity.reason) == (reason_code, str(crash))
    assert_logged(caplog, "detect_zero_activity", reason_code)


@pytest.mark.parametrize("method", DAY_METHODS)
def test_a_bug_of_this_package_is_logged_with_its_traceback_and_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    result = ask(make_service(tmp_path, CrashingSource(crash=RuntimeError("a bug"))), method, DAY)

    assert is_unknown(result)
    assert (result.reason_code, result.reason) == ("INTERNAL_ERROR", "a bug")
    record = assert_logged(caplog, method, "INTERNAL_ERROR")
    assert record.exc_info is not None
    assert record.exc_info[0] is RuntimeError


@pytest.mark.parametrize("method", DAY_METHODS)
def test_a_store_that_fails_is_logged_without_a_traceback_and_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    store = SqlQualityStore(f"sqlite:///{tmp_path / 'absent.db'}")

    result = ask(make_service(tmp_path, make_source(), store=store), method, DAY)

    assert is_unknown(result)
    assert result.reason_code == "STORE_FAILED"
    assert result.reason is not None
    assert "telemetry-quality migrate" in result.reason
    assert not assert_logged(caplog, method, "STORE_FAILED").exc_info


@pytest.mark.parametrize("method", DAY_METHODS)
@pytest.mark.parametrize("day", [date(2025, 12, 31), date(2026, 6, 1), date.min, date.max])
def test_a_day_outside_the_calendar_is_logged_and_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str, day: date
) -> None:
    result = ask(make_service(tmp_path, make_source()), method, day)

    assert is_unknown(result)
    assert result.reason_code == "DAY_NOT_AVAILABLE"
    assert result.reason is not None
    assert f"but {day} was asked for" in result.reason
    assert not assert_logged(caplog, method, "DAY_NOT_AVAILABLE").exc_info


@pytest.mark.parametrize("method", DAY_METHODS)
def test_a_clock_without_a_zone_is_logged_and_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    result = ask(make_service(tmp_path, make_source(), now=NOW.replace(tzinfo=None)), method, DAY)

    assert is_unknown(result)
    assert result.reason_code == "DAY_NOT_AVAILABLE"
    assert_logged(caplog, method, "DAY_NOT_AVAILABLE")


def test_an_instant_without_a_zone_is_logged_and_unknown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    activity = make_service(tmp_path, make_source()).detect_zero_activity(AFTER_DAY.replace(tzinfo=None))

    assert is_unknown(activity)
    assert activity.reason_code == "DAY_NOT_AVAILABLE"
    assert_logged(caplog, "detect_zero_activity", "DAY_NOT_AVAILABLE")


@pytest.mark.parametrize("method", RESULTS)
@pytest.mark.parametrize("when", [None, "garbage", 20260310])
def test_nonsense_is_logged_and_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str, when: Any
) -> None:
    result = ask(make_service(tmp_path, make_source()), method, when)

    assert is_unknown(result)
    assert result.reason_code in {"DAY_NOT_AVAILABLE", "INTERNAL_ERROR"}
    assert result.reason_code is not None
    assert_logged(caplog, method, result.reason_code)


@pytest.mark.parametrize("method", DAY_METHODS)
def test_an_instant_in_place_of_a_day_is_unknown(tmp_path: Path, method: str) -> None:
    assert is_unknown(ask(make_service(tmp_path, make_source()), method, AFTER_DAY))


def test_a_failing_clock_is_unknown(tmp_path: Path) -> None:
    def no_clock() -> datetime:
        raise OSError("no clock")

    service = TelemetryHealthService(make_work(tmp_path, make_source()), no_clock)

    assert service.calculate_daily_integrity(DAY) == DailyIntegrity(reason_code="INTERNAL_ERROR", reason="no clock")


def test_an_interrupt_from_the_keyboard_is_not_caught(tmp_path: Path) -> None:
    service = make_service(tmp_path, CrashingSource(crash=KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        service.calculate_daily_integrity(DAY)


@pytest.fixture(scope="module")
def service_for_all(tmp_path_factory: pytest.TempPathFactory) -> TelemetryHealthService:
    return make_service(tmp_path_factory.mktemp("health"), make_source())


anything: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.lists(st.dates(), max_size=2),
)


@settings(deadline=None, max_examples=60)
@given(method=st.sampled_from(sorted(RESULTS)), when=anything)
def test_no_method_ever_raises_whatever_it_is_asked(
    service_for_all: TelemetryHealthService, method: str, when: Any
) -> None:
    result = ask(service_for_all, method, when)

    assert type(result) is RESULTS[method]
    assert result.reason_code is not None or isinstance(result, DailyIntegrity)
    if type(when) is not date and method != "detect_zero_activity":
        assert is_unknown(result)


@pytest.mark.parametrize("result", [DailyIntegrity(), AnomalySpikes(), ZeroActivity(), VersionMismatch()])
def test_a_result_claims_nothing_by_default_and_cannot_be_changed(result: Result) -> None:
    assert is_unknown(result)
    with pytest.raises(FrozenInstanceError):
        result.reason_code = "HEALTHY"  # type: ignore[misc]


def assert_logged(caplog: pytest.LogCaptureFixture, method: str, reason_code: str) -> logging.LogRecord:
    """Exactly one error was logged, naming the method and the reason code."""
    (record,) = (logged for logged in caplog.records if logged.levelno >= logging.ERROR)
    assert record.name.startswith("telemetry_quality.")
    assert method in record.getMessage()
    assert reason_code in record.getMessage()
    return record


class UnspeakableError(RuntimeError):
    """An error that cannot be converted to text."""

    def __str__(self) -> str:
        raise RuntimeError("not even that")


def test_an_error_without_a_readable_message_is_not_raised_either(tmp_path: Path) -> None:
    service = make_service(tmp_path, CrashingSource(crash=UnspeakableError()))
    assert service.calculate_daily_integrity(DAY).reason == "UnspeakableError"


@pytest.mark.parametrize("method", DAY_METHODS)
def test_a_day_that_cannot_be_read_is_logged_and_returned_with_the_source_s_own_code(
    tmp_path: Path, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource({DAY: UnreadableDay(DAY, "FILE_BROKEN", "half a file")})
    result = getattr(make_service(tmp_path, source), method)(DAY)
    assert (result.reason_code, result.reason) == ("FILE_BROKEN", "half a file")
    assert any("FILE_BROKEN half a file" in record.getMessage() for record in caplog.records)


def test_silence_before_the_first_day_is_not_known_rather_than_zero(tmp_path: Path) -> None:
    result = make_service(tmp_path, FakeSource()).detect_zero_activity(datetime(2025, 6, 1, tzinfo=UTC))
    assert (result.is_zero_activity, result.reason_code) == (None, "DAY_NOT_AVAILABLE")


@pytest.mark.parametrize("method", DAY_METHODS)
@pytest.mark.parametrize("when", [None, "2026-03-10", datetime(2026, 3, 10, tzinfo=UTC)])
def test_a_value_that_is_not_a_day_is_reported_in_a_sentence_and_not_as_a_crash(
    tmp_path: Path, method: str, when: object
) -> None:
    result = getattr(make_service(tmp_path, FakeSource()), method)(when)
    assert result.reason_code == "DAY_NOT_AVAILABLE"
    assert result.reason.startswith("A date is required")


def test_days_that_were_read_are_judged_without_reading_them_again(tmp_path: Path) -> None:
    source = make_source(make_row(errors=10))
    service = make_service(tmp_path, source)
    service.calculate_daily_integrity(DAY)
    calls = source.calls
    assert service.detect_anomaly_spikes(DAY).has_error_spike is True
    assert service.detect_version_mismatch(DAY).has_version_anomaly is False
    assert source.calls == calls


def judged(service: TelemetryHealthService, monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """The days that are judged in full from now on."""
    days: list[date] = []

    def judging(evidence: Evidence, *rest: Any) -> tuple[Verdict, ...]:
        days.append(evidence.day)
        return judge(evidence, *rest)

    monkeypatch.setattr(daily, "judge", judging)
    return days


@pytest.mark.parametrize("method", ["detect_anomaly_spikes", "detect_version_mismatch"])
@pytest.mark.parametrize("row", [make_row(), make_row(errors=60, missing_version=20)])
def test_a_day_that_is_stored_is_answered_without_searching_its_root_causes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, row: AggregateRow
) -> None:
    service = make_service(tmp_path, make_source(row, history_days=30))
    read_history(service, 30)
    first = ask(service, method, DAY)
    days = judged(service, monkeypatch)

    assert ask(service, method, DAY) == first
    assert days == []


def test_a_stored_day_is_judged_again_as_soon_as_what_is_known_of_earlier_days_changes_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(history_days=30)
    service = make_service(tmp_path, source)
    read_history(service, 30)
    before = service.detect_anomaly_spikes(DAY)
    earlier = [DAY - timedelta(days=n) for n in range(30, 0, -1)]
    changed = FakeSource({day: make_scan(day, make_row(events=1000)) for day in earlier})
    other = make_service(tmp_path, changed)
    for day in earlier:
        other.calculate_daily_integrity(day)
    days = judged(service, monkeypatch)

    after = service.detect_anomaly_spikes(DAY)

    assert (before.has_volume_anomaly, after.has_volume_anomaly) == (False, True)
    assert days == [DAY]


def test_a_stored_day_is_judged_again_by_another_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = make_row(errors=4)
    service = make_service(tmp_path, make_source(row))
    assert service.detect_anomaly_spikes(DAY).has_error_spike is False
    stricter = make_service(tmp_path, make_source(row), policy=policy_of(error_rate_percent=1.0))

    days = judged(stricter, monkeypatch)

    assert stricter.detect_anomaly_spikes(DAY).has_error_spike is True
    assert days == [DAY]


def test_what_is_stored_is_returned_as_of_an_instant_while_the_source_is_out_of_reach(tmp_path: Path) -> None:
    clock = [NOW]
    source = make_source(make_row())
    service = TelemetryHealthService(make_work(tmp_path, source), lambda: clock[0])
    service.calculate_daily_integrity(DAY)
    clock[0] += timedelta(hours=1)
    source.days[DAY] = make_scan(DAY, make_row(errors=50))
    service.calculate_daily_integrity(DAY)
    unreachable = TelemetryHealthService(
        make_work(tmp_path, CrashingSource(crash=MemoryError("no")), store=service._work.store), lambda: clock[0]
    )

    now, then = unreachable.stored_integrity(DAY), unreachable.stored_integrity(DAY, as_of=NOW)
    before = unreachable.stored_integrity(DAY, NOW - timedelta(microseconds=1))

    assert (now.status, now.is_trustworthy()) == (DayStatus.UNHEALTHY, False)
    assert (then.status, then.is_healthy(), then.snapshot and then.snapshot.error_events) == ("healthy", True, 0)
    assert (before.status, before.reason_code, before.snapshot) == (DayStatus.UNKNOWN, "NOT_JUDGED", None)
    assert "no snapshot of 2026-03-10" in (before.reason or "")


def test_a_stored_day_is_trusted_by_the_gate(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source(make_row(missing_version=2)), gate=Gate.NOT_UNHEALTHY)
    service.calculate_daily_integrity(DAY)
    found = service.stored_integrity(DAY)
    assert (found.status, found.is_healthy(), found.is_trustworthy()) == (DayStatus.DEGRADED, False, True)


def test_a_stored_day_is_asked_for_by_a_date_and_an_instant_with_a_zone(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source(make_row()))
    naive = service.stored_integrity(DAY, NOW.replace(tzinfo=None))
    strange: Any = "2026-03-10"
    assert (naive.status, naive.reason_code) == (DayStatus.UNKNOWN, "DAY_NOT_AVAILABLE")
    assert "has no zone; pass one in UTC" in (naive.reason or "")
    for wrong in ((strange,), (NOW,), (DAY, strange)):
        assert service.stored_integrity(*wrong).reason_code == "DAY_NOT_AVAILABLE"


def test_a_store_that_cannot_be_read_does_not_raise_from_what_is_stored(tmp_path: Path) -> None:
    service = make_service(tmp_path, make_source(make_row()))
    (tmp_path / "quality.db").write_bytes(b"no database")
    assert service.stored_integrity(DAY).reason_code == "STORE_FAILED"
