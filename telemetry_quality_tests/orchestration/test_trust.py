"""What downstream assets wait for: the check ``trustworthy``, its sensor, and the condition that reads it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.core.marks import Gate, Mark, mark_days
from telemetry_quality.core.trust import CHECK
from telemetry_quality.dagster import trusted_days_condition
from telemetry_quality.orchestration import trust
from telemetry_quality.orchestration.resources import TelemetryResource
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.orchestration.station import FIRST_DAY, SNAPSHOT_KEY, Station, evaluations, make_station

if TYPE_CHECKING:
    from pathlib import Path

# What the tester of conditions uses itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.PreviewWarning"),
]

HEALTHY, DEGRADED, UNHEALTHY, ACCEPTED, UNREADABLE = (FIRST_DAY + timedelta(days=offset) for offset in range(5))
REPORT = dg.AssetKey("report")


def four_days(folder: Path, extra: str = "") -> Station:
    """A healthy, a degraded and an unhealthy day, one that somebody accepted, and one that cannot be read."""
    station = make_station(folder, extra=extra)
    station.write_day(DEGRADED, service_version=None)
    station.write_day(UNHEALTHY, errors=40)
    station.write_day(ACCEPTED, errors=40)
    station.write_day(UNREADABLE)
    station.file(UNREADABLE).write_bytes(b"half a file")
    mark(station, ACCEPTED, Mark.ACCEPTED)
    return station


def mark(station: Station, day: date, kind: Mark | None) -> None:
    station.work.store.append_marked_days(mark_days("web", (day, day), kind, "ada", NOW))


def with_report(station: Station) -> dg.Definitions:
    """The definitions of a deployment with a report on each day."""

    @dg.asset(
        key=REPORT,
        deps=[SNAPSHOT_KEY],
        partitions_def=dg.DailyPartitionsDefinition(FIRST_DAY.isoformat()),
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=trusted_days_condition("web"),
    )
    def report() -> None: ...

    return dg.Definitions.merge(station.definitions, dg.Definitions(assets=[report]))


class Daemon:
    """Evaluates the condition of the report, as Dagster's daemon does on each tick of the automation sensor."""

    def __init__(self, station: Station, instance: dg.DagsterInstance) -> None:
        self.definitions, self.instance, self.station = with_report(station), instance, station
        self.cursor: dg.AssetDaemonCursor | None = None

    def requests(self) -> set[date]:
        """The days of which the report is requested."""
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor, evaluation_time=NOW
        )
        self.cursor = result.cursor
        return {date.fromisoformat(day) for day in result.get_requested_partitions(REPORT) if day}

    def report(self, *days: date) -> None:
        """Materialize the report of days."""
        for day in days:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(REPORT, partition=day.isoformat()))


