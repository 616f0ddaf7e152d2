"""The command ``telemetry-quality``.

Exit codes: 0 all requested days are healthy, 1 at least one is not, 2 at least one is unknown or the command
failed.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from telemetry_quality import __version__
from telemetry_quality.commands.options import EXIT_UNKNOWN, Commands, print_json
from telemetry_quality.console import write
from telemetry_quality.errors import TelemetryQualityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SECTIONS = {
    "Start": {"demo": "demo", "init": "init", "check": "check", "count": "count", "migrate": "store"},
    "Judge days": {"snapshot": "days", "backfill": "days", "now": "now", "alerts": "alerts"},
    "See which can be trusted": {
        "health": "health",
        "incidents": "incidents",
        "days": "marks",
        "dashboard": "dashboard",
        "report": "report",
        "staff": "staff",
    },
    "Learn from them": {"tune": "tune", "forecast": "forecast", "training-days": "training"},
    "Keep it running": {
        "verify": "store",
        "backup": "backup",
        "restore": "backup",
        "prune-dagster": "prune_dagster",
        "completion": "completion",
    },
}
"""The commands in the order in which they are used, each with its module in ``commands``."""

MODULES = {name: module for commands in SECTIONS.values() for name, module in commands.items()}
"""Only the module of the called command is loaded."""


class _Commands(Commands):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in MODULES:
            return None
        command: click.Command = getattr(
            import_module(f"telemetry_quality.commands.{MODULES[cmd_name]}"), cmd_name.replace("-", "_")
        )
        return command

    def sections(self) -> Mapping[str, Iterable[str]]:
        return SECTIONS


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Know whether a day of telemetry can be trusted.

    Exit codes: 0 healthy, 1 not healthy, 2 unknown or failed.
    """
    del debug  # read by main


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; an error is one sentence on standard error and exit code 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(handlers=[_Lines()], level=logging.WARNING)
    logging.getLogger("telemetry_quality.alerts").setLevel(logging.INFO)
    try:
        code = cli.main(given, prog_name="telemetry-quality", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        code = _fail(given, error.format_message())
    except (click.Abort, KeyboardInterrupt):
        code = _fail(given, "Interrupted; finished work is stored: run the same command again for the rest.")
    except TelemetryQualityError as error:
        code = _fail(given, str(error))
    except BrokenPipeError:
        # The reader of the output has gone: there is nobody left to write to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_UNKNOWN
    except Exception as error:
        if "--debug" in given:
            raise
        code = _fail(
            given,
            f"telemetry-quality failed because of an internal error ({type(error).__name__}: {error}); "
            "run telemetry-quality --debug with the same arguments and report the traceback.",
        )
    sys.exit(code)


def _fail(arguments: Sequence[str], sentence: str) -> int:
    if {"--json", "--format=json"} & {*arguments} or ("--format", "json") in pairwise(arguments):
        print_json({"error": {"sentence": sentence}})
    for line in f"Error: {sentence}".splitlines():
        write(line, stderr=True)
    return EXIT_UNKNOWN


class _Lines(logging.Handler):
    """Writes the log to standard error, as what else is said there."""

    def emit(self, record: logging.LogRecord) -> None:
        write(record.getMessage(), stderr=True)
