"""The command ``telemetry-quality alerts``."""

from __future__ import annotations

import click

from telemetry_quality.assembly import open_store
from telemetry_quality.commands.alert_log import dispatch_to_log
from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, json_option, print_json, source_option
from telemetry_quality.settings import load_settings


@click.group()
def alerts() -> None:
    """Dispatch alerts."""


@alerts.command()
@config_option
@source_option
@json_option
def dispatch(config: str | None, source: str | None, as_json: bool) -> int:
    """Dispatch pending alerts, such as those of a process that died before it could."""
    settings = load_settings(config)
    names = settings.names(source)
    dispatched = dispatch_to_log(open_store(settings), names)
    if as_json:
        print_json({"dispatched": dispatched})
    else:
        click.echo(f"{dispatched} alert{'' if dispatched == 1 else 's'} dispatched.")
    return EXIT_HEALTHY
