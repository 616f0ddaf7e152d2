"""A third-party package provides a kind of channel: its settings are validated, and it sends like a built-in one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from telemetry_quality import load_settings
from telemetry_quality.errors import SettingsError
from telemetry_quality.extensions import NOTIFIERS
from telemetry_quality.notifiers import notifier_names
from telemetry_quality_tests.builders import migrated_store
from telemetry_quality_tests.orchestration.station import SETTINGS
from telemetry_quality_tests.packages import (
    CHANNEL_SETTINGS,
    installed,
    write_package,
    write_the_channel_s_package,
)
from telemetry_quality_tests.test_extensions import type_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


GREEDY = """
from telemetry_quality.notifiers import Notifier, NotifierSettings

class Greedy(NotifierSettings):
    owners: str

NOTIFIER = Notifier(Greedy, print)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with settings, a store and the package of the page, in which commands are typed."""
    packages = tmp_path / "packages"
    packages.mkdir()
    monkeypatch.chdir(tmp_path)
    migrated_store(tmp_path / "quality.db")
    write_settings(tmp_path)
    with installed(packages):
        write_the_channel_s_package(packages)
        yield tmp_path


def write_settings(folder: Path, find: str = "", replace: str = "") -> None:
    text = SETTINGS.format(extra="") + CHANNEL_SETTINGS.replace(find, replace)
    (folder / "telemetry.toml").write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_a_channel_of_another_package_sends_and_is_checked_before(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert notifier_names() == ("apprise", "webhook", "spool")
    code, out, _ = type_command(capsys, "alerts", "test", "pager")
    assert (code, out) == (
        1,
        "The test message to pager was not accepted: folder must be an existing folder, but it is not; create it.\n",
    )
    (folder / "messages").mkdir()
    assert type_command(capsys, "alerts", "test", "pager")[0] == 0
    (file,) = (folder / "messages").glob("*.json")
    message = json.loads(file.read_text())
    assert (message["kind"], message["channel"], message["title"]) == ("test", "pager", "Test of the channel pager")
    rows = json.loads(type_command(capsys, "alerts", "log", "--json")[1])["deliveries"]
    assert [(row["outcome"], row["channel"]) for row in rows] == [("sent", "pager"), ("failed", "pager")]


@pytest.mark.parametrize(
    ("find", "replace", "words"),
    [
        ("folder =", "foldr =", "alerts.pager.foldr is not a setting; allowed here are kind, folder, sources"),
        ('folder = "messages"\n', "", "alerts.pager: a channel of the kind 'spool' requires folder."),
        (
            '"spool"',
            '"pigeon"',
            "alerts.pager.kind: should be 'apprise' or 'webhook' or 'spool', but 'pigeon' was found.",
        ),
    ],
)
def test_its_settings_are_validated_like_any_other(folder: Path, find: str, replace: str, words: str) -> None:
    write_settings(folder, find, replace)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NOTIFIER = 1", "must be of type telemetry_quality.notifiers.Notifier, but is of type int"),
        ("import nothing_like_it", "must load, but failed with ModuleNotFoundError"),
        (
            GREEDY,
            "must not reuse keys that every channel has, but declares owners",
        ),
    ],
)
def test_a_notifier_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    entry_points = {NOTIFIERS: {"spool": "telemetry_odd:NOTIFIER"}}
    with installed(packages):
        write_package(packages, "telemetry-odd", {"telemetry_odd.py": text}, entry_points)
        write_settings(tmp_path)
        with pytest.raises(SettingsError, match="spool") as refused:
            load_settings(tmp_path / "telemetry.toml")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
