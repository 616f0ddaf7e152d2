"""Frames: stored snapshots as a pandas frame, for notebooks and reports.

pandas is imported when a frame is made, because nothing else needs it.
"""

from __future__ import annotations

import json
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from telemetry_quality.assembly import open_store
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from pandas import DataFrame

    from telemetry_quality.settings import Settings

_KEY = ("source", "day", "revision")
COLUMNS = (*_KEY, *(field.name for field in fields(TelemetryIntegritySnapshot) if field.name not in _KEY))

_DTYPES = {
    "int": "Int64",
    "float": "Float64",
    "bool": "boolean",
    "str": "string",
    "date": "datetime64[s]",
    "datetime": "datetime64[us, UTC]",
    "Mapping[str, float | None]": "string",
}
"""The pandas type of a snapshot's field, by its annotation; all of these types allow missing values."""

_values = attrgetter(*COLUMNS)


def plain(value: Any) -> Any:
    """Mappings as JSON: extra numbers differ from day to day, but columns must not."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def load_snapshots(first: date, last: date, settings: Settings | None = None, source: str | None = None) -> DataFrame:
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

    Raises:
        SettingsError: If the settings are invalid or have no such source.
        RequestError: If ``first`` is after ``last``.
        StoreError: If the store cannot be read.
    """
    if first > last:
        raise RequestError(f"The first day must not be after the last, but {first} is after {last}; swap them.")
    settings = settings or load_settings()
    names = settings.names(source)
    store = open_store(settings)
    try:
        return frame_of(snapshot for name in names for snapshot in store.snapshots(name, first, last))
    finally:
        store.close()


def frame_of(snapshots: Iterable[TelemetryIntegritySnapshot]) -> DataFrame:
    """A row per snapshot and a column per field, always of the same type; see ``load_snapshots``."""
    import pandas as pd  # noqa: PLC0415 - takes half a second

    rows = [tuple(map(plain, _values(snapshot))) for snapshot in snapshots]
    columns = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    dtypes: dict[str, Any] = _DTYPES | {"DayStatus": pd.CategoricalDtype([status.value for status in DayStatus])}
    kinds = {field.name: str(field.type).removesuffix(" | None") for field in fields(TelemetryIntegritySnapshot)}
    return pd.DataFrame(
        {
            name: pd.Series(list(values), dtype=dtypes[kinds[name]])
            for name, values in zip(COLUMNS, columns, strict=True)
        }
    )
