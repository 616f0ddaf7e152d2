"""Places of events are named as OpenLineage's own client names them, and no name holds a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openlineage.client.naming import dataset as official

from telemetry_quality.connectors import connector
from telemetry_quality.datasets import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "s3cret"
POSTGRES = official.Postgres("db.example.org", "5432", "events", "public", "web")


@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("parquet", {"path": "/data/events"}, official.LocalFileSystem("/data/events")),
        ("parquet", {"path": "/data/events/"}, official.LocalFileSystem("/data/events")),
        ("parquet", {"path": "/data/events/day=*/*.parquet"}, official.LocalFileSystem("/data/events")),
        ("parquet", {"path": "/data/events/2026-[01]*.parquet"}, official.LocalFileSystem("/data/events")),
        ("parquet", {"path": "/*.parquet"}, official.LocalFileSystem("/")),
        ("csv", {"path": "/data/events.csv"}, official.LocalFileSystem("/data/events.csv")),
        ("json", {"path": "/data/events"}, official.LocalFileSystem("/data/events")),
        ("delta", {"path": "s3://lake/web/events"}, official.S3("lake", "web/events")),
        ("parquet", {"path": "s3://lake/web/*/part.parquet"}, official.S3("lake", "web")),
        ("parquet", {"path": "s3://lake"}, official.S3("lake", "/")),
        ("parquet", {"path": "gs://lake/web"}, official.GCS("lake", "web")),
        (
            "parquet",
            {"path": "abfss://raw@account.dfs.core.windows.net/web"},
            official.ABFSS("raw", "account", "web"),
        ),
        ("spark", {"url": "sc://h", "path": "hdfs://name:8020/web"}, official.HDFS("name", "8020", "/web")),
        ("database", {"url": f"postgresql://ada:{SECRET}@db.example.org/events", "table": "web"}, POSTGRES),
        (
            "database",
            {"url": f"postgresql+psycopg://a:{SECRET}@db.example.org:5432/events", "table": "public.web"},
            POSTGRES,
        ),
        (
            "database",
            {"url": f"mysql+pymysql://ada:{SECRET}@db:3307/events", "table": "web"},
            official.MySQL("db", "3307", "events", "web"),
        ),
        (
            "database",
            {"url": f"trino://ada:{SECRET}@trino/hive/raw", "table": "web"},
            official.Trino("trino", "8080", "hive", "raw", "web"),
        ),
        (
            "database",
            {"url": f"snowflake://ada:{SECRET}@org-account/EVENTS/PUBLIC?warehouse=W", "table": "WEB"},
            official.Snowflake("org", "account", "EVENTS", "PUBLIC", "WEB"),
        ),
        (
            "database",
            {"url": f"redshift://ada:{SECRET}@c1.abc.eu-west-1.redshift.amazonaws.com/dev", "table": "web"},
            official.Redshift("c1", "eu-west-1", "5439", "dev", "public", "web"),
        ),
    ],
)
def test_a_place_is_named_as_the_client_names_it(
    name: str, keys: Mapping[str, Any], expected: official.DatasetNaming
) -> None:
    found = connector(name).settings.model_validate(keys).dataset
    assert found == (expected.get_namespace(), expected.get_name())
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("duckdb", {"path": "/data/web.duckdb", "table": "events"}, ("duckdb:///data/web.duckdb", "main.events")),
        ("duckdb", {"path": "/data/web.duckdb", "table": "raw.events"}, ("duckdb:///data/web.duckdb", "raw.events")),
        ("database", {"url": "sqlite:////data/web.db", "table": "events"}, ("sqlite:///data/web.db", "main.events")),
        (
            "clickhouse",
            {"url": f"https://ada:{SECRET}@ch.example.org/raw", "table": "events"},
            ("clickhouse://ch.example.org:8443", "raw.events"),
        ),
        ("clickhouse", {"url": "http://ch", "table": "raw.events"}, ("clickhouse://ch:8123", "raw.events")),
        ("iceberg", {"path": "/lake/events"}, ("file", "/lake/events")),
        ("iceberg", {"catalog": "prod", "table": "raw.events"}, ("iceberg://prod", "raw.events")),
        ("spark", {"url": f"sc://c:443/;token={SECRET}", "table": "raw.events"}, ("spark://c:443", "raw.events")),
        ("spark", {"url": "local[2]", "table": "events"}, ("spark://localhost", "events")),
    ],
)
def test_a_place_that_the_rules_do_not_list_is_named_alike(
    name: str, keys: Mapping[str, Any], expected: tuple[str, str]
) -> None:
    assert connector(name).settings.model_validate(keys).dataset == Dataset(*expected)
