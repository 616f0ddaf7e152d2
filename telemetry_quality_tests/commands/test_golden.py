"""What every command says on a terminal of 80 or 140 columns and to a file is compared with the files in ``golden``.

``UPDATE_GOLDEN=1 pytest telemetry_quality_tests/commands/test_golden.py`` rewrites them; read what has changed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from rich.cells import cell_len

from telemetry_quality import assembly, cli
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality_tests.builders import FakeSource, make_events, make_store, make_work, write_parquet
from telemetry_quality_tests.commands.screen import Screen
from telemetry_quality_tests.commands.test_tune import FIRST_DAY, noisy_day

GOLDEN = Path(__file__).with_name("golden")
DAYS = 40
LAST = FIRST_DAY + timedelta(days=DAYS)
NOW = datetime.fromisoformat("2026-02-11T06:00:00Z")
LONG = "checkout_of_the_european_mobile_team"

SETTINGS = """
store = "sqlite:///quality.db"

[alerts.team]
url = "json://127.0.0.1:9"
"""
SOURCE = f"""
[sources.{{name}}]
connector = "parquet"
path = "events"
first_day = {{first}}
last_day = {LAST}
intraday = true

[sources.{{name}}.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"
"""

TYPED = [
    "init --config new.toml --preset opentelemetry",
    f"check --source web --day {LAST}",
    f"count {LAST} --source web",
    "migrate",
    f"snapshot {LAST} --source web",
    f"backfill {LAST - timedelta(days=1)} {LAST} --source {LONG}",
    "health --days 4",
    "health --days 4 --format csv",
    "health --max-age 26h",
    "now",
    "incidents",
    "incidents --format csv",
    "incidents show web/2026-02-10",
    "incidents acknowledge web/2026-02-10 --by ada",
    "incidents assign web/2026-02-10 --to grace --by ada",
    "incidents comment web/2026-02-10 --by ada --note 'the new client is rolled out in [bold] steps'",
    "incidents mute web/2026-02-10 --until 2026-02-20 --by ada",
    "incidents dismiss web/2026-02-10 --by ada",
    "incidents confirm web/2026-02-10 --by ada",
    "incidents accept web/2026-02-10 --by ada --note [bold]intended",
    "incidents show web/2026-02-10",
    f"days --first {LAST - timedelta(days=2)}",
    f"days mark {LAST} --bad --by ada --note 'the collector restarted twice, and half of what it held was lost'",
    f"days mark {LAST} --bad --by ada --source web --note 'the collector restarted and lost half of what it held'",
    "days list",
    f"days unmark {LAST} --by ada --source web",
    "training-days --first 2026-02-09",
    "forecast web --days 2",
    "tune --source web",
    "alerts dispatch",
    "alerts test nobody",
    "alerts log",
    "staff list",
    "staff add grace@example.org --oidc --role operator",
    "staff role ada@example.org viewer",
    "staff disable ada@example.org",
    "staff reset ada@example.org --oidc",
    "staff list",
    "staff sign-ins",
    "staff log",
    "staff token add grace@example.org --label 'the nightly export of the warehouse team'",
    "staff token list",
    "staff token revoke 1",
    "verify",
    "backup store.backup",
    "restore store.backup --config new.toml",
    "prune-dagster",
    "nonsense",
]
DIGEST = r"(?<=sign_in=0:)[0-9a-f]+(?:\n[0-9a-f]{20,})?"
"""That of an anchor: samples depend on the machine, and so do the chains that hold them."""

PROGRESS = r"\r?(?:Reading|Judging|Trying thresholds)[^\r\n]*"
ELSEWHERE = {"completion", "demo", "dashboard", "report"}
"""The commands that serve until they are interrupted, or write a page or a script; their own tests type them."""


class Clock(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return NOW.astimezone(tz)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty scanned days, of which the last ten are judged, and two days of events with an ugly name."""
    folder = tmp_path_factory.mktemp("golden")
    sources = SOURCE.format(name="web", first=FIRST_DAY), SOURCE.format(name=LONG, first=LAST - timedelta(days=1))
    (folder / "telemetry.toml").write_text(SETTINGS + "".join(sources))
    (folder / "telemetry.toml").chmod(0o600)
    days = [FIRST_DAY + timedelta(days=n) for n in range(DAYS)]
    source = FakeSource({day: noisy_day(day, 10 + day.day % 14) for day in days})
    work = make_work(folder, source, store=make_store(folder))
    list(work.read(days, NOW))
    list(work.judge(days[-10:], NOW))
    for day in (LAST - timedelta(days=1), LAST):
        events = make_events(1_000, day)
        for number, event in enumerate(events):
            event["is_error"] = number < 150
            event["event_name"] = "checkout.[bold]\x1b[2J" if number < 200 else "page.view"
        write_parquet(folder / "events" / f"day={day}" / "events.parquet", events)
    staff = StaffStore(f"sqlite:///{folder / 'quality.db'}")
    staff.add_account("ada@example.org", None, NOW)
    staff.close()
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(assembly, "datetime", Clock)
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path


def typed(monkeypatch: pytest.MonkeyPatch, line: str, columns: int | None) -> str:
    """What a command writes, on a terminal with these columns or to a file, without what differs from run to run."""
    screens = [Screen(is_terminal=columns is not None) for _ in range(2)]
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", screens[0])
        patched.setattr(sys, "stderr", screens[1])
        patched.setenv("COLUMNS", str(columns or 80))
        with pytest.raises(SystemExit):
            cli.main(shlex.split(line))
    said, errors = (screen.text() for screen in screens)
    errors = re.sub(PROGRESS, "", errors)
    errors = "".join(f"{line}\n" for line in errors.splitlines() if line)
    return re.sub(DIGEST, "digest", re.sub(r"\btq_[\w-]+", "tq_secret", said + errors))


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 140, None])
def test_every_command_says_what_it_said_and_nothing_is_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch, columns: int | None
) -> None:
    said = [(line, typed(monkeypatch, line, columns)) for line in TYPED]
    text = "\n".join(f"$ telemetry-quality {line}\n{shown}" for line, shown in said)
    golden = GOLDEN / f"{columns or 'piped'}.txt"
    if "UPDATE_GOLDEN" in os.environ:
        golden.write_text(text)
    assert text == golden.read_text()
    for line, shown in said:
        assert "…" not in shown, line
        if columns is not None and "csv" not in line:
            assert max(map(cell_len, shown.splitlines()), default=0) <= columns, line


def commands_of(group: click.Group, before: str = "") -> dict[str, click.Command]:
    """Every command by what a user types, including commands of groups: ``incidents``, ``incidents show``."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found[f"{before}{name}"] = command
        if isinstance(command, click.Group):
            found |= commands_of(command, f"{before}{name} ")
    return found


def test_every_command_is_typed() -> None:
    leaves = {
        name
        for name, command in commands_of(cli.cli).items()
        if not isinstance(command, click.Group) or command.invoke_without_command
    }
    lines = [f"{line} " for line in TYPED]
    typed_names = {name for name in leaves if any(line.startswith(f"{name} ") for line in lines)}
    assert typed_names == leaves - ELSEWHERE
