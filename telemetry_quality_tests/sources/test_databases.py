"""Which connector a database URL gets, and that no URL's password is repeated."""

from __future__ import annotations

import pytest

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.databases import open_database
from telemetry_quality.sources.mysql import MariaDBSource
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality.sources.unproven import UnprovenSource
from telemetry_quality_tests.builders import SCHEMA


@pytest.mark.parametrize("url", ["postgresql://u:p@host/db", "postgresql+psycopg2://host/db", "postgresql:///db"])
def test_a_url_of_postgresql_is_read_through_psycopg_whatever_driver_it_names(url: str) -> None:
    source = open_database(url, "events", SCHEMA)
    assert isinstance(source, PostgresSource)
    assert source._engine.driver == "psycopg"


@pytest.mark.parametrize("backend", ["redshift", "snowflake", "trino"])
def test_an_engine_that_was_never_run_is_read_only_if_somebody_says_so(backend: str) -> None:
    url = f"{backend}://admin:hunter2@host/db"
    with pytest.raises(SourceError, match="set allow_unproven = true") as caught:
        open_database(url, "events", SCHEMA)
    assert caught.value.reason_code == "UNPROVEN"
    assert isinstance(open_database(url, "events", SCHEMA, allow_unproven=True), UnprovenSource)


@pytest.mark.parametrize("url", ["mariadb://u:p@host/db", "mysql://u:p@host/db", "mysql+pymysql://host:3307/db"])
def test_a_url_of_mariadb_is_read_by_its_connector(url: str) -> None:
    assert isinstance(open_database(url, "events", SCHEMA), MariaDBSource)


def test_a_url_of_a_sqlite_file_is_read_by_the_connector_for_sqlite() -> None:
    assert isinstance(open_database("sqlite:///events.db", "events", SCHEMA), SqliteSource)


@pytest.mark.parametrize(
    "url",
    [
        "bigquery://hunter2/db",
        "oracle://admin:hunter2@host/db",
        "hunter2",
        "",
        "://hunter2",
        "odd+odd://hunter2",
    ],
)
def test_an_engine_that_is_unknown_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(SourceError, match=r"requires the form postgresql://.* or sqlite:///FILE") as caught:
        open_database(url, "events", SCHEMA)
    assert caught.value.reason_code == "URL_INVALID"
    assert "hunter2" not in str(caught.value)
