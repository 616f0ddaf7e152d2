"""The command ``completion``: teaches a shell to complete commands, options, sources and incidents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from telemetry_quality.commands.options import EXIT_HEALTHY, json_option, say
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = "telemetry-quality"
VARIABLE = "_TELEMETRY_QUALITY_COMPLETE"
"""What a shell sets to ask for completions; click derives it from the program's name."""

STARTED_BY = {
    "bash": lambda: Path.home() / ".bashrc",
    "zsh": lambda: Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc",
}
"""The file that a shell reads when it starts; fish looks for completions itself."""

BEFORE = {"zsh": "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n"}
"""What the script requires of a shell; zsh completes nothing before it is asked to."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--print", "is_printed", is_flag=True, help="Print the script and install nothing.")
@json_option
@click.pass_context
def completion(context: click.Context, shell: str, is_printed: bool, as_json: bool) -> int:
    """Install the completion of commands, options, sources and incidents for bash, zsh or fish."""
    script = BEFORE.get(shell, "") + _script(context.find_root().command, shell)
    if is_printed:
        click.echo(script)
        return EXIT_HEALTHY
    file, reads = _file(shell), STARTED_BY.get(shell)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{script}\n", encoding="utf-8")
        changed = None if reads is None else _read_at_start(file, reads)
    except OSError as error:
        raise RequestError(
            f"completion requires a writable home, but {error.filename} could not be written ({error.strerror}); "
            f"run telemetry-quality completion {shell} --print and put what it prints where {shell} reads it."
        ) from None
    loaded = f"{file} has the completion for {shell}"
    sentence = (
        f"{loaded}. Open a new shell." if changed is None else f"{loaded}, and {changed} reads it. Open a new shell."
    )
    say(as_json, {"shell": shell, "file": str(file), "read_by": changed and str(changed)}, sentence)
    return EXIT_HEALTHY


def _script(command: click.Command, shell: str) -> str:
    found = get_completion_class(shell)
    if found is None:
        raise RequestError(f"A shell that click knows is required, but {shell} is not one.")
    return found(command, {}, PROGRAM, VARIABLE).source().strip()


def _file(shell: str) -> Path:
    if shell == "fish":
        return _folder("XDG_CONFIG_HOME", ".config") / "fish" / "completions" / f"{PROGRAM}.fish"
    return _folder("XDG_DATA_HOME", ".local/share") / PROGRAM / f"completion.{shell}"


def _folder(variable: str, otherwise: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / otherwise)


def _read_at_start(file: Path, reads: Callable[[], Path]) -> Path:
    """Have the shell read the script when it starts, unless it does already."""
    start, line = reads(), f'source "{file}"'
    text = start.read_text(encoding="utf-8") if start.exists() else ""
    if line not in text.splitlines():
        with start.open("a", encoding="utf-8") as more:
            more.write(f"{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n")
    return start
