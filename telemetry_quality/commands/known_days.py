"""What ``days`` and ``training-days`` share: which days are asked for, and the formats in which they are written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.commands.options import DAY, config_option, format_option, print_json, put_bytes, source_option
from telemetry_quality.console import Column as Heading
from telemetry_quality.console import Kind, print_listing, write
from telemetry_quality.core.days import in_utc
from telemetry_quality.core.known_days import KEY_COLUMNS, STATE_COLUMNS, rows_of
from telemetry_quality.errors import RequestError
from telemetry_quality.frames.days import write_days
from telemetry_quality.frames.loading import read_known_days
from telemetry_quality.frames.tables import csv_lines
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry_quality.core.known_days import Column, KnownDay

    Command = Callable[..., int]


class _Instant(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """``2026-03-12T06:00Z``: an instant with its distance from UTC."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return in_utc(datetime.fromisoformat(value))
        except (ValueError, RequestError):
            self.fail(
                f"an instant with a time zone such as 2026-03-12T06:00Z is required, but {value!r} was given",
                param,
                ctx,
            )


_OPTIONS = (
    click.option("--first", type=DAY, help="The first day (default: the first that was judged)."),
    click.option("--last", type=DAY, help="The last day (default: the last that was judged)."),
    click.option(
        "--as-of",
        type=_Instant(),
        help="What the store knew at this instant, such as 2026-03-12T06:00Z: later revisions and marks are left out.",
    ),
    format_option("csv", "parquet", "json"),
    click.option(
        "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to a file instead."
    ),
    config_option,
    source_option,
)


def known_days_options(command: Command) -> Command:
    """The options of commands that write days."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Asked:
    """What the options ask for, by their names."""

    first: date | None
    last: date | None
    as_of: datetime | None
    form: str
    output: Path | None
    config: str | None
    source: str | None

    def load(self) -> list[KnownDay]:
        """The days, by source in the order of the settings.

        Raises:
            TelemetryQualityError: If the settings, the range or the store is unusable.
        """
        return read_known_days(load_settings(self.config), self.source, self.first, self.last, self.as_of)

    @property
    def is_table(self) -> bool:
        """Whether people read the days on the terminal."""
        return self.form == "table"

    def write(self, columns: Sequence[Column], days: Sequence[Any]) -> None:
        """Write the days as CSV, Parquet or JSON.

        Raises:
            RequestError: If the file cannot be written, or the format is for files only.
        """
        if self.form == "parquet":
            if self.output is None:
                raise RequestError(
                    "Parquet requires a file, but --output is missing; add --output days.parquet, or use --format csv."
                )
            write_days(columns, {self.output.name: days}, self.output.absolute().parent)
        elif self.form == "csv":
            self._put(csv_lines([[column.name for column in columns], *rows_of(columns, days)]))
        elif self.output is None:
            print_json(_document(columns, days))
        else:
            self._put(json.dumps(_document(columns, days), indent=2, ensure_ascii=False).encode())

    def _put(self, content: bytes) -> None:
        if self.output is None:
            put_bytes(content)
            return
        try:
            self.output.write_bytes(content)
        except OSError as error:
            raise RequestError(f"The file {self.output} must be writable, but: {error}.") from error


def print_known(known: Sequence[KnownDay]) -> None:
    """Print a line per day for people: its state, not its numbers."""
    if not known:
        write("No judged day matches.")
        return
    columns = (*KEY_COLUMNS[:3], *STATE_COLUMNS)
    headings = [Heading(column.name.replace("_", " "), _kind(column.name)) for column in columns]
    print_listing(headings, (tuple(map(_words, row)) for row in rows_of(columns, known)))


def _kind(name: str) -> Kind:
    if name == "why_not":
        return Kind.WORDS
    return Kind.NAME if name in {"source", "day", "status"} else Kind.FACT


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _document(columns: Sequence[Column], days: Sequence[Any]) -> dict[str, Any]:
    names = [column.name for column in columns]
    return {"days": [dict(zip(names, map(_as_json, row), strict=True)) for row in rows_of(columns, days)]}


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
