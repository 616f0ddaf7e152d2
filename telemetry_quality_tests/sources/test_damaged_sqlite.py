"""A damaged SQLite file is reported and never read as a day with fewer events."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayAggregates, DayScan
from telemetry_quality.errors import SourceError
from telemetry_quality.sources import soundness
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality_tests.builders import DAY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WINDOW = day_window(DAY, ZoneInfo("UTC"))
PAGE = 1024
EVENTS = 900
"""A third of them on the day."""


@pytest.fixture(scope="module", params=["", "CREATE INDEX by_time ON events (occurred_at)"], ids=["table", "index"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of some 90 pages with two tables."""
    path = tmp_path_factory.mktemp("sound") / "events.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.execute("CREATE TABLE other (number INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO other (text) VALUES (?)", [("x" * 50,)] * 200)
        connection.execute(
            "CREATE TABLE events (event_id, occurred_at TEXT, event_name, service_version, is_error BOOL)"
        )
        connection.executemany(
            "INSERT INTO events VALUES (?, ?, 'page.view', '1.0', 0)",
            [(f"e{n}", f"2026-03-{9 + n * 3 // EVENTS:02d} 12:00:00") for n in range(EVENTS)],
        )
        connection.execute(request.param or "SELECT 1")
        connection.commit()
    return path


def answer(path: Path) -> DayAggregates | str:
    """What was counted, or why nothing was."""
    try:
        (found,) = SqliteSource(f"sqlite:///{path}", "events", SCHEMA).scan_days([WINDOW], 10)
    except SourceError as error:
        return error.reason_code
    return found.aggregates if isinstance(found, DayScan) else found.reason_code


def some_page(content: bytearray, chance: random.Random) -> int:
    """Where a page other than the first begins."""
    return chance.randrange(1, len(content) // PAGE) * PAGE


def flip_a_header(content: bytearray, chance: random.Random) -> None:
    content[some_page(content, chance) + chance.randrange(12)] ^= 1 << chance.randrange(8)


def lose_cells(content: bytearray, chance: random.Random) -> None:
    at = some_page(content, chance) + 4
    content[at] = content[at] // 2


def change_a_pointer(content: bytearray, chance: random.Random) -> None:
    content[some_page(content, chance) + 8 + chance.randrange(8)] = chance.randrange(256)


def zero_a_page(content: bytearray, chance: random.Random) -> None:
    at = some_page(content, chance)
    content[at : at + PAGE] = bytes(PAGE)


def swap_pages(content: bytearray, chance: random.Random) -> None:
    first, second = some_page(content, chance), some_page(content, chance)
    page = content[first : first + PAGE]
    content[first : first + PAGE] = content[second : second + PAGE]
    content[second : second + PAGE] = page


def repeat_a_page(content: bytearray, chance: random.Random) -> None:
    first, second = some_page(content, chance), some_page(content, chance)
    content[first : first + PAGE] = content[second : second + PAGE]


def cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(1, len(content)) :]


def cut_pages(content: bytearray, chance: random.Random) -> None:
    del content[some_page(content, chance) :]


def scratch(content: bytearray, chance: random.Random) -> None:
    at = some_page(content, chance)
    content[at : at + 64] = chance.randbytes(64)


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        *(flip_a_header, lose_cells, change_a_pointer, zero_a_page, swap_pages, repeat_a_page, cut, cut_pages),
        scratch,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_file_is_broken_or_read_as_if_it_were_sound(
    sound: Path, tmp_path: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    path, truth = tmp_path / "damaged.db", answer(sound)
    assert isinstance(truth, DayAggregates)
    assert truth.totals().events == EVENTS // 3
    for number in range(7):
        content = bytearray(sound.read_bytes())
        damage(content, random.Random(number))
        path.write_bytes(content)
        assert answer(path) in (truth, "FILE_BROKEN"), number


@pytest.mark.slow
def test_an_index_whose_entries_lie_elsewhere_loses_no_events(sound: Path, tmp_path: Path) -> None:
    path, truth, content = tmp_path / "damaged.db", answer(sound), sound.read_bytes()
    in_index = [at for at in range(PAGE, len(content), PAGE) if content[at] in {2, 10}]
    held = [at for at in in_index if b"2026-03-10" in content[at : at + PAGE]]
    with closing(sqlite3.connect(sound)) as connection:
        assert bool(held) == bool(connection.execute("SELECT * FROM sqlite_schema WHERE type = 'index'").fetchall())
    for moved in [*([at] for at in held), held]:
        damaged = bytearray(content)
        for at in moved:
            damaged[at : at + PAGE] = content[at : at + PAGE].replace(b"2026-03-10", b"2026-05-10")
        path.write_bytes(damaged)
        assert answer(path) == truth


def test_what_breaks_a_rule_of_its_table_is_no_damage(sound: Path, tmp_path: Path) -> None:
    path, truth = tmp_path / "events.db", answer(sound)
    path.write_bytes(sound.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.create_collation("ours", lambda a, b: (a > b) - (a < b))
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("CREATE TABLE rules (number INTEGER CHECK (number > 0), text TEXT COLLATE ours UNIQUE)")
        connection.execute("INSERT INTO rules VALUES (-1, 'a')")
        connection.commit()
    assert answer(path) == truth


def test_a_file_that_is_written_meanwhile_is_not_taken_for_a_damaged_one(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, truth = tmp_path / "events.db", answer(sound)
    path.write_bytes(sound.read_bytes())
    asked: list[str] = []

    def damage(_: str, how: str) -> str | None:
        asked.append(how)
        with path.open("r+b") as file:
            file.write(sound.read_bytes()[:16])
        return "half a page" if how == "immutable=1" else None

    monkeypatch.setattr(soundness, "_damage", damage)
    assert answer(path) == truth
    assert asked == ["immutable=1"] * soundness.ATTEMPTS + ["mode=ro"]


def test_a_file_is_checked_once_until_it_changes(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, checks = tmp_path / "events.db", list[str]()
    path.write_bytes(sound.read_bytes())
    monkeypatch.setattr(soundness, "_damage", lambda _, how: checks.append(how))
    source = SqliteSource(f"sqlite:///{path}", "events", SCHEMA)
    source.count_days([WINDOW])
    source.count_days([WINDOW])
    assert len(checks) == 1
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM events WHERE event_id = 'e0'")
        connection.commit()
    source.count_days([WINDOW])
    assert len(checks) == 2


@pytest.mark.parametrize(("more", "checks"), [(0, 1), (-1, 0)])
def test_a_file_is_checked_up_to_the_size_that_is_cheap(
    sound: Path, monkeypatch: pytest.MonkeyPatch, more: int, checks: int
) -> None:
    found: list[str] = []
    monkeypatch.setattr(soundness, "_damage", lambda _, how: found.append(how))
    monkeypatch.setattr(soundness, "LARGEST_CHECKED_BYTES", sound.stat().st_size + more)
    soundness.require_sound_file(str(sound))
    assert len(found) == checks
