"""The signal catalogue: where the names of known signals are listed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignalCatalogue:
    """Known signals as a list, or as a column of a table (a Parquet path, for a Parquet source)."""

    names: tuple[str, ...] | None = None
    table: str | None = None
    column: str | None = None
