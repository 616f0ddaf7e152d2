"""Frames: what the store says of days, as a pandas frame for notebooks and reports.

pandas is imported when a frame is made: nothing else here needs it.
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
COLUMNS = (*_KEY, *(one.name for one in fields(TelemetryIntegritySnapshot) if one.name not in _KEY))

_DTYPES = {
    "int": "Int64",
    "float": "Float64",
    "bool": "boolean",
    "str": "string",
    "date": "datetime64[s]",
    "datetime": "datetime64[us, UTC]",
    "Mapping[str, float | None]": "string",
}
"""What a field of a snapshot is in pandas, by its annotation; all of these can be missing."""

_values = attrgetter(*COLUMNS)


def plain(value: Any) -> Any:
    """Numbers of extensions as JSON: which there are differs from day to day, columns do not."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def load_snapshots(first: date, last: date, settings: Settings | None = None, source: str | None = None) -> DataFrame:
    """The current snapshot of each source and day from ``first`` to ``last``, both included, that has one.

    There is a row per source and day, by source in the order of the settings, and a column per field of
    TelemetryIntegritySnapshot, the key first. What is not known is missing (``NA``) and never zero: counts are
    ``Int64``, rates ``Float64``, flags ``boolean``, texts ``string``; ``day`` is a ``datetime64`` without a zone,
    ``computed_at`` is in UTC, and ``status`` is a category. Columns and types do not depend on what was found.

    Args:
        first: The first day, in the time zone of each source.
        last: The last day.
        settings: Those of ``load_settings()`` where they are not given.
        source: The name of one source; all of them without it.

    Raises:
        SettingsError: If the settings are wrong, or have no such source.
        RequestError: If ``first`` is after ``last``.
        StoreError: If the store cannot be read.
    """
    if first > last:
        raise RequestError(f"The first day must not be after the last, but {first} is after {last}; swap them.")
    settings = settings or load_settings()
    names = list(settings.sources) if source is None else [settings.source(source)[0]]
    store = open_store(settings)
    try:
        return frame_of(one for name in names for one in store.snapshots(name, first, last))
    finally:
        store.close()


def frame_of(snapshots: Iterable[TelemetryIntegritySnapshot]) -> DataFrame:
    """A row per snapshot and a column per field, whose types are always the same; see ``load_snapshots``."""
    import pandas as pd  # noqa: PLC0415 - late: half a second

    rows = [tuple(map(plain, _values(one))) for one in snapshots]
    columns = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    dtypes: dict[str, Any] = _DTYPES | {"DayStatus": pd.CategoricalDtype([one.value for one in DayStatus])}
    kinds = {one.name: str(one.type).removesuffix(" | None") for one in fields(TelemetryIntegritySnapshot)}
    return pd.DataFrame(
        {
            name: pd.Series(list(values), dtype=dtypes[kinds[name]])
            for name, values in zip(COLUMNS, columns, strict=True)
        }
    )
