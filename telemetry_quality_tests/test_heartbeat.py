"""Heartbeats against a real server, and against one that keeps silent."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.dagster import build_definitions
from telemetry_quality.errors import SettingsError
from telemetry_quality.heartbeat import Heartbeat
from telemetry_quality.settings import load_settings
from telemetry_quality_tests.commands.test_watching import MORNING
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station
from telemetry_quality_tests.test_cli import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    import dagster as dg

YESTERDAY = FIRST_DAY + timedelta(days=2)
SECRET = "c0ffee-secret"


@dataclass
class Service:
    """A server that notes what it is told.

    Attributes:
        told: The path and the body of each request.
        status: What it answers.
    """

    url: str = ""
    told: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200


@pytest.fixture
def service() -> Iterator[Service]:
    noted = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            noted.told.append((self.path, body))
            self.send_response(noted.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    noted.url = f"http://127.0.0.1:{server.server_address[1]}/{SECRET}"
    yield noted
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def _silent_server() -> Iterator[str]:
    """The URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"


def test_start_success_and_failure_are_told_as_healthchecks_expects(service: Service) -> None:
    beat = Heartbeat("web", f"{service.url}/telemetry-{{source}}/?create=1", 10)
    beat.start()
    beat.success("web 2026-02-03 was judged.")
    beat.fail("no")
    assert service.told == [
        (f"/{SECRET}/telemetry-web/start?create=1", ""),
        (f"/{SECRET}/telemetry-web?create=1", "web 2026-02-03 was judged."),
        (f"/{SECRET}/telemetry-web/fail?create=1", "no"),
    ]


def test_without_a_url_nothing_is_sent_and_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    Heartbeat("web", None, 10).success("judged")
    assert caplog.records == []


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"


def test_a_heartbeat_that_cannot_be_sent_is_one_line_without_its_secret(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.status = 404
    with _silent_server() as silent:
        for url in (service.url, _closed_port(), silent):
            Heartbeat("web", url, 0.2).success("judged")
    reasons = ["status 404", "ConnectionRefusedError", "no response within 0.2 seconds"]
    assert len(caplog.records) == len(reasons)
    for record, reason in zip(caplog.records, reasons, strict=True):
        assert record.levelno == logging.WARNING
        assert reason in record.getMessage()
        assert SECRET not in caplog.text
    assert SECRET not in repr(Heartbeat("web", service.url, 1))


@pytest.mark.parametrize(
    "url", ["ftp://example.org/c0ffee-secret", "c0ffee-secret", "https://", "http://[c0ffee-secret"]
)
def test_a_url_that_is_none_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    make_station(tmp_path)
    file = tmp_path / "telemetry.toml"
    file.write_text(file.read_text() + f'\n[heartbeat]\nurl = "{url}"\n')
    with pytest.raises(SettingsError, match=r"heartbeat\.url: must be an address such as https://") as error:
        load_settings(file)
    assert SECRET not in str(error.value)


@pytest.fixture
def station(tmp_path: Path, service: Service) -> Station:
    """Three days of which the last is yesterday."""
    make_station(tmp_path, roles=f'[heartbeat]\nurl = "{service.url}"\n')
    return Station(tmp_path, load_settings(tmp_path / "telemetry.toml"))


@pytest.fixture
def terminal(station: Station, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(station.folder)
    monkeypatch.setattr("telemetry_quality.commands.days.utc_now", lambda: MORNING)
    return Terminal(station.folder, capsys)


@pytest.mark.parametrize("arguments", [["snapshot", "yesterday"], ["backfill", "2026-02-01", "2026-02-03"]])
def test_a_command_that_judges_yesterday_tells_so(terminal: Terminal, service: Service, arguments: list[str]) -> None:
    terminal.type(*arguments)
    assert service.told == [(f"/{SECRET}/start", ""), (f"/{SECRET}", "web 2026-02-03 was judged: healthy.")]


def test_a_command_that_judges_only_earlier_days_tells_nothing(terminal: Terminal, service: Service) -> None:
    terminal.type("backfill", "2026-02-01", "2026-02-02")
    assert service.told == []


def test_an_unreadable_yesterday_and_a_lost_store_are_told_as_failures(
    terminal: Terminal, station: Station, service: Service
) -> None:
    station.file(YESTERDAY).write_bytes(b"half a file")
    terminal.type("snapshot", "yesterday")
    (station.folder / "quality.db").unlink()
    terminal.type("snapshot", "yesterday")
    failures = [body for path, body in service.told if path.endswith("/fail")]
    assert len(failures) == 2
    assert failures[0].startswith("web 2026-02-03 could not be read: ")
    assert failures[1] == "web 2026-02-03: StoreError."


def test_a_service_that_refuses_does_not_fail_the_command(terminal: Terminal, service: Service) -> None:
    service.status = 500
    code, _, err = terminal.type("snapshot", "yesterday")
    assert code == 0
    assert SECRET not in err


def _daily_run(station: Station, instance: dg.DagsterInstance, day: date) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(station.settings, name_prefix="", clock=lambda: MORNING)
    job = definitions.resolve_job_def("web_materialize_day")
    return job.execute_in_process(instance=instance, partition_key=day.isoformat(), raise_on_error=False)


def test_a_daily_run_of_dagster_tells_its_start_and_its_success_and_runs_of_earlier_days_tell_nothing(
    station: Station, service: Service, instance: dg.DagsterInstance
) -> None:
    assert _daily_run(station, instance, FIRST_DAY).success
    assert service.told == []
    result = _daily_run(station, instance, YESTERDAY)
    assert result.success
    assert service.told == [
        (f"/{SECRET}/start", ""),
        (f"/{SECRET}", f"web 2026-02-03 was judged by run {result.run_id}."),
    ]


def test_a_daily_run_of_dagster_that_could_not_read_yesterday_tells_its_failure(
    station: Station, service: Service, instance: dg.DagsterInstance
) -> None:
    station.file(YESTERDAY).write_bytes(b"half a file")
    result = _daily_run(station, instance, YESTERDAY)
    assert not result.success
    assert [path for path, _ in service.told] == [f"/{SECRET}/start", f"/{SECRET}/fail"]
    assert service.told[-1][1] == f"web 2026-02-03: run {result.run_id} failed (Failure)."
