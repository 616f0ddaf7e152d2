"""Removes old runs of all code locations with their events, and keeps those that Dagster's pages still need.

Dagster shows a day by the newest materialization of its partition, and so runs that hold one are kept, however old.
Evaluations of checks stay in any case, because Dagster stores them apart from the events of a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

RECORDS_AT_ONCE = 1000
"""How many materializations are fetched by one query."""

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class Pruned(NamedTuple):
    """How many finished runs were removed, and how many old ones were kept."""

    removed: int
    kept: int


def prune(instance: dg.DagsterInstance, before: datetime) -> Pruned:
    """Remove every finished run that was created before an instant and holds no newest materialization."""
    needed = {run for key in instance.get_asset_keys() for run in _runs_shown(instance, key)}
    filters = dg.RunsFilter(statuses=FINISHED, created_before=before)
    old = [record.dagster_run.run_id for record in instance.get_run_records(filters)]
    removed = [run for run in old if run not in needed]
    for run in removed:
        instance.delete_run(run)
    return Pruned(len(removed), len(old) - len(removed))


def _runs_shown(instance: dg.DagsterInstance, key: dg.AssetKey) -> Iterable[str]:
    """The runs with the newest materialization of any partition of an asset."""
    newest: dict[str | None, str] = {}
    cursor, has_more = None, True
    while has_more:
        found = instance.fetch_materializations(key, limit=RECORDS_AT_ONCE, cursor=cursor)
        for record in found.records:
            newest.setdefault(record.partition_key, record.run_id)
        cursor, has_more = found.cursor, found.has_more
    return newest.values()
