"""Values inside columns of DuckDB: structs, maps, lists and JSON, and what is reported where nothing is inside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.duckdb import DuckDBFileSource
from telemetry_quality_tests.builders import DAY, SCHEMA
from telemetry_quality_tests.sources.test_contract import UTC_ZONE, read

if TYPE_CHECKING:
    from pathlib import Path

VALUES = """
    SELECT NULL::VARCHAR AS event_id, TIMESTAMP '2026-03-10 12:00:00' AS occurred_at, 'n' AS event_name,
        FALSE AS is_error,
        {'version': '1', 'service.version': '2', 'deep': {'a"b': '3'}} AS app,
        MAP {'service.version': '4', 'it''s': '5', '$k': '6'} AS attributes,
        [{'key': 'v', 'value': {'text': '7', 'n': 8}}, {'key': 'v', 'value': {'text': 'second', 'n': 0}}] AS params,
        [{'version': '9'}] AS contexts,
        {'attributes': [{'key': 'v.x', 'value': {'stringValue': '18', 'intValue': 0}}]} AS resource,
        '{"v": "10", "a b": {"c": ["x", "11"]}, "n": 12, "t": true, "nothing": null, "$lib": "13"}' AS properties,
        '{"v": "14"}'::JSON AS "j son",
        'not json {' AS broken,
        '15' AS "flat.name", {'name': 'never'} AS flat,
        '16' AS "odd ""name", 17 AS number
"""

FOUND = {
    "app.version": "1",
    'app."service.version"': "2",
    "app['service.version']": "2",
    "app.deep['a\"b']": "3",
    'attributes."service.version"': "4",
    "attributes['it''s']": "5",
    "attributes.$k": "6",
    "attributes['absent']": None,
    "params['v'].text": "7",
    "params.v.n": "8",
    "params['absent'].text": None,
    "params[0].value.text": "7",
    "contexts[0].version": "9",
    "resource.attributes['v.x']": "18",
    "resource.attributes['v.x'].intValue": "0",
    "resource.attributes['absent']": None,
    "FIRST_PRESENT(nowhere, COALESCE(app.absent, app.version))": "1",
    "contexts[1].version": None,
    "properties.v": "10",
    "properties['a b'].c[1]": "11",
    "properties.n": "12",
    "properties.t": "true",
    "properties.nothing": None,
    "properties.absent": None,
    "properties.v.deeper": None,
    "properties.$lib": "13",
    '"j son".v': "14",
    "broken.v": None,
    "flat.name": "15",
    "flat['name']": "never",
    '"odd ""name"': "16",
    "number + 1": "18",
    "COALESCE(broken.v, attributes['absent'], app.version)": "1",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("paths") / "events.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE events AS {VALUES}")
    return path


def sampled_version(file: Path, text: str) -> str | None:
    source = DuckDBFileSource(str(file), "events", replace(SCHEMA, service_version=text, critical_fields=()))
    (scan,) = read(source, [day_window(DAY, UTC_ZONE)])
    return scan.sample[0].service_version


@pytest.mark.parametrize(("text", "found"), FOUND.items(), ids=list(FOUND))
def test_a_path_reaches_what_lies_inside_a_column(file: Path, text: str, found: str | None) -> None:
    assert sampled_version(file, text) == found


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("app.absent", "COLUMN_MISSING", "'absent' is required, but the struct has only: version, service"),
        ("app.deep.absent", "COLUMN_MISSING", "the struct has only"),
        ("number.x", "COLUMN_TYPE", "nothing of that name can be inside INT"),
        ("app[0]", "COLUMN_TYPE", "0 is required"),
        ("attributes[0]", "COLUMN_TYPE", "0 is required"),
        ("contexts['v']", "COLUMN_TYPE", "'v' is required"),
        ("contexts.version", "COLUMN_TYPE", "'version' is required"),
        ("properties['it''s']", "COLUMN_TYPE", "contains quotes or a backslash"),
        ("nowhere.x", "COLUMN_MISSING", "service_version requires the column 'nowhere.x'"),
        ("nowhere['x']", "COLUMN_MISSING", "service_version requires the column 'nowhere'"),
        ("app.version -> 'x'", "EXPRESSION_INVALID", "is not allowed in it"),
        ("attributes[number]", "EXPRESSION_INVALID", "BRACKET is not allowed in it"),
    ],
)
def test_where_nothing_can_be_inside_the_role_and_the_text_are_named(
    file: Path, text: str, code: str, words: str
) -> None:
    with pytest.raises(SourceError) as caught:
        DuckDBFileSource(str(file), "events", replace(SCHEMA, service_version=text, critical_fields=())).columns()
    assert caught.value.reason_code == code
    assert words in str(caught.value)
    assert "service_version" in str(caught.value)
