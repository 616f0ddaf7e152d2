"""What commands share: options, exit codes and output."""

from __future__ import annotations

import getpass
import json
from datetime import date
from typing import Any

import click

from telemetry_quality.core.days import days_between
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import DEFAULT_FILE

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

config_option = click.option(
    "--config", metavar="FILE", help=f"Settings file (default: {DEFAULT_FILE} in this folder)."
)
source_option = click.option("--source", metavar="NAME", help="The source, required if there are several.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


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
        click.echo(sentence)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
