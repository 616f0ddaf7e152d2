"""The asset ``training_days``: a Parquet file of features and labels per day, made from the store alone."""

# Dagster resolves the annotations of what it decorates: no postponed ones, no imports for type checkers only.
from pathlib import Path

import dagster as dg

from telemetry_quality.core.training import TRAINING_COLUMNS, TrainingDay
from telemetry_quality.errors import RequestError
from telemetry_quality.frames.days import write_days
from telemetry_quality.frames.training import read_training_days
from telemetry_quality.orchestration.names import SourceNames
from telemetry_quality.orchestration.partitions import daily_partitions, partition_days
from telemetry_quality.orchestration.resources import TelemetryResource, telemetry_of
from telemetry_quality.settings import SourceSettings

COLUMN_SCHEMA = dg.TableSchema(
    columns=[dg.TableColumn(column.name, column.kind.__name__, column.description) for column in TRAINING_COLUMNS]
)


def build_training_asset(names: SourceNames, settings: SourceSettings) -> dg.AssetsDefinition:
    """The training days of a source, in the folder that the settings name."""

    @dg.asset(
        key=names.training,
        deps=[names.snapshot],
        group_name=names.group,
        owners=list(settings.owners),
        kinds={"parquet"},
        description="A row of features and labels per day for machine learning, as known when the file was made.",
        metadata={"dagster/column_schema": COLUMN_SCHEMA},
        partitions_def=daily_partitions(settings.calendar()),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={names.resource},
    )
    def training_days(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        telemetry = telemetry_of(context, names.resource)
        for day in _write(telemetry, names.source, context):
            context.add_asset_metadata(
                {
                    "revision": str(day.snapshot.revision),
                    "is_trusted": day.is_trusted,
                    "weight": day.weight,
                    "as_of": telemetry.clock().isoformat(),
                },
                partition_key=day.snapshot.day.isoformat(),
            )
        return dg.MaterializeResult()

    return training_days


def _write(telemetry: TelemetryResource, source: str, context: dg.AssetExecutionContext) -> list[TrainingDay]:
    """Write a file for each day of the run.

    Raises:
        RequestError: If a day was not judged, or the folder cannot be written.
    """
    days = partition_days(context)
    found = [
        day
        for day in read_training_days(telemetry.settings, source, min(days), max(days), None)
        if day.snapshot.day in days
    ]
    if missing := sorted({*days} - {day.snapshot.day for day in found}):
        raise RequestError(
            f"A training day requires a judged day, but {missing[0]} of {source} was never judged; "
            "materialize its integrity_snapshot first."
        )
    folder = Path(str(telemetry.settings.training_folder), source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"The training_folder must be writable, but {folder} cannot be made: {error}.") from error
    write_days(TRAINING_COLUMNS, {f"{day.snapshot.day}.parquet": [day] for day in found}, folder)
    context.log.info(f"Wrote {len(found)} training days to {folder}")
    return found
