"""The command ``report``: the file that it writes, and what it says where it cannot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.commands.test_incidents import SETTINGS
from telemetry_quality_tests.commands.test_marks import MarkTerminal
from telemetry_quality_tests.core.messages.post import PostOffice, failed
from telemetry_quality_tests.reports.test_report import day_ago

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[MarkTerminal]:
    """Two days of a data set that ended with them, on the second of which a guardrail failed."""
    settings = SETTINGS.format(name="web")
    (tmp_path / "telemetry.toml").write_text(settings.replace("first_day = 2026-02-01", f"first_day = {day_ago(1)}"))
    monkeypatch.chdir(tmp_path)
    office = PostOffice(tmp_path)
    office.judge(day_ago(1))
    office.judge(day_ago(0), failed())
    yield MarkTerminal(tmp_path, office.store, capsys)
    office.store.close()


def test_the_report_is_one_file_and_a_sentence_says_what_is_in_it(terminal: MarkTerminal, tmp_path: Path) -> None:
    code, out, _ = terminal.type(command="report")
    assert (code, out) == (0, "Wrote report.html: 1 source, 2026-03-09 to 2026-03-10, 1 incident.\n")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "The latest day cannot be trusted." in text


def test_days_file_and_source_can_be_chosen_and_programs_get_json(terminal: MarkTerminal, tmp_path: Path) -> None:
    _, out, _ = terminal.type("--last", "1", "-o", "web.html", "--source", "web", "--json", command="report")
    assert json.loads(out) == {"file": "web.html", "sources": 1, "untrusted_sources": 1, "incidents": 1}
    assert "Days: 2026-03-10 to 2026-03-10." in (tmp_path / "web.html").read_text(encoding="utf-8")
    _, out, _ = terminal.type("-o", "-", command="report")
    assert out.startswith("<!doctype html>")


def test_a_file_that_cannot_be_written_is_named_in_a_sentence(terminal: MarkTerminal) -> None:
    code, _, err = terminal.type("--output", "missing/report.html", command="report")
    assert code == 2
    assert err == (
        "Error: --output requires a file that can be written, but missing/report.html cannot be "
        "(No such file or directory); name another.\n"
    )
