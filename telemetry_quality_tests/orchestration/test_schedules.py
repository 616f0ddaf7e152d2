from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from telemetry_quality.core.events import Arrivals
from telemetry_quality.errors import SourceError
from telemetry_quality.orchestration.resources import TelemetryResource
from telemetry_quality_tests.builders import NOW, FakeSource, make_row, make_scan, make_snapshot, make_verdicts
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.core.events import DayScan, UnreadableDay


RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def _tick(station: Station, name: str, at: datetime, instance: dg.DagsterInstance | None = None) -> Any:
    repository = station.definitions.get_repository_def()
    schedule = repository.get_schedule_def(f"web_{name}")
    resources = {"telemetry": TelemetryResource(station.settings, clock=lambda: NOW)}
    with dg.build_schedule_context(
        scheduled_execution_time=at, resources=resources, repository_def=repository, instance=instance
    ) as context:
        return schedule.evaluate_tick(context)


def test_the_daily_schedule_requests_the_previous_day(tmp_path: Path) -> None:
    data = _tick(make_station(tmp_path), "daily", datetime(2026, 2, 3, 1, tzinfo=UTC))
    ((request),) = data.run_requests
    assert (request.partition_key, request.run_key) == ("2026-02-02", "2026-02-02")


def test_the_daily_schedule_waits_for_late_events(tmp_path: Path) -> None:
    station = make_station(tmp_path, extra="allowed_lateness_minutes = 150")
    schedule = station.definitions.get_repository_def().get_schedule_def("web_daily")
    assert schedule.cron_schedule == "30 2 * * *"


def test_the_daily_schedule_requests_the_previous_local_day(tmp_path: Path) -> None:
    station = make_station(tmp_path, extra='time_zone = "America/New_York"')
    data = _tick(station, "daily", datetime(2026, 2, 3, 6, tzinfo=UTC))
    assert [request.partition_key for request in data.run_requests] == ["2026-02-02"]
    data = _tick(station, "daily", datetime(2026, 2, 3, 4, tzinfo=UTC))
    assert [request.partition_key for request in data.run_requests] == ["2026-02-01"]


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 2, 1, 1, tzinfo=UTC), "not over yet"),
        (datetime(2026, 3, 1, 1, tzinfo=UTC), "ended on 2026-02-03"),
    ],
)
def test_the_daily_schedule_says_why_it_requests_nothing(tmp_path: Path, at: datetime, words: str) -> None:
    data = _tick(make_station(tmp_path, extra="last_day = 2026-02-03"), "daily", at)
    assert data.run_requests == []
    assert words in data.skip_message


def test_the_last_day_of_a_finished_data_set_is_still_requested(tmp_path: Path) -> None:
    station = make_station(tmp_path, extra="last_day = 2026-02-03")
    data = _tick(station, "daily", datetime(2026, 2, 4, 1, tzinfo=UTC))
    assert [request.partition_key for request in data.run_requests] == ["2026-02-03"]


def test_the_late_day_schedule_requests_only_days_whose_events_changed(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path, days=5, extra="late_days = 4")
    station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=4))
    at = datetime(2026, 2, 6, 6, 30, tzinfo=UTC)
    assert (
        "No day is missing, and none from 2026-02-02 to 2026-02-05 has changed"
        in _tick(station, "late_days", at).skip_message
    )
    station.add_late_event(FIRST_DAY)  # too long ago
    station.add_late_event(FIRST_DAY + timedelta(days=2))
    data = _tick(station, "late_days", at)
    assert [request.partition_key for request in data.run_requests] == ["2026-02-03"]
    assert data.run_requests[0].run_key.startswith(at.isoformat())


def _ranges(data: Any) -> list[tuple[str, str]]:
    """The range of days of each requested run."""
    return [(request.tags[RANGE[0]], request.tags[RANGE[1]]) for request in data.run_requests]


