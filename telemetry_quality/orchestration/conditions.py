"""Automation conditions: what may be built on a day, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import AutomationCondition as When

from telemetry_quality.core.trust import CHECK
from telemetry_quality.orchestration.evaluations import expected_warnings
from telemetry_quality.orchestration.names import Key, Names, prefix_of
from telemetry_quality.orchestration.schedules import daily_cron

if TYPE_CHECKING:
    from telemetry_quality.orchestration.names import SourceNames
    from telemetry_quality.settings import SourceSettings


def with_conditions(asset: dg.AssetsDefinition, names: SourceNames, settings: SourceSettings) -> dg.AssetsDefinition:
    """The same asset of a source, which materializes by itself."""
    conditions = {
        names.aggregates: _scan_condition(settings),
        names.sample: _scan_condition(settings),
        names.snapshot: _following_condition(settings),
        names.training: _following_condition(settings),
        names.expected_volume: _refreshing_condition(),
    }
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(automation_condition=conditions[spec.key]))


def _scan_condition(settings: SourceSettings) -> dg.AutomationCondition[Any]:
    """Scan the recent days that are missing when the previous day is complete, and those whose events were updated."""
    with expected_warnings():
        tick: dg.AutomationCondition[Any] = When.cron_tick_passed(daily_cron(settings), settings.time_zone)
        return (
            _recent(settings)
            & ((When.missing() & tick.since_last_handled()) | When.any_deps_updated().since_last_handled())
            & ~When.in_progress()
        ).with_label("missing in the morning, or events updated")


def _following_condition(settings: SourceSettings) -> dg.AutomationCondition[Any]:
    """Follow what the asset depends on, on recent days."""
    with expected_warnings():
        return (When.eager().without(When.in_latest_time_window()) & _recent(settings)).with_label(
            "what it depends on has changed"
        )


def _refreshing_condition() -> dg.AutomationCondition[Any]:
    """Follow any day of what the asset depends on, whichever other days are missing."""
    with expected_warnings():
        return (
            When.any_deps_updated().since_last_handled() & ~When.any_deps_in_progress() & ~When.in_progress()
        ).with_label("a snapshot was made")


def _recent(settings: SourceSettings) -> dg.AutomationCondition[Any]:
    return When.in_latest_time_window(timedelta(days=settings.late_days))


def trusted_days_condition(source: str, key_prefix: Key = ()) -> dg.AutomationCondition[dg.AssetKey]:
    """Materialize each day once it can be trusted, and again when its snapshot has changed and can still be trusted.

    A day that cannot be trusted waits, however long; once somebody accepts it, it is requested. The asset must have the
    source's daily partitions and depend on its ``integrity_snapshot``. Combine the condition with others by ``&``, such
    as ``AutomationCondition.in_latest_time_window(timedelta(days=30))``.

    Args:
        source: The source's name in the settings.
        key_prefix: That of ``build_definitions``.
    """
    snapshot = Names(key_prefix=prefix_of(key_prefix)).of(source).snapshot
    with expected_warnings():
        # Any of one: where the check is not defined, no day passes, whereas all of none would.
        passed = When.any_checks_match(When.check_passed()).allow(
            dg.AssetSelection.checks(dg.AssetCheckKey(snapshot, CHECK))
        )
        due = (When.newly_missing() | When.any_deps_match(When.newly_updated())).since(
            When.newly_requested() | When.newly_updated()
        )
        return (
            due
            & When.asset_matches(snapshot, passed)
            # What a snapshot says that is about to be computed is not known yet.
            & ~When.any_deps_match(When.will_be_requested())
            & ~When.any_deps_missing()
            & ~When.any_deps_in_progress()
            & ~When.in_progress()
        ).with_label(f"a trusted day of {source}")
