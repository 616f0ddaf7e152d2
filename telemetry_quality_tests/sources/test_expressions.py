"""Which expressions may play a role, what they mean, and that none of their text is pasted into SQL."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from sqlalchemy import column, create_engine, select, table

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.duckdb_sql import DuckDBDialect
from telemetry_quality.sources.expressions import build, columns_named, is_expression
from telemetry_quality.sources.sqlite import _matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Select

    Answer = Callable[[Select[Any]], list[int]]

ROWS = [
    # number, severity, status, message, "is bad", ratio
    (1, 9, "ok", "started", False, 0.5),
    (2, 17, "failed", "it's over", True, -1.5),
    (3, 21, "lost", "100% lost", False, -3.0),
    (4, None, None, None, None, None),
    (5, -1, "FAILED", "", True, 0.0),
]
COLUMNS = {
    "number": "INTEGER",
    "severity": "INTEGER",
    "status": "VARCHAR",
    "message": "VARCHAR",
    "is bad": "BOOLEAN",
    "ratio": "FLOAT",
}
TABLE = (
    'CREATE TABLE events (number INTEGER, severity INTEGER, status TEXT, message TEXT, "is bad" BOOLEAN, ratio REAL)'
)


def on_duckdb(query: Select[Any]) -> list[int]:
    with duckdb.connect() as connection:
        connection.execute(TABLE)
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        compiled = query.compile(dialect=DuckDBDialect())
        values = [compiled.params[name] for name in compiled.positiontup or ()]
        return [number for (number,) in connection.execute(str(compiled), values).fetchall()]


def on_sqlite(query: Select[Any]) -> list[int]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.create_function("telemetry_matches", 2, _matches)
        connection.exec_driver_sql(TABLE)
        connection.exec_driver_sql("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        numbers = list(connection.scalars(query))
    engine.dispose()
    return numbers


ALLOWED = {
    "severity + 1 > 17": [2, 3],
    "severity - ratio * 2 >= 20": [2, 3],
    "severity / 2 = 8.5": [2],
    "severity % 2 = 1 AND severity > 10": [2, 3],
    "severity / (ratio * 0) IS NULL": [1, 2, 3, 4, 5],
    "-severity < -17": [3],
    "status || '!' = 'lost!'": [3],
    "upper(status) = 'FAILED'": [2, 5],
    "LOWER(status) = 'failed'": [2, 5],
    "TRIM(status || ' ') = 'ok'": [1],
    "CASE WHEN severity >= 17 THEN status = 'lost' WHEN severity < 0 THEN TRUE ELSE FALSE END": [3, 5],
    "CASE status WHEN 'ok' THEN 1 WHEN 'lost' THEN 2 END = 2": [3],
    "CASE WHEN severity IS NULL THEN NULL ELSE severity > 9 END": [2, 3],
    "NULLIF(severity, 17) > 0": [1, 3],
    "COALESCE(severity, 99) > 20": [3, 4],
    "COALESCE(status, message, 'none') = 'none'": [4],
    "CAST(severity AS TEXT) = '17'": [2],
    "CAST(status AS BIGINT) IS NULL": [1, 2, 3, 4, 5],
    "severity::int = 17": [2],
    "CAST(severity AS DOUBLE) = 17": [2],
    "TRY_CAST(severity AS TEXT) LIKE '1%'": [2],
    "FIRST_PRESENT(severity_number >= 17, severity >= 17)": [2, 3],
    "first_present(severity, severity_number) >= 17": [2, 3],
    "severity > 9 AND FIRST_PRESENT(nowhere, elsewhere, TRUE)": [2, 3],
    "message NOT LIKE '%t%'": [5],
    "severity = 17": [2],
    "severity == 17": [2],
    "severity != 17": [1, 3, 5],
    "severity <> 17": [1, 3, 5],
    "severity > 17": [3],
    "severity >= 17": [2, 3],
    "severity < 17": [1, 5],
    "severity <= 17": [1, 2, 5],
    "severity >= 17 AND status = 'lost'": [3],
    "severity >= 21 OR status = 'ok'": [1, 3],
    "severity >= 21 or status = 'ok' and severity > 100": [3],
    "(severity >= 21 OR status = 'ok') AND severity > 100": [],
    "NOT severity >= 17": [1, 5],
    "NOT (severity >= 17 OR status = 'ok')": [5],
    "status IN ('failed', 'lost')": [2, 3],
    "severity IN (9, -1)": [1, 5],
    "status NOT IN ('failed', 'lost')": [1, 5],
    "severity BETWEEN 9 AND 17": [1, 2],
    "severity NOT BETWEEN 9 AND 17": [3, 5],
    "severity BETWEEN -5 AND -1": [5],
    "message LIKE '%lost'": [3],
    "message LIKE '100% %'": [3],
    "message LIKE 's_arted'": [1],
    "NOT message LIKE '%t%'": [5],
    "severity IS NULL": [4],
    "severity IS NOT NULL": [1, 2, 3, 5],
    "NOT severity IS NULL": [1, 2, 3, 5],
    "severity = -1": [5],
    "ratio < -1.5": [3],
    "ratio <= -1.5": [2, 3],
    "ratio = .5": [1],
    "ratio = 5e-1": [1],
    "message = 'it''s over'": [2],
    "message = ''": [5],
    '"is bad"': [2, 5],
    'NOT "is bad"': [1, 3],
    '"is bad" = TRUE': [2, 5],
    '"is bad" = false AND severity = 9': [1],
    '"severity" >= 17': [2, 3],
    "severity > ratio": [1, 2, 3],
    "17 <= severity": [2, 3],
}


@pytest.mark.parametrize("answer", [on_duckdb, on_sqlite], ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("predicate", ALLOWED)
def test_a_predicate_selects_the_events_a_reader_of_sql_expects(answer: Answer, predicate: str) -> None:
    events = table("events", *map(column, COLUMNS))
    condition = build(predicate, "is_error", COLUMNS)
    assert answer(select(events.c.number).where(condition).order_by(events.c.number)) == ALLOWED[predicate]


REFUSED = [
    "severity BETWEEN SYMMETRIC 5 AND 1",
    "",
    " ",
    "severity >=",
    "severity ~ 'x'",
    "load_extension('x')",
    "reverse(status) = 'x'",
    "CAST(severity AS DATE) = 1",
    "CAST(status AS TIMESTAMP) > 1",
    "severity = 17 AND NULL",
    "COALESCE(severity)",
    "IF(severity = 1, 2, 3)",
    "FIRST_PRESENT()",
    "TRIM(BOTH 'x' FROM status) = ''",
    "read_csv('/etc/passwd')",
    "count(*) > 1",
    "severity = DATE '2026-01-01'",
    "EXISTS (SELECT 1)",
    "severity IN (SELECT 17)",
    "severity = (SELECT 17)",
    "severity > ALL (SELECT 1)",
    "severity IN ()",
    "SELECT severity",
    "severity = 1 UNION SELECT 1",
    "severity = 1 LIMIT 1",
    "severity = 1; DROP TABLE events",
    "severity = 1; severity = 2",
    "DROP TABLE events",
    "DELETE FROM events",
    "UPDATE events SET severity = 1",
    "CREATE TABLE x (a INT)",
    "ATTACH 'x' AS y",
    "PRAGMA query_only = OFF",
    "SET threads = 1",
    "severity = ?",
    "severity = :value",
    "severity = @value",
    "severity = NULL",
    "severity IS TRUE",
    "severity IS DISTINCT FROM 17",
    "status ILIKE 'x'",
    "status GLOB 'x'",
    "status REGEXP 'x'",
    "status LIKE 'x' ESCAPE '!'",
    "status COLLATE nocase = 'x'",
    "payload['severity'] = 17",
    "payload -> 'severity' = 17",
    "(severity, status) = (1, 'ok')",
    "severity AS name",
    "severity, status",
    "*",
    "CURRENT_USER = 'root'",
    "CURRENT_TIMESTAMP > severity",
    "INTERVAL '1' DAY > severity",
]


@pytest.mark.parametrize("text", REFUSED)
def test_whatever_is_not_a_plain_predicate_is_refused_with_a_sentence_that_repeats_it(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        build(text, "is_error", COLUMNS)
    assert caught.value.reason_code == "EXPRESSION_INVALID"
    assert repr(text) in str(caught.value)
    assert "is_error requires a column or an expression" in str(caught.value)


@pytest.mark.parametrize(
    "comment", ["-- OR TRUE", "/* OR TRUE */", "--\n", "/*", "#", "*/ OR TRUE /*"], ids=["line", "block", *"1234"]
)
def test_a_comment_never_reaches_the_database(comment: str) -> None:
    with suppress(SourceError):
        predicate = build(f"severity >= 17 {comment}", "is_error", COLUMNS)
        assert str(predicate.compile(dialect=DuckDBDialect())) == "severity >= ?"


def test_every_value_is_bound_and_every_odd_name_is_quoted() -> None:
    text = """"Is ""Bad"" ; --" = 'x''; DROP TABLE events; --' AND severity IN (17, -2.5) OR note LIKE '%''%'"""
    compiled = build(text, "is_error", {}).compile(dialect=DuckDBDialect(), compile_kwargs={"render_postcompile": True})
    assert str(compiled) == '"Is ""Bad"" ; --" = ? AND severity IN (?, ?) OR note LIKE ?'
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    assert values == ["x'; DROP TABLE events; --", 17, -2.5, "%'%"]


@pytest.mark.parametrize("text", ["is_error", "isError", "attributes.is_error", "is$error", "_x1", "é", "$lib"])
def test_a_bare_name_is_a_column_even_if_there_is_none_of_that_name(text: str) -> None:
    assert not is_expression(text, {})
    assert columns_named(text, "is_error", {}) == [text]


@pytest.mark.parametrize("text", ["is error", "a-b", "", "TRUE", "a = 1", '"a"'])
def test_whatever_is_the_name_of_a_column_is_this_column(text: str) -> None:
    assert is_expression(text, {})
    assert not is_expression(text, {text: None})
    assert columns_named(text, "is_error", {text: None}) == [text]


def test_an_expression_names_each_of_its_columns_once() -> None:
    text = "b > 1 AND (a = 2 OR b < 0) AND \"c d\" LIKE 'x' AND d.e['f'] = lower(d.g)"
    assert sorted(columns_named(text, "is_error", {"d": None})) == ["a", "b", "c d", "d"]


def test_a_name_with_dots_is_the_longest_column_that_exists() -> None:
    for names, found in ((["a"], "a"), (["a", "a.b"], "a.b"), (["a.b.c", "a.b"], "a.b.c")):
        assert columns_named("a.b.c['k']", "is_error", dict.fromkeys(names)) == [found]
    assert columns_named("a.b.c['k']", "is_error", {}) == ["a.b.c"]


def test_of_alternatives_only_the_columns_of_the_one_that_is_present_are_needed() -> None:
    text = "FIRST_PRESENT(a, b['k'], COALESCE(c, d))"
    for names, needed in ((["d", "c", "b"], ["b"]), (["c", "d"], ["c", "d"]), (["c"], ["a"]), (["a", "b"], ["a"])):
        assert columns_named(text, "is_error", dict.fromkeys(names)) == needed


def test_naming_the_columns_of_something_unparsable_is_refused() -> None:
    with pytest.raises(SourceError) as caught:
        columns_named("a = = 1", "is_error", {})
    assert caught.value.reason_code == "EXPRESSION_INVALID"
