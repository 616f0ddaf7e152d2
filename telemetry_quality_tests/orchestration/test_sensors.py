from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.orchestration import sensors
from telemetry_quality.orchestration.resources import RESOURCE, TelemetryResource
from telemetry_quality.orchestration.sensors import PYTHON_LEVELS, build_alert_sensor
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station

if TYPE_CHECKING:
    from pathlib import Path


class Listener(logging.Handler):
    """Collects the lines that a tick logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))


def tick(
    station: Station, instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[tuple[int, str]], str | None, str]:
    """Run a tick; returns what it logged, its cursor and its summary."""
    sensor = build_alert_sensor(frozenset(station.settings.sources))
    resources = {RESOURCE: TelemetryResource(station.settings, clock=lambda: NOW)}
    listener = Listener()
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        context.log.addHandler(listener)
        result = sensor.evaluate_tick(context)
    return listener.lines, result.cursor, str(result.skip_message)


def kept(station: Station) -> list[tuple[str, int]]:
    """Guardrail and revision of every alert in the store, in the order in which they were stored."""
    with closing(sqlite3.connect(station.folder / "quality.db")) as connection:
        return connection.execute("SELECT guardrail, revision FROM alert ORDER BY sequence").fetchall()


def test_each_alert_is_logged_once_at_its_own_level(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100, errors=51)
    station.write_day(FIRST_DAY + timedelta(days=1), service_version=None)
    station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=2))
    lines, cursor, summary = tick(station, instance, None)
    assert {(level, line.split(" [")[0]) for level, line in lines} == {
        (logging.CRITICAL, "CRITICAL web 2026-02-01 error_rate"),
        (logging.WARNING, "WARNING web 2026-02-02 missing_version"),
        (logging.WARNING, "WARNING web 2026-02-02 sample"),
    }
    assert summary.startswith("3 new alerts logged")
    again, _, summary = tick(station, instance, cursor)
    assert again == []
    assert summary.startswith("0 new alerts")


def test_a_lost_cursor_logs_nothing_twice(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, errors=40)
    station.run(instance, FIRST_DAY)
    first, _, _ = tick(station, instance, None)
    second, _, _ = tick(station, instance, None)
    assert len(first) == 1
    assert second == []


def test_running_a_bad_day_again_unchanged_logs_nothing_new_and_late_events_do(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, errors=40)
    cursor = None
    counts = []
    for has_late_event in (False, False, True):
        if has_late_event:
            station.add_late_event(FIRST_DAY)
        station.run(instance, FIRST_DAY)
        lines, cursor, _ = tick(station, instance, cursor)
        counts.append([line for _, line in lines])
    assert [len(lines) for lines in counts] == [1, 0, 1]
    assert counts[2][0].endswith(
        "Since revision 1: 41 events instead of 40, 97.56 % errors instead of 100.00. (revision 2)"
    )


def test_rechecking_logs_only_what_new_thresholds_change(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100, errors=10)
    station.run(instance, FIRST_DAY)
    _, cursor, _ = tick(station, instance, None)
    logged = []
    for thresholds in ({"error_rate_percent": 6}, {"error_rate_percent": 20}, {"error_rate_percent": 7}):
        station.set_guardrails(**thresholds)
        station.run(instance, FIRST_DAY, job="recheck_day")
        lines, cursor, summary = tick(station, instance, cursor)
        logged.append(([line.split("] ")[0] for _, line in lines], summary.split(",")[0]))
    nothing: tuple[list[str], str] = ([], "0 new alerts logged")
    assert logged == [
        nothing,
        nothing,
        (["CRITICAL web 2026-02-01 error_rate [ERROR_RATE_HIGH"], "1 new alerts logged"),
    ]
    assert kept(station) == [("error_rate", 1), ("error_rate", 2), ("error_rate", 4)]


def test_alerts_of_a_muted_incident_are_stored_and_not_logged(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    second = FIRST_DAY + timedelta(days=1)
    station.write_day(FIRST_DAY, errors=40)
    station.write_day(second, errors=40, service_version=None)
    station.run(instance, FIRST_DAY)
    _, cursor, _ = tick(station, instance, None)
    store = station.work.store
    (incident,) = incidents_of(store, "web")
    store.append_incident_action(incident.decide(Action.MUTE, "ada", NOW, muted_until=NOW.date()))
    station.run(instance, second)
    lines, _, summary = tick(station, instance, cursor)
    assert not any("error_rate" in line for _, line in lines)
    assert ("error_rate", 1) in kept(station)[1:]
    assert summary.startswith(f"{len(lines)} new alerts logged")


def test_an_unreadable_day_is_dispatched_once_as_critical_although_its_run_failed(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.file(FIRST_DAY).write_bytes(b"half")
    assert not station.run(instance, FIRST_DAY).success
    lines, _, _ = tick(station, instance, None)
    ((level, line),) = lines
    assert level == logging.CRITICAL
    assert "[DAY_UNREADABLE]" in line


def test_a_tick_that_cannot_store_its_alerts_repeats_them_instead_of_losing_them(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, errors=40)
    station.run(instance, FIRST_DAY)
    store = tmp_path / "quality.db"
    store.rename(tmp_path / "away.db")
    with pytest.raises(Exception, match="telemetry-quality migrate"):
        tick(station, instance, None)
    (tmp_path / "away.db").rename(store)
    lines, _, _ = tick(station, instance, None)
    assert len(lines) == 1


def test_runs_that_do_not_fit_in_a_tick_are_left_for_the_next(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "RUNS_PER_TICK", 2)
    station = make_station(tmp_path, days=0)
    for offset in range(3):
        station.write_day(FIRST_DAY + timedelta(days=offset), errors=40)
        station.run(instance, FIRST_DAY + timedelta(days=offset))
    logged = []
    cursor = None
    for _ in range(3):
        lines, cursor, _ = tick(station, instance, cursor)
        logged.append([line.split(" ")[2] for _, line in lines])
    assert logged == [["2026-02-01", "2026-02-02"], ["2026-02-03"], []]


def test_a_cancelled_run_is_checked_too(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    instance.report_run_canceled(instance.create_run_for_job(station.definitions.resolve_job_def("web_recheck_day")))
    _, cursor, summary = tick(station, instance, None)
    assert "1 finished run checked" in summary
    assert set(json.loads(cursor or "{}")) == {"PIPELINE_CANCELED"}


def test_only_levels_dagster_can_show_are_used() -> None:
    assert set(PYTHON_LEVELS.values()) <= {logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO}
