"""The command ``now``: the hours of the running day, provisional, and never healthy."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.commands import now as command
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.orchestration.station import Station, make_station
from telemetry_quality_tests.test_cli import Terminal

if TYPE_CHECKING:
    from pathlib import Path

TODAY = NOW.date()


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Station:
    """A station with 30 days of twenty events an hour, and a running day with an outage from eight o'clock on."""
    station = make_station(tmp_path, days=0, extra="intraday = true")
    days = [TODAY - timedelta(days=number) for number in range(30, 0, -1)]
    for day in days:
        station.write_day(day, events=480)
    list(station.work.read(days, NOW))
    list(station.work.judge(days, NOW))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "utc_now", lambda: NOW)
    return station


@pytest.fixture
def terminal(station: Station, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(station.folder, capsys)


def test_the_hours_are_shown_against_what_is_expected(station: Station, terminal: Terminal) -> None:
    station.write_day(TODAY, events=480)
    code, shown, _ = terminal.type("now")
    lines = shown.splitlines()
    assert lines[0] == "web 2026-06-01, running, 11 hours to 11:00 (provisional): · nothing failed so far"
    assert lines[1].split() == ["hour", "events", "expected", "errors"]
    assert lines[12].split()[:2] == ["10:00", "20"]
    assert "to" in lines[12]
    assert lines[13].split()[0] == "11:00"
    assert len(lines) == 26
    assert code == 0
    assert "healthy" not in shown


def test_an_outage_is_named_logged_once_and_the_exit_code_says_so(
    station: Station, terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    station.write_day(TODAY, events=480)
    station.cut(TODAY, 8, 11)
    code, shown, _ = terminal.type("now")
    assert code == 1
    assert "✗ 1 guardrail fails so far" in shown
    assert "  ✗ missing_hours WARNING: 0 events between 08:00 and 11:00, about 60 are usual" in shown
    (alert,) = caplog.messages
    assert "0 events between 08:00 and 11:00, about 60 are usual" in alert
    _, document, _ = terminal.type("now", "--json")
    (day,) = json.loads(document)["running_days"]
    assert (day["state"], [failure["guardrail"] for failure in day["failures"]]) == ("failing", ["missing_hours"])
    assert len(caplog.messages) == 1, "an alert is logged once"


def test_what_cannot_be_read_is_unknown(station: Station, terminal: Terminal) -> None:
    station.file(TODAY).parent.mkdir(parents=True)
    station.file(TODAY).write_bytes(b"PAR1 this is no Parquet file PAR1")
    code, shown, _ = terminal.type("now")
    assert code == 2
    assert "? the last hour could not be read" in shown


def test_a_source_without_intraday_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(make_station(tmp_path, days=0).folder, capsys)
    for arguments in ((), ("--source", "web")):
        code, _, log = terminal.type("now", *arguments, "--config", str(tmp_path / "telemetry.toml"))
        assert code == 2
        assert "must have intraday = true" in log


@pytest.mark.slow
def test_watch_goes_on_until_it_is_interrupted(tmp_path: Path) -> None:
    make_station(tmp_path, days=1, extra="intraday = true")
    arguments = [sys.executable, "-m", "telemetry_quality", "now", "--watch"]
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("web ")
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Interrupted" in log
