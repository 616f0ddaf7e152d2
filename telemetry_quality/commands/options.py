"""What commands share: options, exit codes and output."""

from __future__ import annotations

import getpass
import json
import sys
from datetime import date
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.console import write
from telemetry_quality.core.days import days_between
from telemetry_quality.errors import RequestError, TelemetryQualityError
from telemetry_quality.frames.tables import csv_lines
from telemetry_quality.settings import DEFAULT_FILE, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Command = Callable[..., int]

EXIT_HEALTHY, EXIT_NOT_HEALTHY, EXIT_UNKNOWN = 0, 1, 2


def login_name() -> str:
    """The name of the operating system's user; empty if a container's user has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


class _Day(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """``2013-02-08``, or ``yesterday`` for the source's latest complete day."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date | None:
        if isinstance(value, date) or value == "yesterday":
            return value if isinstance(value, date) else None
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"a day such as 2013-02-08 is required, but {value!r} was given", param, ctx)


DAY = _Day()


class _DayOrRange(click.ParamType):  # type: ignore[type-arg]  # likewise
    """``2013-02-08``, or ``2013-02-08...2013-02-10``."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[date, date]:
        if isinstance(value, tuple):
            return value
        first, dots, last = value.partition("...")
        try:
            return date.fromisoformat(first), date.fromisoformat(last if dots else first)
        except ValueError:
            sentence = "a day such as 2013-02-08, or a range such as 2013-02-08...2013-02-10, is required"
            self.fail(f"{sentence}, but {value!r} was given", param, ctx)


DAY_OR_RANGE = _DayOrRange()


class Commands(click.Group):
    """A group whose help says of each command a whole sentence."""

    def sections(self) -> Mapping[str, Iterable[str]]:
        """The names of the commands below their headings, in the order of the help."""
        return {"Commands": self.commands}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of each section, which click would cut after a few words."""
        for heading, names in self.sections().items():
            found = {name: self.get_command(ctx, name) for name in names}
            with formatter.section(heading):
                formatter.write_dl(
                    [(name, command.get_short_help_str(1_000)) for name, command in found.items() if command]
                )


def _source_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The sources that a shell offers; none if the settings cannot be read."""
    try:
        names = load_settings(context.params.get("config")).sources
    except TelemetryQualityError:
        return []
    return [name for name in names if name.startswith(incomplete)]


config_option = click.option(
    "--config", metavar="FILE", help=f"Settings file (default: {DEFAULT_FILE} in this folder)."
)
source_option = click.option(
    "--source", metavar="NAME", help="The source, required if there are several.", shell_complete=_source_names
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def format_option(*formats: str) -> Callable[[Command], Command]:
    """The options --format and --json of a command that lists something; the command gets ``form``."""

    def with_options(command: Command) -> Command:
        @wraps(command)
        def formatted(*given: Any, form: str, as_json: bool, **options: Any) -> int:
            return command(*given, form="json" if as_json else form, **options)

        choice = click.Choice(("table", *formats))
        option = click.option("--format", "form", type=choice, default="table", help="The format (default: table).")
        return option(json_option(formatted))

    return with_options


list_format = format_option("csv", "json")


def day_range(first: date, last: date) -> list[date]:
    """Every day from ``first`` to ``last``.

    Raises:
        RequestError: If ``first`` is after ``last``.
    """
    if first > last:
        raise RequestError(f"FIRST must not be after LAST, but {first} is after {last}; swap them.")
    return list(days_between(first, last))


def say(as_json: bool, document: dict[str, Any], sentence: str) -> None:
    """Print a document for machines or a sentence for people."""
    if as_json:
        print_json(document)
    else:
        for line in sentence.splitlines():
            write(line)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_list(
    form: str, name: str, objects: Sequence[Mapping[str, Any]], columns: Sequence[str], show: Callable[[], None]
) -> None:
    """Print objects as a JSON document with this name, as CSV with these columns, or for people."""
    if form == "json":
        print_json({name: objects})
    elif form == "csv":
        print_csv(columns, objects)
    else:
        show()


def print_csv(columns: Sequence[str], objects: Iterable[Mapping[str, Any]]) -> None:
    """Print a row of these keys for each object of a JSON document, below a row of their names."""
    put_bytes(csv_lines([columns, *([item[name] for name in columns] for item in objects)]))


def put_bytes(content: bytes) -> None:
    """Print a file's content."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