def test_ten_days_that_nobody_judged_are_all_judged_by_the_one_run_of_the_next_tick(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """Seven days are looked at for late events: the first three were missing for ever."""
    station = make_station(tmp_path, days=12)
    station.run(instance, FIRST_DAY)
    data = _tick(station, "late_days", datetime(2026, 2, 12, 6, 30, tzinfo=UTC), instance)
    ((request),) = data.run_requests
    assert request.partition_key is None
    job = station.definitions.resolve_job_def("web_materialize_day")
    assert job.execute_in_process(instance=instance, tags=request.tags).success
    assert len(station.work.store.judged_days("web")) == 11
    assert not _tick(station, "late_days", datetime(2026, 2, 12, 12, 30, tzinfo=UTC), instance).run_requests


def test_yesterday_is_left_to_the_daily_schedule_until_its_lateness_has_passed(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path, days=3)
    early = _tick(station, "late_days", datetime(2026, 2, 4, 0, 59, tzinfo=UTC), instance)
    assert _ranges(early) == [("2026-02-01", "2026-02-02")]
    due = _tick(station, "late_days", datetime(2026, 2, 4, 1, 0, tzinfo=UTC), instance)
    assert _ranges(due) == [("2026-02-01", "2026-02-03")]


def test_a_tick_requests_the_oldest_missing_days_and_no_more_than_a_hundred_in_ten_runs(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path, days=0)
    long_after = datetime(2026, 9, 1, 6, 30, tzinfo=UTC)
    assert _ranges(_tick(station, "late_days", long_after, instance)) == [("2026-02-01", "2026-05-11")]
    store = station.work.store
    for offset in range(1, 40, 2):
        day = FIRST_DAY + timedelta(days=offset)
        store.append_snapshot(make_snapshot(day), make_verdicts())
    assert len(_ranges(_tick(station, "late_days", long_after, instance))) == 10


def test_missing_days_are_not_requested_again_while_a_run_makes_them(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    at = datetime(2026, 2, 4, 6, 30, tzinfo=UTC)
    ((request),) = _tick(station, "late_days", at, instance).run_requests
    run = instance.add_run(dg.DagsterRun("web_materialize_day", tags=request.tags, status=dg.DagsterRunStatus.STARTED))
    waiting = _tick(station, "late_days", at + timedelta(hours=6), instance)
    assert waiting.run_requests == []
    assert "3 days have no snapshot" in waiting.skip_message
    instance.report_run_failed(run)
    assert _ranges(_tick(station, "late_days", at + timedelta(hours=12), instance)) == [("2026-02-01", "2026-02-03")]


def test_the_late_day_schedule_requests_a_provisional_day_again_once_it_is_complete(tmp_path: Path) -> None:
    """A tenth of this stream arrives within five hours; the last day lost its tenth, so its count stays the same."""
    station = make_station(tmp_path, days=20, extra="late_days = 3")
    days = [FIRST_DAY + timedelta(days=offset) for offset in range(20)]
    arrived = Arrivals((36, 0, 0, 0, 0, 4), 40, 0, 0, 0)
    scans: dict[date, DayScan | UnreadableDay] = {
        day: make_scan(day, make_row(events=40), arrivals=arrived) for day in days
    }
    work = replace(station.work, source=FakeSource(scans))
    list(work.read(days[:-1], NOW))
    list(work.judge(days[:-1], NOW))
    end = datetime(2026, 2, 21, tzinfo=UTC)
    list(work.read(days[-1:], end + timedelta(hours=1)))
    (judgement,) = work.judge(days[-1:], end + timedelta(hours=1))
    assert judgement.snapshot.is_provisional
    early = _tick(station, "late_days", end + timedelta(hours=2))
    assert "has changed" in early.skip_message
    station.add_late_event(days[-3])
    data = _tick(station, "late_days", end + timedelta(hours=6, minutes=30))
    assert [request.partition_key for request in data.run_requests] == ["2026-02-18", "2026-02-20"]


def test_a_source_that_cannot_be_counted_fails_the_tick_instead_of_looking_unchanged(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path, days=2)
    station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=1))
    shutil.rmtree(tmp_path / "events")
    with pytest.raises(Exception, match="late_days") as failure:
        _tick(station, "late_days", datetime(2026, 2, 3, 6, 30, tzinfo=UTC))
    assert isinstance(failure.value.__cause__, SourceError)
