"""The command ``forecast``: the coming days as a table, CSV and JSON, and what it says where it cannot."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.forecasts.making import keep_forecast
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality_tests.commands.test_incidents import SETTINGS
from telemetry_quality_tests.commands.test_marks import MarkTerminal
from telemetry_quality_tests.core.forecasts.streams import CALENDAR, FIRST, append_day, now_after, stored_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS = 65
LAST = FIRST + timedelta(days=DAYS - 1)


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[MarkTerminal]:
    settings = SETTINGS.format(name="web").replace("first_day = 2026-02-01", f'first_day = {FIRST}\ntime_zone = "UTC"')
    (tmp_path / "telemetry.toml").write_text(settings)
    monkeypatch.chdir(tmp_path)
    store = stored_stream(tmp_path, DAYS)
    yield MarkTerminal(tmp_path, store, capsys)
    store.close()


def test_the_table_shows_each_coming_day_with_its_interval(terminal: MarkTerminal) -> None:
    code, out, _ = terminal.type("web", command="forecast")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "web, from what is known up to 2026-03-10; 90 % of such days lie between low and high:"
    assert lines[1].split() == ["day", "events", "low", "high", "why"]
    assert [line.split()[:2] for line in (lines[2], lines[15])] == [["2026-03-11", "Wed"], ["2026-03-24", "Tue"]]
    assert len(lines) == 16


def test_csv_holds_the_same_days_and_hours_for_those_who_plan_capacity(terminal: MarkTerminal) -> None:
    _, out, _ = terminal.type("--days", "3", "--format", "csv", command="forecast")
    days = list(csv.DictReader(io.StringIO(out, newline="")))
    _, out, _ = terminal.type("--days", "3", "--hours", "--format", "csv", command="forecast")
    hours = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["day"] for row in days] == ["2026-03-11", "2026-03-12", "2026-03-13"]
    assert {(row["source"], row["made_on"]) for row in days} == {("web", "2026-03-10")}
    assert (len(hours), hours[25]["hour"], hours[25]["begins_at"]) == (72, "1", "2026-03-12T01:00:00+00:00")
    for row in days:
        total = sum(float(hour["events"]) for hour in hours if hour["day"] == row["day"])
        assert total == pytest.approx(float(row["events"]), rel=0.001)


def test_json_holds_hours_only_if_they_are_asked_for(terminal: MarkTerminal) -> None:
    code, out, _ = terminal.type("--days", "1", "--json", command="forecast")
    (made,) = json.loads(out)["forecasts"]
    assert (code, made["source"], made["interval_percent"], len(made["coming"])) == (0, "web", 90.0, 1)
    assert set(made["coming"][0]) == {"day", "events", "low", "high", "why"}
    _, out, _ = terminal.type("--days", "1", "--hours", "--format", "json", command="forecast")
    assert len(json.loads(out)["forecasts"][0]["coming"][0]["hours"]) == 24


def test_the_hours_are_in_the_table_if_they_are_asked_for(terminal: MarkTerminal) -> None:
    _, out, _ = terminal.type("--days", "1", "--hours", command="forecast")
    assert [line.split()[0] for line in out.splitlines()[3:]] == [f"{hour:02}:00" for hour in range(24)]


def test_a_history_that_is_too_short_is_unknown_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "telemetry.toml").write_text(SETTINGS.format(name="web"))
    monkeypatch.chdir(tmp_path)
    terminal = MarkTerminal(tmp_path, stored_stream(tmp_path, 10), capsys)
    code, out, err = terminal.type(command="forecast")
    assert (code, out) == (2, "")
    assert err == (
        "A forecast of web requires 28 days that can be learnt from, but fewer are known; "
        "if none is missing from now on, there will be one from 2026-03-29 on.\n"
    )
    code, out, _ = terminal.type("--json", command="forecast")
    assert (code, json.loads(out)["forecasts"][0]["known_from"]) == (2, "2026-03-29")


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--days", "29"), ("--format", "xml"), ("nowhere",)])
def test_a_mistake_is_one_sentence_and_exit_code_2(terminal: MarkTerminal, arguments: tuple[str, ...]) -> None:
    code, out, err = terminal.type(*arguments, command="forecast")
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


def test_health_says_how_right_earlier_forecasts_were(terminal: MarkTerminal) -> None:
    before = LAST - timedelta(days=5)
    assert "forecast days" not in terminal.type(command="health")[1]
    keep_forecast(terminal.store, "web", CALENDAR, policy_of(), now_after(before))
    append_day(terminal.store, LAST)
    assert "5 forecast days lay within their 90 % interval; they were off by" in terminal.type(command="health")[1]
    scored = json.loads(terminal.type("--json", command="health")[1])["forecasts"]["web"]
    assert (scored["days"], [ahead["days_ahead"] for ahead in scored["by_days_ahead"]]) == (5, [1, 2, 3, 4, 5])


def test_a_forecast_is_kept_whenever_a_day_is_judged_even_one_that_cannot_be_read(terminal: MarkTerminal) -> None:
    assert terminal.store.forecasts("web", LAST, LAST) == []
    terminal.type(str(LAST), command="snapshot")
    (kept,) = terminal.store.forecasts("web", LAST, LAST)
    assert len(kept.coming) == 14
