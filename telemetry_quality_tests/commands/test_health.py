"""What ``health`` shows on terminals, to programs and again, and the command with which it ends."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

import click
import pytest

from telemetry_quality import load_settings
from telemetry_quality.assembly import daily_work
from telemetry_quality.commands import watching
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.test_cli import prepared, terminal

if TYPE_CHECKING:
    from telemetry_quality_tests.test_cli import Terminal

__all__ = ["prepared", "terminal"]


def test_watching_shows_days_again_only_when_something_has_changed_and_ends_with_their_exit_code(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = daily_work(load_settings(), "web")
    terminal.type("backfill", "2026-02-01", "2026-02-01")
    asleep = []

    def sleep(seconds: float) -> None:
        asleep.append(seconds)
        if len(asleep) == 2:
            list(work.read([date(2026, 2, 2)], NOW))
            list(work.judge([date(2026, 2, 2)], NOW))
        if len(asleep) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching, "sleep", sleep)
    code, out, _ = terminal.type("health", "--last", "2026-02-02", "--first", "2026-02-01", "--watch")

    assert asleep == [watching.WATCH_SECONDS] * 4
    assert re.findall(r"^web +2026-02-02 +(\S+ \w+)", out, re.MULTILINE) == ["? unknown", "✗ unhealthy"]
    assert code == 1


@pytest.mark.parametrize(
    ("judged", "broken", "command"),
    [
        ([1, 2, 3], [], "telemetry-quality incidents show web/2026-02-02"),
        ([1, 3], [], "telemetry-quality backfill --missing --source web"),
        ([1, 2, 3], [3], "telemetry-quality snapshot 2026-02-03 --source web"),
        ([1], [], "telemetry-quality health --watch"),
    ],
)
def test_health_ends_with_what_helps_the_newest_day_that_cannot_be_trusted(
    terminal: Terminal, judged: list[int], broken: list[int], command: str
) -> None:
    for day in broken:
        terminal.write_day(date(2026, 2, day)).write_bytes(b"half")
    for day in judged:
        terminal.type("snapshot", f"2026-02-0{day}")
    if judged == [1]:
        file = terminal.folder / "telemetry.toml"
        file.write_text(file.read_text().replace("last_day = 2026-02-03", "last_day = 2026-02-01"))
    assert terminal.type("health", "--days", "3")[1].splitlines()[-1] == f"Next: {command}"


def test_the_command_to_type_next_names_the_settings_that_were_named(terminal: Terminal) -> None:
    file = (terminal.folder / "telemetry.toml").rename(terminal.folder / "my settings.toml")
    last = terminal.type("health", "--days", "3", "--config", file.name)[1].splitlines()[-1]
    assert last == "Next: telemetry-quality backfill --missing --source web --config 'my settings.toml'"


def test_health_as_csv_has_the_numbers_of_the_json_and_the_guardrails_that_failed(terminal: Terminal) -> None:
    terminal.type("backfill", "2026-02-01", "2026-02-02")
    _, shown = terminal.json("health", "--days", "3")
    code, out, _ = terminal.type("health", "--days", "3", "--format", "csv")
    rows = list(csv.DictReader(out.splitlines()))
    assert code == 2
    assert [row["status"] for row in rows] == ["healthy", "unhealthy", "unknown"]
    assert [row["failed_guardrails"] for row in rows] == ["[]", '["error_rate"]', "[]"]
    assert rows[1]["error_rate_percent"] == str(shown["days"][1]["error_rate_percent"]) == "25.0"
    assert rows[2]["total_events"] == "", "unknown is not zero"
    assert json.loads(terminal.type("health", "--days", "3", "--format", "json")[1]) == shown


@pytest.mark.parametrize("wish", [["--json"], ["--format", "json"], ["--format=json"]])
def test_a_mistake_is_json_too_where_json_is_wished(terminal: Terminal, wish: list[str]) -> None:
    (terminal.folder / "quality.db").unlink()
    code, out, _ = terminal.type("health", *wish)
    assert (code, list(json.loads(out))) == (2, ["error"])


@pytest.mark.slow
def test_on_a_real_terminal_of_80_columns_no_line_is_longer(terminal: Terminal) -> None:
    terminal.type("backfill", "2026-02-01", "2026-02-02")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    command = [sys.executable, "-m", "telemetry_quality", "health", "--days", "3"]
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        # The terminal of a process that has ended cannot be read.
        with suppress(OSError):
            while part := os.read(ours, 65_536):
                said += part
    os.close(ours)
    lines = click.unstyle(said.decode()).splitlines()
    assert process.returncode == 2
    assert max(map(len, lines)) <= 80
    assert "web  2026-02-02  ✗ unhealthy" in lines
    assert lines[-1] == "Next: telemetry-quality backfill --missing --source web"
