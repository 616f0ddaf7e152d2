"""Runs a page of the documentation as its reader would: in a fresh folder, from top to bottom, in one shell.

What a fenced block means:

- ``title="FILE"`` after the language: the file with that content is written.
- ``console``: each line that begins with ``$`` is typed, together with lines that continue it (``>``); the other lines
  are what it prints. ``...`` alone on a line stands for any lines, and within a line for any characters.
- ``sh``: commands without what they print, each of which must succeed. Variables, folders and processes in the
  background stay for later blocks.
- ``text``, ``json``, ``ini`` and the like without a title: shown, not run.

A comment before a block says what else is to be known, and why::

    <!-- exits with 1: a day is unhealthy -->
    <!-- not run: needs an account with the vendor -->
    <!-- until "Serving dagster-webserver": it serves until Ctrl-C -->

The last one is for a command that does not end: once it has printed that, it gets Ctrl-C.
Commands that install packages are not typed: the environment of the tests has them.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

DOCS = Path(__file__).parents[2] / "docs"
SHOWN = {"text", "json", "ini", "mermaid", "html", "diff", "sql", "yaml", "xml"}
"""Languages of blocks that are only shown unless they have a title."""

_FENCE = re.compile(
    r"(?:^[ ]*<!-- (?P<note>[^>]*) -->\n+)?"
    r"^(?P<indent>[ ]*)```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n"
    r"(?P<body>.*?)^(?P=indent)```$",
    flags=re.MULTILINE | re.DOTALL,
)
_SCRIPT = re.compile(
    r"[^\n]*<<'(?P<end>\w+)'\n(?:.*?\n)?(?P=end)\n"  # a document for a command
    r"|(?:[^\n]*\\\n)*[^\n]+\n",  # a line, with those that continue it
    flags=re.DOTALL,
)
PATIENCE_SECONDS = 300
"""A command that takes longer fails the page, for example because it waits for an answer."""

_INSTALLS = re.compile(r"^(sudo |apt-get |apt |(python3? -m )?pip install|python3? -m venv|source |\. )")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, with what the comment before it says."""

    language: str
    title: str | None
    body: str
    note: str
    line: int

    @property
    def is_run(self) -> bool:
        """Whether the block is typed or written, rather than shown."""
        return not self.note.startswith("not run") and (bool(self.title) or self.language in {"console", "sh"})

    @property
    def exit_code(self) -> int:
        """The code that the last command of the block ends with."""
        said = re.match(r"exits with (\d+)", self.note)
        return int(said[1]) if said else 0

    @property
    def until(self) -> str | None:
        """What the last command of the block prints when it is ready, if it does not end by itself."""
        said = re.match(r'until "([^"]+)"', self.note)
        return said[1] if said else None


