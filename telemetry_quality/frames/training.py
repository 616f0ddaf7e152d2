"""Training days as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.training import TRAINING_COLUMNS, training_days
from telemetry_quality.frames.days import frame_of_days
from telemetry_quality.frames.loading import asked_for
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from datetime import date, datetime

    from pandas import DataFrame

    from telemetry_quality.core.training import TrainingDay
    from telemetry_quality.settings import Settings


def load_training_days(
    first: date,
    last: date,
    settings: Settings | None = None,
    source: str | None = None,
    *,
    as_of: datetime | None = None,
) -> DataFrame:
    """Features and labels of the judged days from ``first`` to ``last``, inclusive, for machine learning.

    There is a row per source and judged day, trusted or not, and a column per name in
    ``core.training.TRAINING_COLUMNS``, with types as in ``load_snapshots``. With ``as_of``, every row is what the
    store knew then: the same call returns the same rows for ever.

    Args:
        first: The first day, in the time zone of each source.
        last: The last day.
        settings: By default those of ``load_settings()``.
        source: The name of a source; by default all sources.
        as_of: An aware instant; by default everything that is stored.

    Raises:
        SettingsError: If the settings are invalid or have no such source.
        RequestError: If ``first`` is after ``last``, or ``as_of`` has no time zone.
        StoreError: If the store cannot be read.
    """
    found = read_training_days(settings or load_settings(), source, first, last, as_of)
    return frame_of_days(TRAINING_COLUMNS, found)


def read_training_days(
    settings: Settings, source: str | None, first: date | None, last: date | None, as_of: datetime | None
) -> list[TrainingDay]:
    """The training days of a source, or of all, in the settings' order; raises what ``load_training_days`` does."""
    with asked_for(first, last, settings, source, as_of) as (store, names, instant):
        sources = [(name, settings.sources[name]) for name in names]
        return [
            day
            for name, its in sources
            for day in training_days(store.known_scans(name, first, last, instant), its.calendar(), its.gate)
        ]
