"""Every query as every engine gets it: the text is pinned under ``sql/``, so that a change of it is seen and meant.

PostgreSQL, DuckDB and SQLite run these queries in the contract test; what the others compile has never been run.
Set ``WRITE_SQL=1`` to write the texts anew.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import column, table

from telemetry_quality.core.days import day_window
from telemetry_quality.sources.arrivals import arrival_query, misdating_query
from telemetry_quality.sources.columns import Column, ColumnKind
from telemetry_quality.sources.query import EventTable, Run
from telemetry_quality.sources.repetitions import repetition_query
from telemetry_quality.sources.slices import slice_query
from telemetry_quality_tests.builders import DAY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Dialect, Select

FOLDER = Path(__file__).with_name("sql")

ENGINES = {
    "clickhouse": ("clickhouse_connect.cc_sqlalchemy.dialect", "ClickHouseDialect", "DateTime64(6)"),
    "duckdb": ("telemetry_quality.sources.duckdb", "DuckDBDialect", "TIMESTAMP WITH TIME ZONE"),
    "postgresql": ("sqlalchemy.dialects.postgresql.psycopg", "PGDialect_psycopg", "timestamp with time zone"),
    "snowflake": ("snowflake.sqlalchemy.snowdialect", "SnowflakeDialect", "TIMESTAMP_TZ"),
    "sqlite": ("sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite", "TEXT"),
    "trino": ("trino.sqlalchemy.dialect", "TrinoDialect", "TIMESTAMP(6) WITH TIME ZONE"),
}


def queries(time_type: str) -> Iterator[tuple[str, Select[object]]]:
    """Every query, of two days."""
    kinds = {
        **dict.fromkeys(("event_id", "event_name", "service_version", "user_id", "platform"), ColumnKind.TEXT),
        "severity": ColumnKind.INTEGER,
    }
    columns = {name: Column(name, "TEXT", kind) for name, kind in kinds.items()}
    is_text = time_type == "TEXT"
    for name in ("occurred_at", "received_at"):
        columns[name] = Column(name, time_type, ColumnKind.TEXT if is_text else ColumnKind.INSTANT)
    schema = replace(
        SCHEMA,
        is_error="severity >= 17",
        critical_fields=("user_id",),
        observed_at="received_at",
        dimensions=("platform",),
    )
    events = EventTable(table("events", *map(column, columns)), columns, schema, "salt", is_typed=not is_text)
    run = Run(tuple(day_window(DAY + timedelta(days=n), ZoneInfo("UTC")) for n in (0, 1)))
    yield "aggregates", events.aggregate_query(run)
    yield "count", events.count_query(run)
    yield "versions", events.version_query(run)
    yield "sample", events.sample_query(run, {0: 2**60, 1: 2**61}, 100)
    yield "values", events.values_query("platform", run, 5)
    yield "repetitions", repetition_query(events, run, 1)
    yield "slices", slice_query(events, "platform", run, {None, "1.0", "unknown"})
    yield "arrivals", arrival_query(events, run, "received_at")
    yield "misdating", misdating_query(events, run, "received_at")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_query_compiles_for_every_engine_to_the_text_that_was_looked_at(engine: str) -> None:
    module, name, time_type = ENGINES[engine]
    dialect: Dialect = getattr(import_module(module), name)()
    texts = [f"-- {name}\n{query.compile(dialect=dialect)}\n" for name, query in queries(time_type)]
    found = "\n".join(line.rstrip() for line in "\n".join(texts).splitlines()) + "\n"
    file = FOLDER / f"{engine}.sql"
    if os.environ.get("WRITE_SQL"):
        file.write_text(found)
    assert found == file.read_text()


def test_there_is_a_text_for_each_engine_and_no_other() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(ENGINES)