def requests(station: Station, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    """What a tick of the sensor requests."""
    sensor = station.definitions.resolve_sensor_def("web_trust_sensor")
    resources = {"telemetry": TelemetryResource(station.settings, clock=lambda: datetime.now(UTC))}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        result = sensor.evaluate_tick(context)
    assert result.cursor is None
    return list(result.run_requests or ())


def tick(station: Station, instance: dg.DagsterInstance) -> list[tuple[str, bool]]:
    """A tick of the sensor, whose runs take place as the daemon would launch them; the days checked, and how."""
    found = []
    for request in requests(station, instance):
        job = station.definitions.resolve_job_def(str(request.job_name))
        selected = job.get_subset(asset_check_selection=frozenset(request.asset_check_keys or ()))
        run = selected.execute_in_process(instance=instance, tags=request.tags)
        found += [(str(each.partition), each.passed) for each in evaluations(instance, run.run_id)]
    return sorted(found)


def test_exactly_the_days_that_the_gate_lets_through_are_reported_on(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = four_days(tmp_path)
    run = station.run(instance, HEALTHY, UNREADABLE)
    said = [found for found in evaluations(instance, run.run_id) if found.check_name == CHECK]
    assert {date.fromisoformat(str(found.partition)) for found in said if found.passed} == {HEALTHY, ACCEPTED}
    assert len(said) == 5
    daemon = Daemon(station, instance)
    assert daemon.requests() == {HEALTHY, ACCEPTED}
    assert daemon.requests() == set()
    station.set_gate(Gate.NOT_UNHEALTHY)
    assert tick(station, instance) == [(DEGRADED.isoformat(), True)]
    assert daemon.requests() == {DEGRADED}


def test_a_report_catches_up_when_somebody_accepts_a_day_and_nothing_is_read_again(
    tmp_path: Path, quick_instance: dg.DagsterInstance
) -> None:
    station, instance = four_days(tmp_path), quick_instance
    station.run(instance, UNHEALTHY)
    daemon = Daemon(station, instance)
    assert daemon.requests() == set()
    station.file(UNHEALTHY).unlink()
    assert tick(station, instance) == []
    mark(station, UNHEALTHY, Mark.ACCEPTED)
    assert daemon.requests() == set()
    assert tick(station, instance) == [(UNHEALTHY.isoformat(), True)]
    assert tick(station, instance) == []
    assert daemon.requests() == {UNHEALTHY}
    daemon.report(UNHEALTHY)
    assert daemon.requests() == set()


def test_a_day_that_is_no_longer_accepted_closes_the_gate_again(
    tmp_path: Path, quick_instance: dg.DagsterInstance
) -> None:
    station, instance = four_days(tmp_path), quick_instance
    station.run(instance, ACCEPTED)
    for kind, passes in ((None, False), (Mark.ACCEPTED, True), (Mark.BAD, False)):
        mark(station, ACCEPTED, kind)
        assert tick(station, instance) == [(ACCEPTED.isoformat(), passes)]
    assert Daemon(station, instance).requests() == set()


def test_a_tick_requests_a_run_per_range_of_days_and_leaves_the_rest_to_the_next(
    tmp_path: Path, quick_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    station, instance = four_days(tmp_path), quick_instance
    station.run(instance, HEALTHY, ACCEPTED)
    monkeypatch.setattr(trust, "RANGES_PER_TICK", 1)
    mark(station, HEALTHY, Mark.BAD)
    for day in (UNHEALTHY, ACCEPTED):
        mark(station, day, Mark.BAD if day == ACCEPTED else Mark.ACCEPTED)
    assert [tick(station, instance) for _ in range(3)] == [
        [(HEALTHY.isoformat(), False)],
        [(UNHEALTHY.isoformat(), True), (ACCEPTED.isoformat(), False)],
        [],
    ]


def test_no_run_is_requested_while_one_is_under_way_nor_just_after_one_failed(
    tmp_path: Path, quick_instance: dg.DagsterInstance
) -> None:
    station, instance = four_days(tmp_path), quick_instance
    station.run(instance, UNHEALTHY)
    mark(station, UNHEALTHY, Mark.ACCEPTED)
    (request,) = requests(station, instance)
    run = instance.add_run(dg.DagsterRun(str(request.job_name), tags=request.tags))
    assert requests(station, instance) == []
    instance.report_run_failed(run)
    assert requests(station, instance) == []
    instance.delete_run(run.run_id)
    assert len(requests(station, instance)) == 1


def test_a_report_is_requested_again_when_late_events_change_a_trusted_day_and_waits_when_they_spoil_it(
    tmp_path: Path, quick_instance: dg.DagsterInstance
) -> None:
    station, instance = four_days(tmp_path), quick_instance
    station.run(instance, HEALTHY)
    daemon = Daemon(station, instance)
    daemon.report(*daemon.requests())
    assert daemon.requests() == set()
    station.add_late_event(HEALTHY)
    station.run(instance, HEALTHY)
    assert daemon.requests() == {HEALTHY}
    daemon.report(HEALTHY)
    assert daemon.requests() == set()
    station.write_day(HEALTHY, errors=40)
    station.run(instance, HEALTHY)
    assert daemon.requests() == set()
    mark(station, HEALTHY, Mark.ACCEPTED)
    tick(station, instance)
    assert daemon.requests() == {HEALTHY}


def test_where_the_check_is_not_defined_no_day_passes(quick_instance: dg.DagsterInstance) -> None:
    quick_instance.report_runless_asset_event(dg.AssetMaterialization(SNAPSHOT_KEY, partition=HEALTHY.isoformat()))

    @dg.asset(
        key=REPORT,
        deps=[SNAPSHOT_KEY],
        partitions_def=dg.DailyPartitionsDefinition(FIRST_DAY.isoformat()),
        automation_condition=trusted_days_condition("web"),
    )
    def report() -> None: ...

    alone = dg.Definitions(
        assets=[dg.AssetSpec(SNAPSHOT_KEY, partitions_def=dg.DailyPartitionsDefinition(FIRST_DAY.isoformat())), report]
    )
    assert dg.evaluate_automation_conditions(alone, quick_instance, evaluation_time=NOW).total_requested == 0


def test_a_day_whose_run_died_before_its_check_is_checked_by_the_sensor(
    tmp_path: Path, quick_instance: dg.DagsterInstance
) -> None:
    """The snapshot is stored and materialized, and nothing else would ever check it."""
    station, instance = four_days(tmp_path), quick_instance
    station.run(instance, HEALTHY)
    instance.report_runless_asset_event(dg.AssetMaterialization(SNAPSHOT_KEY, partition=HEALTHY.isoformat()))
    assert tick(station, instance) == [(HEALTHY.isoformat(), True)]
    assert Daemon(station, instance).requests() == {HEALTHY}


@pytest.mark.parametrize(("is_blocking", "is_built"), [("false", True), ("true", False)])
def test_a_blocking_gate_stops_what_is_built_in_the_same_run(
    tmp_path: Path, quick_instance: dg.DagsterInstance, is_blocking: str, is_built: bool
) -> None:
    station, instance = four_days(tmp_path, f"is_gate_blocking = {is_blocking}"), quick_instance
    definitions = with_report(station)
    everything = dg.define_asset_job("everything", selection="*", executor_def=dg.in_process_executor)
    merged = dg.Definitions.merge(definitions, dg.Definitions(jobs=[everything]))
    job = merged.resolve_job_def("everything")
    run = job.execute_in_process(instance=instance, partition_key=UNHEALTHY.isoformat(), raise_on_error=False)
    assert bool(instance.get_materialized_partitions(REPORT)) is is_built
    assert run.success is is_built
    if is_blocking == "true":
        mark(station, UNHEALTHY, Mark.ACCEPTED)
        assert tick(station, instance) == [(UNHEALTHY.isoformat(), True)]
        mark(station, UNHEALTHY, None)
        assert tick(station, instance) == [(UNHEALTHY.isoformat(), False)]
    good = job.execute_in_process(instance=instance, partition_key=HEALTHY.isoformat(), raise_on_error=False)
    assert good.success
    assert HEALTHY.isoformat() in instance.get_materialized_partitions(REPORT)
