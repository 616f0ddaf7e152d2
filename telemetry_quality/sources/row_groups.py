"""The row groups of Parquet files and of DuckDB's own tables that a look at some hours would read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import column, func, select, table

from telemetry_quality.core.time_forms import UNITS_PER_SECOND
from telemetry_quality.sources.columns import ColumnKind, column_roles
from telemetry_quality.sources.costs import Reading, cost_of_bytes
from telemetry_quality.sources.parquet import literal_path
from telemetry_quality.sources.query import DayRange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duckdb import DuckDBPyConnection
    from sqlalchemy import ColumnElement, Select

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.sources.query import EventTable

ROWS_TOGETHER = 122_880
"""DuckDB keeps so many rows of a table together, and knows from which value to which their columns reach."""

_READ = """
WITH ticks AS (
    SELECT file_name, row_group_id, total_compressed_size AS size, path_in_schema = $time AS is_time,
        list_contains($names, string_split(path_in_schema, ', ')[1]) AS is_read,
        CASE $kind WHEN 'instant' THEN epoch_us(TRY_CAST(stats_min_value AS TIMESTAMPTZ))
            WHEN 'integer' THEN TRY_CAST(stats_min_value AS BIGINT) END AS low,
        CASE $kind WHEN 'instant' THEN epoch_us(TRY_CAST(stats_max_value AS TIMESTAMPTZ))
            WHEN 'integer' THEN TRY_CAST(stats_max_value AS BIGINT) END AS high
    FROM parquet_metadata($paths)
), row_groups AS (
    SELECT sum(size) FILTER (is_read) AS size, min(low) FILTER (is_time) AS first, max(high) FILTER (is_time) AS last
    FROM ticks GROUP BY file_name, row_group_id
)
SELECT coalesce(sum(size), 0),
    coalesce(sum(size * (least(last, $end) - greatest(first, $start)) / greatest(last - first, 1))
        FILTER (first IS NOT NULL AND last IS NOT NULL), 0)
FROM row_groups WHERE first IS NULL OR last IS NULL OR (first < $end AND last >= $start)
"""


def cost_of_parquet(
    connection: DuckDBPyConnection, paths: Sequence[str], events: EventTable, window: DayWindow
) -> str | None:
    """Why looking into Parquet files costs too much; None if it does not."""
    return cost_of_bytes(
        parquet_reading(connection, paths, events, window),
        "Parquet, whose row groups do not tell hours apart",
        "write files by hour, or sort each by its time, which has to be a timestamp",
    )


def parquet_reading(
    connection: DuckDBPyConnection, paths: Sequence[str], events: EventTable, window: DayWindow
) -> Reading:
    """The columns that are read of the row groups that may hold events of the hours, in bytes."""
    name = events.schema.occurred_at
    kind = events.columns[name].kind
    per_second = UNITS_PER_SECOND[events.roles.unit_of(name) if kind is ColumnKind.INTEGER else "us"]
    found = connection.execute(
        _READ,
        {
            "names": sorted({needed for _, needed in column_roles(events.schema, events.columns)}),
            "kind": kind.value,
            "time": name,
            "paths": list(map(literal_path, paths)),
            "start": int(window.start.timestamp()) * per_second,
            "end": int(window.end.timestamp()) * per_second,
        },
    ).fetchone()
    return Reading(*(found or (0, 0)))


def rows_together(
    execute: Callable[[Select[Any]], Sequence[Sequence[Any]]], name: str, events: EventTable, window: DayWindow
) -> Reading:
    """The rows of a DuckDB table that lie together with some of the hours; of a view, the rows of all tables."""
    tables = table("duckdb_tables", column("table_name"), column("estimated_size"))
    sizes = dict(map(tuple, execute(select(tables.c.table_name, tables.c.estimated_size))))
    if name not in sizes or events.columns[events.schema.occurred_at].kind is ColumnKind.TEXT:
        return Reading(sizes.get(name, sum(sizes.values())))
    group: ColumnElement[int] = column("rowid") // ROWS_TOGETHER
    within = events.within(DayRange((window,)), events.schema.occurred_at)
    counts: list[ColumnElement[Any]] = [func.count(group.distinct()), func.count()]
    ((groups, rows),) = execute(select(*counts).select_from(events.relation).where(within))
    return Reading(groups * ROWS_TOGETHER, rows)
