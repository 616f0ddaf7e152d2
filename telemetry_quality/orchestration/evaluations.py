"""The only module that uses what Dagster does not export; written for Dagster 1.13.

In a single-run backfill a check is stored correctly and shown in the UI's per-day grid only as an
``AssetCheckEvaluation`` that names its partition and the materialization it judged. The class for the latter is not
public. If it moved, checks would still work but the grid would be empty: hence the clear error. Nor is the query for a
check's latest evaluation of each day, nor the storage that ``event_log`` builds on, which Dagster's configuration names
by this path.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

try:
    from dagster._core.definitions.asset_checks.asset_check_evaluation import (
        AssetCheckEvaluationTargetMaterializationData as Target,
    )
except ImportError as error:  # pragma: no cover - a Dagster that pyproject.toml does not allow
    raise ImportError(
        f"telemetry-quality requires dagster>=1.13,<1.14 for checks per day, but {dg.__version__} was found; "
        "install a matching version."
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo
    from dagster._core.storage.event_log import SqliteEventLogStorage as SqliteEventLogStorage  # noqa: PLC0414


@contextmanager
def expected_warnings() -> Iterator[None]:
    """Silence Dagster about features that may change: pyproject.toml pins the minor version that was tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield


def __getattr__(name: str) -> Any:
    """``SqliteEventLogStorage``, imported on demand: it loads SQLAlchemy, which a code location must not."""
    if name != "SqliteEventLogStorage":
        raise AttributeError(name)
    from dagster._core.storage.event_log import SqliteEventLogStorage as Storage  # noqa: PLC0415

    return Storage


PLANNED, SUCCEEDED = "PLANNED", "SUCCEEDED"

CHUNK_DAYS = 100
"""The number of days per query for materializations, since SQLite limits the parameters of a query."""


def materialization_targets(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, days: Sequence[date]
) -> dict[date, Target]:
    """The latest materialization of each day, for days that have one."""
    targets: dict[date, Target] = {}
    for start in range(0, len(days), CHUNK_DAYS):
        wanted = {day.isoformat(): day for day in days[start : start + CHUNK_DAYS]}
        cursor = None
        while wanted:
            records_filter = dg.AssetRecordsFilter(asset_key=asset_key, asset_partitions=list(wanted))
            found = instance.fetch_materializations(records_filter, limit=2 * CHUNK_DAYS, cursor=cursor)
            for record in found.records:
                if record.partition_key in wanted:
                    day = wanted.pop(record.partition_key)
                    targets[day] = Target(
                        storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
                    )
            cursor = found.cursor
            if not found.has_more:
                break
    return targets


def reported_outcomes(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> dict[str, bool | None]:
    """Whether the latest evaluation of each day's latest materialization passed; None if that was not checked.

    Days whose check is still to come in a run that has not ended are left out.
    """
    found = instance.event_log_storage.get_asset_check_partition_info([check])
    planned = {info.latest_planned_run_id for info in found if info.latest_execution_status.value == PLANNED}
    unfinished = {run for run in planned if (known := instance.get_run_by_id(run)) and not known.is_finished}
    return {
        info.partition_key: info.latest_execution_status.value == SUCCEEDED if _is_evaluated(info) else None
        for info in found
        if info.partition_key is not None
        and not (info.latest_execution_status.value == PLANNED and info.latest_planned_run_id in unfinished)
    }


def _is_evaluated(info: AssetCheckPartitionInfo) -> bool:
    return info.is_current and info.latest_execution_status.value != PLANNED
