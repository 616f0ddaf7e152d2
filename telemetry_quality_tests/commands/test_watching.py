"""Gaps in the store, clocks that are wrong, and the one line that a monitor reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.commands import days, health, watching
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station
from telemetry_quality_tests.test_cli import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MORNING = datetime(2026, 2, 4, 6, tzinfo=UTC)
"""Three days are over; the last one ended six hours ago."""


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return make_station(tmp_path)


@pytest.fixture
def terminal(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(station.folder, capsys)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def set_clock(now: datetime) -> None:
        for module in (days, health, watching):
            monkeypatch.setattr(module, "utc_now", lambda: now)

    set_clock(MORNING)
    return set_clock


@pytest.mark.usefixtures("set_clock")
def test_health_says_which_days_are_missing_and_the_command_it_names_makes_them(terminal: Terminal) -> None:
    terminal.type("snapshot", "2026-02-02")
    _, shown, _ = terminal.type("health", "--days", "3")
    assert "! web: 2 days have no snapshot (2026-02-01, 2026-02-03); run telemetry-quality backfill --missing" in shown
    (gap,) = terminal.json("health")[1]["gaps"]
    assert gap["missing_days"] == 2

    code, made = terminal.json(*gap["command"].split()[1:])

    assert code == 0
    assert [day["day"] for day in made["days"]] == ["2026-02-01", "2026-02-03"]
    assert terminal.json("health")[1]["gaps"] == []
    assert terminal.type("backfill", "--missing")[:2] == (0, "No day is missing.\n")
    assert terminal.json("backfill", "--missing") == (0, {"days": []})


@pytest.mark.parametrize(
    "arguments",
    [
        ["backfill"],
        ["backfill", "2026-02-01"],
        ["backfill", "--missing", "2026-02-01", "2026-02-02"],
        ["health", "--max-age", "26h", "--days", "3"],
        ["health", "--max-age", "0h"],
        ["health", "--max-age", "26"],
        ["health", "--max-age", "-1h"],
    ],
)
def test_what_cannot_be_meant_is_refused(terminal: Terminal, arguments: list[str]) -> None:
    code, _, err = terminal.type(*arguments)
    assert code == 2
    assert err.startswith("Error: ")


@pytest.mark.parametrize("command", [["snapshot"], ["backfill", "2026-02-03"]])
def test_a_day_later_than_the_clock_s_yesterday_is_refused_and_not_stored_as_empty(
    terminal: Terminal, station: Station, set_clock: Callable[[datetime], None], command: list[str]
) -> None:
    set_clock(MORNING - timedelta(days=1))
    code, _, err = terminal.type(*command, "2026-02-03")
    assert code == 2
    assert "A complete day from 2026-02-01 to 2026-02-02 is required, but 2026-02-03 was asked for" in err
    assert station.work.store.judged_days("web") == []


def test_days_stored_while_the_clock_was_400_days_ahead_are_said_and_read_again_once_they_are_over(
    terminal: Terminal, station: Station, set_clock: Callable[[datetime], None]
) -> None:
    ahead = MORNING + timedelta(days=400)
    set_clock(ahead)
    terminal.type("snapshot", "yesterday")
    set_clock(MORNING)
    terminal.type("backfill", "--missing")

    (gap,) = terminal.json("health")[1]["gaps"]
    assert gap["future_days"] == ["2027-03-10"]
    assert "set the clock right if it is behind" in terminal.type("health")[1]
    code, line, _ = terminal.type("health", "--max-age", "26h")
    assert (code, line.startswith("CRITICAL - web: the store must end at 2026-02-03")) == (2, True)

    # The day has come, with events: what was stored as empty is one revision of it.
    day = FIRST_DAY + timedelta(days=402)
    station.write_day(day)
    assert station.work.changed_days([day], ahead) == [day]
    set_clock(ahead)
    terminal.type("snapshot", "yesterday")
    (snapshot,) = station.work.store.snapshots("web", day, day)
    assert (snapshot.revision, snapshot.total_events) == (2, 40)


@pytest.mark.parametrize(
    ("max_age", "code", "word"), [("7h", 0, "OK"), ("6h", 0, "OK"), ("359m", 2, "CRITICAL"), ("5h", 2, "CRITICAL")]
)
@pytest.mark.usefixtures("set_clock")
def test_the_newest_day_may_have_ended_so_long_ago_and_no_longer(
    terminal: Terminal, max_age: str, code: int, word: str
) -> None:
    terminal.type("backfill", "--missing")
    found, line, _ = terminal.type("health", "--max-age", max_age)
    assert found == code
    assert re.fullmatch(rf"{word} - web: the newest day is 2026-02-03, which ended 6.0 hours ago.*\n", line)
    answer, shown = terminal.json("health", "--max-age", max_age)
    assert answer == code
    assert (shown["state"], shown["sources"][0]["newest_day"]) == (word, "2026-02-03")
    assert shown["sources"][0]["age_seconds"] == 6 * 3600


@pytest.mark.usefixtures("set_clock")
def test_a_store_without_days_is_critical_and_one_with_gaps_is_a_warning(terminal: Terminal) -> None:
    assert terminal.type("health", "--max-age", "2d")[:2] == (2, "CRITICAL - web: no day has been judged.\n")
    terminal.type("snapshot", "2026-02-03")
    code, line, _ = terminal.type("health", "--max-age", "2d")
    assert code == 1
    assert line.startswith("WARNING - web: 2 days have no snapshot")


@pytest.mark.usefixtures("set_clock")
def test_a_newest_day_that_could_not_be_read_is_a_warning(terminal: Terminal, station: Station) -> None:
    station.file(FIRST_DAY + timedelta(days=2)).write_bytes(b"half a file")
    terminal.type("backfill", "--missing")
    code, line, _ = terminal.type("health", "--max-age", "2d")
    assert code == 1
    assert "2026-02-03, which ended 6.0 hours ago, but it could not be read (" in line


@pytest.mark.usefixtures("set_clock")
def test_what_cannot_be_asked_is_unknown_and_not_critical(terminal: Terminal, station: Station) -> None:
    (station.folder / "quality.db").unlink()
    code, line, err = terminal.type("health", "--max-age", "26h")
    assert (code, err) == (3, "")
    assert line.startswith("UNKNOWN - ")
    assert terminal.json("health", "--max-age", "26h")[1]["state"] == "UNKNOWN"
    assert terminal.type("health", "--max-age", "26h", "--source", "app")[0] == 3


def test_a_data_set_that_has_ended_is_as_old_as_it_is(
    tmp_path: Path, terminal: Terminal, set_clock: Callable[[datetime], None]
) -> None:
    make_station(tmp_path, extra="last_day = 2026-02-03")
    terminal.type("backfill", "--missing")
    set_clock(MORNING + timedelta(days=100))
    assert terminal.type("health", "--max-age", "26h")[0] == 0


@pytest.mark.parametrize(("good", "code"), [("web", 2), ("app", 0)])
@pytest.mark.usefixtures("set_clock")
def test_the_worst_of_several_sources_counts_unless_one_is_named(
    terminal: Terminal, station: Station, good: str, code: int
) -> None:
    file = station.folder / "telemetry.toml"
    text = file.read_text()
    file.write_text(text + text.partition("\n\n")[2].replace("[sources.web", "[sources.app"))
    terminal.type("backfill", "--missing", "--source", "app")
    arguments = ["--source", "app"] if good == "app" else []
    assert terminal.type("health", "--max-age", "26h", *arguments)[0] == code
