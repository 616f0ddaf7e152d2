"""Every query as every engine gets it: the text is pinned under ``sql/``, so that changes are visible and deliberate.

What rates add to it is pinned under ``sql_with_rates/``.

ClickHouse, DuckDB, MariaDB and PostgreSQL run these queries in the contract test; what the others compile has never
been run.
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

from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.sources.aggregates import (
    aggregate_query,
    version_hours_count_query,
    version_hours_query,
    version_part_query,
    version_query,
)
from telemetry_quality.sources.arrivals import arrival_query, invalid_timestamp_query
from telemetry_quality.sources.columns import Column, ColumnKind
from telemetry_quality.sources.combinations import DayCombinations
from telemetry_quality.sources.duplicates import duplicate_query
from telemetry_quality.sources.identities import identity_query
from telemetry_quality.sources.incomplete import unidentified_query
from telemetry_quality.sources.query import DayRange
from telemetry_quality.sources.slices import slice_query, value_query
from telemetry_quality.sources.unproven_sql import use_exact_division
from telemetry_quality_tests.builders import DAY, SCHEMA
from telemetry_quality_tests.sources.event_tables import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Dialect, Select

FOLDER = Path(__file__).with_name("sql")
FOLDER_WITH_RATES = Path(__file__).with_name("sql_with_rates")

RATES = (Rate("lost", "status = 'lost'"), Rate("slow", "duration > 1000", of="NOT is_cached AND duration IS NOT NULL"))
"""Their columns have no other role."""

ENGINES = {
    "clickhouse": ("telemetry_quality.sources.clickhouse_sql", "ClickHouseDialect", "DateTime64(6)"),
    "duckdb": ("telemetry_quality.sources.duckdb", "DuckDBDialect", "TIMESTAMP WITH TIME ZONE"),
    "mariadb": ("telemetry_quality.sources.mysql_sql", "MySQLDialect", "datetime(6)"),
    "postgresql": ("sqlalchemy.dialects.postgresql.psycopg", "PGDialect_psycopg", "timestamp with time zone"),
    "redshift": ("telemetry_quality.sources.unproven_sql", "RedshiftDialect", "timestamp with time zone"),
    "snowflake": ("snowflake.sqlalchemy.snowdialect", "SnowflakeDialect", "TIMESTAMP_TZ"),
    "trino": ("trino.sqlalchemy.dialect", "TrinoDialect", "TIMESTAMP(6) WITH TIME ZONE"),
}


ONE_PASS = ("duckdb",)
"""The engines that count several groupings in one pass."""


def queries(
    time_type: str, rates: tuple[Rate, ...] = (), *, has_grouping_sets: bool = False
) -> Iterator[tuple[str, Select[object]]]:
    """Every query, for two days."""
    texts = ("event_id", "event_name", "service_version", "user_id", "platform", "status")
    kinds = {
        **dict.fromkeys(texts, ColumnKind.TEXT),
        **dict.fromkeys(("severity", "duration"), ColumnKind.INTEGER),
        "is_cached": ColumnKind.BOOLEAN,
    }
    columns = {name: Column(name, "TEXT", kind) for name, kind in kinds.items()}
    for name in ("occurred_at", "received_at"):
        columns[name] = Column(name, time_type, ColumnKind.INSTANT)
    schema = replace(
        SCHEMA,
        is_error="severity >= 17",
        critical_fields=("user_id",),
        observed_at="received_at",
        dimensions=("platform",),
        rates=rates,
    )
    events = table_of("events", columns, schema, "salt", has_grouping_sets=has_grouping_sets)
    day_range = DayRange(tuple(day_window(DAY + timedelta(days=n), ZoneInfo("UTC")) for n in (0, 1)))
    yield "aggregates", aggregate_query(events, day_range)
    yield "unidentified", unidentified_query(events, day_range)
    yield "version_hours", version_hours_query(events, day_range, 1, 3)
    yield "version_hours_count", version_hours_count_query(events, day_range)
    yield "count", events.count_query(day_range)
    yield "versions", version_query(events, day_range)
    yield "version_part", version_part_query(events, day_range, 2, 3)
    yield "sample", events.sample_query(day_range, {0: 2**60, 1: 2**61}, 100)
    yield "sample_and_duplicates", identity_query(events, day_range, {0: 2**60, 1: 2**61}, 100, 1)
    yield "values", events.values_query("platform", day_range, 5)
    yield "duplicates", duplicate_query(events, day_range, 1)
    versions = DayCombinations(missing_versions=frozenset({"unknown"}), versions=frozenset({"1.0", "unknown"}))
    yield "dimension_values", value_query(events, ("platform",), day_range)
    yield "slices", slice_query(events, ("platform",), day_range, [versions], {0: {1: ["web", None]}})
    yield "arrivals", arrival_query(events, day_range, "received_at")
    yield "invalid_timestamp", invalid_timestamp_query(events, day_range, "received_at")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_query_compiles_for_every_engine_to_the_reviewed_text(engine: str) -> None:
    assert_pinned(FOLDER / f"{engine}.sql", compiled(engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_rates_add_columns_to_the_queries_that_count_and_change_no_other(engine: str) -> None:
    without, with_rates = compiled(engine), compiled(engine, RATES)
    assert with_rates.keys() == without.keys()
    changed = {name: text for name, text in with_rates.items() if text != without[name]}
    assert list(changed) == ["aggregates", "version_hours", "version_hours_count", "versions", "version_part", "slices"]
    assert all(text.count(word) == without[name].count(word) for name, text in changed.items() for word in KEYWORDS)
    assert_pinned(FOLDER_WITH_RATES / f"{engine}.sql", changed)


KEYWORDS = ("SELECT", "FROM", "JOIN", "WHERE events.", "GROUP BY", "UNION")
"""Another scan would have more of them; WHERE alone also stands before what DuckDB counts."""


def compiled(engine: str, rates: tuple[Rate, ...] = ()) -> dict[str, str]:
    """The text of every query on an engine."""
    module, name, time_type = ENGINES[engine]
    dialect: Dialect = getattr(import_module(module), name)()
    use_exact_division(dialect)
    found = queries(time_type, rates, has_grouping_sets=engine in ONE_PASS)
    return {name: str(query.compile(dialect=dialect)) for name, query in found}


def assert_pinned(file: Path, texts: dict[str, str]) -> None:
    text = "\n".join(f"-- {name}\n{text}\n" for name, text in texts.items())
    found = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    if os.environ.get("WRITE_SQL"):
        file.write_text(found)
    assert found == file.read_text()


@pytest.mark.parametrize("folder", [FOLDER, FOLDER_WITH_RATES], ids=lambda folder: folder.name)
def test_there_is_a_text_for_each_engine_and_no_other(folder: Path) -> None:
    assert {file.stem for file in folder.iterdir()} == set(ENGINES)
