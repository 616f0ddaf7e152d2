"""Reads the signal catalogue: the names of known signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import column, select

from telemetry_quality.core.clipping import clipped
from telemetry_quality.sources.query import named_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnClause, Select

    from telemetry_quality.core.signals import SignalCatalogue


def listed_signals(catalogue: SignalCatalogue | None) -> frozenset[str] | None:
    """The names of a catalogue given as a list; None if there is no catalogue."""
    return None if catalogue is None or catalogue.names is None else frozenset(map(clipped, catalogue.names))


def read_catalogue(
    execute: Callable[[Select[Any]], Sequence[Sequence[Any]]], relation: str, catalogue: SignalCatalogue
) -> frozenset[str]:
    """The names of a catalogue given as a column of ``relation``."""
    names: ColumnClause[Any] = column(catalogue.column or "event_name")
    rows = execute(select(names).select_from(named_table(relation)).distinct())
    return frozenset(clipped(str(name)) for (name,) in rows if name is not None)
