from __future__ import annotations

import logging
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.core.days import days_between
from telemetry_quality.core.marks import Mark, MarkedDays
from telemetry_quality.dagster import build_definitions
from telemetry_quality.definitions import defs
from telemetry_quality.demo import SOURCE, steps_per_day
from telemetry_quality.orchestration import alert_lines
from telemetry_quality.orchestration.schedules import RANGE_END_TAG, RANGE_START_TAG
from telemetry_quality.settings import load_settings
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.orchestration.station import FIRST_DAY, SNAPSHOT_KEY, make_station

if TYPE_CHECKING:
    from pathlib import Path

LAST_DAY = FIRST_DAY + timedelta(days=2)


def _metadata(instance: dg.DagsterInstance, name: str, day: date) -> dict[str, object]:
    records_filter = dg.AssetRecordsFilter(dg.AssetKey(["web", name]), asset_partitions=[day.isoformat()])
    (record,) = instance.fetch_materializations(records_filter, limit=10).records
    materialization = record.asset_materialization
    assert materialization is not None
    return {key: value.value for key, value in materialization.metadata.items()}


def test_the_definitions_load() -> None:
    dg.Definitions.validate_loadable(defs)


@pytest.mark.parametrize(
    ("place", "store", "kinds"),
    [
        ('connector = "parquet"\npath = "events"', "sqlite:///q.db", ["parquet", "duckdb+sqlite", "sqlite"]),
        (
            'connector = "duckdb"\npath = "e.duckdb"\ntable = "e"',
            "sqlite:///q.db",
            ["duckdb", "duckdb+sqlite", "sqlite"],
        ),
        (
            'connector = "database"\nurl = "postgresql+psycopg://u:p@h/d"\ntable = "e"',
            "postgresql://u:p@h/q",
            ["postgresql", "postgresql", "postgresql"],
        ),
        (
            'connector = "database"\nurl = "sqlite:///e.db"\ntable = "e"',
            "postgresql://u:p@h/q",
            ["sqlite", "postgresql+sqlite", "postgresql"],
        ),
        (
            'connector = "spark"\nurl = "sc://h:1"\ntable = "e"',
            "sqlite:///q.db",
            ["spark", "spark+sqlite", "sqlite"],
        ),
        (
            'connector = "database"\nurl = "events.db"\ntable = "e"',
            "sqlite:///q.db",
            ["database", "database+sqlite", "sqlite"],
        ),
    ],
    ids=["parquet", "duckdb", "postgresql", "sqlite", "spark", "no URL"],
)
def test_assets_show_the_engines_that_read_and_store_them(
    tmp_path: Path, place: str, store: str, kinds: list[str]
) -> None:
    file = tmp_path / "telemetry.toml"
    roles = ("event_id", "occurred_at", "event_name", "service_version", "is_error")
    file.write_text(
        f'store = "{store}"\n[sources.web]\n{place}\nfirst_day = 2026-02-01\n[sources.web.roles]\n'
        + "\n".join(f'{role} = "{role}"' for role in roles)
    )
    graph = build_definitions(load_settings(file)).resolve_asset_graph()
    shown = {
        name: graph.get(dg.AssetKey(["web", name])).kinds for name in ("events", "event_sample", "integrity_snapshot")
    }
    assert ["+".join(sorted(kinds_of_asset)) for kinds_of_asset in shown.values()] == kinds


