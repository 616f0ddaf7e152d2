"""What the functions that load frames share: which sources, which days, and as known when."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry_quality.assembly import open_store
from telemetry_quality.core.days import in_utc
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from telemetry_quality.core.known_days import KnownDay
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.store import SqlQualityStore


def read_known_days(
    settings: Settings, source: str | None, first: date | None, last: date | None, as_of: datetime | None
) -> list[KnownDay]:
    """The known days of a source, or of all in the settings' order, each with its source's gate.

    Raises:
        SettingsError: If the settings have no such source.
        RequestError: If ``first`` is after ``last``, or ``as_of`` has no time zone.
        StoreError: If the store cannot be read.
    """
    with asked_for(first, last, settings, source, as_of) as (store, names, instant):
        return [
            replace(day, gate=settings.sources[name].gate)
            for name in names
            for day in store.known_days(name, first, last, instant)
        ]


@contextmanager
def asked_for(
    first: date | None, last: date | None, settings: Settings | None, source: str | None, as_of: datetime | None
) -> Iterator[tuple[SqlQualityStore, list[str], datetime | None]]:
    """The open store, the names of the sources and the instant in UTC.

    Raises:
        SettingsError: If the settings are invalid or have no such source.
        RequestError: If ``first`` is after ``last``, or ``as_of`` has no time zone.
    """
    if first is not None and last is not None and first > last:
        raise RequestError(f"The first day must not be after the last, but {first} is after {last}; swap them.")
    instant = None if as_of is None else in_utc(as_of)
    settings = settings or load_settings()
    names = settings.names(source)
    store = open_store(settings)
    try:
        yield store, names, instant
    finally:
        store.close()
