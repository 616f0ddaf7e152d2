"""Snapshots as frames."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING

from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
from telemetry_quality.frames.loading import asked_for
from telemetry_quality.frames.tables import frame_of_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from pandas import DataFrame

    from telemetry_quality.settings import Settings

_KEY = ("source", "day", "revision")
COLUMNS = (*_KEY, *(field.name for field in fields(TelemetryIntegritySnapshot) if field.name not in _KEY))

_KINDS = {
    "Mapping[str, float": "dict",
    **{kind: kind for kind in ("int", "float", "bool", "str", "date", "datetime", "DayStatus")},
}
"""The kind of a column, by the first type in the annotation of its field."""

_values = attrgetter(*COLUMNS)


def load_snapshots(
    first: date,
    last: date,
    settings: Settings | None = None,
    source: str | None = None,
    *,
    as_of: datetime | None = None,
) -> DataFrame:
    """The current snapshots of all sources from ``first`` to ``last``, inclusive.

    There is a row per source and day with a snapshot, by source in the order of the settings, and a column per field
    of TelemetryIntegritySnapshot, starting with the key. What is not known is missing (``NA``), never zero: counts are
    ``Int64``, rates ``Float64``, flags ``boolean``, texts ``string``; ``day`` is a ``datetime64`` without a zone,
    ``computed_at`` is in UTC, and ``status`` is a category. Columns and types do not depend on what was found.

    Args:
        first: The first day, in the time zone of each source.
        last: The last day.
        settings: By default those of ``load_settings()``.
        source: The name of a source; by default all sources.
        as_of: An aware instant: the newest revisions that were judged by then.

    Raises:
        SettingsError: If the settings are invalid or have no such source.
        RequestError: If ``first`` is after ``last``, or ``as_of`` has no time zone.
        StoreError: If the store cannot be read.
    """
    with asked_for(first, last, settings, source, as_of) as (store, names, instant):
        return frame_of(snapshot for name in names for snapshot in store.snapshots(name, first, last, instant))


def frame_of(snapshots: Iterable[TelemetryIntegritySnapshot]) -> DataFrame:
    """A row per snapshot and a column per field, always of the same type; see ``load_snapshots``."""
    annotations = {field.name: str(field.type) for field in fields(TelemetryIntegritySnapshot)}
    kinds = {name: _KINDS[annotations[name].partition(" | ")[0]] for name in COLUMNS}
    return frame_of_rows(kinds, [_values(snapshot) for snapshot in snapshots])
