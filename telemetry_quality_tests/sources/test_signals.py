"""The signal catalogue: a list, a column of a table or file, or nothing."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pytest

from telemetry_quality.core.signals import SignalCatalogue
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality.sources.signals import listed_signals
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality_tests.builders import SCHEMA, make_event, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry_quality.core.ports import EventSource

    Connect = Callable[[Path, SignalCatalogue | None], EventSource]

NAMES = ["page.view", "page.view", None, "it's; DROP TABLE signals", "🛰️"]


def parquet(folder: Path, catalogue: SignalCatalogue | None) -> EventSource:
    path = write_parquet(folder / "signals", [make_event(event_name=name) for name in NAMES])
    if catalogue is not None and catalogue.table is not None:
        catalogue = SignalCatalogue(table=str(folder / catalogue.table), column=catalogue.column)
    return ParquetSource(str(path), SCHEMA, ZoneInfo("UTC"), catalogue=catalogue)


def duckdb_file(folder: Path, catalogue: SignalCatalogue | None) -> EventSource:
    with duckdb.connect(str(folder / "events.duckdb")) as connection:
        connection.execute("CREATE TABLE signals (event_name TEXT, name TEXT)")
        connection.executemany("INSERT INTO signals VALUES (?1, ?1)", [[name] for name in NAMES])
    return DuckDBFileSource(str(folder / "events.duckdb"), "events", SCHEMA, catalogue=catalogue)


def sqlite(folder: Path, catalogue: SignalCatalogue | None) -> EventSource:
    connection = sqlite3.connect(folder / "events.db")
    connection.execute("CREATE TABLE signals (event_name TEXT, name TEXT)")
    connection.executemany("INSERT INTO signals VALUES (?1, ?1)", [[name] for name in NAMES])
    connection.commit()
    connection.close()
    return SqliteSource(f"sqlite:///{folder / 'events.db'}", "events", SCHEMA, catalogue=catalogue)


everywhere = pytest.mark.parametrize("connect", [parquet, duckdb_file, sqlite], ids=lambda connect: connect.__name__)


@everywhere
def test_a_catalogue_in_a_table_is_its_distinct_names_without_null(tmp_path: Path, connect: Connect) -> None:
    source = connect(tmp_path, SignalCatalogue(table="signals"))
    assert source.read_signals() == frozenset({"page.view", "it's; DROP TABLE signals", "🛰️"})


@pytest.mark.parametrize("connect", [duckdb_file, sqlite], ids=lambda connect: connect.__name__)
def test_the_column_of_a_catalogue_may_have_any_name(tmp_path: Path, connect: Connect) -> None:
    source = connect(tmp_path, SignalCatalogue(table="signals", column="name"))
    assert source.read_signals() == frozenset({"page.view", "it's; DROP TABLE signals", "🛰️"})


@everywhere
def test_a_catalogue_that_is_a_list_needs_no_scan(tmp_path: Path, connect: Connect) -> None:
    assert connect(tmp_path, SignalCatalogue(names=("a", "b", "a"))).read_signals() == frozenset({"a", "b"})


@everywhere
def test_an_empty_list_knows_no_signal_which_is_not_the_same_as_no_catalogue(tmp_path: Path, connect: Connect) -> None:
    assert connect(tmp_path, SignalCatalogue(names=())).read_signals() == frozenset()


@everywhere
def test_without_a_catalogue_the_names_are_left_to_be_learnt(tmp_path: Path, connect: Connect) -> None:
    assert connect(tmp_path, None).read_signals() is None


@everywhere
def test_a_catalogue_that_does_not_exist_is_an_error_and_not_an_empty_catalogue(
    tmp_path: Path, connect: Connect
) -> None:
    with pytest.raises(SourceError):
        connect(tmp_path, SignalCatalogue(table="absent")).read_signals()


def test_listed_signals_are_none_where_the_catalogue_is_a_table() -> None:
    assert listed_signals(SignalCatalogue(table="signals")) is None
