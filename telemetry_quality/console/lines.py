"""Lines that are as long as the terminal at most, and as long as they are where there is none."""

from __future__ import annotations

import re
import shlex
import sys
import textwrap
from typing import TYPE_CHECKING, NamedTuple

import click

from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType
    from rich.text import Text

UNBROKEN = 1_000_000
"""The width where nothing is broken into lines."""

GLUE = "\ue000"
"""Stands for a space at which no line is broken; words never hold this character, which is not printable."""

_TRAILINGGLUES = re.compile(r" *((?:\x1b\[[\d;]*m)*) *$")


class Styled(NamedTuple):
    """Words in a colour, which never says anything alone."""

    words: str
    colour: str | None


Part = str | Styled


def screen_width(*, stderr: bool = False) -> int | None:
    """The columns of the terminal; None if there is none."""
    stream = sys.stderr if stderr else sys.stdout
    return screen(stderr=stderr).width if stream.isatty() else None


def screen(*, stderr: bool = False) -> Console:
    """A Rich console for the terminal, or for a plain stream without one."""
    from rich.console import Console  # noqa: PLC0415 - late: cron and programs do not need it

    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, width=None if is_terminal else UNBROKEN)


def write(*parts: Part, lead: Sequence[Part] = (), stderr: bool = False) -> None:
    """Write a line, broken between words where the terminal ends.

    Args:
        parts: What makes up the line; characters that control a terminal are escaped.
        lead: What stands before it; the lines into which the rest is broken begin where it ends.
        stderr: Whether to write to standard error.
    """
    if screen_width(stderr=stderr) is None:
        click.echo("".join(map(visible_part, (*lead, *parts))), err=stderr)
        return
    from rich.table import Table  # noqa: PLC0415 - late: cron and programs do not need it

    if not lead:
        put(text_of(parts), stderr=stderr)
        return
    beside = text_of(lead)
    grid = Table.grid()
    grid.add_column(overflow="fold", min_width=beside.cell_len)
    grid.add_column(overflow="fold")
    grid.add_row(beside, text_of(parts))
    put(grid, stderr=stderr)


def next_step(*arguments: str, config: str | None, when: str = "Next") -> None:
    """Write which command to type next; a long one goes on behind a backslash, so that it can be pasted."""
    width = screen_width() or UNBROKEN
    if config is not None:
        arguments = (*arguments, "--config", config)
    words = " ".join(shlex.quote(visible(argument)).replace(" ", GLUE) for argument in arguments)
    command = f"telemetry-quality {words}"
    if len(command) + len(f"{when}: ") <= width:
        click.echo(f"{when}: {command}".replace(GLUE, " "))
        return
    pieces = textwrap.wrap(
        command,
        width - len("  \\"),
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    click.echo(f"{when}:\n" + " \\\n".join(pieces).replace(GLUE, " "))


def write_boxed(lines: Iterable[str], *, stderr: bool = False) -> None:
    """Write lines in a box."""
    from rich.console import Group  # noqa: PLC0415 - late: cron and programs do not need it
    from rich.panel import Panel  # noqa: PLC0415

    put(Panel(Group(*(text_of([line]) for line in lines)), expand=False), stderr=stderr)


def put(shown: RenderableType, *, stderr: bool = False) -> None:
    """Write what Rich makes of something, without spaces at the ends of lines."""
    out = screen(stderr=stderr)
    with out.capture() as captured:
        out.print(shown)
    for line in captured.get().splitlines():
        click.echo(_TRAILINGGLUES.sub(r"\1", line).replace(GLUE, " "), err=stderr)


def text_of(parts: Iterable[Part]) -> Text:
    """The parts as Rich shows them, without markup: values of events and notes may look like markup."""
    from rich.text import Text  # noqa: PLC0415 - late: cron and programs do not need it

    text = Text(overflow="fold")
    for part in parts:
        words, colour = part if isinstance(part, Styled) else (part, None)
        text.append(visible(words).replace(" %", f"{GLUE}%"), style=colour)
    return text


def visible_part(part: Part) -> str:
    """A part in its colour, which ``click.echo`` removes where there is no terminal."""
    return click.style(visible(part.words), fg=part.colour) if isinstance(part, Styled) else visible(part)
