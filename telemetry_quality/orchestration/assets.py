"""The assets of one source: events (external) → aggregates and sample (one reading) → integrity snapshot."""

# Dagster resolves the annotations of what it decorates: no postponed ones, no imports for type checkers only.
from collections.abc import Iterator
from time import monotonic

import dagster as dg

from telemetry_quality.core.progress import Pace
from telemetry_quality.orchestration import rendering
from telemetry_quality.orchestration.partitions import daily_partitions, partition_days
from telemetry_quality.orchestration.resources import RESOURCE, telemetry_of
from telemetry_quality.settings import SourceSettings

LOG_EVERY_DAYS = 31


def is_worth_a_line(pace: Pace) -> bool:
    """Whether so much is done since the last line that the run's log should say how far it is."""
    return pace.done % LOG_EVERY_DAYS == 0 or pace.done == pace.total


def snapshot_key(source: str) -> dg.AssetKey:
    """The key of a source's integrity snapshot."""
    return dg.AssetKey([source, "integrity_snapshot"])


def build_assets(source: str, settings: SourceSettings, store_engine: str) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The assets of one source, its name their group and key prefix; they are kept in ``store_engine``."""
    partitions = daily_partitions(settings.calendar())
    owners = list(settings.owners)
    events = dg.AssetSpec(
        [source, "events"],
        group_name=source,
        owners=owners,
        kinds={settings.kind},
        description="The telemetry itself. It is only ever read.",
        metadata={"location": settings.location, "time_zone": settings.time_zone},
    )
    readings = [
        dg.AssetSpec(
            [source, "event_aggregates"],
            deps=[events.key],
            group_name=source,
            owners=owners,
            kinds={settings.engine, store_engine},
            description="Counts per event name and version, by hour; everything coarser is rolled up from them.",
            metadata={
                "dagster/column_schema": rendering.AGGREGATE_COLUMNS,
                "dagster/table_name": "event_aggregate",
            },
            partitions_def=partitions,
        ),
        dg.AssetSpec(
            [source, "event_sample"],
            deps=[events.key],
            group_name=source,
            owners=owners,
            kinds={settings.engine, store_engine},
            description=(
                "A uniform random sample, each event verified for signal, version tag and critical fields. "
                "Only ids and verdicts are kept."
            ),
            metadata={
                "dagster/column_schema": rendering.SAMPLE_COLUMNS,
                "dagster/table_name": "event_sample",
            },
            partitions_def=partitions,
        ),
    ]

    @dg.multi_asset(
        name=f"{source}_reading",
        specs=readings,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={RESOURCE},
    )
    def reading(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        telemetry = telemetry_of(context)
        work, days = telemetry.work(source), partition_days(context)
        pace = Pace(len(days), monotonic)
        for stored, aggregates in work.read_with_aggregates(days, telemetry.clock()):
            key = stored.day.isoformat()
            for spec, metadata in zip(
                readings,
                (rendering.aggregates_metadata(stored, aggregates), rendering.sample_metadata(stored)),
                strict=True,
            ):
                context.add_asset_metadata(metadata, asset_key=spec.key, partition_key=key)
            pace.advance(1, stored.total_events or 0)
            if stored.unreadable_reason_code is not None:
                context.log.error(f"{key} could not be read: {stored.unreadable_reason}")
            if is_worth_a_line(pace):
                context.log.info(f"Read {pace.sentence()}; up to {key}")
            telemetry.on_progress(1)
        for spec in readings:
            yield dg.MaterializeResult(asset_key=spec.key)

    @dg.asset(
        key=snapshot_key(source),
        deps=[spec.key for spec in readings],
        group_name=source,
        owners=owners,
        kinds={store_engine},
        description="Whether the day can be trusted, as it was known when it was computed. Append-only.",
        metadata={
            "dagster/column_schema": rendering.SNAPSHOT_COLUMNS,
            "dagster/table_name": "integrity_snapshot",
        },
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={RESOURCE},
        op_tags={"telemetry_quality/source": source},
    )
    def integrity_snapshot(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        telemetry = telemetry_of(context)
        work, days = telemetry.work(source), partition_days(context)
        pace = Pace(len(days), monotonic)
        for judgement in work.judge(days, telemetry.clock(), context.run.run_id):
            key = judgement.snapshot.day.isoformat()
            metadata = rendering.snapshot_metadata(judgement.snapshot, judgement.verdicts)
            context.add_asset_metadata(metadata, partition_key=key)
            pace.advance()
            if is_worth_a_line(pace):
                context.log.info(f"Judged {pace.sentence()}; up to {key}")
            telemetry.on_progress(1)
        return dg.MaterializeResult()

    return [events, reading, integrity_snapshot]
