"""The assets of a source: events (external) → aggregates and sample (one scan) → integrity snapshot."""

# Dagster resolves the annotations of what it decorates: no postponed ones, no imports for type checkers only.
from collections.abc import Iterator
from time import monotonic

import dagster as dg

from telemetry_quality.core.judged_days import JudgedDays
from telemetry_quality.core.progress import Pace
from telemetry_quality.orchestration import rendering
from telemetry_quality.orchestration.alert_lines import RunAlerts
from telemetry_quality.orchestration.ghost_runs import record_worker
from telemetry_quality.orchestration.heartbeats import heard
from telemetry_quality.orchestration.names import SourceNames
from telemetry_quality.orchestration.partitions import partition_days
from telemetry_quality.orchestration.resources import telemetry_of
from telemetry_quality.orchestration.specs import aggregates_spec, sample_spec, snapshot_spec
from telemetry_quality.settings import SourceSettings

LOG_EVERY_DAYS = 31


def is_worth_a_line(pace: Pace) -> bool:
    """Whether enough has been done since the last line for another line of progress in the run's log."""
    return pace.done % LOG_EVERY_DAYS == 0 or pace.done == pace.total


def build_assets(
    names: SourceNames, settings: SourceSettings, store_engine: str, grace_minutes: int
) -> list[dg.AssetsDefinition]:
    """The assets of a source; its events are left out where other code defines them.

    Args:
        names: The source's names.
        settings: Its settings.
        store_engine: What stores its snapshots.
        grace_minutes: How late a day's snapshot may be.
    """
    of_source = (names, settings, store_engine)
    return [
        _scan_assets(names, aggregates_spec(*of_source), sample_spec(*of_source)),
        _snapshot_asset(names, snapshot_spec(*of_source, grace_minutes)),
    ]


def _scan_assets(names: SourceNames, aggregates: dg.AssetSpec, sample: dg.AssetSpec) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=names.named("reading"),
        specs=[aggregates, sample],
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={names.resource},
    )
    def scan(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        with heard(context, names, is_first=True):
            _read(context, names)
        for spec in (aggregates, sample):
            yield dg.MaterializeResult(asset_key=spec.key)

    return scan


def _read(context: dg.AssetExecutionContext, names: SourceNames) -> None:
    """Scan the days of a run and add metadata to each."""
    record_worker(context)
    telemetry = telemetry_of(context, names.resource)
    work, days = telemetry.work(names.source), partition_days(context)
    pace = Pace(len(days), monotonic)
    for stored, aggregates in work.read_with_aggregates(days, telemetry.clock()):
        day = stored.day.isoformat()
        found = (rendering.aggregates_metadata(stored, aggregates), rendering.sample_metadata(stored))
        for key, metadata in zip((names.aggregates, names.sample), found, strict=True):
            context.add_asset_metadata(metadata, asset_key=key, partition_key=day)
        pace.advance(1, stored.total_events or 0)
        if stored.unreadable_reason_code is not None:
            context.log.error(f"{day} could not be read: {stored.unreadable_reason}")
        if is_worth_a_line(pace):
            context.log.info(f"Read {pace.sentence()}; up to {day}")
        telemetry.on_progress(1)


def _snapshot_asset(names: SourceNames, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    @dg.asset(
        key=spec.key,
        deps=spec.deps,
        group_name=spec.group_name,
        owners=spec.owners,
        kinds=spec.kinds,
        description=spec.description,
        metadata=spec.metadata,
        freshness_policy=spec.freshness_policy,
        partitions_def=spec.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={names.resource},
        op_tags={"telemetry_quality/source": names.source},
    )
    def integrity_snapshot(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with heard(context, names):
            _judge(context, names)
        return dg.MaterializeResult()

    return integrity_snapshot


def _judge(context: dg.AssetExecutionContext, names: SourceNames) -> None:
    """Judge the days of a run and add each snapshot as metadata."""
    record_worker(context)
    telemetry = telemetry_of(context, names.resource)
    work, days = telemetry.work(names.source), partition_days(context)
    # The snapshot may be materialized alone: then nothing has scanned its days.
    if missing := work.read_missing(days, telemetry.clock()):
        context.log.info(f"Read {len(missing)} of {len(days)} days that were never read, such as {missing[0]}")
    pace, lineage = Pace(len(days), monotonic), telemetry.lineage(names.source)
    alerts, judged = RunAlerts(), JudgedDays()
    for judgement in work.judge(days, telemetry.clock(), context.run.run_id):
        day = judgement.snapshot.day.isoformat()
        metadata = rendering.snapshot_metadata(
            judgement.snapshot, judgement.verdicts, judgement.scan.hours, telemetry.settings.dashboard.url
        )
        context.add_asset_metadata(metadata, partition_key=day)
        lineage.emit(judgement)
        alerts.add(judgement)
        judged.add(judgement.snapshot, judgement.verdicts)
        pace.advance()
        if is_worth_a_line(pace):
            context.log.info(f"Judged {pace.sentence()}; up to {day}")
        telemetry.on_progress(1)
    alerts.log(context.log, work.store, telemetry.clock().date())
    context.log.info(judged.sentence("judged"))
    if lineage.failure is not None:
        context.log.warning(lineage.failure)
    if (failure := telemetry.keep_anchor()) is not None:
        context.log.error(failure)
