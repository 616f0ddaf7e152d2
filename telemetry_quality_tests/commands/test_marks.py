"""The command ``days``: what people say about days, from the command line to the store and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality import cli
from telemetry_quality.core.marks import Mark
from telemetry_quality_tests.builders import make_store
from telemetry_quality_tests.commands.test_incidents import SETTINGS, Terminal, add_source, failed, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class MarkTerminal(Terminal):
    """A folder in which ``days`` is typed."""

    def type(self, *arguments: str, command: str = "days") -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            cli.main([command, *arguments])
        captured = self._capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[MarkTerminal]:
    (tmp_path / "telemetry.toml").write_text(SETTINGS.format(name="web"))
    monkeypatch.chdir(tmp_path)
    store = make_store(tmp_path)
    yield MarkTerminal(tmp_path, store, capsys)
    store.close()


@pytest.mark.parametrize("mark", Mark)
def test_a_day_is_marked_under_a_name_with_a_note_judged_or_not(terminal: MarkTerminal, mark: Mark) -> None:
    code, out, _ = terminal.type("mark", "2026-03-10", f"--{mark}", "--by", "ada", "--note", "loaded twice")

    assert code == 0
    assert out.startswith(f"2026-03-10 of web: marked {mark} by ada.")
    assert ("backfill judges days again" in out) is (mark is not Mark.ACCEPTED)
    (said,) = terminal.store.marked_days("web")
    assert (str(said.day), said.day, said.mark, said.by, said.note) == (
        "2026-03-10",
        said.until,
        mark,
        "ada",
        "loaded twice",
    )
    assert terminal.store.verify().findings == ()


def test_a_range_is_marked_listed_and_unmarked(terminal: MarkTerminal) -> None:
    terminal.type("mark", "2026-03-02...2026-03-04", "--bad", "--by", "ada", "--note", "[red]\x1b[31m")
    code, out, _ = terminal.type("list")
    assert code == 0
    assert "2026-03-02...2026-03-04" in out
    assert "[red]" in out
    assert "\x1b" not in out

    code, out, _ = terminal.type("unmark", "2026-03-02...2026-03-04", "--by", "bob")
    assert (code, out.partition(" It affects")[0]) == (0, "2026-03-02...2026-03-04 of web: unmarked by bob.")
    assert terminal.type("list")[1] == "No days are marked.\n"
    assert [(row["mark"], row["by"]) for row in terminal.json("list", "--all")[1]["marks"]] == [
        ("bad", "ada"),
        (None, "bob"),
    ]


def test_the_list_shows_what_still_counts_for_any_day(terminal: MarkTerminal) -> None:
    terminal.type("mark", "2026-03-02...2026-03-04", "--bad")
    terminal.type("mark", "2026-03-03", "--special")
    assert [row["mark"] for row in terminal.json("list")[1]["marks"]] == ["bad", "special"]
    terminal.type("mark", "2026-03-02...2026-03-04", "--accepted")
    assert [row["mark"] for row in terminal.json("list")[1]["marks"]] == ["accepted"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mark", "2026-03-02"], "One of --bad, --special and --accepted is required"),
        (["mark", "2026-03-02", "--bad", "--special"], "One of --bad, --special and --accepted is required"),
        (["mark", "2026-03-04...2026-03-02", "--bad"], "swap them"),
        (["mark", "2026-03-02...2027-06-01", "--bad"], "At most 400 days can be marked at once"),
        (["mark", "soon", "--bad"], "a range such as 2013-02-08...2013-02-10, is required, but 'soon' was given"),
        (["mark", "2026-03-02", "--bad", "--by", " "], "The name of the person who marks is required"),
        (["mark", "2026-03-02", "--bad", "--source", "shop"], "shop"),
        (["unmark", "2026-03-02"], "A marked day is required"),
    ],
)
def test_a_mistake_is_one_sentence_and_stores_nothing(
    terminal: MarkTerminal, arguments: Sequence[str], words: str
) -> None:
    code, _, err = terminal.type(*arguments)
    assert (code, words in err) == (2, True)
    assert "Traceback" not in err
    assert terminal.store.marked_days("web") == []


def test_with_several_sources_the_source_must_be_named(terminal: MarkTerminal) -> None:
    add_source(terminal, "app")
    assert terminal.type("mark", "2026-03-02", "--bad")[0] == 2
    assert terminal.type("mark", "2026-03-02", "--bad", "--source", "app")[0] == 0
    assert terminal.type("mark", "2026-03-01", "--special", "--source", "web")[0] == 0
    assert [row["source"] for row in terminal.json("list")[1]["marks"]] == ["web", "app"]


@pytest.mark.parametrize(("mark", "codes"), [("bad", (1, 1)), ("special", (0, 1)), ("accepted", (0, 0))])
def test_health_shows_marks_and_its_exit_code_follows_them(
    terminal: MarkTerminal, mark: str, codes: tuple[int, int]
) -> None:
    judge(terminal.store, 9)
    judge(terminal.store, 10, failed())
    terminal.type("mark", "2026-03-09...2026-03-10", f"--{mark}", "--by", "ada")

    found = [
        terminal.type("--first", f"2026-03-{day}", "--last", f"2026-03-{day}", command="health") for day in ("09", 10)
    ]

    assert tuple(code for code, _, _ in found) == codes
    assert all(f"marked {mark} by ada" in out for _, out, _ in found)
    assert "error_rate CRITICAL; marked" in found[1][1]


def test_nobody_can_vouch_for_a_day_that_was_not_judged(terminal: MarkTerminal) -> None:
    terminal.type("mark", "2026-03-10", "--accepted")
    assert terminal.type("--days", "1", command="health")[0] == 2
