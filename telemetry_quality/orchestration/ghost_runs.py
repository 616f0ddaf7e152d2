"""Ghost runs: Dagster shows them as running although their process has died. Here they are found and ended.

Dagster's default launcher does not ask whether the process of a started run still exists, so that a power failure or a
full disk leaves runs that hold their places in the queue. Runs on other machines are left to ``max_runtime_seconds``.
"""

# Dagster resolves the annotations of what it decorates: no postponed ones, no imports for type checkers only.
import json
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from time import time
from typing import Any

import dagster as dg

from telemetry_quality.orchestration.names import Names, SourceNames
from telemetry_quality.orchestration.processes import Moment, is_gone, this_moment

INTERVAL_SECONDS = 30

WORKER_TAG = "telemetry_quality/worker"
"""Names the machine and the moment at which a run's process was alive."""

LAUNCHER_TAG = ".dagster/grpc_info"
"""Names the code server that started the run; only Dagster's default launcher sets it."""

IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def record_worker(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> None:
    """Tag the run with the machine on which it runs, once.

    The tag names the run, since Dagster copies tags to retries.
    """
    if _recorded(context.run) is None:
        recorded = {"run_id": context.run.run_id, **this_moment().as_json()}
        context.instance.add_run_tags(context.run.run_id, {WORKER_TAG: json.dumps(recorded)})


def build_ghost_run_sensor(names: Names, sources: Sequence[SourceNames]) -> dg.SensorDefinition:
    """One sensor for the runs of all sources of the settings."""

    @dg.sensor(
        name=names.named("ghost_run_sensor"),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Every half minute, ends runs that Dagster shows as running although their process has died, as "
        "after a power failure: they would hold up the queue for ever. It touches no runs but those of these sources.",
    )
    def ghost_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        ended = end_ghost_runs(context.instance, sources)
        for run_id in ended:
            context.log.warning(f"Run {run_id} has no process any more and was ended.")
        if not ended:
            return dg.SkipReason("Every run has its process.")
        return dg.SkipReason(f"{len(ended)} run{'' if len(ended) == 1 else 's'} without a process ended.")

    return ghost_run_sensor


def end_ghost_runs(instance: dg.DagsterInstance, sources: Sequence[SourceNames]) -> list[str]:
    """End every run of ``sources`` whose process is gone; returns their ids."""
    now = this_moment()
    return [run.run_id for run in _runs(instance, sources) if _is_ghost(instance, run, now) and _end(instance, run)]


def _runs(instance: dg.DagsterInstance, sources: Sequence[SourceNames]) -> Iterator[dg.DagsterRun]:
    """The runs in progress that materialize or check nothing but our assets: other people's runs are theirs to end."""
    jobs = {job for names in sources for job in (names.materialize_day, names.recheck_day)}
    ours = {key for names in sources for key in (*names.materialized, names.training)}
    for record in instance.get_run_records(dg.RunsFilter(statuses=IN_PROGRESS)):
        run = record.dagster_run
        keys = {*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())}
        if run.job_name in jobs or (keys and keys <= ours):
            yield run


def _is_ghost(instance: dg.DagsterInstance, run: dg.DagsterRun, now: Moment) -> bool:
    started = _process_started(instance, run)
    if started is None:
        return False
    pid, seconds_ago = started
    seen = _recorded(run)
    if seen is None and _is_launched_here(run, now):
        # The process died before its first step, or has not come to it yet.
        seen = Moment(now.host, now.boot, now.uptime_seconds - seconds_ago)
    return seen is not None and is_gone(pid, seen, now)


def _process_started(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[int, float] | None:
    """The id of the run's process and how many seconds ago it said so; the first event names the run's own process."""
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        found: Any = event and event.engine_event_data.metadata.get("pid")
        if found is not None:
            return int(found.value), time() - entry.timestamp
    return None


def _recorded(run: dg.DagsterRun) -> Moment | None:
    """What the run's own process recorded; None if it has not, or if another run's tag was copied."""
    recorded = json.loads(run.tags.get(WORKER_TAG, "{}"))
    if recorded.pop("run_id", None) != run.run_id:
        return None
    return Moment(**recorded)


def _is_launched_here(run: dg.DagsterRun, now: Moment) -> bool:
    host = json.loads(run.tags.get(LAUNCHER_TAG, "{}")).get("host", "")
    try:
        return host in {"localhost", now.host} or ip_address(host).is_loopback
    except ValueError:
        return False


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Report the end of a run, unless it ended by itself in the meantime."""
    current = instance.get_run_by_id(run.run_id)
    if current is None or current.is_finished:
        return False
    sentence = "The run's process no longer exists: it was killed, or its machine stopped."
    if current.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(current, sentence)
    else:
        instance.report_run_failed(current, sentence)
    return True
