"""The command ``alerts``: what a killed process left behind is dispatched, once."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from telemetry_quality import cli
from telemetry_quality_tests.builders import make_store
from telemetry_quality_tests.commands.test_incidents import SETTINGS, failed, judge

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
