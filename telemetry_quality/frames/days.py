"""Trusted days as frames, and any days as files."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from telemetry_quality.core.known_days import DAY_COLUMNS, rows_of
from telemetry_quality.errors import RequestError
from telemetry_quality.frames.loading import read_known_days
from telemetry_quality.frames.tables import PARQUET_TYPES, frame_of_rows, parquet_writer, write_frame
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime
    from typing import Any

    from pandas import DataFrame

    from telemetry_quality.core.known_days import Column
    from telemetry_quality.settings import Settings


def load_trusted_days(
    first: date,
    last: date,
    settings: Settings | None = None,
    source: str | None = None,
    *,
    as_of: datetime | None = None,
) -> DataFrame:
    """The days from ``first`` to ``last``, inclusive, that can be trusted, and only these.

    There is a row per source and trusted day, and a column per name in ``core.known_days.DAY_COLUMNS``, with types as
    in ``load_snapshots``. With ``as_of``, days are trusted or not as the store knew it then: by the newest revision
    that was judged by then, and by what people had said by then.

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
    known = read_known_days(settings or load_settings(), source, first, last, as_of)
    return frame_of_days(DAY_COLUMNS, [day for day in known if day.is_trusted])


def frame_of_days(columns: Sequence[Column], days: Iterable[Any]) -> DataFrame:
    """A row per day, and columns whose types do not depend on what was found."""
    return frame_of_rows({column.name: column.kind.__name__ for column in columns}, rows_of(columns, days))


def parquet_types(columns: Sequence[Column]) -> dict[str, str]:
    """The DuckDB type of each column."""
    return {column.name: PARQUET_TYPES.get(column.kind.__name__, "VARCHAR") for column in columns}


def write_days(columns: Sequence[Column], files: Mapping[str, Iterable[Any]], folder: Path) -> None:
    """Write Parquet files with these names, with a row per day; readers see an old file or a new one.

    Raises:
        RequestError: If the folder cannot be written.
    """
    types = parquet_types(columns)
    try:
        with TemporaryDirectory(dir=folder, prefix=".telemetry-quality-") as parts:
            with parquet_writer(Path(parts)) as connection:
                for name, days in files.items():
                    write_frame(connection, frame_of_days(columns, days), types, Path(parts, name))
            for name in files:
                Path(parts, name).replace(folder / name)
    except OSError as error:
        raise RequestError(f"The folder {folder} must exist and be writable, but: {error}.") from error
