"""The command ``dashboard`` refuses in one sentence what cannot be served."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from telemetry_quality import cli
from telemetry_quality.commands import dashboard as command
from telemetry_quality.dashboard import server
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.dashboard.test_server import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the store in the settings of this folder; the store does not exist yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "telemetry.toml").write_text(SETTINGS)
    return f"sqlite:///{tmp_path / 'quality.db'}"


def refused(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that ``telemetry-quality dashboard ARGUMENTS`` fails with."""
    with pytest.raises(SystemExit) as stop:
        cli.main(["dashboard", *arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.err.count("\n") == 1, captured.err
    assert not captured.out
    return captured.err


@pytest.mark.usefixtures("store")
def test_a_missing_store_is_reported_with_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert "must exist, but does not; run telemetry-quality migrate." in refused(capsys=capsys)


def test_a_store_that_is_too_old_is_reported_with_the_remedy(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate(store)
    with closing(sqlite3.connect(tmp_path / "quality.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert "but has 0001; run telemetry-quality migrate." in refused(capsys=capsys)


def test_a_port_that_is_taken_is_reported_with_the_remedy(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    migrate(store)
    with server.listen("127.0.0.1", 0) as taken:
        sentence = refused("--port", str(taken.getsockname()[1]), capsys=capsys)
    assert "choose another port with --port." in sentence


@pytest.mark.usefixtures("store")
def test_the_missing_extra_is_reported_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert 'requires the extra "dashboard"' in refused(capsys=capsys)


@pytest.mark.parametrize("port", ["0", "65536", "web"])
@pytest.mark.usefixtures("store")
def test_an_invalid_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--port" in refused("--port", port, capsys=capsys)


def test_only_accounts_that_may_sign_in_are_counted(store: str) -> None:
    migrate(store)
    staff = StaffStore(store)
    for name in ("ada", "grace", "linus"):
        staff.add_account(name, None, NOW)
    staff.disable("linus", NOW)
    staff.close()
    assert command._active_accounts(store) == 2


@pytest.mark.parametrize(
    ("accounts", "words"),
    [
        (0, "nobody has an account yet: run telemetry-quality staff add NAME"),
        (1, "1 account can sign in"),
        (2, "2 accounts can sign in"),
    ],
)
def test_the_greeting_says_how_to_sign_in(accounts: int, words: str) -> None:
    assert words in command._greeting("http://127.0.0.1:3001/health/", accounts)


@pytest.mark.usefixtures("store")
def test_machines_get_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["dashboard", "--json"])
    assert "telemetry-quality migrate" in json.loads(capsys.readouterr().out)["error"]["sentence"]
