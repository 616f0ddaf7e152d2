"""States of earlier instants: what the store said then, for responses that are asked for as of an instant.

They are read from the store for each response: nobody pages through the past as often as through the present.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.marks import marks_of
from telemetry_quality.dashboard.index import SnapshotIndex
from telemetry_quality.dashboard.state import DashboardState

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from telemetry_quality.storage.reader import StoreReader


def log_as_of(reader: StoreReader, as_of: datetime, sources: Collection[str]) -> DashboardState:
    """A state with the snapshots that were current at ``as_of``, of these sources or of all.

    Raises:
        StoreError: If the store cannot be read.
    """
    return DashboardState(SnapshotIndex().extended(reader.journal_until(as_of, sources)), {}, "", as_of)


def source_as_of(reader: StoreReader, as_of: datetime, source: str) -> DashboardState:
    """A state with everything that was known about a source at ``as_of``.

    Raises:
        StoreError: If the store cannot be read.
    """
    return DashboardState(
        SnapshotIndex().extended(reader.journal_until(as_of, (source,))),
        {source: tuple(reader.incidents(source, as_of))},
        "",
        as_of,
        marks={source: marks_of(reader.marked_days(source, as_of))},
    )