@dataclass(frozen=True)
class Command:
    """A typed command and what the page says that it prints."""

    text: str
    printed: str


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, from top to bottom."""
    for found in _FENCE.finditer(text):
        indent = found["indent"]
        body = re.sub(rf"^{indent}", "", found["body"], flags=re.MULTILINE)
        line = text.count("\n", 0, found.start("language")) + 1
        yield Block(found["language"], found["title"], body, found["note"] or "", line)


def commands_of(block: Block) -> list[Command]:
    """The commands of a console block with their output, or those of a script, which prints what it likes."""
    if block.language == "sh":
        pieces = [found[0].rstrip("\n") for found in _SCRIPT.finditer(block.body)]
        return [Command(piece, "") for piece in pieces if not piece.lstrip().startswith("#")]
    pieces = re.split(r"^\$ ", block.body, flags=re.MULTILINE)
    assert not pieces[0].strip(), f"line {block.line}: a console block begins with a command"
    return [_command_of(piece) for piece in pieces[1:]]


def _command_of(piece: str) -> Command:
    lines = piece.splitlines()
    typed = [lines.pop(0)]
    while lines and (typed[-1].endswith("\\") or lines[0].startswith("> ")):
        typed.append(lines.pop(0).removeprefix("> "))
    return Command("\n".join(typed), "\n".join(lines).strip("\n"))


def is_as_shown(printed: str, shown: str) -> bool:
    """Whether a command printed what the page shows; ``...`` stands for anything."""
    pattern = [r"(?:.*\n)*" if line.strip() == "..." else _line_pattern(line) for line in shown.splitlines()]
    trimmed = "".join(f"{line.rstrip()}\n" for line in printed.strip("\n").splitlines())
    return re.fullmatch("".join(pattern), trimmed) is not None


def _line_pattern(line: str) -> str:
    return r"[^\n]*".join(re.escape(piece) for piece in line.rstrip().split("...")) + "\n"


class Shell:
    """One bash that stays for a whole page, with the page's folder as its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start bash in ``folder``, with nothing in the environment but ``environment``."""
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"], cwd=folder, env=dict(environment), text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        """The shell itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the shell and what it left running."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()
        # Ends when the last process that could write to it has ended.
        self._bash.stdout.read()
        self._bash.stdout.close()
        with suppress(BrokenPipeError):
            self._bash.stdin.close()

    def type(self, command: str) -> tuple[str, int]:
        """Type a command; what it printed on both streams, and the code that it ended with."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        mark = uuid.uuid4().hex
        watch = threading.Timer(PATIENCE_SECONDS, os.killpg, (self._bash.pid, signal.SIGKILL))
        watch.start()
        self._bash.stdin.write(f"{{\n{command}\n}} </dev/null\nprintf '\\n%s %s\\n' {mark} $?\n")
        self._bash.stdin.flush()
        lines: list[str] = []
        while not (line := self._bash.stdout.readline()).startswith(mark):
            assert line, f"The shell ended, or {PATIENCE_SECONDS} seconds were over, while it ran: {command}"
            lines.append(line)
        watch.cancel()
        return "".join(lines).removesuffix("\n"), int(line.split()[1])

    def serve(self, command: str, until: str) -> tuple[str, int]:
        """Type a command that does not end, and Ctrl-C once it has printed ``until``; 1 if it ended before."""
        log = f'"$HOME"/{uuid.uuid4().hex}.log'
        # With job control, a process in the background can be interrupted.
        return self.type(
            f"touch {log}\nset -m\n{{ {command}\n}} >{log} 2>&1 &\nset +m\n"
            f"for _ in {{1..{PATIENCE_SECONDS}}}; do\n"
            f"kill -0 $! 2>/dev/null && ! grep -qF {shlex.quote(until)} {log} || break; sleep 0.5; done\n"
            f"kill -INT -- -$! 2>/dev/null; wait $! 2>/dev/null; cat {log}; grep -qF {shlex.quote(until)} {log}"
        )


def walk(page: str, folder: Path, environment: Mapping[str, str], replace: Mapping[str, str] | None = None) -> None:
    """Do what a page says, and fail where something else happens.

    Args:
        page: the page below ``docs/``.
        folder: an empty folder.
        environment: the variables of the reader's shell.
        replace: what stands for places that only the reader has, such as the address of a server.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    for shown, real in (replace or {}).items():
        assert shown in text, f"{page} does not contain {shown}"
        text = text.replace(shown, real)
    with Shell(folder, environment) as shell:
        for block in blocks_of(text):
            if block.is_run:
                _do(block, folder, shell, page)


def _do(block: Block, folder: Path, shell: Shell, page: str) -> None:
    if block.title:
        file = folder / block.title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.body, encoding="utf-8")
        return
    commands = [command for command in commands_of(block) if not _INSTALLS.match(command.text)]
    for number, command in enumerate(commands, start=1):
        is_last = number == len(commands)
        serves = block.until if is_last else None
        printed, code = shell.serve(command.text, serves) if serves else shell.type(command.text)
        place = f"docs/{page}:{block.line}: {command.text}"
        expected = block.exit_code if is_last else 0
        assert code == expected, f"{place}\nended with {code} instead of {expected}:\n{printed}"
        if command.printed:
            assert is_as_shown(printed, command.printed), f"{place}\nprinted\n{printed}\ninstead of\n{command.printed}"
