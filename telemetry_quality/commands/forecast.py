"""The command ``telemetry-quality forecast``: how many events the coming days will bring.

Exit codes: 0 done; 2 a source has too short a history, or failed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.commands.options import (
    EXIT_HEALTHY,
    EXIT_UNKNOWN,
    config_option,
    list_format,
    print_json,
    put_bytes,
)
from telemetry_quality.console import Column, Kind, print_listing, write
from telemetry_quality.core.detectors.coming_days import LEAST_DAYS
from telemetry_quality.core.forecasts.making import make_forecast
from telemetry_quality.core.forecasts.model import DEFAULT_DAYS, MOST_DAYS
from telemetry_quality.frames.tables import csv_lines
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.forecasts.model import Forecast

COLUMNS = (
    *(Column("day"), Column("")),
    *(Column(name, Kind.NUMBER) for name in ("events", "low", "high")),
    Column("why", Kind.WORDS),
)
DAY_COLUMNS = ("source", "day", "events", "low", "high", "why", "made_on", "model_version")
HOUR_COLUMNS = ("source", "day", "hour", "begins_at", "events", "low", "high", "made_on", "model_version")


@click.command()
@click.argument("source", required=False)
@click.option(
    "--days", type=click.IntRange(1, MOST_DAYS), default=DEFAULT_DAYS, help=f"How many days (default: {DEFAULT_DAYS})."
)
@click.option("--hours", "with_hours", is_flag=True, help="Each hour of the days too.")
@config_option
@list_format
def forecast(source: str | None, days: int, with_hours: bool, config: str | None, form: str) -> int:
    """Show the events to expect on each of the coming days of SOURCE, or of all sources, from the store alone."""
    settings = load_settings(config)
    store, now = open_store(settings), utc_now()
    calendars = {name: settings.sources[name].calendar() for name in settings.names(source)}
    found = [
        make_forecast(store, name, calendar, settings.sources[name].policy(), now, days=days)
        for name, calendar in calendars.items()
    ]
    if form == "json":
        print_json({"forecasts": [made.as_json(with_hours=with_hours) for made in found]})
    elif form == "csv":
        rows = (row for made in found for row in _rows(made, calendars[made.source], with_hours=with_hours))
        put_bytes(csv_lines([HOUR_COLUMNS if with_hours else DAY_COLUMNS, *rows]))
    else:
        for made in found:
            _print(made, calendars[made.source], with_hours=with_hours)
    for made in found:
        if not made.coming and form != "json":
            write(too_short(made), stderr=True)
    return EXIT_HEALTHY if all(made.coming for made in found) else EXIT_UNKNOWN


def too_short(made: Forecast) -> str:
    """Why there is no forecast."""
    return (
        f"A forecast of {made.source} requires {LEAST_DAYS} days that can be learnt from, but fewer are known; "
        f"if none is missing from now on, there will be one from {made.known_from} on."
    )


def _rows(made: Forecast, calendar: Calendar, *, with_hours: bool) -> Iterator[tuple[Any, ...]]:
    """The rows of DAY_COLUMNS, or of HOUR_COLUMNS."""
    for coming in made.coming:
        if not with_hours:
            numbers = (coming.events, coming.low, coming.high)
            yield (made.source, coming.day, *numbers, coming.why, made.day, made.model_version)
            continue
        start = calendar.window(coming.day).start
        for hour, expected in enumerate(coming.hours or ()):
            begins_at = start + timedelta(hours=hour)
            yield (made.source, coming.day, hour, begins_at, *expected, made.day, made.model_version)


def _print(made: Forecast, calendar: Calendar, *, with_hours: bool) -> None:
    """Print a forecast for people."""
    if not made.coming:
        return
    level = f"{made.interval_percent:g} % of such days lie between low and high"
    write(f"{made.source}, from what is known up to {made.day}; {level}:")
    print_listing(COLUMNS, _cells(made, calendar, with_hours=with_hours))


def _cells(made: Forecast, calendar: Calendar, *, with_hours: bool) -> Iterator[tuple[str, ...]]:
    for coming in made.coming:
        numbers = (f"{number:,.0f}" for number in (coming.events, coming.low, coming.high))
        yield (str(coming.day), f"{coming.day:%a}", *numbers, coming.why or "")
        start = calendar.window(coming.day).start
        for hour, expected in enumerate(coming.hours or () if with_hours else ()):
            begins = (start + timedelta(hours=hour)).astimezone(calendar.zone)
            yield ("", f"{begins:%H:%M}", *(f"{number:,.0f}" for number in expected), "")
