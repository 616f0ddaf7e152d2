"""Automation conditions: what may be built on a day, and when."""

from __future__ import annotations

import warnings

import dagster as dg
from dagster import AutomationCondition as When

from telemetry_quality.core.trust import CHECK
from telemetry_quality.orchestration.names import Key, Names, key_of


def trusted_days_condition(source: str, key_prefix: Key = ()) -> dg.AutomationCondition[dg.AssetKey]:
    """Materialize each day once it can be trusted, and again when its snapshot has changed and can still be trusted.

    A day that cannot be trusted waits, however long; once somebody accepts it, it is requested. The asset must have the
    source's daily partitions and depend on its ``integrity_snapshot``. Combine the condition with others by ``&``, such
    as ``AutomationCondition.in_latest_time_window(timedelta(days=30))``.

    Args:
        source: The source's name in the settings.
        key_prefix: That of ``build_definitions``.
    """
    snapshot = Names(key_prefix=tuple(key_of(key_prefix).path)).of(source).snapshot
    with warnings.catch_warnings():
        # Expected: pyproject.toml pins the minor version with which these were tested.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
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
