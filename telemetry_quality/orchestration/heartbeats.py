"""The heartbeats of daily runs: sent by runs that judge yesterday, whoever started them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from telemetry_quality.assembly import heartbeat
from telemetry_quality.orchestration.partitions import partition_days
from telemetry_quality.orchestration.resources import telemetry_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

    from telemetry_quality.orchestration.names import SourceNames


@contextmanager
def heard(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
    names: SourceNames,
    *,
    is_first: bool = False,
    is_last: bool = False,
) -> Iterator[None]:
    """Tell the heartbeat of a step that begins or ends a daily run, and of any that fails.

    A run whose process is killed tells nothing more, which is what the service waits for.
    """
    telemetry, source = telemetry_of(context, names.resource), names.source
    latest = telemetry.settings.sources[source].calendar().latest_day(telemetry.clock())
    if not _is_whole(context.run, names) or latest not in partition_days(context):
        yield
        return
    beat = heartbeat(telemetry.settings, source)
    if is_first:
        beat.start()
    try:
        yield
    except Exception as error:
        beat.fail(f"{source} {latest}: run {context.run.run_id} failed ({type(error).__name__}).")
        raise
    if is_last:
        beat.success(f"{source} {latest} was judged by run {context.run.run_id}.")


def _is_whole(run: dg.DagsterRun, names: SourceNames) -> bool:
    """Whether a run reads and judges: that of the daily job, or of an automation that requested all of its assets."""
    return run.job_name == names.materialize_day or set(names.materialized) <= (run.asset_selection or set())
