"""The command ``prune-dagster``: remove old runs that nothing is shown from."""

from __future__ import annotations

from datetime import timedelta

import click

from telemetry_quality.assembly import utc_now
from telemetry_quality.commands.options import EXIT_HEALTHY, json_option, say
from telemetry_quality.errors import RequestError


@click.command("prune-dagster")
@click.option(
    "--days", type=click.IntRange(1, 36_500), default=90, help="Keep all runs of the last N days (default: 90)."
)
@json_option
def prune_dagster(days: int, as_json: bool) -> int:
    """Remove old runs from Dagster's storage, except those that hold the newest state of a day."""
    import dagster as dg  # noqa: PLC0415 - takes a second

    from telemetry_quality.orchestration.pruning import prune  # noqa: PLC0415

    try:
        instance = dg.DagsterInstance.get()
    except dg.DagsterError as error:
        raise RequestError(
            "DAGSTER_HOME must name the folder of Dagster's dagster.yaml, "
            f"but Dagster says: {str(error).splitlines()[0]}"
        ) from None
    with instance:
        removed, kept = prune(instance, utc_now() - timedelta(days=days))
    sentence = (
        f"{removed} runs older than {days} days were removed; {kept} were kept, because a day is shown from them."
    )
    say(as_json, {"removed_runs": removed, "kept_runs": kept}, sentence)
    return EXIT_HEALTHY
