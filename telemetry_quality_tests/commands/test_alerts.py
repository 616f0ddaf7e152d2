"""The command ``alerts``: what a killed process left behind is dispatched, once."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality import cli, load_settings
from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality_tests.builders import make_store
from telemetry_quality_tests.commands.test_incidents import SETTINGS, failed, judge
from telemetry_quality_tests.dashboard.desk import Desk
from telemetry_quality_tests.notifications.receivers import PATH_SECRET, WEBHOOK_SECRET, WebReceiver, web_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.storage.store import SqlQualityStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlQualityStore]:
    """The store of a source whose first day failed in two ways, in the current folder."""
    other = SETTINGS.format(name="app").partition("\n\n")[2]
    (tmp_path / "telemetry.toml").write_text(SETTINGS.format(name="web") + other)
    monkeypatch.chdir(tmp_path)
    store = make_store(tmp_path)
    judge(store, 1, failed(), failed("missing_version"))
    yield store
    store.close()


def dispatch(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        cli.main(["alerts", "dispatch", *arguments])
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("store")
def test_pending_alerts_are_logged_once_at_their_level(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert dispatch(capsys) == "2 alerts dispatched.\n"
    assert {(name, level) for name, level, _ in caplog.record_tuples} == {
        ("telemetry_quality.alerts", logging.CRITICAL)
    }
    assert [line.split()[3] for line in caplog.messages] == ["error_rate", "missing_version"]

    assert json.loads(dispatch(capsys, "--json")) == {"dispatched": 0}
    assert len(caplog.messages) == 2


def test_alerts_of_all_sources_are_dispatched_or_of_the_one_named(
    store: SqlQualityStore, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(store, 1, failed(), source="app")

    assert dispatch(capsys, "--source", "app") == "1 alert dispatched.\n"
    assert dispatch(capsys) == "2 alerts dispatched.\n"


# Messages on channels of the settings


APPRISE_SECRET = "apprise-token-secret"
SECRETS = (PATH_SECRET, WEBHOOK_SECRET, WEBHOOK_SECRET.removeprefix("whsec_"), APPRISE_SECRET)


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as found:
        yield found


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


def add_channels(folder: Path, receiver: WebReceiver, more: str = "") -> None:
    file = folder / "telemetry.toml"
    channel = f'\n[alerts.team]\nwebhook = "{receiver.url}"\nsecret = "{WEBHOOK_SECRET}"\n{more}'
    file.write_text(file.read_text() + channel)


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_dispatching_sends_messages_that_are_due_and_says_what_was_done(
    tmp_path: Path, receiver: WebReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    add_channels(tmp_path, receiver)
    receiver.requests.clear()
    # The days were judged long ago.
    assert json.loads(run(capsys, "alerts", "dispatch", "--json")[1])["messages"] == {
        "sent": 0,
        "failures": [],
        "waiting": 0,
    }
    judge(open_store(load_settings()), 2, failed(), now=utc_now() - timedelta(hours=1))
    assert run(capsys, "alerts", "dispatch")[1] == "1 alert dispatched.\n1 message sent.\n"
    assert run(capsys, "alerts", "dispatch")[1] == "0 alerts dispatched.\nNo message sent.\n"
    (key,) = receiver.keys()
    rows = json.loads(run(capsys, "alerts", "log", "--channel", "team", "--json")[1])["deliveries"]
    assert [(row["outcome"], row["key"]) for row in rows] == [("sent", key), ("claimed", key)]
    assert "✓ sent" in run(capsys, "alerts", "log")[1]


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_a_message_about_a_day_just_judged_waits_and_the_command_says_how_to_send_it_at_once(
    tmp_path: Path, receiver: WebReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    add_channels(tmp_path, receiver)
    judge(open_store(load_settings()), 2, failed(), now=utc_now())
    hint = "To wait for no other source: telemetry-quality alerts dispatch --now\n"
    said = run(capsys, "alerts", "dispatch")[1]
    assert said == f"3 alerts dispatched.\nNo message sent, 1 incident waits for its message.\n{hint}"
    assert run(capsys, "alerts", "dispatch", "--now")[1] == "0 alerts dispatched.\n1 message sent.\n"


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_a_secret_of_a_channel_is_in_no_output_log_store_or_page(
    tmp_path: Path, receiver: WebReceiver, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    add_channels(tmp_path, receiver, f'[alerts.chat]\nurl = "slack://{APPRISE_SECRET}"\n')
    receiver.status = 500
    seen = []
    try:
        with caplog.at_level(logging.DEBUG):
            for arguments in (
                ("alerts", "test", "team"),
                ("alerts", "test", "chat"),
                ("alerts", "test", "chat", "--json"),
                ("alerts", "dispatch"),
                ("alerts", "log"),
                ("alerts", "log", "--json"),
                ("check", "--json"),
            ):
                code, out, error = run(capsys, *arguments)
                seen += [out, error]
                assert code in {0, 1, 2}
    finally:
        receiver.status = 200
    settings = load_settings()
    desk = Desk(tmp_path, settings, open_store(settings))
    try:
        seen += [desk.ask(path).text for path in ("/health/messages/", "/health/", "/api/health/summary/")]
    finally:
        desk.close()
    assert "The test message to team was not accepted: The receiver did not accept the message: status 500." in seen[0]
    assert "alerts.chat: url must be a URL that Apprise can read" in seen[-5]
    everything = "".join([*seen, caplog.text, repr(settings), str(settings)])
    everything += (tmp_path / "quality.db").read_bytes().decode(errors="replace")
    for secret in SECRETS:
        assert secret not in everything


@pytest.mark.usefixtures("store")
def test_a_channel_that_is_not_in_the_settings_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["test", "team"], ["log", "--channel", "team"]):
        code, _, error = run(capsys, "alerts", *command)
        assert code == 2
        assert error == (
            "Error: A channel of the settings is required (none, because the settings have no [alerts.NAME]), "
            "but 'team' was found.\n"
        )
    assert run(capsys, "alerts", "log")[1] == "No message has been sent yet.\n"
