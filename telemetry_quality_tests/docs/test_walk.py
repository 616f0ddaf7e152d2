"""What walks a page notices everything that its reader would notice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from telemetry_quality_tests.docs import walk as walking
from telemetry_quality_tests.docs.walk import blocks_of, commands_of, is_as_shown, walk


@pytest.fixture
def do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DoPage:
    return DoPage(tmp_path, monkeypatch)


class DoPage:
    """Walks pages that a test writes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "reader"
        self.folder.mkdir()
        self._docs = folder
        monkeypatch.setattr(walking, "DOCS", folder)

    def __call__(self, text: str, **replace: str) -> None:
        (self._docs / "page.md").write_text(text, encoding="utf-8")
        walk("page.md", self.folder, {"PATH": os.environ["PATH"], "HOME": str(self._docs)}, replace)


def console(*lines: str, note: str = "") -> str:
    return "\n".join(["Text.", "", *([f"<!-- {note} -->"] if note else []), "```console", *lines, "```", ""])


def test_files_are_written_and_the_shell_stays_the_same(do: DoPage) -> None:
    do(
        '```toml title="a/b.toml"\nx = 1\n```\n\n```sh\ncd a\nexport Y=2\n```\n'
        + console("$ cat b.toml; echo $Y", "x = 1", "2")
    )


def test_another_output_fails(do: DoPage) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:3: echo 1\nprinted\n1\n"):
        do(console("$ echo 1", "2"))


def test_a_missing_or_additional_line_fails(do: DoPage) -> None:
    with pytest.raises(AssertionError, match="printed"):
        do(console("$ echo 1", "1", "2"))
    with pytest.raises(AssertionError, match="printed"):
        do(console("$ printf '1\\n2\\n'", "1"))


def test_a_command_that_fails_fails_the_page_unless_it_says_so(do: DoPage) -> None:
    with pytest.raises(AssertionError, match="ended with 1 instead of 0"):
        do(console("$ false"))
    do(console("$ (exit 1)", note="exits with 1: a day is unhealthy"))
    with pytest.raises(AssertionError, match="ended with 0 instead of 1"):
        do(console("$ true", note="exits with 1: a day is unhealthy"))
    with pytest.raises(AssertionError, match="ended with 1 instead of 0"):
        do(console("$ false", "$ (exit 1)", note="exits with 1: only the last command may"))


def test_each_command_of_a_script_must_succeed(do: DoPage) -> None:
    do(
        "```sh\n# a comment\necho a \\\n  b > file\ncat >> file <<'END'\n$c\n\nEND\n```\n"
        + console("$ cat file", "a b", "$c")
    )
    with pytest.raises(AssertionError, match="false\nended with 1"):
        do("```sh\nfalse\ntrue\n```\n")


def test_a_command_that_waits_forever_fails_the_page(do: DoPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "PATIENCE_SECONDS", 0.5)
    with pytest.raises(AssertionError, match="while it ran: sleep 300"):
        do(console("$ sleep 300"))


def test_a_block_that_is_not_run_says_so_and_packages_are_not_installed(do: DoPage) -> None:
    do(
        console("$ false", note="not run: needs an account")
        + "```text\nfalse\n```\n"
        + console("$ pip install nothing")
    )


def test_a_page_s_own_places_are_replaced_and_have_to_be_there(do: DoPage) -> None:
    do(console("$ echo db.example.org", "db.example.org"), **{"db.example.org": "127.0.0.1"})
    with pytest.raises(AssertionError, match="does not contain"):
        do(console("$ true"), **{"db.example.org": "127.0.0.1"})


def test_what_is_left_running_ends_with_the_page(do: DoPage) -> None:
    do("```sh\nsleep 300 & echo $! > pid\n```\n")
    status = Path(f"/proc/{(do.folder / 'pid').read_text().strip()}/status")
    deadline = time.monotonic() + 60
    while status.exists() and "zombie" not in status.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_command_that_serves_gets_ctrl_c_once_it_is_ready(do: DoPage) -> None:
    serves = "$ trap 'echo bye > ended; exit' INT; echo ready; sleep 300 & wait"
    do(console(serves, "ready", note='until "ready": it serves until Ctrl-C') + console("$ cat ended", "bye"))
    with pytest.raises(AssertionError, match="ended with 1 instead of 0"):
        do(console("$ echo cannot start", note='until "ready": it serves until Ctrl-C'))


def test_nothing_of_the_environment_reaches_the_reader_s_shell(do: DoPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_STORE", "sqlite:///elsewhere.db")
    do(console("$ echo [$TELEMETRY_QUALITY_STORE]", "[]"))


def test_dots_stand_for_lines_or_for_a_part_of_a_line() -> None:
    assert is_as_shown("a\nb\nc\n", "a\n...\nc")
    assert is_as_shown("a\nc\n", "a\n...\nc")
    assert is_as_shown("took 1.5 s  \n", "took ... s")
    assert not is_as_shown("took\n1.5 s\n", "took ... s")
    assert not is_as_shown("a\nb\n", "a\n...\nc")


def test_blocks_in_lists_and_continued_commands_are_understood() -> None:
    text = "1. Type\n\n    ```console\n    $ a \\\n        b\n    c\n"
    text += "    $ for x in 1; do\n    > echo $x; done\n    1\n    ```\n"
    (block,) = blocks_of(text)
    assert [(command.text, command.printed) for command in commands_of(block)] == [
        ("a \\\n    b", "c"),
        ("for x in 1; do\necho $x; done", "1"),
    ]
    assert block.line == 3