def test_one_run_over_a_range_materializes_every_day_of_every_asset(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    assert station.run(instance, FIRST_DAY, LAST_DAY).success
    for name in ("event_aggregates", "event_sample", "integrity_snapshot"):
        materialized = instance.get_materialized_partitions(dg.AssetKey(["web", name]))
        assert materialized == {"2026-02-01", "2026-02-02", "2026-02-03"}


def test_the_snapshot_alone_can_be_backfilled_and_reads_the_days_that_were_never_read(
    tmp_path: Path, quick_instance: dg.DagsterInstance
) -> None:
    station, instance = make_station(tmp_path), quick_instance
    station.run(instance, FIRST_DAY)
    station.write_day(FIRST_DAY, events=50)
    alone = dg.define_asset_job("alone", selection=[SNAPSHOT_KEY], executor_def=dg.in_process_executor)
    definitions = dg.Definitions.merge(station.definitions, dg.Definitions(jobs=[alone]))
    tags = {RANGE_START_TAG: FIRST_DAY.isoformat(), RANGE_END_TAG: LAST_DAY.isoformat()}
    assert definitions.resolve_job_def("alone").execute_in_process(instance=instance, tags=tags).success
    events = [snapshot.total_events for snapshot in station.work.store.snapshots("web", FIRST_DAY, LAST_DAY)]
    # The first day was read before, and is not read again.
    assert events == [40, 40, 40]
    assert len(station.work.store.scans("web", FIRST_DAY, LAST_DAY)) == 3


def test_each_day_has_its_own_numbers(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    station.write_day(LAST_DAY, events=50, errors=10)
    station.run(instance, FIRST_DAY, LAST_DAY)
    first, last = (_metadata(instance, "integrity_snapshot", day) for day in (FIRST_DAY, LAST_DAY))
    assert (first["total_events"], first["error_rate_percent"], first["status"]) == (40, 0.0, "healthy")
    assert (last["total_events"], last["error_rate_percent"], last["status"]) == (50, 20.0, "unhealthy")


def test_aggregates_show_tables_by_signal_and_version_and_a_chart(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    station.run(instance, FIRST_DAY)
    shown = _metadata(instance, "event_aggregates", FIRST_DAY)
    assert shown["total_events"] == 40
    assert {"by_signal", "by_version"} <= shown.keys()
    assert "data:image/svg+xml" in str(shown["events_per_hour"])


def test_a_day_that_cannot_be_read_shows_no_numbers_and_fails_the_run(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    broken = FIRST_DAY + timedelta(days=1)
    station.file(broken).write_bytes(b"PAR1 half a file")
    result = station.run(instance, FIRST_DAY, LAST_DAY)
    assert not result.success
    for name in ("event_aggregates", "event_sample", "integrity_snapshot"):
        shown = _metadata(instance, name, broken)
        assert shown["status"] == "unknown"
        about_history = {"expected_events", "expected_low_events", "expected_high_events", "completeness_percent"}
        assert not any("events" in key or "percent" in key for key in shown.keys() - about_history)
    assert _metadata(instance, "integrity_snapshot", FIRST_DAY)["status"] == "healthy"
    assert _metadata(instance, "integrity_snapshot", LAST_DAY)["status"] == "healthy"


def test_running_a_day_twice_adds_no_revision_and_late_events_add_exactly_one(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    revisions, runs = [], []
    for has_late_event in (False, False, True, False):
        if has_late_event:
            station.add_late_event(FIRST_DAY)
        runs.append(station.run(instance, FIRST_DAY).run_id)
        ((snapshot),) = station.work.store.snapshots("web", FIRST_DAY, FIRST_DAY)
        revisions.append((snapshot.revision, snapshot.total_events, snapshot.run_id))
    assert revisions == [(1, 40, runs[0]), (1, 40, runs[0]), (2, 41, runs[2]), (2, 41, runs[2])]


def test_assets_carry_owner_kinds_description_and_column_schema(tmp_path: Path) -> None:
    station = make_station(tmp_path, extra='owners = ["team:data"]')
    specs = {spec.key.path[-1]: spec for spec in station.definitions.resolve_all_asset_specs()}
    assert specs.keys() == {"events", "event_aggregates", "event_sample", "integrity_snapshot", "expected_volume"}
    for spec in specs.values():
        assert spec.owners == ["team:data"]
        assert spec.kinds
        assert spec.description
        assert spec.group_name == "web"
    for name in ("event_aggregates", "event_sample", "integrity_snapshot"):
        assert "dagster/column_schema" in specs[name].metadata
    assert specs["integrity_snapshot"].key == SNAPSHOT_KEY


def test_partitions_follow_the_source_s_time_zone_and_end_with_a_finished_data_set(tmp_path: Path) -> None:
    extra = 'time_zone = "America/New_York"\nlast_day = 2026-02-03'
    station = make_station(tmp_path, extra=extra)
    (asset,) = (spec for spec in station.definitions.resolve_all_asset_specs() if spec.key == SNAPSHOT_KEY)
    assert isinstance(asset.partitions_def, dg.DailyPartitionsDefinition)
    assert asset.partitions_def.timezone == "America/New_York"
    assert asset.partitions_def.get_partition_keys() == ["2026-02-01", "2026-02-02", "2026-02-03"]


@pytest.mark.parametrize("roles", ["", 'critical_fields = ["event_name"]'])
def test_progress_is_reported_once_per_step_of_every_day(
    tmp_path: Path, instance: dg.DagsterInstance, roles: str
) -> None:
    """Progress has as many steps as the demo's progress bar counts, whatever guardrails the schema allows."""
    station = make_station(tmp_path, roles=roles)
    settings = station.settings.model_copy(update={"sources": {SOURCE: station.settings.sources["web"]}})
    steps: list[int] = []
    definitions = build_definitions(settings, name_prefix="", on_progress=steps.append)
    definitions.resolve_job_def(f"{SOURCE}_materialize_day").execute_in_process(
        instance=instance,
        partition_key=FIRST_DAY.isoformat(),
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert sum(steps) == steps_per_day(settings) == 3 + len(station.guardrails)


def test_the_log_of_a_run_shows_its_progress(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100)
    run_id = station.run(instance, FIRST_DAY).run_id
    messages = [entry.message for entry in instance.all_logs(run_id) if entry.dagster_event is None]
    assert any(
        re.fullmatch(rf"Read 1 of 1 days, 100 events, [\d,]+ events/s; up to {FIRST_DAY}", message)
        for message in messages
    )
    assert any(re.fullmatch(rf"Judged 1 of 1 days, [\d,.]+ days/s; up to {FIRST_DAY}", message) for message in messages)
    checked = [message for message in messages if message.startswith("Checked ")]
    count = len(station.guardrails) + 1
    assert [f"{done} of {count} evaluations" in message for done, message in enumerate(checked, 1)] == [True] * count


def test_the_snapshot_leads_on_with_what_failed_the_day_s_page_and_a_picture(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100, errors=6)
    station.run(instance, FIRST_DAY)
    shown = _metadata(instance, "integrity_snapshot", FIRST_DAY)
    failed, rest = str(shown["guardrails"]).splitlines()
    assert failed.startswith("- **error\\_rate** (CRITICAL): 6.00 % of 100 events are errors")
    # Those that a young stream gives too little history say so together.
    assert rest.endswith("not judged (HISTORY\\_TOO\\_SHORT)")
    passed, unknown = map(int, re.findall(r"(\d+) passed, (\d+) not", rest)[0])
    assert passed + unknown + 1 == len(station.guardrails)
    assert shown["dashboard"] == f"http://127.0.0.1:3001/health/snapshots/web/{FIRST_DAY}/"
    assert "data:image/svg+xml" in str(shown["events_per_hour"])


def test_the_log_of_a_run_holds_its_alerts_and_ends_with_what_it_found(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100, errors=6)
    found = "3 days {}: 2 healthy, 1 not: 2026-02-01 error rate 6.00 % (limit 5 %)."
    logged = []
    for _ in range(2):
        run_id = station.run(instance, FIRST_DAY, LAST_DAY).run_id
        entries = [entry for entry in instance.all_logs(run_id) if entry.dagster_event is None]
        logged.append([entry.message for entry in entries if entry.level == logging.ERROR])
        assert found.format("judged") in [entry.message for entry in entries]
        assert entries[-1].message == found.format("checked")
    (alert,) = logged[0]
    assert alert.startswith("CRITICAL web 2026-02-01 error_rate [ERROR_RATE_HIGH] 6.00 % of 100 events are errors")
    assert logged[1] == [], "a run that found nothing new"


def test_a_run_logs_a_bounded_number_of_alerts_and_none_that_somebody_accepted(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_lines, "MOST_LINES", 1)
    station = make_station(tmp_path)
    for day in days_between(FIRST_DAY, LAST_DAY + timedelta(days=1)):
        station.write_day(day, errors=40)
    accepted = MarkedDays("web", FIRST_DAY, FIRST_DAY, Mark.ACCEPTED, "ada", "intended", NOW)
    station.work.store.append_marked_days(accepted)
    entries = instance.all_logs(station.run(instance, FIRST_DAY, LAST_DAY + timedelta(days=1)).run_id)
    (alert,) = (entry.message for entry in entries if entry.level == logging.ERROR and entry.dagster_event is None)
    assert alert.startswith("CRITICAL web 2026-02-02 error_rate")
    more = "2 more alerts are in the dashboard and in the log of the alert sensor."
    assert more in [entry.message for entry in entries]


def test_jobs_schedules_and_sensors_say_what_they_do_to_whom_has_never_seen_them(tmp_path: Path) -> None:
    repository = make_station(tmp_path, extra="intraday = true").definitions.get_repository_def()
    described = {job.name: job.description for job in repository.get_all_jobs() if not job.name.startswith("__")}
    described |= {schedule.name: schedule.description for schedule in repository.schedule_defs}
    described |= {sensor.name: sensor.description for sensor in repository.sensor_defs}
    assert len(described) > 5
    assert not [name for name, description in described.items() if len(str(description).split()) < 20]


def test_each_source_has_its_own_group_jobs_and_schedules(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    settings = station.settings.model_copy(
        update={"sources": {"web": station.settings.sources["web"], "app": station.settings.sources["web"]}}
    )
    definitions = build_definitions(settings, name_prefix="")
    dg.Definitions.validate_loadable(definitions)
    assert {spec.group_name for spec in definitions.resolve_all_asset_specs()} == {"web", "app"}
    repository = definitions.get_repository_def()
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "web_daily",
        "web_late_days",
        "app_daily",
        "app_late_days",
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "web_trust_sensor",
        "app_trust_sensor",
        "alert_sensor",
        "ghost_run_sensor",
    }


@pytest.mark.parametrize(("place", "errors"), [("anchors.txt", 0), ("missing/anchors.txt", 1)])
def test_a_run_keeps_an_anchor_and_says_in_its_log_if_it_could_not(
    tmp_path: Path, instance: dg.DagsterInstance, place: str, errors: int
) -> None:
    station = make_station(tmp_path, days=1)
    station.settings = station.settings.model_copy(update={"anchor": str(tmp_path / place)})
    run = station.run(instance, FIRST_DAY)
    assert run.success
    logged = [entry.user_message for entry in instance.all_logs(run.run_id) if "file of anchors" in entry.user_message]
    assert len(logged) == errors
    assert (tmp_path / place).exists() is (errors == 0)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("", dg.FreshnessPolicy.time_window(timedelta(hours=27))),
        ("last_day = 2026-02-03", None),
    ],
)
def test_the_last_snapshot_may_be_as_old_as_the_longest_day_and_the_grace_period_while_days_are_to_come(
    tmp_path: Path, extra: str, expected: dg.FreshnessPolicy | None
) -> None:
    specs = {
        spec.key: spec for spec in make_station(tmp_path, days=0, extra=extra).definitions.resolve_all_asset_specs()
    }
    assert specs[SNAPSHOT_KEY].freshness_policy == expected
