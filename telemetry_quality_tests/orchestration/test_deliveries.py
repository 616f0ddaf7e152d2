"""The delivery sensor: messages go out, and no receiver keeps a tick waiting."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.core.messages.delivery import Delivered
from telemetry_quality.errors import StoreError
from telemetry_quality.orchestration.deliveries import Courier, build_delivery_sensors
from telemetry_quality.orchestration.names import Names
from telemetry_quality.orchestration.resources import TelemetryResource
from telemetry_quality.settings import Settings, load_settings
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.notifications.receivers import WEBHOOK_SECRET, web_receiver
from telemetry_quality_tests.orchestration.station import FIRST_DAY, make_station

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

DONE = Delivered(1, (), 0)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def tick(settings: Settings, clock: Clock) -> str:
    (sensor,) = build_delivery_sensors(Names(), settings)
    with dg.build_sensor_context(resources={"telemetry": TelemetryResource(settings, clock=clock)}) as context:
        return str(sensor.evaluate_tick(context).skip_message)


@pytest.mark.slow
def test_a_tick_sends_what_is_due_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Enough for a process to start, however busy the machine is.
    monkeypatch.setattr("telemetry_quality.orchestration.deliveries.PATIENCE_SECONDS", 60.0)
    station, clock = make_station(tmp_path), Clock()
    station.write_day(FIRST_DAY, errors=40)
    list(station.work.read([FIRST_DAY], NOW))
    list(station.work.judge([FIRST_DAY], NOW))
    with web_receiver() as receiver:
        file = tmp_path / "telemetry.toml"
        channel = f'[alerts.team]\nwebhook = "{receiver.url}"\nsecret = "{WEBHOOK_SECRET}"\n'
        file.write_text(file.read_text() + channel)
        settings = load_settings(file)
        assert tick(settings, clock) == "No message sent, 1 incident waits for its message."
        clock.now += timedelta(hours=1)
        receiver.status = 500
        assert tick(settings, clock) == (
            "No message sent, 1 failed and will be sent again, 1 incident waits for its message."
        )
        receiver.status = 200
        clock.now += timedelta(hours=1)
        assert tick(settings, clock) == "1 message sent."
        assert tick(settings, clock) == "No message sent."
    assert len(receiver.keys()) == 2
    assert len(set(receiver.keys())) == 1


def test_without_channels_there_is_no_sensor(tmp_path: Path) -> None:
    settings = make_station(tmp_path, days=0).settings
    assert build_delivery_sensors(Names(), settings) == []


def test_a_receiver_that_hangs_keeps_no_tick_waiting_and_is_asked_once_at_a_time() -> None:
    courier, released, begun = Courier(), threading.Event(), []

    def hang() -> Delivered:
        begun.append(1)
        released.wait()
        return DONE

    assert courier.deliver(hang, 0.05) is None
    assert courier.deliver(hang, 60) is None, "the next tick does not even wait"
    assert len(begun) == 1
    released.set()
    for thread in threading.enumerate():
        if thread.name == "deliveries":
            thread.join()
    assert courier.deliver(hang, 60) == DONE


def test_a_store_that_fails_fails_the_tick_and_not_the_next_one(caplog: pytest.LogCaptureFixture) -> None:
    courier = Courier()

    def fail() -> Delivered:
        raise StoreError("The store is away.")

    with pytest.raises(StoreError, match="away"):
        courier.deliver(fail, 60)
    assert courier.deliver(lambda: DONE, 60) == DONE
    assert caplog.messages == ["Messages could not be delivered (StoreError); the next tick tries again."]
