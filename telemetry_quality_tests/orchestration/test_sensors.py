from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.orchestration import sensors
from telemetry_quality.orchestration.alert_lines import PYTHON_LEVELS
from telemetry_quality.orchestration.names import Names
from telemetry_quality.orchestration.resources import TelemetryResource
from telemetry_quality.orchestration.sensors import build_alert_sensor
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


def tick(station: Station) -> tuple[list[tuple[int, str]], str]:
    """Run a tick in a Dagster instance that knows of no run; returns what it logged and its summary."""
    sensor = build_alert_sensor(Names(), station.settings.sources)
    resources = {"telemetry": TelemetryResource(station.settings, clock=lambda: NOW)}
    listener = Listener()
    with dg.build_sensor_context(resources=resources) as context:
        context.log.addHandler(listener)
        result = sensor.evaluate_tick(context)
    return listener.lines, str(result.skip_message)


def settled(station: Station) -> list[tuple[str, int, str]]:
    """Guardrail, revision and settlement of every alert in the store, in the order in which they were stored."""
    with closing(sqlite3.connect(station.folder / "quality.db")) as connection:
        return connection.execute("SELECT guardrail, revision, settlement FROM alert ORDER BY sequence").fetchall()


def test_each_alert_is_logged_once_at_its_own_level(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100, errors=51)
    station.write_day(FIRST_DAY + timedelta(days=1), service_version=None)
    station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=2))
    lines, summary = tick(station)
    assert {(level, line.split(" [")[0]) for level, line in lines} == {
        (logging.CRITICAL, "CRITICAL web 2026-02-01 error_rate"),
        (logging.WARNING, "WARNING web 2026-02-02 missing_version"),
        (logging.WARNING, "WARNING web 2026-02-02 sample"),
    }
    assert summary == (
        "3 alerts logged: web 2026-02-01 error_rate; web 2026-02-02 missing_version; web 2026-02-02 sample."
    )
    assert tick(station) == ([], "No new alerts.")


def test_alerts_of_a_process_without_dagster_are_logged_too(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, errors=40)
    list(station.work.read([FIRST_DAY], NOW))
    list(station.work.judge([FIRST_DAY], NOW))
    lines, summary = tick(station)
    assert [line.split(" [")[0] for _, line in lines] == ["CRITICAL web 2026-02-01 error_rate"]
    assert summary == "1 alert logged: web 2026-02-01 error_rate."


def test_running_a_bad_day_again_unchanged_logs_nothing_new_and_late_events_do(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, errors=40)
    counts = []
    for has_late_event in (False, False, True):
        if has_late_event:
            station.add_late_event(FIRST_DAY)
        station.run(instance, FIRST_DAY)
        counts.append([line for _, line in tick(station)[0]])
    assert [len(lines) for lines in counts] == [1, 0, 1]
    assert counts[2][0].endswith(
        "Since revision 1: 41 events instead of 40, 97.56 % errors instead of 100.00. (revision 2)"
    )


def test_rechecking_logs_only_what_new_thresholds_change(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY, events=100, errors=10)
    station.run(instance, FIRST_DAY)
    tick(station)
    logged = []
    for thresholds in ({"error_rate_percent": 6}, {"error_rate_percent": 20}, {"error_rate_percent": 7}):
        station.set_guardrails(**thresholds)
        station.run(instance, FIRST_DAY, job="recheck_day")
        logged.append([line.split("] ")[0] for _, line in tick(station)[0]])
    assert logged == [[], [], ["CRITICAL web 2026-02-01 error_rate [ERROR_RATE_HIGH"]]
    assert settled(station) == [
        ("error_rate", 1, "dispatched"),
        ("error_rate", 2, "repeated"),
        ("error_rate", 4, "dispatched"),
    ]


def test_alerts_of_a_muted_incident_are_stored_and_not_logged(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path)
    second = FIRST_DAY + timedelta(days=1)
    station.write_day(FIRST_DAY, errors=40)
    station.write_day(second, errors=40, service_version=None)
    station.run(instance, FIRST_DAY)
    tick(station)
    store = station.work.store
    (incident,) = incidents_of(store, "web")
    store.append_incident_action(incident.decide(Action.MUTE, "ada", NOW, muted_until=NOW.date()))
    station.run(instance, second)
    lines, _ = tick(station)

    assert not any("error_rate" in line for _, line in lines)
    assert ("error_rate", 1, "muted") in settled(station)


def test_an_unreadable_day_is_dispatched_once_as_critical_although_its_run_failed(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    station = make_station(tmp_path)
    station.file(FIRST_DAY).write_bytes(b"half")
    assert not station.run(instance, FIRST_DAY).success
    ((level, line),) = tick(station)[0]
    assert level == logging.CRITICAL
    assert "[DAY_UNREADABLE]" in line


def test_a_tick_that_cannot_read_the_store_fails_instead_of_saying_that_there_is_no_alert(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    (tmp_path / "quality.db").unlink()
    with pytest.raises(Exception, match="telemetry-quality migrate"):
        tick(station)


def test_alerts_that_do_not_fit_in_a_tick_are_left_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "ALERTS_PER_TICK", 2)
    station = make_station(tmp_path, days=0)
    days = [FIRST_DAY + timedelta(days=offset) for offset in range(3)]
    for day in days:
        station.write_day(day, errors=40)
    list(station.work.read(days, NOW))
    list(station.work.judge(days, NOW))
    logged = [[line.split(" ")[2] for _, line in tick(station)[0]] for _ in range(3)]
    assert logged == [["2026-02-01", "2026-02-02"], ["2026-02-03"], []]


def test_only_levels_dagster_can_show_are_used() -> None:
    assert set(PYTHON_LEVELS.values()) <= {logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO}
