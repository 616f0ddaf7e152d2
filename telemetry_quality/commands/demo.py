"""The command ``telemetry-quality demo``: the whole system on real telemetry."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.commands.days import day_as_json, exit_code, known_days
from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, day_range, json_option, print_json
from telemetry_quality.console import print_days, progress
from telemetry_quality.settings import DEFAULT_FILE, load_settings


@click.command()
@click.option("--days", type=click.IntRange(1, 365), default=60, show_default=True, help="Days to backfill.")
@click.option("--no-serve", is_flag=True, help="Stop before serving anything.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the Dagster UI.")
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
@click.option("--dashboard-port", default=3001, show_default=True, help="Port of the health dashboard.")
@config_option
@json_option
def demo(  # noqa: PLR0917
    days: int,
    no_serve: bool,
    host: str,
    port: int,
    dashboard_port: int,
    config: str | None,
    as_json: bool,
) -> int:
    """Prepare a year of real telemetry, backfill its last days in Dagster, and serve Dagster's UI and the dashboard."""
    from telemetry_quality import demo as stage  # noqa: PLC0415 - loads Dagster

    if not no_serve:
        stage.require_free_ports(host, port, dashboard_port)
    file = stage.prepare(Path(config or DEFAULT_FILE).absolute())
    settings = load_settings(file)
    source = settings.sources[stage.SOURCE]
    latest = source.calendar().latest_day(utc_now())
    wanted = day_range(latest - timedelta(days=days - 1), latest)
    steps = stage.steps_per_day(settings) * days
    with progress(f"Backfilling {days} days", steps, is_shown=not as_json, unit="steps") as advance:
        stage.backfill(settings, wanted, advance)
    known = known_days(open_store(settings), stage.SOURCE, wanted)
    if as_json:
        print_json({"days": [day_as_json(listed) for listed in known if listed.snapshot]})
    else:
        print_days(known)
    if no_serve:
        return exit_code(known)
    click.echo(stage.greeting(settings, host, port, dashboard_port, utc_now()), err=True)
    stage.serve(host, port, dashboard_port)
    return EXIT_HEALTHY
