"""What Dagster knows about a source's assets and checks: keys, columns, kinds, owners and descriptions.

``assets`` and ``asset_checks`` make them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.metrics import METRICS
from telemetry_quality.core.trust import CHECK
from telemetry_quality.orchestration.partitions import daily_partitions

if TYPE_CHECKING:
    from telemetry_quality.orchestration.names import SourceNames
    from telemetry_quality.settings import SourceSettings

LONGEST_DAY = timedelta(hours=25)
"""A day on which clocks are set back."""

AGGREGATE_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("hour", "int", "the first hour with events, in whole hours since the day began"),
        dg.TableColumn("event_name", "string", "the signal; null if missing"),
        dg.TableColumn("service_version", "string", "the version tag as sent"),
        dg.TableColumn("events", "int"),
        dg.TableColumn("errors", "int"),
        dg.TableColumn("error_unknown_events", "int", "events that do not say whether they are errors"),
        dg.TableColumn("missing_version", "int"),
        dg.TableColumn("missing_critical", "json", "events without a value, per critical field"),
        dg.TableColumn("late_events", "int"),
        dg.TableColumn("by_hour", "json", "the counts of each hour, if there are several"),
        dg.TableColumn("rate_counts", "json", "events per count of the source's own rates, null where it has none"),
    ]
)
SAMPLE_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("position", "int", "position in the order of the draw"),
        dg.TableColumn("event_id", "string", "the id, or its SHA-256 with hash_event_ids"),
        dg.TableColumn("verdict", "string", "passed or failed"),
        dg.TableColumn("reason_codes", "json", "why the event failed"),
    ]
)
KINDS: dict[type, str] = {int: "int", float: "float", bool: "bool"}

SNAPSHOT_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("day", "date"),
        dg.TableColumn("revision", "int", "grows by one whenever numbers, verdicts or policy change"),
        dg.TableColumn("status", "string", "healthy, degraded, unhealthy, no_activity or unknown"),
        *(dg.TableColumn(one.name, KINDS[one.kind], one.description) for one in METRICS),
        dg.TableColumn(
            "extra_numbers", "json", "numbers added by guardrails of other packages and by the source's own rates"
        ),
        dg.TableColumn("content_hash", "string"),
    ]
)


def events_spec(names: SourceNames, settings: SourceSettings) -> dg.AssetSpec:
    """The telemetry itself, written by other systems."""
    return dg.AssetSpec(
        names.events,
        group_name=names.group,
        owners=list(settings.owners),
        kinds={settings.kind},
        description="The telemetry itself, which is only read.",
        metadata={"location": settings.location, "time_zone": settings.time_zone},
    )


def aggregates_spec(names: SourceNames, settings: SourceSettings, store_engine: str) -> dg.AssetSpec:
    """The counts of a day."""
    return dg.AssetSpec(
        names.aggregates,
        deps=[names.events],
        group_name=names.group,
        owners=list(settings.owners),
        kinds={settings.engine, store_engine},
        description="Counts per event name, version and hour; coarser counts are rolled up from them.",
        metadata={"dagster/column_schema": AGGREGATE_COLUMNS, "dagster/table_name": "event_aggregate"},
        partitions_def=daily_partitions(settings.calendar()),
    )


def sample_spec(names: SourceNames, settings: SourceSettings, store_engine: str) -> dg.AssetSpec:
    """The sample of a day."""
    return dg.AssetSpec(
        names.sample,
        deps=[names.events],
        group_name=names.group,
        owners=list(settings.owners),
        kinds={settings.engine, store_engine},
        description=(
            "A uniform random sample, each event verified for signal, version tag and critical fields. "
            "Ids and verdicts are stored, no other field."
        ),
        metadata={"dagster/column_schema": SAMPLE_COLUMNS, "dagster/table_name": "event_sample"},
        partitions_def=daily_partitions(settings.calendar()),
    )


def freshness(settings: SourceSettings, grace_minutes: int) -> dg.FreshnessPolicy | None:
    """How old the last snapshot may become: a day of 25 hours and the grace period; None if the data set has ended.

    Dagster looks at the last materialization of whichever day, so this notices that nothing runs any more, but not that
    yesterday is missing.
    """
    if settings.last_day is not None:
        return None
    return dg.FreshnessPolicy.time_window(LONGEST_DAY + timedelta(minutes=grace_minutes))


def snapshot_spec(names: SourceNames, settings: SourceSettings, store_engine: str, grace_minutes: int) -> dg.AssetSpec:
    """The verdict on a day."""
    return dg.AssetSpec(
        names.snapshot,
        deps=[names.aggregates, names.sample],
        group_name=names.group,
        owners=list(settings.owners),
        kinds={store_engine},
        description="Whether the day can be trusted, as known when the snapshot was computed. Append-only.",
        freshness_policy=freshness(settings, grace_minutes),
        metadata={"dagster/column_schema": SNAPSHOT_COLUMNS, "dagster/table_name": "integrity_snapshot"},
        partitions_def=daily_partitions(settings.calendar()),
    )


def _owners(settings: SourceSettings) -> dict[str, str]:
    """Who answers for a check: Dagster has owners of assets only."""
    return {"owners": ", ".join(settings.owners)} if settings.owners else {}


def trust_spec(names: SourceNames, settings: SourceSettings) -> dg.AssetCheckSpec:
    """The one check that says whether those downstream may use the day."""
    return dg.AssetCheckSpec(
        CHECK,
        asset=names.snapshot,
        description="The day can be trusted: its source's gate lets it through, or somebody accepted it.",
        blocking=settings.is_gate_blocking,
        partitions_def=daily_partitions(settings.calendar()),
        metadata={"gate": settings.gate.value, **_owners(settings)},
    )


def guardrail_specs(names: SourceNames, settings: SourceSettings) -> list[dg.AssetCheckSpec]:
    """The guardrails of a source as non-blocking checks on its integrity snapshot."""
    return [
        dg.AssetCheckSpec(
            rule.name,
            asset=names.snapshot,
            description=rule.description,
            blocking=False,
            partitions_def=daily_partitions(settings.calendar()),
            metadata={"level": rule.level.value, **_owners(settings)},
        )
        for rule in guardrails_of(settings.event_schema())
    ]
