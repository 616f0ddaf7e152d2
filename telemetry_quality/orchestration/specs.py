"""What Dagster knows of one source's assets and checks: keys, columns, kinds, owners and descriptions.

How they are made stands in ``assets`` and ``asset_checks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.metrics import METRICS
from telemetry_quality.orchestration.partitions import daily_partitions

if TYPE_CHECKING:
    from telemetry_quality.settings import SourceSettings

AGGREGATE_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("hour", "int", "the first with events: whole hours since the day began"),
        dg.TableColumn("event_name", "string", "the signal, null where it has none"),
        dg.TableColumn("service_version", "string", "the version tag as it was sent"),
        dg.TableColumn("events", "int"),
        dg.TableColumn("errors", "int"),
        dg.TableColumn("error_unknown_events", "int", "events that do not say whether they are an error"),
        dg.TableColumn("missing_version", "int"),
        dg.TableColumn("missing_critical", "json", "events without a value, per critical field"),
        dg.TableColumn("late_events", "int"),
        dg.TableColumn("by_hour", "json", "the counts of each hour, where there are several"),
        dg.TableColumn("rate_counts", "json", "events per count of the source's own rates, null where it has none"),
    ]
)
SAMPLE_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("position", "int", "order of the draw"),
        dg.TableColumn("event_id", "string", "the only value kept of an event"),
        dg.TableColumn("verdict", "string", "passed or failed"),
        dg.TableColumn("reason_codes", "json", "why it failed"),
    ]
)
KINDS: dict[type, str] = {int: "int", float: "float", bool: "bool"}

SNAPSHOT_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("day", "date"),
        dg.TableColumn("revision", "int", "one more whenever numbers or policy changed"),
        dg.TableColumn("status", "string", "healthy, degraded, unhealthy, no_activity or unknown"),
        *(dg.TableColumn(one.name, KINDS[one.kind], one.description) for one in METRICS),
        dg.TableColumn("extra_numbers", "json", "what guardrails of other packages and the source's own rates add"),
        dg.TableColumn("content_hash", "string"),
    ]
)


def snapshot_key(source: str) -> dg.AssetKey:
    """The key of a source's integrity snapshot."""
    return dg.AssetKey([source, "integrity_snapshot"])


def events_spec(source: str, settings: SourceSettings) -> dg.AssetSpec:
    """The telemetry itself, which others write."""
    return dg.AssetSpec(
        [source, "events"],
        group_name=source,
        owners=list(settings.owners),
        kinds={settings.kind},
        description="The telemetry itself. It is only ever read.",
        metadata={"location": settings.location, "time_zone": settings.time_zone},
    )


def aggregates_spec(source: str, settings: SourceSettings, store_engine: str) -> dg.AssetSpec:
    """The counts of a day."""
    return dg.AssetSpec(
        [source, "event_aggregates"],
        deps=[dg.AssetKey([source, "events"])],
        group_name=source,
        owners=list(settings.owners),
        kinds={settings.engine, store_engine},
        description="Counts per event name and version, by hour; everything coarser is rolled up from them.",
        metadata={"dagster/column_schema": AGGREGATE_COLUMNS, "dagster/table_name": "event_aggregate"},
        partitions_def=daily_partitions(settings.calendar()),
    )


def sample_spec(source: str, settings: SourceSettings, store_engine: str) -> dg.AssetSpec:
    """The verified sample of a day."""
    return dg.AssetSpec(
        [source, "event_sample"],
        deps=[dg.AssetKey([source, "events"])],
        group_name=source,
        owners=list(settings.owners),
        kinds={settings.engine, store_engine},
        description=(
            "A uniform random sample, each event verified for signal, version tag and critical fields. "
            "Only ids and verdicts are kept."
        ),
        metadata={"dagster/column_schema": SAMPLE_COLUMNS, "dagster/table_name": "event_sample"},
        partitions_def=daily_partitions(settings.calendar()),
    )


def snapshot_spec(source: str, settings: SourceSettings, store_engine: str) -> dg.AssetSpec:
    """Whether a day can be trusted."""
    return dg.AssetSpec(
        snapshot_key(source),
        deps=[dg.AssetKey([source, "event_aggregates"]), dg.AssetKey([source, "event_sample"])],
        group_name=source,
        owners=list(settings.owners),
        kinds={store_engine},
        description="Whether the day can be trusted, as it was known when it was computed. Append-only.",
        metadata={"dagster/column_schema": SNAPSHOT_COLUMNS, "dagster/table_name": "integrity_snapshot"},
        partitions_def=daily_partitions(settings.calendar()),
    )


def guardrail_specs(source: str, settings: SourceSettings) -> list[dg.AssetCheckSpec]:
    """The guardrails of one source as checks on its integrity snapshot; none of them blocks."""
    return [
        dg.AssetCheckSpec(
            rule.name,
            asset=snapshot_key(source),
            description=rule.description,
            blocking=False,
            partitions_def=daily_partitions(settings.calendar()),
            metadata={"level": rule.level.value},
        )
        for rule in guardrails_of(settings.event_schema())
    ]
