from __future__ import annotations

import shlex
import sys
from collections.abc import Callable

import pytest

from telemetry_quality.console import Column, Kind, Styled, next_step, print_listing, write
from telemetry_quality_tests.commands.screen import Screen

COLUMNS = [Column("name"), Column("sample passed", Kind.NUMBER), Column("why", Kind.WORDS)]
SENTENCE = "five percent of the events of this day are errors, which is more than what the settings allow for it"
ROW = ["web", "99.5 %", SENTENCE]
WIDE = 4 + 2 + 13 + 2 + len(SENTENCE)
"""The columns of the table with the row."""


Show = Callable[[Callable[[], None], int | None], list[str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Show:
    def lines(show: Callable[[], None], columns: int | None) -> list[str]:
        screen = Screen(is_terminal=columns is not None)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", screen)
            patched.setenv("COLUMNS", str(columns or 20))
            show()
        return screen.text().splitlines()

    return lines


@pytest.mark.parametrize("columns", [WIDE, WIDE + 1, None])
def test_a_table_that_fits_has_a_line_per_row(shown: Show, columns: int | None) -> None:
    assert shown(lambda: print_listing(COLUMNS, [ROW]), columns) == [
        "name  sample passed  why",
        f"web          99.5 %  {SENTENCE}",
    ]


@pytest.mark.parametrize(("columns", "is_table"), [(109, False), (110, True), (111, True)])
def test_from_110_columns_on_a_table_breaks_its_words_and_below_a_row_is_a_block(
    shown: Show, columns: int, is_table: bool
) -> None:
    lines = shown(lambda: print_listing(COLUMNS, [ROW]), columns)
    assert lines[0].startswith("name  sample passed") is is_table
    assert " ".join(" ".join(lines).split()).endswith(SENTENCE) or is_table
    assert max(map(len, lines)) <= columns


def test_a_block_names_the_row_and_then_each_number_and_sentence(shown: Show) -> None:
    lines = shown(lambda: print_listing(COLUMNS, [ROW, ["app", "", Styled("none", "red")]]), 40)
    assert lines[:2] == ["web", "  sample passed 99.5 %"]
    assert " ".join(" ".join(lines[2:-2]).split()) == f"why: {SENTENCE}"
    assert lines[-2:] == ["app", "  why: none"], "what is empty is left out"


def test_no_number_is_parted_from_its_unit_or_from_its_name(shown: Show) -> None:
    columns = [Column("name"), Column("events", Kind.NUMBER), Column("sample passed", Kind.NUMBER)]
    lines = shown(lambda: print_listing(columns, [["web" * 10, "1,000", "100.0 %"]]), 34)
    assert lines[1:] == ["  events 1,000 ·", "  sample passed 100.0 %"]
    assert shown(lambda: write("of all events 5 % are errors"), 15) == ["of all events", "5 % are errors"]


def test_a_name_longer_than_the_terminal_is_broken_and_not_cut(shown: Show) -> None:
    name = "n" * 75
    lines = shown(lambda: print_listing(COLUMNS, [[name, "1 %", ""]]), 40)
    assert lines == [name[:40], name[40:], "  sample passed 1 %"]


def test_what_is_not_read_on_a_terminal_is_never_broken(shown: Show) -> None:
    assert shown(lambda: write(SENTENCE * 3, lead=["! "]), None) == [f"! {SENTENCE * 3}"]


def test_the_lines_of_a_sentence_begin_where_its_lead_ends(shown: Show) -> None:
    lines = shown(lambda: write("one two three", lead=["  ", Styled("✗", "red"), " "]), 12)
    assert lines == ["  ✗ one two", "    three"]


@pytest.mark.parametrize(("columns", "lines"), [(None, 1), (81, 1), (80, 2), (40, 4)])
def test_a_command_that_is_too_long_goes_on_behind_a_backslash_and_can_be_pasted(
    shown: Show, columns: int | None, lines: int
) -> None:
    given = ("incidents", "show", "web/2026-02-10")
    found = shown(lambda: next_step(*given, config="my settings.toml"), columns)
    assert len(found) == lines
    _, *typed = shlex.split("\n".join(found).removeprefix("Next:").replace("\\\n", ""))
    assert typed == [*given, "--config", "my settings.toml"]
    assert columns is None or max(map(len, found)) <= columns
