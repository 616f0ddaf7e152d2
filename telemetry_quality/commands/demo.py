"""The command ``telemetry-quality demo``: the whole system on real telemetry."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.commands.days import day_as_json, exit_code, known_days
from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, day_range, json_option, print_json
from telemetry_quality.console import next_step, progress, write, write_boxed
from telemetry_quality.core.incidents import incidents_of
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.settings import DEFAULT_FILE, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.console import ListedDay


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
    is_shown = not as_json
    with (
        stage.logging_to_file(),
        progress(f"Backfilling {days} days", steps, is_shown=is_shown, unit="steps") as advance,
    ):
        stage.backfill(stage.with_dashboard_at(dashboard_port, settings), wanted, advance)
    store = open_store(settings)
    known = known_days(store, stage.SOURCE, wanted)
    worst = stage.worst(incidents_of(store, stage.SOURCE, wanted[0], wanted[-1]))
    if as_json:
        print_json({"days": [day_as_json(listed) for listed in known if listed.snapshot]})
    else:
        write(_summary(known, source.location))
    if no_serve:
        if not as_json:
            next_step(*(["health"] if worst is None else ["incidents", "show", worst.key]), config=config)
        return exit_code(known)
    greeting = stage.greeting(settings, host, (port, dashboard_port), utc_now(), worst)
    write(
        f"Starting Dagster's UI and the health dashboard, which takes some seconds; log: {stage.log_file()}",
        stderr=True,
    )
    stage.serve(host, port, dashboard_port, lambda: write_boxed(greeting, stderr=True))
    return EXIT_HEALTHY


def _summary(known: Sequence[ListedDay], location: str) -> str:
    """How many days have which status, best first."""
    counts = Counter(line.status for line in known)
    statuses = ", ".join(f"{counts[status]} {status}" for status in reversed(DayStatus) if counts[status])
    days = f"{len(known)} days from {known[0].day} to {known[-1].day}"
    return f"{days} of real flights, in {location}, are judged: {statuses}."
