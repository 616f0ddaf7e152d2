"""The command line: every command with its arguments and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from telemetry_quality import cli
from telemetry_quality_tests.commands.test_golden import commands_of
from telemetry_quality_tests.reference.markdown import page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENING = """\
Every command answers `--help`. Exit codes: **0** all days are healthy, **1** at least one day is not, **2** at least
one day is unknown or the command failed; a command that differs says so below. Settings come from `telemetry.toml` in
the current folder, from `--config`, or from the variable `TELEMETRY_QUALITY_CONFIG`."""


def commands() -> dict[str, click.Command]:
    """Every command that people type, in the order of ``--help``."""
    return dict(commands_of(cli.cli))


def options(command: click.Command) -> Iterator[click.Option]:
    """The options that are shown."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            yield parameter


def written() -> str:
    """The page."""
    return page("Command line", OPENING, [(f"`{name}`", _section(name, found)) for name, found in commands().items()])


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"telemetry-quality {name}")
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    help_text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    parts = [help_text.replace("\b", "").strip(), f"```text\n{usage}\n```"]
    rows = [_row(option) for option in options(command)]
    if rows:
        parts.append(table(["option", "meaning"], rows))
    return "\n\n".join(part for part in parts if part)


def _row(option: click.Option) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    metavar = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command('x'))).replace('|', ', ')}"
    is_given = option.default is not None and not option.is_flag and not callable(option.default)
    shown = isinstance(option.default, (str, int, float)) and is_given
    default = f" The default is `{option.default}`." if shown else ""
    return f"{names}{metavar}", f"{option.help or ''}{default}"
